//! The changes that the journal still has, for whoever wants to know what happened, or to go back to before it.

use std::collections::HashMap;
use std::ops::ControlFlow;

use tessera_common::name::Name;

use super::error::OpenError;
use super::segment_file::SegmentFile;
use super::snapshot::SnapshotReader;
use super::state_dir::StateDir;
use super::{Author, Change, encoding};
use crate::realm::access_record::AccessKey;
use crate::realm::principal::PrincipalId;

/// One change, as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its sequence number, which is the revision that it gave to what it is about.
    pub sequence: u64,
    /// By whom, and when.
    pub author: Author,
    /// What became of it.
    pub what: Happened,
    /// Of what.
    pub about: About,
}

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A principal; `None` when it was removed, and what was known of it is not in the journal any more.
    Principal(Option<Name>),
    /// A role or a rule.
    Access(AccessKey),
}

/// What became of a principal, a role or a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It was made.
    Added,
    /// Its record was replaced.
    Changed,
    /// It is no more.
    Removed,
}

impl Happened {
    /// In one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// Tells `visit` of every change in the journal, the oldest first, until it wants no more. A frame that is bad ends it: what
/// is wrong there, `verify` tells.
pub(super) fn read(state: &StateDir, mut visit: impl FnMut(Event) -> ControlFlow<()>) -> Result<(), OpenError> {
    let mut names = names_before(state);
    for segment in state.segments()? {
        let file = SegmentFile::read(&segment, None)?;
        let mut flow = ControlFlow::Continue(());
        file.extent(file.before(), |frame| {
            for (first, batch) in frame.batches().unwrap_or_default() {
                for (sequence, change) in (first..).zip(batch.changes) {
                    if flow.is_continue() {
                        let (what, about) = describe(change, &mut names);
                        flow = visit(Event {
                            sequence,
                            author: batch.author.clone(),
                            what,
                            about,
                        });
                    }
                }
            }
        });
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

fn describe(change: Change, names: &mut HashMap<PrincipalId, Name>) -> (Happened, About) {
    let put = |expected: Option<u64>| match expected {
        None => Happened::Added,
        Some(_) => Happened::Changed,
    };
    match change {
        Change::Put { expected, record } => {
            names.insert(record.id, record.name.clone());
            (put(expected), About::Principal(Some(record.name)))
        }
        Change::Remove { id, .. } => (Happened::Removed, About::Principal(names.remove(&id))),
        Change::Declare { expected, record } => (put(expected), About::Access(record.key())),
        Change::Withdraw { key, .. } => (Happened::Removed, About::Access(key)),
    }
}

/// Who there was before the oldest segment. Without them, only those who were removed first have no name.
fn names_before(state: &StateDir) -> HashMap<PrincipalId, Name> {
    let mut names = HashMap::new();
    let oldest = state
        .snapshots()
        .ok()
        .and_then(|snapshots| snapshots.into_iter().next());
    let Some(Ok(mut reader)) = oldest.map(|snapshot| SnapshotReader::open(&snapshot.path)) else {
        return names;
    };
    while let Ok(Some(entry)) = reader.next_entry() {
        if let Ok(record) = encoding::read_record(&entry.record, entry.revision) {
            names.insert(record.id, record.name);
        }
    }
    names
}
