//! What a view keeps account of over all its principals: which master keys theirs are sealed under, and how many have each
//! role.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tessera_common::role::RoleName;

use super::encoding::Mark;

/// An account of some principals.
#[derive(Clone, Default)]
pub(super) struct Tally {
    masters: BTreeSet<u32>,
    // Apart: a copy of a view costs no copy of it.
    holders: Arc<BTreeMap<RoleName, usize>>,
}

impl Tally {
    /// Takes account of what a principal has.
    pub(super) fn add(&mut self, mark: Mark<'_>) {
        match mark {
            Mark::Master(master) => {
                self.masters.insert(master);
            }
            Mark::Role(role) => self.add_holders(role, 1),
        }
    }

    /// Takes what a principal has from the account. Which master keys were of use at some time stays in it.
    pub(super) fn remove(&mut self, mark: Mark<'_>) {
        if let Mark::Role(role) = mark {
            let holders = Arc::make_mut(&mut self.holders);
            if let Some(count) = holders.get_mut(role) {
                *count -= 1;
                if *count == 0 {
                    holders.remove(role);
                }
            }
        }
    }

    /// Takes account of some more principals.
    pub(super) fn extend(&mut self, others: Self) {
        self.masters.extend(others.masters);
        for (role, count) in &*others.holders {
            self.add_holders(role.as_str(), *count);
        }
    }

    fn add_holders(&mut self, role: &str, more: usize) {
        let holders = Arc::make_mut(&mut self.holders);
        match holders.get_mut(role) {
            Some(count) => *count += more,
            // What is in a record that was checked is a role's name.
            None => drop(RoleName::new(role).map(|role| holders.insert(role, more))),
        }
    }

    /// The numbers of the master keys.
    pub(super) fn masters(&self) -> impl Iterator<Item = u32> {
        self.masters.iter().copied()
    }

    /// How many have this role.
    pub(super) fn holders(&self, role: &RoleName) -> usize {
        self.holders.get(role).copied().unwrap_or(0)
    }

    /// The roles that anybody has, and how many have each.
    pub(super) fn roles(&self) -> impl Iterator<Item = (&RoleName, usize)> {
        self.holders.iter().map(|(role, count)| (role, *count))
    }
}
