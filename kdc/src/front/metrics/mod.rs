//! What watches the realm: `/metrics`, `/healthz` and `/readyz`, over HTTP, for everybody who reaches the address.

mod endpoint;
mod http;
mod places;
mod process;
mod survey;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwap;
use tessera_common::name::Name;

pub use endpoint::MetricsListener;
pub use http::{Head, MAX_HEAD, Page, Status, head, response};
pub use process::ProcessFiles;
pub use survey::Surveyor;

use crate::accounting::Accounting;
use crate::clock;
use crate::front::workers::Workers;
use crate::kerberos::Kdc;
use crate::metrics::{Connections, Format, Keys, Listener, Readings, Reload, Survey, page};
use crate::net::ConnectionCounts;
use crate::realm::keys;
use crate::store::{Durable, Store as _};

/// Everything that is read when somebody asks.
pub struct MetricsFront {
    kdc: Arc<ArcSwap<Kdc>>,
    store: Arc<Durable>,
    accounting: Accounting,
    workers: Arc<Workers>,
    state: Arc<ServiceState>,
    listeners: Vec<Watched>,
    administrators: Box<dyn Fn() -> [u64; 2] + Send + Sync>,
    sessions: Box<dyn Fn() -> u64 + Send + Sync>,
    survey: Box<dyn Fn() -> Option<Survey> + Send + Sync>,
    process: ProcessFiles,
    key_file: PathBuf,
    counts: ConnectionCounts,
}

/// Where the figures come from that nobody else has.
pub struct Sources {
    /// The settings in force, and what is remembered of requests.
    pub kdc: Arc<ArcSwap<Kdc>>,
    /// The database.
    pub store: Arc<Durable>,
    /// Requests, and the log.
    pub accounting: Accounting,
    /// The pool.
    pub workers: Arc<Workers>,
    /// What the daemon says of itself.
    pub state: Arc<ServiceState>,
    /// The listeners, but for this one.
    pub listeners: Vec<Watched>,
    /// How many administrators are connected, over the socket and from afar.
    pub administrators: Box<dyn Fn() -> [u64; 2] + Send + Sync>,
    /// How many sessions there are.
    pub sessions: Box<dyn Fn() -> u64 + Send + Sync>,
    /// What the last look at all principals found.
    pub survey: Box<dyn Fn() -> Option<Survey> + Send + Sync>,
    /// What the system says of the process: opened before the daemon is confined.
    pub process: ProcessFiles,
}

/// A listener that is watched.
pub struct Watched {
    /// The key of `[listen]`, or `socket`.
    pub name: &'static str,
    /// Whether all that serves it runs.
    pub up: Box<dyn Fn() -> bool + Send + Sync>,
    /// Its connections.
    pub connections: Box<dyn Fn() -> Connections + Send + Sync>,
}

/// What the daemon says of itself.
#[derive(Debug)]
pub struct ServiceState {
    stopping: AtomicBool,
    reload_good: AtomicBool,
    reload_at: AtomicI64,
}

impl ServiceState {
    /// The configuration was put in force just now.
    #[must_use]
    pub fn started() -> Self {
        Self {
            stopping: AtomicBool::new(false),
            reload_good: AtomicBool::new(true),
            reload_at: AtomicI64::new(clock::now().time.0),
        }
    }

    /// From now on it does not serve any more.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// The configuration was read again, and put in force or not.
    pub fn reloaded(&self, good: bool) {
        self.reload_good.store(good, Ordering::Relaxed);
        if good {
            self.reload_at.store(clock::now().time.0, Ordering::Relaxed);
        }
    }
}

impl MetricsFront {
    /// One that is asked by nobody yet.
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        let Sources {
            kdc,
            store,
            accounting,
            workers,
            state,
            listeners,
            administrators,
            sessions,
            survey,
            process,
        } = sources;
        Self {
            kdc,
            key_file: store.key_file().to_owned(),
            store,
            accounting,
            workers,
            state,
            listeners,
            administrators,
            sessions,
            survey,
            process,
            counts: ConnectionCounts::default(),
        }
    }

    // May take some milliseconds: not for a thread that others wait for.
    fn page(&self, own: Connections, format: Format) -> String {
        page(&self.read(own), format)
    }

    fn read(&self, own: Connections) -> Readings {
        let counts = self.accounting.counters();
        let log = self.accounting.log();
        let (jobs, jobs_turned_away, administration_jobs) = self.workers.load();
        let kdc = self.kdc.load_full();
        let listeners = self.listeners.iter().map(|listener| Listener {
            name: listener.name,
            up: (listener.up)(),
            connections: (listener.connections)(),
        });
        let this = Listener {
            name: "metrics",
            up: true,
            connections: own,
        };
        Readings {
            requests: counts.requests.read(),
            trips: counts.trips(),
            shut_out: kdc.lockout().in_force(clock::now().time),
            jobs,
            administration_jobs,
            jobs_turned_away,
            log_lines: log.waiting_lines(),
            log_lines_dropped: log.dropped_lines(),
            event_log: self.accounting.event_log(),
            replays: kdc.replays(),
            store: self.store.readings(),
            keys: self.keys(&kdc),
            survey: (self.survey)(),
            listeners: listeners.chain([this]).collect(),
            administrators: (self.administrators)(),
            sessions: (self.sessions)(),
            reload: Reload {
                good: self.state.reload_good.load(Ordering::Relaxed),
                at: self.state.reload_at.load(Ordering::Relaxed),
            },
            process: self.process.read(),
        }
    }

    fn keys(&self, kdc: &Kdc) -> Keys {
        let view = self.store.view();
        let settings = kdc.settings();
        let krbtgt = view.find(&Name::krbtgt(&settings.name));
        let made = |name: [&str; 2]| {
            let name = Name::new(name).ok()?;
            view.find(&name).map(|record| keys::newest_made(record).0)
        };
        let written = self.key_file.metadata().and_then(|file| file.modified()).ok();
        let since = written.and_then(|written| written.duration_since(std::time::UNIX_EPOCH).ok());
        Keys {
            krbtgt: krbtgt.map(|record| keys::newest_made(record).0),
            krbtgt_due: krbtgt
                .and_then(|record| keys::rollover_due(record, settings))
                .map(|due| due.0),
            kadmin_admin: made(["kadmin", "admin"]),
            kadmin_changepw: made(["kadmin", "changepw"]),
            master_file: since.and_then(|since| i64::try_from(since.as_secs()).ok()),
        }
    }

    /// Whether the realm is served, in a sentence: well, or with something that does not work.
    ///
    /// # Errors
    /// Why it is not, in a sentence.
    pub fn readiness(&self) -> Result<String, String> {
        if self.state.stopping.load(Ordering::Relaxed) {
            return Err("not ready: the daemon is stopping\n".into());
        }
        let down: Vec<_> = self.listeners.iter().filter(|listener| !(listener.up)()).collect();
        if !down.is_empty() {
            let names: Vec<_> = down.iter().map(|listener| listener.name).collect();
            return Err(format!(
                "not ready: what serves these listeners does not run: {}; start kdc anew\n",
                names.join(", ")
            ));
        }
        Ok(match self.store.figures().unwritable() {
            None => "ready\n".into(),
            Some(why) => {
                format!(
                    "ready, degraded: the journal cannot be written: {why}; changes are refused, requests are served\n"
                )
            }
        })
    }
}
