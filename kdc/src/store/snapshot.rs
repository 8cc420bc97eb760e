//! Snapshots: every principal, role and rule at one point in the journal, so that what is before that point need not be kept.
//!
//! A snapshot is a head and blocks:
//! ```text
//! length      4 octets: of the payload
//! checksum    4 octets: CRC32C of length and payload, seeded with the checksum of what is before the block
//! payload     1, then entries: id (16 octets), revision, record with its length before it; in the order of the ids
//!             or 3, then roles and rules: revision, record with its length before it; in the order of their keys, after
//!             all entries, and only if there are any
//!             or 2, how many entries there are and the digest over all and over roles and rules (8 octets each): the end
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::atomic_file::AtomicFile;
use super::fill::{Filler, fill};
use super::head::{Head, Kind};
use super::octets::{DecodeError, Reader, put_nested, put_number, put_octets};
use super::view::{access_fingerprint, fingerprint};
use super::{Keyring, View, access_encoding};
use crate::realm::access_record::{AccessKey, AccessRecord};
use crate::realm::principal::PrincipalId;

const EXTENSION: &str = "snapshot";
const ENTRIES: u8 = 1;
const END: u8 = 2;
const ACCESS: u8 = 3;
/// A block is begun when the one before has this much.
const BLOCK_OCTETS: usize = 64 << 10;
/// The most that is read as one block: what was begun, and one entry.
const MAX_BLOCK_OCTETS: usize = 1 << 20;
/// A head is far smaller.
const MAX_HEAD_OCTETS: u64 = 8 << 10;

/// The path of the snapshot up to this change.
pub(super) fn snapshot_path(directory: &Path, sequence: u64) -> PathBuf {
    directory.join(format!("{sequence:020}.{EXTENSION}"))
}

/// The last change in a snapshot, from its path; `None` when it is no snapshot's.
pub(super) fn snapshot_sequence(path: &Path) -> Option<u64> {
    super::numbered_file(path, EXTENSION)
}

/// Why a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnapshotError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("at offset {offset}: {why}")]
    Damaged { offset: u64, why: DecodeError },
}

/// One principal in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: PrincipalId,
    pub(super) revision: u64,
    /// The record, written down.
    pub(super) record: Vec<u8>,
}

/// A snapshot that is being written.
pub(super) struct SnapshotWriter {
    file: AtomicFile,
    chain: u32,
    block: Vec<u8>,
    count: u64,
    digest: u64,
}

impl SnapshotWriter {
    /// Begins the snapshot that `head` describes.
    pub(super) fn create(directory: &Path, head: &Head) -> io::Result<Self> {
        let mut file = AtomicFile::create(&snapshot_path(directory, head.sequence))?;
        let octets = head.encode();
        file.write_all(&octets)?;
        let chain = octets.last_chunk().copied().map_or(0, u32::from_le_bytes);
        Ok(Self {
            file,
            chain,
            block: vec![ENTRIES],
            count: 0,
            digest: 0,
        })
    }

    /// Adds an entry. Entries come in ascending order of their ids.
    pub(super) fn add(&mut self, id: PrincipalId, revision: u64, record: &[u8]) -> io::Result<()> {
        self.block.extend_from_slice(&id.0);
        put_number(&mut self.block, revision);
        put_octets(&mut self.block, record);
        self.count += 1;
        self.digest = self.digest.wrapping_add(fingerprint(id, revision));
        if self.block.len() >= BLOCK_OCTETS {
            self.end_block()
        } else {
            Ok(())
        }
    }

