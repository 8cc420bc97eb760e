//! AS-REQ, TGS-REQ, their body, and the pre-authentication data of RFC 4120 in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::wire::{AsReq, EtypeInfo2Entry, KdcReq, KdcReqBody, MethodData, PaEncTsEnc, TgsReq};
use tessera_fuzz::round_trip;

fuzz_target!(|octets: &[u8]| {
    let requests = [
        round_trip::<AsReq>(octets).map(|r| r.0),
        round_trip::<TgsReq>(octets).map(|r| r.0),
    ];
    for KdcReq { req_body, .. } in requests.into_iter().flatten() {
        round_trip::<KdcReqBody>(req_body.as_bytes());
    }
    round_trip::<KdcReqBody>(octets);
    round_trip::<MethodData>(octets);
    round_trip::<PaEncTsEnc>(octets);
    round_trip::<Vec<EtypeInfo2Entry>>(octets);
});
