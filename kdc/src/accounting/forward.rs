//! Events passed on to the system's own log, over its socket: syslog's or journald's.
//!
//! Each event is one datagram. They wait in a page of their own, which is bounded: whoever takes them too slowly misses some, and
//! neither a request nor the event log waits for it.

use core::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tessera_common::accounting::{EventKind, EventRecord, EventResult};
use tessera_common::time::KerberosTime;

use super::figures::{self, Figures};
use crate::clock;
use crate::log::Log;
use crate::realm::hours::LocalTime;

/// The most octets of lines that wait.
const MOST_WAITING: usize = 8 << 20;
/// How often they are passed on.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long one may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long nobody is tried again who is not there.
const BREATH: u32 = 50;
/// Security and authorization messages, of which not everybody may know (RFC 5424 §6.2.1).
const AUTHPRIV: u8 = 10;

/// Whose form events are passed on in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As syslog(3) writes it: what every syslog daemon takes on its own socket.
    Syslog,
    /// Journald's own protocol: fields, each with its name.
    Journald,
}

/// Passes events on; ended, when dropped, with what waits passed on first.
pub(super) struct Forwarder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    waiting: Mutex<String>,
    stopping: AtomicBool,
}

struct Sender {
    path: PathBuf,
    form: Form,
    socket: Option<UnixDatagram>,
    /// Whether it was said that nobody takes them.
    said: bool,
    log: Log,
    figures: Arc<Figures>,
}

impl Forwarder {
    pub(super) fn start(path: &Path, form: Form, figures: Arc<Figures>, log: Log) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let mut sender = Sender {
            path: path.to_owned(),
            form,
            socket: None,
            said: false,
            log,
            figures,
        };
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("events-forward".into())
            .spawn(move || sender.run(&own))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Adds lines; gives how many there was no room for.
    pub(super) fn pass(&self, lines: &str) -> u64 {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() + lines.len() > MOST_WAITING {
            return lines.lines().count() as u64;
        }
        waiting.push_str(lines);
        0
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Sender {
    #[allow(clippy::disallowed_methods, reason = "a thread of its own waits, nobody else")]
    fn run(&mut self, shared: &Shared) {
        let mut page = String::new();
        let mut pause = 0;
        loop {
            let last = shared.stopping.load(Ordering::Acquire);
            if pause == 0 || last {
                page.clear();
                core::mem::swap(
                    &mut page,
                    &mut *shared.waiting.lock().unwrap_or_else(PoisonError::into_inner),
                );
                if let Err((why, left)) = self.send_all(&page) {
                    figures::add(&self.figures.not_forwarded, left);
                    pause = BREATH;
                    if !self.said {
                        let path = self.path.display();
                        self.log.warn(format_args!(
                            "events are not passed on to {path}: {why}; they are in the event log all the same, and it is tried again"
                        ));
                        self.said = true;
                    }
                } else if !page.is_empty() && self.said {
                    self.log
                        .info(format_args!("events are passed on to {} again", self.path.display()));
                    self.said = false;
                }
            }
            if last {
                return;
            }
            pause = u32::saturating_sub(pause, 1);
            thread::sleep(INTERVAL);
        }
    }

    // How many were not sent, and why the first was not.
    fn send_all(&mut self, lines: &str) -> Result<(), (io::Error, u64)> {
        let mut rest = lines.lines();
        while let Some(line) = rest.next() {
            let Ok(event) = serde_json::from_str::<EventRecord>(line) else {
                continue;
            };
            let message = match self.form {
                Form::Syslog => syslog(&event, line, clock::LOCAL_TIME, process::id()),
                Form::Journald => journald(&event, line),
            };
            if let Err(why) = self.send(&message) {
                return Err((why, 1 + rest.count() as u64));
            }
        }
        Ok(())
    }

    // Whoever was started anew has another socket under the same name.
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if let Some(socket) = &self.socket {
            match socket.send(message) {
                Ok(_) => return Ok(()),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::new(why.kind(), "nobody takes them"));
                }
                Err(_) => self.socket = None,
            }
        }
        let socket = UnixDatagram::unbound()?;
        socket.connect(&self.path)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.send(message)?;
        self.socket = Some(socket);
        Ok(())
    }
}

/// How much it matters (RFC 5424 §6.2.1).
fn severity(event: &EventRecord) -> u8 {
    match (event.kind, event.result) {
        (EventKind::Lost | EventKind::ClockSetBack | EventKind::ShutOut, _) => 4,
        (_, Some(EventResult::Refused | EventResult::Dropped | EventResult::Interrupted)) => 5,
        _ => 6,
    }
}

