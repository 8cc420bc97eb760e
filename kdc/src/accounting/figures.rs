//! How the event log fares, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of how long a write took, in microseconds; one more stands for all that took longer.
pub const LATENCY_BOUNDS: [u64; 9] = [10, 30, 100, 300, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// Counts since the start, and what is so now. Each by itself is right; together they are of about the same time.
#[derive(Debug, Default)]
pub struct Figures {
    /// Events that are in the file.
    pub written: AtomicU64,
    /// Events that were lost.
    pub lost: AtomicU64,
    /// Octets of events that wait to be written.
    pub queued: AtomicU64,
    /// Octets of all files of the log, as of the last look.
    pub on_disk: AtomicU64,
    /// Writes that failed.
    pub write_failures: AtomicU64,
    /// Rotations that failed.
    pub rotation_failures: AtomicU64,
    /// Files that could not be compressed, each time.
    pub compression_failures: AtomicU64,
    /// Events that were not passed on to syslog or journald.
    pub not_forwarded: AtomicU64,
    /// How often a write took so long: for each of [`LATENCY_BOUNDS`] as much or less, but more than the one before.
    pub latency: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    /// How long all writes took, in microseconds.
    pub latency_sum: AtomicU64,
}

impl Figures {
    pub(super) fn took(&self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let class = LATENCY_BOUNDS.iter().position(|bound| micros <= *bound);
        if let Some(count) = self.latency.get(class.unwrap_or(LATENCY_BOUNDS.len())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.latency_sum.fetch_add(micros, Ordering::Relaxed);
    }
}

pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

pub(super) fn set(gauge: &AtomicU64, value: usize) {
    gauge.store(value as u64, Ordering::Relaxed);
}
