//! Policies: what passwords have to be, how many wrong ones are taken, and what keys and tickets of those who go by them are.

use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tessera_common::admin::{PolicyBody, Span};
use tessera_common::crypto::EncType;
use tessera_common::role::{RoleNameError, is_role_name};

/// What is said in place of a policy's name where there is to be none; so no policy can be called so.
pub const NO_POLICY: &str = "none";

/// The policy that every principal with a password goes by that has none of its own, if there is such a policy.
pub const DEFAULT_POLICY: &str = "default";

/// The longest password that a policy can ask for, in characters.
pub const MOST_LENGTH: u32 = 256;
/// The kinds of characters there are: lower case, upper case, digits, punctuation, and all others.
pub const CLASSES: u8 = 5;
/// The greatest strength that an estimate gives.
pub const MOST_STRENGTH: u8 = 4;
/// The most passwords that are remembered, the present one included.
pub const MOST_HISTORY: u16 = 24;
/// The most wrong passwords that a policy can let somebody try.
pub const MOST_FAILURES: u16 = 1000;
/// How long a wrong password counts where the policy does not say.
pub const DEFAULT_FAILURE_WINDOW: Duration = Duration::from_secs(15 * 60);

/// A policy's name, of the same characters as a role's, and not [`NO_POLICY`]. A copy costs a count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyName(Arc<str>);

/// Why a text is no policy's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyNameError {
    /// It has other characters than a name has.
    Form(RoleNameError),
    /// It is [`NO_POLICY`].
    None,
}

/// What a policy is made of, before it is checked that the parts go together. Its serial form is the one for dumps: the name
/// among the other keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Flat")]
pub struct PolicyParts {
    /// Its name.
    pub name: PolicyName,
    /// What it says: `min-length` up to [`MOST_LENGTH`], `min-classes` up to [`CLASSES`], `min-strength` up to
    /// [`MOST_STRENGTH`], `history` up to [`MOST_HISTORY`] and `max-failures` up to [`MOST_FAILURES`], each at least 1;
    /// a `failure-window` that is absent is [`DEFAULT_FAILURE_WINDOW`].
    #[serde(flatten)]
    pub body: PolicyBody,
}

// What is not its name is for the body to take or to refuse: a structure that is flattened takes no notice of the rest.
#[derive(Deserialize)]
struct Flat {
    name: PolicyName,
    #[serde(flatten)]
    body: serde_json::Map<String, serde_json::Value>,
}

/// A policy whose parts go together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PolicyParts", into = "PolicyParts")]
pub struct Policy {
    parts: PolicyParts,
}

/// Why parts make no policy. [`PolicyError::key`] tells where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// A number is not within its bounds.
    Range {
        /// The part.
        key: &'static str,
        /// The least that it may be.
        least: u32,
        /// The most.
        most: u32,
    },
    /// A span that has to last for some time does not.
    NoTime(&'static str),
    /// It could not be changed before it expires.
    AgeOrder,
    /// It says how wrong passwords are counted, and not how many are too many.
    WithoutFailures(&'static str),
    /// The same enctype twice.
    EnctypeTwice(EncType),
}

/// How many wrong passwords are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimit {
    /// So many; at least 1.
    pub failures: u16,
    /// Within this time.
    pub window: Duration,
    /// And then none is tried for so long; `None`: until an administrator says so.
    pub lockout: Option<Duration>,
}

