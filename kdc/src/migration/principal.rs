//! A principal of another database, in this realm's terms.

use tessera_common::Random;
use tessera_common::name::Name;
use tessera_common::time::KerberosTime;

use super::finding::{Finding, Item, Whose};
use crate::realm::founding;
use crate::realm::keys::FreshKeys;
use crate::realm::principal::{PrincipalId, PrincipalRecord};
use crate::realm::settings::RealmSettings;
use crate::store::OpenKey;

/// A principal of another database, in this realm's terms, with its keys open.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedPrincipal {
    /// On which line of the file it is, from 1 on.
    pub line: u64,
    /// How reports name it.
    pub shown: String,
    /// All but its keys. It gets an id and a revision when it is put into the database.
    ///
    /// `created` says whose tickets without a binding are taken: a TGT that the other KDC issued is good if its client was
    /// made no later than the client logged in. Where the other database does not say when that was, it is
    /// [`KerberosTime::EPOCH`].
    pub record: PrincipalRecord,
    /// Its keys: the newest version first, and within a version in the order of the other KDC.
    pub keys: Vec<OpenKey>,
    /// The latest first; one key of each.
    pub former_passwords: Vec<OpenKey>,
    /// Whatever is not as it was.
    pub findings: Vec<Finding>,
}

impl ImportedPrincipal {
    /// A principal without keys and with nothing that sets it apart, of which is not known when it was made.
    #[must_use]
    pub fn new(line: u64, name: Name) -> Self {
        Self {
            line,
            shown: name.to_string(),
            record: PrincipalRecord::new(PrincipalId([0; 16]), name, KerberosTime::EPOCH, ""),
            keys: Vec::new(),
            former_passwords: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Says until when the former keys of a ticket-granting service are good: as long as a ticket under them can live.
    pub fn retire_former(&mut self, end: KerberosTime) {
        let newest = self.newest_kvno();
        for key in self.keys.iter_mut().filter(|key| Some(key.kvno) != newest) {
            key.retired = Some(end);
        }
    }

    /// Makes up for keys, none of which is here: one that the realm cannot be without gets random ones, of the version after
    /// `newest`, and of another that had some it is told. `other` is whose KDC had it, and `newest` its newest version there, if
    /// it had any.
    pub(super) fn make_up_for_keys(
        &mut self,
        newest: Option<u32>,
        other: &str,
        settings: &RealmSettings,
        now: KerberosTime,
        random: &mut dyn Random,
    ) {
        let (line, whose) = (self.line, Whose::Principal(self.shown.clone()));
        if founding::is_built_in(&self.record.name, &settings.name) {
            let kvno = newest.unwrap_or_default().saturating_add(1);
            self.keys = FreshKeys::at_random(&settings.enctypes, random)
                .into_open(kvno, now)
                .collect();
            self.record.keys_changed = Some(now);
            let what = format!("new keys, of version {kvno}");
            let finding = Finding::changed(line, whose, Item::Key, what, "the realm cannot be without them");
            let advice =
                format!("tickets that {other}'s KDC issued under the former ones are refused: everybody logs in anew");
            self.findings.push(finding.advising(advice));
        } else if newest.is_some() {
            let what = "the principal, without any key";
            let finding = Finding::changed(line, whose, Item::Principal, what, "none of its keys is of use here");
            let advice = format!(
                "set a password (principal password {0}), or make keys for a service (principal rotate {0}) and fetch them \
                 (principal keytab {0})",
                self.shown
            );
            self.findings.push(finding.advising(advice));
        }
    }

    fn newest_kvno(&self) -> Option<u32> {
        self.keys.iter().map(|key| key.kvno).max()
    }

    /// Takes the oldest version of its keys away, if there is more than one; how many keys that were, and which version.
    pub(super) fn drop_oldest_version(&mut self) -> Option<(u32, usize)> {
        let oldest = self.keys.iter().map(|key| key.kvno).min()?;
        if Some(oldest) == self.newest_kvno() {
            return None;
        }
        let before = self.keys.len();
        self.keys.retain(|key| key.kvno != oldest);
        Some((oldest, before - self.keys.len()))
    }
}

/// Takes all keys away if none of `newest`, the newest version in the other database, is among them: an older one would take
/// its place, and a former password be good again. How many were taken away.
pub(super) fn drop_superseded(keys: &mut Vec<OpenKey>, newest: u32) -> usize {
    if keys.iter().any(|key| key.kvno == newest) {
        return 0;
    }
    core::mem::take(keys).len()
}

#[cfg(test)]
mod tests {
    use tessera_common::crypto::{EncType, Key};

    use super::*;

    fn key(kvno: u32) -> OpenKey {
        OpenKey {
            kvno,
            key: Key::new(EncType::Aes128CtsHmacSha1_96, &[1; 16]).unwrap(),
            salt: None,
            made: None,
            retired: None,
        }
    }

    #[test]
    fn a_former_password_never_becomes_the_present_one() {
        let mut keys = vec![key(3), key(2)];
        assert_eq!((drop_superseded(&mut keys, 3), keys.len()), (0, 2));
        assert_eq!((drop_superseded(&mut keys, 4), keys.len()), (2, 0));
    }

    #[test]
    fn former_keys_have_an_end_and_the_present_ones_none() {
        let mut principal = ImportedPrincipal::new(1, Name::parse("krbtgt/R").unwrap());
        principal.keys = vec![key(3), key(2), key(2)];
        principal.retire_former(KerberosTime(105));
        let ends: Vec<_> = principal.keys.iter().map(|key| key.retired).collect();
        assert_eq!(ends, [None, Some(KerberosTime(105)), Some(KerberosTime(105))]);
    }

    #[test]
    fn the_newest_version_is_never_dropped() {
        let mut principal = ImportedPrincipal::new(1, Name::parse("a").unwrap());
        principal.keys = vec![key(3), key(3), key(1)];
        assert_eq!(principal.drop_oldest_version(), Some((1, 1)));
        assert_eq!(principal.drop_oldest_version(), None);
        assert_eq!(principal.keys.len(), 2);
    }
}
