//! The event log: one thread writes what comes by the queue.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use nix::unistd::Uid;
use tessera_common::accounting::{EventKind, EventRecord, EventTime};
use tessera_common::time::Timestamp;

use super::current::{Current, Disk, Fate, FileSystem, Opened, last_of_rotated, make_directory};
use super::figures::{self, Figures};
use super::files::CURRENT;
use super::forward::{Form, Forwarder};
use super::housekeeping::{Housekeeper, Task};
use super::newest::Newest;
use super::queue::{Queue, Taken, members};
use super::reader::Reader;
use crate::clock;
use crate::config::{AccountingConfig, WhenSlow};
use crate::log::Log;

/// The directory's name in the state directory, unless the configuration names another.
pub const EVENTS_DIRECTORY: &str = "events";
/// Held while a daemon writes there.
const LOCK: &str = "lock";
/// How often what waits is written.
const INTERVAL: Duration = Duration::from_millis(10);
/// How often to look when nothing happened for a second.
const IDLE_INTERVAL: Duration = Duration::from_millis(50);
/// So many empty looks make a second.
const LOOKS_UNTIL_IDLE: u32 = 100;
/// After how long a write that failed is tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// After how long a rotation that failed is.
const ROTATE_AGAIN: Duration = Duration::from_secs(60);
/// How long what was written may be in memory alone.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long a stop waits for the disk.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often a stop tries to write what waits.
const LAST_TRIES: usize = 20;
/// How often it is said that events are lost.
const LOST_EVERY: Duration = Duration::from_secs(10);
/// By how many seconds a clock is back that was set back; less is what adjusting it does.
const BACK: i64 = 1;

/// Takes events; all clones are one log.
#[derive(Clone)]
pub(super) struct Events {
    pub(super) queue: Arc<Queue>,
    pub(super) figures: Arc<Figures>,
    pub(super) reader: Reader,
    pub(super) settings: Arc<ArcSwap<AccountingConfig>>,
}

/// Ends the log when dropped: what waits is written first, as long as the disk takes it within some seconds.
pub struct EventsWriter {
    pub(super) events: Events,
    ended: Arc<(Mutex<bool>, Condvar)>,
    stopping: Arc<AtomicBool>,
    housekeeper: Option<Housekeeper>,
    log: Log,
    _lock: Option<File>,
}

struct Writer {
    directory: PathBuf,
    events: Events,
    newest: Arc<Newest>,
    current: Current,
    disk: Box<dyn Disk>,
    forwarders: Vec<Forwarder>,
    wake_housekeeper: Option<SyncSender<()>>,
    log: Log,
    taken: Taken,
    /// Whether it was said that nothing can be written.
    failing: bool,
    synced: Instant,
    dirty: bool,
    rotate_not_before: Instant,
    /// What the clock said last.
    clock: Timestamp,
    /// How many events were lost, and it was not said.
    lost: u64,
    lost_said: Option<Instant>,
}

impl EventsWriter {
    /// Opens the log, or makes it.
    ///
    /// # Errors
    /// Why nothing can be kept there, and what to do.
    pub(super) fn start(directory: &Path, config: &AccountingConfig, log: &Log) -> Result<Self, String> {
        Self::start_on(directory, config, log, Box::new(FileSystem))
    }

