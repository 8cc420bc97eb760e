//! Administration from afar: the same conversation as over the socket, sealed (RFC 4121), for who has a ticket to
//! `kadmin/admin`.
//!
//! What is bounded here is bounded apart from the socket: whatever comes over a network, root on this machine gets in.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tessera_common::admin::{FrameError, MessageSink, MessageSource, Reason, Sealed, read_token, write_token};
use tessera_common::name::Name;
use tessera_common::time::KerberosTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::caller::Caller;
use super::conversation::{AdminFront, IDLE, TAKE_IN, TurnedAway};
use super::execute::Refused;
use super::line::{Counted, Line, has_timed_out};
use super::places::Places;
use crate::accounting::{Counts, Opening};
use crate::clock;
use crate::kerberos::{Administrator, Conversation, Request};
use crate::metrics::{Connections, Gauge};
use crate::net::{BindError, ConnectionCounts, Ended, HandedOver, Origin, TcpSocket, Transport};
use crate::random::ThreadRandom;
use crate::realm::accounting::{Event, Kind, Result as EventResult};
use crate::realm::denied::Denied;
use crate::realm::principal::PrincipalId;

/// How many who have not proved yet who they are may be connected at once.
const MOST_STRANGERS: usize = 32;
/// Of these, how many from one address.
const MOST_STRANGERS_OF_ONE_ADDRESS: usize = 4;
/// How many administrators may be.
const MOST_ADMITTED: usize = 64;
/// Of these, how many that are one principal.
const MOST_ADMITTED_OF_ONE_PRINCIPAL: usize = 8;
/// How long it may take from the connection to the end of the greetings.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What tickets for administration are for, and what its sessions are of.
const SERVICE: &str = "kadmin/admin";

/// A listener, bound and not served yet.
pub struct RemoteListener(TcpSocket);

/// Who is connected.
#[derive(Default)]
pub struct Connected {
    strangers: Places<IpAddr, MOST_STRANGERS, MOST_STRANGERS_OF_ONE_ADDRESS>,
    admitted: Places<PrincipalId, MOST_ADMITTED, MOST_ADMITTED_OF_ONE_PRINCIPAL>,
    counts: ConnectionCounts,
}

impl Connected {
    /// How many are, of how many who may: those who have not proved yet who they are, and those who have.
    #[must_use]
    pub fn load(&self) -> [Gauge; 2] {
        [self.strangers.load(), self.admitted.load()]
    }

    /// What became of connections over a network.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let [strangers, admitted] = self.load();
        let open = Gauge {
            now: strangers.now + admitted.now,
            limit: strangers.limit + admitted.limit,
        };
        self.counts.read(open, &[Ended::Busy, Ended::TooSlow])
    }
}

