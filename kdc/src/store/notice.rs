//! What the store tells its operator without being asked.

use core::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::Rollover;

/// Something that an operator should find in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A master key was made.
    MasterKeyMade(PathBuf),
    /// The file with the master keys was lost, and is written anew.
    MasterKeyRestored(PathBuf),
    /// There is no file with the master keys, which the keys in a dump are sealed under.
    MasterKeyLost(PathBuf),
    /// Another master key seals.
    MasterKeyChanged(Rollover),
    /// A change of the master key that was begun cannot be finished now, for this reason.
    MasterKeyUnchanged(String),
    /// A new database was made.
    DatabaseMade(PathBuf),
    /// The journal ended in a frame that was never finished; it was cut off. Nothing of it had been acknowledged.
    TornFrameCut {
        /// The segment.
        file: PathBuf,
        /// Where the frame began.
        offset: u64,
        /// How much was cut off.
        octets: u64,
        /// The last change that is there.
        last: u64,
    },
    /// Changes that the index or the snapshot did not have were taken from the journal.
    Replayed {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// The index cannot be used, for this reason; it is made anew while requests are served.
    IndexStale(String),
    /// The index is made anew and complete.
    IndexRebuilt {
        /// With how many principals.
        principals: usize,
    },
    /// A snapshot cannot be used; the one before it and the journal hold the same.
    SnapshotDamaged {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A snapshot was made.
    SnapshotMade {
        /// The last change in it.
        sequence: u64,
        /// How many principals.
        principals: u64,
    },
    /// No snapshot could be made; the journal goes on growing.
    SnapshotFailed(String),
    /// The journal could not be written, for this reason. Changes are refused, requests are served.
    Unwritable(String),
    /// The journal can be written again.
    WritableAgain,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MasterKeyMade(path) => write!(
                f,
                "a new master key is in {}; keep a copy of it apart from the database: without it, nothing in the \
                 database can be used",
                path.display()
            ),
            Self::MasterKeyRestored(path) => write!(
                f,
                "{} was gone; the master keys in force are in a new one; keep a copy of it apart from the database",
                path.display()
            ),
            Self::MasterKeyLost(path) => write!(
                f,
                "there is no {}: unless it is found, what was dumped is of use with `kdc load --without-keys` only",
                path.display()
            ),
            Self::MasterKeyChanged(rollover) => f.write_str(&rollover.sentences().join("; ")),
            Self::MasterKeyUnchanged(why) => write!(f, "the change of the master key is not finished: {why}"),
            Self::DatabaseMade(path) => write!(f, "a new database is in {}", path.display()),
            Self::TornFrameCut {
                file,
                offset,
                octets,
                last,
            } => write!(
                f,
                "{} ended in a frame that was never finished; {octets} octets from {offset} on were cut off; the last \
                 change is {last}",
                file.display()
            ),
            Self::Replayed { first, last } => write!(f, "changes {first} to {last} were taken from the journal"),
            Self::IndexStale(why) => write!(f, "the index is made anew: {why}"),
            Self::IndexRebuilt { principals } => write!(f, "the index is complete, with {principals} principals"),
            Self::SnapshotDamaged { file, why } => {
                write!(
                    f,
                    "the snapshot {} cannot be used ({why}); the one before it is",
                    file.display()
                )
            }
            Self::SnapshotMade { sequence, principals } => {
                write!(
                    f,
                    "a snapshot of {principals} principals was made, up to change {sequence}"
                )
            }
            Self::SnapshotFailed(why) => write!(f, "no snapshot could be made: {why}"),
            Self::Unwritable(why) => {
                write!(
                    f,
                    "the journal cannot be written: {why}; changes are refused, requests are served"
                )
            }
            Self::WritableAgain => f.write_str("the journal can be written again"),
        }
    }
}

/// Who is told.
pub type Report = Arc<dyn Fn(Notice) + Send + Sync>;
