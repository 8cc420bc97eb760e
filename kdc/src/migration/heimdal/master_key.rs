//! The file with the master key that Heimdal seals keys under, in any form that its `lib/hdb/mkey.c` reads:
//!
//! - a keytab (0x0502), as `kstash` writes it: keys of `K/M`, each with its version;
//! - an `EncryptionKey` in DER, of no version: Heimdal's first form;
//! - the older form of MIT's stash file, of version 1;
//! - eight octets, a DES key: Kerberos 4's.

use core::fmt;

use tessera_common::crypto::{EncType, Key, KeyUsage, des3};
use tessera_common::keytab::{Keytab, KeytabError};
use zeroize::Zeroizing;

use super::der::encryption_key;
use super::keys::DumpedKey;
use crate::migration::older_stash;

/// What Heimdal seals keys with: `HDB` in ASCII.
const USAGE: KeyUsage = KeyUsage(0x0048_4442);
/// What MIT does, whose databases Heimdal can have taken over.
const MIT_USAGE: KeyUsage = KeyUsage(0);

/// The versions of a master key.
#[derive(Clone, Debug)]
pub struct MasterKeys(Vec<MasterKey>);

#[derive(Clone, Debug)]
struct MasterKey {
    version: u32,
    key: AnyKey,
}

/// A key of whatever enctype a master key may be of.
#[derive(Clone, Debug)]
enum AnyKey {
    Known(Key),
    /// What Heimdal's kstash makes unless told otherwise.
    TripleDes(TripleDesKey),
    /// The number of an enctype that is not to be had here.
    Other(i32),
}

#[derive(Clone)]
struct TripleDesKey(Zeroizing<Vec<u8>>);

impl AnyKey {
    fn new(etype: i32, octets: &[u8]) -> Option<Self> {
        match EncType::from_number(etype) {
            Some(known) => Key::new(known, octets).ok().map(Self::Known),
            None if etype == DES3_CBC_SHA1 => {
                let key = (octets.len() == des3::KEY_OCTETS).then(|| Zeroizing::new(octets.to_vec()))?;
                Some(Self::TripleDes(TripleDesKey(key)))
            }
            None => Some(Self::Other(etype)),
        }
    }

    /// `Err(Some(_))`: the number of an enctype that is not to be had here; `Err(None)`: this is not its key.
    fn open(&self, usage: KeyUsage, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Option<i32>> {
        let opened = match self {
            Self::Known(key) => key.decrypt(usage, sealed),
            Self::TripleDes(TripleDesKey(key)) => des3::open(key, usage, sealed),
            Self::Other(etype) => return Err(Some(*etype)),
        };
        opened.map_err(|_| None)
    }
}

impl fmt::Debug for TripleDesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TripleDesKey([redacted])")
    }
}

/// Why octets are no file with a master key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MasterKeyFileError {
    /// It begins as a keytab and is none.
    Keytab(KeytabError),
    /// It has none of the forms.
    Unknown,
    /// It has no key.
    Empty,
}

/// Why a key does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unopened {
    /// There is no master key of this version.
    NoVersion(u32),
    /// The master key of this version is of this enctype, which this program has not.
    Enctype {
        /// The version.
        version: u32,
        /// The enctype's number.
        etype: i32,
    },
    /// It is not sealed under the master key of this version.
    Wrong(u32),
}

impl MasterKeys {
    /// Reads a file.
    ///
    /// # Errors
    /// [`MasterKeyFileError`].
    pub fn parse(file: &[u8]) -> Result<Self, MasterKeyFileError> {
        // In the order of Heimdal's hdb_read_master_key.
        let keys = match *file {
            [_, _, _, _, _, _, _, _] => vec![MasterKey {
                version: 0,
                key: AnyKey::Other(DES_PCBC),
            }],
            [0x30, length, ..] if length < 0x80 && usize::from(length) == file.len() - 2 => {
                let key = encryption_key(file).and_then(|(etype, octets)| master_key(0, etype, octets));
                vec![key.ok_or(MasterKeyFileError::Unknown)?]
            }
            [5, 1 | 2, ..] => keytab(file)?,
            _ => {
                let key = older_stash::parse(file).and_then(|(etype, octets)| master_key(1, etype, octets));
                vec![key.ok_or(MasterKeyFileError::Unknown)?]
            }
        };
        if keys.is_empty() {
            return Err(MasterKeyFileError::Empty);
        }
        Ok(Self(keys))
    }

