//! Requests, by what was asked for and what came of it. Each thread counts in cache lines of its own; all of them are added up
//! when somebody asks.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::sync::OnceLock;

use tessera_common::accounting::EventResult;

use super::histogram::{Buckets, Histogram, REQUEST_BOUNDS};
use crate::realm::accounting::{Event, Kind};
use crate::thread_number::thread_number;

/// Threads beyond this share places.
const SHARDS: usize = 64;
/// For how many series a shard has room: more than there are names of reasons for all kinds that have them.
const PLACES: usize = 512;
/// How many places are looked at for one series before it is counted among the others.
const TRIES: usize = 32;
/// The reason of what found no place.
const OTHER: &str = "other";

/// What requests are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// What was asked for.
    pub kind: Kind,
    /// What came of it.
    pub outcome: EventResult,
    /// Why, where it was refused or dropped; otherwise empty.
    pub reason: &'static str,
}

impl Series {
    /// Of an event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        Self {
            kind: event.kind,
            outcome: event.result.event_result(),
            reason: event.result.reason().unwrap_or_default(),
        }
    }

    // By where the reason is and not by what it says: it is one of few constants. One that is there twice has two places, and
    // they are added up.
    fn is(&self, other: &Self) -> bool {
        core::ptr::eq(self.reason, other.reason) && self.kind == other.kind && self.outcome == other.outcome
    }

    fn spread(&self) -> usize {
        let what = (self.kind as u64) << 3 | self.outcome as u64;
        let mixed = (self.reason.as_ptr().addr() as u64 ^ what << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) as usize
    }
}

/// The counts of requests.
#[derive(Debug)]
pub struct Requests {
    // Made when a thread first counts.
    shards: Box<[OnceLock<Box<Shard>>]>,
}

// In cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    durations: [Histogram; Kind::ALL.len()],
    places: Box<[Place]>,
    others: AtomicU64,
}

#[derive(Debug, Default)]
struct Place {
    series: OnceLock<Series>,
    count: AtomicU64,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestReadings {
    /// How many of each kind, outcome and reason, by their names.
    pub counts: BTreeMap<(&'static str, &'static str, &'static str), u64>,
    /// How long they took, by the name of the kind.
    pub durations: Vec<(&'static str, Buckets)>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| OnceLock::new()).collect(),
        }
    }
}

impl Requests {
    /// A request was dealt with, and it took so many microseconds. Costs some 20 ns.
    pub fn count(&self, series: Series, microseconds: u64) {
        let Some(shard) = self.shards.get(thread_number() % SHARDS) else {
            return;
        };
        let shard = shard.get_or_init(Box::default);
        shard.place(series).fetch_add(1, Ordering::Relaxed);
        if let Some(durations) = shard.durations.get(series.kind as usize) {
            durations.add(microseconds);
        }
    }

    /// What all threads counted up to now.
    #[must_use]
    pub fn read(&self) -> RequestReadings {
        let mut counts = BTreeMap::new();
        let mut durations: Vec<_> = Kind::ALL
            .into_iter()
            .map(|kind| (kind.name(), Buckets::none(REQUEST_BOUNDS)))
            .collect();
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            for place in &shard.places {
                if let Some(series) = place.series.get() {
                    let name = (series.kind.name(), series.outcome.name(), series.reason);
                    *counts.entry(name).or_default() += place.count.load(Ordering::Relaxed);
                }
            }
            let others = shard.others.load(Ordering::Relaxed);
            if others > 0 {
                let name = (Kind::Unknown.name(), EventResult::Dropped.name(), OTHER);
                *counts.entry(name).or_default() += others;
            }
            for ((_, sum), of_shard) in durations.iter_mut().zip(&shard.durations) {
                sum.add(&of_shard.read());
            }
        }
        RequestReadings { counts, durations }
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            durations: Kind::ALL.map(|_| Histogram::new(REQUEST_BOUNDS)),
            places: (0..PLACES).map(|_| Place::default()).collect(),
            others: AtomicU64::new(0),
        }
    }
}

impl Shard {
    fn place(&self, series: Series) -> &AtomicU64 {
        let first = series.spread();
        for at in first..first + TRIES {
            let Some(place) = self.places.get(at % PLACES) else {
                break;
            };
            if place.series.get_or_init(|| series).is(&series) {
                return &place.count;
            }
        }
        &self.others
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn refused(kind: Kind, reason: &'static str) -> Series {
        Series {
            kind,
            outcome: EventResult::Refused,
            reason,
        }
    }

    #[test]
    fn what_threads_count_apart_is_added_up() {
        let requests = Requests::default();
        let issued = Series {
            kind: Kind::As,
            outcome: EventResult::Issued,
            reason: "",
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        requests.count(issued, 7);
                        requests.count(refused(Kind::As, "wrong-proof"), 20);
                        requests.count(refused(Kind::Tgs, "wrong-proof"), 30);
                    }
                });
            }
        });
        let read = requests.read();
        let counts: Vec<_> = read.counts.into_iter().collect();
        assert_eq!(
            counts,
            [
                (("as", "issued", ""), 4000),
                (("as", "refused", "wrong-proof"), 4000),
                (("tgs", "refused", "wrong-proof"), 4000),
            ]
        );
        let took: Vec<_> = read
            .durations
            .iter()
            .map(|(kind, buckets)| (*kind, buckets.count(), buckets.microseconds()))
            .collect();
        assert_eq!(took[..2], [("as", 8000, 108_000), ("tgs", 4000, 120_000)]);
        assert!(took[2..].iter().all(|(_, count, _)| *count == 0));
    }

    #[test]
    fn a_reason_that_stands_at_two_places_is_one_series() {
        let requests = Requests::default();
        let (one, other): (&'static str, &'static str) = ("xyabc".split_at(2).1, "zabc-".split_at(4).0.split_at(1).1);
        assert_ne!(one.as_ptr(), other.as_ptr());
        requests.count(refused(Kind::As, one), 1);
        requests.count(refused(Kind::As, other), 1);
        assert_eq!(requests.read().counts, [(("as", "refused", "abc"), 2)].into());
    }

    #[test]
    fn reasons_without_end_are_counted_among_the_others() {
        static TEXT: &str = include_str!("requests.rs");
        let requests = Requests::default();
        let all = 3 * PLACES;
        for at in 0..all {
            requests.count(refused(Kind::As, TEXT.get(at..at + 9).unwrap()), 1);
        }
        let counts = requests.read().counts;
        assert!(counts.len() <= PLACES + 1);
        assert!(counts[&("unknown", "dropped", "other")] > 0);
        assert_eq!(counts.values().sum::<u64>(), all as u64);
    }

    #[test]
    fn every_kind_has_a_place_of_its_own() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }
}
