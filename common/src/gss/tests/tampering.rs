//! Every token, with each of its bits turned and each of its ends cut off.

use proptest::prelude::*;

use super::messages::rotated;
use super::{acceptor, one_way_pair, pair, try_accept};
use crate::ap::ApRequest;
use crate::ap::tests::fixture::{Counter, Issue, NOW, now, principal};
use crate::ap::tests::tampering::{position, refuses_what_is_altered};
use crate::crypto::EncType;
use crate::gss::token::{tok_id, unframe};
use crate::gss::{BindingPolicy, ChannelBindings, Context, ContextFlags, Initiator, Protection};
use crate::wire::{self, ApRep};

const UNCHECKED: ContextFlags = ContextFlags(ContextFlags::REPLAY.0 | ContextFlags::SEQUENCE.0);

#[test]
fn of_a_first_token_nothing_can_be_changed() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let tgt = Issue {
            service: principal("krbtgt/EXAMPLE.COM@EXAMPLE.COM"),
            ..Issue::with(etype, etype)
        }
        .credential();
        let bindings = ChannelBindings::of_application(b"channel");
        let credential = issue.credential();
        for initiator in [
            Initiator::new(&credential),
            Initiator::new(&credential).with_bindings(bindings).delegating(&tgt),
        ] {
            let token = initiator.start(now(), &mut Counter(1)).0;
            let request = ApRequest::decode(&unframe(&token).unwrap().inner[2..]).unwrap();
            let sealed = [
                position(&token, &request.ticket().enc_part.cipher),
                position(&token, &request.authenticator().cipher),
            ];
            let acceptor = acceptor().with_bindings(Some(bindings), BindingPolicy::IfPresent);
            // What the client gets and the service learns: the same, or nothing. The one bit between the two OIDs of the
            // mechanism, AP-REQ's options and the type of the service's name are under no key, and make no difference.
            let read = |token: &[u8]| {
                let (reply, context, peer, delegated) = try_accept(&acceptor, &issue, token).ok()?.into_parts();
                let keys = (context.initiator_key.clone(), context.acceptor_subkey.clone());
                let names = (context.initiator().clone(), context.acceptor().clone());
                let of_peer = (peer.client().clone(), peer.service().clone(), peer.seq_number());
                Some((reply.is_some(), context.flags(), keys, names, of_peer, delegated))
            };
            refuses_what_is_altered(&token, read, &sealed, &[]);
        }
    }
}

#[test]
fn of_an_answer_nothing_can_be_changed() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let credential = issue.credential();
        let start = || Initiator::new(&credential).start(now(), &mut Counter(1));
        let reply = try_accept(&acceptor(), &issue, &start().0)
            .unwrap()
            .into_parts()
            .0
            .unwrap();
        let ap_rep: ApRep = wire::decode(&unframe(&reply).unwrap().inner[2..]).unwrap();
        let sealed = [position(&reply, &ap_rep.enc_part.cipher)];
        let read = |reply: &[u8]| {
            let mut context = start().1.finish(reply).ok()?;
            let mic = context.mic(b"data", NOW).unwrap();
            Some((
                context.acceptor_subkey.clone(),
                context.initiator_key.clone(),
                context.flags(),
                mic,
            ))
        };
        refuses_what_is_altered(&reply, read, &sealed, &[]);
    }
}

#[test]
fn of_an_error_nothing_that_is_changed_makes_a_context() {
    let issue = Issue::default();
    let credential = issue.credential();
    let start = || Initiator::new(&credential).start(now(), &mut Counter(1));
    let required = acceptor().with_bindings(None, BindingPolicy::Require);
    let error = try_accept(&required, &issue, &start().0).unwrap_err();
    let token = error.reply_token().unwrap();
    let refused = |token: &[u8]| assert!(start().1.finish(token).is_err(), "{token:x?}");
    refused(&token);
    for cut in 0..token.len() {
        refused(&token[..cut]);
    }
    for bit in 0..token.len() * 8 {
        let mut flipped = token.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused(&flipped);
    }
}

