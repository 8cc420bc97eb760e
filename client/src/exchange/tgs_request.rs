use tessera_common::credential::Credential;
use tessera_common::crypto::EncType;
use tessera_common::flags::{KdcOptions, TicketFlags};
use tessera_common::name::Principal;
use tessera_common::wire::{AuthorizationData, HostAddress};

use super::{ClockRule, RequestedTimes, name_type_of};

/// What to ask a ticket-granting service for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TgsRequest {
    /// What the ticket shall be for. A service of another realm is asked for there, by way of a TGT for that realm.
    pub service: Principal,
    /// The service's name type.
    pub service_name_type: i32,
    /// What is asked of the ticket. CANONICALIZE lets the KDC refer to another realm.
    pub options: KdcOptions,
    /// When it shall begin and end.
    pub times: RequestedTimes,
    /// The enctypes that are taken for the session key, best first. Not empty.
    pub etypes: Vec<EncType>,
    /// With FORWARDED or PROXY, the addresses that the ticket shall be good from; empty, from anywhere.
    pub addresses: Vec<HostAddress>,
    /// Authorization data to be put into the ticket.
    pub authorization_data: AuthorizationData,
    /// With ENC_TKT_IN_SKEY, the DER of the TGT whose session key shall encrypt the ticket.
    pub second_ticket: Vec<u8>,
    /// What to make of the KDC's clock.
    pub clock: ClockRule,
    /// Whether the first KDC that is asked has to speak FAST, as it has said it does. Of those that it refers to, none has said
    /// so.
    pub fast: bool,
}

impl TgsRequest {
    /// A ticket for `service`, from now until as late as possible, with every enctype.
    #[must_use]
    pub fn new(service: Principal) -> Self {
        Self {
            service_name_type: name_type_of(&service.name),
            service,
            options: KdcOptions::empty(),
            times: RequestedTimes::default(),
            etypes: EncType::ALL.to_vec(),
            addresses: Vec::new(),
            authorization_data: Vec::new(),
            second_ticket: Vec::new(),
            clock: ClockRule::default(),
            fast: false,
        }
    }

    /// The same ticket again, with a new end. To be begun with the ticket itself.
    #[must_use]
    pub fn renew(credential: &Credential) -> Self {
        Self {
            options: common_options(credential.flags) | KdcOptions::RENEW,
            ..Self::new(credential.server.clone())
        }
    }

    /// The same, postdated ticket made valid. To be begun with the ticket itself.
    #[must_use]
    pub fn validate(credential: &Credential) -> Self {
        Self {
            options: common_options(credential.flags) | KdcOptions::VALIDATE,
            ..Self::new(credential.server.clone())
        }
    }

    /// A forwarded TGT for other addresses; for none, good from anywhere.
    #[must_use]
    pub fn forward(tgt: &Credential, addresses: Vec<HostAddress>) -> Self {
        let options = common_options(tgt.flags) | KdcOptions::FORWARDED;
        Self {
            options,
            addresses,
            ..Self::new(tgt.server.clone())
        }
    }

    /// A ticket for `service` that another host may use in the client's name.
    #[must_use]
    pub fn proxy(service: Principal, addresses: Vec<HostAddress>) -> Self {
        Self {
            options: KdcOptions::PROXY,
            addresses,
            ..Self::new(service)
        }
    }

    /// A ticket for `service` that is encrypted in the session key of its own TGT (RFC 4120 §3.7).
    #[must_use]
    pub fn user_to_user(service: Principal, second_ticket: Vec<u8>) -> Self {
        Self {
            options: KdcOptions::ENC_TKT_IN_SKEY,
            second_ticket,
            ..Self::new(service)
        }
    }
}

/// The options that a ticket's flags suggest: what it can do, a ticket got with it shall be able to do.
#[must_use]
pub fn common_options(flags: TicketFlags) -> KdcOptions {
    [
        (TicketFlags::FORWARDABLE, KdcOptions::FORWARDABLE),
        (TicketFlags::PROXIABLE, KdcOptions::PROXIABLE),
        (TicketFlags::MAY_POSTDATE, KdcOptions::ALLOW_POSTDATE),
        (TicketFlags::RENEWABLE, KdcOptions::RENEWABLE),
    ]
    .into_iter()
    .fold(KdcOptions::empty(), |options, (flag, option)| {
        options.set(option, options.contains(option) || flags.contains(flag))
    })
}
