//! The log on standard error: one line for each request and for each thing that an operator should know.
//!
//! Whoever logs appends to a list and goes on; one thread takes the list every 10 ms and writes it. A worker never waits
//! for a terminal, a pipe or a wake-up. The list is bounded: past that, lines are dropped and counted, and the count is
//! logged.

use core::fmt::{self, Display, Write as _};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tessera_common::time::{KerberosTime, Timestamp};

use crate::clock;
use crate::realm::accounting::Event;

/// The most lines that wait to be written.
const MOST_WAITING: usize = 65_536;
/// How often they are.
const INTERVAL: Duration = Duration::from_millis(10);
/// How often to look when nothing was logged for a second.
const IDLE_INTERVAL: Duration = Duration::from_millis(50);
/// So many empty looks make a second.
const LOOKS_UNTIL_IDLE: u32 = 100;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something does not work until somebody acts.
    Error,
    /// Something should be looked at.
    Warning,
    /// What happened.
    Info,
}

impl Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warn",
            Self::Info => "info",
        })
    }
}

/// A handle to the log; all clones are the same log.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    waiting: Mutex<Vec<Line>>,
    dropped: AtomicU64,
    stopping: AtomicBool,
}

struct Line {
    when: Timestamp,
    level: Level,
    text: Text,
}

#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are events, and a box for each would cost a worker more"
)]
enum Text {
    Plain(String),
    Event(Event),
}

/// Ends the log when dropped: what waits is written first.
pub struct LogWriter {
    log: Log,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    /// Starts a log that is written to `out`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(out: impl Write + Send + 'static) -> std::io::Result<LogWriter> {
        let log = Self(Arc::new(Shared {
            waiting: Mutex::default(),
            dropped: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        }));
        let writer = log.clone();
        let thread = thread::Builder::new()
            .name("log".into())
            .spawn(move || writer.write(out))?;
        Ok(LogWriter {
            log,
            thread: Some(thread),
        })
    }

    /// Something does not work until somebody acts.
    pub fn error(&self, text: impl Display) {
        self.push(Level::Error, Text::Plain(text.to_string()));
    }

    /// Something should be looked at.
    pub fn warn(&self, text: impl Display) {
        self.push(Level::Warning, Text::Plain(text.to_string()));
    }

    /// Something happened.
    pub fn info(&self, text: impl Display) {
        self.push(Level::Info, Text::Plain(text.to_string()));
    }

    /// A request was dealt with. The event is put into words when it is written, not by the caller's thread.
    pub fn event(&self, event: Event) {
        self.push(Level::Info, Text::Event(event));
    }

    fn push(&self, level: Level, text: Text) {
        let line = Line {
            when: clock::now(),
            level,
            text,
        };
        let mut waiting = self.waiting();
        if waiting.len() < MOST_WAITING {
            waiting.push(line);
        } else {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[allow(clippy::disallowed_methods, reason = "the writer's own thread waits, nobody else")]
    fn write(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        let mut text = String::new();
        let mut second = Second::default();
        let mut empty_looks = 0u32;
        loop {
            let last = self.0.stopping.load(Ordering::Acquire);
            core::mem::swap(&mut lines, &mut *self.waiting());
            empty_looks = if lines.is_empty() {
                empty_looks.saturating_add(1)
            } else {
                0
            };
            for line in lines.drain(..) {
                line.put_into(&mut text, &mut second);
            }
            let dropped = self.0.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let what = format!("{dropped} log lines were dropped: the log is not written as fast as it grows");
                Line {
                    when: clock::now(),
                    level: Level::Warning,
                    text: Text::Plain(what),
                }
                .put_into(&mut text, &mut second);
            }
            // A log that nobody can read any more is no reason to stop serving.
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            text.clear();
            if last {
                return;
            }
            thread::sleep(if empty_looks > LOOKS_UNTIL_IDLE {
                IDLE_INTERVAL
            } else {
                INTERVAL
            });
        }
    }
}

impl LogWriter {
    /// A handle to log with.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log.clone()
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.log.0.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Line {
    // One line, whatever a peer put into a name: control characters are escaped.
    fn put_into(&self, out: &mut String, second: &mut Second) {
        out.push_str(second.text(self.when.time));
        let _ = write!(out, ".{:06}Z {:5} ", self.when.usec, self.level);
        let mut escaped = Escaping(out);
        let _ = match &self.text {
            Text::Plain(text) => escaped.write_str(text),
            Text::Event(event) => write!(escaped, "{event}"),
        };
        out.push('\n');
    }
}

/// The second that was written last: most lines are of the same one.
#[derive(Default)]
struct Second {
    time: KerberosTime,
    text: String,
}

impl Second {
    fn text(&mut self, time: KerberosTime) -> &str {
        if self.time != time || self.text.is_empty() {
            self.time = time;
            self.text = time.to_string();
            self.text.truncate(self.text.trim_end_matches('Z').len());
        }
        &self.text
    }
}

struct Escaping<'o>(&'o mut String);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            self.0.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            if c.is_control() {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realm::accounting::{Kind, Origin, Result as Outcome, Transport};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn event() -> Event {
        let peer = "192.0.2.1:5".parse().unwrap();
        let origin = Origin {
            peer,
            local: peer,
            transport: Transport::Udp,
        };
        let result = Outcome::Dropped { reason: "empty" };
        Event::new(Timestamp::default(), origin, Kind::Unknown, result)
    }

    #[test]
    fn lines_are_written_in_order_with_time_and_level() {
        let page = Page::default();
        let writer = Log::start(page.clone()).unwrap();
        writer.log().info("one");
        writer.log().warn("two\nthree\u{1b}[31m");
        writer.log().event(event());
        drop(writer);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().map(|line| line.split_once("Z ").unwrap().1).collect();
        assert_eq!(
            lines,
            [
                "info  one",
                r"warn  two\nthree\u{1b}[31m",
                "info  unknown peer=192.0.2.1:5 via=udp result=dropped reason=empty"
            ]
        );
    }

    #[test]
    fn what_a_stuck_writer_cannot_take_is_dropped_and_counted() {
        let page = Page::default();
        let stuck = page.0.lock().unwrap();
        let writer = Log::start(page.clone()).unwrap();
        let log = writer.log();
        for _ in 0..2 * MOST_WAITING + 10 {
            log.event(event());
        }
        drop(stuck);
        drop(writer);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert!(text.lines().count() <= 2 * MOST_WAITING + 2);
        assert!(text.contains("log lines were dropped"));
    }
}
