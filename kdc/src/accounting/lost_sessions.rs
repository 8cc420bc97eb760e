//! Sessions that were open when a daemon ended without a stop get theirs from the next one.

use core::ops::ControlFlow;
use core::time::Duration;
use std::io;
use std::thread;

use tessera_common::accounting::{EventFilter, EventKind, EventRecord, EventTime};
use tessera_common::time::Timestamp;

use super::{Accounting, ReadError, Reader, Start, Unfinished};
use crate::clock;

/// Each session that was open spoke last so many times the span between two interims before the end, or later: one interim may
/// have been lost, and the span another.
const INTERIMS: u32 = 3;
/// And no less than this.
const LEAST: Duration = Duration::from_secs(3600);

impl Accounting {
    /// Looks in the log for such sessions, on a thread of its own, and tells their stops. To be called before any is opened.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn finish_lost_sessions(&self, interim_every: Duration) -> io::Result<()> {
        let Some(reader) = self.reader().cloned() else {
            return Ok(());
        };
        let (accounting, now) = (self.clone(), clock::now());
        thread::Builder::new()
            .name("lost-sessions".into())
            .spawn(move || match lost(&reader, now, interim_every) {
                Ok(stops) => {
                    for stop in stops {
                        accounting.session(&EventRecord {
                            time: EventTime(clock::now()),
                            ..stop
                        });
                    }
                }
                Err(why) => accounting.log().error(format_args!(
                    "sessions that were open when the daemon ended last have no stop: {why}"
                )),
            })?;
        Ok(())
    }
}

fn lost(reader: &Reader, now: Timestamp, interim_every: Duration) -> Result<Vec<EventRecord>, ReadError> {
    let filter = EventFilter {
        kinds: vec![
            EventKind::SessionStart,
            EventKind::SessionInterim,
            EventKind::SessionStop,
            EventKind::Stopped,
        ],
        // Those of this daemon are none of them.
        until: Some(EventTime(now)),
        ..EventFilter::default()
    };
    let mut last = None;
    reader.read(&filter, Start::Last(1), &mut |found| {
        last = Some((found.event.kind, found.event.time.0));
        ControlFlow::Continue(())
    })?;
    let Some((_, last)) = last.filter(|(kind, _)| *kind != EventKind::Stopped) else {
        return Ok(Vec::new());
    };
    let window = interim_every.saturating_mul(INTERIMS).max(LEAST);
    let since = Timestamp::new(last.time.minus(window), last.usec);
    let filter = EventFilter {
        since: Some(EventTime(since)),
        ..filter
    };
    let mut unfinished = Unfinished::default();
    reader.read(&filter, Start::Oldest, &mut |found| {
        unfinished.see(found.event.clone());
        ControlFlow::Continue(())
    })?;
    Ok(unfinished.stops())
}
