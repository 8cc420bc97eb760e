//! A principal's keys, opened: those of today, the former ones, and what former passwords are known by.

use core::cmp::Reverse;
use core::fmt;

use tessera_common::crypto::{EncType, Key};
use tessera_common::name::{Name, Realm};
use tessera_common::time::KerberosTime;

use super::entry::Entry;
use super::extension::{Content, KeySet};
use super::keys::DumpedKey;
use super::master_key::{MasterKeys, Unopened};
use crate::migration::enctype_name::enctype_name;
use crate::migration::finding::{Finding, Item, Whose};
use crate::migration::importer::ImportError;
use crate::migration::principal::drop_superseded;
use crate::realm::passwords::cost;
use crate::store::OpenKey;

/// What keys are opened with.
pub(super) struct Opener<'o> {
    pub(super) realm: &'o Realm,
    /// `None`: no master key was given.
    pub(super) masters: Option<&'o MasterKeys>,
}

/// What came of a principal's keys.
pub(super) struct KeySets {
    /// The newest version first, and within one in the order of Heimdal's KDC.
    pub(super) keys: Vec<OpenKey>,
    /// The latest first.
    pub(super) former_passwords: Vec<OpenKey>,
}

/// Why a key is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// Its enctype is none of the realm's.
    Enctype,
    /// There is another of its version and enctype before it.
    Twice,
    /// Its version is 0.
    NoVersion,
    /// Its version is later than that of the current keys.
    Later,
    /// It is sealed, and there is no master key.
    Sealed,
    /// It is sealed under a master key that is not there, or that cannot be used.
    Unopened(Unopened),
}

/// Opens an entry's keys. What is lost is told.
///
/// # Errors
/// [`ImportError::Line`] when a current key does not open, or one is sealed under another master key than that of its version.
pub(super) fn open(
    opener: &Opener<'_>,
    line: u64,
    entry: &Entry,
    tell: &mut dyn FnMut(Finding),
) -> Result<KeySets, ImportError> {
    let name = &entry.principal.name;
    let whose = || Whose::Principal(name.to_string());
    let made = entry.extensions.iter().find_map(|extension| match extension.content {
        Content::LastPasswordChange(time) => Some(time),
        _ => None,
    });
    let mut old: Vec<&KeySet> = entry
        .extensions
        .iter()
        .filter_map(|extension| match &extension.content {
            Content::OldKeys(sets) => Some(sets),
            _ => None,
        })
        .flatten()
        .collect();
    old.sort_by_key(|set| Reverse(set.kvno));
    let current = Version {
        kvno: entry.kvno,
        newest: entry.kvno,
        keys: &entry.keys,
        made,
    };
    let older = old.iter().map(|set| Version {
        kvno: set.kvno,
        newest: entry.kvno,
        keys: &set.keys,
        made: set.made,
    });

    let mut keys: Vec<OpenKey> = Vec::new();
    let mut lost = Vec::new();
    for version in core::iter::once(current).chain(older) {
        let opened = version.open(opener, name, &mut keys, &mut lost);
        opened.map_err(|why| ImportError::at(line, format!("{name}: {why}")))?;
    }
    for (why, lost) in grouped(&lost) {
        let what = format!("keys: {}", lost.join(", "));
        let finding = Finding::left_out(line, whose(), Item::Key, what, why.to_string());
        tell(finding.advising(why.advice()).of(lost.len()));
    }
    let superseded = drop_superseded(&mut keys, entry.kvno);
    if superseded > 0 {
        let why = "none of its newest keys is here, and with an older one a former password would be good again";
        let finding = Finding::left_out(line, whose(), Item::Key, "its former keys", why);
        tell(finding.advising("nothing is to be done").of(superseded));
    }
    Ok(KeySets {
        former_passwords: former_passwords(&keys, entry.kvno),
        keys,
    })
}

/// Keys of one version.
struct Version<'v> {
    kvno: u32,
    /// The current version.
    newest: u32,
    keys: &'v [DumpedKey],
    made: Option<KerberosTime>,
}

