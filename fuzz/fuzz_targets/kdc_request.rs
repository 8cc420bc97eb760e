//! A whole request to the KDC: whatever comes in, what goes out is an answer of Kerberos or nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::wire::{AsRep, KrbError, TgsRep, decode};
use tessera_fuzz::realm::with_realm;

fuzz_target!(|octets: &[u8]| {
    let Some(answer) = with_realm(|realm| realm.answer(octets)) else {
        return;
    };
    let right = match answer.first() {
        Some(0x6b) => decode::<AsRep>(&answer).is_ok(),
        Some(0x6d) => decode::<TgsRep>(&answer).is_ok(),
        _ => decode::<KrbError>(&answer).is_ok(),
    };
    assert!(right, "{answer:02x?}");
});
