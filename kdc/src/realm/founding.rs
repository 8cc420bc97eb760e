//! The principals that a realm cannot be without, and the record that every principal begins with.

use core::time::Duration;

use tessera_common::Random;
use tessera_common::name::{Name, NameError, Realm};
use tessera_common::time::KerberosTime;

use super::keys::{self, Former, FreshKeys};
use super::principal::{Attributes, PrincipalId, PrincipalRecord};
use super::settings::RealmSettings;
use crate::store::{Author, Change, View};

/// How long a ticket to change a password with is good for.
const CHANGE_PASSWORD_LIFE: Duration = Duration::from_secs(5 * 60);
/// And one to administer the realm with.
const ADMINISTRATION_LIFE: Duration = Duration::from_secs(3 * 3600);

/// A principal without keys and with nothing that sets it apart, under a fresh id.
pub fn blank(name: Name, author: &Author, random: &mut dyn Random) -> PrincipalRecord {
    let mut id = PrincipalId([0; 16]);
    random.fill(&mut id.0);
    PrincipalRecord::new(id, name, author.when, &author.who)
}

/// Whether the realm cannot do without this principal: it is neither removed nor renamed.
#[must_use]
pub fn is_built_in(name: &Name, realm: &Realm) -> bool {
    name.tgs_realm() == Some(realm.as_str()) || name.is(&["kadmin", "admin"]) || name.is(&["kadmin", "changepw"])
}

/// The changes that make an empty database a realm: krbtgt/REALM, kadmin/admin and kadmin/changepw with random keys. Those
/// that `view` has already are left alone.
///
/// # Errors
/// When the realm's name cannot be a component of a name.
pub fn found(
    view: &View,
    settings: &RealmSettings,
    author: &Author,
    random: &mut dyn Random,
) -> Result<Vec<Change>, NameError> {
    let principals = [
        (Name::krbtgt(&settings.name), Attributes::empty(), None),
        (
            Name::new(["kadmin", "admin"])?,
            Attributes::NOT_TGT_BASED,
            Some(ADMINISTRATION_LIFE),
        ),
        (
            Name::new(["kadmin", "changepw"])?,
            Attributes::NOT_TGT_BASED,
            Some(CHANGE_PASSWORD_LIFE),
        ),
    ];
    let now: KerberosTime = author.when;
    let missing = principals.into_iter().filter(|(name, ..)| view.find(name).is_none());
    Ok(missing
        .map(|(name, attributes, max_life)| {
            let mut record = blank(name, author, random);
            let fresh = FreshKeys::at_random(&settings.enctypes, random);
            keys::replace(view, &mut record, &fresh, Former::Dropped, now, random);
            record.attributes = attributes;
            record.max_life = max_life;
            Change::Put {
                expected: None,
                record: Box::new(record),
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use tessera_common::name::Realm;

    use super::*;
    use crate::store::test_realm::{Counter, author, keyring};
    use crate::store::{Memory, Store as _};

    #[test]
    fn an_empty_database_becomes_a_realm_once() {
        let settings = RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap());
        let store = Memory::new(keyring());
        let changes = found(&store.view(), &settings, &author(), &mut Counter::default()).unwrap();
        store.commit(&author(), changes).unwrap();

        let view = store.view();
        let names: Vec<_> = view.sorted().map(|record| record.name.to_string()).collect();
        assert_eq!(names, ["kadmin/admin", "kadmin/changepw", "krbtgt/EXAMPLE.COM"]);
        for record in view.iter() {
            assert!(is_built_in(&record.name, &settings.name));
            assert_eq!((record.kvno(), record.keys.len()), (Some(1), 4));
            view.key(&record, &record.keys[0]).unwrap();
        }
        assert!(!is_built_in(&Name::parse("krbtgt/OTHER").unwrap(), &settings.name));
        assert!(
            found(&view, &settings, &author(), &mut Counter::default())
                .unwrap()
                .is_empty()
        );
    }
}
