//! What requests are served from, and what the index has yet to learn of it.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::{Subject, View};

/// The current view, and what changed since the index was last brought up to it.
///
/// The index takes what it writes from the view, so what waits for it is never more than one key a record, however long
/// it takes.
pub(super) struct Published {
    view: ArcSwap<View>,
    unindexed: Mutex<Unindexed>,
    changed: Condvar,
    stopped: Condvar,
}

#[derive(Default)]
struct Unindexed {
    subjects: HashSet<Subject>,
    stop: bool,
}

/// What to bring into the index.
pub(super) struct Round {
    pub(super) view: Arc<View>,
    /// What changed since the last round.
    pub(super) subjects: HashSet<Subject>,
    /// There is no other round.
    pub(super) last: bool,
}

impl Published {
    /// `unindexed` is what the index has otherwise than the view.
    pub(super) fn new(view: View, unindexed: HashSet<Subject>) -> Self {
        Self {
            view: ArcSwap::from_pointee(view),
            unindexed: Mutex::new(Unindexed {
                subjects: unindexed,
                stop: false,
            }),
            changed: Condvar::new(),
            stopped: Condvar::new(),
        }
    }

    /// A handle of its own for whoever asks.
    pub(super) fn view(&self) -> Arc<View> {
        Arc::new(View::clone(&self.view.load()))
    }

    /// Makes a handle one to what is there now.
    pub(super) fn renew(&self, handle: &mut View) {
        handle.renew(&self.view.load());
    }

    /// Makes `view` the current one; `touched` is what it has otherwise than the one before.
    pub(super) fn publish(&self, view: View, touched: HashSet<Subject>) {
        let mut unindexed = self.lock();
        self.view.store(Arc::new(view));
        if unindexed.subjects.is_empty() {
            unindexed.subjects = touched;
        } else {
            unindexed.subjects.extend(touched);
        }
        drop(unindexed);
        self.changed.notify_one();
    }

    /// Waits for a change, then as long as `pause` for more; or for the end.
    pub(super) fn next_round(&self, pause: Duration) -> Round {
        let waiting = self.changed.wait_while(self.lock(), |unindexed| {
            unindexed.subjects.is_empty() && !unindexed.stop
        });
        let waiting =
            self.stopped
                .wait_timeout_while(waiting.unwrap_or_else(PoisonError::into_inner), pause, |unindexed| {
                    !unindexed.stop
                });
        self.take_round(waiting.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// What there is now.
    pub(super) fn next_round_now(&self) -> Round {
        self.take_round(self.lock())
    }

    // With the lock held, so that the view is the one that these changes led to.
    fn take_round(&self, mut unindexed: MutexGuard<'_, Unindexed>) -> Round {
        Round {
            view: self.view(),
            subjects: std::mem::take(&mut unindexed.subjects),
            last: unindexed.stop,
        }
    }

    /// How many records the index has yet to learn.
    pub(super) fn unindexed(&self) -> usize {
        self.lock().subjects.len()
    }

    /// Waits as long as `pause`, or for the end.
    pub(super) fn pause(&self, pause: Duration) {
        // Poisoned or not, the time is over.
        let _ = self
            .stopped
            .wait_timeout_while(self.lock(), pause, |unindexed| !unindexed.stop);
    }

    /// Whether it is the end.
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stop
    }

    /// Ends all waiting.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
        self.stopped.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Unindexed> {
        self.unindexed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
