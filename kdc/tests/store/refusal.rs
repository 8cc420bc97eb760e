//! What is not opened, why, and that it is left as it is.

use std::os::unix::fs::PermissionsExt as _;

use tessera_kdc::store::MasterKeyError;

use super::*;

/// Opens a database that is to be refused, and sees that nothing of it changes.
fn refused_untouched(site: &Site) -> OpenError {
    let before = everything(&site.state());
    let error = site.refused();
    assert_eq!(everything(&site.state()), before, "{error}");
    error
}

#[test]
fn a_database_that_is_open_is_refused_with_the_process_that_has_it() {
    let site = Site::with_users(2);
    let _open = site.open();
    let pid = std::process::id();
    assert!(matches!(refused_untouched(&site), OpenError::InUse { pid: Some(found), .. } if found == pid));
}

#[test]
fn a_database_of_another_realm_is_refused() {
    let site = Site::with_users(2);
    let other = Options {
        realm: Realm::new("OTHER.ORG").unwrap(),
        ..site.options()
    };
    let before = everything(&site.state());
    let error = Durable::open(&site.state(), &other).err().unwrap();
    assert!(
        matches!(&error, OpenError::OtherRealm { found, expected, .. } if *found == realm() && *expected == other.realm)
    );
    assert_eq!(everything(&site.state()), before);
    // The case counts.
    let lower = Options {
        realm: Realm::new("example.com").unwrap(),
        ..site.options()
    };
    assert!(matches!(
        Durable::open(&site.state(), &lower).err(),
        Some(OpenError::OtherRealm { .. })
    ));
}

#[test]
fn a_database_without_its_master_key_is_refused() {
    let site = Site::with_users(2);
    let key = site.state().join("master.key");
    let text = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let error = refused_untouched(&site);
    assert!(
        matches!(error, OpenError::MasterKey(MasterKeyError::Missing { master: 1, .. })),
        "{error}"
    );

    drop(Site {
        directory: tempfile::tempdir().unwrap(),
        ..Site::new()
    });
    let stranger = Site::with_users(0);
    fs::copy(stranger.state().join("master.key"), &key).unwrap();
    let error = refused_untouched(&site);
    assert!(
        matches!(error, OpenError::MasterKey(MasterKeyError::Wrong { master: 1, .. })),
        "{error}"
    );

    let renumbered = String::from_utf8(text.clone()).unwrap().replace("\n1 ", "\n2 ");
    fs::write(&key, renumbered).unwrap();
    let error = refused_untouched(&site);
    assert!(
        matches!(error, OpenError::MasterKey(MasterKeyError::NotHeld { master: 1, .. })),
        "{error}"
    );

    fs::write(&key, &text).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = refused_untouched(&site);
    assert!(
        matches!(error, OpenError::MasterKey(MasterKeyError::Open { mode: 0o644, .. })),
        "{error}"
    );

    fs::write(&key, b"").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let error = refused_untouched(&site);
    assert!(
        matches!(error, OpenError::MasterKey(MasterKeyError::Malformed { .. })),
        "{error}"
    );

    fs::write(&key, &text).unwrap();
    assert_eq!(site.open().view().len(), 2);
}

#[test]
fn a_master_key_may_come_as_a_credential() {
    let site = Site::with_users(2);
    let credentials = tempfile::tempdir().unwrap();
    fs::rename(
        site.state().join("master.key"),
        credentials.path().join("tessera-master-key"),
    )
    .unwrap();
    let options = Options {
        credentials: Some(credentials.path().into()),
        ..site.options()
    };
    assert_eq!(Durable::open(&site.state(), &options).unwrap().store.view().len(), 2);
    assert!(!site.state().join("master.key").exists());
}

#[test]
fn a_database_whose_journal_is_gone_is_refused_and_not_made_anew() {
    let site = Site::with_users(2);
    let journal = site.segment();
    let octets = fs::read(&journal).unwrap();
    fs::remove_file(&journal).unwrap();
    let error = refused_untouched(&site);
    assert!(matches!(error, OpenError::Damaged(_)), "{error}");
    fs::write(&journal, &octets).unwrap();
    fs::remove_file(site.state().join("realm")).unwrap();
    let error = refused_untouched(&site);
    assert!(matches!(error, OpenError::Unfinished(_)), "{error}");
}

#[test]
fn a_making_that_was_interrupted_is_begun_again() {
    let site = Site::with_users(0);
    fs::remove_file(site.state().join("realm")).unwrap();
    fs::write(site.state().join("realm.incomplete"), "EXAM").unwrap();
    assert!(site.try_open().unwrap().fresh);
    assert!(site.try_open().unwrap().fresh);
}

#[test]
fn what_is_made_is_for_its_owner_alone() {
    let site = Site {
        segment_octets: 600,
        ..Site::new()
    };
    let store = site.open();
    (0..20).for_each(|n| add(&store, n));
    drop(store);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&site.state()), 0o700);
    for (path, _) in everything(&site.state()) {
        assert_eq!(mode(&path), 0o600, "{path:?}");
        assert_eq!(mode(path.parent().unwrap()), 0o700, "{path:?}");
    }
    assert_eq!(mode(&site.state().join("index")), 0o700);
}
