//! When tickets begin, end, are renewed and validated.

use std::time::Duration;

use tessera_client::exchange::{RequestedTimes, TgsRequest, When};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::{KdcOptions, TicketFlags};

use crate::world::{NOON, World, code, hours, principal};

#[test]
fn a_ticket_lives_as_long_as_the_least_of_realm_client_and_service() {
    for (realm, client, service, life) in [
        (10, None, None, 10),
        (10, Some(4), None, 4),
        (10, Some(12), None, 10),
        (10, None, Some(3), 3),
        (10, Some(2), Some(3), 2),
    ] {
        let mut world = World::with(|settings| settings.lifetime = hours(realm));
        world.change("alice", |_, record| record.max_life = client.map(hours));
        world.change("krbtgt/EXAMPLE.COM", |_, record| record.max_life = service.map(hours));
        let tgt = world.tgt(|_| {});
        assert_eq!(
            tgt.times.endtime,
            NOON.plus(hours(life)),
            "{realm} {client:?} {service:?}"
        );
    }
}

#[test]
fn a_service_ticket_ends_with_its_tgt_and_is_not_initial() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    world.pass(hours(9));
    let ticket = world.service_ticket(&tgt, "host/www").unwrap();
    assert_eq!(ticket.times.endtime, tgt.times.endtime);
    assert_eq!(ticket.times.starttime, world.now);
    assert_eq!(ticket.times.authtime, tgt.times.authtime);
    assert!(tgt.flags.contains(TicketFlags::INITIAL) && !ticket.flags.contains(TicketFlags::INITIAL));
}

#[test]
fn a_tgt_is_good_until_its_end_and_the_skew() {
    for (late, granted) in [(-1, true), (0, false), (299, false), (301, false)] {
        let mut world = World::new();
        let tgt = world.tgt(|_| {});
        world.now = tgt.times.endtime;
        world.now.0 += late;
        let got = world.service_ticket(&tgt, "host/www");
        match granted {
            true => assert!(got.is_ok(), "{late}"),
            // Within the skew the TGT is still taken, but nothing can be got that begins before it ends.
            false if late <= 300 => assert_eq!(code(got), ErrorCode::KDC_ERR_NEVER_VALID, "{late}"),
            false => assert_eq!(code(got), ErrorCode::KRB_AP_ERR_TKT_EXPIRED, "{late}"),
        }
    }
}

#[test]
fn a_ticket_is_renewed_for_a_week_and_then_no_more() {
    let mut world = World::new();
    let mut tgt = world.tgt(|request| {
        request.options = KdcOptions::RENEWABLE;
        request.times.till = When::After(hours(10));
        request.times.rtime = Some(When::After(hours(24 * 30)));
    });
    let (authtime, renew_till) = (tgt.times.authtime, tgt.times.renew_till.unwrap());
    assert_eq!(renew_till, NOON.plus(hours(24 * 7)));
    let mut renewals = 0;
    while world.now.plus(hours(9)) < renew_till {
        world.pass(hours(9));
        tgt = world.exchange(&tgt, TgsRequest::renew(&tgt)).unwrap();
        assert_eq!(tgt.times.endtime, world.now.plus(hours(10)).min(renew_till));
        assert_eq!((tgt.times.authtime, tgt.times.renew_till), (authtime, Some(renew_till)));
        assert!(
            tgt.flags
                .contains(TicketFlags::INITIAL | TicketFlags::RENEWABLE | TicketFlags::PRE_AUTHENT)
        );
        renewals += 1;
    }
    assert_eq!(renewals, 18);
    world.now = renew_till;
    assert_eq!(
        code(world.exchange(&tgt, TgsRequest::renew(&tgt))),
        ErrorCode::KRB_AP_ERR_TKT_EXPIRED
    );
}

#[test]
fn what_is_not_renewable_or_over_is_not_renewed() {
    let mut world = World::new();
    let tgt = world.tgt(|request| request.options = KdcOptions::empty());
    assert_eq!(
        code(world.exchange(&tgt, TgsRequest::renew(&tgt))),
        ErrorCode::KDC_ERR_BADOPTION
    );
    let tgt = world.tgt(|request| {
        request.options = KdcOptions::RENEWABLE;
        request.times.rtime = Some(When::After(hours(24)));
    });
    world.pass(hours(11));
    assert_eq!(
        code(world.exchange(&tgt, TgsRequest::renew(&tgt))),
        ErrorCode::KRB_AP_ERR_TKT_EXPIRED
    );
}

