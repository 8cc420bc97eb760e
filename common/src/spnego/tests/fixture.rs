//! Both ends of a negotiation, with somebody between them who may alter what is sent.

use super::super::initiate::Mechanism;
use crate::ap::tests::fixture::{Counter, Forgetful, Issue, NOW, now};
use crate::ap::{self};
use crate::credential::Credential;
use crate::gss::{self, Context, Protection};
use crate::spnego::{
    AcceptError, Acceptor, InitiateError, InitiateStep, Mech, MechTypeList, NegState, NegToken, NegTokenResp,
    Negotiating, Step,
};
use crate::time::Timestamp;

/// Who is asked to prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Mutual,
    OneWay,
}

impl Proof {
    pub(super) const BOTH: [Self; 2] = [Self::Mutual, Self::OneWay];
}

/// What a client offers, and which token goes along.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub mechs: Vec<Mech>,
    pub along: Along,
    pub proof: Proof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    Kerberos,
    Ntlm,
    Nothing,
}

pub(super) const NTLM_TOKEN: &[u8] = b"NTLMSSP\0\x01\0\0\0\x97\x82\x08\xe2";

impl Offer {
    pub(super) fn of(mechs: &[Mech], along: Along, proof: Proof) -> Self {
        Self {
            mechs: mechs.to_vec(),
            along,
            proof,
        }
    }

    /// What a client of this project offers.
    pub(super) fn ours(proof: Proof) -> Self {
        Self::of(&[Mech::Kerberos, Mech::MicrosoftKerberos], Along::Kerberos, proof)
    }

    pub(super) fn list(&self) -> MechTypeList {
        MechTypeList::new(self.mechs[0].clone(), &self.mechs[1..])
    }

    pub(super) fn start(&self, credential: &Credential) -> (Vec<u8>, Negotiating) {
        self.start_at(credential, now())
    }

    pub(super) fn start_at(&self, credential: &Credential, now: Timestamp) -> (Vec<u8>, Negotiating) {
        let mut random = Counter(11);
        let initiator = gss::Initiator::new(credential);
        let (krb5, mechanism) = match self.proof {
            Proof::Mutual => {
                let (krb5, state) = initiator.start(now, &mut random);
                (krb5, Mechanism::Waiting(Box::new(state)))
            }
            Proof::OneWay => {
                let (krb5, context) = initiator.start_one_way(now, &mut random);
                (krb5, Mechanism::Complete(Box::new(context)))
            }
        };
        let along = match self.along {
            Along::Kerberos => Some(krb5.clone()),
            Along::Ntlm => Some(NTLM_TOKEN.to_vec()),
            Along::Nothing => None,
        };
        Negotiating::offering(self.list(), along, krb5, mechanism)
    }
}

pub(super) fn acceptor() -> Acceptor {
    Acceptor::new(gss::Acceptor::new(ap::Acceptor::for_any_service()))
}

/// The service's answer to a first token.
pub(super) fn accept(token: &[u8]) -> Result<Step, AcceptError> {
    let keys = Issue::default().keys();
    acceptor().accept(token, &keys[..], &Forgetful, None, now(), &mut Counter(21))
}

/// Why there are not two contexts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    Acceptor(AcceptError),
    Initiator(InitiateError),
    /// One of them waits for a token that does not come.
    Stuck,
}

/// Two contexts, and how many tokens it took.
#[derive(Debug)]
pub(super) struct Agreed {
    pub initiator: Context,
    pub acceptor: gss::Accepted,
    pub legs: Vec<Vec<u8>>,
}

/// Runs a negotiation to its end. `between` sees every token, with its number, and says what arrives.
pub(super) fn negotiate(
    offer: &Offer,
    credential: &Credential,
    mut between: impl FnMut(usize, Vec<u8>) -> Vec<u8>,
) -> Result<Agreed, Failure> {
    let keys = Issue::default().keys();
    let mut random = Counter(21);
    let mut legs = Vec::new();
    let mut deliver = |token: Vec<u8>| {
        legs.push(token.clone());
        between(legs.len() - 1, token)
    };
    let (token, initiating) = offer.start(credential);
    let mut initiating = Some(initiating);
    let mut initiated = None;
    let mut arrived = deliver(token);
    let mut step = accept(&arrived).map_err(Failure::Acceptor)?;
    loop {
        let (answer, state) = match step {
            Step::Continue { token, state } => (Some(token), Ok(state)),
            Step::Done { token, accepted } => (token, Err(accepted)),
        };
        let reply = match (answer, initiating.take()) {
            (Some(answer), Some(negotiating)) => {
                let answer = deliver(answer);
                match negotiating.step(&answer, NOW).map_err(Failure::Initiator)? {
                    InitiateStep::Continue { token, state } => {
                        initiating = Some(state);
                        Some(token)
                    }
                    InitiateStep::Done { token, context } => {
                        initiated = Some(context);
                        token
                    }
                }
            }
            // The client's context is complete, and the service's last word was never due.
            (Some(_), None) => return Err(Failure::Stuck),
            (None, _) => None,
        };
        let state = match (state, reply) {
            (Err(acceptor), None) => {
                let initiator = initiated.ok_or(Failure::Stuck)?;
                return Ok(Agreed {
                    initiator,
                    acceptor,
                    legs,
                });
            }
            (Ok(state), Some(reply)) => {
                arrived = deliver(reply);
                state
            }
            (Ok(_), None) | (Err(_), Some(_)) => return Err(Failure::Stuck),
        };
        step = state
            .step(&arrived, &keys[..], &Forgetful, None, now(), &mut random)
            .map_err(Failure::Acceptor)?;
    }
}

/// Nobody in between.
pub(super) fn honest(_: usize, token: Vec<u8>) -> Vec<u8> {
    token
}

impl Agreed {
    /// What one wraps the other unwraps, both ways.
    #[track_caller]
    pub(super) fn works(&mut self) {
        let mut random = Counter(31);
        let acceptor = self.acceptor.context_mut();
        let mut say = |from: &mut Context, to: &mut Context| {
            let token = from.wrap(b"data", Protection::Confidential, NOW, &mut random).unwrap();
            assert_eq!(to.unwrap(&token, NOW).unwrap().data.as_slice(), b"data");
        };
        say(&mut self.initiator, acceptor);
        say(acceptor, &mut self.initiator);
    }
}

/// A NegTokenResp that is well-formed.
pub(super) fn resp_of(token: &[u8]) -> NegTokenResp<'_> {
    match NegToken::decode(token) {
        Ok(NegToken::Resp(token)) => token,
        other => panic!("{other:?}"),
    }
}

/// What a NegTokenResp says: state, mechanism, whether there is a token and a MIC.
pub(super) fn says(token: &[u8]) -> (Option<NegState>, Option<Mech>, bool, bool) {
    let token = resp_of(token);
    (
        token.neg_state,
        token.supported_mech,
        token.response_token.is_some(),
        token.mech_list_mic.is_some(),
    )
}
