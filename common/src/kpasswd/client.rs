use core::fmt;

use super::framing::{FramingError, Reply, Request};
use super::new_password::NewPassword;
use super::outcome::{Outcome, ResultCode};
use crate::Random;
use crate::ap::{Header, Initiated, Initiator, MessageError, ReplyError, SequenceError, krb_priv};
use crate::credential::Credential;
use crate::crypto::Key;
use crate::error_code::ErrorCode;
use crate::time::Timestamp;
use crate::wire::{self, DecodeError, HostAddress, KerberosString, KrbError};

/// A password change that was asked for, and what it takes to know the answer.
#[derive(Debug)]
pub struct PasswordChange {
    request: Initiated,
}

/// Why a reply to a password change tells nothing, or nothing good.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// The reply is no reply.
    Framing(FramingError),
    /// A KRB-ERROR: from a server that could not prove itself, since it could not make out the client, or from anybody.
    Refused {
        /// The error's code.
        code: ErrorCode,
        /// What it says about the password change, if anything.
        outcome: Option<Outcome>,
        /// Its text for people.
        text: Option<String>,
    },
    /// A KRB-ERROR that is none, or one that says that the password was changed, which only a server that proves itself may.
    BadError(Option<DecodeError>),
    /// The AP-REP does not prove the server.
    Reply(ReplyError),
    /// The KRB-PRIV is not the server's answer.
    Message(MessageError),
    /// The outcome in it is shorter than its code, or has a code that nobody knows.
    Outcome,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Framing(why) => write!(f, "{why}"),
            Self::Refused {
                outcome: Some(outcome), ..
            } => write!(f, "{outcome}"),
            Self::Refused {
                code, text: Some(text), ..
            } => write!(f, "{code}: {}", text.escape_debug()),
            Self::Refused { code, .. } => write!(f, "{code}"),
            Self::BadError(Some(why)) => write!(f, "the server's KRB-ERROR is malformed: {why}"),
            Self::BadError(None) => f.write_str("an error that calls itself a success"),
            Self::Reply(why) => write!(f, "{why}"),
            Self::Message(why) => write!(f, "the reply's KRB-PRIV: {why}"),
            Self::Outcome => f.write_str("the server's result is malformed"),
        }
    }
}

impl core::error::Error for ChangeError {}

impl PasswordChange {
    /// Asks for a new password: `ticket` is for `kadmin/changepw`, and an initial one when it is the client's own password.
    /// `own` is the sender's address, which servers are known not to look at. Gives the message to send, too.
    ///
    /// # Errors
    /// [`FramingError::TooLong`], for a password or a ticket of tens of thousands of octets.
    pub fn begin(
        ticket: &Credential,
        new: &NewPassword,
        own: HostAddress,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Result<(Self, Vec<u8>), FramingError> {
        let request = Initiator::new(ticket)
            .mutual()
            .with_fresh_session(random)
            .request(now, random);
        let change = Self { request };
        let (version, data) = new.encode();
        let header = Header {
            timestamp: None,
            seq_number: change.request.seq_number(),
            sender: own,
            receiver: None,
        };
        let krb_priv = krb_priv::make(change.key(), &header, &data, random);
        let ap_req = change.request.octets();
        let message = Request {
            version,
            ap_req,
            krb_priv: &krb_priv,
        }
        .encode()?;
        Ok((change, message))
    }

    /// Reads the reply. Whatever comes out of it, the server said: both its AP-REP and its KRB-PRIV were right.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn read_reply(&self, octets: &[u8]) -> Result<Outcome, ChangeError> {
        let (ap_rep, krb_priv) = match Reply::decode(octets).map_err(ChangeError::Framing)? {
            Reply::Sealed { ap_rep, krb_priv } => (ap_rep, krb_priv),
            Reply::Error(krb_error) => return Err(refusal(krb_error)),
        };
        let agreed = self.request.verify_reply(ap_rep).map_err(ChangeError::Reply)?;
        let opened = krb_priv::read(self.key(), krb_priv).map_err(ChangeError::Message)?;
        let (expected, found) = (agreed.receive_seq(), opened.header.seq_number.unwrap_or(0));
        if expected != found {
            let error = SequenceError::OutOfOrder { expected, found };
            return Err(ChangeError::Message(MessageError::Sequence(error)));
        }
        Outcome::decode(&opened.data).ok_or(ChangeError::Outcome)
    }

    // The client's own, whatever key the server's AP-REP has (RFC 3244 §2).
    fn key(&self) -> &Key {
        self.request.subkey().unwrap_or_else(|| self.request.session_key())
    }
}

fn refusal(krb_error: &[u8]) -> ChangeError {
    let error: KrbError = match wire::decode(krb_error) {
        Ok(error) => error,
        Err(why) => return ChangeError::BadError(Some(why)),
    };
    let outcome = error.e_data.as_ref().and_then(|data| Outcome::decode(data));
    if outcome
        .as_ref()
        .is_some_and(|outcome| outcome.code == ResultCode::SUCCESS)
    {
        return ChangeError::BadError(None);
    }
    ChangeError::Refused {
        code: ErrorCode(error.error_code),
        outcome,
        text: error.e_text.as_ref().and_then(KerberosString::as_str).map(Into::into),
    }
}
