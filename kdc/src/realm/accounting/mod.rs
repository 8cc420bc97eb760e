//! What happened? One event for each request, whatever came of it.

mod json;
mod phrases;

use core::fmt::{self, Write as _};
use core::net::SocketAddr;

use tessera_common::accounting::{EventKind, EventResult};
use tessera_common::crypto::EncType;
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::TicketFlags;
use tessera_common::name::{Name, Principal, Realm};
use tessera_common::time::{KerberosTime, Timestamp};

use super::lockout::{ClientTrip, NetworkTrip};
use super::principal::PrincipalId;
use super::rules::RuleName;

pub use json::put_string;
pub(crate) use json::put_time;
pub use phrases::Phrases;
pub(crate) use phrases::put_instant;

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A connection.
    Tcp,
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The peer's address and port.
    pub peer: SocketAddr,
    /// The address and port that it asked.
    pub local: SocketAddr,
    /// How.
    pub transport: Transport,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An initial ticket.
    As,
    /// A further ticket.
    Tgs,
    /// A new password.
    Password,
    /// To administer the realm from afar.
    Administration,
    /// Something that is no request.
    Unknown,
}

impl Kind {
    /// Each, in the order in which they are declared.
    pub const ALL: [Self; 5] = [Self::As, Self::Tgs, Self::Password, Self::Administration, Self::Unknown];

    /// The same, among all that events are about.
    #[must_use]
    pub const fn event_kind(self) -> EventKind {
        match self {
            Self::As => EventKind::As,
            Self::Tgs => EventKind::Tgs,
            Self::Password => EventKind::Password,
            Self::Administration => EventKind::Administration,
            Self::Unknown => EventKind::Unknown,
        }
    }

    /// The name in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.event_kind().name()
    }
}

/// A ticket that was issued, as an operator wants to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The enctype of the ticket.
    pub ticket_etype: EncType,
    /// The enctype of the session key.
    pub session_etype: EncType,
    /// The enctype of the reply.
    pub reply_etype: EncType,
    /// The version of the service's key; `None` for user-to-user.
    pub kvno: Option<u32>,
    /// The version of the client's key that the reply is under; `None` when that is a session key.
    pub reply_kvno: Option<u32>,
    /// Its flags.
    pub flags: TicketFlags,
    /// Until when.
    pub end: KerberosTime,
    /// Until when it can be renewed.
    pub renew_till: Option<KerberosTime>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Result {
    /// A ticket.
    Issued(Issued),
    /// A new password is in force.
    PasswordChanged,
    /// An administrator has proved who it is.
    Admitted,
    /// A refusal that the peer was told.
    Refused {
        /// What the peer was told.
        code: ErrorCode,
        /// Why: a stable name.
        reason: &'static str,
        /// More, for people; empty when the name says it all.
        detail: String,
    },
    /// The answer given before was given again.
    Repeated,
    /// Nothing was answered.
    Dropped {
        /// Why: a stable name.
        reason: &'static str,
    },
}

/// The armor of a request for a further ticket: the session key of the ticket that it comes with.
pub const SESSION_ARMOR: &str = "session";

/// One request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// From where.
    pub origin: Origin,
    /// What was asked for.
    pub kind: Kind,
    /// The client's name, as asked or as found in its ticket.
    pub client: Option<String>,
    /// Who that is.
    pub client_id: Option<PrincipalId>,
    /// The service's name, as asked.
    pub service: Option<String>,
    /// Which principal that is.
    pub service_id: Option<PrincipalId>,
    /// The enctypes that the client offered; the first ones, where there are many.
    pub offered: Vec<i32>,
    /// Whose ticket armored the request (RFC 6113), or [`SESSION_ARMOR`]; `None`, it came in the clear.
    pub armor: Option<String>,
    /// The mechanism that the client tried to prove who it is by; `None`, it did not try.
    pub mechanism: Option<&'static str>,
    /// How the client proved who it is, also where it was refused all the same; `None`, it did not.
    pub factor: Option<&'static str>,
    /// The rule that decided; `None`, none did, or the service is closed to whom no rule lets in.
    pub rule: Option<RuleName>,
    /// What came of it.
    pub result: Result,
}

impl Event {
    /// An event of which nothing is known yet but that something came.
    #[must_use]
    pub const fn new(time: Timestamp, origin: Origin, kind: Kind, result: Result) -> Self {
        Self {
            time,
            origin,
            kind,
            client: None,
            client_id: None,
            service: None,
            service_id: None,
            offered: Vec::new(),
            armor: None,
            mechanism: None,
            factor: None,
            rule: None,
            result,
        }
    }
}

impl Event {
    /// Writes one line of `key=value`, values with spaces or quotes in quotes. Every request writes one, so this goes without
    /// [`core::fmt`] where it can.
    pub fn put_into(&self, out: &mut String) {
        out.push_str(self.kind.name());
        put_peer(out, self.origin.peer);
        out.push_str(match self.origin.transport {
            Transport::Udp => " via=udp",
            Transport::Tcp => " via=tcp",
        });
        for (key, value) in [
            (" client=", &self.client),
            (" service=", &self.service),
            (" armor=", &self.armor),
        ] {
            if let Some(value) = value {
                out.push_str(key);
                put_quoted(out, value);
            }
        }
        for (key, value) in [(" mechanism=", self.mechanism), (" factor=", self.factor)] {
            if let Some(value) = value {
                out.push_str(key);
                out.push_str(value);
            }
        }
        self.result.put_into(out);
        if let Some(rule) = &self.rule {
            out.push_str(" rule=");
            out.push_str(rule.as_str());
        }
        for (at, etype) in self.offered.iter().enumerate() {
            out.push_str(if at == 0 { " etypes=" } else { "," });
            put_number(out, i64::from(*etype));
        }
    }
}

