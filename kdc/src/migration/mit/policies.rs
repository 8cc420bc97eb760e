//! MIT's policies in this realm's terms.

use core::time::Duration;
use std::collections::{HashMap, HashSet};

use tessera_common::admin::Span;
use tessera_common::crypto::EncType;
use tessera_common::role::MAX_ROLE_OCTETS;

use super::policy_line::PolicyLine;
use crate::migration::finding::{Finding, Item, Whose};
use crate::migration::importer::ImportError;
use crate::realm::policy::{
    CLASSES, DEFAULT_POLICY, MOST_FAILURES, MOST_HISTORY, MOST_LENGTH, NO_POLICY, Policy, PolicyName, PolicyParts,
};
use crate::realm::settings::RealmSettings;

/// What stands for a time without an end.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A policy as it is to be here.
pub(super) struct Mapped {
    pub(super) line: u64,
    pub(super) shown: String,
    pub(super) policy: Policy,
    pub(super) findings: Vec<Finding>,
}

/// The policies of a dump by their names there.
#[derive(Default)]
pub(super) struct Policies(HashMap<Vec<u8>, (PolicyName, PolicyLine)>);

impl Policies {
    /// What a policy of the dump is called here, and what it says there.
    pub(super) fn get(&self, name: &[u8]) -> Option<&(PolicyName, PolicyLine)> {
        self.0.get(name)
    }
}

/// All policies of a dump, each with the number of its line.
///
/// # Errors
/// [`ImportError`], when there are two of one name in the dump, or one is in realm.toml.
pub(super) fn map(
    lines: Vec<(u64, PolicyLine)>,
    settings: &RealmSettings,
) -> Result<(Vec<Mapped>, Policies), ImportError> {
    let mut names = Names::of(&lines)?;
    let mut policies = Policies::default();
    let mut mapped = Vec::new();
    for (line, said) in lines {
        let shown = String::from_utf8_lossy(&said.name).into_owned();
        let (name, renamed) = names.give(line, &shown)?;
        if settings.access.policy(name.as_str()).is_some() {
            return Err(ImportError::at(
                line,
                format!(
                    "the policy {name} is in realm.toml, too, [policies.{name}]; take it out of there, or call it otherwise \
                     in one of both"
                ),
            ));
        }
        let mut findings = Vec::from_iter(renamed);
        let policy = one(line, &shown, name.clone(), &said, &mut findings)?;
        mapped.push(Mapped {
            line,
            shown,
            policy,
            findings,
        });
        policies.0.insert(said.name.clone(), (name, said));
    }
    Ok((mapped, policies))
}

/// The names that are given out.
struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// Those that may stay as they are do.
    fn of(lines: &[(u64, PolicyLine)]) -> Result<Self, ImportError> {
        let mut seen = HashSet::new();
        let mut taken = HashSet::new();
        for (line, said) in lines {
            let shown = String::from_utf8_lossy(&said.name).into_owned();
            if !seen.insert(&said.name) {
                return Err(ImportError::at(*line, format!("the policy {shown} is there twice")));
            }
            if PolicyName::new(&shown).is_ok() && shown != DEFAULT_POLICY {
                taken.insert(shown);
            }
        }
        Ok(Self { taken })
    }

    fn give(&mut self, line: u64, shown: &str) -> Result<(PolicyName, Option<Finding>), ImportError> {
        if shown != DEFAULT_POLICY
            && let Ok(name) = PolicyName::new(shown)
        {
            return Ok((name, None));
        }
        let wanted = fitting(shown);
        let numbered = (2_u32..).map(|number| format!("{wanted}-{number}"));
        let free = [wanted.clone()]
            .into_iter()
            .chain(numbered)
            .find(|name| !self.taken.contains(name));
        let name = free
            .and_then(|name| PolicyName::new(&name).ok())
            .ok_or_else(|| ImportError::at(line, format!("there is no name here for the policy {shown}")))?;
        self.taken.insert(name.as_str().to_owned());
        let why = match shown {
            DEFAULT_POLICY => {
                "a policy called default is for everybody who has none of his own here, and was only for those who named it \
                 there"
            }
            NO_POLICY => "none stands for no policy here",
            _ => "names of policies are of a-z, 0-9, \".\", \"_\" and \"-\" here",
        };
        let what = format!("the name; it is called {name} here");
        let finding = Finding::changed(line, Whose::Policy(shown.into()), Item::Policy, what, why);
        Ok((name, Some(finding)))
    }
}

// A name that is one here, and reminds of what it was.
fn fitting(shown: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let lower: String = shown
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if fits(c) { c } else { '-' })
        .collect();
    let begins_well = lower.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let whole = match lower.as_str() {
        DEFAULT_POLICY | NO_POLICY => format!("mit-{lower}"),
        _ if begins_well => lower,
        _ => format!("mit{lower}"),
    };
    // Room for a number behind it.
    whole.chars().take(MAX_ROLE_OCTETS - 8).collect()
}

