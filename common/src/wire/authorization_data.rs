use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{Checksum, KerberosString, Octets, PrincipalName};

/// Authorization data types (RFC 4120 §7.5.4 and its successors).
pub mod ad_type {
    /// Nested elements that may be ignored when not understood.
    pub const IF_RELEVANT: i32 = 1;
    /// Elements that a KDC vouches for.
    pub const KDC_ISSUED: i32 = 4;
    /// A number of the nested elements must hold.
    pub const AND_OR: i32 = 5;
    /// Elements that a KDC must understand.
    pub const MANDATORY_FOR_KDC: i32 = 8;
    /// The ticket or authenticator is good as FAST armor only (RFC 6113 §5.4.1.1).
    pub const FX_FAST_ARMOR: i32 = 71;
    /// The request came through FAST; without it, somebody took it off on the way (RFC 6113 §5.4.2).
    pub const FX_FAST_USED: i32 = 72;
    /// A container with a MAC by the KDC (RFC 7751).
    pub const CAMMAC: i32 = 96;
    /// How the client was authenticated (RFC 8129).
    pub const AUTHENTICATION_INDICATOR: i32 = 97;
    /// The privilege attribute certificate (MS-PAC).
    pub const WIN2K_PAC: i32 = 128;
    /// What the client asks of the acceptor, four octets of flags, the lowest first (MS-KILE §2.2.7).
    pub const AP_OPTIONS: i32 = 143;
}

/// `AuthorizationData ::= SEQUENCE OF SEQUENCE { ad-type [0] Int32, ad-data [1] OCTET STRING }` (RFC 4120 §5.2.6).
pub type AuthorizationData = Vec<AuthorizationDataElement>;

/// One element of [`AuthorizationData`].
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct AuthorizationDataElement {
    /// See [`ad_type`].
    #[rasn(tag(explicit(0)))]
    pub ad_type: i32,
    /// What `ad_type` says.
    #[rasn(tag(explicit(1)))]
    pub ad_data: Octets,
}

/// The data of an AND-OR element (RFC 4120 §5.2.6.3).
///
/// ```asn1
/// AD-AND-OR ::= SEQUENCE {
///         condition-count  [0] Int32,
///         elements         [1] AuthorizationData
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct AdAndOr {
    /// How many of the elements must hold.
    #[rasn(tag(explicit(0)))]
    pub condition_count: i32,
    /// The conditions.
    #[rasn(tag(explicit(1)))]
    pub elements: AuthorizationData,
}

/// The data of a KDC-ISSUED element (RFC 4120 §5.2.6.2).
///
/// ```asn1
/// AD-KDCIssued ::= SEQUENCE {
///         ad-checksum  [0] Checksum,
///         i-realm      [1] Realm OPTIONAL,
///         i-sname      [2] PrincipalName OPTIONAL,
///         elements     [3] AuthorizationData
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct AdKdcIssued {
    /// Over the elements, under the ticket's session key, key usage 19.
    #[rasn(tag(explicit(0)))]
    pub ad_checksum: Checksum,
    /// The issuer's realm.
    #[rasn(tag(explicit(1)))]
    pub i_realm: Option<KerberosString>,
    /// The issuer.
    #[rasn(tag(explicit(2)))]
    pub i_sname: Option<PrincipalName>,
    /// What the issuer vouches for.
    #[rasn(tag(explicit(3)))]
    pub elements: AuthorizationData,
}
