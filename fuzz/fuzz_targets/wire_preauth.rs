//! Pre-authentication beyond RFC 4120: FAST, SPAKE, OTP, and S4U.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::wire::{
    KdcReqBody, KrbFastReq, KrbFastResponse, OtpTokenInfo, PaForUser, PaFxFastReply, PaFxFastRequest, PaOtpChallenge,
    PaOtpEncRequest, PaOtpRequest, PaS4uX509User, PaSpake, S4uUserId, SpakeSecondFactor,
};
use tessera_fuzz::{round_trip, round_trip_implicit};

fuzz_target!(|octets: &[u8]| {
    round_trip::<PaFxFastRequest>(octets);
    if let Some(request) = round_trip::<KrbFastReq>(octets) {
        round_trip::<KdcReqBody>(request.req_body.as_bytes());
    }
    round_trip::<PaFxFastReply>(octets);
    round_trip::<KrbFastResponse>(octets);
    round_trip::<PaSpake>(octets);
    round_trip::<SpakeSecondFactor>(octets);
    round_trip_implicit::<PaOtpChallenge>(octets);
    round_trip_implicit::<OtpTokenInfo>(octets);
    round_trip_implicit::<PaOtpRequest>(octets);
    round_trip_implicit::<PaOtpEncRequest>(octets);
    round_trip::<PaForUser>(octets);
    if let Some(user) = round_trip::<PaS4uX509User>(octets) {
        round_trip::<S4uUserId>(user.user_id.as_bytes());
    }
});
