//! Rules: who may have tickets for which services, from where, when and for how long. What comes of several of them,
//! [`access`](super::access) decides.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tessera_common::admin::Span;
use tessera_common::role::{MAX_ROLE_OCTETS, RoleName, is_role_name};

use super::glob::Glob;
use super::hours::Hours;
use tessera_common::network::Network;

/// A rule's name, of the same characters as a role's. A copy costs a count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleName(Arc<str>);

/// The text is no rule's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleNameError;

/// What a rule that applies does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Lets a client have the ticket, and closes the service to all that no such rule lets in.
    Allow,
    /// Refuses the ticket, whatever else says it may be had.
    Deny,
}

/// The text is no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectError;

/// What a rule is made of, before it is checked that the parts go together. Its serial form is the one for files and for
/// messages: kebab-case names, each part as its text, absent where there is nothing to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RuleParts {
    /// Its name.
    pub name: RuleName,
    /// What it does.
    pub effect: Effect,
    /// Whom it is about: who has any of these roles. None: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleName>,
    /// What it is about: services with a name or alias, without the realm, that matches any of these. At least one.
    pub services: Vec<Glob>,
    /// From where: any of these networks. None: from anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Network>,
    /// When. `None`: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// How long a ticket may live, renewals included. `None`: as long as the realm, the client and the service say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_life: Option<Span>,
}

/// A rule whose parts go together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RuleParts", into = "RuleParts")]
pub struct Rule {
    parts: RuleParts,
}

/// Why parts make no rule. [`RuleError::key`] tells where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// It is about no service.
    NoServices,
    /// A pattern names a realm; names here have none, so it would match nothing.
    Realm(Glob),
    /// A rule that refuses the ticket says how long the ticket may live.
    DenyWithMaxLife,
    /// A ticket that lives for no time is a refusal, and has to say so.
    NoLife,
    /// The same role twice.
    RoleTwice(RoleName),
}

impl RuleName {
    /// Checks a rule's name.
    ///
    /// # Errors
    /// [`RuleNameError`] when it is none.
    pub fn new(text: &str) -> Result<Self, RuleNameError> {
        if is_role_name(text) {
            Ok(Self(text.into()))
        } else {
            Err(RuleNameError)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Rule {
    /// Checks that the parts go together.
    ///
    /// # Errors
    /// [`RuleError`] for the first that does not.
    pub fn new(parts: RuleParts) -> Result<Self, RuleError> {
        if parts.services.is_empty() {
            return Err(RuleError::NoServices);
        }
        if let Some(glob) = parts.services.iter().find(|glob| names_realm(glob.as_str())) {
            return Err(RuleError::Realm(glob.clone()));
        }
        let twice = |(at, role): &(usize, &RoleName)| parts.roles.iter().take(*at).any(|other| other == *role);
        if let Some((_, role)) = parts.roles.iter().enumerate().find(twice) {
            return Err(RuleError::RoleTwice(role.clone()));
        }
        match parts.max_life {
            Some(_) if parts.effect == Effect::Deny => Err(RuleError::DenyWithMaxLife),
            Some(Span(life)) if life.is_zero() => Err(RuleError::NoLife),
            _ => Ok(Self { parts }),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &RuleName {
        &self.parts.name
    }

    /// What it does.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.parts.effect
    }

    /// Whom it is about; none: everybody.
    #[must_use]
    pub fn roles(&self) -> &[RoleName] {
        &self.parts.roles
    }

    /// The services that it is about.
    #[must_use]
    pub fn services(&self) -> &[Glob] {
        &self.parts.services
    }

    /// Where it counts; none: anywhere.
    #[must_use]
    pub fn from(&self) -> &[Network] {
        &self.parts.from
    }

    /// When it counts; `None`: always.
    #[must_use]
    pub const fn hours(&self) -> Option<&Hours> {
        self.parts.hours.as_ref()
    }

    /// How long a ticket may live that it lets a client have; `None`: it does not say.
    #[must_use]
    pub fn max_life(&self) -> Option<Duration> {
        self.parts.max_life.map(|Span(life)| life)
    }

    /// All that it is made of.
    #[must_use]
    pub const fn parts(&self) -> &RuleParts {
        &self.parts
    }
}

// Whether there is an `@` that a backslash does not take as it is.
fn names_realm(pattern: &str) -> bool {
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '@' => return true,
            _ => {}
        }
    }
    false
}

impl RuleError {
    /// The key of the part that is wrong.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::NoServices | Self::Realm(_) => "services",
            Self::DenyWithMaxLife | Self::NoLife => "max-life",
            Self::RoleTwice(_) => "roles",
        }
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServices => f.write_str("a rule is about at least one service"),
            Self::Realm(glob) => write!(f, "{glob} names a realm; names of services have none here"),
            Self::DenyWithMaxLife => f.write_str("only a rule that allows can say how long a ticket may live"),
            Self::NoLife => f.write_str("a ticket has to live for some time; to refuse it, deny it"),
            Self::RoleTwice(role) => write!(f, "{role} is there twice"),
        }
    }
}

