//! Keytabs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::crypto::EncType;
use tessera_common::keytab::Keytab;

fuzz_target!(|octets: &[u8]| {
    let Ok(keytab) = Keytab::parse(octets) else { return };
    assert_eq!(Keytab::parse(&keytab.to_bytes()).as_ref(), Ok(&keytab));
    let mut one_of_each = Keytab::default();
    for entry in &keytab.entries {
        let newest = keytab.newest_kvno(&entry.principal);
        assert!(newest.is_some());
        for etype in EncType::ALL {
            let _ = keytab.find(&entry.principal, newest, etype);
            let _ = keytab.find(&entry.principal, None, etype);
        }
        one_of_each.append(entry.clone());
    }
    assert!(one_of_each.entries.len() <= keytab.entries.len());
});
