//! Keytabs: files with the long-term keys of services, of the format 0x0502 that MIT, Heimdal and Java share.
//!
//! After the two octets `05 02` come records, all integers big-endian:
//!
//! ```text
//! size         i32   > 0: octets of the record; < 0: a hole of that many octets; 0: the end
//! components   u16   without the realm
//! realm        u16 length, octets
//! component    u16 length, octets      (as many as `components` says)
//! name-type    u32
//! timestamp    u32   seconds since 1970
//! kvno         u8    the low octet
//! etype        i16
//! key          u16 length, octets
//! kvno         u32   only if four octets of the record are left; not zero: the whole key version
//! ```

use core::cmp::Ordering;
use core::fmt;

use zeroize::Zeroizing;

use crate::crypto::{EncType, Key};
use crate::name::{Name, NameError, Principal, Realm};
use crate::reader::{Reader, Truncated};
pub use crate::stored_key::{OtherKey, StoredKey};
use crate::time::KerberosTime;

const VERSION: [u8; 2] = [5, 2];

/// The entries of a keytab, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keytab {
    /// The keys.
    pub entries: Vec<KeytabEntry>,
}

/// One key of one principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeytabEntry {
    /// Whose key.
    pub principal: Principal,
    /// The name's type, [`crate::name::name_type`]; a hint that no lookup looks at.
    pub name_type: i32,
    /// When the entry was written; in the file, 0 to 2^32-1 seconds since 1970.
    pub timestamp: KerberosTime,
    /// The key's version.
    pub kvno: u32,
    /// The key. Wiped when dropped.
    pub key: StoredKey,
}

/// Why octets are not a keytab. Offsets count from the start of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeytabError {
    /// The file does not begin with 5: it is no keytab.
    NotAKeytab,
    /// Version 0x0501, whose byte order is that of the machine that wrote it.
    NativeByteOrder,
    /// A version after 0x0502.
    UnknownVersion(u8),
    /// The file or the record ends before the value at `offset` does.
    Truncated {
        /// Where the value should have begun.
        offset: usize,
    },
    /// The record at `offset` has a name that cannot be one.
    BadName {
        /// Where the record begins.
        offset: usize,
        /// What is wrong with the name.
        reason: NameError,
    },
    /// The record at `offset` has a key whose length does not fit its enctype.
    KeyLength {
        /// Where the record begins.
        offset: usize,
        /// The enctype.
        etype: i32,
    },
}

impl Keytab {
    /// Reads a whole file. Holes are skipped; keys of enctypes that this crate does not use are kept as
    /// [`StoredKey::Other`].
    ///
    /// # Errors
    /// [`KeytabError`], with the offset.
    pub fn parse(file: &[u8]) -> Result<Self, KeytabError> {
        let mut reader = match file.split_first_chunk::<2>() {
            Some((&VERSION, records)) => Reader::new(records, VERSION.len()),
            Some(([5, 1], _)) => return Err(KeytabError::NativeByteOrder),
            Some(([5, other], _)) => return Err(KeytabError::UnknownVersion(*other)),
            _ => return Err(KeytabError::NotAKeytab),
        };
        let mut entries = Vec::new();
        while !reader.is_empty() {
            let size = reader.i32()?;
            let octets = usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX);
            match size.cmp(&0) {
                Ordering::Equal => break,
                // A hole at the end may be cut short: nothing stands behind it.
                Ordering::Less => drop(reader.take(octets.min(reader.remaining()))?),
                Ordering::Greater => {
                    let offset = reader.at();
                    entries.push(KeytabEntry::parse(Reader::new(reader.take(octets)?, offset))?);
                }
            }
        }
        Ok(Self { entries })
    }

    /// The whole file: every entry, no holes. Octets as MIT writes them. Wiped when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // As large as it will get: growing would leave copies of keys behind.
        let records = self.entries.iter().map(|entry| 4 + entry.size()).sum::<usize>();
        let mut file = Zeroizing::new(Vec::with_capacity(VERSION.len() + records));
        file.extend_from_slice(&VERSION);
        for entry in &self.entries {
            entry.write(&mut file);
        }
        file
    }

    /// Adds an entry behind the others. Entries of the same principal, version and enctype make room for it: a principal that
    /// was removed and made anew starts at version 1 again, and its former key would hide the new one.
    pub fn append(&mut self, entry: KeytabEntry) {
        self.entries.retain(|old| {
            old.kvno != entry.kvno
                || old.key.etype_number() != entry.key.etype_number()
                || old.principal != entry.principal
        });
        self.entries.push(entry);
    }

    /// Every entry of `principal`, in the order of the file.
    pub fn keys_for<'a, 'p>(&'a self, principal: &'p Principal) -> impl Iterator<Item = &'a KeytabEntry> + use<'a, 'p> {
        self.entries.iter().filter(move |entry| entry.principal == *principal)
    }

    /// The key of `principal` with this version and enctype; without a version, the newest.
    ///
    /// A version over 255 is also found by its low octet when no entry has the whole of it: older programs wrote no more.
    #[must_use]
    pub fn find(&self, principal: &Principal, kvno: Option<u32>, etype: EncType) -> Option<&Key> {
        let candidates = self.keys_for(principal).filter_map(|entry| {
            let key = entry.key.known()?;
            (key.etype() == etype).then_some((entry, key))
        });
        let found = match kvno {
            None => candidates.reduce(|best, other| if other.0.is_newer_than(best.0) { other } else { best }),
            Some(kvno) => {
                let mut candidates = candidates.filter(|(entry, _)| entry.kvno == kvno || entry.kvno == kvno & 0xff);
                let first = candidates.next();
                match first {
                    Some((entry, _)) if entry.kvno != kvno => candidates.find(|(e, _)| e.kvno == kvno).or(first),
                    other => other,
                }
            }
        };
        found.map(|(_, key)| key)
    }

    /// The highest version of `principal`'s keys here, of whatever enctype.
    #[must_use]
    pub fn newest_kvno(&self, principal: &Principal) -> Option<u32> {
        let newest = self
            .keys_for(principal)
            .reduce(|best, other| if other.is_newer_than(best) { other } else { best });
        newest.map(|entry| entry.kvno)
    }
}

