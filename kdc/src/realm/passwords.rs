//! What a new password has to be: the one place where policies are asked, whoever sets it.

use core::fmt;

use tessera_common::Random;
use tessera_common::admin::Span;
use tessera_common::crypto::{EncType, Key, string_to_key};
use tessera_common::name::{Name, Realm};
use tessera_common::time::KerberosTime;
use zeroize::Zeroizing;

use super::access::AccessPolicy;
use super::dictionary::{Dictionary, folded};
use super::policy::{MOST_STRENGTH, Policy, PolicyName};
use super::principal::{Attributes, PrincipalRecord, StoredKey};
use super::settings::RealmSettings;
use crate::store::{StoreError, View};

/// A component of a name is looked for inside a password from this many characters on; a shorter one is in many words.
const TELLING: usize = 4;
/// How much of a password is looked at to tell how hard it is to guess; what comes after makes it no easier.
const ESTIMATED: usize = 100;

/// Why a password is not taken. [`PasswordRefused::name`] is what logs say, and what it displays is for whoever chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordRefused {
    /// It has too few characters.
    TooShort {
        /// The policy.
        policy: PolicyName,
        /// How many it has.
        has: usize,
        /// How many the policy asks for.
        least: u32,
    },
    /// Its characters are of too few kinds.
    TooFewClasses {
        /// The policy.
        policy: PolicyName,
        /// Of how many kinds they are.
        has: u8,
        /// Of how many the policy asks them to be.
        least: u8,
    },
    /// It is the principal's name, a part of that, or the realm's, or has one of them in it.
    HoldsName,
    /// It is a word of the dictionary.
    InDictionary,
    /// It is guessed too soon.
    TooEasy {
        /// The policy.
        policy: PolicyName,
        /// How hard it is, from 0 to 4.
        has: u8,
        /// How hard the policy asks it to be.
        least: u8,
        /// What makes it easy, in a sentence; empty, nothing in particular.
        why: String,
    },
    /// It is the present one or one of the last.
    Reused {
        /// The policy.
        policy: PolicyName,
        /// How many it may not be, the present one included.
        history: u16,
    },
    /// The present one has to be kept for longer.
    TooYoung {
        /// Until when.
        until: KerberosTime,
    },
}

/// What a new password is measured by.
#[derive(Clone, Copy, Debug)]
pub struct Measure<'m> {
    /// The policy that its principal goes by.
    pub policy: &'m Policy,
    /// The realm's words.
    pub dictionary: &'m Dictionary,
    /// The principal.
    pub name: &'m Name,
    /// Its realm.
    pub realm: &'m Realm,
}

impl Measure<'_> {
    /// Whether the policy takes this password for what it is by itself. Takes some milliseconds where the policy asks how hard
    /// it is to guess: not for a thread that requests wait for. Octets that are not UTF-8 count as one character each.
    ///
    /// # Errors
    /// [`PasswordRefused`], but for its last two.
    pub fn quality(&self, password: &[u8]) -> Result<(), PasswordRefused> {
        let text = Zeroizing::new(String::from_utf8_lossy(password).into_owned());
        let parts = self.policy.body();
        let policy = || self.policy.name().clone();
        if let Some(least) = parts.min_length {
            let has = text.chars().count();
            if u32::try_from(has).is_ok_and(|has| has < least) {
                let policy = policy();
                return Err(PasswordRefused::TooShort { policy, has, least });
            }
        }
        if let Some(least) = parts.min_classes {
            let has = classes(&text);
            if has < least {
                let policy = policy();
                return Err(PasswordRefused::TooFewClasses { policy, has, least });
            }
        }
        if self.holds_name(&text) {
            return Err(PasswordRefused::HoldsName);
        }
        if parts.dictionary && self.dictionary.has(&text) {
            return Err(PasswordRefused::InDictionary);
        }
        match parts.min_strength {
            Some(least) => self.strength(&text, least),
            None => Ok(()),
        }
    }

    fn holds_name(&self, password: &str) -> bool {
        let password = Zeroizing::new(folded(password));
        let holds = |part: &str| {
            let part = folded(part);
            *password == part || (part.chars().count() >= TELLING && password.contains(&part))
        };
        let whole: String = self.name.chars().collect();
        self.name.components().any(holds) || holds(&whole) || holds(self.realm.as_str())
    }

    fn strength(&self, password: &str, least: u8) -> Result<(), PasswordRefused> {
        let begin: Zeroizing<String> = Zeroizing::new(password.chars().take(ESTIMATED).collect());
        let known: Vec<&str> = self.name.components().chain([self.realm.as_str()]).collect();
        let estimate = zxcvbn::zxcvbn(&begin, &known);
        let has = u8::from(estimate.score()).min(MOST_STRENGTH);
        if has >= least {
            return Ok(());
        }
        let warning = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
        Err(PasswordRefused::TooEasy {
            policy: self.policy.name().clone(),
            has,
            least,
            why: warning.map(|warning| warning.to_string()).unwrap_or_default(),
        })
    }
}

