//! A ticket in the hands of its client.

use crate::crypto::Key;
use crate::flags::TicketFlags;
use crate::name::Principal;
use crate::time::KerberosTime;
use crate::wire::{AuthorizationData, HostAddress};

/// A ticket and what its client needs to use it: what an AS or TGS exchange gives, a credential cache keeps and an AP
/// exchange starts from. Every field but the tickets themselves comes from the part of the KDC's reply that was encrypted
/// for the client; nothing is read from a ticket's cleartext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Whom the ticket names.
    pub client: Principal,
    /// What the ticket is for.
    pub server: Principal,
    /// The session key.
    pub key: Key,
    /// From when until when.
    pub times: TicketTimes,
    /// The ticket's flags.
    pub flags: TicketFlags,
    /// From where the ticket may be used; empty, from anywhere.
    pub addresses: Vec<HostAddress>,
    /// Authorization data that the client asked for; empty in practice.
    pub authorization_data: AuthorizationData,
    /// The DER of the [`crate::wire::Ticket`], as received.
    pub ticket: Vec<u8>,
    /// For user-to-user: the DER of the server's own TGT, in whose session key `ticket` is encrypted. Otherwise empty.
    pub second_ticket: Vec<u8>,
}

impl Credential {
    /// Whether the ticket is encrypted in a session key (user-to-user) and not in the server's own.
    #[must_use]
    pub fn is_user_to_user(&self) -> bool {
        !self.second_ticket.is_empty()
    }

    /// Whether the ticket can be used at `now`: begun, not over, not waiting for validation.
    #[must_use]
    pub fn is_usable(&self, now: KerberosTime) -> bool {
        self.times.starttime <= now && now < self.times.endtime && !self.flags.contains(TicketFlags::INVALID)
    }
}

/// When a ticket was first issued, begins, ends, and until when it can be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TicketTimes {
    /// When the client was authenticated first.
    pub authtime: KerberosTime,
    /// From when on; `authtime` where the KDC named none.
    pub starttime: KerberosTime,
    /// Until when.
    pub endtime: KerberosTime,
    /// Until when it can be renewed, if at all.
    pub renew_till: Option<KerberosTime>,
}
