//! Keys at rest: AES-256-GCM under a master key that lives outside the database.

use core::fmt;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use sha2::{Digest as _, Sha256};
use tessera_common::Random;
use tessera_common::crypto::{EncType, Key};
use zeroize::Zeroizing;

use crate::realm::principal::{PrincipalId, Purpose, SealedKey, StoredKey};

/// The octets of a master key.
pub const MASTER_KEY_OCTETS: usize = 32;

/// A key that seals other keys. Wiped when dropped, never printed.
pub struct MasterKey {
    id: u32,
    octets: Zeroizing<[u8; MASTER_KEY_OCTETS]>,
    cipher: Aes256Gcm,
}

/// What tells, without giving anything of it away, that a master key is the same as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyCheck {
    /// The master key's number.
    pub master: u32,
    /// The first half of SHA-256 over a label, the number and the key. The key is random, so this leads nowhere.
    pub value: [u8; 16],
}

impl MasterKey {
    /// A master key from its number, 1 or more, and its octets.
    #[must_use]
    pub fn new(id: u32, octets: Zeroizing<[u8; MASTER_KEY_OCTETS]>) -> Self {
        let cipher = Aes256Gcm::new(&(*octets).into());
        Self { id, octets, cipher }
    }

    /// A fresh one.
    pub fn random(id: u32, random: &mut dyn Random) -> Self {
        let mut octets = Zeroizing::new([0; MASTER_KEY_OCTETS]);
        random.fill(octets.as_mut());
        Self::new(id, octets)
    }

    /// Its number, which every key sealed under it names.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// For the key file.
    pub(super) fn octets(&self) -> &[u8; MASTER_KEY_OCTETS] {
        &self.octets
    }

    /// What the database keeps to know this key again.
    #[must_use]
    pub fn check(&self) -> KeyCheck {
        let mut hash = Sha256::new();
        hash.update(b"tessera master key check");
        hash.update(self.id.to_be_bytes());
        hash.update(*self.octets);
        let digest: [u8; 32] = hash.finalize().into();
        KeyCheck {
            master: self.id,
            value: *digest.first_chunk().unwrap_or(&[0; 16]),
        }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, [redacted])", self.id)
    }
}

/// Why a sealed key does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The master key is not in the keyring.
    #[error("it is sealed under master key {0}, which the master key file does not hold")]
    NoSuchMaster(u32),
    /// The tag does not fit: an altered key, or one that was sealed for another principal, enctype or version.
    #[error("it was altered, or sealed for another principal, enctype, key version or purpose")]
    Tag,
    /// It opens to what is no key of its enctype.
    #[error("it has the wrong length for its enctype")]
    Length,
}

/// The master keys that there are.
pub struct Keyring {
    /// In ascending order of their numbers.
    older: Vec<MasterKey>,
    /// The one with the greatest number.
    sealing: MasterKey,
}

impl Keyring {
    /// A keyring of one.
    #[must_use]
    pub fn new(master: MasterKey) -> Self {
        Self {
            older: Vec::new(),
            sealing: master,
        }
    }

    /// With one more master key, in place of one with the same number.
    #[must_use]
    pub fn with(mut self, mut master: MasterKey) -> Self {
        if master.id >= self.sealing.id {
            std::mem::swap(&mut master, &mut self.sealing);
        }
        self.older.retain(|other| other.id != master.id);
        if master.id != self.sealing.id {
            self.older.push(master);
        }
        self.older.sort_unstable_by_key(MasterKey::id);
        self
    }

    /// The master keys, in ascending order of their numbers.
    pub fn masters(&self) -> impl DoubleEndedIterator<Item = &MasterKey> {
        self.older.iter().chain([&self.sealing])
    }

    /// The master key with this number.
    #[must_use]
    pub fn master(&self, id: u32) -> Option<&MasterKey> {
        self.masters().rev().find(|master| master.id == id)
    }

    /// The master key that seals: the one with the greatest number.
    #[must_use]
    pub const fn sealing(&self) -> &MasterKey {
        &self.sealing
    }

    /// Seals `key` as key version `kvno` of principal `id`, for nothing but this purpose.
    pub fn seal(&self, purpose: Purpose, id: PrincipalId, kvno: u32, key: &Key, random: &mut dyn Random) -> SealedKey {
        let mut nonce = [0; 12];
        random.fill(&mut nonce);
        let associated = associated_data(id, key.etype(), kvno, purpose);
        let payload = Payload {
            msg: key.octets(),
            aad: &associated,
        };
        // A key is never longer than AES-GCM allows; nothing at all would not open.
        let ciphertext = self
            .sealing
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .unwrap_or_default();
        SealedKey::new(self.sealing.id, nonce, ciphertext)
    }

    /// Opens a key of principal `id` that was sealed for this purpose.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(&self, purpose: Purpose, id: PrincipalId, stored: &StoredKey) -> Result<Key, SealError> {
        let sealed = &stored.sealed;
        let master = self
            .master(sealed.master)
            .ok_or(SealError::NoSuchMaster(sealed.master))?;
        let associated = associated_data(id, stored.etype, stored.kvno, purpose);
        let payload = Payload {
            msg: &sealed.ciphertext,
            aad: &associated,
        };
        let octets = master
            .cipher
            .decrypt(&Nonce::from(sealed.nonce), payload)
            .map_err(|_| SealError::Tag)?;
        Key::new(stored.etype, &Zeroizing::new(octets)).map_err(|_| SealError::Length)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.masters()).finish()
    }
}

