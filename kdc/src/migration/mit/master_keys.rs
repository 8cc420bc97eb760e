//! A realm's master keys, out of `K/M` and one that opens it.

use std::collections::BTreeMap;

use tessera_common::crypto::Key;

use super::key_data::KeyData;
use super::principal_line::PrincipalLine;
use super::stash::Candidate;
use crate::migration::enctype_name::enctype_name;

/// What replaces a master key of an enctype that this realm never has.
const REPLACE: &str = "make a new one on the MIT side: kdb5_util add_mkey -e aes256-cts-hmac-sha1-96 -s, kdb5_util use_mkey \
                       VERSION, kdb5_util update_princ_encryption, and write the dump anew";

/// The master keys by their versions.
#[derive(Debug)]
pub(super) struct MasterKeys {
    /// `None`: of an enctype, which is this, that this realm never has.
    by_kvno: BTreeMap<u32, Result<Key, i32>>,
}

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MasterKeyProblem {
    /// `K/M` has no key.
    #[error(
        "K/M has no key, so that none in the dump can be opened; write a dump of the whole database: kdb5_util dump FILE"
    )]
    None,
    /// The newest key is of an enctype that this realm never has.
    #[error("the master key, version {kvno}, is of the enctype {etype}, which this realm never has; {REPLACE}")]
    Enctype {
        /// Its version.
        kvno: u32,
        /// Its enctype.
        etype: String,
    },
    /// None of those that were given opens it.
    #[error("the master key that was given ({given}) does not open K/M, which has {wanted}: {advice}")]
    Wrong {
        /// Versions and enctypes that were given.
        given: String,
        /// Versions and enctypes in `K/M`.
        wanted: String,
        /// What to do.
        advice: &'static str,
    },
    /// An earlier key does not open with the newest.
    #[error("K/M is damaged: its key of version {0} does not open with the newest one")]
    Damaged(u32),
}

impl MasterKeys {
    /// Opens `K/M` with one of `candidates`.
    pub(super) fn open(km: &PrincipalLine, candidates: &[Candidate]) -> Result<Self, MasterKeyProblem> {
        let newest = km
            .keys
            .iter()
            .max_by_key(|key| key.kvno)
            .ok_or(MasterKeyProblem::None)?;
        let key = newest_key(km, newest, candidates)?;
        let mut by_kvno = BTreeMap::new();
        for data in km.keys.iter().filter(|data| data.kvno != newest.kvno) {
            let opened = data
                .open_known(&key)
                .map_err(|_| MasterKeyProblem::Damaged(data.kvno))?;
            by_kvno.insert(data.kvno, opened.ok_or(data.etype));
        }
        by_kvno.insert(newest.kvno, Ok(key));
        Ok(Self { by_kvno })
    }

    /// The key of a version, or of the oldest where none is named.
    ///
    /// # Errors
    /// Why not, for the report of the line that names it.
    pub(super) fn get(&self, kvno: Option<u32>) -> Result<&Key, String> {
        let found = match kvno {
            Some(kvno) => self.by_kvno.get_key_value(&kvno),
            None => self.by_kvno.first_key_value(),
        };
        match found {
            Some((_, Ok(key))) => Ok(key),
            Some((kvno, Err(etype))) => {
                let etype = enctype_name(*etype);
                let what = format!("its keys are under the master key of version {kvno}");
                Err(format!(
                    "{what}, of the enctype {etype}, which this realm never has; {REPLACE}"
                ))
            }
            None => {
                let kvno = kvno.unwrap_or_default();
                Err(format!(
                    "its keys are under the master key of version {kvno}, which K/M does not have any more"
                ))
            }
        }
    }
}

fn newest_key(km: &PrincipalLine, newest: &KeyData, candidates: &[Candidate]) -> Result<Key, MasterKeyProblem> {
    let keys = || candidates.iter().filter_map(|candidate| candidate.key.as_ref());
    // Under itself, or under an earlier one.
    let aux = km.tl_data.master_key_aux.iter().filter(|data| data.kvno == newest.kvno);
    let sealed = [newest].into_iter().chain(aux);
    let mut opened = sealed.flat_map(|data| keys().map(move |key| data.open_known(key)));
    match opened.find_map(Result::ok) {
        Some(Some(key)) => Ok(key),
        _ if tessera_common::crypto::EncType::from_number(newest.etype).is_none() => Err(MasterKeyProblem::Enctype {
            kvno: newest.kvno,
            etype: enctype_name(newest.etype),
        }),
        _ => Err(wrong(km, candidates)),
    }
}

