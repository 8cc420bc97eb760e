use super::error::InitiateError;
use super::mech::{Mech, MechTypeList};
use super::token::{NegState, NegToken, NegTokenInit, NegTokenResp, TokenError};
use crate::Random;
use crate::gss;
use crate::time::{KerberosTime, Timestamp};

/// A client's end of the negotiation: it offers Kerberos under both of its numbers and sends its token along.
#[derive(Debug)]
pub struct Initiator<'a> {
    gss: gss::Initiator<'a>,
}

/// How far the initiator has come.
#[allow(
    clippy::large_enum_variant,
    reason = "made once or twice a negotiation, and taken apart at once"
)]
#[derive(Debug)]
pub enum InitiateStep {
    /// The service has not looked at the token yet, and gets it again.
    Continue {
        /// For the service.
        token: Vec<u8>,
        /// Takes the service's answer.
        state: Negotiating,
    },
    /// There is a context with the service.
    Done {
        /// For the service, if it waits for one.
        token: Option<Vec<u8>>,
        /// The context.
        context: gss::Context,
    },
}

impl<'a> Initiator<'a> {
    /// Negotiates for a krb5 initiator.
    #[must_use]
    pub const fn new(gss: gss::Initiator<'a>) -> Self {
        Self { gss }
    }

    /// The first token, where the service is to prove itself.
    pub fn start(self, now: Timestamp, random: &mut dyn Random) -> (Vec<u8>, Negotiating) {
        let (krb5, state) = self.gss.start(now, random);
        Negotiating::begin(krb5, Mechanism::Waiting(Box::new(state)))
    }

    /// The first token, where the service need not prove itself. It has to answer all the same.
    pub fn start_one_way(self, now: Timestamp, random: &mut dyn Random) -> (Vec<u8>, Negotiating) {
        let (krb5, context) = self.gss.start_one_way(now, random);
        Negotiating::begin(krb5, Mechanism::Complete(Box::new(context)))
    }
}

/// A service that has to answer. There is no context yet, or none that can be used.
#[derive(Debug)]
pub struct Negotiating {
    mech_types: MechTypeList,
    mechanism: Mechanism,
    leg: Leg,
}

#[derive(Debug)]
pub(super) enum Mechanism {
    Waiting(Box<gss::AwaitingReply>),
    Complete(Box<gss::Context>),
}

#[derive(Debug)]
enum Leg {
    /// The service answers the offer. The token that went along with it, should it be wanted once more.
    First(Vec<u8>),
    /// The service answers the token. Whether it asked for MICs before, and whether it has one.
    Second { mic_due: bool, mic_sent: bool },
}

impl Negotiating {
    fn begin(krb5: Vec<u8>, mechanism: Mechanism) -> (Vec<u8>, Self) {
        let offer = MechTypeList::new(Mech::Kerberos, &[Mech::MicrosoftKerberos]);
        Self::offering(offer, Some(krb5.clone()), krb5, mechanism)
    }

    // The token that goes along is of the mechanism that is liked best, which may be another one.
    pub(super) fn offering(
        mech_types: MechTypeList,
        along: Option<Vec<u8>>,
        krb5: Vec<u8>,
        mechanism: Mechanism,
    ) -> (Vec<u8>, Self) {
        let token = NegTokenInit {
            mech_types: mech_types.clone(),
            mech_token: along.as_deref(),
            hints: None,
            mech_list_mic: None,
        }
        .encode();
        let state = Self {
            mech_types,
            mechanism,
            leg: Leg::First(krb5),
        };
        (token, state)
    }

    /// The service's answer. A negotiation takes two of them at most.
    ///
    /// # Errors
    /// [`InitiateError`].
    pub fn step(self, token: &[u8], now: KerberosTime) -> Result<InitiateStep, InitiateError> {
        let NegToken::Resp(answer) = NegToken::decode(token)? else {
            return Err(InitiateError::Offer);
        };
        if answer.neg_state == Some(NegState::Reject) {
            return Err(InitiateError::Rejected(self.mechanism.refusal(&answer)));
        }
        match self.leg {
            Leg::First(krb5) => {
                check_choice(&answer)?;
                // RFC 4178 §5: MICs are due where the service asks for them, and where it chose what is not liked best.
                let best = self.mech_types.mechs().first().is_some_and(Mech::is_kerberos);
                let mic_due = !best || answer.neg_state == Some(NegState::RequestMic);
                let unread = answer.response_token.is_none() && answer.mech_list_mic.is_none();
                let asks = matches!(
                    answer.neg_state,
                    Some(NegState::AcceptIncomplete | NegState::RequestMic)
                );
                if unread && asks {
                    return send_again(self.mech_types, self.mechanism, &krb5, mic_due, now);
                }
                conclude(&self.mech_types, self.mechanism, &answer, mic_due, false, now)
            }
            Leg::Second { mic_due, mic_sent } => {
                conclude(&self.mech_types, self.mechanism, &answer, mic_due, mic_sent, now)
            }
        }
    }
}

