use rasn::types::Any;
use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{EncryptedData, EncryptionKey, HostAddress, KerberosString, Microseconds, PrincipalName, UInt32};
use crate::flags::TicketFlags;
use crate::time::KerberosTime;

/// RFC 4120 §5.8.1.
///
/// ```asn1
/// KRB-CRED ::= [APPLICATION 22] SEQUENCE {
///         pvno      [0] INTEGER (5),
///         msg-type  [1] INTEGER (22),
///         tickets   [2] SEQUENCE OF Ticket,
///         enc-part  [3] EncryptedData -- EncKrbCredPart
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 22)))]
pub struct KrbCred {
    /// 5.
    #[rasn(tag(explicit(0)))]
    pub pvno: i32,
    /// 22.
    #[rasn(tag(explicit(1)))]
    pub msg_type: i32,
    /// [`super::Ticket`]s, each as received.
    #[rasn(tag(explicit(2)))]
    pub tickets: Vec<Any>,
    /// An [`EncKrbCredPart`], key usage 14.
    #[rasn(tag(explicit(3)))]
    pub enc_part: EncryptedData,
}

/// RFC 4120 §5.8.1.
///
/// ```asn1
/// EncKrbCredPart ::= [APPLICATION 29] SEQUENCE {
///         ticket-info  [0] SEQUENCE OF KrbCredInfo,
///         nonce        [1] UInt32 OPTIONAL,
///         timestamp    [2] KerberosTime OPTIONAL,
///         usec         [3] Microseconds OPTIONAL,
///         s-address    [4] HostAddress OPTIONAL,
///         r-address    [5] HostAddress OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 29)))]
pub struct EncKrbCredPart {
    /// One for each ticket, in the same order.
    #[rasn(tag(explicit(0)))]
    pub ticket_info: Vec<KrbCredInfo>,
    /// Ties the message to a request.
    #[rasn(tag(explicit(1)))]
    pub nonce: Option<UInt32>,
    /// The sender's time.
    #[rasn(tag(explicit(2)))]
    pub timestamp: Option<KerberosTime>,
    /// And its microseconds.
    #[rasn(tag(explicit(3)))]
    pub usec: Option<Microseconds>,
    /// The sender's address.
    #[rasn(tag(explicit(4)))]
    pub s_address: Option<HostAddress>,
    /// The receiver's.
    #[rasn(tag(explicit(5)))]
    pub r_address: Option<HostAddress>,
}

/// RFC 4120 §5.8.1.
///
/// ```asn1
/// KrbCredInfo ::= SEQUENCE {
///         key         [0] EncryptionKey,
///         prealm      [1] Realm OPTIONAL,
///         pname       [2] PrincipalName OPTIONAL,
///         flags       [3] TicketFlags OPTIONAL,
///         authtime    [4] KerberosTime OPTIONAL,
///         starttime   [5] KerberosTime OPTIONAL,
///         endtime     [6] KerberosTime OPTIONAL,
///         renew-till  [7] KerberosTime OPTIONAL,
///         srealm      [8] Realm OPTIONAL,
///         sname       [9] PrincipalName OPTIONAL,
///         caddr       [10] HostAddresses OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KrbCredInfo {
    /// The ticket's session key.
    #[rasn(tag(explicit(0)))]
    pub key: EncryptionKey,
    /// The client's realm.
    #[rasn(tag(explicit(1)))]
    pub prealm: Option<KerberosString>,
    /// The client.
    #[rasn(tag(explicit(2)))]
    pub pname: Option<PrincipalName>,
    /// The ticket's.
    #[rasn(tag(explicit(3)))]
    pub flags: Option<TicketFlags>,
    /// The ticket's.
    #[rasn(tag(explicit(4)))]
    pub authtime: Option<KerberosTime>,
    /// The ticket's.
    #[rasn(tag(explicit(5)))]
    pub starttime: Option<KerberosTime>,
    /// The ticket's.
    #[rasn(tag(explicit(6)))]
    pub endtime: Option<KerberosTime>,
    /// The ticket's.
    #[rasn(tag(explicit(7)))]
    pub renew_till: Option<KerberosTime>,
    /// The service's realm.
    #[rasn(tag(explicit(8)))]
    pub srealm: Option<KerberosString>,
    /// The service.
    #[rasn(tag(explicit(9)))]
    pub sname: Option<PrincipalName>,
    /// The ticket's.
    #[rasn(tag(explicit(10)))]
    pub caddr: Option<Vec<HostAddress>>,
}
