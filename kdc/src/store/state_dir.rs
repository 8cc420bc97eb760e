//! The directory that holds a database, and the right to change it.
//!
//! ```text
//! lock         held by the process that has the database open; its number is in it
//! realm        the realm's name: written last when a database is made, so that one without it is not complete
//! master.key   unless it comes as a credential
//! journal/     the truth
//! snapshot/    what need not be read from the journal any more
//! index/       can be made anew from these two
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tessera_common::name::Realm;

use super::error::{OpenError, io_error};
use super::{atomic_file, journal, snapshot};

/// Where the parts of a database are.
#[derive(Clone, Debug)]
pub(super) struct StateDir {
    pub(super) path: PathBuf,
}

/// The right to change what is in a state directory. It ends with the process, or when it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

/// The process number is taken out: it means nothing any more.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

/// A file and the sequence number that it is named after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    pub(super) number: u64,
    pub(super) path: PathBuf,
}

impl Numbered {
    /// How large it is; 0 if that cannot be told.
    pub(super) fn octets(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }
}

impl StateDir {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    pub(super) fn snapshot(&self) -> PathBuf {
        self.path.join("snapshot")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.path.join("index")
    }

    /// Makes the directory, for its owner alone, if it is not there, and takes the right to change it.
    pub(super) fn lock(&self) -> Result<Lock, OpenError> {
        make_directory(&self.path)?;
        let path = self.path.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(io_error("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Whoever has it may not have written its number yet.
                let _ = file.take(32).read_to_string(&mut pid);
                return Err(OpenError::InUse {
                    path: self.path.clone(),
                    pid: pid.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
        }
        let number = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        number.map_err(io_error("write", &path))?;
        Ok(Lock { file })
    }

    /// Whose database it is; `None` when there is none, or none that is complete.
    pub(super) fn realm(&self) -> Result<Option<Realm>, OpenError> {
        let path = self.path.join("realm");
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read", &path)(error)),
            Ok(text) => match Realm::new(text.trim_end_matches('\n')) {
                Ok(realm) => Ok(Some(realm)),
                Err(error) => Err(io_error("read", &path)(io::Error::other(error))),
            },
        }
    }

    /// Says whose database it is: from now on it is complete.
    pub(super) fn set_realm(&self, realm: &Realm) -> Result<(), OpenError> {
        let path = self.path.join("realm");
        atomic_file::write(&path, format!("{}\n", realm.as_str()).as_bytes()).map_err(io_error("write", &path))
    }

    /// Makes the directories within.
    pub(super) fn make_directories(&self) -> Result<(), OpenError> {
        [self.journal(), self.snapshot()]
            .iter()
            .try_for_each(|path| make_directory(path))?;
        atomic_file::sync_directory(&self.path).map_err(io_error("write", &self.path))
    }

    /// The segments of the journal, in ascending order of their first changes.
    pub(super) fn segments(&self) -> Result<Vec<Numbered>, OpenError> {
        numbered(&self.journal(), journal::segment_first)
    }

    /// The snapshots, in ascending order of their last changes.
    pub(super) fn snapshots(&self) -> Result<Vec<Numbered>, OpenError> {
        numbered(&self.snapshot(), snapshot::snapshot_sequence)
    }

    /// Renames a file that is of no use, so that it is found but not taken for one that is.
    pub(super) fn set_aside(&self, file: &Path) -> Result<(), OpenError> {
        let mut name = file.as_os_str().to_owned();
        name.push(".damaged");
        fs::rename(file, &name).map_err(io_error("rename", file))?;
        atomic_file::sync_directory(&self.path).map_err(io_error("write", &self.path))
    }

    /// Removes what crashes have left of files that were being written.
    pub(super) fn remove_incomplete(&self) -> Result<(), OpenError> {
        for directory in [&self.path, &self.journal(), &self.snapshot()] {
            for path in entries(directory)?
                .iter()
                .filter(|path| atomic_file::is_temporary(path))
            {
                fs::remove_file(path).map_err(io_error("remove", path))?;
            }
        }
        Ok(())
    }
}

fn make_directory(path: &Path) -> Result<(), OpenError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io_error("make the directory", path))
}

fn numbered(directory: &Path, number: fn(&Path) -> Option<u64>) -> Result<Vec<Numbered>, OpenError> {
    let mut found: Vec<_> = entries(directory)?
        .into_iter()
        .filter_map(|path| {
            Some(Numbered {
                number: number(&path)?,
                path,
            })
        })
        .collect();
    found.sort_unstable_by_key(|file| file.number);
    Ok(found)
}

/// What is in a directory; nothing if it is not there.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let list = || {
        fs::read_dir(directory)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    };
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(io_error("read the directory", directory)),
    }
}
