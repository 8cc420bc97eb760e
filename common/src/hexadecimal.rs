//! Octets as text.

use zeroize::Zeroizing;

/// Two lower-case digits an octet.
#[must_use]
pub fn write(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        text.extend(digits(*octet).map(char::from));
    }
    text
}

/// The two lower-case digits of an octet.
#[must_use]
pub fn digits(octet: u8) -> [u8; 2] {
    [octet >> 4, octet & 15].map(|value| if value < 10 { b'0' + value } else { b'a' - 10 + value })
}

/// The octets, from digits in either case; `None` for anything else. They may be a key's.
#[must_use]
pub fn read(digits: impl AsRef<[u8]>) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, []) = digits.as_ref().as_chunks::<2>() else {
        return None;
    };
    // Room for all from the start: growing would leave copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for pair in pairs {
        octets.push(octet(*pair)?);
    }
    Some(octets)
}

/// The same of so many octets, which are no key's.
#[must_use]
pub fn read_array<const N: usize>(digits: impl AsRef<[u8]>) -> Option<[u8; N]> {
    let (pairs, []) = digits.as_ref().as_chunks::<2>() else {
        return None;
    };
    let pairs = <&[[u8; 2]; N]>::try_from(pairs).ok()?;
    let mut octets = [0; N];
    for (to, pair) in octets.iter_mut().zip(pairs) {
        *to = octet(*pair)?;
    }
    Some(octets)
}

fn octet(pair: [u8; 2]) -> Option<u8> {
    let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? << 4 | low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_come_back_and_anything_else_is_refused() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(*read(write(&all)).unwrap(), all);
        assert_eq!(*read("aAfF").unwrap(), [0xaa, 0xff]);
        assert_eq!(read_array("aAfF"), Some([0xaa, 0xff]));
        for text in ["a", "0g", "+1", " 1", "0x10", "é"] {
            assert_eq!(read(text), None, "{text}");
            assert_eq!(read_array::<1>(text), None, "{text}");
        }
        assert_eq!(read_array::<1>("aAfF"), None);
        assert_eq!(read_array::<3>("aAfF"), None);
    }
}
