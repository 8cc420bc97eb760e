//! A store that forgets: for tests and simulations.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::{Author, Change, Keyring, Store, StoreError, View};

/// Principals in memory only, under the same rules as the durable store.
pub struct Memory {
    view: ArcSwap<View>,
    writing: Mutex<()>,
}

impl Memory {
    /// A realm without principals.
    #[must_use]
    pub fn new(keyring: Keyring) -> Self {
        Self {
            view: ArcSwap::from_pointee(View::empty(Arc::new(keyring))),
            writing: Mutex::new(()),
        }
    }
}

impl Store for Memory {
    fn view(&self) -> Arc<View> {
        Arc::new(View::clone(&self.view.load()))
    }

    fn renew(&self, handle: &mut View) {
        handle.renew(&self.view.load());
    }

    fn commit(&self, _: &Author, changes: Vec<Change>) -> Result<u64, StoreError> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = View::clone(&self.view.load());
        for change in &changes {
            next.apply(change)?;
        }
        let sequence = next.sequence();
        self.view.store(Arc::new(next));
        Ok(sequence)
    }
}

impl core::fmt::Debug for Memory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Memory").field(&self.view.load()).finish()
    }
}
