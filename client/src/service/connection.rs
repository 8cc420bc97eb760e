use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use tessera_common::gss::ChannelBindings;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// What a service knows of the connection that a token came through. A server makes one for each connection that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    number: u64,
    peer: Option<SocketAddr>,
    bindings: Option<ChannelBindings>,
}

impl Connection {
    /// A new connection.
    #[must_use]
    pub fn new(peer: SocketAddr) -> Self {
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            peer: Some(peer),
            bindings: None,
        }
    }

    /// A connection of which nothing is known: a ticket's addresses are not looked at, and a negotiation that takes more than
    /// one token cannot be gone on with over HTTP.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            number: 0,
            peer: None,
            bindings: None,
        }
    }

    /// The same, over TLS: the bindings of the certificate that the client was shown,
    /// [`ChannelBindings::tls_server_end_point`]. They count before the service's own.
    #[must_use]
    pub const fn with_bindings(mut self, bindings: Option<ChannelBindings>) -> Self {
        self.bindings = bindings;
        self
    }

    /// Where the client is.
    #[must_use]
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// What it is bound to.
    #[must_use]
    pub const fn bindings(&self) -> Option<ChannelBindings> {
        self.bindings
    }

    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }

    /// What tells it from every other one of this process; none for the unknown.
    #[cfg(feature = "http")]
    pub(super) fn number(&self) -> Option<u64> {
        Some(self.number).filter(|number| *number != 0)
    }
}
