//! Passwords, keys and what is refused without them.

use std::sync::Arc;

use tessera_client::exchange::{AsExchange, AsRequest, AsStep};
use tessera_common::crypto::EncType;
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::TicketFlags;
use tessera_common::wire::{self, EtypeInfo2Entry, KrbError, MethodData, pa_type};
use tessera_kdc::realm::accounting::Transport;
use tessera_kdc::realm::principal::Attributes;

use crate::world::{NOON, World, code, hours, principal};

fn alice() -> AsRequest {
    AsRequest::new(principal("alice"))
}

fn first_answer(world: &mut World, request: AsRequest) -> Arc<[u8]> {
    let (_, outbound) = AsExchange::begin(request, world.client_clock(), &mut world.random);
    world.deliver(&outbound.octets, Transport::Udp).unwrap()
}

fn error(octets: &[u8]) -> KrbError {
    wire::decode(octets).unwrap()
}

#[test]
fn a_wrong_password_is_preauth_failed_and_tells_the_salt() {
    let mut world = World::new();
    assert_eq!(code(world.login("wrong", alice())), ErrorCode::KDC_ERR_PREAUTH_FAILED);
    assert_eq!(world.last_reason(), "wrong-proof");
    let (_, proof) = world.sent.last().unwrap().clone();
    let refused = error(&world.deliver(&proof, Transport::Udp).unwrap());
    let methods: MethodData = wire::decode(&refused.e_data.unwrap()).unwrap();
    assert_eq!(methods[0].padata_type, pa_type::ETYPE_INFO2);
}

#[test]
fn what_is_offered_names_salts_first_and_only_what_was_asked_for() {
    let mut world = World::new();
    let mut request = alice();
    request.etypes = vec![
        EncType::Aes128CtsHmacSha1_96,
        EncType::Aes128CtsHmacSha256_128,
        EncType::Aes256CtsHmacSha1_96,
    ];
    let refused = error(&first_answer(&mut world, request));
    assert_eq!(refused.error_code, ErrorCode::KDC_ERR_PREAUTH_REQUIRED.0);
    assert_eq!((refused.stime, refused.susec.0), (NOON, 500_000));
    let methods: MethodData = wire::decode(&refused.e_data.unwrap()).unwrap();
    let types: Vec<i32> = methods.iter().map(|pa| pa.padata_type).collect();
    assert_eq!(types, [pa_type::ETYPE_INFO2, pa_type::ENC_TIMESTAMP, pa_type::FX_FAST]);
    let info: Vec<EtypeInfo2Entry> = wire::decode(&methods[0].padata_value).unwrap();
    let offered: Vec<(i32, &[u8])> = info
        .iter()
        .map(|e| (e.etype, e.salt.as_ref().unwrap().as_bytes()))
        .collect();
    assert_eq!(offered, [(17, &b"EXAMPLE.COMalice"[..]), (18, b"EXAMPLE.COMalice")]);
}

#[test]
fn no_common_enctype_is_said_so() {
    let mut world = World::new();
    let mut request = alice();
    request.etypes = vec![EncType::Aes256CtsHmacSha384_192];
    assert_eq!(code(world.login("alice", request)), ErrorCode::KDC_ERR_ETYPE_NOSUPP);
}

#[test]
fn reply_session_and_ticket_keys_are_chosen_each_by_its_own_rule() {
    let mut world = World::new();
    // The service has only aes128, the client prefers it last: the session follows, the reply does not.
    world.change("host/www", |_, record| {
        record.keys.retain(|key| key.etype == EncType::Aes128CtsHmacSha1_96);
    });
    let mut request = alice();
    request.service = Some("host/www".parse().unwrap());
    let reply = world.login("alice", request).unwrap();
    assert_eq!(reply.credential.key.etype(), EncType::Aes128CtsHmacSha1_96);
    assert_eq!(world.open(&reply.credential).0.enc_part.etype, 17);
    let mut request = alice();
    request.etypes = vec![EncType::Aes128CtsHmacSha1_96];
    let tgt = world.login("alice", request).unwrap().credential;
    assert_eq!(tgt.key.etype(), EncType::Aes128CtsHmacSha1_96);
    assert_eq!(
        world.open(&tgt).0.enc_part.etype,
        18,
        "krbtgt's first key, whatever was asked for"
    );
}

#[test]
fn expiry_and_locks_come_before_the_proof_and_password_expiry_after_it() {
    for (settle, right, wrong) in [
        (
            (|r| r.expires = Some(NOON)) as fn(&mut tessera_kdc::realm::principal::PrincipalRecord),
            1,
            1,
        ),
        (|r| r.attributes = Attributes::LOCKED, 18, 18),
        (|r| r.password_expires = Some(NOON), 23, 24),
        (|r| r.attributes = Attributes::MUST_CHANGE_PASSWORD, 23, 24),
    ] {
        let mut world = World::new();
        world.change("alice", |_, record| settle(record));
        assert_eq!(code(world.login("alice", alice())).0, right);
        assert_eq!(code(world.login("wrong", alice())).0, wrong);
    }
}

