//! Threads for what takes long, string-to-key above all: few, with a bounded queue, and none of them ever a request's own.
//!
//! There are two queues, taken from in turn: requests from the network, bounded in all and for each peer, and
//! administrators' work, bounded by how many administrators may be connected. Neither makes the other wait for long.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::metrics::Gauge;

type Job = Box<dyn FnOnce() + Send>;

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Jobs from the network, waiting or running.
    pub jobs: usize,
    /// Of these, jobs of one peer.
    pub jobs_per_peer: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            jobs: 256,
            jobs_per_peer: 8,
        }
    }
}

/// Too much waits already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// A peer's place in the queue. Given back when dropped, or when its job is done.
pub struct Place {
    workers: Arc<Workers>,
    peer: IpAddr,
}

/// A pool of threads.
pub struct Workers {
    bounds: Bounds,
    queues: Mutex<Queues>,
    ready: Condvar,
    idle: Condvar,
}

#[derive(Default)]
struct Queues {
    network: VecDeque<Job>,
    administration: VecDeque<Job>,
    administration_next: bool,
    jobs_of: HashMap<IpAddr, usize>,
    jobs: usize,
    turned_away: u64,
    stopping: bool,
}

/// Stops a pool when dropped: what runs is finished, what waits is not begun.
pub struct WorkersGuard {
    workers: Arc<Workers>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(threads: usize, bounds: Bounds) -> std::io::Result<WorkersGuard> {
        let workers = Arc::new(Self {
            bounds,
            queues: Mutex::default(),
            ready: Condvar::new(),
            idle: Condvar::new(),
        });
        let mut guard = WorkersGuard {
            workers,
            threads: Vec::new(),
        };
        for _ in 0..threads {
            let workers = Arc::clone(&guard.workers);
            let thread = thread::Builder::new()
                .name("worker".into())
                .spawn(move || workers.work())?;
            guard.threads.push(thread);
        }
        Ok(guard)
    }

    /// A place for a peer's job.
    ///
    /// # Errors
    /// [`Busy`] when too much waits, or too much of this peer's.
    pub fn place(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Busy> {
        let mut queues = self.queues();
        let of_peer = queues.jobs_of.get(&peer).copied().unwrap_or(0);
        if queues.jobs >= self.bounds.jobs || of_peer >= self.bounds.jobs_per_peer {
            queues.turned_away += 1;
            return Err(Busy);
        }
        *queues.jobs_of.entry(peer).or_default() += 1;
        queues.jobs += 1;
        drop(queues);
        Ok(Place {
            workers: Arc::clone(self),
            peer,
        })
    }

    /// Runs jobs for an administrator, and waits. One that did not come to its end has no result.
    pub fn run_all<T, J>(&self, jobs: impl IntoIterator<Item = J>) -> Vec<Option<T>>
    where
        T: Send + 'static,
        J: FnOnce() -> T + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel();
        let mut results = Vec::new();
        for (at, job) in jobs.into_iter().enumerate() {
            let sender = sender.clone();
            let job = move || drop(sender.send((at, job())));
            self.queues().administration.push_back(Box::new(job));
            self.ready.notify_one();
            results.push(None);
        }
        drop(sender);
        for (at, result) in receiver {
            if let Some(place) = results.get_mut(at) {
                *place = Some(result);
            }
        }
        results
    }

    /// How many jobs from the network wait or run, of how many that may; how many found no place; and how many of
    /// administrators' wait.
    #[must_use]
    pub fn load(&self) -> (Gauge, u64, u64) {
        let queues = self.queues();
        let jobs = Gauge {
            now: queues.jobs as u64,
            limit: self.bounds.jobs as u64,
        };
        (jobs, queues.turned_away, queues.administration.len() as u64)
    }