fn one(
    line: u64,
    shown: &str,
    name: PolicyName,
    said: &PolicyLine,
    findings: &mut Vec<Finding>,
) -> Result<Policy, ImportError> {
    let whose = || Whose::Policy(shown.into());
    let mut changed = |what: String, why: &str| {
        findings.push(Finding::changed(line, whose(), Item::Policy, what, why));
    };
    // No more than there can be here.
    let mut at_most = |what: &str, value: u32, most: u32| -> Option<u32> {
        if value > most {
            changed(format!("{what}: {value} is {most} here"), "it cannot be more here");
        }
        Some(value.min(most)).filter(|value| *value > 0)
    };
    let mut parts = PolicyParts::new(name);
    let body = &mut parts.body;
    body.min_length = at_most("min-length", said.min_length, MOST_LENGTH);
    // One kind every password has.
    body.min_classes = at_most("min-classes", said.min_classes, CLASSES.into())
        .filter(|classes| *classes > 1)
        .and_then(|classes| u8::try_from(classes).ok());
    body.history =
        at_most("history", said.history, MOST_HISTORY.into()).and_then(|history| u16::try_from(history).ok());
    body.max_failures = at_most("max-failures", said.max_failures, MOST_FAILURES.into())
        .and_then(|failures| u16::try_from(failures).ok());
    let span = |seconds: u32| Some(Span(Duration::from_secs(seconds.into()))).filter(|_| seconds > 0);
    body.min_age = span(said.min_life);
    body.max_age = span(said.max_life);
    if body.min_age.zip(body.max_age).is_some_and(|(min, max)| min >= max) {
        body.min_age = None;
        changed(
            format!("min-age: {} s is left out", said.min_life),
            "a password could not be changed before it expires",
        );
    }
    if body.max_failures.is_some() {
        body.failure_window = span(said.failure_interval).or(Some(Span(FOR_EVER)));
        body.lockout = span(said.lockout_duration);
    }
    body.enctypes = enctypes(line, shown, said, findings);
    let left_out = |what: &str, why: &str| Finding::left_out(line, whose(), Item::Extension, what, why);
    if said.attributes != 0 || said.ticket_life != 0 || said.ticket_renewable_life != 0 {
        let what = "its flags and lives of tickets";
        findings.push(left_out(what, "MIT's own programs neither set nor heed them"));
    }
    for kind in &said.tl_types {
        findings.push(left_out(
            &format!("tagged data of type {kind}"),
            "it is not known what it means",
        ));
    }
    Policy::new(parts).map_err(|why| ImportError::at(line, format!("the policy {shown}, {}: {why}", why.key())))
}

// What keys may be made for is what they are made for here.
fn enctypes(line: u64, shown: &str, said: &PolicyLine, findings: &mut Vec<Finding>) -> Vec<EncType> {
    let Some(allowed) = &said.allowed_keysalts else {
        return Vec::new();
    };
    let allowed = String::from_utf8_lossy(allowed);
    let mut enctypes = Vec::new();
    let mut others = Vec::new();
    for keysalt in allowed.split([',', ' ']).filter(|keysalt| !keysalt.is_empty()) {
        let (name, salt) = keysalt.split_once(':').unwrap_or((keysalt, "normal"));
        match EncType::from_name(name) {
            Some(etype) if salt == "normal" => {
                if !enctypes.contains(&etype) {
                    enctypes.push(etype);
                }
            }
            _ => others.push(keysalt.to_owned()),
        }
    }
    if !others.is_empty() {
        let what = format!("keys for {}", others.join(", "));
        let why = "this realm makes keys of AES alone, and with its own salts";
        let finding = Finding::left_out(line, Whose::Policy(shown.into()), Item::Extension, what, why);
        let advice = match enctypes.is_empty() {
            true => "new keys are made for what [keys] enctypes in realm.toml says",
            false => "new keys are made for the others",
        };
        findings.push(finding.advising(advice));
    }
    enctypes
}

#[cfg(test)]
mod tests {
    use tessera_common::name::Realm;

    use super::*;
    use crate::realm::access::Access;

    fn settings() -> RealmSettings {
        RealmSettings::new(Realm::new("R").unwrap())
    }

    fn line(name: &str) -> PolicyLine {
        PolicyLine {
            name: name.into(),
            ..PolicyLine::default()
        }
    }

    fn mapped(lines: &[PolicyLine]) -> (Vec<Mapped>, Policies) {
        let lines = lines
            .iter()
            .cloned()
            .enumerate()
            .map(|(at, line)| (at as u64 + 1, line));
        map(lines.collect(), &settings())
            .map_err(|why| why.to_string())
            .unwrap()
    }

    fn json(mapped: &Mapped) -> String {
        serde_json::to_string(&mapped.policy).unwrap()
    }

