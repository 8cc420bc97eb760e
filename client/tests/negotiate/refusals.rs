//! What does not get through: the client learns nothing, the log has it all.

use tessera_client::service::negotiate::NegotiateLayer;
use tessera_client::system::{self, SystemRandom};
use tessera_common::credential::Credential;
use tessera_common::crypto::{EncType, Key};
use tessera_common::flags::TicketFlags;
use tessera_common::gss;
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::HostAddress;

use super::world::{Draft, PEER, SERVICE, World, ask, assert_refused, header, offer, offer_of};

#[tokio::test]
async fn each_ticket_that_is_not_good_is_refused_and_the_log_names_it_and_the_keytab() {
    type Change = Box<dyn FnOnce(&mut Draft)>;
    let now = system::now().time;
    let other_key = |etype| Key::random(etype, &mut SystemRandom);
    let (aes256, aes128) = (EncType::Aes256CtsHmacSha1_96, EncType::Aes128CtsHmacSha1_96);
    let cases: Vec<(&str, Change, &str, &str)> = vec![
        (
            "a key version that is not there",
            Box::new(|draft| draft.kvno = 4),
            "the keytab is older than the ticket",
            "[ticket: HTTP/www.example.com@EXAMPLE.COM kvno 4 aes256-cts-hmac-sha1-96; keytab: kvno 3 aes256-cts-hmac-sha1-96]",
        ),
        (
            "an enctype that is not there",
            Box::new(move |draft| draft.key = other_key(aes128)),
            "export the keytab again with that enctype",
            "[ticket: HTTP/www.example.com@EXAMPLE.COM kvno 3 aes128-cts-hmac-sha1-96; keytab: kvno 3 aes256-cts-hmac-sha1-96]",
        ),
        (
            "another key of the same version",
            Box::new(move |draft| draft.key = other_key(aes256)),
            "cannot be decrypted",
            "[ticket: HTTP/www.example.com@EXAMPLE.COM kvno 3 aes256-cts-hmac-sha1-96; keytab: kvno 3 aes256-cts-hmac-sha1-96]",
        ),
        (
            "another service",
            Box::new(|draft| draft.service = "host/www.example.com@EXAMPLE.COM".into()),
            "it is not one of them",
            "[ticket: host/www.example.com@EXAMPLE.COM kvno 3 aes256-cts-hmac-sha1-96; keytab: no key of that service]",
        ),
        (
            "another realm",
            Box::new(|draft| draft.service = "HTTP/www.example.com@OTHER.EXAMPLE".into()),
            "it is not one of them",
            "[ticket: HTTP/www.example.com@OTHER.EXAMPLE kvno 3",
        ),
        (
            "a ticket that is over",
            Box::new(move |draft| draft.part.endtime = KerberosTime(now.0 - 301)),
            "the ticket ended at",
            "kvno 3",
        ),
        (
            "a ticket that has not begun",
            Box::new(move |draft| draft.part.starttime = Some(KerberosTime(now.0 + 400))),
            "the ticket begins at",
            "kvno 3",
        ),
        (
            "a postdated ticket",
            Box::new(|draft| draft.part.flags = TicketFlags::INVALID),
            "not validated yet",
            "kvno 3",
        ),
        (
            "another address",
            Box::new(|draft| draft.part.caddr = Some(vec![HostAddress::from(std::net::IpAddr::from([192, 0, 2, 8]))])),
            "may not be used from 192.0.2.7",
            "kvno 3",
        ),
    ];
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    for (what, change, reason, keys) in cases {
        let (header, _) = offer(&world.ticket_with(change));
        assert_refused(&ask(&layer, &[&header]).await, what);
        let log = world.logged();
        assert_eq!(log.len(), 1, "{log:?}");
        let begins = log[0].starts_with(&format!("{PEER}: refused: "));
        assert!(
            begins && log[0].contains(reason) && log[0].contains(keys),
            "{what}: {log:?}"
        );
    }
}

