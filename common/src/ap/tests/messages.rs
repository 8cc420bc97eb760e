use core::net::IpAddr;
use core::time::Duration;

use super::fixture::{Counter, Forgetful, Issue, NOW, now};
use crate::ap::{
    Acceptor, Addresses, Agreement, Answer, Channel, Header, Initiator, MessageError, Role, SequenceError, krb_priv,
    krb_safe,
};
use crate::crypto::{EncType, Key, KeyUsage, md5};
use crate::error_code::ErrorCode;
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{self, Checksum, HostAddress, KrbPriv, KrbSafe};

const SKEW: Duration = Duration::from_secs(300);

fn agreements() -> (Agreement, Agreement) {
    let issue = Issue::default();
    let mut random = Counter(3);
    let request = Initiator::new(&issue.credential())
        .mutual()
        .with_fresh_session(&mut random)
        .request(now(), &mut random);
    let accepted = Acceptor::for_any_service()
        .accept(request.octets(), &issue.keys()[..], &Forgetful, None, NOW)
        .unwrap();
    let (ap_rep, service) = accepted.reply(&Answer::fresh(EncType::ALL[0], &mut random), &mut random);
    (request.verify_reply(&ap_rep).unwrap(), service)
}

fn channels(make: fn(Agreement) -> Channel) -> (Channel, Channel) {
    let (client, service) = agreements();
    (make(client), make(service))
}

fn later(seconds: i64) -> Timestamp {
    Timestamp {
        time: KerberosTime(NOW.0 + seconds),
        usec: 1,
    }
}

fn header() -> Header {
    Header {
        timestamp: None,
        seq_number: None,
        sender: Role::Initiator.address(),
        receiver: None,
    }
}

#[test]
fn a_stream_takes_each_message_once_and_in_its_turn() {
    let (mut client, mut service) = channels(Channel::stream);
    let mut random = Counter(11);
    let messages: Vec<_> = (0..3u8).map(|n| client.make_priv(&[n], now(), &mut random)).collect();
    let order = |e: Result<_, MessageError>| {
        matches!(
            e.map(drop),
            Err(MessageError::Sequence(SequenceError::OutOfOrder { .. }))
        )
    };
    assert!(order(service.read_priv(&messages[1], now())));
    assert_eq!(service.read_priv(&messages[0], now()).unwrap().as_slice(), [0]);
    assert!(order(service.read_priv(&messages[0], now())));
    assert_eq!(service.read_priv(&messages[1], now()).unwrap().as_slice(), [1]);
    assert!(order(service.read_priv(&messages[0], now())));
}

#[test]
fn datagrams_may_overtake_but_not_repeat() {
    let (mut client, mut service) = channels(Channel::datagrams);
    let mut random = Counter(11);
    let messages: Vec<_> = (0..4u8).map(|n| client.make_priv(&[n], now(), &mut random)).collect();
    for n in [2, 0, 3] {
        assert_eq!(
            service.read_priv(&messages[n], now()).unwrap().as_slice(),
            [u8::try_from(n).unwrap()]
        );
        let again = service.read_priv(&messages[n], now()).unwrap_err();
        assert!(matches!(again, MessageError::Sequence(SequenceError::Repeated(_))));
    }
}

#[test]
fn a_message_turned_back_on_its_sender_is_refused() {
    for make in [Channel::stream, Channel::datagrams, |agreed| {
        Channel::timed(agreed, SKEW)
    }] {
        let (mut client, mut service) = channels(make);
        let mut random = Counter(11);
        let sealed = client.make_priv(b"mine", now(), &mut random);
        assert_eq!(client.read_priv(&sealed, now()).unwrap_err(), MessageError::Direction);
        let signed = service.make_safe(b"mine", now());
        assert_eq!(service.read_safe(&signed, now()).unwrap_err(), MessageError::Direction);
    }
}

#[test]
fn a_timed_channel_takes_a_message_once_and_within_the_skew() {
    for (offset, fits) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        let (mut client, mut service) = channels(|agreed| Channel::timed(agreed, SKEW));
        let sealed = client.make_priv(b"hello", later(offset), &mut Counter(11));
        let signed = client.make_safe(b"hello", later(offset));
        let skew = MessageError::Skew {
            sent: later(offset),
            now: NOW,
        };
        let expected = if fits { Ok(()) } else { Err(skew) };
        assert_eq!(service.read_priv(&sealed, now()).map(drop), expected, "{offset}");
        assert_eq!(service.read_safe(&signed, now()).map(drop), expected, "{offset}");
        if fits {
            assert_eq!(service.read_priv(&sealed, now()).unwrap_err(), MessageError::Replay);
            assert_eq!(service.read_safe(&signed, now()).unwrap_err(), MessageError::Replay);
        }
    }
}

#[test]
fn a_timed_channel_wants_a_time_and_a_numbered_one_a_number() {
    let (client, service) = agreements();
    let bare = krb_priv::make(client.key(), &header(), b"hello", &mut Counter(1));
    let mut timed = Channel::timed(service.clone(), SKEW);
    assert_eq!(timed.read_priv(&bare, now()).unwrap_err(), MessageError::NoTimestamp);
    let error = Channel::stream(service).read_priv(&bare, now()).unwrap_err();
    assert!(matches!(
        error,
        MessageError::Sequence(SequenceError::OutOfOrder { found: 0, .. })
    ));
    assert_eq!(error.code(), ErrorCode::KRB_AP_ERR_BADORDER);
}

