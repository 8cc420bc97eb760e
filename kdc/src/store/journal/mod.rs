//! The journal: every change to the realm, in sequence. It is the truth; all else can be made anew from it.
//!
//! It is a directory of segments, each named after the first sequence number in it. A segment is a head and frames. Only
//! the last one is written to; when it has reached its limit the next one begins.
//!
//! A frame is acknowledged when `fdatasync` has returned. When a write or a sync fails, the segment is cut back to its
//! last good frame and no change is taken any more; the next attempt makes sure of the cut and goes on in a new segment,
//! since pages that could not be written are not to be trusted again.

mod disk;
#[cfg(test)]
pub(super) mod faulty_disk;
mod frame;

use std::io;
use std::path::{Path, PathBuf};

pub(super) use self::disk::{Disk, FileSystem, SegmentFile};
pub(super) use self::frame::{Bad, Extent, Frame, read_frames};
use self::frame::{MAX_PAYLOAD_OCTETS, put_frame};
use super::KeyCheck;
use super::head::{Head, Identity, Kind};

const EXTENSION: &str = "journal";

/// The path of the segment whose first change has this number.
pub(super) fn segment_path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.{EXTENSION}"))
}

/// The number of the first change in a segment, from its path; `None` when it is no segment's.
pub(super) fn segment_first(path: &Path) -> Option<u64> {
    super::numbered_file(path, EXTENSION)
}

/// The end of the journal, where it grows.
pub(super) struct Journal {
    directory: PathBuf,
    disk: Box<dyn Disk>,
    identity: Identity,
    limit: u64,
    segment: Segment,
    /// The last change that is durable.
    last: u64,
    /// The checksum of its frame.
    chain: u32,
    broken: bool,
    buffer: Vec<u8>,
}

struct Segment {
    file: Box<dyn SegmentFile>,
    /// The checksum of its head.
    seed: u32,
    head_octets: u64,
    /// Where its last good frame ends.
    end: u64,
}

/// Where a journal is, whose, and how large a segment grows.
pub(super) struct Settings {
    pub(super) directory: PathBuf,
    pub(super) identity: Identity,
    pub(super) limit: u64,
}

/// The segment to go on with: its path, its head's length and checksum, and how far it is good.
pub(super) struct LastSegment {
    pub(super) path: PathBuf,
    pub(super) head_octets: usize,
    pub(super) seed: u32,
    pub(super) extent: Extent,
}

impl Journal {
    /// A journal that begins, or goes on in a segment of its own, after change `last` with its `chain`.
    pub(super) fn create(settings: Settings, mut disk: Box<dyn Disk>, last: u64, chain: u32) -> io::Result<Self> {
        let head = segment_head(&settings.identity, last, chain);
        let segment = create_segment(&mut *disk, &settings.directory, &head)?;
        Ok(Self::new(settings, disk, segment, (last, chain)))
    }

    /// A journal that goes on in its last segment; what follows the last good frame there is cut off.
    pub(super) fn resume(settings: Settings, mut disk: Box<dyn Disk>, last: &LastSegment) -> io::Result<Self> {
        let extent = &last.extent;
        let mut file = disk.open(&last.path)?;
        if extent.bad.is_some() {
            file.cut(extent.end as u64)?;
        }
        let (seed, head_octets, end) = (last.seed, last.head_octets as u64, extent.end as u64);
        Ok(Self::new(
            settings,
            disk,
            Segment {
                file,
                seed,
                head_octets,
                end,
            },
            (extent.last, extent.chain),
        ))
    }

    fn new(settings: Settings, disk: Box<dyn Disk>, segment: Segment, (last, chain): (u64, u32)) -> Self {
        let Settings {
            directory,
            identity,
            limit,
        } = settings;
        Self {
            directory,
            disk,
            identity,
            limit,
            segment,
            last,
            chain,
            broken: false,
            buffer: Vec::new(),
        }
    }

