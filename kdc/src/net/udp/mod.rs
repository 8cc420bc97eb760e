//! Datagrams, received and sent in batches. Of the threads of an address, one for each core, the first serves, and has the
//! next help as long as more comes than it can take: two that share the work share what is in their caches, too, and each
//! request costs a third more.

mod family;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg, sendmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{Answer, BindError, Deferred, Origin, Pulse, Service, Threads, Transport, guarded, pause};
use crate::log::Log;
use family::{Family, V4, V6};

/// How many datagrams a system call takes or gives at most.
const BATCH: usize = 64;
/// For how many there is room at least.
const LEAST_ROOM: usize = 8;
/// So many full batches one after the other are more than one worker can take.
const CROWD: u32 = 4;
/// How long a worker helps.
const HELP: Duration = Duration::from_secs(1);
/// The largest datagram there is; memory that none reaches is never touched.
const DATAGRAM: usize = 65_536;
/// From one buffer to the next. Not a power of two: the datagrams of a batch would all fall into the same few cache lines.
const STRIDE: usize = DATAGRAM + 5 * 64;
/// How long a worker waits for a datagram before it looks whether to stop.
const PATIENCE: Duration = Pulse::SLOWEST;
/// How long what waits in a socket is answered at the end. It is bounded anyway where the socket takes in nothing more.
const FAREWELL: Duration = Duration::from_secs(2);
/// How much the kernel may hold for a worker that is behind; it may allow less.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A listening address, not served yet.
pub struct UdpSockets {
    address: SocketAddr,
    socket: UdpSocket,
    holder: Holder,
    workers: usize,
}

/// Threads that serve datagrams. Dropped, they stop: what came before is answered first, or waits in the socket for whoever
/// serves it next, where there is such.
pub struct UdpWorkers {
    alive: Arc<Threads>,
    address: SocketAddr,
    socket: Arc<UdpSocket>,
    holder: Holder,
    stopping: Arc<AtomicBool>,
    pulses: Vec<Pulse>,
    threads: Vec<JoinHandle<()>>,
}

/// Who has a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// Only this process: it ends with it.
    Daemon,
    /// Whoever handed it over, too.
    ServiceManager,
}

/// Has a worker help that rests.
#[derive(Default)]
struct Call {
    made: Mutex<bool>,
    heard: Condvar,
}

impl Call {
    fn make(&self) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_one();
    }

    /// Whether it was made, or is within `patience`.
    fn wait(&self, patience: Duration) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.heard.wait_timeout_while(made, patience, |made| !*made);
        let (mut made, _) = waited.unwrap_or_else(PoisonError::into_inner);
        core::mem::take(&mut *made)
    }
}

impl UdpSockets {
    /// Binds a socket that up to `workers` threads, at least one, will serve; with port 0 a free port is taken.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(address: SocketAddr, workers: usize) -> Result<Self, BindError> {
        let bound = || {
            let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            socket.bind(&address.into())?;
            Self::set_up(socket.into(), Holder::Daemon, workers)
        };
        bound().map_err(|why| BindError {
            address,
            transport: "UDP",
            why,
        })
    }

    /// One that was bound by somebody else, who has it, too.
    ///
    /// # Errors
    /// [`BindError`], when it cannot be used as it has to be.
    pub fn handed_over(socket: UdpSocket, workers: usize) -> Result<Self, BindError> {
        let unspecified = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let address = socket.local_addr().unwrap_or(unspecified);
        Self::set_up(socket, Holder::ServiceManager, workers).map_err(|why| BindError {
            address,
            transport: "UDP",
            why,
        })
    }

    fn set_up(socket: UdpSocket, holder: Holder, workers: usize) -> std::io::Result<Self> {
        let address = socket.local_addr()?;
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
        // Only a wildcard has to learn for each datagram which address was asked.
        if address.ip().is_unspecified() {
            match address {
                SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
                SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
            }
        }
        Ok(Self {
            address,
            socket,
            holder,
            workers,
        })
    }

    /// The address, with the port that was bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to serve.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn serve(self, service: &Arc<dyn Service>, log: &Log) -> std::io::Result<UdpWorkers> {
        let socket = Arc::new(self.socket);
        let mut workers = UdpWorkers {
            address: self.address,
            socket: Arc::clone(&socket),
            holder: self.holder,
            alive: Arc::default(),
            stopping: Arc::default(),
            pulses: Vec::new(),
            threads: Vec::new(),
        };
        let mut call = None;
        for rank in 0..self.workers.max(1) {
            let helper = (rank + 1 < self.workers).then(Arc::<Call>::default);
            let pulse = Pulse::default();
            workers.pulses.push(pulse.clone());
            let worker = Worker {
                socket: Arc::clone(&socket),
                bound: self.address,
                holder: self.holder,
                pulse,
                call: std::mem::replace(&mut call, helper.clone()),
                helper,
                service: Arc::clone(service),
                log: log.clone(),
                stopping: Arc::clone(&workers.stopping),
            };
            let alive = workers.alive.enter();
            let thread = thread::Builder::new()
                .name(format!("udp {}", self.address))
                .spawn(move || {
                    let _alive = alive;
                    worker.run();
                })?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }
}

