//! A text file, line by line, none of which may be longer than one can hold.

use core::fmt;
use std::io::{self, BufRead, Read as _};

use zeroize::Zeroizing;

/// The most octets of a line, its end not counted. A principal of MIT's has at most 32,767 values of 64 KB each, but its whole
/// record is less than 64 KB in any database that there is; that is 128 KB as text.
pub(super) const MAX_LINE_OCTETS: usize = 4 << 20;
/// Room for any line that there is: a line may hold open keys, and growing would leave copies of them behind.
const USUAL_LINE_OCTETS: usize = 128 << 10;

/// The lines of a text file. None is kept longer than until the next is read; the last is wiped when this is dropped.
pub(super) struct Lines<R> {
    input: R,
    number: u64,
    line: Zeroizing<Vec<u8>>,
}

/// Why a line cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is over before the line is.
    #[error("the file ends in the middle of this line: it was cut off, or is still being written")]
    CutOff,
    /// The line is longer than [`MAX_LINE_OCTETS`].
    #[error("the line is longer than {MAX_LINE_OCTETS} octets")]
    TooLong,
    /// There is an octet 0 in it.
    #[error("there is an octet 0 in the line: this is no text")]
    Nul,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `input`.
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            line: Zeroizing::new(Vec::with_capacity(USUAL_LINE_OCTETS)),
        }
    }

    /// The next line without its end; `None` after the last.
    ///
    /// # Errors
    /// [`LineError`]; [`Lines::number`] says of which line.
    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>, LineError> {
        self.number += 1;
        self.line.clear();
        let limit = u64::try_from(MAX_LINE_OCTETS).unwrap_or(u64::MAX).saturating_add(1);
        self.input.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        // A binary file is told as such, and not for the length of what is no line.
        if self.line.contains(&0) {
            return Err(LineError::Nul);
        }
        match self.line.split_last() {
            Some((b'\n', line)) => Ok(Some(line)),
            _ if self.line.len() > MAX_LINE_OCTETS => Err(LineError::TooLong),
            _ => Err(LineError::CutOff),
        }
    }

    /// The number of the line that was read last, from 1 on; 0 before the first.
    #[must_use]
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}

/// Says nothing of the line.
impl<R> fmt::Debug for Lines<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lines(line {}, [redacted])", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_by_one_with_their_numbers() {
        let mut lines = Lines::new(&b"one\n\ntwo\r\n"[..]);
        for (number, line) in [(1, &b"one"[..]), (2, b""), (3, b"two\r")] {
            assert_eq!(lines.next_line().unwrap(), Some(line));
            assert_eq!(lines.number(), number);
        }
        assert!(lines.next_line().unwrap().is_none());
        assert_eq!(format!("{lines:?}"), "Lines(line 4, [redacted])");
    }

    #[test]
    fn a_line_that_is_cut_off_too_long_or_no_text_is_refused() {
        let long = vec![b'x'; MAX_LINE_OCTETS + 2];
        let whole = [&long[2..], b"\n"].concat();
        assert!(Lines::new(&whole[..]).next_line().unwrap().is_some());
        for (text, expected) in [
            (&b"a\nb"[..], "middle of this line"),
            (&long, "longer than"),
            (b"a\nb\0c\n", "octet 0"),
            (&vec![0; MAX_LINE_OCTETS + 2], "octet 0"),
        ] {
            let mut lines = Lines::new(text);
            let error = loop {
                match lines.next_line() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("it was taken"),
                    Err(error) => break error.to_string(),
                }
            };
            assert!(error.contains(expected), "{error}");
        }
    }
}