    /// The last change that is durable.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// The checksum of the frame that holds the last change.
    pub(super) const fn chain(&self) -> u32 {
        self.chain
    }

    /// Makes `changes` changes durable, written down as batches, as the next ones in sequence. Says whether a segment
    /// was finished before.
    ///
    /// # Errors
    /// The disk's; then the journal is what it was before.
    pub(super) fn append(&mut self, changes: u32, batches: &[u8]) -> io::Result<Appended> {
        let mut appended = Appended {
            repaired: false,
            rolled: false,
            octets: 0,
        };
        if self.broken {
            self.repair()?;
            appended.repaired = true;
        } else if self.segment.end >= self.limit && self.segment.end > self.segment.head_octets {
            self.roll()?;
            appended.rolled = true;
        }
        self.buffer.clear();
        let chain = put_frame(
            &mut self.buffer,
            self.segment.seed,
            self.chain,
            self.last + 1,
            changes,
            batches,
        );
        let written = self
            .segment
            .file
            .write(&self.buffer, self.segment.end)
            .and_then(|()| self.segment.file.sync());
        if let Err(error) = written {
            self.broken = true;
            // If this fails too, the next attempt begins with it.
            let _ = self.segment.file.cut(self.segment.end);
            return Err(error);
        }
        appended.octets = self.buffer.len() as u64;
        self.segment.end += appended.octets;
        self.last += u64::from(changes);
        self.chain = chain;
        Ok(appended)
    }

    /// Begins the next segment if there is anything in this one. Whether there was.
    ///
    /// # Errors
    /// The disk's; then the journal is what it was before.
    pub(super) fn finish_segment(&mut self) -> io::Result<bool> {
        if self.broken || self.segment.end <= self.segment.head_octets {
            return Ok(false);
        }
        self.roll().inspect_err(|_| self.broken = true)?;
        Ok(true)
    }

    /// Another master key seals from now on: a segment of its own begins, whose head names it. Whether there was
    /// something to do.
    ///
    /// # Errors
    /// The disk's; then the journal is what it was before.
    pub(super) fn rekey(&mut self, check: KeyCheck) -> io::Result<bool> {
        if self.identity.check == check {
            return Ok(false);
        }
        let before = std::mem::replace(&mut self.identity.check, check);
        let rolled = if self.broken { self.repair() } else { self.roll() };
        if let Err(error) = rolled {
            self.identity.check = before;
            // There may be a segment now that the next change has to be in.
            self.broken = true;
            return Err(error);
        }
        Ok(true)
    }

    fn repair(&mut self) -> io::Result<()> {
        self.segment.file.cut(self.segment.end)?;
        self.roll()?;
        self.broken = false;
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        let head = segment_head(&self.identity, self.last, self.chain);
        self.segment = create_segment(&mut *self.disk, &self.directory, &head)?;
        Ok(())
    }
}

/// What an append did besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Appended {
    /// The disk had failed before, and works again.
    pub(super) repaired: bool,
    /// A segment was finished, and the next one begun.
    pub(super) rolled: bool,
    /// How long the frame is.
    pub(super) octets: u64,
}

/// How much of a batch fits one frame.
pub(super) const MAX_GROUP_OCTETS: usize = MAX_PAYLOAD_OCTETS / 2;

fn segment_head(identity: &Identity, last: u64, chain: u32) -> Head {
    Head {
        kind: Kind::Journal,
        identity: identity.clone(),
        sequence: last,
        chain,
    }
}

fn create_segment(disk: &mut dyn Disk, directory: &Path, head: &Head) -> io::Result<Segment> {
    let octets = head.encode();
    let seed = octets.last_chunk().copied().map_or(0, u32::from_le_bytes);
    let file = disk.create(&segment_path(directory, head.sequence + 1), &octets)?;
    let head_octets = octets.len() as u64;
    Ok(Segment {
        file,
        seed,
        head_octets,
        end: head_octets,
    })
}
