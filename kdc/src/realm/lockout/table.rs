//! Counts of failures, by what they are counted by: many small maps, each under a lock of its own, so that logins do not wait
//! for each other; and one without entries is not even locked.

use core::hash::Hash;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tessera_common::time::KerberosTime;

use crate::realm::policy::FailureLimit;
use crate::realm::principal::{PrincipalId, ShutOut};
use tessera_common::network::Network;

const SHARDS: usize = 64;

/// What was counted of one principal or network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// When the first of the failures was that count.
    pub first: KerberosTime,
    /// Until when these count.
    pub until: KerberosTime,
    /// How many.
    pub failures: u32,
    /// What came of them.
    pub shut_out: Option<ShutOut>,
    /// Whether that is written down elsewhere.
    pub kept: bool,
}

/// What came of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// It counts, and there may be more.
    Below,
    /// It was the last that counts.
    Tripped { shut_out: ShutOut, failures: u32 },
    /// The limit was reached before.
    ShutOut,
}

/// What failures are counted by.
pub(super) trait Key: Copy + Eq + Hash {
    /// Any number, the same for the same key, and not the same for all.
    fn spread(&self) -> usize;
}

impl Key for PrincipalId {
    fn spread(&self) -> usize {
        // Drawn at random.
        let Self([first, ..]) = self;
        usize::from(*first)
    }
}

impl Key for Network {
    fn spread(&self) -> usize {
        let octets = self.octets().into_iter().map(usize::from);
        octets.fold(0, |sum: usize, octet| sum.wrapping_mul(31).wrapping_add(octet))
    }
}

pub(super) struct Table<K> {
    shards: [Shard<K>; SHARDS],
    most_in_shard: usize,
}

struct Shard<K> {
    // As many as there are in the map; read without its lock.
    entries: AtomicUsize,
    counts: Mutex<HashMap<K, Count>>,
}

impl Count {
    /// Whether nothing comes of it any more.
    #[must_use]
    pub fn has_run_out(&self, now: KerberosTime) -> bool {
        match self.shut_out {
            Some(shut_out) => !shut_out.is_in_force(now),
            None => now >= self.until,
        }
    }
}

impl<K: Key> Table<K> {
    /// For at most so many, or a few more.
    pub(super) fn new(most: usize) -> Self {
        Self {
            shards: core::array::from_fn(|_| Shard {
                entries: AtomicUsize::new(0),
                counts: Mutex::default(),
            }),
            most_in_shard: most.div_ceil(SHARDS),
        }
    }

    pub(super) fn shut_out(&self, key: &K, now: KerberosTime) -> Option<ShutOut> {
        let counts = self.shard(key).lock_unless_empty()?;
        counts.get(key)?.shut_out.filter(|shut_out| shut_out.is_in_force(now))
    }

    pub(super) fn wrong(&self, key: K, limit: FailureLimit, now: KerberosTime) -> Counted {
        let shard = self.shard(&key);
        let mut counts = shard.lock();
        self.make_room(&mut counts, &key, now);
        let fresh = Count {
            first: now,
            until: now.plus(limit.window),
            failures: 0,
            shut_out: None,
            kept: false,
        };
        let count = counts.entry(key).or_insert(fresh);
        if count.has_run_out(now) {
            *count = fresh;
        }
        let counted = if count.shut_out.is_some() {
            Counted::ShutOut
        } else {
            count.failures = count.failures.saturating_add(1);
            if count.failures < u32::from(limit.failures) {
                Counted::Below
            } else {
                let shut_out = ShutOut {
                    since: now,
                    until: limit.lockout.map(|lockout| now.plus(lockout)),
                };
                count.shut_out = Some(shut_out);
                let failures = count.failures;
                Counted::Tripped { shut_out, failures }
            }
        };
        shard.entries.store(counts.len(), Ordering::Release);
        counted
    }

    /// Ends a count; whether there was one. Where the limit was reached, it stays.
    pub(super) fn right(&self, key: &K, now: KerberosTime) -> Result<bool, ShutOut> {
        let shard = self.shard(key);
        let Some(mut counts) = shard.lock_unless_empty() else {
            return Ok(false);
        };
        let Some(count) = counts.get(key) else {
            return Ok(false);
        };
        if let Some(shut_out) = count.shut_out.filter(|shut_out| shut_out.is_in_force(now)) {
            return Err(shut_out);
        }
        counts.remove(key);
        shard.entries.store(counts.len(), Ordering::Release);
        Ok(true)
    }

    pub(super) fn remove(&self, key: &K) -> bool {
        let shard = self.shard(key);
        let mut counts = shard.lock();
        let removed = counts.remove(key).is_some();
        shard.entries.store(counts.len(), Ordering::Release);
        removed
    }

    pub(super) fn kept(&self, key: &K) {
        if let Some(count) = self.shard(key).lock().get_mut(key) {
            count.kept = count.shut_out.is_some();
        }
    }

    pub(super) fn put(&self, key: K, count: Count, now: KerberosTime) {
        let shard = self.shard(&key);
        let mut counts = shard.lock();
        self.make_room(&mut counts, &key, now);
        counts.insert(key, count);
        shard.entries.store(counts.len(), Ordering::Release);
    }

    /// How many are shut out.
    pub(super) fn in_force(&self, now: KerberosTime) -> u64 {
        let shut_out = |count: &&Count| count.shut_out.is_some_and(|shut_out| shut_out.is_in_force(now));
        let counts = self.shards.iter().filter_map(Shard::lock_unless_empty);
        counts
            .map(|counts| counts.values().filter(shut_out).count() as u64)
            .sum()
    }

    pub(super) fn all(&self) -> Vec<(K, Count)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            if let Some(counts) = shard.lock_unless_empty() {
                all.extend(counts.iter().map(|(key, count)| (*key, *count)));
            }
        }
        all
    }

    // A full shard loses those that have run out; or else one: whose record says the same, or that failed longest ago.
    fn make_room(&self, counts: &mut HashMap<K, Count>, key: &K, now: KerberosTime) {
        if counts.len() < self.most_in_shard || counts.contains_key(key) {
            return;
        }
        counts.retain(|_, count| !count.has_run_out(now));
        if counts.len() < self.most_in_shard {
            return;
        }
        let oldest = counts.iter().min_by_key(|(_, count)| (!count.kept, count.first));
        if let Some(oldest) = oldest.map(|(key, _)| *key) {
            counts.remove(&oldest);
        }
    }

    fn shard(&self, key: &K) -> &Shard<K> {
        let [fallback, ..] = &self.shards;
        self.shards.get(key.spread() % SHARDS).unwrap_or(fallback)
    }
}

impl<K> Shard<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Where it is empty, whoever is about to put something in comes after.
    fn lock_unless_empty(&self) -> Option<MutexGuard<'_, HashMap<K, Count>>> {
        (self.entries.load(Ordering::Acquire) > 0).then(|| self.lock())
    }
}
