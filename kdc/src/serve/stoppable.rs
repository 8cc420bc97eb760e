use std::sync::{Arc, PoisonError, RwLock};

use crate::store::{Author, Change, Store, StoreError, View};

/// A store whose last commit a stop waits for, and after which it lets none begin.
pub(super) struct Stoppable {
    store: Arc<dyn Store>,
    stopped: RwLock<bool>,
}

impl Stoppable {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            stopped: RwLock::new(false),
        }
    }

    /// Returns when nothing is being committed any more.
    pub(super) fn stop(&self) {
        *self.stopped.write().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

impl Store for Stoppable {
    fn view(&self) -> Arc<View> {
        self.store.view()
    }

    fn renew(&self, handle: &mut View) {
        self.store.renew(handle);
    }

    fn commit(&self, author: &Author, changes: Vec<Change>) -> Result<u64, StoreError> {
        let stopped = self.stopped.read().unwrap_or_else(PoisonError::into_inner);
        if *stopped {
            return Err(StoreError::Unwritable("the daemon is stopping".into()));
        }
        self.store.commit(author, changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;
    use crate::store::test_realm::{add, author, keyring, principal};

    #[test]
    fn nothing_is_committed_after_the_stop() {
        let store = Stoppable::new(Arc::new(Memory::new(keyring())));
        store.commit(&author(), vec![add(principal(1, "alice"))]).unwrap();
        store.stop();
        let late = store.commit(&author(), vec![add(principal(2, "bob"))]);
        assert!(matches!(late, Err(StoreError::Unwritable(_))));
        assert_eq!(store.view().len(), 1);
    }
}
