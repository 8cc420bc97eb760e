//! A principal as it is shown, and as a line of an import file.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{GivenKey, NewKeys, NewPrincipal, Password, Settings};
use crate::duration;
use crate::role::RoleName;
use crate::time::KerberosTime;

/// A principal as it is shown. Its JSON is what `principal list --json` and `principal show --json` print; the names of the
/// fields stay as they are. Times are RFC 3339, spans as in `10h`; what is absent is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PrincipalInfo {
    /// With the realm.
    pub name: String,
    /// Other names that find it, with the realm.
    pub aliases: Vec<String>,
    /// 32 hexadecimal digits that no other principal ever had or will have.
    pub id: String,
    /// The number of the change that made it what it is.
    pub revision: u64,
    /// What sets it apart: `locked`, `no-preauth`, `not-a-service` …; without any, all is as by default.
    pub attributes: Vec<String>,
    /// What it is to the realm's services, sorted.
    pub roles: Vec<RoleName>,
    /// The policy that it goes by: its own or, for a password without one, `default` if there is such a policy.
    pub policy: Option<String>,
    /// Whether too many wrong passwords have shut it out.
    pub shut_out: Option<ShutOutInfo>,
    /// From then on it gets no tickets.
    pub expires: Option<Time>,
    /// From then on it has to change its password, also because its policy says so.
    pub password_expires: Option<Time>,
    /// The longest life of its tickets; `null`: the realm's.
    pub max_life: Option<Span>,
    /// The longest renewable life; `null`: the realm's.
    pub max_renew: Option<Span>,
    /// The version of its current keys.
    pub kvno: Option<u32>,
    /// Every key, the newest first; those that are staged come before the current ones.
    pub keys: Vec<KeyInfo>,
    /// When its current keys came into force.
    pub keys_changed: Option<Time>,
    /// When it was made.
    pub created: Time,
    /// When it was changed last.
    pub changed: Time,
    /// Who changed it last.
    pub changed_by: String,
}

/// How long too many wrong passwords shut a principal out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShutOutInfo {
    /// Since when.
    pub since: Time,
    /// Until when; `null`: until an administrator unlocks it.
    pub until: Option<Time>,
}

/// A key as it is shown: all but the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KeyInfo {
    /// Its version.
    pub kvno: u32,
    /// Its enctype, by name.
    pub enctype: String,
    /// The salt, if it was made from a password; octets that are no UTF-8 are shown as U+FFFD.
    pub salt: Option<String>,
    /// Until when an older version is good.
    pub retired: Option<Time>,
    /// When it was made; `null`: not known.
    pub made: Option<Time>,
    /// What the realm does with it.
    #[serde(rename = "use")]
    pub used: KeyUse,
}

/// What the realm does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeyUse {
    /// Tickets are sealed with it.
    Current,
    /// Keytabs have it before any ticket is sealed with it.
    Staged,
    /// Tickets were sealed with it.
    Former,
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Current => "current",
            Self::Staged => "staged",
            Self::Former => "former",
        })
    }
}

/// A time that is written in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub KerberosTime);

/// A span of time that is written as in `10h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&duration::format(self.0))
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        duration::parse(&String::deserialize(deserializer)?)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// A line of an import file: a JSON object with `name`, exactly one of `password`, `random-key` (`true`) and `keys`, perhaps
/// `roles`, and whatever [`Settings`] has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImportRecord {
    name: String,
    password: Option<Password>,
    random_key: Option<bool>,
    keys: Option<Vec<GivenKey>>,
    enctypes: Option<Vec<String>>,
    #[serde(default)]
    roles: Vec<RoleName>,
    // Takes what is left, and refuses what it does not know.
    #[serde(flatten)]
    settings: serde_json::Map<String, serde_json::Value>,
}

/// Why a line of an import file is no principal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportRecordError {
    /// Not JSON, or not of the right shape.
    Json(String),
    /// None, or more than one, of `password`, `random-key` and `keys`.
    Keys,
    /// `enctypes` beside `keys`.
    EnctypesOfGivenKeys,
}

impl fmt::Display for ImportRecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(what) => f.write_str(what),
            Self::Keys => f.write_str("expected one of \"password\", \"random-key\": true and \"keys\""),
            Self::EnctypesOfGivenKeys => {
                f.write_str("\"enctypes\" goes with \"password\" and \"random-key\", not with \"keys\"")
            }
        }
    }
}

impl core::error::Error for ImportRecordError {}

impl ImportRecord {
    /// Reads a line.
    ///
    /// # Errors
    /// [`ImportRecordError`].
    pub fn parse(line: &str) -> Result<NewPrincipal, ImportRecordError> {
        let record: Self = serde_json::from_str(line).map_err(|error| {
            let text = without_position(&error);
            if error.is_data() {
                ImportRecordError::Json(without_value(&text))
            } else {
                ImportRecordError::Json(format!("not JSON: {text}"))
            }
        })?;
        let keys = match (record.password, record.random_key.unwrap_or(false), record.keys) {
            (Some(password), false, None) => NewKeys::Password(password),
            (None, true, None) => NewKeys::Random,
            (None, false, Some(_)) if record.enctypes.is_some() => return Err(ImportRecordError::EnctypesOfGivenKeys),
            (None, false, Some(keys)) => NewKeys::Given(keys),
            _ => return Err(ImportRecordError::Keys),
        };
        let settings = settings(record.settings)?;
        Ok(NewPrincipal {
            name: record.name,
            keys,
            enctypes: record.enctypes,
            settings,
            roles: record.roles,
        })
    }
}

