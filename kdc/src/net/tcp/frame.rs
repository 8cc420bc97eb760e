//! A message on a connection: behind a length of four octets (RFC 4120 §7.2.2).

use tessera_common::wire::MAX_MESSAGE;

/// The bit of the length that RFC 4120 §7.2.2 keeps for extensions; there are none.
const RESERVED: u32 = 0x8000_0000;

/// What octets begin with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// This message; then what follows it.
    Whole(&'a [u8], &'a [u8]),
    /// Some of a message, or nothing.
    Part,
    /// A message longer than is taken.
    TooLong,
}

pub(super) fn first(octets: &[u8]) -> Frame<'_> {
    let Some((length, rest)) = octets.split_first_chunk::<4>() else {
        return Frame::Part;
    };
    let length = u32::from_be_bytes(*length);
    let octets = usize::try_from(length).unwrap_or(usize::MAX);
    if length & RESERVED != 0 || octets > MAX_MESSAGE {
        return Frame::TooLong;
    }
    match rest.split_at_checked(octets) {
        Some((message, rest)) => Frame::Whole(message, rest),
        None => Frame::Part,
    }
}

/// Appends `message` behind its length; false when no length can say how long it is.
pub(super) fn put(frames: &mut Vec<u8>, message: &[u8]) -> bool {
    let Ok(length) = u32::try_from(message.len()) else {
        return false;
    };
    frames.reserve(4 + message.len());
    frames.extend_from_slice(&length.to_be_bytes());
    frames.extend_from_slice(message);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_whole_when_its_last_octet_has_come() {
        let mut frames = Vec::new();
        assert!(put(&mut frames, b"abc") && put(&mut frames, b""));
        assert_eq!(frames, b"\0\0\0\x03abc\0\0\0\0");
        for end in 0..7 {
            assert_eq!(first(&frames[..end]), Frame::Part, "{end}");
        }
        for end in 7..=frames.len() {
            assert_eq!(first(&frames[..end]), Frame::Whole(b"abc", &frames[7..end]));
        }
        assert_eq!(first(&frames[7..]), Frame::Whole(b"", b""));
    }

    #[test]
    fn a_length_past_the_limit_or_with_the_reserved_bit_is_too_long() {
        let limit = u32::try_from(MAX_MESSAGE).unwrap();
        for (length, too_long) in [
            (limit, false),
            (limit + 1, true),
            (0x7fff_ffff, true),
            (0x8000_0000, true),
            (0x8000_0003, true),
            (u32::MAX, true),
        ] {
            let found = first(&length.to_be_bytes()) == Frame::TooLong;
            assert_eq!(found, too_long, "{length:#x}");
        }
    }
}
