//! The one thread that changes the realm. Whoever waits while it writes is in the next group: one frame, one sync.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::figures::Figures;
use super::journal::{Journal, MAX_GROUP_OCTETS};
use super::notice::{Notice, Report};
use super::published::Published;
use super::rollover::reseal;
use super::view::Undo;
use super::{Author, Change, Keyring, StoreError, View, batch_encoding};

/// How many writers wait before the next one is held back.
pub(super) const QUEUE: usize = 1024;

/// The way to the writer's thread.
pub(super) struct Writer {
    figures: Arc<Figures>,
    queue: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is asked for.
enum Order {
    Commit(Request),
    Keys(KeyOrder),
    FinishSegment(SyncSender<Result<(), StoreError>>),
}

/// Which master keys there are from now on.
struct KeyOrder {
    keyring: Arc<Keyring>,
    /// Keys are written only sealed under the one that seals.
    only_sealing: bool,
    reply: SyncSender<Result<(), StoreError>>,
}

struct Request {
    author: Author,
    changes: Vec<Change>,
    /// The same, written down.
    batch: Vec<u8>,
    reply: SyncSender<Result<u64, StoreError>>,
}

impl Writer {
    /// Starts the thread; `rolled` is called whenever a segment is finished.
    pub(super) fn start(
        journal: Journal,
        published: Arc<Published>,
        report: Report,
        figures: Arc<Figures>,
        rolled: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, requests) = sync_channel(QUEUE);
        let mut worker = Worker {
            journal,
            published,
            report,
            figures: Arc::clone(&figures),
            rolled,
            failing: false,
            only_sealing: false,
        };
        let thread = thread::Builder::new()
            .name("journal".into())
            .spawn(move || worker.run(&requests))?;
        Ok(Self {
            figures,
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// As [`super::Store::commit`].
    pub(super) fn commit(&self, author: &Author, changes: Vec<Change>) -> Result<u64, StoreError> {
        let batch = batch_encoding::encode_batch(author, &changes)?;
        let _waits = self.figures.commit_waits();
        let (reply, outcome) = sync_channel(1);
        let request = Request {
            author: author.clone(),
            changes,
            batch,
            reply,
        };
        self.send(Order::Commit(request), &outcome)
    }

    /// Puts other master keys in force. With `only_sealing`, a key that comes sealed under another one than the one that
    /// seals, from somebody who saw an older view, is sealed anew before it is written.
    pub(super) fn set_keys(&self, keyring: Arc<Keyring>, only_sealing: bool) -> Result<(), StoreError> {
        let (reply, outcome) = sync_channel(1);
        let order = KeyOrder {
            keyring,
            only_sealing,
            reply,
        };
        self.send(Order::Keys(order), &outcome)
    }

    /// Finishes the segment that is being written, if there is anything in it.
    pub(super) fn finish_segment(&self) -> Result<(), StoreError> {
        let (reply, outcome) = sync_channel(1);
        self.send(Order::FinishSegment(reply), &outcome)
    }

    fn send<T>(&self, order: Order, outcome: &Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
        let stopped = || StoreError::Unwritable("the store is being closed".into());
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(order).map_err(|_| stopped())?;
        outcome.recv().map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has told its clients.
            let _ = thread.join();
        }
    }
}

struct Worker<R> {
    journal: Journal,
    published: Arc<Published>,
    report: Report,
    figures: Arc<Figures>,
    rolled: R,
    failing: bool,
    only_sealing: bool,
}

impl<R: Fn()> Worker<R> {
    fn run(&mut self, orders: &Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            let mut next = Some(first);
            while let Some(order) = next.take() {
                match order {
                    Order::Keys(order) => self.set_keys(order),
                    Order::FinishSegment(reply) => {
                        let finished = self.journal.finish_segment();
                        if let Ok(true) = finished {
                            (self.rolled)();
                        }
                        let outcome = finished.map(|_| ());
                        // Nobody is there to be told when the client's thread has gone.
                        let _ = reply.send(outcome.map_err(|error| StoreError::Unwritable(error.to_string())));
                    }
                    Order::Commit(first) => next = self.write_group(first, orders),
                }
            }
        }
    }

    /// Writes the first request and those that wait behind it. What comes next and is of another kind.
    fn write_group(&mut self, first: Request, orders: &Receiver<Order>) -> Option<Order> {
        let mut octets = first.batch.len();
        let mut group = vec![first];
        let mut other = None;
        // A batch is at most half of the limit, so that one more always fits.
        while octets < MAX_GROUP_OCTETS / 2
            && group.len() < QUEUE
            && let Ok(next) = orders.try_recv()
        {
            match next {
                Order::Commit(next) => {
                    octets += next.batch.len();
                    group.push(next);
                }
                order => {
                    other = Some(order);
                    break;
                }
            }
        }
        self.write(group);
        other
    }