#[test]
fn network_addresses_are_checked_on_request() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let (client, server, other) = (ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3"));
    let (agreed_client, agreed_service) = agreements();
    for (sent, expected, fits) in [
        ((client, server), (server, client), true),
        ((client, server), (ip("::ffff:192.0.2.2"), ip("::ffff:192.0.2.1")), true),
        ((other, server), (server, client), false),
        ((client, other), (server, client), false),
    ] {
        let mut from = Channel::stream(agreed_client.clone()).with_addresses(Addresses::network(sent.0, sent.1));
        let mut to = Channel::stream(agreed_service.clone()).with_addresses(Addresses::network(expected.0, expected.1));
        let result = to.read_safe(&from.make_safe(b"x", now()), now());
        let wrong = HostAddress::from(other);
        assert_eq!(
            result.map(drop),
            if fits {
                Ok(())
            } else {
                Err(MessageError::Address(wrong))
            }
        );
    }
    // Directional to one who expects a network address, and the other way round.
    let mut directional = Channel::stream(agreed_client.clone());
    let mut network = Channel::stream(agreed_service).with_addresses(Addresses::network(server, client));
    assert_eq!(
        network
            .read_safe(&directional.make_safe(b"x", now()), now())
            .unwrap_err(),
        MessageError::Direction
    );
    let message = network.make_safe(b"x", now());
    assert_eq!(
        directional.read_safe(&message, now()).unwrap_err(),
        MessageError::Address(server.into())
    );
    let mut lenient = Channel::stream(agreed_client).with_addresses(Addresses::unchecked(client.into()));
    assert!(lenient.read_safe(&message, now()).is_ok());
}

#[test]
fn messages_of_one_kind_are_not_taken_for_the_other() {
    let (mut client, mut service) = channels(Channel::stream);
    let sealed = client.make_priv(b"x", now(), &mut Counter(1));
    let signed = client.make_safe(b"x", now());
    assert_eq!(service.read_safe(&sealed, now()).unwrap_err(), MessageError::Type);
    assert_eq!(service.read_priv(&signed, now()).unwrap_err(), MessageError::Type);
    assert_eq!(service.read_priv(b"", now()).unwrap_err(), MessageError::Type);
}

#[test]
fn a_message_under_another_key_is_refused() {
    for etype in EncType::ALL {
        let key = Key::random(etype, &mut Counter(1));
        let sealed = krb_priv::make(&key, &header(), b"x", &mut Counter(2));
        let signed = krb_safe::make(&key, &header(), b"x");
        assert!(krb_priv::read(&key, &sealed).is_ok() && krb_safe::read(&key, &signed).is_ok());
        for other in EncType::ALL {
            let wrong = Key::random(other, &mut Counter(3));
            let (sealed, signed) = (krb_priv::read(&wrong, &sealed), krb_safe::read(&wrong, &signed));
            if other == etype {
                assert_eq!(sealed.unwrap_err(), MessageError::Integrity);
                assert_eq!(signed.unwrap_err(), MessageError::Modified);
            } else {
                assert_eq!(sealed.unwrap_err(), MessageError::EncType(etype.number()));
                assert_eq!(signed.unwrap_err(), MessageError::ChecksumType(etype.checksum_type()));
            }
        }
    }
}

#[test]
fn krb_safe_takes_the_keys_own_checksum_alone() {
    for etype in EncType::ALL {
        let key = Key::random(etype, &mut Counter(1));
        let message: KrbSafe = wire::decode(&krb_safe::make(&key, &header(), b"x")).unwrap();
        let right = message.cksum.checksum.to_vec();
        let body = message.safe_body.as_bytes().to_vec();
        for cksumtype in (-200..=200).chain([0x8003]) {
            for checksum in [right.clone(), md5::digest(&body).to_vec(), Vec::new()] {
                let fits = cksumtype == etype.checksum_type() && checksum == right;
                let cksum = Checksum {
                    cksumtype,
                    checksum: checksum.into(),
                };
                let octets = wire::encode(&KrbSafe {
                    cksum,
                    ..message.clone()
                });
                assert_eq!(krb_safe::read(&key, &octets).is_ok(), fits, "{etype} {cksumtype}");
            }
        }
        // Under another usage; and over the body alone, as RFC 1510 had it.
        for (usage, data) in [
            (KeyUsage::AP_REQ_CHECKSUM, wire::encode(&message)),
            (KeyUsage::KRB_SAFE, body),
        ] {
            let cksum = Checksum {
                cksumtype: etype.checksum_type(),
                checksum: key.checksum(usage, &data).into(),
            };
            let octets = wire::encode(&KrbSafe {
                cksum,
                ..message.clone()
            });
            assert_eq!(krb_safe::read(&key, &octets).unwrap_err(), MessageError::Modified);
        }
    }
}

#[test]
fn versions_and_types_are_checked() {
    let key = Key::random(EncType::ALL[0], &mut Counter(1));
    let sealed: KrbPriv = wire::decode(&krb_priv::make(&key, &header(), b"x", &mut Counter(2))).unwrap();
    let signed: KrbSafe = wire::decode(&krb_safe::make(&key, &header(), b"x")).unwrap();
    for (pvno, msg_type, error) in [(4, 21, MessageError::Version(4)), (5, 20, MessageError::Type)] {
        let octets = wire::encode(&KrbPriv {
            pvno,
            msg_type,
            ..sealed.clone()
        });
        assert_eq!(krb_priv::read(&key, &octets).unwrap_err(), error);
    }
    for (pvno, msg_type, error) in [(4, 20, MessageError::Version(4)), (5, 21, MessageError::Type)] {
        let octets = wire::encode(&KrbSafe {
            pvno,
            msg_type,
            ..signed.clone()
        });
        assert_eq!(krb_safe::read(&key, &octets).unwrap_err(), error);
    }
}