impl KeytabEntry {
    fn parse(mut record: Reader<'_>) -> Result<Self, KeytabError> {
        let offset = record.at();
        let bad_name = |reason| KeytabError::BadName { offset, reason };
        let text = |octets| core::str::from_utf8(octets).map_err(|_| bad_name(NameError::NotUtf8));

        let count = record.u16()?;
        let realm = Realm::new(text(counted(&mut record)?)?).map_err(bad_name)?;
        let components = (0..count)
            .map(|_| text(counted(&mut record)?))
            .collect::<Result<Vec<_>, _>>()?;
        let name = Name::new(components).map_err(bad_name)?;
        let name_type = record.i32()?;
        let timestamp = KerberosTime(i64::from(record.u32()?));
        let low_octet = u32::from(record.u8()?);
        let etype = record.u16()?.cast_signed();
        let octets = counted(&mut record)?;
        let key = StoredKey::from_file(etype, octets).ok_or_else(|| KeytabError::KeyLength {
            offset,
            etype: i32::from(etype),
        })?;
        // What fills a former hole may be shorter than it; what is left of the hole is zeros.
        let kvno = match record.u32() {
            Ok(kvno) if kvno != 0 => kvno,
            _ => low_octet,
        };
        Ok(Self {
            principal: Principal::new(name, realm),
            name_type,
            timestamp,
            kvno,
            key,
        })
    }

    fn write(&self, file: &mut Vec<u8>) {
        let Principal { name, realm } = &self.principal;
        let [.., low_octet] = self.kvno.to_be_bytes();
        let timestamp = u32::try_from(self.timestamp.seconds().max(0)).unwrap_or(u32::MAX);
        file.extend_from_slice(&i32::try_from(self.size()).unwrap_or(i32::MAX).to_be_bytes());
        file.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
        for text in core::iter::once(realm.as_str()).chain(name.components()) {
            write_counted(file, text.as_bytes());
        }
        file.extend_from_slice(&self.name_type.to_be_bytes());
        file.extend_from_slice(&timestamp.to_be_bytes());
        file.push(low_octet);
        file.extend_from_slice(&self.key.etype_in_file());
        write_counted(file, self.key.octets());
        file.extend_from_slice(&self.kvno.to_be_bytes());
    }

    // Octets of the record, without the four that say how many.
    fn size(&self) -> usize {
        let Principal { name, realm } = &self.principal;
        let names = core::iter::once(realm.as_str())
            .chain(name.components())
            .map(|text| 2 + text.len());
        2 + names.sum::<usize>() + 4 + 4 + 1 + 2 + 2 + self.key.octets().len() + 4
    }

