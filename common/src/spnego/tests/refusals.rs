//! What a service refuses, and what it tells whom about it.

use super::codec::{init, mech_types, resp, string, tlv};
use super::fixture::{NTLM_TOKEN, accept, acceptor, resp_of, says};
use crate::ap::tests::fixture::{Counter, Forgetful, Issue, NOW, now, principal};
use crate::error_code::ErrorCode;
use crate::gss::{self, oid};
use crate::spnego::{
    AcceptError, InitiateError, Initiator, Mech, MechTypeList, NegState, NegTokenInit, Step, TokenError,
};
use crate::wire;

use Mech::{Iakerb, Kerberos, NegoEx, Ntlm, UserToUser};
use NegState::Reject;

#[test]
fn what_a_client_may_not_send_first_is_refused_by_name() {
    let krb5 = || {
        gss::Initiator::new(&Issue::default().credential())
            .start(now(), &mut Counter(1))
            .0
    };
    let offer = |mechs: &[&[u8]]| {
        let mechs: Vec<Vec<u8>> = mechs.iter().map(|mech| tlv(6, &[mech])).collect();
        let mechs: Vec<&[u8]> = mechs.iter().map(Vec::as_slice).collect();
        init(&[&mech_types(&mechs), &string(2, &krb5())])
    };
    let framed = |oid: &[u8]| tlv(0x60, &[&tlv(6, &[oid]), &[1, 0]]);
    let no_common = |offered: &[Mech]| AcceptError::NoCommonMech {
        offered: offered.to_vec(),
    };
    let token = AcceptError::Token;
    // What it is, the token, the error, whether the client is told in SPNEGO.
    let rows = [
        ("nothing", vec![], token(TokenError::Empty), false),
        ("noise", vec![7; 20], token(TokenError::Framing), true),
        ("NTLM", NTLM_TOKEN.to_vec(), AcceptError::Ntlm, false),
        (
            "IAKERB",
            framed(Iakerb.oid()),
            token(TokenError::OtherMech(Iakerb)),
            false,
        ),
        (
            "NegoEx",
            framed(NegoEx.oid()),
            token(TokenError::OtherMech(NegoEx)),
            false,
        ),
        (
            "user-to-user",
            framed(UserToUser.oid()),
            token(TokenError::OtherMech(UserToUser)),
            false,
        ),
        ("only NTLM", offer(&[Ntlm.oid()]), no_common(&[Ntlm]), true),
        (
            "no Kerberos",
            offer(&[NegoEx.oid(), Iakerb.oid(), &[0x2a, 3]]),
            no_common(&[NegoEx, Iakerb, Mech::from_oid(&[0x2a, 3])]),
            true,
        ),
        // CVE-2021-44758: no mechanism that could be preferred, and all the same a token.
        ("an empty list", offer(&[]), token(TokenError::NoMechs), true),
        (
            "a token and no list",
            init(&[&string(2, &krb5())]),
            token(TokenError::NoMechs),
            true,
        ),
        ("no field at all", init(&[]), token(TokenError::NoMechs), true),
        // CVE-2022-3116: an answer to nothing.
        (
            "an answer",
            resp(&[&tlv(0xa0, &[&[10, 1, 1]]), &string(2, &krb5())]),
            AcceptError::AnswerFirst,
            true,
        ),
        ("an empty answer", resp(&[]), AcceptError::AnswerFirst, true),
        (
            "a framed answer",
            tlv(0x60, &[&tlv(6, &[oid::SPNEGO]), &resp(&[])]),
            AcceptError::AnswerFirst,
            true,
        ),
    ];
    for (what, octets, error, told) in rows {
        let refused = accept(&octets).unwrap_err();
        assert_eq!(refused, error, "{what}");
        let reply = refused.reply_token();
        assert_eq!(reply.is_some(), told, "{what}");
        if let Some(reply) = reply {
            assert_eq!(says(&reply), (Some(Reject), None, false, false), "{what}");
        }
    }
}

