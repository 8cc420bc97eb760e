//! A consistent picture of the realm's principals, and the rules by which a change makes the next one.

use std::cmp::Ordering;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use quick_cache::sync::Cache;
use tessera_common::Random;
use tessera_common::crypto::Key;
use tessera_common::name::Name;
use tessera_common::role::RoleName;

use super::found::Found;
use super::packed::Packed;
use super::table::Table;
use super::tally::Tally;
use super::{Change, Keyring, StoreError, Subject, access_encoding, encoding};
use crate::realm::access_record::{AccessKey, AccessRecord, AccessRecords};
use crate::realm::policy::PolicyName;
use crate::realm::principal::{KeyPlace, PrincipalId, PrincipalRecord, Purpose, SealedKey, StoredKey};

/// How many records are kept taken apart, with those of their keys that were opened, for the principals that are busy just
/// now. At 2 KB each, 64 MB.
const HOT_RECORDS: usize = 32_768;

/// One consistent picture of the realm's principals. It never changes; a commit makes another one, which shares with it
/// all that the commit did not touch.
///
/// A handle of it, which a request has for itself, keeps what was looked up through it as long as it lives.
pub struct View {
    state: Arc<State>,
    found: Found,
}

#[derive(Clone)]
struct State {
    by_id: Table,
    by_name: Table,
    names: RandomState,
    keyring: Arc<Keyring>,
    hot: Arc<Cache<(PrincipalId, u64), Arc<PrincipalRecord>>>,
    len: usize,
    sequence: u64,
    chain: u32,
    digest: u64,
    tally: Tally,
    access: Arc<AccessRecords>,
}

/// Principals by id and by name, how many, the digest over all, and what is kept account of.
#[derive(Default)]
pub(super) struct Content {
    pub(super) by_id: Table,
    pub(super) by_name: Table,
    pub(super) len: usize,
    pub(super) digest: u64,
    pub(super) tally: Tally,
}

impl View {
    /// A realm without principals.
    pub(super) fn empty(keyring: Arc<Keyring>) -> Self {
        Self::of(keyring, RandomState::new(), Content::default())
    }

    /// A realm of the principals in these tables; `names` is what hashes names.
    pub(super) fn of(keyring: Arc<Keyring>, names: RandomState, content: Content) -> Self {
        let Content {
            by_id,
            by_name,
            len,
            digest,
            tally,
        } = content;
        let state = State {
            by_id,
            by_name,
            names,
            keyring,
            hot: Arc::new(Cache::new(HOT_RECORDS)),
            len,
            sequence: 0,
            chain: 0,
            digest,
            tally,
            access: Arc::default(),
        };
        Self {
            state: Arc::new(state),
            found: Found::default(),
        }
    }

    /// The principal that has this name or alias.
    #[must_use]
    pub fn find(&self, name: &Name) -> Option<&Arc<PrincipalRecord>> {
        if let Some(record) = self.found.at_hand(name) {
            return Some(record);
        }
        let packed = self.state.find(&encoding::name_octets(name))?;
        self.found.keep_at_hand(name, self.state.unpacked(packed)?)
    }

    /// The principal with this id.
    #[must_use]
    pub fn get(&self, id: PrincipalId) -> Option<&Arc<PrincipalRecord>> {
        self.found.keep(self.state.unpacked(self.state.get(id)?)?)
    }

