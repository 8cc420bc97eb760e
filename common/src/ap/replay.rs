//! Replay caches: what was accepted once is not accepted again.

use core::fmt;
use core::time::Duration;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::time::KerberosTime;

/// What a replay cache knows a message by: the last 16 octets of its ciphertext, which hold the MAC.
///
/// Not the client and its time, as RFC 4120 §3.2.3 has it: clients with coarse clocks make two different authenticators in
/// the same microsecond. No altered message passes the MAC, so whoever repeats a message repeats these octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplayTag(pub [u8; 16]);

impl ReplayTag {
    /// The tag of a ciphertext or of a checksum; shorter ones are filled with zeros in front.
    #[must_use]
    pub fn of(octets: &[u8]) -> Self {
        let mut tag = [0; 16];
        for (to, from) in tag.iter_mut().rev().zip(octets.iter().rev()) {
            *to = *from;
        }
        Self(tag)
    }
}

impl fmt::Debug for ReplayTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Why a tag cannot be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// It was claimed before.
    Seen,
    /// There is no room, and so no telling whether it would be a replay.
    Full,
    /// The cache cannot be read or written, or has lost what it knew, and so there is no telling either. A cache that
    /// is kept outside of the process says more in a way of its own.
    Unavailable,
}

/// Remembers what was accepted, for as long as its time could pass for current.
///
/// One cache serves all threads of a service, and had better serve all its processes: a message that is new to one process
/// is a replay to another.
pub trait ReplayCache {
    /// Claims `tag` at the time `now`: of any number of calls with the same tag, at the same time or within the window, one
    /// alone succeeds.
    ///
    /// # Errors
    /// [`ReplayError`].
    fn claim(&self, tag: ReplayTag, now: KerberosTime) -> Result<(), ReplayError>;
}

/// A replay cache in the memory of one process. It forgets at a restart: a service that must not be open to replays for the
/// skew after one waits that long, or keeps its own.
///
/// It holds at most a fixed number of tags, about 40 octets each. When it is full, new messages are refused with
/// [`ReplayError::Full`] until old ones expire: the other choice, to forget early, would let whoever has one valid ticket
/// flood the cache and then replay somebody else's message. Only messages that passed every other check are entered, so
/// nobody without a ticket can fill it.
#[derive(Debug)]
pub struct MemoryReplayCache {
    window: Duration,
    capacity: usize,
    generations: Mutex<Generations>,
}

// Tags live in two sets. When the newer one has been filled for a window's length, it becomes the older one, and the older
// one is dropped: each tag lives for one to two windows, and nothing needs a time of its own.
#[derive(Debug, Default)]
struct Generations {
    begun: Option<KerberosTime>,
    newer: HashSet<ReplayTag>,
    older: HashSet<ReplayTag>,
}

impl MemoryReplayCache {
    /// Tags that a cache of [`MemoryReplayCache::new`] holds: 500,000, up to 20 MB.
    pub const CAPACITY: usize = 500_000;

    /// A cache for messages whose time may be `skew` off in either direction, with [`MemoryReplayCache::CAPACITY`].
    #[must_use]
    pub fn new(skew: Duration) -> Self {
        Self::with_capacity(skew, Self::CAPACITY)
    }

    /// A cache of at most `capacity` tags.
    #[must_use]
    pub fn with_capacity(skew: Duration, capacity: usize) -> Self {
        // A message from `skew` in the future stays current for twice the skew.
        Self {
            window: skew.saturating_mul(2),
            capacity,
            generations: Mutex::default(),
        }
    }
}

impl ReplayCache for MemoryReplayCache {
    fn claim(&self, tag: ReplayTag, now: KerberosTime) -> Result<(), ReplayError> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.advance(now, self.window);
        if generations.newer.contains(&tag) || generations.older.contains(&tag) {
            return Err(ReplayError::Seen);
        }
        if generations.newer.len() + generations.older.len() >= self.capacity {
            return Err(ReplayError::Full);
        }
        generations.newer.insert(tag);
        Ok(())
    }
}

impl Generations {
    fn advance(&mut self, now: KerberosTime, window: Duration) {
        let begun = *self.begun.get_or_insert(now);
        if now < begun.plus(window).plus(Duration::from_secs(1)) {
            return;
        }
        self.older = core::mem::take(&mut self.newer);
        if now > begun.plus(window).plus(window).plus(Duration::from_secs(1)) {
            self.older = HashSet::new();
        }
        self.begun = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKEW: Duration = Duration::from_secs(300);

    fn tag(n: u8) -> ReplayTag {
        ReplayTag::of(&[n; 20])
    }

    #[test]
    fn a_tag_is_claimed_once_for_twice_the_skew_whenever_it_came() {
        for begin in [0, 1, 299, 599, 600, 601, 5000] {
            let cache = MemoryReplayCache::new(SKEW);
            cache.claim(tag(0), KerberosTime(0)).unwrap();
            cache.claim(tag(1), KerberosTime(begin)).unwrap();
            for later in [0, 1, 300, 599, 600] {
                assert_eq!(
                    cache.claim(tag(1), KerberosTime(begin + later)),
                    Err(ReplayError::Seen),
                    "{begin} {later}"
                );
            }
            assert_eq!(cache.claim(tag(1), KerberosTime(begin + 1803)), Ok(()), "{begin}");
        }
    }

    #[test]
    fn traffic_in_between_does_not_make_it_forget() {
        let cache = MemoryReplayCache::new(SKEW);
        let of = |second: i64| ReplayTag::of(&second.to_be_bytes());
        for second in 0..2000 {
            cache.claim(of(second), KerberosTime(second)).unwrap();
            let old = second - 600;
            if old >= 0 {
                assert_eq!(
                    cache.claim(of(old), KerberosTime(second)),
                    Err(ReplayError::Seen),
                    "{second}"
                );
            }
        }
    }

    #[test]
    fn a_full_cache_refuses_what_is_new_and_still_knows_what_is_old() {
        let cache = MemoryReplayCache::with_capacity(SKEW, 3);
        for n in 0..3 {
            cache.claim(tag(n), KerberosTime(10)).unwrap();
        }
        assert_eq!(cache.claim(tag(3), KerberosTime(10)), Err(ReplayError::Full));
        assert_eq!(cache.claim(tag(0), KerberosTime(10)), Err(ReplayError::Seen));
        assert_eq!(cache.claim(tag(3), KerberosTime(10_000)), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_forgets_nothing() {
        let cache = MemoryReplayCache::new(SKEW);
        cache.claim(tag(1), KerberosTime(1000)).unwrap();
        assert_eq!(cache.claim(tag(1), KerberosTime(500)), Err(ReplayError::Seen));
    }

    #[test]
    fn of_many_at_once_one_wins() {
        let cache = MemoryReplayCache::new(SKEW);
        let won = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..100)
                            .filter(|n| cache.claim(tag(*n), KerberosTime(0)).is_ok())
                            .count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(won, 100);
    }

    #[test]
    fn the_tag_is_the_end_of_the_ciphertext() {
        let octets: Vec<u8> = (0..40).collect();
        assert_eq!(ReplayTag::of(&octets).0[..], octets[24..]);
        assert_eq!(ReplayTag::of(&[7]).0[15], 7);
    }
}
