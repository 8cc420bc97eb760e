use core::fmt;
use std::io;
use std::path::PathBuf;

use tessera_common::ccache::{self, CacheNameError};
use tessera_common::name::Principal;

/// Why a cache or a collection could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum CacheError {
    /// There is no such file.
    NotFound(PathBuf),
    /// The system refused.
    Io {
        /// What was tried, as in "cannot read".
        what: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is no cache, or a damaged one.
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: ccache::CacheError,
    },
    /// The name is not that of a cache.
    Name(CacheNameError),
    /// There is no file of that kind where a cache should be: a directory, a device.
    NotAFile(PathBuf),
    /// The file belongs to somebody else, who could read what would be written to it.
    NotOurs(PathBuf),
    /// A new cache can only be made in a collection.
    NoCollection,
    /// No cache of the collection is of this principal.
    NoneOf(Principal),
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(path) => write!(f, "No credentials cache found (filename: {})", path.display()),
            Self::Io { what, path, source } => write!(f, "{what} {}: {source}", path.display()),
            Self::Format { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Name(why) => write!(f, "{why}"),
            Self::NotAFile(path) => write!(f, "{} is not a regular file", path.display()),
            Self::NotOurs(path) => {
                write!(
                    f,
                    "{} belongs to another user; name another cache with -c or KRB5CCNAME",
                    path.display()
                )
            }
            Self::NoCollection => {
                f.write_str("a single file holds one cache; name a collection, as in KRB5CCNAME=DIR:/path/to/directory")
            }
            Self::NoneOf(principal) => write!(f, "Can't find client principal {principal} in cache collection"),
        }
    }
}

impl core::error::Error for CacheError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Format { source, .. } => Some(source),
            Self::Name(source) => Some(source),
            _ => None,
        }
    }
}

impl From<CacheNameError> for CacheError {
    fn from(why: CacheNameError) -> Self {
        Self::Name(why)
    }
}
