//! Why a database cannot be opened, read or made.

use std::io;
use std::path::{Path, PathBuf};

use tessera_common::name::Realm;

use super::key_file::MasterKeyError;
use super::octets::DecodeError;

/// Why a database was not opened. Nothing of it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the state directory {} is in use{}; stop that one first, or give this one a state directory of its own",
        .path.display(),
        .pid.map_or_else(String::new, |pid| format!(" by process {pid}"))
    )]
    InUse {
        /// The state directory.
        path: PathBuf,
        /// The process.
        pid: Option<u32>,
    },
    /// The database is another realm's.
    #[error("the state directory {} holds the realm {found}, not {expected}", .path.display())]
    OtherRealm {
        /// The state directory.
        path: PathBuf,
        /// Whose it is.
        found: Realm,
        /// Whose it should be.
        expected: Realm,
    },
    /// A file of another database lies among this one's.
    #[error("{} belongs to another database than the files beside it; whoever put it there should take it away", .0.display())]
    Foreign(PathBuf),
    /// There is no database where one is expected.
    #[error("there is no database in {}", .0.display())]
    NoDatabase(PathBuf),
    /// There is something where a new database should be.
    #[error("{} is not empty; a database is loaded only where there is none", .0.display())]
    NotEmpty(PathBuf),
    /// A database is not complete.
    #[error(
        "the database in {} is not complete: it was not loaded to the end, or its file realm was taken away; to load \
         again, empty the directory but for its master.key",
        .0.display()
    )]
    Unfinished(PathBuf),
    /// The master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// A file of the database is damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// A file was written by a newer version of this program.
    #[error("{} at offset {offset}: {why}; use that version, or a dump that it made", .file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Where.
        offset: u64,
        /// What is newer.
        why: DecodeError,
    },
    /// A dump does not say what it should.
    #[error("{}, line {line}: {why}", .file.display())]
    Dump {
        /// The dump.
        file: PathBuf,
        /// From 1 on.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// The system refuses.
    #[error("cannot {what} {}: {error}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Damage that a crash does not explain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} is damaged at offset {offset}: {why}. Nothing was changed. {}",
    .file.display(),
    restore(*.good, *.snapshot)
)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where the damage begins.
    pub offset: u64,
    /// What it is.
    pub why: String,
    /// The last change before the damage; `None` when nothing can be had without the damaged file.
    pub good: Option<u64>,
    /// The snapshot that those changes can be had from, with the journal behind it; 0 for the journal alone.
    pub snapshot: u64,
}

fn restore(good: Option<u64>, snapshot: u64) -> String {
    let Some(good) = good else {
        return "Put the file back from a copy of the state directory, or make a realm of a dump in an empty one: kdc load \
                FILE."
            .into();
    };
    let source = match snapshot {
        0 => "the journal before the damage".to_owned(),
        snapshot if snapshot == good => format!("snapshot {snapshot}"),
        snapshot => format!("snapshot {snapshot} and the journal before the damage"),
    };
    format!(
        "Everything up to change {good} is in {source}: kdc dump --until {good} FILE, then kdc load FILE into an empty \
         state directory with the same master.key. A copy of the damaged file may give back the rest."
    )
}

/// For `map_err`: what was tried, on what.
pub(super) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |error| OpenError::Io {
        what,
        path: path.to_owned(),
        error,
    }
}
