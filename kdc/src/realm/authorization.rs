//! May they? Rules about who may get which ticket, for how long, with which properties.

use core::time::Duration;

use tessera_common::flags::TicketFlags;
use tessera_common::time::KerberosTime;

use super::authentication::Authenticated;
use super::denied::Denied;
use super::principal::{Attributes, PrincipalRecord};
use super::settings::RealmSettings;

/// The way a ticket is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// From the AS, by a proof.
    Initial,
    /// From the TGS, by a TGT; whether the client was pre-authenticated when it got that.
    Tgt {
        /// The TGT's PRE-AUTHENT flag.
        pre_authenticated: bool,
    },
    /// As [`Path::Tgt`], sealed in another user's session key.
    UserToUser {
        /// The TGT's PRE-AUTHENT flag.
        pre_authenticated: bool,
    },
    /// A ticket to the service that the client holds already is renewed, validated, forwarded or proxied.
    Again {
        /// The held ticket's PRE-AUTHENT flag.
        pre_authenticated: bool,
    },
}

/// What the realm grants: bounds, of which the request takes what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The longest life: the least of the realm's, the client's and the service's.
    pub life: Duration,
    /// The longest renewable life, likewise; `None`, not renewable.
    pub renewable_life: Option<Duration>,
    /// Of FORWARDABLE and PROXIABLE, those that may be set.
    pub delegation: TicketFlags,
    /// Whether the ticket may be postdated, or be used to get postdated ones.
    pub postdateable: bool,
    /// Whether the realm trusts the service with delegated credentials.
    pub ok_as_delegate: bool,
}

/// Whether `client` may have a ticket to `service`.
///
/// # Errors
/// [`Denied`], for a reason that lies in the service or in what the client's ticket is.
pub fn authorize_ticket(
    settings: &RealmSettings,
    client: &Authenticated,
    service: &PrincipalRecord,
    path: Path,
    now: KerberosTime,
) -> Result<Grant, Denied> {
    let has = |attribute| service.attributes.contains(attribute);
    if has(Attributes::LOCKED) {
        return Err(Denied::ServiceLocked);
    }
    if service.expires.is_some_and(|at| at <= now) {
        return Err(Denied::ServiceExpired);
    }
    let user_to_user = matches!(path, Path::UserToUser { .. });
    if user_to_user && has(Attributes::NO_USER_TO_USER) {
        return Err(Denied::NoUserToUser);
    }
    if !user_to_user && has(Attributes::NOT_A_SERVICE) {
        let possible = !has(Attributes::NO_USER_TO_USER);
        return Err(if possible {
            Denied::NotAService
        } else {
            Denied::NotIssuedTo
        });
    }
    // Renewal included: a ticket to change a password is short-lived for a reason.
    if has(Attributes::NOT_TGT_BASED) && path != Path::Initial {
        return Err(Denied::NotTgtBased);
    }
    let pre_authenticated = match path {
        Path::Initial => client.factors().any(),
        Path::Tgt { pre_authenticated }
        | Path::UserToUser { pre_authenticated }
        | Path::Again { pre_authenticated } => pre_authenticated,
    };
    if has(Attributes::REQUIRE_PREAUTH) && !pre_authenticated {
        return Err(Denied::ServiceRequiresPreauth);
    }
    Ok(grant(settings, client.record(), service))
}

fn grant(settings: &RealmSettings, client: &PrincipalRecord, service: &PrincipalRecord) -> Grant {
    let either = |attribute| client.attributes.contains(attribute) || service.attributes.contains(attribute);
    let least = |realm: Duration, of: fn(&PrincipalRecord) -> Option<Duration>| {
        [of(client), of(service)]
            .into_iter()
            .flatten()
            .fold(realm, Duration::min)
    };
    let renewable_life = least(settings.renewable_lifetime, |record| record.max_renew);
    Grant {
        life: least(settings.lifetime, |record| record.max_life),
        renewable_life: (!either(Attributes::NOT_RENEWABLE) && !renewable_life.is_zero()).then_some(renewable_life),
        delegation: TicketFlags::empty()
            .set(TicketFlags::FORWARDABLE, !either(Attributes::NOT_FORWARDABLE))
            .set(TicketFlags::PROXIABLE, !either(Attributes::NOT_PROXIABLE)),
        postdateable: !either(Attributes::NOT_POSTDATEABLE),
        ok_as_delegate: service.attributes.contains(Attributes::OK_AS_DELEGATE),
    }
}
