//! The little of DER that the negotiation needs: values one after another, and fields under ascending tags of which those
//! that nobody knows are passed over, as RFC 4178's extension markers ask.

use crate::tlv::split_value;

pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const GENERAL_STRING: u8 = 0x1b;

/// The tag `[number]`, around a value with a tag of its own.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// Values one after another, not read yet.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Those inside the value that is all of `octets`, if it has this tag.
    pub(super) fn all_of(octets: &'a [u8], tag: u8) -> Option<Self> {
        content(octets, tag).map(Self)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The content of the next value, if it has this tag.
    pub(super) fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, content, rest) = split_value(self.0)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// What stands under the tags `[0]` to `[N - 1]`. `None`: something else than fields, or not in order.
    pub(super) fn numbered<const N: usize>(mut self) -> Option<[Option<&'a [u8]>; N]> {
        let mut fields = [None; N];
        let mut last = None;
        while !self.is_empty() {
            let (tag, content) = self.next()?;
            let number = tag & 0x1f;
            // A number over 30 would go on in further octets; no field has one.
            if tag != context(number) || number == 0x1f || last >= Some(number) {
                return None;
            }
            last = Some(number);
            if let Some(field) = fields.get_mut(usize::from(number)) {
                *field = Some(content);
            }
        }
        Some(fields)
    }
}

/// The content of the value that is all of `octets`, if it has this tag.
pub(super) fn content(octets: &[u8], tag: u8) -> Option<&[u8]> {
    let mut values = Fields(octets);
    values.value(tag).filter(|_| values.is_empty())
}