    /// The octets of a key: as they are, or unsealed. There may be more than a key of its enctype has, where it was padded to be
    /// sealed.
    ///
    /// # Errors
    /// [`Unopened`].
    pub fn open(&self, sealed: &DumpedKey) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let Some(version) = sealed.mkvno else {
            return Ok(sealed.octets.clone());
        };
        let master = self.find(version).ok_or(Unopened::NoVersion(version))?;
        let opened = master.key.open(USAGE, &sealed.octets);
        opened
            .or_else(|_| master.key.open(MIT_USAGE, &sealed.octets))
            .map_err(|etype| match etype {
                Some(etype) => Unopened::Enctype { version, etype },
                None => Unopened::Wrong(version),
            })
    }

    // One of no version, 0, stands for those that are not there.
    fn find(&self, version: u32) -> Option<&MasterKey> {
        let of = |version| self.0.iter().find(move |key| key.version == version);
        of(version).or_else(|| of(0))
    }
}

/// Heimdal's number for what Kerberos 4 sealed with; not on any wire.
const DES_PCBC: i32 = -0x1003;
const DES3_CBC_SHA1: i32 = 16;

fn keytab(file: &[u8]) -> Result<Vec<MasterKey>, MasterKeyFileError> {
    let keytab = Keytab::parse(file).map_err(MasterKeyFileError::Keytab)?;
    let keys = keytab.entries.iter().map(|entry| {
        let key = master_key(entry.kvno, entry.key.etype_number(), entry.key.octets());
        key.ok_or(MasterKeyFileError::Unknown)
    });
    keys.collect()
}

fn master_key(version: u32, etype: i32, octets: &[u8]) -> Option<MasterKey> {
    let key = AnyKey::new(etype, octets)?;
    Some(MasterKey { version, key })
}

impl fmt::Display for MasterKeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keytab(why) => write!(f, "{why}"),
            Self::Unknown => f.write_str(
                "it is no master key of Heimdal's: that is the file that `mkey_file` names, usually /var/heimdal/m-key or \
                 /var/lib/heimdal-kdc/m-key",
            ),
            Self::Empty => f.write_str("there is no key in it"),
        }
    }
}

