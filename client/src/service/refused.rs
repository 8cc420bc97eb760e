use core::fmt;

use tessera_common::ap::KeyWanted;
use tessera_common::listed::Listed;
use tessera_common::spnego;

/// Why a client is refused: for the log. The client is told that it is, and nothing of this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(super) reason: Reason,
    // Boxed, since it is large and travels in results.
    pub(super) ticket: Option<Box<KeyWanted>>,
    pub(super) replay_cache: Option<String>,
}

/// The reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The token, or what is in it.
    Negotiation(spnego::AcceptError),
    /// The HTTP header that should have the token.
    Header(&'static str),
}

impl Refused {
    #[cfg(feature = "http")]
    pub(super) const fn of_header(what: &'static str) -> Self {
        Self {
            reason: Reason::Header(what),
            ticket: None,
            replay_cache: None,
        }
    }

    /// The reason.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The service, key version and enctype that the client's ticket names, and the keys that the keytab has for that service.
    /// None when the client sent no ticket that could be read.
    #[must_use]
    pub fn ticket(&self) -> Option<&KeyWanted> {
        self.ticket.as_deref()
    }

    /// What the client may be sent where the protocol has a place for it, which HTTP has not: see
    /// [`spnego::AcceptError::reply_token`].
    #[must_use]
    pub fn reply_token(&self) -> Option<Vec<u8>> {
        match &self.reason {
            Reason::Negotiation(why) => why.reply_token(),
            Reason::Header(_) => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Negotiation(why) => write!(f, "{why}")?,
            Reason::Header(what) => write!(f, "{what}")?,
        }
        if let Some(problem) = &self.replay_cache {
            write!(f, ": {problem}")?;
        }
        let Some(ticket) = &self.ticket else {
            return Ok(());
        };
        write!(f, " [ticket: {ticket}; keytab: ")?;
        match ticket.held.as_slice() {
            [] => f.write_str("no key of that service]"),
            held => write!(f, "{}]", Listed(held)),
        }
    }
}

impl core::error::Error for Refused {}
