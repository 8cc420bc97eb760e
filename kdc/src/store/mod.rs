//! The realm's database: a journal that is the truth, an index that can be made anew from it, and a map in memory that
//! requests are served from.

mod access_encoding;
mod atomic_file;
mod author;
mod batch_encoding;
mod construction;
mod dump_access;
mod dump_file;
mod dump_record;
mod durable;
mod encoding;
mod error;
mod figures;
mod fill;
mod found;
mod head;
mod history;
mod index;
mod indexer;
mod journal;
mod key_encoding;
mod key_file;
mod master_key;
mod memory;
mod notice;
mod octets;
mod offline;
mod packed;
mod published;
mod recovery;
mod rollover;
mod segment_file;
mod snapshot;
mod snapshotter;
mod state_dir;
mod table;
mod tally;
#[cfg(test)]
pub(crate) mod test_realm;
mod view;
mod writer;

use std::sync::Arc;

use tessera_common::name::Name;
use tessera_common::role::RoleName;

pub(crate) use self::atomic_file::write as write_file;
pub use self::author::Author;
pub use self::construction::{Construction, OpenKey};
pub use self::durable::{Durable, Opened, Options};
pub use self::error::{Damage, OpenError};
pub use self::figures::Figures;
pub use self::history::{About, Event, Happened};
pub use self::key_file::{CREDENTIAL, MASTER_KEY_FILE, MasterKeyError};
pub use self::master_key::{KeyCheck, Keyring, MASTER_KEY_OCTETS, MasterKey, SealError};
pub use self::memory::Memory;
pub use self::notice::{Notice, Report};
pub use self::offline::{
    Extract, Keys, Location, Verified, change_master_key, dump, history, load, rebuild_index, verify,
};
pub use self::rollover::{Rollover, RolloverError};
pub use self::view::View;
use crate::realm::access_record::{AccessKey, AccessRecord};
use crate::realm::policy::PolicyName;
use crate::realm::principal::{PrincipalId, PrincipalRecord};
use crate::realm::rules::RuleName;

/// The most octets that a change to one principal may take, written down.
pub const MAX_RECORD_OCTETS: usize = 15 << 10;
/// The most changes that are made at once.
pub const MAX_BATCH_CHANGES: usize = 10_000;
/// The most octets that these may take, written down.
pub const MAX_BATCH_OCTETS: usize = 16 << 20;

/// A change to the realm, as the journal, dumps and the audit log know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The record is to be this. `expected` is the revision that it replaces; `None`: there must be none with this id (an
    /// expected revision of 0 in errors).
    Put {
        /// The revision that the author saw.
        expected: Option<u64>,
        /// The whole record. Its `revision` is set when the change is committed.
        record: Box<PrincipalRecord>,
    },
    /// The principal is to be no more.
    Remove {
        /// Which.
        id: PrincipalId,
        /// The revision that the author saw.
        expected: u64,
    },
    /// A role, a rule or a policy is to be this. `expected` is the revision that it replaces; `None`: there must be
    /// none of this name (an expected revision of 0 in errors).
    Declare {
        /// The revision that the author saw.
        expected: Option<u64>,
        /// The whole record. Its `revision` is set when the change is committed.
        record: Box<AccessRecord>,
    },
    /// A role that neither a rule of the database nor a principal has, a policy that no principal goes by, or a rule, is to be no more.
    Withdraw {
        /// Which.
        key: AccessKey,
        /// The revision that the author saw.
        expected: u64,
    },
}

/// What a change is about: what has a revision of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Subject {
    Principal(PrincipalId),
    Access(AccessKey),
}

impl Change {
    fn subject(&self) -> Subject {
        match self {
            Self::Put { record, .. } => Subject::Principal(record.id),
            Self::Remove { id, .. } => Subject::Principal(*id),
            Self::Declare { record, .. } => Subject::Access(record.key()),
            Self::Withdraw { key, .. } => Subject::Access(key.clone()),
        }
    }
}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else changed the record first.
    #[error(
        "{name} was changed by somebody else in the meantime (revision {found}, expected {expected}); look again and retry"
    )]
    Conflict {
        /// The principal.
        name: Name,
        /// What the author saw.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The name or alias is another principal's.
    #[error("{name} is already taken by {holder}")]
    NameTaken {
        /// The name asked for.
        name: Name,
        /// The principal that has it.
        holder: Name,
    },
    /// There is no such principal.
    #[error("there is no such principal")]
    NotFound,
    /// Somebody else changed a role or a rule first.
    #[error(
        "{key} was changed by somebody else in the meantime (revision {found}, expected {expected}); look again and retry"
    )]
    AccessConflict {
        /// Which.
        key: AccessKey,
        /// What the author saw; 0, that there is none.
        expected: u64,
        /// What is there; 0, nothing.
        found: u64,
    },
    /// A role cannot go as long as anything has it.
    #[error("the role {role} is in use: {}", used_by(rule.as_ref(), *holders))]
    RoleInUse {
        /// The role.
        role: RoleName,
        /// A rule of the database that names it.
        rule: Option<RuleName>,
        /// How many principals have it.
        holders: usize,
    },
    /// A policy cannot go as long as any principal goes by it.
    #[error("the policy {policy} is in use: {}", used_by(None, *holders))]
    PolicyInUse {
        /// The policy.
        policy: PolicyName,
        /// How many principals go by it.
        holders: usize,
    },
    /// More than is stored at once, or in one record.
    #[error("too large: {what}")]
    TooLarge {
        /// What is, and how much may be.
        what: String,
    },
    /// The disk took no more, or failed; nothing was changed.
    #[error("the journal could not be written: {0}; nothing was changed")]
    Unwritable(String),
    /// A key does not open under its master key, in its place.
    #[error("a key of {name} does not open: {why}")]
    Sealed {
        /// The principal.
        name: Name,
        /// What is wrong.
        why: String,
    },
}

fn used_by(rule: Option<&RuleName>, holders: usize) -> String {
    let rule = rule.map(|rule| format!("the rule {rule} names it"));
    let holders = match holders {
        0 => None,
        1 => Some("1 principal has it".to_owned()),
        many => Some(format!("{many} principals have it")),
    };
    [rule, holders].into_iter().flatten().collect::<Vec<_>>().join(", and ")
}

/// Where principals are kept.
pub trait Store: Send + Sync {
    /// What is there now. Cheap: one per request.
    fn view(&self) -> Arc<View>;

    /// Between two requests, brings a handle to an earlier picture up to what is there now. Cheaper than a handle for each:
    /// nothing is touched that other threads touch, too, and what was looked up stays at hand as long as nothing changes.
    fn renew(&self, handle: &mut View) {
        handle.renew(&self.view());
    }

    /// Makes all of `changes` durable, or none, one after the other: a name that one gives up, a later one may take.
    /// Returns when they are, with the sequence number of the last. That takes as long as the disk does: not for a thread
    /// that others wait for.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was changed.
    fn commit(&self, author: &Author, changes: Vec<Change>) -> Result<u64, StoreError>;
}

/// The number that a file is named after, if it is named `NUMBER.extension` as the store writes it.
fn numbered_file(path: &std::path::Path, extension: &str) -> Option<u64> {
    let (number, found) = path.file_name()?.to_str()?.split_once('.')?;
    (found == extension && number.len() == 20)
        .then(|| number.parse().ok())
        .flatten()
}