    // Key versions were cut to eight or sixteen bits by older programs: a small one, written no earlier than one near the top
    // of an octet, is the newer.
    fn is_newer_than(&self, other: &Self) -> bool {
        if self.kvno < 128 && other.kvno > 240 && self.timestamp >= other.timestamp {
            return true;
        }
        if self.kvno > 240 && other.kvno < 128 && other.timestamp >= self.timestamp {
            return false;
        }
        self.kvno > other.kvno
    }
}

fn counted<'a>(record: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
    let count = record.u16()?;
    record.take(usize::from(count))
}

// Names are checked to be far shorter, and a key read from a file had its length in the same sixteen bits.
fn write_counted(file: &mut Vec<u8>, octets: &[u8]) {
    file.extend_from_slice(&u16::try_from(octets.len()).unwrap_or(u16::MAX).to_be_bytes());
    file.extend_from_slice(octets);
}

impl From<Truncated> for KeytabError {
    fn from(truncated: Truncated) -> Self {
        Self::Truncated { offset: truncated.at }
    }
}

impl fmt::Display for KeytabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKeytab => f.write_str("the file is not a keytab"),
            Self::NativeByteOrder => f.write_str(
                "the keytab has format 0x0501, whose byte order depends on the machine that wrote it; \
                 copy its entries into a new keytab, of format 0x0502",
            ),
            Self::UnknownVersion(minor) => write!(f, "the keytab has the unknown format 0x05{minor:02x}"),
            Self::Truncated { offset } => write!(f, "the keytab is damaged: a value at offset {offset} is cut short"),
            Self::BadName { offset, reason } => {
                write!(f, "the keytab's entry at offset {offset} has a bad principal: {reason}")
            }
            Self::KeyLength { offset, etype } => {
                write!(
                    f,
                    "the keytab's entry at offset {offset} has a key of the wrong length for enctype {etype}"
                )
            }
        }
    }
}

