//! Negotiations from their first token to the last, with a client that offers this or that.

use super::codec::tlv;
use super::fixture::{Agreed, Along, Offer, Proof, accept, honest, negotiate, resp_of, says};
use crate::ap::tests::fixture::{Counter, Issue, NOW, now, principal};
use crate::gss::{self, oid};
use crate::spnego::{AcceptError, Mech, MechTypeList, NegState, NegTokenInit, Step};

use Mech::{Iakerb, Kerberos, MicrosoftKerberos, NegoEx, Ntlm, UserToUser};
use NegState::{AcceptCompleted, AcceptIncomplete, RequestMic};

fn run(offer: &Offer) -> Agreed {
    let mut agreed = negotiate(offer, &Issue::default().credential(), honest).unwrap();
    assert_eq!(agreed.acceptor.peer().client(), &principal("alice@EXAMPLE.COM"));
    agreed.works();
    agreed
}

#[test]
fn a_client_that_likes_kerberos_best_is_through_after_one_answer() {
    for mechs in [
        &[Kerberos][..],
        &[MicrosoftKerberos],
        &[Kerberos, MicrosoftKerberos],
        &[MicrosoftKerberos, Kerberos, NegoEx, Ntlm],
        &[Kerberos, Iakerb, UserToUser, Ntlm],
    ] {
        for proof in Proof::BOTH {
            let agreed = run(&Offer::of(mechs, Along::Kerberos, proof));
            assert_eq!(agreed.legs.len(), 2, "{mechs:?} {proof:?}");
            let mutual = proof == Proof::Mutual;
            assert_eq!(
                says(&agreed.legs[1]),
                (Some(AcceptCompleted), Some(mechs[0].clone()), mutual, false)
            );
        }
    }
}

#[test]
fn a_client_that_sends_no_token_along_is_asked_for_it() {
    for mechs in [&[Kerberos][..], &[MicrosoftKerberos, Kerberos], &[Kerberos, Ntlm]] {
        for proof in Proof::BOTH {
            let agreed = run(&Offer::of(mechs, Along::Nothing, proof));
            let mutual = proof == Proof::Mutual;
            assert_eq!(agreed.legs.len(), 4, "{mechs:?} {proof:?}");
            assert_eq!(
                says(&agreed.legs[1]),
                (Some(AcceptIncomplete), Some(mechs[0].clone()), false, false)
            );
            assert_eq!(says(&agreed.legs[2]), (Some(AcceptIncomplete), None, true, false));
            assert_eq!(says(&agreed.legs[3]), (Some(AcceptCompleted), None, mutual, false));
        }
    }
}

// RFC 4178 §5: the chosen mechanism is not the initiator's first choice.
#[test]
fn where_kerberos_is_not_liked_best_both_ends_make_mics() {
    for (mechs, chosen) in [
        (&[Ntlm, Kerberos][..], Kerberos),
        (&[NegoEx, MicrosoftKerberos, Kerberos, Ntlm], MicrosoftKerberos),
        (&[Iakerb, Kerberos], Kerberos),
    ] {
        for along in [Along::Ntlm, Along::Nothing] {
            // The acceptor has the last token of the mechanism (b) …
            let agreed = run(&Offer::of(mechs, along, Proof::Mutual));
            assert_eq!(agreed.legs.len(), 5);
            let chosen = Some(chosen.clone());
            assert_eq!(says(&agreed.legs[1]), (Some(RequestMic), chosen.clone(), false, false));
            assert_eq!(says(&agreed.legs[2]), (Some(AcceptIncomplete), None, true, false));
            assert_eq!(says(&agreed.legs[3]), (Some(AcceptIncomplete), None, true, true));
            assert_eq!(says(&agreed.legs[4]), (Some(AcceptCompleted), None, false, true));
            // … or the initiator has (c).
            let agreed = run(&Offer::of(mechs, along, Proof::OneWay));
            assert_eq!(agreed.legs.len(), 4);
            assert_eq!(says(&agreed.legs[1]), (Some(RequestMic), chosen, false, false));
            assert_eq!(says(&agreed.legs[2]), (Some(AcceptIncomplete), None, true, true));
            assert_eq!(says(&agreed.legs[3]), (Some(AcceptCompleted), None, false, true));
        }
    }
}

