//! SPNEGO: its tokens, and both ends of the negotiation. The first octet says who reads the rest: the codec and a service
//! that is spoken to first; a service that asked for a token; one that waits for a MIC; a client. With 4 or more, the rest
//! alters a right negotiation: the number of the token, then where and by what.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::gss;
use tessera_common::spnego::{
    AcceptError, Accepting, InitiateStep, Initiator, Mech, MechTypeList, NegState, NegToken, NegTokenInit,
    NegTokenResp, Step,
};
use tessera_fuzz::gss::{Altered, alices_ticket, krb5_is_the_same, spnego_accept, spnego_step};
use tessera_fuzz::realm::{Counter, NOON, principal};

fuzz_target!(|octets: &[u8]| {
    let Some((which, content)) = octets.split_first() else {
        return;
    };
    match which {
        0 => {
            codec(content);
            finish(spnego_accept(content));
        }
        1 => finish(spnego_step(asked_for_a_token(), content)),
        // Nobody but alice can make the MIC.
        2 => assert!(spnego_step(asked_for_a_mic(), content).is_err()),
        3 => client(content),
        _ => altered(content),
    }
});

fn codec(octets: &[u8]) {
    let Ok(token) = NegToken::decode(octets) else { return };
    let written = match &token {
        NegToken::Init(token) => token.encode(),
        NegToken::Resp(token) => token.encode(),
    };
    assert_eq!(NegToken::decode(&written), Ok(token));
}

// Whoever gets in is alice: nobody else has a ticket.
fn finish(step: Result<Step, AcceptError>) {
    match step {
        Ok(Step::Done { accepted, .. }) => assert_eq!(accepted.peer().client(), &principal("alice")),
        Ok(Step::Continue { token, .. }) => assert!(NegToken::decode(&token).is_ok()),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            if let Some(reply) = error.reply_token() {
                assert!(!reply.is_empty());
            }
        }
    }
}

fn list() -> MechTypeList {
    MechTypeList::new(Mech::Ntlm, &[Mech::MicrosoftKerberos, Mech::Kerberos])
}

fn offer() -> Vec<u8> {
    NegTokenInit {
        mech_types: list(),
        mech_token: Some(b"NTLMSSP\0"),
        hints: None,
        mech_list_mic: None,
    }
    .encode()
}

fn asked_for_a_token() -> Accepting {
    match spnego_accept(&offer()) {
        Ok(Step::Continue { state, .. }) => state,
        other => panic!("{other:?}"),
    }
}

fn asked_for_a_mic() -> Accepting {
    let (krb5, _) = gss::Initiator::new(&alices_ticket()).start(NOON, &mut Counter::default());
    let answer = NegTokenResp {
        response_token: Some(&krb5),
        ..NegTokenResp::default()
    };
    match spnego_step(asked_for_a_token(), &answer.encode()) {
        Ok(Step::Continue { state, .. }) => state,
        other => panic!("{other:?}"),
    }
}

fn client(octets: &[u8]) {
    let credential = alices_ticket();
    let initiator = || Initiator::new(gss::Initiator::new(&credential));
    let (token, negotiating) = initiator().start(NOON, &mut Counter::default());
    if let Ok(InitiateStep::Done { .. }) = negotiating.step(octets, NOON.time) {
        // The service's own proof is in it.
        let Ok(Step::Done { token: Some(right), .. }) = spnego_accept(&token) else {
            panic!("the token is good");
        };
        let (Ok(NegToken::Resp(right)), Ok(NegToken::Resp(found))) =
            (NegToken::decode(&right), NegToken::decode(octets))
        else {
            panic!("it was taken for an answer");
        };
        assert!(krb5_is_the_same(
            right.response_token.unwrap(),
            found.response_token.unwrap()
        ));
    }
    let (_, negotiating) = initiator().start_one_way(NOON, &mut Counter::default());
    let _ = negotiating.step(octets, NOON.time);
}

// A client that sends its MIC with its only token. The service has a context for the list that was sent, or none.
fn altered(octets: &[u8]) {
    let Some((leg, change)) = octets.split_first() else {
        return;
    };
    let (krb5, mut context) = gss::Initiator::new(&alices_ticket()).start_one_way(NOON, &mut Counter::default());
    let mic = context.mic(list().octets(), NOON.time).unwrap();
    let second = NegTokenResp {
        neg_state: Some(NegState::AcceptIncomplete),
        response_token: Some(&krb5),
        mech_list_mic: Some(&mic),
        ..NegTokenResp::default()
    }
    .encode();
    let (mut tokens, leg) = ([offer(), second], usize::from(leg % 2));
    tokens[leg] = Altered::read(change).apply(&tokens[leg]);
    let Ok(Step::Continue { state, .. }) = spnego_accept(&tokens[0]) else {
        return;
    };
    let Ok(Step::Done { accepted, .. }) = spnego_step(state, &tokens[1]) else {
        return;
    };
    assert_eq!(accepted.peer().client(), &principal("alice"));
    let (Ok(NegToken::Init(first)), Ok(NegToken::Resp(last))) =
        (NegToken::decode(&tokens[0]), NegToken::decode(&tokens[1]))
    else {
        panic!("it was taken for a negotiation");
    };
    assert!(krb5_is_the_same(&krb5, last.response_token.unwrap()));
    if let Some(found) = last.mech_list_mic {
        assert_eq!(found, mic);
        assert_eq!(first.mech_types, list());
    } else {
        // Without a MIC only where the list begins with Kerberos, by which there is nothing to confirm.
        assert!(first.mech_types.mechs()[0].is_kerberos());
    }
}
