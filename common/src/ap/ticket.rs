use core::net::IpAddr;
use core::time::Duration;

use super::error::{ApError, KeyWanted, Part};
use super::request::ticket_service;
use crate::crypto::{EncType, Key, KeyUsage};
use crate::flags::TicketFlags;
use crate::name::Principal;
use crate::time::KerberosTime;
use crate::wire::{self, AuthorizationDataElement, EncTicketPart, EncryptionKey, HostAddress, Ticket, addr_type};

/// A ticket that was opened with the service's key: what it says, the KDC (or whoever else has that key) said. Whether it
/// is good now, from here and for this client is for the checks below.
#[derive(Clone, Debug)]
pub struct OpenTicket {
    part: EncTicketPart,
    client: Principal,
    session_key: Key,
    etype: EncType,
    kvno: Option<u32>,
}

/// Decrypts a ticket (key usage 2) and checks what can be checked without a clock: its names and its session key.
///
/// # Errors
/// [`ApError::TicketIntegrity`] when `key` is not the ticket's or the ticket was altered; [`ApError::Malformed`],
/// [`ApError::Name`] or [`ApError::KeyType`] when the KDC put something strange into it.
pub fn open_ticket(ticket: &Ticket, key: &Key) -> Result<OpenTicket, ApError> {
    let failed = |_| match ticket_service(ticket) {
        Ok(service) => ApError::TicketIntegrity(KeyWanted {
            service,
            kvno: ticket.enc_part.kvno.map(|kvno| kvno.0),
            etype: ticket.enc_part.etype,
            held: Vec::new(),
        }),
        Err(name) => name,
    };
    if ticket.enc_part.etype != key.etype().number() {
        return Err(failed(()));
    }
    let plain = key
        .decrypt(KeyUsage::TICKET, &ticket.enc_part.cipher)
        .map_err(|_| failed(()))?;
    let part = wire::decode(&plain).map_err(|why| ApError::Malformed(Part::Ticket, why))?;
    OpenTicket::new(part, key.etype(), ticket.enc_part.kvno.map(|kvno| kvno.0))
}

impl OpenTicket {
    fn new(part: EncTicketPart, etype: EncType, kvno: Option<u32>) -> Result<Self, ApError> {
        let bad = |why| ApError::Name(Part::Ticket, why);
        let client = Principal::new(part.cname.to_name().map_err(bad)?, part.crealm.to_realm().map_err(bad)?);
        let session_key = checked_key(&part.key).map_err(|etype| ApError::KeyType(Part::Ticket, etype))?;
        Ok(Self {
            part,
            client,
            session_key,
            etype,
            kvno,
        })
    }

    /// Who the ticket is for.
    #[must_use]
    pub const fn client(&self) -> &Principal {
        &self.client
    }

    /// The session key.
    #[must_use]
    pub const fn session_key(&self) -> &Key {
        &self.session_key
    }

    /// The enctype of the key that it was under.
    #[must_use]
    pub const fn etype(&self) -> EncType {
        self.etype
    }

    /// The version of that key, if the ticket names one.
    #[must_use]
    pub const fn kvno(&self) -> Option<u32> {
        self.kvno
    }

    /// The flags.
    #[must_use]
    pub const fn flags(&self) -> TicketFlags {
        self.part.flags
    }

    /// When the client was authenticated.
    #[must_use]
    pub const fn authtime(&self) -> KerberosTime {
        self.part.authtime
    }

    /// From when on the ticket is good: its starttime, or else its authtime (RFC 4120 §5.3).
    #[must_use]
    pub fn starttime(&self) -> KerberosTime {
        self.part.starttime.unwrap_or(self.part.authtime)
    }

    /// Until when the ticket is good.
    #[must_use]
    pub const fn endtime(&self) -> KerberosTime {
        self.part.endtime
    }

    /// Until when it can be renewed.
    #[must_use]
    pub const fn renew_till(&self) -> Option<KerberosTime> {
        self.part.renew_till
    }

    /// The addresses that it may be used from; empty, from anywhere.
    #[must_use]
    pub fn addresses(&self) -> &[HostAddress] {
        self.part.caddr.as_deref().unwrap_or_default()
    }

    /// The authorization data, as it stands in the ticket.
    #[must_use]
    pub fn authorization_data(&self) -> &[AuthorizationDataElement] {
        self.part.authorization_data.as_deref().unwrap_or_default()
    }

    /// Everything, as it stands in the ticket: for a KDC that makes another ticket from this one.
    #[must_use]
    pub const fn enc_part(&self) -> &EncTicketPart {
        &self.part
    }

    /// RFC 4120 §3.2.3: not before the start less the skew, not after the end and the skew.
    ///
    /// # Errors
    /// [`ApError::NotYetValid`] or [`ApError::Expired`].
    pub fn check_times(&self, now: KerberosTime, skew: Duration) -> Result<(), ApError> {
        let (starttime, endtime) = (self.starttime(), self.endtime());
        if starttime > now.plus(skew) {
            return Err(ApError::NotYetValid { starttime, now });
        }
        if now > endtime.plus(skew) {
            return Err(ApError::Expired { endtime, now });
        }
        Ok(())
    }

    /// RFC 4120 §2.4: a postdated ticket is of no use before a KDC validates it.
    ///
    /// # Errors
    /// [`ApError::Invalid`].
    pub const fn check_validated(&self) -> Result<(), ApError> {
        if self.part.flags.contains(TicketFlags::INVALID) {
            Err(ApError::Invalid)
        } else {
            Ok(())
        }
    }

    /// RFC 4120 §3.2.3: a ticket with addresses is good from these alone. An IPv4 address inside IPv6 counts as IPv4.
    /// NetBIOS addresses, which Windows asks for, name a machine and tell nothing of where a message came from: a ticket
    /// that has no others is good from anywhere, as with MIT.
    ///
    /// # Errors
    /// [`ApError::Address`].
    pub fn check_address(&self, from: IpAddr) -> Result<(), ApError> {
        let allowed = self.addresses();
        let from = from.to_canonical();
        let binds = |address: &&HostAddress| address.addr_type != addr_type::NETBIOS;
        let mut binding = allowed.iter().filter(binds).peekable();
        if binding.peek().is_none() || binding.any(|address| address.to_ip() == Some(from)) {
            return Ok(());
        }
        Err(ApError::Address {
            from,
            allowed: allowed.to_vec(),
        })
    }
}

/// A key out of a message, if it is of an enctype that is used here; else the enctype's number.
pub(super) fn checked_key(key: &EncryptionKey) -> Result<Key, i32> {
    EncType::from_number(key.keytype)
        .and_then(|etype| Key::new(etype, &key.keyvalue).ok())
        .ok_or(key.keytype)
}
