//! Rules in force: who gets which ticket, for how long, what the log says, and what the service learns of roles.

use std::time::Duration;

use tessera_client::exchange::{AsRequest, TgsRequest, When};
use tessera_common::ap::{Acceptor, Initiator, MemoryReplayCache, Vouched};
use tessera_common::credential::Credential;
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::{KdcOptions, TicketFlags};
use tessera_common::role::RoleName;
use tessera_common::wire::{self, KrbError};
use tessera_kdc::realm::access::{Access, DefaultAccess};
use tessera_kdc::realm::accounting::{Result as EventResult, Transport};
use tessera_kdc::realm::principal::Attributes;
use tessera_kdc::realm::rights::Role;
use tessera_kdc::store::Store as _;

use crate::world::{World, code, hours, principal};

/// Roles, and rules as JSON.
pub fn declared(roles: &[&str], rules: &[&str]) -> Access {
    Access::new(
        roles.iter().map(|role| Role::plain(role.parse().unwrap())),
        rules.iter().map(|rule| serde_json::from_str(rule).unwrap()),
    )
}

/// alice has the role staff.
fn world(rules: &[&str]) -> World {
    let mut world = World::with(|settings| settings.access = declared(&["staff", "guests"], rules));
    set_roles(&mut world, &["staff"]);
    world
}

fn set_roles(world: &mut World, roles: &[&str]) {
    world.change("alice", |_, record| {
        record.roles = roles.iter().map(|role| role.parse().unwrap()).collect();
    });
}

fn renewable(request: &mut AsRequest) {
    request.options = KdcOptions::RENEWABLE;
    request.times.rtime = Some(When::After(hours(24 * 30)));
}

/// A renewable ticket to host/www.
fn renewable_ticket(world: &mut World) -> Credential {
    let tgt = world.tgt(renewable);
    let mut request = TgsRequest::new(principal("host/www"));
    request.options = KdcOptions::RENEWABLE;
    request.times.rtime = Some(When::After(hours(24 * 30)));
    world.exchange(&tgt, request).unwrap()
}

/// What the service with the realm's keys learns from a ticket.
fn vouched(world: &World, credential: &Credential) -> Vouched {
    let view = world.store.view();
    let server = view.find(&credential.server.name).unwrap();
    let keys: Vec<_> = server
        .keys
        .iter()
        .map(|stored| {
            (
                credential.server.clone(),
                stored.kvno,
                view.key(server, stored).unwrap().clone(),
            )
        })
        .collect();
    let mut random = crate::world::Counter::default();
    let request = Initiator::new(credential).request(world.client_clock(), &mut random);
    let replays = MemoryReplayCache::new(Acceptor::SKEW);
    let accepted = Acceptor::for_any_service().accept(request.octets(), &keys[..], &replays, None, world.now);
    accepted.unwrap().vouched().clone()
}

fn roles(vouched: &Vouched) -> Vec<&str> {
    vouched.roles().iter().map(RoleName::as_str).collect()
}

/// The rule and the detail of the last event.
fn last(world: &World) -> (Option<String>, String) {
    let event = world.events.last().unwrap();
    let detail = match &event.result {
        EventResult::Refused { detail, .. } => detail.clone(),
        _ => String::new(),
    };
    (event.rule.as_ref().map(ToString::to_string), detail)
}

