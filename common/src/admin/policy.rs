//! Policies as administrators write and read them. What the parts mean and their bounds are the daemon's to check.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{AccessHistory, Source, Span, YesNo};
use crate::crypto::EncType;
use crate::duration;

/// What a part of a policy is to be: a value, or `none`, which says nothing of it. In JSON a text, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrNone<T> {
    /// The policy is to say nothing of it.
    None,
    /// This.
    To(T),
}

/// The text is neither a value nor `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrNoneError {
    expected: &'static str,
}

/// A value of a policy's part, as text.
pub trait PolicyValue: Sized + fmt::Display {
    /// What somebody should have written.
    const EXPECTED: &'static str;

    /// Reads it.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl PolicyValue for $type {
            const EXPECTED: &'static str = "expected a number, or none";

            fn read(text: &str) -> Option<Self> {
                // "+8" is a number for Rust, and for nobody else.
                let digits = text.bytes().all(|octet| octet.is_ascii_digit());
                text.parse().ok().filter(|_| digits)
            }
        }
    )+};
}

numbers!(u8, u16, u32);

impl PolicyValue for Span {
    const EXPECTED: &'static str = "expected a time such as 10h, 7d or 5m30s, or none";

    fn read(text: &str) -> Option<Self> {
        duration::parse(text).ok().map(Self)
    }
}

impl<T> OrNone<T> {
    /// The value, if there is to be one.
    #[must_use]
    pub fn value(self) -> Option<T> {
        match self {
            Self::None => None,
            Self::To(value) => Some(value),
        }
    }
}

impl<T: PolicyValue> FromStr for OrNone<T> {
    type Err = OrNoneError;

    fn from_str(text: &str) -> Result<Self, OrNoneError> {
        if text == "none" {
            return Ok(Self::None);
        }
        T::read(text).map(Self::To).ok_or(OrNoneError { expected: T::EXPECTED })
    }
}

impl<T: fmt::Display> fmt::Display for OrNone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::To(value) => fmt::Display::fmt(value, f),
        }
    }
}

impl<T: fmt::Display> Serialize for OrNone<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: PolicyValue> Deserialize<'de> for OrNone<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for OrNoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
}

impl core::error::Error for OrNoneError {}

/// The parts of a policy that are to be set. What is absent stays or, in a new policy, is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyChanges {
    /// The fewest characters of a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<OrNone<u32>>,
    /// Of how many kinds these have to be: lower case, upper case, digits, punctuation, all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_classes: Option<OrNone<u8>>,
    /// How hard a password has to be to guess, from 1 to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_strength: Option<OrNone<u8>>,
    /// Whether it must not be a word of the realm's dictionary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dictionary: Option<YesNo>,
    /// How many passwords, the present one included, cannot be taken again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<OrNone<u16>>,
    /// How long a password has to be kept before its owner may change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<OrNone<Span>>,
    /// How long a password is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<OrNone<Span>>,
    /// How many wrong passwords are tried before no more are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<OrNone<u16>>,
    /// Within what time these have to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_window: Option<OrNone<Span>>,
    /// For how long no more are tried; none, until an administrator says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockout: Option<OrNone<Span>>,
    /// What new keys are made for, best first; an empty list, what the realm says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enctypes: Option<Vec<String>>,
    /// The longest life of tickets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_life: Option<OrNone<Span>>,
    /// Their longest renewable life; zero, none is renewable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_renew: Option<OrNone<Span>>,
}

/// All that a policy says: of passwords, of wrong ones, and of keys and tickets. Absent, it says nothing of that. In files and
/// declarations it has these keys; the bounds are the daemon's to check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyBody {
    /// The fewest characters of a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// Of how many kinds these have to be: lower case, upper case, digits, punctuation, all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_classes: Option<u8>,
    /// How hard a password has to be to guess, from 1 to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_strength: Option<u8>,
    /// Whether it must not be a word of the realm's dictionary.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub dictionary: bool,
    /// How many passwords, the present one included, cannot be taken again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<u16>,
    /// How long a password has to be kept before its owner may change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<Span>,
    /// How long a password is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// How many wrong passwords are tried before no more are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures: Option<u16>,
    /// Within what time these have to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_window: Option<Span>,
    /// For how long no more are tried; absent, until an administrator says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockout: Option<Span>,
    /// What new keys are made for, best first; none, what the realm says.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "by_name")]
    pub enctypes: Vec<EncType>,
    /// The longest life of tickets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_life: Option<Span>,
    /// Their longest renewable life; zero, none is renewable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_renew: Option<Span>,
}

/// A policy as it is shown. Its JSON is what `principal policy list --json` and `principal policy show --json` print; the
/// names of the fields stay as they are. `null`: the policy says nothing of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyInfo {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub source: Source,
    /// How many principals have it for their own.
    pub principals: usize,
    /// The fewest characters of a password.
    pub min_length: Option<u32>,
    /// Of how many kinds these have to be.
    pub min_classes: Option<u8>,
    /// How hard a password has to be to guess.
    pub min_strength: Option<u8>,
    /// Whether it must not be a word of the realm's dictionary.
    pub dictionary: bool,
    /// How many passwords, the present one included, cannot be taken again.
    pub history: Option<u16>,
    /// How long a password has to be kept before its owner may change it.
    pub min_age: Option<Span>,
    /// How long a password is good for.
    pub max_age: Option<Span>,
    /// How many wrong passwords are tried before no more are.
    pub max_failures: Option<u16>,
    /// Within what time these have to come; there wherever `max-failures` is.
    pub failure_window: Option<Span>,
    /// For how long no more are tried; `null`: until an administrator says so.
    pub lockout: Option<Span>,
    /// What new keys are made for, best first; none: what the realm says.
    pub enctypes: Vec<String>,
    /// The longest life of tickets.
    pub max_life: Option<Span>,
    /// Their longest renewable life.
    pub max_renew: Option<Span>,
    /// How it came into the database; `null` if it is not there. Called so because `history` is of passwords here.
    pub record: Option<AccessHistory>,
}

/// Enctypes by their names.
mod by_name {
    use crate::crypto::EncType;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(enctypes: &[EncType], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(enctypes.iter().map(|etype| etype.name()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EncType>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let read = |name: String| {
            EncType::from_name(&name).ok_or_else(|| D::Error::custom(format!("{name:?} is no enctype of this realm")))
        };
        names.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn parts_are_texts_and_none_takes_one_back() {
        assert_eq!(serde_json::to_string(&PolicyChanges::default()).unwrap(), "{}");
        let text = r#"{"min-length":"12","dictionary":true,"history":"none","max-age":"90d","enctypes":[]}"#;
        let changes: PolicyChanges = serde_json::from_str(text).unwrap();
        let expected = PolicyChanges {
            min_length: Some(OrNone::To(12)),
            dictionary: Some(YesNo::Yes),
            history: Some(OrNone::None),
            max_age: Some(OrNone::To(Span(Duration::from_secs(90 * 86_400)))),
            enctypes: Some(Vec::new()),
            ..PolicyChanges::default()
        };
        assert_eq!(changes, expected);
        assert_eq!(serde_json::to_string(&changes).unwrap(), text);
        for bad in [
            r#"{"colour":"red"}"#,
            r#"{"min-length":"+8"}"#,
            r#"{"min-length":"4294967296"}"#,
            r#"{"min-length":""}"#,
            r#"{"min-age":"long"}"#,
        ] {
            assert!(serde_json::from_str::<PolicyChanges>(bad).is_err(), "{bad}");
        }
    }
}
