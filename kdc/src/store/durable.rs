//! The store that keeps: journal, snapshots and index in a state directory, and the view in memory.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use tessera_common::name::Realm;

use crate::metrics::{Gauge, StoreReadings};
use crate::random::ThreadRandom;

use super::error::{OpenError, io_error};
use super::figures::Figures;
use super::head::Identity;
use super::index::Index;
use super::indexer::Indexer;
use super::journal::{Disk, FileSystem, Journal, Settings};
use super::key_file::{KeyFile, MasterKeyError};
use super::notice::{Notice, Report};
use super::published::Published;
use super::recovery::{self, Expected, IndexUse, Recovered, Sealed};
use super::rollover::{MasterKeys, Resumed, Rollover, RolloverError};
use super::segment_file::SegmentFile;
use super::snapshotter::{Schedule, Snapshotter};
use super::state_dir::{Lock, StateDir};
use super::writer::{self, Writer};
use super::{Author, Change, Keyring, MasterKey, Store, StoreError, Subject, View};

/// The number of the first master key of a realm.
pub(super) const FIRST_MASTER: u32 = 1;

/// How a database is opened.
#[derive(Clone)]
pub struct Options {
    /// Whose it is.
    pub realm: Realm,
    /// The service manager's directory of credentials (`$CREDENTIALS_DIRECTORY`).
    pub credentials: Option<PathBuf>,
    /// When a segment of the journal is finished, in octets. A start reads what no snapshot has, up to twice as much.
    pub segment_octets: u64,
    /// How long a change waits at most until it is in a snapshot; `None`: until there are enough of them.
    pub snapshot_every: Option<Duration>,
    /// How many snapshots are kept, and the journal after the oldest of them; at least 2.
    pub keep_snapshots: usize,
    /// Who is told what an operator should know; from any thread.
    pub report: Report,
}

impl Options {
    /// The usual ones for a realm.
    #[must_use]
    pub fn new(realm: Realm, report: Report) -> Self {
        Self {
            realm,
            credentials: None,
            segment_octets: 32 << 20,
            snapshot_every: None,
            keep_snapshots: 2,
            report,
        }
    }
}

/// A realm's database on disk, open. Dropped, it finishes what was committed and brings the index up to date.
pub struct Durable {
    // Dropped in this order: whoever writes before whoever is told of it, the lock last.
    _resumed: Resumed,
    keys: Arc<MasterKeys>,
    writer: Arc<Writer>,
    _snapshotter: Snapshotter,
    _indexer: Indexer,
    published: Arc<Published>,
    figures: Arc<Figures>,
    key_file: PathBuf,
    _lock: Lock,
}

/// A database that was opened.
pub struct Opened {
    /// The database.
    pub store: Durable,
    /// Nothing was ever committed to it: the realm is still to be made.
    pub fresh: bool,
}

impl Durable {
    /// Opens the database in the state directory, or makes an empty one when there is nothing.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing that was there is changed.
    pub fn open(state: &Path, options: &Options) -> Result<Opened, OpenError> {
        Self::open_on(Box::new(FileSystem), state, options)
    }

