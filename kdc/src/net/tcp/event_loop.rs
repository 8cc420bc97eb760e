//! One thread that accepts and serves connections. Whatever goes wrong with one of them ends that one and concerns nobody
//! else.

use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::Socket;

use super::connection::{Connection, Desk, Wants};
use super::connections::Connections;
use super::deadlines::{Deadline, Deadlines};
use super::inbox::{Inbox, News};
use super::{BACKLOG, TcpSocket};
use crate::log::Log;
use crate::net::{Ended, LAST_ANSWER, Origin, Pulse, Service, Transport, pause};

/// How many connections are accepted of one socket before others have their turn, and how many that have a turn at once are
/// a crowd: some of them wait for milliseconds, and another loop is to help.
const CROWD: usize = 64;
/// How long a loop helps.
const HELP: Duration = Duration::from_secs(1);
/// How long a client has to hang up after its first answer before the kernel is told to watch the connection. If it asks
/// again instead, it waits that long, once.
const MOMENT: Duration = Duration::from_millis(1);
/// How many events a system call tells of at most.
const EVENTS: usize = 128;
/// How long a socket rests that no connection can be accepted from.
const REST: Duration = Duration::from_millis(100);
/// How long a peer that was told its message is too long may go on to send it.
const LINGER: Duration = Duration::from_secs(2);
/// How long answers may take to be sent when the loop stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the rest of a message may take to come that is on its way, or the only one of a connection.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The inbox's name among events, and the helping's among deadlines. The sockets' follow, and after them the connections':
/// none is used again.
const INBOX: u64 = 0;

pub(super) struct EventLoop {
    epoll: Epoll,
    sockets: Arc<[TcpSocket]>,
    /// Whether it accepts always. If not, only while it helps.
    leads: bool,
    helps: Option<Deadline>,
    /// Whom it has help, and until when it need not ask again.
    helper: Option<Arc<Inbox>>,
    helped: Instant,
    /// Of sockets that rest.
    resting: Vec<Option<Deadline>>,
    admission: Arc<Connections>,
    connections: HashMap<u64, Served>,
    names: u64,
    desk: Desk,
    deadlines: Deadlines,
    now: Instant,
    /// Those that are served in this turn.
    busy: Vec<(u64, Served)>,
    /// Those that want another turn.
    unfinished: Vec<u64>,
    /// Those that had their first answer in the last turn. Most clients hang up then, and the kernel need not be told of them
    /// before.
    recent: Vec<u64>,
    turned_away: u64,
    pulse: Pulse,
}

struct Served {
    connection: Connection,
    /// What the kernel tells of it; `None` while it does not know of the connection.
    told: Option<EpollFlags>,
    /// What the deadline is for: what is waited for, and after how many messages.
    waits: Option<(Wants, u64)>,
    deadline: Option<Deadline>,
    /// Whether its client has had its moment to hang up.
    lasting: bool,
}

