//! From one master key to the next, while requests are served.
//!
//! 1. The new key is added to the file: from then on it is there whenever a key is found that is sealed under it.
//! 2. The writer takes it, and begins a segment of the journal that names it. What is sealed from then on is sealed under it.
//! 3. Every principal that has a key under an older one is put again, a batch at a time, by changes like any other.
//! 4. A change that still brings a key under an older one has it sealed anew before it is written.
//! 5. An older key is taken out of the file when no snapshot and no segment of the journal has a key under it.
//!
//! Each step begins with what it finds, so that whatever is interrupted goes on at the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::error::OpenError;
use super::key_file::{KeyFile, MasterKeyError};
use super::notice::{Notice, Report};
use super::published::Published;
use super::segment_file::SegmentFile;
use super::snapshot::{SnapshotError, SnapshotReader};
use super::state_dir::StateDir;
use super::writer::Writer;
use super::{Author, Change, Keyring, MasterKey, StoreError, View, encoding};
use crate::clock;
use crate::random::ThreadRandom;
use crate::realm::principal::{PrincipalId, PrincipalRecord};

/// How many principals one batch seals anew.
const BATCH: usize = 256;
/// How long is waited after the disk has taken nothing.
const RETRY: Duration = Duration::from_secs(5);

/// Why the master key was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolloverError {
    /// It is not this program's to change.
    #[error(
        "the master key is a credential of the service manager, {}, which this program does not write; to change it, \
         add a line with the next number and 64 random hexadecimal digits to the file that the credential is made of, \
         and start kdc anew: keys are sealed under the greatest number from then on, and those that are there are \
         sealed anew",
        .0.display()
    )]
    Credential(PathBuf),
    /// The file cannot be read or written, or does not hold what it should.
    #[error(transparent)]
    File(#[from] MasterKeyError),
    /// A change was not taken.
    #[error(
        "{0}; the keys that are not sealed anew yet are good as they are; what is left is done when kdc starts next, or by \
         the same command"
    )]
    Store(#[from] StoreError),
    /// The daemon stops.
    #[error("kdc is stopping; what is left is done when it starts next")]
    Stopping,
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// What a change of the master key came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollover {
    /// The key that seals now.
    pub sealing: u32,
    /// How many principals were sealed anew.
    pub resealed: usize,
    /// The keys that were taken out of the file, since nothing needs them.
    pub retired: Vec<u32>,
    /// The keys that are still needed, and the files that need them.
    pub needed: Vec<(u32, Vec<PathBuf>)>,
    /// The key file.
    pub file: PathBuf,
}

impl Rollover {
    /// For an operator, in sentences.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let Self {
            sealing,
            resealed,
            retired,
            needed,
            file,
        } = self;
        let mut said = vec![format!(
            "master key {sealing} seals now, the keys of {resealed} principals were sealed anew; keep a copy of {} apart \
             from the database",
            file.display()
        )];
        said.extend(retired.iter().map(|master| {
            format!(
                "nothing in the database needs master key {master} any more; it is taken out of the file, but copies and \
                 dumps from before need it still"
            )
        }));
        said.extend(needed.iter().map(|(master, files)| {
            let mut text = format!(
                "master key {master} stays in the file: no principal needs it any more, but the history in these files \
                 does, until newer snapshots replace them:"
            );
            for file in files {
                let _ = write!(text, " {}", file.display());
            }
            text
        }));
        said
    }
}

/// What it takes to change the master key of an open database.
pub(super) struct MasterKeys {
    pub(super) writer: Arc<Writer>,
    pub(super) published: Arc<Published>,
    pub(super) state: StateDir,
    pub(super) key_file: KeyFile,
    pub(super) report: Report,
    /// One change at a time.
    pub(super) changing: Mutex<()>,
    pub(super) stop: AtomicBool,
}

impl MasterKeys {
    /// Makes a new master key and seals everything under it; or goes on with what was begun. `progress` is told how many
    /// principals are done, of how many.
    pub(super) fn change(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<Rollover, RolloverError> {
        if self.key_file.is_credential() {
            return Err(RolloverError::Credential(self.key_file.path().to_owned()));
        }
        let _one = match self.changing.try_lock() {
            Ok(one) => one,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                // Somebody is at it, or it goes on since the start: what that comes to is what was asked for.
                let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
                return self.finish(progress);
            }
        };
        let in_force = self.published.view();
        let keyring = self.read_or_restore(in_force.keyring())?;
        check_holds(&keyring, in_force.keyring(), &self.key_file)?;
        let sealing = in_force.keyring().sealing().id();
        if keyring.sealing().id() > sealing {
            // It was added, and not taken yet.
            self.writer.set_keys(Arc::new(keyring), false)?;
        } else if outdated(&in_force).is_empty() {
            let next = MasterKey::random(sealing.saturating_add(1), &mut ThreadRandom);
            self.key_file.change(Some(&next), &[])?;
            self.writer.set_keys(Arc::new(self.read()?), false)?;
        }
        self.finish(progress)
    }

