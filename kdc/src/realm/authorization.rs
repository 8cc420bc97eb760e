//! May they? Rules about who may get which ticket, for how long, with which properties.

use core::net::IpAddr;
use core::time::Duration;

use tessera_common::admin::Span;
use tessera_common::flags::TicketFlags;
use tessera_common::time::KerberosTime;

use super::access::{AccessPolicy, Question};
use super::authentication::Authenticated;
use super::denied::Denied;
use super::policy::Policy;
use super::principal::{Attributes, PrincipalRecord};
use super::rules::Rule;

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
    /// A ticket to the service that the client holds already is forwarded or proxied.
    Again {
        /// The held ticket's PRE-AUTHENT flag.
        pre_authenticated: bool,
    },
    /// A ticket to the service that the client holds already is renewed or validated.
    Kept {
        /// The held ticket's PRE-AUTHENT flag.
        pre_authenticated: bool,
    },
}

/// How a ticket is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The way.
    pub path: Path,
    /// From where.
    pub from: IpAddr,
    /// When.
    pub now: KerberosTime,
}

/// What the realm grants: bounds, of which the request takes what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant<'p> {
    /// The longest life: the least of the realm's, the client's, its policy's, the service's and the rule's.
    pub life: Duration,
    /// The longest renewable life, likewise: a rule's `max-life` is the most that any number of renewals make of the ticket.
    /// `None`, not renewable.
    pub renewable_life: Option<Duration>,
    /// Of FORWARDABLE and PROXIABLE, those that may be set.
    pub delegation: TicketFlags,
    /// Whether the ticket may be postdated, or be used to get postdated ones.
    pub postdateable: bool,
    /// Whether the realm trusts the service with delegated credentials.
    pub ok_as_delegate: bool,
    /// The rule that lets the client have the ticket; `None`, no rule had to.
    pub rule: Option<&'p Rule>,
}

/// Whether `client` may have a ticket to `service`.
///
/// # Errors
/// [`Denied`], for a reason that lies in the service, in what the client's ticket is, or in the rules.
pub fn authorize_ticket<'p>(
    policy: AccessPolicy<'p>,
    client: &Authenticated,
    service: &PrincipalRecord,
    asked: &Asked,
) -> Result<Grant<'p>, Denied> {
    let &Asked { path, from, now } = asked;
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
        | Path::Again { pre_authenticated }
        | Path::Kept { pre_authenticated } => pre_authenticated,
    };
    if has(Attributes::REQUIRE_PREAUTH) && !pre_authenticated {
        return Err(Denied::ServiceRequiresPreauth);
    }
    let rule = policy.decide(&Question {
        roles: &client.record().roles,
        service,
        from,
        now,
        keeps_ticket: matches!(path, Path::Kept { .. }),
    })?;
    Ok(grant(policy, client.record(), service, rule))
}

fn grant<'p>(
    policy: AccessPolicy<'_>,
    client: &PrincipalRecord,
    service: &PrincipalRecord,
    rule: Option<&'p Rule>,
) -> Grant<'p> {
    let either = |attribute| client.attributes.contains(attribute) || service.attributes.contains(attribute);
    // As the client: who goes by a policy has shorter tickets, not who asks for tickets to it.
    let goes_by = policy.policy_of(client).map(Policy::body);
    let least = |realm: Duration, of: fn(&PrincipalRecord) -> Option<Duration>, by: Option<Span>| {
        [
            of(client),
            of(service),
            rule.and_then(Rule::max_life),
            by.map(|Span(by)| by),
        ]
        .into_iter()
        .flatten()
        .fold(realm, Duration::min)
    };
    let settings = policy.settings;
    let max_renew = goes_by.and_then(|parts| parts.max_renew);
    let renewable_life = least(settings.renewable_lifetime, |record| record.max_renew, max_renew);
    Grant {
        life: least(
            settings.lifetime,
            |record| record.max_life,
            goes_by.and_then(|parts| parts.max_life),
        ),
        renewable_life: (!either(Attributes::NOT_RENEWABLE) && !renewable_life.is_zero()).then_some(renewable_life),
        delegation: TicketFlags::empty()
            .set(TicketFlags::FORWARDABLE, !either(Attributes::NOT_FORWARDABLE))
            .set(TicketFlags::PROXIABLE, !either(Attributes::NOT_PROXIABLE)),
        postdateable: !either(Attributes::NOT_POSTDATEABLE),
        ok_as_delegate: service.attributes.contains(Attributes::OK_AS_DELEGATE),
        rule,
    }
}
