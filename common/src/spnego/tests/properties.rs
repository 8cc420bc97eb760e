//! Tokens of any content.

use proptest::prelude::*;

use super::codec::{KRB5, framed, init, mech_types, resp};
use crate::spnego::{MAX_MECHS, Mech, MechTypeList, NegHints, NegState, NegToken, NegTokenInit, NegTokenResp};

fn mech() -> impl Strategy<Value = Mech> {
    prop_oneof![
        Just(Mech::Kerberos),
        Just(Mech::MicrosoftKerberos),
        Just(Mech::UserToUser),
        Just(Mech::Iakerb),
        Just(Mech::Spnego),
        Just(Mech::NegoEx),
        Just(Mech::Ntlm),
        prop::collection::vec(any::<u8>(), 1..200).prop_map(|oid| Mech::from_oid(&oid)),
    ]
}

fn perhaps() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u8>(), 120..140),
        prop::collection::vec(any::<u8>(), 250..300),
        Just(vec![5; 40_000]),
    ])
}

proptest! {
    #[test]
    fn a_first_token_that_is_written_is_read_the_same(
        mechs in prop::collection::vec(mech(), 1..MAX_MECHS),
        token in perhaps(),
        mic in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        hints in prop::option::of((prop::option::of("[a-z]{0,40}"), prop::option::of(prop::collection::vec(any::<u8>(), 0..9)))),
    ) {
        let written = NegTokenInit {
            mech_types: MechTypeList::new(mechs[0].clone(), &mechs[1..]),
            mech_token: token.as_deref(),
            hints: hints.as_ref().map(|(name, address)| NegHints {
                name: name.as_ref().map(String::as_bytes),
                address: address.as_deref(),
            }),
            mech_list_mic: mic.as_deref(),
        };
        let octets = written.encode();
        prop_assert_eq!(NegToken::decode(&octets), Ok(NegToken::Init(written.clone())));
        prop_assert_eq!(written.mech_types.mechs(), mechs);
    }

    #[test]
    fn an_answer_that_is_written_is_read_the_same(
        state in prop::option::of(0u8..4),
        supported_mech in prop::option::of(mech()),
        token in perhaps(),
        mic in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    ) {
        let states = [NegState::AcceptCompleted, NegState::AcceptIncomplete, NegState::Reject, NegState::RequestMic];
        let written = NegTokenResp {
            neg_state: state.map(|number| states[usize::from(number)]),
            supported_mech,
            response_token: token.as_deref(),
            mech_list_mic: mic.as_deref(),
        };
        let octets = written.encode();
        prop_assert_eq!(NegToken::decode(&octets), Ok(NegToken::Resp(written)));
    }

    #[test]
    fn octets_of_any_kind_are_read_as_what_they_are_written_as_or_refused(
        octets in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        for octets in [octets.clone(), init(&[&octets]), resp(&[&octets]), framed(&[&octets]), init(&[&mech_types(&[KRB5]), &octets])] {
            match NegToken::decode(&octets) {
                Ok(token) => {
                    let written = match &token {
                        NegToken::Init(token) => token.encode(),
                        NegToken::Resp(token) => token.encode(),
                    };
                    prop_assert_eq!(NegToken::decode(&written), Ok(token));
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
