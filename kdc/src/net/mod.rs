//! Sockets: what comes in is handed to a [`Service`], what it answers goes out. No protocol is known here but the framing
//! of RFC 4120 §7.2.

mod figures;
mod handed_over;
mod pulse;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use figures::{ConnectionCounts, Ended, Threads};
pub use handed_over::{HandedOver, HandedOverError};
pub use pulse::Pulse;
pub use tcp::{TcpLimits, TcpSocket, TcpWorkers};
pub use udp::{UdpSockets, UdpWorkers};

use crate::log::Log;
pub use crate::realm::accounting::{Origin, Transport};

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send this.
    Reply(Arc<[u8]>),
    /// Send nothing. A TCP connection is closed.
    Silence,
    /// Nothing yet: the [`Deferred`] that was taken answers.
    Later,
}

/// Answers the requests of one wire. Called from many threads at once; it must not wait for anything.
pub trait Service: Send + Sync + 'static {
    /// Answers one request. `later` gives a handle to answer with from another thread, where the work takes long.
    fn answer(&self, request: &[u8], origin: &Origin, later: &dyn Fn() -> Deferred) -> Answer;

    /// The last message to a TCP peer that announced a request longer than is taken.
    fn too_long(&self, origin: &Origin) -> Option<Arc<[u8]>>;
}

/// The way back to a client whose answer takes a while. Dropped unused, the client gets no answer.
pub struct Deferred(Box<dyn FnOnce(Arc<[u8]>) + Send>);

impl Deferred {
    /// A way back over `send`.
    pub fn new(send: impl FnOnce(Arc<[u8]>) + Send + 'static) -> Self {
        Self(Box::new(send))
    }

    /// Sends the answer.
    pub fn reply(self, answer: Arc<[u8]>) {
        (self.0)(answer);
    }
}

// One request must not take the worker with it, and the socket that others wait at.
fn guarded(service: &dyn Service, request: &[u8], origin: &Origin, later: &dyn Fn() -> Deferred, log: &Log) -> Answer {
    catch_unwind(AssertUnwindSafe(|| service.answer(request, origin, later))).unwrap_or_else(|_| {
        let (octets, peer) = (request.len(), origin.peer);
        log.error(format_args!(
            "a request of {octets} octets from {peer} made its worker panic; it gets no answer"
        ));
        Answer::Silence
    })
}

/// How long answers that take a while may still be made when the daemon stops.
pub const LAST_ANSWER: Duration = Duration::from_secs(10);

/// What a loop waits that failed.
const PAUSE: Duration = Duration::from_millis(50);

#[allow(
    clippy::disallowed_methods,
    reason = "a loop that fails at once, again and again, must not take the core"
)]
fn pause() {
    thread::sleep(PAUSE);
}

/// The UDP and the TCP socket of one listening address.
pub struct BothSockets {
    /// Datagrams.
    pub udp: UdpSockets,
    /// Connections.
    pub tcp: TcpSocket,
}

impl BothSockets {
    /// Takes those that were handed over, and binds what was not, both to the same port; port 0 takes one that is free for
    /// both. Up to `workers` threads will serve the datagrams.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn open(address: SocketAddr, workers: usize, handed: &mut HandedOver) -> Result<Self, BindError> {
        match (handed.udp(address), handed.tcp(address)) {
            (None, None) => Self::bind(address, workers),
            (udp, tcp) => Ok(Self {
                udp: match udp {
                    Some(socket) => UdpSockets::handed_over(socket, workers)?,
                    None => UdpSockets::bind(address, workers)?,
                },
                tcp: match tcp {
                    Some(listener) => TcpSocket::handed_over(listener)?,
                    None => TcpSocket::bind(address)?,
                },
            }),
        }
    }

    fn bind(address: SocketAddr, workers: usize) -> Result<Self, BindError> {
        let mut tries = if address.port() == 0 { 32 } else { 1 };
        loop {
            tries -= 1;
            let udp = UdpSockets::bind(address, workers)?;
            match TcpSocket::bind(udp.address()) {
                Ok(tcp) => return Ok(Self { udp, tcp }),
                Err(error) if tries == 0 || error.why.kind() != std::io::ErrorKind::AddrInUse => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// The address, with the port that was bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.tcp.address()
    }
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({transport}): {}", explained(why))]
pub struct BindError {
    /// The address asked for.
    pub address: SocketAddr,
    /// `UDP` or `TCP`.
    pub transport: &'static str,
    /// What the operating system says.
    pub why: std::io::Error,
}

fn explained(why: &std::io::Error) -> String {
    match why.kind() {
        std::io::ErrorKind::AddrInUse => "the port is in use; stop the program that has it, or change [listen]".into(),
        std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address; change [listen]".into(),
        std::io::ErrorKind::PermissionDenied => {
            "not permitted; ports below 1024 need CAP_NET_BIND_SERVICE, or take a higher one in [listen]".into()
        }
        _ => why.to_string(),
    }
}