    fn open_on(disk: Box<dyn Disk>, state: &Path, options: &Options) -> Result<Opened, OpenError> {
        let figures: Arc<Figures> = Arc::default();
        let options = &Options {
            report: figures.listening(Arc::clone(&options.report)),
            ..options.clone()
        };
        let state = StateDir::new(state);
        let lock = state.lock()?;
        let parts = match state.realm()? {
            Some(found) if found != options.realm => {
                let expected = options.realm.clone();
                return Err(OpenError::OtherRealm {
                    path: state.path,
                    found,
                    expected,
                });
            }
            Some(_) => resume(disk, &state, options)?,
            None => create(disk, &state, options)?,
        };
        let Parts {
            journal,
            identity,
            view,
            index,
            unindexed,
        } = parts;
        let fresh = view.sequence() == 0;
        let newest = state.snapshots()?.pop();
        if let Some(made) = newest.and_then(|newest| fs::metadata(newest.path).ok()?.modified().ok()) {
            figures.set_snapshot(made);
        }
        let key_file = KeyFile::of(&state.path, options.credentials.as_deref());
        let key_path = key_file.path().to_owned();
        let published = Arc::new(Published::new(view, unindexed));
        let threads = || {
            // Not what keeps them: the snapshotter is among those who end last.
            let keys: Arc<OnceLock<Weak<MasterKeys>>> = Arc::default();
            let with_keys = |then: fn(&MasterKeys)| {
                let keys = Arc::clone(&keys);
                move || {
                    if let Some(keys) = keys.get().and_then(Weak::upgrade) {
                        then(&keys);
                    }
                }
            };
            let tidied = with_keys(MasterKeys::tidy);
            // A disk that takes nothing now is told of by whoever has something to write.
            let finish = with_keys(|keys| drop(keys.writer.finish_segment()));
            let schedule = Schedule {
                threshold: options.segment_octets,
                every: options.snapshot_every,
                keep: options.keep_snapshots,
            };
            let report = || Arc::clone(&options.report);
            let snapshotter = Snapshotter::start(state.clone(), schedule, report(), tidied, finish)?;
            let waker = snapshotter.waker();
            // A crash may have come between the end of a segment and its snapshot.
            waker();
            let indexer = Indexer::start(Arc::clone(&published), state.index(), identity, index, report())?;
            let writer = Arc::new(Writer::start(
                journal,
                Arc::clone(&published),
                report(),
                Arc::clone(&figures),
                waker,
            )?);
            let master_keys = Arc::new(MasterKeys {
                writer: Arc::clone(&writer),
                published: Arc::clone(&published),
                state: state.clone(),
                key_file,
                report: report(),
                changing: Mutex::default(),
                stop: AtomicBool::new(false),
            });
            // Set once, here.
            let _ = keys.set(Arc::downgrade(&master_keys));
            let resumed = Resumed::start(&master_keys)?;
            Ok((snapshotter, indexer, writer, master_keys, resumed))
        };
        let (snapshotter, indexer, writer, keys, resumed) =
            threads().map_err(io_error("start the threads of", &state.path))?;
        let store = Self {
            _resumed: resumed,
            keys,
            writer,
            _snapshotter: snapshotter,
            _indexer: indexer,
            published,
            figures,
            key_file: key_path,
            _lock: lock,
        };
        Ok(Opened { store, fresh })
    }

    /// Makes a new master key, seals every key of every principal under it, and takes the former one out of the file when
    /// nothing needs it any more; requests are served and changes are taken meanwhile. Goes on with what was begun, if it
    /// was not finished. `progress` is told how many principals are done, of how many.
    ///
    /// # Errors
    /// [`RolloverError`]; then what was done stays done, and every key is as good as before.
    pub fn change_master_key(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<Rollover, RolloverError> {
        self.keys.change(progress)
    }

    /// What is counted of the database.
    #[must_use]
    pub const fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// The file that the master keys are in.
    #[must_use]
    pub fn key_file(&self) -> &Path {
        &self.key_file
    }

    /// How the database does.
    #[must_use]
    pub fn readings(&self) -> StoreReadings {
        let view = self.published.view();
        let figures = &self.figures;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (cached, cache_hits, cache_misses) = view.record_cache();
        StoreReadings {
            principals: view.len() as u64,
            sequence: view.sequence(),
            writable: figures.unwritable().is_none(),
            changes: of(&figures.changes),
            commits: Gauge {
                now: of(&figures.commits_waiting),
                limit: writer::QUEUE as u64,
            },
            syncs: figures.syncs.read(),
            journal_octets: of(&figures.journal_octets),
            write_failures: of(&figures.write_failures),
            unindexed: self.published.unindexed() as u64,
            index_failures: of(&figures.index_failures),
            snapshot_made: Some(of(&figures.snapshot_made)).filter(|made| *made > 0),
            snapshot_failures: of(&figures.snapshot_failures),
            cached,
            cache_hits,
            cache_misses,
        }
    }
}

impl Store for Durable {
    fn view(&self) -> Arc<View> {
        self.published.view()
    }

