//! Somebody between the two who wants them to agree on something else.

use super::fixture::{Along, Failure, Offer, Proof, negotiate, says};
use crate::ap::tests::fixture::Issue;
use crate::gss;
use crate::spnego::{AcceptError, InitiateError, Mech, MechTypeList, NegState, NegToken, NegTokenInit, NegTokenResp};

use Mech::{Iakerb, Kerberos, MicrosoftKerberos, NegoEx, Ntlm};
use NegState::{AcceptCompleted, AcceptIncomplete};

// RFC 4178 §5 promises that one end sees it where the list says that Kerberos was not chosen for being liked best.
#[test]
fn a_list_that_was_altered_on_its_way_is_noticed() {
    let credential = Issue::default().credential();
    let altered = |offer: &Offer, mechs: &[Mech], strip_token: bool| {
        let list = MechTypeList::new(mechs[0].clone(), &mechs[1..]);
        negotiate(offer, &credential, |leg, token| match NegToken::decode(&token) {
            Ok(NegToken::Init(init)) if leg == 0 => NegTokenInit {
                mech_types: list.clone(),
                mech_token: init.mech_token.filter(|_| !strip_token),
                ..init
            }
            .encode(),
            _ => token,
        })
        .map(drop)
    };
    let at_the_service = Failure::Acceptor(AcceptError::Mic(gss::ContextError::Integrity));
    let at_the_client = Failure::Initiator(InitiateError::Mic(gss::ContextError::Integrity));
    let client_misses = Failure::Initiator(InitiateError::MicMissing);
    let ntlm_first = |proof| Offer::of(&[Ntlm, NegoEx, Kerberos], Along::Ntlm, proof);
    let kerberos_first = |proof| Offer::of(&[Kerberos, Ntlm], Along::Kerberos, proof);
    let rows = [
        // What was liked better is taken off: the service thinks that all is well, the client knows better.
        (ntlm_first(Proof::Mutual), &[Kerberos][..], true, client_misses),
        (ntlm_first(Proof::OneWay), &[Kerberos], true, at_the_service.clone()),
        // One of those that were liked better is taken off, or another added, or their order changed.
        (
            ntlm_first(Proof::Mutual),
            &[Ntlm, Kerberos],
            false,
            at_the_client.clone(),
        ),
        (
            ntlm_first(Proof::OneWay),
            &[Ntlm, Kerberos],
            false,
            at_the_service.clone(),
        ),
        (
            ntlm_first(Proof::Mutual),
            &[NegoEx, Ntlm, Kerberos],
            false,
            at_the_client.clone(),
        ),
        (
            ntlm_first(Proof::Mutual),
            &[Ntlm, NegoEx, Kerberos, Iakerb],
            false,
            at_the_client.clone(),
        ),
        (
            ntlm_first(Proof::Mutual),
            &[Ntlm, NegoEx, MicrosoftKerberos],
            false,
            at_the_client.clone(),
        ),
        // Kerberos is put behind another one.
        (kerberos_first(Proof::Mutual), &[Ntlm, Kerberos], false, at_the_client),
        (kerberos_first(Proof::OneWay), &[Ntlm, Kerberos], false, at_the_service),
    ];
    for (offer, mechs, strip_token, expected) in rows {
        assert_eq!(
            altered(&offer, mechs, strip_token),
            Err(expected),
            "{offer:?} as {mechs:?}"
        );
    }
    // And where it says that Kerberos was liked best, Kerberos it is: nothing else could have been had.
    for proof in Proof::BOTH {
        assert_eq!(altered(&kerberos_first(proof), &[Kerberos], false), Ok(()));
        assert_eq!(altered(&kerberos_first(proof), &[Kerberos, NegoEx], false), Ok(()));
        assert_eq!(altered(&Offer::ours(proof), &[MicrosoftKerberos], false), Ok(()));
    }
    // No list makes the service take another mechanism.
    let gone = altered(&kerberos_first(Proof::Mutual), &[Ntlm], false);
    assert_eq!(
        gone,
        Err(Failure::Acceptor(AcceptError::NoCommonMech { offered: vec![Ntlm] }))
    );
}

#[test]
fn a_wish_for_mics_that_is_taken_off_an_answer_does_not_do_away_with_them() {
    let credential = Issue::default().credential();
    for (proof, expected) in [(Proof::Mutual, 5), (Proof::OneWay, 4)] {
        let offer = Offer::of(&[Ntlm, Kerberos], Along::Ntlm, proof);
        let agreed = negotiate(&offer, &credential, |leg, token| match NegToken::decode(&token) {
            Ok(NegToken::Resp(answer)) if leg == 1 => NegTokenResp {
                neg_state: Some(AcceptIncomplete),
                ..answer
            }
            .encode(),
            _ => token,
        });
        let agreed = agreed.unwrap();
        assert_eq!(agreed.legs.len(), expected);
        assert!(agreed.legs[2..].iter().any(|token| says(token).3));
    }
    // And off the last token, the MIC itself.
    for (proof, leg, expected) in [
        (Proof::Mutual, 3, Failure::Initiator(InitiateError::MicMissing)),
        (Proof::Mutual, 4, Failure::Acceptor(AcceptError::MicMissing)),
        (Proof::OneWay, 2, Failure::Acceptor(AcceptError::MicMissing)),
        (Proof::OneWay, 3, Failure::Initiator(InitiateError::MicMissing)),
    ] {
        let offer = Offer::of(&[Ntlm, Kerberos], Along::Ntlm, proof);
        let found = negotiate(&offer, &credential, |number, token| match NegToken::decode(&token) {
            Ok(NegToken::Resp(answer)) if number == leg => NegTokenResp {
                neg_state: Some(AcceptCompleted),
                mech_list_mic: None,
                ..answer
            }
            .encode(),
            _ => token,
        });
        assert_eq!(found.map(drop), Err(expected));
    }
}
