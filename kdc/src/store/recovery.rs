//! From what is on the disk to a view: a snapshot or the index, and what the journal has beyond it. Nothing on the disk
//! is changed here.
//!
//! A snapshot is read several times as fast as the index, and each change in the journal takes longer than a principal in
//! either. So a start begins at the newest snapshot, unless the journal has outgrown it ([`History::by_index`]); the index
//! is opened beside that, to see how far it is, and is gone on with if it is a stage of the same history. Only its meta
//! record is read then. Whatever else is wrong with it is found when it is written to, by `kdc verify`, or by the start
//! that does read it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::error::{Damage, OpenError, io_error};
use super::head::Identity;
use super::index::{Index, IndexError, Meta, OpenIndex};
use super::journal::{Bad, LastSegment};
use super::key_file::MasterKeyError;
use super::notice::Notice;
use super::octets::DecodeError;
use super::packed::Packed;
use super::segment_file::{Refusal, ReplayError, SegmentFile};
use super::snapshot::{self, SnapshotError};
use super::state_dir::{Numbered, StateDir};
use super::{Keyring, Subject, View};

/// A point in the history of changes: the last change, and the checksum of its frame.
pub(super) type Position = (u64, u32);

/// Whose database it should be, and what opens its keys.
pub(super) struct Expected<'a> {
    pub(super) state: &'a StateDir,
    pub(super) keyring: &'a Arc<Keyring>,
    /// Whether that has to be right.
    pub(super) sealed: Sealed,
    /// Where the keyring is from, for errors.
    pub(super) key_path: &'a Path,
    /// Nothing after this change is wanted, nor looked at.
    pub(super) until: Option<u64>,
}

/// Whether a database is of use whose keys do not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// Its master keys have to be in the keyring.
    Opens,
    /// They are lost, and nothing is to be opened.
    Lost,
}

/// What was found.
pub(super) struct Recovered {
    pub(super) view: View,
    pub(super) identity: Identity,
    pub(super) last_segment: LastSegment,
    /// The index, if it can be gone on with.
    pub(super) index: Option<Index>,
    /// What was changed beyond it.
    pub(super) changed: HashSet<Subject>,
    pub(super) notices: Vec<Notice>,
    /// How much of a frame that was never finished follows the journal's last good one.
    pub(super) torn_octets: u64,
}

/// What is done with the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexUse {
    /// It is not looked at.
    None,
    /// It is found out how far it is, and what is in it is read if that is the shorter way.
    AsNeeded,
    /// All that is in it is read, if it is of any use.
    Contents,
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
    let is_missing = |master: &u32| view.keyring().master(*master).is_none();
    if !view.masters().any(|master| is_missing(&master)) {
        return Ok(());
    }
    // That key may have been sealed anew since.
    let mut masters = view.packed().flat_map(Packed::masters);
    match masters.find(is_missing) {
        Some(master) => Err(MasterKeyError::NotHeld {
            path: path.to_owned(),
            master,
        }),
        None => Ok(()),
    }
}

