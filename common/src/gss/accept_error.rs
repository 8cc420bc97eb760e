//! Why a first token is refused: the whole story for the operator, and the little of it that the peer is told.

use core::fmt;

use super::checksum::ChecksumError;
use super::token::{FrameError, frame, oid, tok_id};
use crate::ap::{self, ApError, ApRequest, KeyWanted, MessageError, krb_error};
use crate::error_code::ErrorCode;
use crate::name::Principal;
use crate::time::Timestamp;

/// Why a first token is refused. This is for the service's own log: it names principals, key versions and enctypes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptError(Box<Details>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    refusal: Refusal,
    // What the ticket says of itself.
    ticket: Option<KeyWanted>,
    // The client and the service, once they are known for sure.
    peer: Option<(Principal, Principal)>,
    answer: Option<Addressed>,
}

// To whom an error token goes, from whom and when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Addressed {
    mechanism: &'static [u8],
    service: Principal,
    now: Timestamp,
}

/// The reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No token of GSS-API.
    Frame(FrameError),
    /// A token of another mechanism than Kerberos.
    Mechanism,
    /// A token of this mechanism that is no first one.
    TokenId,
    /// DCE's style, which is not offered.
    DceStyle,
    /// The AP-REQ is refused.
    Ap(ApError),
    /// What stands in the place of the authenticator's checksum cannot be read.
    Checksum(ChecksumError),
    /// An ordinary checksum stands there, and does not fit.
    PlainChecksum(MessageError),
    /// The client's AD-AP-OPTIONS, or the IF-RELEVANT around it, cannot be read.
    ApOptions,
    /// The client's channel bindings are those of another channel.
    OtherBindings,
    /// The client sent no channel bindings, and had to.
    NoBindings,
    /// Channel bindings are required, and the service itself was given none.
    NoOwnBindings,
    /// The forwarded TGT cannot be read.
    Delegated(MessageError),
    /// A KRB-CRED without a ticket.
    NothingDelegated,
}

impl AcceptError {
    /// A refusal of which the client is told, if it waits for an answer.
    pub(super) fn answering(refusal: Refusal, request: &ApRequest, mechanism: &[u8], now: Timestamp) -> Self {
        let waits = request.options().contains(crate::flags::ApOptions::MUTUAL_REQUIRED);
        let answer = waits.then(|| Addressed {
            mechanism: if mechanism == oid::MICROSOFT_KRB5 {
                oid::MICROSOFT_KRB5
            } else {
                oid::KRB5
            },
            service: request.service().clone(),
            now,
        });
        let ticket = KeyWanted {
            service: request.service().clone(),
            kvno: request.kvno(),
            etype: request.ticket().enc_part.etype,
            held: Vec::new(),
        };
        Self(Box::new(Details {
            refusal,
            ticket: Some(ticket),
            peer: None,
            answer,
        }))
    }

    /// The same, of a client that is known.
    pub(super) fn of(mut self, peer: &ap::Accepted) -> Self {
        self.0.peer = Some((peer.client().clone(), peer.service().clone()));
        self
    }

    /// The reason.
    #[must_use]
    pub const fn refusal(&self) -> &Refusal {
        &self.0.refusal
    }

    /// The service, key version and enctype that the client's ticket names in cleartext, without the keys that are held. `None`
    /// when there is no ticket that could be read.
    #[must_use]
    pub const fn ticket(&self) -> Option<&KeyWanted> {
        self.0.ticket.as_ref()
    }

    /// What the peer may know.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self.refusal() {
            Refusal::Ap(why) => why.code(),
            Refusal::TokenId => ErrorCode::KRB_AP_ERR_MSG_TYPE,
            Refusal::PlainChecksum(why) | Refusal::Delegated(why) => why.code(),
            Refusal::Frame(_)
            | Refusal::Mechanism
            | Refusal::DceStyle
            | Refusal::Checksum(_)
            | Refusal::ApOptions
            | Refusal::OtherBindings
            | Refusal::NoBindings
            | Refusal::NoOwnBindings
            | Refusal::NothingDelegated => ErrorCode::KRB_ERR_GENERIC,
        }
    }

    /// A token for the client: a KRB-ERROR (TOK_ID 03 00) with [`AcceptError::code`] and the time, nothing else of what is
    /// known here. The service's name in it is the one that the client's ticket had.
    ///
    /// `None` when the client waits for no answer, or sent nothing that could be answered.
    #[must_use]
    pub fn reply_token(&self) -> Option<Vec<u8>> {
        let Addressed {
            mechanism,
            service,
            now,
        } = self.0.answer.as_ref()?;
        let error = krb_error(self.code(), service, *now, None);
        Some(frame(mechanism, &tok_id::ERROR, &error))
    }
}

impl From<Refusal> for AcceptError {
    fn from(refusal: Refusal) -> Self {
        Self(Box::new(Details {
            refusal,
            ticket: None,
            peer: None,
            answer: None,
        }))
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((client, service)) = &self.0.peer {
            write!(f, "{client} at {service}: ")?;
        }
        write!(f, "{}", self.0.refusal)
    }
}

impl core::error::Error for AcceptError {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(why) => write!(f, "{why}"),
            Self::Mechanism => f.write_str("the token is of another mechanism than Kerberos"),
            Self::TokenId => f.write_str("the token is none that a context begins with"),
            Self::DceStyle => f.write_str("the client speaks DCE's style, which is not offered"),
            Self::Ap(why) => write!(f, "{why}"),
            Self::Checksum(why) => write!(f, "the authenticator's checksum of type 0x8003 cannot be read: {why}"),
            Self::PlainChecksum(why) => write!(f, "the authenticator has no checksum of type 0x8003, and {why}"),
            Self::ApOptions => f.write_str("the client's authorization data cannot be read"),
            Self::OtherBindings => f.write_str(
                "the channel bindings are those of another channel: a proxy stands in between that has another \
                 certificate, or the token was taken from elsewhere",
            ),
            Self::NoBindings => f.write_str("the client sent no channel bindings, and they are required of it"),
            Self::NoOwnBindings => f.write_str(
                "channel bindings are required, and this end has none: it is not reached over TLS, or its \
                     certificate's signature has no hash that RFC 5929 would take",
            ),
            Self::Delegated(why) => write!(f, "the forwarded ticket cannot be read: {why}"),
            Self::NothingDelegated => f.write_str("the client delegates, and forwards no ticket"),
        }
    }
}
