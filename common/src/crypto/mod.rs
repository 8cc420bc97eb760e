//! The cryptography of RFC 3961, with the enctypes of RFC 3962 and RFC 8009.

mod aes_cts;
mod aes_sha1;
mod aes_sha2;
pub mod des3;
#[cfg(test)]
mod hex;
mod key;
pub mod md5;
mod nfold;
mod prf;
mod sealing;
mod string_to_key;

use core::fmt;

use cts::cipher::array::{Array, ArraySize};
use zeroize::Zeroize as _;

pub use key::Key;
pub use prf::{cf2, prf_plus};
pub use string_to_key::{MAX_ROUNDS, string_to_key};

/// An enctype that this realm uses. There is no DES, no 3DES and no RC4, and there will be none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum EncType {
    /// `aes128-cts-hmac-sha1-96` (RFC 3962).
    Aes128CtsHmacSha1_96 = 17,
    /// `aes256-cts-hmac-sha1-96` (RFC 3962).
    Aes256CtsHmacSha1_96 = 18,
    /// `aes128-cts-hmac-sha256-128` (RFC 8009).
    Aes128CtsHmacSha256_128 = 19,
    /// `aes256-cts-hmac-sha384-192` (RFC 8009).
    Aes256CtsHmacSha384_192 = 20,
}

impl EncType {
    /// Every enctype, best known first: the order in which keys are made and enctypes are asked for by default.
    pub const ALL: [Self; 4] = [
        Self::Aes256CtsHmacSha1_96,
        Self::Aes256CtsHmacSha384_192,
        Self::Aes128CtsHmacSha1_96,
        Self::Aes128CtsHmacSha256_128,
    ];

    /// From the number on the wire.
    #[must_use]
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            17 => Some(Self::Aes128CtsHmacSha1_96),
            18 => Some(Self::Aes256CtsHmacSha1_96),
            19 => Some(Self::Aes128CtsHmacSha256_128),
            20 => Some(Self::Aes256CtsHmacSha384_192),
            _ => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The name in the IANA registry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128CtsHmacSha1_96 => "aes128-cts-hmac-sha1-96",
            Self::Aes256CtsHmacSha1_96 => "aes256-cts-hmac-sha1-96",
            Self::Aes128CtsHmacSha256_128 => "aes128-cts-hmac-sha256-128",
            Self::Aes256CtsHmacSha384_192 => "aes256-cts-hmac-sha384-192",
        }
    }

    /// From the registry's name or one of MIT's short ones (`aes256-cts`, `aes256-sha1`, `aes256-sha2` …).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "aes128-cts-hmac-sha1-96" | "aes128-cts" | "aes128-sha1" => Self::Aes128CtsHmacSha1_96,
            "aes256-cts-hmac-sha1-96" | "aes256-cts" | "aes256-sha1" => Self::Aes256CtsHmacSha1_96,
            "aes128-cts-hmac-sha256-128" | "aes128-sha2" => Self::Aes128CtsHmacSha256_128,
            "aes256-cts-hmac-sha384-192" | "aes256-sha2" => Self::Aes256CtsHmacSha384_192,
            _ => return None,
        })
    }

    /// The octets of a key: 16 or 32.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128CtsHmacSha1_96 | Self::Aes128CtsHmacSha256_128 => 16,
            Self::Aes256CtsHmacSha1_96 | Self::Aes256CtsHmacSha384_192 => 32,
        }
    }

    /// The octets of a MAC, at a ciphertext's end and as a keyed checksum: 12, 16 or 24.
    #[must_use]
    pub const fn mac_len(self) -> usize {
        match self {
            Self::Aes128CtsHmacSha1_96 | Self::Aes256CtsHmacSha1_96 => 12,
            Self::Aes128CtsHmacSha256_128 => 16,
            Self::Aes256CtsHmacSha384_192 => 24,
        }
    }

    /// The octets that the pseudo-random function gives (RFC 3962 §6, RFC 8009 §5).
    const fn prf_len(self) -> usize {
        match self {
            Self::Aes128CtsHmacSha1_96 | Self::Aes256CtsHmacSha1_96 => 16,
            Self::Aes128CtsHmacSha256_128 => 32,
            Self::Aes256CtsHmacSha384_192 => 48,
        }
    }

    /// The rounds of string-to-key when no parameters say otherwise (RFC 3962 §4, RFC 8009 §4).
    #[must_use]
    pub const fn default_rounds(self) -> u32 {
        match self {
            Self::Aes128CtsHmacSha1_96 | Self::Aes256CtsHmacSha1_96 => 4096,
            Self::Aes128CtsHmacSha256_128 | Self::Aes256CtsHmacSha384_192 => 32768,
        }
    }

    /// The number of the checksum type that goes with this enctype (RFC 3962 §7, RFC 8009 §6).
    #[must_use]
    pub const fn checksum_type(self) -> i32 {
        match self {
            Self::Aes128CtsHmacSha1_96 => 15,
            Self::Aes256CtsHmacSha1_96 => 16,
            Self::Aes128CtsHmacSha256_128 => 19,
            Self::Aes256CtsHmacSha384_192 => 20,
        }
    }
}

