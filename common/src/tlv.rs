//! The little of DER that tokens and certificates are taken apart and put together with: values with a tag of one octet.
//! Messages of Kerberos have their types, in [`wire`](crate::wire).

pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

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
pub(crate) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
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
