//! An initiator and an acceptor of this crate, from the first token to messages both ways.

use crate::ap::tests::fixture::{Counter, Forgetful, Issue, NOW, now};
use crate::ap::{self, Role};
use crate::crypto::EncType;
use crate::gss::{Accepted, Acceptor, Context, ContextFlags, Initiator, Protection};

fn accept(issue: &Issue, token: &[u8]) -> Accepted {
    Acceptor::new(ap::Acceptor::for_any_service())
        .accept(token, &issue.keys()[..], &Forgetful, None, now(), &mut Counter(50))
        .unwrap()
}

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