impl fmt::Display for EncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for EncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a key is used for (RFC 4120 §7.5.1): the same key gives unrelated keys for each usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyUsage(pub u32);

impl KeyUsage {
    /// PA-ENC-TIMESTAMP, under the client's key.
    pub const PA_ENC_TIMESTAMP: Self = Self(1);
    /// A ticket's encrypted part, under the service's key.
    pub const TICKET: Self = Self(2);
    /// The AS-REP's encrypted part, under the client's key.
    pub const AS_REP: Self = Self(3);
    /// Authorization data in a TGS-REQ, under the session key.
    pub const TGS_REQ_AUTH_DATA_SESSION: Self = Self(4);
    /// Authorization data in a TGS-REQ, under the authenticator's subkey.
    pub const TGS_REQ_AUTH_DATA_SUBKEY: Self = Self(5);
    /// The checksum in a TGS-REQ's authenticator.
    pub const TGS_REQ_CHECKSUM: Self = Self(6);
    /// A TGS-REQ's authenticator.
    pub const TGS_REQ_AUTHENTICATOR: Self = Self(7);
    /// The TGS-REP's encrypted part, under the session key.
    pub const TGS_REP_SESSION: Self = Self(8);
    /// The TGS-REP's encrypted part, under the authenticator's subkey.
    pub const TGS_REP_SUBKEY: Self = Self(9);
    /// The checksum in an AP-REQ's authenticator.
    pub const AP_REQ_CHECKSUM: Self = Self(10);
    /// An AP-REQ's authenticator.
    pub const AP_REQ_AUTHENTICATOR: Self = Self(11);
    /// An AP-REP's encrypted part.
    pub const AP_REP: Self = Self(12);
    /// KRB-PRIV.
    pub const KRB_PRIV: Self = Self(13);
    /// KRB-CRED.
    pub const KRB_CRED: Self = Self(14);
    /// KRB-SAFE's checksum.
    pub const KRB_SAFE: Self = Self(15);
    /// A Wrap token of the acceptor (RFC 4121 §2).
    pub const ACCEPTOR_SEAL: Self = Self(22);
    /// A MIC token of the acceptor.
    pub const ACCEPTOR_SIGN: Self = Self(23);
    /// A Wrap token of the initiator.
    pub const INITIATOR_SEAL: Self = Self(24);
    /// A MIC token of the initiator.
    pub const INITIATOR_SIGN: Self = Self(25);
    /// The checksum that binds the inside of a FAST request to its outside (RFC 6113 §5.4.2).
    pub const FAST_REQ_CHECKSUM: Self = Self(50);
    /// The inside of a FAST request.
    pub const FAST_ENC: Self = Self(51);
    /// The inside of a FAST reply or error.
    pub const FAST_REP: Self = Self(52);
    /// The checksum of the ticket in a FAST reply.
    pub const FAST_FINISHED: Self = Self(53);
    /// The client's encrypted challenge (RFC 6113 §5.4.6).
    pub const ENC_CHALLENGE_CLIENT: Self = Self(54);
    /// The KDC's answer to it.
    pub const ENC_CHALLENGE_KDC: Self = Self(55);
    /// The checksum of the AS-REQ in enc-pa-rep (RFC 6806 §11).
    pub const AS_REQ: Self = Self(56);
    /// The MACs of a CAMMAC (RFC 7751 §6).
    pub const CAMMAC: Self = Self(64);
}