    pub(super) fn start_on(
        directory: &Path,
        config: &AccountingConfig,
        log: &Log,
        disk: Box<dyn Disk>,
    ) -> Result<Self, String> {
        let failed = |what: &str, why: &io::Error| {
            format!(
                "the event log's directory {} cannot be {what}: {why}",
                directory.display()
            )
        };
        make_directory(directory).map_err(|why| failed("made", &why))?;
        is_own(directory)?;
        let lock = lock(directory)?;
        let Opened { current, last, torn } = Current::open(directory).map_err(|why| failed("written to", &why))?;
        if torn > 0 {
            log.warn(format_args!(
                "the event log ended in the middle of a line: {torn} octets are cut off"
            ));
        }
        let last = match last {
            Some(last) => Some(last),
            None => last_of_rotated(directory).map_err(|why| failed("read", &why))?,
        };
        let newest = Arc::<Newest>::default();
        let figures = Arc::<Figures>::default();
        let next = last.as_ref().map_or(1, |last| last.seq + 1);
        newest.set(next - 1);
        let queue = Queue::new(next, config.queue, config.when_slow, Arc::clone(&figures));
        let events = Events {
            queue: Arc::new(queue),
            figures: Arc::clone(&figures),
            reader: Reader::new(directory, Arc::clone(&newest)),
            settings: Arc::new(ArcSwap::from_pointee(config.clone())),
        };
        let now = clock::now();
        if let Some(before) = last.as_ref().and_then(|last| last.time) {
            events.note_clock(before.0, now);
        }
        let unfinished = last.is_some_and(|last| last.kind.is_some_and(|kind| kind != EventKind::Stopped));
        events.push(&EventRecord {
            detail: unfinished
                .then(|| "the daemon before did not stop in order: its last events may be missing".into()),
            ..EventRecord::new(0, EventTime(now), EventKind::Started)
        });

        let stopping = Arc::<AtomicBool>::default();
        let unstartable = |why: io::Error| format!("no thread can be started: {why}");
        let housekeeper = Housekeeper::start(Task {
            directory: directory.to_owned(),
            settings: Arc::clone(&events.settings),
            figures: Arc::clone(&figures),
            log: log.clone(),
            said: None,
            stopping: Arc::clone(&stopping),
        })
        .map_err(unstartable)?;
        let mut forwarders = Vec::new();
        for (path, form) in [(&config.syslog, Form::Syslog), (&config.journald, Form::Journald)] {
            if let Some(path) = path {
                let forwarder = Forwarder::start(path, form, Arc::clone(&figures), log.clone());
                forwarders.push(forwarder.map_err(unstartable)?);
            }
        }
        let mut writer = Writer {
            directory: directory.to_owned(),
            events: events.clone(),
            newest,
            current,
            disk,
            forwarders,
            wake_housekeeper: housekeeper.waker(),
            log: log.clone(),
            taken: Taken::default(),
            failing: false,
            synced: instant(),
            dirty: false,
            rotate_not_before: instant(),
            clock: now,
            lost: 0,
            lost_said: None,
        };
        let ended = Arc::<(Mutex<bool>, Condvar)>::default();
        let told = Arc::clone(&ended);
        thread::Builder::new()
            .name("events".into())
            .spawn(move || {
                writer.run();
                drop(writer);
                *told.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
                told.1.notify_all();
            })
            .map_err(unstartable)?;
        Ok(Self {
            events,
            ended,
            stopping,
            housekeeper: Some(housekeeper),
            log: log.clone(),
            _lock: lock,
        })
    }
}

impl Drop for EventsWriter {
    fn drop(&mut self) {
        let stopped = EventRecord::new(0, EventTime(clock::now()), EventKind::Stopped);
        self.events.queue.push_last(&members(&stopped));
        self.stopping.store(true, Ordering::Relaxed);
        self.events.queue.stop();
        let ended = self.ended.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ended.1.wait_timeout_while(ended, FAREWELL, |ended| !*ended);
        if !*waited.unwrap_or_else(PoisonError::into_inner).0 {
            let seconds = FAREWELL.as_secs();
            self.log.error(format_args!(
                "the disk has not taken the last events within {seconds} seconds; the daemon stops without them"
            ));
            // Whoever waits for that disk is not waited for.
            core::mem::forget(self.housekeeper.take());
        }
    }
}

impl Events {
    pub(super) fn push(&self, record: &EventRecord) {
        self.queue.push(&members(record));
    }

    // Adds an event where the clock is behind what it was.
    fn note_clock(&self, before: Timestamp, now: Timestamp) {
        if before.time.seconds() - now.time.seconds() > BACK {
            self.push(&EventRecord {
                detail: Some(format!("from {} to {}", EventTime(before), EventTime(now))),
                ..EventRecord::new(0, EventTime(now), EventKind::ClockSetBack)
            });
        }
    }
}

/// What came of a look at the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Nothing waited.
    Nothing,
    /// What waited is in the file.
    Wrote,
    /// It is not, and waits on.
    Failed,
}

impl Writer {
    #[allow(clippy::disallowed_methods, reason = "the writer's own thread waits, nobody else")]
    fn run(&mut self) {
        let mut empty_looks = 0u32;
        while !self.events.queue.is_stopping() {
            let now = clock::now();
            self.events.note_clock(self.clock, now);
            self.clock = now;
            let pause = match self.round(now) {
                Round::Failed => AGAIN,
                Round::Wrote => {
                    empty_looks = 0;
                    INTERVAL
                }
                Round::Nothing if empty_looks > LOOKS_UNTIL_IDLE => IDLE_INTERVAL,
                Round::Nothing => {
                    empty_looks += 1;
                    INTERVAL
                }
            };
            thread::sleep(pause);
        }
        self.end();
    }

    #[allow(clippy::disallowed_methods, reason = "as above")]
    fn end(&mut self) {
        for _ in 0..LAST_TRIES {
            match self.round(clock::now()) {
                Round::Nothing => break,
                Round::Wrote => {}
                Round::Failed => thread::sleep(AGAIN),
            }
        }
        if self.taken.last.is_some() {
            let left = self.taken.lines;
            figures::add(&self.events.figures.lost, left);
            self.log.error(format_args!(
                "{left} events could not be written before the stop, and are lost"
            ));
        }
        self.say_lost(true);
        let _ = self.current.sync();
    }

    fn round(&mut self, now: Timestamp) -> Round {
        if self.taken.last.is_none() {
            self.events.queue.take(&mut self.taken);
            self.lost += self.taken.lost;
        }
        self.say_lost(false);
        let round = match self.taken.last {
            None => Round::Nothing,
            Some(last) => match self.write() {
                Ok(()) => {
                    self.wrote(last);
                    Round::Wrote
                }
                Err(why) => {
                    figures::add(&self.events.figures.write_failures, 1);
                    self.say_failure(&why);
                    Round::Failed
                }
            },
        };
        if round != Round::Failed {
            self.sync_if_due();
            self.rotate_if_due(now);
        }
        round
    }

