//! A TGS-REQ whose secret parts are the fuzzer's: what a client that holds a session key, or a service that holds its own
//! key, may put into an authenticator, a ticket or a request's body. The first octet says which, the rest is the content.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::crypto::{Key, KeyUsage};
use tessera_common::flags::{ApOptions, KdcOptions};
use tessera_common::wire::{
    Any, ApReq, AsReq, Authenticator, Checksum, EncryptedData, KdcReq, KdcReqBody, KerberosString, Kvno, Microseconds,
    PaData, PaEncTsEnc, PrincipalName, TgsReq, Ticket, UInt32, decode, encode, msg_type, pa_type,
};
use tessera_fuzz::realm::{Counter, ETYPE, NOON, alices_tgt, key_of, principal, with_realm};

fuzz_target!(|octets: &[u8]| {
    let Some((which, content)) = octets.split_first() else {
        return;
    };
    let tgt = alices_tgt();
    let body = encode(&body());
    let request = match which % 5 {
        0 => tgs_request(&tgt.key, &tgt.ticket, &body, content),
        1 => {
            let ticket = ticket(content, "krbtgt/EXAMPLE.COM");
            tgs_request(&tgt.key, &ticket, &body, &authenticator(&tgt.key, &body))
        }
        2 => {
            let ticket = ticket(content, "host/www");
            tgs_request(&tgt.key, &ticket, &body, &authenticator(&tgt.key, &body))
        }
        3 => tgs_request(&tgt.key, &tgt.ticket, content, &authenticator(&tgt.key, content)),
        _ => as_request(content),
    };
    if let Some(answer) = with_realm(|realm| realm.answer(&request)) {
        assert!(!answer.is_empty());
    }
});

fn sealed(key: &Key, usage: KeyUsage, kvno: Option<u32>, plain: &[u8]) -> EncryptedData {
    let cipher = key.encrypt(usage, plain, &mut Counter::default());
    EncryptedData {
        etype: ETYPE.number(),
        kvno: kvno.map(Kvno),
        cipher: cipher.into(),
    }
}

fn wire_name(name: &str) -> PrincipalName {
    PrincipalName::new(1, &principal(name).name)
}

fn body() -> KdcReqBody {
    KdcReqBody {
        kdc_options: KdcOptions::empty(),
        cname: None,
        realm: "EXAMPLE.COM".into(),
        sname: Some(wire_name("host/www")),
        from: None,
        till: None,
        rtime: None,
        nonce: UInt32(7),
        etype: vec![ETYPE.number()],
        addresses: None,
        enc_authorization_data: None,
        additional_tickets: None,
    }
}

fn authenticator(key: &Key, body: &[u8]) -> Vec<u8> {
    encode(&Authenticator {
        authenticator_vno: 5,
        crealm: KerberosString::from("EXAMPLE.COM"),
        cname: wire_name("alice"),
        cksum: Some(Checksum {
            cksumtype: ETYPE.checksum_type(),
            checksum: key.checksum(KeyUsage::TGS_REQ_CHECKSUM, body).into(),
        }),
        cusec: Microseconds(NOON.usec),
        ctime: NOON.time,
        subkey: None,
        seq_number: None,
        authorization_data: None,
    })
}

fn ticket(plain: &[u8], service: &str) -> Vec<u8> {
    encode(&Ticket {
        tkt_vno: 5,
        realm: "EXAMPLE.COM".into(),
        sname: wire_name(service),
        enc_part: sealed(&key_of(service), KeyUsage::TICKET, Some(1), plain),
    })
}

fn tgs_request(key: &Key, ticket: &[u8], body: &[u8], authenticator: &[u8]) -> Vec<u8> {
    let ap_req = ApReq {
        pvno: 5,
        msg_type: msg_type::AP_REQ,
        ap_options: ApOptions::empty(),
        ticket: Any::new(ticket.to_vec()),
        authenticator: sealed(key, KeyUsage::TGS_REQ_AUTHENTICATOR, None, authenticator),
    };
    encode(&TgsReq(KdcReq {
        pvno: 5,
        msg_type: msg_type::TGS_REQ,
        padata: Some(vec![PaData::new(pa_type::TGS_REQ, encode(&ap_req))]),
        req_body: Any::new(body.to_vec()),
    }))
}

// Content that is a request's body takes its place; other content is Alice's proof.
fn as_request(content: &[u8]) -> Vec<u8> {
    let proof = encode(&PaEncTsEnc {
        patimestamp: NOON.time,
        pausec: Some(Microseconds(NOON.usec)),
    });
    let own = KdcReqBody {
        cname: Some(wire_name("alice")),
        ..body()
    };
    let (proof, body) = match decode::<KdcReqBody>(content) {
        Ok(body) => (&*proof, body),
        Err(_) => (content, own),
    };
    let sealed = sealed(&key_of("alice"), KeyUsage::PA_ENC_TIMESTAMP, Some(1), proof);
    encode(&AsReq(KdcReq {
        pvno: 5,
        msg_type: msg_type::AS_REQ,
        padata: Some(vec![PaData::new(pa_type::ENC_TIMESTAMP, encode(&sealed))]),
        req_body: Any::new(encode(&body)),
    }))
}
