//! The framing of password changes, and what is inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::kpasswd::{AdPolicy, NewPassword, Outcome, Reply, Request, Version};
use tessera_common::wire::ChangePasswdData;
use tessera_fuzz::round_trip;

fuzz_target!(|octets: &[u8]| {
    if let Ok(request) = Request::decode(octets) {
        assert_eq!(Request::decode(&request.encode().unwrap()), Ok(request));
    }
    if let Ok(reply) = Reply::decode(octets) {
        let _ = reply.encode(Version::Set);
        assert_eq!(Reply::decode(&reply.encode(Version::Change).unwrap()), Ok(reply));
    }
    for version in [Version::Change, Version::Set] {
        let _ = NewPassword::decode(version, octets);
    }
    if let Some(outcome) = Outcome::decode(octets) {
        let _ = outcome.encode();
    }
    let _ = AdPolicy::decode(octets);
    round_trip::<ChangePasswdData>(octets);
});
