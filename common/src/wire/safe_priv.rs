use rasn::types::Any;
use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{Checksum, EncryptedData, HostAddress, Microseconds, Octets, UInt32};
use crate::time::KerberosTime;

/// RFC 4120 §5.6.1.
///
/// ```asn1
/// KRB-SAFE ::= [APPLICATION 20] SEQUENCE {
///         pvno       [0] INTEGER (5),
///         msg-type   [1] INTEGER (20),
///         safe-body  [2] KRB-SAFE-BODY,
///         cksum      [3] Checksum
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 20)))]
pub struct KrbSafe {
    /// 5.
    #[rasn(tag(explicit(0)))]
    pub pvno: i32,
    /// 20.
    #[rasn(tag(explicit(1)))]
    pub msg_type: i32,
    /// A [`KrbSafeBody`], as received: the checksum covers it.
    #[rasn(tag(explicit(2)))]
    pub safe_body: Any,
    /// Key usage 15.
    #[rasn(tag(explicit(3)))]
    pub cksum: Checksum,
}

/// RFC 4120 §5.6.1.
///
/// ```asn1
/// KRB-SAFE-BODY ::= SEQUENCE {
///         user-data   [0] OCTET STRING,
///         timestamp   [1] KerberosTime OPTIONAL,
///         usec        [2] Microseconds OPTIONAL,
///         seq-number  [3] UInt32 OPTIONAL,
///         s-address   [4] HostAddress,
///         r-address   [5] HostAddress OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KrbSafeBody {
    /// The application's data.
    #[rasn(tag(explicit(0)))]
    pub user_data: Octets,
    /// The sender's time.
    #[rasn(tag(explicit(1)))]
    pub timestamp: Option<KerberosTime>,
    /// And its microseconds.
    #[rasn(tag(explicit(2)))]
    pub usec: Option<Microseconds>,
    /// The sender's count.
    #[rasn(tag(explicit(3)))]
    pub seq_number: Option<UInt32>,
    /// The sender's address.
    #[rasn(tag(explicit(4)))]
    pub s_address: HostAddress,
    /// The receiver's.
    #[rasn(tag(explicit(5)))]
    pub r_address: Option<HostAddress>,
}

/// RFC 4120 §5.7.1.
///
/// ```asn1
/// KRB-PRIV ::= [APPLICATION 21] SEQUENCE {
///         pvno      [0] INTEGER (5),
///         msg-type  [1] INTEGER (21),
///                   -- NOTE: there is no [2] tag
///         enc-part  [3] EncryptedData -- EncKrbPrivPart
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 21)))]
pub struct KrbPriv {
    /// 5.
    #[rasn(tag(explicit(0)))]
    pub pvno: i32,
    /// 21.
    #[rasn(tag(explicit(1)))]
    pub msg_type: i32,
    /// An [`EncKrbPrivPart`], key usage 13.
    #[rasn(tag(explicit(3)))]
    pub enc_part: EncryptedData,
}

/// RFC 4120 §5.7.1.
///
/// ```asn1
/// EncKrbPrivPart ::= [APPLICATION 28] SEQUENCE {
///         user-data   [0] OCTET STRING,
///         timestamp   [1] KerberosTime OPTIONAL,
///         usec        [2] Microseconds OPTIONAL,
///         seq-number  [3] UInt32 OPTIONAL,
///         s-address   [4] HostAddress -- sender's addr --,
///         r-address   [5] HostAddress OPTIONAL -- recip's addr
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 28)))]
pub struct EncKrbPrivPart {
    /// The application's data.
    #[rasn(tag(explicit(0)))]
    pub user_data: Octets,
    /// The sender's time.
    #[rasn(tag(explicit(1)))]
    pub timestamp: Option<KerberosTime>,
    /// And its microseconds.
    #[rasn(tag(explicit(2)))]
    pub usec: Option<Microseconds>,
    /// The sender's count.
    #[rasn(tag(explicit(3)))]
    pub seq_number: Option<UInt32>,
    /// The sender's address.
    #[rasn(tag(explicit(4)))]
    pub s_address: HostAddress,
    /// The receiver's.
    #[rasn(tag(explicit(5)))]
    pub r_address: Option<HostAddress>,
}
