//! Snapshots: every principal at one point in the journal, so that what is before that point need not be kept.
//!
//! A snapshot is a head and blocks:
//! ```text
//! length      4 octets: of the payload
//! checksum    4 octets: CRC32C of length and payload, seeded with the checksum of what is before the block
//! payload     1, then entries: id (16 octets), revision, record with its length before it; in the order of the ids
//!             or 2, how many entries there are and the digest over all (8 octets each): the end
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::atomic_file::AtomicFile;
use super::head::{Head, Kind};
use super::octets::{DecodeError, Reader, put_number, put_octets};
use super::packed::Packed;
use super::view::fingerprint;
use super::{Keyring, View};
use crate::realm::principal::PrincipalId;

const EXTENSION: &str = "snapshot";
const ENTRIES: u8 = 1;
const END: u8 = 2;
/// A block is begun when the one before has this much.
const BLOCK_OCTETS: usize = 64 << 10;
/// The most that is read as one block: what was begun, and one entry.
const MAX_BLOCK_OCTETS: usize = 1 << 20;
/// How many principals go from the reader to the view at once.
const CHUNK: usize = 512;
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

    /// Completes the snapshot. How many entries it has.
    pub(super) fn finish(mut self) -> io::Result<u64> {
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
    file: BufReader<File>,
    head: Head,
    chain: u32,
    offset: u64,
    block: std::vec::IntoIter<Entry>,
    count: u64,
    digest: u64,
    ended: bool,
}

impl SnapshotReader {
    /// Opens a snapshot and reads its head.
    pub(super) fn open(path: &Path) -> Result<Self, SnapshotError> {
        let (head, head_octets, chain) = read_head(path)?;
        let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
        io::copy(&mut file.by_ref().take(head_octets as u64), &mut io::sink())?;
        let block = Vec::new().into_iter();
        Ok(Self {
            file,
            head,
            chain,
            offset: head_octets as u64,
            block,
            count: 0,
            digest: 0,
            ended: false,
        })
    }