#[test]
fn the_tgs_and_the_as_refuse_what_a_rule_denies_and_name_it_in_the_log_alone() {
    let mut world = world(&[r#"{"name":"no-hosts","effect":"deny","services":["host/*"],"roles":["staff"]}"#]);
    let tgt = world.tgt(|_| {});
    let refused = world.service_ticket(&tgt, "host/www");
    assert_eq!(code(refused), ErrorCode::KDC_ERR_POLICY);
    assert_eq!(world.last_reason(), "denied-by-rule");
    assert_eq!(last(&world).0.as_deref(), Some("no-hosts"));
    let mut line = String::new();
    world.events.last().unwrap().put_into(&mut line);
    assert!(
        line.contains(" result=refused reason=denied-by-rule code=12 rule=no-hosts"),
        "{line}"
    );

    let mut request = AsRequest::new(principal("alice"));
    request.service = Some("host/www".parse().unwrap());
    assert_eq!(code(world.login("alice", request)), ErrorCode::KDC_ERR_POLICY);
    assert_eq!(last(&world).0.as_deref(), Some("no-hosts"));

    // What the client is told names neither the rule nor which kind of refusal it is.
    let (_, sent) = world.sent.last().unwrap().clone();
    let answer = world.deliver(&sent, Transport::Udp).unwrap();
    let error: KrbError = wire::decode(&answer).unwrap();
    let text = error.e_text.unwrap();
    assert_eq!(text.as_bytes(), b"the realm's policy does not allow it");

    set_roles(&mut world, &["guests"]);
    assert!(
        world.service_ticket(&tgt, "host/www").is_ok(),
        "roles are those of the moment"
    );
    assert_eq!(last(&world).0, None);
}

#[test]
fn a_closed_service_is_refused_by_the_rules_that_close_it() {
    let mut world = world(&[
        r#"{"name":"guests","effect":"allow","services":["host/www"],"roles":["guests"]}"#,
        r#"{"name":"elsewhere","effect":"allow","services":["host/*"],"from":["198.51.100.0/24"]}"#,
    ]);
    let tgt = world.tgt(|_| {});
    assert_eq!(code(world.service_ticket(&tgt, "host/www")), ErrorCode::KDC_ERR_POLICY);
    assert_eq!(world.last_reason(), "no-rule-allows");
    assert_eq!(last(&world), (None, "closed by elsewhere, guests".to_owned()));
    for peer in ["198.51.100.9:40000", "[::ffff:198.51.100.9]:40000"] {
        world.peer = peer;
        assert!(world.service_ticket(&tgt, "host/www").is_ok(), "{peer}");
        assert_eq!(last(&world).0.as_deref(), Some("elsewhere"));
        let mut line = String::new();
        world.events.last().unwrap().put_into(&mut line);
        assert!(line.contains(" rule=elsewhere"), "{line}");
    }
}

#[test]
fn hours_open_and_close_with_the_clock() {
    // The world's noon is a Friday's.
    let mut world =
        world(&[r#"{"name":"office","effect":"allow","services":["host/www"],"hours":["Mon-Fri 08:00-13:00"]}"#]);
    let tgt = world.tgt(|_| {});
    world.pass(Duration::from_secs(3599));
    assert!(world.service_ticket(&tgt, "host/www").is_ok());
    world.pass(Duration::from_secs(1));
    assert_eq!(code(world.service_ticket(&tgt, "host/www")), ErrorCode::KDC_ERR_POLICY);
}

#[test]
fn what_no_rule_is_about_follows_the_default_and_logins_always_work() {
    let mut world = world(&[]);
    world.settle(|settings| settings.default_access = DefaultAccess::Deny);
    let tgt = world.tgt(renewable);
    assert_eq!(code(world.service_ticket(&tgt, "host/www")), ErrorCode::KDC_ERR_POLICY);
    assert_eq!(world.last_reason(), "denied-by-default");
    let mut change = AsRequest::new(principal("alice"));
    change.service = Some("kadmin/changepw".parse().unwrap());
    assert!(world.login("alice", change).is_ok());
    assert!(world.exchange(&tgt, TgsRequest::renew(&tgt)).is_ok());
}

#[test]
fn nothing_but_the_very_name_touches_krbtgt_changepw_and_tickets_that_are_held() {
    let mut world = world(&[]);
    world.add("bob", Some("bob"), |record| {
        record.attributes = Attributes::NOT_A_SERVICE;
    });
    let tgt = world.tgt(|request| {
        renewable(request);
        request.options = request.options | KdcOptions::FORWARDABLE | KdcOptions::PROXIABLE;
    });
    let held = renewable_ticket(&mut world);
    let bobs = world.login("bob", AsRequest::new(principal("bob"))).unwrap().credential;
    let all = r#"{"name":"all","effect":"deny","services":["*"]}"#;
    world.settle(|settings| settings.access = declared(&[], &[all]));
    assert!(world.login("alice", AsRequest::new(principal("alice"))).is_ok());
    assert!(world.exchange(&tgt, TgsRequest::forward(&tgt, vec![])).is_ok());
    assert!(world.exchange(&tgt, TgsRequest::renew(&tgt)).is_ok());
    assert!(world.exchange(&held, TgsRequest::renew(&held)).is_ok());
    // What is new is asked about: a service, another user, and a proxy.
    for request in [
        TgsRequest::new(principal("host/www")),
        TgsRequest::user_to_user(principal("bob"), bobs.ticket),
        TgsRequest::proxy(principal("host/www"), vec![]),
    ] {
        let options = request.options;
        assert_eq!(
            code(world.exchange(&tgt, request)),
            ErrorCode::KDC_ERR_POLICY,
            "{options:?}"
        );
    }
    for (service, expected) in [
        ("krbtgt/EXAMPLE.COM", [false, false, true]),
        ("host/www", [true, true, false]),
        ("kadmin/changepw", [true, true, true]),
    ] {
        let rule = format!(r#"{{"name":"one","effect":"deny","services":["{service}"]}}"#);
        world.settle(|settings| settings.access = declared(&[], &[&rule]));
        world.pass(Duration::from_secs(1));
        let got = [
            world.login("alice", AsRequest::new(principal("alice"))).is_ok(),
            world.exchange(&tgt, TgsRequest::renew(&tgt)).is_ok(),
            world.exchange(&held, TgsRequest::renew(&held)).is_ok(),
        ];
        assert_eq!(got, expected, "{service}");
    }
}

#[test]
fn max_life_bounds_the_ticket_and_what_renewals_make_of_it() {
    let mut world = world(&[
        r#"{"name":"short","effect":"allow","services":["host/www"],"max-life":"1h"}"#,
        r#"{"name":"shorter","effect":"allow","services":["host/www"],"max-life":"30m"}"#,
    ]);
    let ticket = renewable_ticket(&mut world);
    assert_eq!(last(&world).0.as_deref(), Some("short"));
    assert_eq!(ticket.times.endtime, world.now.plus(hours(1)));
    assert!(
        !ticket.flags.contains(TicketFlags::RENEWABLE),
        "nothing is left to renew it for"
    );

    // One that is asked for less can be renewed up to the rule's life, and not beyond.
    let tgt = world.tgt(renewable);
    let mut request = TgsRequest::new(principal("host/www"));
    request.options = KdcOptions::RENEWABLE;
    request.times.till = When::After(Duration::from_secs(1500));
    request.times.rtime = Some(When::After(hours(24)));
    let start = world.now;
    let mut ticket = world.exchange(&tgt, request).unwrap();
    assert_eq!(ticket.times.renew_till, Some(start.plus(hours(1))));
    for end in [2700, 3600] {
        world.pass(Duration::from_secs(1200));
        ticket = world.exchange(&ticket, TgsRequest::renew(&ticket)).unwrap();
        assert_eq!(ticket.times.endtime, start.plus(Duration::from_secs(end)));
    }
}

#[test]
fn a_rule_that_names_the_service_bounds_the_renewal_of_what_was_issued_before_it() {
    let mut world = world(&[]);
    let ticket = renewable_ticket(&mut world);
    world.settle(|settings| {
        settings.access = declared(
            &[],
            &[r#"{"name":"short","effect":"allow","services":["host/www"],"max-life":"1h"}"#],
        );
    });
    world.pass(hours(1));
    let renewed = world.exchange(&ticket, TgsRequest::renew(&ticket)).unwrap();
    assert_eq!(renewed.times.endtime, world.now.plus(hours(1)));
    assert_eq!(renewed.times.renew_till, Some(world.now.plus(hours(1))));
}

#[test]
fn the_most_generous_rule_counts_among_realm_client_and_service() {
    for (client, expected) in [(None, 2), (Some(1), 1), (Some(9), 2)] {
        let mut world = world(&[
            r#"{"name":"a","effect":"allow","services":["host/*"],"max-life":"1h"}"#,
            r#"{"name":"b","effect":"allow","services":["host/*"],"max-life":"2h"}"#,
        ]);
        let tgt = world.tgt(|_| {});
        world.change("alice", |_, record| record.max_life = client.map(hours));
        let ticket = world.service_ticket(&tgt, "host/www").unwrap();
        assert_eq!(ticket.times.endtime, world.now.plus(hours(expected)), "{client:?}");
    }
}

#[test]
fn the_service_learns_the_clients_id_and_declared_roles() {
    let mut world = world(&[]);
    set_roles(&mut world, &["ghosts", "guests", "staff"]);
    let id = world.store.view().find(&"alice".parse().unwrap()).unwrap().id;
    let tgt = world.tgt(|request| request.options = KdcOptions::PROXIABLE);
    let ticket = world.service_ticket(&tgt, "host/www").unwrap();
    let seen = vouched(&world, &ticket);
    assert_eq!(seen.problem(), None);
    assert_eq!(
        (seen.principal_id(), roles(&seen)),
        (Some(id.0), vec!["guests", "staff"])
    );

    // From the AS as well, by proxy too; each time as they are then.
    set_roles(&mut world, &["staff"]);
    let mut request = AsRequest::new(principal("alice"));
    request.service = Some("host/www".parse().unwrap());
    let initial = world.login("alice", request).unwrap().credential;
    assert_eq!(roles(&vouched(&world, &initial)), ["staff"]);
    let proxy = world
        .exchange(&tgt, TgsRequest::proxy(principal("host/www"), vec![]))
        .unwrap();
    assert_eq!(roles(&vouched(&world, &proxy)), ["staff"]);
    set_roles(&mut world, &[]);
    let ticket = world.service_ticket(&tgt, "host/www").unwrap();
    let seen = vouched(&world, &ticket);
    assert_eq!(
        (seen.principal_id(), seen.roles().len(), seen.problem()),
        (Some(id.0), 0, None)
    );
}

#[test]
fn a_tgt_says_nothing_of_roles() {
    let mut world = world(&[]);
    let tgt = world.tgt(|_| {});
    let (_, part) = world.open(&tgt);
    let octets = wire::encode(&part);
    assert!(!octets.windows(5).any(|window| window == b"staff"));
    let renewed_roles = renewable_ticket(&mut world);
    let octets = wire::encode(&world.open(&renewed_roles).1);
    assert!(octets.windows(5).any(|window| window == b"staff"));
}

#[test]
fn a_renewed_ticket_has_the_roles_of_the_moment() {
    let mut world = world(&[]);
    let ticket = renewable_ticket(&mut world);
    assert_eq!(roles(&vouched(&world, &ticket)), ["staff"]);
    set_roles(&mut world, &["guests"]);
    world.pass(hours(1));
    let renewed = world.exchange(&ticket, TgsRequest::renew(&ticket)).unwrap();
    assert_eq!(roles(&vouched(&world, &renewed)), ["guests"]);
}
