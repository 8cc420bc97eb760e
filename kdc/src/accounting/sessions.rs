//! Sessions: that somebody uses a service for a while. Each has a start, word of its counts every so often, and one stop with a
//! named cause, as RADIUS accounting (RFC 2866) and TACACS+ (RFC 8907 §7) have them; what the service is does not matter here.

use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tessera_common::Random;
use tessera_common::accounting::{EventKind, EventRecord, EventTime};
use tessera_common::time::Timestamp;

use crate::clock;
use crate::random::ThreadRandom;
use crate::realm::principal::{IdText, PrincipalId};

/// How many sessions may be open at once.
pub const MOST_OPEN: usize = 65_536;

/// A session's id: at random, so that it is one among all that there ever were.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 16]);

/// Whose session it is, from where, and what it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Whose, as logs name them: a principal with its realm, or such as `uid 0`.
    pub client: String,
    /// The principal's id; `None`, it is none.
    pub client_id: Option<PrincipalId>,
    /// The other end; `None` where there is no network between.
    pub peer: Option<SocketAddr>,
    /// How: `tcp`, `socket`.
    pub via: &'static str,
    /// The service that is used.
    pub service: String,
    /// The service's principal; `None`, it is none.
    pub service_id: Option<PrincipalId>,
}

/// What has passed in a session. The service counts, and whoever keeps account looks.
#[derive(Debug, Default)]
pub struct Counts {
    octets_in: AtomicU64,
    octets_out: AtomicU64,
    requests: AtomicU64,
}

/// What has passed in a session up to a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Octets from the client.
    pub octets_in: u64,
    /// Octets to it.
    pub octets_out: u64,
    /// What was asked for.
    pub requests: u64,
    /// How long it has lasted.
    pub duration: Duration,
}

/// Why a session ended. The names stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The client closed it in good order.
    ClientClosed,
    /// The connection broke.
    ConnectionLost,
    /// The client asked for nothing for too long.
    Idle,
    /// The client did not take what it was sent.
    Stalled,
    /// What the client sent was no request of the protocol, or not sealed as it should be.
    Refused,
    /// The ticket that it was opened with is over.
    TicketOver,
    /// Whose it is may not use the service any more.
    LostRight,
    /// The daemon stopped.
    DaemonStopped,
    /// The daemon ended without a stop. What is known of the session is its last interim, or its start.
    DaemonLost,
}

/// What is told of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It began.
    Start,
    /// It goes on.
    Interim,
    /// It ended.
    Stop(Cause),
}

/// Word of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionNotice {
    /// When it was given.
    pub time: Timestamp,
    /// Of which session.
    pub id: SessionId,
    /// Whose it is.
    pub opening: Arc<Opening>,
    /// What is told.
    pub stage: Stage,
    /// What has passed in it.
    pub tally: Tally,
}

/// A session that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// When it began.
    pub start: Timestamp,
    /// How it is now.
    pub now: SessionNotice,
}

/// No more sessions can be opened: there are too many, or the daemon stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSession;

/// Who is told of sessions. All sessions wait for it, so it waits for nothing but what every request waits for: room in the event
/// log, where `when-slow` is `block`.
pub type Tell = dyn Fn(&SessionNotice) + Send + Sync;

/// The sessions that are open; all clones are the same.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

struct Shared {
    tell: Box<Tell>,
    interim_every: Duration,
    most: usize,
    table: Mutex<Table>,
    changed: Condvar,
}

#[derive(Default)]
struct Table {
    open: HashMap<SessionId, Entry>,
    // When word of which is due.
    due: BTreeSet<(Instant, SessionId)>,
    stopping: bool,
}

struct Entry {
    opening: Arc<Opening>,
    counts: Arc<Counts>,
    start: Timestamp,
    began: Instant,
    due: Instant,
}

/// Gives word of open sessions, until it is dropped. Then all that are still open have stopped.
pub struct SessionsKeeper {
    sessions: Sessions,
    thread: Option<JoinHandle<()>>,
}

/// A session, on the side of the service that it is of.
pub struct Session {
    sessions: Sessions,
    id: SessionId,
    cause: Cause,
}