impl RemoteListener {
    /// Takes the one that was handed over, or binds it; port 0 takes any free one.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn open(address: SocketAddr, handed: &mut HandedOver) -> Result<Self, BindError> {
        TcpSocket::open(address, handed).map(Self)
    }

    /// The address, with the port that was bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Serves until `stop` holds true, on the runtime that this is called in.
    ///
    /// # Errors
    /// When the runtime does not take the listener.
    pub fn serve(self, front: Arc<AdminFront>, mut stop: watch::Receiver<bool>) -> io::Result<JoinHandle<()>> {
        let listener = tokio::net::TcpListener::from_std(self.0.into())?;
        Ok(tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = stop.wait_for(|stop| *stop) => return,
                };
                let stream = accepted.and_then(|(stream, peer)| {
                    let stream = stream.into_std()?;
                    stream.set_nonblocking(false)?;
                    let local = stream.local_addr()?;
                    Ok((stream, origin(peer, local)))
                });
                let started = stream.and_then(|(stream, origin)| front.start_remote(stream, origin));
                if let Err(why) = started {
                    front
                        .accounting
                        .log()
                        .error(format_args!("an administrator from afar could not be served: {why}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }))
    }
}

const fn origin(peer: SocketAddr, local: SocketAddr) -> Origin {
    Origin {
        peer,
        local,
        transport: Transport::Tcp,
    }
}

impl AdminFront {
    /// Answers the requests of somebody who was admitted, one after the other, until there are no more: a session, in which
    /// `counts` counts what passes. What may be asked for, each time the principals as they are then say.
    pub fn serve_admitted(
        &self,
        line: &mut impl Line,
        counts: Arc<Counts>,
        administrator: &Administrator,
        from: SocketAddr,
    ) {
        let opening = self.opening(administrator, from);
        self.in_session(opening, counts, line, &mut || self.caller(administrator, from));
    }

    fn start_remote(self: &Arc<Self>, stream: TcpStream, origin: Origin) -> io::Result<()> {
        let Some(place) = self.connected.strangers.take(origin.peer.ip().to_canonical()) else {
            self.connected.counts.ended(Ended::Busy);
            self.log_dropped(origin, "busy");
            return Ok(());
        };
        self.connected.counts.accepted();
        let front = Arc::clone(self);
        thread::Builder::new().name("admin-afar".into()).spawn(move || {
            let counts = Arc::new(Counts::default());
            let stream = Timed::new(Counted::new(stream, Arc::clone(&counts)));
            if let Some((mut channel, administrator)) = front.handshake(stream, origin) {
                let from = origin.peer.to_string();
                let Some(_place) = front.connected.admitted.take(administrator.id) else {
                    front.connected.counts.ended(Ended::Busy);
                    let message = "too many administrators are connected from afar already; try again later";
                    front.turn_away(&mut channel, &from, Refused::new(Reason::Unavailable, message));
                    return;
                };
                drop(place);
                front.serve_admitted(&mut channel, counts, &administrator, origin.peer);
            }
        })?;
        Ok(())
    }

    // From the first token to the end of the greetings.
    fn handshake(&self, mut stream: Timed, origin: Origin) -> Option<(Channel, Administrator)> {
        let token = match read_token(&mut stream) {
            Ok(Some(token)) => token,
            other => {
                let why = NoToken::of(other.err().as_ref());
                if why == NoToken::TooSlow {
                    self.connected.counts.ended(Ended::TooSlow);
                }
                self.log_dropped(origin, why.name());
                return None;
            }
        };
        let request = Request {
            octets: &token,
            origin,
            now: clock::now(),
        };
        let kdc = self.kdc.load();
        let opening = kdc.open_administration(&self.store.view(), &request, &mut ThreadRandom);
        drop(kdc);
        self.accounting.request(&opening.event);
        write_token(&mut stream, &opening.token?).ok()?;
        let Conversation { context, admitted } = opening.conversation?;
        let mut sealed = Sealed::new(stream, context, time as fn() -> KerberosTime, ThreadRandom);
        let admitted = admitted.map_err(|why| Refused::new(Reason::NotPermitted, why));
        let welcome = self.welcome(&mut sealed, &origin.peer.to_string(), admitted);
        if let Err(TurnedAway::TooSlow) = welcome {
            self.connected.counts.ended(Ended::TooSlow);
        }
        Some((Channel(sealed), welcome.ok()?))
    }

    fn opening(&self, administrator: &Administrator, from: SocketAddr) -> Opening {
        let view = self.store.view();
        let service = Name::parse(SERVICE).ok();
        Opening {
            client: administrator.name.to_string(),
            client_id: Some(administrator.id),
            peer: Some(from),
            via: "tcp",
            service: SERVICE.to_owned(),
            service_id: service.and_then(|name| view.find(&name).map(|record| record.id)),
        }
    }

    fn caller(&self, administrator: &Administrator, from: SocketAddr) -> Result<Caller, Refused> {
        let now = clock::now().time;
        let kdc = self.kdc.load();
        match kdc.readmit_administrator(&self.store.view(), administrator, now) {
            Ok(Administrator { id, name, factors }) => Ok(Caller::Remote {
                id,
                name,
                from,
                factors,
            }),
            Err(denied) => Err(no_longer(administrator, &denied)),
        }
    }

    fn log_dropped(&self, origin: Origin, reason: &'static str) {
        let result = EventResult::Dropped { reason };
        self.accounting
            .request(&Event::new(clock::now(), origin, Kind::Administration, result));
    }
}

/// Why no first token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoToken {
    /// Nothing came at all.
    HungUp,
    /// What it announced is longer than one may be.
    TooLong,
    /// It was not there in time.
    TooSlow,
    /// Not all of it came.
    CutShort,
}

impl NoToken {
    fn of(why: Option<&FrameError>) -> Self {
        match why {
            None => Self::HungUp,
            Some(FrameError::TooLong { .. }) => Self::TooLong,
            Some(why) if has_timed_out(why) => Self::TooSlow,
            Some(_) => Self::CutShort,
        }
    }

    /// Stable, for logs.
    const fn name(self) -> &'static str {
        match self {
            Self::HungUp => "hung-up",
            Self::TooLong => "token-too-long",
            Self::TooSlow => "too-slow",
            Self::CutShort => "cut-short",
        }
    }
}

fn no_longer(administrator: &Administrator, denied: &Denied) -> Refused {
    let why = match denied {
        Denied::ClientLocked => "has been locked",
        Denied::ClientExpired => "has expired",
        Denied::ServiceLocked => "cannot go on: kadmin/admin is locked, and with it all administration from afar",
        _ => "is no more",
    };
    Refused::new(Reason::NotPermitted, format!("{} {why}", administrator.name))
}

fn time() -> KerberosTime {
    clock::now().time
}

/// A sealed conversation with somebody who was admitted.
struct Channel(Sealed<Timed, ThreadRandom>);

impl Line for Channel {
    fn hung_up(&mut self) -> bool {
        self.0.stream_mut().stream.has_hung_up()
    }
}

impl MessageSource for Channel {
    fn next_message(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
        self.0.stream_mut().allow(IDLE);
        self.0.next_message()
    }
}

impl MessageSink for Channel {
    fn put_message(&mut self, message: &[u8]) -> Result<(), FrameError> {
        self.0.stream_mut().allow(TAKE_IN);
        self.0.put_message(message)
    }
}

/// A connection that may take so long, however many octets come or go in that time.
struct Timed {
    stream: Counted<TcpStream>,
    until: Instant,
}

impl Timed {
    fn new(stream: Counted<TcpStream>) -> Self {
        Self {
            stream,
            until: instant() + HANDSHAKE,
        }
    }

    fn allow(&mut self, span: Duration) {
        self.until = instant() + span;
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(instant());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

impl Read for Timed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.stream.stream().set_read_timeout(self.left()?)?;
        self.stream.read(out)
    }
}

impl Write for Timed {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.stream.stream().set_write_timeout(self.left()?)?;
        self.stream.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[allow(clippy::disallowed_methods, reason = "real connections are timed")]
fn instant() -> Instant {
    Instant::now()
}
