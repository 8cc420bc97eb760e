//! What is in the event log, read while it is written.
//!
//! A file is read in blocks, whole lines each, and only those that may have what is looked for: a compressed file says so in its
//! indexes. In a block, what makes a line match is searched for in its octets, and only what is found is taken apart. So a reader
//! has a few blocks in memory, however much there is.

use core::fmt;
use core::ops::ControlFlow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tessera_common::accounting::EventRecord;

use super::files::{self, CURRENT, Rotated};
use super::filter::EventFilter;
use super::frame::{self, Index};
use super::line;
use super::newest::Newest;
use super::search::Search;

/// How many octets of lines are read at once from a file that is not compressed.
const BLOCK: u64 = 1 << 20;
/// How far a line is looked for that tells what number a block begins with.
const FIRST_LINE: u64 = 1 << 14;
/// How many blocks are read at the same time.
const AT_ONCE: usize = 2;

/// Reads an event log; all clones read the same.
#[derive(Clone)]
pub struct Reader {
    directory: Arc<Path>,
    newest: Arc<Newest>,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event that there is.
    Oldest,
    /// Behind the event of this number.
    After(u64),
    /// With the one from which on so many match.
    Last(usize),
}

/// An event that matches.
#[derive(Clone, Copy, Debug)]
pub struct Found<'l> {
    /// Its line as it stands in the file, without its end.
    pub raw: &'l str,
    /// The same, taken apart.
    pub event: &'l EventRecord,
}

/// How far was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The number of the last event that was looked at, whether it matched or not: [`Start::After`] goes on from there.
    pub through: u64,
    /// What could not be read, a sentence each; the rest was.
    pub damage: Vec<String>,
}

/// Why an event log cannot be read.
#[derive(Debug)]
pub struct ReadError {
    path: PathBuf,
    why: io::Error,
}

/// Lines that stand together in a file.
struct Block {
    file: Arc<File>,
    at: u64,
    form: Form,
}

enum Form {
    /// The lines that begin in the first [`BLOCK`] octets, in a file that is so long.
    Plain { end: u64 },
    /// A zstd frame.
    Frame { compressed: usize, content: usize },
}

/// A file in blocks, and what of it could not be read.
#[derive(Default)]
struct Blocks {
    blocks: Vec<Block>,
    damage: Option<String>,
    /// The last number of events in it that are known to be there.
    through: u64,
}

impl Reader {
    /// Of a log that nobody writes to now, or another process does: who waits for more is never told of any.
    #[must_use]
    pub fn open(directory: &Path) -> Self {
        Self::new(directory, Arc::default())
    }

    pub(super) fn new(directory: &Path, newest: Arc<Newest>) -> Self {
        Self {
            directory: directory.into(),
            newest,
        }
    }