impl Sessions {
    /// Begins to keep account of sessions: word of each is given every `interim_every`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(tell: Box<Tell>, interim_every: Duration) -> io::Result<SessionsKeeper> {
        Self::start_with(tell, interim_every, MOST_OPEN)
    }

    fn start_with(tell: Box<Tell>, interim_every: Duration, most: usize) -> io::Result<SessionsKeeper> {
        let sessions = Self(Arc::new(Shared {
            tell,
            interim_every,
            most,
            table: Mutex::default(),
            changed: Condvar::new(),
        }));
        let keeper = sessions.clone();
        let thread = thread::Builder::new()
            .name("sessions".into())
            .spawn(move || keeper.keep())?;
        Ok(SessionsKeeper {
            sessions,
            thread: Some(thread),
        })
    }

    /// Opens one, in which what passes is counted by `counts`.
    ///
    /// # Errors
    /// [`NoSession`]; nothing is told of it then.
    pub fn open(&self, opening: Opening, counts: Arc<Counts>) -> Result<Session, NoSession> {
        let mut id = SessionId([0; 16]);
        ThreadRandom.fill(&mut id.0);
        let began = instant();
        let mut table = self.table();
        if table.stopping || table.open.len() >= self.0.most {
            return Err(NoSession);
        }
        let entry = Entry {
            opening: Arc::new(opening),
            counts,
            start: clock::now(),
            began,
            due: began + self.0.interim_every,
        };
        (self.0.tell)(&entry.notice(id, Stage::Start, entry.start, began));
        table.due.insert((entry.due, id));
        table.open.insert(id, entry);
        drop(table);
        self.0.changed.notify_one();
        Ok(Session {
            sessions: self.clone(),
            id,
            cause: Cause::ConnectionLost,
        })
    }

    /// Those that are open, the oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<OpenSession> {
        let (time, now) = (clock::now(), instant());
        let table = self.table();
        let open = table.open.iter().map(|(id, entry)| OpenSession {
            start: entry.start,
            now: entry.notice(*id, Stage::Interim, time, now),
        });
        let mut all: Vec<_> = open.collect();
        drop(table);
        all.sort_by_key(|session| (session.start, session.now.id));
        all
    }

    /// Whether the daemon stops, so that who waits for something in a session should not wait any longer.
    #[must_use]
    pub fn are_stopping(&self) -> bool {
        self.table().stopping
    }

    /// Ends all, because the daemon stops; none can be opened from now on.
    pub fn stop(&self) {
        let mut table = self.table();
        table.stopping = true;
        let open: Vec<SessionId> = table.open.keys().copied().collect();
        for id in open {
            self.close(&mut table, id, Cause::DaemonStopped);
        }
        drop(table);
        self.0.changed.notify_all();
    }

    // One that has ended already has had its stop.
    fn close(&self, table: &mut Table, id: SessionId, cause: Cause) {
        if let Some(entry) = table.open.remove(&id) {
            table.due.remove(&(entry.due, id));
            let notice = entry.notice(id, Stage::Stop(cause), clock::now(), instant());
            (self.0.tell)(&notice);
        }
    }

    fn keep(&self) {
        let mut table = self.table();
        while !table.stopping {
            let now = instant();
            while let Some((_, id)) = table.due.first().copied().filter(|(due, _)| *due <= now) {
                table.due.pop_first();
                self.give_word(&mut table, id, now);
            }
            table = match table.due.first() {
                Some((due, _)) => {
                    let wait = due.saturating_duration_since(now);
                    let woken = self.0.changed.wait_timeout(table, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.0.changed.wait(table).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn give_word(&self, table: &mut Table, id: SessionId, now: Instant) {
        if let Some(entry) = table.open.get_mut(&id) {
            // From now, not from when it was due: a machine that slept owes nobody word of each time.
            entry.due = now + self.0.interim_every;
            let notice = entry.notice(id, Stage::Interim, clock::now(), now);
            (self.0.tell)(&notice);
            let due = entry.due;
            table.due.insert((due, id));
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn tally(&self, now: Instant) -> Tally {
        Tally {
            octets_in: self.counts.octets_in(),
            octets_out: self.counts.octets_out(),
            requests: self.counts.requests(),
            duration: now.saturating_duration_since(self.began),
        }
    }

    fn notice(&self, id: SessionId, stage: Stage, time: Timestamp, now: Instant) -> SessionNotice {
        SessionNotice {
            time,
            id,
            opening: Arc::clone(&self.opening),
            stage,
            tally: self.tally(now),
        }
    }
}

impl SessionNotice {
    /// As an event. Its number the log gives it.
    #[must_use]
    pub fn record(&self) -> EventRecord {
        let kind = match self.stage {
            Stage::Start => EventKind::SessionStart,
            Stage::Interim => EventKind::SessionInterim,
            Stage::Stop(_) => EventKind::SessionStop,
        };
        let Opening {
            client,
            client_id,
            peer,
            via,
            service,
            service_id,
        } = &*self.opening;
        let counted = |count: u64| (self.stage != Stage::Start).then_some(count);
        EventRecord {
            peer: *peer,
            via: Some((*via).to_owned()),
            client: Some(client.clone()),
            client_id: client_id.map(|id| id.to_string()),
            service: Some(service.clone()),
            service_id: service_id.map(|id| id.to_string()),
            session: Some(self.id.to_string()),
            duration_ms: counted(u64::try_from(self.tally.duration.as_millis()).unwrap_or(u64::MAX)),
            octets_in: counted(self.tally.octets_in),
            octets_out: counted(self.tally.octets_out),
            requests: counted(self.tally.requests),
            cause: match self.stage {
                Stage::Stop(cause) => Some(cause.name().to_owned()),
                Stage::Start | Stage::Interim => None,
            },
            ..EventRecord::new(0, EventTime(self.time), kind)
        }
    }
}

impl SessionsKeeper {
    /// The sessions.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        self.sessions.clone()
    }
}

impl Drop for SessionsKeeper {
    fn drop(&mut self) {
        self.sessions.stop();
        if let Some(thread) = self.thread.take() {
            // It has reported a panic of its own.
            let _ = thread.join();
        }
    }
}

impl Session {
    /// Ends it.
    pub fn end(mut self, cause: Cause) {
        self.cause = cause;
    }
}

/// Whoever lets go of a session without a word has lost it.
impl Drop for Session {
    fn drop(&mut self) {
        let mut table = self.sessions.table();
        self.sessions.close(&mut table, self.id, self.cause);
    }
}

impl Counts {
    /// So many octets came from the client.
    pub fn came(&self, octets: usize) {
        add(&self.octets_in, octets);
    }

    /// So many went to it.
    pub fn went(&self, octets: usize) {
        add(&self.octets_out, octets);
    }

    /// Something was asked for.
    pub fn asked(&self) {
        add(&self.requests, 1);
    }

    /// How many octets came.
    #[must_use]
    pub fn octets_in(&self) -> u64 {
        self.octets_in.load(Ordering::Relaxed)
    }

    /// How many went.
    #[must_use]
    pub fn octets_out(&self) -> u64 {
        self.octets_out.load(Ordering::Relaxed)
    }

    /// What was asked for.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 9] = [
        Self::ClientClosed,
        Self::ConnectionLost,
        Self::Idle,
        Self::Stalled,
        Self::Refused,
        Self::TicketOver,
        Self::LostRight,
        Self::DaemonStopped,
        Self::DaemonLost,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientClosed => "client-closed",
            Self::ConnectionLost => "connection-lost",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Refused => "refused",
            Self::TicketOver => "ticket-over",
            Self::LostRight => "lost-right",
            Self::DaemonStopped => "daemon-stopped",
            Self::DaemonLost => "daemon-lost",
        }
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(IdText::of(self.0).as_str())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NoSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are too many sessions already, or the daemon is stopping; try again later")
    }
}

impl core::error::Error for NoSession {}

#[allow(
    clippy::disallowed_methods,
    reason = "real sessions are timed, by a clock that nobody sets"
)]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "what threads tell is waited for")]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn kept(interim_every: Duration, most: usize) -> (SessionsKeeper, Receiver<SessionNotice>) {
        let (sender, told) = channel();
        let tell = Box::new(move |notice: &SessionNotice| drop(sender.send(notice.clone())));
        (Sessions::start_with(tell, interim_every, most).unwrap(), told)
    }

    fn opening(client: &str) -> Opening {
        Opening {
            client: client.into(),
            client_id: Some(PrincipalId([1; 16])),
            peer: Some("192.0.2.7:5000".parse().unwrap()),
            via: "tcp",
            service: "kadmin/admin".into(),
            service_id: None,
        }
    }

    fn next(told: &Receiver<SessionNotice>) -> SessionNotice {
        told.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn a_session_has_one_start_and_one_stop_with_what_passed_in_it() {
        for cause in Cause::ALL {
            let (keeper, told) = kept(HOUR, 10);
            let counts = Arc::new(Counts::default());
            let session = keeper.sessions().open(opening("alice"), Arc::clone(&counts)).unwrap();
            counts.came(10);
            counts.went(20);
            counts.asked();
            session.end(cause);
            drop(keeper);
            let [start, stop]: [SessionNotice; 2] = told.try_iter().collect::<Vec<_>>().try_into().unwrap();
            assert_eq!((start.stage, stop.stage), (Stage::Start, Stage::Stop(cause)));
            assert_eq!((start.id, &start.opening), (stop.id, &stop.opening));
            assert_eq!((start.tally.octets_in, start.tally.duration), (0, Duration::ZERO));
            let Tally {
                octets_in,
                octets_out,
                requests,
                ..
            } = stop.tally;
            assert_eq!((octets_in, octets_out, requests), (10, 20, 1));
            let event = stop.record();
            let names = (event.kind, event.cause.as_deref(), event.octets_in);
            assert_eq!(names, (EventKind::SessionStop, Some(cause.name()), Some(10)));
            assert_eq!(event.session.as_deref(), Some(stop.id.to_string().as_str()));
            assert_eq!((event.client_id.unwrap().len(), start.record().octets_in), (32, None));
        }
    }

    #[test]
    fn word_of_each_is_given_as_long_as_it_is_open_and_not_after_its_stop() {
        let (keeper, told) = kept(Duration::from_millis(5), 10);
        let counts = Arc::new(Counts::default());
        let session = keeper.sessions().open(opening("alice"), Arc::clone(&counts)).unwrap();
        assert_eq!(next(&told).stage, Stage::Start);
        counts.came(3);
        let interim = loop {
            let notice = next(&told);
            assert_eq!(notice.stage, Stage::Interim);
            if notice.tally.octets_in == 3 {
                break notice;
            }
        };
        assert!(interim.tally.duration >= Duration::from_millis(5));
        session.end(Cause::ClientClosed);
        drop(keeper);
        let rest: Vec<Stage> = told.try_iter().map(|notice| notice.stage).collect();
        let (last, interims) = rest.split_last().unwrap();
        assert_eq!(*last, Stage::Stop(Cause::ClientClosed));
        assert!(interims.iter().all(|stage| *stage == Stage::Interim));
    }

    #[test]
    fn a_stop_of_the_daemon_stops_all_once_and_opens_none() {
        let (keeper, told) = kept(HOUR, 10);
        let sessions = keeper.sessions();
        let open = [(); 3].map(|()| sessions.open(opening("alice"), Arc::default()).unwrap());
        assert_eq!(sessions.all().len(), 3);
        assert!(!sessions.are_stopping());
        drop(keeper);
        assert!(sessions.are_stopping() && sessions.all().is_empty());
        open.into_iter().for_each(|session| session.end(Cause::ClientClosed));
        assert!(sessions.open(opening("alice"), Arc::default()).is_err());
        let stages: Vec<Stage> = told.try_iter().map(|notice| notice.stage).collect();
        let stops = [Stage::Stop(Cause::DaemonStopped); 3];
        assert_eq!(stages[3..], stops);
    }

    #[test]
    fn there_are_so_many_and_no_more_and_their_ids_are_their_own() {
        let (keeper, told) = kept(HOUR, 2);
        let sessions = keeper.sessions();
        let first = sessions.open(opening("alice"), Arc::default()).unwrap();
        let _second = sessions.open(opening("bob"), Arc::default()).unwrap();
        assert_eq!(sessions.open(opening("carol"), Arc::default()).err(), Some(NoSession));
        first.end(Cause::Idle);
        let _third = sessions.open(opening("carol"), Arc::default()).unwrap();
        let whose: Vec<String> = sessions
            .all()
            .iter()
            .map(|open| open.now.opening.client.clone())
            .collect();
        assert_eq!(whose, ["bob", "carol"]);
        let starts = told.try_iter().filter(|notice| notice.stage == Stage::Start);
        let ids: BTreeSet<SessionId> = starts.map(|notice| notice.id).collect();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn whoever_lets_go_of_a_session_without_a_word_has_lost_it() {
        let (keeper, told) = kept(HOUR, 2);
        drop(keeper.sessions().open(opening("alice"), Arc::default()).unwrap());
        assert_eq!(
            told.try_iter().last().unwrap().stage,
            Stage::Stop(Cause::ConnectionLost)
        );
    }
}
