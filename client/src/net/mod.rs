//! Carrying a request to one of several servers and an answer back: which servers, over UDP or TCP, with what patience.

mod attempt;
mod courier;

pub use courier::{Answer, Courier, NoAnswer, Patience};
pub use tessera_common::krb5_conf::Server;

use core::fmt;

/// How a request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// One datagram for the request, one for the answer.
    Udp,
    /// A stream, each message after its length in four octets (RFC 4120 §7.2.2).
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

/// Which protocol is tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// Datagrams first, unless the request is too large for one; then streams.
    Udp,
    /// Streams first, then datagrams.
    Tcp,
    /// Streams alone.
    TcpOnly,
}