impl core::error::Error for RuleError {}

impl TryFrom<RuleParts> for Rule {
    type Error = RuleError;

    fn try_from(parts: RuleParts) -> Result<Self, RuleError> {
        Self::new(parts)
    }
}

impl From<Rule> for RuleParts {
    fn from(rule: Rule) -> Self {
        rule.parts
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RuleName {
    type Err = RuleNameError;

    fn from_str(text: &str) -> Result<Self, RuleNameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for RuleName {
    type Error = RuleNameError;

    fn try_from(text: String) -> Result<Self, RuleNameError> {
        Self::new(&text)
    }
}

impl From<RuleName> for String {
    fn from(name: RuleName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for RuleNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a rule's name is 1 to {MAX_ROLE_OCTETS} of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
        )
    }
}

impl core::error::Error for RuleNameError {}

impl Effect {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Effect {
    type Err = EffectError;

    fn from_str(text: &str) -> Result<Self, EffectError> {
        [Self::Allow, Self::Deny]
            .into_iter()
            .find(|effect| effect.name() == text)
            .ok_or(EffectError)
    }
}

impl fmt::Display for EffectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rule's effect is allow or deny")
    }
}

impl core::error::Error for EffectError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts() -> RuleParts {
        RuleParts {
            name: RuleName::new("office").unwrap(),
            effect: Effect::Allow,
            roles: vec!["staff".parse().unwrap()],
            services: vec![Glob::any("host/*")],
            from: vec!["192.0.2.0/24".parse().unwrap()],
            hours: Some(Hours::new(["Mon-Fri 08:00-18:00".parse().unwrap()]).unwrap()),
            max_life: Some(Span(Duration::from_secs(3600))),
        }
    }

    #[test]
    fn a_rule_has_one_serial_form_and_nothing_unsaid_in_it() {
        let rule = Rule::new(parts()).unwrap();
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(
            json,
            r#"{"name":"office","effect":"allow","roles":["staff"],"services":["host/*"],"from":["192.0.2.0/24"],"hours":["Mon-Fri 08:00-18:00"],"max-life":"1h"}"#
        );
        assert_eq!(serde_json::from_str::<Rule>(&json).unwrap(), rule);

        let least = r#"{"name":"shut","effect":"deny","services":["*"]}"#;
        let rule: Rule = serde_json::from_str(least).unwrap();
        assert_eq!(serde_json::to_string(&rule).unwrap(), least);
    }

    #[test]
    fn parts_that_do_not_go_together_are_no_rule() {
        let changed = |change: fn(&mut RuleParts)| {
            let mut parts = parts();
            change(&mut parts);
            Rule::new(parts).map_err(|error| (error.key(), error))
        };
        assert!(changed(|_| ()).is_ok());
        assert_eq!(
            changed(|parts| parts.services.clear()),
            Err(("services", RuleError::NoServices))
        );
        assert_eq!(
            changed(|parts| parts.services.push(Glob::any("host/*@R"))),
            Err(("services", RuleError::Realm(Glob::any("host/*@R"))))
        );
        assert!(changed(|parts| parts.services.push(Glob::any(r"a*\@b"))).is_ok());
        assert!(changed(|parts| parts.services.push(Glob::any(r"a\\@b"))).is_err());
        assert_eq!(
            changed(|parts| parts.effect = Effect::Deny),
            Err(("max-life", RuleError::DenyWithMaxLife))
        );
        assert_eq!(
            changed(|parts| parts.max_life = Some(Span(Duration::ZERO))),
            Err(("max-life", RuleError::NoLife))
        );
        assert!(matches!(
            changed(|parts| parts.roles.push("staff".parse().unwrap())),
            Err(("roles", RuleError::RoleTwice(_)))
        ));
    }

    #[test]
    fn what_a_stored_rule_does_not_know_is_refused() {
        for json in [
            r#"{"name":"a","effect":"allow","services":[]}"#,
            r#"{"name":"a","effect":"allow"}"#,
            r#"{"name":"a","effect":"permit","services":["*"]}"#,
            r#"{"name":"A","effect":"allow","services":["*"]}"#,
            r#"{"name":"a","effect":"allow","services":["*"],"users":["b"]}"#,
            r#"{"name":"a","effect":"allow","services":["*"],"hours":[]}"#,
            r#"{"name":"a","effect":"deny","services":["*"],"max-life":"1h"}"#,
        ] {
            assert!(serde_json::from_str::<Rule>(json).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_read_as_it_is_written(text in "[a-z0-9][a-z0-9._-]{0,63}") {
            let name: RuleName = text.parse().unwrap();
            prop_assert_eq!(name.to_string(), text);
        }

        #[test]
        fn no_json_panics(text in "\\{\"name\":\"[a-z]{0,3}\",\"effect\":\"(allow|deny)\",\"services\":\\[\"[a-z*/@\\[]{0,5}\"\\]\\}") {
            let _ = serde_json::from_str::<Rule>(&text);
        }
    }
}
