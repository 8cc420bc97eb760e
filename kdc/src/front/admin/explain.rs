//! An explanation, as administrators read it.

use core::net::IpAddr;

use tessera_common::admin::{
    self, Act, ActExplanation, Considered, ConsideredRight, Entitlement, Explanation, Offer, Response, Span, Time,
};
use tessera_common::flags::TicketFlags;
use tessera_common::time::KerberosTime;

use super::execute::{Executor, Refused};
use crate::kerberos::Explained;
use crate::realm::access::{DefaultAccess, Fit, Looked, Source};
use crate::realm::administration::{self, Asked, Target};
use crate::realm::authorization::Grant;
use crate::realm::denied::Denied;
use crate::realm::rules::RuleName;

/// Why an act is refused, as the log has it, too.
const NOT_PERMITTED: &str = "not-permitted";

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

impl Executor<'_> {
    /// Whether one may do something, and by which of its rights.
    pub(super) fn explain_act(&self, name: &str, act: Act, on: Option<&str>) -> Result<Response, Refused> {
        match on {
            None if act.is_to_a_principal() => {
                return Err(Refused::invalid(format!(
                    "{act} is done to a principal; name one with --on"
                )));
            }
            Some(_) if !act.is_to_a_principal() => {
                return Err(Refused::invalid(format!(
                    "{act} is done to the realm as a whole, and to no principal; leave out --on"
                )));
            }
            _ => {}
        }
        let view = self.store.view();
        let who = self.find(&view, name)?;
        let (on_name, on_record) = match on {
            // Who is to be added is nobody yet.
            Some(on) if act == Act::Add => {
                let name = self.name(on)?;
                self.may_by_name(&view, &name, view.find(&name))?;
                (Some(name), None)
            }
            Some(on) => {
                let record = self.find(&view, on)?;
                (Some(record.name.clone()), Some(record))
            }
            None => (None, None),
        };
        let target = match (&on_record, &on_name) {
            (Some(record), _) => Target::Principal(record),
            (None, Some(name)) => Target::Name(name),
            (None, None) => Target::Realm,
        };
        let policy = self.policy(&view);
        let asked = Asked { act, target };
        let need = administration::need(policy, &asked);
        let mut decided = false;
        let rights: Vec<_> = administration::look(policy, &who, &asked, need)
            .map(|looked| {
                let decides = looked.fit == administration::Fit::Covers && !core::mem::replace(&mut decided, true);
                considered_right(&looked, decides)
            })
            .collect();
        let refused = administration::authorize(policy, &who, &asked).is_err();
        Ok(Response::ActExplained(Box::new(ActExplanation {
            administrator: self.full(&who.name),
            act,
            on: on_name.as_ref().map(|name| self.full(name)),
            roles: policy.declared(&who.roles).map(ToString::to_string).collect(),
            needs: need.right.to_string(),
            over: need.over.name().to_owned(),
            because: need.because.map(|because| because.name().to_owned()),
            rights,
            refused: refused.then(|| NOT_PERMITTED.to_owned()),
        })))
    }
}

fn considered_right(looked: &administration::Looked<'_, '_>, decides: bool) -> ConsideredRight {
    let outcome = match looked.fit {
        administration::Fit::Covers if decides => "decides",
        administration::Fit::Covers => "covers",
        administration::Fit::OtherRight => "other-right",
        administration::Fit::NotEverybody => "not-everybody",
        administration::Fit::OtherNames => "other-names",
    };
    ConsideredRight {
        right: looked.held.granted.to_string(),
        role: looked.held.role.to_string(),
        source: source(looked.held.source),
        outcome: outcome.to_owned(),
    }
}

const fn source(source: Source) -> admin::Source {
    match source {
        Source::File => admin::Source::RealmToml,
        Source::Database => admin::Source::Database,
    }
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
    let outcome = match looked.fit {
        Fit::Applies => "applies",
        Fit::Role => "other-roles",
        Fit::Network => "other-networks",
        Fit::Hours => "other-hours",
    };
    Considered {
        name: looked.rule.name().to_string(),
        source: source(looked.source),
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