    /// Waits until no job from the network waits or runs, but no longer than `patience`. Gives how many still do.
    pub fn finish(&self, patience: Duration) -> usize {
        let waited = self
            .idle
            .wait_timeout_while(self.queues(), patience, |queues| queues.jobs > 0);
        let (queues, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queues.jobs
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // A panic has been reported by the hook; the thread is needed for the next job.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queues = self.queues();
        loop {
            if queues.stopping {
                // Dropped without the lock, which a job's place takes.
                let waste = (
                    core::mem::take(&mut queues.network),
                    core::mem::take(&mut queues.administration),
                );
                drop(queues);
                drop(waste);
                return None;
            }
            if let Some(job) = queues.take() {
                return Some(job);
            }
            queues = self.ready.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Queues {
    fn take(&mut self) -> Option<Job> {
        self.administration_next = !self.administration_next;
        if (self.administration_next || self.network.is_empty())
            && let Some(job) = self.administration.pop_front()
        {
            return Some(job);
        }
        self.network.pop_front()
    }

    fn done(&mut self, peer: IpAddr) {
        self.jobs -= 1;
        if let Some(of_peer) = self.jobs_of.get_mut(&peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                self.jobs_of.remove(&peer);
            }
        }
    }
}

impl Place {
    /// Runs a job. One that is dropped unrun, or panics, answers nobody.
    pub fn run(self, job: impl FnOnce() + Send + 'static) {
        let workers = Arc::clone(&self.workers);
        let job = move || {
            let _place = self;
            job();
        };
        workers.queues().network.push_back(Box::new(job));
        workers.ready.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = self.workers.queues();
        queues.done(self.peer);
        if queues.jobs == 0 {
            self.workers.idle.notify_all();
        }
    }
}

impl WorkersGuard {
    /// The pool.
    #[must_use]
    pub fn workers(&self) -> Arc<Workers> {
        Arc::clone(&self.workers)
    }
}

impl Drop for WorkersGuard {
    fn drop(&mut self) {
        self.workers.queues().stopping = true;
        self.workers.ready.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    #[test]
    fn each_peer_and_all_together_are_bounded() {
        let guard = Workers::start(
            1,
            Bounds {
                jobs: 3,
                jobs_per_peer: 2,
            },
        )
        .unwrap();
        let workers = guard.workers();
        let (go, wait) = mpsc::channel::<()>();
        let (done, finished) = mpsc::channel();
        workers.place(peer(1)).unwrap().run(move || wait.recv().unwrap());
        let second = workers.place(peer(1)).unwrap();
        assert!(workers.place(peer(1)).is_err(), "a third of one peer");
        workers.place(peer(2)).unwrap().run(move || done.send(()).unwrap());
        assert!(workers.place(peer(3)).is_err(), "a fourth of all");
        assert_eq!(workers.load(), (Gauge { now: 3, limit: 3 }, 2, 0));
        drop(second);
        workers.place(peer(3)).unwrap().run(|| panic!("as asked"));
        go.send(()).unwrap();
        finished.recv().unwrap();
        while workers.queues().jobs > 0 {
            thread::yield_now();
        }
        assert!(workers.queues().jobs_of.is_empty());
        workers.place(peer(1)).unwrap();
    }

    #[test]
    fn what_waits_is_finished_before_the_end_if_there_is_time() {
        let guard = Workers::start(1, Bounds::default()).unwrap();
        let workers = guard.workers();
        assert_eq!(workers.finish(Duration::ZERO), 0);
        let (go, wait) = mpsc::channel::<()>();
        let (done, finished) = mpsc::channel();
        workers.place(peer(1)).unwrap().run(move || wait.recv().unwrap());
        for _ in 0..3 {
            let done = done.clone();
            workers.place(peer(2)).unwrap().run(move || done.send(()).unwrap());
        }
        assert_eq!(workers.finish(Duration::from_millis(20)), 4);
        go.send(()).unwrap();
        assert_eq!(workers.finish(Duration::from_secs(60)), 0);
        assert_eq!(finished.try_iter().count(), 3);
    }

    #[test]
    fn administrators_and_the_network_take_turns() {
        let guard = Workers::start(1, Bounds::default()).unwrap();
        let workers = guard.workers();
        let (go, wait) = mpsc::channel::<()>();
        let (begun, busy) = mpsc::channel();
        let (order, seen) = mpsc::channel();
        workers.place(peer(1)).unwrap().run(move || {
            begun.send(()).unwrap();
            wait.recv().unwrap();
        });
        // The one worker has that in hand, and what comes now waits.
        busy.recv().unwrap();
        let (ours, theirs) = (Arc::clone(&workers), order.clone());
        let administrator = thread::spawn(move || {
            ours.run_all((0..3).map(|_| {
                let order = theirs.clone();
                move || order.send("administration").unwrap()
            }))
        });
        while workers.queues().administration.len() < 3 {
            thread::yield_now();
        }
        for _ in 0..3 {
            let order = order.clone();
            workers
                .place(peer(2))
                .unwrap()
                .run(move || order.send("network").unwrap());
        }
        go.send(()).unwrap();
        let order: Vec<_> = (0..6).map(|_| seen.recv().unwrap()).collect();
        assert!(order.windows(2).all(|pair| pair[0] != pair[1]), "{order:?}");
        assert_eq!(administrator.join().unwrap(), [Some(()), Some(()), Some(())]);
    }

    #[test]
    fn results_come_in_order_and_a_panic_costs_only_its_own() {
        let guard = Workers::start(2, Bounds::default()).unwrap();
        let jobs = (0..20).map(|n| {
            move || {
                assert_ne!(n, 7, "as asked");
                n
            }
        });
        let results = guard.workers().run_all(jobs);
        assert!(
            results
                .iter()
                .enumerate()
                .all(|(at, result)| *result == (at != 7).then_some(at))
        );
    }
}
