//! A disk that fails when it is told to.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::disk::{Disk, FileSystem, SegmentFile};

/// What fails; shared with the disk that does.
#[derive(Clone, Default)]
pub(in crate::store) struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// How many octets there is room for.
    room: Option<usize>,
    syncs_fail: bool,
    cuts_fail: bool,
    creations_fail: bool,
}

impl Faults {
    pub(in crate::store) fn room(&self, octets: Option<usize>) {
        self.0.lock().unwrap().room = octets;
    }

    pub(in crate::store) fn syncs_fail(&self, fail: bool) {
        self.0.lock().unwrap().syncs_fail = fail;
    }

    pub(in crate::store) fn cuts_fail(&self, fail: bool) {
        self.0.lock().unwrap().cuts_fail = fail;
    }

    pub(in crate::store) fn creations_fail(&self, fail: bool) {
        self.0.lock().unwrap().creations_fail = fail;
    }

    pub(in crate::store) fn disk(&self) -> Box<dyn Disk> {
        Box::new(FaultyDisk(self.clone()))
    }
}

struct FaultyDisk(Faults);

struct FaultyFile {
    faults: Faults,
    file: Box<dyn SegmentFile>,
}

impl FaultyDisk {
    fn wrap(&self, file: Box<dyn SegmentFile>) -> Box<dyn SegmentFile> {
        Box::new(FaultyFile {
            faults: self.0.clone(),
            file,
        })
    }
}

impl Disk for FaultyDisk {
    fn create(&mut self, path: &Path, head: &[u8]) -> io::Result<Box<dyn SegmentFile>> {
        if self.0.0.lock().unwrap().creations_fail {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(self.wrap(FileSystem.create(path, head)?))
    }

    fn open(&mut self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(self.wrap(FileSystem.open(path)?))
    }
}

impl SegmentFile for FaultyFile {
    fn write(&mut self, octets: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.faults.0.lock().unwrap();
        let Some(room) = &mut state.room else {
            return self.file.write(octets, offset);
        };
        let fits = octets.len().min(*room);
        *room -= fits;
        self.file.write(&octets[..fits], offset)?;
        if fits < octets.len() {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.faults.0.lock().unwrap().syncs_fail {
            return Err(io::Error::other("Input/output error"));
        }
        self.file.sync()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        if self.faults.0.lock().unwrap().cuts_fail {
            return Err(io::Error::other("Input/output error"));
        }
        self.file.cut(len)
    }
}