#[test]
fn an_operator_reads_that_a_browser_has_no_ticket() {
    let told = [
        accept(NTLM_TOKEN).unwrap_err(),
        accept(&init(&[&mech_types(&[&tlv(6, &[Ntlm.oid()])]), &string(2, NTLM_TOKEN)])).unwrap_err(),
    ];
    for error in told {
        let text = error.to_string();
        assert!(
            text.contains("NTLM") && text.contains("no ticket for this service"),
            "{text}"
        );
    }
    let others = accept(&init(&[&mech_types(&[&tlv(6, &[Iakerb.oid()])])])).unwrap_err();
    assert_eq!(others.to_string(), "the client offers no Kerberos, only IAKERB");
}

// CVE-2022-3116, CVE-2014-4344 and their like: tokens that leave out what the next step needs.
#[test]
fn a_client_that_was_asked_gets_no_context_for_anything_else_than_the_answer() {
    let credential = Issue::default().credential();
    let (krb5, _) = gss::Initiator::new(&credential).start(now(), &mut Counter(1));
    let (one_way, _) = gss::Initiator::new(&credential).start_one_way(now(), &mut Counter(1));
    let state = |number| tlv(0xa0, &[&[10, 1, number]]);
    for (mechs, mic_due) in [(&[Kerberos][..], false), (&[Ntlm, Kerberos], true)] {
        let offer = NegTokenInit {
            mech_types: MechTypeList::new(mechs[0].clone(), &mechs[1..]),
            mech_token: None,
            hints: None,
            mech_list_mic: None,
        };
        let answered = |answer: &[u8]| {
            let Step::Continue { state, .. } = accept(&offer.encode()).unwrap() else {
                panic!("there was no token");
            };
            let keys = Issue::default().keys();
            state.step(answer, &keys[..], &Forgetful, None, now(), &mut Counter(2))
        };
        let error = |answer: &[u8]| answered(answer).unwrap_err();
        assert_eq!(error(&[]), AcceptError::Token(TokenError::Empty));
        assert_eq!(error(&resp(&[])), AcceptError::NoToken);
        assert_eq!(error(&resp(&[&state(1)])), AcceptError::NoToken);
        assert_eq!(error(&resp(&[&state(0)])), AcceptError::NoToken);
        assert_eq!(error(&resp(&[&string(3, b"mic")])), AcceptError::NoToken);
        assert_eq!(error(&resp(&[&state(2), &string(2, &krb5)])), AcceptError::GivenUp);
        assert_eq!(error(&offer.encode()), AcceptError::OfferAgain);
        assert_eq!(error(&krb5), AcceptError::Token(TokenError::OtherMech(Kerberos)));
        assert!(matches!(
            error(&resp(&[&string(2, b"token")])),
            AcceptError::Mechanism(_)
        ));
        assert!(matches!(
            error(&resp(&[&string(2, &one_way), &string(3, b"mic")])),
            AcceptError::Mic(_)
        ));
        let without_mic = answered(&resp(&[&string(2, &one_way)]));
        if mic_due {
            // §5 (c) (V).
            assert_eq!(without_mic.unwrap_err(), AcceptError::MicMissing);
        } else {
            assert!(matches!(without_mic, Ok(Step::Done { .. })));
        }
        assert!(error(&resp(&[])).reply_token().is_some());
        assert_eq!(AcceptError::GivenUp.reply_token(), None);

        // The client's MIC is all that is missing, and nothing else will do.
        if !mic_due {
            continue;
        }
        let last = |answer: &[u8]| {
            let Ok(Step::Continue { state, token }) = answered(&resp(&[&string(2, &krb5)])) else {
                panic!("a MIC is due");
            };
            let keys = Issue::default().keys();
            let own = resp_of(&token).mech_list_mic.unwrap().to_vec();
            let answer = if answer == b"own" {
                resp(&[&string(3, &own)])
            } else {
                answer.to_vec()
            };
            state
                .step(&answer, &keys[..], &Forgetful, None, now(), &mut Counter(2))
                .unwrap_err()
        };
        assert_eq!(last(&resp(&[])), AcceptError::MicMissing);
        assert_eq!(last(&resp(&[&state(0)])), AcceptError::MicMissing);
        assert_eq!(last(&resp(&[&string(2, &krb5)])), AcceptError::StrayToken);
        assert_eq!(
            last(&resp(&[&string(2, &krb5), &string(3, b"mic")])),
            AcceptError::StrayToken
        );
        assert_eq!(last(&resp(&[&state(2), &string(3, b"mic")])), AcceptError::GivenUp);
        assert!(matches!(last(&resp(&[&string(3, b"")])), AcceptError::Mic(_)));
        assert_eq!(last(b"own"), AcceptError::Mic(gss::ContextError::Direction));
        assert_eq!(last(&offer.encode()), AcceptError::OfferAgain);
    }
}

