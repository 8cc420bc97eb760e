//! The log on standard error: one line for each request and for each thing that an operator should know.
//!
//! Whoever logs puts a line into words, appends it to a page and goes on; one thread takes the page every 10 ms and writes
//! it. A worker never waits for a terminal, a pipe or a wake-up, and nothing is handed from thread to thread but the page.
//! The page is bounded: past that, lines are dropped and counted, and the count is logged.

use core::fmt::{Display, Write as _};
use std::cell::RefCell;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tessera_common::time::Timestamp;

use crate::clock;
use crate::config::{LogConfig, LogFormat};
use crate::metrics::Gauge;
use crate::realm::accounting::{Event, Phrases, put_instant, put_string, put_time};

/// The most lines that wait to be written.
const MOST_WAITING: usize = 65_536;
/// How often they are.
const INTERVAL: Duration = Duration::from_millis(10);
/// How often to look when nothing was logged for a second.
const IDLE_INTERVAL: Duration = Duration::from_millis(50);
/// So many empty looks make a second.
const LOOKS_UNTIL_IDLE: u32 = 100;

/// A page that grew larger than this in a storm is given back when the storm is over.
const PAGE_OCTETS: usize = 1 << 20;

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

impl Level {
    /// Its whole name.
    const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// In five columns.
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warn ",
            Self::Info => "info ",
        }
    }
}

/// A handle to the log; all clones are the same log.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    waiting: Mutex<Page>,
    dropped: AtomicU64,
    dropped_in_all: AtomicU64,
    stopping: AtomicBool,
    /// Whether lines are objects of JSON.
    json: AtomicBool,
    /// Whether each request has a line.
    requests: AtomicBool,
}

#[derive(Default)]
struct Page {
    text: String,
    lines: usize,
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
            dropped_in_all: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            json: AtomicBool::new(false),
            requests: AtomicBool::new(true),
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

    /// Writes from now on as the configuration says.
    pub fn set(&self, config: LogConfig) {
        self.0.json.store(config.format == LogFormat::Json, Ordering::Relaxed);
        self.0.requests.store(config.requests, Ordering::Relaxed);
    }

    /// Something does not work until somebody acts.
    pub fn error(&self, text: impl Display) {
        self.plain(Level::Error, text);
    }

    /// Something should be looked at.
    pub fn warn(&self, text: impl Display) {
        self.plain(Level::Warning, text);
    }

    /// Something happened.
    pub fn info(&self, text: impl Display) {
        self.plain(Level::Info, text);
    }

    /// How many lines wait to be written, of how many that may.
    #[must_use]
    pub fn waiting_lines(&self) -> Gauge {
        Gauge {
            now: self.waiting().lines as u64,
            limit: MOST_WAITING as u64,
        }
    }

    /// How many lines were dropped since it was started.
    #[must_use]
    pub fn dropped_lines(&self) -> u64 {
        self.0.dropped_in_all.load(Ordering::Relaxed)
    }

    /// A request was dealt with, now.
    pub fn event(&self, event: &Event, now: Timestamp) {
        if !self.0.requests.load(Ordering::Relaxed) {
            return;
        }
        self.push(Level::Info, now, |out, form, phrases| match form {
            LogFormat::Text => event.put_into(out),
            LogFormat::Json => {
                out.push_str("\"message\":\"request\",");
                event.put_json_but_time(phrases, out);
            }
        });
    }

    fn plain(&self, level: Level, text: impl Display) {
        self.push(level, clock::now(), |out, form, _| put_plain(out, form, text));
    }

    fn form(&self) -> LogFormat {
        if self.0.json.load(Ordering::Relaxed) {
            LogFormat::Json
        } else {
            LogFormat::Text
        }
    }