    /// The number of the newest event that can be read.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.newest.get()
    }

    /// Waits until there is an event with a higher number than this, but no longer than that. Gives the newest one's.
    #[must_use]
    pub fn wait_beyond(&self, seq: u64, at_most: Duration) -> u64 {
        self.newest.wait_beyond(seq, at_most)
    }

    /// Shows `visit` the events that match, each once and in the order of their numbers, until it breaks off or there are no more.
    /// Where it breaks off, what it was shown last is the last that was looked at.
    ///
    /// # Errors
    /// When the directory cannot be read. What cannot be read in it is [`Progress::damage`].
    pub fn read(
        &self,
        filter: &EventFilter,
        from: Start,
        visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> Result<Progress, ReadError> {
        self.read_while(filter, from, &|| true, visit)
    }

    /// The same, as long as `goes_on` says so, which is asked every so often whether anything matches or not.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read_while(
        &self,
        filter: &EventFilter,
        from: Start,
        goes_on: &dyn Fn() -> bool,
        visit: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> Result<Progress, ReadError> {
        let search = Search::new(filter);
        let after = match from {
            Start::Oldest => 0,
            Start::After(seq) => seq,
            Start::Last(0) => {
                let through = self.newest();
                return Ok(Progress {
                    through,
                    damage: Vec::new(),
                });
            }
            Start::Last(count) => self.before_last(&search, count)?,
        };
        let mut progress = Progress {
            through: after,
            damage: Vec::new(),
        };
        for source in self.sources(after)? {
            let Some(blocks) = self.blocks(&source, &search, after) else {
                continue;
            };
            progress.damage.extend(blocks.damage);
            for blocks_at_once in blocks.blocks.chunks(AT_ONCE) {
                if !goes_on() {
                    return Ok(progress);
                }
                for matching in read_all(blocks_at_once, &search, progress.through) {
                    let matching = match matching {
                        Ok(matching) => matching,
                        Err(why) => {
                            progress
                                .damage
                                .push(format!("{}: {why}", source.path(&self.directory).display()));
                            continue;
                        }
                    };
                    for (raw, event) in &matching.events {
                        let flow = visit(Found { raw, event });
                        progress.through = progress.through.max(event.seq);
                        if flow.is_break() {
                            return Ok(progress);
                        }
                    }
                    progress.through = progress.through.max(matching.through);
                }
            }
            progress.through = progress.through.max(blocks.through);
        }
        Ok(progress)
    }

    // From the end backwards: the number behind which so many match.
    fn before_last(&self, search: &Search, count: usize) -> Result<u64, ReadError> {
        let mut left = count;
        for source in self.sources(0)?.iter().rev() {
            let Some(blocks) = self.blocks(source, search, 0) else {
                continue;
            };
            for block in blocks.blocks.iter().rev() {
                let Ok(matching) = block.matching(search, 0) else {
                    continue;
                };
                match matching.events.len().checked_sub(left) {
                    Some(more) => {
                        let first = matching.events.get(more).map(|(_, event)| event.seq);
                        return Ok(first.map_or(0, |seq| seq.saturating_sub(1)));
                    }
                    None => left -= matching.events.len(),
                }
            }
        }
        Ok(0)
    }

    // What is written to now first, so that it is there whatever becomes of its name in the meantime.
    fn sources(&self, after: u64) -> Result<Vec<Source>, ReadError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |why| ReadError { path, why }
        };
        let path = self.directory.join(CURRENT);
        let current = match File::open(&path) {
            Ok(file) => Some(Source::Current(Arc::new(file))),
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => return Err(unreadable(&path)(why)),
        };
        let rotated = match files::rotated(&self.directory) {
            Ok(files) => files,
            Err(why) if why.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(why) => return Err(unreadable(&self.directory)(why)),
        };
        // A file whose successor begins with the next event has nothing behind it.
        let old = rotated
            .iter()
            .skip(1)
            .filter(|next| next.first <= after.saturating_add(1))
            .count();
        let sources = rotated.into_iter().skip(old).map(Source::Rotated);
        Ok(sources.chain(current).collect())
    }

    // Nothing of a file that was removed because it is old enough.
    fn blocks(&self, source: &Source, search: &Search, after: u64) -> Option<Blocks> {
        let opened = match source {
            Source::Current(file) => Ok((Arc::clone(file), false)),
            Source::Rotated(rotated) => self.open_rotated(rotated),
        };
        let read = opened.and_then(|(file, compressed)| {
            if compressed {
                compressed_blocks(&file, search)
            } else {
                plain_blocks(&file, after)
            }
        });
        match read {
            Ok(mut blocks) => {
                let path = source.path(&self.directory);
                blocks.damage = blocks.damage.map(|why| format!("{}: {why}", path.display()));
                Some(blocks)
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => Some(Blocks {
                damage: Some(format!(
                    "{} cannot be read: {why}",
                    source.path(&self.directory).display()
                )),
                ..Blocks::default()
            }),
        }
    }

    // It may have been compressed since it was listed.
    fn open_rotated(&self, rotated: &Rotated) -> io::Result<(Arc<File>, bool)> {
        let compressed = rotated.with(true);
        match File::open(rotated.path(&self.directory)) {
            Err(why) if why.kind() == io::ErrorKind::NotFound && !rotated.compressed => {
                Ok((Arc::new(File::open(compressed.path(&self.directory))?), true))
            }
            opened => Ok((Arc::new(opened?), rotated.compressed)),
        }
    }
}

