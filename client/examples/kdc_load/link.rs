//! Requests to the KDC and replies back, so many of them on the way at once.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tessera_client::system::{self, SystemRandom};
use tessera_common::wire::{self, KrbError};

use super::exchange::{Client, Request};

// The first octets of an AS-REP, [APPLICATION 11], a TGS-REP, 13, and a KRB-ERROR, 30.
const AS_REP_TAG: u8 = 0x6b;
const TGS_REP_TAG: u8 = 0x6d;
const KRB_ERROR_TAG: u8 = 0x7e;

const LARGEST: usize = 1 << 16;
const PATIENCE: u16 = 1_000;

/// What came of the requests.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) replies: usize,
    /// KRB-ERRORs by their code; 0 stands for what is neither of the two.
    pub(super) refused: BTreeMap<i32, usize>,
    pub(super) lost: usize,
    pub(super) opened: usize,
    pub(super) wrong: usize,
    pub(super) sent: usize,
    pub(super) sent_octets: usize,
    pub(super) received_octets: usize,
    /// How long each reply took, in microseconds.
    took: Vec<u32>,
}

/// Sockets with at most one request on the way at each.
pub(super) struct Link {
    address: SocketAddr,
    from: Option<IpAddr>,
    sockets: Vec<UdpSocket>,
    spin: bool,
}

/// One request and its reply.
pub(super) fn ask(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let socket = connected(address, None)?;
    socket.set_read_timeout(Some(Duration::from_millis(PATIENCE.into())))?;
    let mut reply = vec![0; LARGEST];
    for _ in 0..5 {
        socket.send(request)?;
        if let Ok(length) = socket.recv(&mut reply) {
            reply.truncate(length);
            return Ok(reply);
        }
    }
    Err(io::Error::other(format!("no reply from {address}")))
}

fn connected(address: SocketAddr, from: Option<IpAddr>) -> io::Result<UdpSocket> {
    let any: IpAddr = if address.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((from.unwrap_or(any), 0))?;
    socket.connect(address)?;
    Ok(socket)
}

fn without_waiting(address: SocketAddr, from: Option<IpAddr>) -> UdpSocket {
    let socket = connected(address, from).expect("a socket");
    socket.set_nonblocking(true).expect("a socket that does not wait");
    socket
}

impl Link {
    pub(super) fn new(address: SocketAddr, from: Option<IpAddr>, outstanding: usize, spin: bool) -> Self {
        Self {
            address,
            from,
            sockets: (0..outstanding.max(1))
                .map(|_| without_waiting(address, from))
                .collect(),
            spin,
        }
    }

    /// Sends all requests, the next as soon as a reply is there, and waits for the last reply.
    #[allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
    pub(super) fn run(&mut self, requests: &[(Request, &Client)], tally: &mut Tally) {
        let mut left = requests.iter();
        let mut on_the_way = vec![None; self.sockets.len()];
        let mut sent_at = vec![Instant::now(); self.sockets.len()];
        for (socket, slot) in self.sockets.iter().zip(&mut on_the_way) {
            *slot = left.next();
            send(socket, *slot, tally);
        }
        let mut reply = vec![0; LARGEST];
        while on_the_way.iter().any(Option::is_some) {
            if !self.wait(&on_the_way) {
                // A late reply must not answer the next request: that one gets another socket.
                tally.lost += on_the_way.iter().flatten().count();
                for (socket, slot) in self.sockets.iter_mut().zip(&mut on_the_way) {
                    *socket = without_waiting(self.address, self.from);
                    *slot = left.next();
                    send(socket, *slot, tally);
                }
                continue;
            }
            for ((socket, slot), sent_at) in self.sockets.iter().zip(&mut on_the_way).zip(&mut sent_at) {
                let Some((request, client)) = *slot else { continue };
                let octets = match socket.recv(&mut reply) {
                    Ok(length) => reply.get(..length).unwrap_or_default(),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(_) => &[],
                };
                tally.received_octets += octets.len();
                tally.count(request, client, octets);
                let now = Instant::now();
                let took = now.duration_since(core::mem::replace(sent_at, now));
                tally.took.push(took.as_micros().try_into().unwrap_or(u32::MAX));
                *slot = left.next();
                send(socket, *slot, tally);
            }
        }
    }

