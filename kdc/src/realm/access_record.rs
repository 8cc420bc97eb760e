//! The roles, rules and policies that administrators keep in the database, beside those of realm.toml.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tessera_common::role::RoleName;
use tessera_common::time::KerberosTime;

use super::access::Access;
use super::policy::{Policy, PolicyName};
use super::rights::Role;
use super::rules::{Rule, RuleName};

/// Which role, rule or policy. Roles come before rules and these before policies, each by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessKey {
    /// The role of this name.
    Role(RoleName),
    /// The rule of this name.
    Rule(RuleName),
    /// The policy of this name.
    Policy(PolicyName),
}

/// What is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declared {
    /// A role, and the rights that it gives.
    Role(Role),
    /// A rule.
    Rule(Rule),
    /// A policy.
    Policy(Policy),
}

/// A role, a rule or a policy in the database, and how it came there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRecord {
    /// The thing itself.
    pub declared: Declared,
    /// The sequence number of the change that made the record what it is; 0 before it is stored.
    pub revision: u64,
    /// When it was declared first.
    pub created: KerberosTime,
    /// When it was changed last.
    pub changed: KerberosTime,
    /// Who changed it last, as shown to administrators.
    pub changed_by: String,
}

/// All roles, rules and policies of the database, in the order of their keys.
#[derive(Debug, Default)]
pub struct AccessRecords {
    records: BTreeMap<AccessKey, Arc<AccessRecord>>,
    // Put together when a request asks for it first, and kept as long as nothing changes.
    declared: OnceLock<Access>,
}

impl AccessKey {
    /// The name, which says nothing of what it is a name of.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Role(name) => name.as_str(),
            Self::Rule(name) => name.as_str(),
            Self::Policy(name) => name.as_str(),
        }
    }
}

impl AccessRecord {
    /// Which it is.
    #[must_use]
    pub fn key(&self) -> AccessKey {
        match &self.declared {
            Declared::Role(role) => AccessKey::Role(role.name.clone()),
            Declared::Rule(rule) => AccessKey::Rule(rule.name().clone()),
            Declared::Policy(policy) => AccessKey::Policy(policy.name().clone()),
        }
    }

    /// The rule, if it is one.
    #[must_use]
    pub const fn rule(&self) -> Option<&Rule> {
        match &self.declared {
            Declared::Rule(rule) => Some(rule),
            Declared::Role(_) | Declared::Policy(_) => None,
        }
    }
}

impl AccessRecords {
    /// What they declare together, as requests go by it.
    #[must_use]
    pub fn declared(&self) -> &Access {
        self.declared.get_or_init(|| {
            let (mut roles, mut rules, mut policies) = (Vec::new(), Vec::new(), Vec::new());
            for record in self.iter() {
                match &record.declared {
                    Declared::Role(role) => roles.push(role.clone()),
                    Declared::Rule(rule) => rules.push(rule.clone()),
                    Declared::Policy(policy) => policies.push(policy.clone()),
                }
            }
            Access::new(roles, rules).with_policies(policies)
        })
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, key: &AccessKey) -> Option<&Arc<AccessRecord>> {
        self.records.get(key)
    }

    /// All of them, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<AccessRecord>> {
        self.records.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The rules that name a role, by name.
    pub fn rules_with<'r>(&'r self, role: &'r RoleName) -> impl Iterator<Item = &'r Rule> {
        let rules = self.iter().filter_map(|record| record.rule());
        rules.filter(move |rule| rule.roles().contains(role))
    }

    /// Puts a record in place of the one that has its key, which it gives.
    pub(crate) fn insert(&mut self, record: Arc<AccessRecord>) -> Option<Arc<AccessRecord>> {
        self.declared.take();
        self.records.insert(record.key(), record)
    }

    /// Takes a record out.
    pub(crate) fn remove(&mut self, key: &AccessKey) -> Option<Arc<AccessRecord>> {
        self.declared.take();
        self.records.remove(key)
    }
}

impl Clone for AccessRecords {
    fn clone(&self) -> Self {
        Self {
            records: self.records.clone(),
            declared: OnceLock::new(),
        }
    }
}

impl PartialEq for AccessRecords {
    fn eq(&self, other: &Self) -> bool {
        self.records == other.records
    }
}

impl Eq for AccessRecords {}

/// As a person says it: `the role staff`.
impl fmt::Display for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(name) => write!(f, "the role {name}"),
            Self::Rule(name) => write!(f, "the rule {name}"),
            Self::Policy(name) => write!(f, "the policy {name}"),
        }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
