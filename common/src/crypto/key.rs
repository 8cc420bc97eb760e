//! A key, with what has been derived from it.

use core::fmt;
use std::sync::{Arc, OnceLock};

use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::aes_cts::BLOCK;
use super::sealing::{self, Checksum, Open, PseudoRandom, Seal, UsageCache};
use super::{CryptoError, EncType, KeyUsage, constant_time_eq};
use crate::Random;

/// A key and its enctype. Wiped when dropped, never printed, compared in constant time.
///
/// A clone is another handle to the same key. The keys that each [`KeyUsage`] derives from it are kept with it when it does
/// something the second time, so a key that is held on to does not derive again, and one that is used once costs no memory
/// for what it will not need. A key takes some 150 octets, and 350 to 600 for each usage and direction that is kept, and
/// for its pseudo-random function.
#[derive(Clone)]
pub struct Key(Arc<Inner>);

struct Inner {
    etype: EncType,
    octets: Octets,
    sealers: UsageCache<dyn Seal>,
    openers: UsageCache<dyn Open>,
    checksummers: UsageCache<dyn Checksum>,
    prf: OnceLock<Box<dyn PseudoRandom>>,
}

#[derive(ZeroizeOnDrop)]
enum Octets {
    Aes128([u8; 16]),
    Aes256([u8; 32]),
}

impl Key {
    /// A key from its octets.
    ///
    /// # Errors
    /// [`CryptoError::KeyLength`].
    pub fn new(etype: EncType, octets: &[u8]) -> Result<Self, CryptoError> {
        if octets.len() == etype.key_len() {
            Ok(Self::of_right_length(etype, octets))
        } else {
            Err(CryptoError::KeyLength)
        }
    }

    /// A key from octets that are known to be as many as its enctype needs.
    pub(super) fn of_right_length(etype: EncType, octets: &[u8]) -> Self {
        let mut key = match etype.key_len() {
            16 => Octets::Aes128([0; 16]),
            _ => Octets::Aes256([0; 32]),
        };
        key.as_mut_slice()
            .iter_mut()
            .zip(octets)
            .for_each(|(to, from)| *to = *from);
        Self(Arc::new(Inner {
            etype,
            octets: key,
            sealers: UsageCache::default(),
            openers: UsageCache::default(),
            checksummers: UsageCache::default(),
            prf: OnceLock::new(),
        }))
    }

    /// A fresh key (RFC 3961 random-to-key of as many random octets as the key has).
    pub fn random(etype: EncType, random: &mut dyn Random) -> Self {
        let mut octets = Zeroizing::new([0; 32]);
        let octets = octets.get_mut(..etype.key_len()).unwrap_or_default();
        random.fill(octets);
        Self::of_right_length(etype, octets)
    }

    /// The enctype.
    #[must_use]
    pub fn etype(&self) -> EncType {
        self.0.etype
    }

