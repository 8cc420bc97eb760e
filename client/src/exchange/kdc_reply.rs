use tessera_common::credential::{Credential, TicketTimes};
use tessera_common::crypto::{EncType, Key};
use tessera_common::flags::{KdcOptions, TicketFlags};
use tessera_common::name::{Name, Principal};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{self, DecodeError, EncKdcRepPart, KrbError, PrincipalName, msg_type};

use super::times::AbsoluteTimes;
use super::{ClockRule, ExchangeError, ReplyFault};

/// What a reply is checked against.
pub(super) struct Asked<'a> {
    pub(super) nonce: u32,
    pub(super) options: KdcOptions,
    pub(super) times: AbsoluteTimes,
    pub(super) etypes: &'a [EncType],
}

/// An answer by its tag: the reply that was hoped for, or an error.
pub(super) enum Answer<T> {
    Reply(T),
    Error(Box<KrbError>),
}

/// Tells a KRB-ERROR from the reply that `decode` reads.
pub(super) fn decode_answer<T>(
    octets: &[u8],
    decode: fn(&[u8]) -> Result<T, DecodeError>,
) -> Result<Answer<T>, DecodeError> {
    const KRB_ERROR_TAG: u8 = 0x60 | 30;
    if octets.first() == Some(&KRB_ERROR_TAG) {
        return decode_error(octets).map(Answer::Error);
    }
    decode(octets).map(Answer::Reply)
}

/// A KRB-ERROR, from the wire or from within FAST.
pub(super) fn decode_error(octets: &[u8]) -> Result<Box<KrbError>, DecodeError> {
    let error: KrbError = wire::decode(octets)?;
    if error.msg_type != msg_type::ERROR || error.pvno != wire::PVNO {
        return Err(DecodeError::Type("KRB-ERROR of another version or type".into()));
    }
    Ok(Box::new(error))
}

impl Asked<'_> {
    /// Whether an enctype, of a reply or of a session key, is one that was asked for.
    pub(super) fn etype(&self, number: i32) -> Result<EncType, ReplyFault> {
        let known = EncType::from_number(number).filter(|etype| self.etypes.contains(etype));
        known.ok_or(ReplyFault::EncType(number))
    }

    /// The nonce, and that no time is later than asked for (RFC 4120 §3.1.5, §3.3.4).
    pub(super) fn check(&self, part: &EncKdcRepPart) -> Result<(), ReplyFault> {
        if part.nonce.0 != self.nonce {
            return Err(ReplyFault::Nonce);
        }
        let asked_till = Some(self.times.till).filter(|till| *till != KerberosTime::EPOCH);
        let later_than = |time: Option<KerberosTime>, limit: Option<KerberosTime>| match (time, limit) {
            (Some(time), Some(limit)) => time > limit,
            _ => false,
        };
        let moved = self.options.contains(KdcOptions::POSTDATED)
            && self.times.from.is_some()
            && self.times.from != Some(part.starttime.unwrap_or(part.authtime));
        let asked_rtime = self.times.rtime.filter(|rtime| *rtime != KerberosTime::EPOCH);
        let renewable = self.options.contains(KdcOptions::RENEWABLE);
        let renewable_ok = self.options.contains(KdcOptions::RENEWABLE_OK)
            && !renewable
            && part.flags.contains(TicketFlags::RENEWABLE);
        if moved
            || later_than(Some(part.endtime), asked_till)
            || (renewable && later_than(part.renew_till, asked_rtime))
            || (renewable_ok && later_than(part.renew_till, asked_till))
        {
            return Err(ReplyFault::Times);
        }
        Ok(())
    }

    /// Where the KDC's clock is not to be followed, a ticket for now must begin about now.
    pub(super) fn check_clock(&self, part: &EncKdcRepPart, now: Timestamp, rule: ClockRule) -> Result<(), ReplyFault> {
        let start = part.starttime.unwrap_or(part.authtime);
        if rule.follow_kdc || self.times.from.is_some() || start.within(now.time, rule.skew) {
            Ok(())
        } else {
            Err(ReplyFault::ClockSkew)
        }
    }

    /// The credential that a checked reply is.
    pub(super) fn credential(
        &self,
        client: Principal,
        part: &EncKdcRepPart,
        ticket: Vec<u8>,
    ) -> Result<Credential, ReplyFault> {
        let etype = self.etype(part.key.keytype)?;
        let server = server(part)?;
        // The cleartext is nobody's word; where it says something else, somebody altered it.
        let outside: wire::Ticket = wire::decode(&ticket).map_err(|_| ReplyFault::Server)?;
        if principal(&outside.sname, &outside.realm)? != server {
            return Err(ReplyFault::Server);
        }
        Ok(Credential {
            client,
            server,
            key: Key::new(etype, &part.key.keyvalue).map_err(ReplyFault::Key)?,
            times: TicketTimes {
                authtime: part.authtime,
                starttime: part.starttime.unwrap_or(part.authtime),
                endtime: part.endtime,
                renew_till: part.renew_till,
            },
            flags: part.flags,
            addresses: part.caddr.clone().unwrap_or_default(),
            authorization_data: Vec::new(),
            ticket,
            second_ticket: Vec::new(),
        })
    }
}

/// The service, from the encrypted part: the ticket's cleartext is nobody's word (CVE-2017-11103).
pub(super) fn server(part: &EncKdcRepPart) -> Result<Principal, ReplyFault> {
    principal(&part.sname, &part.srealm)
}

pub(super) fn principal(name: &PrincipalName, realm: &wire::KerberosString) -> Result<Principal, ReplyFault> {
    let name: Name = name.to_name().map_err(ReplyFault::Name)?;
    Ok(Principal::new(name, realm.to_realm().map_err(ReplyFault::Name)?))
}

impl From<Box<KrbError>> for ExchangeError {
    fn from(error: Box<KrbError>) -> Self {
        Self::Refused(Box::new((*error).into()))
    }
}
