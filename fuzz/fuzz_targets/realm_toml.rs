//! The realm's own configuration.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tessera_kdc::config::Config;

fuzz_target!(|octets: &[u8]| {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Err(problems) = Config::parse(Path::new("/realm.toml"), text) {
        assert!(!problems.is_empty());
        for problem in problems {
            assert!(problem.to_string().starts_with("/realm.toml"), "{problem}");
        }
    }
});
