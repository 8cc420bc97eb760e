use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use tessera_common::ccache::{CacheName, CredentialCache, Entry};
use zeroize::Zeroizing;

use super::{CacheError, replace_file};

// More than any cache in use; a file beyond it is none.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// One credential cache in a file.
///
/// Reading and adding an entry take the same locks as MIT's programs do. Writing a whole cache replaces the file at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheFile {
    name: CacheName,
    path: PathBuf,
}

impl CacheFile {
    // `name` is of one file, not of a collection.
    pub(super) fn new(name: CacheName, path: PathBuf) -> Self {
        Self { name, path }
    }

    /// The name that leads back here: `FILE:path`, or `DIR::path` for a cache of a collection.
    #[must_use]
    pub fn name(&self) -> &CacheName {
        &self.name
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`CacheError::NotFound`] when there is none, [`CacheError::Format`] when it is none, [`CacheError::Io`].
    pub fn load(&self) -> Result<CredentialCache, CacheError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(CacheError::NotFound(self.path.clone())),
            Err(e) => return Err(self.io("cannot open", e)),
        };
        let metadata = file.metadata().map_err(|e| self.io("cannot read", e))?;
        if !metadata.is_file() {
            return Err(CacheError::NotAFile(self.path.clone()));
        }
        lock(&file, libc::F_RDLCK).map_err(|e| self.io("cannot lock", e))?;
        // Large enough at once: growing would leave copies of keys behind.
        let room = usize::try_from(metadata.len().min(MAX_FILE)).unwrap_or_default() + 4096;
        let mut octets = Zeroizing::new(Vec::with_capacity(room));
        let read = (&mut file).take(MAX_FILE).read_to_end(&mut octets);
        read.map_err(|e| self.io("cannot read", e))?;
        CredentialCache::parse(&octets).map_err(|source| CacheError::Format {
            path: self.path.clone(),
            source,
        })
    }

    /// Writes it, in place of what is there.
    ///
    /// # Errors
    /// [`CacheError::Io`]; what was there is then as it was.
    pub fn store(&self, cache: &CredentialCache) -> Result<(), CacheError> {
        replace_file(&self.path, &cache.to_bytes()).map_err(|e| self.io("cannot write", e))
    }

    /// Adds an entry at the end.
    ///
    /// # Errors
    /// [`CacheError::NotFound`] when there is no cache, [`CacheError::NotOurs`], [`CacheError::Format`] when it is not one that
    /// can be added to, [`CacheError::Io`].
    pub fn append(&self, entry: &Entry) -> Result<(), CacheError> {
        let mut file = self.open_locked()?;
        let metadata = file.metadata().map_err(|e| self.io("cannot read", e))?;
        if !metadata.is_file() {
            return Err(CacheError::NotAFile(self.path.clone()));
        }
        if metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(CacheError::NotOurs(self.path.clone()));
        }
        let mut version = [0; 2];
        file.rewind()
            .and_then(|()| file.read_exact(&mut version))
            .map_err(|e| self.io("cannot read", e))?;
        if version != [5, 4] {
            // An entry of this version does not fit behind those of another: write the whole anew.
            drop(file);
            let mut cache = self.load()?;
            cache.entries.push(entry.clone());
            return self.store(&cache);
        }
        file.write_all(&entry.to_bytes())
            .map_err(|e| self.io("cannot write", e))
    }

    /// Removes the file, after overwriting what is in it.
    ///
    /// # Errors
    /// [`CacheError::NotFound`], [`CacheError::Io`].
    pub fn destroy(&self) -> Result<(), CacheError> {
        let wiped = OpenOptions::new().write(true).open(&self.path).and_then(|mut file| {
            let metadata = file.metadata()?;
            // A file with other names, too, is not only ours to wipe.
            if metadata.is_file() && metadata.nlink() == 1 {
                let zeros = vec![0; usize::try_from(metadata.len().min(MAX_FILE)).unwrap_or_default()];
                file.write_all(&zeros)?;
            }
            Ok(())
        });
        // Whether or not it could be overwritten, it shall go.
        match fs::remove_file(&self.path) {
            Ok(()) => wiped.map_err(|e| self.io("removed, but could not overwrite,", e)),
            Err(e) if e.kind() == ErrorKind::NotFound => Err(CacheError::NotFound(self.path.clone())),
            Err(e) => Err(self.io("cannot remove", e)),
        }
    }

    // Opened to add to, and locked. Whoever replaced the file in between left us with the lock of one that nobody sees any
    // more.
    fn open_locked(&self) -> Result<File, CacheError> {
        loop {
            let file = match OpenOptions::new().read(true).append(true).open(&self.path) {
                Ok(file) => file,
                Err(e) if e.kind() == ErrorKind::NotFound => return Err(CacheError::NotFound(self.path.clone())),
                Err(e) => return Err(self.io("cannot open", e)),
            };
            lock(&file, libc::F_WRLCK).map_err(|e| self.io("cannot lock", e))?;
            let ours = file.metadata().map_err(|e| self.io("cannot read", e))?;
            match fs::metadata(&self.path) {
                Ok(theirs) if (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino()) => return Ok(file),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::NotFound => return Err(CacheError::NotFound(self.path.clone())),
                Err(e) => return Err(self.io("cannot read", e)),
            }
        }
    }

    fn io(&self, what: &'static str, source: io::Error) -> CacheError {
        CacheError::Io {
            what,
            path: self.path.clone(),
            source,
        }
    }
}

