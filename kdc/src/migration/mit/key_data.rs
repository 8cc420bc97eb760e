//! A key as MIT's database has it: encrypted under the master key, with its salt.

use tessera_common::crypto::{CryptoError, EncType, Key, KeyUsage};
use zeroize::Zeroizing;

use super::fields::{FieldError, FieldFault, Fields};

/// What stands for the salt of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SaltData {
    /// MIT's number for it.
    pub(super) kind: i32,
    /// What is written with it.
    pub(super) octets: Vec<u8>,
}

/// A key, encrypted under a master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyData {
    /// Its version, up to 65,535.
    pub(super) kvno: u32,
    /// The number of its enctype.
    pub(super) etype: i32,
    /// Two octets that say how long the key is, the lower first, and the ciphertext (key usage 0).
    pub(super) contents: Vec<u8>,
    /// Its salt, if it is not the usual one.
    pub(super) salt: Option<SaltData>,
}

/// Why a key does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OpenKeyError {
    /// It is not under this master key, or was altered.
    #[error("it is not sealed with this master key, or was altered")]
    Sealed,
    /// It is no key of its enctype.
    #[error("it has not the length of a key of its enctype")]
    Length,
}

impl KeyData {
    /// Reads the fields of a key. `None`: there is no key, only its version.
    pub(super) fn parse(fields: &mut Fields<'_>) -> Result<Option<Self>, FieldError> {
        let parts = fields.count("how many parts a key has", 2)?;
        let kvno = fields.word("a key's version")?;
        if kvno > u16::MAX.into() {
            return Err(fields.error("a key's version", FieldFault::Number));
        }
        let mut key = None;
        for part in 0..parts {
            let (kind, length, contents) = match part {
                0 => ("a key's enctype", "the length of a key", "a key"),
                _ => ("the kind of a salt", "the length of a salt", "a salt"),
            };
            let kind = fields.number(kind, i16::MIN.into(), i16::MAX.into())?;
            let kind = i32::try_from(kind).unwrap_or_default();
            let length = fields.count(length, u16::MAX.into())?;
            let octets = fields.octets(contents, length)?;
            match &mut key {
                None => {
                    key = Some(Self {
                        kvno,
                        etype: kind,
                        contents: octets,
                        salt: None,
                    });
                }
                Some(key) => key.salt = Some(SaltData { kind, octets }),
            }
        }
        Ok(key)
    }

    /// The key's octets, opened with a master key.
    ///
    /// # Errors
    /// [`OpenKeyError`].
    pub(super) fn open(&self, master: &Key) -> Result<Zeroizing<Vec<u8>>, OpenKeyError> {
        let (length, ciphertext) = self.contents.split_first_chunk::<2>().ok_or(OpenKeyError::Length)?;
        let length = usize::from(u16::from_le_bytes(*length));
        let mut octets = master
            .decrypt(KeyUsage(0), ciphertext)
            .map_err(|_: CryptoError| OpenKeyError::Sealed)?;
        if octets.len() < length {
            return Err(OpenKeyError::Length);
        }
        octets.truncate(length);
        Ok(octets)
    }

    /// The key, opened with a master key; `None` for an enctype that this realm never has.
    ///
    /// # Errors
    /// [`OpenKeyError`].
    pub(super) fn open_known(&self, master: &Key) -> Result<Option<Key>, OpenKeyError> {
        let Some(etype) = EncType::from_number(self.etype) else {
            return Ok(None);
        };
        let octets = self.open(master)?;
        Key::new(etype, &octets).map(Some).map_err(|_| OpenKeyError::Length)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tessera_common::Random;

    use super::*;
    use crate::store::test_realm::Counter;

    pub(in super::super) fn sealed(key: &Key, kvno: u32, master: &Key, random: &mut dyn Random) -> KeyData {
        let length = u16::try_from(key.octets().len()).unwrap();
        let ciphertext = master.encrypt(KeyUsage(0), key.octets(), random);
        KeyData {
            kvno,
            etype: key.etype().number(),
            contents: [&length.to_le_bytes()[..], &ciphertext].concat(),
            salt: None,
        }
    }

    #[test]
    fn a_key_opens_with_its_master_key_alone() {
        let mut random = Counter::default();
        for etype in EncType::ALL {
            let [master, other, key] = [(); 3].map(|()| Key::random(etype, &mut random));
            let sealed = sealed(&key, 3, &master, &mut random);
            assert_eq!(sealed.open_known(&master), Ok(Some(key.clone())));
            assert_eq!(sealed.open(&other).unwrap_err(), OpenKeyError::Sealed);
            let foreign = KeyData {
                etype: 23,
                ..sealed.clone()
            };
            assert_eq!(foreign.open_known(&master), Ok(None));
            let mut longer = sealed.clone();
            longer.contents[0] += 1;
            assert_eq!(longer.open(&master).unwrap_err(), OpenKeyError::Length);
            let mut shorter = sealed;
            shorter.contents[0] -= 1;
            assert_eq!(shorter.open_known(&master).unwrap_err(), OpenKeyError::Length);
        }
        let empty = KeyData {
            kvno: 1,
            etype: 18,
            contents: vec![32],
            salt: None,
        };
        let master = Key::random(EncType::Aes256CtsHmacSha1_96, &mut random);
        assert_eq!(empty.open(&master).unwrap_err(), OpenKeyError::Length);
    }

    #[test]
    fn keys_are_read_with_their_salts() {
        let read = |line: &[u8]| KeyData::parse(&mut Fields::new(line));
        let key = read(b"2\t5\t18\t2\t0a0b\t4\t3\t616263").unwrap().unwrap();
        assert_eq!((key.kvno, key.etype, key.contents.as_slice()), (5, 18, &[10, 11][..]));
        let salt = SaltData {
            kind: 4,
            octets: b"abc".to_vec(),
        };
        assert_eq!(key.salt, Some(salt));
        assert_eq!(read(b"1\t5\t18\t0\t-1").unwrap().unwrap().salt, None);
        assert_eq!(read(b"0\t5"), Ok(None));
        for (line, field) in [
            (&b"3\t5"[..], 1),
            (b"1\t65536\t18", 2),
            (b"1\t-1\t18", 2),
            (b"1\t5\t40000\t1\t00", 3),
            (b"1\t5\t18\t65536\t00", 4),
            (b"1\t5\t18\t2\t00", 5),
            (b"2\t5\t18\t1\t00\t4\t1", 8),
        ] {
            assert_eq!(read(line).unwrap_err().field, field, "{}", line.escape_ascii());
        }
    }
}