// Both numbers are of one mechanism, and some acceptors (Samba's, Windows') answer with Microsoft's whichever was first. So
// neither choice is a step down from the other that MICs would have to confirm.
fn check_choice(answer: &NegTokenResp<'_>) -> Result<(), InitiateError> {
    match &answer.supported_mech {
        Some(mech) if mech.is_kerberos() => Ok(()),
        Some(other) => Err(InitiateError::OtherMech(other.clone())),
        // Some acceptors written in Java send nothing but the token; it can only be of the mechanism that it answers.
        None if answer.response_token.is_some() => Ok(()),
        None => Err(InitiateError::NoMech),
    }
}

// The service did not take the token that came with the offer, which it had never to look at if it counts the two numbers
// for two mechanisms. So it cannot be a replay there.
fn send_again(
    mech_types: MechTypeList,
    mut mechanism: Mechanism,
    krb5: &[u8],
    mic_due: bool,
    now: KerberosTime,
) -> Result<InitiateStep, InitiateError> {
    // RFC 4178 §5 (c): with the last token of the mechanism goes the MIC that was asked for, and none that was not, which
    // old acceptors would stumble over.
    let mic = match &mut mechanism {
        Mechanism::Complete(context) if mic_due => {
            Some(context.mic(mech_types.octets(), now).map_err(InitiateError::Mic)?)
        }
        _ => None,
    };
    Ok(InitiateStep::Continue {
        token: NegTokenResp {
            neg_state: Some(NegState::AcceptIncomplete),
            response_token: Some(krb5),
            mech_list_mic: mic.as_deref(),
            ..NegTokenResp::default()
        }
        .encode(),
        state: Negotiating {
            mech_types,
            mechanism,
            leg: Leg::Second {
                mic_due,
                mic_sent: mic.is_some(),
            },
        },
    })
}

// RFC 4178 §5, with the acceptor's last token of the mechanism, if it has one, at hand.
fn conclude(
    mech_types: &MechTypeList,
    mechanism: Mechanism,
    answer: &NegTokenResp<'_>,
    mic_due: bool,
    mic_sent: bool,
    now: KerberosTime,
) -> Result<InitiateStep, InitiateError> {
    let mut context = mechanism.finish(answer.response_token)?;
    let list = mech_types.octets();
    let Some(mic) = answer.mech_list_mic else {
        if mic_due {
            return Err(InitiateError::MicMissing);
        }
        return Ok(InitiateStep::Done { token: None, context });
    };
    context.verify_mic(list, mic, now).map_err(InitiateError::Mic)?;
    // A service that has all it needs expects no answer.
    if mic_sent || answer.neg_state == Some(NegState::AcceptCompleted) {
        return Ok(InitiateStep::Done { token: None, context });
    }
    let own = context.mic(list, now).map_err(InitiateError::Mic)?;
    Ok(InitiateStep::Done {
        token: Some(
            NegTokenResp {
                neg_state: Some(NegState::AcceptCompleted),
                mech_list_mic: Some(&own),
                ..NegTokenResp::default()
            }
            .encode(),
        ),
        context,
    })
}

impl Mechanism {
    fn finish(self, token: Option<&[u8]>) -> Result<gss::Context, InitiateError> {
        match (self, token) {
            (Self::Waiting(state), Some(token)) => state.finish(token).map_err(InitiateError::Mechanism),
            (Self::Waiting(_), None) => Err(InitiateError::NoToken),
            (Self::Complete(context), None) => Ok(*context),
            (Self::Complete(_), Some(_)) => Err(InitiateError::StrayToken),
        }
    }

    // What the mechanism makes of the token that came with a refusal.
    fn refusal(self, answer: &NegTokenResp<'_>) -> Option<gss::InitiateError> {
        match (self, answer.response_token) {
            (Self::Waiting(state), Some(token)) => state.finish(token).err(),
            _ => None,
        }
    }
}

impl From<TokenError> for InitiateError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}
