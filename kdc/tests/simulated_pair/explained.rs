//! What `principal explain` says is what happens.

use std::net::SocketAddr;
use std::time::Duration;

use tessera_common::name::Name;
use tessera_kdc::kerberos::{Explained, explain};
use tessera_kdc::realm::access::{AccessPolicy, Fit};
use tessera_kdc::realm::denied::Denied;
use tessera_kdc::realm::principal::{Attributes, PrincipalRecord};
use tessera_kdc::realm::settings::RealmSettings;
use tessera_kdc::store::Store as _;

use crate::world::{NOON, World, hours};

type Realm = fn(&mut RealmSettings);
type Principal = fn(&mut PrincipalRecord);

fn of<'w>(world: &'w World, client: &str, service: &str) -> Explained<'w> {
    let view = world.store.view();
    let find = |name: &str| view.find(&Name::parse(name).unwrap()).unwrap().clone();
    let policy = AccessPolicy::of(world.kdc.settings());
    let from = world.peer.parse::<SocketAddr>().unwrap().ip();
    explain(
        policy,
        &find(client),
        &find(service),
        world.kdc.lockout(),
        (from, world.now),
    )
}

fn alice(realm: Realm, principal: Principal) -> Explained<'static> {
    let mut world = World::with(realm);
    world.change("alice", |_, record| principal(record));
    // What is explained borrows the realm's rules; a test's process is short.
    of(Box::leak(Box::new(world)), "alice", "krbtgt/EXAMPLE.COM")
}

#[test]
fn by_default_the_best_proof_that_each_channel_has_is_offered() {
    let explained = alice(|_| {}, |_| {});
    assert_eq!(explained.account, Ok(()));
    assert!(explained.proof_needed);
    assert_eq!(explained.open, Ok(vec!["encrypted-timestamp"]));
    assert_eq!(explained.armored, Ok(vec!["encrypted-challenge"]));
    let grant = explained.by_login.unwrap();
    assert_eq!((grant.life, grant.renewable_life), (hours(10), Some(hours(7 * 24))));
}

#[test]
fn what_the_realm_or_the_principal_demands_is_told() {
    let required = Err(Denied::ArmorRequired);
    let cases: [(Realm, Principal, _); 3] = [
        (|s| s.require_fast = true, |_| {}, required.clone()),
        (|_| {}, |r| r.attributes = Attributes::REQUIRE_FAST, required),
        (|s| s.unarmored_encrypted_timestamp = false, |_| {}, Ok(vec![])),
    ];
    for (realm, principal, open) in cases {
        let explained = alice(realm, principal);
        assert_eq!(explained.open, open);
        assert_eq!(explained.armored, Ok(vec!["encrypted-challenge"]));
    }
    // Random keys are exempt from what the realm demands for passwords, not from what is demanded of them alone.
    let mut world = World::with(|settings| {
        settings.require_fast = true;
        settings.unarmored_encrypted_timestamp = false;
    });
    assert_eq!(
        of(&world, "host/www", "krbtgt/EXAMPLE.COM").open,
        Ok(vec!["encrypted-timestamp"])
    );
    world.change("host/www", |_, record| record.attributes = Attributes::REQUIRE_FAST);
    assert_eq!(
        of(&world, "host/www", "krbtgt/EXAMPLE.COM").open,
        Err(Denied::ArmorRequired)
    );
}

#[test]
fn why_there_is_no_ticket_is_told() {
    let locked = alice(|_| {}, |record| record.attributes = Attributes::LOCKED);
    assert_eq!(locked.account, Err(Denied::ClientLocked));
    assert_eq!(locked.by_login, Err(Denied::ClientLocked));
    assert_eq!(locked.by_ticket, Err(Denied::ClientLocked));
    let expired = alice(|_| {}, |record| record.password_expires = Some(NOON));
    assert_eq!((expired.account, expired.by_ticket.is_ok()), (Ok(()), true));
    assert_eq!(expired.by_login, Err(Denied::PasswordExpired));
    let open = alice(|_| {}, |record| record.attributes = Attributes::NO_PREAUTH);
    assert!(!open.proof_needed && open.by_login.is_ok());

    let mut world = World::new();
    fn for_service(world: &World) -> Explained<'_> {
        of(world, "alice", "host/www")
    }
    assert!(for_service(&world).by_ticket.is_ok());
    world.change("host/www", |_, record| {
        record.max_life = Some(Duration::from_secs(60));
        record.attributes = Attributes::NOT_TGT_BASED;
    });
    let explained = for_service(&world);
    assert_eq!(explained.by_ticket, Err(Denied::NotTgtBased));
    assert_eq!(explained.by_login.unwrap().life, Duration::from_secs(60));
    assert_eq!(
        of(&world, "host/www", "alice").by_login,
        Err(Denied::NotAService),
        "people are no services"
    );
}

#[test]
fn rules_are_told_with_what_comes_of_them() {
    let mut world = World::with(|settings| settings.access = crate::access::declared(&["staff", "guests"], RULES));
    world.change("alice", |_, record| record.roles = vec!["staff".parse().unwrap()]);
    let told: Vec<_> = of(&world, "alice", "host/www")
        .rules
        .iter()
        .map(|looked| (looked.rule.name().to_string(), looked.fit))
        .collect();
    let expected = [
        ("guests", Fit::Role),
        ("office", Fit::Applies),
        ("tuesdays", Fit::Hours),
    ];
    assert_eq!(told, expected.map(|(name, fit)| (name.to_owned(), fit)));
    let grant = of(&world, "alice", "host/www").by_ticket.unwrap();
    assert_eq!((grant.life, grant.rule.unwrap().name().as_str()), (hours(1), "office"));
    world.peer = "198.51.100.1:1";
    let refused = of(&world, "alice", "host/www").by_ticket.unwrap_err();
    assert_eq!((refused.name(), refused.rules().len()), ("no-rule-allows", 3));
    assert!(of(&world, "alice", "krbtgt/EXAMPLE.COM").rules.is_empty());
    assert!(
        of(&world, "alice", "host/www").default_counts && !of(&world, "alice", "krbtgt/EXAMPLE.COM").default_counts
    );
}

const RULES: &[&str] = &[
    r#"{"name":"office","effect":"allow","roles":["staff"],"services":["host/*"],"from":["192.0.2.0/24"],"max-life":"1h"}"#,
    r#"{"name":"guests","effect":"allow","roles":["guests"],"services":["*"]}"#,
    r#"{"name":"tuesdays","effect":"allow","services":["host/www"],"hours":["Tue 03:00-03:01"]}"#,
];
