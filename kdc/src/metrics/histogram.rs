//! How long things took, by size.

use core::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds in microseconds, ascending; past the last there is one more bucket.
pub type Bounds = &'static [u64];

/// For requests: from what a look at the header takes to what nobody waits for.
pub const REQUEST_BOUNDS: Bounds = &[
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
];
/// For a write that has reached the disk: from battery-backed memory to a disk that is dying.
pub const SYNC_BOUNDS: Bounds = &[
    50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
];

/// What one thing adds at most, so that a clock that is put forward in the middle of it does not spoil the sum: a minute.
const MOST: u64 = 60_000_000;

/// Counts by size. Whoever adds waits for nobody; whoever reads at the same time may find one more in a bucket than in the sum.
#[derive(Debug)]
pub struct Histogram {
    bounds: Bounds,
    counts: Box<[AtomicU64]>,
    microseconds: AtomicU64,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    bounds: Bounds,
    /// One more than there are bounds.
    counts: Vec<u64>,
    microseconds: u64,
}

impl Histogram {
    /// Nothing is counted yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            microseconds: AtomicU64::new(0),
        }
    }

    /// Something took so many microseconds.
    pub fn add(&self, microseconds: u64) {
        let microseconds = microseconds.min(MOST);
        let at = self.bounds.iter().take_while(|bound| **bound < microseconds).count();
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// What was counted up to now.
    #[must_use]
    pub fn read(&self) -> Buckets {
        Buckets {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            microseconds: self.microseconds.load(Ordering::Relaxed),
        }
    }
}

impl Buckets {
    /// Nothing.
    #[must_use]
    pub fn none(bounds: Bounds) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            microseconds: 0,
        }
    }

    /// What was counted otherwise: one count for each bound, one for what is past the last, and the sum in microseconds.
    #[must_use]
    pub const fn of(bounds: Bounds, counts: Vec<u64>, microseconds: u64) -> Self {
        Self {
            bounds,
            counts,
            microseconds,
        }
    }

    /// Takes in what was counted elsewhere, by the same bounds.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.microseconds += other.microseconds;
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long all of them took.
    #[must_use]
    pub const fn microseconds(&self) -> u64 {
        self.microseconds
    }

    /// Each bound, and how many there are up to it that are above the bound before.
    pub(super) fn bounded(&self) -> impl Iterator<Item = (u64, u64)> {
        self.bounds.iter().copied().zip(self.counts.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_upper_bound_and_not_its_lower_one() {
        let histogram = Histogram::new(REQUEST_BOUNDS);
        for microseconds in [0, 5, 6, 10, 1_000_000, 1_000_001] {
            histogram.add(microseconds);
        }
        let read = histogram.read();
        let filled: Vec<_> = read.bounded().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(5, 2), (10, 2), (1_000_000, 1)]);
        assert_eq!((read.count(), read.microseconds()), (6, 2_000_022));
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [REQUEST_BOUNDS, SYNC_BOUNDS] {
            assert!(bounds.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn a_clock_that_jumps_adds_a_minute_at_most() {
        let histogram = Histogram::new(SYNC_BOUNDS);
        histogram.add(u64::MAX);
        assert_eq!((histogram.read().count(), histogram.read().microseconds()), (1, MOST));
    }
}