fn associated_data(id: PrincipalId, etype: EncType, kvno: u32, purpose: Purpose) -> [u8; 25] {
    let mut out = [0; 25];
    let parts =
        id.0.into_iter()
            .chain(etype.number().to_be_bytes())
            .chain(kvno.to_be_bytes())
            .chain([purpose as u8]);
    for (to, from) in out.iter_mut().zip(parts) {
        *to = from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::test_realm::{Counter, stored_key};

    fn keyring(first: u8) -> Keyring {
        Keyring::new(MasterKey::new(1, Zeroizing::new([first; MASTER_KEY_OCTETS])))
    }

    fn sealed(keyring: &Keyring) -> StoredKey {
        stored_key(keyring, PrincipalId([1; 16]), 3, &mut Counter::default())
    }

    #[test]
    fn a_key_opens_in_its_place() {
        let keyring = keyring(7);
        let stored = sealed(&keyring);
        let key = keyring
            .open(Purpose::LongTermKey, PrincipalId([1; 16]), &stored)
            .unwrap();
        assert_eq!(key.etype(), stored.etype);
        assert_eq!(
            keyring
                .open(Purpose::LongTermKey, PrincipalId([1; 16]), &stored)
                .unwrap(),
            key,
            "and again, out of the cache"
        );
    }

    #[test]
    fn a_key_opens_in_no_other_place() {
        let keyring = keyring(7);
        let id = PrincipalId([1; 16]);
        let stored = sealed(&keyring);
        keyring.open(Purpose::LongTermKey, id, &stored).unwrap();
        assert_eq!(
            keyring.open(Purpose::FormerPassword, id, &stored).unwrap_err(),
            SealError::Tag,
            "for another purpose"
        );
        let moved = [
            ("another principal", PrincipalId([2; 16]), stored.clone()),
            (
                "another kvno",
                id,
                StoredKey {
                    kvno: 4,
                    ..stored.clone()
                },
            ),
            (
                "another enctype",
                id,
                StoredKey {
                    etype: EncType::Aes256CtsHmacSha384_192,
                    ..stored.clone()
                },
            ),
        ];
        for (what, id, stored) in moved {
            assert_eq!(
                keyring.open(Purpose::LongTermKey, id, &stored).unwrap_err(),
                SealError::Tag,
                "{what}"
            );
        }
        for at in 0..stored.sealed.ciphertext.len() {
            let mut altered = stored.clone();
            altered.sealed.ciphertext[at] ^= 1;
            assert_eq!(
                keyring.open(Purpose::LongTermKey, id, &altered).unwrap_err(),
                SealError::Tag,
                "octet {at} altered"
            );
        }
    }

    #[test]
    fn another_master_key_opens_nothing() {
        let stored = sealed(&keyring(7));
        assert_eq!(
            keyring(8)
                .open(Purpose::LongTermKey, PrincipalId([1; 16]), &stored)
                .unwrap_err(),
            SealError::Tag
        );
        let renumbered = Keyring::new(MasterKey::new(2, Zeroizing::new([7; MASTER_KEY_OCTETS])));
        assert_eq!(
            renumbered
                .open(Purpose::LongTermKey, PrincipalId([1; 16]), &stored)
                .unwrap_err(),
            SealError::NoSuchMaster(1)
        );
    }

    #[test]
    fn a_keyring_holds_one_key_a_number_and_seals_with_the_greatest() {
        let with = |ids: &[u32]| {
            let key = |id| MasterKey::new(id, Zeroizing::new([7; MASTER_KEY_OCTETS]));
            ids.iter().fold(Keyring::new(key(2)), |ring, id| ring.with(key(*id)))
        };
        for (more, all) in [
            (&[][..], &[2][..]),
            (&[1, 3], &[1, 2, 3]),
            (&[3, 1, 3, 2, 1], &[1, 2, 3]),
            (&[2], &[2]),
        ] {
            assert_eq!(with(more).masters().map(MasterKey::id).collect::<Vec<_>>(), all);
            assert_eq!(Some(&with(more).sealing().id()), all.last());
        }
    }

    #[test]
    fn the_newest_master_key_seals_and_the_older_ones_still_open() {
        let old = sealed(&keyring(7));
        let both = keyring(7).with(MasterKey::new(2, Zeroizing::new([8; MASTER_KEY_OCTETS])));
        assert_eq!(sealed(&both).sealed.master, 2);
        both.open(Purpose::LongTermKey, PrincipalId([1; 16]), &old).unwrap();
    }

    #[test]
    fn no_two_keys_share_a_nonce() {
        let keyring = keyring(7);
        let mut random = Counter::default();
        let [a, b] = [(); 2].map(|()| stored_key(&keyring, PrincipalId([1; 16]), 1, &mut random).sealed.nonce);
        assert_ne!(a, b);
    }

    #[test]
    fn a_check_tells_master_keys_apart_by_number_and_by_octets() {
        let key = |id, octet| MasterKey::new(id, Zeroizing::new([octet; MASTER_KEY_OCTETS])).check();
        assert_eq!(key(1, 7), key(1, 7));
        assert_ne!(key(1, 7).value, key(1, 8).value);
        assert_ne!(key(1, 7).value, key(2, 7).value);
    }

    #[test]
    fn nothing_of_a_master_key_is_printed() {
        assert_eq!(format!("{:?}", keyring(7)), "[MasterKey(1, [redacted])]");
    }
}
