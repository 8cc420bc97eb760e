//! Filling a view with every principal there is: whoever reads them hands them over in parts, and the tables are built
//! beside that, each by a thread of its own.

use std::hash::{BuildHasher as _, RandomState};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::octets::DecodeError;
use super::packed::Packed;
use super::table::{Table, TableBuilder, Taken};
use super::tally::Tally;
use super::view::{Content, fingerprint, id_hash};
use super::{Keyring, View};
use crate::realm::principal::PrincipalId;

/// How many lots wait for either table.
const WAITING: usize = 4;

/// The way into a view that is being filled.
pub(super) struct Filler<'a> {
    names: &'a RandomState,
    by_id: SyncSender<ById>,
    by_name: SyncSender<Vec<Hashed>>,
}

/// Principals on their way into a view. What is to be known of them is found out here, where their octets were just read.
pub(super) struct Lot<'a> {
    names: &'a RandomState,
    by_id: ById,
    by_name: Vec<Hashed>,
}

type Hashed = (u64, Packed);

#[derive(Default)]
struct ById {
    entries: Vec<Hashed>,
    digest: u64,
    tally: Tally,
}

/// Two principals have the same id or the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// Nobody wants more: what came was ambiguous.
pub(super) struct Refused;

impl Filler<'_> {
    /// A lot of nobody yet.
    pub(super) fn lot(&self) -> Lot<'_> {
        Lot {
            names: self.names,
            by_id: ById::default(),
            by_name: Vec::new(),
        }
    }

    /// Hands a lot over.
    pub(super) fn put(&self, lot: Lot<'_>) -> Result<(), Refused> {
        let Lot { by_id, by_name, .. } = lot;
        self.by_id.send(by_id).map_err(|_| Refused)?;
        self.by_name.send(by_name).map_err(|_| Refused)
    }
}

impl Lot<'_> {
    /// Adds a principal, if its record can be read.
    pub(super) fn add(&mut self, id: PrincipalId, revision: u64, record: &[u8]) -> Result<(), DecodeError> {
        let ById { entries, digest, tally } = &mut self.by_id;
        let packed = Packed::read(id, revision, record, |mark| tally.add(mark))?;
        let names = packed.names().map(|name| (self.names.hash_one(name), packed.clone()));
        self.by_name.extend(names);
        *digest = digest.wrapping_add(fingerprint(id, revision));
        entries.push((id_hash(id), packed));
        Ok(())
    }

    /// How many it has.
    pub(super) fn len(&self) -> usize {
        self.by_id.entries.len()
    }
}