// "<86>Nov 23 08:15:00 kdc[123]: {…}": priority, local time, tag, the line.
fn syslog(event: &EventRecord, line: &str, local: LocalTime, pid: u32) -> Vec<u8> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let priority = AUTHPRIV * 8 + severity(event);
    let utc = event.time.0.time;
    let there = KerberosTime(utc.seconds() + i64::from((local.0)(utc)));
    let text = there.to_text();
    let text = text.as_str();
    let month = text
        .get(5..7)
        .and_then(|month| month.parse::<usize>().ok())
        .unwrap_or(1);
    let month = MONTHS.get(month.saturating_sub(1)).copied().unwrap_or("Jan");
    let day = text.get(8..10).unwrap_or("01");
    // RFC 3164 §4.1.2: a day of one digit has a space before it.
    let day = day
        .strip_prefix('0')
        .map_or_else(|| day.to_owned(), |digit| format!(" {digit}"));
    let clock = text.get(11..19).unwrap_or("00:00:00");
    format!("<{priority}>{month} {day} {clock} kdc[{pid}]: {line}").into_bytes()
}

// A field a line, NAME=value; a value with a line's end in it has its length before it instead.
fn journald(event: &EventRecord, line: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * line.len());
    let mut put = |name: &str, value: &str| {
        out.extend(name.as_bytes());
        if value.contains('\n') {
            out.push(b'\n');
            out.extend((value.len() as u64).to_le_bytes());
        } else {
            out.push(b'=');
        }
        out.extend(value.as_bytes());
        out.push(b'\n');
    };
    put("MESSAGE", &sentence(event));
    put("PRIORITY", &severity(event).to_string());
    put("SYSLOG_FACILITY", &AUTHPRIV.to_string());
    put("SYSLOG_IDENTIFIER", "kdc");
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(line) else {
        return out;
    };
    for (key, value) in fields {
        let name = format!("TESSERA_{}", key.to_ascii_uppercase().replace('-', "_"));
        match value {
            serde_json::Value::String(text) => put(&name, &text),
            serde_json::Value::Array(list) => {
                let texts = list
                    .iter()
                    .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned));
                put(&name, &texts.collect::<Vec<_>>().join(","));
            }
            other => put(&name, &other.to_string()),
        }
    }
    out
}

// What a person reads first.
fn sentence(event: &EventRecord) -> String {
    let mut out = event.kind.name().to_owned();
    for (key, value) in [
        ("client", event.client.as_deref()),
        ("service", event.service.as_deref()),
        ("request", event.request.as_deref()),
        ("result", event.result.map(EventResult::name)),
        ("reason", event.reason.as_deref()),
        ("detail", event.detail.as_deref()),
    ] {
        if let Some(value) = value {
            // Writing to a string does not fail.
            let _ = write!(out, " {key}={value}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"seq":7,"time":"2026-11-03T08:15:00.000120Z","kind":"as","client":"alice","result":"refused","reason":"wrong-proof","detail":"a\nb","etypes":[18,17]}"#;

    fn event() -> EventRecord {
        serde_json::from_str(LINE).unwrap()
    }

    #[test]
    fn syslog_is_told_as_the_c_library_would() {
        let message = syslog(&event(), LINE, LocalTime(|_| 3600), 12);
        assert_eq!(
            String::from_utf8(message).unwrap(),
            format!("<85>Nov  3 09:15:00 kdc[12]: {LINE}")
        );
    }

    #[test]
    fn journald_is_told_field_by_field() {
        let message = journald(&event(), LINE);
        let text = String::from_utf8_lossy(&message);
        assert!(text.starts_with("MESSAGE\n"), "{text}");
        for field in [
            "\nPRIORITY=5\n",
            "\nSYSLOG_IDENTIFIER=kdc\n",
            "\nTESSERA_SEQ=7\n",
            "\nTESSERA_CLIENT=alice\n",
            "\nTESSERA_ETYPES=18,17\n",
            "\nTESSERA_DETAIL\n\u{3}\0\0\0\0\0\0\0a\nb\n",
        ] {
            assert!(text.contains(field), "{field}: {text}");
        }
    }

    #[test]
    fn whoever_does_not_take_events_misses_them_and_nobody_waits() {
        let dir = tempfile::tempdir().unwrap();
        let figures = Arc::<Figures>::default();
        let log = Log::start(io::sink()).unwrap();
        let path = dir.path().join("socket");
        let forwarder = Forwarder::start(&path, Form::Syslog, Arc::clone(&figures), log.log()).unwrap();
        assert_eq!(forwarder.pass(&format!("{LINE}\n")), 0);
        let much = format!("{LINE}\n").repeat(MOST_WAITING / LINE.len());
        assert!(forwarder.pass(&much) > 0);
        drop(forwarder);
        assert_eq!(figures.not_forwarded.load(Ordering::Relaxed), 1);

        let socket = UnixDatagram::bind(&path).unwrap();
        let forwarder = Forwarder::start(&path, Form::Journald, figures, log.log()).unwrap();
        assert_eq!(forwarder.pass(&format!("{LINE}\n")), 0);
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        assert!(String::from_utf8_lossy(&buffer[..length]).contains("TESSERA_CLIENT=alice"));
    }
}
