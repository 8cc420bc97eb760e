use core::fmt;

use super::framing::{FramingError, Reply, Request, Version};
use super::new_password::{NewPassword, NewPasswordError};
use super::outcome::{Outcome, ResultCode};
use crate::Random;
use crate::ap::{Accepted, Answer, Header, MessageError, SequenceError, first_seq_number, krb_error, krb_priv};
use crate::crypto::Key;
use crate::error_code::ErrorCode;
use crate::name::Principal;
use crate::time::Timestamp;
use crate::wire::HostAddress;

/// Why the KRB-PRIV of a request whose AP-REQ was accepted is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// A request of version `0xff80` whose authenticator has no subkey.
    NoSubkey,
    /// Neither a subkey nor a sequence number ties the KRB-PRIV to the AP-REQ, so that it may be from another request.
    NotBound,
    /// The KRB-PRIV is not under the key of this AP-REQ, altered, or has another number.
    Message(MessageError),
    /// What was encrypted is no password change.
    Data(NewPasswordError),
}

impl RequestError {
    /// What the client is told.
    #[must_use]
    pub const fn result_code(&self) -> ResultCode {
        match self {
            Self::NoSubkey | Self::NotBound | Self::Data(_) => ResultCode::MALFORMED,
            Self::Message(_) => ResultCode::AUTHERROR,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSubkey => f.write_str("a request of version 0xff80 needs a subkey in its authenticator"),
            Self::NotBound => f.write_str("the request has neither a subkey nor a sequence number"),
            Self::Message(why) => write!(f, "the request's KRB-PRIV: {why}"),
            Self::Data(why) => write!(f, "{why}"),
        }
    }
}

impl core::error::Error for RequestError {}

impl Request<'_> {
    /// The new password out of the KRB-PRIV, once the AP-REQ was accepted. The addresses inside are not looked at: clients
    /// sit behind address translation, and the numbers keep requests apart.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn open(&self, accepted: &Accepted) -> Result<NewPassword, RequestError> {
        if self.version == Version::Set && accepted.subkey().is_none() {
            return Err(RequestError::NoSubkey);
        }
        if accepted.subkey().is_none() && accepted.seq_number().is_none() {
            return Err(RequestError::NotBound);
        }
        let opened = krb_priv::read(session_key(accepted), self.krb_priv).map_err(RequestError::Message)?;
        let (expected, found) = (
            accepted.seq_number().unwrap_or(0),
            opened.header.seq_number.unwrap_or(0),
        );
        if expected != found {
            let error = SequenceError::OutOfOrder { expected, found };
            return Err(RequestError::Message(MessageError::Sequence(error)));
        }
        NewPassword::decode(self.version, &opened.data).map_err(RequestError::Data)
    }
}

/// The reply to a client that proved itself, encoded: the outcome under the client's subkey, or else the session key. `own`
/// is the address that the request was sent to; some clients compare it.
///
/// # Errors
/// [`FramingError::TooLong`], for an outcome with a text of tens of thousands of octets.
pub fn reply(
    to: Version,
    accepted: &Accepted,
    outcome: &Outcome,
    own: HostAddress,
    random: &mut dyn Random,
) -> Result<Vec<u8>, FramingError> {
    let first = first_seq_number(random);
    let (ap_rep, _) = accepted.reply(&Answer::plain().with_seq_number(first), random);
    let header = Header {
        timestamp: None,
        seq_number: Some(first),
        sender: own,
        receiver: None,
    };
    let krb_priv = krb_priv::make(session_key(accepted), &header, &outcome.encode(), random);
    Reply::Sealed {
        ap_rep: &ap_rep,
        krb_priv: &krb_priv,
    }
    .encode(to)
}

/// The reply to a client that did not prove itself, encoded: a KRB-ERROR from `service` with the outcome as its e-data.
///
/// # Errors
/// [`FramingError::TooLong`], for an outcome with a text of tens of thousands of octets.
pub fn error_reply(
    to: Version,
    code: ErrorCode,
    outcome: &Outcome,
    service: &Principal,
    now: Timestamp,
) -> Result<Vec<u8>, FramingError> {
    Reply::Error(&krb_error(code, service, now, Some(&outcome.encode()))).encode(to)
}

// A subkey that the service chose in the AP-REP plays no part here: RFC 3244 §2 says the authenticator's.
fn session_key(accepted: &Accepted) -> &Key {
    accepted.subkey().unwrap_or_else(|| accepted.session_key())
}
