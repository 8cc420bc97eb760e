//! A whole request to the password service.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::kpasswd::Reply;
use tessera_fuzz::realm::with_realm;

fuzz_target!(|octets: &[u8]| {
    if let Some(answer) = with_realm(|realm| realm.password_answer(octets)) {
        assert!(Reply::decode(&answer).is_ok(), "{answer:02x?}");
    }
});