impl EventLoop {
    /// One that serves nobody yet: it leads, or is the helper of another.
    pub(super) fn new(
        sockets: Arc<[TcpSocket]>,
        admission: Arc<Connections>,
        service: Arc<dyn Service>,
        inbox: Arc<Inbox>,
        helper: Option<Arc<Inbox>>,
        log: Log,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&*inbox, EpollEvent::new(EpollFlags::EPOLLIN, INBOX))?;
        let now = now();
        Ok(Self {
            epoll,
            leads: false,
            helps: None,
            helper,
            helped: now,
            resting: vec![None; sockets.len()],
            admission,
            connections: HashMap::new(),
            names: u64::try_from(sockets.len()).unwrap_or(u64::MAX),
            sockets,
            desk: Desk::new(service, inbox, log),
            deadlines: Deadlines::new(now),
            now,
            busy: Vec::new(),
            unfinished: Vec::new(),
            recent: Vec::new(),
            turned_away: 0,
            pulse: Pulse::default(),
        })
    }

    pub(super) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// From now on it accepts.
    pub(super) fn lead(&mut self) -> io::Result<()> {
        self.leads = true;
        (0..self.sockets.len()).try_for_each(|at| self.listen(at))
    }

    /// Serves until the inbox says to stop, and then until what was asked is answered.
    pub(super) fn run(mut self) {
        let mut events = [EpollEvent::empty(); EVENTS];
        while !self.desk.inbox.stopping() {
            self.turn(&mut events, None);
        }
        self.take_in_the_last();
        let begun = self.now;
        loop {
            let since = self.now.saturating_duration_since(begun);
            self.connections.retain(|_, served| {
                let connection = &served.connection;
                let patience = match connection.wants() {
                    Wants::Message if connection.messages() > 0 => Duration::ZERO,
                    Wants::Message | Wants::Rest => LAST_WORDS,
                    Wants::Turn | Wants::Room | Wants::End => FAREWELL,
                    Wants::Answer => LAST_ANSWER,
                    Wants::Nothing => Duration::ZERO,
                };
                since < patience
            });
            if self.connections.is_empty() {
                return;
            }
            self.turn(&mut events, Some(LAST_WORDS));
        }
    }

    // Whoever is connected, as far as the kernel knows, and whatever has come over connections. A listener is given up right
    // after nobody waited at it: who comes later is refused.
    fn take_in_the_last(&mut self) {
        for at in 0..self.sockets.len() {
            if self.sockets.get(at).is_some_and(|socket| !socket.outlives) {
                // No more than could wait when the stop was asked for.
                let mut left = usize::try_from(BACKLOG).unwrap_or_default();
                while left > 0 && self.accept(at) {
                    left = left.saturating_sub(CROWD);
                }
            }
        }
        for socket in &*self.sockets {
            let _ = self.epoll.delete(&socket.socket);
        }
        self.sockets = Arc::new([]);
        let end = self.now + FAREWELL;
        while now() < end {
            let came = self.desk.came;
            let names = self.connections.keys().copied().collect::<Vec<_>>();
            for name in names {
                self.take_up(name);
            }
            self.serve();
            if self.desk.came == came {
                return;
            }
        }
    }

    fn turn(&mut self, events: &mut [EpollEvent], patience: Option<Duration>) {
        let recent = std::mem::take(&mut self.recent);
        let unfinished = std::mem::take(&mut self.unfinished);
        let patience = [
            patience,
            self.deadlines.first(self.now),
            (!recent.is_empty()).then_some(MOMENT),
            (!unfinished.is_empty()).then_some(Duration::ZERO),
        ];
        let told = match self
            .epoll
            .wait(events, milliseconds(patience.into_iter().flatten().min()))
        {
            Ok(told) => told,
            Err(Errno::EINTR) => 0,
            Err(errno) => {
                self.desk.log.error(format_args!("waiting for connections: {errno}"));
                pause();
                0
            }
        };
        self.now = now();
        let mut news = false;
        for event in events.iter().take(told) {
            match event.data() {
                INBOX => news = true,
                name => match self.socket(name) {
                    Some(at) => {
                        self.accept(at);
                    }
                    None => self.happened(name, event.events()),
                },
            }
        }
        for name in unfinished {
            self.take_up(name);
        }
        if self.busy.len() >= CROWD {
            self.ask_for_help();
        }
        self.serve();
        // After the others, to give them time.
        for name in recent {
            self.take_up(name);
        }
        self.serve();
        if news {
            self.hear();
        }
        self.expire();
        // Now that whoever rings is heard the next time.
        self.pulse.beat();
    }

    // All receive, then all are answered: the processor does better at one thing many times than at many things once.
    fn serve(&mut self) {
        for (_, served) in &mut self.busy {
            served.connection.receive(&mut self.desk);
        }
        for (_, served) in &mut self.busy {
            served.connection.answer(&self.desk);
        }
        let mut busy = std::mem::take(&mut self.busy);
        for (name, mut served) in busy.drain(..) {
            served.connection.send();
            self.put_back(name, served);
        }
        self.busy = busy;
    }

    fn expire(&mut self) {
        while let Some(name) = self.deadlines.pop(self.now) {
            if name == INBOX {
                self.helps = None;
                for socket in &*self.sockets {
                    let _ = self.epoll.delete(&socket.socket);
                }
            } else if let Some(at) = self.socket(name) {
                if let Some(resting) = self.resting.get_mut(at) {
                    *resting = None;
                }
                if self.leads || self.helps.is_some() {
                    self.listen_or_rest(at);
                }
            } else {
                self.count_late(name);
                self.close(name);
            }
        }
    }

    fn count_late(&self, name: u64) {
        let late = self.connections.get(&name).map(|served| served.connection.wants());
        self.admission.counts.ended(match late {
            Some(Wants::Message) => Ended::Idle,
            Some(Wants::Rest) => Ended::TooSlow,
            Some(Wants::Answer) => Ended::Unanswered,
            Some(Wants::Room) => Ended::Unread,
            // All was said.
            Some(Wants::End | Wants::Turn | Wants::Nothing) | None => return,
        });
    }

    fn ask_for_help(&mut self) {
        if let Some(helper) = &self.helper
            && self.helped <= self.now
        {
            self.helped = self.now + HELP / 2;
            helper.tell(News::Crowd);
        }
    }

    fn help(&mut self) {
        let helped = self.helps.is_some();
        self.deadlines.put(&mut self.helps, INBOX, self.now, HELP);
        if !helped {
            for at in 0..self.sockets.len() {
                if self.resting.get(at).is_some_and(Option::is_none) {
                    self.listen_or_rest(at);
                }
            }
        }
    }

    fn listen_or_rest(&mut self, at: usize) {
        if let Err(why) = self.listen(at) {
            self.rest(at, &why);
        }
    }

    // Of an event or deadline: which socket it is about, if it is about one.
    fn socket(&self, name: u64) -> Option<usize> {
        let at = usize::try_from(name.checked_sub(1)?).ok()?;
        (at < self.resting.len()).then_some(at)
    }

    fn listen(&self, at: usize) -> io::Result<()> {
        let (Some(socket), Ok(before)) = (self.sockets.get(at), u64::try_from(at)) else {
            return Ok(());
        };
        // A connection wakes one loop, not all.
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
        Ok(self.epoll.add(&socket.socket, EpollEvent::new(flags, before + 1))?)
    }

    // Whether there may be more.
    fn accept(&mut self, at: usize) -> bool {
        let sockets = Arc::clone(&self.sockets);
        let Some(socket) = sockets.get(at) else { return false };
        for _ in 0..CROWD {
            match accept(&socket.socket) {
                Ok((stream, peer)) => self.begin(stream, peer, socket.address),
                Err(why) => {
                    match why.kind() {
                        io::ErrorKind::WouldBlock => {}
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => continue,
                        _ => self.rest(at, &why),
                    }
                    return false;
                }
            }
        }
        true
    }

    fn rest(&mut self, at: usize, why: &io::Error) {
        let Some(socket) = self.sockets.get(at) else { return };
        let out_of_files = [Errno::EMFILE, Errno::ENFILE]
            .map(|errno| Some(errno as i32))
            .contains(&why.raw_os_error());
        if out_of_files {
            self.admission.evict();
        }
        self.desk.log.error(format_args!(
            "accepting on {} (TCP): {why}{}",
            socket.address,
            if out_of_files {
                "; raise the limit of open files (LimitNOFILE, ulimit -n)"
            } else {
                ""
            }
        ));
        let _ = self.epoll.delete(&socket.socket);
        if let (Some(resting), Ok(before)) = (self.resting.get_mut(at), u64::try_from(at)) {
            self.deadlines.put(resting, before + 1, self.now, REST);
        }
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr, asked: SocketAddr) {
        self.names += 1;
        let name = self.names;
        let Some(place) = self.admission.admit(&self.desk.inbox, name) else {
            // Every connection is being answered just now. The client tries again, or another server.
            self.turned_away += 1;
            if self.turned_away.is_power_of_two() {
                self.desk.log.warn(format_args!(
                    "{} connections to {} were turned away: all {} are busy",
                    self.turned_away, asked, self.admission.limits.connections
                ));
            }
            return;
        };
        // Only a wildcard has to learn for each connection which address was asked.
        let local = if asked.ip().is_unspecified() {
            let Ok(local) = stream.local_addr() else { return };
            local
        } else {
            asked
        };
        let origin = Origin {
            peer,
            local,
            transport: Transport::Tcp,
        };
        let served = Served {
            connection: Connection::new(name, stream, origin, place),
            told: None,
            waits: None,
            deadline: None,
            lasting: false,
        };
        self.busy.push((name, served));
    }

    fn happened(&mut self, name: u64, events: EpollFlags) {
        if events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP) {
            // Neither end will hear of the other again.
            self.close(name);
        } else {
            self.take_up(name);
        }
    }

    fn take_up(&mut self, name: u64) {
        self.busy.extend(self.connections.remove_entry(&name));
    }

    fn hear(&mut self) {
        for news in self.desk.inbox.take() {
            match news {
                News::Evicted(name) => self.close(name),
                News::Crowd => self.help(),
                News::Answered(question, answer) => {
                    let name = question.connection;
                    if let Some(mut served) = self.connections.remove(&name) {
                        served.connection.answered(question, answer.as_deref());
                        served.connection.send();
                        self.put_back(name, served);
                    }
                }
            }
        }
    }

    fn put_back(&mut self, name: u64, mut served: Served) {
        if self.settle(name, &mut served) {
            self.connections.insert(name, served);
        } else {
            self.deadlines.remove(&mut served.deadline, name);
        }
    }

    // Sees to it that the loop hears when what the connection waits for happens, or does not in time. False when it is to
    // be closed.
    fn settle(&mut self, name: u64, served: &mut Served) -> bool {
        let limits = &self.admission.limits;
        let wants = served.connection.wants();
        let (tell, limit) = match wants {
            Wants::Message => (EpollFlags::EPOLLIN, limits.idle),
            Wants::Rest => (EpollFlags::EPOLLIN, limits.message),
            Wants::Answer => (EpollFlags::empty(), limits.answer),
            Wants::Room => (EpollFlags::EPOLLOUT, limits.message),
            Wants::End => (EpollFlags::EPOLLIN, LINGER),
            Wants::Turn => {
                self.unfinished.push(name);
                return true;
            }
            Wants::Nothing => return false,
        };
        let waits = Some((wants, served.connection.messages()));
        if served.waits != waits {
            served.waits = waits;
            self.deadlines.put(&mut served.deadline, name, self.now, limit);
        }
        if matches!(wants, Wants::Message | Wants::Rest) {
            served.connection.wait();
        }
        let answered = wants == Wants::Message && served.connection.messages() > 0;
        if answered && served.told.is_none() && !served.lasting {
            served.lasting = true;
            self.recent.push(name);
            return true;
        }
        let mut event = EpollEvent::new(tell, name);
        let stream = served.connection.stream();
        let told = match served.told {
            Some(told) if told == tell => Ok(()),
            Some(_) => self.epoll.modify(stream, &mut event),
            None => self.epoll.add(stream, event),
        };
        if let Err(errno) = told {
            self.desk
                .log
                .error(format_args!("a connection cannot be waited for: {errno}"));
            return false;
        }
        served.told = Some(tell);
        true
    }

    fn close(&mut self, name: u64) {
        if let Some(mut served) = self.connections.remove(&name) {
            self.deadlines.remove(&mut served.deadline, name);
        }
    }
}

fn accept(socket: &Socket) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = socket.accept4(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)?;
    let peer = peer.as_socket().ok_or(io::ErrorKind::ConnectionAborted)?;
    Ok((stream.into(), peer))
}

// Rounded up, so that what is waited for has happened.
fn milliseconds(patience: Option<Duration>) -> EpollTimeout {
    let Some(patience) = patience else {
        return EpollTimeout::NONE;
    };
    let milliseconds = patience.as_nanos().div_ceil(1_000_000);
    EpollTimeout::try_from(milliseconds).unwrap_or(EpollTimeout::MAX)
}

#[allow(
    clippy::disallowed_methods,
    reason = "it is about time that passes, whatever the clock shows"
)]
fn now() -> Instant {
    Instant::now()
}
