//! What people type: names of principals and caches, spans and times.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::ccache::{CacheName, parse_primary};
use tessera_common::name::{Principal, Realm};
use tessera_common::time::KerberosTime;
use tessera_common::{duration, mit_time};

fuzz_target!(|octets: &[u8]| {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let realm = Realm::new("EXAMPLE.COM").unwrap();
    for name in [
        Principal::parse(text, Some(&realm)),
        Principal::parse_enterprise(text, Some(&realm)),
    ] {
        let Ok(name) = name else { continue };
        assert_eq!(Principal::parse(&name.to_string(), None), Ok(name));
    }
    if let Ok(name) = text.parse::<CacheName>() {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    if let Ok(file) = parse_primary(text) {
        assert!(!file.contains('/'));
    }
    if let Ok(span) = duration::parse(text) {
        assert_eq!(duration::parse(&duration::format(span)), Ok(span));
    }
    let _ = mit_time::parse_span(text);
    let _ = mit_time::parse_local_time(text, KerberosTime(1_800_000_000), |_| 3600);
    if let Ok(time) = text.parse::<KerberosTime>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
});
