use rasn::types::Any;
use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{EncryptedData, HostAddress, KerberosString, PaData, PrincipalName, UInt32};
use crate::flags::KdcOptions;
use crate::time::KerberosTime;

/// `AS-REQ ::= [APPLICATION 10] KDC-REQ` (RFC 4120 §5.4.1).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 10)), delegate)]
pub struct AsReq(pub KdcReq);

/// `TGS-REQ ::= [APPLICATION 12] KDC-REQ` (RFC 4120 §5.4.1).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 12)), delegate)]
pub struct TgsReq(pub KdcReq);

/// RFC 4120 §5.4.1.
///
/// ```asn1
/// KDC-REQ ::= SEQUENCE {
///         -- NOTE: first tag is [1], not [0]
///         pvno      [1] INTEGER (5),
///         msg-type  [2] INTEGER (10 -- AS -- | 12 -- TGS --),
///         padata    [3] SEQUENCE OF PA-DATA OPTIONAL,
///         req-body  [4] KDC-REQ-BODY
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KdcReq {
    /// 5.
    #[rasn(tag(explicit(1)))]
    pub pvno: i32,
    /// 10 or 12.
    #[rasn(tag(explicit(2)))]
    pub msg_type: i32,
    /// Proofs, tickets and wishes.
    #[rasn(tag(explicit(3)))]
    pub padata: Option<Vec<PaData>>,
    /// A [`KdcReqBody`], as received: checksums cover it.
    #[rasn(tag(explicit(4)))]
    pub req_body: Any,
}

/// RFC 4120 §5.4.1.
///
/// ```asn1
/// KDC-REQ-BODY ::= SEQUENCE {
///         kdc-options             [0] KDCOptions,
///         cname                   [1] PrincipalName OPTIONAL -- Used only in AS-REQ --,
///         realm                   [2] Realm -- Server's realm; also client's in AS-REQ --,
///         sname                   [3] PrincipalName OPTIONAL,
///         from                    [4] KerberosTime OPTIONAL,
///         till                    [5] KerberosTime,
///         rtime                   [6] KerberosTime OPTIONAL,
///         nonce                   [7] UInt32,
///         etype                   [8] SEQUENCE OF Int32 -- in preference order --,
///         addresses               [9] HostAddresses OPTIONAL,
///         enc-authorization-data  [10] EncryptedData OPTIONAL -- AuthorizationData --,
///         additional-tickets      [11] SEQUENCE OF Ticket OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KdcReqBody {
    /// What is asked of the ticket.
    #[rasn(tag(explicit(0)))]
    pub kdc_options: KdcOptions,
    /// The client, in an AS-REQ.
    #[rasn(tag(explicit(1)))]
    pub cname: Option<PrincipalName>,
    /// The service's realm, and in an AS-REQ the client's.
    #[rasn(tag(explicit(2)))]
    pub realm: KerberosString,
    /// The service.
    #[rasn(tag(explicit(3)))]
    pub sname: Option<PrincipalName>,
    /// From when on, if postdated.
    #[rasn(tag(explicit(4)))]
    pub from: Option<KerberosTime>,
    /// Until when; 1970 for as long as possible. RFC 4120 requires it; some clients leave it out, which means the same.
    #[rasn(tag(explicit(5)))]
    pub till: Option<KerberosTime>,
    /// Until when it shall be renewable.
    #[rasn(tag(explicit(6)))]
    pub rtime: Option<KerberosTime>,
    /// Comes back in the encrypted part of the reply.
    #[rasn(tag(explicit(7)))]
    pub nonce: UInt32,
    /// Enctypes, best first.
    #[rasn(tag(explicit(8)))]
    pub etype: Vec<i32>,
    /// The addresses that the ticket shall be good from.
    #[rasn(tag(explicit(9)))]
    pub addresses: Option<Vec<HostAddress>>,
    /// [`super::AuthorizationData`] under the subkey (key usage 5) or the session key (4).
    #[rasn(tag(explicit(10)))]
    pub enc_authorization_data: Option<EncryptedData>,
    /// [`super::Ticket`]s, each as received.
    #[rasn(tag(explicit(11)))]
    pub additional_tickets: Option<Vec<Any>>,
}
