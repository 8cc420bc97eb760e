//! Octets as text.

use zeroize::Zeroizing;

/// Two lower-case digits an octet.
#[must_use]
pub fn write(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        text.extend([octet >> 4, octet & 15].map(digit));
    }
    text
}

const fn digit(value: u8) -> char {
    (if value < 10 { b'0' + value } else { b'a' - 10 + value }) as char
}

/// The octets, from digits in either case; `None` for anything else. They may be a key's.
#[must_use]
pub fn read(digits: impl AsRef<[u8]>) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, []) = digits.as_ref().as_chunks::<2>() else {
        return None;
    };
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    // Room for all from the start: growing would leave copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        octets.push(value(*high)? << 4 | value(*low)?);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_come_back_and_anything_else_is_refused() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(*read(write(&all)).unwrap(), all);
        assert_eq!(*read("aAfF").unwrap(), [0xaa, 0xff]);
        for text in ["a", "0g", "+1", " 1", "0x10", "é"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
