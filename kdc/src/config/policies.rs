//! `[policies]` and `[passwords]`: what passwords have to be, and how many wrong ones are taken.

use core::ops::Range;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tessera_common::admin::{PolicyBody, Span};
use tessera_common::crypto::EncType;

use super::access::checked;
use super::reader::{self, Fault, Problem, Table};
use crate::realm::dictionary::Dictionary;
use crate::realm::policy::{Policy, PolicyName, PolicyParts};

/// `[passwords]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasswordsConfig {
    /// `dictionary`: a file with one word on each line; relative paths already joined to the file's directory.
    pub dictionary: Option<PathBuf>,
    /// What is in it.
    pub words: Arc<Dictionary>,
    // Where realm.toml names it.
    place: Option<Problem>,
}

impl PasswordsConfig {
    pub(super) fn read(file: &Path, mut table: Table<'_, '_>) -> Self {
        const DICTIONARY: &str = "a file such as \"words\", with one word on each line";
        let dictionary = table.value("dictionary", DICTIONARY, |v| match reader::string(v)? {
            "" => Err(Fault::new("the path is empty")),
            path => Ok(file.parent().unwrap_or(Path::new("")).join(path)),
        });
        let place = dictionary
            .as_ref()
            .map(|found| table.place("dictionary", found.at.clone()));
        table.finish();
        Self {
            dictionary: dictionary.map(|found| found.value),
            words: Arc::default(),
            place,
        }
    }

    /// Reads the words.
    pub(super) fn load(&mut self) -> Result<(), Problem> {
        let (Some(file), Some(place)) = (&self.dictionary, &self.place) else {
            return Ok(());
        };
        let wrong = |what: String| Problem {
            what: format!("{} {what}", file.display()),
            ..place.clone()
        };
        let octets = fs::read(file).map_err(|why| wrong(format!("cannot be read: {why}")))?;
        let words = Dictionary::read(&octets).map_err(|why| wrong(format!("is no dictionary: {why}")))?;
        self.words = Arc::new(words);
        Ok(())
    }
}

