//! Who may have tickets for what, when all rules are taken together.
//!
//! A rule *concerns* a service whose name, or an alias of it, matches one of the rule's patterns: so a refusal cannot be gone
//! round by another name. A rule *applies* to a request when it concerns the service and the client has one of its roles, the
//! request comes from one of its networks and it is one of its hours; a condition that is absent holds. Then:
//!
//! 1. A rule that applies and denies: refused.
//! 2. Rules that allow concern the service: it is closed, whatever their other conditions say. One of them has to apply, or
//!    it is refused. Of several that apply the one that grants the longest life counts.
//! 3. No rule that allows concerns the service: what `default-access` says.
//!
//! So that nobody locks himself out, the realm's own krbtgt, kadmin/changepw, and the renewal and validation of any ticket
//! are concerned only by patterns that are the very name, without a wildcard; and `default-access` is not for them.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use tessera_common::admin::Span;
use tessera_common::role::RoleName;
use tessera_common::time::KerberosTime;

use super::denied::Denied;
use super::hours::LocalTime;
use super::policy::{DEFAULT_POLICY, Policy, PolicyName};
use super::principal::PrincipalRecord;
use super::rights::{Granted, Role};
use super::rules::{Effect, Rule, RuleName};
use super::settings::RealmSettings;

/// What becomes of a service that no rule concerns which allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DefaultAccess {
    /// Everybody may have tickets for it.
    #[default]
    Allow,
    /// Nobody.
    Deny,
}

/// Roles, rules and policies that are declared in one place: in realm.toml, or in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    // And the rights that they give.
    roles: BTreeMap<RoleName, Vec<Granted>>,
    // In the order of their names.
    rules: Vec<Rule>,
    policies: BTreeMap<PolicyName, Policy>,
}

/// Where something is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In realm.toml.
    File,
    /// In the database, by an administrator.
    Database,
}

/// What two places cannot both say, or neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A role is declared in both.
    Role(RoleName),
    /// Rules in both have this name.
    Rule(RuleName),
    /// Policies in both have this name.
    Policy(PolicyName),
    /// A rule names a role that neither declares.
    Undeclared {
        /// The rule.
        rule: RuleName,
        /// Where it is.
        source: Source,
        /// The role.
        role: RoleName,
    },
}

impl Access {
    /// Nothing.
    pub const NONE: &'static Self = &Self {
        roles: BTreeMap::new(),
        rules: Vec::new(),
        policies: BTreeMap::new(),
    };

    /// What is declared. Of rules of one name the last counts.
    #[must_use]
    pub fn new(roles: impl IntoIterator<Item = Role>, rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut access = Self {
            roles: roles.into_iter().map(|role| (role.name, role.rights)).collect(),
            ..Self::default()
        };
        for rule in rules {
            match access.rules.binary_search_by(|other| other.name().cmp(rule.name())) {
                Ok(at) => access.rules.splice(at..=at, [rule]).for_each(drop),
                Err(at) => access.rules.insert(at, rule),
            }
        }
        access
    }

    /// With these policies, too. Of policies of one name the last counts.
    #[must_use]
    pub fn with_policies(mut self, policies: impl IntoIterator<Item = Policy>) -> Self {
        let named = policies.into_iter().map(|policy| (policy.name().clone(), policy));
        self.policies.extend(named);
        self
    }

    /// The roles, in the order of their names.
    pub fn roles(&self) -> impl Iterator<Item = &RoleName> {
        self.roles.keys()
    }

    /// The rights that a role gives; none, if it is not declared here.
    #[must_use]
    pub fn rights(&self, role: &RoleName) -> &[Granted] {
        self.roles.get(role).map_or(&[], Vec::as_slice)
    }

    /// The policies, in the order of their names.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values()
    }

    /// The policy of this name.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.get(name)
    }

    /// Whether the role is declared here.
    #[must_use]
    pub fn declares(&self, role: &RoleName) -> bool {
        self.roles.contains_key(role)
    }

    /// The rules, in the order of their names.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of this name.
    #[must_use]
    pub fn rule(&self, name: &RuleName) -> Option<&Rule> {
        let found = self.rules.binary_search_by(|rule| rule.name().cmp(name));
        found.ok().and_then(|at| self.rules.get(at))
    }

    /// What realm.toml and the database do not say together: every name that is in both, and every role that a rule names and
    /// neither declares. None: they may stand side by side.
    #[must_use]
    pub fn conflicts(file: &Self, database: &Self) -> Vec<Conflict> {
        let roles = file.roles().filter(|role| database.declares(role));
        let roles = roles.cloned().map(Conflict::Role);
        let policies = file
            .policies
            .keys()
            .filter(|name| database.policies.contains_key(*name));
        let policies = policies.cloned().map(Conflict::Policy);
        let in_both = |rule: &&Rule| database.rule(rule.name()).is_some();
        let rules = file
            .rules
            .iter()
            .filter(in_both)
            .map(|rule| Conflict::Rule(rule.name().clone()));
        let undeclared = [(Source::File, file), (Source::Database, database)]
            .into_iter()
            .flat_map(|(source, access)| access.rules.iter().map(move |rule| (source, rule)))
            .flat_map(|(source, rule)| rule.roles().iter().map(move |role| (source, rule, role)))
            .filter(|(_, _, role)| !file.declares(role) && !database.declares(role))
            .map(|(source, rule, role)| Conflict::Undeclared {
                rule: rule.name().clone(),
                source,
                role: role.clone(),
            });
        roles.chain(rules).chain(policies).chain(undeclared).collect()
    }
}

