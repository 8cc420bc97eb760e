//! The messages of RFC 4120 as they stand on a wire, one file per message or family.
//!
//! These types are unchecked: a name may have no component, a time may lie in the year 0, an enctype may be anybody's.
//! They become checked domain types ([`crate::name::Name`], [`crate::crypto::EncType`] …) at one border and never turn
//! back. What a checksum covers, or what only passes through, is kept as it was received ([`rasn::types::Any`]): the
//! decoder takes some encodings that are not DER, so encoding again may give other octets.
//!
//! The types are this crate's own and not `rasn-kerberos`': that crate's times keep fractions of seconds, its flags encode
//! with too few bits, its kvno is unsigned, and it lacks several messages.

mod ap;
mod authorization_data;
mod cammac;
mod change_passwd_data;
mod cred;
mod der;
mod encrypted_data;
mod fast;
mod host_address;
mod kdc_rep;
mod kdc_req;
mod krb_error;
mod otp;
mod padata;
mod primitive;
mod principal_name;
mod s4u;
mod safe_priv;
mod spake;
mod ticket;
mod typed_data;

#[cfg(test)]
mod tests;

pub use ap::{ApRep, ApReq, Authenticator, EncApRepPart};
pub use authorization_data::{AdAndOr, AdKdcIssued, AuthorizationData, AuthorizationDataElement, ad_type};
pub use cammac::{Cammac, VerifierMac};
pub use change_passwd_data::ChangePasswdData;
pub use cred::{EncKrbCredPart, KrbCred, KrbCredInfo};
pub use encrypted_data::{Checksum, EncryptedData, EncryptionKey, Kvno};
pub use fast::{
    KrbFastArmor, KrbFastArmoredRep, KrbFastArmoredReq, KrbFastFinished, KrbFastReq, KrbFastResponse, PaFxFastReply,
    PaFxFastRequest, armor_type,
};
pub use host_address::{HostAddress, addr_type};
pub use kdc_rep::{
    AsRep, EncAsRepPart, EncKdcRepPart, EncTgsRepPart, KdcRep, LastReqEntry, TgsRep, decode_enc_kdc_rep_part,
};
pub use kdc_req::{AsReq, KdcReq, KdcReqBody, TgsReq};
pub use krb_error::KrbError;
pub use otp::{AlgorithmIdentifier, OtpTokenInfo, PaOtpChallenge, PaOtpEncRequest, PaOtpRequest};
pub use padata::{EtypeInfo2Entry, MethodData, PaData, PaEncTsEnc, pa_type};
pub use primitive::{KerberosString, Microseconds, Octets, UInt32};
pub use principal_name::PrincipalName;
pub use rasn::types::Any;
pub use s4u::{PaForUser, PaS4uX509User, S4uUserId};
pub use safe_priv::{EncKrbPrivPart, KrbPriv, KrbSafe, KrbSafeBody};
pub use spake::{PaSpake, SpakeChallenge, SpakeResponse, SpakeSecondFactor, SpakeSupport};
pub use ticket::{EncTicketPart, Ticket, TransitedEncoding};
pub use typed_data::{TypedData, TypedDataElement};

use core::fmt;

/// The protocol version in every message (RFC 4120 §5.2): 5.
pub const PVNO: i32 = 5;

/// Message types (RFC 4120 §7.5.7).
pub mod msg_type {
    /// AS-REQ.
    pub const AS_REQ: i32 = 10;
    /// AS-REP.
    pub const AS_REP: i32 = 11;
    /// TGS-REQ.
    pub const TGS_REQ: i32 = 12;
    /// TGS-REP.
    pub const TGS_REP: i32 = 13;
    /// AP-REQ.
    pub const AP_REQ: i32 = 14;
    /// AP-REP.
    pub const AP_REP: i32 = 15;
    /// KRB-SAFE.
    pub const SAFE: i32 = 20;
    /// KRB-PRIV.
    pub const PRIV: i32 = 21;
    /// KRB-CRED.
    pub const CRED: i32 = 22;
    /// KRB-ERROR.
    pub const ERROR: i32 = 30;
}

/// The largest message that is decoded, in octets; also the largest taken over TCP.
pub const MAX_MESSAGE: usize = 256 * 1024;
/// How deep constructed values may nest.
pub const MAX_DEPTH: usize = 32;
/// How many values a message may hold, counted at every depth.
pub const MAX_VALUES: usize = 4096;

