//! An initiator and an acceptor of this crate, from the first token to messages both ways.

use super::accept;
use crate::ap::Role;
use crate::ap::tests::fixture::{Counter, Issue, NOW, now};
use crate::crypto::EncType;
use crate::gss::token::{frame, oid, tok_id, unframe};
use crate::gss::{Context, ContextFlags, InitiateError, Initiator, Protection};

fn exchange_messages(initiator: &mut Context, acceptor: &mut Context) {
    let mut random = Counter(70);
    for data in [&b""[..], b"x", &[7; 16], &[8; 1000]] {
        for protection in [Protection::Confidential, Protection::Integrity] {
            let token = initiator.wrap(data, protection, NOW, &mut random).unwrap();
            let read = acceptor.unwrap(&token, NOW).unwrap();
            assert_eq!((read.data.as_slice(), read.protection), (data, protection));
            let token = acceptor.wrap(data, protection, NOW, &mut random).unwrap();
            let read = initiator.unwrap(&token, NOW).unwrap();
            assert_eq!((read.data.as_slice(), read.protection), (data, protection));
        }
        let mic = initiator.mic(data, NOW).unwrap();
        acceptor.verify_mic(data, &mic, NOW).unwrap();
        let mic = acceptor.mic(data, NOW).unwrap();
        initiator.verify_mic(data, &mic, NOW).unwrap();
    }
}

#[test]
fn both_ends_have_the_same_context_once_the_acceptor_has_answered() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let credential = issue.credential();
        let (token, awaiting) = Initiator::new(&credential).start(now(), &mut Counter(1));
        let (reply, mut acceptor, peer, delegated) = accept(&issue, &token).into_parts();
        let mut initiator = awaiting.finish(&reply.unwrap()).unwrap();
        assert_eq!(delegated, None);
        assert_eq!(peer.client(), &issue.client);
        for context in [&initiator, &acceptor] {
            assert_eq!(context.initiator(), &issue.client);
            assert_eq!(context.acceptor(), &issue.service);
            assert_eq!(context.endtime(), issue.endtime);
            let flags = ContextFlags::MUTUAL
                | ContextFlags::REPLAY
                | ContextFlags::SEQUENCE
                | ContextFlags::CONF
                | ContextFlags::INTEG;
            assert_eq!(context.flags(), flags);
        }
        assert_eq!((initiator.role(), acceptor.role()), (Role::Initiator, Role::Acceptor));
        exchange_messages(&mut initiator, &mut acceptor);
    }
}

#[test]
fn a_context_without_an_answer_is_good_both_ways() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let credential = issue.credential();
        let (token, mut initiator) = Initiator::new(&credential).start_one_way(now(), &mut Counter(1));
        let (reply, mut acceptor, ..) = accept(&issue, &token).into_parts();
        assert_eq!(reply, None);
        assert!(!acceptor.flags().contains(ContextFlags::MUTUAL));
        exchange_messages(&mut initiator, &mut acceptor);
    }
}

#[test]
fn microsofts_oid_is_answered_with_itself() {
    let issue = Issue::default();
    let credential = issue.credential();
    let (token, awaiting) = Initiator::new(&credential).start(now(), &mut Counter(1));
    let inner = unframe(&token).unwrap().inner;
    let reply = accept(&issue, &frame(oid::MICROSOFT_KRB5, &[], inner))
        .into_parts()
        .0
        .unwrap();
    let framed = unframe(&reply).unwrap();
    assert_eq!(framed.mechanism, oid::MICROSOFT_KRB5);
    assert_eq!(framed.inner[..2], tok_id::AP_REP);
    assert!(awaiting.finish(&reply).is_ok());
}

#[test]
fn what_is_no_answer_makes_no_context() {
    let issue = Issue::default();
    let credential = issue.credential();
    let start = || Initiator::new(&credential).start(now(), &mut Counter(1));
    let (token, awaiting) = start();
    // Its own token, turned back.
    assert_eq!(awaiting.finish(&token).unwrap_err(), InitiateError::TokenId);
    let reply = accept(&issue, &token).into_parts().0.unwrap();
    let ap_rep = &unframe(&reply).unwrap().inner[2..];
    for (reply, expected) in [
        (frame(oid::SPNEGO, &tok_id::AP_REP, ap_rep), InitiateError::Mechanism),
        (frame(oid::KRB5, &tok_id::AP_REQ, ap_rep), InitiateError::TokenId),
        (frame(oid::KRB5, &tok_id::ERROR, ap_rep), InitiateError::TokenId),
        (frame(oid::KRB5, &[2], &[]), InitiateError::TokenId),
        (frame(oid::KRB5, &[], &[]), InitiateError::TokenId),
    ] {
        assert_eq!(start().1.finish(&reply).unwrap_err(), expected, "{reply:x?}");
    }
    assert!(matches!(start().1.finish(ap_rep), Err(InitiateError::Frame(_))));
    assert!(matches!(start().1.finish(&[]), Err(InitiateError::Frame(_))));
    assert!(start().1.finish(&reply).is_ok());
    // The answer to another request of the same client.
    let other = Initiator::new(&credential).start(now(), &mut Counter(2)).0;
    let later = crate::time::Timestamp::new(NOW, 5);
    let earlier = Initiator::new(&credential).start(later, &mut Counter(2)).1;
    let reply = accept(&issue, &other).into_parts().0.unwrap();
    let error = earlier.finish(&reply).unwrap_err();
    assert_eq!(error, InitiateError::Reply(crate::ap::ReplyError::OtherRequest));
}

#[test]
fn flags_are_what_was_asked_for() {
    let issue = Issue::default();
    let credential = issue.credential();
    for flag in [
        ContextFlags::REPLAY,
        ContextFlags::SEQUENCE,
        ContextFlags::CONF,
        ContextFlags::INTEG,
    ] {
        let (token, initiator) = Initiator::new(&credential)
            .without(flag)
            .start_one_way(now(), &mut Counter(1));
        let accepted = accept(&issue, &token);
        assert_eq!(initiator.flags(), accepted.context().flags());
        assert!(!initiator.flags().intersects(flag), "{flag:?}");
        assert!(!initiator.flags().intersects(ContextFlags::MUTUAL));
    }
    // What is not the initiator's to say, and what is not offered, is not sent.
    let strange = ContextFlags::DCE_STYLE | ContextFlags::CHANNEL_BOUND | ContextFlags::DELEG;
    let (token, initiator) = Initiator::new(&credential)
        .with(strange | ContextFlags::IDENTIFY)
        .start_one_way(now(), &mut Counter(1));
    assert!(!initiator.flags().intersects(strange));
    let accepted = accept(&issue, &token);
    assert!(accepted.context().flags().contains(ContextFlags::IDENTIFY));
    assert_eq!(initiator.flags(), accepted.context().flags());
}
