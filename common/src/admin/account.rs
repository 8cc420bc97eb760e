//! What administrators ask of the account, and what they are told: events, sessions, and what somebody did.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::accounting::{EventKind, EventResult, EventTime};
use crate::duration;
use crate::network::Network;
use crate::time::{KerberosTime, Timestamp};

/// A time that is past: RFC 3339, to the second or to the microsecond, or a span such as `1h` or `7d`, which is so long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Then.
    At(EventTime),
    /// So long before it is said.
    Ago(Duration),
}

/// The text is no [`Moment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MomentError;

/// Which events somebody asks for: those that every condition holds for. A list that is empty is no condition; one that is not
/// holds where any of its members does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct EventQuery {
    /// Whom they are about, as client, as service or as what was changed. The names are as people type them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// What they are about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<EventKind>,
    /// What came of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<EventResult>,
    /// Why it was refused or dropped: stable names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// From when on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Before when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

/// An event as the daemon's log has it: an object of JSON on one line, whose fields are those of
/// [`EventRecord`](crate::accounting::EventRecord), and perhaps others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine(pub String);

/// Which sessions somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum WhichSessions {
    /// Those that are open.
    Open,
    /// Those that have ended, as far as the log goes.
    Ended {
        /// From when on; absent, all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Moment>,
    },
}

/// A session as it is shown. Its JSON is what `principal sessions --json` prints; what is not known, or has no meaning, is
/// `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SessionInfo {
    /// 32 hexadecimal digits that no other session has.
    pub session: String,
    /// Whose it is: a principal with its realm, or such as `uid 0`.
    pub client: Option<String>,
    /// The principal's id.
    pub client_id: Option<String>,
    /// The address and port that it comes from.
    pub peer: Option<String>,
    /// How: `tcp`, `socket`.
    pub via: Option<String>,
    /// The service that is used.
    pub service: Option<String>,
    /// When it began.
    pub start: Option<EventTime>,
    /// How long it has lasted, in milliseconds.
    pub duration_ms: u64,
    /// Octets that came from the client.
    pub octets_in: u64,
    /// Octets that went to it.
    pub octets_out: u64,
    /// What was asked for in it.
    pub requests: u64,
    /// When it ended; `null`: it is open.
    pub end: Option<EventTime>,
    /// Why.
    pub cause: Option<String>,
}

/// What one principal did. Its JSON is what `principal usage --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Usage {
    /// Its name now, or the name that was asked for where there is no such principal.
    pub principal: String,
    /// Its id; `null`: there is no such principal, and what was counted is that of the name.
    pub id: Option<String>,
    /// From when on it was counted; `null`: as far as the log goes.
    pub since: Option<EventTime>,
    /// Until when.
    pub until: Option<EventTime>,
    /// When it asked for something first.
    pub first_seen: Option<EventTime>,
    /// When it did last.
    pub last_seen: Option<EventTime>,
    /// Requests for initial tickets, by what came of them.
    pub logins: BTreeMap<String, u64>,
    /// Initial tickets that were issued, by what the principal proved itself with; `none`, with nothing.
    pub factors: BTreeMap<String, u64>,
    /// What was refused it or dropped, by the reason, whatever it was that it asked for.
    pub refusals: BTreeMap<String, u64>,
    /// Further tickets that were issued to it, by the service. The most used ones, where there are many.
    pub tickets: Vec<Counted>,
    /// Further tickets that were issued to it, all of them.
    pub tickets_in_all: u64,
    /// Tickets for it that were issued to others.
    pub tickets_to_it: u64,
    /// Passwords that it has set itself.
    pub password_changes: u64,
    /// Passwords that administrators have set for it.
    pub passwords_given: u64,
    /// Its sessions that have ended.
    pub sessions: SessionsUsage,
    /// The addresses that it asked from. The most used ones, where there are many.
    pub addresses: Vec<Counted>,
}

/// How often something was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Counted {
    /// What.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// Sessions that have ended, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SessionsUsage {
    /// How many.
    pub count: u64,
    /// How long, in milliseconds.
    pub duration_ms: u64,
    /// Octets that came from the client.
    pub octets_in: u64,
    /// Octets that went to it.
    pub octets_out: u64,
    /// What was asked for.
    pub requests: u64,
}