#[test]
fn an_expired_password_still_gets_a_ticket_to_change_it() {
    let mut world = World::new();
    world.change("alice", |_, record| record.password_expires = Some(NOON));
    let mut request = alice();
    request.service = Some("kadmin/changepw".parse().unwrap());
    let reply = world.login("alice", request).unwrap();
    assert_eq!(
        reply.credential.times.endtime,
        NOON.plus(std::time::Duration::from_secs(300))
    );
    assert_eq!(reply.key_expiration, Some(NOON));
}

#[test]
fn without_required_preauth_a_ticket_says_that_there_was_none() {
    let mut world = World::new();
    world.change("alice", |_, record| record.attributes = Attributes::NO_PREAUTH);
    let tgt = world.tgt(|_| {});
    assert!(!tgt.flags.contains(TicketFlags::PRE_AUTHENT));
    world.change("host/www", |_, record| record.attributes = Attributes::REQUIRE_PREAUTH);
    assert_eq!(code(world.service_ticket(&tgt, "host/www")), ErrorCode::KDC_ERR_POLICY);
    assert_eq!(world.last_reason(), "service-requires-preauth");
}

#[test]
fn hidden_principals_look_like_those_that_exist() {
    for hidden in [false, true] {
        let mut world = World::with(|settings| settings.hide_unknown_principals = hidden);
        let known = error(&first_answer(&mut world, alice()));
        let unknown = error(&first_answer(&mut world, AsRequest::new(principal("nobody"))));
        let wrong = code(world.login("guess", AsRequest::new(principal("nobody"))));
        if hidden {
            let shape = |e: &KrbError| {
                let methods: MethodData = wire::decode(e.e_data.as_ref().unwrap()).unwrap();
                (
                    e.error_code,
                    e.e_text.clone(),
                    methods.iter().map(|pa| pa.padata_type).collect::<Vec<_>>(),
                )
            };
            assert_eq!(shape(&known), shape(&unknown));
            assert_eq!(wrong, ErrorCode::KDC_ERR_PREAUTH_FAILED);
            world.change("alice", |_, record| record.attributes = Attributes::LOCKED);
            assert_eq!(code(world.login("wrong", alice())), ErrorCode::KDC_ERR_PREAUTH_FAILED);
            assert_eq!(code(world.login("alice", alice())), ErrorCode::KDC_ERR_CLIENT_REVOKED);
        } else {
            assert_eq!(unknown.error_code, ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN.0);
            assert_eq!(wrong, ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN);
        }
    }
}

#[test]
fn a_proof_in_another_request_is_a_replay() {
    let mut world = World::new();
    world.tgt(|_| {});
    let (_, sent) = world.sent.last().unwrap().clone();
    let wire::AsReq(mut request) = wire::decode(&sent).unwrap();
    let mut body: wire::KdcReqBody = wire::decode(request.req_body.as_bytes()).unwrap();
    body.nonce.0 ^= 1;
    request.req_body = wire::Any::new(wire::encode(&body));
    let refused = error(
        &world
            .deliver(&wire::encode(&wire::AsReq(request)), Transport::Udp)
            .unwrap(),
    );
    assert_eq!(refused.error_code, ErrorCode::KRB_AP_ERR_REPEAT.0);
}

#[test]
fn the_reply_proves_that_the_request_came_as_it_was_sent() {
    let mut world = World::new();
    let reply = world.login("alice", alice()).unwrap();
    assert!(reply.credential.flags.contains(TicketFlags::ENC_PA_REP));
    // A request that somebody weakened on its way: the client notices by the checksum.
    let (mut exchange, first) = AsExchange::begin(alice(), world.client_clock(), &mut world.random);
    let answer = world.deliver(&first.octets, Transport::Udp).unwrap();
    let clock = world.client_clock();
    let AsStep::NeedKey(wanted) = exchange.receive(&answer, clock, &mut world.random).unwrap() else {
        panic!("no key")
    };
    let key = wanted.derive(b"alice").unwrap();
    let AsStep::Send(second) = exchange.key(&key, clock, &mut world.random).unwrap() else {
        panic!("not sent")
    };
    let wire::AsReq(mut request) = wire::decode(&second.octets).unwrap();
    let mut body: wire::KdcReqBody = wire::decode(request.req_body.as_bytes()).unwrap();
    body.till = Some(world.now.plus(hours(1)));
    request.req_body = wire::Any::new(wire::encode(&body));
    let answer = world
        .deliver(&wire::encode(&wire::AsReq(request)), Transport::Udp)
        .unwrap();
    assert!(exchange.receive(&answer, clock, &mut world.random).is_err());
}
