//! Credential caches of both versions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::ccache::{CredentialCache, Entry};

fuzz_target!(|octets: &[u8]| {
    let Ok(cache) = CredentialCache::parse(octets) else {
        return;
    };
    assert_eq!(CredentialCache::parse(&cache.to_bytes()).as_ref(), Ok(&cache));
    assert_eq!(
        cache.credentials().count() + cache.configs().count(),
        cache.entries.len()
    );
    let _ = cache.kdc_offset();
    for entry in cache.credentials() {
        if let Some(credential) = entry.to_credential() {
            assert_eq!(Entry::from_credential(&credential).to_credential(), Some(credential));
        }
    }
});
