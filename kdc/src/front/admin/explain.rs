//! An explanation, as administrators read it.

use core::net::IpAddr;

use tessera_common::admin::{self, Considered, Entitlement, Explanation, Offer, Span, Time};
use tessera_common::flags::TicketFlags;
use tessera_common::time::KerberosTime;

use crate::kerberos::Explained;
use crate::realm::access::{DefaultAccess, Fit, Looked, Source};
use crate::realm::authorization::Grant;
use crate::realm::denied::Denied;
use crate::realm::rules::RuleName;

/// What an explanation is about.
pub(super) struct About {
    /// Who would ask, with the realm.
    pub(super) client: String,
    /// For a ticket to what, with the realm.
    pub(super) service: String,
    pub(super) from: IpAddr,
    pub(super) at: KerberosTime,
    /// The client's.
    pub(super) roles: Vec<String>,
    /// The realm's.
    pub(super) default_access: DefaultAccess,
}

/// `explained` in the words of the protocol.
pub(super) fn explanation(about: About, explained: Explained<'_>) -> Explanation {
    let default_access = match about.default_access {
        DefaultAccess::Allow => "allow",
        DefaultAccess::Deny => "deny",
    };
    Explanation {
        client: about.client,
        service: about.service,
        from: about.from.to_string(),
        at: Time(about.at),
        roles: about.roles,
        rules: explained.rules.iter().map(considered).collect(),
        default_access: explained.default_counts.then(|| default_access.to_owned()),
        account: explained.account.as_ref().err().map(reason),
        proof_needed: explained.proof_needed,
        unarmored: offer(explained.open),
        armored: offer(explained.armored),
        by_login: entitlement(explained.by_login),
        by_ticket: entitlement(explained.by_ticket),
    }
}

fn considered(looked: &Looked<'_>) -> Considered {
    let source = match looked.source {
        Source::File => admin::Source::RealmToml,
        Source::Database => admin::Source::Database,
    };
    let outcome = match looked.fit {
        Fit::Applies => "applies",
        Fit::Role => "other-roles",
        Fit::Network => "other-networks",
        Fit::Hours => "other-hours",
    };
    Considered {
        name: looked.rule.name().to_string(),
        source,
        effect: looked.rule.effect().to_string(),
        outcome: outcome.to_owned(),
    }
}

fn reason(denied: &Denied) -> String {
    denied.name().to_owned()
}

fn offer(mechanisms: Result<Vec<&'static str>, Denied>) -> Offer {
    let (refused, mechanisms) = match mechanisms {
        Ok(mechanisms) => (None, mechanisms),
        Err(denied) => (Some(reason(&denied)), Vec::new()),
    };
    Offer {
        refused,
        mechanisms: mechanisms.into_iter().map(str::to_owned).collect(),
    }
}

fn entitlement(grant: Result<Grant<'_>, Denied>) -> Entitlement {
    let grant = match grant {
        Ok(grant) => grant,
        Err(denied) => {
            return Entitlement {
                refused: Some(reason(&denied)),
                rules: denied.rules().iter().map(RuleName::to_string).collect(),
                max_life: None,
                max_renew: None,
                flags: Vec::new(),
            };
        }
    };
    let flags = grant
        .delegation
        .set(TicketFlags::MAY_POSTDATE, grant.postdateable)
        .set(TicketFlags::OK_AS_DELEGATE, grant.ok_as_delegate);
    let named = TicketFlags::NAMED.iter().filter(|(flag, _)| flags.contains(*flag));
    Entitlement {
        refused: None,
        rules: grant.rule.iter().map(|rule| rule.name().to_string()).collect(),
        max_life: Some(Span(grant.life)),
        max_renew: grant.renewable_life.map(Span),
        flags: named.map(|(_, name)| (*name).to_owned()).collect(),
    }
}