/// A file of the log.
enum Source {
    Rotated(Rotated),
    Current(Arc<File>),
}

impl Source {
    fn path(&self, directory: &Path) -> PathBuf {
        match self {
            Self::Rotated(rotated) => rotated.path(directory),
            Self::Current(_) => directory.join(CURRENT),
        }
    }
}

// Lines stand in the order of their numbers: who goes on reading after one need not read all before it again.
fn plain_blocks(file: &Arc<File>, after: u64) -> io::Result<Blocks> {
    let end = file.metadata()?.len();
    let starts = (0..end.div_ceil(BLOCK)).map(|at| at * BLOCK);
    let blocks = starts.map(|at| Block {
        file: Arc::clone(file),
        at,
        form: Form::Plain { end },
    });
    let mut blocks: Vec<Block> = blocks.collect();
    if after > 0 {
        let not_behind = |block: &Block| first_seq(file, block.at).is_some_and(|seq| seq <= after.saturating_add(1));
        let old = blocks.partition_point(not_behind).saturating_sub(1);
        blocks.drain(..old);
    }
    Ok(Blocks {
        blocks,
        ..Blocks::default()
    })
}

// The number of the first line that begins at a place of a file or behind it; `None`, it is too far behind to tell.
fn first_seq(file: &File, at: u64) -> Option<u64> {
    let start = at.saturating_sub(1);
    let mut octets = vec![0; usize::try_from(FIRST_LINE).ok()?];
    let length = file.read_at(&mut octets, start).ok()?;
    let lines = octets.get(..length)?;
    let from = match at {
        0 => 0,
        _ => memchr::memchr(b'\n', lines)? + 1,
    };
    line::seq(lines.get(from..)?)
}

fn compressed_blocks(file: &Arc<File>, search: &Search) -> io::Result<Blocks> {
    let end = file.metadata()?.len();
    let mut blocks = Blocks::default();
    let mut at = 0;
    while at < end {
        match index_at(file, at)? {
            Some((index, behind)) => {
                let next = behind + u64::from(index.compressed);
                if next > end {
                    blocks.damage = Some(format!(
                        "it ends at octet {end} within a frame; what is missing is lost"
                    ));
                    break;
                }
                // An index of no events has the numbers the other way round.
                if index.first_seq <= index.last_seq {
                    blocks.through = blocks.through.max(index.last_seq);
                }
                if search.may_be_in(&index) {
                    blocks.blocks.push(Block {
                        file: Arc::clone(file),
                        at: behind,
                        form: Form::Frame {
                            compressed: usize::try_from(index.compressed).unwrap_or(0),
                            content: usize::try_from(index.content).unwrap_or(0),
                        },
                    });
                }
                at = next;
            }
            None => {
                blocks.damage = Some(format!(
                    "it is damaged at octet {at}; the events from there to its end cannot be read"
                ));
                break;
            }
        }
    }
    Ok(blocks)
}

// The index at a place of a file, and where its frame begins; `None`, there is no such thing.
fn index_at(file: &File, at: u64) -> io::Result<Option<(Index, u64)>> {
    let mut head = [0; frame::HEAD];
    let Some(()) = present(file.read_exact_at(&mut head, at))? else {
        return Ok(None);
    };
    let Ok(length) = Index::length(head) else {
        return Ok(None);
    };
    let mut octets = vec![0; length];
    let behind = at + frame::HEAD as u64;
    let Some(()) = present(file.read_exact_at(&mut octets, behind))? else {
        return Ok(None);
    };
    Ok(Index::decode(&octets).ok().map(|index| (index, behind + length as u64)))
}

