//! The map behind a view: a clone costs one reference count, and a change to a clone copies only the path to what it
//! changes.

use std::sync::Arc;

use hashbrown::{HashTable, hash_table};

use super::packed::Packed;

/// Of a root, and of each of its branches. 128 × 128 leaves hold 61 entries each in a realm of a million.
const FANOUT: usize = 128;
/// The bits of a hash that choose the leaf. A leaf's own table uses the lowest and the topmost ones.
const LEAF_BITS: u32 = 32;

/// Principals by a hash: of the id, or of a name.
#[derive(Clone)]
pub(super) struct Table {
    root: Arc<Vec<Arc<Branch>>>,
}

type Branch = Vec<Arc<Leaf>>;
type Leaf = HashTable<Entry>;

#[derive(Clone)]
struct Entry {
    hash: u64,
    record: Packed,
}

impl Table {
    /// The record under `hash` that is the wanted one.
    pub(super) fn find(&self, hash: u64, wanted: impl Fn(&Packed) -> bool) -> Option<&Packed> {
        let (branch, leaf) = place(hash);
        self.root
            .get(branch)?
            .get(leaf)?
            .find(hash, |entry| entry.hash == hash && wanted(&entry.record))
            .map(|entry| &entry.record)
    }

    /// Adds a record; one that is there under the same hash stays.
    pub(super) fn insert(&mut self, hash: u64, record: Packed) {
        if let Some(leaf) = self.leaf_mut(hash) {
            leaf.insert_unique(hash, Entry { hash, record }, |entry| entry.hash);
        }
    }

    /// Takes out the record under `hash` that has this id.
    pub(super) fn remove(&mut self, hash: u64, record: &Packed) {
        if let Some(leaf) = self.leaf_mut(hash)
            && let Ok(entry) = leaf.find_entry(hash, |entry| entry.hash == hash && entry.record.id() == record.id())
        {
            entry.remove();
        }
    }

    /// Every record, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Packed> {
        self.root
            .iter()
            .flat_map(|branch| branch.iter())
            .flat_map(|leaf| leaf.iter())
            .map(|entry| &entry.record)
    }

    fn leaf_mut(&mut self, hash: u64) -> Option<&mut Leaf> {
        let (branch, leaf) = place(hash);
        let branch = Arc::make_mut(Arc::make_mut(&mut self.root).get_mut(branch)?);
        Some(Arc::make_mut(branch.get_mut(leaf)?))
    }
}

/// A table that is being filled with very many records, and shared with nobody yet.
pub(super) struct TableBuilder {
    leaves: Vec<Leaf>,
}

/// A record was there already.
pub(super) struct Taken;

impl TableBuilder {
    /// For about so many records. More is no harm.
    pub(super) fn new(records: usize) -> Self {
        // A little less than an even share: what is too large stays so.
        let share = records / (FANOUT * FANOUT) * 3 / 4;
        Self {
            leaves: (0..FANOUT * FANOUT).map(|_| Leaf::with_capacity(share)).collect(),
        }
    }

    /// Adds a record, if there is none under `hash` that is the `same`. Only then a record is looked into: it is another
    /// thread's, and far away.
    pub(super) fn insert(
        &mut self,
        hash: u64,
        record: Packed,
        same: impl Fn(&Packed, &Packed) -> bool,
    ) -> Result<(), Taken> {
        let (branch, leaf) = place(hash);
        let leaf = self.leaves.get_mut(branch * FANOUT + leaf).ok_or(Taken)?;
        let is_same = |entry: &Entry| entry.hash == hash && same(&entry.record, &record);
        match leaf.entry(hash, is_same, |entry| entry.hash) {
            hash_table::Entry::Occupied(_) => Err(Taken),
            hash_table::Entry::Vacant(place) => {
                place.insert(Entry { hash, record });
                Ok(())
            }
        }
    }

    /// The table.
    pub(super) fn finish(self) -> Table {
        let empty = Arc::new(Leaf::new());
        let mut leaves = self.leaves.into_iter().map(|leaf| match leaf.is_empty() {
            true => Arc::clone(&empty),
            false => Arc::new(leaf),
        });
        let branches = (0..FANOUT).map(|_| Arc::new(leaves.by_ref().take(FANOUT).collect()));
        Table {
            root: Arc::new(branches.collect()),
        }
    }
}

impl Default for Table {
    fn default() -> Self {
        let leaf = Arc::new(Leaf::new());
        let branch = Arc::new(vec![leaf; FANOUT]);
        Self {
            root: Arc::new(vec![branch; FANOUT]),
        }
    }
}

fn place(hash: u64) -> (usize, usize) {
    // Seven bits each, so both fit any usize.
    let bits = (hash >> LEAF_BITS) as usize;
    (bits % FANOUT, bits / FANOUT % FANOUT)
}