    /// Completes the snapshot, with the realm's roles and rules in the order of their keys. How many entries it has.
    pub(super) fn finish<'r>(mut self, access: impl IntoIterator<Item = &'r AccessRecord>) -> io::Result<u64> {
        if self.block.len() > 1 {
            self.end_block()?;
        }
        self.block = vec![ACCESS];
        for record in access {
            put_number(&mut self.block, record.revision);
            put_nested(&mut self.block, |out| access_encoding::put_access(out, record));
            self.digest = self
                .digest
                .wrapping_add(access_fingerprint(&record.key(), record.revision));
            if self.block.len() >= BLOCK_OCTETS {
                self.end_block()?;
                self.block = vec![ACCESS];
            }
        }
        if self.block.len() > 1 {
            self.end_block()?;
        }
        self.block = [&[END][..], &self.count.to_le_bytes(), &self.digest.to_le_bytes()].concat();
        self.end_block()?;
        self.file.commit()?;
        Ok(self.count)
    }

    fn end_block(&mut self) -> io::Result<()> {
        let len = u32::try_from(self.block.len())
            .map_err(|_| io::ErrorKind::FileTooLarge)?
            .to_le_bytes();
        self.chain = crc32c::crc32c_append(crc32c::crc32c_append(self.chain, &len), &self.block);
        self.file.write_all(&len)?;
        self.file.write_all(&self.chain.to_le_bytes())?;
        self.file.write_all(&self.block)?;
        self.block.clear();
        self.block.push(ENTRIES);
        Ok(())
    }
}

/// A snapshot that is being read, entry by entry; an entry is given only from a block whose checksum fits.
pub(super) struct SnapshotReader {
    blocks: Blocks,
    block: std::vec::IntoIter<Entry>,
    access: Vec<AccessRecord>,
    count: u64,
    digest: u64,
    ended: bool,
}

impl SnapshotReader {
    /// Opens a snapshot and reads its head.
    pub(super) fn open(path: &Path) -> Result<Self, SnapshotError> {
        Ok(Self {
            blocks: Blocks::open(path)?,
            block: Vec::new().into_iter(),
            access: Vec::new(),
            count: 0,
            digest: 0,
            ended: false,
        })
    }

    pub(super) const fn head(&self) -> &Head {
        &self.blocks.head
    }

    /// The next entry; `None` when the snapshot was read to its end, and is whole.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, SnapshotError> {
        loop {
            if let Some(entry) = self.block.next() {
                self.count += 1;
                self.digest = self.digest.wrapping_add(fingerprint(entry.id, entry.revision));
                return Ok(Some(entry));
            }
            if self.ended {
                return Ok(None);
            }
            match self.blocks.next_block()? {
                Block::Entries { offset, octets } => {
                    let entries: Result<Vec<_>, _> = entries(&octets)
                        .map(|entry| entry.map(|entry| entry.to_owned()))
                        .collect();
                    let damaged = |why| SnapshotError::Damaged { offset, why };
                    self.block = entries.map_err(damaged)?.into_iter();
                }
                Block::Access(mut records) => self.access.append(&mut records),
                Block::End(end) => {
                    let access = self.access.iter();
                    let digest = access.fold(self.digest, |digest, record| {
                        digest.wrapping_add(access_fingerprint(&record.key(), record.revision))
                    });
                    end.check(self.count, digest)?;
                    self.ended = true;
                }
            }
        }
    }

    /// The roles and rules that were read: all of them, when all entries were.
    fn into_access(self) -> Vec<AccessRecord> {
        self.access
    }
}

/// The blocks of a snapshot, one after the other, each given only if its checksum fits.
struct Blocks {
    file: BufReader<File>,
    head: Head,
    chain: u32,
    offset: u64,
}

enum Block {
    /// The octets of some entries, and where in the file they are.
    Entries {
        offset: u64,
        octets: Vec<u8>,
    },
    /// Roles and rules.
    Access(Vec<AccessRecord>),
    End(End),
}

/// What a snapshot says of itself at its end, after which there is nothing.
struct End {
    offset: u64,
    count: u64,
    digest: u64,
}

impl End {
    fn check(&self, count: u64, digest: u64) -> Result<(), SnapshotError> {
        if (count, digest) == (self.count, self.digest) {
            return Ok(());
        }
        Err(SnapshotError::Damaged {
            offset: self.offset,
            why: DecodeError::Malformed("another content than announced"),
        })
    }
}