/// The index of a compressed file's last frame that can be read.
pub(super) fn last_indexed(file: &File) -> io::Result<Option<Index>> {
    let (mut last, mut at) = (None, 0);
    while let Some((index, behind)) = index_at(file, at)? {
        at = behind + u64::from(index.compressed);
        if index.first_seq <= index.last_seq {
            last = Some(index);
        }
    }
    Ok(last)
}

fn present(read: io::Result<()>) -> io::Result<Option<()>> {
    match read {
        Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(Some),
    }
}

/// What of a block matches.
struct Matching {
    events: Vec<(String, EventRecord)>,
    /// The number of its last event.
    through: u64,
}

// Each on a thread of its own.
fn read_all(blocks: &[Block], search: &Search, after: u64) -> Vec<Result<Matching, String>> {
    let Some((first, others)) = blocks.split_first() else {
        return Vec::new();
    };
    thread::scope(|scope| {
        let others: Vec<_> = others
            .iter()
            .map(|block| scope.spawn(move || block.matching(search, after)))
            .collect();
        let mut all = vec![first.matching(search, after)];
        all.extend(
            others
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err("it could not be read".into()))),
        );
        all
    })
}

impl Block {
    fn matching(&self, search: &Search, after: u64) -> Result<Matching, String> {
        let lines = self.lines()?;
        let last = lines.split(|octet| *octet == b'\n').rev().find_map(line::seq);
        let mut events = Vec::new();
        for line in search.lines(&lines) {
            if line::seq(line).is_none_or(|seq| seq <= after) {
                continue;
            }
            // What is no event, nobody who writes here wrote.
            let Ok(raw) = core::str::from_utf8(line) else { continue };
            let Ok(event) = serde_json::from_str::<EventRecord>(raw) else {
                continue;
            };
            if search.filter().matches(&event) {
                events.push((raw.to_owned(), event));
            }
        }
        Ok(Matching {
            events,
            through: last.unwrap_or(0),
        })
    }

    // Whole lines.
    fn lines(&self) -> Result<Vec<u8>, String> {
        match self.form {
            Form::Plain { end } => {
                plain_lines(&self.file, self.at, end).map_err(|why| format!("it cannot be read: {why}"))
            }
            Form::Frame { compressed, content } => {
                let mut octets = vec![0; compressed];
                let read = self.file.read_exact_at(&mut octets, self.at);
                let lines = read.and_then(|()| zstd::bulk::decompress(&octets, content));
                lines.map_err(|why| format!("the frame at octet {} is damaged, and was left out: {why}", self.at))
            }
        }
    }
}

// Those that begin in the block: the line that goes on into it belongs to the one before, the one that goes on behind it is read
// to its end. One without an end is being written.
fn plain_lines(file: &File, at: u64, end: u64) -> io::Result<Vec<u8>> {
    let start = at.saturating_sub(1);
    let mut upto = (at + BLOCK).min(end);
    let mut lines = vec![0; usize::try_from(upto - start).unwrap_or(0)];
    file.read_exact_at(&mut lines, start)?;
    while lines.last() != Some(&b'\n') && upto < end {
        let length = lines.len();
        let more = usize::try_from((end - upto).min(4096)).unwrap_or(0);
        lines.resize(length + more, 0);
        file.read_exact_at(lines.get_mut(length..).unwrap_or_default(), upto)?;
        upto += more as u64;
        let tail = lines.get(length..).unwrap_or_default();
        if let Some(newline) = memchr::memchr(b'\n', tail) {
            lines.truncate(length + newline + 1);
        }
    }
    let whole = memchr::memrchr(b'\n', &lines).map_or(0, |at| at + 1);
    lines.truncate(whole);
    if at > 0 {
        let first = memchr::memchr(b'\n', &lines).map_or(lines.len(), |at| at + 1);
        lines.drain(..first);
    }
    Ok(lines)
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be read: {}", self.path.display(), self.why)
    }
}

impl core::error::Error for ReadError {}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
