//! New keys for principals, and what becomes of the former ones.

mod rotation;

use core::time::Duration;

use tessera_common::Random;
use tessera_common::crypto::{CryptoError, EncType, Key, string_to_key};
use tessera_common::time::KerberosTime;

use super::principal::{Attributes, PrincipalRecord, StoredKey};
use super::settings::RealmSettings;
use crate::store::{OpenKey, View};
pub use rotation::{
    MOST_FORMER_VERSIONS, Unrotated, activate, check_nothing_staged, drop_past, former, newest_made, next_past, purge,
    rollover_due, shortest_rollover, stage, staged_kvno,
};

/// Keys that no principal has yet: one of each enctype, best first.
#[derive(Debug)]
pub struct FreshKeys(Vec<(Key, Option<Vec<u8>>)>);

impl FreshKeys {
    /// From a password, octet by octet as it was typed. Costs from 1 ms (SHA-1) to 27 ms (aes256 with SHA-2) of CPU for each
    /// enctype: never on a thread that requests wait for.
    ///
    /// # Errors
    /// When an enctype has no string-to-key with default parameters; there is none such.
    pub fn from_password(enctypes: &[EncType], password: &[u8], salt: &[u8]) -> Result<Self, CryptoError> {
        let make = |etype: &EncType| {
            let key = string_to_key(*etype, password, salt, None)?;
            Ok((key, Some(salt.to_vec())))
        };
        enctypes.iter().map(make).collect::<Result<_, _>>().map(Self)
    }

    /// At random.
    pub fn at_random(enctypes: &[EncType], random: &mut dyn Random) -> Self {
        Self(
            enctypes
                .iter()
                .map(|etype| (Key::random(*etype, random), None))
                .collect(),
        )
    }

    /// The keys themselves, of this version and made then.
    pub fn into_open(self, kvno: u32, made: KerberosTime) -> impl Iterator<Item = OpenKey> {
        self.0.into_iter().map(move |(key, salt)| OpenKey {
            kvno,
            key,
            salt,
            made: Some(made),
            retired: None,
        })
    }
}

/// What becomes of a principal's former keys when it gets new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Former {
    /// They are gone.
    Dropped,
    /// They stay good.
    Kept,
    /// They stay good until then, those that have no earlier end.
    KeptUntil(KerberosTime),
}

impl Former {
    /// What is due to this principal: a ticket-granting service's former keys are needed as long as a ticket under them can
    /// live, however its keys are changed; of another's, what `keep` says.
    #[must_use]
    pub fn due(record: &PrincipalRecord, keep: bool, settings: &RealmSettings, now: KerberosTime) -> Self {
        match record.name.tgs_realm() {
            _ if keep => Self::Kept,
            Some(_) => Self::KeptUntil(last_need(record, settings, now)),
            None => Self::Dropped,
        }
    }
}

/// Until when a ticket may need a key of this principal that seals none from now on.
///
/// It is the end of the last one that was sealed with it, and not until when that could be renewed: RFC 4120 §2.3 has a ticket
/// renewed before it expires, and what comes of it is sealed with the current key. The longer of the realm's and the
/// principal's own life counts, since either may have been longer a moment ago; a ticket that was given while both were longer
/// than they are now, or postdated to begin later, may outlive the key. The skew is for clocks that are behind.
#[must_use]
pub fn last_need(record: &PrincipalRecord, settings: &RealmSettings, now: KerberosTime) -> KerberosTime {
    need_ends(record.max_life.unwrap_or_default(), settings, now)
}

/// Until when a ticket may need a key that seals none from now on, if `own` is as long as the principal lets tickets live.
#[must_use]
pub fn need_ends(own: Duration, settings: &RealmSettings, now: KerberosTime) -> KerberosTime {
    let skew = settings.clock_skew.max(Duration::from_secs(1));
    now.plus(settings.lifetime.max(own).saturating_add(skew))
}

/// Gives a principal new keys, of a version that none of its keys ever had. Whatever its password's age demanded is met by
/// that. Keys that were staged are gone: keytabs may have them, and two keys of one version would not be told apart.
pub fn replace(
    view: &View,
    record: &mut PrincipalRecord,
    fresh: &FreshKeys,
    former: Former,
    now: KerberosTime,
    random: &mut dyn Random,
) {
    let new = seal(view, record, fresh, now, random);
    put_in_force(record, new, former, now);
}

/// Keys of the next version, sealed for their place in a record.
fn seal(
    view: &View,
    record: &PrincipalRecord,
    fresh: &FreshKeys,
    now: KerberosTime,
    random: &mut dyn Random,
) -> Vec<StoredKey> {
    let versions = record.keys.iter().chain(&record.staged).map(|key| key.kvno);
    let kvno = versions.max().map_or(1, |newest| newest.saturating_add(1));
    let stored = fresh.0.iter().map(|(key, salt)| StoredKey {
        kvno,
        etype: key.etype(),
        salt: salt.clone(),
        made: Some(now),
        retired: None,
        sealed: view.seal(record.id, kvno, key, random),
    });
    stored.collect()
}