#[test]
fn a_service_ticket_is_renewed_by_itself() {
    let mut world = World::new();
    let tgt = world.tgt(|request| {
        request.options = KdcOptions::RENEWABLE;
        request.times.rtime = Some(When::After(hours(24)));
    });
    let mut request = TgsRequest::new(principal("host/www"));
    request.options = KdcOptions::RENEWABLE;
    request.times.rtime = Some(When::After(hours(24)));
    let ticket = world.exchange(&tgt, request).unwrap();
    world.pass(hours(5));
    let renewed = world.exchange(&ticket, TgsRequest::renew(&ticket)).unwrap();
    assert_eq!(renewed.times.endtime, world.now.plus(hours(10)));
    assert_eq!(world.open(&renewed).1.key.keyvalue.0, renewed.key.octets());
    // But it gets no ticket for anything else.
    assert_eq!(
        code(world.service_ticket(&ticket, "host/www")),
        ErrorCode::KRB_AP_ERR_NOT_US
    );
}

#[test]
fn renewable_ok_gives_a_renewable_ticket_where_the_life_is_too_long() {
    let mut world = World::new();
    for (till, renew_till) in [(8, None), (20, Some(20)), (24 * 30, Some(24 * 7))] {
        let tgt = world.tgt(|request| {
            request.options = KdcOptions::RENEWABLE_OK;
            request.times.till = When::After(hours(till));
        });
        assert_eq!(
            tgt.times.renew_till,
            renew_till.map(|h| world.now.plus(hours(h))),
            "{till}"
        );
        assert_eq!(tgt.flags.contains(TicketFlags::RENEWABLE), renew_till.is_some());
    }
}

#[test]
fn a_postdated_ticket_is_validated_when_its_time_has_come() {
    let mut world = World::new();
    let tgt = world.tgt(|request| {
        request.options = KdcOptions::POSTDATED | KdcOptions::ALLOW_POSTDATE;
        request.times = RequestedTimes {
            from: Some(When::After(hours(3))),
            till: When::After(hours(2)),
            rtime: None,
        };
    });
    assert!(
        tgt.flags
            .contains(TicketFlags::POSTDATED | TicketFlags::INVALID | TicketFlags::MAY_POSTDATE)
    );
    assert_eq!(
        (tgt.times.starttime, tgt.times.endtime),
        (NOON.plus(hours(3)), NOON.plus(hours(5)))
    );
    world.pass(hours(1));
    assert_eq!(
        code(world.exchange(&tgt, TgsRequest::validate(&tgt))),
        ErrorCode::KRB_AP_ERR_TKT_NYV
    );
    world.pass(hours(2));
    assert_eq!(
        code(world.service_ticket(&tgt, "host/www")),
        ErrorCode::KRB_AP_ERR_TKT_NYV
    );
    let valid = world.exchange(&tgt, TgsRequest::validate(&tgt)).unwrap();
    assert!(!valid.flags.contains(TicketFlags::INVALID) && valid.flags.contains(TicketFlags::POSTDATED));
    assert_eq!(valid.times, tgt.times);
    assert!(world.service_ticket(&valid, "host/www").is_ok());
    assert_eq!(
        code(world.exchange(&valid, TgsRequest::validate(&valid))),
        ErrorCode::KDC_ERR_BADOPTION
    );
}

#[test]
fn a_ticket_for_later_needs_the_option_and_the_policy() {
    let mut world = World::new();
    let later = |options| {
        move |request: &mut tessera_client::exchange::AsRequest| {
            request.options = options;
            request.times.from = Some(When::After(hours(3)));
            request.times.till = When::After(hours(2));
        }
    };
    let mut asked = tessera_client::exchange::AsRequest::new(principal("alice"));
    later(KdcOptions::empty())(&mut asked);
    assert_eq!(
        code(world.login("alice", asked.clone())),
        ErrorCode::KDC_ERR_CANNOT_POSTDATE
    );
    world.change("alice", |_, record| {
        record.attributes = record.attributes | tessera_kdc::realm::principal::Attributes::NOT_POSTDATEABLE;
    });
    later(KdcOptions::POSTDATED)(&mut asked);
    assert_eq!(code(world.login("alice", asked)), ErrorCode::KDC_ERR_CANNOT_POSTDATE);
}

#[test]
fn a_changed_policy_counts_from_the_next_ticket_on() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    world.settle(|settings| settings.lifetime = Duration::from_secs(60));
    let ticket = world.service_ticket(&tgt, "host/www").unwrap();
    assert_eq!(ticket.times.endtime, world.now.plus(Duration::from_secs(60)));
}
