//! Deadlines of many, kept to a tenth of a second: no timer is armed for any, the set is looked at when its owner wakes.

use core::time::Duration;
use std::collections::BTreeSet;
use std::time::Instant;

/// How late a deadline may be noticed.
const GRAIN: Duration = Duration::from_millis(100);

/// A time, in grains since the set was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline(u64);

/// Deadlines, each with a number that says whose it is.
#[derive(Debug)]
pub(super) struct Deadlines {
    start: Instant,
    set: BTreeSet<(Deadline, u64)>,
}

impl Deadlines {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            start: now,
            set: BTreeSet::new(),
        }
    }

    /// Moves `whose` deadline to `limit` from now, or sets a first one. Never early.
    pub(super) fn put(&mut self, deadline: &mut Option<Deadline>, whose: u64, now: Instant, limit: Duration) {
        let since = now.saturating_duration_since(self.start).saturating_add(limit);
        let grains = since.as_nanos().div_ceil(GRAIN.as_nanos());
        let next = Deadline(u64::try_from(grains).unwrap_or(u64::MAX));
        if *deadline == Some(next) {
            return;
        }
        self.remove(deadline, whose);
        self.set.insert((next, whose));
        *deadline = Some(next);
    }

    /// There is none for `whose` any more.
    pub(super) fn remove(&mut self, deadline: &mut Option<Deadline>, whose: u64) {
        if let Some(former) = deadline.take() {
            self.set.remove(&(former, whose));
        }
    }

    /// Takes out one that has passed.
    pub(super) fn pop(&mut self, now: Instant) -> Option<u64> {
        let first = *self.set.first()?;
        if self.until(first.0, now) > Duration::ZERO {
            return None;
        }
        self.set.remove(&first);
        Some(first.1)
    }

    /// How long until the first passes; `None` when there is none.
    pub(super) fn first(&self, now: Instant) -> Option<Duration> {
        self.set.first().map(|first| self.until(first.0, now))
    }

    fn until(&self, deadline: Deadline, now: Instant) -> Duration {
        let grains = u32::try_from(deadline.0).unwrap_or(u32::MAX);
        GRAIN
            .saturating_mul(grains)
            .saturating_sub(now.saturating_duration_since(self.start))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "some moment to count from")]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early_and_late_by_a_grain_at_most() {
        let start = Instant::now();
        for (at, limit) in [(0, 0), (0, 1), (0, 100), (30, 70), (30, 71), (199, 300_000)] {
            let mut deadlines = Deadlines::new(start);
            let mut deadline = None;
            let at = Duration::from_millis(at);
            let limit = Duration::from_millis(limit);
            deadlines.put(&mut deadline, 7, start + at, limit);
            let due = at + deadlines.first(start + at).unwrap();
            assert!(
                due >= at + limit && due < at + limit + GRAIN,
                "{at:?} {limit:?} {due:?}"
            );
            if let Some(before) = due.checked_sub(Duration::from_nanos(1)) {
                assert_eq!(deadlines.pop(start + before), None);
            }
            assert_eq!(deadlines.pop(start + due), Some(7));
            assert_eq!(deadlines.pop(start + due), None);
        }
    }

    #[test]
    fn the_first_comes_first_and_one_that_was_moved_comes_once() {
        let start = Instant::now();
        let mut deadlines = Deadlines::new(start);
        let mut of = [None; 3];
        for (whose, seconds) in [(0, 3), (1, 2), (2, 1), (0, 1), (2, 9)] {
            let deadline = &mut of[usize::try_from(whose).unwrap()];
            deadlines.put(deadline, whose, start, Duration::from_secs(seconds));
        }
        deadlines.remove(&mut of[1], 1);
        assert_eq!(deadlines.first(start), Some(Duration::from_secs(1)));
        let late = start + Duration::from_secs(60);
        assert_eq!(
            [deadlines.pop(late), deadlines.pop(late), deadlines.pop(late)],
            [Some(0), Some(2), None]
        );
        assert_eq!(deadlines.first(start), None);
    }
}