impl core::error::Error for MasterKeyFileError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tessera_common::hexadecimal;
    use tessera_common::tlv::{INTEGER, OCTET_STRING, SEQUENCE, context, value};

    use super::*;
    use crate::store::test_realm::Counter;

    // Made by Heimdal 7.8: `kstash --enctype=aes256-cts-hmac-sha1-96`, `kadmin -l init`, and a key of that realm's krbtgt as
    // `dump` and as `dump --decrypt` wrote it.
    const M_KEY: &str = "05020000004a0002000b4f4c442e4558414d504c4500014b00014d000000016b0c54c50100120020c56da98218d1091a81ca44d1c4cc4bfd8fbe6521bbdf1c2084b7196e40f61da40000000100000000";
    const SEALED: &str = "28BAEF5E50C221170833D6B4CCCE63B631E3E428EBE1C3FE46C77E1303C1E8201A91E4CC2E9CF7E09B28DA0C0FD0B8E2C12A3E34CF469A75509B9FBC";
    const OPENED: &str = "FEBAD478C2BAC050A94AF9CD605CC68DBE740CCC5FD4C4FD5937940ADD9C8ADA";

    fn octets(digits: &str) -> Vec<u8> {
        hexadecimal::read(digits).unwrap().to_vec()
    }

    fn sealed(mkvno: Option<u32>, octets: Vec<u8>) -> DumpedKey {
        DumpedKey {
            mkvno,
            etype: 18,
            octets: Zeroizing::new(octets),
            salt: None,
        }
    }

    fn open(keys: &MasterKeys, key: &DumpedKey) -> Result<Vec<u8>, Unopened> {
        keys.open(key).map(|octets| octets.to_vec())
    }

    #[test]
    fn what_heimdal_sealed_opens_under_its_master_key() {
        let keys = MasterKeys::parse(&octets(M_KEY)).unwrap();
        assert_eq!(open(&keys, &sealed(Some(1), octets(SEALED))), Ok(octets(OPENED)));
        assert!(!format!("{keys:?}").contains("c56d"));
    }

    // The same with the master key that kstash makes unless told otherwise, of des3-cbc-sha1.
    #[test]
    fn what_heimdal_sealed_opens_under_a_master_key_of_its_default_enctype() {
        let file = "0502000000420002000b4f4c442e4558414d504c4500014b00014d000000016b0c5e2f010010001807e510b0a4d5762f4cc8e94fc76e29e90e98ad3dadd619760000000100000000";
        let sealed_digits = "4D07DB1C6298A896A1FD0335684C6872359B36F04F3CCA5DE6DF4F6F24CFE5BA952E503158E9B26812444CB8994C30825E5D3B5415E70B7624A7F5D3";
        let opened = "7F151E64B1E2C6E0AB110D13830F840DC2E0B9D44F9A82F7D70B8BDC2599ECF6";
        let keys = MasterKeys::parse(&octets(file)).unwrap();
        assert_eq!(open(&keys, &sealed(Some(1), octets(sealed_digits))), Ok(octets(opened)));
        assert_eq!(open(&keys, &sealed(Some(1), octets(SEALED))), Err(Unopened::Wrong(1)));
        assert!(!format!("{keys:?}").contains("229"));
    }

    #[test]
    fn what_is_not_sealed_is_taken_as_it_is() {
        let keys = MasterKeys::parse(&octets(M_KEY)).unwrap();
        assert_eq!(open(&keys, &sealed(None, b"key".to_vec())), Ok(b"key".to_vec()));
    }

    #[test]
    fn a_key_of_another_version_or_another_master_key_does_not_open() {
        let keys = MasterKeys::parse(&octets(M_KEY)).unwrap();
        assert_eq!(
            open(&keys, &sealed(Some(2), octets(SEALED))),
            Err(Unopened::NoVersion(2))
        );
        let mut other = octets(M_KEY);
        other[60] ^= 1;
        let keys = MasterKeys::parse(&other).unwrap();
        assert_eq!(open(&keys, &sealed(Some(1), octets(SEALED))), Err(Unopened::Wrong(1)));
        assert_eq!(open(&keys, &sealed(Some(1), Vec::new())), Err(Unopened::Wrong(1)));
    }

    fn key(octet: u8) -> Key {
        Key::new(EncType::Aes128CtsHmacSha1_96, &[octet; 16]).unwrap()
    }

    fn der(etype: u8, octets: &[u8]) -> Vec<u8> {
        let etype = value(context(0), &value(INTEGER, &[etype]));
        let octets = value(context(1), &value(OCTET_STRING, octets));
        value(SEQUENCE, &[etype, octets].concat())
    }

    fn stash(etype: [u8; 2], length: [u8; 4], octets: &[u8]) -> Vec<u8> {
        [&etype[..], &length, octets].concat()
    }

    #[test]
    fn every_form_of_the_file_is_read() {
        let sealed_by = |usage| key(7).encrypt(usage, b"a key", &mut Counter::default());
        for (file, versions) in [
            // The key without a version opens what any version sealed.
            (der(17, &[7; 16]), &[0, 1, 9][..]),
            (stash([17, 0], [16, 0, 0, 0], &[7; 16]), &[1]),
            (stash([0, 17], [0, 0, 0, 16], &[7; 16]), &[1]),
        ] {
            let keys = MasterKeys::parse(&file).unwrap();
            for version in 0..10 {
                for usage in [USAGE, MIT_USAGE] {
                    let opened = open(&keys, &sealed(Some(version), sealed_by(usage)));
                    let expected = if versions.contains(&version) || versions[0] == 0 {
                        Ok(b"a key".to_vec())
                    } else {
                        Err(Unopened::NoVersion(version))
                    };
                    assert_eq!(opened, expected, "version {version} of {file:x?}");
                }
            }
        }
    }

    #[test]
    fn a_master_key_of_an_enctype_that_is_not_used_is_known_by_its_number() {
        for (file, version, etype) in [
            (vec![1; 8], 0, DES_PCBC),
            (der(3, &[1; 8]), 4, 3),
            (stash([1, 0], [8, 0, 0, 0], &[1; 8]), 1, 1),
            (stash([0, 23], [0, 0, 0, 16], &[1; 16]), 1, 23),
        ] {
            let keys = MasterKeys::parse(&file).unwrap();
            let opened = open(&keys, &sealed(Some(version), vec![0; 60]));
            assert_eq!(opened, Err(Unopened::Enctype { version, etype }));
        }
    }

    #[test]
    fn anything_else_is_no_master_key() {
        let unknown = Some(MasterKeyFileError::Unknown);
        for file in [
            &b""[..],
            b"0",
            b"not a master key at all",
            &der(17, &[7; 15]),
            &stash([17, 0], [17, 0, 0, 0], &[7; 16]),
            &stash([17, 0], [15, 0, 0, 0], &[7; 15]),
        ] {
            assert_eq!(MasterKeys::parse(file).err(), unknown, "{file:x?}");
        }
        assert_eq!(MasterKeys::parse(&[5, 2]).err(), Some(MasterKeyFileError::Empty));
        assert_eq!(
            MasterKeys::parse(&[5, 1, 0]).err(),
            Some(MasterKeyFileError::Keytab(KeytabError::NativeByteOrder))
        );
        assert!(MasterKeys::parse(&octets(M_KEY)[..40]).is_err());
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(file in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = MasterKeys::parse(&file);
        }
    }
}
