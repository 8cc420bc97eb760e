//! Patterns of names, as a shell has them.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most characters of a pattern: as many as a name may have octets.
const MAX_CHARS: usize = tessera_common::name::MAX_NAME_OCTETS;

/// A pattern: `*` is anything, `?` any one character, `[a-z]` one of these, `[!a-z]` none of these, and a backslash takes the
/// next character as it is. A bracket that is not closed stands for itself. Every text is a pattern.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Glob {
    text: Box<str>,
    items: Box<[Item]>,
    literal: bool,
}

/// What one place of a pattern takes.
#[derive(Clone, Debug)]
enum Item {
    /// Anything, also nothing.
    Anything,
    /// Any one character.
    Any,
    /// This one.
    Literal(char),
    /// One within these bounds, each inclusive; or, negated, one without.
    Class { negated: bool, ranges: Box<[(char, char)]> },
}

/// The text is no pattern of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobError {
    /// Nothing there: no name is empty.
    Empty,
    /// Longer than any name.
    TooLong,
}

impl Glob {
    /// Reads a pattern of names.
    ///
    /// # Errors
    /// [`GlobError`] for a text that can match no name.
    pub fn new(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.chars().count() > MAX_CHARS {
            return Err(GlobError::TooLong);
        }
        Ok(Self::any(text))
    }

    /// Reads any text as a pattern, also one that no name can match.
    #[must_use]
    pub fn any(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut rest = chars.as_slice();
        let mut items = Vec::new();
        while let Some((item, after)) = item(rest) {
            // Two of them are one.
            if !matches!((&item, items.last()), (Item::Anything, Some(Item::Anything))) {
                items.push(item);
            }
            rest = after;
        }
        Self {
            text: text.into(),
            literal: items.iter().all(|item| matches!(item, Item::Literal(_))),
            items: items.into(),
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern is one name, without anything that stands for something else.
    #[must_use]
    pub const fn is_literal(&self) -> bool {
        self.literal
    }

    /// Whether a text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.matches_chars(text.chars())
    }

    /// Whether these characters match. Takes no memory, and at most as many steps as the pattern's length times the text's.
    #[must_use]
    pub fn matches_chars(&self, text: impl Iterator<Item = char> + Clone) -> bool {
        let (mut items, mut text) = (&*self.items, text);
        // Where to go on when the last `*` has to take one character more. An earlier one never needs to.
        let mut retry = None;
        loop {
            if let [Item::Anything, rest @ ..] = items {
                items = rest;
                retry = Some((rest, text.clone()));
                continue;
            }
            let mut after = text.clone();
            match (items, after.next()) {
                ([], None) => return true,
                ([item, rest @ ..], Some(found)) if item.takes(found) => {
                    (items, text) = (rest, after);
                    continue;
                }
                _ => {}
            }
            let Some((after_star, shorter)) = &mut retry else {
                return false;
            };
            if shorter.next().is_none() {
                return false;
            }
            (items, text) = (*after_star, shorter.clone());
        }
    }
}

impl Item {
    fn takes(&self, found: char) -> bool {
        match self {
            Self::Anything => false,
            Self::Any => true,
            Self::Literal(literal) => *literal == found,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&found)) != *negated
            }
        }
    }
}

// The first item of a pattern, and what follows it.
fn item(pattern: &[char]) -> Option<(Item, &[char])> {
    Some(match pattern {
        [] => return None,
        ['*', rest @ ..] => (Item::Anything, rest),
        ['?', rest @ ..] => (Item::Any, rest),
        ['\\', literal, rest @ ..] => (Item::Literal(*literal), rest),
        ['[', rest @ ..] => class(rest).unwrap_or((Item::Literal('['), rest)),
        [literal, rest @ ..] => (Item::Literal(*literal), rest),
    })
}

// A bracket's class, and what follows the bracket; `None` when it is not closed.
fn class(after_bracket: &[char]) -> Option<(Item, &[char])> {
    let (negated, mut rest) = match after_bracket {
        ['!' | '^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut ranges = Vec::new();
    loop {
        rest = match rest {
            [']', rest @ ..] if !ranges.is_empty() => {
                let ranges = ranges.into();
                return Some((Item::Class { negated, ranges }, rest));
            }
            [low, '-', high, rest @ ..] if *high != ']' => {
                ranges.push((*low, *high));
                rest
            }
            [single, rest @ ..] => {
                ranges.push((*single, *single));
                rest
            }
            [] => return None,
        };
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Glob {
    type Error = GlobError;

    fn try_from(text: String) -> Result<Self, GlobError> {
        Self::new(&text)
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.text.into()
    }
}

impl fmt::Display for GlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the pattern is empty, and no name is"),
            Self::TooLong => write!(f, "the pattern has more than {MAX_CHARS} characters"),
        }
    }
}

impl core::error::Error for GlobError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_a_shells_do() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("alice", "alice", true),
            ("alice", "alicE", false),
            ("*", "", true),
            ("*", "host/www", true),
            ("host/*", "host/www.example.com", true),
            ("host/*", "HTTP/www", false),
            ("*/www*", "host/www.example.com", true),
            ("*a*b*c", "xxaxxbxxbc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("?lice", "žlice", true),
            ("?lice", "lice", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]x]", "]", true),
            ("[a-]", "-", true),
            ("[ab", "[ab", true),
            ("a[", "a[", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
            (r"a\@b", "a@b", true),
        ] {
            assert_eq!(Glob::any(pattern).matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_without_wildcards_is_one_name() {
        for (pattern, literal) in [
            ("host/www", true),
            (r"\*", true),
            ("[ab", true),
            ("host/*", false),
            ("host/ww?", false),
            ("host/[w]ww", false),
        ] {
            assert_eq!(Glob::any(pattern).is_literal(), literal, "{pattern}");
        }
    }

    #[test]
    fn what_can_match_no_name_is_no_pattern_of_one() {
        assert_eq!(Glob::new(""), Err(GlobError::Empty));
        assert_eq!(Glob::new(&"a".repeat(MAX_CHARS + 1)), Err(GlobError::TooLong));
        assert!(Glob::new(&"ž".repeat(MAX_CHARS)).is_ok());
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[*?\\[\\]a!\\\\-]{0,24}", text in "[ab\\[\\]]{0,40}") {
            let _ = Glob::any(&pattern).matches(&text);
        }

        #[test]
        fn a_text_matches_itself_with_anything_around(text in "[a-z/.@]{0,20}", before in "[a-z]{0,5}", after in "[a-z]{0,5}") {
            let pattern = format!("*{text}*");
            let whole = format!("{before}{text}{after}");
            prop_assert!(Glob::any(&pattern).matches(&whole));
        }
    }
}
