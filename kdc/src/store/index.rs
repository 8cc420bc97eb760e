//! The index: the realm's principals in sled, as of some change, for a start without making again what a long journal
//! holds; and a witness of how far the journal went.
//!
//! sled is never asked to be durable or right: what it gives is taken only if all of it fits a count, a digest and a
//! place in the journal's history, and it is made anew otherwise. It may panic on a damaged file, so it is only touched
//! where a panic is caught. A start that does not need what is in it reads the meta record only; whoever reads the rest
//! counts it.
//!
//! One tree: `m` holds the meta record, `p` and an id a principal, `r` and a name a role, `u` and a name a rule: revision,
//! record and CRC32C over key and value. The meta record is written with the last record that it sums up, in one batch; while
//! more is being written than one batch takes, there is none.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, io};

use sled::{Batch, Db, IVec};
use tessera_common::name::Realm;

use super::fill::{Filler, Lot, fill};
use super::head::Identity;
use super::octets::{DecodeError, Reader, put_number, put_octets};
use super::{Keyring, Subject, View, access_encoding};
use crate::realm::access_record::{AccessKey, AccessRecord};
use crate::realm::principal::PrincipalId;

const META: &[u8] = b"m";
const PRINCIPAL: u8 = b'p';
const ROLE: u8 = b'r';
const RULE: u8 = b'u';
const POLICY: u8 = b'o';
const VERSION: u8 = 1;
const CACHE_OCTETS: u64 = 32 << 20;
const FLUSH_MS: u64 = 500;
/// How many records one batch takes.
const BATCH: usize = 4096;

/// An open index.
pub(super) struct Index(Db);

/// An index whose meta record was read, and nothing else.
pub(super) struct OpenIndex {
    pub(super) index: Index,
    pub(super) meta: Meta,
}

/// What an index says of itself.
pub(super) struct Meta {
    pub(super) realm: Realm,
    pub(super) lineage: [u8; 16],
    /// The last change in it.
    pub(super) sequence: u64,
    /// The checksum of the journal's frame with that change.
    pub(super) chain: u32,
    /// How many principals.
    pub(super) count: u64,
    /// Over all of them, and all roles and rules, as [`View::digest`].
    pub(super) digest: u64,
}

/// An index that is being opened while something else is done.
pub(super) struct Opening<T = OpenIndex>(io::Result<JoinHandle<Result<T, IndexError>>>);

/// Why an index is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum IndexError {
    #[error("there is none")]
    Missing,
    #[error("it was not completely written")]
    Unfinished,
    #[error("sled fails: {0}")]
    Sled(#[from] sled::Error),
    #[error("sled panicked")]
    Panicked,
    #[error("it is damaged: {0}")]
    Damaged(#[from] DecodeError),
    #[error("it does not hold what it says it holds")]
    Disagrees,
    #[error("it cannot be removed: {0}")]
    Remove(io::Error),
}

impl<T> Opening<T> {
    /// The index, when it is open.
    pub(super) fn wait(self) -> Result<T, IndexError> {
        let opened = self.0.map_err(sled::Error::Io)?.join();
        opened.map_err(|_| IndexError::Panicked)?
    }
}

impl OpenIndex {
    /// Reads all that is in the index, and sees that it is what it should be.
    pub(super) fn load(self, keyring: &Arc<Keyring>) -> Result<(Self, View), IndexError> {
        let keyring = Arc::clone(keyring);
        on_a_thread_of_its_own(move || {
            // Caught while the database is still there: it must not be dropped by a panic, which may panic again.
            let loaded = catch_unwind(AssertUnwindSafe(|| load(&self, keyring)));
            let view = loaded.map_err(|_| IndexError::Panicked)??;
            Ok((self, view))
        })
        .wait()
    }

    /// Closes an index that is of no use.
    pub(super) fn discard(self) {
        // It is made anew whatever it comes to.
        let _ = contain(|| {
            drop(self.index);
            Ok(())
        });
    }
}

impl Index {
    /// Opens an index, in a thread of its own.
    pub(super) fn open(directory: &Path) -> Opening {
        let directory = directory.to_owned();
        on_a_thread_of_its_own(move || {
            if !directory.exists() {
                return Err(IndexError::Missing);
            }
            let db = open(&directory)?;
            let meta = catch_unwind(AssertUnwindSafe(|| db.get(META))).map_err(|_| IndexError::Panicked)??;
            let meta = read_meta(&meta.ok_or(IndexError::Unfinished)?)?;
            Ok(OpenIndex { index: Self(db), meta })
        })
    }

    /// Makes an empty index in place of what is there.
    pub(super) fn create(directory: &Path) -> Result<Self, IndexError> {
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(IndexError::Remove(error)),
            _ => {}
        }
        // sled would make it for everybody.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(sled::Error::Io)?;
        let directory = directory.to_owned();
        on_a_thread_of_its_own(move || open(&directory).map(Self)).wait()
    }

    /// Writes what the view has for these subjects, or that it has nothing; then the index is where the view is. Between batches,
    /// `stop` may end it; then the index is unfinished.
    pub(super) fn update(
        &self,
        identity: &Identity,
        view: &View,
        mut subjects: Vec<Subject>,
        stop: impl Fn() -> bool,
    ) -> Result<(), IndexError> {
        subjects.sort_unstable();
        let mut rest = subjects.as_slice();
        loop {
            let (now, later) = rest.split_at(rest.len().min(BATCH));
            let mut batch = Batch::default();
            for subject in now {
                let key = key_of(subject);
                match value_of(&key, subject, view) {
                    Some(value) => batch.insert(key, value),
                    None => batch.remove(key),
                }
            }
            if later.is_empty() {
                batch.insert(META, meta(identity, view));
                return contain(|| self.0.apply_batch(batch));
            }
            if stop() {
                return Err(IndexError::Unfinished);
            }
            batch.remove(META);
            contain(|| self.0.apply_batch(batch))?;
            rest = later;
        }
    }

    /// Leaves nothing to be done at the next start.
    pub(super) fn close(self) -> Result<(), IndexError> {
        contain(|| self.0.flush())?;
        contain(|| {
            drop(self.0);
            Ok(())
        })
    }
}

