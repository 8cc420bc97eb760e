//! What the store counts of itself, for whoever watches it.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::notice::{Notice, Report};
use crate::clock;
use crate::metrics::{Histogram, SYNC_BOUNDS};

/// Counted since the database was opened. Shared by the threads of the store and whoever reads.
#[derive(Debug)]
pub struct Figures {
    pub(super) changes: AtomicU64,
    pub(super) commits_waiting: AtomicU64,
    pub(super) syncs: Histogram,
    pub(super) journal_octets: AtomicU64,
    pub(super) write_failures: AtomicU64,
    pub(super) index_failures: AtomicU64,
    pub(super) snapshot_failures: AtomicU64,
    /// In seconds since 1970; 0, there is none.
    pub(super) snapshot_made: AtomicU64,
    writable: AtomicBool,
    /// Why not.
    unwritable: Mutex<String>,
}

impl Default for Figures {
    fn default() -> Self {
        let nought = || AtomicU64::new(0);
        Self {
            changes: nought(),
            commits_waiting: nought(),
            syncs: Histogram::new(SYNC_BOUNDS),
            journal_octets: nought(),
            write_failures: nought(),
            index_failures: nought(),
            snapshot_failures: nought(),
            snapshot_made: nought(),
            writable: AtomicBool::new(true),
            unwritable: Mutex::default(),
        }
    }
}

impl Figures {
    /// Why the journal takes no change; `None`, it does.
    #[must_use]
    pub fn unwritable(&self) -> Option<String> {
        let why = || self.unwritable.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (!self.writable.load(Ordering::Relaxed)).then(why)
    }

    /// A commit that waits, until what this gives is dropped.
    pub(super) fn commit_waits(&self) -> impl Drop + '_ {
        self.commits_waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.commits_waiting)
    }

    /// A group of so many changes is on the disk, written in so many octets in so much time.
    pub(super) fn written(&self, changes: u32, octets: u64, took: Duration) {
        self.changes.fetch_add(changes.into(), Ordering::Relaxed);
        self.journal_octets.fetch_add(octets, Ordering::Relaxed);
        self.syncs.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// There is a snapshot, made then.
    pub(super) fn set_snapshot(&self, made: SystemTime) {
        let since = made.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.snapshot_made.store(since.as_secs(), Ordering::Relaxed);
    }

    /// Takes note of what is reported, and passes it on.
    pub(super) fn listening(self: &Arc<Self>, to: Report) -> Report {
        let figures = Arc::clone(self);
        Arc::new(move |notice| {
            figures.note(&notice);
            to(notice);
        })
    }

    fn note(&self, notice: &Notice) {
        let once_more = |count: &AtomicU64| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        match notice {
            Notice::Unwritable(why) => {
                self.unwritable
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone_from(why);
                self.writable.store(false, Ordering::Relaxed);
            }
            Notice::WritableAgain => self.writable.store(true, Ordering::Relaxed),
            Notice::IndexStale(_) => once_more(&self.index_failures),
            Notice::SnapshotFailed(_) => once_more(&self.snapshot_failures),
            Notice::SnapshotMade { .. } => {
                let now = u64::try_from(clock::now().time.0).unwrap_or(0);
                self.snapshot_made.store(now, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

struct Waiting<'f>(&'f AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
