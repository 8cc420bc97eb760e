//! Dumps of Heimdal's database, each with the file of the master key that its keys are sealed under, if they are: read, and
//! imported as a whole.
#![no_main]

use std::cell::RefCell;
use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use tessera_common::name::Realm;
use tessera_common::time::KerberosTime;
use tessera_fuzz::key_file_and_dump;
use tessera_fuzz::realm::Counter;
use tessera_kdc::migration::heimdal::{Content, Entry, MasterKeys, import};
use tessera_kdc::migration::{Finding, Importer, Outcome};
use tessera_kdc::realm::settings::RealmSettings;
use tessera_kdc::store::{Author, Construction, Location};

fuzz_target!(|octets: &[u8]| {
    let Some((key_file, dump)) = key_file_and_dump(octets) else {
        return;
    };
    let masters = match key_file {
        // The keys in the dump are open.
        [] => None,
        file => match MasterKeys::parse(file) {
            Ok(masters) => Some(masters),
            Err(_) => return,
        },
    };
    for line in dump.split(|octet| *octet == b'\n') {
        let Ok(entry) = Entry::parse(line) else { continue };
        let former = entry
            .extensions
            .iter()
            .filter_map(|extension| match &extension.content {
                Content::OldKeys(sets) => Some(sets),
                _ => None,
            });
        let former = former.flatten().flat_map(|set| &set.keys);
        for key in entry.keys.iter().chain(former) {
            if let Some(masters) = &masters {
                let _ = masters.open(key);
            }
        }
    }
    let location = Location {
        state: "/nonexistent/tessera".into(),
        realm: Realm::new("OLD.EXAMPLE").unwrap(),
        credentials: None,
    };
    let settings = RealmSettings::new(location.realm.clone());
    let author = Author::unproved("fuzz", KerberosTime(1_800_000_000));
    let told = RefCell::new(0);
    let mut tell = |finding: &Finding| {
        assert_eq!(finding.to_string().lines().count(), 1);
        *told.borrow_mut() += usize::from(finding.outcome == Outcome::CarriedOver);
    };
    let (mut sealing, mut making) = (Counter::default(), Counter::default());
    let construction = Construction::begin(&location).unwrap();
    let mut importer = Importer::new(construction, &settings, author, &mut sealing, &mut tell);
    if import(Cursor::new(dump), masters.as_ref(), &mut importer, &mut making).is_err() {
        return;
    }
    let (construction, summary) = importer.finish().unwrap();
    let view = construction.view();
    assert!(view.len() >= summary.principals.carried_over);
    assert!(summary.principals.carried_over >= *told.borrow());
    for record in view.iter() {
        for key in &record.keys {
            view.key(&record, key).unwrap();
        }
        for key in &record.former_passwords {
            view.former_password(&record, key).unwrap();
        }
    }
});
