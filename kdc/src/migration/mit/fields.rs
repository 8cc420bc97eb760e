//! The fields of a line, with tabs between.

use core::fmt;

use tessera_common::hexadecimal;

/// Reads the fields of a line from the front.
pub(super) struct Fields<'l> {
    rest: Option<&'l [u8]>,
    read: usize,
}

/// A field is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    /// Which, from 1 on.
    pub(super) field: usize,
    /// What it should have been.
    pub(super) what: &'static str,
    /// What is wrong with it.
    pub(super) why: FieldFault,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldFault {
    /// The line is over.
    Missing,
    /// It is no number within its bounds.
    Number,
    /// It is not hexadecimal.
    Hexadecimal,
    /// It has not as many octets as the field before it says.
    Length,
    /// It is not what such octets are made of.
    Contents,
    /// It is not what stands there in every dump.
    Unknown,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            FieldFault::Missing => "the line ends before it",
            FieldFault::Number => "it is no number that could stand there",
            FieldFault::Hexadecimal => "it is not hexadecimal",
            FieldFault::Length => "it is not as long as the line says",
            FieldFault::Contents => "its octets do not make sense",
            FieldFault::Unknown => "this is not what stands there in any version of the format",
        };
        write!(f, "field {}, {}: {why}", self.field, self.what)
    }
}

impl core::error::Error for FieldError {}

impl<'l> Fields<'l> {
    pub(super) const fn new(line: &'l [u8]) -> Self {
        Self {
            rest: Some(line),
            read: 0,
        }
    }

    /// Whether all fields were read.
    pub(super) const fn is_over(&self) -> bool {
        self.rest.is_none()
    }

    /// That the field which was read last is wrong.
    pub(super) const fn error(&self, what: &'static str, why: FieldFault) -> FieldError {
        FieldError {
            field: self.read,
            what,
            why,
        }
    }

    /// The next field.
    pub(super) fn next(&mut self, what: &'static str) -> Result<&'l [u8], FieldError> {
        self.read += 1;
        let rest = self.rest.ok_or(self.error(what, FieldFault::Missing))?;
        let end = rest.iter().position(|octet| *octet == b'\t');
        let (field, rest) = match end {
            Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 1..)),
            None => (rest, None),
        };
        self.rest = rest;
        Ok(field)
    }

    /// A number from `least` to `most`.
    pub(super) fn number(&mut self, what: &'static str, least: i64, most: i64) -> Result<i64, FieldError> {
        let field = self.next(what)?;
        core::str::from_utf8(field)
            .ok()
            .and_then(|text| text.parse::<i64>().ok())
            .filter(|number| (least..=most).contains(number))
            .ok_or(self.error(what, FieldFault::Number))
    }

    /// A count or length of at most `most`.
    pub(super) fn count(&mut self, what: &'static str, most: i64) -> Result<usize, FieldError> {
        let number = self.number(what, 0, most)?;
        usize::try_from(number).map_err(|_| self.error(what, FieldFault::Number))
    }

    /// A number of 32 bits, written with a sign or without one.
    pub(super) fn word(&mut self, what: &'static str) -> Result<u32, FieldError> {
        let number = self.number(what, i32::MIN.into(), u32::MAX.into())?;
        // What is below zero was written by somebody who took the topmost bit for a sign.
        let number = if number < 0 { number + (1 << 32) } else { number };
        u32::try_from(number).map_err(|_| self.error(what, FieldFault::Number))
    }

    /// A span of time in seconds, not below zero.
    pub(super) fn seconds(&mut self, what: &'static str) -> Result<u32, FieldError> {
        let number = self.number(what, 0, u32::MAX.into())?;
        u32::try_from(number).map_err(|_| self.error(what, FieldFault::Number))
    }

    /// So many octets as hexadecimal digits; none is `-1`.
    pub(super) fn octets(&mut self, what: &'static str, count: usize) -> Result<Vec<u8>, FieldError> {
        let field = self.next(what)?;
        self.hexadecimal(field, what, count)
    }

    /// The octets of a field that was read.
    pub(super) fn hexadecimal(&self, field: &[u8], what: &'static str, count: usize) -> Result<Vec<u8>, FieldError> {
        if count == 0 {
            return match field {
                b"-1" => Ok(Vec::new()),
                _ => Err(self.error(what, FieldFault::Length)),
            };
        }
        if Some(field.len()) != count.checked_mul(2) {
            return Err(self.error(what, FieldFault::Length));
        }
        let mut octets = hexadecimal::read(field).ok_or(self.error(what, FieldFault::Hexadecimal))?;
        Ok(core::mem::take(&mut *octets))
    }

    /// That there is no further field.
    pub(super) const fn finish(&self, what: &'static str) -> Result<(), FieldError> {
        match self.rest {
            None => Ok(()),
            Some(_) => Err(FieldError {
                field: self.read + 1,
                what,
                why: FieldFault::Unknown,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_what_they_are() {
        let mut fields = Fields::new(b"a\t-5\t4294967295\t-1\t0aFF\t-1\t");
        assert_eq!(fields.next("text").unwrap(), b"a");
        assert_eq!(fields.number("number", -5, 5).unwrap(), -5);
        assert_eq!(fields.word("word").unwrap(), u32::MAX);
        assert_eq!(fields.word("word").unwrap(), u32::MAX);
        assert_eq!(fields.octets("octets", 2).unwrap(), [10, 255]);
        assert!(fields.octets("octets", 0).unwrap().is_empty());
        assert!(fields.finish("end").is_err() && !fields.is_over());
        assert_eq!(fields.next("last").unwrap(), b"");
        fields.finish("end").unwrap();
        assert_eq!(
            fields.next("beyond").unwrap_err().to_string(),
            "field 8, beyond: the line ends before it"
        );
    }

    #[test]
    fn what_a_field_cannot_be_is_named_with_its_place() {
        for (line, read, why) in [
            (
                &b"x\t6"[..],
                (|fields| fields.number("kvno", 0, 5).map(drop)) as fn(&mut Fields<'_>) -> Result<(), FieldError>,
                "field 2, kvno: it is no number that could stand there",
            ),
            (
                b"x\t-1",
                |f| f.seconds("life").map(drop),
                "field 2, life: it is no number",
            ),
            (b"x\t+", |f| f.word("word").map(drop), "field 2, word: it is no number"),
            (
                b"x\t0g",
                |f| f.octets("key", 1).map(drop),
                "field 2, key: it is not hexadecimal",
            ),
            (
                b"x\t0a",
                |f| f.octets("key", 2).map(drop),
                "field 2, key: it is not as long",
            ),
            (
                b"x\t0a0",
                |f| f.octets("key", 1).map(drop),
                "field 2, key: it is not as long",
            ),
            (
                b"x\t00",
                |f| f.octets("key", 0).map(drop),
                "field 2, key: it is not as long",
            ),
            (
                b"x\ty\tz",
                |f| f.next("y").and_then(|_| f.finish("end")),
                "field 3, end: this is not",
            ),
        ] {
            let mut fields = Fields::new(line);
            fields.next("x").unwrap();
            let error = read(&mut fields).unwrap_err().to_string();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