/// Every cut, every octet more and every bit is refused; but a rotation by another count that comes to the same is the same
/// token (RFC 4121 §4.2.5: no key protects the count, and it can be changed on the way).
fn refuses_every_change(token: &[u8], mut read: impl FnMut(&[u8]) -> Option<Vec<u8>>) {
    let original = read(token).unwrap();
    for cut in 0..token.len() {
        assert_eq!(read(&token[..cut]), None, "cut to {cut}");
        assert_eq!(read(&token[token.len() - cut..]), None, "the last {cut}");
    }
    for more in [0, 0xff] {
        assert_eq!(read(&[token, &[more]].concat()), None);
        assert_eq!(read(&[&[more], token].concat()), None);
    }
    let count = |token: &[u8]| usize::from(u16::from_be_bytes([token[6], token[7]]));
    for bit in 0..token.len() * 8 {
        let mut flipped = token.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let payload = token.len() - 16;
        let in_count = token[..2] == tok_id::WRAP && matches!(bit / 8, 6 | 7);
        let same = in_count && count(token).abs_diff(count(&flipped)) % payload == 0;
        assert_eq!(read(&flipped), same.then(|| original.clone()), "bit {bit}");
    }
}

fn wrapped(sender: &mut Context, receiver: &mut Context, data: &[u8]) {
    for protection in [Protection::Confidential, Protection::Integrity] {
        let token = sender.wrap(data, protection, NOW, &mut Counter(5)).unwrap();
        for rrc in [0, 1, 12, 28, 300] {
            refuses_every_change(&rotated(&token, rrc), |token| {
                let unwrapped = receiver.unwrap(token, NOW).ok()?;
                assert_eq!(unwrapped.protection, protection);
                Some(unwrapped.data.to_vec())
            });
        }
    }
    let mic = sender.mic(data, NOW).unwrap();
    refuses_every_change(&mic, |mic| {
        receiver.verify_mic(data, mic, NOW).ok().map(|()| data.to_vec())
    });
    for bit in 0..data.len() * 8 {
        let mut other = data.to_vec();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(receiver.verify_mic(&other, &mic, NOW).is_err(), "bit {bit} of the data");
    }
    for cut in 0..data.len() {
        assert!(
            receiver.verify_mic(&data[..cut], &mic, NOW).is_err(),
            "data cut to {cut}"
        );
    }
}

#[test]
fn of_a_message_nothing_can_be_changed() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        for contexts in [pair, one_way_pair] {
            let (mut initiator, mut acceptor) = contexts(&issue, UNCHECKED);
            for data in [&b""[..], b"a message of more than a block"] {
                wrapped(&mut initiator, &mut acceptor, data);
                wrapped(&mut acceptor, &mut initiator, data);
            }
        }
    }
}

proptest! {
    #[test]
    fn octets_of_any_kind_are_refused(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let issue = Issue::default();
        let credential = issue.credential();
        let (mut initiator, mut acceptor) = pair(&issue, UNCHECKED);
        // With the beginnings of every kind of token, so that more than that is looked at.
        for start in [&[][..], &[4, 4, 4, 0xff], &[5, 4, 4, 0xff], &[5, 4, 6, 0xff], &[5, 4, 5, 0xff], &[5, 4, 7, 0xff]] {
            let token = [start, &octets].concat();
            prop_assert!(acceptor.unwrap(&token, NOW).is_err());
            prop_assert!(initiator.unwrap(&token, NOW).is_err());
            prop_assert!(acceptor.verify_mic(b"", &token, NOW).is_err());
            prop_assert!(initiator.verify_mic(b"", &token, NOW).is_err());
        }
        for id in [[1, 0], [2, 0], [3, 0]] {
            let token = crate::gss::token::frame(crate::gss::oid::KRB5, &id, &octets);
            for token in [&token, &octets] {
                prop_assert!(try_accept(&super::acceptor(), &issue, token).is_err());
                let awaiting = Initiator::new(&credential).start(now(), &mut Counter(1)).1;
                prop_assert!(awaiting.finish(token).is_err());
            }
        }
    }
}
