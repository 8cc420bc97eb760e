//! The map behind a view: a clone costs one reference count, and a change to a clone copies only the path to what it
//! changes.

use std::sync::Arc;

use hashbrown::HashTable;

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
    pub(super) fn new() -> Self {
        let leaf = Arc::new(Leaf::new());
        let branch = Arc::new(vec![leaf; FANOUT]);
        Self {
            root: Arc::new(vec![branch; FANOUT]),
        }
    }

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

fn place(hash: u64) -> (usize, usize) {
    // Seven bits each, so both fit any usize.
    let bits = (hash >> LEAF_BITS) as usize;
    (bits % FANOUT, bits / FANOUT % FANOUT)
}
