//! What is counted of a wire's threads and connections, for whoever watches them.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;

use crate::metrics::{Connections, Gauge};

/// Threads that are to run as long as anybody is served: each holds one.
#[derive(Clone, Debug)]
struct Alive(Arc<Threads>);

/// How many threads there should be, and how many there are.
#[derive(Debug, Default)]
pub struct Threads {
    started: AtomicUsize,
    running: AtomicUsize,
}

impl Threads {
    /// One more, which runs until what this gives is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> impl Drop + Send + use<> {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
        Alive(Arc::clone(self))
    }

    /// Whether all that were started run.
    #[must_use]
    pub fn all_run(&self) -> bool {
        self.running.load(Ordering::Relaxed) == self.started.load(Ordering::Relaxed)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a connection was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There was no place for it, and none could be taken back.
    Busy,
    /// It had waited longest, and another one took its place.
    Evicted,
    /// Nothing came.
    Idle,
    /// What came, came too slowly.
    TooSlow,
    /// What was sent was not taken in.
    Unread,
    /// The answer was not made in time.
    Unanswered,
}

impl Ended {
    /// Each.
    pub const ALL: [Self; 6] = [
        Self::Busy,
        Self::Evicted,
        Self::Idle,
        Self::TooSlow,
        Self::Unread,
        Self::Unanswered,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Evicted => "evicted",
            Self::Idle => "idle",
            Self::TooSlow => "too-slow",
            Self::Unread => "unread",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Connections since the start.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    accepted: AtomicU64,
    ended: [AtomicU64; Ended::ALL.len()],
}

impl ConnectionCounts {
    /// One was accepted.
    pub fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// One was ended before its time.
    pub fn ended(&self, why: Ended) {
        if let Some(count) = self.ended.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// With how many are open now, and for what reasons one may be ended.
    #[must_use]
    pub fn read(&self, open: Gauge, reasons: &[Ended]) -> Connections {
        let dropped = Ended::ALL.into_iter().zip(&self.ended);
        Connections {
            open,
            accepted: self.accepted.load(Ordering::Relaxed),
            dropped: dropped
                .filter(|(why, _)| reasons.contains(why))
                .map(|(why, count)| (why.name(), count.load(Ordering::Relaxed)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_that_ends_is_missed() {
        let threads: Arc<Threads> = Arc::default();
        let one = threads.enter();
        let other = threads.enter();
        assert!(threads.all_run());
        thread::spawn(move || {
            let _other = other;
            panic!("as asked");
        })
        .join()
        .unwrap_err();
        assert!(!threads.all_run());
        drop(one);
    }

    #[test]
    fn every_end_has_a_count_of_its_own() {
        let counts = ConnectionCounts::default();
        for (times, why) in Ended::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| counts.ended(why));
        }
        let read = counts.read(Gauge::default(), &Ended::ALL);
        let counted: Vec<_> = read.dropped.iter().map(|(_, count)| *count).collect();
        assert_eq!(counted, [1, 2, 3, 4, 5, 6]);
    }
}
