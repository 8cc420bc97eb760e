use core::fmt;

use zeroize::Zeroizing;

use crate::crypto::{EncType, Key};

/// A key as a keytab or a credential cache holds it: one that can be used, or one of a foreign enctype that is only kept, so
/// that listing and rewriting a file loses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredKey {
    /// Of an enctype of this crate.
    Known(Key),
    /// Of another enctype, or of none (the entries of a credential cache that are not credentials).
    Other(OtherKey),
}

/// The number of an enctype that this crate does not use, and octets. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct OtherKey {
    etype: i16,
    octets: Zeroizing<Vec<u8>>,
}

impl StoredKey {
    /// No key: enctype 0 and no octets.
    #[must_use]
    pub fn none() -> Self {
        Self::Other(OtherKey {
            etype: 0,
            octets: Zeroizing::default(),
        })
    }

    /// From a file's number and octets. `None` when the enctype is known and the octets are not as many as its keys have.
    pub(crate) fn from_file(etype: i16, octets: &[u8]) -> Option<Self> {
        match EncType::from_number(i32::from(etype)) {
            Some(known) => Key::new(known, octets).ok().map(Self::Known),
            None => Some(Self::Other(OtherKey {
                etype,
                octets: Zeroizing::new(octets.to_vec()),
            })),
        }
    }

    /// The key, if its enctype is one of this crate's.
    #[must_use]
    pub const fn known(&self) -> Option<&Key> {
        match self {
            Self::Known(key) => Some(key),
            Self::Other(_) => None,
        }
    }

    /// The enctype's number.
    #[must_use]
    pub fn etype_number(&self) -> i32 {
        match self {
            Self::Known(key) => key.etype().number(),
            Self::Other(other) => i32::from(other.etype),
        }
    }

    /// The key's octets. Not for printing.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        match self {
            Self::Known(key) => key.octets(),
            Self::Other(other) => &other.octets,
        }
    }

    // Sixteen bits, as both files have it.
    pub(crate) fn etype_in_file(&self) -> [u8; 2] {
        match self {
            Self::Known(key) => i16::try_from(key.etype().number()).unwrap_or_default().to_be_bytes(),
            Self::Other(other) => other.etype.to_be_bytes(),
        }
    }
}

impl From<Key> for StoredKey {
    fn from(key: Key) -> Self {
        Self::Known(key)
    }
}

impl fmt::Debug for OtherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OtherKey({}, [redacted])", self.etype)
    }
}
