use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{KerberosString, Microseconds, Octets};
use crate::time::KerberosTime;

/// Pre-authentication data types (RFC 4120 §7.5.2 and its successors).
pub mod pa_type {
    /// The AP-REQ of a TGS-REQ.
    pub const TGS_REQ: i32 = 1;
    /// An encrypted timestamp.
    pub const ENC_TIMESTAMP: i32 = 2;
    /// Only a salt; of old clients.
    pub const PW_SALT: i32 = 3;
    /// Enctypes and salts; of old clients.
    pub const ETYPE_INFO: i32 = 11;
    /// Enctypes, salts and string-to-key parameters.
    pub const ETYPE_INFO2: i32 = 19;
    /// A referral (RFC 6806).
    pub const SVR_REFERRAL_INFO: i32 = 20;
    /// The KDC's own state, to be sent back as it came (RFC 6113 §5.2).
    pub const FX_COOKIE: i32 = 133;
    /// FAST is offered, or used (RFC 6113).
    pub const FX_FAST: i32 = 136;
    /// The KRB-ERROR, inside a FAST error (RFC 6113 §5.4.4).
    pub const FX_ERROR: i32 = 137;
    /// A time under a key made of armor key and long-term key, inside FAST (RFC 6113 §5.4.6).
    pub const ENCRYPTED_CHALLENGE: i32 = 138;
    /// The client wants the checksum of its request in the reply, and the KDC gives it (RFC 6806 §11).
    pub const REQ_ENC_PA_REP: i32 = 149;
}

/// `METHOD-DATA ::= SEQUENCE OF PA-DATA` (RFC 4120 §5.2.7).
pub type MethodData = Vec<PaData>;

/// RFC 4120 §5.2.7.
///
/// ```asn1
/// PA-DATA ::= SEQUENCE {
///         -- NOTE: first tag is [1], not [0]
///         padata-type   [1] Int32,
///         padata-value  [2] OCTET STRING
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct PaData {
    /// See [`pa_type`].
    #[rasn(tag(explicit(1)))]
    pub padata_type: i32,
    /// What `padata_type` says.
    #[rasn(tag(explicit(2)))]
    pub padata_value: Octets,
}

impl PaData {
    /// One element.
    #[must_use]
    pub fn new(padata_type: i32, value: Vec<u8>) -> Self {
        Self {
            padata_type,
            padata_value: value.into(),
        }
    }
}

/// What the encrypted timestamp holds (RFC 4120 §5.2.7.2).
///
/// ```asn1
/// PA-ENC-TS-ENC ::= SEQUENCE {
///         patimestamp  [0] KerberosTime -- client's time --,
///         pausec       [1] Microseconds OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct PaEncTsEnc {
    /// The client's time.
    #[rasn(tag(explicit(0)))]
    pub patimestamp: KerberosTime,
    /// And its microseconds.
    #[rasn(tag(explicit(1)))]
    pub pausec: Option<Microseconds>,
}

/// RFC 4120 §5.2.7.5; `ETYPE-INFO2 ::= SEQUENCE SIZE (1..MAX) OF ETYPE-INFO2-ENTRY`.
///
/// ```asn1
/// ETYPE-INFO2-ENTRY ::= SEQUENCE {
///         etype      [0] Int32,
///         salt       [1] KerberosString OPTIONAL,
///         s2kparams  [2] OCTET STRING OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct EtypeInfo2Entry {
    /// The enctype.
    #[rasn(tag(explicit(0)))]
    pub etype: i32,
    /// The salt; absent, it is that of RFC 4120 §4 for the client's name.
    #[rasn(tag(explicit(1)))]
    pub salt: Option<KerberosString>,
    /// Parameters of the enctype's string-to-key: for AES, the number of rounds.
    #[rasn(tag(explicit(2)))]
    pub s2kparams: Option<Octets>,
}