#[tokio::test]
async fn a_client_whose_clock_is_off_is_refused() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    for off in [-400, 400] {
        let now = system::now();
        let theirs = Timestamp::new(KerberosTime(now.time.0 + off), now.usec);
        let (header, _) = offer_of(gss::Initiator::new(&world.ticket()), theirs);
        assert_refused(&ask(&layer, &[&header]).await, "a wrong clock");
        assert!(world.logged()[0].contains("the client's clock says"));
    }
}

#[tokio::test]
async fn an_authenticator_of_somebody_else_is_refused() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let bob = Credential {
        client: "bob@EXAMPLE.COM".parse().unwrap(),
        ..world.ticket()
    };
    assert_refused(&ask(&layer, &[&offer(&bob).0]).await, "bob with the ticket of alice");
    let log = world.logged();
    assert!(log[0].contains("the ticket is for alice@EXAMPLE.COM, but the authenticator is from bob@EXAMPLE.COM"));
}

#[tokio::test]
async fn a_header_is_good_once() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let (header, _) = offer(&world.ticket());
    assert_eq!(ask(&layer, &[&header]).await.status(), 200);
    for _ in 0..3 {
        assert_refused(&ask(&layer, &[&header]).await, "a replay");
    }
    let log = world.logged();
    assert!(
        log[1].contains("a copy of an earlier AP-REQ of alice@EXAMPLE.COM"),
        "{log:?}"
    );
    assert!(log[1].contains(SERVICE) && log[1].contains("kvno 3"), "{log:?}");
}

#[tokio::test]
async fn services_that_share_a_replay_file_take_each_header_once_between_them() {
    let world = World::new();
    let file = world.path("replays");
    let layers = [(); 2].map(|()| {
        let service = world.builder().with_replay_file(&file).open().unwrap();
        NegotiateLayer::new(service.into())
    });
    let (header, _) = offer(&world.ticket());
    assert_eq!(ask(&layers[0], &[&header]).await.status(), 200);
    assert_refused(&ask(&layers[1], &[&header]).await, "a replay at the other service");
    let (header, _) = offer(&world.ticket());
    assert_eq!(ask(&layers[1], &[&header]).await.status(), 200);
    assert_refused(&ask(&layers[0], &[&header]).await, "a replay at the first service");

    // A cache that cannot be used lets nobody in, and the log says what is the matter with it.
    std::fs::write(&file, b"no cache").unwrap();
    world.logged();
    let (header, _) = offer(&world.ticket());
    assert_refused(&ask(&layers[0], &[&header]).await, "a damaged cache");
    let log = world.logged();
    assert!(
        log[0].contains("the replay cache cannot be used") && log[0].contains("was damaged"),
        "{log:?}"
    );
}

// Wherever the token ends, and whatever octet of its second half, the authenticator, is another one. Every bit of every
// token is turned where the tokens are read.
#[tokio::test]
async fn a_token_that_was_altered_or_cut_short_is_refused() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let ticket = world.ticket();
    let (token, _) = gss::Initiator::new(&ticket).start(system::now(), &mut SystemRandom);
    for at in 0..token.len() {
        if at > token.len() / 2 {
            let mut altered = token.clone();
            altered[at] ^= 0x10;
            assert_refused(&ask(&layer, &[&header(&altered)]).await, &format!("octet {at}"));
        }
        assert_refused(&ask(&layer, &[&header(&token[..at])]).await, &format!("{at} octets"));
    }
    assert_eq!(ask(&layer, &[&header(&token)]).await.status(), 200);
}

#[tokio::test]
async fn a_header_that_holds_no_token_is_refused_and_logged() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let (good, _) = offer(&world.ticket());
    let long = format!("Negotiate {}", "A".repeat(100_000));
    for (values, reason) in [
        (&["Negotiate"][..], "has no token"),
        (&["Negotiate ????"], "not base64"),
        (&[good.as_str(), "Basic eA=="], "more than one"),
        (&["Basic eA==", good.as_str()], "more than one"),
        (&[long.as_str()], "too long"),
        (&["Negotiate TlRMTVNTUAABAAAA"], "NTLM"),
    ] {
        assert_refused(&ask(&layer, values).await, reason);
        let log = world.logged();
        assert!(log[0].contains(reason), "{reason}: {log:?}");
    }
    assert_eq!(ask(&layer, &[&good]).await.status(), 200);
}
