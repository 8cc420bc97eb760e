use core::net::IpAddr;

use super::error::AcceptError;
use super::mech::{Mech, MechTypeList};
use super::token::{NegState, NegToken, NegTokenInit, NegTokenResp, TokenError, unframed};
use crate::Random;
use crate::ap::{ReplayCache, ServiceKeys};
use crate::gss;
use crate::time::Timestamp;

// How NTLM's own messages begin (MS-NLMP §2.2.1). Windows sends them bare when it has nothing else to offer.
const NTLM_SIGNATURE: &[u8] = b"NTLMSSP\0";

/// A service's end of the negotiation. Made once, used for every client.
///
/// It chooses Kerberos out of whatever the client offers. A client that sends a Kerberos token without negotiating is
/// answered without negotiating.
#[derive(Clone, Debug)]
pub struct Acceptor {
    gss: gss::Acceptor,
}

/// How far the acceptor has come.
#[allow(
    clippy::large_enum_variant,
    reason = "made once or twice a negotiation, and taken apart at once"
)]
#[derive(Debug)]
pub enum Step {
    /// The client has to answer, and gets nothing before it does.
    Continue {
        /// For the client.
        token: Vec<u8>,
        /// Takes the client's answer.
        state: Accepting,
    },
    /// The client is who it says, and agrees to how that was negotiated.
    Done {
        /// For the client, if it waits for one.
        token: Option<Vec<u8>>,
        /// Who it is, and the context with it.
        accepted: gss::Accepted,
    },
}

impl Acceptor {
    /// Negotiates for a krb5 acceptor.
    #[must_use]
    pub const fn new(gss: gss::Acceptor) -> Self {
        Self { gss }
    }

    /// The client's first token: a NegTokenInit, or a token of the krb5 mechanism itself. `from` is the client's address;
    /// without one, a ticket's addresses are not looked at.
    ///
    /// # Errors
    /// [`AcceptError`]: log it, and send the client [`AcceptError::reply_token`].
    pub fn accept(
        &self,
        token: &[u8],
        keys: &(impl ServiceKeys + ?Sized),
        replays: &(impl ReplayCache + ?Sized),
        from: Option<IpAddr>,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<Step, AcceptError> {
        if token.starts_with(NTLM_SIGNATURE) {
            return Err(AcceptError::Ntlm);
        }
        if let Some((mech, _)) = unframed(token)?
            && mech.is_kerberos()
        {
            let accepted = self.gss.accept(token, keys, replays, from, now, random);
            let accepted = accepted.map_err(AcceptError::Kerberos)?;
            return Ok(Step::Done {
                token: accepted.token().map(Into::into),
                accepted,
            });
        }
        let NegToken::Init(init) = NegToken::decode(token)? else {
            return Err(AcceptError::AnswerFirst);
        };
        let (mech, offer) = Offer::choose(&init)?;
        // RFC 4178 §3.2 (c): the token that came along is of the mechanism that the client likes best.
        match init.mech_token.filter(|token| !offer.mic_due && !token.is_empty()) {
            Some(krb5) => {
                let accepted = self.gss.accept(krb5, keys, replays, from, now, random);
                let accepted = accepted.map_err(AcceptError::Mechanism)?;
                offer.conclude(accepted, Some(mech), init.mech_list_mic, now)
            }
            None => Ok(Step::Continue {
                token: NegTokenResp {
                    neg_state: Some(if offer.mic_due {
                        NegState::RequestMic
                    } else {
                        NegState::AcceptIncomplete
                    }),
                    supported_mech: Some(mech),
                    ..NegTokenResp::default()
                }
                .encode(),
                state: Accepting(Awaiting::Token(self.clone(), offer)),
            }),
        }
    }
}

/// A client that has to answer. There is no context yet, or none that can be used.
#[derive(Debug)]
pub struct Accepting(Awaiting);

#[derive(Debug)]
enum Awaiting {
    /// The first token of the krb5 mechanism.
    Token(Acceptor, Offer),
    /// The client's MIC, which is all that is missing.
    Mic(Box<gss::Accepted>, MechTypeList),
}

impl Accepting {
    /// The client's answer. A negotiation takes two of them at most.
    ///
    /// # Errors
    /// As [`Acceptor::accept`].
    pub fn step(
        self,
        token: &[u8],
        keys: &(impl ServiceKeys + ?Sized),
        replays: &(impl ReplayCache + ?Sized),
        from: Option<IpAddr>,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<Step, AcceptError> {
        let NegToken::Resp(answer) = NegToken::decode(token)? else {
            return Err(AcceptError::OfferAgain);
        };
        if answer.neg_state == Some(NegState::Reject) {
            return Err(AcceptError::GivenUp);
        }
        match self.0 {
            Awaiting::Token(acceptor, offer) => {
                let krb5 = answer.response_token.ok_or(AcceptError::NoToken)?;
                let accepted = acceptor.gss.accept(krb5, keys, replays, from, now, random);
                let accepted = accepted.map_err(AcceptError::Mechanism)?;
                offer.conclude(accepted, None, answer.mech_list_mic, now)
            }
            Awaiting::Mic(mut accepted, mech_types) => {
                if answer.response_token.is_some() {
                    return Err(AcceptError::StrayToken);
                }
                let mic = answer.mech_list_mic.ok_or(AcceptError::MicMissing)?;
                let context = accepted.context_mut();
                context
                    .verify_mic(mech_types.octets(), mic, now.time)
                    .map_err(AcceptError::Mic)?;
                Ok(Step::Done {
                    token: None,
                    accepted: *accepted,
                })
            }
        }
    }
}

/// What the client offered, and whether MICs have to show that nobody altered it.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) mech_types: MechTypeList,
    pub(super) mic_due: bool,
}

impl Offer {
    // RFC 4178 §5: MICs are due unless the mechanism is the one that both like best. This acceptor has but one.
    fn choose(init: &NegTokenInit<'_>) -> Result<(Mech, Self), AcceptError> {
        let mechs = init.mech_types.mechs();
        let Some(at) = mechs.iter().position(Mech::is_kerberos) else {
            return Err(AcceptError::NoCommonMech {
                offered: mechs.to_vec(),
            });
        };
        let mech = mechs.get(at).cloned().unwrap_or(Mech::Kerberos);
        let offer = Self {
            mech_types: init.mech_types.clone(),
            mic_due: at > 0,
        };
        Ok((mech, offer))
    }

