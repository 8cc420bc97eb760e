//! The thread that makes snapshots of finished segments, and removes what those that are kept make superfluous.

use std::fs;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::encoding;
use super::error::{Damage, OpenError, io_error};
use super::head::{Head, Identity, Kind};
use super::notice::{Notice, Report};
use super::segment_file::SegmentFile;
use super::snapshot::{self, Changed, SnapshotError, SnapshotReader};
use super::state_dir::{Numbered, StateDir};
use super::{Change, atomic_file};

/// The way to the snapshotter's thread.
pub(super) struct Snapshotter {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Snapshotter {
    /// Starts the thread. A snapshot is made when the finished segments that no snapshot has are at least `threshold`
    /// octets, and half of the last snapshot: so all snapshots together write no more than a few times what changes.
    /// And one is made when the time has come for it, if there was any change. `tidied` is called when files have been removed,
    /// `finish` to finish the segment that is being written.
    pub(super) fn start(
        state: StateDir,
        schedule: Schedule,
        report: Report,
        tidied: impl Fn() + Send + 'static,
        finish: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        // One wake-up that waits is as good as many.
        let (wake, woken) = sync_channel(1);
        let worker = Worker {
            state,
            schedule,
            report,
        };
        let thread = thread::Builder::new()
            .name("snapshot".into())
            .spawn(move || worker.run(&woken, &tidied, &finish))?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    /// What to call when a segment is finished.
    pub(super) fn waker(&self) -> impl Fn() + Send + 'static {
        let wake = self.wake.clone();
        move || {
            if let Some(wake) = &wake {
                // Full: it is awake anyway.
                let _ = wake.try_send(());
            }
        }
    }
}

impl Drop for Snapshotter {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// When snapshots are made, and how many are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Of finished segments, in octets.
    pub(super) threshold: u64,
    /// The longest that a change waits; `None`, as long as it takes until there are enough.
    pub(super) every: Option<Duration>,
    /// 2 or more.
    pub(super) keep: usize,
}

struct Worker {
    state: StateDir,
    schedule: Schedule,
    report: Report,
}

impl Worker {
    #[allow(
        clippy::disallowed_methods,
        reason = "it is about time that passes, whatever the clock shows"
    )]
    fn run(&self, woken: &Receiver<()>, tidied: &dyn Fn(), finish: &dyn Fn()) {
        let mut last = Instant::now();
        loop {
            let woken = match self.schedule.every {
                None => woken.recv().map_err(RecvTimeoutError::from),
                Some(every) => woken.recv_timeout(every.saturating_sub(last.elapsed())),
            };
            let threshold = match woken {
                Ok(()) => self.schedule.threshold.max(1),
                Err(RecvTimeoutError::Timeout) => {
                    last = Instant::now();
                    finish();
                    0
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            match self.make_if_due(threshold) {
                Ok(None) => {}
                Ok(Some((sequence, principals))) => {
                    last = Instant::now();
                    (self.report)(Notice::SnapshotMade { sequence, principals });
                    tidied();
                }
                Err(error) => (self.report)(Notice::SnapshotFailed(error.to_string())),
            }
        }
    }

    /// A threshold of 0 is met by any change.
    fn make_if_due(&self, threshold: u64) -> Result<Option<(u64, u64)>, OpenError> {
        let segments = self.state.segments()?;
        let snapshots = self.state.snapshots()?;
        let newest = snapshots.last().map_or(0, |snapshot| snapshot.number);
        // The last segment is being written.
        let Some((current, finished)) = segments.split_last() else {
            return Ok(None);
        };
        let finished: Vec<_> = finished.iter().filter(|segment| segment.number > newest).collect();
        let octets: u64 = finished.iter().map(|segment| segment.octets()).sum();
        let due = match threshold {
            0 => 0,
            threshold => threshold.max(snapshots.last().map_or(0, Numbered::octets) / 2),
        };
        if finished.is_empty() || octets < due {
            return Ok(None);
        }
        let principals = match self.make(snapshots.last(), &finished, current)? {
            Made::Snapshot { principals } => principals,
            Made::SetAside => return self.make_if_due(threshold),
        };
        self.remove_superfluous()?;
        Ok(Some((current.number - 1, principals)))
    }

    fn make(&self, before: Option<&Numbered>, finished: &[&Numbered], current: &Numbered) -> Result<Made, OpenError> {
        let head = SegmentFile::read(current, None)?.head;
        let directory = self.state.snapshot();
        let head = Head {
            kind: Kind::Snapshot,
            ..head
        };
        let merge = || {
            let reader = before.map(|before| SnapshotReader::open(&before.path)).transpose()?;
            let from = reader
                .as_ref()
                .map_or((0, 0), |reader| (reader.head().sequence, reader.head().chain));
            match gather_all(finished, from, &head, current) {
                Ok(changed) => snapshot::merge(&directory, &head, reader, changed).map(Ok),
                Err(error) => Ok(Err(error)),
            }
        };
        match (merge(), before) {
            (Ok(Ok(principals)), _) => Ok(Made::Snapshot { principals }),
            (Ok(Err(error)), _) => Err(error),
            (Err(SnapshotError::Damaged { offset, why }), Some(before)) => {
                // The one before it will do, together with the segments that it is kept for.
                self.state.set_aside(&before.path)?;
                let why = format!("at offset {offset}: {why}");
                (self.report)(Notice::SnapshotDamaged {
                    file: before.path.clone(),
                    why,
                });
                Ok(Made::SetAside)
            }
            (Err(error), _) => Err(io_error("write a snapshot in", &directory)(io::Error::other(error))),
        }
    }

    /// Keeps the newest snapshots, two or more, and the segments after the oldest of them: so one of them, or a segment between
    /// them, may turn out to be unreadable without loss.
    fn remove_superfluous(&self) -> Result<(), OpenError> {
        let snapshots = self.state.snapshots()?;
        let Some(kept) = snapshots
            .len()
            .checked_sub(self.schedule.keep.max(2))
            .and_then(|at| snapshots.get(at))
        else {
            return Ok(());
        };
        let segments = self.state.segments()?;
        let old_segments = segments.windows(2).filter_map(|pair| match pair {
            [segment, next] if next.number <= kept.number + 1 => Some(&segment.path),
            _ => None,
        });
        let old_snapshots = snapshots
            .iter()
            .filter(|snapshot| snapshot.number < kept.number)
            .map(|old| &old.path);
        for path in old_snapshots.chain(old_segments) {
            fs::remove_file(path).map_err(io_error("remove", path))?;
        }
        [self.state.journal(), self.state.snapshot()]
            .iter()
            .try_for_each(|path| atomic_file::sync_directory(path).map_err(io_error("write", path)))
    }
}

enum Made {
    Snapshot {
        principals: u64,
    },
    /// The snapshot before is damaged and was set aside.
    SetAside,
}

/// Gathers what the finished segments changed after `from`, up to `to`, where `current` begins.
fn gather_all(finished: &[&Numbered], from: (u64, u32), to: &Head, current: &Numbered) -> Result<Changed, OpenError> {
    let (mut at, mut changed) = (from, Changed::default());
    for segment in finished {
        at = gather(segment, at, &to.identity, &mut changed)?;
    }
    if at != (to.sequence, to.chain) {
        return Err(damaged(current, 0, "it does not follow the segment before it"));
    }
    Ok(changed)
}

/// Gathers what a finished segment changed.
fn gather(
    segment: &Numbered,
    before: (u64, u32),
    identity: &Identity,
    changed: &mut Changed,
) -> Result<(u64, u32), OpenError> {
    let file = SegmentFile::read(segment, None)?;
    if file.before() != before || file.head.identity.lineage != identity.lineage {
        return Err(damaged(segment, 0, "it does not follow what is before it"));
    }
    let mut undecoded = None;
    let extent = file.extent(before, |frame| match frame.batches() {
        Ok(batches) => {
            for (first, batch) in batches {
                for (revision, change) in (first..).zip(batch.changes) {
                    note(changed, revision, change);
                }
            }
        }
        Err(why) => undecoded = undecoded.take().or(Some((frame.offset, why))),
    });
    match (undecoded, extent.bad) {
        (Some((offset, why)), _) => Err(damaged(segment, offset, &why.to_string())),
        (None, Some(_)) => Err(damaged(segment, extent.end, "a frame is bad")),
        (None, None) => Ok((extent.last, extent.chain)),
    }
}

fn note(changed: &mut Changed, revision: u64, change: Change) {
    match change {
        Change::Put { record, .. } => {
            let mut octets = Vec::new();
            encoding::put_record(&mut octets, &record);
            changed.principals.insert(record.id, Some((revision, octets)));
        }
        Change::Remove { id, .. } => {
            changed.principals.insert(id, None);
        }
        Change::Declare { mut record, .. } => {
            record.revision = revision;
            changed.access.insert(record.key(), Some(*record));
        }
        Change::Withdraw { key, .. } => {
            changed.access.insert(key, None);
        }
    }
}

fn damaged(file: &Numbered, offset: usize, why: &str) -> OpenError {
    let good = file.number.checked_sub(1);
    Damage {
        file: file.path.clone(),
        offset: offset as u64,
        why: why.to_owned(),
        good,
        snapshot: 0,
    }
    .into()
}
