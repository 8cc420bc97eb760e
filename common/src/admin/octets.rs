//! Secrets in messages: never printed, wiped when dropped.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::hexadecimal;

/// A password. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// A password as it was typed, without the end of the line.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The password, for making keys of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The octets of a key, written in hexadecimal digits. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct HexOctets(Zeroizing<Vec<u8>>);

impl HexOctets {
    /// These octets.
    #[must_use]
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// The octets.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HexOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for HexOctets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hexadecimal::write(&self.0)))
    }
}

impl<'de> Deserialize<'de> for HexOctets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        hexadecimal::read(text.as_bytes())
            .map(Self)
            .ok_or_else(|| de::Error::custom("a key is written in pairs of hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_pairs_of_hexadecimal_digits() {
        for (text, octets) in [
            ("\"\"", &[][..]),
            ("\"00ff10\"", &[0, 255, 16]),
            ("\"0aB9\"", &[10, 0xb9]),
        ] {
            assert_eq!(serde_json::from_str::<HexOctets>(text).unwrap().as_slice(), octets);
        }
        for bad in ["\"0\"", "\"000\"", "\"0g\"", "\" 00\"", "\"é\"", "7"] {
            assert!(serde_json::from_str::<HexOctets>(bad).is_err(), "{bad}");
        }
        assert_eq!(
            serde_json::to_string(&HexOctets::new(vec![0, 255, 16])).unwrap(),
            "\"00ff10\""
        );
    }
}
