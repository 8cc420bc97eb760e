//! A policy in messages and files.

use serde::{Deserialize, Serialize};

use super::Span;

/// What a policy says: of passwords, of wrong ones, and of keys and tickets. Absent, it says nothing of that. The bounds are
/// the daemon's to check.
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enctypes: Vec<String>,
    /// The longest life of tickets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_life: Option<Span>,
    /// Their longest renewable life; zero, none is renewable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_renew: Option<Span>,
}