    /// The keys of the file; those in force, where it is lost, and then they are in a new one. As long as this process runs,
    /// nothing is lost with the file.
    fn read_or_restore(&self, in_force: &Arc<Keyring>) -> Result<Keyring, MasterKeyError> {
        if self.key_file.read()?.is_none() {
            self.key_file.make(in_force)?;
            (self.report)(Notice::MasterKeyRestored(self.key_file.path().to_owned()));
        }
        self.read()
    }

    /// Goes on with what was begun before the database was opened, as often as it takes.
    fn resume(&self) {
        let mut failing = false;
        while !self.stop.load(Ordering::Relaxed) {
            let one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            let done = self.finish(&mut |_, _| {});
            drop(one);
            match done {
                Ok(rollover) => return (self.report)(Notice::MasterKeyChanged(rollover)),
                Err(RolloverError::Store(error @ StoreError::Unwritable(_))) => {
                    if !std::mem::replace(&mut failing, true) {
                        (self.report)(Notice::MasterKeyUnchanged(error.to_string()));
                    }
                    thread::park_timeout(RETRY);
                }
                Err(RolloverError::Stopping) => return,
                Err(error) => return (self.report)(Notice::MasterKeyUnchanged(error.to_string())),
            }
        }
    }

    /// Takes older keys out of the file that nothing needs any more. Called when files were removed.
    pub(super) fn tidy(&self) {
        let view = self.published.view();
        if view.keyring().masters().count() < 2 || self.key_file.is_credential() {
            return;
        }
        // Whoever changes the key just now does it at the end.
        let Ok(_one) = self.changing.try_lock() else {
            return;
        };
        if !outdated(&view).is_empty() {
            return;
        }
        match self.finish(&mut |_, _| {}) {
            Ok(rollover) if rollover.retired.is_empty() => {}
            Ok(rollover) => (self.report)(Notice::MasterKeyChanged(rollover)),
            Err(error) => (self.report)(Notice::MasterKeyUnchanged(error.to_string())),
        }
    }

