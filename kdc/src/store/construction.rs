//! A new database, made of records that come from elsewhere: of all of them, or there is none.

use std::sync::Arc;

use tessera_common::Random;
use tessera_common::crypto::Key;
use tessera_common::time::KerberosTime;

use super::durable::{FIRST_MASTER, new_keyring};
use super::error::OpenError;
use super::key_file::KeyFile;
use super::notice::{Notice, Report};
use super::offline::{Location, refuse_database, write_database};
use super::state_dir::StateDir;
use super::{Author, Change, Keyring, StoreError, View, encoding};
use crate::realm::access_record::{AccessRecord, Declared};
use crate::realm::principal::{PrincipalId, PrincipalRecord, Purpose, StoredKey};

/// A key that no master key seals yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenKey {
    /// Its version.
    pub kvno: u32,
    /// The key and its enctype. Wiped when dropped.
    pub key: Key,
    /// The salt that it was made with, if it may be from a password.
    pub salt: Option<Vec<u8>>,
    /// When it was made; absent, when that is not known.
    pub made: Option<KerberosTime>,
    /// Until when an older version is good; absent, as long as it is there.
    pub retired: Option<KerberosTime>,
}

/// A database that is being made. Until [`Construction::finish`] it is in memory alone.
#[derive(Debug)]
pub struct Construction {
    location: Location,
    state: StateDir,
    key_file: KeyFile,
    keyring: Arc<Keyring>,
    /// The master key was made for this database, and is in no file yet.
    new_master: bool,
    view: View,
}

impl Construction {
    /// Begins a database without anything in it, where there is none yet. A master key that is there is the one that seals;
    /// otherwise one is made.
    ///
    /// # Errors
    /// [`OpenError`]: when there is a database already, or a master key that cannot be read.
    pub fn begin(location: &Location) -> Result<Self, OpenError> {
        let state = StateDir::new(&location.state);
        refuse_database(&state)?;
        let key_file = KeyFile::of(&state.path, location.credentials.as_deref());
        let found = key_file.read()?;
        let new_master = found.is_none();
        let keyring = Arc::new(found.unwrap_or_else(|| new_keyring(FIRST_MASTER)));
        Ok(Self {
            location: location.clone(),
            state,
            key_file,
            view: View::empty(Arc::clone(&keyring)),
            keyring,
            new_master,
        })
    }

    /// What is in it so far.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// Adds a principal under a fresh id, with these keys and those of former passwords, sealed for their places. What `record`
    /// says of its id, revision and keys does not matter.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`] and [`StoreError::TooLarge`]; then it is not added.
    pub fn add(
        &mut self,
        mut record: PrincipalRecord,
        keys: &[OpenKey],
        former_passwords: &[OpenKey],
        random: &mut dyn Random,
    ) -> Result<(), StoreError> {
        random.fill(&mut record.id.0);
        record.keys = self.seal(Purpose::LongTermKey, record.id, keys, random);
        record.former_passwords = self.seal(Purpose::FormerPassword, record.id, former_passwords, random);
        encoding::check_record_size(&record)?;
        self.apply(&Change::Put {
            expected: None,
            record: Box::new(record),
        })
    }

    /// Adds a role, a rule or a policy.
    ///
    /// # Errors
    /// [`StoreError::AccessConflict`], when there is one of this name.
    pub fn declare(&mut self, declared: Declared, author: &Author) -> Result<(), StoreError> {
        self.apply(&Change::Declare {
            expected: None,
            record: Box::new(AccessRecord {
                declared,
                revision: 0,
                created: author.when,
                changed: author.when,
                changed_by: author.who.clone(),
            }),
        })
    }

    /// Applies changes as a daemon would make them, such as those that found a realm.
    ///
    /// # Errors
    /// [`StoreError`]; those before the one that is refused are applied.
    pub fn apply_all(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        changes.iter().try_for_each(|change| self.apply(change))
    }

    /// Writes it, and a master key that was made for it, which `report` is told. From then on the realm can be served.
    ///
    /// # Errors
    /// [`OpenError`]; then there is no database, but there may be the beginnings of one, which is not taken for one.
    pub fn finish(self, report: &Report) -> Result<(), OpenError> {
        let _lock = self.state.lock()?;
        // Somebody may have begun another one meanwhile.
        refuse_database(&self.state)?;
        if self.new_master {
            if self.key_file.path().exists() {
                return Err(OpenError::NotEmpty(self.state.path));
            }
            self.key_file.make(&self.keyring)?;
            report(Notice::MasterKeyMade(self.key_file.path().to_owned()));
        }
        write_database(&self.state, &self.location.realm, &self.keyring, &self.view)?;
        report(Notice::DatabaseMade(self.state.path));
        Ok(())
    }

    fn apply(&mut self, change: &Change) -> Result<(), StoreError> {
        self.view.apply(change).map(drop)
    }