    fn renew(&self, handle: &mut View) {
        self.published.renew(handle);
    }

    fn commit(&self, author: &Author, changes: Vec<Change>) -> Result<u64, StoreError> {
        self.writer.commit(author, changes)
    }
}

impl core::fmt::Debug for Durable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Durable").field(&self.published.view()).finish()
    }
}

struct Parts {
    journal: Journal,
    identity: Identity,
    view: View,
    index: Option<Index>,
    /// What the index has yet to learn.
    unindexed: HashSet<Subject>,
}

fn create(disk: Box<dyn Disk>, state: &StateDir, options: &Options) -> Result<Parts, OpenError> {
    refuse_leftovers(state)?;
    let key_file = KeyFile::of(&state.path, options.credentials.as_deref());
    let keyring = match key_file.read()? {
        Some(keyring) => keyring,
        None => {
            let keyring = make_keyring(&key_file, FIRST_MASTER)?;
            (options.report)(Notice::MasterKeyMade(key_file.path().to_owned()));
            keyring
        }
    };
    let identity = new_identity(state, &options.realm, &keyring)?;
    state.make_directories()?;
    let settings = settings(state, &identity, options);
    let journal = Journal::create(settings, disk, 0, 0).map_err(io_error("write the journal in", &state.path))?;
    state.set_realm(&options.realm)?;
    (options.report)(Notice::DatabaseMade(state.path.clone()));
    Ok(Parts {
        journal,
        identity,
        view: View::empty(Arc::new(keyring)),
        index: None,
        unindexed: HashSet::new(),
    })
}

fn resume(disk: Box<dyn Disk>, state: &StateDir, options: &Options) -> Result<Parts, OpenError> {
    let (key_file, keyring) = keyring_of(state, options.credentials.as_deref())?;
    let expected = Expected {
        state,
        keyring: &keyring,
        sealed: Sealed::Opens,
        key_path: key_file.path(),
        until: None,
    };
    let Recovered {
        view,
        identity,
        last_segment,
        index,
        changed,
        notices,
        torn_octets,
    } = recovery::recover(&expected, IndexUse::AsNeeded)?;
    // From here on it is known that the database is whole, and may be changed.
    for notice in notices {
        if let Notice::SnapshotDamaged { file, .. } = &notice {
            state.set_aside(file)?;
        }
        (options.report)(notice);
    }
    state.remove_incomplete()?;
    if torn_octets > 0 {
        (options.report)(Notice::TornFrameCut {
            file: last_segment.path.clone(),
            offset: last_segment.extent.end as u64,
            octets: torn_octets,
            last: last_segment.extent.last,
        });
    }
    let settings = settings(state, &identity, options);
    let mut journal = Journal::resume(settings, disk, &last_segment).map_err(io_error("open", &last_segment.path))?;
    // A key that was added while nothing was served, or just before a crash.
    journal
        .rekey(keyring.sealing().check())
        .map_err(io_error("write the journal in", &state.path))?;
    Ok(Parts {
        journal,
        identity,
        view,
        index,
        unindexed: changed,
    })
}

/// A new master key, in a file that is not there yet.
pub(super) fn make_keyring(key_file: &KeyFile, number: u32) -> Result<Keyring, OpenError> {
    let keyring = new_keyring(number);
    key_file.make(&keyring)?;
    Ok(keyring)
}

/// A new master key, in no file yet.
pub(super) fn new_keyring(number: u32) -> Keyring {
    Keyring::new(MasterKey::random(number, &mut ThreadRandom))
}

/// The master keys of a database that is there.
pub(super) fn keyring_of(state: &StateDir, credentials: Option<&Path>) -> Result<(KeyFile, Arc<Keyring>), OpenError> {
    let key_file = KeyFile::of(&state.path, credentials);
    match key_file.read()? {
        Some(keyring) => Ok((key_file, Arc::new(keyring))),
        None => {
            let master = recovery::identity(state)?.check.master;
            Err(MasterKeyError::Missing {
                path: key_file.path().to_owned(),
                master,
            }
            .into())
        }
    }
}

