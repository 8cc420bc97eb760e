use core::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tessera_common::keytab::Keytab;
use tessera_common::listed::Listed;
use tessera_common::name::Principal;
use tessera_common::time::{KerberosTime, Timestamp};

use super::name::ServiceName;
use crate::keytab_file::{KeytabError, KeytabFile};
use crate::system;

/// A keytab in a file that is read again when it changes.
///
/// A file that cannot be read, or has no key of the services that are wanted, leaves the keys in force that were read before: whoever
/// writes a keytab in place leaves half of one for a moment.
#[derive(Debug)]
pub(super) struct KeytabKeys {
    file: KeytabFile,
    wanted: ServiceName,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keytab: Arc<Keytab>,
    // What the file was when it was looked at last, whatever came of that.
    stamp: Option<Stamp>,
    // Why it could not be used then.
    problem: Option<String>,
    // When that was.
    checked: KerberosTime,
}

/// What a file is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Why a service cannot be started with a keytab.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeysError {
    /// The keytab.
    Keytab(KeytabError),
    /// It has no key of the services that are wanted.
    NoKey {
        /// Which were wanted.
        wanted: ServiceName,
        /// Which file.
        file: KeytabFile,
        /// Whose keys it has.
        has: Vec<Principal>,
    },
}

/// What came of a look at the file.
#[derive(Debug)]
pub(super) enum Look {
    /// It is as it was.
    Same,
    /// Its keys are in force now.
    Read(Arc<Keytab>),
    /// It has changed, and the old keys stay in force.
    Unusable(KeysError),
}

impl KeytabKeys {
    pub(super) fn open(file: KeytabFile, wanted: ServiceName) -> Result<Self, KeysError> {
        let now = system::now();
        let stamp = settled(Stamp::of(file.path()).ok(), now);
        let keytab = read(&file, &wanted)?;
        Ok(Self {
            file,
            wanted,
            state: Mutex::new(State {
                keytab: Arc::new(keytab),
                stamp,
                problem: None,
                checked: now.time,
            }),
        })
    }

    pub(super) const fn file(&self) -> &KeytabFile {
        &self.file
    }

    pub(super) const fn wanted(&self) -> &ServiceName {
        &self.wanted
    }

    /// The keys, once the file was looked at if it was not within this second.
    pub(super) fn current(&self, now: Timestamp) -> (Arc<Keytab>, Look) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let look = if state.checked == now.time {
            Look::Same
        } else {
            self.look(&mut state, now)
        };
        (Arc::clone(&state.keytab), look)
    }

    /// Looks at the file at once: a ticket came for a key that is not there.
    pub(super) fn refresh(&self, now: Timestamp) -> Look {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut state, now)
    }

    fn look(&self, state: &mut State, now: Timestamp) -> Look {
        state.checked = now.time;
        let stamp = Stamp::of(self.file.path());
        if let (Ok(found), Some(known)) = (&stamp, &state.stamp)
            && found == known
        {
            return Look::Same;
        }
        state.stamp = settled(stamp.ok(), now);
        match read(&self.file, &self.wanted) {
            Ok(keytab) => {
                state.problem = None;
                if keytab == *state.keytab {
                    return Look::Same;
                }
                state.keytab = Arc::new(keytab);
                Look::Read(Arc::clone(&state.keytab))
            }
            // Said once, and not every second.
            Err(why) if state.problem == Some(why.to_string()) => Look::Same,
            Err(why) => {
                state.problem = Some(why.to_string());
                Look::Unusable(why)
            }
        }
    }
}

// Only the wanted services' keys.
fn read(file: &KeytabFile, wanted: &ServiceName) -> Result<Keytab, KeysError> {
    let mut keytab = file.load().map_err(KeysError::Keytab)?;
    if keytab.entries.is_empty() {
        return Err(KeysError::Keytab(KeytabError::Empty(file.path().to_owned())));
    }
    let mut has: Vec<Principal> = Vec::new();
    keytab.entries.retain(|entry| {
        if !has.contains(&entry.principal) {
            has.push(entry.principal.clone());
        }
        wanted.is(&entry.principal)
    });
    if keytab.entries.is_empty() {
        return Err(KeysError::NoKey {
            wanted: wanted.clone(),
            file: file.clone(),
            has,
        });
    }
    Ok(keytab)
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

// A file that was written to within this second may be written to again, and look the same: it is read once more.
fn settled(stamp: Option<Stamp>, now: Timestamp) -> Option<Stamp> {
    stamp.filter(|stamp| now.time.seconds().abs_diff(stamp.changed.0) > 1)
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keytab(why) => write!(f, "{why}"),
            Self::NoKey { wanted, file, has } => write!(
                f,
                "the keytab {} has no key of {wanted}; it has those of {}",
                file.path().display(),
                Listed(has)
            ),
        }
    }
}

impl core::error::Error for KeysError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Keytab(why) => Some(why),
            Self::NoKey { .. } => None,
        }
    }
}