impl Version<'_> {
    // Adds those that can be used to `keys`, and the others to `lost`.
    fn open(
        &self,
        opener: &Opener<'_>,
        name: &Name,
        keys: &mut Vec<OpenKey>,
        lost: &mut Vec<(u32, Lost, i32)>,
    ) -> Result<(), String> {
        let from = keys.len();
        for dumped in self.keys {
            let Some(etype) = EncType::from_number(dumped.etype) else {
                lost.push((self.kvno, Lost::Enctype, dumped.etype));
                continue;
            };
            let why = if self.kvno == 0 {
                Lost::NoVersion
            } else if self.kvno > self.newest {
                Lost::Later
            } else if keys.iter().any(|key| key.kvno == self.kvno && key.key.etype() == etype) {
                Lost::Twice
            } else {
                match self.open_key(opener, dumped, etype)? {
                    Ok(key) => {
                        keys.push(OpenKey {
                            kvno: self.kvno,
                            key,
                            salt: self.salt(dumped, name, opener.realm),
                            made: self.made,
                            retired: None,
                        });
                        continue;
                    }
                    Err(why) => why,
                }
            };
            lost.push((self.kvno, why, dumped.etype));
        }
        if let Some(added) = keys.get_mut(from..) {
            added.sort_by_key(|key| preference(key.key.etype()));
        }
        Ok(())
    }

    fn open_key(&self, opener: &Opener<'_>, dumped: &DumpedKey, etype: EncType) -> Result<Result<Key, Lost>, String> {
        let octets = match opener.masters {
            Some(masters) => masters.open(dumped).map_err(Lost::Unopened),
            None if dumped.mkvno.is_none() => Ok(dumped.octets.clone()),
            None => Err(Lost::Sealed),
        };
        let octets = match octets {
            Ok(octets) => octets,
            // Heimdal's `dump --decrypt` opens current keys only.
            Err(why) if self.kvno != self.newest && !matches!(why, Lost::Unopened(Unopened::Wrong(_))) => {
                return Ok(Err(why));
            }
            Err(why) => {
                return Err(format!(
                    "its key of {etype}, version {}: {why}; {}",
                    self.kvno,
                    why.advice()
                ));
            }
        };
        // As Heimdal takes it: what was padded to be sealed is longer.
        let is_sealed = dumped.mkvno.is_some();
        let key = octets
            .get(..etype.key_len())
            .filter(|key| is_sealed || key.len() == octets.len())
            .and_then(|key| Key::new(etype, key).ok());
        let (has, version) = (octets.len(), self.kvno);
        key.map(Ok).ok_or_else(|| {
            format!(
                "its key of {etype}, version {version}, has {has} octets and not {}",
                etype.key_len()
            )
        })
    }

    // Heimdal writes a salt with every key that it makes of a password, and none with random ones. Only databases that it took
    // over from MIT have keys of passwords without one: those of people, whose names have one component. Beside a key with a
    // salt there is no random one.
    fn salt(&self, dumped: &DumpedKey, name: &Name, realm: &Realm) -> Option<Vec<u8>> {
        match &dumped.salt {
            Some(salt) => Some(salt.octets.clone()),
            None if name.len() == 1 || self.keys.iter().any(|key| key.salt.is_some()) => Some(name.default_salt(realm)),
            None => None,
        }
    }
}

// The order in which Heimdal's KDC looks for the key to seal a ticket with (lib/krb5/context.c).
const fn preference(etype: EncType) -> u8 {
    match etype {
        EncType::Aes256CtsHmacSha1_96 => 0,
        EncType::Aes128CtsHmacSha1_96 => 1,
        EncType::Aes256CtsHmacSha384_192 => 2,
        EncType::Aes128CtsHmacSha256_128 => 3,
    }
}

// Heimdal refuses a new password whose keys are among the former ones. Of each version the key that is made soonest.
fn former_passwords(keys: &[OpenKey], newest: u32) -> Vec<OpenKey> {
    let mut former: Vec<OpenKey> = Vec::new();
    for key in keys.iter().filter(|key| key.kvno != newest && key.salt.is_some()) {
        match former.last_mut().filter(|last| last.kvno == key.kvno) {
            Some(last) if cost(key.key.etype()) < cost(last.key.etype()) => *last = key.clone(),
            Some(_) => {}
            None => former.push(key.clone()),
        }
    }
    former
}

/// The keys that are lost for each reason.
fn grouped(lost: &[(u32, Lost, i32)]) -> Vec<(Lost, Vec<String>)> {
    let mut groups: Vec<(Lost, Vec<String>)> = Vec::new();
    for (kvno, why, etype) in lost {
        let key = format!("{} of version {kvno}", enctype_name(*etype));
        match groups.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, keys)) => keys.push(key),
            None => groups.push((*why, vec![key])),
        }
    }
    groups
}

impl Lost {
    const fn advice(self) -> &'static str {
        match self {
            Self::Enctype => "a keytab or a client that has no other needs a new one",
            Self::Twice | Self::NoVersion => "nothing is to be done",
            Self::Later => "if it is the one in use, set it in Heimdal first: kadmin modify --kvno",
            Self::Sealed => "name the master key: --master-key FILE",
            Self::Unopened(Unopened::NoVersion(_) | Unopened::Wrong(_)) => {
                "the master key is in the file that mkey_file names in Heimdal's configuration"
            }
            Self::Unopened(Unopened::Enctype { .. }) => "have Heimdal open its keys: kadmin -l dump --decrypt",
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Enctype => f.write_str("this realm never has that enctype"),
            Self::Twice => f.write_str("there is another of the same version and enctype before it"),
            Self::NoVersion => f.write_str("a version is 1 or more"),
            Self::Later => f.write_str("that is later than the version that is in force"),
            Self::Sealed => f.write_str("it is sealed under Heimdal's master key, which was not given"),
            Self::Unopened(Unopened::NoVersion(version)) => {
                write!(
                    f,
                    "it is sealed under version {version} of the master key, which the file has not"
                )
            }
            Self::Unopened(Unopened::Enctype { version, etype }) => write!(
                f,
                "it is sealed under version {version} of the master key, whose enctype {} is not to be had here",
                enctype_name(etype)
            ),
            Self::Unopened(Unopened::Wrong(version)) => {
                write!(
                    f,
                    "it does not open under version {version} of the master key, so that this is the wrong one"
                )
            }
        }
    }
}