impl core::error::Error for KeytabError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AES128: EncType = EncType::Aes128CtsHmacSha1_96;
    const AES256: EncType = EncType::Aes256CtsHmacSha1_96;

    fn principal(text: &str) -> Principal {
        text.parse().unwrap()
    }

    fn key(etype: EncType, fill: u8) -> StoredKey {
        Key::new(etype, &vec![fill; etype.key_len()]).unwrap().into()
    }

    fn entry(name: &str, kvno: u32, timestamp: i64, key: StoredKey) -> KeytabEntry {
        KeytabEntry {
            principal: principal(name),
            name_type: 1,
            timestamp: KerberosTime(timestamp),
            kvno,
            key,
        }
    }

    // host/a@R, type 3, aes128, at 1,000,000,000 s.
    fn record(kvno: u8, tail: &[u8]) -> Vec<u8> {
        let mut octets = b"\0\x02\0\x01R\0\x04host\0\x01a\0\0\0\x03\x3b\x9a\xca\0".to_vec();
        octets.push(kvno);
        octets.extend_from_slice(b"\0\x11\0\x10");
        octets.extend_from_slice(&[0x6b; 16]);
        octets.extend_from_slice(tail);
        octets
    }

    fn file(parts: &[(i32, &[u8])]) -> Vec<u8> {
        let mut octets = vec![5, 2];
        for (size, content) in parts {
            octets.extend_from_slice(&size.to_be_bytes());
            octets.extend_from_slice(content);
        }
        octets
    }

    fn sized(record: &[u8]) -> (i32, &[u8]) {
        (i32::try_from(record.len()).unwrap(), record)
    }

    #[test]
    fn a_file_reads_and_writes_octet_for_octet() {
        let octets = file(&[sized(&record(3, &[0, 0, 0, 3]))]);
        let keytab = Keytab::parse(&octets).unwrap();
        let expected = KeytabEntry {
            principal: principal("host/a@R"),
            name_type: 3,
            timestamp: KerberosTime(1_000_000_000),
            kvno: 3,
            key: key(AES128, 0x6b),
        };
        assert_eq!(keytab.entries, [expected]);
        assert_eq!(*keytab.to_bytes(), octets);
        assert_eq!(*Keytab::default().to_bytes(), [5, 2]);
    }

    #[test]
    fn the_long_key_version_wins_when_it_is_there_and_not_zero() {
        for (low, tail, kvno) in [
            (7, &[][..], 7),
            (7, &[0, 0, 0], 7),
            (7, &[0, 0, 0, 0], 7),
            (7, &[0, 0, 1, 7], 263),
            (0, &[0xff, 0xff, 0xff, 0xff], u32::MAX),
            (7, &[0, 0, 0, 9, 0, 0, 0, 0, 0], 9),
        ] {
            let keytab = Keytab::parse(&file(&[sized(&record(low, tail))])).unwrap();
            assert_eq!(keytab.entries[0].kvno, kvno, "{tail:?}");
        }
    }

    #[test]
    fn holes_are_skipped_and_a_size_of_zero_ends_the_file() {
        let (one, two) = (record(1, &[]), record(2, &[]));
        let octets = file(&[
            (-5, &[0; 5]),
            sized(&one),
            (-2, &[0; 2]),
            sized(&two),
            (0, &[]),
            (77, b"left over"),
        ]);
        let keytab = Keytab::parse(&octets).unwrap();
        assert_eq!(keytab.entries.iter().map(|e| e.kvno).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(Keytab::parse(&file(&[(-100, &[0; 3])])), Ok(Keytab::default()));
        assert_eq!(Keytab::parse(&file(&[(i32::MIN, &[])])), Ok(Keytab::default()));
    }

    #[test]
    fn keys_of_foreign_enctypes_are_kept() {
        let mut octets = record(1, &[0, 0, 0, 1]);
        let at = octets.len() - 4 - 16 - 4;
        for (etype, octet_pair) in [(23, [0, 23]), (-133, [0xff, 0x7b])] {
            octets[at..at + 2].copy_from_slice(&octet_pair);
            let whole = file(&[sized(&octets)]);
            let keytab = Keytab::parse(&whole).unwrap();
            assert_eq!(keytab.entries[0].key.etype_number(), etype);
            assert_eq!(keytab.entries[0].key.octets(), [0x6b; 16]);
            assert!(keytab.entries[0].key.known().is_none());
            assert_eq!(*keytab.to_bytes(), whole);
        }
    }

    #[test]
    fn a_damaged_file_is_refused_with_the_place() {
        let good = record(1, &[]);
        let mut short_key = good.clone();
        let at = good.len() - 16 - 4;
        short_key[at + 1] = 18;
        let mut empty_realm = good.clone();
        empty_realm[3] = 0;
        for (octets, error) in [
            (vec![], KeytabError::NotAKeytab),
            (vec![5], KeytabError::NotAKeytab),
            (b"\x04\x02".to_vec(), KeytabError::NotAKeytab),
            (b"\x05\x01\0\0".to_vec(), KeytabError::NativeByteOrder),
            (b"\x05\x03".to_vec(), KeytabError::UnknownVersion(3)),
            (b"\x05\x02\0\0\0".to_vec(), KeytabError::Truncated { offset: 2 }),
            (file(&[(9, b"12345678")]), KeytabError::Truncated { offset: 6 }),
            (
                file(&[sized(&good[..good.len() - 1])]),
                KeytabError::Truncated {
                    offset: 6 + good.len() - 16,
                },
            ),
            (
                file(&[sized(&good), sized(&short_key)]),
                KeytabError::KeyLength {
                    offset: 10 + good.len(),
                    etype: 18,
                },
            ),
            (
                file(&[sized(&[0; 40])]),
                KeytabError::BadName {
                    offset: 6,
                    reason: NameError::Empty,
                },
            ),
            (
                file(&[sized(b"\0\x01\0\x01R\0\x01\xff")]),
                KeytabError::BadName {
                    offset: 6,
                    reason: NameError::NotUtf8,
                },
            ),
        ] {
            assert_eq!(Keytab::parse(&octets), Err(error), "{octets:02x?}");
        }
    }

    #[test]
    fn the_newest_version_is_found_and_wrapped_ones_are_newer() {
        let p = principal("a@R");
        for (entries, newest) in [
            (vec![(1, 5), (3, 5), (2, 9)], 3),
            (vec![(255, 5), (1, 6)], 1),
            (vec![(255, 5), (1, 5)], 1),
            (vec![(255, 7), (1, 6)], 255),
            (vec![(1, 6), (255, 5)], 1),
            (vec![(1, 6), (255, 7)], 255),
        ] {
            let fill = |kvno: u32| u8::try_from(kvno).unwrap();
            let keytab = Keytab {
                entries: entries
                    .iter()
                    .map(|(kvno, t)| entry("a@R", *kvno, *t, key(AES256, fill(*kvno))))
                    .collect(),
            };
            assert_eq!(keytab.newest_kvno(&p), Some(newest), "{entries:?}");
            assert_eq!(
                keytab.find(&p, None, AES256).unwrap().octets(),
                [fill(newest); 32],
                "{entries:?}"
            );
        }
    }

    #[test]
    fn a_key_is_found_by_principal_version_and_enctype() {
        let keytab = Keytab {
            entries: vec![
                entry("a@R", 1, 0, key(AES256, 1)),
                entry("b@R", 300, 0, key(AES256, 2)),
                entry("b@R", 44, 0, key(AES256, 3)),
                entry("b@R", 45, 0, key(AES256, 4)),
                entry("b@R", 300, 0, key(AES128, 5)),
            ],
        };
        for (name, kvno, etype, fill) in [
            ("a@R", Some(1), AES256, Some(1)),
            ("a@R", Some(2), AES256, None),
            ("a@R", Some(1), AES128, None),
            ("a@S", Some(1), AES256, None),
            ("b@R", Some(300), AES256, Some(2)),
            ("b@R", Some(44), AES256, Some(3)),
            ("b@R", Some(301), AES256, Some(4)),
            ("b@R", Some(300), AES128, Some(5)),
        ] {
            let found = keytab.find(&principal(name), kvno, etype).map(|k| k.octets()[0]);
            assert_eq!(found, fill, "{name} {kvno:?} {etype}");
        }
        assert_eq!(keytab.keys_for(&principal("b@R")).count(), 4);
    }

    #[test]
    fn appending_replaces_the_same_version_and_enctype_of_the_same_principal() {
        let mut keytab = Keytab::default();
        keytab.append(entry("a@R", 1, 0, key(AES256, 1)));
        keytab.append(entry("a@R", 1, 0, key(AES128, 2)));
        keytab.append(entry("b@R", 1, 0, key(AES256, 3)));
        keytab.append(entry("a@R", 2, 0, key(AES256, 4)));
        keytab.append(entry("a@R", 1, 9, key(AES256, 5)));
        let fills: Vec<u8> = keytab.entries.iter().map(|e| e.key.octets()[0]).collect();
        assert_eq!(fills, [2, 3, 4, 5]);
    }

    #[test]
    fn times_outside_the_format_are_clamped() {
        for (time, kept) in [
            (-1, 0),
            (i64::from(u32::MAX) + 1, i64::from(u32::MAX)),
            (4_000_000_000, 4_000_000_000),
        ] {
            let keytab = Keytab {
                entries: vec![entry("a@R", 1, time, key(AES256, 1))],
            };
            assert_eq!(
                Keytab::parse(&keytab.to_bytes()).unwrap().entries[0].timestamp,
                KerberosTime(kept)
            );
        }
    }

    #[test]
    fn nothing_prints_a_key() {
        let keytab = Keytab {
            entries: vec![entry("a@R", 1, 0, StoredKey::from_file(23, &[0xab; 16]).unwrap())],
        };
        let text = format!("{keytab:?}");
        assert!(text.contains("[redacted]") && !text.contains("171"), "{text}");
    }

    prop_compose! {
        fn any_entry()(
            parts in prop::collection::vec("[^\\p{Cc}]{1,8}", 1..4),
            realm in "[^\\p{Cc}]{1,8}",
            name_type in any::<i32>(),
            timestamp in any::<u32>(),
            kvno in 1u32..,
            etype in prop::sample::select(vec![17i16, 18, 19, 20, 23, -133]),
            fill in any::<u8>(),
        ) -> KeytabEntry {
            let len = EncType::from_number(etype.into()).map_or(5, EncType::key_len);
            KeytabEntry {
                principal: Principal::new(Name::new(&parts).unwrap(), Realm::new(&realm).unwrap()),
                name_type,
                timestamp: KerberosTime(timestamp.into()),
                kvno,
                key: StoredKey::from_file(etype, &vec![fill; len]).unwrap(),
            }
        }
    }

    proptest! {
        #[test]
        fn written_keytabs_read_back(entries in prop::collection::vec(any_entry(), 0..5)) {
            let keytab = Keytab { entries };
            prop_assert_eq!(Keytab::parse(&keytab.to_bytes()), Ok(keytab));
        }

        #[test]
        fn arbitrary_octets_do_not_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Keytab::parse(&octets);
            let _ = Keytab::parse(&[&[5, 2, 0, 0, 0, 60], &*octets].concat());
        }
    }
}