impl UdpWorkers {
    /// Its threads.
    #[must_use]
    pub const fn threads(&self) -> &Arc<Threads> {
        &self.alive
    }

    /// That each of them is well.
    #[must_use]
    pub fn pulses(&self) -> &[Pulse] {
        &self.pulses
    }

    // A socket that has a peer takes nothing from anybody else, who is told at once that nobody listens there; what it holds
    // already stays, and answers go out as before. Its peer is itself: nobody else has that address.
    fn take_in_no_more(&self) {
        let loopback = match self.address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        let mut itself = self.address;
        if itself.ip().is_unspecified() {
            itself.set_ip(loopback);
        }
        // If it cannot be, what still comes is answered for a moment.
        let _ = self.socket.connect(itself);
    }
}

impl Drop for UdpWorkers {
    fn drop(&mut self) {
        if self.holder == Holder::Daemon {
            self.take_in_no_more();
        }
        self.stopping.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

struct Worker {
    socket: Arc<UdpSocket>,
    bound: SocketAddr,
    holder: Holder,
    pulse: Pulse,
    /// What it waits for before it helps; the first does not wait.
    call: Option<Arc<Call>>,
    helper: Option<Arc<Call>>,
    service: Arc<dyn Service>,
    log: Log,
    stopping: Arc<AtomicBool>,
}

impl Worker {
    fn run(&self) {
        match self.bound {
            SocketAddr::V4(_) => self.serve::<V4>(),
            SocketAddr::V6(_) => self.serve::<V6>(),
        }
    }

    fn serve<F: Family>(&self) {
        let mut round = Round::<F>::new();
        let mut helps_until = None;
        let mut full = 0;
        while !self.stopping.load(Ordering::Relaxed) {
            self.pulse.beat();
            if !self.has_work(&mut helps_until) {
                continue;
            }
            match self.receive(&mut round, MsgFlags::MSG_WAITFORONE) {
                Ok(()) => {}
                Err(Errno::EAGAIN | Errno::EINTR) => continue,
                Err(errno) => {
                    self.log
                        .error(format_args!("receiving on {} (UDP): {errno}", self.bound));
                    pause();
                    continue;
                }
            }
            full = if round.received.len() == BATCH { full + 1 } else { 0 };
            if full == CROWD {
                full = 0;
                self.helper.iter().for_each(|helper| helper.make());
            }
            self.answer_all(&mut round);
        }
        // What the kernel has taken in for us, nobody else will answer.
        if self.call.is_none() && self.holder == Holder::Daemon {
            self.answer_the_last(&mut round);
        }
    }

    #[allow(clippy::disallowed_methods, reason = "an end that is due is not put off for ever")]
    fn answer_the_last<F: Family>(&self, round: &mut Round<F>) {
        let end = Instant::now() + FAREWELL;
        while Instant::now() < end {
            match self.receive(round, MsgFlags::MSG_DONTWAIT) {
                Ok(()) => self.answer_all(round),
                Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    fn answer_all<F: Family>(&self, round: &mut Round<F>) {
        for (datagram, buffer) in round.received.drain(..).zip(round.buffers.chunks_exact(STRIDE)) {
            let Some(request) = buffer.get(..datagram.octets) else {
                continue;
            };
            if let Some(reply) = self.answer::<F>(request, &datagram) {
                round.replies.push(reply);
            }
        }
        round.outgoing.send(&self.socket, &round.replies, |peer, errno| {
            self.log
                .warn(format_args!("sending from {} to {peer} (UDP): {errno}", self.bound));
        });
        round.replies.clear();
    }

    // Whether it is to receive: the first always, another one as long as it helps. If not, some time has passed.
    #[allow(
        clippy::disallowed_methods,
        reason = "whoever waits for datagrams has no other clock"
    )]
    fn has_work(&self, helps_until: &mut Option<Instant>) -> bool {
        let Some(call) = &self.call else { return true };
        if helps_until.is_some_and(|until| Instant::now() < until) {
            return true;
        }
        // Called again meanwhile, it goes on.
        let patience = if helps_until.take().is_some() {
            Duration::ZERO
        } else {
            PATIENCE
        };
        if call.wait(patience) {
            *helps_until = Some(Instant::now() + HELP);
        }
        helps_until.is_some()
    }

    fn receive<F: Family>(&self, round: &mut Round<F>, flags: MsgFlags) -> Result<(), Errno> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = round
            .buffers
            .chunks_exact_mut(STRIDE)
            .take(round.room)
            .filter_map(|buffer| buffer.first_chunk_mut::<DATAGRAM>())
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let messages = recvmmsg(self.socket.as_raw_fd(), &mut round.incoming, &mut slices, flags, None)?;
        for message in messages {
            let asked = message
                .cmsgs()
                .ok()
                .and_then(|mut cmsgs| cmsgs.find_map(|cmsg| F::asked(&cmsg)));
            let peer = message
                .address
                .map_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), F::peer);
            round.received.push(Datagram {
                octets: message.bytes,
                peer,
                asked,
            });
        }
        // To offer room costs something, too.
        round.room = (2 * round.received.len()).clamp(LEAST_ROOM, BATCH);
        Ok(())
    }

