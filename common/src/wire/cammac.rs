use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{AuthorizationData, Checksum, Kvno, PrincipalName};

/// A container of authorization data with MACs (RFC 7751 §3).
///
/// ```asn1
/// AD-CAMMAC ::= SEQUENCE {
///         elements         [0] AuthorizationData,
///         kdc-verifier     [1] Verifier-MAC OPTIONAL,
///         svc-verifier     [2] Verifier-MAC OPTIONAL,
///         other-verifiers  [3] SEQUENCE (SIZE (1..MAX)) OF Verifier OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Cammac {
    /// What the MACs vouch for.
    #[rasn(tag(explicit(0)))]
    pub elements: AuthorizationData,
    /// By the realm's key, over the ticket with these elements as its authorization data.
    #[rasn(tag(explicit(1)))]
    pub kdc_verifier: Option<VerifierMac>,
    /// By the service's key, over the elements.
    #[rasn(tag(explicit(2)))]
    pub svc_verifier: Option<VerifierMac>,
    /// By others.
    #[rasn(tag(explicit(3)))]
    pub other_verifiers: Option<Vec<VerifierMac>>,
}

/// One MAC (RFC 7751 §3). `Verifier ::= CHOICE { mac Verifier-MAC, ... }` has the same encoding.
///
/// ```asn1
/// Verifier-MAC ::= SEQUENCE {
///         identifier  [0] PrincipalName OPTIONAL,
///         kvno        [1] UInt32 OPTIONAL,
///         enctype     [2] Int32 OPTIONAL,
///         mac         [3] Checksum
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct VerifierMac {
    /// Whose key.
    #[rasn(tag(explicit(0)))]
    pub identifier: Option<PrincipalName>,
    /// Its version.
    #[rasn(tag(explicit(1)))]
    pub kvno: Option<Kvno>,
    /// Its enctype.
    #[rasn(tag(explicit(2)))]
    pub enctype: Option<i32>,
    /// Key usage 64.
    #[rasn(tag(explicit(3)))]
    pub mac: Checksum,
}
