//! A whole reply to the client: what a hostile KDC, or whoever sits between, may answer. An even first octet answers the
//! AS-REQ, an odd one the TGS-REQ; with 2 or 3 added, the rest is the encrypted part of an otherwise right reply; with 4, it
//! is what stands inside the armor of a reply to an armored AS-REQ, with 6, of an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_client::exchange::{Armor, AsExchange, AsRequest, AsStep, ClockOffset, TgsExchange, TgsRequest};
use tessera_common::crypto::{Key, KeyUsage, cf2};
use tessera_common::wire::{
    Any, ApReq, AsRep, AsReq, Authenticator, EncryptedData, KdcRep, KrbError, KrbFastArmoredRep, Microseconds, PaData,
    PaFxFastReply, PaFxFastRequest, PrincipalName, TgsRep, decode, encode, msg_type, pa_type,
};
use tessera_fuzz::realm::{Counter, ETYPE, NOON, alices_tgt, key_of, principal};

fuzz_target!(|octets: &[u8]| {
    let Some((which, content)) = octets.split_first() else {
        return;
    };
    let mut random = Counter::default();
    if which & 4 != 0 {
        return armored(which & 2 != 0, content);
    }
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

// The KDC knows the armor key as the client's request gives it: by the subkey in the armor's authenticator.
fn armored(is_error: bool, content: &[u8]) {
    let mut random = Counter::default();
    let tgt = alices_tgt();
    let request = AsRequest {
        armor: Some(Armor {
            credential: tgt.clone(),
            offset: ClockOffset(0),
        }),
        ..AsRequest::new(principal("alice"))
    };
    let (mut exchange, sent) = AsExchange::begin(request, NOON, &mut random);
    let AsReq(request) = decode(&sent.octets).unwrap();
    let padata = request.padata.unwrap();
    let fast = padata.iter().find(|pa| pa.padata_type == pa_type::FX_FAST).unwrap();
    let PaFxFastRequest::ArmoredData(fast) = decode(&fast.padata_value).unwrap();
    let ap_req: ApReq = decode(&fast.armor.unwrap().armor_value).unwrap();
    let usage = KeyUsage::AP_REQ_AUTHENTICATOR;
    let authenticator = tgt.key.decrypt(usage, &ap_req.authenticator.cipher).unwrap();
    let authenticator: Authenticator = decode(&authenticator).unwrap();
    let subkey = Key::new(ETYPE, &authenticator.subkey.unwrap().keyvalue).unwrap();
    let armor = cf2(&subkey, &tgt.key, b"subkeyarmor", b"ticketarmor");
    let sealed = PaFxFastReply::ArmoredData(KrbFastArmoredRep {
        enc_fast_rep: EncryptedData {
            etype: ETYPE.number(),
            kvno: None,
            cipher: armor.encrypt(KeyUsage::FAST_REP, content, &mut random).into(),
        },
    });
    let padata = vec![PaData::new(pa_type::FX_FAST, encode(&sealed))];
    let answer = if is_error {
        encode(&KrbError {
            pvno: 5,
            msg_type: msg_type::ERROR,
            ctime: None,
            cusec: None,
            stime: NOON.time,
            susec: Microseconds(NOON.usec),
            error_code: 25,
            crealm: None,
            cname: None,
            realm: "EXAMPLE.COM".into(),
            sname: PrincipalName::new(2, &principal("krbtgt/EXAMPLE.COM").name),
            e_text: None,
            e_data: Some(encode(&padata).into()),
        })
    } else {
        let mut reply = reply(msg_type::AS_REP, &key_of("alice"), KeyUsage::AS_REP, content);
        reply.padata = Some(padata);
        encode(&AsRep(reply))
    };
    if let Ok(AsStep::NeedKey(_)) = exchange.receive(&answer, NOON, &mut random) {
        let _ = exchange.key(&key_of("alice"), NOON, &mut random);
    }
}

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
