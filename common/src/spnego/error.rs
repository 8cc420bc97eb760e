//! Why a negotiation fails: the whole story for the operator, and what the peer is sent.

use core::fmt;

use super::mech::Mech;
use super::token::{NegState, NegTokenResp, TokenError};
use crate::gss;
use crate::listed::Listed;

/// Why a client is refused. This is for the service's own log; the client gets [`AcceptError::reply_token`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptError {
    /// The token cannot be read.
    Token(TokenError),
    /// The client sent a message of NTLM, not wrapped in anything.
    Ntlm,
    /// The client offers no Kerberos.
    NoCommonMech {
        /// What it does offer.
        offered: Vec<Mech>,
    },
    /// An answer where the client should have made an offer.
    AnswerFirst,
    /// Another offer where an answer is due.
    OfferAgain,
    /// An answer without the token of the krb5 mechanism that it was to bring.
    NoToken,
    /// A token of the mechanism after its last one.
    StrayToken,
    /// The client wants no more of it.
    GivenUp,
    /// The mechanism is not what the client likes best, and no MIC shows that its offer arrived as it was sent.
    MicMissing,
    /// The MIC over the client's offer is not that of the offer that arrived, or could not be made.
    Mic(gss::ContextError),
    /// The krb5 mechanism refused the client's token.
    Mechanism(gss::AcceptError),
    /// The same, of a client that sent the token without negotiating.
    Kerberos(gss::AcceptError),
}

impl AcceptError {
    /// What the client is sent: that it is refused, and the krb5 mechanism's own error if it has one. `None`: what the
    /// client sent has no such answer.
    #[must_use]
    pub fn reply_token(&self) -> Option<Vec<u8>> {
        match self {
            Self::Ntlm | Self::GivenUp | Self::Token(TokenError::Empty | TokenError::OtherMech(_)) => None,
            Self::Kerberos(error) => error.reply_token(),
            Self::Mechanism(error) => Some(reject(error.reply_token().as_deref())),
            Self::Token(_)
            | Self::NoCommonMech { .. }
            | Self::AnswerFirst
            | Self::OfferAgain
            | Self::NoToken
            | Self::StrayToken
            | Self::MicMissing
            | Self::Mic(_) => Some(reject(None)),
        }
    }
}

fn reject(response_token: Option<&[u8]>) -> Vec<u8> {
    NegTokenResp {
        neg_state: Some(NegState::Reject),
        response_token,
        ..NegTokenResp::default()
    }
    .encode()
}

// What to do about a client that comes with NTLM.
const NO_TICKET: &str = "it has no ticket for this service. Is its user logged in to the realm, is the service known there \
                         by the name in its URL, and does the client trust that site with tickets?";

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => write!(f, "the client's negotiation cannot be read: {error}"),
            Self::Ntlm => write!(f, "the client fell back to NTLM, which is not spoken here: {NO_TICKET}"),
            Self::NoCommonMech { offered } if offered.iter().all(|mech| matches!(mech, Mech::Ntlm | Mech::NegoEx)) => {
                write!(f, "the client offers {}, and no Kerberos: {NO_TICKET}", Listed(offered))
            }
            Self::NoCommonMech { offered } => {
                write!(f, "the client offers no Kerberos, only {}", Listed(offered))
            }
            Self::AnswerFirst => f.write_str("the client answers before it made an offer: its negotiation began elsewhere"),
            Self::OfferAgain => f.write_str("the client makes another offer in the middle of the negotiation"),
            Self::NoToken => f.write_str("the client was asked for its Kerberos token and sent none"),
            Self::StrayToken => f.write_str("the client sent another token where only its MIC was due"),
            Self::GivenUp => f.write_str("the client gave the negotiation up"),
            Self::MicMissing => f.write_str(
                "the client likes another mechanism better than Kerberos and sent no MIC over its list: the list may have \
                 been altered on its way, or the client is older than RFC 4178",
            ),
            Self::Mic(error) => write!(
                f,
                "the MIC over the client's list of mechanisms does not fit the list that arrived, which was altered on \
                 its way: {error}"
            ),
            Self::Mechanism(error) | Self::Kerberos(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AcceptError {}

/// Why there is no context with a service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InitiateError {
    /// The service's token cannot be read.
    Token(TokenError),
    /// An offer where the service should have answered.
    Offer,
    /// The service refuses; with what its krb5 mechanism says about it, if it said anything.
    Rejected(Option<gss::InitiateError>),
    /// The service chose a mechanism that was not offered.
    OtherMech(Mech),
    /// The service's first answer names no mechanism and has no token.
    NoMech,
    /// The service says that it is content, or asks for more, but has not proved itself.
    NoToken,
    /// A token of the mechanism after its last one.
    StrayToken,
    /// The service asked for MICs and sent none.
    MicMissing,
    /// The service's MIC is over another list than was offered, or none could be made.
    Mic(gss::ContextError),
    /// The krb5 mechanism refused the service's token.
    Mechanism(gss::InitiateError),
}

impl InitiateError {
    /// What the service is sent, where it waits for something. `None`: it does not.
    #[must_use]
    pub fn reply_token(&self) -> Option<Vec<u8>> {
        (!matches!(self, Self::Rejected(_))).then(|| reject(None))
    }
}

impl fmt::Display for InitiateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => write!(f, "the service's answer cannot be read: {error}"),
            Self::Offer => f.write_str("the service makes an offer where its answer is due"),
            Self::Rejected(None) => f.write_str("the service refuses, and does not say why; its log may"),
            Self::Rejected(Some(error)) => write!(f, "the service refuses: {error}"),
            Self::OtherMech(mech) => write!(f, "the service wants {mech}, which was not offered"),
            Self::NoMech => f.write_str("the service's answer names no mechanism"),
            Self::NoToken => f.write_str("the service did not prove who it is"),
            Self::StrayToken => f.write_str("the service sent another token where none was due"),
            Self::MicMissing => f.write_str("the service asked for a MIC over what was offered, and sent none itself"),
            Self::Mic(error) => write!(
                f,
                "the service's MIC is not over what was offered, which was altered on its way: {error}"
            ),
            Self::Mechanism(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for InitiateError {}
