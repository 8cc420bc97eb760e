//! Where master keys come from: a file beside the database, or a credential of the service manager.
//!
//! ```text
//! tessera-master-key 1
//! 1 6b1f…    a line for each key: its number, from 1 on, and its 32 octets in hexadecimal
//! ```
//! The key with the greatest number seals, all of them open. Lines that begin with `#` and empty lines are passed over.

use core::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tessera_common::hexadecimal;
use zeroize::Zeroizing;

use super::{Keyring, MASTER_KEY_OCTETS, MasterKey, atomic_file};

/// The credential's name: `LoadCredential=tessera-master-key:/etc/tessera/master.key` in the unit.
pub const CREDENTIAL: &str = "tessera-master-key";
/// The file's name in the state directory.
pub const MASTER_KEY_FILE: &str = "master.key";

const FIRST_LINE: &str = "tessera-master-key 1";
const MAX_FILE_OCTETS: u64 = 64 << 10;

/// Why there are no master keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MasterKeyError {
    /// There is a database, but no key to it.
    #[error(
        "the database has keys sealed under master key {master}, but there is no {}; put it back from where it is \
         kept",
        .path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// The number of the key that is asked for.
        master: u32,
    },
    /// The file is there, but not that key.
    #[error("{} does not hold master key {master}, under which keys in the database are sealed", .path.display())]
    NotHeld {
        /// The file.
        path: PathBuf,
        /// The number of the key that is asked for.
        master: u32,
    },
    /// The key has the right number, but is another one.
    #[error("master key {master} in {} is not the one that this database's keys are sealed under", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The number of the key.
        master: u32,
    },
    /// Others may read the file.
    #[error("the master key {} can be read by others than its owner (mode {mode:o}); chmod 600 it, and think of who has read it", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file does not say what it should.
    #[error("{}, line {line}: {why}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// From 1 on.
        line: usize,
        /// What is expected there.
        why: &'static str,
    },
    /// The file cannot be read or made.
    #[error("the master key file {}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Where the master keys of a state directory are.
#[derive(Clone, Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    /// Given by the service manager, who has seen to its permissions.
    credential: bool,
}