    fn push(&self, level: Level, now: Timestamp, put: impl FnOnce(&mut String, LogFormat, &mut Phrases)) {
        COMPOSER.with_borrow_mut(|composer| {
            let line = composer.compose(self.form(), level, now, put);
            let mut waiting = self.waiting();
            if waiting.lines < MOST_WAITING {
                waiting.lines += 1;
                waiting.text.push_str(line);
            } else {
                drop(waiting);
                self.0.dropped.fetch_add(1, Ordering::Relaxed);
                self.0.dropped_in_all.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    fn waiting(&self) -> MutexGuard<'_, Page> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[allow(clippy::disallowed_methods, reason = "the writer's own thread waits, nobody else")]
    fn write(&self, mut out: impl Write) {
        let mut page = Page::default();
        let mut empty_looks = 0u32;
        loop {
            let last = self.0.stopping.load(Ordering::Acquire);
            core::mem::swap(&mut page, &mut *self.waiting());
            empty_looks = if page.lines == 0 {
                empty_looks.saturating_add(1)
            } else {
                0
            };
            let dropped = self.0.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let what = format!("{dropped} log lines were dropped: the log is not written as fast as it grows");
                COMPOSER.with_borrow_mut(|composer| {
                    let put = |out: &mut String, form, _: &mut Phrases| put_plain(out, form, &what);
                    page.text
                        .push_str(composer.compose(self.form(), Level::Warning, clock::now(), put));
                });
            }
            // A log that nobody can read any more is no reason to stop serving.
            let _ = out.write_all(page.text.as_bytes()).and_then(|()| out.flush());
            page.lines = 0;
            page.text.clear();
            page.text.shrink_to(PAGE_OCTETS);
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

thread_local! {
    static COMPOSER: RefCell<Composer> = RefCell::default();
}

/// Puts lines into words, in memory that it keeps.
#[derive(Default)]
struct Composer {
    line: String,
    phrases: Phrases,
}

impl Composer {
    // One line, whatever a peer put into a name: control characters are escaped.
    fn compose(
        &mut self,
        form: LogFormat,
        level: Level,
        now: Timestamp,
        put: impl FnOnce(&mut String, LogFormat, &mut Phrases),
    ) -> &str {
        let Self { line, phrases } = self;
        line.clear();
        if form == LogFormat::Json {
            line.push('{');
            put_time(line, &mut phrases.now, now);
            line.push_str(",\"level\":\"");
            line.push_str(level.word());
            line.push_str("\",");
            put(line, form, phrases);
            line.push_str("}\n");
            return line;
        }
        put_instant(line, &mut phrases.now, now);
        line.push(' ');
        line.push_str(level.name());
        line.push(' ');
        put(line, form, phrases);
        if !line.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            *line = escaped(line);
        }
        line.push('\n');
        line
    }
}

fn put_plain(out: &mut String, form: LogFormat, text: impl Display) {
    match form {
        // What cannot be put into words in full is in the log as far as it goes.
        LogFormat::Text => drop(write!(out, "{text}")),
        LogFormat::Json => {
            out.push_str("\"message\":");
            put_string(out, &text.to_string());
        }
    }
}

fn escaped(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
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
        writer.log().event(&event(), clock::now());
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
    fn lines_are_objects_where_that_is_asked_for_and_requests_are_left_out_where_that_is() {
        let page = Page::default();
        let writer = Log::start(page.clone()).unwrap();
        let log = writer.log();
        let json = |requests| LogConfig {
            format: LogFormat::Json,
            requests,
        };
        log.set(json(true));
        log.warn("two\n\"three\"");
        log.event(&event(), clock::now());
        log.set(json(false));
        log.event(&event(), clock::now());
        drop(writer);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["level"], &lines[0]["message"]),
            (&"warning".into(), &"two\n\"three\"".into())
        );
        assert_eq!(
            (&lines[1]["message"], &lines[1]["reason"]),
            (&"request".into(), &"empty".into())
        );
        assert!(lines.iter().all(|line| line["time"].as_str().unwrap().ends_with('Z')));
    }

    #[test]
    fn what_a_stuck_writer_cannot_take_is_dropped_and_counted() {
        let page = Page::default();
        let stuck = page.0.lock().unwrap();
        let writer = Log::start(page.clone()).unwrap();
        let log = writer.log();
        for _ in 0..2 * MOST_WAITING + 10 {
            log.event(&event(), clock::now());
        }
        let waiting = log.waiting_lines();
        assert!(waiting.now <= waiting.limit);
        let dropped = log.dropped_lines();
        assert!(dropped >= 10, "{dropped}");
        drop(stuck);
        drop(writer);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert!(text.lines().count() <= 2 * MOST_WAITING + 2);
        assert!(text.contains("log lines were dropped"));
    }
}
