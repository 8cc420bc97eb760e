use core::fmt;

use zeroize::Zeroizing;

use super::agreement::{Agreement, Role, first_seq_number};
use super::ticket::checked_key;
use crate::Random;
use crate::credential::Credential;
use crate::crypto::{Key, KeyUsage};
use crate::error_code::ErrorCode;
use crate::flags::ApOptions;
use crate::name::name_type;
use crate::time::Timestamp;
use crate::wire::{
    self, Any, ApRep, ApReq, Authenticator, AuthorizationData, Checksum, DecodeError, EncApRepPart, EncryptedData,
    KerberosString, KrbError, Microseconds, PrincipalName, UInt32,
};

// The first octets of an AP-REP, [APPLICATION 15], and of a KRB-ERROR, [APPLICATION 30].
const AP_REP_TAG: u8 = 0x6f;
const KRB_ERROR_TAG: u8 = 0x7e;

/// What a client puts into an AP-REQ. Without more, the least: its name and time.
///
/// ```
/// use tessera_common::Random;
/// use tessera_common::ap::{Agreement, Initiator, ReplyError};
/// use tessera_common::credential::Credential;
/// use tessera_common::time::Timestamp;
///
/// fn authenticate(
///     ticket: &Credential,
///     now: Timestamp,
///     random: &mut dyn Random,
///     send_and_receive: impl Fn(&[u8]) -> Vec<u8>,
/// ) -> Result<Agreement, ReplyError> {
///     let request = Initiator::new(ticket).mutual().with_fresh_session(random).request(now, random);
///     let ap_rep = send_and_receive(request.octets());
///     request.verify_reply(&ap_rep)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Initiator<'a> {
    credential: &'a Credential,
    usage: KeyUsage,
    options: ApOptions,
    subkey: Option<Key>,
    seq_number: Option<u32>,
    checksum: Option<Checksum>,
    authorization_data: AuthorizationData,
}

impl<'a> Initiator<'a> {
    /// For a service: `credential` is a ticket to it. A user-to-user ticket brings the option that says so.
    #[must_use]
    pub fn new(credential: &'a Credential) -> Self {
        Self {
            credential,
            usage: KeyUsage::AP_REQ_AUTHENTICATOR,
            options: ApOptions::empty().set(ApOptions::USE_SESSION_KEY, credential.is_user_to_user()),
            subkey: None,
            seq_number: None,
            checksum: None,
            authorization_data: Vec::new(),
        }
    }

    /// For the ticket-granting service (RFC 4120 §3.3.1): `credential` is a TGT, and the checksum is over the octets of the
    /// request's body.
    #[must_use]
    pub fn for_tgs(credential: &'a Credential, req_body: &[u8]) -> Self {
        let checksum = Checksum::keyed(&credential.key, KeyUsage::TGS_REQ_CHECKSUM, req_body);
        Self {
            usage: KeyUsage::TGS_REQ_AUTHENTICATOR,
            options: ApOptions::empty(),
            ..Self::new(credential)
        }
        .with_checksum(checksum)
    }

    /// Asks the service to prove itself with an AP-REP.
    #[must_use]
    pub const fn mutual(mut self) -> Self {
        self.options = self.options.with(ApOptions::MUTUAL_REQUIRED);
        self
    }

    /// With a key for this session.
    #[must_use]
    pub fn with_subkey(mut self, subkey: Key) -> Self {
        self.subkey = Some(subkey);
        self
    }

    /// With the number of the client's first message.
    #[must_use]
    pub const fn with_seq_number(mut self, first: u32) -> Self {
        self.seq_number = Some(first);
        self
    }

    /// With a random key, of the session key's enctype, and a random number to begin with, as a new session should have.
    #[must_use]
    pub fn with_fresh_session(self, random: &mut dyn Random) -> Self {
        let subkey = Key::random(self.credential.key.etype(), random);
        let first = first_seq_number(random);
        self.with_subkey(subkey).with_seq_number(first)
    }

    /// With a keyed checksum over the application's `data`, which ties it to the authenticator.
    #[must_use]
    pub fn with_checksum_over(self, data: &[u8]) -> Self {
        let checksum = Checksum::keyed(&self.credential.key, KeyUsage::AP_REQ_CHECKSUM, data);
        self.with_checksum(checksum)
    }

    /// With a checksum as it is: GSS-API's `0x8003` is none, but travels in its place (RFC 4121 §4.1.1).
    #[must_use]
    pub fn with_checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// With authorization data of the client's own: restrictions, nothing that gives rights.
    #[must_use]
    pub fn with_authorization_data(mut self, data: AuthorizationData) -> Self {
        self.authorization_data = data;
        self
    }

