//! What the KDC remembers of requests: the answer to each, for who asks again, and the proofs that were used.
//!
//! Both are kept by octets, never by names and times: clients with coarse clocks collide in those. Memory is bounded, and
//! what is remembered is lost with the process (kill -9 included): a proof made less than a clock skew before a crash can
//! be used once more after it.

use core::hash::{BuildHasher, BuildHasherDefault, Hasher};
use core::ops::Deref;
use core::time::Duration;
use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use siphasher::sip128::{Hasher128 as _, SipHasher13};
use tessera_common::ap::{ReplayCache as _, ReplayError, ReplayTag};
use tessera_common::time::KerberosTime;

use crate::metrics::Replays;

// An answer is kept for two to three minutes, as long as a client goes on asking.
const ANSWER_SECONDS: i64 = 60;
// And at most this many octets of answers in all, spread over the shards. Past it, the oldest go first.
const ANSWER_OCTETS: usize = 10 * 1024 * 1024;
// At most this many proofs (16 octets each, about twice that in the set). Past it, the oldest go first: the cache then
// reaches back less far than the clock skew, and no login is refused for want of memory.
const PROOFS: usize = 4 * 1024 * 1024;
const GENERATIONS: usize = 3;
const SHARDS: usize = 16;

// A new generation has room at once for as many as the last one held, up to this many in each shard: making room while a
// request waits costs more than all else here.
const MOST_FORESEEN: usize = 64 * 1024;

/// What a request or a proof is known by. Nobody outside can choose its upper half: it depends on what was drawn when the
/// process began.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Tag(u128);

impl Tag {
    fn shard(self) -> usize {
        // Not the bits that the tables go by first.
        (self.0 >> 72) as usize % SHARDS
    }
}

/// A tag's upper half, as it is: it is random already.
#[derive(Default)]
struct TagHasher(u64);

