use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{Checksum, KerberosString, Octets, PrincipalName, UInt32};
use crate::flags::S4uOptions;

/// Whom a service wants a ticket for, to itself (MS-SFU §2.2.1).
///
/// ```asn1
/// PA-FOR-USER ::= SEQUENCE {
///         userName      [0] PrincipalName,
///         userRealm     [1] Realm,
///         cksum         [2] Checksum,
///         auth-package  [3] KerberosString
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct PaForUser {
    /// The user.
    #[rasn(tag(explicit(0)))]
    pub user_name: PrincipalName,
    /// The user's realm.
    #[rasn(tag(explicit(1)))]
    pub user_realm: KerberosString,
    /// Over the name type, the components, the realm and the package, put together; session key, key usage 17.
    #[rasn(tag(explicit(2)))]
    pub cksum: Checksum,
    /// How the user was authenticated to the service: `Kerberos`.
    #[rasn(tag(explicit(3)))]
    pub auth_package: KerberosString,
}

/// The same with a checksum that covers all of it (MS-SFU §2.2.2).
///
/// ```asn1
/// PA-S4U-X509-USER ::= SEQUENCE {
///         user-id   [0] S4UUserID,
///         checksum  [1] Checksum
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct PaS4uX509User {
    /// A [`S4uUserId`], as received: the checksum covers it.
    #[rasn(tag(explicit(0)))]
    pub user_id: rasn::types::Any,
    /// Over `user_id`, key usage 26.
    #[rasn(tag(explicit(1)))]
    pub checksum: Checksum,
}

/// MS-SFU §2.2.2.
///
/// ```asn1
/// S4UUserID ::= SEQUENCE {
///         nonce                [0] UInt32,
///         cname                [1] PrincipalName OPTIONAL,
///         crealm               [2] Realm,
///         subject-certificate  [3] OCTET STRING OPTIONAL,
///         options              [4] BIT STRING OPTIONAL,
///         ...
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct S4uUserId {
    /// The request's.
    #[rasn(tag(explicit(0)))]
    pub nonce: UInt32,
    /// The user, unless the certificate says.
    #[rasn(tag(explicit(1)))]
    pub cname: Option<PrincipalName>,
    /// The user's realm.
    #[rasn(tag(explicit(2)))]
    pub crealm: KerberosString,
    /// The user's certificate, in DER.
    #[rasn(tag(explicit(3)))]
    pub subject_certificate: Option<Octets>,
    /// What is asked beside.
    #[rasn(tag(explicit(4)))]
    pub options: Option<S4uOptions>,
}
