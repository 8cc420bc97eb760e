//! Connections: messages behind a length of four octets (RFC 4120 §7.2.2), several in one connection, answered in order.
//! Event loops, one thread each, share the sockets; a connection stays with the one that accepted it. The first accepts all
//! while it can: a core that is awake and has the code at hand answers cheaper than two that are woken in turn. When there
//! is a crowd, it has the next help, which may need the one after it.

mod connection;
mod connections;
mod deadlines;
mod event_loop;
mod frame;
mod inbox;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "real sockets are waited for")]
mod tests;

use core::time::Duration;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use socket2::{Domain, Protocol, Socket, Type};

use super::{BindError, HandedOver, Pulse, Service, Threads};
use crate::log::Log;
use crate::metrics::Connections as Readings;
use connections::Connections;
use event_loop::EventLoop;
use inbox::Inbox;

/// How many connections wait to be accepted.
const BACKLOG: i32 = 4096;

/// What one wire's connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpLimits {
    /// How many there may be. One more, and the one that has waited longest for its client is closed.
    pub connections: usize,
    /// How long a connection may wait for a message to begin.
    pub idle: Duration,
    /// How long a message may take from its first octet to its last, and how long an answer may take to be sent.
    pub message: Duration,
    /// How long a deferred answer may take to be made.
    pub answer: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            idle: Duration::from_secs(300),
            message: Duration::from_secs(10),
            answer: Duration::from_secs(30),
        }
    }
}

/// A listening socket that is not served yet.
pub struct TcpSocket {
    address: SocketAddr,
    socket: Socket,
    /// Whoever handed it over has it, too: what is not accepted waits for who serves next.
    outlives: bool,
}

impl TcpSocket {
    /// Binds and listens; with port 0 a free port is taken.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let open = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Self::set_up(socket, address, false)
        };
        open().map_err(|why| BindError {
            address,
            transport: "TCP",
            why,
        })
    }

    /// Takes the one that was handed over, or binds it; with port 0 a free port is taken.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn open(address: SocketAddr, handed: &mut HandedOver) -> Result<Self, BindError> {
        match handed.tcp(address) {
            Some(listener) => Self::handed_over(listener),
            None => Self::bind(address),
        }
    }

    /// One that somebody else listens at, too.
    ///
    /// # Errors
    /// [`BindError`], when it cannot be used as it has to be.
    pub fn handed_over(listener: TcpListener) -> Result<Self, BindError> {
        let unspecified = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let address = listener.local_addr().unwrap_or(unspecified);
        Self::set_up(listener.into(), address, true).map_err(|why| BindError {
            address,
            transport: "TCP",
            why,
        })
    }

    fn set_up(socket: Socket, address: SocketAddr, outlives: bool) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // Of every connection, too: what is accepted takes after its listener.
        socket.set_tcp_nodelay(true)?;
        let bound = socket.local_addr()?.as_socket();
        Ok(Self {
            address: bound.unwrap_or(address),
            socket,
            outlives,
        })
    }

    /// The address, with the port that was bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// For who serves connections otherwise than by [`TcpWorkers`].
impl From<TcpSocket> for TcpListener {
    fn from(socket: TcpSocket) -> Self {
        socket.socket.into()
    }
}

/// Threads that serve the connections of one wire. Dropped, they stop, as soon as what was asked is answered.
pub struct TcpWorkers {
    alive: Arc<Threads>,
    connections: Arc<Connections>,
    inboxes: Vec<Arc<Inbox>>,
    pulses: Vec<Pulse>,
    threads: Vec<JoinHandle<()>>,
}

impl TcpWorkers {
    /// Starts to serve: `workers` threads, at least one, for all `sockets` together.
    ///
    /// # Errors
    /// When a thread cannot be started, or has no descriptors.
    pub fn serve(
        sockets: Vec<TcpSocket>,
        workers: usize,
        service: &Arc<dyn Service>,
        limits: TcpLimits,
        log: &Log,
    ) -> io::Result<Self> {
        let sockets: Arc<[TcpSocket]> = sockets.into();
        let connections = Connections::new(limits);
        let mut new = Self {
            alive: Arc::default(),
            connections: Arc::clone(&connections),
            inboxes: Vec::new(),
            pulses: Vec::new(),
            threads: Vec::new(),
        };
        let mut next = None;
        for before in (0..workers.max(1)).rev() {
            let inbox = Arc::new(Inbox::new()?);
            new.inboxes.push(Arc::clone(&inbox));
            let helper = next.replace(Arc::clone(&inbox));
            let (sockets, connections) = (Arc::clone(&sockets), Arc::clone(&connections));
            let mut event_loop = EventLoop::new(sockets, connections, Arc::clone(service), inbox, helper, log.clone())?;
            new.pulses.push(event_loop.pulse());
            if before == 0 {
                event_loop.lead()?;
            }
            let alive = new.alive.enter();
            let thread = thread::Builder::new().name("tcp".into()).spawn(move || {
                let _alive = alive;
                event_loop.run();
            })?;
            new.threads.push(thread);
        }
        Ok(new)
    }

    /// Its threads.
    #[must_use]
    pub const fn threads(&self) -> &Arc<Threads> {
        &self.alive
    }

    /// What becomes of its connections, whenever that is asked.
    pub fn connections(&self) -> impl Fn() -> Readings + Send + Sync + use<> {
        let connections = Arc::clone(&self.connections);
        move || connections.read()
    }

    /// That each of them is well, when it was woken.
    #[must_use]
    pub fn pulses(&self) -> &[Pulse] {
        &self.pulses
    }

    /// What has those go round that have nothing to do.
    pub fn waker(&self) -> impl Fn() + Send + Sync + use<> {
        let inboxes = self.inboxes.clone();
        move || inboxes.iter().for_each(|inbox| inbox.ring())
    }

    /// What has come is answered; nothing more is taken in but for the rest of what was begun, for a moment.
    pub fn stop(&self) {
        for inbox in &self.inboxes {
            inbox.stop();
        }
    }
}

impl Drop for TcpWorkers {
    fn drop(&mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
