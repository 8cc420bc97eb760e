use core::fmt;

use crate::crypto::{CryptoError, Key, KeyUsage};
use crate::error_code::ErrorCode;
use crate::name::NameError;
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{Checksum, DecodeError, HostAddress};

use super::sequence::SequenceError;

/// Why a KRB-SAFE, KRB-PRIV, KRB-CRED or checksum is refused. For the log; [`MessageError::code`] is for the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// Another message than the one that is read.
    Type,
    /// No DER, or of another type.
    Malformed(DecodeError),
    /// Of another protocol version than 5.
    Version(i32),
    /// No checksum where one is needed.
    NoChecksum,
    /// A checksum that is not the keyed one of the key in use: unkeyed, weak, or of another enctype.
    ChecksumType(i32),
    /// The checksum does not fit: altered, or under another key.
    Modified,
    /// Encrypted under another enctype than that of the key in use.
    EncType(i32),
    /// The MAC does not fit: altered, or under another key.
    Integrity,
    /// Not encrypted at all, where it must be.
    Cleartext,
    /// Sent from this side, or by nobody who knows which side is which: a message turned back.
    Direction,
    /// Another sender's address than the peer's, or another receiver's than ours.
    Address(HostAddress),
    /// No timestamp, where one is needed.
    NoTimestamp,
    /// The timestamp is too far from now.
    Skew {
        /// The message's time.
        sent: Timestamp,
        /// The time here.
        now: KerberosTime,
    },
    /// The sequence number is not the one, or not one of those, that may come.
    Sequence(SequenceError),
    /// This very message was read before.
    Replay,
    /// The replay cache has no room left.
    ReplayCacheFull,
    /// The replay cache cannot be used.
    ReplayCacheUnavailable,
    /// A KRB-CRED with more or fewer descriptions than tickets, or with one that lacks names.
    Description,
    /// A name that is none.
    Name(NameError),
    /// A key of an enctype that is not used here.
    KeyType(i32),
}

impl MessageError {
    /// What the peer may know.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Type => ErrorCode::KRB_AP_ERR_MSG_TYPE,
            Self::Malformed(_) | Self::Name(_) | Self::ReplayCacheFull | Self::ReplayCacheUnavailable => {
                ErrorCode::KRB_ERR_GENERIC
            }
            Self::Version(_) => ErrorCode::KRB_AP_ERR_BADVERSION,
            Self::NoChecksum | Self::ChecksumType(_) => ErrorCode::KRB_AP_ERR_INAPP_CKSUM,
            Self::Modified | Self::Cleartext | Self::Description => ErrorCode::KRB_AP_ERR_MODIFIED,
            Self::EncType(_) | Self::Integrity => ErrorCode::KRB_AP_ERR_BAD_INTEGRITY,
            Self::Direction => ErrorCode::KRB_AP_ERR_BADDIRECTION,
            Self::Address(_) => ErrorCode::KRB_AP_ERR_BADADDR,
            Self::NoTimestamp | Self::Skew { .. } => ErrorCode::KRB_AP_ERR_SKEW,
            Self::Sequence(_) => ErrorCode::KRB_AP_ERR_BADORDER,
            Self::Replay => ErrorCode::KRB_AP_ERR_REPEAT,
            Self::KeyType(_) => ErrorCode::KDC_ERR_ETYPE_NOSUPP,
        }
    }
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type => f.write_str("the peer sent another type of message"),
            Self::Malformed(why) => write!(f, "the peer's message is malformed: {why}"),
            Self::Version(found) => write!(f, "the peer's message is of version {found}, not 5"),
            Self::NoChecksum => f.write_str("the peer sent no checksum"),
            Self::ChecksumType(found) => {
                write!(f, "checksum type {found} is not the keyed checksum of the key in use")
            }
            Self::Modified => f.write_str("the checksum does not fit: altered on the way, or under another key"),
            Self::EncType(found) => write!(f, "the message is under enctype {found}, not that of the key in use"),
            Self::Integrity => f.write_str("the message cannot be decrypted: altered on the way, or under another key"),
            Self::Cleartext => f.write_str("the message is not encrypted"),
            Self::Direction => f.write_str("the message goes the wrong way: one of our own, turned back"),
            Self::Address(found) => match found.to_ip() {
                Some(ip) => write!(
                    f,
                    "the message names the address {ip}, which is not the one of this connection"
                ),
                None => write!(
                    f,
                    "the message names an address of type {}, not expected here",
                    found.addr_type
                ),
            },
            Self::NoTimestamp => f.write_str("the message has no timestamp"),
            Self::Skew { sent, now } => write!(f, "the message was sent at {}, now it is {now}", sent.time),
            Self::Sequence(why) => write!(f, "{why}"),
            Self::Replay => f.write_str("a copy of an earlier message"),
            Self::ReplayCacheFull => f.write_str("the replay cache is full; refusing everything until entries expire"),
            Self::ReplayCacheUnavailable => f.write_str("the replay cache cannot be used; refusing everything"),
            Self::Description => f.write_str("the tickets and their descriptions do not match"),
            Self::Name(why) => write!(f, "a ticket's description has a bad name: {why}"),
            Self::KeyType(etype) => write!(
                f,
                "a ticket's session key is of enctype {etype}, which is not used here"
            ),
        }
    }
}

impl core::error::Error for MessageError {}

/// Verifies a keyed checksum: `key`'s own type and no other.
pub(super) fn verify(key: &Key, usage: KeyUsage, data: &[u8], checksum: &Checksum) -> Result<(), MessageError> {
    key.verify_checksum(usage, checksum.cksumtype, data, &checksum.checksum)
        .map_err(|error| match error {
            CryptoError::UnsupportedChecksum(found) => MessageError::ChecksumType(found),
            _ => MessageError::Modified,
        })
}