/// The line of the log that says that somebody is shut out.
#[derive(Clone, Debug)]
pub struct ShutOutLine {
    what: &'static str,
    who: String,
    id: Option<PrincipalId>,
    failures: u32,
    until: Option<KerberosTime>,
}

impl ShutOutLine {
    /// A principal is.
    #[must_use]
    pub fn principal(name: &Name, realm: &Realm, trip: &ClientTrip) -> Self {
        Self {
            what: "principal",
            who: Principal::new(name.clone(), realm.clone()).to_string(),
            id: Some(trip.id),
            failures: trip.failures,
            until: trip.shut_out.until,
        }
    }

    /// A network is.
    #[must_use]
    pub fn network(trip: &NetworkTrip) -> Self {
        Self {
            what: "network",
            who: trip.network.to_string(),
            id: None,
            failures: trip.failures,
            until: trip.shut_out.until,
        }
    }

    /// Whether that is a principal and not a network.
    #[must_use]
    pub fn is_principal(&self) -> bool {
        self.what == "principal"
    }
}

impl fmt::Display for ShutOutLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut who = String::new();
        put_quoted(&mut who, &self.who);
        let Self { what, failures, .. } = self;
        write!(f, "shut-out {what}={who} failures={failures} until=")?;
        match self.until {
            Some(until) => write!(f, "{until}"),
            None => f.write_str("unlocked"),
        }
    }
}

impl Result {
    /// The same without what is particular to it, among all that events may have come to.
    #[must_use]
    pub const fn event_result(&self) -> EventResult {
        match self {
            Self::Issued(_) => EventResult::Issued,
            Self::PasswordChanged => EventResult::PasswordChanged,
            Self::Admitted => EventResult::Admitted,
            Self::Refused { .. } => EventResult::Refused,
            Self::Repeated => EventResult::Repeated,
            Self::Dropped { .. } => EventResult::Dropped,
        }
    }

    /// Why, where it was refused or dropped: a stable name.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Refused { reason, .. } | Self::Dropped { reason } => Some(*reason),
            Self::Issued(_) | Self::PasswordChanged | Self::Admitted | Self::Repeated => None,
        }
    }

    fn put_into(&self, out: &mut String) {
        match self {
            Self::Issued(issued) => issued.put_into(out),
            Self::PasswordChanged => out.push_str(" result=password-changed"),
            Self::Admitted => out.push_str(" result=admitted"),
            Self::Refused { code, reason, detail } => {
                out.push_str(" result=refused reason=");
                out.push_str(reason);
                out.push_str(" code=");
                put_number(out, i64::from(code.0));
                if !detail.is_empty() {
                    out.push_str(" detail=");
                    put_quoted(out, detail);
                }
            }
            Self::Repeated => out.push_str(" result=repeated"),
            Self::Dropped { reason } => {
                out.push_str(" result=dropped reason=");
                out.push_str(reason);
            }
        }
    }
}

impl Issued {
    fn put_into(&self, out: &mut String) {
        out.push_str(" result=issued");
        for (key, etype) in [
            (" ticket=", self.ticket_etype),
            (" session=", self.session_etype),
            (" reply=", self.reply_etype),
        ] {
            out.push_str(key);
            out.push_str(etype.name());
        }
        for (key, kvno) in [(" kvno=", self.kvno), (" reply-kvno=", self.reply_kvno)] {
            if let Some(kvno) = kvno {
                out.push_str(key);
                put_number(out, i64::from(kvno));
            }
        }
        for (key, time) in [(" end=", Some(self.end)), (" renew-till=", self.renew_till)] {
            if let Some(time) = time {
                out.push_str(key);
                out.push_str(time.to_text().as_str());
            }
        }
        let flags = TicketFlags::NAMED.iter().filter(|(flag, _)| self.flags.contains(*flag));
        out.push_str(" flags=");
        for (at, (_, name)) in flags.enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            out.push_str(name);
        }
    }
}

fn put_peer(out: &mut String, peer: SocketAddr) {
    out.push_str(" peer=");
    put_address(out, peer);
}

fn put_address(out: &mut String, peer: SocketAddr) {
    let SocketAddr::V4(peer) = peer else {
        // Writing to a string does not fail.
        let _ = write!(out, "{peer}");
        return;
    };
    for (octet, behind) in peer.ip().octets().into_iter().zip([".", ".", ".", ":"]) {
        put_number(out, i64::from(octet));
        out.push_str(behind);
    }
    put_number(out, i64::from(peer.port()));
}

fn put_quoted(out: &mut String, value: &str) {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\');
    // Most names are letters, digits, dots and slashes: no need to look them up in Unicode's tables.
    let plainest = |octet| matches!(octet, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'/' | b'@' | b'-' | b'_');
    if !value.is_empty() && (value.bytes().all(plainest) || value.chars().all(plain)) {
        out.push_str(value);
    } else {
        // As above.
        let _ = write!(out, "{value:?}");
    }
}

fn put_number(out: &mut String, number: i64) {
    out.push_str(itoa::Buffer::new().format(number));
}
