//! What happened? One event for each request, whatever came of it.

use core::fmt;
use core::net::SocketAddr;

use tessera_common::crypto::EncType;
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::TicketFlags;
use tessera_common::time::{KerberosTime, Timestamp};

use super::principal::PrincipalId;

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
    /// Something that is no request.
    Unknown,
}

impl Kind {
    /// The name in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::As => "as",
            Self::Tgs => "tgs",
            Self::Password => "password",
            Self::Unknown => "unknown",
        }
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
    /// The enctypes that the client offered; the first ones, where there are many.
    pub offered: Vec<i32>,
    /// Whose ticket armored the request (RFC 6113), or [`SESSION_ARMOR`]; `None`, it came in the clear.
    pub armor: Option<String>,
    /// The mechanism that the client tried to prove who it is by; `None`, it did not try.
    pub mechanism: Option<&'static str>,
    /// How the client proved who it is, also where it was refused all the same; `None`, it did not.
    pub factor: Option<&'static str>,
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
            offered: Vec::new(),
            armor: None,
            mechanism: None,
            factor: None,
            result,
        }
    }
}

/// One line of `key=value`, values with spaces or quotes in quotes.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.origin.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        write!(f, "{} peer={} via={transport}", self.kind.name(), self.origin.peer)?;
        if let Some(client) = &self.client {
            write!(f, " client={}", Quoted(client))?;
        }
        if let Some(service) = &self.service {
            write!(f, " service={}", Quoted(service))?;
        }
        if let Some(armor) = &self.armor {
            write!(f, " armor={}", Quoted(armor))?;
        }
        if let Some(mechanism) = self.mechanism {
            write!(f, " mechanism={mechanism}")?;
        }
        if let Some(factor) = self.factor {
            write!(f, " factor={factor}")?;
        }
        match &self.result {
            Result::Issued(issued) => {
                write!(f, " result=issued ticket={}", issued.ticket_etype)?;
                write!(f, " session={} reply={}", issued.session_etype, issued.reply_etype)?;
                if let Some(kvno) = issued.kvno {
                    write!(f, " kvno={kvno}")?;
                }
                if let Some(kvno) = issued.reply_kvno {
                    write!(f, " reply-kvno={kvno}")?;
                }
                write!(f, " end={}", issued.end)?;
                if let Some(renew_till) = issued.renew_till {
                    write!(f, " renew-till={renew_till}")?;
                }
                f.write_str(" flags=")?;
                let flags = TicketFlags::NAMED
                    .iter()
                    .filter(|(flag, _)| issued.flags.contains(*flag));
                for (at, (_, name)) in flags.enumerate() {
                    f.write_str(if at == 0 { "" } else { "," })?;
                    f.write_str(name)?;
                }
            }
            Result::PasswordChanged => f.write_str(" result=password-changed")?,
            Result::Refused { code, reason, detail } => {
                write!(f, " result=refused reason={reason} code={}", code.0)?;
                if !detail.is_empty() {
                    write!(f, " detail={}", Quoted(detail))?;
                }
            }
            Result::Repeated => f.write_str(" result=repeated")?,
            Result::Dropped { reason } => write!(f, " result=dropped reason={reason}")?,
        }
        for (at, etype) in self.offered.iter().enumerate() {
            write!(f, "{}{etype}", if at == 0 { " etypes=" } else { "," })?;
        }
        Ok(())
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\');
        // Most names are letters, digits, dots and slashes: no need to look them up in Unicode's tables.
        let plainest =
            |octet| matches!(octet, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'/' | b'@' | b'-' | b'_');
        if !self.0.is_empty() && (self.0.bytes().all(plainest) || self.0.chars().all(plain)) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}