    /// The octets: for a keytab, a ticket, or sealing at rest. Not for printing.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.0.octets.as_slice()
    }

    /// Encrypts with a fresh confounder: confounder, ciphertext and MAC.
    pub fn encrypt(&self, usage: KeyUsage, plaintext: &[u8], random: &mut dyn Random) -> Vec<u8> {
        let mut confounder = [0; BLOCK];
        random.fill(&mut confounder);
        self.encrypt_with_confounder(usage, confounder, plaintext)
    }

    fn encrypt_with_confounder(&self, usage: KeyUsage, confounder: [u8; BLOCK], plaintext: &[u8]) -> Vec<u8> {
        let (etype, octets) = self.parts();
        match self.0.sealers.kept(usage, || sealing::sealer(etype, octets, usage)) {
            Some(keys) => keys.seal(confounder, plaintext),
            None => sealing::seal_once((etype, octets), usage, confounder, plaintext),
        }
    }

    /// Checks the MAC and decrypts.
    ///
    /// # Errors
    /// [`CryptoError::Truncated`] or [`CryptoError::Integrity`].
    pub fn decrypt(&self, usage: KeyUsage, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (etype, octets) = self.parts();
        match self.0.openers.kept(usage, || sealing::opener(etype, octets, usage)) {
            Some(keys) => keys.open(ciphertext),
            None => sealing::open_once((etype, octets), usage, ciphertext),
        }
    }

    /// The keyed checksum of this key's enctype over `data`; its type is [`EncType::checksum_type`].
    #[must_use]
    pub fn checksum(&self, usage: KeyUsage, data: &[u8]) -> Vec<u8> {
        let (etype, octets) = self.parts();
        let derive = || sealing::checksummer(etype, octets, usage);
        match self.0.checksummers.kept(usage, derive) {
            Some(keys) => keys.checksum(data),
            None => sealing::checksum_once((etype, octets), usage, data),
        }
    }

    /// Checks a keyed checksum in constant time.
    ///
    /// # Errors
    /// [`CryptoError::UnsupportedChecksum`] unless `cksumtype` is this key's own; [`CryptoError::Integrity`].
    pub fn verify_checksum(
        &self,
        usage: KeyUsage,
        cksumtype: i32,
        data: &[u8],
        checksum: &[u8],
    ) -> Result<(), CryptoError> {
        if cksumtype != self.etype().checksum_type() {
            return Err(CryptoError::UnsupportedChecksum(cksumtype));
        }
        if constant_time_eq(&self.checksum(usage, data), checksum) {
            Ok(())
        } else {
            Err(CryptoError::Integrity)
        }
    }

    /// The pseudo-random function of RFC 3961 for this enctype: 16 octets with SHA-1, 32 with SHA-256, 48 with SHA-384.
    #[must_use]
    pub fn prf(&self, input: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(vec![0; self.etype().prf_len()]);
        self.pseudo_random().fill(&[input], &mut out);
        out
    }

    pub(super) fn pseudo_random(&self) -> &dyn PseudoRandom {
        let (etype, octets) = self.parts();
        &**self.0.prf.get_or_init(|| sealing::pseudo_random(etype, octets))
    }

    fn parts(&self) -> (EncType, &[u8]) {
        (self.etype(), self.octets())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, [redacted])", self.etype())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.etype() == other.etype() && constant_time_eq(self.octets(), other.octets())
    }
}

impl Eq for Key {}

