//! Words that are no passwords: whoever guesses tries them first.

use core::fmt;

/// A set of words, in either case alike. Empty, it refuses nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dictionary {
    // Folded, sorted, each once.
    words: Box<[Box<str>]>,
}

/// A line of a dictionary is not UTF-8; its number, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText {
    /// The line.
    pub line: usize,
}

impl Dictionary {
    /// Reads one word from each line. White space around a word does not belong to it, and an empty line is none.
    ///
    /// # Errors
    /// [`NotText`] for the first line that is not UTF-8.
    pub fn read(octets: &[u8]) -> Result<Self, NotText> {
        let mut words = Vec::new();
        for (at, line) in octets.split(|octet| *octet == b'\n').enumerate() {
            let line = core::str::from_utf8(line).map_err(|_| NotText { line: at + 1 })?;
            let word = line.trim();
            if !word.is_empty() {
                words.push(folded(word).into_boxed_str());
            }
        }
        words.sort_unstable();
        words.dedup();
        Ok(Self { words: words.into() })
    }

    /// Whether it has this word, whatever the case of its letters.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        let word = folded(word);
        self.words.binary_search_by(|other| (**other).cmp(&word)).is_ok()
    }

    /// How many words it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// A text without the difference between upper and lower case.
#[must_use]
pub fn folded(text: &str) -> String {
    text.to_lowercase()
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} words", self.len())
    }
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is not UTF-8", self.line)
    }
}

impl core::error::Error for NotText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_in_either_case_and_a_part_of_one_is_not() {
        let words = Dictionary::read("swordfish\r\n\n  Größe \nswordfish\nlast".as_bytes()).unwrap();
        assert_eq!((words.len(), words.is_empty()), (3, false));
        for word in [
            "swordfish",
            "SwordFish",
            "größe",
            "GRÖSSE".replace("SS", "ß").as_str(),
            "last",
        ] {
            assert!(words.has(word), "{word}");
        }
        for word in ["", "sword", "swordfish1", " last"] {
            assert!(!words.has(word), "{word}");
        }
        assert!(Dictionary::read(b"").unwrap().is_empty());
    }

    #[test]
    fn a_line_that_is_no_text_is_named() {
        assert_eq!(Dictionary::read(b"a\nb\n\xff\xfe\n"), Err(NotText { line: 3 }));
    }
}