/// One line for an operator.
impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(name) => write!(
                f,
                "the role {name} is in realm.toml, [roles.{name}], and in the database, `principal role remove {name}`; one of them has to go"
            ),
            Self::Rule(name) => write!(
                f,
                "the rule {name} is in realm.toml, [rules.{name}], and in the database, `principal rule remove {name}`; one of them has to go"
            ),
            Self::Policy(name) => write!(
                f,
                "the policy {name} is in realm.toml, [policies.{name}], and in the database, `principal policy remove {name}`; one of them has to go"
            ),
            Self::Undeclared { rule, source, role } => {
                let place = match source {
                    Source::File => "realm.toml",
                    Source::Database => "the database",
                };
                write!(
                    f,
                    "the rule {rule} in {place} names the role {role}, which is declared neither in realm.toml, [roles.{role}], nor in the database, `principal role add {role}`"
                )
            }
        }
    }
}

/// What the realm goes by: its settings with realm.toml's rules, and the database's.
#[derive(Clone, Copy, Debug)]
pub struct AccessPolicy<'p> {
    /// The realm's settings.
    pub settings: &'p RealmSettings,
    /// What the database declares.
    pub database: &'p Access,
}

/// What is asked of the rules.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The client's roles.
    pub roles: &'q [RoleName],
    /// What it wants a ticket for.
    pub service: &'q PrincipalRecord,
    /// From where.
    pub from: IpAddr,
    /// When.
    pub now: KerberosTime,
    /// Whether a ticket that it holds is only renewed or validated.
    pub keeps_ticket: bool,
}

/// Whether a rule that concerns the service applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Applies,
    /// The client has none of its roles.
    Role,
    /// The request comes from none of its networks.
    Network,
    /// It is none of its hours.
    Hours,
}

/// A rule that concerns the service, as it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked<'p> {
    /// The rule.
    pub rule: &'p Rule,
    /// Where it is declared.
    pub source: Source,
    /// Whether it applies.
    pub fit: Fit,
}

/// A right that somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<'p, 'r> {
    /// The role that gives it.
    pub role: &'r RoleName,
    /// Where the role is declared.
    pub source: Source,
    /// The right.
    pub granted: &'p Granted,
}

impl<'p> AccessPolicy<'p> {
    /// A realm whose database declares nothing.
    #[must_use]
    pub const fn of(settings: &'p RealmSettings) -> Self {
        Self {
            settings,
            database: Access::NONE,
        }
    }

    /// The rule that lets the client have the ticket; `None`, no rule is needed.
    ///
    /// # Errors
    /// [`Denied::DeniedByRule`], [`Denied::NoRuleAllows`] or [`Denied::DeniedByDefault`].
    pub fn decide(self, question: &Question<'_>) -> Result<Option<&'p Rule>, Denied> {
        let (mut denies, mut allows, mut closed) = (None, None, false);
        for Looked { rule, fit, .. } in self.look(question) {
            let applies = fit == Fit::Applies;
            match rule.effect() {
                Effect::Deny if applies => denies = Some(first(denies, rule)),
                Effect::Deny => {}
                Effect::Allow => {
                    closed = true;
                    if applies {
                        allows = Some(more_generous(allows, rule));
                    }
                }
            }
        }
        if let Some(rule) = denies {
            return Err(Denied::DeniedByRule(rule.name().clone()));
        }
        if let Some(rule) = allows {
            return Ok(Some(rule));
        }
        if closed {
            let allowing = self
                .look(question)
                .filter(|looked| looked.rule.effect() == Effect::Allow);
            return Err(Denied::NoRuleAllows(
                allowing.map(|looked| looked.rule.name().clone()).collect(),
            ));
        }
        if self.settings.default_access == DefaultAccess::Deny && !self.is_protected(question) {
            return Err(Denied::DeniedByDefault);
        }
        Ok(None)
    }

    /// Every rule that concerns the service, and whether it applies: realm.toml's by name, then the database's.
    pub fn look<'q>(self, question: &'q Question<'q>) -> impl Iterator<Item = Looked<'p>> + use<'p, 'q> {
        let exactly = self.is_protected(question);
        let local = self.settings.local_time;
        [(Source::File, &self.settings.access), (Source::Database, self.database)]
            .into_iter()
            .flat_map(|(source, access)| access.rules.iter().map(move |rule| (source, rule)))
            .filter(move |(_, rule)| concerns(rule, question.service, exactly))
            .map(move |(source, rule)| Looked {
                rule,
                source,
                fit: fit(rule, question, local),
            })
    }

    /// The policy of this name, wherever it is declared.
    #[must_use]
    pub fn policy(self, name: &str) -> Option<&'p Policy> {
        self.settings.access.policy(name).or_else(|| self.database.policy(name))
    }

