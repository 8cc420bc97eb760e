//! The few things that the journal asks of a disk; tests give it one that fails.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::super::atomic_file;

/// Where segments are kept.
pub(in crate::store) trait Disk: Send {
    /// Makes a segment durable with its head in it, in place of one that had the name, and opens it.
    fn create(&mut self, path: &Path, head: &[u8]) -> io::Result<Box<dyn SegmentFile>>;

    /// Opens a segment that is there, to go on with it.
    fn open(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>>;
}

/// A segment that is being written.
pub(in crate::store) trait SegmentFile: Send {
    /// Writes all of `octets` from `offset` on.
    fn write(&mut self, octets: &[u8], offset: u64) -> io::Result<()>;

    /// Returns when what was written is on the disk.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `len` octets, and returns when that is on the disk.
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

/// The file system.
pub(in crate::store) struct FileSystem;

impl Disk for FileSystem {
    fn create(&mut self, path: &Path, head: &[u8]) -> io::Result<Box<dyn SegmentFile>> {
        atomic_file::write(path, head)?;
        self.open(path)
    }

    fn open(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(OpenOptions::new().write(true).open(path)?))
    }
}

impl SegmentFile for File {
    fn write(&mut self, octets: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(octets, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)?;
        self.sync_all()
    }
}
