//! Policies where tickets are issued, and too many wrong passwords.

use std::sync::Arc;
use std::time::Duration;

use tessera_client::exchange::AsRequest;
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::KdcOptions;
use tessera_kdc::realm::access::Access;
use tessera_kdc::realm::accounting::{Result as EventResult, Transport};
use tessera_kdc::realm::lockout::{NetworkLimit, Trips};
use tessera_kdc::realm::policy::{FailureLimit, Policy, PolicyParts};
use tessera_kdc::realm::principal::ShutOut;

use crate::world::{Fate, NOON, World, code, hours, principal};

fn policy(name: &str, parts: &str) -> Policy {
    let parts: PolicyParts = serde_json::from_str(&format!(r#"{{"name":"{name}",{parts}}}"#)).unwrap();
    Policy::new(parts).unwrap()
}

/// A realm whose default policy says this.
fn world(parts: &str) -> World {
    World::with(|settings| settings.access = Access::default().with_policies([policy("default", parts)]))
}

fn try_password(world: &mut World, password: &str) -> i32 {
    match world.login(password, AsRequest::new(principal("alice"))) {
        Ok(_) => 0,
        refused => code(refused).0,
    }
}

#[test]
fn the_limit_of_wrong_passwords_is_told_and_nothing_beyond_it() {
    let mut world = world(r#""max-failures":3,"lockout":"1h""#);
    assert_eq!([(); 3].map(|()| try_password(&mut world, "wrong")), [24; 3]);
    for password in ["wrong", "alice"] {
        assert_eq!(try_password(&mut world, password), ErrorCode::KDC_ERR_CLIENT_REVOKED.0);
        assert_eq!(world.last_reason(), "client-shut-out");
    }
    world.pass(Duration::from_secs(3599));
    assert_eq!(try_password(&mut world, "alice"), 18);
    world.pass(Duration::from_secs(1));
    assert_eq!(try_password(&mut world, "alice"), 0);
}

#[test]
fn the_answer_that_trips_names_whom_and_waits_until_that_is_durable() {
    let mut world = world(r#""max-failures":1"#);
    assert_eq!(try_password(&mut world, "wrong"), 24);
    let trips = world.trips.pop().unwrap();
    let trip = trips.client.unwrap();
    assert_eq!(
        (trip.failures, trip.shut_out),
        (
            1,
            ShutOut {
                since: NOON,
                until: None
            }
        )
    );
    assert_eq!(trips.network, None);
    // Who asks again gets what was answered.
    let (_, proof) = world.sent.last().unwrap().clone();
    world.deliver(&proof, Transport::Udp).unwrap();
    assert_eq!(world.events.last().unwrap().result, EventResult::Repeated);
    assert_eq!(world.trips.pop(), Some(Trips::default()));
}

#[test]
fn a_record_that_says_so_shuts_out_by_itself_until_its_time() {
    for (until, code) in [(None, 18), (Some(NOON), 0), (Some(NOON.plus(hours(1))), 18)] {
        let mut world = world(r#""max-failures":3"#);
        world.change("alice", |_, record| {
            record.shut_out = Some(ShutOut { since: NOON, until });
        });
        assert_eq!(try_password(&mut world, "alice"), code, "{until:?}");
    }
    // And lets nobody in who asks for a ticket by one from before.
    let mut world = world(r#""max-failures":3"#);
    let tgt = world.tgt(|_| {});
    world.change("alice", |_, record| {
        record.shut_out = Some(ShutOut {
            since: NOON,
            until: None,
        });
    });
    world.service_ticket(&tgt, "host/www").unwrap();
}

#[test]
fn a_retransmitted_request_counts_once() {
    let mut world = world(r#""max-failures":2"#);
    world.link = [Fate::Doubled, Fate::ReplyLost, Fate::Doubled].into();
    assert_eq!(try_password(&mut world, "wrong"), 24);
    assert_eq!(try_password(&mut world, "alice"), 0);
}

#[test]
fn a_proof_at_another_time_neither_counts_nor_ends_a_count() {
    let mut world = world(r#""max-failures":2"#);
    assert_eq!(try_password(&mut world, "wrong"), 24);
    world.client_ahead = -4000;
    // The client corrects its clock by the answer and comes again: that is a right password.
    let _ = try_password(&mut world, "wrong");
    assert_eq!(try_password(&mut world, "alice"), 18);
}

#[test]
fn other_principals_and_those_without_a_limit_are_not_concerned() {
    let mut world = world(r#""max-failures":1"#);
    world.add("bob", Some("bob"), |_| {});
    assert_eq!(try_password(&mut world, "wrong"), 24);
    world.login("bob", AsRequest::new(principal("bob"))).unwrap();
    world.settle(|settings| settings.access = Access::default());
    // A policy that is gone lets everybody try.
    assert_eq!(try_password(&mut world, "alice"), 0);
    for _ in 0..5 {
        assert_eq!(try_password(&mut world, "wrong"), 24);
    }
    assert_eq!(try_password(&mut world, "alice"), 0);
}

#[test]
fn a_network_counts_for_every_name_and_known_ones_are_not_told_apart() {
    for hide in [false, true] {
        let mut world = World::with(|settings| {
            settings.hide_unknown_principals = hide;
            settings.network_limit = Some(NetworkLimit {
                limit: FailureLimit {
                    failures: 3,
                    window: Duration::from_secs(600),
                    lockout: Some(Duration::from_secs(60)),
                },
                prefix_v4: 24,
                prefix_v6: 64,
            });
        });
        for _ in 0..3 {
            assert_eq!(try_password(&mut world, "wrong"), 24);
        }
        let trip = world.trips.iter().find_map(|trips| trips.network).unwrap();
        assert_eq!((trip.network.to_string().as_str(), trip.failures), ("192.0.2.0/24", 3));
        assert_eq!(try_password(&mut world, "alice"), ErrorCode::KDC_ERR_POLICY.0);
        assert_eq!(world.last_reason(), "network-shut-out");
        let nobody = world.login("x", AsRequest::new(principal("nobody")));
        let expected = if hide {
            ErrorCode::KDC_ERR_POLICY
        } else {
            ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN
        };
        assert_eq!(
            code(nobody),
            expected,
            "without a proof, an unknown name is told as ever"
        );
        world.peer = "198.51.100.7:40000";
        assert_eq!(try_password(&mut world, "alice"), 0);
        world.peer = "192.0.2.200:40000";
        world.pass(Duration::from_secs(60));
        assert_eq!(try_password(&mut world, "alice"), 0);
    }
}

#[test]
fn a_policy_bounds_the_tickets_of_those_who_go_by_it_and_not_those_to_them() {
    let mut world = world(r#""max-life":"1h","max-renew":"2h""#);
    let tgt = world.tgt(|request| request.options = KdcOptions::RENEWABLE);
    assert_eq!(tgt.times.endtime, NOON.plus(hours(1)));
    assert_eq!(tgt.times.renew_till, Some(NOON.plus(hours(2))));
    world.change("host/www", |_, record| record.policy = Some("default".parse().unwrap()));
    world.change("alice", |_, record| record.policy = Some("gone".parse().unwrap()));
    let tgt = world.tgt(|_| {});
    assert_eq!(tgt.times.endtime, NOON.plus(hours(10)));
    let ticket = world.service_ticket(&tgt, "host/www").unwrap();
    assert_eq!(ticket.times.endtime, NOON.plus(hours(10)));
}

#[test]
fn a_password_that_is_too_old_is_to_be_changed_and_the_reply_says_when_beforehand() {
    let mut world = world(r#""max-age":"2h""#);
    let reply = world.login("alice", AsRequest::new(principal("alice"))).unwrap();
    assert_eq!(reply.key_expiration, Some(NOON.plus(hours(2))));
    world.pass(hours(2));
    assert_eq!(try_password(&mut world, "alice"), ErrorCode::KDC_ERR_KEY_EXPIRED.0);
    assert_eq!(try_password(&mut world, "wrong"), 24);
    let mut request = AsRequest::new(principal("alice"));
    request.service = Some("kadmin/changepw".parse().unwrap());
    world.login("alice", request).unwrap();
}

#[test]
fn what_is_counted_outlives_other_settings() {
    let mut world = world(r#""max-failures":2"#);
    assert_eq!(try_password(&mut world, "wrong"), 24);
    world.settle(|_| {});
    assert_eq!(try_password(&mut world, "wrong"), 24);
    assert_eq!(try_password(&mut world, "alice"), 18);
    let lockout = Arc::clone(world.kdc.lockout());
    let [(id, _)] = lockout.save(world.now).principals[..] else {
        panic!()
    };
    lockout.forget(id);
    assert_eq!(try_password(&mut world, "alice"), 0);
}
