//! The thread that brings the index up to the view, and makes it anew when that fails.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::head::Identity;
use super::index::{Index, IndexError};
use super::notice::{Notice, Report};
use super::published::Published;

/// How long changes are gathered before they are written.
const GATHER: Duration = Duration::from_millis(300);
/// How much longer for each record of the round before. Ids are random, so every round of an import touches most of
/// sled's pages: a few great rounds cost a fraction of the time and the memory of many small ones.
const GATHER_EACH: Duration = Duration::from_millis(1);
/// How long at most; an end waits for what was gathered. What an index is behind at a start comes from the journal.
const GATHER_MOST: Duration = Duration::from_secs(15);
/// How long the index is let alone after it has failed.
const RETRY: Duration = Duration::from_secs(10);

/// The indexer's thread. Dropped, it brings the index up to the last change.
pub(super) struct Indexer {
    published: Arc<Published>,
    thread: Option<JoinHandle<()>>,
}

impl Indexer {
    /// Starts the thread. Without an index, one is made in `directory`.
    pub(super) fn start(
        published: Arc<Published>,
        directory: PathBuf,
        identity: Identity,
        index: Option<Index>,
        report: Report,
    ) -> io::Result<Self> {
        let worker = Worker {
            published: Arc::clone(&published),
            directory,
            identity,
            report,
        };
        let thread = thread::Builder::new()
            .name("index".into())
            .spawn(move || worker.run(index))?;
        Ok(Self {
            published,
            thread: Some(thread),
        })
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.published.stop();
        if let Some(thread) = self.thread.take() {
            // The index is made anew if its thread has panicked.
            let _ = thread.join();
        }
    }
}

struct Worker {
    published: Arc<Published>,
    directory: PathBuf,
    identity: Identity,
    report: Report,
}

impl Worker {
    fn run(&self, mut index: Option<Index>) {
        let mut failing = false;
        loop {
            let result = match index.take() {
                Some(index) => contain(|| self.follow(index)),
                None => contain(|| self.rebuild()).map(|made| index = Some(made)),
            };
            match result {
                Ok(()) if index.is_some() => failing = false,
                Ok(()) => return,
                Err(IndexError::Unfinished) if self.published.is_stopping() => return,
                Err(why) => {
                    if !std::mem::replace(&mut failing, true) {
                        (self.report)(Notice::IndexStale(why.to_string()));
                    }
                    self.published.pause(RETRY);
                    if self.published.is_stopping() {
                        return;
                    }
                }
            }
        }
    }

    /// Brings the index up to the view, again and again, until the end.
    fn follow(&self, index: Index) -> Result<(), IndexError> {
        let mut pause = GATHER;
        loop {
            let round = self.published.next_round(pause);
            pause = gathering(round.subjects.len());
            if !round.subjects.is_empty() {
                let subjects = round.subjects.into_iter().collect();
                index.update(&self.identity, &round.view, subjects, || false)?;
            }
            if round.last {
                return index.close();
            }
        }
    }

    fn rebuild(&self) -> Result<Index, IndexError> {
        let index = Index::create(&self.directory)?;
        let round = self.published.next_round_now();
        let principals = round.view.len();
        index.update(&self.identity, &round.view, round.view.subjects(), || {
            self.published.is_stopping()
        })?;
        if principals > 0 {
            (self.report)(Notice::IndexRebuilt { principals });
        }
        Ok(index)
    }
}

/// How long to gather after a round of that many.
fn gathering(records: usize) -> Duration {
    let more = u32::try_from(records).map_or(GATHER_MOST, |records| GATHER_EACH.saturating_mul(records));
    GATHER.saturating_add(more).min(GATHER_MOST)
}

/// Runs what may panic beyond the calls that [`Index`] contains itself: closing what has failed.
fn contain<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(IndexError::Panicked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_there_was_to_write_the_longer_is_gathered_but_not_for_ever() {
        for (ids, pause) in [
            (0, GATHER),
            (100, Duration::from_millis(400)),
            (14_700, GATHER_MOST),
            (usize::MAX, GATHER_MOST),
        ] {
            assert_eq!(gathering(ids), pause, "{ids}");
        }
    }
}