impl PolicyName {
    /// Checks a policy's name.
    ///
    /// # Errors
    /// [`PolicyNameError`] when it is none.
    pub fn new(text: &str) -> Result<Self, PolicyNameError> {
        match text {
            NO_POLICY => Err(PolicyNameError::None),
            _ if is_role_name(text) => Ok(Self(text.into())),
            _ => Err(PolicyNameError::Form(RoleNameError)),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PolicyParts {
    /// A policy that says nothing yet.
    #[must_use]
    pub fn new(name: PolicyName) -> Self {
        Self {
            name,
            body: PolicyBody::default(),
        }
    }
}

impl TryFrom<Flat> for PolicyParts {
    type Error = serde_json::Error;

    fn try_from(Flat { name, body }: Flat) -> Result<Self, serde_json::Error> {
        let body = serde_json::from_value(serde_json::Value::Object(body))?;
        Ok(Self { name, body })
    }
}

impl Policy {
    /// Checks that the parts go together.
    ///
    /// # Errors
    /// [`PolicyError`] for the first that does not.
    pub fn new(parts: PolicyParts) -> Result<Self, PolicyError> {
        let said = &parts.body;
        for (key, value, most) in [
            ("min-length", said.min_length, MOST_LENGTH),
            ("min-classes", said.min_classes.map(u32::from), CLASSES.into()),
            ("min-strength", said.min_strength.map(u32::from), MOST_STRENGTH.into()),
            ("history", said.history.map(u32::from), MOST_HISTORY.into()),
            ("max-failures", said.max_failures.map(u32::from), MOST_FAILURES.into()),
        ] {
            if value.is_some_and(|value| value == 0 || value > most) {
                return Err(PolicyError::Range { key, least: 1, most });
            }
        }
        for (key, span) in [
            ("min-age", said.min_age),
            ("max-age", said.max_age),
            ("failure-window", said.failure_window),
            ("lockout", said.lockout),
            ("max-life", said.max_life),
        ] {
            if span.is_some_and(|Span(span)| span.is_zero()) {
                return Err(PolicyError::NoTime(key));
            }
        }
        if said.min_age.zip(said.max_age).is_some_and(|(min, max)| min >= max) {
            return Err(PolicyError::AgeOrder);
        }
        for (key, span) in [("failure-window", said.failure_window), ("lockout", said.lockout)] {
            if span.is_some() && said.max_failures.is_none() {
                return Err(PolicyError::WithoutFailures(key));
            }
        }
        let twice = |(at, etype): &(usize, &EncType)| said.enctypes.iter().take(*at).any(|other| other == *etype);
        if let Some((_, etype)) = said.enctypes.iter().enumerate().find(twice) {
            return Err(PolicyError::EnctypeTwice(*etype));
        }
        Ok(Self { parts })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &PolicyName {
        &self.parts.name
    }

    /// What it says.
    #[must_use]
    pub const fn body(&self) -> &PolicyBody {
        &self.parts.body
    }

    /// What new keys are made for under this policy, where the realm makes them for `otherwise`; best first.
    #[must_use]
    pub fn enctypes<'e>(policy: Option<&'e Self>, otherwise: &'e [EncType]) -> &'e [EncType] {
        match policy.map(|policy| policy.parts.body.enctypes.as_slice()) {
            None | Some([]) => otherwise,
            Some(own) => own,
        }
    }

    /// How many wrong passwords are too many; `None`: any number is tried.
    #[must_use]
    pub fn failure_limit(&self) -> Option<FailureLimit> {
        self.parts.body.max_failures.map(|failures| FailureLimit {
            failures,
            window: self
                .parts
                .body
                .failure_window
                .map_or(DEFAULT_FAILURE_WINDOW, |Span(window)| window),
            lockout: self.parts.body.lockout.map(|Span(lockout)| lockout),
        })
    }
}

impl PolicyError {
    /// The key of the part that is wrong.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Range { key, .. } | Self::NoTime(key) | Self::WithoutFailures(key) => key,
            Self::AgeOrder => "min-age",
            Self::EnctypeTwice(_) => "enctypes",
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { least, most, .. } => write!(f, "it is a number from {least} to {most}"),
            Self::NoTime(_) => f.write_str("it has to be some time; leave it out to say nothing of it"),
            Self::AgeOrder => f.write_str("a password has to be kept for less than it is good for"),
            Self::WithoutFailures(_) => f.write_str("it goes with max-failures, which is not there"),
            Self::EnctypeTwice(etype) => write!(f, "{etype} is there twice"),
        }
    }
}

impl core::error::Error for PolicyError {}

impl TryFrom<PolicyParts> for Policy {
    type Error = PolicyError;

    fn try_from(parts: PolicyParts) -> Result<Self, PolicyError> {
        Self::new(parts)
    }
}

impl From<Policy> for PolicyParts {
    fn from(policy: Policy) -> Self {
        policy.parts
    }
}

impl fmt::Display for PolicyNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(why) => fmt::Display::fmt(why, f),
            Self::None => f.write_str("that stands for no policy at all"),
        }
    }
}

