use core::fmt;

use crate::ap::SequenceError;
use crate::time::KerberosTime;

/// Why a message is not protected, or not believed.
///
/// The supplementary statuses of RFC 2743 §1.2.3 are errors here, so that whoever does not look is safe. None of them
/// changes the context: the right message can still come.
///
/// | status | where it is |
/// |---|---|
/// | `GSS_S_GAP_TOKEN` | [`SequenceError::OutOfOrder`], `found` above `expected`: messages before this one are missing |
/// | `GSS_S_UNSEQ_TOKEN`, `GSS_S_DUPLICATE_TOKEN` with [`super::ContextFlags::SEQUENCE`] | [`SequenceError::OutOfOrder`], `found` below `expected`: as nothing was taken out of its turn, it came before |
/// | `GSS_S_DUPLICATE_TOKEN` | [`SequenceError::Repeated`] |
/// | `GSS_S_OLD_TOKEN` | [`SequenceError::TooOld`] |
///
/// Where messages may be lost or overtake one another, the initiator leaves [`super::ContextFlags::SEQUENCE`] out, and where
/// they may come twice, [`super::ContextFlags::REPLAY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContextError {
    /// The ticket, and with it the context, has ended.
    Expired {
        /// The ticket's end.
        endtime: KerberosTime,
        /// The time here.
        now: KerberosTime,
    },
    /// No token of messages: cut short, or of another kind than the one that is read.
    Malformed,
    /// A token of RFC 1964, which has enctypes that are not used here.
    OldFormat,
    /// One of this end's own tokens, turned back.
    Direction,
    /// Under another key than the one that was agreed on: the acceptor's subkey where there is none, or another where there
    /// is one.
    OtherKey,
    /// The MAC does not fit: altered, or under another key.
    Integrity,
    /// The message came before, or not in its turn.
    Sequence(SequenceError<u64>),
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { endtime, now } => write!(f, "the context ended at {endtime}, now it is {now}"),
            Self::Malformed => f.write_str("the token is cut short, or of another kind"),
            Self::OldFormat => f.write_str("the token is of RFC 1964, whose enctypes are not used here"),
            Self::Direction => f.write_str("the token goes the wrong way: one of our own, turned back"),
            Self::OtherKey => f.write_str("the token is under another key than the one that was agreed on"),
            Self::Integrity => f.write_str("the token was altered, or is under another key"),
            Self::Sequence(why) => write!(f, "{why}"),
        }
    }
}

impl core::error::Error for ContextError {}
