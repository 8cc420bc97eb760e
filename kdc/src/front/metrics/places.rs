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
    table: Mutex<Table>,
    free: Notify,
}

#[derive(Debug, Default)]
struct Table {
    /// In the order in which they came.
    holders: BTreeMap<u64, Holder>,
    /// How many there have been.
    given: u64,
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
            table: Mutex::default(),
            free: Notify::new(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.table().holders.len()
    }

    /// A place, as soon as there is one: free, or that of whoever has waited longest, and for long enough, without a word.
    pub(super) async fn take(self: &Arc<Self>) -> (Place, Taken) {
        loop {
            let freed = self.free.notified();
            let until = match self.try_take() {
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
    fn try_take(self: &Arc<Self>) -> Result<(Place, Taken), Option<Instant>> {
        let mut table = self.table();
        let mut taken = Taken::Free;
        if table.holders.len() >= MOST {
            let longest = table.holders.iter().find_map(|(number, holder)| match holder {
                Holder::Waiting { since, .. } => Some((*number, *since + self.grace)),
                Holder::Answered => None,
            });
            let (longest, until) = longest.ok_or(None)?;
            if until > Instant::now() {
                return Err(Some(until));
            }
            if let Some(Holder::Waiting { task: Some(task), .. }) = table.holders.remove(&longest) {
                task.abort();
            }
            taken = Taken::FromAnother;
        }
        let since = Instant::now();
        table.given += 1;
        let number = table.given;
        table.holders.insert(number, Holder::Waiting { since, task: None });
        let places = Arc::clone(self);
        Ok((Place { places, number }, taken))
    }

    /// What is to be ended when the place of this number is taken by another, or was.
    pub(super) fn ends(&self, number: u64, ends: AbortHandle) {
        match self.table().holders.get_mut(&number) {
            Some(Holder::Waiting { task, .. }) => *task = Some(ends),
            Some(Holder::Answered) => {}
            None => ends.abort(),
        }
    }
}

impl Place {
    /// Which one it is, of all that were given.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// From now on nobody takes it; false when somebody has.
    pub(super) fn keep(&self) -> bool {
        let mut table = self.places.table();
        let holder = table.holders.get_mut(&self.number);
        holder.map(|holder| *holder = Holder::Answered).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().holders.remove(&self.number);
        self.places.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_lost_a_place_before_it_was_known_what_ends_is_ended_then_and_answers_nobody() {
        let places = Arc::new(Places::new(Duration::ZERO));
        let mut held = Vec::new();
        for _ in 0..MOST {
            held.push(places.take().await.0);
        }
        let (late, taken) = places.take().await;
        assert_eq!((taken, places.taken()), (Taken::FromAnother, MOST));
        let first = held.remove(0);
        assert!(!first.keep() && late.keep() && held.iter().all(Place::keep));
        let task = tokio::spawn(core::future::pending::<()>());
        places.ends(first.number(), task.abort_handle());
        assert!(task.await.unwrap_err().is_cancelled());
        // One that is answered goes on.
        let task = tokio::spawn(core::future::ready(()));
        places.ends(late.number(), task.abort_handle());
        task.await.unwrap();
        drop(first);
        assert_eq!(places.taken(), MOST);
    }
}
