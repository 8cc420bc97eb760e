//! A whole reply to the client: what a hostile KDC, or whoever sits between, may answer. An even first octet answers the
//! AS-REQ, an odd one the TGS-REQ; with 2 or 3 added, the rest is the encrypted part of an otherwise right reply.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_client::exchange::{AsExchange, AsRequest, AsStep, ClockOffset, TgsExchange, TgsRequest};
use tessera_common::crypto::{Key, KeyUsage};
use tessera_common::wire::{Any, AsRep, EncryptedData, KdcRep, PrincipalName, TgsRep, encode, msg_type};
use tessera_fuzz::realm::{Counter, ETYPE, NOON, alices_tgt, key_of, principal};

fuzz_target!(|octets: &[u8]| {
    let Some((which, content)) = octets.split_first() else {
        return;
    };
    let mut random = Counter::default();
    if which & 1 == 0 {
        let mut answer = content.to_vec();
        if which & 2 != 0 {
            let reply = reply(msg_type::AS_REP, &key_of("alice"), KeyUsage::AS_REP, content);
            answer = encode(&AsRep(reply));
        }
        let (mut exchange, _) = AsExchange::begin(AsRequest::new(principal("alice")), NOON, &mut random);
        let step = exchange.receive(&answer, NOON, &mut random);
        if matches!(step, Ok(AsStep::NeedKey(_))) {
            let _ = exchange.key(&key_of("alice"), NOON, &mut random);
        }
    } else {
        let tgt = alices_tgt();
        let mut answer = content.to_vec();
        if which & 2 != 0 {
            let reply = reply(msg_type::TGS_REP, &tgt.key, KeyUsage::TGS_REP_SESSION, content);
            answer = encode(&TgsRep(reply));
        }
        let request = TgsRequest::new(principal("host/www"));
        let (mut exchange, _) = TgsExchange::begin(tgt, request, ClockOffset(0), NOON, &mut random);
        let _ = exchange.receive(&answer, NOON, &mut random);
    }
});

fn reply(msg_type: i32, key: &Key, usage: KeyUsage, plain: &[u8]) -> KdcRep {
    let cipher = key.encrypt(usage, plain, &mut Counter::default());
    KdcRep {
        pvno: 5,
        msg_type,
        padata: None,
        crealm: "EXAMPLE.COM".into(),
        cname: PrincipalName::new(1, &principal("alice").name),
        ticket: Any::new(alices_tgt().ticket),
        enc_part: EncryptedData {
            etype: ETYPE.number(),
            kvno: None,
            cipher: cipher.into(),
        },
    }
}