impl Hasher for TagHasher {
    fn write_u128(&mut self, tag: u128) {
        // A product's best bits are its uppermost, and a table takes the lowest first.
        self.0 = ((tag >> 64) as u64).swap_bytes();
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type ByTag = BuildHasherDefault<TagHasher>;

/// Shared by every worker.
pub(super) struct ReplayCache {
    shards: [Mutex<Shard>; SHARDS],
    request_key: [u8; 16],
    // Odd: so no two proofs get one tag.
    proof_factor: u128,
    proof_seconds: AtomicI64,
}

#[derive(Default)]
struct Shard {
    answers: Generations<Answers>,
    proofs: Generations<HashSet<Tag, ByTag>>,
    /// How often a generation went before its time.
    answers_forgotten: u64,
    proofs_forgotten: u64,
}

#[derive(Default)]
struct Answers {
    by_request: HashMap<Tag, Answer, ByTag>,
    octets: usize,
}

trait Generation: Default {
    /// An empty one that is likely to hold as much as this.
    fn next(&self) -> Self;
}

impl Generation for HashSet<Tag, ByTag> {
    fn next(&self) -> Self {
        Self::with_capacity_and_hasher(self.len().min(MOST_FORESEEN), ByTag::default())
    }
}

impl Generation for Answers {
    fn next(&self) -> Self {
        Self {
            by_request: HashMap::with_capacity_and_hasher(self.by_request.len().min(MOST_FORESEEN), ByTag::default()),
            octets: 0,
        }
    }
}

enum Answer {
    InProgress,
    Given(Arc<[u8]>),
}

/// The newest generation first; each lasts a number of seconds, and the oldest is forgotten as a whole.
#[derive(Default)]
struct Generations<T> {
    newest: T,
    older: [T; GENERATIONS - 1],
    newest_until: i64,
}

impl<T: Generation> Generations<T> {
    fn turn(&mut self, now: KerberosTime, seconds: i64) {
        let began = self.newest_until.saturating_sub(seconds);
        // A clock set back by more than a generation begins a new one, too: or nothing would be forgotten until it is back.
        if (began.saturating_sub(seconds)..self.newest_until).contains(&now.0) {
            return;
        }
        let missed = now.0.saturating_sub(self.newest_until) / seconds.max(1) + 1;
        for _ in 0..usize::try_from(missed).unwrap_or(1).clamp(1, GENERATIONS) {
            self.push();
        }
        self.newest_until = now.0.saturating_add(seconds);
    }

    fn push(&mut self) {
        let next = self.newest.next();
        let mut pushed = core::mem::replace(&mut self.newest, next);
        for older in &mut self.older {
            core::mem::swap(older, &mut pushed);
        }
    }

    fn all(&self) -> impl Iterator<Item = &T> {
        core::iter::once(&self.newest).chain(&self.older)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut T> {
        core::iter::once(&mut self.newest).chain(&mut self.older)
    }
}

/// What is known of a request.
pub(super) enum Recalled<C: Deref<Target = ReplayCache>> {
    /// Nothing; whoever got this answers it.
    New(Claim<C>),
    /// Somebody is about to answer it.
    InProgress,
    /// It was answered.
    Answered(Arc<[u8]>),
}

/// The right and the duty to answer a request. Dropped without an answer, it leaves nothing behind.
pub(super) struct Claim<C: Deref<Target = ReplayCache>> {
    cache: C,
    tag: Tag,
    answered: bool,
}

impl ReplayCache {
    pub(super) fn new(clock_skew: Duration) -> Self {
        let drawn = || u128::from(RandomState::new().hash_one(0)) << 64 | u128::from(RandomState::new().hash_one(0));
        let cache = Self {
            shards: Default::default(),
            request_key: drawn().to_le_bytes(),
            proof_factor: drawn() | 1,
            proof_seconds: AtomicI64::new(1),
        };
        cache.allow_skew(clock_skew);
        cache
    }

    /// Remembers proofs for as long as this skew makes them good, if that is longer than so far. It does not become shorter:
    /// what was good under the former skew may be on its way.
    pub(super) fn allow_skew(&self, clock_skew: Duration) {
        // A proof is good from -skew to +skew around its own time. Three generations of the skew, two of them whole, reach
        // back over both.
        let seconds = i64::try_from(clock_skew.as_secs())
            .unwrap_or(i64::MAX)
            .min(i64::MAX / 4);
        self.proof_seconds.fetch_max(seconds, Ordering::Relaxed);
    }

    /// Looks a request up by its octets, and takes it if it is new. The claim keeps `cache`: a reference where the request
    /// is answered at once, an [`Arc`] where it goes to another thread.
    pub(super) fn recall<C: Deref<Target = Self>>(cache: C, octets: &[u8], now: KerberosTime) -> Recalled<C> {
        let tag = cache.tag(octets);
        let mut shard = cache.shard(tag);
        shard.make_room(now);
        let found = shard
            .answers
            .older
            .iter()
            .find_map(|generation| generation.by_request.get(&tag));
        match found {
            Some(Answer::Given(answer)) => return Recalled::Answered(Arc::clone(answer)),
            Some(Answer::InProgress) => return Recalled::InProgress,
            None => {}
        }
        match shard.answers.newest.by_request.entry(tag) {
            Entry::Occupied(found) => match found.get() {
                Answer::Given(answer) => Recalled::Answered(Arc::clone(answer)),
                Answer::InProgress => Recalled::InProgress,
            },
            Entry::Vacant(free) => {
                free.insert(Answer::InProgress);
                drop(shard);
                Recalled::New(Claim {
                    cache,
                    tag,
                    answered: false,
                })
            }
        }
    }

    /// Uses up a proof, known by its ciphertext. `false`: it was used before.
    pub(super) fn use_proof(&self, ciphertext: &[u8], now: KerberosTime) -> bool {
        self.claim(ReplayTag::of(ciphertext), now).is_ok()
    }

    /// How much is remembered, and what went before its time.
    pub(super) fn load(&self) -> Replays {
        let mut load = Replays::default();
        load.proofs.limit = PROOFS as u64;
        load.answer_octets.limit = ANSWER_OCTETS as u64;
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            load.proofs.now += shard.proofs.all().map(HashSet::len).sum::<usize>() as u64;
            load.answer_octets.now += shard.answers.all().map(|answers| answers.octets).sum::<usize>() as u64;
            load.proofs_forgotten += shard.proofs_forgotten;
            load.answers_forgotten += shard.answers_forgotten;
        }
        load
    }

    // Keyed, or a stranger could make a request that is taken for another's.
    fn tag(&self, octets: &[u8]) -> Tag {
        let mut hasher = SipHasher13::new_with_key(&self.request_key);
        hasher.write(octets);
        Tag(hasher.finish128().as_u128())
    }

    // Multiply-shift, a universal family of hashes: whoever can make proofs cannot make them crowd in one place of a table.
    const fn proof_tag(&self, ReplayTag(proof): ReplayTag) -> Tag {
        Tag(u128::from_le_bytes(proof).wrapping_mul(self.proof_factor))
    }

    fn shard(&self, tag: Tag) -> MutexGuard<'_, Shard> {
        let [fallback, ..] = &self.shards;
        let shard = self.shards.get(tag.shard()).unwrap_or(fallback);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A full cache forgets its oldest tags, unlike a service's: a KDC that stops is worse than one whose memory of proofs
/// reaches back less far for a while.
impl tessera_common::ap::ReplayCache for ReplayCache {
    fn claim(&self, proof: ReplayTag, now: KerberosTime) -> Result<(), ReplayError> {
        let tag = self.proof_tag(proof);
        let mut shard = self.shard(tag);
        let Shard {
            proofs,
            proofs_forgotten,
            ..
        } = &mut *shard;
        proofs.turn(now, self.proof_seconds.load(Ordering::Relaxed));
        if proofs.all().any(|generation| generation.contains(&tag)) {
            return Err(ReplayError::Seen);
        }
        if proofs.all().map(HashSet::len).sum::<usize>() >= PROOFS / SHARDS {
            proofs.push();
            *proofs_forgotten += 1;
        }
        proofs.newest.insert(tag);
        Ok(())
    }
}

impl Shard {
    fn make_room(&mut self, now: KerberosTime) {
        self.answers.turn(now, ANSWER_SECONDS);
        if self.answers.all().map(|generation| generation.octets).sum::<usize>() > ANSWER_OCTETS / SHARDS {
            self.answers.push();
            self.answers_forgotten += 1;
        }
    }

    fn forget(&mut self, tag: Tag) {
        for generation in self.answers.all_mut() {
            generation.by_request.remove(&tag);
        }
    }
}

impl<C: Deref<Target = ReplayCache>> Claim<C> {
    /// Keeps the answer for who asks again.
    pub(super) fn answered(mut self, answer: &Arc<[u8]>, now: KerberosTime) {
        // What an entry costs beside its answer: tag, pointer, the map's slack.
        const OVERHEAD: usize = 64;
        let mut shard = self.cache.shard(self.tag);
        shard.make_room(now);
        if !shard.answers.newest.by_request.contains_key(&self.tag) {
            shard.forget(self.tag);
        }
        let newest = &mut shard.answers.newest;
        newest.by_request.insert(self.tag, Answer::Given(Arc::clone(answer)));
        newest.octets += answer.len() + OVERHEAD;
        drop(shard);
        self.answered = true;
    }

    /// The same right, for as long as it takes and on whatever thread.
    pub(super) fn lasting(mut self, cache: &Arc<ReplayCache>) -> Claim<Arc<ReplayCache>> {
        // This one has nothing more to take back.
        self.answered = true;
        Claim {
            cache: Arc::clone(cache),
            tag: self.tag,
            answered: false,
        }
    }

    /// Keeps the answer, if there is one, and hands it back.
    pub(super) fn maybe_answered(self, answer: Option<Arc<[u8]>>, now: KerberosTime) -> Option<Arc<[u8]>> {
        if let Some(answer) = &answer {
            self.answered(answer, now);
        }
        answer
    }
}

impl<C: Deref<Target = ReplayCache>> Drop for Claim<C> {
    fn drop(&mut self) {
        if !self.answered {
            self.cache.shard(self.tag).forget(self.tag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> Arc<ReplayCache> {
        Arc::new(ReplayCache::new(Duration::from_secs(300)))
    }

    fn answer(cache: &Arc<ReplayCache>, octets: &[u8], now: i64) {
        match ReplayCache::recall(&**cache, octets, KerberosTime(now)) {
            Recalled::New(claim) => claim.answered(&Arc::from(&b"reply"[..]), KerberosTime(now)),
            _ => panic!("not new"),
        }
    }

    fn is_new(cache: &Arc<ReplayCache>, octets: &[u8], now: i64) -> bool {
        matches!(
            ReplayCache::recall(&**cache, octets, KerberosTime(now)),
            Recalled::New(_)
        )
    }

    #[test]
    fn the_same_octets_get_the_same_answer_for_two_minutes_and_not_for_four() {
        let cache = cache();
        answer(&cache, b"request", 1000);
        for later in [1000, 1059, 1061, 1119] {
            let Recalled::Answered(again) = ReplayCache::recall(&*cache, b"request", KerberosTime(later)) else {
                panic!("{later}")
            };
            assert_eq!(&*again, b"reply");
        }
        assert!(is_new(&cache, b"other", 1119));
        assert!(is_new(&cache, b"request", 1240));
    }

    #[test]
    fn a_duplicate_of_a_request_in_progress_is_told_apart() {
        let cache = cache();
        let claim = ReplayCache::recall(&*cache, b"request", KerberosTime(0));
        assert!(matches!(claim, Recalled::New(_)));
        assert!(matches!(
            ReplayCache::recall(&*cache, b"request", KerberosTime(0)),
            Recalled::InProgress
        ));
        drop(claim);
        assert!(is_new(&cache, b"request", 0));
    }

    #[test]
    fn a_proof_is_used_once_within_twice_the_skew() {
        let cache = cache();
        assert!(cache.use_proof(b"0123456789abcdef", KerberosTime(1000)));
        for later in [1000, 1299, 1301, 1600] {
            assert!(!cache.use_proof(b"0123456789abcdef", KerberosTime(later)), "{later}");
        }
        assert!(cache.use_proof(b"short", KerberosTime(1600)));
        assert!(cache.use_proof(b"0123456789abcdef", KerberosTime(2600)));
    }

    #[test]
    fn a_skew_that_grows_lengthens_the_memory() {
        let cache = cache();
        assert!(cache.use_proof(b"0123456789abcdef", KerberosTime(1000)));
        cache.allow_skew(Duration::from_secs(3600));
        cache.allow_skew(Duration::from_secs(60));
        assert!(cache.use_proof(b"fedcba9876543210", KerberosTime(1300)));
        for later in [1300, 1600, 2600, 1000 + 3600, 1300 + 2 * 3600] {
            assert!(!cache.use_proof(b"fedcba9876543210", KerberosTime(later)), "{later}");
        }
    }

    #[test]
    fn answers_are_bounded_in_octets() {
        let cache = cache();
        let big: Arc<[u8]> = vec![0; 64 * 1024].into();
        for n in 0..2000u32 {
            if let Recalled::New(claim) = ReplayCache::recall(&*cache, &n.to_be_bytes(), KerberosTime(5)) {
                claim.answered(&big, KerberosTime(5));
            }
        }
        let held: usize = cache
            .shards
            .iter()
            .map(|s| {
                s.lock()
                    .unwrap()
                    .answers
                    .all()
                    .map(|generation| generation.by_request.len())
                    .sum::<usize>()
            })
            .sum();
        assert!(held * big.len() <= 2 * ANSWER_OCTETS, "{held}");
        let load = cache.load();
        assert!(load.answers_forgotten > 0 && load.proofs_forgotten == 0);
        assert!(load.answer_octets.now >= (held * big.len()) as u64);
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_stop_the_cache() {
        let cache = cache();
        answer(&cache, b"request", 1_000_000);
        answer(&cache, b"request 2", 1000);
        assert!(matches!(
            ReplayCache::recall(&*cache, b"request 2", KerberosTime(1000)),
            Recalled::Answered(_)
        ));
    }
}