    fn answer<F: Family>(&self, request: &[u8], datagram: &Datagram<F>) -> Option<Reply<F>> {
        let peer = datagram.peer;
        let local = datagram.asked.as_ref().map_or(self.bound, |asked| {
            SocketAddr::new(F::address(asked), self.bound.port())
        });
        let origin = Origin {
            peer,
            local,
            transport: Transport::Udp,
        };
        let later = || {
            let socket = Arc::clone(&self.socket);
            let asked = datagram.asked;
            // The client asks again when the answer is lost on the way, whoever lost it.
            Deferred::new(move |answer| {
                let cmsgs = asked.as_ref().map(F::from);
                let slices = [IoSlice::new(&answer)];
                let _ = sendmsg(
                    socket.as_raw_fd(),
                    &slices,
                    cmsgs.as_slice(),
                    MsgFlags::empty(),
                    Some(&F::to(peer)),
                );
            })
        };
        match guarded(&*self.service, request, &origin, &later, &self.log) {
            Answer::Reply(octets) => Some(Reply {
                octets,
                peer,
                asked: datagram.asked,
            }),
            Answer::Silence | Answer::Later => None,
        }
    }
}

/// What a worker has at hand, used again for each batch.
struct Round<F: Family> {
    buffers: Vec<u8>,
    incoming: MultiHeaders<F::Address>,
    /// For how many datagrams there is room the next time.
    room: usize,
    received: Vec<Datagram<F>>,
    replies: Vec<Reply<F>>,
    outgoing: Outgoing<F>,
}

impl<F: Family> Round<F> {
    fn new() -> Self {
        Self {
            buffers: vec![0; BATCH * STRIDE],
            incoming: MultiHeaders::preallocate(BATCH, Some(F::cmsg_space())),
            room: BATCH,
            received: Vec::with_capacity(BATCH),
            replies: Vec::with_capacity(BATCH),
            outgoing: Outgoing::new(),
        }
    }
}

struct Datagram<F: Family> {
    octets: usize,
    peer: SocketAddr,
    asked: Option<F::Asked>,
}

struct Reply<F: Family> {
    octets: Arc<[u8]>,
    peer: SocketAddr,
    asked: Option<F::Asked>,
}

// Two sets of headers: one sends from the socket's own address, the other with the address as a control message, which a
// set has room for in every message or in none.
struct Outgoing<F: Family> {
    plain: MultiHeaders<F::Address>,
    addressed: MultiHeaders<F::Address>,
}

impl<F: Family> Outgoing<F> {
    fn new() -> Self {
        Self {
            plain: MultiHeaders::preallocate(BATCH, None),
            addressed: MultiHeaders::preallocate(BATCH, Some(F::cmsg_space())),
        }
    }

    // Sends all replies, as many at a time as go out from the same address. One that cannot be sent does not keep the
    // others back.
    fn send(&mut self, socket: &UdpSocket, replies: &[Reply<F>], failed: impl Fn(SocketAddr, Errno)) {
        for group in replies.chunk_by(|a, b| a.asked.as_ref().map(F::address) == b.asked.as_ref().map(F::address)) {
            let mut rest = group;
            while let Some((first, others)) = rest.split_first() {
                match self.send_some(socket, rest) {
                    Ok(sent) => rest = rest.get(sent.max(1)..).unwrap_or_default(),
                    Err(Errno::EINTR) => {}
                    Err(errno) => {
                        failed(first.peer, errno);
                        rest = others;
                    }
                }
            }
        }
    }

    // How many of `replies`, all from the address of the first, went out; an error is the first one's.
    fn send_some(&mut self, socket: &UdpSocket, replies: &[Reply<F>]) -> Result<usize, Errno> {
        let slices: Vec<[IoSlice<'_>; 1]> = replies.iter().map(|reply| [IoSlice::new(&reply.octets)]).collect();
        let peers: Vec<Option<F::Address>> = replies.iter().map(|reply| Some(F::to(reply.peer))).collect();
        let source = replies.first().and_then(|reply| reply.asked.as_ref()).map(F::from);
        let headers = if source.is_some() {
            &mut self.addressed
        } else {
            &mut self.plain
        };
        sendmmsg(
            socket.as_raw_fd(),
            headers,
            &slices,
            &peers,
            source.as_slice(),
            MsgFlags::empty(),
        )
        .map(Iterator::count)
    }
}
