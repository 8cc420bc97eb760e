//! How many may ask at once, and whose place is taken when one more comes.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

/// How many connections there may be.
pub(super) const MOST: usize = 32;

/// The places.
#[derive(Debug)]
pub(super) struct Places {
    /// How long a connection keeps its place for certain that has not said yet what it asks for.
    grace: Duration,
    holders: Mutex<BTreeMap<u64, Holder>>,
    free: Notify,
}

#[derive(Debug)]
enum Holder {
    /// Of a connection that is still to come, or has not said what it asks for: since when, and what ends it.
    Waiting { since: Instant, task: Option<AbortHandle> },
    /// Of one that is being answered.
    Answered,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
}

/// A place was free, or had to be taken from somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Free,
    FromAnother,
}

impl Places {
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace,
            holders: Mutex::default(),
            free: Notify::new(),
        }
    }

    fn holders(&self) -> MutexGuard<'_, BTreeMap<u64, Holder>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.holders().len()
    }

    /// A place, as soon as there is one: free, or that of whoever has waited longest, and for long enough, without a word.
    pub(super) async fn take(self: &Arc<Self>, number: u64) -> (Place, Taken) {
        loop {
            let freed = self.free.notified();
            let until = match self.try_take(number) {
                Ok(taken) => return taken,
                Err(until) => until,
            };
            match until {
                Some(until) => drop(timeout_at(until, freed).await),
                None => freed.await,
            }
        }
    }

    // Or when it may be worth while to try again, if that is known.
    fn try_take(self: &Arc<Self>, number: u64) -> Result<(Place, Taken), Option<Instant>> {
        let mut holders = self.holders();
        let mut taken = Taken::Free;
        if holders.len() >= MOST {
            let longest = holders.iter().find_map(|(number, holder)| match holder {
                Holder::Waiting { since, .. } => Some((*number, *since + self.grace)),
                Holder::Answered => None,
            });
            let (longest, until) = longest.ok_or(None)?;
            if until > Instant::now() {
                return Err(Some(until));
            }
            if let Some(Holder::Waiting { task: Some(task), .. }) = holders.remove(&longest) {
                task.abort();
            }
            taken = Taken::FromAnother;
        }
        let since = Instant::now();
        holders.insert(number, Holder::Waiting { since, task: None });
        let places = Arc::clone(self);
        Ok((Place { places, number }, taken))
    }

    /// What is to be ended when the place of this number is taken by another.
    pub(super) fn ends(&self, number: u64, ends: AbortHandle) {
        if let Some(Holder::Waiting { task, .. }) = self.holders().get_mut(&number) {
            *task = Some(ends);
        }
    }
}

impl Place {
    /// From now on nobody takes it.
    pub(super) fn keep(&self) {
        if let Some(holder) = self.places.holders().get_mut(&self.number) {
            *holder = Holder::Answered;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.holders().remove(&self.number);
        self.places.free.notify_one();
    }
}