impl KeyFile {
    /// The credential if there is one, otherwise the file in the state directory.
    pub(super) fn of(state: &Path, credentials: Option<&Path>) -> Self {
        let credential = credentials
            .map(|directory| directory.join(CREDENTIAL))
            .filter(|path| path.exists());
        match credential {
            Some(path) => Self { path, credential: true },
            None => Self {
                path: state.join(MASTER_KEY_FILE),
                credential: false,
            },
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys in it; `None` when there is no such file.
    pub(super) fn read(&self) -> Result<Option<Keyring>, MasterKeyError> {
        // Not a FIFO that is never written to.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(&self.path);
        let file = match file {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| self.io(error))?,
        };
        let mode = file.metadata().map_err(|error| self.io(error))?.permissions().mode() & 0o777;
        if !self.credential && mode & 0o077 != 0 {
            return Err(MasterKeyError::Open {
                path: self.path.clone(),
                mode,
            });
        }
        let text = read_text(file).map_err(|error| self.io(error))?;
        self.parse(&text).map(Some)
    }

    /// Makes a file with these keys in it.
    pub(super) fn make(&self, keyring: &Keyring) -> Result<(), MasterKeyError> {
        let mut text = Zeroizing::new(String::with_capacity(1024));
        text.push_str(FIRST_LINE);
        text.push_str(
            "\n# The key to every key in the database. Whoever reads it can be anybody in the realm; without it, the\n\
             # database is worth nothing. Keep a copy where the database's copies are not.\n",
        );
        keyring.masters().for_each(|master| put_line(&mut text, master));
        atomic_file::write(&self.path, text.as_bytes()).map_err(|error| self.io(error))
    }

    /// Whether it is the service manager's, and not to be written.
    pub(super) const fn is_credential(&self) -> bool {
        self.credential
    }

    /// Adds a key, and takes out those with the numbers in `retired`; all else in the file stays as it is.
    pub(super) fn change(&self, added: Option<&MasterKey>, retired: &[u32]) -> Result<(), MasterKeyError> {
        let read = || read_text(File::open(&self.path)?);
        let before = read().map_err(|error| self.io(error))?;
        let mut text = Zeroizing::new(String::with_capacity(before.len() + 256));
        for line in before.lines() {
            let number = line.trim().split_once(' ').and_then(|(number, _)| number.parse().ok());
            if !number.is_some_and(|number: u32| retired.contains(&number)) {
                text.push_str(line);
                text.push('\n');
            }
        }
        if let Some(master) = added {
            put_line(&mut text, master);
        }
        // What would be no key file is not written in place of one.
        self.parse(&text)?;
        // The file itself, wherever a symbolic link has put it, and its owner's still.
        let replace = || {
            let path = std::fs::canonicalize(&self.path)?;
            let owner = std::fs::metadata(&path)?;
            atomic_file::write_for(&path, text.as_bytes(), (owner.uid(), owner.gid()))
        };
        replace().map_err(|error| self.io(error))
    }

    fn parse(&self, text: &str) -> Result<Keyring, MasterKeyError> {
        let malformed = |line, why| MasterKeyError::Malformed {
            path: self.path.clone(),
            line,
            why,
        };
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        match lines.next() {
            Some((_, FIRST_LINE)) => {}
            Some((line, _)) => return Err(malformed(line, "\"tessera-master-key 1\" is expected")),
            None => return Err(malformed(1, "the file is empty")),
        }
        let mut keyring: Option<Keyring> = None;
        for (at, line) in lines {
            let (id, octets) = line
                .split_once(' ')
                .ok_or_else(|| malformed(at, "a number and a key are expected"))?;
            let id = id
                .parse()
                .ok()
                .filter(|id| *id > 0)
                .ok_or_else(|| malformed(at, "the key has no number"))?;
            let octets = hexadecimal::read(octets.trim());
            let octets: Option<[u8; MASTER_KEY_OCTETS]> = octets.and_then(|octets| octets.as_slice().try_into().ok());
            let octets = octets.ok_or_else(|| malformed(at, "the key is not 64 hexadecimal digits"))?;
            let master = MasterKey::new(id, Zeroizing::new(octets));
            keyring = Some(match keyring {
                None => Keyring::new(master),
                Some(keyring) if keyring.master(id).is_none() => keyring.with(master),
                Some(_) => return Err(malformed(at, "an earlier key has the same number")),
            });
        }
        keyring.ok_or_else(|| malformed(text.lines().count(), "the file holds no key"))
    }

    fn io(&self, error: io::Error) -> MasterKeyError {
        MasterKeyError::Io {
            path: self.path.clone(),
            error,
        }
    }
}

fn put_line(text: &mut String, master: &MasterKey) {
    // Writing to a string does not fail.
    let _ = write!(text, "{} ", master.id());
    for octet in master.octets() {
        let _ = write!(text, "{octet:02x}");
    }
    text.push('\n');
}

fn read_text(file: File) -> io::Result<Zeroizing<String>> {
    // Room from the start, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_FILE_OCTETS).unwrap_or(0)));
    file.take(MAX_FILE_OCTETS).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    fn master(id: u32, octet: u8) -> MasterKey {
        MasterKey::new(id, Zeroizing::new([octet; MASTER_KEY_OCTETS]))
    }

    fn file_with(text: &str) -> (tempfile::TempDir, KeyFile) {
        let directory = tempfile::tempdir().unwrap();
        let file = KeyFile::of(directory.path(), None);
        fs::write(file.path(), text).unwrap();
        fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
        (directory, file)
    }

    #[test]
    fn a_key_that_was_made_is_read_again_and_only_its_owner_may() {
        let directory = tempfile::tempdir().unwrap();
        let file = KeyFile::of(directory.path(), None);
        assert!(file.read().unwrap().is_none());
        file.make(&Keyring::new(master(1, 0xa7))).unwrap();
        assert_eq!(file.read().unwrap().unwrap().sealing().check(), master(1, 0xa7).check());
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        for mode in [0o640, 0o604, 0o644, 0o620] {
            let (_directory, file) = file_with("");
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(file.read(), Err(MasterKeyError::Open { mode: found, .. }) if found == mode),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn a_credential_goes_before_the_file_whatever_its_permissions() {
        let (directory, file) = file_with("tessera-master-key 1\n");
        let credentials = tempfile::tempdir().unwrap();
        let of = || KeyFile::of(directory.path(), Some(credentials.path()));
        assert_eq!(of().path(), file.path());
        let credential = credentials.path().join(CREDENTIAL);
        KeyFile {
            path: credential.clone(),
            credential: true,
        }
        .make(&Keyring::new(master(3, 1)))
        .unwrap();
        fs::set_permissions(&credential, Permissions::from_mode(0o444)).unwrap();
        assert_eq!(of().read().unwrap().unwrap().sealing().id(), 3);
    }

    #[test]
    fn several_keys_are_held_and_the_greatest_number_seals() {
        let (one, two) = ("01".repeat(32), "02".repeat(32));
        let (_directory, file) = file_with(&format!(
            "# kept in the safe\ntessera-master-key 1\n\n7 {two}\n2   {one}\n"
        ));
        let keyring = file.read().unwrap().unwrap();
        assert_eq!(keyring.masters().map(MasterKey::id).collect::<Vec<_>>(), [2, 7]);
        assert_eq!(keyring.sealing().check(), master(7, 2).check());
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused_with_the_line() {
        let key = "01".repeat(32);
        for (text, expected) in [
            (String::new(), 1),
            ("tessera-master-key 2\n".into(), 1),
            ("tessera-master-key 1\n".into(), 1),
            (format!("tessera-master-key 1\n{key}\n"), 2),
            (format!("tessera-master-key 1\n0 {key}\n"), 2),
            (format!("tessera-master-key 1\n1 {key}0\n"), 2),
            (format!("tessera-master-key 1\n1 {}\n", &key[2..]), 2),
            (format!("tessera-master-key 1\n1 x{}\n", &key[1..]), 2),
            (format!("tessera-master-key 1\n1 {key}\n\n1 {key}\n"), 4),
        ] {
            let (_directory, file) = file_with(&text);
            let error = file.read().unwrap_err();
            assert!(
                matches!(error, MasterKeyError::Malformed { line, .. } if line == expected),
                "{text:?}: {error}"
            );
        }
    }
}
