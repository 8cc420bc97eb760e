//! A keytab that changes while it is in use.

use tessera_client::service::negotiate::NegotiateLayer;
use tessera_client::service::{ServiceError, ServiceName};
use tessera_client::system::SystemRandom;
use tessera_common::crypto::{EncType, Key};

use super::world::{SERVICE, World, ask, assert_refused, keytab, offer};

fn fresh_key() -> Key {
    Key::random(EncType::Aes256CtsHmacSha1_96, &mut SystemRandom)
}

#[tokio::test]
async fn a_ticket_for_a_new_key_is_taken_as_soon_as_the_keytab_has_it() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let new = fresh_key();
    let ticket = || {
        let key = new.clone();
        world.ticket_with(move |draft| (draft.kvno, draft.key) = (4, key))
    };
    assert_refused(&ask(&layer, &[&offer(&ticket()).0]).await, "before");
    world.logged();
    world.write_keytab(&keytab(SERVICE, 4, &new));
    assert_eq!(ask(&layer, &[&offer(&ticket()).0]).await.status(), 200);
    let log = world.logged();
    assert!(log[0].contains("was read again: 1 keys"), "{log:?}");
    // The old key is gone with the old keytab.
    assert_refused(&ask(&layer, &[&offer(&world.ticket()).0]).await, "the old key");
}

#[tokio::test]
async fn a_keytab_that_cannot_be_read_leaves_the_old_keys_in_force_and_the_log_says_so_once() {
    let world = World::new();
    let layer = NegotiateLayer::new(world.service());
    let whole = keytab(SERVICE, 4, &fresh_key());
    let elsewhere = keytab("imap/mail.example.com@EXAMPLE.COM", 1, &fresh_key());
    for bad in [&whole[..whole.len() / 2], b"", b"\x05\x02", b"nonsense"] {
        std::fs::write(world.path("keytab"), bad).unwrap();
        // A ticket for a key that is not there has the file looked at.
        for _ in 0..3 {
            let ticket = world.ticket_with(|draft| draft.kvno = 4);
            assert_refused(&ask(&layer, &[&offer(&ticket).0]).await, "version 4");
        }
        let log = world.logged();
        let said = log.iter().filter(|line| line.ends_with("stay in force")).count();
        assert_eq!(said, 1, "{log:?}");
        assert_eq!(ask(&layer, &[&offer(&world.ticket()).0]).await.status(), 200);
    }
    std::fs::remove_file(world.path("keytab")).unwrap();
    assert_eq!(ask(&layer, &[&offer(&world.ticket()).0]).await.status(), 200);
    world.write_keytab(&elsewhere);
    assert_refused(
        &ask(&layer, &[&offer(&world.ticket_with(|draft| draft.kvno = 4)).0]).await,
        "version 4",
    );
}

#[tokio::test]
async fn only_the_services_that_were_named_are_accepted_for() {
    let world = World::new();
    for (named, taken) in [
        ("HTTP", true),
        ("HTTP@www.example.com", true),
        ("HTTP/www.example.com", true),
        (SERVICE, true),
    ] {
        let service = world.builder().for_services(named.parse().unwrap()).open().unwrap();
        let layer = NegotiateLayer::new(service.into());
        let status = ask(&layer, &[&offer(&world.ticket()).0]).await.status();
        assert_eq!(status == 200, taken, "{named}");
    }
    let other: ServiceName = "imap".parse().unwrap();
    let refused = world.builder().for_services(other).open();
    let Err(ServiceError::Keys(why)) = refused else {
        panic!("it has no such key");
    };
    let said = why.to_string();
    assert!(said.contains("no key of imap") && said.contains(SERVICE), "{said}");
}
