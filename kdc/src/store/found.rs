//! The records that were looked up in one handle of a view, for as long as it lives.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::realm::principal::PrincipalRecord;

/// What a request looks up: client, service, krbtgt, and one to spare.
const FIRST: usize = 4;
/// Twice as many places in each level as in the one before: more than there can be look-ups.
const LEVELS: usize = 48;

type Place = OnceLock<Arc<PrincipalRecord>>;
type Level = OnceLock<Box<[Place]>>;

/// Places that are filled one after the other and never emptied, so that what is in them can be lent.
#[derive(Default)]
pub(super) struct Found {
    used: AtomicUsize,
    first: [Place; FIRST],
    more: OnceLock<Box<[Level]>>,
}

impl Found {
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
    fn the_places_of_all_levels_follow_one_another() {
        let mut expected = (0..6).flat_map(|level| (0..FIRST << level).map(move |at| (level, at)));
        for number in 0..200 {
            assert_eq!(Some(level(number)), expected.next());
        }
    }
}
