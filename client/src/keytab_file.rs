//! Keytabs on disk.

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use tessera_common::keytab::{self, Keytab};
use zeroize::Zeroizing;

/// Where a keytab is, as `KRB5_KTNAME`, `-t` and `default_keytab_name` name it: `FILE:path`, or a path alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeytabFile {
    path: PathBuf,
}

/// Why a keytab could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeytabError {
    /// A type other than FILE.
    UnknownType(String),
    /// The file cannot be read.
    Io {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no key in the file.
    Empty(PathBuf),
    /// The file is no keytab, or a damaged one.
    Format {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: keytab::KeytabError,
    },
}

impl KeytabFile {
    /// Reads a name.
    ///
    /// # Errors
    /// [`KeytabError::UnknownType`].
    pub fn named(name: &str) -> Result<Self, KeytabError> {
        let path = match name.split_once(':') {
            Some(("FILE" | "WRFILE", path)) => path,
            Some((kind, _)) if !name.starts_with('/') => return Err(KeytabError::UnknownType(kind.to_owned())),
            _ => name,
        };
        Ok(Self { path: path.into() })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`KeytabError`].
    pub fn load(&self) -> Result<Keytab, KeytabError> {
        let octets = std::fs::read(&self.path);
        let octets = Zeroizing::new(octets.map_err(|source| KeytabError::Io {
            path: self.path.clone(),
            source,
        })?);
        Keytab::parse(&octets).map_err(|source| KeytabError::Format {
            path: self.path.clone(),
            source,
        })
    }
}

/// `FILE:path`.
impl fmt::Display for KeytabFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FILE:{}", self.path.display())
    }
}

impl fmt::Display for KeytabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(kind) => write!(f, "keytabs of type {kind} are not supported; use FILE:path"),
            Self::Io { path, source } if source.kind() == io::ErrorKind::NotFound => {
                write!(f, "Key table file '{}' not found", path.display())
            }
            Self::Io { path, source } => write!(f, "cannot read the keytab {}: {source}", path.display()),
            Self::Empty(path) => write!(f, "the keytab {} is empty", path.display()),
            Self::Format { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl core::error::Error for KeytabError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::UnknownType(_) | Self::Empty(_) => None,
            Self::Io { source, .. } => Some(source),
            Self::Format { source, .. } => Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keytabs_are_named_in_these_ways() {
        for (name, path) in [
            ("FILE:/etc/kt", "/etc/kt"),
            ("/etc/k:t", "/etc/k:t"),
            ("WRFILE:kt", "kt"),
            ("kt", "kt"),
        ] {
            assert_eq!(KeytabFile::named(name).unwrap().path(), Path::new(path));
        }
        assert!(matches!(
            KeytabFile::named("MEMORY:x"),
            Err(KeytabError::UnknownType(_))
        ));
    }
}
