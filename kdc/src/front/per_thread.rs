//! Something that each thread has for itself, in a place that others can get at, too.

use std::sync::{Mutex, MutexGuard, TryLockError};

use crate::thread_number::thread_number;

/// Threads beyond this share places, and do without when theirs is in use.
const PLACES: usize = 64;

/// One value a thread, made when the thread first wants it.
pub(super) struct PerThread<T> {
    places: Box<[Place<T>]>,
}

// Each in cache lines of its own.
#[repr(align(128))]
struct Place<T>(Mutex<Option<T>>);

impl<T> PerThread<T> {
    pub(super) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| Place(Mutex::new(None))).collect(),
        }
    }

    /// Does `work` with the calling thread's value.
    pub(super) fn with<R>(&self, make: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
        match self.places.get(thread_number() % PLACES).and_then(Place::enter) {
            Some(mut place) => work(place.get_or_insert_with(make)),
            None => work(&mut make()),
        }
    }

    /// Does `work` with every value that is not in use just now.
    pub(super) fn with_idle(&self, mut work: impl FnMut(&mut T)) {
        for mut place in self.places.iter().filter_map(Place::enter) {
            if let Some(value) = &mut *place {
                work(value);
            }
        }
    }
}

impl<T> Place<T> {
    fn enter(&self) -> Option<MutexGuard<'_, Option<T>>> {
        match self.0.try_lock() {
            Ok(place) => Some(place),
            // What a panic left half done is made anew.
            Err(TryLockError::Poisoned(place)) => {
                let mut place = place.into_inner();
                *place = None;
                self.0.clear_poison();
                Some(place)
            }
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::*;

    #[test]
    fn each_thread_finds_its_own_again() {
        let values = PerThread::new();
        let count = || {
            let next = |count: &mut i32| {
                *count += 1;
                *count
            };
            values.with(|| 0, next)
        };
        assert_eq!([count(), count()], [1, 2]);
        thread::scope(|scope| {
            let other = scope.spawn(|| [count(), count(), count()]);
            assert_eq!(other.join().unwrap(), [1, 2, 3]);
        });
        let mut sum = 0;
        values.with_idle(|count| sum += *count);
        assert_eq!(sum, 5);
    }

    #[test]
    fn what_is_in_use_is_let_alone_and_what_a_panic_left_is_made_anew() {
        let values = PerThread::new();
        let within = |_: &mut i32| {
            values.with_idle(|_| panic!("it is in use"));
            values.with(|| 7, |value| *value)
        };
        assert_eq!(values.with(|| 1, within), 7);
        let fails = || values.with(|| 0, |_| panic!("as asked"));
        catch_unwind(AssertUnwindSafe(fails)).unwrap_err();
        assert_eq!(values.with(|| 3, |value| *value), 3);
    }
}
