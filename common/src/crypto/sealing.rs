//! What an enctype does once the keys of one usage are derived, and where such keys are kept.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// The pseudo-random function of one key (RFC 3961 §3).
pub(super) trait PseudoRandom: Send + Sync {
    /// Fills `out`, which is not longer than what the function gives, with its value for the input: all parts, end to end.
    fn fill(&self, input: &[&[u8]], out: &mut [u8]);
}

/// What an enctype has under this name, made of these, for `$work`.
macro_rules! of_enctype {
    ($etype:expr, $kind:ident($($from:expr),+), |$made:ident| $work:expr) => {
        match $etype {
            EncType::Aes128CtsHmacSha1_96 => {
                let $made = aes_sha1::$kind::<Aes128>::new($($from),+);
                $work
            }
            EncType::Aes256CtsHmacSha1_96 => {
                let $made = aes_sha1::$kind::<Aes256>::new($($from),+);
                $work
            }
            EncType::Aes128CtsHmacSha256_128 => {
                let $made = aes_sha2::$kind::<Aes128Sha256>::new($($from),+);
                $work
            }
            EncType::Aes256CtsHmacSha384_192 => {
                let $made = aes_sha2::$kind::<Aes256Sha384>::new($($from),+);
                $work
            }
        }
    };
}

pub(super) fn sealer(etype: EncType, key: &[u8], usage: KeyUsage) -> Box<dyn Seal> {
    of_enctype!(etype, Sealer(key, usage), |sealer| Box::new(sealer))
}

pub(super) fn seal_once(
    (etype, key): (EncType, &[u8]),
    usage: KeyUsage,
    confounder: [u8; BLOCK],
    plaintext: &[u8],
) -> Vec<u8> {
    of_enctype!(etype, Sealer(key, usage), |sealer| sealer.seal(confounder, plaintext))
}

pub(super) fn opener(etype: EncType, key: &[u8], usage: KeyUsage) -> Box<dyn Open> {
    of_enctype!(etype, Opener(key, usage), |opener| Box::new(opener))
}

pub(super) fn open_once(
    (etype, key): (EncType, &[u8]),
    usage: KeyUsage,
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    of_enctype!(etype, Opener(key, usage), |opener| opener.open(ciphertext))
}

pub(super) fn checksummer(etype: EncType, key: &[u8], usage: KeyUsage) -> Box<dyn Checksum> {
    of_enctype!(etype, Checksummer(key, usage), |summer| Box::new(summer))
}

pub(super) fn checksum_once((etype, key): (EncType, &[u8]), usage: KeyUsage, data: &[u8]) -> Vec<u8> {
    of_enctype!(etype, Checksummer(key, usage), |summer| summer.checksum(data))
}

pub(super) fn pseudo_random(etype: EncType, key: &[u8]) -> Box<dyn PseudoRandom> {
    of_enctype!(etype, Prf(key), |prf| Box::new(prf))
}

/// How many usages of a key are kept ready. A long-term key has one to three; a session key of a long-lived connection a
/// few more.
const CAPACITY: usize = 8;

/// The derived keys of one key, by usage. Nothing is kept when something is asked for the first time: most keys, such as
/// those of sessions, do one thing once. A list and not a table: a key takes memory for the usages that it has, and any
/// usage may be kept.
pub(super) struct UsageCache<T: ?Sized> {
    asked: AtomicBool,
    kept: List<T>,
}

struct List<T: ?Sized>(OnceLock<Box<Slot<T>>>);

struct Slot<T: ?Sized> {
    usage: KeyUsage,
    derived: Box<T>,
    next: List<T>,
}

impl<T: ?Sized> UsageCache<T> {
    /// What is kept for `usage`, derived if it has to be. `None` the first time that something is asked for, and when there
    /// is no more room: then it is to be derived for this once.
    pub(super) fn kept(&self, usage: KeyUsage, derive: impl Fn() -> Box<T>) -> Option<&T> {
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
            return None;
        }
        let mut list = &self.kept;
        for _ in 0..CAPACITY {
            let slot = list.0.get_or_init(|| {
                Box::new(Slot {
                    usage,
                    derived: derive(),
                    next: List::default(),
                })
            });
            if slot.usage == usage {
                return Some(&slot.derived);
            }
            list = &slot.next;
        }
        None
    }
}

impl<T: ?Sized> Default for UsageCache<T> {
    fn default() -> Self {
        Self {
            asked: AtomicBool::new(false),
            kept: List::default(),
        }
    }
}

impl<T: ?Sized> Default for List<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_is_asked_for_once_is_not_kept() {
        let cache = UsageCache::<u32>::default();
        assert_eq!(cache.kept(KeyUsage(1), || unreachable!()), None);
        assert_eq!(cache.kept(KeyUsage(1), || Box::new(10)), Some(&10));
    }

    #[test]
    fn a_usage_is_derived_once() {
        let derivations = Cell::new(0);
        let cache = UsageCache::<u32>::default();
        assert_eq!(cache.kept(KeyUsage(1), || unreachable!()), None);
        for usage in [1, 2, 3, 2, 1, 3] {
            let derive = || {
                derivations.set(derivations.get() + 1);
                Box::new(usage * 10)
            };
            assert_eq!(cache.kept(KeyUsage(usage), derive), Some(&(usage * 10)));
        }
        assert_eq!(derivations.get(), 3);
    }

    #[test]
    fn usages_beyond_the_capacity_are_not_kept() {
        let cache = UsageCache::<u32>::default();
        let capacity = u32::try_from(CAPACITY).unwrap();
        assert_eq!(cache.kept(KeyUsage(1), || unreachable!()), None);
        for usage in 0..capacity + 2 {
            let kept = cache.kept(KeyUsage(usage), || Box::new(usage));
            assert_eq!(kept, (usage < capacity).then_some(&usage));
        }
    }

    #[test]
    fn threads_that_ask_at_once_get_their_own_usage() {
        let cache = UsageCache::<u32>::default();
        std::thread::scope(|scope| {
            for offset in 0..4 {
                let cache = &cache;
                scope.spawn(move || {
                    for usage in (0..6).map(|n| (n + offset) % 6) {
                        let kept = cache.kept(KeyUsage(usage), || Box::new(usage));
                        assert!(kept.is_none_or(|kept| *kept == usage));
                    }
                });
            }
        });
    }
}