/// Tickets are sealed with these from now on.
fn put_in_force(record: &mut PrincipalRecord, new: Vec<StoredKey>, former: Former, now: KerberosTime) {
    let kept = match former {
        Former::Dropped => Vec::new(),
        Former::Kept => core::mem::take(&mut record.keys),
        Former::KeptUntil(end) => {
            let mut kept = core::mem::take(&mut record.keys);
            kept.retain(|key| key.retired.is_none_or(|retired| retired > now));
            for key in &mut kept {
                key.retired = Some(key.retired.map_or(end, |retired| retired.min(end)));
            }
            kept
        }
    };
    record.keys = new.into_iter().chain(kept).collect();
    record.staged = Vec::new();
    record.keys_changed = Some(now);
    record.password_expires = None;
    record.attributes = record.attributes.without(Attributes::MUST_CHANGE_PASSWORD);
}

#[cfg(test)]
mod tests {
    use tessera_common::name::{Name, Realm};

    use super::*;
    use crate::realm::principal::PrincipalId;
    use crate::store::test_realm::{Counter, keyring, principal};
    use crate::store::{Memory, Store as _};

    const NOW: KerberosTime = KerberosTime(1_000_000);

    fn settings() -> RealmSettings {
        RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap())
    }

    fn rotated(name: &str, keep: &[bool]) -> PrincipalRecord {
        let store = Memory::new(keyring());
        let mut record = principal(1, name);
        let mut random = Counter::default();
        for (round, keep) in keep.iter().enumerate() {
            let now = NOW.plus(Duration::from_secs(3600 * u64::try_from(round).unwrap()));
            let fresh = FreshKeys::at_random(&[EncType::Aes256CtsHmacSha1_96], &mut random);
            let former = Former::due(&record, *keep, &settings(), now);
            replace(&store.view(), &mut record, &fresh, former, now, &mut random);
        }
        record
    }

    fn versions(record: &PrincipalRecord) -> Vec<(u32, Option<i64>)> {
        record
            .keys
            .iter()
            .map(|key| (key.kvno, key.retired.map(|at| at.0 - NOW.0)))
            .collect()
    }

    #[test]
    fn new_keys_have_the_next_version_and_open_in_their_place() {
        let store = Memory::new(keyring());
        let mut record = principal(1, "alice");
        record.attributes = Attributes::MUST_CHANGE_PASSWORD | Attributes::NO_PREAUTH;
        record.password_expires = Some(KerberosTime(5));
        let salt = Name::parse("alice").unwrap().default_salt(&settings().name);
        let fresh = FreshKeys::from_password(&EncType::ALL, b"secret", &salt).unwrap();
        replace(
            &store.view(),
            &mut record,
            &fresh,
            Former::Dropped,
            NOW,
            &mut Counter::default(),
        );

        assert_eq!(record.kvno(), Some(1));
        assert_eq!(record.keys_changed, Some(NOW));
        assert_eq!(
            (record.attributes, record.password_expires),
            (Attributes::NO_PREAUTH, None)
        );
        let etypes: Vec<_> = record.current_keys().map(|key| key.etype).collect();
        assert_eq!(etypes, EncType::ALL);
        for stored in &record.keys {
            assert_eq!(stored.salt.as_deref(), Some(&b"EXAMPLE.COMalice"[..]));
            let expected = string_to_key(stored.etype, b"secret", b"EXAMPLE.COMalice", None).unwrap();
            assert_eq!(store.view().key(&record, stored).unwrap(), &expected);
            let elsewhere = PrincipalRecord {
                id: PrincipalId([9; 16]),
                ..record.clone()
            };
            assert!(store.view().key(&elsewhere, stored).is_err());
        }
    }

    #[test]
    fn former_keys_go_unless_they_are_to_be_kept() {
        assert_eq!(versions(&rotated("host/a", &[false, false, false])), [(3, None)]);
        assert_eq!(
            versions(&rotated("host/a", &[false, true, true])),
            [(3, None), (2, None), (1, None)]
        );
    }

    #[test]
    fn a_ticket_granting_services_former_keys_outlive_the_tickets_under_them() {
        let life = 10 * 3600 + 300;
        assert_eq!(
            versions(&rotated("krbtgt/EXAMPLE.COM", &[false, false, false])),
            [(3, None), (2, Some(2 * 3600 + life)), (1, Some(3600 + life))]
        );
        let long_ago = rotated("krbtgt/EXAMPLE.COM", &[false; 14]);
        assert_eq!(
            long_ago.keys.last().map(|key| key.kvno),
            Some(3),
            "those before are past their time"
        );
    }
}
