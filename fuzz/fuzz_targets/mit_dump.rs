//! MIT's dumps and stash files: what is imported out of them is a realm, whatever they say.
#![no_main]

use std::io::Cursor;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use tessera_common::name::Realm;
use tessera_fuzz::key_file_and_dump;
use tessera_fuzz::mit::{REALM, stash};
use tessera_fuzz::realm::{Counter, NOON};
use tessera_kdc::migration::mit::{Source, import};
use tessera_kdc::migration::{Finding, Importer};
use tessera_kdc::realm::settings::RealmSettings;
use tessera_kdc::store::{Author, Construction, Location};

fuzz_target!(|octets: &[u8]| {
    let Some((own_stash, dump)) = key_file_and_dump(octets) else {
        return;
    };
    // No octets stand for the stash file that opens the seeds.
    let source = Source::Stash(match own_stash {
        [] => stash().into(),
        own => own.to_vec().into(),
    });
    let realm = Realm::new(REALM).unwrap();
    let settings = RealmSettings::new(realm.clone());
    // Nothing is written there.
    let location = Location {
        state: PathBuf::from("/nonexistent/tessera"),
        realm,
        credentials: None,
    };
    let construction = Construction::begin(&location).unwrap();
    let (mut sealing, mut making) = (Counter::default(), Counter::default());
    let mut see = |finding: &Finding| {
        assert!(!finding.to_string().contains('\n'), "{finding:?}");
    };
    let author = Author::unproved("fuzz", NOON.time);
    let mut importer = Importer::new(construction, &settings, author, &mut sealing, &mut see);
    let Ok(()) = import(Cursor::new(dump), &source, &mut importer, &mut making) else {
        return;
    };
    let Ok((construction, summary)) = importer.finish() else {
        return;
    };
    let view = construction.view();
    assert!(view.len() >= summary.principals.carried_over);
    let (mut keys, mut former) = (0, 0);
    for record in view.iter() {
        assert_eq!(view.find(&record.name).map(|found| found.id), Some(record.id));
        for key in &record.keys {
            view.key(&record, key).unwrap();
            keys += 1;
        }
        for key in &record.former_passwords {
            view.former_password(&record, key).unwrap();
            former += 1;
        }
        if let Some(policy) = &record.policy {
            assert!(view.access().declared().policy(policy.as_str()).is_some());
        }
    }
    assert!(keys >= summary.keys.carried_over && former == summary.former_passwords.carried_over);
});
