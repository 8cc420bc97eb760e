//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// A file, readable by its owner alone, that takes its name only when it is complete and on the disk. Dropped before, it
/// leaves nothing behind.
pub(super) struct AtomicFile {
    file: BufWriter<File>,
    path: PathBuf,
    temporary: PathBuf,
    committed: bool,
}

impl AtomicFile {
    /// Begins a file that is to be `path`.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let temporary = temporary(path)?;
        // What a crash has left of an earlier one is of no use to anybody.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 16, file),
            path: path.to_owned(),
            temporary,
            committed: false,
        })
    }

    /// Makes it durable and gives it its name, in place of what had the name before.
    pub(super) fn commit(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        self.committed = true;
        sync_directory(parent(&self.path))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.committed {
            // It failed already; the next attempt removes what is left.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Writes a whole file at once.
pub(crate) fn write(path: &Path, octets: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    // Past the buffer: it may be a key, and there should be no copy of it.
    file.file.get_mut().write_all(octets)?;
    file.commit()
}

/// The same, with this user's and group's file as the result.
pub(super) fn write_for(path: &Path, octets: &[u8], (uid, gid): (u32, u32)) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    let made = file.file.get_ref().metadata()?;
    if (made.uid(), made.gid()) != (uid, gid) {
        fchown(file.file.get_ref(), Some(uid), Some(gid))?;
    }
    file.file.get_mut().write_all(octets)?;
    file.commit()
}

/// Makes durable which files a directory has.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether a file in one of the store's directories is one that was never completed.
pub(super) fn is_temporary(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "incomplete")
}

fn temporary(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(".incomplete");
    Ok(path.with_file_name(name))
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(directory.path().join("file.incomplete"), "left by a crash").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        write(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }
}