    /// The policy that a principal goes by: its own; or else, if it has a password, the one that is called `default`. One that
    /// is not declared any more is as none.
    #[must_use]
    pub fn policy_of(self, record: &PrincipalRecord) -> Option<&'p Policy> {
        match &record.policy {
            Some(name) => self.policy(name.as_str()),
            None if record.has_password() => self.policy(DEFAULT_POLICY),
            None => None,
        }
    }

    /// The policy that a new password of this principal has to meet, whether it has one already or not.
    #[must_use]
    pub fn policy_for_password(self, own: Option<&PolicyName>) -> Option<&'p Policy> {
        self.policy(own.map_or(DEFAULT_POLICY, PolicyName::as_str))
    }

    /// From when on a principal's password lets it do no more than change it: what its own record says, or the greatest age
    /// that its policy lets a password reach, whichever is earlier.
    #[must_use]
    pub fn password_expires(self, record: &PrincipalRecord) -> Option<KerberosTime> {
        let own = record.password_expires;
        let Some(Span(age)) = self.policy_of(record).and_then(|policy| policy.body().max_age) else {
            return own;
        };
        let by_age = record
            .keys_changed
            .filter(|_| record.has_password())
            .map(|made| made.plus(age));
        [own, by_age].into_iter().flatten().min()
    }

    /// What these roles let their holders do to the realm: each right, with the role that gives it.
    pub fn rights<'r>(self, roles: &'r [RoleName]) -> impl Iterator<Item = Held<'p, 'r>> + use<'p, 'r> {
        roles.iter().flat_map(move |role| {
            [(Source::File, &self.settings.access), (Source::Database, self.database)]
                .into_iter()
                .flat_map(move |(source, access)| access.rights(role).iter().map(move |granted| (source, granted)))
                .map(move |(source, granted)| Held { role, source, granted })
        })
    }

    /// Whether this is what nobody may be locked out of: only a rule that names the service exactly is for it.
    #[must_use]
    pub fn is_protected(self, question: &Question<'_>) -> bool {
        let name = &question.service.name;
        question.keeps_ticket
            || name.tgs_realm() == Some(self.settings.name.as_str())
            || name.is(&["kadmin", "changepw"])
    }

    /// Those of a principal's roles that are declared, in their order.
    pub fn declared<'r>(self, roles: &'r [RoleName]) -> impl Iterator<Item = &'r RoleName> + use<'p, 'r> {
        roles
            .iter()
            .filter(move |role| self.settings.access.declares(role) || self.database.declares(role))
    }
}

fn concerns(rule: &Rule, service: &PrincipalRecord, exactly: bool) -> bool {
    rule.services()
        .iter()
        .filter(|glob| !exactly || glob.is_literal())
        .any(|glob| {
            let mut names = [&service.name].into_iter().chain(&service.aliases);
            names.any(|name| glob.matches_chars(name.chars()))
        })
}

fn fit(rule: &Rule, question: &Question<'_>, local: LocalTime) -> Fit {
    let (roles, from) = (rule.roles(), rule.from());
    if !roles.is_empty() && !roles.iter().any(|role| question.roles.contains(role)) {
        Fit::Role
    } else if !from.is_empty() && !from.iter().any(|network| network.contains(question.from)) {
        Fit::Network
    } else if rule.hours().is_some_and(|hours| !hours.contain(question.now, local)) {
        Fit::Hours
    } else {
        Fit::Applies
    }
}

fn first<'p>(one: Option<&'p Rule>, other: &'p Rule) -> &'p Rule {
    match one {
        Some(one) if one.name() <= other.name() => one,
        _ => other,
    }
}

fn more_generous<'p>(one: Option<&'p Rule>, other: &'p Rule) -> &'p Rule {
    let life = |rule: &Rule| rule.max_life().unwrap_or(Duration::MAX);
    match one {
        Some(one) if life(one) > life(other) => one,
        Some(one) if life(one) == life(other) => first(Some(one), other),
        _ => other,
    }
}

#[cfg(test)]
mod tests;
