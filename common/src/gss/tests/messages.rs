//! Wrap and MIC tokens: what others may send, and what they may not.

use super::{one_way_pair, pair};
use crate::ap::SequenceError;
use crate::ap::tests::fixture::{Counter, Issue, NOW};
use crate::crypto::{EncType, KeyUsage};
use crate::gss::message_token::{ACCEPTOR_SUBKEY, Header, SEALED};
use crate::gss::token::{frame, oid, tok_id};
use crate::gss::{Context, ContextError, ContextFlags, Protection};

const BOTH: [Protection; 2] = [Protection::Confidential, Protection::Integrity];
const UNCHECKED: ContextFlags = ContextFlags(ContextFlags::REPLAY.0 | ContextFlags::SEQUENCE.0);

/// The token with its payload rotated to the right by `rrc`, as RFC 4121 §4.2.5 shows it.
pub(super) fn rotated(token: &[u8], rrc: u16) -> Vec<u8> {
    let mut token = token.to_vec();
    token[6..8].copy_from_slice(&rrc.to_be_bytes());
    for _ in 0..rrc {
        token[16..].rotate_right(1);
    }
    token
}

#[test]
fn any_rotation_is_undone() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let (mut initiator, mut acceptor) = pair(&issue, UNCHECKED);
        for protection in BOTH {
            for data in [&b""[..], b"some data that is longer than a block"] {
                let token = initiator.wrap(data, protection, NOW, &mut Counter(5)).unwrap();
                for rrc in (0..150).chain([1000, 28 + 16, 0x7fff, 0xffff]) {
                    let read = acceptor.unwrap(&rotated(&token, rrc), NOW).unwrap();
                    assert_eq!(
                        (read.data.as_slice(), read.protection),
                        (data, protection),
                        "{etype} {rrc}"
                    );
                }
            }
        }
    }
}

#[test]
fn filler_before_the_inner_header_is_taken_off() {
    let issue = Issue::default();
    let (initiator, mut acceptor) = pair(&issue, UNCHECKED);
    let key = initiator.acceptor_subkey.unwrap();
    let header = |ec, rrc| Header {
        tok_id: tok_id::WRAP,
        flags: SEALED | ACCEPTOR_SUBKEY,
        ec,
        rrc,
        number: 77,
    };
    let token = |outside: Header, plain: &[u8]| {
        let cipher = key.encrypt(KeyUsage::INITIATOR_SEAL, plain, &mut Counter(5));
        [&outside.octets()[..], &cipher].concat()
    };
    for ec in 0..40u16 {
        let plain = [b"data", &vec![0xaa; ec.into()][..], &header(ec, 0).octets()].concat();
        let read = acceptor.unwrap(&token(header(ec, 0), &plain), NOW).unwrap();
        assert_eq!(read.data.as_slice(), b"data", "{ec}");
        // More filler than there is, and another than was said inside.
        let short = [&vec![0xaa; ec.into()][..], &header(ec + 1, 0).octets()].concat();
        assert_eq!(
            acceptor.unwrap(&token(header(ec + 1, 0), &short), NOW),
            Err(ContextError::Integrity)
        );
        assert_eq!(
            acceptor.unwrap(&token(header(ec + 1, 0), &plain), NOW),
            Err(ContextError::Integrity)
        );
    }
    // The header inside is as it was before the rotation.
    let plain = [&b"data"[..], &header(0, 0).octets()].concat();
    let turned = rotated(&token(header(0, 0), &plain), 28);
    assert!(acceptor.unwrap(&turned, NOW).is_ok());
    let plain = [&b"data"[..], &header(0, 28).octets()].concat();
    let turned = rotated(&token(header(0, 0), &plain), 28);
    assert_eq!(acceptor.unwrap(&turned, NOW), Err(ContextError::Integrity));
    // Nothing but a part of a header inside.
    for len in 0..16 {
        let plain = &header(0, 0).octets()[..len];
        assert_eq!(
            acceptor.unwrap(&token(header(0, 0), plain), NOW),
            Err(ContextError::Integrity)
        );
    }
}