impl Octets {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Aes128(octets) => octets,
            Self::Aes256(octets) => octets,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        match self {
            Self::Aes128(octets) => octets,
            Self::Aes256(octets) => octets,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USAGE: KeyUsage = KeyUsage::TICKET;

    /// Octets that differ from one call to the next.
    struct Counter(u8);

    impl Random for Counter {
        fn fill(&mut self, out: &mut [u8]) {
            for octet in out {
                self.0 = self.0.wrapping_add(1);
                *octet = self.0;
            }
        }
    }

    fn keys() -> [Key; 4] {
        EncType::ALL.map(|etype| Key::random(etype, &mut Counter(0)))
    }

    fn mac_len(etype: EncType) -> usize {
        match etype {
            EncType::Aes128CtsHmacSha1_96 | EncType::Aes256CtsHmacSha1_96 => 12,
            EncType::Aes128CtsHmacSha256_128 => 16,
            EncType::Aes256CtsHmacSha384_192 => 24,
        }
    }

    proptest! {
        #[test]
        fn what_is_encrypted_decrypts(plaintext in prop::collection::vec(any::<u8>(), 0..300), usage: u32) {
            for key in keys() {
                let ciphertext = key.encrypt(KeyUsage(usage), &plaintext, &mut Counter(3));
                prop_assert_eq!(ciphertext.len(), 16 + plaintext.len() + mac_len(key.etype()));
                let decrypted = key.decrypt(KeyUsage(usage), &ciphertext).unwrap();
                prop_assert_eq!(&*decrypted, &plaintext);
            }
        }

        #[test]
        fn arbitrary_octets_do_not_decrypt(ciphertext in prop::collection::vec(any::<u8>(), 0..100)) {
            for key in keys() {
                prop_assert!(key.decrypt(USAGE, &ciphertext).is_err());
            }
        }
    }

    #[test]
    fn every_length_up_to_300_decrypts() {
        for key in keys() {
            for len in 0..=300 {
                let plaintext = vec![5; len];
                let ciphertext = key.encrypt(USAGE, &plaintext, &mut Counter(3));
                assert_eq!(*key.decrypt(USAGE, &ciphertext).unwrap(), plaintext, "{key:?} {len}");
            }
        }
    }

    #[test]
    fn every_message_has_its_own_confounder() {
        let mut random = Counter(0);
        for key in keys() {
            assert_ne!(
                key.encrypt(USAGE, b"same", &mut random),
                key.encrypt(USAGE, b"same", &mut random),
                "{key:?}"
            );
        }
    }

    #[test]
    fn each_single_flipped_bit_is_refused() {
        for key in keys() {
            for len in [0, 1, 16, 21, 48] {
                let mut ciphertext = key.encrypt(USAGE, &vec![5; len], &mut Counter(3));
                for bit in 0..ciphertext.len() * 8 {
                    ciphertext[bit / 8] ^= 1 << (bit % 8);
                    assert_eq!(
                        key.decrypt(USAGE, &ciphertext),
                        Err(CryptoError::Integrity),
                        "{key:?} {len} {bit}"
                    );
                    ciphertext[bit / 8] ^= 1 << (bit % 8);
                }
                assert!(key.decrypt(USAGE, &ciphertext).is_ok());
            }
        }
    }

    #[test]
    fn each_truncation_is_refused() {
        for key in keys() {
            let ciphertext = key.encrypt(USAGE, &[5; 40], &mut Counter(3));
            let shortest = 16 + mac_len(key.etype());
            for len in 0..ciphertext.len() {
                let error = if len < shortest {
                    CryptoError::Truncated
                } else {
                    CryptoError::Integrity
                };
                assert_eq!(key.decrypt(USAGE, &ciphertext[..len]), Err(error), "{key:?} {len}");
                assert!(
                    key.decrypt(USAGE, &ciphertext[ciphertext.len() - len..]).is_err(),
                    "{key:?} {len}"
                );
            }
        }
    }

    #[test]
    fn a_message_with_octets_added_is_refused() {
        for key in keys() {
            let ciphertext = key.encrypt(USAGE, b"text", &mut Counter(3));
            assert!(
                key.decrypt(USAGE, &[&ciphertext, [0].as_slice()].concat()).is_err(),
                "{key:?}"
            );
            assert!(
                key.decrypt(USAGE, &[[0].as_slice(), &ciphertext].concat()).is_err(),
                "{key:?}"
            );
        }
    }

    #[test]
    fn another_usage_or_key_is_refused() {
        for key in keys() {
            let ciphertext = key.encrypt(USAGE, b"text", &mut Counter(3));
            let checksum = key.checksum(USAGE, b"text");
            let other = Key::random(key.etype(), &mut Counter(1));
            for usage in (0..100).map(KeyUsage).filter(|usage| *usage != USAGE) {
                assert_eq!(
                    key.decrypt(usage, &ciphertext),
                    Err(CryptoError::Integrity),
                    "{key:?} {usage:?}"
                );
                let verified = key.verify_checksum(usage, key.etype().checksum_type(), b"text", &checksum);
                assert_eq!(verified, Err(CryptoError::Integrity), "{key:?} {usage:?}");
            }
            assert_eq!(
                other.decrypt(USAGE, &ciphertext),
                Err(CryptoError::Integrity),
                "{key:?}"
            );
            let verified = other.verify_checksum(USAGE, key.etype().checksum_type(), b"text", &checksum);
            assert_eq!(verified, Err(CryptoError::Integrity), "{key:?}");
        }
    }

    #[test]
    fn a_checksum_is_verified_whole() {
        for key in keys() {
            let own = key.etype().checksum_type();
            let mut checksum = key.checksum(USAGE, b"data");
            assert_eq!(checksum.len(), mac_len(key.etype()), "{key:?}");
            assert_eq!(key.verify_checksum(USAGE, own, b"data", &checksum), Ok(()), "{key:?}");
            assert_eq!(
                key.verify_checksum(USAGE, own, b"date", &checksum),
                Err(CryptoError::Integrity),
                "{key:?}"
            );
            for len in 0..checksum.len() {
                let verified = key.verify_checksum(USAGE, own, b"data", &checksum[..len]);
                assert_eq!(verified, Err(CryptoError::Integrity), "{key:?} {len}");
            }
            for bit in 0..checksum.len() * 8 {
                checksum[bit / 8] ^= 1 << (bit % 8);
                let verified = key.verify_checksum(USAGE, own, b"data", &checksum);
                assert_eq!(verified, Err(CryptoError::Integrity), "{key:?} {bit}");
                checksum[bit / 8] ^= 1 << (bit % 8);
            }
            checksum.push(0);
            assert_eq!(
                key.verify_checksum(USAGE, own, b"data", &checksum),
                Err(CryptoError::Integrity),
                "{key:?}"
            );
        }
    }

    #[test]
    fn only_the_checksum_type_of_the_enctype_is_taken() {
        for key in keys() {
            let checksum = key.checksum(USAGE, b"data");
            for cksumtype in (-200..200).filter(|other| *other != key.etype().checksum_type()) {
                let verified = key.verify_checksum(USAGE, cksumtype, b"data", &checksum);
                assert_eq!(verified, Err(CryptoError::UnsupportedChecksum(cksumtype)), "{key:?}");
            }
        }
    }

    #[test]
    fn a_held_key_does_the_same_as_a_new_one() {
        for held in keys() {
            for usage in (0..20).chain(0..20).map(KeyUsage) {
                let new = Key::new(held.etype(), held.octets()).unwrap();
                let ciphertext = held.encrypt(usage, b"text", &mut Counter(3));
                assert_eq!(
                    ciphertext,
                    new.encrypt(usage, b"text", &mut Counter(3)),
                    "{held:?} {usage:?}"
                );
                assert_eq!(
                    held.decrypt(usage, &ciphertext),
                    new.decrypt(usage, &ciphertext),
                    "{held:?} {usage:?}"
                );
                assert_eq!(
                    held.checksum(usage, b"text"),
                    new.checksum(usage, b"text"),
                    "{held:?} {usage:?}"
                );
            }
        }
    }

    #[test]
    fn keys_of_a_wrong_length_are_refused() {
        for etype in EncType::ALL {
            for len in 0..=64 {
                let made = Key::new(etype, &vec![1; len]).map(|key| key.octets().to_vec());
                let expected = if len == etype.key_len() {
                    Ok(vec![1; len])
                } else {
                    Err(CryptoError::KeyLength)
                };
                assert_eq!(made, expected, "{etype} {len}");
            }
        }
    }

    #[test]
    fn keys_are_equal_by_enctype_and_octets() {
        let key = |etype, octet| Key::new(etype, &[octet; 32]).unwrap();
        let made = key(EncType::Aes256CtsHmacSha1_96, 1);
        assert_eq!(made, key(EncType::Aes256CtsHmacSha1_96, 1));
        assert_ne!(made, key(EncType::Aes256CtsHmacSha1_96, 2));
        assert_ne!(made, key(EncType::Aes256CtsHmacSha384_192, 1));
    }

    #[test]
    fn a_key_prints_nothing_of_itself() {
        let key = Key::new(EncType::Aes128CtsHmacSha1_96, &[0xab; 16]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(aes128-cts-hmac-sha1-96, [redacted])");
    }

    #[test]
    fn octets_are_wiped() {
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<Octets>();
    }
}