/// Reads one policy; its place in the file, with it.
pub(super) fn read_policy(name: &str, mut table: Table<'_, '_>) -> Option<(Policy, Problem)> {
    let name = checked::<PolicyName>(name, &table);
    let mut places: Vec<(&'static str, Range<usize>)> = Vec::new();
    let known = EncType::ALL.map(EncType::name).join(", ");
    let mut number = |table: &mut Table<'_, '_>, key| {
        let found = table.value(key, "a number", |v| {
            let number = reader::integer(v)?;
            u32::try_from(number).map_err(|_| Fault::new(format!("{number} is out of range")))
        })?;
        places.push((key, found.at));
        Some(found.value)
    };
    let min_length = number(&mut table, "min-length");
    let min_classes = number(&mut table, "min-classes");
    let min_strength = number(&mut table, "min-strength");
    let history = number(&mut table, "history");
    let max_failures = number(&mut table, "max-failures");
    let dictionary = table.value("dictionary", "true or false", reader::boolean);
    let mut span = |key| {
        let found = table.value(key, "a time such as \"15m\" or \"90d\"", reader::span_alone)?;
        places.push((key, found.at));
        Some(Span(found.value))
    };
    let (min_age, max_age) = (span("min-age"), span("max-age"));
    let (failure_window, lockout) = (span("failure-window"), span("lockout"));
    let (max_life, max_renew) = (span("max-life"), span("max-renew"));
    let enctypes = table.list("enctypes", &format!("one of {known}"), |text| {
        EncType::from_name(text).ok_or_else(|| Fault::new(format!("{text:?} is no enctype of this realm")))
    });
    if let Some(list) = &enctypes {
        places.push(("enctypes", list.at.clone()));
        if list.value.is_empty() {
            let what = format!("the list has none; expected some of {known}");
            table.wrong("enctypes", list.at.clone(), what);
        }
    }
    // Past what fits, it is out of bounds in any case, and Policy::new says what these are.
    let small = |number: Option<u32>| number.map(|number| u8::try_from(number).unwrap_or(u8::MAX));
    let middling = |number: Option<u32>| number.map(|number| u16::try_from(number).unwrap_or(u16::MAX));
    let policy = name.and_then(|name| {
        let made = Policy::new(PolicyParts {
            name,
            body: PolicyBody {
                min_length,
                min_classes: small(min_classes),
                min_strength: small(min_strength),
                dictionary: dictionary.is_some_and(|dictionary| dictionary.value),
                history: middling(history),
                min_age,
                max_age,
                max_failures: middling(max_failures),
                failure_window,
                lockout,
                enctypes: enctypes.map_or_else(Vec::new, |list| {
                    list.value.into_iter().map(|enctype| enctype.value).collect()
                }),
                max_life,
                max_renew,
            },
        });
        match made {
            Ok(policy) => Some((policy, table.own_place())),
            Err(why) => {
                match places.iter().find(|(key, _)| *key == why.key()) {
                    Some((key, at)) => table.wrong(key, at.clone(), why.to_string()),
                    None => table.wrong_itself(format!("{}: {why}", why.key())),
                }
                None
            }
        }
    });
    table.finish();
    policy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const HEAD: &str = "[realm]\nname = \"R\"\nstate = \"var\"\n";

    fn parse(tail: &str) -> Result<Config, Vec<String>> {
        Config::parse(Path::new("/etc/realm.toml"), &format!("{HEAD}{tail}"))
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn policies_are_read_as_written() {
        let config = parse(
            "[passwords]\ndictionary = \"words\"\n[policies.default]\n[policies.staff]\nmin-length = 12\nmin-classes = 3\n\
             min-strength = 3\ndictionary = true\nhistory = 5\nmin-age = \"1d\"\nmax-age = \"90d\"\nmax-failures = 5\n\
             failure-window = \"10m\"\nlockout = \"15m\"\nenctypes = [\"aes256-cts-hmac-sha384-192\"]\nmax-life = \"8h\"\n\
             max-renew = \"0s\"\n",
        )
        .unwrap();
        let policies = config.access.declared().policies();
        let json: Vec<_> = policies.map(|policy| serde_json::to_string(policy).unwrap()).collect();
        assert_eq!(
            json,
            [
                r#"{"name":"default"}"#,
                r#"{"name":"staff","min-length":12,"min-classes":3,"min-strength":3,"dictionary":true,"history":5,"min-age":"1d","max-age":"90d","max-failures":5,"failure-window":"10m","lockout":"15m","enctypes":["aes256-cts-hmac-sha384-192"],"max-life":"8h","max-renew":"0s"}"#,
            ]
        );
        assert_eq!(config.passwords.dictionary.as_deref(), Some(Path::new("/etc/words")));
    }

    #[test]
    fn every_fault_of_a_policy_names_its_place() {
        for (tail, message) in [
            (
                "[policies.None]\n",
                "4:11: policies.None: \"None\" cannot be its name: a name here",
            ),
            (
                "[policies.none]\n",
                "4:11: policies.none: \"none\" cannot be its name: that stands for no policy",
            ),
            (
                "[policies.a]\nmin-length = 0\n",
                "5:14: policies.a.min-length: it is a number from 1 to 256",
            ),
            (
                "[policies.a]\nmin-length = \"12\"\n",
                "5:14: policies.a.min-length: the text \"12\" is not right here",
            ),
            (
                "[policies.a]\nmin-classes = 261\n",
                "5:15: policies.a.min-classes: it is a number from 1 to 5",
            ),
            (
                "[policies.a]\nhistory = -1\n",
                "5:11: policies.a.history: -1 is out of range",
            ),
            (
                "[policies.a]\nlockout = \"5m\"\n",
                "5:11: policies.a.lockout: it goes with max-failures",
            ),
            (
                "[policies.a]\nmax-age = \"long\"\n",
                "5:11: policies.a.max-age: \"long\" is no time",
            ),
            (
                "[policies.a]\nmin-age = \"2d\"\nmax-age = \"1d\"\n",
                "5:11: policies.a.min-age: a password has to be kept for less",
            ),
            (
                "[policies.a]\nenctypes = []\n",
                "5:12: policies.a.enctypes: the list has none",
            ),
            (
                "[policies.a]\nenctypes = [\"aes128-cts\", \"aes128-cts\"]\n",
                "5:12: policies.a.enctypes: aes128-cts-hmac-sha1-96 is there twice",
            ),
            ("[policies.a]\nlength = 8\n", "5:1: policies.a.length: unknown key; "),
            (
                "[passwords]\ndictionary = \"\"\n",
                "5:14: passwords.dictionary: the path is empty",
            ),
            (
                "[passwords]\nwords = \"a\"\n",
                "5:1: passwords.words: unknown key; known here: dictionary",
            ),
        ] {
            let problems = parse(tail).unwrap_err();
            assert!(
                problems.iter().any(|problem| problem.contains(message)),
                "{tail}: {problems:?}"
            );
        }
    }

    #[test]
    fn a_dictionary_that_is_no_text_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("realm.toml");
        fs::write(&file, format!("{HEAD}[passwords]\ndictionary = \"words\"\n")).unwrap();
        let why = Config::load(&file).unwrap_err().to_string();
        assert!(
            why.contains("realm.toml:5:14: passwords.dictionary: ") && why.contains("words cannot be read: "),
            "{why}"
        );
        fs::write(dir.path().join("words"), b"one\n\xff\n").unwrap();
        let why = Config::load(&file).unwrap_err().to_string();
        assert!(why.ends_with("words is no dictionary: line 2 is not UTF-8"), "{why}");
        fs::write(dir.path().join("words"), b"one\ntwo\n").unwrap();
        let config = Config::load(&file).unwrap();
        assert_eq!(config.passwords.words.len(), 2);
        assert!(config.settings().dictionary.has("TWO"));
    }
}