// The lock of the open file that MIT takes: for the whole file, given up when the file is closed.
fn lock(file: &File, kind: libc::c_int) -> io::Result<()> {
    let whole = libc::flock {
        l_type: libc::c_short::try_from(kind).unwrap_or_default(),
        l_whence: libc::c_short::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    loop {
        match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLKW(&whole)) {
            Ok(_) => return Ok(()),
            Err(nix::Error::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tessera_common::ccache::CredentialCache;
    use tessera_common::name::{Principal, name_type};

    use super::*;

    fn alice() -> Principal {
        "alice@EXAMPLE.COM".parse().unwrap()
    }

    fn cache() -> CredentialCache {
        CredentialCache::new(alice(), name_type::PRINCIPAL)
    }

    fn entry(key: &str) -> Entry {
        Entry::new_config(&alice(), name_type::PRINCIPAL, key, None, b"yes").unwrap()
    }

    fn in_directory(directory: &tempfile::TempDir) -> CacheFile {
        let path = directory.path().join("cc");
        CacheFile::new(CacheName::File(path.clone()), path)
    }

    #[test]
    fn what_is_stored_is_read_again_and_nobody_else_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = in_directory(&directory);
        assert!(matches!(file.load(), Err(CacheError::NotFound(_))));
        file.store(&cache()).unwrap();
        file.append(&entry("one")).unwrap();
        file.append(&entry("two")).unwrap();
        let read = file.load().unwrap();
        assert_eq!(read.entries, [entry("one"), entry("two")]);
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o7777, 0o600);
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn storing_replaces_a_link_and_leaves_its_target_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = in_directory(&directory);
        let target = directory.path().join("target");
        fs::write(&target, b"precious").unwrap();
        std::os::unix::fs::symlink(&target, file.path()).unwrap();
        file.store(&cache()).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"precious");
        assert!(!fs::symlink_metadata(file.path()).unwrap().is_symlink());
    }

    #[test]
    fn an_empty_file_is_no_cache_and_a_directory_neither() {
        let directory = tempfile::tempdir().unwrap();
        let file = in_directory(&directory);
        fs::write(file.path(), b"").unwrap();
        assert!(matches!(file.load(), Err(CacheError::Format { .. })));
        fs::remove_file(file.path()).unwrap();
        fs::create_dir(file.path()).unwrap();
        assert!(matches!(file.load(), Err(CacheError::NotAFile(_))));
    }

    #[test]
    fn a_destroyed_cache_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let file = in_directory(&directory);
        file.store(&cache()).unwrap();
        let mut open = File::open(file.path()).unwrap();
        file.destroy().unwrap();
        let mut left = Vec::new();
        open.read_to_end(&mut left).unwrap();
        assert!(left.iter().all(|octet| *octet == 0), "the content outlived the name");
        assert!(matches!(file.destroy(), Err(CacheError::NotFound(_))));
    }

    #[test]
    fn an_entry_is_added_to_the_cache_that_took_the_old_ones_place() {
        let directory = tempfile::tempdir().unwrap();
        let file = in_directory(&directory);
        file.store(&cache()).unwrap();
        let held = File::open(file.path()).unwrap();
        lock(&held, libc::F_RDLCK).unwrap();
        let adder = {
            let file = file.clone();
            std::thread::spawn(move || file.append(&entry("late")))
        };
        // The adder may wait for the lock of the old file by now, or not yet: either way it must end in the new one.
        file.store(&cache()).unwrap();
        drop(held);
        adder.join().unwrap().unwrap();
        assert_eq!(file.load().unwrap().entries, [entry("late")]);
    }
}
