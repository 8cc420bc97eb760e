//! KRB-CRED: tickets handed on with their session keys (RFC 4120 §3.6).

use core::time::Duration;

use zeroize::Zeroizing;

use super::message::{check_fresh, check_type, timestamp};
use super::message_error::MessageError;
use super::replay::{ReplayCache, ReplayTag};
use super::ticket::checked_key;
use crate::Random;
use crate::credential::{Credential, TicketTimes};
use crate::crypto::{Key, KeyUsage};
use crate::name::{Principal, name_type};
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{
    self, Any, EncKrbCredPart, EncryptedData, HostAddress, KerberosString, KrbCred, KrbCredInfo, Microseconds,
    PrincipalName, UInt32,
};

// The first octet: [APPLICATION 22], constructed.
const TAG: u8 = 0x76;
// "No encryption" (RFC 6448).
const ETYPE_NULL: i32 = 0;

/// What a KRB-CRED says about itself, under the same protection as the session keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredHeader {
    /// Ties it to a request; some programs count with it as with a sequence number.
    pub nonce: Option<u32>,
    /// When it was sent.
    pub timestamp: Option<Timestamp>,
    /// Who sent it.
    pub sender: Option<HostAddress>,
    /// To whom.
    pub receiver: Option<HostAddress>,
}

/// How the session keys in a KRB-CRED are protected.
#[derive(Clone, Copy, Debug)]
pub enum Protection<'a> {
    /// Encrypted, key usage 14. A reader tries the keys in turn: after an AP exchange the session's key and the ticket's,
    /// since programs differ in which they take.
    Keys(&'a [&'a Key]),
    /// Not at all (RFC 6448): only where the whole message is inside something encrypted, as in GSS-API's delegation.
    Outside,
}

/// A KRB-CRED that was read.
#[derive(Clone, Debug)]
pub struct OpenCred {
    /// What it says about itself; see [`OpenCred::check_fresh`].
    pub header: CredHeader,
    /// The tickets, with their keys.
    pub credentials: Vec<Credential>,
    /// What a replay cache knows the message by.
    pub tag: ReplayTag,
}

impl OpenCred {
    /// RFC 4120 §3.6.2: the message's time is at most `skew` from `now`, and it was not read before. Not for what came inside
    /// something encrypted, whose own freshness counts.
    ///
    /// # Errors
    /// [`MessageError::NoTimestamp`], [`MessageError::Skew`], [`MessageError::Replay`], [`MessageError::ReplayCacheFull`] or
    /// [`MessageError::ReplayCacheUnavailable`].
    pub fn check_fresh(
        &self,
        now: KerberosTime,
        skew: Duration,
        replays: &(impl ReplayCache + ?Sized),
    ) -> Result<(), MessageError> {
        check_fresh(self.header.timestamp, self.tag, now, skew, replays)
    }
}

/// A KRB-CRED with `credentials`, encrypted under the first of the keys, or not at all when there is none; encoded.
#[must_use]
pub fn make(
    protection: Protection<'_>,
    header: &CredHeader,
    credentials: &[Credential],
    random: &mut dyn Random,
) -> Vec<u8> {
    let part = EncKrbCredPart {
        ticket_info: credentials.iter().map(describe).collect(),
        nonce: header.nonce.map(UInt32),
        timestamp: header.timestamp.map(|t| t.time),
        usec: header.timestamp.map(|t| Microseconds(t.usec.min(999_999))),
        s_address: header.sender.clone(),
        r_address: header.receiver.clone(),
    };
    let plain = Zeroizing::new(wire::encode(&part));
    let key = match protection {
        Protection::Keys(keys) => keys.first(),
        Protection::Outside => None,
    };
    let (etype, cipher) = match key {
        Some(key) => (key.etype().number(), key.encrypt(KeyUsage::KRB_CRED, &plain, random)),
        None => (ETYPE_NULL, plain.to_vec()),
    };
    wire::encode(&KrbCred {
        pvno: wire::PVNO,
        msg_type: wire::msg_type::CRED,
        tickets: credentials
            .iter()
            .map(|credential| Any::new(credential.ticket.clone()))
            .collect(),
        enc_part: EncryptedData {
            etype,
            kvno: None,
            cipher: cipher.into(),
        },
    })
}

