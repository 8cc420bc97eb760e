//! What is done to a database from the command line: dump, load, verify, and making the index anew.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tessera_common::name::Realm;

use super::durable::{Durable, FIRST_MASTER, Options, keyring_of, make_keyring, new_identity, new_keyring};
use super::error::{OpenError, io_error};
use super::head::{Head, Kind};
use super::history::{self, Event};
use super::index::Index;
use super::journal::{Bad, FileSystem, Journal, Settings};
use super::key_file::{KeyFile, MasterKeyError};
use super::notice::{Notice, Report};
use super::packed::Packed;
use super::recovery::{self, Expected, IndexUse, Recovered, Sealed};
use super::rollover::{Rollover, RolloverError, needed_by_files};
use super::segment_file::SegmentFile;
use super::state_dir::StateDir;
use super::{Keyring, View, dump_file, snapshot};
use crate::realm::founding;
use crate::realm::principal::PrincipalRecord;

/// A database on disk.
#[derive(Clone, Debug)]
pub struct Location {
    /// Its state directory.
    pub state: PathBuf,
    /// Whose it is.
    pub realm: Realm,
    /// The service manager's directory of credentials (`$CREDENTIALS_DIRECTORY`).
    pub credentials: Option<PathBuf>,
}

/// What was dumped or loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extract {
    /// How many principals.
    pub principals: usize,
    /// How many roles and rules.
    pub access: usize,
    /// The last change.
    pub sequence: u64,
    /// What was found on the way.
    pub notices: Vec<Notice>,
}

/// Writes what is in a database to a text file, in place of one that is there; a daemon may have it open meanwhile. With
/// `until`, nothing after that change is written or even looked at.
///
/// # Errors
/// [`OpenError`].
pub fn dump(location: &Location, until: Option<u64>, file: &Path) -> Result<Extract, OpenError> {
    let state = existing(location)?;
    let key_file = KeyFile::of(&state.path, location.credentials.as_deref());
    let (keyring, sealed) = match key_file.read()? {
        Some(keyring) => (keyring, Sealed::Opens),
        // Nothing is opened for a dump.
        None => (new_keyring(FIRST_MASTER), Sealed::Lost),
    };
    let expected = Expected {
        state: &state,
        keyring: &Arc::new(keyring),
        sealed,
        key_path: key_file.path(),
        until,
    };
    let Recovered {
        view,
        identity,
        mut notices,
        ..
    } = read_beside_a_daemon(&expected)?;
    if sealed == Sealed::Lost {
        notices.push(Notice::MasterKeyLost(key_file.path().to_owned()));
    }
    dump_file::write(file, &identity.realm, identity.check, &view).map_err(io_error("write the dump", file))?;
    Ok(Extract {
        principals: view.len(),
        access: view.access().len(),
        sequence: view.sequence(),
        notices,
    })
}

/// What becomes of a dump's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// They are taken; the master key that they are sealed under has to be there already.
    Taken,
    /// They are left out, since that master key is lost: every principal is to have a new password or new keys. The realm's own
    /// principals are left out whole, and are made anew at the first start. A master key is made where there is none.
    LeftOut,
}

/// Makes a database of a dump, in a state directory that has none.
///
/// # Errors
/// [`OpenError`]; then there is still no database.
pub fn load(location: &Location, file: &Path, keys: Keys) -> Result<Extract, OpenError> {
    let dump = dump_file::DumpFile::open(file)?;
    if dump.realm != location.realm {
        let why = format!("the dump is of the realm {}, not of {}", dump.realm, location.realm);
        return Err(OpenError::Dump {
            file: file.to_owned(),
            line: 1,
            why,
        });
    }
    let state = StateDir::new(&location.state);
    let _lock = state.lock()?;
    refuse_database(&state)?;
    let key_file = KeyFile::of(&state.path, location.credentials.as_deref());
    let mut notices = Vec::new();
    let found = key_file.read()?;
    let (keyring, view) = match keys {
        Keys::Taken => {
            let missing = || MasterKeyError::Missing {
                path: key_file.path().to_owned(),
                master: dump.check.master,
            };
            let keyring = Arc::new(found.ok_or_else(missing)?);
            recovery::check_keyring(dump.check, &keyring, key_file.path())?;
            let view = dump.read(Arc::clone(&keyring), Some)?;
            recovery::check_masters(&view, key_file.path())?;
            (keyring, view)
        }
        Keys::LeftOut => {
            let keyring = match found {
                Some(keyring) => keyring,
                None => {
                    // Not the lost one's number: nobody should take it for that.
                    let keyring = make_keyring(&key_file, dump.check.master.saturating_add(1))?;
                    notices.push(Notice::MasterKeyMade(key_file.path().to_owned()));
                    keyring
                }
            };
            let keyring = Arc::new(keyring);
            let view = dump.read(Arc::clone(&keyring), |record| without_keys(record, &location.realm))?;
            (keyring, view)
        }
    };

    write_database(&state, &location.realm, &keyring, &view)?;
    Ok(Extract {
        principals: view.len(),
        access: view.access().len(),
        sequence: view.sequence(),
        notices,
    })
}

