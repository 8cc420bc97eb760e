//! A link that loses, doubles and delays; clocks that are apart.

use tessera_client::exchange::{AsRequest, Transport};
use tessera_common::error_code::ErrorCode;
use tessera_kdc::realm::accounting::{self, Result as EventResult};

use crate::world::{Fate, World, code, principal};

fn count(world: &World, wanted: fn(&EventResult) -> bool) -> usize {
    world.events.iter().filter(|event| wanted(&event.result)).count()
}

#[test]
fn a_login_survives_every_pattern_of_loss() {
    let fates = [Fate::Arrives, Fate::RequestLost, Fate::ReplyLost, Fate::Doubled];
    for pattern in 0..fates.len().pow(4) {
        let mut world = World::new();
        world.link = (0..4u32)
            .map(|at| fates[pattern / fates.len().pow(at) % fates.len()])
            .collect();
        let tgt = world.tgt(|_| {});
        assert!(world.service_ticket(&tgt, "host/www").is_ok());
        // However often a request came, it was decided once.
        assert_eq!(
            count(&world, |result| matches!(result, EventResult::Issued(_))),
            2,
            "{:?}",
            world.events
        );
    }
}

#[test]
fn a_retransmitted_request_gets_the_identical_answer() {
    let mut world = World::new();
    let tgt = world.tgt(|_| {});
    let (_, proof) = world.sent.last().unwrap().clone();
    let first = world.deliver(&proof, accounting::Transport::Udp).unwrap();
    let second = world.deliver(&proof, accounting::Transport::Tcp).unwrap();
    assert_eq!(first, second);
    assert_eq!(world.events.last().unwrap().result, EventResult::Repeated);
    world.service_ticket(&tgt, "host/www").unwrap();
    let (_, request) = world.sent.last().unwrap().clone();
    assert_eq!(
        world.deliver(&request, accounting::Transport::Udp).unwrap(),
        world.deliver(&request, accounting::Transport::Udp).unwrap()
    );
}

#[test]
fn a_reply_too_big_for_a_datagram_comes_over_tcp() {
    let mut world = World::with(|settings| settings.max_udp_reply = 600);
    let tgt = world.tgt(|_| {});
    assert!(world.service_ticket(&tgt, "host/www").is_ok());
    let over_tcp = world
        .sent
        .iter()
        .filter(|(transport, _)| *transport == Transport::Stream)
        .count();
    assert_eq!(over_tcp, 2);
    // The answer over TCP is the one that was made for the datagram: the proof was used once.
    assert_eq!(count(&world, |result| matches!(result, EventResult::Repeated)), 2);
}

#[test]
fn a_client_whose_clock_is_wrong_logs_in_by_the_kdcs() {
    for ahead in [-90_000, -301, -300, 0, 1, 300, 301, 90_000] {
        let mut world = World::new();
        world.client_ahead = ahead;
        let reply = world.login("alice", AsRequest::new(principal("alice"))).unwrap();
        assert!(world.service_ticket(&reply.credential, "host/www").is_ok(), "{ahead}");
    }
}

#[test]
fn a_client_that_goes_by_its_own_clock_is_told_of_the_skew() {
    for (ahead, fits) in [
        (-301, false),
        (-300, true),
        (-299, true),
        (299, true),
        (300, true),
        (301, false),
    ] {
        let mut world = World::new();
        world.client_ahead = ahead;
        let mut request = AsRequest::new(principal("alice"));
        request.clock.follow_kdc = false;
        request.clock.skew = std::time::Duration::from_secs(100_000);
        let got = world.login("alice", request);
        if fits {
            assert!(got.is_ok(), "{ahead}: {got:?}");
        } else {
            assert_eq!(code(got), ErrorCode::KRB_AP_ERR_SKEW, "{ahead}");
        }
    }
}
