//! Who waits for more hears of it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The number of the newest event that is in the file.
#[derive(Debug, Default)]
pub(super) struct Newest {
    seq: Mutex<u64>,
    more: Condvar,
}

impl Newest {
    pub(super) fn get(&self) -> u64 {
        *self.seq.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, seq: u64) {
        *self.seq.lock().unwrap_or_else(PoisonError::into_inner) = seq;
        self.more.notify_all();
    }

    pub(super) fn wait_beyond(&self, seq: u64, at_most: Duration) -> u64 {
        let newest = self.seq.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.more.wait_timeout_while(newest, at_most, |newest| *newest <= seq);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
