//! The little of DER that tokens, certificates and records of other realms are taken apart and put together with: values with a
//! tag of one octet.
//! Messages of Kerberos have their types, in [`wire`](crate::wire).

/// BOOLEAN.
pub const BOOLEAN: u8 = 0x01;
/// INTEGER.
pub const INTEGER: u8 = 0x02;
/// OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
/// GeneralizedTime.
pub const GENERALIZED_TIME: u8 = 0x18;
/// GeneralString.
pub const GENERAL_STRING: u8 = 0x1b;
/// SEQUENCE and SEQUENCE OF.
pub const SEQUENCE: u8 = 0x30;

/// The value that `octets` begin with: its tag, its content, and what comes after it. `None`: it is cut short, or its length
/// is not DER's.
pub(crate) fn split_value(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = octets.split_first()?;
    let (length, rest) = split_length(rest)?;
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// A definite length in DER's one way to write it, and what comes after it.
pub(crate) fn split_length(octets: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = octets.split_first()?;
    let Some(count) = first.checked_sub(0x80) else {
        return Some((first.into(), rest));
    };
    if !(1..=4).contains(&count) {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count.into())?;
    let length = digits
        .iter()
        .fold(0, |length: u64, digit| length << 8 | u64::from(*digit));
    let shortest = if count == 1 {
        length >= 0x80
    } else {
        digits.first() != Some(&0)
    };
    shortest.then_some((usize::try_from(length).ok()?, rest))
}

/// A value with its tag and length.
#[must_use]
pub fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    value_of(tag, &[content])
}

/// A value whose content is these octets one after another.
pub(crate) fn value_of(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut octets = Vec::with_capacity(length + 6);
    octets.push(tag);
    put_length(&mut octets, length);
    parts.iter().for_each(|part| octets.extend_from_slice(part));
    octets
}

// Nothing here reaches 4 GB.
fn put_length(out: &mut Vec<u8>, length: usize) {
    let [.., a, b, c, d] = (length as u64).to_be_bytes();
    match length {
        0..0x80 => out.push(d),
        0x80..0x100 => out.extend([0x81, d]),
        0x100..0x1_0000 => out.extend([0x82, c, d]),
        0x1_0000..0x100_0000 => out.extend([0x83, b, c, d]),
        _ => out.extend([0x84, a, b, c, d]),
    }
}

/// The tag `[number]`, around a value with a tag of its own; a number over 30 has none of one octet.
#[must_use]
pub const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// Values one after another, not read yet. Where fields are [numbered](Self::numbered), those that nobody knows are passed over,
/// as ASN.1's extension markers ask.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Those inside the value that is all of `octets`, if it has this tag.
    #[must_use]
    pub fn all_of(octets: &'a [u8], tag: u8) -> Option<Self> {
        content(octets, tag).map(Self)
    }

    /// All of `octets`.
    #[must_use]
    pub const fn inside(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// Whether none is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The content of the next value, if it has this tag.
    pub fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.any()?;
        (found == tag).then_some(content)
    }

    /// The next value, whatever its tag: that and its content. `None`: there is none, or it is not DER.
    pub fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, content, rest) = split_value(self.0)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next value with its tag and length, whatever they are.
    pub fn whole(&mut self) -> Option<&'a [u8]> {
        let all = self.0;
        self.any()?;
        all.get(..all.len() - self.0.len())
    }

    /// What stands under the tags `[0]` to `[N - 1]`. `None`: something else than fields, or not in order.
    #[must_use]
    pub fn numbered<const N: usize>(mut self) -> Option<[Option<&'a [u8]>; N]> {
        let mut fields = [None; N];
        let mut last = None;
        while !self.is_empty() {
            let (tag, content) = self.any()?;
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
#[must_use]
pub fn content(octets: &[u8], tag: u8) -> Option<&[u8]> {
    let mut values = Fields(octets);
    values.value(tag).filter(|_| values.is_empty())
}
