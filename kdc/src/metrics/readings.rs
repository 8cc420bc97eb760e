//! What is read of the daemon at one time, as plain numbers.

use super::histogram::{Buckets, REQUEST_BOUNDS, SYNC_BOUNDS};
use super::requests::RequestReadings;
use crate::realm::accounting::Kind;

/// All of it. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub struct Readings {
    /// Requests.
    pub requests: RequestReadings,
    /// Principals that were shut out, and networks.
    pub trips: OfEach,
    /// Principals and networks that are shut out now.
    pub shut_out: OfEach,
    /// What waits for the pool or runs there, from the network; and how much may.
    pub jobs: Gauge,
    /// What waits for the pool on behalf of administrators.
    pub administration_jobs: u64,
    /// How often there was no place in the pool.
    pub jobs_turned_away: u64,
    /// Lines of the log that wait to be written; and how many may.
    pub log_lines: Gauge,
    /// Lines of the log that were dropped.
    pub log_lines_dropped: u64,
    /// The event log; `None`, nothing is kept.
    pub event_log: Option<EventLogReadings>,
    /// What is remembered of requests.
    pub replays: Replays,
    /// The database.
    pub store: StoreReadings,
    /// Keys.
    pub keys: Keys,
    /// What the last look at all principals found; `None` before the first.
    pub survey: Option<Survey>,
    /// The listeners.
    pub listeners: Vec<Listener>,
    /// Administrators who are connected: over the socket, and from afar.
    pub administrators: [u64; 2],
    /// Sessions that go on.
    pub sessions: u64,
    /// The configuration.
    pub reload: Reload,
    /// The process.
    pub process: Process,
}

/// A number, and how large it may get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    /// Now.
    pub now: u64,
    /// At most.
    pub limit: u64,
}

/// Of principals and of networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfEach {
    /// Of principals.
    pub principals: u64,
    /// Of networks.
    pub networks: u64,
}

/// What is remembered of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replays {
    /// Proofs that were used.
    pub proofs: Gauge,
    /// Answers, in octets.
    pub answer_octets: Gauge,
    /// How often proofs were forgotten before their time, for want of room.
    pub proofs_forgotten: u64,
    /// How often answers were.
    pub answers_forgotten: u64,
}

/// The event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLogReadings {
    /// Events that are in the file.
    pub written: u64,
    /// Events that were lost.
    pub lost: u64,
    /// Octets that wait to be written; and how many may.
    pub queue: Gauge,
    /// Octets of all its files.
    pub on_disk: u64,
    /// How often what could not be done.
    pub failures: [(&'static str, u64); 4],
    /// How long writes took.
    pub writes: Buckets,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreReadings {
    /// How many principals there are.
    pub principals: u64,
    /// The number of the last change.
    pub sequence: u64,
    /// Whether the journal takes changes.
    pub writable: bool,
    /// How many changes were committed since the start.
    pub changes: u64,
    /// Commits that wait or are being written; and how many may wait.
    pub commits: Gauge,
    /// How long it took to write to the journal, up to the end of fdatasync.
    pub syncs: Buckets,
    /// How much was written to the journal since the start.
    pub journal_octets: u64,
    /// How often it could not be written.
    pub write_failures: u64,
    /// Records that the index has yet to learn.
    pub unindexed: u64,
    /// How often the index had to be made anew.
    pub index_failures: u64,
    /// When the newest snapshot was made; `None`, there is none.
    pub snapshot_made: Option<u64>,
    /// How often none could be made.
    pub snapshot_failures: u64,
    /// Records that are kept taken apart.
    pub cached: u64,
    /// How often a record was among them.
    pub cache_hits: u64,
    /// How often not.
    pub cache_misses: u64,
}

/// When keys were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The ticket-granting service's newest.
    pub krbtgt: Option<i64>,
    /// When it is due to be changed; `None`: never by itself.
    pub krbtgt_due: Option<i64>,
    /// That of `kadmin/admin`.
    pub kadmin_admin: Option<i64>,
    /// That of `kadmin/changepw`.
    pub kadmin_changepw: Option<i64>,
    /// When the file with the master keys was last written.
    pub master_file: Option<i64>,
}

/// What a look at all principals found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// When it was.
    pub at: i64,
    /// When the key was made that is the oldest among the current ones of services; `None`, there is none.
    pub oldest_service_key: Option<i64>,
    /// Principals that are locked.
    pub locked: u64,
    /// Principals with a key that is past its time and still there.
    pub overdue: u64,
}

/// What one key of `[listen]` opens, or the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The key, or `socket`.
    pub name: &'static str,
    /// Whether all that serves it runs.
    pub up: bool,
    /// Its connections.
    pub connections: Connections,
}

/// The connections of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Open ones; and how many there may be.
    pub open: Gauge,
    /// How many were accepted since the start.
    pub accepted: u64,
    /// How many were ended by us before their time, by the reason's name.
    pub dropped: Vec<(&'static str, u64)>,
}

/// The configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// Whether the last reload, or the start, put it in force.
    pub good: bool,
    /// When that last succeeded.
    pub at: i64,
}

/// The process. What the system does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Of processor time, user and system, in seconds.
    pub cpu_seconds: Option<f64>,
    /// In memory, in octets.
    pub resident_octets: Option<u64>,
    /// Of address space, in octets.
    pub virtual_octets: Option<u64>,
    /// Descriptors that are open.
    pub open_files: Option<u64>,
    /// How many may be.
    pub most_files: Option<u64>,
    /// When it was started.
    pub started: Option<f64>,
}

impl Default for RequestReadings {
    fn default() -> Self {
        Self {
            counts: Default::default(),
            durations: Kind::ALL
                .map(|kind| (kind.name(), Buckets::none(REQUEST_BOUNDS)))
                .into(),
        }
    }
}

impl Default for StoreReadings {
    fn default() -> Self {
        Self {
            principals: 0,
            sequence: 0,
            writable: true,
            changes: 0,
            commits: Gauge::default(),
            syncs: Buckets::none(SYNC_BOUNDS),
            journal_octets: 0,
            write_failures: 0,
            unindexed: 0,
            index_failures: 0,
            snapshot_made: None,
            snapshot_failures: 0,
            cached: 0,
            cache_hits: 0,
            cache_misses: 0,
        }
    }
}
