//! The files of the event log: which there are, and what they are called.
//!
//! `current.jsonl` is written to. Full or old, it becomes `events-N.jsonl`, N being the number of its first event in twenty digits,
//! and compressed `events-N.jsonl.zst`. So names in their order are events in theirs.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::line;

/// The file that is written to.
pub(super) const CURRENT: &str = "current.jsonl";
/// How many octets are read at a time.
const CHUNK: usize = 1 << 16;

/// A file of former events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rotated {
    /// The number of its first event.
    pub(super) first: u64,
    /// Whether it is compressed.
    pub(super) compressed: bool,
}

impl Rotated {
    /// The file of this name; `None`, it is something else.
    fn named(name: &str) -> Option<Self> {
        let (first, suffix) = name.strip_prefix("events-")?.split_at_checked(20)?;
        let compressed = match suffix {
            ".jsonl" => false,
            ".jsonl.zst" => true,
            _ => return None,
        };
        let first = first.bytes().all(|octet| octet.is_ascii_digit()).then_some(first)?;
        Some(Self {
            first: first.parse().ok()?,
            compressed,
        })
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        let suffix = if self.compressed { ".zst" } else { "" };
        format!("events-{:020}.jsonl{suffix}", self.first)
    }

    /// Its path.
    pub(super) fn path(&self, directory: &Path) -> PathBuf {
        directory.join(self.name())
    }

    /// The same, compressed or not.
    pub(super) const fn with(&self, compressed: bool) -> Self {
        Self {
            first: self.first,
            compressed,
        }
    }
}

/// The files of former events in their order. One of which there are both, the compressed one and the one that it was made of, is
/// there as the latter: nothing is known of whether the other is whole.
///
/// # Errors
/// When the directory cannot be read.
pub(super) fn rotated(directory: &Path) -> io::Result<Vec<Rotated>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        files.extend(entry?.file_name().to_str().and_then(Rotated::named));
    }
    files.sort();
    files.dedup_by_key(|file| file.first);
    Ok(files)
}

/// Where the last whole line of a file of lines ends: behind it, in octets. What follows is torn.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn end_of_lines(file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut buffer = vec![0; CHUNK];
    while end > 0 {
        let start = end.saturating_sub(CHUNK as u64);
        let chunk = part(&mut buffer, start, end);
        file.read_exact_at(chunk, start)?;
        if let Some(at) = memchr::memrchr(b'\n', chunk) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The last event among whole lines that end at `end`; `None`, there is none.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn last_line(file: &File, end: u64) -> io::Result<Option<Vec<u8>>> {
    let mut until = end;
    while until > 0 {
        let start = end_of_lines(file, until - 1)?;
        let length = usize::try_from(until - start).unwrap_or(usize::MAX);
        // Nobody writes such a line; what is so long is something else.
        if length <= 1 << 20 {
            let mut line = vec![0; length];
            file.read_exact_at(&mut line, start)?;
            if line::seq(&line).is_some() {
                return Ok(Some(line));
            }
        }
        until = start;
    }
    Ok(None)
}

fn part(buffer: &mut [u8], start: u64, end: u64) -> &mut [u8] {
    let length = usize::try_from(end - start).unwrap_or(0);
    buffer.get_mut(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_names_in_the_order_of_their_events() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "events-00000000000000000100.jsonl.zst",
            "events-00000000000000000001.jsonl.zst",
            "events-00000000000000000020.jsonl",
            "events-00000000000000000020.jsonl.zst",
            "events-00000000000000000200.jsonl.zst.new",
            "events-+0000000000000000020.jsonl",
            "events-1.jsonl",
            CURRENT,
        ] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let names: Vec<_> = rotated(dir.path()).unwrap().iter().map(Rotated::name).collect();
        assert_eq!(
            names,
            [
                "events-00000000000000000001.jsonl.zst",
                "events-00000000000000000020.jsonl",
                "events-00000000000000000100.jsonl.zst"
            ]
        );
    }

    #[test]
    fn the_last_whole_line_is_found_from_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        let long = format!("{{\"seq\":2,{}}}\n", " ".repeat(3 * CHUNK));
        for (text, end, last) in [
            ("", 0, None),
            ("{\"seq\":1", 0, None),
            ("{\"seq\":1}\n", 10, Some("{\"seq\":1}\n")),
            ("{\"seq\":1}\n{\"seq\"", 10, Some("{\"seq\":1}\n")),
            ("{\"seq\":1}\nrubbish\n\n", 19, Some("{\"seq\":1}\n")),
            (&long, long.len(), Some(&long)),
        ] {
            fs::write(&path, text).unwrap();
            let file = File::open(&path).unwrap();
            let found = end_of_lines(&file, text.len() as u64).unwrap();
            assert_eq!(found, end as u64, "{text:.40}");
            let line = last_line(&file, found).unwrap();
            assert_eq!(line.as_deref(), last.map(str::as_bytes), "{text:.40}");
        }
    }
}