    /// How many principals there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.state.len == 0
    }

    /// The sequence number of the last change that is in here; 0 before the first.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.state.sequence
    }

    /// Every principal, in no order. Each is taken apart when its turn comes.
    pub fn iter(&self) -> impl Iterator<Item = PrincipalRecord> {
        self.packed().filter_map(Packed::unpack)
    }

    /// Every principal that has a key that is good until some time, in no order. The others, nearly all, are not taken apart.
    pub fn retiring(&self) -> impl Iterator<Item = PrincipalRecord> {
        self.packed()
            .filter(|packed| packed.has_retiring_key())
            .filter_map(Packed::unpack)
    }

    /// Every principal, by name. Each is taken apart when its turn comes.
    #[must_use]
    pub fn sorted(&self) -> impl ExactSizeIterator<Item = PrincipalRecord> + use<> {
        Sorted(
            self.sorted_by(|a, b| encoding::compare_names(a.name(), b.name()))
                .into_iter(),
        )
    }

    /// One of a principal's keys, unsealed. It stays so as long as the record is at hand.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when it is not this principal's key of this enctype and kvno, or its master key is missing.
    pub fn key<'r>(&self, record: &PrincipalRecord, key: &'r StoredKey) -> Result<&'r Key, StoreError> {
        let opened = &key.sealed.opened;
        let place = KeyPlace {
            id: record.id,
            etype: key.etype,
            kvno: key.kvno,
        };
        if let Some(key) = opened.get(place) {
            return Ok(key);
        }
        self.open(Purpose::LongTermKey, record, key)
            .map(|key| opened.keep(place, key))
    }

    /// The key that one of a principal's former passwords was made into.
    ///
    /// # Errors
    /// As [`View::key`].
    pub fn former_password(&self, record: &PrincipalRecord, key: &StoredKey) -> Result<Key, StoreError> {
        self.open(Purpose::FormerPassword, record, key)
    }

    fn open(&self, purpose: Purpose, record: &PrincipalRecord, key: &StoredKey) -> Result<Key, StoreError> {
        self.keyring()
            .open(purpose, record.id, key)
            .map_err(|why| StoreError::Sealed {
                name: record.name.clone(),
                why: why.to_string(),
            })
    }

    /// Seals a key for its place in a record: principal, enctype and kvno.
    pub fn seal(&self, id: PrincipalId, kvno: u32, key: &Key, random: &mut dyn Random) -> SealedKey {
        self.keyring().seal(Purpose::LongTermKey, id, kvno, key, random)
    }

    /// Seals the key of a password that is one no more, for its place among the former ones.
    pub fn seal_former_password(&self, id: PrincipalId, kvno: u32, key: &Key, random: &mut dyn Random) -> SealedKey {
        self.keyring().seal(Purpose::FormerPassword, id, kvno, key, random)
    }

    /// The master keys that principals' keys are sealed under.
    #[must_use]
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.state.keyring
    }

    /// The roles and rules that are in the database.
    #[must_use]
    pub fn access(&self) -> &AccessRecords {
        &self.state.access
    }

    /// The roles that any principal has, declared or not, by name, and how many have each.
    pub fn holders(&self) -> impl Iterator<Item = (&RoleName, usize)> {
        self.state.tally.roles()
    }

    /// The policies that any principal goes by, declared or not, by name, and how many go by each.
    pub fn governed(&self) -> impl Iterator<Item = (&PolicyName, usize)> {
        self.state.tally.policies()
    }

    /// How many records are kept taken apart, how often a record that was looked up was among them, and how often not.
    #[must_use]
    pub fn record_cache(&self) -> (u64, u64, u64) {
        let hot = &self.state.hot;
        (hot.len() as u64, hot.hits(), hot.misses())
    }

    /// Every principal as it is kept, in no order.
    pub(super) fn packed(&self) -> impl Iterator<Item = &Packed> {
        self.state.by_id.iter()
    }

    /// Whatever has a revision here.
    pub(super) fn subjects(&self) -> Vec<Subject> {
        let principals = self.packed().map(|packed| Subject::Principal(packed.id()));
        let access = self.access().iter().map(|record| Subject::Access(record.key()));
        principals.chain(access).collect()
    }

    /// The principal with this id as it is kept.
    pub(super) fn get_packed(&self, id: PrincipalId) -> Option<&Packed> {
        self.state.get(id)
    }

    /// Every principal as it is kept, in this order.
    pub(super) fn sorted_by(&self, order: impl Fn(&Packed, &Packed) -> Ordering) -> Vec<Packed> {
        let mut all = Vec::with_capacity(self.len());
        all.extend(self.packed().cloned());
        all.sort_unstable_by(order);
        all
    }

    /// A number that says which principals, roles and rules are here in which revision: what two copies of a realm have in
    /// common when they are the same.
    pub(super) fn digest(&self) -> u64 {
        self.state.digest
    }

    /// The checksum of the journal's frame that holds the last change; 0 where there is no journal.
    pub(super) fn chain(&self) -> u32 {
        self.state.chain
    }

    /// The numbers of the master keys that any key in here is, or at some time was, sealed under.
    pub(super) fn masters(&self) -> impl Iterator<Item = u32> {
        self.state.tally.masters()
    }

    /// The same with other master keys.
    pub(super) fn with_keyring(mut self, keyring: Arc<Keyring>) -> Self {
        self.state().keyring = keyring;
        self
    }

    /// Says where in the journal's history this is.
    pub(super) fn set_position(&mut self, sequence: u64, chain: u32) {
        let state = self.state();
        state.sequence = sequence;
        state.chain = chain;
    }

    /// Applies a change as the next one in sequence, if it may be. What to give [`View::undo`] to take it back.
    pub(super) fn apply(&mut self, change: &Change) -> Result<Undo, StoreError> {
        let state = self.state();
        match change {
            Change::Put { expected, record } => {
                state.check_put(*expected, record)?;
                let new = Packed::new(record, state.sequence + 1);
                Ok(state.replace(record.id, Some(new)))
            }
            Change::Remove { id, expected } => {
                let old = state.get(*id).ok_or(StoreError::NotFound)?;
                check_revision(old, *expected)?;
                Ok(state.replace(*id, None))
            }
            Change::Declare { expected, record } => {
                let key = record.key();
                state.check_access(&key, *expected)?;
                let new = AccessRecord {
                    revision: state.sequence + 1,
                    ..AccessRecord::clone(record)
                };
                Ok(state.replace_access(key, Some(new.into())))
            }
            Change::Withdraw { key, expected } => {
                state.check_access(key, Some(*expected))?;
                state.check_unused(key)?;
                Ok(state.replace_access(key.clone(), None))
            }
        }
    }

    /// Puts a record in, whatever its revision; the sequence stays.
    pub(super) fn restore_record(&mut self, record: &PrincipalRecord) -> Result<(), StoreError> {
        let state = self.state();
        state.check_put(None, record)?;
        state.insert(Packed::new(record, record.revision));
        Ok(())
    }

    /// Puts a role or rule in, whatever its revision; the sequence stays.
    pub(super) fn restore_access(&mut self, record: AccessRecord) -> Result<(), StoreError> {
        let state = self.state();
        let key = record.key();
        state.check_access(&key, None)?;
        state.swap_access(&key, Some(record.into()));
        Ok(())
    }

    /// Takes back the last change that was applied.
    pub(super) fn undo(&mut self, undo: Undo) {
        let state = self.state();
        match undo {
            Undo::Principal { id, old } => drop(state.swap(id, old)),
            Undo::Access { key, old } => drop(state.swap_access(&key, old)),
        }
        state.sequence -= 1;
    }

    fn state(&mut self) -> &mut State {
        Arc::make_mut(&mut self.state)
    }

    /// A handle to the same picture that is meant for one request after the other: what they look up stays at hand.
    #[must_use]
    pub fn lasting(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            found: Found::lasting(),
        }
    }

    /// Between two requests, makes this a handle to `current`.
    pub(super) fn renew(&mut self, current: &Self) {
        if Arc::ptr_eq(&self.state, &current.state) {
            self.found.end_of_request();
        } else {
            self.state = Arc::clone(&current.state);
            self.found.forget();
        }
    }
}

