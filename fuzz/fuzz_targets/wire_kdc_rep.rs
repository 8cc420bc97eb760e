//! AS-REP, TGS-REP and their encrypted part, KRB-ERROR and what its e-data may hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::wire::{
    AsRep, EncAsRepPart, EncTgsRepPart, KrbError, MethodData, TgsRep, TypedData, decode_enc_kdc_rep_part, encode,
};
use tessera_fuzz::round_trip;

fuzz_target!(|octets: &[u8]| {
    round_trip::<AsRep>(octets);
    round_trip::<TgsRep>(octets);
    if let Ok(part) = decode_enc_kdc_rep_part(octets) {
        for again in [
            encode(&EncAsRepPart(part.clone())),
            encode(&EncTgsRepPart(part.clone())),
        ] {
            assert_eq!(decode_enc_kdc_rep_part(&again).as_ref(), Ok(&part));
        }
    }
    if let Some(data) = round_trip::<KrbError>(octets).and_then(|error| error.e_data) {
        round_trip::<MethodData>(&data);
        round_trip::<TypedData>(&data);
    }
});
