//! What a client makes of a service's answers.

use super::fixture::{NTLM_TOKEN, Offer, Proof, accept, resp_of, says};
use crate::ap::tests::fixture::{Issue, NOW};
use crate::gss;
use crate::spnego::{
    InitiateError, InitiateStep, Mech, MechTypeList, NegHints, NegState, NegTokenInit, NegTokenResp, Negotiating, Step,
    TokenError,
};

use Mech::{Kerberos, MicrosoftKerberos, Ntlm};
use NegState::{AcceptCompleted, AcceptIncomplete, Reject, RequestMic};

// What a service answers to a first token of ours, made of the right parts.
struct Answered {
    negotiating: Negotiating,
    ap_rep: Vec<u8>,
    mic: Vec<u8>,
    accepted: gss::Accepted,
}

fn answered(proof: Proof) -> Answered {
    let credential = Issue::default().credential();
    let offer = Offer::ours(proof);
    let (token, negotiating) = offer.start(&credential);
    let Step::Done { token, mut accepted } = accept(&token).unwrap() else {
        panic!("the token was there");
    };
    let token = token.unwrap();
    let ap_rep = resp_of(&token).response_token.unwrap_or_default().to_vec();
    let mic = accepted.context_mut().mic(offer.list().octets(), NOW).unwrap();
    Answered {
        negotiating,
        ap_rep,
        mic,
        accepted,
    }
}