    fn set_keys(&mut self, order: KeyOrder) {
        let outcome = match self.journal.rekey(order.keyring.sealing().check()) {
            Ok(rolled) => {
                let next = View::clone(&self.published.view()).with_keyring(order.keyring);
                self.published.publish(next, HashSet::new());
                self.only_sealing = order.only_sealing;
                if rolled {
                    (self.rolled)();
                }
                Ok(())
            }
            Err(error) => Err(StoreError::Unwritable(error.to_string())),
        };
        // Nobody is there to be told when the client's thread has gone.
        let _ = order.reply.send(outcome);
    }

    fn write(&mut self, group: Vec<Request>) {
        let mut next = View::clone(&self.published.view());
        let mut batches = Vec::new();
        let mut touched = HashSet::new();
        let mut outcomes = Vec::with_capacity(group.len());
        let before = next.sequence();
        for mut request in group {
            let outcome = self
                .renew(&next, &mut request)
                .and_then(|()| apply_all(&mut next, &request.changes));
            if outcome.is_ok() {
                // A batch of nothing is not written down.
                if !request.changes.is_empty() {
                    batches.extend_from_slice(&request.batch);
                }
                touched.extend(request.changes.iter().map(Change::subject));
            }
            outcomes.push((request.reply, outcome));
        }
        let written = match u32::try_from(next.sequence() - before) {
            Ok(0) => Ok(()),
            Ok(changes) => self.append(changes, &batches),
            Err(_) => Err("more changes at once than a frame can hold".into()),
        };
        if written.is_ok() && !touched.is_empty() {
            next.set_position(self.journal.last(), self.journal.chain());
            self.published.publish(next, touched);
        }
        for (reply, outcome) in outcomes {
            let outcome = match &written {
                Ok(()) => outcome,
                // A refusal, too, may have been for a change that was not made in the end.
                Err(why) => Err(StoreError::Unwritable(why.clone())),
            };
            // Nobody is there to be told when the client's thread has gone.
            let _ = reply.send(outcome);
        }
    }

    /// Seals anew what comes under an older master key.
    fn renew(&self, view: &View, request: &mut Request) -> Result<(), StoreError> {
        if !self.only_sealing {
            return Ok(());
        }
        let keyring = view.keyring();
        let mut renewed = false;
        for change in &mut request.changes {
            if let Change::Put { expected, record } = change
                && !record.is_sealed_under(keyring.sealing().id())
            {
                // Of a key that is there no more, only an outdated view can tell.
                reseal(keyring, record).map_err(|_| StoreError::Conflict {
                    name: record.name.clone(),
                    expected: expected.unwrap_or(0),
                    found: view.get(record.id).map_or(0, |found| found.revision),
                })?;
                renewed = true;
            }
        }
        if renewed {
            request.batch = batch_encoding::encode_batch(&request.author, &request.changes)?;
        }
        Ok(())
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "how long the disk takes, whatever the clock shows"
    )]
    fn append(&mut self, changes: u32, batches: &[u8]) -> Result<(), String> {
        let begun = Instant::now();
        match self.journal.append(changes, batches) {
            Ok(appended) => {
                self.figures.written(changes, appended.octets, begun.elapsed());
                if appended.repaired {
                    self.failing = false;
                    (self.report)(Notice::WritableAgain);
                }
                if appended.rolled || appended.repaired {
                    (self.rolled)();
                }
                Ok(())
            }
            Err(error) => {
                self.figures.write_failures.fetch_add(1, Ordering::Relaxed);
                if !self.failing {
                    self.failing = true;
                    (self.report)(Notice::Unwritable(error.to_string()));
                }
                Err(error.to_string())
            }
        }
    }
}

/// Applies all changes, or leaves the view as it was. The sequence number of the last.
fn apply_all(view: &mut View, changes: &[Change]) -> Result<u64, StoreError> {
    let mut applied: Vec<Undo> = Vec::with_capacity(changes.len());
    for change in changes {
        match view.apply(change) {
            Ok(undo) => applied.push(undo),
            Err(error) => {
                for undo in applied.into_iter().rev() {
                    view.undo(undo);
                }
                return Err(error);
            }
        }
    }
    Ok(view.sequence())
}
