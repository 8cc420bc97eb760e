//! What happened in a realm, event by event, as the daemon's event log keeps it and as `principal log --json` tells it: a line
//! of JSON each.
//!
//! The names of fields and their values stay as they are; fields and kinds may be added, so a reader leaves alone what it does
//! not know. What is not known, or has no meaning for a kind, is absent.

use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::{KerberosTime, TimeError, Timestamp};

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// Somebody asked for an initial ticket: a login.
    As,
    /// Somebody asked for a further ticket.
    Tgs,
    /// Somebody asked for a new password.
    Password,
    /// Somebody asked to administer the realm from afar.
    Administration,
    /// Something that is no request came in.
    Unknown,
    /// An administrator asked for something, or the daemon itself changed something.
    Admin,
    /// Too many wrong passwords have shut somebody out.
    ShutOut,
    /// A session began.
    SessionStart,
    /// A session goes on: its counts so far.
    SessionInterim,
    /// A session ended: its counts.
    SessionStop,
    /// The daemon serves, or settings are in force anew.
    Started,
    /// The daemon stops.
    Stopped,
    /// Events were lost: `count` of them, `detail` says why.
    Lost,
    /// The clock was set back: `detail` says from when to when.
    ClockSetBack,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventResult {
    /// A ticket was issued.
    Issued,
    /// A new password is in force.
    PasswordChanged,
    /// An administrator has proved who it is.
    Admitted,
    /// What an administrator asked for is done.
    Done,
    /// It was refused, and the peer was told.
    Refused,
    /// The answer given before was given again.
    Repeated,
    /// Nothing was answered.
    Dropped,
    /// Nobody was left to hear the answer.
    Interrupted,
}

/// When an event was, to the microsecond: RFC 3339 in UTC with six digits of a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventTime(pub Timestamp);

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EventRecord {
    /// Its number, from 1, one more for each event of the realm; a gap is events that were lost.
    pub seq: u64,
    /// When, by the daemon's clock.
    pub time: EventTime,
    /// What it is about.
    pub kind: EventKind,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<SocketAddr>,
    /// How: `udp`, `tcp`, or `socket` for the administration socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Who asked, as asked or as found in the ticket; for [`EventKind::Admin`] the administrator, such as `uid 0`; for a session
    /// whose it is; for [`EventKind::ShutOut`] who is shut out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The immutable id of that principal, 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The service asked for; for [`EventKind::Admin`] the principal, role, rule or policy that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The immutable id of that principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// Whose ticket armored the request (RFC 6113), or `session`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub armor: Option<String>,
    /// The mechanism by which the client tried to prove who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// How it did prove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<String>,
    /// What an administrator asked for, as the log names requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<EventResult>,
    /// Why not: a stable name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The protocol's error code (RFC 4120 §7.5.9, RFC 3244).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// More, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The enctype of the ticket, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The enctype of the session key, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// The enctype of the reply, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// The version of the service's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kvno: Option<u32>,
    /// The version of the client's key that the reply is under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_kvno: Option<u32>,
    /// Until when the ticket is good, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Until when it can be renewed, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_till: Option<String>,
    /// The ticket's flags, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The enctypes that the client offered, the first ones where there are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub etypes: Vec<i32>,
    /// How many: wrong passwords, or events that were lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Until when somebody is shut out, in RFC 3339; absent, until an administrator lets it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The session that it is about, 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How long the session has lasted, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Octets that came from the client in the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub octets_in: Option<u64>,
    /// Octets that went to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub octets_out: Option<u64>,
    /// Requests in the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Why the session ended: a stable name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::As,
        Self::Tgs,
        Self::Password,
        Self::Administration,
        Self::Unknown,
        Self::Admin,
        Self::ShutOut,
        Self::SessionStart,
        Self::SessionInterim,
        Self::SessionStop,
        Self::Started,
        Self::Stopped,
        Self::Lost,
        Self::ClockSetBack,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::As => "as",
            Self::Tgs => "tgs",
            Self::Password => "password",
            Self::Administration => "administration",
            Self::Unknown => "unknown",
            Self::Admin => "admin",
            Self::ShutOut => "shut-out",
            Self::SessionStart => "session-start",
            Self::SessionInterim => "session-interim",
            Self::SessionStop => "session-stop",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Lost => "lost",
            Self::ClockSetBack => "clock-set-back",
        }
    }

    /// Whether it is a client's request: then whom it names as client is a name, though it may be nobody's. In the others a client
    /// without an id is such as `uid 0`, or a network.
    #[must_use]
    pub const fn is_a_request(self) -> bool {
        matches!(self, Self::As | Self::Tgs | Self::Password | Self::Administration)
    }
}

impl EventResult {
    /// Every result.
    pub const ALL: [Self; 8] = [
        Self::Issued,
        Self::PasswordChanged,
        Self::Admitted,
        Self::Done,
        Self::Refused,
        Self::Repeated,
        Self::Dropped,
        Self::Interrupted,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::PasswordChanged => "password-changed",
            Self::Admitted => "admitted",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Repeated => "repeated",
            Self::Dropped => "dropped",
            Self::Interrupted => "interrupted",
        }
    }
}