    fn seal(&self, purpose: Purpose, id: PrincipalId, keys: &[OpenKey], random: &mut dyn Random) -> Vec<StoredKey> {
        let seal = |open: &OpenKey| StoredKey {
            kvno: open.kvno,
            etype: open.key.etype(),
            salt: open.salt.clone(),
            made: open.made,
            retired: open.retired,
            sealed: self.keyring.seal(purpose, id, open.kvno, &open.key, random),
        };
        keys.iter().map(seal).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Mutex;

    use tempfile::TempDir;
    use tessera_common::crypto::EncType;
    use tessera_common::name::Realm;

    use super::*;
    use crate::store::test_realm::{Counter, author, full_policy, name, principal};
    use crate::store::{Durable, Options, verify};

    fn location(directory: &Path) -> Location {
        Location {
            state: directory.join("state"),
            realm: Realm::new("EXAMPLE.COM").unwrap(),
            credentials: None,
        }
    }

    fn key(kvno: u32, octet: u8) -> OpenKey {
        OpenKey {
            kvno,
            key: Key::new(EncType::Aes128CtsHmacSha1_96, &[octet; 16]).unwrap(),
            salt: Some(b"EXAMPLE.COMalice".to_vec()),
            made: None,
            retired: None,
        }
    }

    fn silent() -> Report {
        Arc::new(|_| {})
    }

    #[test]
    fn what_was_put_together_is_a_realm_that_can_be_opened() {
        let directory = TempDir::new().unwrap();
        let location = location(directory.path());
        let mut construction = Construction::begin(&location).unwrap();
        let mut random = Counter::default();
        construction.declare(full_policy("strict").declared, &author()).unwrap();
        let record = principal(1, "alice");
        construction
            .add(record, &[key(2, 2), key(1, 1)], &[key(1, 9)], &mut random)
            .unwrap();
        assert!(!location.state.exists(), "nothing is written before the end");
        let told = Arc::new(Mutex::new(Vec::new()));
        let report: Report = Arc::new({
            let told = Arc::clone(&told);
            move |notice| told.lock().unwrap().push(notice)
        });
        construction.finish(&report).unwrap();
        assert!(matches!(
            told.lock().unwrap().as_slice(),
            [Notice::MasterKeyMade(_), Notice::DatabaseMade(_)]
        ));

        let verified = verify(&location).unwrap();
        assert_eq!((verified.principals, verified.access, verified.sequence), (1, 1, 2));
        assert_eq!((verified.keys, verified.problems), (3, vec![]));
        let opened = Durable::open(&location.state, &Options::new(location.realm, silent())).unwrap();
        assert!(!opened.fresh);
        let view = crate::store::Store::view(&opened.store);
        let alice = view.find(&name("alice")).unwrap();
        assert_eq!(alice.keys.iter().map(|key| key.kvno).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(view.key(alice, &alice.keys[0]).unwrap(), &key(2, 2).key);
        let former = &alice.former_passwords[0];
        assert_eq!(view.former_password(alice, former).unwrap(), key(1, 9).key);
        assert!(view.access().iter().next().is_some());
    }

    #[test]
    fn a_master_key_that_is_there_is_the_one_that_seals() {
        let directory = TempDir::new().unwrap();
        let location = location(directory.path());
        let first = Construction::begin(&location).unwrap();
        first.finish(&silent()).unwrap();
        let kept = fs::read(location.state.join("master.key")).unwrap();
        for path in ["journal", "snapshot"] {
            fs::remove_dir_all(location.state.join(path)).unwrap();
        }
        fs::remove_file(location.state.join("realm")).unwrap();
        let again = Construction::begin(&location).unwrap();
        again.finish(&silent()).unwrap();
        assert_eq!(fs::read(location.state.join("master.key")).unwrap(), kept);
    }

    #[test]
    fn where_there_is_a_database_none_is_made() {
        let directory = TempDir::new().unwrap();
        let location = location(directory.path());
        let (first, second) = (Construction::begin(&location), Construction::begin(&location));
        first.unwrap().finish(&silent()).unwrap();
        let kept = fs::read(location.state.join("master.key")).unwrap();
        let error = second.unwrap().finish(&silent()).unwrap_err();
        assert!(matches!(error, OpenError::NotEmpty(_)), "{error}");
        let error = Construction::begin(&location).unwrap_err();
        assert!(matches!(error, OpenError::NotEmpty(_)), "{error}");
        assert_eq!(fs::read(location.state.join("master.key")).unwrap(), kept);
    }

    #[test]
    fn a_name_twice_and_a_record_too_large_are_refused() {
        let directory = TempDir::new().unwrap();
        let mut construction = Construction::begin(&location(directory.path())).unwrap();
        let mut random = Counter::default();
        let mut add = |text: &str, keys: &[OpenKey]| construction.add(principal(1, text), keys, &[], &mut random);
        add("alice", &[key(1, 1)]).unwrap();
        assert!(matches!(add("alice", &[]).unwrap_err(), StoreError::NameTaken { .. }));
        let many: Vec<_> = (1..300).map(|kvno| key(kvno, 1)).collect();
        assert!(matches!(add("bob", &many).unwrap_err(), StoreError::TooLarge { .. }));
        assert_eq!(construction.view().len(), 1);
    }
}
