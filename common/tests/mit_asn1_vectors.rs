//! The encodings that MIT's implementation is tested by: each message of ours is read from MIT's octets, and written again
//! as the same octets.
//!
//! The file is `mit/asn1/reference_encode.out`, in the directory that the variable `TESSERA_VECTORS` names, or else in
//! `../shared/vectors` beside this checkout.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed step of a test ends it"
)]

use std::path::{Path, PathBuf};

use tessera_common::wire::{
    AdKdcIssued, ApRep, ApReq, AsRep, AsReq, Authenticator, AuthorizationData, Cammac, EncApRepPart, EncKrbCredPart,
    EncKrbPrivPart, EncTgsRepPart, EncTicketPart, EncryptedData, EncryptionKey, EtypeInfo2Entry, KdcReqBody, KrbCred,
    KrbError, KrbFastResponse, KrbPriv, KrbSafe, KrbSafeBody, Message, MethodData, OtpTokenInfo, PaEncTsEnc, PaForUser,
    PaFxFastReply, PaOtpChallenge, PaOtpEncRequest, PaOtpRequest, PaS4uX509User, PaSpake, S4uUserId, SpakeSecondFactor,
    TgsRep, TgsReq, Ticket, TypedData, decode, decode_implicit, encode,
};

type Check = fn(&[u8]) -> Result<(), String>;

/// Each encoder of MIT's, without `encode_krb5_`, and the type that is ours.
const OURS: &[(&str, Check)] = &[
    ("authenticator", same::<Authenticator>),
    ("ticket", same::<Ticket>),
    ("keyblock", same::<EncryptionKey>),
    ("enc_tkt_part", same::<EncTicketPart>),
    ("enc_kdc_rep_part", same::<EncTgsRepPart>),
    ("as_rep", same::<AsRep>),
    ("tgs_rep", same::<TgsRep>),
    ("ap_req", same::<ApReq>),
    ("ap_rep", same::<ApRep>),
    ("ap_rep_enc_part", same::<EncApRepPart>),
    ("as_req", same_with_body),
    ("tgs_req", same_tgs_with_body),
    ("kdc_req_body", same::<KdcReqBody>),
    ("safe", same_safe),
    ("priv", same::<KrbPriv>),
    ("enc_priv_part", same::<EncKrbPrivPart>),
    ("cred", same::<KrbCred>),
    ("enc_cred_part", same::<EncKrbCredPart>),
    ("error", same::<KrbError>),
    ("authorization_data", same::<AuthorizationData>),
    ("padata_sequence", same::<MethodData>),
    ("typed_data", same::<TypedData>),
    ("etype_info2", same::<Vec<EtypeInfo2Entry>>),
    ("pa_enc_ts", same::<PaEncTsEnc>),
    ("enc_data", same::<EncryptedData>),
    ("pa_for_user", same::<PaForUser>),
    ("pa_s4u_x509_user", same_s4u),
    ("ad_kdcissued", same::<AdKdcIssued>),
    ("fast_response", same::<KrbFastResponse>),
    ("pa_fx_fast_reply", same::<PaFxFastReply>),
    ("otp_tokeninfo", same_implicit::<OtpTokenInfo>),
    ("pa_otp_challenge", same_implicit::<PaOtpChallenge>),
    ("pa_otp_req", same_implicit::<PaOtpRequest>),
    ("pa_otp_enc_req", same_implicit::<PaOtpEncRequest>),
    ("cammac", same::<Cammac>),
    ("spake_factor", same::<SpakeSecondFactor>),
    ("pa_spake", same::<PaSpake>),
];

/// What MIT has and this product has not, and why.
const NOT_OURS: &[(&str, &str)] = &[
    (
        "etype_info",
        "not for clients that know AES (RFC 4120 §5.2.7.5), and others get no ticket here",
    ),
    (
        "sam_challenge_2",
        "single-use authentication was a draft that never became a standard",
    ),
    ("sam_challenge_2_body", "likewise"),
    ("sam_response_2", "likewise"),
    ("enc_sam_response_enc_2", "likewise"),
    ("iakerb_header", "no GSS acceptor of ours relays to a KDC"),
    ("iakerb_finished", "likewise"),
    ("kkdcp_message", "no KDC proxy over HTTPS"),
    ("secure_cookie", "MIT's own content of a cookie that only its KDC opens"),
];

#[test]
#[ignore = "needs the reference vectors beside the checkout"]
fn every_reference_encoding_that_is_ours_reads_and_writes_octet_for_octet() {
    let file = vectors().join("mit/asn1/reference_encode.out");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut seen = Vec::new();
    let mut wrong = Vec::new();
    for line in text.lines() {
        let (name, octets) = line.split_once(": ").expect("a name, a colon and octets");
        let encoder = name.strip_prefix("encode_krb5_").expect("the encoder's prefix");
        let encoder = encoder.split('(').next().unwrap_or(encoder).trim();
        seen.push(encoder.to_owned());
        if NOT_OURS.iter().any(|(theirs, _)| *theirs == encoder) {
            continue;
        }
        let (_, check) = OURS
            .iter()
            .find(|(ours, _)| *ours == encoder)
            .unwrap_or_else(|| panic!("{name} is new"));
        if let Err(what) = check(&from_hex(octets)) {
            wrong.push(format!("{name}: {what}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for name in OURS
        .iter()
        .map(|(name, _)| name)
        .chain(NOT_OURS.iter().map(|(name, _)| name))
    {
        assert!(seen.iter().any(|s| s == name), "{name} is not in the file any more");
    }
}

fn same<T: Message>(octets: &[u8]) -> Result<(), String> {
    written(&decode::<T>(octets).map_err(|e| e.to_string())?, octets)
}

fn same_implicit<T: Message>(octets: &[u8]) -> Result<(), String> {
    written(&decode_implicit::<T>(octets).map_err(|e| e.to_string())?, octets)
}

fn written<T: Message>(value: &T, octets: &[u8]) -> Result<(), String> {
    let again = encode(value);
    if again == octets {
        Ok(())
    } else {
        Err(format!("written as {again:02X?}"))
    }
}

// What is kept as received inside a message is read on its own.
fn same_with_body(octets: &[u8]) -> Result<(), String> {
    let AsReq(request) = decode(octets).map_err(|e| e.to_string())?;
    same::<KdcReqBody>(request.req_body.as_bytes())?;
    same::<AsReq>(octets)
}

fn same_tgs_with_body(octets: &[u8]) -> Result<(), String> {
    let TgsReq(request) = decode(octets).map_err(|e| e.to_string())?;
    same::<KdcReqBody>(request.req_body.as_bytes())?;
    same::<TgsReq>(octets)
}

fn same_safe(octets: &[u8]) -> Result<(), String> {
    let message: KrbSafe = decode(octets).map_err(|e| e.to_string())?;
    same::<KrbSafeBody>(message.safe_body.as_bytes())?;
    same::<KrbSafe>(octets)
}

fn same_s4u(octets: &[u8]) -> Result<(), String> {
    let message: PaS4uX509User = decode(octets).map_err(|e| e.to_string())?;
    same::<S4uUserId>(message.user_id.as_bytes())?;
    same::<PaS4uX509User>(octets)
}

fn vectors() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    std::env::var_os("TESSERA_VECTORS").map_or(beside, PathBuf::from)
}

fn from_hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|pair| u8::from_str_radix(pair, 16).expect("two hexadecimal digits"))
        .collect()
}