#[test]
fn a_refusal_of_kerberos_goes_to_the_client_in_the_form_that_it_speaks() {
    let stranger = Issue {
        key: crate::ap::tests::fixture::service_key(crate::crypto::EncType::Aes128CtsHmacSha1_96),
        ..Issue::default()
    };
    let credential = stranger.credential();
    let (token, negotiating) = Initiator::new(gss::Initiator::new(&credential)).start(now(), &mut Counter(1));
    let refused = accept(&token).unwrap_err();
    assert!(matches!(refused, AcceptError::Mechanism(_)), "{refused}");
    assert!(refused.to_string().contains("host/www@EXAMPLE.COM"), "{refused}");
    let reply = refused.reply_token().unwrap();
    assert_eq!(says(&reply), (Some(Reject), None, true, false));
    let error = negotiating.step(&reply, NOW).unwrap_err();
    assert!(
        matches!(
            &error,
            InitiateError::Rejected(Some(gss::InitiateError::Reply(crate::ap::ReplyError::Refused { .. })))
        ),
        "{error:?}"
    );
    assert_eq!(error.reply_token(), None);

    let (token, awaiting) = gss::Initiator::new(&credential).start(now(), &mut Counter(1));
    let refused = accept(&token).unwrap_err();
    assert!(matches!(refused, AcceptError::Kerberos(_)));
    let reply = refused.reply_token().unwrap();
    assert_eq!(reply.first(), Some(&0x60));
    awaiting.finish(&reply).unwrap_err();
    // The little that is told: a code, the time and the service's own name.
    let at = reply.windows(2).position(|window| window == [3, 0]).unwrap() + 2;
    let told: wire::KrbError = wire::decode(&reply[at..]).unwrap();
    assert_ne!(told.error_code, ErrorCode(0).0);
    assert_eq!((told.cname, told.crealm, told.e_text), (None, None, None));

    // A client that waits for nothing from Kerberos is told all the same that the negotiation is over.
    let (token, negotiating) = Initiator::new(gss::Initiator::new(&credential)).start_one_way(now(), &mut Counter(1));
    let reply = accept(&token).unwrap_err().reply_token().unwrap();
    assert_eq!(says(&reply), (Some(Reject), None, false, false));
    assert_eq!(
        negotiating.step(&reply, NOW).unwrap_err(),
        InitiateError::Rejected(None)
    );
}

#[test]
fn a_client_that_spoke_to_another_service_gets_no_further() {
    let other = Issue {
        service: principal("host/other@EXAMPLE.COM"),
        ..Issue::default()
    };
    let credential = other.credential();
    let (token, _) = Initiator::new(gss::Initiator::new(&credential)).start(now(), &mut Counter(1));
    let keys = Issue::default().keys();
    let refused = acceptor().accept(&token, &keys[..], &Forgetful, None, now(), &mut Counter(2));
    assert!(matches!(refused, Err(AcceptError::Mechanism(_))));
    // A copy of what was accepted is none.
    let issue = Issue::default();
    let replays = crate::ap::MemoryReplayCache::new(crate::ap::Acceptor::SKEW);
    let (token, _) = Initiator::new(gss::Initiator::new(&issue.credential())).start(now(), &mut Counter(1));
    let accept = || acceptor().accept(&token, &keys[..], &replays, None, now(), &mut Counter(2));
    assert!(matches!(accept(), Ok(Step::Done { .. })));
    assert!(matches!(accept(), Err(AcceptError::Mechanism(_))));
}
