//! Sessions that were open when a daemon ended without a stop get theirs from the next one.

use core::ops::ControlFlow;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::thread;

use tessera_common::accounting::{EventKind, EventRecord, EventTime};
use tessera_common::time::Timestamp;

use super::{Accounting, Cause, EventFilter, MOST_OPEN, ReadError, Reader, Start};
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

/// Finds sessions that have no stop, in the order of events: those that were open when the daemon ended without one.
#[derive(Debug, Default)]
struct Unfinished(BTreeMap<String, EventRecord>);

impl Unfinished {
    /// Takes the next event.
    fn see(&mut self, event: EventRecord) {
        match (event.kind, &event.session) {
            (EventKind::SessionStart | EventKind::SessionInterim, Some(session))
                if self.0.len() < MOST_OPEN || self.0.contains_key(session) =>
            {
                self.0.insert(session.clone(), event);
            }
            (EventKind::SessionStop, Some(session)) => {
                self.0.remove(session);
            }
            // Whatever was open then has had its stop before.
            (EventKind::Stopped, _) => self.0.clear(),
            _ => {}
        }
    }

    /// The stops that are missing, each with what was known of its session last, for whoever numbers and times events.
    fn stops(self) -> Vec<EventRecord> {
        let stop = |last: EventRecord| EventRecord {
            kind: EventKind::SessionStop,
            duration_ms: last.duration_ms.or(Some(0)),
            octets_in: last.octets_in.or(Some(0)),
            octets_out: last.octets_out.or(Some(0)),
            requests: last.requests.or(Some(0)),
            cause: Some(Cause::DaemonLost.name().to_owned()),
            ..last
        };
        self.0.into_values().map(stop).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_daemon_left_open_that_was_killed_gets_its_stop_from_what_was_known_last() {
        let event = |json: &str| -> EventRecord {
            let text = format!(r#"{{"seq":1,"time":"2026-11-23T08:15:00.000000Z",{json}}}"#);
            serde_json::from_str(&text).unwrap()
        };
        let see = |events: &[&str]| {
            let mut unfinished = Unfinished::default();
            events.iter().for_each(|json| unfinished.see(event(json)));
            unfinished.stops()
        };
        let stops = see(&[
            r#""kind":"session-start","session":"a","client":"alice""#,
            r#""kind":"session-start","session":"b","client":"bob""#,
            r#""kind":"session-start","session":"c""#,
            r#""kind":"session-interim","session":"a","client":"alice","octets-in":5,"requests":2,"duration-ms":9"#,
            r#""kind":"as","client":"alice","result":"issued""#,
            r#""kind":"session-stop","session":"c","cause":"idle""#,
            // Its start is further back than anybody looked.
            r#""kind":"session-interim","session":"d","octets-out":7"#,
        ]);
        let told: Vec<_> = stops
            .iter()
            .map(|stop| {
                (
                    stop.session.as_deref().unwrap(),
                    stop.octets_in,
                    stop.octets_out,
                    stop.duration_ms,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("a", Some(5), Some(0), Some(9)),
                ("b", Some(0), Some(0), Some(0)),
                ("d", Some(0), Some(7), Some(0)),
            ]
        );
        for stop in &stops {
            assert_eq!(
                (stop.kind, stop.cause.as_deref()),
                (EventKind::SessionStop, Some("daemon-lost"))
            );
        }
        assert_eq!(stops[0].client.as_deref(), Some("alice"));
        // After a stop in good order nothing is missing, whatever was lost of the log.
        let stops = see(&[r#""kind":"session-start","session":"a""#, r#""kind":"stopped""#]);
        assert!(stops.is_empty());
    }
}