    #[test]
    fn every_part_means_the_same_here() {
        let said = PolicyLine {
            min_life: 3600,
            max_life: 90 * 86_400,
            min_length: 10,
            min_classes: 3,
            history: 5,
            max_failures: 6,
            failure_interval: 600,
            lockout_duration: 900,
            allowed_keysalts: Some(b"aes256-sha2:normal,aes256-cts".to_vec()),
            ..line("staff")
        };
        let (mapped, policies) = mapped(&[said, line("empty")]);
        assert_eq!(
            json(&mapped[0]),
            r#"{"name":"staff","min-length":10,"min-classes":3,"history":5,"min-age":"1h","max-age":"90d","max-failures":6,"failure-window":"10m","lockout":"15m","enctypes":["aes256-cts-hmac-sha384-192","aes256-cts-hmac-sha1-96"]}"#
        );
        assert_eq!(json(&mapped[1]), r#"{"name":"empty"}"#, "0 says nothing");
        assert!(mapped.iter().all(|mapped| mapped.findings.is_empty()));
        assert_eq!(policies.get(b"staff").unwrap().0.as_str(), "staff");
        assert!(policies.get(b"Staff").is_none());
    }

    #[test]
    fn wrong_passwords_that_are_never_forgotten_count_for_ever() {
        let (mapped, _) = mapped(&[PolicyLine {
            max_failures: 6,
            ..line("a")
        }]);
        let limit = mapped[0].policy.failure_limit().unwrap();
        assert_eq!((limit.failures, limit.window, limit.lockout), (6, FOR_EVER, None));
    }

    #[test]
    fn what_goes_past_our_bounds_is_cut_down_and_told() {
        let (mapped, _) = mapped(&[PolicyLine {
            min_life: 10,
            max_life: 10,
            min_length: 1000,
            min_classes: 9,
            history: 99,
            max_failures: 5000,
            allowed_keysalts: Some(b"des3-cbc-sha1:normal,aes256-cts:special".to_vec()),
            attributes: 1,
            tl_types: vec![7],
            ..line("a")
        }]);
        let Mapped { policy, findings, .. } = &mapped[0];
        let body = policy.body();
        assert_eq!((body.min_length, body.min_classes), (Some(256), Some(5)));
        assert_eq!((body.history, body.max_failures), (Some(24), Some(1000)));
        assert_eq!((body.min_age, body.enctypes.as_slice()), (None, &[][..]));
        let told: Vec<_> = findings.iter().map(ToString::to_string).collect();
        for part in [
            "min-length: 1000 is 256",
            "min-classes: 9",
            "history: 99",
            "5000 is 1000",
            "min-age: 10 s",
        ] {
            assert!(told.iter().any(|line| line.contains(part)), "{told:?}");
        }
        for part in [
            "des3-cbc-sha1:normal, aes256-cts:special",
            "its flags",
            "tagged data of type 7",
        ] {
            assert!(told.iter().any(|line| line.contains(part)), "{told:?}");
        }
    }

    #[test]
    fn names_that_cannot_be_here_become_others_and_none_twice() {
        let names = [
            "default",
            "Staff",
            "staff",
            "none",
            "-x",
            "a b",
            "A.b",
            "mit-default",
            "STAFF",
        ];
        let (mapped, policies) = mapped(&names.map(line));
        let given: Vec<_> = mapped.iter().map(|mapped| mapped.policy.name().as_str()).collect();
        assert_eq!(
            given,
            [
                "mit-default-2",
                "staff-2",
                "staff",
                "mit-none",
                "mit-x",
                "a-b",
                "a.b",
                "mit-default",
                "staff-3"
            ]
        );
        let renamed: Vec<_> = mapped.iter().map(|mapped| mapped.findings.len()).collect();
        assert_eq!(renamed, [1, 1, 0, 1, 1, 1, 1, 0, 1]);
        assert!(
            mapped[0].findings[0]
                .to_string()
                .contains("only for those who named it")
        );
        assert_eq!(policies.get(b"default").unwrap().0.as_str(), "mit-default-2");
        assert!(PolicyName::new(&fitting(&"é".repeat(100))).is_ok());
        assert!(PolicyName::new(&fitting("")).is_ok());
    }

    #[test]
    fn a_name_twice_and_one_of_realm_toml_are_refused() {
        let error = map(vec![(4, line("a")), (5, line("a"))], &settings()).err().unwrap();
        assert_eq!(error.to_string(), "line 5: the policy a is there twice");
        let staff = Policy::new(PolicyParts::new(PolicyName::new("staff").unwrap())).unwrap();
        let settings = RealmSettings {
            access: Access::default().with_policies([staff]),
            ..settings()
        };
        let error = map(vec![(4, line("staff"))], &settings).err().unwrap().to_string();
        assert!(
            error.starts_with("line 4: the policy staff is in realm.toml, too"),
            "{error}"
        );
    }
}
