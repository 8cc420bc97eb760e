use super::error::{ApError, Part};
use super::replay::ReplayTag;
use crate::crypto::EncType;
use crate::flags::ApOptions;
use crate::name::Principal;
use crate::wire::{self, ApReq, EncryptedData, Ticket};

// The first octet of an AP-REQ: [APPLICATION 14], constructed.
const AP_REQ_TAG: u8 = 0x6e;

/// An AP-REQ whose cleartext is well-formed. Nothing of it is proved yet: the service's name and the key version are what
/// the peer says.
///
/// What it takes to believe it is the same for a service and for a KDC, save the key usage and what is then asked of it:
/// [`super::open_ticket`], [`super::open_authenticator`], and the checks on what these give.
#[derive(Clone, Debug)]
pub struct ApRequest {
    options: ApOptions,
    ticket: Ticket,
    service: Principal,
    authenticator: EncryptedData,
}

impl ApRequest {
    /// Decodes an AP-REQ and the ticket inside.
    ///
    /// # Errors
    /// [`ApError::NotApReq`], [`ApError::Malformed`], [`ApError::Version`] and [`ApError::Name`].
    pub fn decode(octets: &[u8]) -> Result<Self, ApError> {
        if octets.first() != Some(&AP_REQ_TAG) {
            return Err(ApError::NotApReq);
        }
        let request: ApReq = wire::decode(octets).map_err(|why| ApError::Malformed(Part::ApReq, why))?;
        if request.pvno != wire::PVNO {
            return Err(ApError::Version(Part::ApReq, request.pvno));
        }
        if request.msg_type != wire::msg_type::AP_REQ {
            return Err(ApError::NotApReq);
        }
        let ticket: Ticket =
            wire::decode(request.ticket.as_bytes()).map_err(|why| ApError::Malformed(Part::Ticket, why))?;
        if ticket.tkt_vno != wire::PVNO {
            return Err(ApError::Version(Part::Ticket, ticket.tkt_vno));
        }
        let service = ticket_service(&ticket)?;
        Ok(Self {
            options: request.ap_options,
            ticket,
            service,
            authenticator: request.authenticator,
        })
    }

    /// What the client wants.
    #[must_use]
    pub const fn options(&self) -> ApOptions {
        self.options
    }

    /// The ticket, still sealed.
    #[must_use]
    pub const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// The service that the ticket's cleartext names.
    #[must_use]
    pub const fn service(&self) -> &Principal {
        &self.service
    }

    /// The version of the key that the ticket says it is under. None in user-to-user.
    #[must_use]
    pub fn kvno(&self) -> Option<u32> {
        self.ticket.enc_part.kvno.map(|kvno| kvno.0)
    }

    /// The enctype of the key that the ticket says it is under, if it is one that is used here.
    #[must_use]
    pub const fn etype(&self) -> Option<EncType> {
        EncType::from_number(self.ticket.enc_part.etype)
    }

    /// The authenticator, still sealed.
    #[must_use]
    pub const fn authenticator(&self) -> &EncryptedData {
        &self.authenticator
    }

    /// What a replay cache knows this request by.
    #[must_use]
    pub fn replay_tag(&self) -> ReplayTag {
        ReplayTag::of(&self.authenticator.cipher)
    }
}

/// The service that a ticket's cleartext names.
///
/// # Errors
/// [`ApError::Name`].
pub(crate) fn ticket_service(ticket: &Ticket) -> Result<Principal, ApError> {
    let bad = |why| ApError::Name(Part::Ticket, why);
    Ok(Principal::new(
        ticket.sname.to_name().map_err(bad)?,
        ticket.realm.to_realm().map_err(bad)?,
    ))
}