/// Why an operation failed. Nothing of a key or a plaintext is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptoError {
    /// The enctype's number is not one of [`EncType`].
    UnsupportedEncType(i32),
    /// The checksum type is not the one of the key's enctype.
    UnsupportedChecksum(i32),
    /// A key of the wrong length for its enctype.
    KeyLength,
    /// A ciphertext too short to hold a confounder and a MAC.
    Truncated,
    /// The MAC does not fit: another key, another usage, or altered octets.
    Integrity,
    /// String-to-key parameters that cannot be: not four octets, or more rounds than a peer may ask for.
    StringToKeyParams,
}

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedEncType(n) => write!(f, "enctype {n} is not supported"),
            Self::UnsupportedChecksum(n) => write!(f, "checksum type {n} is not the one of this key"),
            Self::KeyLength => f.write_str("the key has the wrong length for its enctype"),
            Self::Truncated => f.write_str("the ciphertext is too short"),
            Self::Integrity => f.write_str("the integrity check failed"),
            Self::StringToKeyParams => f.write_str("the string-to-key parameters cannot be used"),
        }
    }
}

impl core::error::Error for CryptoError {}

/// Whether two strings of octets are the same, in a time that depends on their lengths only. Every comparison of a MAC or a
/// key goes through here.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq as _;
    a.ct_eq(b).into()
}

/// Hands `work` a copy of `octets` with zeros after it, wiped afterwards. HMAC defines short keys so; an AES key already
/// has its length.
fn zero_padded<N: ArraySize, R>(octets: &[u8], work: impl FnOnce(&Array<u8, N>) -> R) -> R {
    let mut padded = Array::default();
    padded.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
    let result = work(&padded);
    padded.as_mut_slice().zeroize();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_compare_equal_only_when_all_are() {
        let mac = [0, 1, 2, 3, 4, 5, 6, 7];
        assert!(constant_time_eq(&mac, &mac.clone()));
        assert!(constant_time_eq(&[], &[]));
        for i in 0..mac.len() {
            let mut other = mac;
            other[i] ^= 0x80;
            assert!(!constant_time_eq(&mac, &other));
            assert!(!constant_time_eq(&mac, &mac[..i]));
            assert!(!constant_time_eq(&mac[..i], &mac));
        }
    }

    #[test]
    fn enctypes_are_found_by_number_and_name() {
        for etype in EncType::ALL {
            assert_eq!(EncType::from_number(etype.number()), Some(etype));
            assert_eq!(EncType::from_name(etype.name()), Some(etype));
            assert_eq!(EncType::from_name(&etype.name().to_uppercase()), Some(etype));
        }
    }

    #[test]
    fn weak_enctypes_do_not_exist() {
        for number in (i32::from(i16::MIN)..17).chain(21..i32::from(i16::MAX)) {
            assert_eq!(EncType::from_number(number), None);
        }
        for name in ["des-cbc-crc", "des3-cbc-sha1", "arcfour-hmac", "rc4-hmac", "aes", ""] {
            assert_eq!(EncType::from_name(name), None);
        }
    }
}
