//! Places that are taken and given back, of which there are so many and no more.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::metrics::Gauge;

/// So many places, and so many of them for each.
pub(super) struct Places<K, const ALL: usize, const EACH: usize>(Arc<Mutex<HashMap<K, usize>>>);

/// A place. Given back when dropped.
pub(super) struct Place<K: Eq + Hash> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    by: K,
}

impl<K, const ALL: usize, const EACH: usize> Default for Places<K, ALL, EACH> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Copy + Eq + Hash, const ALL: usize, const EACH: usize> Places<K, ALL, EACH> {
    /// Whether none is taken.
    pub(super) fn are_free(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// How many are taken, of all.
    pub(super) fn load(&self) -> Gauge {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Gauge {
            now: taken.values().sum::<usize>() as u64,
            limit: ALL as u64,
        }
    }

    pub(super) fn take(&self, by: K) -> Option<Place<K>> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= ALL {
            return None;
        }
        let own = taken.entry(by).or_default();
        if *own >= EACH {
            return None;
        }
        *own += 1;
        drop(taken);
        Some(Place {
            taken: Arc::clone(&self.0),
            by,
        })
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.by) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.by);
            }
        }
    }
}