// sled lets go of its lock a moment after it was closed, in a thread of its own. Nobody else can have it: the state directory
// is locked, too.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

fn open(directory: &Path) -> Result<Db, IndexError> {
    let config = sled::Config::new()
        .path(directory)
        .cache_capacity(CACHE_OCTETS)
        .flush_every_ms(Some(FLUSH_MS));
    let mut tries = LOCK_TRIES;
    loop {
        match config.open() {
            Err(sled::Error::Io(why)) if tries > 0 && why.to_string().contains("could not acquire lock") => {
                tries -= 1;
                thread::park_timeout(LOCK_PAUSE);
            }
            opened => return Ok(opened?),
        }
    }
}

/// How many parts of an index are read at once.
const READERS: u8 = 2;
/// How many principals go from a reader to the view at once.
const LOT: usize = 512;

fn load(opened: &OpenIndex, keyring: Arc<Keyring>) -> Result<View, IndexError> {
    let OpenIndex { index: Index(db), meta } = opened;
    let expected = usize::try_from(meta.count).unwrap_or(0);
    let (view, read) = fill(keyring, expected, |filler| read_all(db, &filler));
    read?;
    let mut view = view.map_err(|_| IndexError::Disagrees)?;
    for prefix in [ROLE, RULE, POLICY] {
        for entry in db.scan_prefix([prefix]) {
            let (key, value) = entry?;
            let record = read_access(&key, &value)?;
            view.restore_access(record).map_err(|_| IndexError::Disagrees)?;
        }
    }
    if (view.len() as u64, view.digest()) != (meta.count, meta.digest) {
        return Err(IndexError::Disagrees);
    }
    view.set_position(meta.sequence, meta.chain);
    Ok(view)
}

fn read_all(db: &Db, filler: &Filler<'_>) -> Result<(), IndexError> {
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|part| {
                // Ids are random: their first octets part them evenly.
                let begin = |part: u8| [PRINCIPAL, (u16::from(part) * 256 / u16::from(READERS)) as u8];
                let entries = match part + 1 < READERS {
                    true => db.range(begin(part)..begin(part + 1)),
                    false => db.range(begin(part)..[PRINCIPAL + 1, 0]),
                };
                scope.spawn(move || read_part(entries, filler))
            })
            .collect();
        readers
            .into_iter()
            .try_for_each(|reader| reader.join().map_err(|_| IndexError::Panicked)?)
    })
}