    /// RFC 4120 §3.2.2: the AP-REQ. No two of one client may have the same time.
    pub fn request(self, now: Timestamp, random: &mut dyn Random) -> Initiated {
        let Credential {
            client, key, ticket, ..
        } = self.credential;
        let authenticator = Authenticator {
            authenticator_vno: wire::PVNO,
            crealm: KerberosString::from(&client.realm),
            cname: PrincipalName::new(name_type::PRINCIPAL, &client.name),
            cksum: self.checksum,
            cusec: Microseconds(now.usec.min(999_999)),
            ctime: now.time,
            subkey: self.subkey.as_ref().map(Into::into),
            seq_number: self.seq_number.map(UInt32),
            authorization_data: (!self.authorization_data.is_empty()).then_some(self.authorization_data),
        };
        let plain = Zeroizing::new(wire::encode(&authenticator));
        let octets = wire::encode(&ApReq {
            pvno: wire::PVNO,
            msg_type: wire::msg_type::AP_REQ,
            ap_options: self.options,
            ticket: Any::new(ticket.clone()),
            authenticator: EncryptedData {
                etype: key.etype().number(),
                kvno: None,
                cipher: key.encrypt(self.usage, &plain, random).into(),
            },
        });
        Initiated {
            octets,
            session_key: key.clone(),
            subkey: self.subkey,
            seq_number: self.seq_number,
            time: now,
        }
    }
}

/// An AP-REQ that was made, and what it takes to know the answer.
#[derive(Clone, Debug)]
pub struct Initiated {
    octets: Vec<u8>,
    session_key: Key,
    subkey: Option<Key>,
    seq_number: Option<u32>,
    time: Timestamp,
}

impl Initiated {
    /// The AP-REQ, encoded.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The key that the client chose.
    #[must_use]
    pub const fn subkey(&self) -> Option<&Key> {
        self.subkey.as_ref()
    }

    /// The number of the client's first message.
    #[must_use]
    pub const fn seq_number(&self) -> Option<u32> {
        self.seq_number
    }

    /// The ticket's session key.
    #[must_use]
    pub const fn session_key(&self) -> &Key {
        &self.session_key
    }

    /// RFC 4120 §3.2.5: whether this is the service's answer to this very request, and what both sides agree on.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn verify_reply(&self, octets: &[u8]) -> Result<Agreement, ReplyError> {
        match octets.first() {
            Some(&AP_REP_TAG) => {}
            Some(&KRB_ERROR_TAG) => return Err(refusal(octets)),
            _ => return Err(ReplyError::NotApRep),
        }
        let reply: ApRep = wire::decode(octets).map_err(ReplyError::Malformed)?;
        if reply.pvno != wire::PVNO || reply.msg_type != wire::msg_type::AP_REP {
            return Err(ReplyError::NotApRep);
        }
        if reply.enc_part.etype != self.session_key.etype().number() {
            return Err(ReplyError::Integrity);
        }
        let plain = self
            .session_key
            .decrypt(KeyUsage::AP_REP, &reply.enc_part.cipher)
            .map_err(|_| ReplyError::Integrity)?;
        let part: EncApRepPart = wire::decode(&plain).map_err(ReplyError::Malformed)?;
        if (part.ctime, part.cusec.0) != (self.time.time, self.time.usec) {
            return Err(ReplyError::OtherRequest);
        }
        let acceptor_subkey = part.subkey.as_ref().map(checked_key).transpose();
        let seq = (self.seq_number.unwrap_or(0), part.seq_number.map_or(0, |n| n.0));
        Ok(Agreement::new(Role::Initiator, &self.session_key, self.subkey.as_ref())
            .with_acceptor_subkey(acceptor_subkey.map_err(ReplyError::KeyType)?)
            .with_seq_numbers(seq.0, seq.1))
    }

    /// What both sides agree on when no AP-REP was asked for. The service is then not proved to be itself before it sends
    /// something that is protected.
    #[must_use]
    pub fn agreement_without_reply(&self) -> Agreement {
        let first = self.seq_number.unwrap_or(0);
        Agreement::new(Role::Initiator, &self.session_key, self.subkey.as_ref()).with_seq_numbers(first, first)
    }
}

fn refusal(octets: &[u8]) -> ReplyError {
    match wire::decode::<KrbError>(octets) {
        Ok(error) => ReplyError::Refused {
            code: ErrorCode(error.error_code),
            text: error.e_text.as_ref().and_then(KerberosString::as_str).map(Into::into),
        },
        Err(why) => ReplyError::Malformed(why),
    }
}

/// Why what came back is no proof of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// The service, or somebody in between, sent a KRB-ERROR. Nothing proves who.
    Refused {
        /// Its code.
        code: ErrorCode,
        /// Its text for people.
        text: Option<String>,
    },
    /// Something else than an AP-REP or a KRB-ERROR.
    NotApRep,
    /// No DER, or of another type.
    Malformed(DecodeError),
    /// Not under the ticket's session key, or altered: it is not the service, or the service's key is not the KDC's.
    Integrity,
    /// The answer to another request.
    OtherRequest,
    /// A subkey of an enctype that is not used here.
    KeyType(i32),
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, text: None } => write!(f, "the service refused: {code}"),
            Self::Refused { code, text: Some(text) } => {
                write!(f, "the service refused: {code}: {}", text.escape_debug())
            }
            Self::NotApRep => f.write_str("the service sent something else than an AP-REP"),
            Self::Malformed(why) => write!(f, "the service's AP-REP is malformed: {why}"),
            Self::Integrity => f.write_str("the AP-REP is not under the ticket's session key: not the service itself"),
            Self::OtherRequest => f.write_str("the AP-REP answers another request"),
            Self::KeyType(etype) => write!(f, "the service chose a key of enctype {etype}, which is not used here"),
        }
    }
}

impl core::error::Error for ReplyError {}
