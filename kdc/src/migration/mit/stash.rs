//! The master key outside of the database: the stash file, or the password that it was made of.

use tessera_common::crypto::{EncType, Key, string_to_key};
use tessera_common::keytab::{Keytab, KeytabError};
use tessera_common::name::{Name, Principal, Realm};
use zeroize::Zeroizing;

use crate::migration::older_stash;

/// The keys of a stash file that may be master keys.
///
/// It is a keytab with keys of `K/M`, each with its version, or, in the older form, one key without a version.
#[derive(Debug)]
pub(super) struct Stash {
    /// At least one.
    pub(super) keys: Vec<Candidate>,
}

/// What may be a master key.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its version; absent, where that is not known.
    pub(super) kvno: Option<u32>,
    /// The number of its enctype.
    pub(super) etype: i32,
    /// The key; absent, if this realm never has its enctype.
    pub(super) key: Option<Key>,
}

/// Why a file is no stash file of the realm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StashError {
    /// It is neither a keytab nor a key in the older form.
    #[error("it is no stash file: neither a keytab nor, as older releases write it, an enctype, a length and a key")]
    NotAStash,
    /// It is a keytab that cannot be read.
    #[error("it is a keytab, but a damaged one: {0:?}")]
    Keytab(KeytabError),
    /// It has no key of this realm's `K/M`.
    #[error("it has no key of {wanted}, but of {found}: it is another realm's stash file, or a service's keytab")]
    Others {
        /// Whose keys are looked for.
        wanted: Principal,
        /// Of whom the first is.
        found: Principal,
    },
    /// There is no key in it.
    #[error("there is no key in it")]
    Empty,
    /// A key has not the length that its enctype asks for.
    #[error("the key in it has not the length of an {0} key")]
    Length(EncType),
}

/// `K/M` of a realm.
#[must_use]
pub(super) fn master_principal(realm: &Realm) -> Option<Principal> {
    let name = Name::new(["K", "M"]).ok()?;
    Some(Principal::new(name, realm.clone()))
}

impl Stash {
    /// Reads a stash file; `wanted` is the realm's `K/M`.
    ///
    /// # Errors
    /// [`StashError`].
    pub(super) fn parse(file: &[u8], wanted: &Principal) -> Result<Self, StashError> {
        match Keytab::parse(file) {
            Ok(keytab) => Self::of_keytab(&keytab, wanted),
            Err(KeytabError::NotAKeytab) => Self::of_older_form(file),
            Err(other) => Err(StashError::Keytab(other)),
        }
    }

    fn of_keytab(keytab: &Keytab, wanted: &Principal) -> Result<Self, StashError> {
        let keys: Vec<_> = keytab
            .keys_for(wanted)
            .map(|entry| Candidate {
                kvno: Some(entry.kvno),
                etype: entry.key.etype_number(),
                key: entry.key.known().cloned(),
            })
            .collect();
        match (keys.is_empty(), keytab.entries.first()) {
            (false, _) => Ok(Self { keys }),
            (true, None) => Err(StashError::Empty),
            (true, Some(first)) => Err(StashError::Others {
                wanted: wanted.clone(),
                found: first.principal.clone(),
            }),
        }
    }

    fn of_older_form(file: &[u8]) -> Result<Self, StashError> {
        let (etype, octets) = older_stash::parse(file).ok_or(StashError::NotAStash)?;
        let key = match EncType::from_number(etype) {
            Some(known) => Some(Key::new(known, octets).map_err(|_| StashError::Length(known))?),
            None => None,
        };
        let kvno = None;
        Ok(Self {
            keys: vec![Candidate { kvno, etype, key }],
        })
    }
}

impl Candidate {
    /// The master key that a password makes, of an enctype; `None`, if this realm never has that.
    #[must_use]
    pub(super) fn of_password(password: &Zeroizing<Vec<u8>>, etype: i32, master: &Principal) -> Option<Self> {
        let known = EncType::from_number(etype)?;
        let salt = master.name.default_salt(&master.realm);
        let key = string_to_key(known, password, &salt, None).ok()?;
        Some(Self {
            kvno: None,
            etype,
            key: Some(key),
        })
    }
}

#[cfg(test)]
mod tests {
    use tessera_common::keytab::KeytabEntry;
    use tessera_common::time::KerberosTime;

    use super::*;

    fn wanted(realm: &str) -> Principal {
        master_principal(&Realm::new(realm).unwrap()).unwrap()
    }

    fn keytab(realm: &str, kvnos: &[u32]) -> Vec<u8> {
        let entries = kvnos.iter().map(|kvno| KeytabEntry {
            principal: wanted(realm),
            name_type: 1,
            timestamp: KerberosTime(0),
            kvno: *kvno,
            key: key(u8::try_from(*kvno).unwrap()).into(),
        });
        let keytab = Keytab {
            entries: entries.collect(),
        };
        keytab.to_bytes().to_vec()
    }

    fn key(octet: u8) -> Key {
        Key::new(EncType::Aes256CtsHmacSha1_96, &[octet; 32]).unwrap()
    }

    #[test]
    fn a_keytab_gives_all_versions() {
        let stash = Stash::parse(&keytab("R", &[1, 2]), &wanted("R")).unwrap();
        let found: Vec<_> = stash.keys.iter().map(|found| (found.kvno, found.key.clone())).collect();
        assert_eq!(found, [(Some(1), Some(key(1))), (Some(2), Some(key(2)))]);
    }

    #[test]
    fn the_older_form_is_read_in_both_byte_orders() {
        for header in [[18, 0, 32, 0, 0, 0], [0, 18, 0, 0, 0, 32]] {
            let file = [&header[..], &[7; 32]].concat();
            let stash = Stash::parse(&file, &wanted("R")).unwrap();
            assert_eq!((stash.keys[0].kvno, stash.keys[0].key.clone()), (None, Some(key(7))));
        }
        let file = [&[16, 0, 24, 0, 0, 0][..], &[7; 24]].concat();
        let stash = Stash::parse(&file, &wanted("R")).unwrap();
        assert_eq!((stash.keys[0].etype, stash.keys[0].key.clone()), (16, None));
    }

    #[test]
    fn what_is_no_stash_of_the_realm_is_refused() {
        let short = [&[18, 0, 31, 0, 0, 0][..], &[7; 31]].concat();
        let cut = [&[18, 0, 32, 0, 0, 0][..], &[7; 31]].concat();
        for (file, why) in [
            (&b""[..], "no stash file"),
            (b"tessera-master-key 1\n", "no stash file"),
            (&cut, "no stash file"),
            (&short, "not the length of an aes256-cts-hmac-sha1-96 key"),
            (&keytab("R", &[]), "no key in it"),
            (&keytab("S", &[1]), "no key of K/M@R, but of K/M@S"),
            (&keytab("R", &[1])[..20], "a damaged one"),
            (&[5, 1, 0], "a damaged one"),
        ] {
            let error = Stash::parse(file, &wanted("R")).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_password_makes_the_key_that_kdb5_util_makes_of_it() {
        let password = Zeroizing::new(b"master".to_vec());
        let made = Candidate::of_password(&password, 18, &wanted("KRBTEST.COM")).unwrap();
        let expected = string_to_key(EncType::Aes256CtsHmacSha1_96, b"master", b"KRBTEST.COMKM", None).unwrap();
        assert_eq!(made.key, Some(expected));
        assert!(Candidate::of_password(&password, 16, &wanted("KRBTEST.COM")).is_none());
    }
}