impl State {
    fn find(&self, name: &[u8]) -> Option<&Packed> {
        self.find_hashed(self.names.hash_one(name), name)
    }

    fn find_hashed(&self, hash: u64, name: &[u8]) -> Option<&Packed> {
        self.by_name.find(hash, |packed| packed.names().any(|own| own == name))
    }

    fn unpacked(&self, packed: &Packed) -> Option<Arc<PrincipalRecord>> {
        let place = (packed.id(), packed.revision());
        if let Some(record) = self.hot.get(&place) {
            return Some(record);
        }
        let record = Arc::new(packed.unpack()?);
        self.hot.insert(place, Arc::clone(&record));
        Some(record)
    }

    fn get(&self, id: PrincipalId) -> Option<&Packed> {
        self.by_id.find(id_hash(id), |packed| packed.id() == id)
    }

    fn replace(&mut self, id: PrincipalId, new: Option<Packed>) -> Undo {
        self.sequence += 1;
        Undo::Principal {
            id,
            old: self.swap(id, new),
        }
    }

    fn replace_access(&mut self, key: AccessKey, new: Option<Arc<AccessRecord>>) -> Undo {
        self.sequence += 1;
        let old = self.swap_access(&key, new);
        Undo::Access { key, old }
    }

    fn swap_access(&mut self, key: &AccessKey, new: Option<Arc<AccessRecord>>) -> Option<Arc<AccessRecord>> {
        let records = Arc::make_mut(&mut self.access);
        if let Some(new) = &new {
            self.digest = self.digest.wrapping_add(access_fingerprint(key, new.revision));
        }
        let old = match new {
            Some(new) => records.insert(new),
            None => records.remove(key),
        };
        if let Some(old) = &old {
            self.digest = self.digest.wrapping_sub(access_fingerprint(key, old.revision));
        }
        old
    }

    fn check_access(&self, key: &AccessKey, expected: Option<u64>) -> Result<(), StoreError> {
        let found = self.access.get(key).map(|record| record.revision);
        if found == expected {
            return Ok(());
        }
        Err(StoreError::AccessConflict {
            key: key.clone(),
            expected: expected.unwrap_or(0),
            found: found.unwrap_or(0),
        })
    }

    /// That neither a rule nor a principal has this role; that no principal goes by this policy.
    fn check_unused(&self, key: &AccessKey) -> Result<(), StoreError> {
        let role = match key {
            AccessKey::Rule(_) => return Ok(()),
            AccessKey::Policy(policy) => {
                return match self.tally.under(policy) {
                    0 => Ok(()),
                    holders => Err(StoreError::PolicyInUse {
                        policy: policy.clone(),
                        holders,
                    }),
                };
            }
            AccessKey::Role(role) => role,
        };
        let rule = self.access.rules_with(role).next().map(|rule| rule.name().clone());
        let holders = self.tally.holders(role);
        if rule.is_none() && holders == 0 {
            return Ok(());
        }
        Err(StoreError::RoleInUse {
            role: role.clone(),
            rule,
            holders,
        })
    }