    // The file is looked at before and after: what was written to one that is gone by then is written again.
    fn write(&mut self) -> io::Result<()> {
        match self.current.fate() {
            Fate::Same => {}
            Fate::Gone => self.open_anew()?,
            Fate::Cut => {
                self.log
                    .warn("somebody has cut the event log; it goes on at its new end");
                self.current.go_on_at_end()?;
            }
        }
        let started = instant();
        self.current.append(&mut *self.disk, &self.taken.text)?;
        self.events.figures.took(instant().duration_since(started));
        if self.current.fate() == Fate::Gone {
            self.open_anew()?;
            self.current.append(&mut *self.disk, &self.taken.text)?;
        }
        self.dirty = true;
        Ok(())
    }

    fn open_anew(&mut self) -> io::Result<()> {
        self.current = Current::open(&self.directory)?.current;
        self.log.warn(format_args!(
            "the event log's file was taken away; {} is made anew, and events go on there",
            self.directory.join(CURRENT).display()
        ));
        Ok(())
    }

    fn wrote(&mut self, last: u64) {
        self.taken.last = None;
        figures::add(&self.events.figures.written, self.taken.lines);
        self.events.queue.done();
        self.newest.set(last);
        for forwarder in &self.forwarders {
            figures::add(&self.events.figures.not_forwarded, forwarder.pass(&self.taken.text));
        }
        if self.failing {
            self.log.info("the event log is written again");
            self.failing = false;
        }
    }

    fn say_failure(&mut self, why: &io::Error) {
        if self.failing {
            return;
        }
        self.failing = true;
        let then = match self.events.settings.load().when_slow {
            WhenSlow::Block => "requests wait when the queue is full",
            WhenSlow::DropAndCount => "events are counted and lost when the queue is full",
        };
        self.log.error(format_args!(
            "{} cannot be written: {why}; it is tried again, and {then}",
            self.directory.join(CURRENT).display()
        ));
    }

    fn say_lost(&mut self, last: bool) {
        if self.lost == 0
            || (!last
                && self
                    .lost_said
                    .is_some_and(|at| instant().duration_since(at) < LOST_EVERY))
        {
            return;
        }
        let lost = core::mem::take(&mut self.lost);
        self.lost_said = Some(instant());
        self.log.error(format_args!(
            "{lost} events were lost: the event log is not written as fast as they come"
        ));
    }

    fn sync_if_due(&mut self) {
        if self.dirty && instant().duration_since(self.synced) >= SYNC_EVERY {
            if let Err(why) = self.current.sync() {
                self.log
                    .error(format_args!("the event log may not be on the disk: {why}"));
            }
            self.dirty = false;
            self.synced = instant();
        }
    }

    fn rotate_if_due(&mut self, now: Timestamp) {
        let settings = self.events.settings.load();
        let full = self.current.length >= settings.rotate_size;
        let old = self.current.first.is_some_and(|(_, EventTime(first))| {
            settings
                .rotate_every
                .is_some_and(|every| first.time.plus(every) <= now.time)
        });
        drop(settings);
        if !(full || old) || instant() < self.rotate_not_before {
            return;
        }
        match self.current.rotate() {
            Ok(()) => {
                if let Some(wake) = &self.wake_housekeeper {
                    let _ = wake.try_send(());
                }
            }
            Err(why) => {
                figures::add(&self.events.figures.rotation_failures, 1);
                self.rotate_not_before = instant() + ROTATE_AGAIN;
                self.log.error(format_args!(
                    "{} cannot be put aside: {why}; it grows on, and it is tried again in a minute",
                    self.directory.join(CURRENT).display()
                ));
            }
        }
    }
}

fn lock(directory: &Path) -> Result<Option<File>, String> {
    let path = directory.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|why| format!("{} cannot be made: {why}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another kdc writes its events to {}; name another directory in [accounting] directory",
            directory.display()
        )),
        // Not every file system has locks.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

fn is_own(directory: &Path) -> Result<(), String> {
    let metadata = fs::metadata(directory).map_err(|why| format!("{}: {why}", directory.display()))?;
    let (owner, own, mode) = (metadata.uid(), Uid::effective(), metadata.permissions().mode() & 0o777);
    if owner != own.as_raw() {
        return Err(format!(
            "the event log's directory {} belongs to uid {owner}, and this daemon runs as uid {own}: whoever owns it can change \
             what is written there; name another in [accounting] directory, or chown it",
            directory.display()
        ));
    }
    if mode & 0o022 != 0 {
        return Err(format!(
            "the event log's directory {} can be written to by others (mode {mode:03o}); chmod 0700 it",
            directory.display()
        ));
    }
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "writes are timed")]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