/// An identity for a database that is being made.
pub(super) fn new_identity(state: &StateDir, realm: &Realm, keyring: &Keyring) -> Result<Identity, OpenError> {
    let mut lineage = [0; 16];
    random(&mut lineage, state)?;
    let check = keyring.sealing().check();
    Ok(Identity {
        realm: realm.clone(),
        lineage,
        check,
    })
}

fn settings(state: &StateDir, identity: &Identity, options: &Options) -> Settings {
    Settings {
        directory: state.journal(),
        identity: identity.clone(),
        limit: options.segment_octets,
    }
}

/// That there is no more than what is left when the making of an empty database is interrupted.
fn refuse_leftovers(state: &StateDir) -> Result<(), OpenError> {
    let segments = state.segments()?;
    let empty_journal = match segments.as_slice() {
        [] => true,
        [only] => SegmentFile::read(only, None)?.is_empty(),
        _ => false,
    };
    if empty_journal && state.snapshots()?.is_empty() {
        return Ok(());
    }
    Err(OpenError::Unfinished(state.path.clone()))
}

fn random(out: &mut [u8], state: &StateDir) -> Result<(), OpenError> {
    getrandom::fill(out).map_err(|error| io_error("draw random octets for", &state.path)(error.into()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::store::journal::faulty_disk::Faults;
    use crate::store::test_realm::{add, author, id, principal, realm};

    struct Site {
        directory: tempfile::TempDir,
        faults: Faults,
        notices: Arc<Mutex<Vec<Notice>>>,
    }

    impl Site {
        fn new() -> Self {
            Self {
                directory: tempfile::tempdir().unwrap(),
                faults: Faults::default(),
                notices: Arc::default(),
            }
        }

        fn open(&self) -> Durable {
            self.notices.lock().unwrap().clear();
            let notices = Arc::clone(&self.notices);
            let report: Report = Arc::new(move |notice| notices.lock().unwrap().push(notice));
            let options = Options {
                segment_octets: 2000,
                ..Options::new(realm(), report)
            };
            Durable::open_on(self.faults.disk(), self.directory.path(), &options)
                .unwrap()
                .store
        }

        fn told(&self) -> Vec<&'static str> {
            let notices = self.notices.lock().unwrap();
            let word = |notice: &Notice| match notice {
                Notice::Unwritable(_) => Some("unwritable"),
                Notice::WritableAgain => Some("writable again"),
                Notice::TornFrameCut { .. } => Some("torn frame cut"),
                _ => None,
            };
            notices.iter().filter_map(word).collect()
        }

        fn journal_octets(&self) -> u64 {
            let files = fs::read_dir(self.directory.path().join("journal")).unwrap();
            files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
        }
    }

    fn commit(store: &Durable, number: u64) -> Result<u64, StoreError> {
        store.commit(&author(), vec![add(principal(number, &format!("user{number}")))])
    }

    fn numbers(store: &Durable) -> Vec<u64> {
        (0..=1000).filter(|n| store.view().get(id(*n)).is_some()).collect()
    }

    #[test]
    fn a_full_disk_refuses_changes_and_serves_requests_until_there_is_room_again() {
        for room in [0, 1, 15, 16, 40, 90] {
            let site = Site::new();
            let store = site.open();
            commit(&store, 0).unwrap();
            let good = site.journal_octets();
            site.faults.room(Some(room));
            for n in 1..4 {
                assert!(
                    matches!(commit(&store, n), Err(StoreError::Unwritable(_))),
                    "room for {room}"
                );
                assert_eq!(numbers(&store), [0]);
            }
            assert_eq!(site.told(), ["unwritable"], "once, not each time");
            assert!(site.journal_octets() < good + 200, "what was written is cut off again");
            site.faults.room(None);
            assert_eq!(commit(&store, 4), Ok(2));
            assert_eq!(site.told(), ["unwritable", "writable again"]);
            drop(store);
            assert_eq!(numbers(&site.open()), [0, 4]);
            assert_eq!(site.told(), [""; 0]);
        }
    }

    #[test]
    fn a_disk_that_does_not_even_cut_is_no_worse() {
        let site = Site::new();
        let store = site.open();
        commit(&store, 0).unwrap();
        site.faults.room(Some(50));
        site.faults.cuts_fail(true);
        commit(&store, 1).unwrap_err();
        site.faults.room(None);
        commit(&store, 2).unwrap_err();
        site.faults.cuts_fail(false);
        site.faults.creations_fail(true);
        commit(&store, 3).unwrap_err();
        site.faults.creations_fail(false);
        assert_eq!(commit(&store, 4), Ok(2));
        assert_eq!(site.told(), ["unwritable", "writable again"]);
        drop(store);
        assert_eq!(numbers(&site.open()), [0, 4]);
    }

    #[test]
    fn what_could_not_be_cut_off_before_the_end_is_cut_off_at_the_next_start() {
        let site = Site::new();
        let store = site.open();
        commit(&store, 0).unwrap();
        site.faults.room(Some(50));
        site.faults.cuts_fail(true);
        commit(&store, 1).unwrap_err();
        drop(store);
        let site = Site {
            faults: Faults::default(),
            ..site
        };
        assert_eq!(numbers(&site.open()), [0]);
        assert_eq!(site.told(), ["torn frame cut"]);
    }

    #[test]
    fn a_sync_that_fails_is_a_change_not_made() {
        let site = Site::new();
        let store = site.open();
        commit(&store, 0).unwrap();
        site.faults.syncs_fail(true);
        commit(&store, 1).unwrap_err();
        site.faults.syncs_fail(false);
        assert_eq!(numbers(&store), [0]);
        assert_eq!(commit(&store, 2), Ok(2));
        drop(store);
        assert_eq!(numbers(&site.open()), [0, 2]);
    }

    #[test]
    fn a_segment_that_cannot_be_begun_is_a_change_not_made() {
        let site = Site::new();
        let store = site.open();
        site.faults.creations_fail(true);
        let made: Vec<_> = (0..100).take_while(|n| commit(&store, *n).is_ok()).collect();
        assert!((1..99).contains(&made.len()), "{made:?}");
        commit(&store, 500).unwrap_err();
        site.faults.creations_fail(false);
        commit(&store, 501).unwrap();
        drop(store);
        let mut expected = made;
        expected.push(501);
        assert_eq!(numbers(&site.open()), expected);
    }

    #[test]
    fn whatever_fails_while_many_write_what_was_acknowledged_is_there_and_nothing_else() {
        let site = Site::new();
        let store = site.open();
        let done = AtomicBool::new(false);
        let mut acknowledged: Vec<u64> = thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let store = &store;
                    let numbers = writer * 250..(writer + 1) * 250;
                    scope.spawn(move || numbers.filter(|n| commit(store, *n).is_ok()).collect::<Vec<_>>())
                })
                .collect();
            scope.spawn(|| {
                let mut step = 0_usize;
                while !done.load(Ordering::Relaxed) {
                    step += 1;
                    site.faults.room(step.is_multiple_of(3).then_some(step * 37 % 3000));
                    site.faults.syncs_fail(step.is_multiple_of(7));
                    site.faults.cuts_fail(step.is_multiple_of(5));
                    site.faults.creations_fail(step.is_multiple_of(11));
                    thread::yield_now();
                }
            });
            let acknowledged = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
            done.store(true, Ordering::Relaxed);
            acknowledged
        });
        acknowledged.sort_unstable();
        assert_eq!(numbers(&store), acknowledged);
        site.faults.room(None);
        site.faults.syncs_fail(false);
        site.faults.cuts_fail(false);
        site.faults.creations_fail(false);
        // A change nobody tried before: what failed last is cut off before it is written.
        let last = commit(&store, 1000).or_else(|_| commit(&store, 1000));
        acknowledged.extend(last.is_ok().then_some(1000));
        drop(store);
        assert_eq!(numbers(&site.open()), acknowledged);
    }
}
