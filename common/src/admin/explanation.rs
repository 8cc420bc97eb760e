//! What a login would lead to, and what an administrator may do, as it is shown.

use serde::{Deserialize, Serialize};

use super::{Act, Source, Span, Time};

/// What a principal would be offered and given if it asked for a ticket now. Its JSON is what `principal explain --json`
/// prints; the names of the fields stay as they are. A reason is a name that the daemon's log has, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Explanation {
    /// Who would ask, with the realm.
    pub client: String,
    /// For a ticket to what, with the realm.
    pub service: String,
    /// From where it would ask.
    pub from: String,
    /// When it would ask.
    pub at: Time,
    /// Its roles: those of them that are declared.
    pub roles: Vec<String>,
    /// Every rule that is about the service, in the order in which they are looked at.
    pub rules: Vec<Considered>,
    /// What counts where no rule that allows is about the service: `allow` or `deny`; `null`: it counts for all but this
    /// service.
    pub default_access: Option<String>,
    /// Why the account gets nothing; `null`: it is good.
    pub account: Option<String>,
    /// Whether it would have to prove who it is.
    pub proof_needed: bool,
    /// What it could prove that by in the clear.
    pub unarmored: Offer,
    /// What it could prove that by through FAST armor.
    pub armored: Offer,
    /// What it would get for a proof, or without one where none is needed.
    pub by_login: Entitlement,
    /// What it would get for a ticket-granting ticket.
    pub by_ticket: Entitlement,
}

/// What is offered over one kind of channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Offer {
    /// Why nothing that comes this way is taken; `null`: it is.
    pub refused: Option<String>,
    /// The mechanisms, the best first.
    pub mechanisms: Vec<String>,
}

/// A rule that is about the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Considered {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub source: Source,
    /// `allow` or `deny`.
    pub effect: String,
    /// `applies`, or the first of its conditions that does not hold: `other-roles`, `other-networks`, `other-hours`.
    pub outcome: String,
}

/// What a client may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entitlement {
    /// Why it may have nothing; `null`: it may.
    pub refused: Option<String>,
    /// The rules that decided: the one that lets it have the ticket or refuses it, or those that close the service to it.
    pub rules: Vec<String>,
    /// The longest life of the ticket.
    pub max_life: Option<Span>,
    /// The longest time over which it can be renewed; `null`: not at all.
    pub max_renew: Option<Span>,
    /// The flags that it may ask for, or gets: `forwardable`, `proxiable`, `may-postdate`, `ok-as-delegate`.
    pub flags: Vec<String>,
}

/// Whether an administrator may do something, and by which of its rights. Its JSON is what `principal explain --act --json`
/// prints; the names of the fields stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ActExplanation {
    /// Who would do it, with the realm.
    pub administrator: String,
    /// What it would do.
    pub act: Act,
    /// To whom, with the realm; `null`: to the realm as a whole.
    pub on: Option<String>,
    /// The administrator's roles: those of them that are declared.
    pub roles: Vec<String>,
    /// The right that it takes: `viewer`, `helpdesk`, `keytab` or `admin`. `admin` includes all others, and each `viewer`.
    pub needs: String,
    /// Over whom: `anybody`, a right over any pattern does; `these-names`, each of the names has to match; `everybody`, only a
    /// right without a pattern does.
    pub over: String,
    /// Why it takes more than such acts do; `null`: it does not. `holds-rights`, `gives-rights`, `built-in`,
    /// `locked-by-administrator` or `has-password`.
    pub because: Option<String>,
    /// Every right that the administrator has, in the order in which they are looked at.
    pub rights: Vec<ConsideredRight>,
    /// `not-permitted`; `null`: it may.
    pub refused: Option<String>,
}

/// A right that an administrator has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConsideredRight {
    /// The right, as in `helpdesk:*/student`.
    pub right: String,
    /// The role that gives it.
    pub role: String,
    /// Where that role is declared.
    pub source: Source,
    /// `decides`, the first that covers the act; `covers`, the others; or why it does not: `other-right`, `other-names`,
    /// `not-everybody`.
    pub outcome: String,
}