impl core::error::Error for PolicyNameError {}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for PolicyName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for PolicyName {
    type Err = PolicyNameError;

    fn from_str(text: &str) -> Result<Self, PolicyNameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for PolicyName {
    type Error = PolicyNameError;

    fn try_from(text: String) -> Result<Self, PolicyNameError> {
        Self::new(&text)
    }
}

impl From<PolicyName> for String {
    fn from(name: PolicyName) -> Self {
        name.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(json: &str) -> Result<Policy, String> {
        let parts: PolicyParts = serde_json::from_str(json).map_err(|why| why.to_string())?;
        Policy::new(parts).map_err(|why| format!("{}: {why}", why.key()))
    }

    #[test]
    fn a_policy_reads_back_as_it_was_written() {
        for text in [
            r#"{"name":"default"}"#,
            r#"{"name":"staff","min-length":12,"min-classes":3,"min-strength":3,"dictionary":true,"history":5,"min-age":"1d","max-age":"90d","max-failures":5,"failure-window":"10m","lockout":"15m","enctypes":["aes256-cts-hmac-sha384-192"],"max-life":"8h","max-renew":"0s"}"#,
        ] {
            assert_eq!(serde_json::to_string(&policy(text).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn parts_that_do_not_go_together_name_the_one_that_is_wrong() {
        for (tail, why) in [
            (r#""min-length":0"#, "min-length: it is a number from 1 to 256"),
            (r#""min-classes":6"#, "min-classes: it is a number from 1 to 5"),
            (r#""min-strength":5"#, "min-strength: it is a number from 1 to 4"),
            (r#""history":25"#, "history: it is a number from 1 to 24"),
            (r#""max-failures":1001"#, "max-failures: it is a number from 1 to 1000"),
            (r#""max-age":"0s""#, "max-age: it has to be some time"),
            (
                r#""min-age":"2d","max-age":"2d""#,
                "min-age: a password has to be kept for less",
            ),
            (r#""lockout":"5m""#, "lockout: it goes with max-failures"),
            (r#""failure-window":"5m""#, "failure-window: it goes with max-failures"),
            (
                r#""enctypes":["aes128-cts","aes128-cts"]"#,
                "enctypes: aes128-cts-hmac-sha1-96 is there twice",
            ),
            (r#""enctypes":["des"]"#, "\"des\" is no enctype"),
            (r#""colour":1"#, "unknown field"),
        ] {
            let error = policy(&format!(r#"{{"name":"a",{tail}}}"#)).unwrap_err();
            assert!(error.contains(why), "{tail}: {error}");
        }
        assert!(policy(r#"{"name":"Staff"}"#).is_err());
        assert!(policy(r#"{"name":"none"}"#).unwrap_err().contains("no policy at all"));
    }

    #[test]
    fn wrong_passwords_count_for_a_while_also_where_it_does_not_say_how_long() {
        let limit = policy(r#"{"name":"a","max-failures":3}"#).unwrap().failure_limit();
        let expected = FailureLimit {
            failures: 3,
            window: DEFAULT_FAILURE_WINDOW,
            lockout: None,
        };
        assert_eq!(limit, Some(expected));
        assert_eq!(policy(r#"{"name":"a"}"#).unwrap().failure_limit(), None);
    }
}