// MIT's five kinds (kadmin/server/srv/server_misc.c): lower case, upper case, digits, punctuation, all others.
fn classes(password: &str) -> u8 {
    let mut found = [false; 5];
    for c in password.chars() {
        let [lower, upper, digit, punctuation, other] = &mut found;
        *(if c.is_lowercase() {
            lower
        } else if c.is_uppercase() {
            upper
        } else if c.is_ascii_digit() {
            digit
        } else if c.is_ascii_punctuation() {
            punctuation
        } else {
            other
        }) = true;
    }
    found.into_iter().map(u8::from).sum()
}

/// Whether a principal may have this password: by itself, and beside those that it had; `held` is the record that it has
/// already. Without a policy it may. Takes as long as [`Measure::quality`] and [`is_new`] together.
///
/// # Errors
/// [`PasswordRefused`], but for its last.
pub fn check(
    view: &View,
    settings: &RealmSettings,
    policy: Option<&Policy>,
    (name, held): (&Name, Option<&PrincipalRecord>),
    password: &[u8],
) -> Result<(), PasswordRefused> {
    let Some(policy) = policy else {
        return Ok(());
    };
    let measure = Measure {
        policy,
        dictionary: &settings.dictionary,
        name,
        realm: &settings.name,
    };
    measure.quality(password)?;
    held.map_or(Ok(()), |record| is_new(view, policy, record, password))
}

/// Whether a principal may change its own password already. Where it has to, it may.
///
/// # Errors
/// [`PasswordRefused::TooYoung`].
pub fn may_change(
    policy: AccessPolicy<'_>,
    record: &PrincipalRecord,
    now: KerberosTime,
) -> Result<(), PasswordRefused> {
    let min_age = policy.policy_of(record).and_then(|policy| policy.body().min_age);
    let Some((Span(min_age), made)) = min_age.zip(record.keys_changed) else {
        return Ok(());
    };
    let until = made.plus(min_age);
    let must_change = record.attributes.contains(Attributes::MUST_CHANGE_PASSWORD)
        || policy.password_expires(record).is_some_and(|at| at <= now);
    if now >= until || must_change || !record.has_password() {
        Ok(())
    } else {
        Err(PasswordRefused::TooYoung { until })
    }
}

/// Whether the password is none of the last ones. Makes a key for each, of some milliseconds: never on a thread that requests
/// wait for.
///
/// # Errors
/// [`PasswordRefused::Reused`]. A key that does not open any more stands for no password.
pub fn is_new(view: &View, policy: &Policy, record: &PrincipalRecord, password: &[u8]) -> Result<(), PasswordRefused> {
    let Some(history) = policy.body().history else {
        return Ok(());
    };
    let is_of = |stored: &StoredKey, key: &Key| {
        let salt = stored.salt.as_deref().unwrap_or_default();
        // Keys are compared in constant time.
        string_to_key(stored.etype, password, salt, None).is_ok_and(|made| made == *key)
    };
    let present = cheapest(record).is_some_and(|stored| view.key(record, stored).is_ok_and(|key| is_of(stored, key)));
    let former = record
        .former_passwords
        .iter()
        .take(usize::from(history).saturating_sub(1));
    let mut former = former.filter_map(|stored| Some((stored, view.former_password(record, stored).ok()?)));
    if present || former.any(|(stored, key)| is_of(stored, &key)) {
        let policy = policy.name().clone();
        return Err(PasswordRefused::Reused { policy, history });
    }
    Ok(())
}

