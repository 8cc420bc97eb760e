//! The ends of contexts.

use super::pair;
use crate::ap;
use crate::ap::tests::fixture::{Counter, Issue};
use crate::gss::{Context, ContextError, ContextFlags, Protection};
use crate::time::KerberosTime;

/// What each call says at that time: wrap, MIC, unwrap and verify of what the peer made in time.
fn at(context: &mut Context, peer: &mut Context, now: KerberosTime) -> [Option<ContextError>; 4] {
    let early = KerberosTime(now.0 - 100_000);
    let token = peer
        .wrap(b"data", Protection::Integrity, early, &mut Counter(5))
        .unwrap();
    let mic = peer.mic(b"data", early).unwrap();
    [
        context
            .wrap(b"data", Protection::Confidential, now, &mut Counter(5))
            .err(),
        context.mic(b"data", now).err(),
        context.unwrap(&token, now).err(),
        context.verify_mic(b"data", &mic, now).err(),
    ]
}

#[test]
fn an_initiator_stops_at_the_tickets_end_and_an_acceptor_the_skew_later() {
    let issue = Issue::default();
    let endtime = issue.endtime;
    let skew = i64::try_from(ap::Acceptor::SKEW.as_secs()).unwrap();
    let unchecked = ContextFlags::REPLAY | ContextFlags::SEQUENCE;
    let (mut initiator, mut acceptor) = pair(&issue, unchecked);
    for late in [-1, 0, 1, skew - 1, skew, skew + 1, 100_000] {
        let now = KerberosTime(endtime.0 + late);
        let expected = |grace| [(late > grace).then_some(ContextError::Expired { endtime, now }); 4];
        assert_eq!(at(&mut initiator, &mut acceptor, now), expected(0), "{late}");
        assert_eq!(at(&mut acceptor, &mut initiator, now), expected(skew), "{late}");
    }
}

#[test]
fn a_call_that_comes_too_late_uses_no_number() {
    let issue = Issue::default();
    let (mut initiator, mut acceptor) = pair(&issue, ContextFlags::empty());
    let late = KerberosTime(issue.endtime.0 + 1);
    assert!(initiator.mic(b"", late).is_err());
    assert!(
        initiator
            .wrap(b"", Protection::Integrity, late, &mut Counter(5))
            .is_err()
    );
    let mic = initiator.mic(b"data", issue.endtime).unwrap();
    assert_eq!(acceptor.verify_mic(b"data", &mic, issue.endtime), Ok(()));
}
