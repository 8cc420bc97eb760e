//! From what is on the disk to a view: the index or a snapshot, and what the journal has beyond it. Nothing on the disk
//! is changed here.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::error::{Damage, OpenError, io_error};
use super::head::Identity;
use super::index::{IndexError, LoadedIndex};
use super::journal::{Bad, LastSegment};
use super::key_file::MasterKeyError;
use super::notice::Notice;
use super::octets::DecodeError;
use super::packed::Packed;
use super::segment_file::{Refusal, ReplayError, SegmentFile};
use super::snapshot::{self, SnapshotError};
use super::state_dir::{Numbered, StateDir};
use super::{Keyring, View};
use crate::realm::principal::PrincipalId;

/// A point in the history of changes: the last change, and the checksum of its frame.
pub(super) type Position = (u64, u32);

/// Whose database it should be, and what opens its keys.
pub(super) struct Expected<'a> {
    pub(super) state: &'a StateDir,
    pub(super) keyring: &'a Arc<Keyring>,
    /// Where the keyring is from, for errors.
    pub(super) key_path: &'a Path,
    /// Nothing after this change is wanted, nor looked at.
    pub(super) until: Option<u64>,
}

/// What was found.
pub(super) struct Recovered {
    pub(super) view: View,
    pub(super) identity: Identity,
    pub(super) last_segment: LastSegment,
    /// The index, if the view is from it.
    pub(super) index: Option<LoadedIndex>,
    /// Who was changed beyond the index, or the snapshot.
    pub(super) changed: HashSet<PrincipalId>,
    pub(super) notices: Vec<Notice>,
    /// How much of a frame that was never finished follows the journal's last good one.
    pub(super) torn_octets: u64,
}

