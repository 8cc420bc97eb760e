use rasn::types::Any;
use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{DecodeError, EncryptedData, EncryptionKey, HostAddress, KerberosString, PaData, PrincipalName, UInt32};
use crate::flags::TicketFlags;
use crate::time::KerberosTime;

/// `AS-REP ::= [APPLICATION 11] KDC-REP` (RFC 4120 §5.4.2).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 11)), delegate)]
pub struct AsRep(pub KdcRep);

/// `TGS-REP ::= [APPLICATION 13] KDC-REP` (RFC 4120 §5.4.2).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 13)), delegate)]
pub struct TgsRep(pub KdcRep);

/// RFC 4120 §5.4.2.
///
/// ```asn1
/// KDC-REP ::= SEQUENCE {
///         pvno      [0] INTEGER (5),
///         msg-type  [1] INTEGER (11 -- AS -- | 13 -- TGS --),
///         padata    [2] SEQUENCE OF PA-DATA OPTIONAL,
///         crealm    [3] Realm,
///         cname     [4] PrincipalName,
///         ticket    [5] Ticket,
///         enc-part  [6] EncryptedData
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KdcRep {
    /// 5.
    #[rasn(tag(explicit(0)))]
    pub pvno: i32,
    /// 11 or 13.
    #[rasn(tag(explicit(1)))]
    pub msg_type: i32,
    /// What the client needs to make the reply key, and more.
    #[rasn(tag(explicit(2)))]
    pub padata: Option<Vec<PaData>>,
    /// The client's realm.
    #[rasn(tag(explicit(3)))]
    pub crealm: KerberosString,
    /// The client.
    #[rasn(tag(explicit(4)))]
    pub cname: PrincipalName,
    /// A [`super::Ticket`], as received: clients pass it on and do not trust its cleartext.
    #[rasn(tag(explicit(5)))]
    pub ticket: Any,
    /// An [`EncAsRepPart`] or [`EncTgsRepPart`].
    #[rasn(tag(explicit(6)))]
    pub enc_part: EncryptedData,
}

/// `EncASRepPart ::= [APPLICATION 25] EncKDCRepPart`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 25)), delegate)]
pub struct EncAsRepPart(pub EncKdcRepPart);

/// `EncTGSRepPart ::= [APPLICATION 26] EncKDCRepPart`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 26)), delegate)]
pub struct EncTgsRepPart(pub EncKdcRepPart);

/// Decodes the encrypted part of a reply under either tag, 25 or 26: MIT's KDC writes the TGS's into an AS-REP, as RFC 4120
/// §5.4.2 lets clients expect.
///
/// # Errors
/// [`DecodeError`] when it is neither.
pub fn decode_enc_kdc_rep_part(octets: &[u8]) -> Result<EncKdcRepPart, DecodeError> {
    // [APPLICATION 26], constructed.
    if octets.first() == Some(&0x7a) {
        super::decode::<EncTgsRepPart>(octets).map(|part| part.0)
    } else {
        super::decode::<EncAsRepPart>(octets).map(|part| part.0)
    }
}

/// RFC 4120 §5.4.2, and RFC 6806 §11 for the last field.
///
/// ```asn1
/// EncKDCRepPart ::= SEQUENCE {
///         key                [0] EncryptionKey,
///         last-req           [1] LastReq,
///         nonce              [2] UInt32,
///         key-expiration     [3] KerberosTime OPTIONAL,
///         flags              [4] TicketFlags,
///         authtime           [5] KerberosTime,
///         starttime          [6] KerberosTime OPTIONAL,
///         endtime            [7] KerberosTime,
///         renew-till         [8] KerberosTime OPTIONAL,
///         srealm             [9] Realm,
///         sname              [10] PrincipalName,
///         caddr              [11] HostAddresses OPTIONAL,
///         encrypted-pa-data  [12] SEQUENCE OF PA-DATA OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct EncKdcRepPart {
    /// The session key.
    #[rasn(tag(explicit(0)))]
    pub key: EncryptionKey,
    /// Never empty.
    #[rasn(tag(explicit(1)))]
    pub last_req: Vec<LastReqEntry>,
    /// The request's.
    #[rasn(tag(explicit(2)))]
    pub nonce: UInt32,
    /// When the client's key expires.
    #[rasn(tag(explicit(3)))]
    pub key_expiration: Option<KerberosTime>,
    /// The ticket's.
    #[rasn(tag(explicit(4)))]
    pub flags: TicketFlags,
    /// The ticket's.
    #[rasn(tag(explicit(5)))]
    pub authtime: KerberosTime,
    /// The ticket's.
    #[rasn(tag(explicit(6)))]
    pub starttime: Option<KerberosTime>,
    /// The ticket's.
    #[rasn(tag(explicit(7)))]
    pub endtime: KerberosTime,
    /// The ticket's.
    #[rasn(tag(explicit(8)))]
    pub renew_till: Option<KerberosTime>,
    /// The service's realm.
    #[rasn(tag(explicit(9)))]
    pub srealm: KerberosString,
    /// The service.
    #[rasn(tag(explicit(10)))]
    pub sname: PrincipalName,
    /// The ticket's.
    #[rasn(tag(explicit(11)))]
    pub caddr: Option<Vec<HostAddress>>,
    /// Such as the checksum of the request.
    #[rasn(tag(explicit(12)))]
    pub encrypted_pa_data: Option<Vec<PaData>>,
}

/// One of `LastReq ::= SEQUENCE OF SEQUENCE { lr-type [0] Int32, lr-value [1] KerberosTime }` (RFC 4120 §5.4.2).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct LastReqEntry {
    /// 0: no information.
    #[rasn(tag(explicit(0)))]
    pub lr_type: i32,
    /// When.
    #[rasn(tag(explicit(1)))]
    pub lr_value: KerberosTime,
}
