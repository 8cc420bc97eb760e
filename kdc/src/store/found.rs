//! The records that were looked up in one handle of a view, for as long as it lives.

use core::hash::{Hash as _, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tessera_common::name::Name;

use crate::realm::principal::PrincipalRecord;

/// What a request looks up: client, service, krbtgt, and one to spare.
const FIRST: usize = 4;
/// Twice as many places in each level as in the one before: more than there can be look-ups.
const LEVELS: usize = 48;
/// How many records stay at hand from one request to the next.
const AT_HAND: usize = 4096;

type Place = OnceLock<Arc<PrincipalRecord>>;
type Level = OnceLock<Box<[Place]>>;
type HashedPlace = OnceLock<(u64, Arc<PrincipalRecord>)>;

/// Places that are filled one after the other and never emptied while what is in them is lent.
#[derive(Default)]
pub(super) struct Found {
    used: AtomicUsize,
    first: [Place; FIRST],
    more: OnceLock<Box<[Level]>>,
    at_hand: Option<AtHand>,
}

/// Records by a hash of the name that they were found by: each in the one place that its hash gives it, if that is free.
struct AtHand {
    places: Box<[HashedPlace]>,
    /// How many found their place taken.
    late: AtomicUsize,
}

impl Found {
    /// For a handle that serves one request after the other.
    pub(super) fn lasting() -> Self {
        Self {
            at_hand: Some(AtHand {
                places: (0..AT_HAND).map(|_| OnceLock::new()).collect(),
                late: AtomicUsize::new(0),
            }),
            ..Self::default()
        }
    }

    /// The record with this name or alias, if it was found by that before.
    pub(super) fn at_hand(&self, name: &Name) -> Option<&Arc<PrincipalRecord>> {
        let at_hand = self.at_hand.as_ref()?;
        let hash = quick_hash(name);
        let (found, record) = at_hand.place(hash)?.get()?;
        (*found == hash && (record.name == *name || record.aliases.contains(name))).then_some(record)
    }

    /// Keeps a record that was found by this name or alias, at hand if there is a place.
    pub(super) fn keep_at_hand(&self, name: &Name, record: Arc<PrincipalRecord>) -> Option<&Arc<PrincipalRecord>> {
        let Some(at_hand) = &self.at_hand else {
            return self.keep(record);
        };
        let hash = quick_hash(name);
        let (found, kept) = at_hand.place(hash)?.get_or_init(|| (hash, Arc::clone(&record)));
        if *found == hash && Arc::ptr_eq(kept, &record) {
            return Some(kept);
        }
        at_hand.late.fetch_add(1, Ordering::Relaxed);
        self.keep(record)
    }

    /// Keeps a record.
    pub(super) fn keep(&self, record: Arc<PrincipalRecord>) -> Option<&Arc<PrincipalRecord>> {
        let at = self.used.fetch_add(1, Ordering::Relaxed);
        let place = match self.first.get(at) {
            Some(place) => place,
            None => {
                let (level, at) = level(at - FIRST);
                let levels = self.more.get_or_init(|| (0..LEVELS).map(|_| Level::new()).collect());
                let places = levels.get(level)?.get_or_init(|| {
                    let size = FIRST << level;
                    (0..size).map(|_| Place::new()).collect()
                });
                places.get(at)?
            }
        };
        Some(place.get_or_init(|| record))
    }

    /// Nothing is lent any more: what is at hand stays there, unless it has become too much in the way of others.
    pub(super) fn end_of_request(&mut self) {
        if *self.used.get_mut() > 0 {
            let at_hand = self.at_hand.take();
            *self = Self {
                at_hand,
                ..Self::default()
            };
        }
        if let Some(at_hand) = &mut self.at_hand
            && *at_hand.late.get_mut() > at_hand.places.len()
        {
            at_hand.clear();
        }
    }

    /// Nothing is lent any more, and nothing of it is good any more.
    pub(super) fn forget(&mut self) {
        if let Some(at_hand) = &mut self.at_hand {
            at_hand.clear();
        }
        self.end_of_request();
    }
}

impl AtHand {
    fn place(&self, hash: u64) -> Option<&HashedPlace> {
        // A remainder fits whatever the number of places does.
        self.places.get((hash % AT_HAND as u64) as usize)
    }

    fn clear(&mut self) {
        *self.late.get_mut() = 0;
        for place in &mut self.places {
            place.take();
        }
    }
}

/// Quick, and not keyed: only names that somebody has get a place, and one that is taken costs the other no more than being
/// looked up.
fn quick_hash(name: &Name) -> u64 {
    let mut hasher = QuickHasher::default();
    name.hash(&mut hasher);
    hasher.finish()
}

#[derive(Default)]
struct QuickHasher(u64);

impl Hasher for QuickHasher {
    fn write(&mut self, octets: &[u8]) {
        for chunk in octets.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.0 = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.0 ^= self.0 >> 32;
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// In which level the place with this number is, and where in it.
const fn level(number: usize) -> (usize, usize) {
    let level = (number / FIRST + 1).ilog2() as usize;
    (level, number - FIRST * ((1 << level) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::test_realm::principal;

    #[test]
    fn everything_found_stays_where_it_is() {
        let found = Found::default();
        let kept: Vec<_> = (0..1000)
            .map(|n| found.keep(Arc::new(principal(n, "alice"))).unwrap())
            .collect();
        for (n, record) in (0..).zip(kept) {
            assert_eq!(record.id, principal(n, "alice").id);
        }
    }

    #[test]
    fn what_is_at_hand_stays_until_it_is_forgotten_or_in_the_way() {
        let mut found = Found::lasting();
        let record = |n: usize| Arc::new(principal(n as u64, &format!("user{n}")));
        let keep = |found: &Found, n| {
            let record = record(n);
            assert_eq!(
                found.keep_at_hand(&record.name, Arc::clone(&record)).unwrap().id,
                record.id
            );
        };
        let is_at_hand = |found: &Found, n| {
            let at_hand = found.at_hand(&record(n).name);
            at_hand.inspect(|found| assert_eq!(found.id, record(n).id)).is_some()
        };
        assert!(!is_at_hand(&found, 0));
        keep(&found, 0);
        assert!(is_at_hand(&found, 0) && !is_at_hand(&found, 1));
        found.end_of_request();
        assert!(is_at_hand(&found, 0));
        // As many as there are places: each is found, some come late, and those who came first keep theirs for a while.
        for n in 1..AT_HAND {
            keep(&found, n);
            found.end_of_request();
        }
        assert!(is_at_hand(&found, 0));
        let kept = (0..AT_HAND).filter(|n| is_at_hand(&found, *n)).count();
        assert!((AT_HAND / 2..AT_HAND).contains(&kept), "{kept}");
        for n in 1..=4 * AT_HAND {
            keep(&found, n);
            found.end_of_request();
        }
        assert!(!is_at_hand(&found, 0), "its place is for those who come now");
        keep(&found, 0);
        found.forget();
        assert!(!is_at_hand(&found, 0));
    }

    #[test]
    fn the_places_of_all_levels_follow_one_another() {
        let mut expected = (0..6).flat_map(|level| (0..FIRST << level).map(move |at| (level, at)));
        for number in 0..200 {
            assert_eq!(Some(level(number)), expected.next());
        }
    }
}
