use core::fmt;
use core::time::Duration;
use std::io;
use std::path::PathBuf;

use tessera_common::time::KerberosTime;

/// Why a file cannot serve as a replay cache.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayFileError {
    /// The system refused: no such directory, no room, no permission.
    Io {
        /// What was tried, as in "cannot read".
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is something else than a regular file in its place: a symbolic link, a directory.
    NotAFile(PathBuf),
    /// The file belongs to somebody else, who could make it forget.
    NotOurs(PathBuf),
    /// Others than its owner may write to it.
    Writable {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It was made for a smaller skew than is asked for, and so forgets too early.
    Window {
        /// Which file.
        path: PathBuf,
        /// For how long it remembers.
        has: Duration,
        /// For how long it would have to.
        wanted: Duration,
    },
    /// What it knew was lost: the file had been damaged. Nobody is let in until what it may have known has expired.
    Closed {
        /// Which file.
        path: PathBuf,
        /// From when on claims are taken again.
        until: KerberosTime,
    },
    /// Another process has held the lock for too long: it is stopped, or has died in some way that is not known.
    Busy(PathBuf),
    /// The file is being replaced again and again.
    Unsteady(PathBuf),
}

impl fmt::Display for ReplayFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { what, path, source } => write!(f, "{what} the replay cache {}: {source}", path.display()),
            Self::NotAFile(path) => write!(f, "the replay cache {} is not a regular file", path.display()),
            Self::NotOurs(path) => write!(
                f,
                "the replay cache {} belongs to somebody else; every user who runs services needs one of their own",
                path.display()
            ),
            Self::Writable { path, mode } => write!(
                f,
                "the replay cache {} may be written to by others (mode {mode:04o}); remove it, and it is made anew",
                path.display()
            ),
            Self::Window { path, has, wanted } => write!(
                f,
                "the replay cache {} remembers for {} seconds, and this service needs {}; remove it, and it is made anew",
                path.display(),
                has.as_secs(),
                wanted.as_secs()
            ),
            Self::Closed { path, until } => write!(
                f,
                "the replay cache {} was damaged and what it knew is lost; nobody is let in until {until}, unless it is removed",
                path.display()
            ),
            Self::Busy(path) => write!(
                f,
                "the replay cache {} is held locked by another process (lslocks shows which)",
                path.display()
            ),
            Self::Unsteady(path) => write!(
                f,
                "the replay cache {} is being replaced again and again",
                path.display()
            ),
        }
    }
}

impl core::error::Error for ReplayFileError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