#[test]
fn a_token_that_is_turned_back_is_refused() {
    for contexts in [pair, one_way_pair] {
        let (mut initiator, mut acceptor) = contexts(&Issue::default(), UNCHECKED);
        for context in [&mut initiator, &mut acceptor] {
            for protection in BOTH {
                let token = context.wrap(b"data", protection, NOW, &mut Counter(5)).unwrap();
                assert_eq!(context.unwrap(&token, NOW), Err(ContextError::Direction));
            }
            let mic = context.mic(b"data", NOW).unwrap();
            assert_eq!(context.verify_mic(b"data", &mic, NOW), Err(ContextError::Direction));
        }
    }
}

#[test]
fn the_key_is_the_one_that_was_agreed_on() {
    let issue = Issue::default();
    let (mut initiator, mut acceptor) = pair(&issue, UNCHECKED);
    let (mut early, _) = one_way_pair(&issue, UNCHECKED);
    // The same initiator's subkey, but the acceptor has chosen another since.
    assert_eq!(early.initiator_key, initiator.initiator_key);
    let token = early
        .wrap(b"data", Protection::Confidential, NOW, &mut Counter(5))
        .unwrap();
    assert_eq!(acceptor.unwrap(&token, NOW), Err(ContextError::OtherKey));
    let mic = early.mic(b"data", NOW).unwrap();
    assert_eq!(acceptor.verify_mic(b"data", &mic, NOW), Err(ContextError::OtherKey));

    let (_, mut without) = one_way_pair(&issue, UNCHECKED);
    let token = initiator
        .wrap(b"data", Protection::Integrity, NOW, &mut Counter(5))
        .unwrap();
    assert_eq!(without.unwrap(&token, NOW), Err(ContextError::OtherKey));
}

#[test]
fn tokens_of_rfc_1964_have_an_error_of_their_own() {
    let (mut initiator, mut acceptor) = pair(&Issue::default(), UNCHECKED);
    for id in [tok_id::OLD_WRAP, tok_id::OLD_MIC] {
        let body = [&[0x11, 0, 0x10, 0, 0xff, 0xff][..], &[7; 40]].concat();
        for token in [frame(oid::KRB5, &id, &body), [&id[..], &body].concat()] {
            for context in [&mut initiator, &mut acceptor] {
                assert_eq!(context.unwrap(&token, NOW), Err(ContextError::OldFormat));
                assert_eq!(context.verify_mic(b"", &token, NOW), Err(ContextError::OldFormat));
            }
        }
    }
}

#[test]
fn one_kind_of_token_is_not_taken_for_another() {
    let (mut initiator, mut acceptor) = pair(&Issue::default(), UNCHECKED);
    let mic = initiator.mic(b"data", NOW).unwrap();
    assert_eq!(acceptor.unwrap(&mic, NOW), Err(ContextError::Malformed));
    for protection in BOTH {
        let token = initiator.wrap(b"data", protection, NOW, &mut Counter(5)).unwrap();
        assert_eq!(acceptor.verify_mic(b"data", &token, NOW), Err(ContextError::Malformed));
        // Nor in its own frame, which is only for first tokens.
        let framed = frame(oid::KRB5, &[], &token);
        assert_eq!(acceptor.unwrap(&framed, NOW), Err(ContextError::Malformed));
    }
    assert_eq!(acceptor.unwrap(&[], NOW), Err(ContextError::Malformed));
}