    // RFC 4178 §5, with the acceptor's last token of the mechanism, if it has one, at hand.
    pub(super) fn conclude(
        self,
        mut accepted: gss::Accepted,
        supported_mech: Option<Mech>,
        mic: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Step, AcceptError> {
        let krb5: Option<Vec<u8>> = accepted.token().map(Into::into);
        let context = accepted.context_mut();
        let list = self.mech_types.octets();
        let answer = |neg_state, mech_list_mic: Option<&[u8]>| {
            NegTokenResp {
                neg_state: Some(neg_state),
                supported_mech,
                response_token: krb5.as_deref(),
                mech_list_mic,
            }
            .encode()
        };
        if let Some(mic) = mic {
            context.verify_mic(list, mic, now.time).map_err(AcceptError::Mic)?;
            let own = context.mic(list, now.time).map_err(AcceptError::Mic)?;
            return Ok(Step::Done {
                token: Some(answer(NegState::AcceptCompleted, Some(&own))),
                accepted,
            });
        }
        if !self.mic_due {
            return Ok(Step::Done {
                token: Some(answer(NegState::AcceptCompleted, None)),
                accepted,
            });
        }
        if krb5.is_none() {
            // (c) (V): the client sent the last token, and had a context to make a MIC with.
            return Err(AcceptError::MicMissing);
        }
        // (b): the client has no context until it has this token.
        let own = context.mic(list, now.time).map_err(AcceptError::Mic)?;
        Ok(Step::Continue {
            token: answer(NegState::AcceptIncomplete, Some(&own)),
            state: Accepting(Awaiting::Mic(Box::new(accepted), self.mech_types)),
        })
    }
}

impl From<TokenError> for AcceptError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}
