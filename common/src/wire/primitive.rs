use core::fmt;

use rasn::de::Error as _;
use rasn::types::{Constraints, Identifier, Tag};
use rasn::{AsnType, Codec, Decode, Decoder, Encode, Encoder};
use smallvec::SmallVec;

use crate::flags::{ApOptions, FastOptions, KdcOptions, OtpFlags, S4uOptions, TicketFlags};
use crate::time::KerberosTime;

/// `KerberosString ::= GeneralString (IA5String)` (RFC 4120 §5.2.1): in practice UTF-8, and from a hostile peer any octets.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KerberosString(SmallVec<[u8; SHORT]>);

/// The most that is read as [`Microseconds`].
pub(super) const MOST_MICROSECONDS: u32 = 1_000_000;

/// Most realms, and most components of names, are no longer; those cost no allocation.
const SHORT: usize = 24;

/// `OCTET STRING`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Octets(pub Vec<u8>);

/// `UInt32 ::= INTEGER (0..4294967295)`. Negative numbers of up to 32 bits are taken for the same bits: some peers write
/// nonces and key versions signed. Encodes unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UInt32(pub u32);

/// `Microseconds ::= INTEGER (0..999999)`. 1000000 is taken, too: MIT's library, when it corrects its clock, carries only what
/// is more than that into the seconds, and a login in a million would fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Microseconds(pub u32);

impl KerberosString {
    /// Whatever octets these are.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, when it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }
}

impl Clone for KerberosString {
    fn clone(&self) -> Self {
        // Octets are copied as a whole; elements would be one by one.
        Self(SmallVec::from_slice(&self.0))
    }
}

impl From<&str> for KerberosString {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<&[u8]> for KerberosString {
    fn from(octets: &[u8]) -> Self {
        Self(SmallVec::from_slice(octets))
    }
}

impl fmt::Debug for KerberosString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.0.len())
    }
}

impl From<Vec<u8>> for Octets {
    fn from(octets: Vec<u8>) -> Self {
        Self(octets)
    }
}

impl From<&[u8]> for Octets {
    fn from(octets: &[u8]) -> Self {
        Self(octets.to_vec())
    }
}

impl core::ops::Deref for Octets {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

// All of these are octets under a tag of their own: the codec's octet strings carry them, without its own idea of times,
// bit strings and character sets.
macro_rules! octets_under_a_tag {
    ($type:ty, $tag:expr, |$octets:ident| $read:expr, |$value:ident| $write:expr) => {
        impl AsnType for $type {
            const TAG: Tag = $tag;
        }

        impl Decode for $type {
            fn decode_with_tag_and_constraints<D: Decoder>(
                d: &mut D,
                tag: Tag,
                c: &Constraints,
            ) -> Result<Self, D::Error> {
                let $octets: Vec<u8> = d.decode_octet_string(tag, c)?;
                $read.ok_or_else(|| D::Error::custom(concat!("not a ", stringify!($type)), Codec::Der))
            }
        }

        impl Encode for $type {
            fn encode_with_tag_and_constraints<'b, E: Encoder<'b>>(
                &self,
                e: &mut E,
                tag: Tag,
                c: &Constraints,
                id: Identifier,
            ) -> Result<(), E::Error> {
                let $value = self;
                e.encode_octet_string(tag, c, $write, id).map(drop)
            }
        }
    };
}

octets_under_a_tag!(
    KerberosString,
    Tag::GENERAL_STRING,
    |octets| Some(Self(SmallVec::from_vec(octets))),
    |value| &value.0
);
octets_under_a_tag!(Octets, Tag::OCTET_STRING, |octets| Some(Self(octets)), |value| &value.0);
octets_under_a_tag!(
    KerberosTime,
    Tag::GENERALIZED_TIME,
    |octets| Self::from_wire(&octets),
    |value| &value.to_wire()
);
octets_under_a_tag!(
    KdcOptions,
    Tag::BIT_STRING,
    |octets| flag_bits(&octets).map(Self),
    |value| &flag_octets(value.0)
);
octets_under_a_tag!(
    TicketFlags,
    Tag::BIT_STRING,
    |octets| flag_bits(&octets).map(Self),
    |value| &flag_octets(value.0)
);
octets_under_a_tag!(
    ApOptions,
    Tag::BIT_STRING,
    |octets| flag_bits(&octets).map(Self),
    |value| &flag_octets(value.0)
);
octets_under_a_tag!(
    FastOptions,
    Tag::BIT_STRING,
    |octets| flag_bits(&octets).map(Self),
    |value| &flag_octets(value.0)
);
octets_under_a_tag!(
    OtpFlags,
    Tag::BIT_STRING,
    |octets| flag_bits(&octets).map(Self),
    |value| &flag_octets(value.0)
);
octets_under_a_tag!(
    S4uOptions,
    Tag::BIT_STRING,
    |octets| flag_bits(&octets).map(Self),
    |value| &flag_octets(value.0)
);

// KerberosFlags ::= BIT STRING (SIZE (32..MAX)), RFC 4120 §5.2.8. Shorter ones are filled with zeros, as the RFC asks of
// receivers; bits past the 32nd mean nothing.
pub(super) fn flag_bits(octets: &[u8]) -> Option<u32> {
    let (unused, bits) = octets.split_first()?;
    if *unused > 7 || (bits.is_empty() && *unused != 0) {
        return None;
    }
    let mut out = [0; 4];
    for (to, from) in out.iter_mut().zip(bits) {
        *to = *from;
    }
    let mut value = u32::from_be_bytes(out);
    if (1..=4).contains(&bits.len()) {
        let kept = bits.len() * 8 - usize::from(*unused);
        value &= u32::MAX.checked_shl(u32::try_from(32 - kept).ok()?).unwrap_or(0);
    }
    Some(value)
}

pub(super) fn flag_octets(bits: u32) -> [u8; 5] {
    let [a, b, c, d] = bits.to_be_bytes();
    [0, a, b, c, d]
}

macro_rules! integer {
    ($type:ty, |$n:ident| $read:expr, |$value:ident| $write:expr) => {
        impl AsnType for $type {
            const TAG: Tag = Tag::INTEGER;
        }

        impl Decode for $type {
            fn decode_with_tag_and_constraints<D: Decoder>(
                d: &mut D,
                tag: Tag,
                c: &Constraints,
            ) -> Result<Self, D::Error> {
                let $n: i64 = d.decode_integer(tag, c)?;
                $read.ok_or_else(|| D::Error::custom(concat!("not a ", stringify!($type)), Codec::Der))
            }
        }

        impl Encode for $type {
            fn encode_with_tag_and_constraints<'b, E: Encoder<'b>>(
                &self,
                e: &mut E,
                tag: Tag,
                c: &Constraints,
                id: Identifier,
            ) -> Result<(), E::Error> {
                let $value = self;
                e.encode_integer(tag, c, &$write, id).map(drop)
            }
        }
    };
}

integer!(UInt32, |n| bits_of(n).map(Self), |value| value.0);
integer!(
    Microseconds,
    |n| u32::try_from(n).ok().filter(|n| *n <= MOST_MICROSECONDS).map(Self),
    |value| value.0
);
integer!(super::encrypted_data::Kvno, |n| bits_of(n).map(Self), |value| value
    .0
    .cast_signed());

pub(super) fn bits_of(n: i64) -> Option<u32> {
    match u32::try_from(n) {
        Ok(n) => Some(n),
        Err(_) => i32::try_from(n).ok().map(i32::cast_unsigned),
    }
}