/// A view of about `expected` principals, which are those that `read` hands over, and what `read` gives.
pub(super) fn fill<T>(
    keyring: Arc<Keyring>,
    expected: usize,
    read: impl FnOnce(Filler<'_>) -> T,
) -> (Result<View, Ambiguous>, T) {
    let names = RandomState::new();
    let (by_id, ids) = sync_channel(WAITING);
    let (by_name, named) = sync_channel(WAITING);
    let (given, by_id, by_name) = thread::scope(|scope| {
        let ids = scope.spawn(move || build_by_id(&ids, expected));
        let named = scope.spawn(move || build_by_name(&named, expected));
        let given = read(Filler {
            names: &names,
            by_id,
            by_name,
        });
        (
            given,
            ids.join().unwrap_or_else(|panic| resume_unwind(panic)),
            named.join().unwrap_or_else(|panic| resume_unwind(panic)),
        )
    });
    let content = by_id.and_then(|content| {
        let by_name = by_name?;
        Ok(Content { by_name, ..content })
    });
    (content.map(|content| View::of(keyring, names, content)), given)
}

/// All of the content but the names.
fn build_by_id(lots: &Receiver<ById>, expected: usize) -> Result<Content, Ambiguous> {
    let mut table = TableBuilder::new(expected);
    let mut content = Content::default();
    for lot in lots {
        content.len += lot.entries.len();
        content.digest = content.digest.wrapping_add(lot.digest);
        content.tally.extend(lot.tally);
        for (hash, packed) in lot.entries {
            table.insert(hash, packed, |a, b| a.id() == b.id())?;
        }
    }
    content.by_id = table.finish();
    Ok(content)
}

fn build_by_name(lots: &Receiver<Vec<Hashed>>, expected: usize) -> Result<Table, Ambiguous> {
    let mut table = TableBuilder::new(expected);
    for (hash, packed) in lots.iter().flatten() {
        // Two names may have the same hash; two principals that share any name cannot be.
        table.insert(hash, packed, |a, b| {
            a.names().any(|name| b.names().any(|other| other == name))
        })?;
    }
    Ok(table.finish())
}

impl From<Taken> for Ambiguous {
    fn from(Taken: Taken) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realm::principal::PrincipalRecord;
    use crate::store::test_realm::{full_record, id, keyring, name, principal, roles};

    fn filled(records: &[PrincipalRecord]) -> Result<View, Ambiguous> {
        let put_all = |filler: Filler<'_>| {
            records.chunks(3).all(|part| {
                let mut lot = filler.lot();
                for record in part {
                    lot.add(record.id, 7, Packed::new(record, 7).record()).unwrap();
                }
                filler.put(lot).is_ok()
            })
        };
        fill(Arc::new(keyring()), records.len(), put_all).0
    }

    #[test]
    fn a_view_that_was_filled_is_as_one_that_was_changed_into_being() {
        let mut records: Vec<_> = (0..5000).map(|n| principal(n, &format!("user{n}"))).collect();
        records[7].aliases = vec![name("seven"), name("sieben")];
        records[8].roles = roles(&["mail", "staff"]);
        records[4000].roles = roles(&["staff"]);
        let view = filled(&records).unwrap();
        let mut expected = View::empty(Arc::new(keyring()));
        for record in &mut records {
            record.revision = 7;
            expected.restore_record(record).unwrap();
        }
        assert_eq!((view.len(), view.digest()), (expected.len(), expected.digest()));
        for view in [&view, &expected] {
            let holders: Vec<_> = view.holders().map(|(role, count)| (role.as_str(), count)).collect();
            assert_eq!(holders, [("mail", 1), ("staff", 2)]);
        }
        for record in &records {
            assert_eq!(**view.get(record.id).unwrap(), *record);
            assert_eq!(**view.find(&record.name).unwrap(), *record);
        }
        assert_eq!(view.find(&name("sieben")).unwrap().id, id(7));
        assert_eq!(view.packed().count(), 5000);
        assert!(view.get(id(5000)).is_none() && view.find(&name("user5000")).is_none());
    }

    #[test]
    fn two_of_the_same_id_or_name_are_refused_wherever_they_come() {
        let with_alias = |number, text: &str, alias: &str| PrincipalRecord {
            aliases: vec![name(alias)],
            ..principal(number, text)
        };
        let others = || (10..20).map(|n| principal(n, &format!("user{n}")));
        for twice in [
            [principal(1, "alice"), principal(1, "bob")],
            [principal(1, "alice"), principal(2, "alice")],
            [principal(1, "alice"), with_alias(2, "bob", "alice")],
            [with_alias(1, "alice", "al"), with_alias(2, "bob", "al")],
            [principal(1, "alice"), with_alias(2, "bob", "bob")],
        ] {
            assert_eq!(filled(&twice).err(), Some(Ambiguous), "{twice:?}");
            let [first, last] = twice;
            let apart: Vec<_> = [first].into_iter().chain(others()).chain([last]).collect();
            assert_eq!(filled(&apart).err(), Some(Ambiguous));
        }
        assert!(filled(&[]).unwrap().is_empty());
    }

    #[test]
    fn which_master_keys_seal_is_known_of_all_that_came() {
        let records = [principal(1, "alice"), full_record()];
        let masters: Vec<_> = filled(&records).unwrap().masters().collect();
        assert_eq!(masters, [1]);
        assert_eq!(filled(&records[..1]).unwrap().masters().count(), 0);
    }
}
