//! A principal as it is kept in memory: its record written down, in one piece. Taken apart, with a place of its own for
//! every key, salt and name, it takes two and a half times as much, and a start a dozen allocations for each.

use std::sync::Arc;

use super::encoding::{self, Mark};
use super::octets::DecodeError;
use crate::realm::principal::{PrincipalId, PrincipalRecord};

const ID_OCTETS: usize = 16;
const HEAD_OCTETS: usize = ID_OCTETS + 8;

/// A record that can be read: id, revision, and the record as everything on the disk has it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Packed(Arc<[u8]>);

impl Packed {
    /// Writes a record down, with this revision.
    pub(super) fn new(record: &PrincipalRecord, revision: u64) -> Self {
        let mut octets = Vec::with_capacity(512);
        octets.extend_from_slice(&record.id.0);
        octets.extend_from_slice(&revision.to_le_bytes());
        encoding::put_record(&mut octets, record);
        Self(octets.as_slice().into())
    }

    /// What was written down already, if it can be read; and to `see`, as [`Packed::marks`].
    pub(super) fn read<'r>(
        id: PrincipalId,
        revision: u64,
        record: &'r [u8],
        see: impl FnMut(Mark<'r>),
    ) -> Result<Self, DecodeError> {
        if encoding::check_record(record, see)? != id {
            return Err(DecodeError::Malformed("a record under another's id"));
        }
        let mut octets = Vec::with_capacity(HEAD_OCTETS + record.len());
        octets.extend_from_slice(&id.0);
        octets.extend_from_slice(&revision.to_le_bytes());
        octets.extend_from_slice(record);
        Ok(Self(octets.as_slice().into()))
    }

    pub(super) fn id(&self) -> PrincipalId {
        PrincipalId(*self.0.first_chunk().unwrap_or(&[0; ID_OCTETS]))
    }

    pub(super) fn revision(&self) -> u64 {
        let octets = self.0.get(ID_OCTETS..).and_then(<[u8]>::first_chunk);
        u64::from_le_bytes(*octets.unwrap_or(&[0; 8]))
    }

    /// The record as it was written down.
    pub(super) fn record(&self) -> &[u8] {
        self.0.get(HEAD_OCTETS..).unwrap_or_default()
    }

    /// The name and the aliases, as [`encoding::put_name`] writes them.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        encoding::names_in(self.record())
    }

    /// The name, as [`encoding::put_name`] writes it.
    pub(super) fn name(&self) -> &[u8] {
        self.names().next().unwrap_or_default()
    }

    /// Which master keys its keys are sealed under, which roles it has and which policy it goes by.
    pub(super) fn marks(&self) -> impl Iterator<Item = Mark<'_>> {
        encoding::marks_in(self.record())
    }

    /// The numbers of the master keys that its keys are sealed under.
    pub(super) fn masters(&self) -> impl Iterator<Item = u32> {
        self.marks().filter_map(|mark| match mark {
            Mark::Master(master) => Some(master),
            Mark::Role(_) | Mark::Policy(_) => None,
        })
    }

    /// Whether any of its keys is good until some time only.
    pub(super) fn has_retiring_key(&self) -> bool {
        encoding::has_retiring_key(self.record())
    }

    /// The record. There always is one: nothing becomes a `Packed` that cannot be read.
    pub(super) fn unpack(&self) -> Option<PrincipalRecord> {
        encoding::read_record(self.record(), self.revision()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::test_realm::{full_record, id, principal};

    #[test]
    fn a_record_comes_out_as_it_went_in() {
        for record in [full_record(), principal(1, "alice/admin")] {
            let packed = Packed::new(&record, record.revision);
            assert_eq!(packed.id(), record.id);
            assert_eq!(packed.revision(), record.revision);
            assert_eq!(packed.unpack().as_ref(), Some(&record));
            let masters: Vec<_> = record.sealed().map(|(_, key)| key.sealed.master).collect();
            let marks = masters.iter().map(|master| Mark::Master(*master));
            let marks: Vec<_> = marks
                .chain(record.policy.iter().map(|policy| Mark::Policy(policy.as_str())))
                .chain(record.roles.iter().map(|role| Mark::Role(role.as_str())))
                .collect();
            let mut seen = Vec::new();
            let read = Packed::read(record.id, record.revision, packed.record(), |mark| seen.push(mark));
            assert!(read == Ok(packed.clone()) && seen == marks);
            assert_eq!(packed.marks().collect::<Vec<_>>(), marks);
            assert_eq!(packed.masters().collect::<Vec<_>>(), masters);
            let names: Vec<_> = core::iter::once(&record.name)
                .chain(&record.aliases)
                .map(encoding::name_octets)
                .collect();
            assert!(packed.names().eq(names.iter().map(Vec::as_slice)));
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        let packed = Packed::new(&principal(1, "alice"), 7);
        let record = packed.record();
        assert!(Packed::read(id(2), 7, record, |_| {}).is_err(), "under another's id");
        for end in [0, 1, 10, record.len() - 1] {
            assert!(Packed::read(id(1), 7, &record[..end], |_| {}).is_err(), "cut to {end}");
        }
    }
}