/// Reads a KRB-CRED. With [`Protection::Outside`], only one that is not encrypted is taken; with keys, only one that is.
///
/// # Errors
/// [`MessageError`], of the ones that need no clock and no memory.
pub fn read(protection: Protection<'_>, octets: &[u8]) -> Result<OpenCred, MessageError> {
    if octets.first() != Some(&TAG) {
        return Err(MessageError::Type);
    }
    let message: KrbCred = wire::decode(octets).map_err(MessageError::Malformed)?;
    check_type(message.pvno, message.msg_type, wire::msg_type::CRED)?;
    let plain = open(protection, &message.enc_part)?;
    let part: EncKrbCredPart = wire::decode(&plain).map_err(MessageError::Malformed)?;
    if part.ticket_info.len() != message.tickets.len() {
        return Err(MessageError::Description);
    }
    let pairs = part.ticket_info.iter().zip(message.tickets);
    Ok(OpenCred {
        header: CredHeader {
            nonce: part.nonce.map(|n| n.0),
            timestamp: timestamp(part.timestamp, part.usec),
            sender: part.s_address,
            receiver: part.r_address,
        },
        credentials: pairs
            .map(|(info, ticket)| credential(info, ticket))
            .collect::<Result<_, _>>()?,
        tag: ReplayTag::of(&message.enc_part.cipher),
    })
}

fn open(protection: Protection<'_>, sealed: &EncryptedData) -> Result<Zeroizing<Vec<u8>>, MessageError> {
    let keys = match (protection, sealed.etype) {
        (Protection::Outside, ETYPE_NULL) => return Ok(Zeroizing::new(sealed.cipher.to_vec())),
        (Protection::Outside, other) => return Err(MessageError::EncType(other)),
        (Protection::Keys(_), ETYPE_NULL) => return Err(MessageError::Cleartext),
        (Protection::Keys(keys), _) => keys,
    };
    let mut fitting = keys
        .iter()
        .filter(|key| key.etype().number() == sealed.etype)
        .peekable();
    if fitting.peek().is_none() {
        return Err(MessageError::EncType(sealed.etype));
    }
    fitting
        .find_map(|key| key.decrypt(KeyUsage::KRB_CRED, &sealed.cipher).ok())
        .ok_or(MessageError::Integrity)
}

fn describe(credential: &Credential) -> KrbCredInfo {
    let Credential {
        client,
        server,
        key,
        times,
        flags,
        addresses,
        ..
    } = credential;
    KrbCredInfo {
        key: key.into(),
        prealm: Some(KerberosString::from(&client.realm)),
        pname: Some(PrincipalName::new(name_type::PRINCIPAL, &client.name)),
        flags: Some(*flags),
        authtime: Some(times.authtime),
        starttime: Some(times.starttime),
        endtime: Some(times.endtime),
        renew_till: times.renew_till,
        srealm: Some(KerberosString::from(&server.realm)),
        sname: Some(PrincipalName::new(name_type::SRV_INST, &server.name)),
        caddr: (!addresses.is_empty()).then(|| addresses.clone()),
    }
}

// Every field of the description may be absent (RFC 4120 §5.8.1), but without names and an end there is no using the ticket.
fn credential(info: &KrbCredInfo, ticket: Any) -> Result<Credential, MessageError> {
    let endtime = info.endtime.ok_or(MessageError::Description)?;
    let authtime = info.authtime.or(info.starttime).unwrap_or_default();
    Ok(Credential {
        client: principal(info.pname.as_ref(), info.prealm.as_ref())?,
        server: principal(info.sname.as_ref(), info.srealm.as_ref())?,
        key: checked_key(&info.key).map_err(MessageError::KeyType)?,
        times: TicketTimes {
            authtime,
            starttime: info.starttime.unwrap_or(authtime),
            endtime,
            renew_till: info.renew_till,
        },
        flags: info.flags.unwrap_or_default(),
        addresses: info.caddr.clone().unwrap_or_default(),
        authorization_data: Vec::new(),
        ticket: ticket.into_bytes(),
        second_ticket: Vec::new(),
    })
}

fn principal(name: Option<&PrincipalName>, realm: Option<&KerberosString>) -> Result<Principal, MessageError> {
    let (Some(name), Some(realm)) = (name, realm) else {
        return Err(MessageError::Description);
    };
    let name = name.to_name().map_err(MessageError::Name)?;
    Ok(Principal::new(name, realm.to_realm().map_err(MessageError::Name)?))
}
