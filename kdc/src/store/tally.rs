//! What a view keeps account of over all its principals: which master keys theirs are sealed under, how many have each
//! role, and how many go by each policy.

use core::borrow::Borrow;
use core::str::FromStr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tessera_common::role::RoleName;

use super::encoding::Mark;
use crate::realm::policy::PolicyName;

/// An account of some principals.
#[derive(Clone, Default)]
pub(super) struct Tally {
    masters: BTreeSet<u32>,
    // Apart: a copy of a view costs no copy of it.
    holders: Arc<BTreeMap<RoleName, usize>>,
    under: Arc<BTreeMap<PolicyName, usize>>,
}

impl Tally {
    /// Takes account of what a principal has.
    pub(super) fn add(&mut self, mark: Mark<'_>) {
        match mark {
            Mark::Master(master) => {
                self.masters.insert(master);
            }
            Mark::Role(role) => add(&mut self.holders, role, 1),
            Mark::Policy(policy) => add(&mut self.under, policy, 1),
        }
    }

    /// Takes what a principal has from the account. Which master keys were of use at some time stays in it.
    pub(super) fn remove(&mut self, mark: Mark<'_>) {
        match mark {
            Mark::Master(_) => {}
            Mark::Role(role) => remove(&mut self.holders, role),
            Mark::Policy(policy) => remove(&mut self.under, policy),
        }
    }

    /// Takes account of some more principals.
    pub(super) fn extend(&mut self, others: Self) {
        self.masters.extend(others.masters);
        for (role, count) in &*others.holders {
            add(&mut self.holders, role.as_str(), *count);
        }
        for (policy, count) in &*others.under {
            add(&mut self.under, policy.as_str(), *count);
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

    /// How many go by this policy.
    pub(super) fn under(&self, policy: &PolicyName) -> usize {
        self.under.get(policy).copied().unwrap_or(0)
    }

    /// The policies that anybody goes by, and how many go by each.
    pub(super) fn policies(&self) -> impl Iterator<Item = (&PolicyName, usize)> {
        self.under.iter().map(|(policy, count)| (policy, *count))
    }
}

fn add<N: Ord + Clone + Borrow<str> + FromStr>(counts: &mut Arc<BTreeMap<N, usize>>, name: &str, more: usize) {
    let counts = Arc::make_mut(counts);
    match counts.get_mut(name) {
        Some(count) => *count += more,
        // What is in a record that was checked is such a name.
        None => drop(name.parse().map(|name| counts.insert(name, more))),
    }
}

fn remove<N: Ord + Clone + Borrow<str>>(counts: &mut Arc<BTreeMap<N, usize>>, name: &str) {
    let counts = Arc::make_mut(counts);
    if let Some(count) = counts.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            counts.remove(name);
        }
    }
}