    pub(super) const fn head(&self) -> &Head {
        &self.head
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
            let payload = self.next_block()?;
            let damaged = |why| SnapshotError::Damaged {
                offset: self.offset,
                why,
            };
            match read_block(&payload).map_err(damaged)? {
                Block::Entries(entries) => self.block = entries.into_iter(),
                Block::End { count, digest } if (count, digest) == (self.count, self.digest) => {
                    if self.file.read(&mut [0])? != 0 {
                        return Err(self.damaged(DecodeError::Trailing));
                    }
                    self.ended = true;
                }
                Block::End { .. } => {
                    return Err(damaged(DecodeError::Malformed(
                        "another number of principals than announced",
                    )));
                }
            }
            self.offset += 8 + payload.len() as u64;
        }
    }

    fn next_block(&mut self) -> Result<Vec<u8>, SnapshotError> {
        let (mut len, mut checksum) = ([0; 4], [0; 4]);
        self.read_exactly(&mut len)?;
        self.read_exactly(&mut checksum)?;
        let octets = usize::try_from(u32::from_le_bytes(len))
            .ok()
            .filter(|octets| *octets <= MAX_BLOCK_OCTETS);
        let mut payload = vec![0; octets.ok_or_else(|| self.damaged(DecodeError::Malformed("a block of that size")))?];
        self.read_exactly(&mut payload)?;
        self.chain = crc32c::crc32c_append(crc32c::crc32c_append(self.chain, &len), &payload);
        if self.chain != u32::from_le_bytes(checksum) {
            return Err(self.damaged(DecodeError::Malformed("a block that does not fit its checksum")));
        }
        Ok(payload)
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

/// Reads the head of a snapshot, how long it is, and its checksum.
pub(super) fn read_head(path: &Path) -> Result<(Head, usize, u32), SnapshotError> {
    let mut octets = Vec::new();
    File::open(path)?.take(MAX_HEAD_OCTETS).read_to_end(&mut octets)?;
    Head::read(&octets, Kind::Snapshot).map_err(|why| SnapshotError::Damaged { offset: 0, why })
}

/// Reads a whole snapshot into a view.
pub(super) fn load(path: &Path, keyring: &Arc<Keyring>) -> Result<View, SnapshotError> {
    let mut reader = SnapshotReader::open(path)?;
    let mut view = View::empty(Arc::clone(keyring));
    // One thread reads and checks, this one puts in.
    thread::scope(|scope| {
        let (sender, chunks) = sync_channel(16);
        let reading = scope.spawn(|| read_all(&mut reader, sender));
        for (offset, chunk) in chunks {
            for packed in chunk {
                let why = DecodeError::Malformed("a name of two principals");
                view.restore(packed)
                    .map_err(|_| SnapshotError::Damaged { offset, why })?;
            }
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    view.set_position(reader.head.sequence, reader.head.chain);
    Ok(view)
}

/// Reads all entries, and sends them in chunks, each with an offset near it.
fn read_all(reader: &mut SnapshotReader, to: SyncSender<(u64, Vec<Packed>)>) -> Result<(), SnapshotError> {
    let mut chunk = Vec::with_capacity(CHUNK);
    while let Some(entry) = reader.next_entry()? {
        let packed = Packed::read(entry.id, entry.revision, &entry.record);
        chunk.push(packed.map_err(|why| reader.damaged(why))?);
        if chunk.len() == CHUNK {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
            if to.send((reader.offset, full)).is_err() {
                // Nobody wants more: what came was refused.
                return Ok(());
            }
        }
    }
    // As above.
    let _ = to.send((reader.offset, chunk));
    Ok(())
}

/// Writes all that is in a view as the snapshot that `head` describes.
pub(super) fn write(directory: &Path, head: &Head, view: &View) -> io::Result<u64> {
    let mut writer = SnapshotWriter::create(directory, head)?;
    for packed in view.sorted_by(|a, b| a.id().cmp(&b.id())) {
        writer.add(packed.id(), packed.revision(), packed.record())?;
    }
    writer.finish()
}

/// Writes the entries of `before`, with `changed` in place of what has the same id there, as the snapshot that `head`
/// describes. `None` in `changed` is a principal that is no more. How many entries it has.
pub(super) fn merge(
    directory: &Path,
    head: &Head,
    before: Option<SnapshotReader>,
    changed: BTreeMap<PrincipalId, Option<(u64, Vec<u8>)>>,
) -> Result<u64, SnapshotError> {
    let mut writer = SnapshotWriter::create(directory, head)?;
    let mut changed = changed.into_iter().peekable();
    let mut add_changed = |writer: &mut SnapshotWriter, up_to: Option<PrincipalId>| -> io::Result<bool> {
        let mut replaced = false;
        while let Some((id, new)) = changed.next_if(|(id, _)| up_to.is_none_or(|up_to| *id <= up_to)) {
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
    }
    add_changed(&mut writer, None)?;
    Ok(writer.finish()?)
}

enum Block {
    Entries(Vec<Entry>),
    End { count: u64, digest: u64 },
}

fn read_block(payload: &[u8]) -> Result<Block, DecodeError> {
    let mut reader = Reader::new(payload);
    match reader.octet()? {
        ENTRIES => {
            let mut entries = Vec::new();
            while !reader.is_empty() {
                let id = PrincipalId(reader.array()?);
                entries.push(Entry {
                    id,
                    revision: reader.number()?,
                    record: reader.octets()?.to_vec(),
                });
            }
            Ok(Block::Entries(entries))
        }
        END => {
            let end = Block::End {
                count: reader.u64()?,
                digest: reader.u64()?,
            };
            reader.finish()?;
            Ok(end)
        }
        unknown => Err(DecodeError::Newer("snapshot block", unknown.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::encoding;
    use crate::store::test_realm::{identity, keyring, principal};

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

    type Changed = BTreeMap<PrincipalId, Option<(u64, Vec<u8>)>>;

    fn users(numbers: impl Iterator<Item = u64>, revision: u64) -> Changed {
        let user = |n| {
            let (id, octets) = record(n, &format!("user{n}"));
            (id, Some((revision, octets)))
        };
        numbers.map(user).collect()
    }

    fn revisions(path: &Path) -> BTreeMap<PrincipalId, u64> {
        let view = load(path, &Arc::new(keyring())).unwrap();
        view.iter().map(|record| (record.id, record.revision)).collect()
    }

    #[test]
    fn a_snapshot_holds_the_one_before_and_what_has_changed_since() {
        let directory = tempfile::tempdir().unwrap();
        let mut expected: BTreeMap<_, _> = BTreeMap::new();
        merge(directory.path(), &head(10), None, users(0..2000, 5)).unwrap();
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
        let count = merge(directory.path(), &head(20), Some(before), changed).unwrap();
        assert_eq!(revisions(&snapshot_path(directory.path(), 20)), expected);
        assert_eq!(count, expected.len() as u64);
    }

    #[test]
    fn a_snapshot_altered_or_cut_anywhere_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        merge(directory.path(), &head(10), None, users(0..3, 5)).unwrap();
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
        assert_eq!(merge(directory.path(), &head(0), None, Changed::new()).unwrap(), 0);
        let view = load(&snapshot_path(directory.path(), 0), &Arc::new(keyring())).unwrap();
        assert_eq!((view.len(), view.sequence(), view.chain()), (0, 0, 9));
    }
}