impl EventQuery {
    /// Whether every event is meant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Moment {
    /// The time that is meant, when it is said at `now`.
    #[must_use]
    pub fn resolve(self, now: Timestamp) -> EventTime {
        match self {
            Self::At(time) => time,
            Self::Ago(span) => EventTime(Timestamp::new(now.time.minus(span), now.usec)),
        }
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let to_the_second = |text: &str| text.parse().map(|time: KerberosTime| Timestamp::new(time, 0));
        if let Ok(time) = text.parse().or_else(|_| to_the_second(text).map(EventTime)) {
            return Ok(Self::At(time));
        }
        duration::parse(text).map(Self::Ago).map_err(|_| MomentError)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(EventTime(Timestamp { time, usec: 0 })) => write!(f, "{time}"),
            Self::At(time) => write!(f, "{time}"),
            Self::Ago(span) => f.write_str(&duration::format(*span)),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for MomentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a time such as 2026-11-23T08:15:00Z or 2026-11-23, or how long ago, such as 1h or 7d")
    }
}

impl core::error::Error for MomentError {}

/// As it is, without being taken apart.
impl Serialize for EventLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EventLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let line = String::from(Box::<str>::from(raw));
        // Between tokens there may be any white space; inside of strings line ends are escaped.
        Ok(Self(if line.contains(['\n', '\r']) {
            line.replace(['\n', '\r'], " ")
        } else {
            line
        }))
    }
}

impl Counted {
    /// The most frequent ones of these, at most so many; of several that are as frequent, the first by name.
    #[must_use]
    pub fn top(counts: impl IntoIterator<Item = (String, u64)>, most: usize) -> Vec<Self> {
        let all = counts.into_iter().map(|(name, count)| Self { name, count });
        let mut all: Vec<Self> = all.collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        all.truncate(most);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp {
        time: KerberosTime(1_795_421_700), // 2026-11-23T08:15:00Z
        usec: 7,
    };

    #[test]
    fn a_moment_is_a_time_or_so_long_ago() {
        for (text, resolved) in [
            ("2026-11-23", "2026-11-23T00:00:00.000000Z"),
            ("2026-11-23T08:00:00+01:00", "2026-11-23T07:00:00.000000Z"),
            ("2026-11-23T08:14:59.500000Z", "2026-11-23T08:14:59.500000Z"),
            ("1h30m", "2026-11-23T06:45:00.000007Z"),
            ("7d", "2026-11-16T08:15:00.000007Z"),
            ("0s", "2026-11-23T08:15:00.000007Z"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.resolve(NOW).to_string(), resolved, "{text}");
            let json = serde_json::to_string(&moment).unwrap();
            assert_eq!(serde_json::from_str::<Moment>(&json).unwrap(), moment, "{json}");
        }
        for bad in ["", "now", "never", "+1h", "-1h", "1", "yesterday", "08:15"] {
            assert_eq!(bad.parse::<Moment>(), Err(MomentError), "{bad}");
        }
    }

    #[test]
    fn a_line_of_the_log_goes_through_as_it_is() {
        let line =
            r#"{"seq":7,"time":"2026-11-23T08:15:00.000120Z","kind":"as","colour":"bl\u00fce","deep":[{"a":1.50}]}"#;
        let sent = serde_json::to_string(&[EventLine(line.into())]).unwrap();
        assert_eq!(sent, format!("[{line}]"));
        let [back]: [EventLine; 1] = serde_json::from_str(&sent).unwrap();
        assert_eq!(back.0, line);
        let [back]: [EventLine; 1] = serde_json::from_str("[{\"a\":\n1}]").unwrap();
        assert_eq!(back.0, "{\"a\": 1}");
        assert!(serde_json::to_string(&EventLine("{".into())).is_err());
    }

    #[test]
    fn the_most_frequent_come_first() {
        let counts = [("a", 1), ("c", 3), ("b", 3), ("d", 2)].map(|(name, count)| (name.to_owned(), count));
        let top: Vec<String> = Counted::top(counts, 3)
            .into_iter()
            .map(|counted| counted.name)
            .collect();
        assert_eq!(top, ["b", "c", "d"]);
    }
}
