use rasn::types::Any;
use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::{
    AuthorizationData, Checksum, EncryptedData, EncryptionKey, KerberosString, Microseconds, PrincipalName, UInt32,
};
use crate::flags::ApOptions;
use crate::time::KerberosTime;

/// RFC 4120 §5.5.1.
///
/// ```asn1
/// AP-REQ ::= [APPLICATION 14] SEQUENCE {
///         pvno           [0] INTEGER (5),
///         msg-type       [1] INTEGER (14),
///         ap-options     [2] APOptions,
///         ticket         [3] Ticket,
///         authenticator  [4] EncryptedData -- Authenticator
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 14)))]
pub struct ApReq {
    /// 5.
    #[rasn(tag(explicit(0)))]
    pub pvno: i32,
    /// 14.
    #[rasn(tag(explicit(1)))]
    pub msg_type: i32,
    /// What the client wants.
    #[rasn(tag(explicit(2)))]
    pub ap_options: ApOptions,
    /// A [`super::Ticket`], as received.
    #[rasn(tag(explicit(3)))]
    pub ticket: Any,
    /// An [`Authenticator`] under the session key, key usage 7 in a TGS-REQ and 11 elsewhere.
    #[rasn(tag(explicit(4)))]
    pub authenticator: EncryptedData,
}

/// RFC 4120 §5.5.1.
///
/// ```asn1
/// Authenticator ::= [APPLICATION 2] SEQUENCE {
///         authenticator-vno   [0] INTEGER (5),
///         crealm              [1] Realm,
///         cname               [2] PrincipalName,
///         cksum               [3] Checksum OPTIONAL,
///         cusec               [4] Microseconds,
///         ctime               [5] KerberosTime,
///         subkey              [6] EncryptionKey OPTIONAL,
///         seq-number          [7] UInt32 OPTIONAL,
///         authorization-data  [8] AuthorizationData OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 2)))]
pub struct Authenticator {
    /// 5.
    #[rasn(tag(explicit(0)))]
    pub authenticator_vno: i32,
    /// The client's realm.
    #[rasn(tag(explicit(1)))]
    pub crealm: KerberosString,
    /// The client.
    #[rasn(tag(explicit(2)))]
    pub cname: PrincipalName,
    /// Over the application's data; in a TGS-REQ over the request's body.
    #[rasn(tag(explicit(3)))]
    pub cksum: Option<Checksum>,
    /// Microseconds of `ctime`.
    #[rasn(tag(explicit(4)))]
    pub cusec: Microseconds,
    /// The client's time.
    #[rasn(tag(explicit(5)))]
    pub ctime: KerberosTime,
    /// The client's choice of a key for this session.
    #[rasn(tag(explicit(6)))]
    pub subkey: Option<EncryptionKey>,
    /// The first sequence number of the client's messages.
    #[rasn(tag(explicit(7)))]
    pub seq_number: Option<UInt32>,
    /// As the ticket's, added by the client.
    #[rasn(tag(explicit(8)))]
    pub authorization_data: Option<AuthorizationData>,
}

/// RFC 4120 §5.5.2.
///
/// ```asn1
/// AP-REP ::= [APPLICATION 15] SEQUENCE {
///         pvno      [0] INTEGER (5),
///         msg-type  [1] INTEGER (15),
///         enc-part  [2] EncryptedData -- EncAPRepPart
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 15)))]
pub struct ApRep {
    /// 5.
    #[rasn(tag(explicit(0)))]
    pub pvno: i32,
    /// 15.
    #[rasn(tag(explicit(1)))]
    pub msg_type: i32,
    /// An [`EncApRepPart`] under the session key, key usage 12.
    #[rasn(tag(explicit(2)))]
    pub enc_part: EncryptedData,
}

/// RFC 4120 §5.5.2.
///
/// ```asn1
/// EncAPRepPart ::= [APPLICATION 27] SEQUENCE {
///         ctime       [0] KerberosTime,
///         cusec       [1] Microseconds,
///         subkey      [2] EncryptionKey OPTIONAL,
///         seq-number  [3] UInt32 OPTIONAL
/// }
/// ```
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(tag(explicit(application, 27)))]
pub struct EncApRepPart {
    /// The authenticator's.
    #[rasn(tag(explicit(0)))]
    pub ctime: KerberosTime,
    /// The authenticator's.
    #[rasn(tag(explicit(1)))]
    pub cusec: Microseconds,
    /// The service's choice of a key for this session.
    #[rasn(tag(explicit(2)))]
    pub subkey: Option<EncryptionKey>,
    /// The first sequence number of the service's messages.
    #[rasn(tag(explicit(3)))]
    pub seq_number: Option<UInt32>,
}