impl Blocks {
    fn open(path: &Path) -> Result<Self, SnapshotError> {
        let (head, head_octets, chain) = read_head(path)?;
        let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
        io::copy(&mut file.by_ref().take(head_octets as u64), &mut io::sink())?;
        Ok(Self {
            file,
            head,
            chain,
            offset: head_octets as u64,
        })
    }

    fn next_block(&mut self) -> Result<Block, SnapshotError> {
        let (mut len, mut checksum, mut kind) = ([0; 4], [0; 4], [0; 1]);
        self.read_exactly(&mut len)?;
        self.read_exactly(&mut checksum)?;
        let octets = usize::try_from(u32::from_le_bytes(len)).ok();
        let octets = octets.filter(|octets| (1..=MAX_BLOCK_OCTETS).contains(octets));
        let octets = octets.ok_or_else(|| self.damaged(DecodeError::Malformed("a block of that size")))?;
        self.read_exactly(&mut kind)?;
        let mut payload = Vec::with_capacity(octets - 1);
        if self.file.by_ref().take(octets as u64 - 1).read_to_end(&mut payload)? < octets - 1 {
            return Err(self.damaged(DecodeError::Truncated));
        }
        self.chain = [&len[..], &kind, &payload]
            .iter()
            .fold(self.chain, |chain, part| crc32c::crc32c_append(chain, part));
        if self.chain != u32::from_le_bytes(checksum) {
            return Err(self.damaged(DecodeError::Malformed("a block that does not fit its checksum")));
        }
        let offset = self.offset;
        let block = match kind {
            [ENTRIES] => Block::Entries {
                offset,
                octets: payload,
            },
            [ACCESS] => Block::Access(read_access(&payload).map_err(|why| self.damaged(why))?),
            [END] => Block::End(self.end(&payload).map_err(|why| self.damaged(why))?),
            [unknown] => return Err(self.damaged(DecodeError::Newer("snapshot block", unknown.into()))),
        };
        self.offset += 8 + octets as u64;
        if matches!(block, Block::End(_)) && self.file.read(&mut [0])? != 0 {
            return Err(self.damaged(DecodeError::Trailing));
        }
        Ok(block)
    }

    fn end(&self, payload: &[u8]) -> Result<End, DecodeError> {
        let mut reader = Reader::new(payload);
        let end = End {
            offset: self.offset,
            count: reader.u64()?,
            digest: reader.u64()?,
        };
        reader.finish()?;
        Ok(end)
    }

    fn read_exactly(&mut self, to: &mut [u8]) -> Result<(), SnapshotError> {
        self.file.read_exact(to).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(DecodeError::Truncated),
            _ => error.into(),
        })
    }

    const fn damaged(&self, why: DecodeError) -> SnapshotError {
        SnapshotError::Damaged {
            offset: self.offset,
            why,
        }
    }
}

/// One principal in a block.
struct EntryIn<'a> {
    id: PrincipalId,
    revision: u64,
    record: &'a [u8],
}

impl EntryIn<'_> {
    fn to_owned(&self) -> Entry {
        Entry {
            id: self.id,
            revision: self.revision,
            record: self.record.to_vec(),
        }
    }
}

/// The entries in a block's octets.
fn entries<'a>(octets: &'a [u8]) -> impl Iterator<Item = Result<EntryIn<'a>, DecodeError>> {
    let mut reader = Reader::new(octets);
    let read = |reader: &mut Reader<'a>| {
        Ok(EntryIn {
            id: PrincipalId(reader.array()?),
            revision: reader.number()?,
            record: reader.octets()?,
        })
    };
    core::iter::from_fn(move || (!reader.is_empty()).then(|| read(&mut reader)))
}

/// The roles and rules in a block's octets.
fn read_access(octets: &[u8]) -> Result<Vec<AccessRecord>, DecodeError> {
    let mut reader = Reader::new(octets);
    let mut records = Vec::new();
    while !reader.is_empty() {
        let revision = reader.number()?;
        records.push(access_encoding::read_access(reader.octets()?, revision)?);
    }
    Ok(records)
}

