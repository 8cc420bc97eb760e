//! What the service manager that started the daemon is told (sd_notify(3)), where there is one.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::log::Log;
use crate::net::Pulse;

/// How long the service manager may take to take a message in.
const PATIENCE: Duration = Duration::from_secs(1);
/// A worker that has not gone round for so long hangs, however often the service manager wants to hear.
const HANGS: Duration = Duration::from_secs(1);

/// The way to whoever started the daemon and wants to hear how it is.
pub(super) struct ServiceManager {
    socket: Option<Socket>,
    watchdog: Option<Duration>,
    log: Log,
    failing: AtomicBool,
}

/// What the environment says of it, before there is a log. It is connected already: later, the daemon may have no way to it.
pub(super) struct Found {
    socket: io::Result<Option<Socket>>,
    watchdog: Option<Duration>,
}

struct Socket {
    address: SocketAddr,
    socket: UnixDatagram,
}

impl Found {
    /// `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. The daemon starts no programs, to whom they would be handed on.
    pub(super) fn in_environment() -> Self {
        let notify = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        Self {
            socket: notify.map(|name| Socket::connect(&name)).transpose(),
            watchdog: number("WATCHDOG_USEC")
                .filter(|microseconds| ours && *microseconds > 0)
                .map(Duration::from_micros),
        }
    }

    pub(super) fn with_log(self, log: &Log) -> ServiceManager {
        let socket = self.socket.unwrap_or_else(|why| {
            log.warn(format_args!(
                "NOTIFY_SOCKET leads nowhere: {why}; the service manager hears nothing"
            ));
            None
        });
        ServiceManager {
            watchdog: self.watchdog.filter(|_| socket.is_some()),
            socket,
            log: log.clone(),
            failing: AtomicBool::new(false),
        }
    }
}

impl ServiceManager {
    /// The daemon serves, as `status` says.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// Settings are read anew; [`Self::ready`] follows in any case.
    pub(super) fn reloading(&self) {
        // What systemd tells apart the reloads by.
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
        let microseconds = now.unwrap_or_default().as_micros();
        self.tell(&format!(
            "RELOADING=1\nMONOTONIC_USEC={microseconds}\nSTATUS=reading the configuration"
        ));
    }

    /// The daemon ends.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=answering what was asked");
    }

    /// Tells the watchdog that the daemon is well as long as all these go round, after `wake`. For ever.
    pub(super) async fn watch(&self, workers: Vec<Pulse>, wake: impl Fn()) {
        let Some(watchdog) = self.watchdog else { return };
        let mut watch = Watch::new(workers, watchdog, instant());
        let mut every = tokio::time::interval(watchdog / 2);
        loop {
            every.tick().await;
            if watch.all_well(instant()) {
                self.tell("WATCHDOG=1");
            }
            wake();
        }
    }

    fn tell(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        match socket.send(state.as_bytes()) {
            Ok(()) => self.failing.store(false, Ordering::Relaxed),
            Err(why) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    self.log
                        .warn(format_args!("the service manager cannot be told {state:?}: {why}"));
                }
            }
        }
    }
}

impl Socket {
    fn connect(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::other(format!("{} is no Unix socket", name.display()))),
        };
        Self::to(address)
    }

    fn to(address: SocketAddr) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.connect_addr(&address)?;
        Ok(Self { address, socket })
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        let sent = match self.socket.send(message) {
            // Another has taken its place.
            Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => {
                self.socket.connect_addr(&self.address)?;
                self.socket.send(message)
            }
            sent => sent,
        };
        sent.map(drop)
    }
}

/// When each worker went round last.
struct Watch {
    workers: Vec<(Pulse, u64, Instant)>,
    patience: Duration,
}

impl Watch {
    fn new(workers: Vec<Pulse>, watchdog: Duration, now: Instant) -> Self {
        let workers = workers.into_iter().map(|worker| {
            let beats = worker.beats();
            (worker, beats, now)
        });
        Self {
            workers: workers.collect(),
            patience: HANGS.max(watchdog / 2) + Pulse::SLOWEST,
        }
    }

    fn all_well(&mut self, now: Instant) -> bool {
        for (worker, beats, last) in &mut self.workers {
            let beaten = worker.beats();
            if beaten != *beats {
                (*beats, *last) = (beaten, now);
            }
        }
        let mut last = self.workers.iter().map(|(_, _, last)| *last);
        last.all(|last| now.saturating_duration_since(last) <= self.patience)
    }
}

// A line's end would begin another assignment.
fn one_line(text: &str) -> String {
    text.replace('\n', "; ")
}

#[allow(
    clippy::disallowed_methods,
    reason = "it is about time that passes, whatever the clock shows"
)]
fn instant() -> Instant {
    Instant::now()
}
