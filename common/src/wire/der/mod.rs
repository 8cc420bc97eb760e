//! A short way through DER for the messages of a login: a writer that allocates once and writes from the end to the beginning,
//! so that every length is known when its turn comes; and a reader that is stricter than the codec.
//!
//! The codec stays the judge. What the reader does not take (lengths that are not the shortest, more than 64 KiB, long lists,
//! all that is wrong) it leaves to the codec, which may take it all the same or says what is wrong; and tests hold both
//! against it.

mod messages;

/// A value of DER. `length`, `put` and `get` are about its content, without tag and length.
pub(super) trait Der: Sized {
    /// The one octet of its tag.
    const TAG: u8;

    /// How many octets the content has.
    fn length(&self) -> usize;

    /// Writes the content.
    fn put(&self, out: &mut Writer<'_>);

    /// Reads the content, all of it. `None`: this is for the codec.
    fn get(content: &[u8]) -> Option<Self>;

    /// How many octets it has with tag and length.
    #[inline]
    fn whole_length(&self) -> usize {
        with_header(self.length())
    }

    /// Writes it with tag and length.
    #[inline]
    fn put_whole(&self, out: &mut Writer<'_>) {
        let after = out.left();
        self.put(out);
        out.put_header(Self::TAG, after - out.left());
    }

    /// Reads it with tag and length.
    #[inline]
    fn get_whole(from: &mut Reader<'_>) -> Option<Self> {
        Self::get(from.value(Self::TAG)?)
    }
}

/// The value that is all of `octets`.
pub(super) fn read<T: Der>(octets: &[u8]) -> Option<T> {
    let mut reader = Reader(octets);
    T::get_whole(&mut reader).filter(|_| reader.is_empty())
}

/// A value's octets. Of the size that they need from the beginning: keys among them are not left behind in a buffer that was
/// too small. `None`: that was not their size.
pub(super) fn write<T: Der>(value: &T) -> Option<Vec<u8>> {
    let mut out = vec![0; value.whole_length()];
    let mut writer = Writer {
        free: &mut out,
        short: false,
    };
    value.put_whole(&mut writer);
    let fits = !writer.short && writer.left() == 0;
    fits.then_some(out)
}

/// What is left to write into, filled from its end.
pub(super) struct Writer<'b> {
    free: &'b mut [u8],
    short: bool,
}

impl Writer<'_> {
    /// How many octets are not written yet.
    #[inline]
    const fn left(&self) -> usize {
        self.free.len()
    }

    /// Writes octets before those that are there.
    #[inline]
    fn put(&mut self, octets: &[u8]) {
        let free = core::mem::take(&mut self.free);
        match free.len().checked_sub(octets.len()) {
            Some(start) => {
                let (free, place) = free.split_at_mut(start);
                place.copy_from_slice(octets);
                self.free = free;
            }
            None => self.short = true,
        }
    }

    /// Writes tag and length before the content.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "each octet by itself is what is wanted")]
    fn put_header(&mut self, tag: u8, length: usize) {
        let (a, b, c, d) = (
            (length >> 24) as u8,
            (length >> 16) as u8,
            (length >> 8) as u8,
            length as u8,
        );
        match length {
            0..0x80 => self.put(&[tag, d]),
            0x80..0x100 => self.put(&[tag, 0x81, d]),
            0x100..0x1_0000 => self.put(&[tag, 0x82, c, d]),
            0x1_0000..0x100_0000 => self.put(&[tag, 0x83, b, c, d]),
            // What is larger than 4 GiB is no message.
            _ => self.put(&[tag, 0x84, a, b, c, d]),
        }
    }
}

/// What stands in a sequence under an explicit tag: a value, or perhaps one.
trait Field: Sized {
    fn field_length(&self) -> usize;
    fn put_field(&self, tag: u8, out: &mut Writer<'_>);
    fn get_field(tag: u8, from: &mut Reader<'_>) -> Option<Self>;
}

impl<T: Der> Field for T {
    #[inline]
    fn field_length(&self) -> usize {
        with_header(self.whole_length())
    }

    #[inline]
    fn put_field(&self, tag: u8, out: &mut Writer<'_>) {
        let after = out.left();
        self.put_whole(out);
        out.put_header(tag, after - out.left());
    }

    #[inline]
    fn get_field(tag: u8, from: &mut Reader<'_>) -> Option<Self> {
        read(from.value(tag)?)
    }
}

impl<T: Der> Field for Option<T> {
    #[inline]
    fn field_length(&self) -> usize {
        self.as_ref().map_or(0, Field::field_length)
    }

    #[inline]
    fn put_field(&self, tag: u8, out: &mut Writer<'_>) {
        if let Some(value) = self {
            value.put_field(tag, out);
        }
    }

    #[inline]
    fn get_field(tag: u8, from: &mut Reader<'_>) -> Option<Self> {
        if from.0.first() == Some(&tag) {
            T::get_field(tag, from).map(Some)
        } else {
            Some(None)
        }
    }
}

/// `SEQUENCE OF`.
impl<T: Der> Der for Vec<T> {
    const TAG: u8 = SEQUENCE;

    fn length(&self) -> usize {
        self.iter().map(Der::whole_length).sum()
    }

    fn put(&self, out: &mut Writer<'_>) {
        for element in self.iter().rev() {
            element.put_whole(out);
        }
    }

    fn get(content: &[u8]) -> Option<Self> {
        let mut reader = Reader(content);
        let mut elements = Self::new();
        while !reader.is_empty() {
            if elements.len() == MOST_ELEMENTS {
                return None;
            }
            elements.push(T::get_whole(&mut reader)?);
        }
        Some(elements)
    }
}

const SEQUENCE: u8 = 0x30;
/// Longer lists are for the codec, and for the limits that it is kept within.
const MOST_ELEMENTS: usize = 64;

/// What is left to read.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The content of the next value, if it has this tag and a length in its shortest form.
    #[inline]
    fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.any_value()?;
        (found == tag).then_some(content)
    }

    #[inline]
    fn any_value(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, length, rest) = match *self.0 {
            [tag, length @ ..=0x7f, ref rest @ ..] => (tag, usize::from(length), rest),
            [tag, 0x81, length @ 0x80..=0xff, ref rest @ ..] => (tag, usize::from(length), rest),
            [tag, 0x82, high @ 1..=0xff, low, ref rest @ ..] => (tag, usize::from(high) << 8 | usize::from(low), rest),
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }
}

#[inline]
const fn with_header(length: usize) -> usize {
    length
        + match length {
            0..0x80 => 2,
            0x80..0x100 => 3,
            0x100..0x1_0000 => 4,
            0x1_0000..0x100_0000 => 5,
            _ => 6,
        }
}