fn wrong(km: &PrincipalLine, candidates: &[Candidate]) -> MasterKeyProblem {
    let described = |kvno: Option<u32>, etype| match kvno {
        Some(kvno) => format!("version {kvno}, {}", enctype_name(etype)),
        None => enctype_name(etype),
    };
    let given: Vec<_> = candidates.iter().map(|one| described(one.kvno, one.etype)).collect();
    let wanted: Vec<_> = km.keys.iter().map(|key| described(Some(key.kvno), key.etype)).collect();
    let advice = match candidates.iter().any(|candidate| candidate.key.is_some()) {
        true => "it is another realm's, or from before the database was made anew",
        false => "write one that has the newest key: kdb5_util stash -f FILE",
    };
    MasterKeyProblem::Wrong {
        given: given.join("; "),
        wanted: wanted.join("; "),
        advice,
    }
}

#[cfg(test)]
mod tests {
    use tessera_common::crypto::EncType;

    use super::*;
    use crate::migration::mit::fields::Fields;
    use crate::migration::mit::key_data::tests::sealed;
    use crate::store::test_realm::Counter;

    fn key(octet: u8) -> Key {
        Key::new(EncType::Aes256CtsHmacSha1_96, &[octet; 32]).unwrap()
    }

    fn candidate(kvno: u32, octet: u8) -> Candidate {
        Candidate {
            kvno: Some(kvno),
            etype: 18,
            key: Some(key(octet)),
        }
    }

    fn km(keys: Vec<KeyData>) -> PrincipalLine {
        let text = b"38\t5\t0\t0\t0\tK/M@R\t64\t0\t0\t0\t0\t0\t0\t0\t-1;";
        let mut line = PrincipalLine::parse(&mut Fields::new(text)).unwrap();
        line.keys = keys;
        line
    }

    /// Keys 1, 2 and 3, all under 3, and 3 under each of the others.
    fn rolled_over() -> PrincipalLine {
        let mut random = Counter::default();
        let keys = [3, 2, 1].map(|kvno: u8| sealed(&key(kvno), kvno.into(), &key(3), &mut random));
        let mut line = km(keys.to_vec());
        line.tl_data.master_key_aux = [2, 1]
            .map(|under: u8| sealed(&key(3), 3, &key(under), &mut random))
            .to_vec();
        line
    }

    #[test]
    fn any_of_the_master_keys_opens_all_of_them() {
        for with in 1..=3 {
            let masters = MasterKeys::open(&rolled_over(), &[candidate(9, 9), candidate(with.into(), with)]).unwrap();
            for kvno in 1..=3 {
                assert_eq!(masters.get(Some(kvno.into())), Ok(&key(kvno)));
            }
            assert_eq!(masters.get(None), Ok(&key(1)), "what names none is under the oldest");
            assert!(
                masters
                    .get(Some(4))
                    .unwrap_err()
                    .contains("version 4, which K/M does not have")
            );
        }
    }

    #[test]
    fn a_wrong_one_is_told_with_what_was_given_and_what_is_wanted() {
        let error = MasterKeys::open(&rolled_over(), &[candidate(1, 9)])
            .unwrap_err()
            .to_string();
        for part in [
            "(version 1, aes256-cts-hmac-sha1-96)",
            "K/M, which has version 3, aes256",
            "version 1, aes256",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let foreign = Candidate {
            kvno: None,
            etype: 16,
            key: None,
        };
        let error = MasterKeys::open(&rolled_over(), &[foreign]).unwrap_err().to_string();
        assert!(
            error.contains("(des3-cbc-sha1)") && error.contains("kdb5_util stash"),
            "{error}"
        );
    }

    #[test]
    fn enctypes_that_are_never_used_here_open_nothing() {
        let mut line = rolled_over();
        line.keys[0].etype = 16;
        let error = MasterKeys::open(&line, &[candidate(3, 3)]).unwrap_err().to_string();
        assert!(
            error.contains("des3-cbc-sha1") && error.contains("add_mkey -e aes256"),
            "{error}"
        );

        let mut line = rolled_over();
        line.keys[2].etype = 16;
        let masters = MasterKeys::open(&line, &[candidate(3, 3)]).unwrap();
        assert_eq!(masters.get(Some(2)), Ok(&key(2)));
        assert!(masters.get(Some(1)).unwrap_err().contains("update_princ_encryption"));
    }

    #[test]
    fn without_keys_or_with_damaged_ones_there_is_no_import() {
        assert_eq!(
            MasterKeys::open(&km(vec![]), &[candidate(1, 1)]).unwrap_err(),
            MasterKeyProblem::None
        );
        let mut line = rolled_over();
        line.keys[1].contents[10] ^= 1;
        assert_eq!(
            MasterKeys::open(&line, &[candidate(3, 3)]).unwrap_err(),
            MasterKeyProblem::Damaged(2)
        );
    }
}
