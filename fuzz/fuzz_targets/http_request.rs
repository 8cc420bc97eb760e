//! What comes to the figures' address: the head of a request, in one piece and in two.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_kdc::front::metrics::{Head, MAX_HEAD, head, response};

fuzz_target!(|octets: &[u8]| {
    let whole = head(octets);
    // What is known of the beginning is not known otherwise when more has come.
    let (first, _) = octets.split_at(octets.len() / 2);
    let begun = head(first);
    assert!(begun == Head::Part || begun == whole, "{begun:?}, then {whole:?}");
    assert!(whole != Head::Part || octets.len() < MAX_HEAD);
    if let Head::Refused(status) = whole {
        let answer = response(status, "text/plain", status.sentence(), false);
        assert!(answer.starts_with(b"HTTP/1.1 4"));
    }
});
