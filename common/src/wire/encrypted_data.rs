use core::fmt;

use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};
use zeroize::ZeroizeOnDrop;

use super::Octets;
use crate::crypto::{Key, KeyUsage};

/// A key version as it stands on a wire: MIT writes it as a signed number of 32 bits, RFC 4120 says unsigned; both are
/// read, and it is written as MIT writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Kvno(pub u32);

/// RFC 4120 §5.2.9.
///
/// ```asn1
/// EncryptedData ::= SEQUENCE {
///         etype   [0] Int32 -- EncryptionType --,
///         kvno    [1] UInt32 OPTIONAL,
///         cipher  [2] OCTET STRING -- ciphertext
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct EncryptedData {
    /// The enctype of the key that `cipher` is under.
    #[rasn(tag(explicit(0)))]
    pub etype: i32,
    /// The version of that key, if it is a long-term one.
    #[rasn(tag(explicit(1)))]
    pub kvno: Option<Kvno>,
    /// Confounder, ciphertext and MAC.
    #[rasn(tag(explicit(2)))]
    pub cipher: Octets,
}

/// RFC 4120 §5.2.9.
///
/// ```asn1
/// EncryptionKey ::= SEQUENCE {
///         keytype   [0] Int32 -- actually encryption type --,
///         keyvalue  [1] OCTET STRING
/// }
/// ```
#[derive(AsnType, Clone, Decode, Encode, PartialEq, Eq)]
pub struct EncryptionKey {
    /// The enctype.
    #[rasn(tag(explicit(0)))]
    pub keytype: i32,
    /// The key itself. Wiped when dropped.
    #[rasn(tag(explicit(1)))]
    pub keyvalue: Octets,
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptionKey {{ keytype: {}, keyvalue: [redacted] }}", self.keytype)
    }
}

impl Drop for EncryptionKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.keyvalue.0);
    }
}

impl ZeroizeOnDrop for EncryptionKey {}

impl From<&Key> for EncryptionKey {
    fn from(key: &Key) -> Self {
        Self {
            keytype: key.etype().number(),
            keyvalue: key.octets().into(),
        }
    }
}

/// RFC 4120 §5.2.9.
///
/// ```asn1
/// Checksum ::= SEQUENCE {
///         cksumtype  [0] Int32,
///         checksum   [1] OCTET STRING
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Checksum {
    /// The checksum type.
    #[rasn(tag(explicit(0)))]
    pub cksumtype: i32,
    /// The checksum.
    #[rasn(tag(explicit(1)))]
    pub checksum: Octets,
}

impl Checksum {
    /// The keyed checksum of the key's own type over `data`.
    #[must_use]
    pub fn keyed(key: &Key, usage: KeyUsage, data: &[u8]) -> Self {
        Self {
            cksumtype: key.etype().checksum_type(),
            checksum: key.checksum(usage, data).into(),
        }
    }
}