#[test]
fn a_token_of_kerberos_alone_is_answered_by_one() {
    let credential = Issue::default().credential();
    let (token, awaiting) = gss::Initiator::new(&credential).start(now(), &mut Counter(1));
    let Step::Done { token, accepted } = accept(&token).unwrap() else {
        panic!("there is nothing to negotiate");
    };
    assert_eq!(accepted.context().initiator(), &credential.client);
    awaiting.finish(&token.unwrap()).unwrap();

    let (token, _) = gss::Initiator::new(&credential).start_one_way(now(), &mut Counter(1));
    assert!(matches!(accept(&token).unwrap(), Step::Done { token: None, .. }));
    // Its inner number may be either, and so may the one in the offer around it.
    let at = token
        .windows(oid::KRB5.len())
        .position(|window| window == oid::KRB5)
        .unwrap();
    let mut microsofts = token.clone();
    microsofts[at..at + oid::KRB5.len()].copy_from_slice(oid::MICROSOFT_KRB5);
    assert!(matches!(accept(&microsofts).unwrap(), Step::Done { token: None, .. }));
    for (mech, krb5) in [(Kerberos, &microsofts), (MicrosoftKerberos, &token)] {
        let offer = NegTokenInit {
            mech_types: MechTypeList::new(mech.clone(), &[]),
            mech_token: Some(krb5),
            hints: None,
            mech_list_mic: None,
        };
        let Step::Done { token, .. } = accept(&offer.encode()).unwrap() else {
            panic!("the token was there");
        };
        assert_eq!(resp_of(&token.unwrap()).supported_mech, Some(mech));
    }
}

// As some initiators send it with a mechanism of one token (RFC 4178 §5 (c), "OPTIONAL").
#[test]
fn a_mic_that_was_not_due_is_verified_and_answered_by_one() {
    let credential = Issue::default().credential();
    let list = MechTypeList::new(Kerberos, &[Ntlm]);
    let with_mic_over = |covered: &[u8]| {
        let (krb5, mut context) = gss::Initiator::new(&credential).start_one_way(now(), &mut Counter(1));
        let mic = context.mic(covered, NOW).unwrap();
        let token = NegTokenInit {
            mech_types: list.clone(),
            mech_token: Some(&krb5),
            hints: None,
            mech_list_mic: Some(&mic),
        };
        (accept(&token.encode()), context)
    };
    let (step, mut context) = with_mic_over(list.octets());
    let Step::Done { token: Some(token), .. } = step.unwrap() else {
        panic!("nothing was missing");
    };
    assert_eq!(says(&token), (Some(AcceptCompleted), Some(Kerberos), false, true));
    context
        .verify_mic(list.octets(), resp_of(&token).mech_list_mic.unwrap(), NOW)
        .unwrap();

    for covered in [
        MechTypeList::new(Kerberos, &[]).octets(),
        &tlv(0xa0, &[list.octets()]),
        b"",
    ] {
        let (step, _) = with_mic_over(covered);
        assert_eq!(step.unwrap_err(), AcceptError::Mic(gss::ContextError::Integrity));
    }
    // Windows 2000 put a copy of the token in its place.
    let (krb5, _) = gss::Initiator::new(&credential).start_one_way(now(), &mut Counter(1));
    let copied = NegTokenInit {
        mech_types: list.clone(),
        mech_token: Some(&krb5),
        hints: None,
        mech_list_mic: Some(&krb5),
    };
    assert!(matches!(accept(&copied.encode()), Err(AcceptError::Mic(_))));
}
