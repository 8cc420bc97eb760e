//! What an enctype does once the keys of one usage are derived, and where such keys are kept.

use std::sync::OnceLock;

use zeroize::Zeroizing;

use super::aes_cts::{Aes128, Aes256, BLOCK};
use super::aes_sha2::{Aes128Sha256, Aes256Sha384};
use super::{CryptoError, EncType, KeyUsage, aes_sha1, aes_sha2};

/// Encrypts for one key and usage.
pub(super) trait Seal: Send + Sync {
    /// Confounder, plaintext and MAC, encrypted as the enctype says.
    fn seal(&self, confounder: [u8; BLOCK], plaintext: &[u8]) -> Vec<u8>;
}

/// Decrypts for one key and usage.
pub(super) trait Open: Send + Sync {
    /// The plaintext without its confounder, once the MAC is found right.
    fn open(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError>;
}

/// Computes the keyed checksum of one key and usage.
pub(super) trait Checksum: Send + Sync {
    /// The checksum over `data`.
    fn checksum(&self, data: &[u8]) -> Vec<u8>;
}

pub(super) fn sealer(etype: EncType, key: &[u8], usage: KeyUsage) -> Box<dyn Seal> {
    match etype {
        EncType::Aes128CtsHmacSha1_96 => Box::new(aes_sha1::Sealer::<Aes128>::new(key, usage)),
        EncType::Aes256CtsHmacSha1_96 => Box::new(aes_sha1::Sealer::<Aes256>::new(key, usage)),
        EncType::Aes128CtsHmacSha256_128 => Box::new(aes_sha2::Sealer::<Aes128Sha256>::new(key, usage)),
        EncType::Aes256CtsHmacSha384_192 => Box::new(aes_sha2::Sealer::<Aes256Sha384>::new(key, usage)),
    }
}

pub(super) fn opener(etype: EncType, key: &[u8], usage: KeyUsage) -> Box<dyn Open> {
    match etype {
        EncType::Aes128CtsHmacSha1_96 => Box::new(aes_sha1::Opener::<Aes128>::new(key, usage)),
        EncType::Aes256CtsHmacSha1_96 => Box::new(aes_sha1::Opener::<Aes256>::new(key, usage)),
        EncType::Aes128CtsHmacSha256_128 => Box::new(aes_sha2::Opener::<Aes128Sha256>::new(key, usage)),
        EncType::Aes256CtsHmacSha384_192 => Box::new(aes_sha2::Opener::<Aes256Sha384>::new(key, usage)),
    }
}

pub(super) fn checksummer(etype: EncType, key: &[u8], usage: KeyUsage) -> Box<dyn Checksum> {
    match etype {
        EncType::Aes128CtsHmacSha1_96 => Box::new(aes_sha1::Checksummer::new::<Aes128>(key, usage)),
        EncType::Aes256CtsHmacSha1_96 => Box::new(aes_sha1::Checksummer::new::<Aes256>(key, usage)),
        EncType::Aes128CtsHmacSha256_128 => Box::new(aes_sha2::Checksummer::<Aes128Sha256>::new(key, usage)),
        EncType::Aes256CtsHmacSha384_192 => Box::new(aes_sha2::Checksummer::<Aes256Sha384>::new(key, usage)),
    }
}

/// How many usages of a key are kept ready. A long-term key has one to three; a session key of a long-lived connection a
/// few more.
const CAPACITY: usize = 8;

/// The derived keys of one key, by usage, filled as they are asked for. A list and not a table: a key takes memory for
/// the usages that it has, and any usage may be kept.
pub(super) struct UsageCache<T: ?Sized>(OnceLock<Box<Slot<T>>>);

struct Slot<T: ?Sized> {
    usage: KeyUsage,
    derived: Box<T>,
    next: UsageCache<T>,
}

impl<T: ?Sized> UsageCache<T> {
    /// Gives `work` what is derived for `usage`, deriving it the first time.
    pub(super) fn with<R>(&self, usage: KeyUsage, derive: impl Fn() -> Box<T>, work: impl FnOnce(&T) -> R) -> R {
        let mut cache = self;
        for _ in 0..CAPACITY {
            let slot = cache.0.get_or_init(|| {
                Box::new(Slot {
                    usage,
                    derived: derive(),
                    next: Self::default(),
                })
            });
            if slot.usage == usage {
                return work(&slot.derived);
            }
            cache = &slot.next;
        }
        work(&derive())
    }
}

impl<T: ?Sized> Default for UsageCache<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_usage_is_derived_once() {
        let derivations = Cell::new(0);
        let cache = UsageCache::<u32>::default();
        for usage in [1, 2, 3, 2, 1, 3] {
            let derive = || {
                derivations.set(derivations.get() + 1);
                Box::new(usage * 10)
            };
            assert_eq!(cache.with(KeyUsage(usage), derive, |derived| *derived), usage * 10);
        }
        assert_eq!(derivations.get(), 3);
    }

    #[test]
    fn usages_beyond_the_capacity_are_served_but_not_kept() {
        let derivations = Cell::new(0);
        let cache = UsageCache::<u32>::default();
        let capacity = u32::try_from(CAPACITY).unwrap();
        for _ in 0..2 {
            for usage in 0..capacity + 2 {
                let derive = || {
                    derivations.set(derivations.get() + 1);
                    Box::new(usage)
                };
                assert_eq!(cache.with(KeyUsage(usage), derive, |derived| *derived), usage);
            }
        }
        assert_eq!(derivations.get(), capacity + 2 + 2);
    }

    #[test]
    fn threads_that_ask_at_once_get_their_own_usage() {
        let cache = UsageCache::<u32>::default();
        std::thread::scope(|scope| {
            for offset in 0..4 {
                let cache = &cache;
                scope.spawn(move || {
                    for usage in (0..6).map(|n| (n + offset) % 6) {
                        assert_eq!(
                            cache.with(KeyUsage(usage), || Box::new(usage), |derived| *derived),
                            usage
                        );
                    }
                });
            }
        });
    }
}
