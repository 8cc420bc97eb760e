use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{AuthorizationData, EncryptedData, EncryptionKey, HostAddress, KerberosString, Octets, PrincipalName};
use crate::flags::TicketFlags;
use crate::time::KerberosTime;

/// RFC 4120 §5.3.
///
/// ```asn1
/// Ticket ::= [APPLICATION 1] SEQUENCE {
///         tkt-vno   [0] INTEGER (5),
///         realm     [1] Realm,
///         sname     [2] PrincipalName,
///         enc-part  [3] EncryptedData -- EncTicketPart
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 1)))]
pub struct Ticket {
    /// 5.
    #[rasn(tag(explicit(0)))]
    pub tkt_vno: i32,
    /// The service's realm.
    #[rasn(tag(explicit(1)))]
    pub realm: KerberosString,
    /// The service's name.
    #[rasn(tag(explicit(2)))]
    pub sname: PrincipalName,
    /// An [`EncTicketPart`] under the service's key, key usage 2.
    #[rasn(tag(explicit(3)))]
    pub enc_part: EncryptedData,
}

/// RFC 4120 §5.3.
///
/// ```asn1
/// EncTicketPart ::= [APPLICATION 3] SEQUENCE {
///         flags               [0] TicketFlags,
///         key                 [1] EncryptionKey,
///         crealm              [2] Realm,
///         cname               [3] PrincipalName,
///         transited           [4] TransitedEncoding,
///         authtime            [5] KerberosTime,
///         starttime           [6] KerberosTime OPTIONAL,
///         endtime             [7] KerberosTime,
///         renew-till          [8] KerberosTime OPTIONAL,
///         caddr               [9] HostAddresses OPTIONAL,
///         authorization-data  [10] AuthorizationData OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 3)))]
pub struct EncTicketPart {
    /// What the ticket may be used for and where it comes from.
    #[rasn(tag(explicit(0)))]
    pub flags: TicketFlags,
    /// The session key.
    #[rasn(tag(explicit(1)))]
    pub key: EncryptionKey,
    /// The client's realm.
    #[rasn(tag(explicit(2)))]
    pub crealm: KerberosString,
    /// The client's name.
    #[rasn(tag(explicit(3)))]
    pub cname: PrincipalName,
    /// The realms between the client's and the service's.
    #[rasn(tag(explicit(4)))]
    pub transited: TransitedEncoding,
    /// When the client was authenticated first.
    #[rasn(tag(explicit(5)))]
    pub authtime: KerberosTime,
    /// From when on the ticket is good; absent, from `authtime`.
    #[rasn(tag(explicit(6)))]
    pub starttime: Option<KerberosTime>,
    /// Until when.
    #[rasn(tag(explicit(7)))]
    pub endtime: KerberosTime,
    /// Until when it can be renewed.
    #[rasn(tag(explicit(8)))]
    pub renew_till: Option<KerberosTime>,
    /// From where it may be used; absent, from anywhere.
    #[rasn(tag(explicit(9)))]
    pub caddr: Option<Vec<HostAddress>>,
    /// What a service should know or heed.
    #[rasn(tag(explicit(10)))]
    pub authorization_data: Option<AuthorizationData>,
}

/// `TransitedEncoding ::= SEQUENCE { tr-type [0] Int32, contents [1] OCTET STRING }` (RFC 4120 §5.3).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct TransitedEncoding {
    /// 1: DOMAIN-X500-COMPRESS.
    #[rasn(tag(explicit(0)))]
    pub tr_type: i32,
    /// The realms, compressed; empty within one realm.
    #[rasn(tag(explicit(1)))]
    pub contents: Octets,
}

impl TransitedEncoding {
    /// No realm in between.
    #[must_use]
    pub fn local() -> Self {
        Self {
            tr_type: 1,
            contents: Octets::default(),
        }
    }
}
