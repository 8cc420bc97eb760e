//! Reading one segment of the journal: how far it is good, and making its changes again.

use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::batch_encoding::Batch;
use super::error::{Damage, OpenError, io_error};
use super::head::{Head, Kind};
use super::journal::{Extent, Frame, LastSegment, read_frames};
use super::octets::DecodeError;
use super::recovery::Position;
use super::state_dir::Numbered;
use super::{StoreError, Subject, View};

/// A segment of the journal, read.
pub(super) struct SegmentFile {
    pub(super) head: Head,
    start: usize,
    seed: u32,
    octets: Vec<u8>,
}

impl SegmentFile {
    /// Reads a segment; `good` is the last change before it, for errors.
    pub(super) fn read(segment: &Numbered, good: Option<u64>) -> Result<Self, OpenError> {
        let path = &segment.path;
        let octets = fs::read(path).map_err(io_error("read", path))?;
        match Head::read(&octets, Kind::Journal) {
            Ok((head, start, seed)) => Ok(Self {
                head,
                start,
                seed,
                octets,
            }),
            Err(why @ DecodeError::Newer(..)) => Err(OpenError::Newer {
                file: path.clone(),
                offset: 0,
                why,
            }),
            Err(why) => {
                let why = why.to_string();
                Err(Damage {
                    file: path.clone(),
                    offset: 0,
                    why,
                    good,
                    snapshot: 0,
                }
                .into())
            }
        }
    }

    /// How far the segment is good, given what is before it. `see` sees every frame.
    pub(super) fn extent(&self, before: Position, mut see: impl FnMut(&Frame<'_>)) -> Extent {
        let read = read_frames::<core::convert::Infallible>(&self.octets, (self.start, self.seed), before, |frame| {
            see(&frame);
            ControlFlow::Continue(())
        });
        match read {
            ControlFlow::Continue(extent) => extent,
            ControlFlow::Break(never) => match never {},
        }
    }

    /// Whether it is a head and nothing else.
    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.octets.len()
    }

    /// What there is after its last good frame.
    pub(super) const fn octets_after(&self, extent: &Extent) -> u64 {
        (self.octets.len() - extent.end) as u64
    }

    /// What it takes to go on with it.
    pub(super) fn as_last(&self, segment: &Numbered, extent: Extent) -> LastSegment {
        LastSegment {
            path: segment.path.clone(),
            head_octets: self.start,
            seed: self.seed,
            extent,
        }
    }

    /// Where the segment is in history, by its head.
    pub(super) const fn before(&self) -> Position {
        (self.head.sequence, self.head.chain)
    }

    /// Applies to the view the batches that are after it and not after change `last`, and notes what they are about. This
    /// thread makes the changes, another one reads ahead.
    pub(super) fn replay(&self, view: &mut View, last: u64, changed: &mut HashSet<Subject>) -> Result<(), ReplayError> {
        let after = view.sequence();
        thread::scope(|scope| {
            let (sender, frames) = sync_channel(READ_AHEAD);
            scope.spawn(move || self.read_ahead(after, last, &sender));
            for (frame, batches) in frames.iter().flatten() {
                let replayed = batches
                    .map_err(Refusal::from)
                    .and_then(|batches| replay_frame(view, &frame, batches, last, changed));
                replayed.map_err(|why| ReplayError {
                    offset: frame.offset,
                    why,
                })?;
            }
            Ok(())
        })
    }

    /// Takes apart the frames with changes after `after` and not after `last`.
    fn read_ahead<'a>(&'a self, after: u64, last: u64, to: &SyncSender<Vec<TakenApart<'a>>>) {
        let (mut some, mut octets) = (Vec::new(), 0);
        // Where a frame is bad was found out before; when nobody wants more, it is for a change that was refused.
        let _ = read_frames(&self.octets, (self.start, self.seed), self.before(), |frame| {
            if frame.first > last {
                return ControlFlow::Break(());
            }
            if frame.last <= after {
                return ControlFlow::Continue(());
            }
            octets += frame.len;
            some.push((frame, frame.batches()));
            if octets < AT_ONCE_OCTETS {
                return ControlFlow::Continue(());
            }
            octets = 0;
            match to.send(std::mem::take(&mut some)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        let _ = to.send(some);
    }
}

/// How much of the journal is taken apart before it is handed over, and how often ahead of the one who makes the changes.
const AT_ONCE_OCTETS: usize = 64 << 10;
const READ_AHEAD: usize = 2;

type TakenApart<'a> = (Frame<'a>, Result<Vec<(u64, Batch)>, DecodeError>);

/// A change that was written down cannot be made.
pub(super) struct ReplayError {
    /// Of its frame.
    pub(super) offset: usize,
    pub(super) why: Refusal,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Change(#[from] StoreError),
}

fn replay_frame(
    view: &mut View,
    frame: &Frame<'_>,
    batches: Vec<(u64, Batch)>,
    last: u64,
    changed: &mut HashSet<Subject>,
) -> Result<(), Refusal> {
    for (first, batch) in batches {
        let end = first + batch.changes.len() as u64 - 1;
        if first <= view.sequence() || end > last {
            continue;
        }
        for change in &batch.changes {
            view.apply(change)?;
            changed.insert(change.subject());
        }
    }
    if view.sequence() == frame.last {
        view.set_position(frame.last, frame.chain);
    }
    Ok(())
}
