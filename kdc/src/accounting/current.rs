//! The file that is written to.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tessera_common::accounting::{EventKind, EventRecord, EventTime};

use super::files::{self, CURRENT, Rotated};

/// What the writer asks of a disk; tests give it one that fails.
pub(super) trait Disk: Send {
    /// Writes all of it at a place of the file.
    fn write(&mut self, file: &File, octets: &[u8], at: u64) -> io::Result<()>;
}

/// The file system.
pub(super) struct FileSystem;

impl Disk for FileSystem {
    fn write(&mut self, file: &File, octets: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(octets, at)
    }
}

/// The file, open.
pub(super) struct Current {
    directory: PathBuf,
    file: File,
    /// Octets of whole lines.
    pub(super) length: u64,
    /// Its first event.
    pub(super) first: Option<(u64, EventTime)>,
}

/// What became of the file since it was looked at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing.
    Same,
    /// It is gone, or another one has its name.
    Gone,
    /// Somebody has cut it.
    Cut,
}

/// What was found at the start.
pub(super) struct Opened {
    pub(super) current: Current,
    /// The last event that there is.
    pub(super) last: Option<Last>,
    /// Octets of a line that was not written to its end, and is cut off.
    pub(super) torn: u64,
}

/// The last event of a log.
pub(super) struct Last {
    pub(super) seq: u64,
    /// When, as far as it is known.
    pub(super) time: Option<EventTime>,
    /// What it is about, as far as it is known.
    pub(super) kind: Option<EventKind>,
}

impl Current {
    /// Opens it, in a directory that is made where there is none; a torn line at its end is cut off.
    ///
    /// # Errors
    /// When it cannot be read or written to.
    pub(super) fn open(directory: &Path) -> io::Result<Opened> {
        make_directory(directory)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join(CURRENT))?;
        let there = file.metadata()?.len();
        let length = files::end_of_lines(&file, there)?;
        if length < there {
            file.set_len(length)?;
        }
        let first = first_of(&file, length)?;
        let last = files::last_line(&file, length)?.as_deref().and_then(last_of);
        Ok(Opened {
            current: Self {
                directory: directory.to_owned(),
                file,
                length,
                first,
            },
            last,
            torn: there - length,
        })
    }

    /// What became of it. A file whose fate cannot be told is the same.
    pub(super) fn fate(&self) -> Fate {
        let Ok(own) = self.file.metadata() else {
            return Fate::Same;
        };
        match fs::metadata(self.directory.join(CURRENT)) {
            Ok(named) if (named.dev(), named.ino()) != (own.dev(), own.ino()) => Fate::Gone,
            Err(why) if why.kind() == io::ErrorKind::NotFound || why.kind() == io::ErrorKind::NotADirectory => {
                Fate::Gone
            }
            _ if own.len() < self.length => Fate::Cut,
            _ => Fate::Same,
        }
    }

    /// Goes on where the file ends now.
    pub(super) fn go_on_at_end(&mut self) -> io::Result<()> {
        self.length = self.file.metadata()?.len();
        Ok(())
    }

    /// Adds lines. What is written of them when it fails is cut off again, or else written over by the next.
    pub(super) fn append(&mut self, disk: &mut dyn Disk, lines: &str) -> io::Result<()> {
        if let Err(why) = disk.write(&self.file, lines.as_bytes(), self.length) {
            let _ = self.file.set_len(self.length);
            return Err(why);
        }
        self.length += lines.len() as u64;
        if self.first.is_none() {
            self.first = lines
                .lines()
                .find_map(|line| serde_json::from_str::<EventRecord>(line).ok())
                .map(|event| (event.seq, event.time));
        }
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Gives the file the name that former ones have, and opens another one.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        let Some((first, _)) = self.first else { return Ok(()) };
        let former = Rotated {
            first,
            compressed: false,
        };
        self.sync()?;
        let (from, to) = (self.directory.join(CURRENT), former.path(&self.directory));
        if to.exists() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} is there already", to.display()),
            ));
        }
        fs::rename(&from, &to)?;
        match Self::open(&self.directory) {
            Ok(opened) => {
                *self = opened.current;
                Ok(())
            }
            Err(why) => {
                // It is gone on with as it was.
                let _ = fs::rename(&to, &from);
                Err(why)
            }
        }
    }
}

pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

// The last event among the files that are not written to any more.
pub(super) fn last_of_rotated(directory: &Path) -> io::Result<Option<Last>> {
    let Some(rotated) = files::rotated(directory)?.pop() else {
        return Ok(None);
    };
    let file = File::open(rotated.path(directory))?;
    let end = file.metadata()?.len();
    let last = if rotated.compressed {
        super::reader::last_indexed(&file)?.map(|index| Last {
            seq: index.last_seq,
            time: Some(index.latest),
            kind: None,
        })
    } else {
        let end = files::end_of_lines(&file, end)?;
        files::last_line(&file, end)?.as_deref().and_then(last_of)
    };
    // Of one that is damaged, its name is left.
    Ok(Some(last.unwrap_or(Last {
        seq: rotated.first,
        time: None,
        kind: None,
    })))
}

fn last_of(line: &[u8]) -> Option<Last> {
    let event = serde_json::from_slice::<EventRecord>(line).ok();
    Some(Last {
        seq: super::line::seq(line)?,
        time: event.as_ref().map(|event| event.time),
        kind: event.as_ref().map(|event| event.kind),
    })
}

fn first_of(file: &File, length: u64) -> io::Result<Option<(u64, EventTime)>> {
    let mut head = vec![0; usize::try_from(length.min(1 << 16)).unwrap_or(0)];
    file.read_exact_at(&mut head, 0)?;
    let mut lines = head.split(|octet| *octet == b'\n');
    let first = lines.find_map(|line| serde_json::from_slice::<EventRecord>(line).ok());
    Ok(first.map(|event| (event.seq, event.time)))
}
