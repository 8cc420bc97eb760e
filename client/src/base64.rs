//! Base64 (RFC 4648 §4), as tokens stand in HTTP's headers.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// With padding.
pub(crate) fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for chunk in octets.chunks(3) {
        let bits = chunk
            .iter()
            .zip([16, 8, 0])
            .fold(0, |bits, (octet, shift)| bits | u32::from(*octet) << shift);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = ALPHABET
                .get((bits >> shift & 63) as usize)
                .filter(|_| at <= chunk.len());
            text.push(digit.map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

/// With padding or without. `None` for anything else: other characters, spaces in between, bits that no octet has.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return None;
    }
    let mut octets = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.as_bytes().chunks(4) {
        let mut bits = 0;
        for digit in chunk {
            bits = bits << 6 | value(*digit)?;
        }
        let (count, spare) = match chunk.len() {
            4 => (3, 0),
            3 => (2, 2),
            2 => (1, 4),
            _ => return None,
        };
        if bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        let [_, whole @ ..] = (bits >> spare << (8 * (3 - count))).to_be_bytes();
        octets.extend(whole.into_iter().take(count));
    }
    Some(octets)
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4648 §10.
    const VECTORS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn the_vectors_of_the_rfc_with_padding_and_without() {
        for (plain, text) in VECTORS {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), plain.as_bytes());
            assert_eq!(decode(text.trim_end_matches('=')).unwrap(), plain.as_bytes());
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "Z", "Zg=", "Zg===", "=", "====", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm-_", "Zg==Zg==", "Zm9vYg=", "é",
        ] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_encoded_is_decoded(octets: Vec<u8>) {
            proptest::prop_assert_eq!(decode(&encode(&octets)), Some(octets));
        }

        #[test]
        fn there_is_one_way_to_write_it(text in "[A-Za-z0-9+/]{0,12}={0,3}") {
            if let Some(octets) = decode(&text) {
                let written = encode(&octets);
                proptest::prop_assert_eq!(written.trim_end_matches('='), text.trim_end_matches('='));
            }
        }
    }
}