/// The database's identity, from the newest file that can be read.
pub(super) fn identity(state: &StateDir) -> Result<Identity, OpenError> {
    let mut first_error = None;
    for segment in state.segments()?.iter().rev() {
        match SegmentFile::read(segment, None) {
            Ok(file) => return Ok(file.head.identity),
            // What is wrong with it is found again where it is known what is before it.
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    let snapshots = state.snapshots()?;
    let mut heads = snapshots
        .iter()
        .rev()
        .filter_map(|snapshot| snapshot::read_head(&snapshot.path).ok());
    match (first_error, heads.next()) {
        (Some(_), Some((head, ..))) => Ok(head.identity),
        (Some(error), None) => Err(error),
        (None, _) => Err(no_journal(state, None)),
    }
}

/// That the keyring has the master key of a database or a dump.
pub(super) fn check_keyring(check: super::KeyCheck, keyring: &Keyring, path: &Path) -> Result<(), MasterKeyError> {
    match keyring.master(check.master) {
        None => Err(MasterKeyError::NotHeld {
            path: path.to_owned(),
            master: check.master,
        }),
        Some(master) if master.check() != check => Err(MasterKeyError::Wrong {
            path: path.to_owned(),
            master: check.master,
        }),
        Some(_) => Ok(()),
    }
}

/// That the keyring has every master key that keys are sealed under.
pub(super) fn check_masters(view: &View, path: &Path) -> Result<(), MasterKeyError> {
    let mut masters = view.packed().flat_map(Packed::masters);
    match masters.find(|master| view.keyring().master(*master).is_none()) {
        Some(master) => Err(MasterKeyError::NotHeld {
            path: path.to_owned(),
            master,
        }),
        None => Ok(()),
    }
}

/// Reads the database. `index` is what opening the index gave; `None` to do without.
pub(super) fn recover(
    expected: &Expected<'_>,
    index: Option<Result<LoadedIndex, IndexError>>,
) -> Result<Recovered, OpenError> {
    let identity = identity(expected.state)?;
    check_keyring(identity.check, expected.keyring, expected.key_path)?;
    let mut history = History {
        expected,
        segments: expected.state.segments()?,
        snapshots: expected.state.snapshots()?,
        identity,
        notices: Vec::new(),
    };
    history.recover(index)
}

struct History<'a> {
    expected: &'a Expected<'a>,
    segments: Vec<Numbered>,
    snapshots: Vec<Numbered>,
    identity: Identity,
    notices: Vec<Notice>,
}

/// How far the journal is good from some point on.
struct Scan {
    segment: LastSegment,
    torn_octets: u64,
    /// The checksum of the frame that the index says it ends with.
    index_chain: Option<u32>,
}

impl History<'_> {
    fn recover(&mut self, index: Option<Result<LoadedIndex, IndexError>>) -> Result<Recovered, OpenError> {
        let from_index = match index {
            Some(index) => self.use_index(index)?,
            None => None,
        };
        let (view, scan, index) = match from_index {
            Some((index, scan)) => (index.view.clone(), scan, Some(index)),
            None => {
                let view = self.load_snapshot()?;
                let scan = self.scan((view.sequence(), view.chain()), None)?;
                (view, scan, None)
            }
        };
        let (view, changed) = self.replay(view, scan.segment.extent.last)?;
        check_masters(&view, self.expected.key_path)?;
        let notices = std::mem::take(&mut self.notices);
        Ok(Recovered {
            view,
            identity: self.identity.clone(),
            last_segment: scan.segment,
            index,
            changed,
            notices,
            torn_octets: scan.torn_octets,
        })
    }

    /// The index, if it is a stage of this journal's history, and how far the journal is good.
    fn use_index(&mut self, index: Result<LoadedIndex, IndexError>) -> Result<Option<(LoadedIndex, Scan)>, OpenError> {
        let index = match index {
            // A database that was just made or loaded has none yet.
            Err(IndexError::Missing) => return Ok(None),
            Err(error) => return Ok(self.skip_index(error.to_string())),
            Ok(index) if index.realm != self.identity.realm || index.lineage != self.identity.lineage => {
                return Ok(self.skip_index(format!("it is of another database, of the realm {}", index.realm)));
            }
            Ok(index) => index,
        };
        // What the newest snapshot has need not be read from the journal, nor from the snapshot.
        let base = match self.snapshots.last() {
            None => (0, 0),
            Some(newest) => match snapshot::read_head(&newest.path) {
                Ok((head, ..)) if head.sequence <= index.view.sequence() => (head.sequence, head.chain),
                Ok(_) => return Ok(self.skip_index("it is older than the newest snapshot".into())),
                Err(error) => return Ok(self.skip_index(format!("the newest snapshot cannot be read: {error}"))),
            },
        };
        let position = (index.view.sequence(), index.view.chain());
        let scan = self.scan(base, Some(position))?;
        if position.0 > scan.segment.extent.last {
            let why = format!(
                "it has changes up to {}, the journal only up to {}",
                position.0, scan.segment.extent.last
            );
            return Ok(self.skip_index(why));
        }
        if scan.index_chain != Some(position.1) {
            return Ok(self.skip_index("it is of another history than the journal".into()));
        }
        Ok(Some((index, scan)))
    }

    /// The newest snapshot that can be read, or an empty view when the journal reaches back to the first change.
    fn load_snapshot(&mut self) -> Result<View, OpenError> {
        let mut first_error = None;
        for snapshot in self.snapshots.iter().rev() {
            if self.expected.until.is_some_and(|until| until < snapshot.number) {
                continue;
            }
            let loaded = snapshot::read_head(&snapshot.path)
                .and_then(|(head, ..)| snapshot::load(&snapshot.path, self.expected.keyring).map(|view| (head, view)));
            match loaded {
                Ok((head, _)) if !same_database(&head.identity, &self.identity) => {
                    return Err(OpenError::Foreign(snapshot.path.clone()));
                }
                Ok((_, view)) => return Ok(view),
                Err(
                    error @ (SnapshotError::Io(_)
                    | SnapshotError::Damaged {
                        why: DecodeError::Newer(..),
                        ..
                    }),
                ) => {
                    return Err(unreadable_snapshot(&snapshot.path, error));
                }
                Err(error) => {
                    self.notices.push(Notice::SnapshotDamaged {
                        file: snapshot.path.clone(),
                        why: error.to_string(),
                    });
                    first_error = first_error.or(Some((snapshot, error)));
                }
            }
        }
        match (self.segments.first(), first_error) {
            (Some(segment), _) if segment.number == 1 => Ok(View::empty(Arc::clone(self.expected.keyring))),
            (_, Some((snapshot, error))) => Err(unreadable_snapshot(&snapshot.path, error)),
            (first, None) => Err(no_journal(self.expected.state, first)),
        }
    }

    /// Reads the journal after `from`, to see how far it is good.
    fn scan(&self, from: Position, index: Option<Position>) -> Result<Scan, OpenError> {
        let until = self.expected.until.unwrap_or(u64::MAX);
        let mut at = from;
        let mut index_chain = index.filter(|index| index.0 == from.0).map(|_| from.1);
        let mut segments = self
            .segments
            .iter()
            .filter(|segment| segment.number > from.0)
            .peekable();
        loop {
            let Some(segment) = segments.next() else {
                return Err(no_journal(self.expected.state, None));
            };
            let is_last = segments.peek().is_none();
            let file = SegmentFile::read(segment, Some(at.0)).map_err(|error| match error {
                OpenError::Damaged(Damage {
                    file,
                    offset,
                    why,
                    good,
                    ..
                }) => Damage {
                    snapshot: self.snapshot_before(good),
                    file,
                    offset,
                    why,
                    good,
                }
                .into(),
                other => other,
            })?;
            if !same_database(&file.head.identity, &self.identity) {
                return Err(OpenError::Foreign(segment.path.clone()));
            }
            let damage = |offset, why: &str, good| self.damage(&segment.path, offset, why, Some(good));
            if (file.head.sequence, file.head.chain) != at || segment.number != at.0 + 1 {
                let why = format!(
                    "it begins with change {}, not with the one after {}",
                    segment.number, at.0
                );
                return Err(damage(0, &why, at.0));
            }
            let extent = file.extent(at, |frame| {
                if index.is_some_and(|index| index.0 == frame.last) {
                    index_chain = Some(frame.chain);
                }
            });
            at = (extent.last, extent.chain);
            if let Some(bad) = extent.bad
                && at.0 < until
            {
                let beyond = index.filter(|index| index.0 > at.0);
                match (bad, beyond) {
                    (Bad::Torn, None) if is_last => {}
                    (Bad::Damaged { next_good }, _) => {
                        let why = format!("a frame is bad, and a good one follows at {next_good}");
                        return Err(damage(extent.end, &why, at.0));
                    }
                    (Bad::Torn, Some((sequence, _))) if is_last => {
                        let why = format!(
                            "its last frame is bad, and was acknowledged: the index knows of change {sequence}"
                        );
                        return Err(damage(extent.end, &why, at.0));
                    }
                    (Bad::Torn, _) => {
                        return Err(damage(
                            extent.end,
                            "it ends in a bad frame, and the journal goes on",
                            at.0,
                        ));
                    }
                }
            }
            if is_last || at.0 >= until {
                let last = file.as_last(segment, extent);
                let torn_octets = file.octets_after(&extent);
                return Ok(Scan {
                    segment: last,
                    torn_octets,
                    index_chain,
                });
            }
        }
    }

    /// Applies what the journal has after the view, up to `last`.
    fn replay(&mut self, mut view: View, last: u64) -> Result<(View, HashSet<PrincipalId>), OpenError> {
        let mut changed = HashSet::new();
        let last = last.min(self.expected.until.unwrap_or(u64::MAX));
        let first = view.sequence() + 1;
        if last < first {
            return Ok((view, changed));
        }
        let begin = self
            .segments
            .partition_point(|segment| segment.number <= first)
            .saturating_sub(1);
        for segment in self.segments.iter().skip(begin) {
            if segment.number > last {
                break;
            }
            let file = SegmentFile::read(segment, Some(view.sequence()))?;
            file.replay(&mut view, last, &mut changed)
                .map_err(|error| match error {
                    ReplayError {
                        offset,
                        why: Refusal::Decode(why @ DecodeError::Newer(..)),
                    } => OpenError::Newer {
                        file: segment.path.clone(),
                        offset: offset as u64,
                        why,
                    },
                    ReplayError { offset, why } => {
                        let good = view.sequence();
                        let why = format!("change {} cannot be made again: {why}", good + 1);
                        self.damage(&segment.path, offset, &why, Some(good))
                    }
                })?;
        }
        self.notices.push(Notice::Replayed {
            first,
            last: view.sequence(),
        });
        Ok((view, changed))
    }

    fn skip_index<T>(&mut self, why: String) -> Option<T> {
        self.notices.push(Notice::IndexStale(why));
        None
    }

    fn damage(&self, file: &Path, offset: usize, why: &str, good: Option<u64>) -> OpenError {
        let snapshot = self.snapshot_before(good);
        Damage {
            file: file.to_owned(),
            offset: offset as u64,
            why: why.to_owned(),
            good,
            snapshot,
        }
        .into()
    }

    /// The newest snapshot that is not after the last good change.
    fn snapshot_before(&self, good: Option<u64>) -> u64 {
        let mut numbers = self.snapshots.iter().rev().map(|snapshot| snapshot.number);
        numbers
            .find(|number| good.is_some_and(|good| *number <= good))
            .unwrap_or(0)
    }
}

fn same_database(a: &Identity, b: &Identity) -> bool {
    a.realm == b.realm && a.lineage == b.lineage
}

pub(super) fn unreadable_snapshot(path: &Path, error: SnapshotError) -> OpenError {
    match error {
        SnapshotError::Io(error) => io_error("read", path)(error),
        SnapshotError::Damaged {
            offset,
            why: why @ DecodeError::Newer(..),
        } => OpenError::Newer {
            file: path.to_owned(),
            offset,
            why,
        },
        SnapshotError::Damaged { offset, why } => Damage {
            file: path.to_owned(),
            offset,
            why: why.to_string(),
            good: None,
            snapshot: 0,
        }
        .into(),
    }
}

fn no_journal(state: &StateDir, first: Option<&Numbered>) -> OpenError {
    let why = match first {
        None => "the journal is missing, or its end is".to_owned(),
        Some(first) => format!("changes before {} are missing", first.number),
    };
    Damage {
        file: state.journal(),
        offset: 0,
        why,
        good: None,
        snapshot: 0,
    }
    .into()
}