fn read_part(entries: impl Iterator<Item = sled::Result<(IVec, IVec)>>, filler: &Filler<'_>) -> Result<(), IndexError> {
    let mut lot = filler.lot();
    for entry in entries {
        let (key, value) = entry?;
        read_principal(&key, &value, &mut lot)?;
        if lot.len() == LOT && filler.put(std::mem::replace(&mut lot, filler.lot())).is_err() {
            return Ok(());
        }
    }
    // Refused or not, it was the last.
    let _ = filler.put(lot);
    Ok(())
}

fn meta(identity: &Identity, view: &View) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_octets(&mut out, identity.realm.as_str().as_bytes());
    out.extend_from_slice(&identity.lineage);
    put_number(&mut out, view.sequence());
    out.extend_from_slice(&view.chain().to_le_bytes());
    put_number(&mut out, view.len() as u64);
    out.extend_from_slice(&view.digest().to_le_bytes());
    seal(META, out)
}

fn read_meta(value: &[u8]) -> Result<Meta, DecodeError> {
    let mut reader = Reader::new(checked(META, value)?);
    match reader.octet()? {
        VERSION => {}
        unknown => return Err(DecodeError::Newer("index version", unknown.into())),
    }
    let meta = Meta {
        realm: Realm::new(reader.text()?).map_err(|_| DecodeError::Malformed("a realm's name"))?,
        lineage: reader.array()?,
        sequence: reader.number()?,
        chain: reader.u32()?,
        count: reader.number()?,
        digest: reader.u64()?,
    };
    reader.finish()?;
    Ok(meta)
}

fn key_of(subject: &Subject) -> Vec<u8> {
    match subject {
        Subject::Principal(id) => [&[PRINCIPAL], &id.0[..]].concat(),
        Subject::Access(key) => access_key(key),
    }
}

fn access_key(key: &AccessKey) -> Vec<u8> {
    let prefix = match key {
        AccessKey::Role(_) => ROLE,
        AccessKey::Rule(_) => RULE,
        AccessKey::Policy(_) => POLICY,
    };
    [&[prefix], key.name().as_bytes()].concat()
}

/// What the view has under this key.
fn value_of(key: &[u8], subject: &Subject, view: &View) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(512);
    match subject {
        Subject::Principal(id) => {
            let packed = view.get_packed(*id)?;
            put_number(&mut out, packed.revision());
            out.extend_from_slice(packed.record());
        }
        Subject::Access(key) => {
            let record = view.access().get(key)?;
            put_number(&mut out, record.revision);
            access_encoding::put_access(&mut out, record);
        }
    }
    Some(seal(key, out))
}

fn read_access(key: &[u8], value: &[u8]) -> Result<AccessRecord, DecodeError> {
    let mut reader = Reader::new(checked(key, value)?);
    let revision = reader.number()?;
    let record = access_encoding::read_access(reader.take(reader.len())?, revision)?;
    if access_key(&record.key()) == key {
        Ok(record)
    } else {
        Err(DecodeError::Malformed("a record under another's key"))
    }
}

fn read_principal(key: &[u8], value: &[u8], to: &mut Lot<'_>) -> Result<(), DecodeError> {
    let id = key.get(1..).and_then(|id| id.try_into().ok());
    let id = PrincipalId(id.ok_or(DecodeError::Malformed("a key of that length"))?);
    let mut reader = Reader::new(checked(key, value)?);
    let revision = reader.number()?;
    to.add(id, revision, reader.take(reader.len())?)
}

/// Adds the checksum over key and value.
fn seal(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c_append(crc32c::crc32c(key), &value);
    value.extend_from_slice(&checksum.to_le_bytes());
    value
}

/// Takes the checksum off.
fn checked<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let (value, checksum) = value.split_last_chunk().ok_or(DecodeError::Truncated)?;
    if crc32c::crc32c_append(crc32c::crc32c(key), value) != u32::from_le_bytes(*checksum) {
        return Err(DecodeError::Malformed("an entry that does not fit its checksum"));
    }
    Ok(value)
}

fn contain<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, IndexError> {
    // Whatever state a panic leaves sled in, it is not used again.
    Ok(catch_unwind(AssertUnwindSafe(work)).map_err(|_| IndexError::Panicked)??)
}

/// Runs what may panic where the panic ends only a thread.
fn on_a_thread_of_its_own<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Opening<T> {
    Opening(thread::Builder::new().name("index-open".into()).spawn(work))
}
