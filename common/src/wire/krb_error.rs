use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{KerberosString, Microseconds, Octets, PrincipalName};
use crate::time::KerberosTime;

/// RFC 4120 §5.9.1.
///
/// ```asn1
/// KRB-ERROR ::= [APPLICATION 30] SEQUENCE {
///         pvno        [0] INTEGER (5),
///         msg-type    [1] INTEGER (30),
///         ctime       [2] KerberosTime OPTIONAL,
///         cusec       [3] Microseconds OPTIONAL,
///         stime       [4] KerberosTime,
///         susec       [5] Microseconds,
///         error-code  [6] Int32,
///         crealm      [7] Realm OPTIONAL,
///         cname       [8] PrincipalName OPTIONAL,
///         realm       [9] Realm -- service realm --,
///         sname       [10] PrincipalName -- service name --,
///         e-text      [11] KerberosString OPTIONAL,
///         e-data      [12] OCTET STRING OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 30)))]
pub struct KrbError {
    /// 5.
    #[rasn(tag(explicit(0)))]
    pub pvno: i32,
    /// 30.
    #[rasn(tag(explicit(1)))]
    pub msg_type: i32,
    /// The client's time, where the request had one.
    #[rasn(tag(explicit(2)))]
    pub ctime: Option<KerberosTime>,
    /// And its microseconds.
    #[rasn(tag(explicit(3)))]
    pub cusec: Option<Microseconds>,
    /// The sender's time; clients correct theirs by it.
    #[rasn(tag(explicit(4)))]
    pub stime: KerberosTime,
    /// And its microseconds.
    #[rasn(tag(explicit(5)))]
    pub susec: Microseconds,
    /// See [`crate::error_code::ErrorCode`].
    #[rasn(tag(explicit(6)))]
    pub error_code: i32,
    /// The client's realm.
    #[rasn(tag(explicit(7)))]
    pub crealm: Option<KerberosString>,
    /// The client.
    #[rasn(tag(explicit(8)))]
    pub cname: Option<PrincipalName>,
    /// The service's realm.
    #[rasn(tag(explicit(9)))]
    pub realm: KerberosString,
    /// The service.
    #[rasn(tag(explicit(10)))]
    pub sname: PrincipalName,
    /// For people.
    #[rasn(tag(explicit(11)))]
    pub e_text: Option<KerberosString>,
    /// For programs; for `KDC_ERR_PREAUTH_REQUIRED`, METHOD-DATA.
    #[rasn(tag(explicit(12)))]
    pub e_data: Option<Octets>,
}
