//! Where what happened is told: one place for everybody who has something to account for, and who keeps it is not their concern.
//!
//! It is kept in the event log, files of lines of JSON; docs/accounting.md has what an operator knows of it.

mod compress;
mod counters;
mod current;
mod events;
mod figures;
mod files;
mod filter;
mod forward;
mod frame;
mod housekeeping;
mod line;
mod lost_sessions;
mod newest;
mod queue;
mod reader;
mod search;
mod sessions;
mod usage;

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tessera_common::accounting::{EventKind, EventRecord, EventTime};

use crate::clock;
use crate::config::AccountingConfig;
use crate::log::Log;
use crate::realm::accounting::{Event, Phrases, ShutOutLine};
use events::Events;

pub use counters::Counters;
pub use events::{EVENTS_DIRECTORY, EventsWriter};
pub use figures::{Figures, LATENCY_BOUNDS};
pub use filter::{EventFilter, WhoseEvents};
pub use reader::{Found, Progress, ReadError, Reader, Start};
pub use sessions::{
    Cause, Counts, MOST_OPEN, NoSession, OpenSession, Opening, Session, SessionId, SessionNotice, Sessions,
    SessionsKeeper, Stage, Tally, Tell,
};
pub use usage::UsageCount;

/// Takes what happened; all clones tell the same.
#[derive(Clone)]
pub struct Accounting {
    log: Log,
    counters: Arc<Counters>,
    events: Option<Events>,
}

impl Accounting {
    /// Tells this log, and nobody keeps anything.
    #[must_use]
    pub fn new(log: Log) -> Self {
        Self {
            log,
            counters: Arc::default(),
            events: None,
        }
    }

    /// Tells this log, and keeps events as the configuration says, in the `events` of this state directory unless it names another
    /// directory. What is given beside is to be dropped last.
    ///
    /// # Errors
    /// Why nothing can be kept there, and what to do.
    pub fn start(config: &AccountingConfig, state: &Path, log: &Log) -> Result<(Self, Option<EventsWriter>), String> {
        if !config.enabled {
            return Ok((Self::new(log.clone()), None));
        }
        let directory = config.directory_in(state);
        let writer = EventsWriter::start(&directory, config, log)?;
        let accounting = Self {
            events: Some(writer.events.clone()),
            ..Self::new(log.clone())
        };
        Ok((accounting, Some(writer)))
    }

    /// Makes the directory where [`Self::start`] will keep events, if there is to be one: for who gives up making any in between.
    pub fn make_directory(config: &AccountingConfig, state: &Path) {
        if config.enabled {
            // What is wrong with it, the start says.
            let _ = current::make_directory(&config.directory_in(state));
        }
    }

    /// For what an operator should know besides.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// How often what happened.
    #[must_use]
    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// For who wants to see what happened; `None`, nobody keeps it.
    #[must_use]
    pub fn reader(&self) -> Option<&Reader> {
        self.events.as_ref().map(|events| &events.reader)
    }

    /// The same, as soon as all that was told so far can be read, or was lost; but it is not waited for longer than that.
    #[must_use]
    pub fn settled(&self, at_most: Duration) -> Option<&Reader> {
        let events = self.events.as_ref()?;
        let last = events.queue.last();
        if last > 0 {
            let _ = events.reader.wait_beyond(last - 1, at_most);
        }
        Some(&events.reader)
    }

    /// How the event log fares; `None`, there is none.
    #[must_use]
    pub fn figures(&self) -> Option<&Arc<Figures>> {
        self.events.as_ref().map(|events| &events.figures)
    }

    /// A request was dealt with.
    pub fn request(&self, event: &Event) {
        let now = clock::now();
        self.counters.request(event, now);
        self.log.event(event, now);
        self.keep(|line, phrases| event.put_json(phrases, line));
    }

    /// Somebody is shut out.
    pub fn shut_out(&self, who: &ShutOutLine) {
        self.counters.shut_out(who);
        self.log.warn(who);
        self.keep(|line, _| who.put_json(line, clock::now()));
    }

    /// An administrator asked for something, or the daemon itself changed something. Its number is given here.
    pub fn administered(&self, record: &EventRecord) {
        self.record(record);
    }

    /// A session began, goes on or ended. Its number is given here.
    pub fn session(&self, record: &EventRecord) {
        self.record(record);
    }

    /// Other settings are in force, as far as they can be while the daemon runs.
    pub fn reloaded(&self, config: &AccountingConfig) {
        let Some(events) = &self.events else { return };
        events.queue.set(config.queue, config.when_slow);
        events.settings.store(Arc::new(config.clone()));
        self.record(&EventRecord {
            detail: Some("settings are in force anew".into()),
            ..EventRecord::new(0, EventTime(clock::now()), EventKind::Started)
        });
    }

    /// The daemon is about to stop: no request waits any more for a disk that takes nothing.
    pub fn stopping(&self) {
        if let Some(events) = &self.events {
            events.queue.let_go();
        }
    }

    fn record(&self, record: &EventRecord) {
        if let Some(events) = &self.events {
            events.push(record);
        }
    }

    fn keep(&self, put: impl FnOnce(&mut String, &mut Phrases)) {
        if let Some(events) = &self.events {
            WORDS.with_borrow_mut(|(line, phrases)| {
                line.clear();
                put(line, phrases);
                events.queue.push(line);
            });
        }
    }
}

thread_local! {
    /// Where lines are put into words, in memory that is kept.
    static WORDS: RefCell<(String, Phrases)> = RefCell::default();
}

#[cfg(test)]
pub(crate) mod tests {
    use core::ops::ControlFlow;
    use std::io;

    use super::*;
    use crate::config::WhenSlow;

    /// Files and a queue as small as they can be; whoever finds no room waits.
    pub(crate) fn small() -> AccountingConfig {
        AccountingConfig {
            enabled: true,
            directory: None,
            rotate_size: 4096,
            rotate_every: None,
            keep: None,
            max_size: None,
            compress: true,
            interim_every: Duration::from_secs(600),
            when_slow: WhenSlow::Block,
            queue: 16 << 10,
            syslog: None,
            journald: None,
        }
    }

    #[test]
    fn what_was_told_before_somebody_asks_is_there_when_the_log_has_settled() {
        let state = tempfile::tempdir().unwrap();
        let log = Log::start(io::sink()).unwrap();
        let (accounting, _writer) = Accounting::start(&small(), state.path(), &log.log()).unwrap();
        for count in 1..=20 {
            accounting.administered(&EventRecord::new(0, EventTime(clock::now()), EventKind::Admin));
            let reader = accounting.settled(Duration::from_secs(60)).unwrap();
            let mut told = 0;
            let progress = reader.read(&EventFilter::default(), Start::Oldest, &mut |found| {
                told += usize::from(found.event.kind == EventKind::Admin);
                ControlFlow::Continue(())
            });
            assert_eq!(
                (progress.unwrap().through, told),
                (count + 1, usize::try_from(count).unwrap())
            );
        }
        assert!(Accounting::new(log.log()).settled(Duration::ZERO).is_none());
    }
}