/// That there is no database yet.
pub(super) fn refuse_database(state: &StateDir) -> Result<(), OpenError> {
    if state.realm()?.is_some() || !state.segments()?.is_empty() || !state.snapshots()?.is_empty() {
        return Err(OpenError::NotEmpty(state.path.clone()));
    }
    Ok(())
}

/// Writes a database of what is in a view. It is one when all of it is written, and not before.
pub(super) fn write_database(state: &StateDir, realm: &Realm, keyring: &Keyring, view: &View) -> Result<(), OpenError> {
    let identity = new_identity(state, realm, keyring)?;
    let (sequence, chain) = (view.sequence(), view.chain());
    state.make_directories()?;
    let head = Head {
        kind: Kind::Snapshot,
        identity: identity.clone(),
        sequence,
        chain,
    };
    let directory = state.snapshot();
    snapshot::write(&directory, &head, view)
        .map_err(|error| io_error("write a snapshot in", &directory)(io::Error::other(error)))?;
    let settings = Settings {
        directory: state.journal(),
        identity,
        limit: u64::MAX,
    };
    Journal::create(settings, Box::new(FileSystem), sequence, chain)
        .map_err(io_error("write the journal in", &state.path))?;
    state.set_realm(realm)
}

/// What is left of a principal whose keys are lost; `None`, it is one that is made anew.
fn without_keys(mut record: PrincipalRecord, realm: &Realm) -> Option<PrincipalRecord> {
    record.keys.clear();
    record.staged.clear();
    record.former_passwords.clear();
    record.keys_changed = None;
    (!founding::is_built_in(&record.name, realm)).then_some(record)
}

/// Makes the index of a database anew. How many principals are in it.
///
/// # Errors
/// [`OpenError`]; a daemon must not have the database open.
pub fn rebuild_index(location: &Location) -> Result<usize, OpenError> {
    let state = existing(location)?;
    let _lock = state.lock()?;
    let (key_file, keyring) = keyring_of(&state, location.credentials.as_deref())?;
    let expected = Expected {
        state: &state,
        keyring: &keyring,
        sealed: Sealed::Opens,
        key_path: key_file.path(),
        until: None,
    };
    let Recovered { view, identity, .. } = recovery::recover(&expected, IndexUse::None)?;
    let made = Index::create(&state.index())
        .and_then(|index| {
            index
                .update(&identity, &view, view.subjects(), || false)
                .map(|()| index)
        })
        .and_then(Index::close);
    made.map_err(|error| io_error("make the index", &state.index())(io::Error::other(error)))?;
    Ok(view.len())
}

/// Changes the master key of a database that no daemon has open. `progress` is told how many principals are done, of how
/// many.
///
/// # Errors
/// [`RolloverError`]; [`OpenError::InUse`] when a daemon has it.
pub fn change_master_key(
    location: &Location,
    report: Report,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Rollover, RolloverError> {
    let state = existing(location)?;
    let options = Options {
        credentials: location.credentials.clone(),
        ..Options::new(location.realm.clone(), report)
    };
    let opened = Durable::open(&state.path, &options)?;
    opened.store.change_master_key(progress)
}

/// Tells `visit` of every change that the journal of a database still has, the oldest first, until it wants no more. A
/// daemon may have it open.
///
/// # Errors
/// [`OpenError`].
pub fn history(location: &Location, visit: impl FnMut(Event) -> ControlFlow<()>) -> Result<(), OpenError> {
    history::read(&existing(location)?, visit)
}

/// What is right and wrong with a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many principals there are.
    pub principals: usize,
    /// How many roles and rules.
    pub access: usize,
    /// How many keys the principals have, each of which was opened.
    pub keys: usize,
    /// Which master keys they are sealed under, and how many under each.
    pub masters: BTreeMap<u32, usize>,
    /// The last change.
    pub sequence: u64,
    /// What is wrong, each with its place.
    pub problems: Vec<String>,
    /// What is not wrong, but good to know: what could not be looked at, what the next start will repair.
    pub remarks: Vec<String>,
}

