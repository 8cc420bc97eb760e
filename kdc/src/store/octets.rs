//! The primitives of everything that the store writes in binary: little-endian numbers, numbers of variable length
//! (seven bits an octet, least significant first), octet strings with their length before them.

/// Why stored octets are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They end too early.
    #[error("it ends too early")]
    Truncated,
    /// Octets are left over.
    #[error("it goes on after its end")]
    Trailing,
    /// A version, kind or flag that this program does not know.
    #[error("{0} {1} is of a newer version of this program")]
    Newer(&'static str, u64),
    /// A value that cannot be.
    #[error("{0} cannot be")]
    Malformed(&'static str),
}

/// Appends a number in as many octets as it needs.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a number that may be negative, with the sign in the lowest bit.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Appends octets with their length before them.
pub(super) fn put_octets(out: &mut Vec<u8>, octets: &[u8]) {
    put_number(out, octets.len() as u64);
    out.extend_from_slice(octets);
}

/// Appends what `write` writes, with its length before it.
pub(super) fn put_nested(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    // Nearly always, one octet holds the length.
    out.push(0);
    write(out);
    let len = out.len() - at - 1;
    match (u8::try_from(len), out.get_mut(at)) {
        (Ok(octet @ 0..0x80), Some(place)) => *place = octet,
        _ => {
            let mut octets = Vec::new();
            put_number(&mut octets, len as u64);
            out.splice(at..=at, octets);
        }
    }
}

/// Reads what was written, never past the end.
#[derive(Clone)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much is left.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// That everything was read.
    pub(super) const fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing)
        }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn octet(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[octet]| octet)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, DecodeError> {
        match self.octet()? {
            // Nearly all: lengths, versions, enctypes.
            octet @ 0..0x80 => Ok(octet.into()),
            octet => self.longer_number(u64::from(octet & 0x7f)),
        }
    }

    fn longer_number(&mut self, mut number: u64) -> Result<u64, DecodeError> {
        for shift in (7..64).step_by(7) {
            let octet = self.octet()?;
            if shift == 63 && octet > 1 {
                break;
            }
            number |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError::Malformed("a number of more than 64 bits"))
    }

    /// A number that fits a narrower type.
    pub(super) fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T, DecodeError> {
        T::try_from(self.number()?).map_err(|_| DecodeError::Malformed("a number out of its range"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, DecodeError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn octets(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.narrow()?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, DecodeError> {
        core::str::from_utf8(self.octets()?).map_err(|_| DecodeError::Malformed("a text that is not UTF-8"))
    }
}

/// Appends a field: its tag, its length, and what `write` writes.
pub(super) fn put_field(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    put_nested(out, write);
}

/// Appends whether there is a value, and the value.
pub(super) fn put_option<T: ?Sized>(out: &mut Vec<u8>, value: Option<&T>, write: impl FnOnce(&mut Vec<u8>, &T)) {
    out.push(value.is_some().into());
    if let Some(value) = value {
        write(out, value);
    }
}

/// Reads a value that is there or not.
pub(super) fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    match reader.octet()? {
        0 => Ok(None),
        1 => read(reader).map(Some),
        _ => Err(DecodeError::Malformed("a value that is neither there nor absent")),
    }
}

/// Reads all that is left as a text.
pub(super) fn read_rest_as_text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let octets = reader.take(reader.len())?;
    core::str::from_utf8(octets).map_err(|_| DecodeError::Malformed("a text that is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_come_back() {
        let edges = (0..64)
            .map(|bit| 1u64 << bit)
            .flat_map(|n| [n - 1, n, n + 1])
            .chain([u64::MAX]);
        for number in edges {
            let mut out = Vec::new();
            put_number(&mut out, number);
            put_signed(&mut out, number.cast_signed());
            let mut reader = Reader::new(&out);
            assert_eq!(reader.number(), Ok(number));
            assert_eq!(reader.signed(), Ok(number.cast_signed()));
            reader.finish().unwrap();
        }
    }

    #[test]
    fn what_is_nested_has_its_length_before_it() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            let nested: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let mut out = b"before".to_vec();
            put_nested(&mut out, |out| out.extend_from_slice(&nested));
            out.extend_from_slice(b"after");
            let mut reader = Reader::new(&out);
            assert_eq!(reader.take(6), Ok(&b"before"[..]));
            assert_eq!(reader.octets(), Ok(&nested[..]));
            assert_eq!(reader.take(reader.len()), Ok(&b"after"[..]));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (octets, error) in [
            (&[0x80u8][..], DecodeError::Truncated),
            (&[0xff; 10], DecodeError::Malformed("a number of more than 64 bits")),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
                DecodeError::Malformed("a number of more than 64 bits"),
            ),
        ] {
            assert_eq!(Reader::new(octets).number(), Err(error));
        }
        assert_eq!(Reader::new(&[5, 1, 2]).octets(), Err(DecodeError::Truncated));
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).octets(),
            Err(DecodeError::Truncated)
        );
        assert_eq!(
            Reader::new(&[1, 0xff]).text(),
            Err(DecodeError::Malformed("a text that is not UTF-8"))
        );
        assert_eq!(Reader::new(&[1]).finish(), Err(DecodeError::Trailing));
    }
}
