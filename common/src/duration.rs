//! Spans of time as people write them: `10h`, `7d`, `5m30s`.

use core::fmt;
use core::time::Duration;

const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// Why a text is no span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DurationError {
    /// Nothing there.
    Empty,
    /// A number without a unit behind it.
    NoUnit,
    /// Something that is neither a number nor one of the units `w`, `d`, `h`, `m`, `s`.
    Unreadable,
    /// A unit twice, or a larger one behind a smaller one.
    Order,
    /// More seconds than 64 bits hold.
    TooLong,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::NoUnit => "a number lacks its unit (w, d, h, m or s)",
            Self::Unreadable => "it is made of numbers and the units w, d, h, m and s",
            Self::Order => "each unit stands at most once, the larger first",
            Self::TooLong => "it is too long",
        })
    }
}

impl core::error::Error for DurationError {}

/// Reads whole numbers with their units (`w`, `d`, `h`, `m`, `s`), the larger unit first: `10h`, `7d`, `5m30s`, `0s`.
///
/// # Errors
/// [`DurationError`] says what is wrong with the text.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    let mut seconds = 0u64;
    let mut smallest = u64::MAX;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError::NoUnit)?;
        let (number, tail) = rest.split_at(digits);
        let mut tail = tail.chars();
        let unit = tail.next().and_then(|c| UNITS.iter().find(|(name, _)| *name == c));
        let (Some((_, unit)), false) = (unit, number.is_empty()) else {
            return Err(DurationError::Unreadable);
        };
        if *unit >= smallest {
            return Err(DurationError::Order);
        }
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        let part = number.checked_mul(*unit).ok_or(DurationError::TooLong)?;
        seconds = seconds.checked_add(part).ok_or(DurationError::TooLong)?;
        smallest = *unit;
        rest = tail.as_str();
    }
    Ok(Duration::from_secs(seconds))
}

/// Writes whole seconds so that [`parse`] reads them back, without weeks: `1d`, `5m30s`, `0s`.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut text = String::new();
    for (name, unit) in UNITS.iter().skip(1) {
        if rest >= *unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("10h", 36_000),
            ("7d", 604_800),
            ("1w", 604_800),
            ("5m30s", 330),
            ("1d2h3m4s", 93_784),
            ("0s", 0),
            ("90m", 5400),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for (text, why) in [
            ("", DurationError::Empty),
            ("10", DurationError::NoUnit),
            ("1h30", DurationError::NoUnit),
            ("h", DurationError::Unreadable),
            ("10 h", DurationError::Unreadable),
            ("-1h", DurationError::Unreadable),
            ("1.5h", DurationError::Unreadable),
            ("1y", DurationError::Unreadable),
            ("1m1h", DurationError::Order),
            ("1h1h", DurationError::Order),
            ("99999999999999999999s", DurationError::TooLong),
            ("9999999999999999999w", DurationError::TooLong),
        ] {
            assert_eq!(parse(text), Err(why), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn written_spans_read_back(seconds: u64) {
            prop_assert_eq!(parse(&format(Duration::from_secs(seconds))), Ok(Duration::from_secs(seconds)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }
    }
}