    fn swap(&mut self, id: PrincipalId, new: Option<Packed>) -> Option<Packed> {
        let old = self.get(id).cloned();
        if let Some(old) = &old {
            for name in old.names() {
                self.by_name.remove(self.names.hash_one(name), old);
            }
            self.by_id.remove(id_hash(id), old);
            old.marks().for_each(|mark| self.tally.remove(mark));
            self.len -= 1;
            self.digest = self.digest.wrapping_sub(fingerprint(id, old.revision()));
        }
        if let Some(new) = new {
            self.insert(new);
        }
        old
    }

    fn insert(&mut self, new: Packed) {
        new.marks().for_each(|mark| self.tally.add(mark));
        for name in new.names() {
            self.by_name.insert(self.names.hash_one(name), new.clone());
        }
        self.len += 1;
        self.digest = self.digest.wrapping_add(fingerprint(new.id(), new.revision()));
        self.by_id.insert(id_hash(new.id()), new);
    }

    fn check_put(&self, expected: Option<u64>, record: &PrincipalRecord) -> Result<(), StoreError> {
        match (self.get(record.id), expected) {
            (None, None) => {}
            (None, Some(_)) => return Err(StoreError::NotFound),
            (Some(old), expected) => check_revision(old, expected.unwrap_or(0))?,
        }
        for (at, name) in names(record).enumerate() {
            let holder = self.find(&encoding::name_octets(name));
            let holder = holder.filter(|holder| holder.id() != record.id);
            let holder = holder.map(|holder| encoding::name_of(holder.name()).unwrap_or_else(|_| name.clone()));
            let twice = || names(record).take(at).find(|n| *n == name).cloned();
            if let Some(holder) = holder.or_else(twice) {
                return Err(StoreError::NameTaken {
                    name: name.clone(),
                    holder,
                });
            }
        }
        Ok(())
    }
}

/// Another handle, through which nothing was looked up yet.
impl Clone for View {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            found: Found::default(),
        }
    }
}

struct Sorted(std::vec::IntoIter<Packed>);

impl Iterator for Sorted {
    type Item = PrincipalRecord;

    fn next(&mut self) -> Option<PrincipalRecord> {
        self.0.next()?.unpack()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Sorted {}

impl core::fmt::Debug for View {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "View({} principals at {})", self.len(), self.sequence())
    }
}

/// What a change replaced.
pub(super) enum Undo {
    Principal {
        id: PrincipalId,
        old: Option<Packed>,
    },
    Access {
        key: AccessKey,
        old: Option<Arc<AccessRecord>>,
    },
}

fn check_revision(found: &Packed, expected: u64) -> Result<(), StoreError> {
    if found.revision() == expected {
        return Ok(());
    }
    let name = encoding::name_of(found.name()).map_err(|_| StoreError::NotFound)?;
    Err(StoreError::Conflict {
        name,
        expected,
        found: found.revision(),
    })
}

fn names(record: &PrincipalRecord) -> impl Iterator<Item = &Name> {
    core::iter::once(&record.name).chain(&record.aliases)
}

/// Ids are random, so any of their octets will do.
pub(super) fn id_hash(id: PrincipalId) -> u64 {
    u64::from_le_bytes(*id.0.first_chunk().unwrap_or(&[0; 8]))
}

/// A well-mixed number for a principal in a revision. Their sum over all principals is a view's digest.
pub(super) fn fingerprint(id: PrincipalId, revision: u64) -> u64 {
    let high = u64::from_le_bytes(*id.0.last_chunk().unwrap_or(&[0; 8]));
    let mut x = id_hash(id) ^ high.rotate_left(32) ^ revision.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        x = (x ^ (x >> 30)).wrapping_mul(factor);
    }
    x ^ (x >> 31)
}

/// The same for a role or a rule.
pub(super) fn access_fingerprint(key: &AccessKey, revision: u64) -> u64 {
    let mut octets = Vec::new();
    access_encoding::put_key(&mut octets, key);
    octets
        .chunks(8)
        .fold(fingerprint(PrincipalId([0; 16]), revision), |sum, chunk| {
            let mut id = [0; 16];
            for (to, from) in id.iter_mut().zip(sum.to_le_bytes().iter().chain(chunk)) {
                *to = *from;
            }
            fingerprint(PrincipalId(id), revision)
        })
}

#[cfg(test)]
mod tests;
