//! The scheme `Negotiate` and its token, as they stand in HTTP's headers (RFC 4559 §4).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

pub(crate) const SCHEME: &str = "Negotiate";

/// A header's value: the scheme, and the token if there is one.
pub(crate) fn value(token: Option<&[u8]>) -> String {
    match token {
        Some(token) => format!("{SCHEME} {}", STANDARD.encode(token)),
        None => SCHEME.to_owned(),
    }
}

/// What stands behind the scheme's name, which is written in any case; `None`, the value is of another scheme.
pub(crate) fn parameter(value: &[u8]) -> Option<&[u8]> {
    let (name, parameter) = value.trim_ascii().split_at_checked(SCHEME.len())?;
    let ended = parameter.first().is_none_or(|octet| *octet == b' ');
    (name.eq_ignore_ascii_case(SCHEME.as_bytes()) && ended).then(|| parameter.trim_ascii_start())
}

/// A token in base64 (RFC 4648 §4), with all of its padding or without any. `None` for anything else: other characters,
/// spaces in between, bits that no octet has.
pub(crate) fn decode(parameter: &[u8]) -> Option<Vec<u8>> {
    STANDARD
        .decode(parameter)
        .or_else(|_| STANDARD_NO_PAD.decode(parameter))
        .ok()
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

    fn encode(octets: &[u8]) -> String {
        let value = value(Some(octets));
        value.strip_prefix("Negotiate ").unwrap().to_owned()
    }

    fn decode(text: &str) -> Option<Vec<u8>> {
        super::decode(text.as_bytes())
    }

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