/// Reads the database.
pub(super) fn recover(expected: &Expected<'_>, index: IndexUse) -> Result<Recovered, OpenError> {
    let identity = identity(expected.state)?;
    if expected.sealed == Sealed::Opens {
        check_keyring(identity.check, expected.keyring, expected.key_path)?;
    }
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

/// What a start begins with.
struct Start {
    view: View,
    /// How far the journal is good.
    scan: Scan,
    /// An index that is a stage of the same history.
    index: Option<OpenIndex>,
}

impl History<'_> {
    fn recover(&mut self, index: IndexUse) -> Result<Recovered, OpenError> {
        let start = self.start(index)?;
        self.complete(start)
    }

    fn start(&mut self, index: IndexUse) -> Result<Start, OpenError> {
        let mut opening = match index {
            IndexUse::None => None,
            IndexUse::AsNeeded | IndexUse::Contents => Some(Index::open(&self.expected.state.index())),
        };
        if (index == IndexUse::Contents || self.by_index())
            && let Some(opening) = opening.take()
            && let Some(index) = self.own_index(opening.wait())
            && let Some(start) = self.read_index(index)?
        {
            return Ok(start);
        }
        // The two take their time beside one another.
        let view = self.load_snapshot();
        let index = opening.and_then(|opening| self.own_index(opening.wait()));
        let view = view?;
        let (index, scan) = self.fit_index(index, (view.sequence(), view.chain()))?;
        Ok(Start { view, scan, index })
    }

    /// Whether the index is the shorter way to the view than the newest snapshot: when there is more in the journal after
    /// the snapshot than in the snapshot. While snapshots are made as they should be, that is so only for a realm that is so small
    /// that it does not matter, or that has none yet.
    fn by_index(&self) -> bool {
        let newest = self.snapshots.last();
        let after = newest.map_or(0, |newest| newest.number);
        let journal = self.segments.iter().filter(|segment| segment.number > after);
        journal.map(Numbered::octets).sum::<u64>() > newest.map_or(0, Numbered::octets)
    }

    /// An index that is this database's.
    fn own_index(&mut self, index: Result<OpenIndex, IndexError>) -> Option<OpenIndex> {
        match index {
            // A database that was just made or loaded has none yet.
            Err(IndexError::Missing) => None,
            Err(error) => self.skip_index(None, error.to_string()),
            Ok(index) if (&index.meta.realm, &index.meta.lineage) != (&self.identity.realm, &self.identity.lineage) => {
                let why = format!("it is of another database, of the realm {}", index.meta.realm);
                self.skip_index(Some(index), why)
            }
            Ok(index) => Some(index),
        }
    }

    /// A start with all that is in the index, if it is a stage of this journal's history.
    fn read_index(&mut self, index: OpenIndex) -> Result<Option<Start>, OpenError> {
        // What the newest snapshot has need not be read from the journal, nor from the snapshot.
        let base = match self.snapshots.last() {
            None => (0, 0),
            Some(newest) => match snapshot::read_head(&newest.path) {
                Ok((head, ..)) => (head.sequence, head.chain),
                Err(error) => {
                    let why = format!("the newest snapshot cannot be read: {error}");
                    return Ok(self.skip_index(Some(index), why));
                }
            },
        };
        let (index, scan) = self.fit_index(Some(index), base)?;
        let Some(index) = index else {
            return Ok(None);
        };
        match index.load(self.expected.keyring) {
            Ok((index, view)) => Ok(Some(Start {
                view,
                scan,
                index: Some(index),
            })),
            Err(error) => Ok(self.skip_index(None, error.to_string())),
        }
    }

    /// The index, if it is a stage of this journal's history after `base`, and how far the journal is good.
    fn fit_index(&mut self, index: Option<OpenIndex>, base: Position) -> Result<(Option<OpenIndex>, Scan), OpenError> {
        let index = match index {
            Some(index) if index.meta.sequence < base.0 => {
                self.skip_index(Some(index), "it is older than the newest snapshot".into())
            }
            other => other,
        };
        let position = index.as_ref().map(|index| (index.meta.sequence, index.meta.chain));
        let scan = self.scan(base, position)?;
        let last = scan.segment.extent.last;
        let index = match (index, position) {
            (Some(index), Some((sequence, _))) if sequence > last => {
                let why = format!("it has changes up to {sequence}, the journal only up to {last}");
                self.skip_index(Some(index), why)
            }
            (Some(index), Some((_, chain))) if scan.index_chain != Some(chain) => {
                self.skip_index(Some(index), "it is of another history than the journal".into())
            }
            (index, _) => index,
        };
        Ok((index, scan))
    }

    /// Makes what the journal has after the start again.
    fn complete(&mut self, start: Start) -> Result<Recovered, OpenError> {
        let Start { mut view, scan, index } = start;
        let before = view.sequence();
        let last = scan.segment.extent.last.min(self.expected.until.unwrap_or(u64::MAX));
        let mut changed = HashSet::new();
        let index = match index {
            // Where the index is, it says of itself what is true there; what is not in it yet comes after that.
            Some(index) => {
                self.replay(&mut view, index.meta.sequence, &mut changed)?;
                changed.clear();
                if says_what_is(&index.meta, &view) {
                    Some(index)
                } else {
                    self.skip_index(Some(index), IndexError::Disagrees.to_string())
                }
            }
            None => None,
        };
        self.replay(&mut view, last, &mut changed)?;
        if view.sequence() > before {
            self.notices.push(Notice::Replayed {
                first: before + 1,
                last: view.sequence(),
            });
        }
        if self.expected.sealed == Sealed::Opens {
            check_masters(&view, self.expected.key_path)?;
        }
        let notices = std::mem::take(&mut self.notices);
        Ok(Recovered {
            view,
            identity: self.identity.clone(),
            last_segment: scan.segment,
            index: index.map(|OpenIndex { index, .. }| index),
            changed,
            notices,
            torn_octets: scan.torn_octets,
        })
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

    /// Applies what the journal has after the view, up to `last`, and notes what it is about.
    fn replay(&self, view: &mut View, last: u64, changed: &mut HashSet<Subject>) -> Result<(), OpenError> {
        let first = view.sequence() + 1;
        if last < first {
            return Ok(());
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
            file.replay(view, last, changed).map_err(|error| match error {
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
        Ok(())
    }

    fn skip_index<T>(&mut self, index: Option<OpenIndex>, why: String) -> Option<T> {
        if let Some(index) = index {
            index.discard();
        }
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

/// Whether an index says of itself what is true of the view at the same change.
fn says_what_is(meta: &Meta, view: &View) -> bool {
    (meta.sequence, meta.count, meta.digest) == (view.sequence(), view.len() as u64, view.digest())
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