    fn finish(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<Rollover, RolloverError> {
        let mut resealed = self.reseal(progress)?;
        // From here on nothing under an older key comes in any more; what came in the meantime is the last.
        self.writer
            .set_keys(Arc::clone(self.published.view().keyring()), true)?;
        resealed += self.reseal(&mut |_, _| {})?;
        let view = self.published.view();
        let sealing = view.keyring().sealing().id();
        let mut needed = needed_by_files(&self.state)?;
        let (mut retired, mut kept) = (Vec::new(), Vec::new());
        let older = view.keyring().masters().map(MasterKey::id).filter(|id| *id != sealing);
        for master in older {
            match needed.remove(&master) {
                Some(files) => kept.push((master, files)),
                None => retired.push(master),
            }
        }
        if self.key_file.is_credential() {
            retired.clear();
        }
        if !retired.is_empty() {
            self.key_file.change(None, &retired)?;
            self.writer.set_keys(Arc::new(self.read()?), true)?;
        }
        Ok(Rollover {
            sealing,
            resealed,
            retired,
            needed: kept,
            file: self.key_file.path().to_owned(),
        })
    }

    fn reseal(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<usize, RolloverError> {
        let (mut done, mut total) = (0, 0);
        loop {
            let due = outdated(&self.published.view());
            if due.is_empty() {
                return Ok(done);
            }
            total = total.max(done + due.len());
            for ids in due.chunks(BATCH) {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(RolloverError::Stopping);
                }
                done += self.reseal_batch(ids)?;
                progress(done, total);
            }
        }
    }

    /// All of them, or one by one when somebody changes one of them just then; who still is, is left to the next round.
    fn reseal_batch(&self, ids: &[PrincipalId]) -> Result<usize, RolloverError> {
        match self.reseal_at_once(ids) {
            Err(StoreError::Conflict { .. } | StoreError::NotFound) if ids.len() > 1 => {
                let mut done = 0;
                for id in ids {
                    done += self.reseal_batch(core::slice::from_ref(id))?;
                }
                Ok(done)
            }
            Err(StoreError::Conflict { .. } | StoreError::NotFound) => Ok(0),
            other => Ok(other?),
        }
    }

    fn reseal_at_once(&self, ids: &[PrincipalId]) -> Result<usize, StoreError> {
        let view = self.published.view();
        let changes: Vec<_> = ids
            .iter()
            .filter_map(|id| view.get(*id))
            .filter(|record| !record.is_sealed_under(view.keyring().sealing().id()))
            .map(|record| {
                let mut new = PrincipalRecord::clone(record);
                reseal(view.keyring(), &mut new)?;
                Ok(Change::Put {
                    expected: Some(record.revision),
                    record: Box::new(new),
                })
            })
            .collect::<Result<_, StoreError>>()?;
        let author = Author::daemon(clock::now().time);
        let count = changes.len();
        if count > 0 {
            self.writer.commit(&author, changes)?;
        }
        Ok(count)
    }

    fn read(&self) -> Result<Keyring, MasterKeyError> {
        self.key_file.read()?.ok_or_else(|| MasterKeyError::Missing {
            path: self.key_file.path().to_owned(),
            master: self.published.view().keyring().sealing().id(),
        })
    }
}

/// The thread that goes on with what was begun. Dropped, it ends after the batch that it is at.
pub(super) struct Resumed {
    keys: Arc<MasterKeys>,
    thread: Option<JoinHandle<()>>,
}

impl Resumed {
    /// Starts the thread if there is anything to do.
    pub(super) fn start(keys: &Arc<MasterKeys>) -> io::Result<Self> {
        let due = keys.published.view().keyring().masters().count() > 1;
        let start = || {
            let keys = Arc::clone(keys);
            thread::Builder::new()
                .name("master-key".into())
                .spawn(move || keys.resume())
        };
        Ok(Self {
            keys: Arc::clone(keys),
            thread: due.then(start).transpose()?,
        })
    }
}

impl Drop for Resumed {
    fn drop(&mut self) {
        self.keys.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Who has a key under another master key than the one that seals.
fn outdated(view: &View) -> Vec<PrincipalId> {
    let sealing = view.keyring().sealing().id();
    view.iter()
        .filter(|record| !record.is_sealed_under(sealing))
        .map(|record| record.id)
        .collect()
}

/// Seals a principal's keys anew. Nothing that anybody is shown of it changes.
pub(super) fn reseal(keyring: &Keyring, record: &mut PrincipalRecord) -> Result<(), StoreError> {
    let (id, name) = (record.id, record.name.clone());
    for (purpose, stored) in record.sealed_mut() {
        if stored.sealed.master == keyring.sealing().id() {
            continue;
        }
        let key = keyring.open(purpose, id, stored).map_err(|why| StoreError::Sealed {
            name: name.clone(),
            why: why.to_string(),
        })?;
        stored.sealed = keyring.seal(purpose, id, stored.kvno, &key, &mut ThreadRandom);
    }
    Ok(())
}

/// That a file has every key that is in force, and the same.
fn check_holds(found: &Keyring, in_force: &Keyring, file: &KeyFile) -> Result<(), MasterKeyError> {
    in_force
        .masters()
        .try_for_each(|master| super::recovery::check_keyring(master.check(), found, file.path()))
}

/// Which master keys the principals' keys in each snapshot and each segment are sealed under.
pub(super) fn needed_by_files(state: &StateDir) -> Result<BTreeMap<u32, Vec<PathBuf>>, OpenError> {
    let mut needed: BTreeMap<u32, Vec<PathBuf>> = BTreeMap::new();
    let mut note = |masters: BTreeSet<u32>, path: &PathBuf| {
        for master in masters {
            needed.entry(master).or_default().push(path.clone());
        }
    };
    for snapshot in state.snapshots()? {
        match masters_in_snapshot(&snapshot.path) {
            Ok(masters) => note(masters, &snapshot.path),
            // A newer one has replaced it meanwhile.
            Err(SnapshotError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(super::recovery::unreadable_snapshot(&snapshot.path, error)),
        }
    }
    for segment in state.segments()? {
        let file = match SegmentFile::read(&segment, None) {
            Err(OpenError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let mut masters = BTreeSet::new();
        file.extent(file.before(), |frame| {
            // What cannot be decoded cannot be served either, whatever key it is under.
            let batches = frame.batches().unwrap_or_default();
            for (_, batch) in batches {
                for change in batch.changes {
                    if let Change::Put { record, .. } = change {
                        masters.extend(record.sealed().map(|(_, key)| key.sealed.master));
                    }
                }
            }
        });
        note(masters, &segment.path);
    }
    Ok(needed)
}

fn masters_in_snapshot(path: &std::path::Path) -> Result<BTreeSet<u32>, SnapshotError> {
    let mut reader = SnapshotReader::open(path)?;
    let mut masters = BTreeSet::new();
    while let Some(entry) = reader.next_entry()? {
        let record = encoding::read_record(&entry.record, entry.revision)
            .map_err(|why| SnapshotError::Damaged { offset: 0, why })?;
        masters.extend(record.sealed().map(|(_, key)| key.sealed.master));
    }
    Ok(masters)
}
