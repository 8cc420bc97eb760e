use rasn::types::Any;
use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{
    Checksum, EncryptedData, EncryptionKey, KerberosString, Microseconds, Octets, PaData, PrincipalName, UInt32,
};
use crate::flags::FastOptions;
use crate::time::KerberosTime;

/// Armor types (RFC 6113 §5.4.1).
pub mod armor_type {
    /// An AP-REQ; its subkey and session key make the armor key.
    pub const AP_REQUEST: i32 = 1;
}

/// What the padata PA-FX-FAST holds in a request (RFC 6113 §5.4.2).
///
/// ```asn1
/// PA-FX-FAST-REQUEST ::= CHOICE { armored-data [0] KrbFastArmoredReq, ... }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice)]
pub enum PaFxFastRequest {
    /// The only kind.
    #[rasn(tag(explicit(0)))]
    ArmoredData(KrbFastArmoredReq),
}

/// RFC 6113 §5.4.2.
///
/// ```asn1
/// KrbFastArmoredReq ::= SEQUENCE {
///         armor         [0] KrbFastArmor OPTIONAL,
///         req-checksum  [1] Checksum,
///         enc-fast-req  [2] EncryptedData -- KrbFastReq
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KrbFastArmoredReq {
    /// In an AS-REQ. In a TGS-REQ the header ticket's subkey takes its place.
    #[rasn(tag(explicit(0)))]
    pub armor: Option<KrbFastArmor>,
    /// In an AS-REQ over the outer request's body, in a TGS-REQ over its AP-REQ; armor key, key usage 50.
    #[rasn(tag(explicit(1)))]
    pub req_checksum: Checksum,
    /// A [`KrbFastReq`] under the armor key, key usage 51.
    #[rasn(tag(explicit(2)))]
    pub enc_fast_req: EncryptedData,
}

/// `KrbFastArmor ::= SEQUENCE { armor-type [0] Int32, armor-value [1] OCTET STRING }` (RFC 6113 §5.4.1).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KrbFastArmor {
    /// See [`armor_type`].
    #[rasn(tag(explicit(0)))]
    pub armor_type: i32,
    /// For an AP-REQ, its DER.
    #[rasn(tag(explicit(1)))]
    pub armor_value: Octets,
}

/// RFC 6113 §5.4.2.
///
/// ```asn1
/// KrbFastReq ::= SEQUENCE {
///         fast-options  [0] FastOptions,
///         padata        [1] SEQUENCE OF PA-DATA,
///         req-body      [2] KDC-REQ-BODY
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KrbFastReq {
    /// Options that the KDC does not know must make it refuse, the first sixteen of them.
    #[rasn(tag(explicit(0)))]
    pub fast_options: FastOptions,
    /// In place of the outer request's.
    #[rasn(tag(explicit(1)))]
    pub padata: Vec<PaData>,
    /// A [`super::KdcReqBody`], as received, in place of the outer request's.
    #[rasn(tag(explicit(2)))]
    pub req_body: Any,
}

/// What the padata PA-FX-FAST holds in a reply or an error (RFC 6113 §5.4.3).
///
/// ```asn1
/// PA-FX-FAST-REPLY ::= CHOICE { armored-data [0] KrbFastArmoredRep, ... }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice)]
pub enum PaFxFastReply {
    /// The only kind.
    #[rasn(tag(explicit(0)))]
    ArmoredData(KrbFastArmoredRep),
}

/// `KrbFastArmoredRep ::= SEQUENCE { enc-fast-rep [0] EncryptedData -- KrbFastResponse -- }` (RFC 6113 §5.4.3).
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KrbFastArmoredRep {
    /// A [`KrbFastResponse`] under the armor key, key usage 52.
    #[rasn(tag(explicit(0)))]
    pub enc_fast_rep: EncryptedData,
}

/// RFC 6113 §5.4.3.
///
/// ```asn1
/// KrbFastResponse ::= SEQUENCE {
///         padata          [0] SEQUENCE OF PA-DATA,
///         strengthen-key  [1] EncryptionKey OPTIONAL,
///         finished        [2] KrbFastFinished OPTIONAL,
///         nonce           [3] UInt32
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KrbFastResponse {
    /// In place of the outer reply's.
    #[rasn(tag(explicit(0)))]
    pub padata: Vec<PaData>,
    /// The KDC's share of the reply key.
    #[rasn(tag(explicit(1)))]
    pub strengthen_key: Option<EncryptionKey>,
    /// In a reply with a ticket.
    #[rasn(tag(explicit(2)))]
    pub finished: Option<KrbFastFinished>,
    /// The inner request's.
    #[rasn(tag(explicit(3)))]
    pub nonce: UInt32,
}

/// RFC 6113 §5.4.3.
///
/// ```asn1
/// KrbFastFinished ::= SEQUENCE {
///         timestamp        [0] KerberosTime,
///         usec             [1] Microseconds,
///         crealm           [2] Realm,
///         cname            [3] PrincipalName,
///         ticket-checksum  [4] Checksum
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct KrbFastFinished {
    /// The KDC's time.
    #[rasn(tag(explicit(0)))]
    pub timestamp: KerberosTime,
    /// And its microseconds.
    #[rasn(tag(explicit(1)))]
    pub usec: Microseconds,
    /// The client's realm.
    #[rasn(tag(explicit(2)))]
    pub crealm: KerberosString,
    /// The client.
    #[rasn(tag(explicit(3)))]
    pub cname: PrincipalName,
    /// Over the reply's ticket, under the armor key, key usage 53.
    #[rasn(tag(explicit(4)))]
    pub ticket_checksum: Checksum,
}