/// Five messages, and what becomes of them in this order.
fn received(without: ContextFlags, order: &[usize]) -> Vec<Result<(), ContextError>> {
    let (mut initiator, mut acceptor) = pair(&Issue::default(), without);
    let number = |context: &mut Context| {
        let mic = context.mic(b"", NOW).unwrap();
        u64::from_be_bytes(mic[8..16].try_into().unwrap())
    };
    let first = number(&mut initiator);
    let tokens: Vec<_> = (0..100)
        .map(|n: u8| match n % 3 {
            0 => initiator
                .wrap(&[n], Protection::Confidential, NOW, &mut Counter(5))
                .unwrap(),
            1 => initiator
                .wrap(&[n], Protection::Integrity, NOW, &mut Counter(5))
                .unwrap(),
            _ => initiator.mic(&[n], NOW).unwrap(),
        })
        .collect();
    let told = |error| match error {
        // Counted from the first of the tokens.
        ContextError::Sequence(SequenceError::OutOfOrder { expected, found }) => {
            let (expected, found) = (expected.wrapping_sub(first), found.wrapping_sub(first) - 1);
            ContextError::Sequence(SequenceError::OutOfOrder { expected, found })
        }
        ContextError::Sequence(SequenceError::Repeated(n)) => {
            ContextError::Sequence(SequenceError::Repeated(n - first - 1))
        }
        ContextError::Sequence(SequenceError::TooOld(n)) => {
            ContextError::Sequence(SequenceError::TooOld(n - first - 1))
        }
        other => other,
    };
    let skip = acceptor.verify_mic(b"", &[], NOW);
    assert_eq!(skip, Err(ContextError::Malformed));
    // The one that told the first number comes first, so that a stream begins in order.
    acceptor.take_number(first).unwrap();
    order
        .iter()
        .map(|at| {
            let token = &tokens[*at];
            if token[..2] == tok_id::MIC {
                acceptor.verify_mic(&[u8::try_from(*at).unwrap()], token, NOW)
            } else {
                acceptor.unwrap(token, NOW).map(drop)
            }
            .map_err(told)
        })
        .collect()
}

#[test]
fn in_sequence_each_message_has_its_turn() {
    let out_of_order = |expected: u64, found| {
        Err(ContextError::Sequence(SequenceError::OutOfOrder {
            // One more than the tokens' own, for the one before.
            expected: expected + 1,
            found,
        }))
    };
    for without in [ContextFlags::empty(), ContextFlags::REPLAY] {
        assert_eq!(
            received(without, &[0, 1, 1, 3, 2, 0, 3, 4]),
            [
                Ok(()),
                Ok(()),
                out_of_order(2, 1),
                out_of_order(2, 3),
                Ok(()),
                out_of_order(3, 0),
                Ok(()),
                Ok(())
            ]
        );
    }
}

#[test]
fn without_sequence_each_message_counts_once() {
    let repeated = |n| Err(ContextError::Sequence(SequenceError::Repeated(n)));
    let too_old = |n| Err(ContextError::Sequence(SequenceError::TooOld(n)));
    assert_eq!(
        received(ContextFlags::SEQUENCE, &[0, 3, 1, 1, 3, 2, 0, 99, 35, 36, 36, 4]),
        [
            Ok(()),
            Ok(()),
            Ok(()),
            repeated(1),
            repeated(3),
            Ok(()),
            repeated(0),
            Ok(()),
            too_old(35),
            Ok(()),
            repeated(36),
            too_old(4)
        ]
    );
}

#[test]
fn with_neither_nothing_is_counted() {
    assert_eq!(received(UNCHECKED, &[3, 0, 0, 3, 99, 1, 1]), [Ok(()); 7]);
}

#[test]
fn a_message_that_is_refused_changes_nothing() {
    let (mut initiator, mut acceptor) = pair(&Issue::default(), ContextFlags::empty());
    let token = initiator
        .wrap(b"data", Protection::Integrity, NOW, &mut Counter(5))
        .unwrap();
    let mut altered = token.clone();
    altered[16] ^= 1;
    assert_eq!(acceptor.unwrap(&altered, NOW), Err(ContextError::Integrity));
    assert!(acceptor.unwrap(&token, NOW).is_ok());
}

#[test]
fn the_size_limit_is_exact() {
    for etype in EncType::ALL {
        let (mut initiator, _) = pair(&Issue::with(etype, etype), UNCHECKED);
        for protection in BOTH {
            let least = initiator.wrap(b"", protection, NOW, &mut Counter(5)).unwrap().len();
            assert_eq!(initiator.wrap_size_limit(protection, 0), 0);
            assert_eq!(initiator.wrap_size_limit(protection, least), 0);
            for more in [1, 15, 16, 17, 1000] {
                assert_eq!(initiator.wrap_size_limit(protection, least + more), more);
                let token = initiator
                    .wrap(&vec![1; more], protection, NOW, &mut Counter(5))
                    .unwrap();
                assert_eq!(token.len(), least + more, "{etype} {protection:?}");
            }
        }
    }
}