/// Before a principal gets other keys: keeps what its present password is known by, as far as the policy that it goes by wants
/// passwords remembered, and forgets the rest.
///
/// # Errors
/// When the present key does not open.
pub fn remember(
    view: &View,
    policy: Option<&Policy>,
    record: &mut PrincipalRecord,
    random: &mut dyn Random,
) -> Result<(), StoreError> {
    let remembered = policy.and_then(|policy| policy.body().history).unwrap_or(0);
    let remembered = usize::from(remembered).saturating_sub(1);
    if remembered == 0 {
        record.former_passwords.clear();
        return Ok(());
    }
    if let Some(stored) = cheapest(record) {
        let key = view.key(record, stored)?;
        let former = StoredKey {
            sealed: view.seal_former_password(record.id, stored.kvno, key, random),
            retired: None,
            ..stored.clone()
        };
        record.former_passwords.insert(0, former);
    }
    record.former_passwords.truncate(remembered);
    Ok(())
}

// Of the keys of the present password, the one that is made soonest.
fn cheapest(record: &PrincipalRecord) -> Option<&StoredKey> {
    let from_password = record.current_keys().filter(|key| key.salt.is_some());
    from_password.min_by_key(|key| cost(key.etype))
}

/// What a key of this enctype costs to be made from a password, beside the others (RFC 3962: 4096 rounds; RFC 8009: 32768).
#[must_use]
pub const fn cost(etype: EncType) -> u8 {
    match etype {
        EncType::Aes128CtsHmacSha1_96 => 0,
        EncType::Aes256CtsHmacSha1_96 => 1,
        EncType::Aes128CtsHmacSha256_128 => 2,
        EncType::Aes256CtsHmacSha384_192 => 3,
    }
}

impl PasswordRefused {
    /// The reason's name in logs: stable, lower case, with hyphens.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "password-too-short",
            Self::TooFewClasses { .. } => "password-too-few-classes",
            Self::HoldsName => "password-holds-name",
            Self::InDictionary => "password-in-dictionary",
            Self::TooEasy { .. } => "password-too-easy",
            Self::Reused { .. } => "password-reused",
            Self::TooYoung { .. } => "password-too-young",
        }
    }
}

impl fmt::Display for PasswordRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { policy, has, least } => {
                let noun = if *has == 1 { "character" } else { "characters" };
                write!(
                    f,
                    "The password is too short: it has {has} {noun}, and the policy {policy} asks for {least}."
                )
            }
            Self::TooFewClasses { policy, has, least } => {
                let noun = if *has == 1 { "kind" } else { "kinds" };
                write!(
                    f,
                    "The password has characters of {has} {noun}, and the policy {policy} asks for {least} of these five: \
                     lower case, upper case, digits, punctuation, others."
                )
            }
            Self::HoldsName => {
                f.write_str("The password must not be or hold the name of its principal or of the realm.")
            }
            Self::InDictionary => f.write_str("The password is a word of the realm's dictionary."),
            Self::TooEasy {
                policy,
                has,
                least,
                why,
            } => {
                let space = if why.is_empty() { "" } else { " " };
                write!(
                    f,
                    "The password is too easy to guess: its strength is {has} of 4, and the policy {policy} asks for \
                     {least}.{space}{why}"
                )
            }
            Self::Reused { policy, history: 1 } => write!(
                f,
                "The password is the present one, and the policy {policy} asks for another."
            ),
            Self::Reused { policy, history } => write!(
                f,
                "The password is one of the last {history}, and the policy {policy} asks for another."
            ),
            Self::TooYoung { until } => write!(f, "The present password has to be kept until {until}."),
        }
    }
}

impl core::error::Error for PasswordRefused {}

#[cfg(test)]
mod tests;