/// Reads the head of a snapshot, how long it is, and its checksum.
pub(super) fn read_head(path: &Path) -> Result<(Head, usize, u32), SnapshotError> {
    let mut octets = Vec::new();
    File::open(path)?.take(MAX_HEAD_OCTETS).read_to_end(&mut octets)?;
    Head::read(&octets, Kind::Snapshot).map_err(|why| SnapshotError::Damaged { offset: 0, why })
}

/// How many threads take entries out of blocks.
const DECODERS: usize = 2;
/// How many blocks one of them gets at once, and how many times as many wait.
const AT_ONCE: usize = 16;
const WAITING: usize = 2;

/// What is in a snapshot beside its entries.
type Rest = (Vec<AccessRecord>, End);

/// The octets of blocks, and where in the file they are.
type Payloads = Vec<(u64, Vec<u8>)>;

/// Reads a whole snapshot into a view. This thread reads the blocks, each of which seeds the checksum of the next; others
/// take out what is in them, and put it in.
pub(super) fn load(path: &Path, keyring: &Arc<Keyring>) -> Result<View, SnapshotError> {
    let mut blocks = Blocks::open(path)?;
    let expected = announced(path)?;
    let (view, rest) = fill(Arc::clone(keyring), expected, |filler| read_all(&mut blocks, &filler));
    let (Some((access, end)), Ok(mut view)) = (rest?, view) else {
        return Err(blocks.damaged(DecodeError::Malformed("a name of two principals")));
    };
    for record in access {
        let restored = view.restore_access(record);
        restored.map_err(|_| blocks.damaged(DecodeError::Malformed("two roles or rules of one name")))?;
    }
    end.check(view.len() as u64, view.digest())?;
    view.set_position(blocks.head.sequence, blocks.head.chain);
    Ok(view)
}

/// How many principals a snapshot says it has, before it is known whether that is so: only for making room.
fn announced(path: &Path) -> io::Result<usize> {
    /// An entry has more: an id, a revision, and a record with an id, a name and two times.
    const LEAST_OCTETS: u64 = 48;
    let mut file = File::open(path)?;
    let octets = file.metadata()?.len();
    let mut count = [0; 8];
    file.seek(SeekFrom::Start(octets.saturating_sub(16)))?;
    // A file too short for that is found to be damaged soon enough.
    let count = file.read_exact(&mut count).map_or(0, |()| u64::from_le_bytes(count));
    Ok(usize::try_from(count.min(octets / LEAST_OCTETS)).unwrap_or(0))
}

