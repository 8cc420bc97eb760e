//! Octets as text.

/// Two lower-case digits an octet.
pub(super) fn write(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        text.extend([octet >> 4, octet & 15].map(digit));
    }
    text
}

const fn digit(value: u8) -> char {
    (if value < 10 { b'0' + value } else { b'a' - 10 + value }) as char
}

/// The octets, from digits in either case; `None` for anything else.
pub(super) fn read(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let digit = |octet: u8| {
        char::from(octet)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_come_back_and_anything_else_is_refused() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(read(&write(&all)), Some(all));
        assert_eq!(read("aAfF"), Some(vec![0xaa, 0xff]));
        for text in ["a", "0g", "+1", " 1", "0x10", "é"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
