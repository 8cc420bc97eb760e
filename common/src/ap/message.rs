use core::time::Duration;

use zeroize::Zeroizing;

use super::message_error::MessageError;
use super::replay::{ReplayCache, ReplayError, ReplayTag};
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{self, HostAddress, Microseconds, UInt32};

/// What a KRB-SAFE and a KRB-PRIV say about themselves, under the same protection as the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// When it was sent.
    pub timestamp: Option<Timestamp>,
    /// Its number.
    pub seq_number: Option<u32>,
    /// Who sent it.
    pub sender: HostAddress,
    /// To whom.
    pub receiver: Option<HostAddress>,
}

/// A KRB-SAFE or KRB-PRIV whose checksum or MAC is right. Whether it is fresh, in order and from the right side is for
/// [`super::Channel`], or whoever reads it without one.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What it says about itself.
    pub header: Header,
    /// The application's data. Wiped when dropped.
    pub data: Zeroizing<Vec<u8>>,
    /// What a replay cache knows the message by.
    pub tag: ReplayTag,
}

// The fields as they stand in both messages.
pub(super) struct WireHeader {
    pub(super) timestamp: Option<KerberosTime>,
    pub(super) usec: Option<Microseconds>,
    pub(super) seq_number: Option<UInt32>,
}

impl Header {
    pub(super) fn wire(&self) -> WireHeader {
        WireHeader {
            timestamp: self.timestamp.map(|t| t.time),
            usec: self.timestamp.map(|t| Microseconds(t.usec.min(999_999))),
            seq_number: self.seq_number.map(UInt32),
        }
    }

    pub(super) fn from_wire(wire: &WireHeader, sender: HostAddress, receiver: Option<HostAddress>) -> Self {
        Self {
            timestamp: timestamp(wire.timestamp, wire.usec),
            seq_number: wire.seq_number.map(|n| n.0),
            sender,
            receiver,
        }
    }
}

pub(super) fn timestamp(time: Option<KerberosTime>, usec: Option<Microseconds>) -> Option<Timestamp> {
    time.map(|time| Timestamp {
        time,
        usec: usec.map_or(0, |usec| usec.0),
    })
}

pub(super) const fn check_type(pvno: i32, found: i32, expected: i32) -> Result<(), MessageError> {
    if pvno != wire::PVNO {
        return Err(MessageError::Version(pvno));
    }
    if found == expected {
        Ok(())
    } else {
        Err(MessageError::Type)
    }
}

pub(super) fn check_fresh(
    timestamp: Option<Timestamp>,
    tag: ReplayTag,
    now: KerberosTime,
    skew: Duration,
    replays: &(impl ReplayCache + ?Sized),
) -> Result<(), MessageError> {
    let sent = timestamp.ok_or(MessageError::NoTimestamp)?;
    if !sent.time.within(now, skew) {
        return Err(MessageError::Skew { sent, now });
    }
    replays.claim(tag, now).map_err(|error| match error {
        ReplayError::Seen => MessageError::Replay,
        ReplayError::Full => MessageError::ReplayCacheFull,
        ReplayError::Unavailable => MessageError::ReplayCacheUnavailable,
    })
}