/// Why octets are not the message that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// More than [`MAX_MESSAGE`] octets.
    TooLarge,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More than [`MAX_VALUES`] values.
    TooMany,
    /// Cut short, of an indefinite length, or with octets behind the end.
    Framing,
    /// Well-framed, but not of this type. The text names the first difference and holds no octet of the message.
    Type(String),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "larger than {MAX_MESSAGE} octets"),
            Self::TooDeep => write!(f, "nested deeper than {MAX_DEPTH} levels"),
            Self::TooMany => write!(f, "more than {MAX_VALUES} values"),
            Self::Framing => f.write_str("cut short or not DER"),
            Self::Type(what) => write!(f, "not the expected type: {what}"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Decodes exactly one value from `octets`, within [`MAX_MESSAGE`], [`MAX_DEPTH`] and [`MAX_VALUES`]. What the value holds
/// undecoded ([`Any`], octet strings) is looked at when it is decoded itself.
///
/// # Errors
/// [`DecodeError`] says what is wrong; nothing of the message is in it.
pub fn decode<T: Message>(octets: &[u8]) -> Result<T, DecodeError> {
    if let Some(value) = T::read(octets) {
        return Ok(value);
    }
    check_limits(octets, Tagging::Explicit)?;
    rasn::der::decode(octets).map_err(|e| DecodeError::Type(e.kind.to_string()))
}

/// As [`decode`], for the families whose module has implicit tags: OTP (RFC 6560).
///
/// # Errors
/// As [`decode`].
pub fn decode_implicit<T: rasn::Decode>(octets: &[u8]) -> Result<T, DecodeError> {
    check_limits(octets, Tagging::Implicit)?;
    rasn::der::decode(octets).map_err(|e| DecodeError::Type(e.kind.to_string()))
}

/// Encodes a value as DER.
///
/// Every type of this module has an encoding for every value that it can hold, so this does not fail; should the codec
/// refuse one all the same, the result is empty, which no peer takes for a message.
pub fn encode<T: Message>(value: &T) -> Vec<u8> {
    value
        .write()
        .unwrap_or_else(|| rasn::der::encode(value).unwrap_or_default())
}

/// What can be decoded and encoded: the types of this module, and lists of some of them.
pub trait Message: rasn::Decode + rasn::Encode {
    /// Reads octets that are simple enough to need no limits. `None`: the codec shall read them, or say what is wrong.
    #[doc(hidden)]
    #[must_use]
    fn read(_octets: &[u8]) -> Option<Self> {
        None
    }

    /// Writes the value as the codec does. `None`: the codec shall.
    #[doc(hidden)]
    #[must_use]
    fn write(&self) -> Option<Vec<u8>> {
        None
    }
}

impl<T: der::Der + rasn::Decode + rasn::Encode> Message for T {
    fn read(octets: &[u8]) -> Option<Self> {
        der::read(octets)
    }

    fn write(&self) -> Option<Vec<u8>> {
        der::write(self)
    }
}

macro_rules! by_the_codec {
    ($($type:ty),+ $(,)?) => {
        $(impl Message for $type {})+
    };
}

by_the_codec!(
    AdAndOr,
    AdKdcIssued,
    AlgorithmIdentifier,
    ApRep,
    ChangePasswdData,
    EncApRepPart,
    EncKrbCredPart,
    EncKrbPrivPart,
    KrbCred,
    KrbCredInfo,
    KrbPriv,
    KrbSafe,
    KrbSafeBody,
    OtpTokenInfo,
    PaForUser,
    PaOtpChallenge,
    PaOtpEncRequest,
    PaOtpRequest,
    PaS4uX509User,
    PaSpake,
    S4uUserId,
    SpakeChallenge,
    SpakeResponse,
    SpakeSecondFactor,
    SpakeSupport,
    TypedDataElement,
    TypedData,
    crate::flags::OtpFlags,
    crate::flags::S4uOptions,
);

/// Whether a context's tag stands around a value with a tag of its own, or in that tag's place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tagging {
    /// Around: always constructed. The codec does not insist, and would take values that were not counted.
    Explicit,
    /// In place.
    Implicit,
}

// Walks the tags and lengths alone, before anything is allocated for them.
fn check_limits(octets: &[u8], tagging: Tagging) -> Result<(), DecodeError> {
    if octets.len() > MAX_MESSAGE {
        return Err(DecodeError::TooLarge);
    }
    // Where each value ends that is around the one at `at`; the innermost stands in `end_of_innermost`.
    let mut around = [0; MAX_DEPTH];
    let mut depth = 0;
    let mut end_of_innermost = octets.len();
    let mut at = 0;
    let mut values = 0;
    while at < octets.len() {
        while at >= end_of_innermost {
            depth -= 1;
            end_of_innermost = around.get(depth).copied().unwrap_or(octets.len());
        }
        values += 1;
        if values > MAX_VALUES {
            return Err(DecodeError::TooMany);
        }
        let (tag, content, end) = header(octets, at).ok_or(DecodeError::Framing)?;
        let constructed = tag & 0x20 != 0;
        if tag & 0xc0 != 0 && !constructed && tagging == Tagging::Explicit {
            return Err(DecodeError::Framing);
        }
        if end > end_of_innermost {
            return Err(DecodeError::Framing);
        }
        if constructed {
            *around.get_mut(depth).ok_or(DecodeError::TooDeep)? = end_of_innermost;
            depth += 1;
            end_of_innermost = end;
            at = content;
        } else {
            at = end;
        }
    }
    if at == octets.len() && !octets.is_empty() {
        Ok(())
    } else {
        Err(DecodeError::Framing)
    }
}

// The first octet of the value at `at`, where its content begins and where it ends.
#[inline]
fn header(octets: &[u8], at: usize) -> Option<(u8, usize, usize)> {
    // Nearly all are of two octets.
    if let Some(&[tag, length @ 0..0x80]) = octets.get(at..at + 2)
        && tag & 0x1f != 0x1f
    {
        let content = at + 2;
        let end = content + usize::from(length);
        return (end <= octets.len()).then_some((tag, content, end));
    }
    long_header(octets, at)
}

#[inline(never)]
fn long_header(octets: &[u8], at: usize) -> Option<(u8, usize, usize)> {
    let tag = *octets.get(at)?;
    let mut next = at + 1;
    if tag & 0x1f == 0x1f {
        // A tag number over 30 goes on in octets with the top bit set; Kerberos has none, but they are framed all the same.
        while octets.get(next)? & 0x80 != 0 {
            next += 1;
        }
        next += 1;
    }
    let first = *octets.get(next)?;
    next += 1;
    let length = if first < 0x80 {
        usize::from(first)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let digits = octets.get(next..next + count)?;
        next += count;
        digits.iter().fold(0usize, |n, d| n << 8 | usize::from(*d))
    };
    let end = next.checked_add(length).filter(|end| *end <= octets.len())?;
    Some((tag, next, end))
}
