//! A realm as it is declared in a file that is kept under version control: roles, rules, policies and principals, and nothing
//! that is secret or that comes of running it: no keys, no locks, no passwords' ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{PolicyBody, RuleChanges, Settings};
use crate::role::RoleName;

/// What is declared, each thing under its name. What a thing does not say of itself is as by default: unlike in a change,
/// nothing stays as it was because it is not mentioned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Declaration {
    /// Roles. `None`: the declaration is not about roles, as below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<BTreeMap<RoleName, DeclaredRole>>,
    /// Policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<BTreeMap<String, PolicyBody>>,
    /// Rules, each with an effect and services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<BTreeMap<String, RuleChanges>>,
    /// Principals, by their names as people type them, without the realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principals: Option<BTreeMap<String, DeclaredPrincipal>>,
}

/// A role as it is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DeclaredRole {
    /// What it lets its holders do to the realm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rights: Vec<String>,
}

/// A principal as it is declared. A new one gets random keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DeclaredPrincipal {
    /// Its other names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// What it is to services and to the realm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleName>,
    /// What else sets it apart. A principal of one component is no service unless this says so.
    #[serde(default)]
    pub settings: Settings,
}

/// One thing that is, or would become, another than it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Difference {
    /// What kind of thing.
    pub kind: DeclaredKind,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub becomes: Becomes,
    /// Which of its parts differ, by name. Of one that is removed, none.
    pub parts: Vec<PartDifference>,
}

/// A kind of thing that can be declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeclaredKind {
    /// A role.
    Role,
    /// A policy.
    Policy,
    /// A rule.
    Rule,
    /// A principal.
    Principal,
}

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Becomes {
    /// It is made.
    Added,
    /// It is changed.
    Changed,
    /// It is no more.
    Removed,
}

/// A part that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PartDifference {
    /// Its key in the file.
    pub part: String,
    /// What it was; `null`: as by default.
    pub from: Option<String>,
    /// What it is then; likewise.
    pub to: Option<String>,
}

impl DeclaredKind {
    /// In one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Policy => "policy",
            Self::Rule => "rule",
            Self::Principal => "principal",
        }
    }
}

impl Declaration {
    /// How many things are declared.
    #[must_use]
    pub fn len(&self) -> usize {
        self.roles.as_ref().map_or(0, BTreeMap::len)
            + self.policies.as_ref().map_or(0, BTreeMap::len)
            + self.rules.as_ref().map_or(0, BTreeMap::len)
            + self.principals.as_ref().map_or(0, BTreeMap::len)
    }

    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_looks_as_documented() {
        let text = r#"{"roles":{"desk":{"rights":["helpdesk:*/student"]},"staff":{}},"policies":{"strict":{"min-length":12}},"rules":{"office":{"effect":"allow","services":["host/*"]}},"principals":{"alice":{"aliases":["al"],"roles":["staff"],"settings":{"max-life":"4h","policy":"strict"}}}}"#;
        let declaration: Declaration = serde_json::from_str(text).unwrap();
        assert_eq!(declaration.len(), 5);
        assert_eq!(serde_json::to_string(&declaration).unwrap(), text);
        assert!(Declaration::default().is_empty());
        for bad in [
            r#"{"users":{}}"#,
            r#"{"roles":{"Staff":{}}}"#,
            r#"{"roles":{"staff":{"colour":1}}}"#,
            r#"{"principals":{"alice":{"key":"00"}}}"#,
            r#"{"principals":{"alice":{"settings":{"colour":1}}}}"#,
        ] {
            assert!(serde_json::from_str::<Declaration>(bad).is_err(), "{bad}");
        }
    }
}
