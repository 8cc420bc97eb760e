//! Roles and rules as administrators write and read them. A rule's parts are texts here, the same ones as in realm.toml: what
//! they mean only the daemon knows.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Limit, Span, Time};
use crate::role::RoleName;

/// What is to change about a principal's roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RoleChanges {
    /// It is to have these, if it has not already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<RoleName>,
    /// It is to have these no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<RoleName>,
}

/// What is to change about the rights that a role gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RightChanges {
    /// It is to give these, if it does not already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<String>,
    /// It is to give these no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// The parts of a rule that are to be set. What is absent stays or, in a new rule, is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RuleChanges {
    /// `allow` or `deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// Whom it is about: who has any of these roles. None: everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<RoleName>>,
    /// What it is about: patterns of services' names. At least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<String>>,
    /// From where: networks. None: from anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Vec<String>>,
    /// When: windows of the week. None: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Vec<String>>,
    /// How long a ticket may live, renewals included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_life: Option<Limit>,
}

/// Where a role or a rule is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// In the realm's configuration; commands do not change it.
    #[serde(rename = "realm.toml")]
    RealmToml,
    /// In the database, by a command.
    #[serde(rename = "database")]
    Database,
    /// Nowhere, though principals have the role: nothing comes of it.
    #[serde(rename = "nowhere")]
    Nowhere,
}

/// A role as it is shown. Its JSON is what `principal role list --json` prints; the names of the fields stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RoleInfo {
    /// Its name.
    pub name: RoleName,
    /// Where it is declared.
    pub source: Source,
    /// How many principals have it.
    pub principals: usize,
    /// What it lets them do to the realm, as in `helpdesk:*/student`.
    pub rights: Vec<String>,
    /// The rules that name it.
    pub rules: Vec<String>,
    /// How it came into the database; `null` if it is not there.
    pub history: Option<AccessHistory>,
}

/// A rule as it is shown. Its JSON is what `principal rule list --json` and `principal rule show --json` print; the names of
/// the fields stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RuleInfo {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub source: Source,
    /// `allow` or `deny`.
    pub effect: String,
    /// Whom it is about: who has any of these roles. None: everybody.
    pub roles: Vec<RoleName>,
    /// What it is about: patterns of services' names.
    pub services: Vec<String>,
    /// From where: networks. None: from anywhere.
    pub from: Vec<String>,
    /// When: windows of the week. None: always.
    pub hours: Vec<String>,
    /// How long a ticket may live; `null`: it does not say.
    pub max_life: Option<Span>,
    /// How it came into the database; `null` if it is not there.
    pub history: Option<AccessHistory>,
}

/// How a role or a rule came into the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AccessHistory {
    /// The number of the change that made it what it is.
    pub revision: u64,
    /// When it was made.
    pub created: Time,
    /// When it was changed last.
    pub changed: Time,
    /// Who changed it last.
    pub changed_by: String,
}

impl RoleChanges {
    /// Whether nothing is to change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

impl RightChanges {
    /// Whether nothing is to change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::RealmToml => "realm.toml",
            Self::Database => "database",
            Self::Nowhere => "nowhere",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_of_a_rule_is_not_said() {
        assert_eq!(serde_json::to_string(&RuleChanges::default()).unwrap(), "{}");
        let text = r#"{"effect":"deny","roles":[],"services":["host/*"],"from":["192.0.2.0/24"],"hours":["Sat"],"max-life":"realm"}"#;
        let changes: RuleChanges = serde_json::from_str(text).unwrap();
        assert_eq!(
            (&changes.roles, changes.max_life),
            (&Some(Vec::new()), Some(Limit::Realm))
        );
        assert_eq!(serde_json::to_string(&changes).unwrap(), text);
        for bad in [
            r#"{"colour":"red"}"#,
            r#"{"roles":["Staff"]}"#,
            r#"{"max-life":"long"}"#,
        ] {
            assert!(serde_json::from_str::<RuleChanges>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn where_something_is_declared_is_said_alike_in_text_and_in_json() {
        for place in [Source::RealmToml, Source::Database, Source::Nowhere] {
            assert_eq!(serde_json::to_string(&place).unwrap(), format!("\"{place}\""));
        }
    }
}
