use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{EncryptedData, Octets};

/// What the padata PA-SPAKE holds (RFC 9588 §4).
///
/// ```asn1
/// PA-SPAKE ::= CHOICE {
///         support    [0] SPAKESupport,
///         challenge  [1] SPAKEChallenge,
///         response   [2] SPAKEResponse,
///         encdata    [3] EncryptedData,
///         ...
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice)]
pub enum PaSpake {
    /// The client's first word: which groups it knows.
    #[rasn(tag(explicit(0)))]
    Support(SpakeSupport),
    /// The KDC's share.
    #[rasn(tag(explicit(1)))]
    Challenge(SpakeChallenge),
    /// The client's share, and its factor.
    #[rasn(tag(explicit(2)))]
    Response(SpakeResponse),
    /// Further words between the client and the KDC, where a factor needs them.
    #[rasn(tag(explicit(3)))]
    EncData(EncryptedData),
}

/// `SPAKESupport ::= SEQUENCE { groups [0] SEQUENCE (SIZE(1..MAX)) OF Int32, ... }` (RFC 9588 §4.1).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct SpakeSupport {
    /// Numbers of groups, best first.
    #[rasn(tag(explicit(0)))]
    pub groups: Vec<i32>,
}

/// RFC 9588 §4.2.
///
/// ```asn1
/// SPAKEChallenge ::= SEQUENCE {
///         group    [0] Int32,
///         pubkey   [1] OCTET STRING,
///         factors  [2] SEQUENCE (SIZE(1..MAX)) OF SPAKESecondFactor,
///         ...
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct SpakeChallenge {
    /// The group that the KDC chose.
    #[rasn(tag(explicit(0)))]
    pub group: i32,
    /// T, the KDC's element of the group.
    #[rasn(tag(explicit(1)))]
    pub pubkey: Octets,
    /// The second factors that will do.
    #[rasn(tag(explicit(2)))]
    pub factors: Vec<SpakeSecondFactor>,
}

/// `SPAKESecondFactor ::= SEQUENCE { type [0] Int32, data [1] OCTET STRING OPTIONAL }` (RFC 9588 §4.2).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct SpakeSecondFactor {
    /// 1: none but the password.
    #[rasn(tag(explicit(0)))]
    pub factor_type: i32,
    /// What the type says.
    #[rasn(tag(explicit(1)))]
    pub data: Option<Octets>,
}

/// RFC 9588 §4.3.
///
/// ```asn1
/// SPAKEResponse ::= SEQUENCE {
///         pubkey  [0] OCTET STRING,
///         factor  [1] EncryptedData, -- SPAKESecondFactor
///         ...
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct SpakeResponse {
    /// S, the client's element of the group.
    #[rasn(tag(explicit(0)))]
    pub pubkey: Octets,
    /// A [`SpakeSecondFactor`] under K'\[1\].
    #[rasn(tag(explicit(1)))]
    pub factor: EncryptedData,
}