/// Reads all of a database, and opens every key. Nothing is changed. A daemon may have it open; then the index is not
/// looked at.
///
/// # Errors
/// [`OpenError`] when there is no telling what is in it: no database, another realm's, no master key.
pub fn verify(location: &Location) -> Result<Verified, OpenError> {
    let state = existing(location)?;
    let lock = state.lock();
    let (key_file, keyring) = keyring_of(&state, location.credentials.as_deref())?;
    let expected = Expected {
        state: &state,
        keyring: &keyring,
        sealed: Sealed::Opens,
        key_path: key_file.path(),
        until: None,
    };
    let mut verified = Verified::default();
    verify_segments(&state, lock.is_ok(), &mut verified)?;
    for snapshot in state.snapshots()? {
        if let Err(error) = snapshot::load(&snapshot.path, &keyring) {
            verified.problems.push(format!("{}: {error}", snapshot.path.display()));
        }
    }
    let view = match read_beside_a_daemon(&expected) {
        Ok(recovered) => recovered.view,
        Err(OpenError::MasterKey(error)) => return Err(error.into()),
        Err(error) => {
            verified.problems.push(error.to_string());
            return Ok(verified);
        }
    };
    verified.principals = view.len();
    verified.access = view.access().len();
    verified.sequence = view.sequence();
    for record in view.sorted() {
        for (purpose, key) in record.sealed() {
            verified.keys += 1;
            *verified.masters.entry(key.sealed.master).or_default() += 1;
            if let Err(error) = keyring.open(purpose, record.id, key) {
                let place = format!("{}, key version {}, {}", record.name, key.kvno, key.etype);
                verified.problems.push(format!("{place}: {error}"));
            }
        }
    }
    for (master, files) in needed_by_files(&state).unwrap_or_default() {
        if master != keyring.sealing().id() && !verified.masters.contains_key(&master) {
            let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            verified.remarks.push(format!(
                "master key {master} is needed by nothing but the history in {}",
                files.join(" and ")
            ));
        }
    }
    match lock {
        Ok(_lock) => verify_index(&expected, &view, &mut verified)?,
        Err(error) => verified.remarks.push(format!("the index was not looked at: {error}")),
    }
    Ok(verified)
}

/// Looks at every segment, also at those that a snapshot has made superfluous.
fn verify_segments(state: &StateDir, at_rest: bool, verified: &mut Verified) -> Result<(), OpenError> {
    let segments = state.segments()?;
    let mut before = None;
    for (at, segment) in segments.iter().enumerate() {
        let file = match SegmentFile::read(segment, None) {
            Ok(file) => file,
            Err(error) => {
                verified.problems.push(error.to_string());
                before = None;
                continue;
            }
        };
        if before.is_some_and(|before| before != file.before()) {
            verified.problems.push(format!(
                "{}: it does not follow the segment before it",
                segment.path.display()
            ));
        }
        let extent = file.extent(file.before(), |_| {});
        let is_last = at + 1 == segments.len();
        match extent.bad {
            None => {}
            // A daemon may just be writing it.
            Some(Bad::Torn) if is_last && !at_rest => {}
            Some(Bad::Torn) if is_last => {
                let frame = format!("an unfinished frame at offset {}", extent.end);
                verified.remarks.push(format!(
                    "{}: {frame} is cut off at the next start",
                    segment.path.display()
                ));
            }
            Some(_) => {
                let place = format!("{}, offset {}", segment.path.display(), extent.end);
                verified.problems.push(format!("{place}: a frame is damaged"));
            }
        }
        before = Some((extent.last, extent.chain));
    }
    Ok(())
}

fn verify_index(expected: &Expected<'_>, truth: &View, verified: &mut Verified) -> Result<(), OpenError> {
    let directory = expected.state.index();
    if !directory.exists() {
        verified
            .remarks
            .push("there is no index; the next start makes one".into());
        return Ok(());
    }
    let recovered = recovery::recover(expected, IndexUse::Contents)?;
    let stale = recovered.notices.iter().find_map(|notice| match notice {
        Notice::IndexStale(why) => Some(why),
        _ => None,
    });
    if let Some(why) = stale {
        verified
            .problems
            .push(format!("{}: {why}; kdc rebuild makes it anew", directory.display()));
    }
    let differs = truth
        .packed()
        .find(|packed| recovered.view.get_packed(packed.id()) != Some(packed));
    let access_differs = recovered.view.access() != truth.access();
    if recovered.view.len() != truth.len() || differs.is_some() || access_differs {
        let who = differs
            .and_then(Packed::unpack)
            .map(|record| format!(", such as {}", record.name))
            .or_else(|| access_differs.then(|| " in its roles or rules".to_owned()))
            .unwrap_or_default();
        verified.problems.push(format!(
            "{}: it differs from the journal{who}; kdc rebuild makes it anew",
            directory.display()
        ));
    }
    Ok(())
}

/// The state directory, if the database in it is that realm's.
fn existing(location: &Location) -> Result<StateDir, OpenError> {
    let state = StateDir::new(&location.state);
    match state.realm()? {
        None => Err(OpenError::NoDatabase(state.path)),
        Some(found) if found != location.realm => Err(OpenError::OtherRealm {
            path: state.path,
            found,
            expected: location.realm.clone(),
        }),
        Some(_) => Ok(state),
    }
}

/// Reads a database that may go on growing. Whatever is removed meanwhile is in a newer snapshot.
fn read_beside_a_daemon(expected: &Expected<'_>) -> Result<Recovered, OpenError> {
    const ATTEMPTS: usize = 5;
    let mut result = recovery::recover(expected, IndexUse::None);
    for _ in 1..ATTEMPTS {
        match &result {
            Err(OpenError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            _ => break,
        }
        result = recovery::recover(expected, IndexUse::None);
    }
    result
}
