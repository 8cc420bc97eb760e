//! The realm's database: a journal that is the truth, an index that can be made anew from it, and a map in memory that
//! requests are served from.

mod atomic_file;
mod dump_file;
mod dump_record;
mod durable;
mod encoding;
mod error;
mod fill;
mod found;
mod head;
mod hexadecimal;
mod history;
mod index;
mod indexer;
mod journal;
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
#[cfg(test)]
pub(crate) mod test_realm;
mod view;
mod writer;

use std::sync::Arc;

use tessera_common::name::Name;

pub use self::durable::{Durable, Opened, Options};
pub use self::error::{Damage, OpenError};
pub use self::history::{Event, Happened};
pub use self::key_file::{CREDENTIAL, MASTER_KEY_FILE, MasterKeyError};
pub use self::master_key::{KeyCheck, Keyring, MASTER_KEY_OCTETS, MasterKey, SealError};
pub use self::memory::Memory;
pub use self::notice::{Notice, Report};
pub use self::offline::{Extract, Location, Verified, change_master_key, dump, history, load, rebuild_index, verify};
pub use self::rollover::{Rollover, RolloverError};
pub use self::view::View;
use crate::realm::principal::{PrincipalId, PrincipalRecord};

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
}

impl Change {
    /// Whom it is about.
    const fn principal(&self) -> PrincipalId {
        match self {
            Self::Put { record, .. } => record.id,
            Self::Remove { id, .. } => *id,
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

/// Who makes a change, for the journal and the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Such as `uid 0` or `alice/admin@EXAMPLE.COM`.
    pub who: String,
    /// When, by the daemon's clock.
    pub when: tessera_common::time::KerberosTime,
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