impl EventRecord {
    /// Whether a client was only told to come back with a proof: each login begins like that, and it is no failure.
    #[must_use]
    pub fn asks_for_proof(&self) -> bool {
        matches!(self.reason.as_deref(), Some("proof-missing" | "proof-incomplete"))
    }

    /// An event of which no more is known.
    #[must_use]
    pub const fn new(seq: u64, time: EventTime, kind: EventKind) -> Self {
        Self {
            seq,
            time,
            kind,
            peer: None,
            via: None,
            client: None,
            client_id: None,
            service: None,
            service_id: None,
            armor: None,
            mechanism: None,
            factor: None,
            request: None,
            result: None,
            reason: None,
            code: None,
            detail: None,
            rule: None,
            ticket: None,
            session_key: None,
            reply: None,
            kvno: None,
            reply_kvno: None,
            end: None,
            renew_till: None,
            flags: Vec::new(),
            etypes: Vec::new(),
            count: None,
            until: None,
            session: None,
            duration_ms: None,
            octets_in: None,
            octets_out: None,
            requests: None,
            cause: None,
        }
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.time.to_text();
        let seconds = text.as_str().trim_end_matches('Z');
        write!(f, "{seconds}.{:06}Z", self.0.usec)
    }
}

impl FromStr for EventTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let (seconds, fraction) = text
            .strip_suffix('Z')
            .and_then(|text| text.split_once('.'))
            .ok_or(TimeError)?;
        let digits = fraction.len() == 6 && fraction.bytes().all(|octet| octet.is_ascii_digit());
        let usec = fraction.parse().ok().filter(|_| digits).ok_or(TimeError)?;
        let time: KerberosTime = format!("{seconds}Z").parse()?;
        Ok(Self(Timestamp::new(time, usec)))
    }
}

impl Serialize for EventTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_written_and_read_as_documented() {
        let text = r#"{"seq":7,"time":"2026-11-23T08:15:00.000120Z","kind":"as","peer":"192.0.2.1:5000","via":"udp","client":"alice","client-id":"00112233445566778899aabbccddeeff","result":"refused","reason":"wrong-proof","code":24,"etypes":[18,17]}"#;
        let event: EventRecord = serde_json::from_str(text).unwrap();
        assert_eq!((event.seq, event.kind, event.code), (7, EventKind::As, Some(24)));
        assert_eq!((event.time.0.usec, event.result), (120, Some(EventResult::Refused)));
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        let later = text.replace("\"via\"", "\"colour\":\"blue\",\"via\"");
        assert_eq!(serde_json::from_str::<EventRecord>(&later).unwrap(), event);
    }

    #[test]
    fn every_kind_and_result_is_called_what_it_is_written_as() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.name()));
        }
        for result in EventResult::ALL {
            assert_eq!(serde_json::to_string(&result).unwrap(), format!("{:?}", result.name()));
        }
    }

    #[test]
    fn a_time_without_six_digits_of_a_fraction_is_none() {
        for bad in [
            "2026-11-23T08:15:00Z",
            "2026-11-23T08:15:00.12Z",
            "2026-11-23T08:15:00.+12345Z",
            "2026-11-23T08:15:00.000000+01:00",
        ] {
            assert_eq!(bad.parse::<EventTime>(), Err(TimeError), "{bad}");
        }
    }

    #[test]
    fn every_field_kind_and_result_is_documented() {
        let documented = include_str!("../../docs/accounting.md");
        let event = EventRecord {
            peer: Some("192.0.2.1:5000".parse().unwrap()),
            via: Some(String::new()),
            client: Some(String::new()),
            client_id: Some(String::new()),
            service: Some(String::new()),
            service_id: Some(String::new()),
            armor: Some(String::new()),
            mechanism: Some(String::new()),
            factor: Some(String::new()),
            request: Some(String::new()),
            result: Some(EventResult::Issued),
            reason: Some(String::new()),
            code: Some(0),
            detail: Some(String::new()),
            rule: Some(String::new()),
            ticket: Some(String::new()),
            session_key: Some(String::new()),
            reply: Some(String::new()),
            kvno: Some(0),
            reply_kvno: Some(0),
            end: Some(String::new()),
            renew_till: Some(String::new()),
            flags: vec![String::new()],
            etypes: vec![0],
            count: Some(0),
            until: Some(String::new()),
            session: Some(String::new()),
            duration_ms: Some(0),
            octets_in: Some(0),
            octets_out: Some(0),
            requests: Some(0),
            cause: Some(String::new()),
            seq: 0,
            time: EventTime::default(),
            kind: EventKind::As,
        };
        let value = serde_json::to_value(&event).unwrap();
        let fields = value.as_object().unwrap().keys().cloned();
        let kinds = EventKind::ALL.into_iter().map(|kind| kind.name().to_owned());
        let results = EventResult::ALL.into_iter().map(|result| result.name().to_owned());
        let names: Vec<String> = fields.chain(kinds).chain(results).collect();
        for name in names {
            let row = documented.lines().filter(|line| line.starts_with("| `"));
            let mut heads = row.filter_map(|line| line.split(" | ").next());
            assert!(
                heads.any(|head| head.contains(&format!("`{name}`"))),
                "{name} has no row"
            );
        }
    }
}
