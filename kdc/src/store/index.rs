//! The index: the realm's principals in sled, as of some change, for a start without reading a snapshot.
//!
//! sled is never asked to be durable or right: what it gives is taken only if all of it fits a count, a digest and a
//! place in the journal's history, and it is made anew otherwise. It may panic on a damaged file, so it is only touched
//! where a panic is caught.
//!
//! One tree: `m` holds the meta record, `p` and an id a principal: revision, record and CRC32C over key and value. The
//! meta record is written with the last principal that it counts, in one batch; while more is being written than one batch
//! takes, there is none.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use std::{fs, io};

use sled::{Batch, Db, IVec};
use tessera_common::name::Realm;

use super::head::Identity;
use super::octets::{DecodeError, Reader, put_number, put_octets};
use super::packed::Packed;
use super::{Keyring, View};
use crate::realm::principal::PrincipalId;

const META: &[u8] = b"m";
const PRINCIPAL: u8 = b'p';
const VERSION: u8 = 1;
const CACHE_OCTETS: u64 = 32 << 20;
const FLUSH_MS: u64 = 500;
/// How many principals one batch takes.
const BATCH: usize = 4096;

/// An open index.
pub(super) struct Index(Db);

/// What was in an index when it was opened.
pub(super) struct LoadedIndex {
    pub(super) index: Index,
    pub(super) realm: Realm,
    pub(super) lineage: [u8; 16],
    pub(super) view: View,
}

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
    #[error("it does not hold the principals that it says it holds")]
    Disagrees,
    #[error("it cannot be removed: {0}")]
    Remove(io::Error),
}

impl Index {
    /// Opens an index and reads all that is in it.
    pub(super) fn open(directory: &Path, keyring: &Arc<Keyring>) -> Result<LoadedIndex, IndexError> {
        if !directory.exists() {
            return Err(IndexError::Missing);
        }
        let (directory, keyring) = (directory.to_owned(), Arc::clone(keyring));
        on_a_thread_of_its_own(move || {
            let db = open(&directory)?;
            // Caught while the database is still there: it must not be dropped by a panic, which may panic again.
            let (meta, view) =
                catch_unwind(AssertUnwindSafe(|| load(&db, keyring))).map_err(|_| IndexError::Panicked)??;
            Ok(LoadedIndex {
                index: Self(db),
                realm: meta.realm,
                lineage: meta.lineage,
                view,
            })
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
        on_a_thread_of_its_own(move || open(&directory).map(Self))
    }

    /// Writes what the view has for `ids`, or that it has nothing; then the index is where the view is. Between batches,
    /// `stop` may end it; then the index is unfinished.
    pub(super) fn update(
        &self,
        identity: &Identity,
        view: &View,
        mut ids: Vec<PrincipalId>,
        stop: impl Fn() -> bool,
    ) -> Result<(), IndexError> {
        ids.sort_unstable();
        let mut rest = ids.as_slice();
        loop {
            let (now, later) = rest.split_at(rest.len().min(BATCH));
            let mut batch = Batch::default();
            for id in now {
                let key = principal_key(*id);
                match view.get_packed(*id) {
                    Some(packed) => batch.insert(&key, principal_value(&key, packed)),
                    None => batch.remove(&key),
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

fn load(db: &Db, keyring: Arc<Keyring>) -> Result<(Meta, View), IndexError> {
    let meta = db.get(META)?.ok_or(IndexError::Unfinished)?;
    let meta = read_meta(&meta)?;
    let mut view = View::empty(keyring);
    restore_all(db, &mut view)?;
    if (view.len() as u64, view.digest()) != (meta.count, meta.digest) {
        return Err(IndexError::Disagrees);
    }
    view.set_position(meta.sequence, meta.chain);
    Ok((meta, view))
}

/// How many parts of an index are read at once.
const READERS: u8 = 2;
/// How many principals go from a reader to the view at once.
const CHUNK: usize = 512;

/// Puts all principals of an index into the view: some threads read, this one puts in.
fn restore_all(db: &Db, view: &mut View) -> Result<(), IndexError> {
    thread::scope(|scope| {
        let (sender, chunks) = sync_channel(16);
        let readers: Vec<_> = (0..READERS)
            .map(|part| {
                let sender = sender.clone();
                // Ids are random: their first octets part them evenly.
                let begin = |part: u8| [PRINCIPAL, (u16::from(part) * 256 / u16::from(READERS)) as u8];
                let entries = match part + 1 < READERS {
                    true => db.range(begin(part)..begin(part + 1)),
                    false => db.range(begin(part)..[PRINCIPAL + 1, 0]),
                };
                scope.spawn(move || read_part(entries, &sender))
            })
            .collect();
        drop(sender);
        for packed in chunks.into_iter().flatten() {
            view.restore(packed).map_err(|_| IndexError::Disagrees)?;
        }
        for reader in readers {
            reader.join().map_err(|_| IndexError::Panicked)??;
        }
        Ok(())
    })
}

fn read_part(
    entries: impl Iterator<Item = sled::Result<(IVec, IVec)>>,
    to: &SyncSender<Vec<Packed>>,
) -> Result<(), IndexError> {
    let mut chunk = Vec::with_capacity(CHUNK);
    for entry in entries {
        let (key, value) = entry?;
        chunk.push(read_principal(&key, &value)?);
        if chunk.len() == CHUNK
            && to
                .send(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)))
                .is_err()
        {
            // Nobody wants more: what came was refused.
            return Ok(());
        }
    }
    // As above.
    let _ = to.send(chunk);
    Ok(())
}

struct Meta {
    realm: Realm,
    lineage: [u8; 16],
    sequence: u64,
    chain: u32,
    count: u64,
    digest: u64,
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

fn principal_key(id: PrincipalId) -> [u8; 17] {
    let mut key = [PRINCIPAL; 17];
    for (to, from) in key.iter_mut().skip(1).zip(id.0) {
        *to = from;
    }
    key
}

fn principal_value(key: &[u8], packed: &Packed) -> Vec<u8> {
    let mut out = Vec::with_capacity(packed.record().len() + 16);
    put_number(&mut out, packed.revision());
    out.extend_from_slice(packed.record());
    seal(key, out)
}

fn read_principal(key: &[u8], value: &[u8]) -> Result<Packed, DecodeError> {
    let id = key.get(1..).and_then(|id| id.try_into().ok());
    let id = PrincipalId(id.ok_or(DecodeError::Malformed("a key of that length"))?);
    let mut reader = Reader::new(checked(key, value)?);
    let revision = reader.number()?;
    Packed::read(id, revision, reader.take(reader.len())?)
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
) -> Result<T, IndexError> {
    let thread = thread::Builder::new().name("index-open".into()).spawn(work);
    thread
        .map_err(sled::Error::Io)?
        .join()
        .map_err(|_| IndexError::Panicked)?
}