    // Whether a reply may be there.
    fn wait(&self, on_the_way: &[Option<&(Request, &Client)>]) -> bool {
        if self.spin {
            return true;
        }
        let waiting = self.sockets.iter().zip(on_the_way).filter(|(_, slot)| slot.is_some());
        let mut polled: Vec<PollFd<'_>> = waiting
            .map(|(socket, _)| PollFd::new(socket.as_fd(), PollFlags::POLLIN))
            .collect();
        poll(&mut polled, PollTimeout::from(PATIENCE)).is_ok_and(|ready| ready > 0)
    }
}

fn send(socket: &UdpSocket, request: Option<&(Request, &Client)>, tally: &mut Tally) {
    let Some((request, _)) = request else { return };
    tally.sent += 1;
    tally.sent_octets += request.octets.len();
    socket.send(&request.octets).expect("a datagram is sent");
}

/// Sends requests, again and again from the first one, as fast as the socket takes them. Nobody looks at the replies.
#[allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
pub(super) fn flood(
    address: SocketAddr,
    from: Option<IpAddr>,
    lasts: Duration,
    requests: &[(Request, &Client)],
    tally: &mut Tally,
) {
    let socket = connected(address, from).expect("a socket");
    let begun = Instant::now();
    for burst in requests.chunks(256).cycle() {
        if begun.elapsed() > lasts {
            return;
        }
        for (request, _) in burst {
            tally.sent += usize::from(socket.send(&request.octets).is_ok());
        }
    }
}

/// Sends all requests over TCP, a connection for each, as clients do; a thread for each that is on the way.
pub(super) fn run_over_tcp(
    address: SocketAddr,
    outstanding: usize,
    requests: &[(Request, &Client)],
    tally: &mut Tally,
) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut replies = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((octets, _)) = requests.get(at).map(|(request, client)| (&request.octets, client)) else {
                return replies;
            };
            replies.push((at, over_tcp(address, octets)));
        }
    };
    let replies = thread::scope(|scope| {
        let threads: Vec<_> = (0..outstanding.max(1)).map(|_| scope.spawn(work)).collect();
        let all = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a thread that ends"));
        all.collect::<Vec<_>>()
    });
    for (at, reply) in replies {
        let Some((request, client)) = requests.get(at) else {
            continue;
        };
        tally.sent_octets += request.octets.len();
        match reply {
            Ok(reply) => {
                tally.received_octets += reply.len();
                tally.count(request, client, &reply);
            }
            Err(_) => tally.lost += 1,
        }
    }
}

// RFC 4120 §7.2.2: each message after its length.
fn over_tcp(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(PATIENCE.into())))?;
    let length = u32::try_from(request.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), request].concat())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length).min(1 << 20);
    let mut reply = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

impl Tally {
    /// Within how many microseconds so many of a hundred replies came; 0 where that was not measured.
    pub(super) fn took(&self, percent: usize) -> u32 {
        let mut took = self.took.clone();
        took.sort_unstable();
        took.get(took.len() * percent / 100).copied().unwrap_or(0)
    }

    fn count(&mut self, request: &Request, client: &Client, reply: &[u8]) {
        match reply.first() {
            Some(&(AS_REP_TAG | TGS_REP_TAG)) => self.replies += 1,
            Some(&KRB_ERROR_TAG) => {
                let code = wire::decode::<KrbError>(reply).map_or(0, |error| error.error_code);
                *self.refused.entry(code).or_default() += 1;
                return;
            }
            _ => {
                *self.refused.entry(0).or_default() += 1;
                return;
            }
        }
        if request.can_be_checked() {
            self.opened += 1;
            if let Err(why) = request.check(reply, client, system::now(), &mut SystemRandom) {
                self.wrong += 1;
                eprintln!("kdc_load: a wrong reply: {why}");
            }
        }
    }
}