fn settings(fields: serde_json::Map<String, serde_json::Value>) -> Result<Settings, ImportRecordError> {
    let read = |fields| serde_json::from_value::<Settings>(serde_json::Value::Object(fields));
    let error = match read(fields.clone()) {
        Ok(settings) => return Ok(settings),
        Err(error) => without_position(&error),
    };
    // serde_json names a field that is unknown, and not one whose value is wrong.
    let wrong = fields.into_iter().find(|(name, value)| {
        let alone = [(name.clone(), value.clone())].into_iter().collect();
        read(alone).is_err()
    });
    Err(ImportRecordError::Json(match wrong {
        Some((name, _)) if !error.starts_with("unknown field") => format!("\"{name}\": {error}"),
        _ => error,
    }))
}

// The texts of serde_json may end in a position, here within one line.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

// "invalid type: string "hunter2", expected …": what stands in the wrong place may be a password or a key.
fn without_value(text: &str) -> String {
    let value = text.find(['"', '`']).zip(text.rfind(", expected "));
    match value.filter(|_| text.starts_with("invalid ")) {
        Some((begin, end)) if begin <= end => {
            let (kind, expected) = (
                text.get(..begin).unwrap_or_default(),
                text.get(end..).unwrap_or_default(),
            );
            format!("{}{expected}", kind.trim_end())
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Deadline, YesNo};
    use super::*;

    #[test]
    fn a_line_of_an_import_file_is_a_principal() {
        let principal = ImportRecord::parse(
            r#"{"name": "alice", "password": "secret", "roles": ["staff"], "expires": "never", "preauth": false, "enctypes": ["aes256-cts"]}"#,
        )
        .unwrap();
        assert_eq!(principal.name, "alice");
        assert_eq!(principal.keys, NewKeys::Password(Password::new("secret".into())));
        assert_eq!(principal.enctypes, Some(vec!["aes256-cts".into()]));
        assert_eq!(principal.roles, [RoleName::new("staff").unwrap()]);
        assert_eq!(
            principal.settings,
            Settings {
                expires: Some(Deadline::Never),
                preauth: Some(YesNo::No),
                ..Settings::default()
            }
        );
        assert_eq!(
            ImportRecord::parse(r#"{"name":"h","random-key":true}"#).unwrap().keys,
            NewKeys::Random
        );
        let given =
            r#"{"name":"h","keys":[{"enctype":"aes128-cts","kvno":3,"key":"00112233445566778899aabbccddeeff"}]}"#;
        assert!(matches!(ImportRecord::parse(given).unwrap().keys, NewKeys::Given(keys) if keys.len() == 1));
    }

    #[test]
    fn what_is_no_principal_says_why() {
        for (line, why) in [
            ("", "not JSON: EOF while parsing a value"),
            ("{name: a}", "not JSON: key must be a string"),
            ("[]", "expected"),
            (r#"{"password":"x"}"#, "missing field `name`"),
            (r#"{"name":"a"}"#, "expected one of \"password\""),
            (r#"{"name":"a","random-key":false}"#, "expected one of \"password\""),
            (
                r#"{"name":"a","password":"x","random-key":true}"#,
                "expected one of \"password\"",
            ),
            (r#"{"name":"a","keys":[],"enctypes":[]}"#, "\"enctypes\" goes with"),
            (
                r#"{"name":"a","password":"x","roles":["Staff"]}"#,
                "a name here is 1 to 64 of a-z",
            ),
            (r#"{"name":"a","password":"x","colour":1}"#, "unknown field `colour`"),
            (
                r#"{"name":"a","password":"x","expires":"soon"}"#,
                "\"expires\": expected a time such as",
            ),
            (
                r#"{"name":"a","password":"x","preauth":"no"}"#,
                "\"preauth\": invalid type: string \"no\", expected a boolean",
            ),
        ] {
            let error = ImportRecord::parse(line).unwrap_err().to_string();
            assert!(error.contains(why) || why == "expected", "{line}: {error}");
        }
    }

    #[test]
    fn what_may_be_secret_is_not_repeated() {
        for (line, says) in [
            (
                r#"{"name":"a","password":421337}"#,
                "invalid type: integer, expected a string",
            ),
            (
                r#"{"name":"a","keys":"421337"}"#,
                "invalid type: string, expected a sequence",
            ),
            (
                r#"{"name":"a","keys":[{"enctype":"x","kvno":1,"key":421337}]}"#,
                "invalid type: integer, expected a string",
            ),
            (
                r#"{"name":"a","random-key":"421337, expected `\"x"}"#,
                "invalid type: string, expected a boolean",
            ),
        ] {
            assert_eq!(ImportRecord::parse(line).unwrap_err().to_string(), says);
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        let info = PrincipalInfo {
            name: "alice@EXAMPLE.COM".into(),
            aliases: Vec::new(),
            id: "00".into(),
            revision: 7,
            attributes: vec!["locked".into()],
            roles: vec!["staff".parse().unwrap()],
            policy: Some("staff".into()),
            shut_out: Some(ShutOutInfo {
                since: Time(KerberosTime(0)),
                until: None,
            }),
            expires: Some(Time(KerberosTime(0))),
            password_expires: None,
            max_life: Some(Span(Duration::from_secs(3600))),
            max_renew: None,
            kvno: Some(2),
            keys: vec![KeyInfo {
                kvno: 2,
                enctype: "aes256-cts".into(),
                salt: None,
                retired: None,
                made: Some(Time(KerberosTime(0))),
                used: KeyUse::Current,
            }],
            keys_changed: None,
            created: Time(KerberosTime(0)),
            changed: Time(KerberosTime(0)),
            changed_by: "uid 0".into(),
        };
        let json = serde_json::to_string(&info).unwrap();
        assert!(
            json.contains(r#""expires":"1970-01-01T00:00:00Z","password-expires":null,"max-life":"1h""#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<PrincipalInfo>(&json).unwrap(), info);
    }
}
