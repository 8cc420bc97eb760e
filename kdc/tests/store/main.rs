//! The durable store from outside: what is kept, what is found damaged, what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod access;
mod crash;
mod damage;
mod dump;
mod durability;
mod full_disk;
mod index;
mod refusal;
mod rollover;
mod start;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tessera_common::name::{Name, Realm};
use tessera_common::time::KerberosTime;
use tessera_kdc::realm::principal::{Attributes, PrincipalId, PrincipalRecord};
use tessera_kdc::store::{Author, Change, Durable, Notice, OpenError, Opened, Options, Store as _, StoreError};

/// A state directory, and what was reported of it.
struct Site {
    directory: TempDir,
    notices: Arc<Mutex<Vec<Notice>>>,
    segment_octets: u64,
}

impl Site {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            notices: Arc::default(),
            segment_octets: 32 << 20,
        }
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("var")
    }

    fn options(&self) -> Options {
        let notices = Arc::clone(&self.notices);
        let report = Arc::new(move |notice| notices.lock().unwrap().push(notice));
        Options {
            segment_octets: self.segment_octets,
            ..Options::new(realm(), report)
        }
    }

    fn try_open(&self) -> Result<Opened, OpenError> {
        self.notices.lock().unwrap().clear();
        Durable::open(&self.state(), &self.options())
    }

    fn open(&self) -> Durable {
        self.try_open().unwrap().store
    }

    /// Opens a database that cannot be opened.
    fn refused(&self) -> OpenError {
        self.try_open().err().expect("the database is opened")
    }

    fn notices(&self) -> Vec<Notice> {
        self.notices.lock().unwrap().clone()
    }

    /// A site with the first `count` users in it, closed.
    fn with_users(count: u64) -> Self {
        let site = Self::new();
        let store = site.open();
        (0..count).for_each(|n| add(&store, n));
        drop(store);
        site
    }

    /// The only segment of the journal.
    fn segment(&self) -> PathBuf {
        let segments = files(&self.state().join("journal"));
        assert_eq!(segments.len(), 1, "{segments:?}");
        segments.into_iter().next().unwrap()
    }

    fn copy(&self) -> Self {
        let copy = Self::new();
        copy_all(&self.state(), &copy.state());
        copy
    }

    fn remove_index(&self) {
        fs::remove_dir_all(self.state().join("index")).unwrap();
    }
}

fn realm() -> Realm {
    Realm::new("EXAMPLE.COM").unwrap()
}

fn author() -> Author {
    Author::unproved("uid 0", KerberosTime(1_700_000_000))
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn id(number: u64) -> PrincipalId {
    let word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    PrincipalId([word.to_be_bytes(), number.to_le_bytes()].concat().try_into().unwrap())
}

fn user(number: u64) -> PrincipalRecord {
    PrincipalRecord {
        aliases: vec![name(&format!("alias{number}"))],
        ..PrincipalRecord::new(id(number), name(&format!("user{number}")), author().when, &author().who)
    }
}

fn put(record: PrincipalRecord) -> Change {
    let expected = Some(record.revision).filter(|revision| *revision > 0);
    Change::Put {
        expected,
        record: Box::new(record),
    }
}

fn add(store: &Durable, number: u64) {
    store.commit(&author(), vec![put(user(number))]).unwrap();
}

fn remove(store: &Durable, number: u64) -> Result<u64, StoreError> {
    let expected = store.view().get(id(number)).unwrap().revision;
    store.commit(
        &author(),
        vec![Change::Remove {
            id: id(number),
            expected,
        }],
    )
}

/// Every principal, by name, in full.
fn contents(store: &Durable) -> Vec<PrincipalRecord> {
    store.view().sorted().collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in files(from) {
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// Every file below a directory and its octets, but for the lock's and the index's.
fn everything(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let kept = |path: &PathBuf| !path.ends_with("lock") && !path.ends_with("index");
    let below = files(directory).into_iter().filter(kept);
    below
        .flat_map(|path| {
            if path.is_dir() {
                everything(&path)
            } else {
                vec![(path.clone(), fs::read(&path).unwrap())]
            }
        })
        .collect()
}
