//! Keys into a keytab, beside those that it has.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use tessera_common::admin::KeytabKey;
use tessera_common::crypto::{EncType, Key};
use tessera_common::keytab::{Keytab, KeytabEntry};
use tessera_common::name::{Principal, name_type};
use tessera_common::time::KerberosTime;
use zeroize::Zeroizing;

use super::AdminError;
use crate::cache::replace_file;

/// A keytab that can be written.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    keytab: Keytab,
    owner: Option<u32>,
}

impl Output {
    /// Reads what is there. Everything that can be found wrong is found now, before keys are made that nobody would have.
    pub(super) fn open(path: &Path) -> Result<Self, AdminError> {
        let failed = |why| AdminError::KeytabFile {
            file: path.to_owned(),
            why,
        };
        let keytab = match fs::read(path).map(Zeroizing::new) {
            // As mktemp leaves it.
            Ok(octets) if octets.is_empty() => Keytab::default(),
            Ok(octets) => Keytab::parse(&octets).map_err(|why| AdminError::NotAKeytab {
                file: path.to_owned(),
                why,
            })?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => Keytab::default(),
            Err(why) => return Err(failed(why)),
        };
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        access(directory, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|errno| failed(errno.into()))?;
        Ok(Self {
            path: path.to_owned(),
            keytab,
            owner: fs::metadata(path).ok().map(|file| file.uid()),
        })
    }

    /// Adds keys; one of the same principal, version and enctype makes room.
    pub(super) fn add(&mut self, keys: &[KeytabKey], now: KerberosTime) -> Result<(), AdminError> {
        for key in keys {
            let entry = entry(key, now).ok_or(AdminError::Unexpected)?;
            self.keytab.append(entry);
        }
        Ok(())
    }

    /// Puts the file in the place of the old one, and gives the owner of that if it was another.
    ///
    /// The new file is never given away: who has put an empty file there, in a directory for all, would get the keys.
    pub(super) fn write(&self) -> io::Result<Option<u32>> {
        replace_file(&self.path, &self.keytab.to_bytes())?;
        let owner = fs::metadata(&self.path)?.uid();
        Ok(self.owner.filter(|before| *before != owner))
    }
}

fn entry(key: &KeytabKey, now: KerberosTime) -> Option<KeytabEntry> {
    let etype = EncType::from_name(&key.key.enctype)?;
    Some(KeytabEntry {
        principal: Principal::parse(&key.principal, None).ok()?,
        name_type: name_type::PRINCIPAL,
        timestamp: now,
        kvno: key.key.kvno,
        key: Key::new(etype, key.key.key.as_slice()).ok()?.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tessera_common::admin::{GivenKey, HexOctets};

    use super::*;

    fn key(principal: &str, kvno: u32, enctype: &str, octets: usize) -> KeytabKey {
        KeytabKey {
            principal: principal.into(),
            key: GivenKey {
                enctype: enctype.into(),
                kvno,
                key: HexOctets::new(vec![7; octets]),
                salt: None,
            },
            staged: false,
        }
    }

    fn entries(path: &Path) -> Vec<(String, u32, i64)> {
        let keytab = Keytab::parse(&fs::read(path).unwrap()).unwrap();
        let entries = keytab.entries.iter();
        entries
            .map(|entry| (entry.principal.to_string(), entry.kvno, entry.timestamp.seconds()))
            .collect()
    }

    #[test]
    fn keys_are_added_to_those_that_are_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keytab");
        fs::write(&path, "").unwrap();
        let write = |keys: &[KeytabKey], now| {
            let mut output = Output::open(&path).unwrap();
            output.add(keys, KerberosTime(now)).unwrap();
            assert_eq!(output.write().unwrap(), None);
        };
        write(&[key("host/a@R", 1, "aes256-cts", 32)], 10);
        write(
            &[key("host/a@R", 2, "aes256-cts", 32), key("b@R", 7, "aes128-sha2", 16)],
            20,
        );
        write(&[key("b@R", 7, "aes128-sha2", 16)], 30);
        let name = |name: &str, kvno, time| (name.to_owned(), kvno, time);
        assert_eq!(
            entries(&path),
            [name("host/a@R", 1, 10), name("host/a@R", 2, 20), name("b@R", 7, 30)]
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_cannot_be_a_keytab_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.txt");
        fs::write(&path, "my notes").unwrap();
        let error = Output::open(&path).unwrap_err().to_string();
        assert!(
            error.contains("notes.txt: the file is not a keytab; nothing was written"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"my notes");
        let error = Output::open(Path::new("/nowhere/keytab")).unwrap_err().to_string();
        assert!(error.starts_with("the keytab /nowhere/keytab: "), "{error}");
    }

    #[test]
    fn what_is_no_key_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut output = Output::open(&directory.path().join("keytab")).unwrap();
        for wrong in [
            key("host/a", 1, "aes256-cts", 32),
            key("host/a@R", 1, "des", 32),
            key("host/a@R", 1, "aes256-cts", 16),
        ] {
            assert!(matches!(
                output.add(&[wrong], KerberosTime(0)),
                Err(AdminError::Unexpected)
            ));
        }
    }
}
