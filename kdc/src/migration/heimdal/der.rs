//! What Heimdal's files hold in DER.

use tessera_common::time::KerberosTime;
use tessera_common::tlv::{
    BOOLEAN, Fields, GENERAL_STRING, GENERALIZED_TIME, INTEGER, OCTET_STRING, SEQUENCE, content,
};

/// Those of a SEQUENCE, by their numbers; what has a higher one is passed over.
pub(super) fn fields<const N: usize>(der: &[u8]) -> Option<[Option<&[u8]>; N]> {
    Fields::all_of(der, SEQUENCE)?.numbered()
}

/// A SEQUENCE OF what `read` reads.
pub(super) fn sequence<'a, T>(der: &'a [u8], read: fn(&'a [u8]) -> Option<T>) -> Option<Vec<T>> {
    let mut values = Fields::all_of(der, SEQUENCE)?;
    let mut all = Vec::new();
    while !values.is_empty() {
        all.push(read(values.whole()?)?);
    }
    Some(all)
}

/// A BOOLEAN, in DER.
pub(super) fn boolean(der: &[u8]) -> Option<bool> {
    match content(der, BOOLEAN)? {
        [0] => Some(false),
        [0xff] => Some(true),
        _ => None,
    }
}

/// An INTEGER of 64 bits.
pub(super) fn integer(der: &[u8]) -> Option<i64> {
    let octets = content(der, INTEGER)?;
    let (first, rest) = octets.split_first()?;
    if rest.len() > 7 {
        return None;
    }
    let start = i64::from(first.cast_signed());
    Some(rest.iter().fold(start, |number, octet| number << 8 | i64::from(*octet)))
}

/// An INTEGER of 32 bits, not below zero.
pub(super) fn unsigned(der: &[u8]) -> Option<u32> {
    u32::try_from(integer(der)?).ok()
}

/// A GeneralString, in UTF-8.
pub(super) fn text(der: &[u8]) -> Option<&str> {
    core::str::from_utf8(content(der, GENERAL_STRING)?).ok()
}

/// A KerberosTime.
pub(super) fn time(der: &[u8]) -> Option<KerberosTime> {
    KerberosTime::from_wire(content(der, GENERALIZED_TIME)?)
}

/// The number of a key's enctype, and its octets.
///
/// ```text
/// EncryptionKey ::= SEQUENCE { keytype [0] INTEGER, keyvalue [1] OCTET STRING }
/// ```
pub(super) fn encryption_key(der: &[u8]) -> Option<(i32, &[u8])> {
    let [etype, octets] = fields(der)?;
    Some((i32::try_from(integer(etype?)?).ok()?, content(octets?, OCTET_STRING)?))
}

#[cfg(test)]
mod tests {
    use tessera_common::tlv::value;

    use super::*;

    #[test]
    fn numbers_are_read_with_their_sign_and_size() {
        for (octets, number) in [
            (&[0][..], Some(0)),
            (&[0x7f], Some(127)),
            (&[0x80], Some(-128)),
            (&[0, 0xff, 0xff, 0xff, 0xff], Some(0xffff_ffff)),
            (&[0xff, 0x7b], Some(-133)),
            (&[], None),
            (&[1; 9], None),
        ] {
            assert_eq!(integer(&value(INTEGER, octets)), number, "{octets:?}");
        }
        assert_eq!(unsigned(&value(INTEGER, &[0xff])), None);
        assert_eq!(unsigned(&value(INTEGER, &[1, 0, 0, 0, 0])), None);
    }
}