/// Hands over all that is in the blocks; `None` when it was refused.
fn read_all(blocks: &mut Blocks, filler: &Filler<'_>) -> Result<Option<Rest>, SnapshotError> {
    thread::scope(|scope| {
        let (sender, payloads) = sync_channel(WAITING);
        let payloads = Arc::new(Mutex::new(payloads));
        let decoders: Vec<_> = (0..DECODERS)
            .map(|_| {
                let payloads = Arc::clone(&payloads);
                scope.spawn(move || decode(&payloads, filler))
            })
            .collect();
        // When the last of them ends, there is nobody to send to.
        drop(payloads);
        let end = send_all(blocks, sender);
        for decoder in decoders {
            decoder
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        end
    })
}

fn send_all(blocks: &mut Blocks, to: SyncSender<Payloads>) -> Result<Option<Rest>, SnapshotError> {
    let (mut some, mut access) = (Payloads::new(), Vec::new());
    loop {
        let end = match blocks.next_block()? {
            Block::Entries { offset, octets } => {
                some.push((offset, octets));
                None
            }
            Block::Access(mut records) => {
                access.append(&mut records);
                None
            }
            Block::End(end) => Some(end),
        };
        if (end.is_some() || some.len() == AT_ONCE) && to.send(std::mem::take(&mut some)).is_err() {
            return Ok(None);
        }
        if let Some(end) = end {
            return Ok(Some((access, end)));
        }
    }
}

fn decode(payloads: &Mutex<Receiver<Payloads>>, filler: &Filler<'_>) -> Result<(), SnapshotError> {
    loop {
        let some = payloads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(some) = some else {
            return Ok(());
        };
        let mut lot = filler.lot();
        for (offset, octets) in some {
            entries(&octets)
                .try_for_each(|entry| entry.and_then(|entry| lot.add(entry.id, entry.revision, entry.record)))
                .map_err(|why| SnapshotError::Damaged { offset, why })?;
        }
        if filler.put(lot).is_err() {
            return Ok(());
        }
    }
}

/// Writes all that is in a view as the snapshot that `head` describes.
pub(super) fn write(directory: &Path, head: &Head, view: &View) -> io::Result<u64> {
    let mut writer = SnapshotWriter::create(directory, head)?;
    for packed in view.sorted_by(|a, b| a.id().cmp(&b.id())) {
        writer.add(packed.id(), packed.revision(), packed.record())?;
    }
    writer.finish(view.access().iter().map(|record| &**record))
}

/// What has changed since a snapshot; `None` is what is no more.
#[derive(Default)]
pub(super) struct Changed {
    /// Principals: revision, and record written down.
    pub(super) principals: BTreeMap<PrincipalId, Option<(u64, Vec<u8>)>>,
    /// Roles and rules.
    pub(super) access: BTreeMap<AccessKey, Option<AccessRecord>>,
}

/// Writes what is in `before`, with `changed` in place of what has the same id or key there, as the snapshot that `head`
/// describes. How many entries it has.
pub(super) fn merge(
    directory: &Path,
    head: &Head,
    before: Option<SnapshotReader>,
    changed: Changed,
) -> Result<u64, SnapshotError> {
    let mut writer = SnapshotWriter::create(directory, head)?;
    let mut access = BTreeMap::new();
    let mut principals = changed.principals.into_iter().peekable();
    let mut add_changed = |writer: &mut SnapshotWriter, up_to: Option<PrincipalId>| -> io::Result<bool> {
        let mut replaced = false;
        while let Some((id, new)) = principals.next_if(|(id, _)| up_to.is_none_or(|up_to| *id <= up_to)) {
            replaced |= Some(id) == up_to;
            if let Some((revision, record)) = new {
                writer.add(id, revision, &record)?;
            }
        }
        Ok(replaced)
    };
    if let Some(mut before) = before {
        while let Some(entry) = before.next_entry()? {
            if !add_changed(&mut writer, Some(entry.id))? {
                writer.add(entry.id, entry.revision, &entry.record)?;
            }
        }
        let records = before.into_access().into_iter();
        access.extend(records.map(|record| (record.key(), Some(record))));
    }
    add_changed(&mut writer, None)?;
    access.extend(changed.access);
    Ok(writer.finish(access.values().flatten())?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::encoding;
    use crate::store::test_realm::{full_rule, identity, keyring, principal, role};

    fn head(sequence: u64) -> Head {
        Head {
            kind: Kind::Snapshot,
            identity: identity(),
            sequence,
            chain: 9,
        }
    }

    fn record(number: u64, text: &str) -> (PrincipalId, Vec<u8>) {
        let record = principal(number, text);
        let mut octets = Vec::new();
        encoding::put_record(&mut octets, &record);
        (record.id, octets)
    }

    type Principals = BTreeMap<PrincipalId, Option<(u64, Vec<u8>)>>;

    fn users(numbers: impl Iterator<Item = u64>, revision: u64) -> Principals {
        let user = |n| {
            let (id, octets) = record(n, &format!("user{n}"));
            (id, Some((revision, octets)))
        };
        numbers.map(user).collect()
    }

    fn of(principals: Principals) -> Changed {
        Changed {
            principals,
            access: access(&[(role("mail"), 3), (full_rule("office"), 4)]),
        }
    }

    fn access(records: &[(AccessRecord, u64)]) -> BTreeMap<AccessKey, Option<AccessRecord>> {
        let revised = |(record, revision): &(AccessRecord, u64)| {
            let record = AccessRecord {
                revision: *revision,
                ..record.clone()
            };
            (record.key(), Some(record))
        };
        records.iter().map(revised).collect()
    }

    #[test]
    fn roles_and_rules_are_those_of_the_one_before_and_what_has_changed_since() {
        let directory = tempfile::tempdir().unwrap();
        let kept = |sequence| {
            let view = load(&snapshot_path(directory.path(), sequence), &Arc::new(keyring())).unwrap();
            let records = view
                .access()
                .iter()
                .map(|record| (record.key().name().to_owned(), record.revision));
            records.collect::<Vec<_>>()
        };
        let many: Vec<_> = (0..2000).map(|n| (full_rule(&format!("r{n:04}")), n)).collect();
        let changed = |access| Changed {
            access,
            ..Changed::default()
        };
        merge(directory.path(), &head(10), None, changed(access(&many))).unwrap();
        let mut expected: Vec<_> = many
            .iter()
            .map(|(record, n)| (record.key().name().to_owned(), *n))
            .collect();
        assert_eq!(kept(10), expected);

        let mut next = access(&[(full_rule("r0003"), 11), (role("staff"), 12)]);
        next.insert(full_rule("r0000").key(), None);
        let before = SnapshotReader::open(&snapshot_path(directory.path(), 10)).unwrap();
        merge(directory.path(), &head(20), Some(before), changed(next)).unwrap();
        expected[3].1 = 11;
        expected[0] = ("staff".into(), 12);
        assert_eq!(kept(20), expected);
    }

    fn revisions(path: &Path) -> BTreeMap<PrincipalId, u64> {
        let view = load(path, &Arc::new(keyring())).unwrap();
        view.iter().map(|record| (record.id, record.revision)).collect()
    }

    #[test]
    fn a_snapshot_holds_the_one_before_and_what_has_changed_since() {
        let directory = tempfile::tempdir().unwrap();
        let mut expected: BTreeMap<_, _> = BTreeMap::new();
        merge(directory.path(), &head(10), None, of(users(0..2000, 5))).unwrap();
        expected.extend(users(0..2000, 5).into_keys().map(|id| (id, 5)));
        let first = snapshot_path(directory.path(), 10);
        assert_eq!(revisions(&first), expected);

        let mut changed = users(1500..2500, 11);
        for (_, gone) in changed.iter_mut().step_by(7) {
            *gone = None;
        }
        for (id, new) in &changed {
            match new {
                Some(_) => expected.insert(*id, 11),
                None => expected.remove(id),
            };
        }
        let before = SnapshotReader::open(&first).unwrap();
        let count = merge(directory.path(), &head(20), Some(before), of(changed)).unwrap();
        assert_eq!(revisions(&snapshot_path(directory.path(), 20)), expected);
        assert_eq!(count, expected.len() as u64);
    }

    #[test]
    fn a_snapshot_altered_or_cut_anywhere_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        merge(directory.path(), &head(10), None, of(users(0..3, 5))).unwrap();
        let path = snapshot_path(directory.path(), 10);
        let octets = fs::read(&path).unwrap();
        let ring = Arc::new(keyring());
        for at in 0..octets.len() {
            let mut altered = octets.clone();
            altered[at] ^= 0x20;
            fs::write(&path, &altered).unwrap();
            assert!(load(&path, &ring).is_err(), "octet {at} altered");
            fs::write(&path, &octets[..at]).unwrap();
            assert!(load(&path, &ring).is_err(), "cut to {at}");
        }
        fs::write(&path, [&octets[..], b"more"].concat()).unwrap();
        assert!(load(&path, &ring).is_err(), "with something behind its end");
    }

    #[test]
    fn a_snapshot_of_nobody_is_a_snapshot() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(merge(directory.path(), &head(0), None, Changed::default()).unwrap(), 0);
        let view = load(&snapshot_path(directory.path(), 0), &Arc::new(keyring())).unwrap();
        assert_eq!((view.len(), view.sequence(), view.chain()), (0, 0, 9));
    }
}
