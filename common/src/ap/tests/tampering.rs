//! Every message, with each of its bits turned and each of its ends cut off.

use proptest::prelude::*;

use super::fixture::{Counter, Forgetful, Issue, NOW, now};
use crate::ap::{Acceptor, Answer, Header, Initiator, Role, krb_cred, krb_priv, krb_safe};
use crate::crypto::{EncType, Key};

// Asserts that `read` refuses every altered copy of `octets`, or takes it for just what the original was. The latter can
// happen in the few octets that no key protects, where the decoder takes more than DER; `loose` says which octets may
// make a difference that the protocol does not protect against, and what `read` gives is then not compared.
pub(crate) fn refuses_what_is_altered<T: PartialEq + core::fmt::Debug>(
    octets: &[u8],
    read: impl Fn(&[u8]) -> Option<T>,
    sealed: &[core::ops::Range<usize>],
    loose: &[core::ops::Range<usize>],
) {
    let original = read(octets).unwrap();
    for cut in 0..octets.len() {
        assert_eq!(read(&octets[..cut]), None, "cut to {cut} of {}", octets.len());
    }
    for more in [&[0][..], &[0, 0], &[0x30, 0], &[5, 0]] {
        assert_eq!(read(&[octets, more].concat()), None, "with {more:?} behind it");
    }
    for bit in 0..octets.len() * 8 {
        let at = bit / 8;
        let mut flipped = octets.to_vec();
        flipped[at] ^= 1 << (bit % 8);
        let Some(taken) = read(&flipped) else { continue };
        assert!(!sealed.iter().any(|range| range.contains(&at)), "bit {bit} under a key");
        if !loose.iter().any(|range| range.contains(&at)) {
            assert_eq!(
                taken, original,
                "bit {bit}: octet {at} from {:#x} to {:#x}",
                octets[at], flipped[at]
            );
        }
    }
}

pub(crate) fn position(octets: &[u8], part: &[u8]) -> core::ops::Range<usize> {
    let at = octets.windows(part.len()).position(|window| window == part).unwrap();
    at..at + part.len()
}

#[test]
fn of_an_ap_req_nothing_can_be_changed_but_what_the_client_wants() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let request = Initiator::new(&issue.credential())
            .mutual()
            .with_fresh_session(&mut Counter(3))
            .request(now(), &mut Counter(5));
        let octets = request.octets();
        let parsed = crate::ap::ApRequest::decode(octets).unwrap();
        let sealed = [
            position(octets, &parsed.ticket().enc_part.cipher),
            position(octets, &parsed.authenticator().cipher),
        ];
        // The protocol protects neither the options nor the type of the service's name.
        let options = position(octets, &[3, 5, 0, 0x20, 0, 0, 0]);
        let acceptor = Acceptor::for_service(issue.service.clone());
        let read = |octets: &[u8]| {
            let accepted = acceptor.accept(octets, &issue.keys()[..], &Forgetful, None, NOW).ok()?;
            let (client, key) = (accepted.client().clone(), accepted.subkey().cloned());
            Some((
                client,
                key,
                accepted.service().clone(),
                accepted.seq_number(),
                accepted.options(),
            ))
        };
        refuses_what_is_altered(octets, read, &sealed, &[options]);
    }
}

#[test]
fn of_an_ap_rep_nothing_can_be_changed() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let mut random = Counter(3);
        let request = Initiator::new(&issue.credential())
            .mutual()
            .with_fresh_session(&mut random)
            .request(now(), &mut random);
        let accepted = Acceptor::for_any_service()
            .accept(request.octets(), &issue.keys()[..], &Forgetful, None, NOW)
            .unwrap();
        let (octets, _) = accepted.reply(&Answer::fresh(etype, &mut random), &mut random);
        let reply: crate::wire::ApRep = crate::wire::decode(&octets).unwrap();
        let sealed = [position(&octets, &reply.enc_part.cipher)];
        let read = |octets: &[u8]| {
            let agreed = request.verify_reply(octets).ok()?;
            Some((agreed.key().clone(), agreed.receive_seq()))
        };
        refuses_what_is_altered(&octets, read, &sealed, &[]);
    }
}

#[test]
fn of_a_krb_priv_and_a_krb_safe_nothing_can_be_changed() {
    let header = Header {
        timestamp: Some(now()),
        seq_number: Some(77),
        sender: Role::Initiator.address(),
        receiver: Some(Role::Acceptor.address()),
    };
    for etype in EncType::ALL {
        let key = Key::random(etype, &mut Counter(1));
        let octets = krb_priv::make(&key, &header, b"some data", &mut Counter(2));
        let message: crate::wire::KrbPriv = crate::wire::decode(&octets).unwrap();
        let sealed = [position(&octets, &message.enc_part.cipher)];
        let read = |octets: &[u8]| {
            krb_priv::read(&key, octets)
                .ok()
                .map(|opened| (opened.header, opened.data))
        };
        refuses_what_is_altered(&octets, read, &sealed, &[]);

        let octets = krb_safe::make(&key, &header, b"some data");
        let message: crate::wire::KrbSafe = crate::wire::decode(&octets).unwrap();
        let sealed = [
            position(&octets, message.safe_body.as_bytes()),
            position(&octets, &message.cksum.checksum),
        ];
        let read = |octets: &[u8]| {
            krb_safe::read(&key, octets)
                .ok()
                .map(|opened| (opened.header, opened.data))
        };
        refuses_what_is_altered(&octets, read, &sealed, &[]);
    }
}

proptest! {
    #[test]
    fn octets_of_any_kind_are_refused(octets in prop::collection::vec(any::<u8>(), 0..300), tag in 0u8..32) {
        // With the first octet of each message, so that more than that is looked at.
        let tagged = [&[0x60 | tag], &octets[..]].concat();
        let issue = Issue::default();
        let key = &issue.key;
        let request = Initiator::new(&issue.credential()).request(now(), &mut Counter(5));
        for octets in [&octets, &tagged] {
            let accepted = Acceptor::for_any_service().accept(octets, &issue.keys()[..], &Forgetful, None, NOW);
            prop_assert!(accepted.is_err());
            prop_assert!(request.verify_reply(octets).is_err());
            prop_assert!(krb_priv::read(key, octets).is_err());
            prop_assert!(krb_safe::read(key, octets).is_err());
            prop_assert!(krb_cred::read(krb_cred::Protection::Keys(&[key]), octets).is_err());
            prop_assert!(krb_cred::read(krb_cred::Protection::Outside, octets).is_err());
        }
    }
}