#[test]
fn every_answer_of_a_service_has_one_meaning() {
    use Proof::{Mutual, OneWay};
    const TOKEN: u8 = 1;
    const MIC: u8 = 2;
    let done = |mic| Ok((true, mic));
    let again = Ok((false, false));
    let ours = || Some(Kerberos);
    // To what, the answer's state and mechanism, what else is in it; whether it is done, and whether a MIC goes back.
    type Row = (
        Proof,
        Option<NegState>,
        Option<Mech>,
        u8,
        Result<(bool, bool), InitiateError>,
    );
    let rows: Vec<Row> = vec![
        (Mutual, Some(AcceptCompleted), ours(), TOKEN, done(false)),
        // Samba and Windows choose Microsoft's number, whichever was first.
        (
            Mutual,
            Some(AcceptCompleted),
            Some(MicrosoftKerberos),
            TOKEN,
            done(false),
        ),
        // Some services in Java send the token and nothing else.
        (Mutual, None, None, TOKEN, done(false)),
        (Mutual, Some(AcceptCompleted), None, TOKEN, done(false)),
        // §5 (b) (III): it is done, though the service goes on.
        (Mutual, Some(AcceptIncomplete), ours(), TOKEN, done(false)),
        // §5 (b) (I).
        (Mutual, Some(AcceptIncomplete), ours(), TOKEN | MIC, done(true)),
        (Mutual, Some(RequestMic), ours(), TOKEN | MIC, done(true)),
        // The service expects no more.
        (Mutual, Some(AcceptCompleted), ours(), TOKEN | MIC, done(false)),
        // §5 (b) (IV).
        (Mutual, Some(RequestMic), ours(), TOKEN, Err(InitiateError::MicMissing)),
        (Mutual, Some(AcceptCompleted), ours(), 0, Err(InitiateError::NoToken)),
        (Mutual, None, ours(), 0, Err(InitiateError::NoToken)),
        (Mutual, Some(AcceptCompleted), ours(), MIC, Err(InitiateError::NoToken)),
        (Mutual, Some(RequestMic), ours(), MIC, Err(InitiateError::NoToken)),
        (Mutual, Some(AcceptCompleted), None, 0, Err(InitiateError::NoMech)),
        (Mutual, None, None, 0, Err(InitiateError::NoMech)),
        // CVE-2014-4343: another mechanism, with and without a token.
        (
            Mutual,
            Some(RequestMic),
            Some(Ntlm),
            0,
            Err(InitiateError::OtherMech(Ntlm)),
        ),
        (
            Mutual,
            Some(AcceptIncomplete),
            Some(Ntlm),
            TOKEN,
            Err(InitiateError::OtherMech(Ntlm)),
        ),
        (Mutual, Some(Reject), ours(), 0, Err(InitiateError::Rejected(None))),
        (Mutual, Some(Reject), None, MIC, Err(InitiateError::Rejected(None))),
        // The service has not looked at the token.
        (Mutual, Some(AcceptIncomplete), ours(), 0, again.clone()),
        (
            Mutual,
            Some(AcceptIncomplete),
            Some(MicrosoftKerberos),
            0,
            again.clone(),
        ),
        (Mutual, Some(RequestMic), Some(MicrosoftKerberos), 0, again.clone()),
        (OneWay, Some(AcceptCompleted), ours(), 0, done(false)),
        (OneWay, Some(AcceptCompleted), Some(MicrosoftKerberos), 0, done(false)),
        (OneWay, None, ours(), 0, done(false)),
        (OneWay, Some(AcceptCompleted), ours(), MIC, done(false)),
        // §5 (c) (IV).
        (OneWay, Some(RequestMic), ours(), MIC, done(true)),
        (OneWay, Some(AcceptIncomplete), ours(), MIC, done(true)),
        (OneWay, Some(RequestMic), ours(), 0, Ok((false, true))),
        (OneWay, Some(AcceptIncomplete), ours(), 0, again),
        (
            OneWay,
            Some(AcceptCompleted),
            ours(),
            TOKEN,
            Err(InitiateError::StrayToken),
        ),
        (OneWay, Some(AcceptCompleted), None, 0, Err(InitiateError::NoMech)),
        (OneWay, Some(Reject), None, 0, Err(InitiateError::Rejected(None))),
    ];
    for (proof, neg_state, supported_mech, parts, expected) in rows {
        let service = answered(proof);
        let token = NegTokenResp {
            neg_state,
            supported_mech: supported_mech.clone(),
            response_token: (parts & TOKEN != 0).then_some(&service.ap_rep[..]),
            mech_list_mic: (parts & MIC != 0).then_some(&service.mic[..]),
        };
        let what = format!("{proof:?} {neg_state:?} {supported_mech:?} {parts}");
        let mut accepted = service.accepted;
        let found = service.negotiating.step(&token.encode(), NOW).map(|step| match step {
            InitiateStep::Continue { token, .. } => (false, says(&token).3),
            InitiateStep::Done { token, .. } => {
                if let Some(token) = &token {
                    assert_eq!(says(token), (Some(AcceptCompleted), None, false, true), "{what}");
                    let mic = resp_of(token).mech_list_mic.unwrap();
                    let list = Offer::ours(proof).list();
                    accepted.context_mut().verify_mic(list.octets(), mic, NOW).unwrap();
                }
                (true, token.is_some())
            }
        });
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn what_a_service_may_not_answer_is_refused() {
    let list = MechTypeList::new(Kerberos, &[]);
    let offer = NegTokenInit {
        mech_types: list,
        mech_token: None,
        hints: Some(NegHints {
            name: Some(b"not_defined_in_RFC4178@please_ignore"),
            address: None,
        }),
        mech_list_mic: None,
    }
    .encode();
    for proof in Proof::BOTH {
        let error = |token: &[u8]| answered(proof).negotiating.step(token, NOW).unwrap_err();
        assert_eq!(error(&offer), InitiateError::Offer);
        assert_eq!(error(&[]), InitiateError::Token(TokenError::Empty));
        assert_eq!(error(NTLM_TOKEN), InitiateError::Token(TokenError::Framing));
        let bare = answered(Proof::Mutual).ap_rep;
        assert_eq!(error(&bare), InitiateError::Token(TokenError::OtherMech(Kerberos)));
        assert_eq!(says(&error(&bare).reply_token().unwrap()).0, Some(Reject));
    }
    // A service that was asked once more does not ask again.
    let service = answered(Proof::Mutual);
    let ask = NegTokenResp {
        neg_state: Some(AcceptIncomplete),
        supported_mech: Some(Kerberos),
        ..NegTokenResp::default()
    }
    .encode();
    let Ok(InitiateStep::Continue { state, .. }) = service.negotiating.step(&ask, NOW) else {
        panic!("it has not looked at the token");
    };
    assert_eq!(state.step(&ask, NOW).unwrap_err(), InitiateError::NoToken);
}
