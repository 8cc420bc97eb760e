//! The messages between a client and a service: AP-REQ, AP-REP, KRB-SAFE, KRB-PRIV, KRB-CRED, and their encrypted parts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::ap::ApRequest;
use tessera_common::wire::{
    ApRep, ApReq, Authenticator, EncApRepPart, EncKrbCredPart, EncKrbPrivPart, KrbCred, KrbPriv, KrbSafe, KrbSafeBody,
};
use tessera_fuzz::round_trip;

fuzz_target!(|octets: &[u8]| {
    round_trip::<ApReq>(octets);
    round_trip::<Authenticator>(octets);
    round_trip::<ApRep>(octets);
    round_trip::<EncApRepPart>(octets);
    if let Some(message) = round_trip::<KrbSafe>(octets) {
        round_trip::<KrbSafeBody>(message.safe_body.as_bytes());
    }
    round_trip::<KrbPriv>(octets);
    round_trip::<EncKrbPrivPart>(octets);
    round_trip::<KrbCred>(octets);
    round_trip::<EncKrbCredPart>(octets);
    let _ = ApRequest::decode(octets);
});
