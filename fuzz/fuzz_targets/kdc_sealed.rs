//! A request whose secret parts are the fuzzer's: what a client that holds a session key, or a service that holds its own
//! key, may put into an authenticator, a ticket, a request's body or FAST armor. The first octet says which, the rest is the
//! content.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::crypto::{Key, KeyUsage, cf2};
use tessera_common::flags::{ApOptions, FastOptions, KdcOptions};
use tessera_common::wire::{
    Any, ApReq, AsReq, Authenticator, Checksum, EncryptedData, KdcReq, KdcReqBody, KerberosString, KrbFastArmor,
    KrbFastArmoredReq, KrbFastReq, Kvno, Microseconds, PaData, PaEncTsEnc, PaFxFastRequest, PrincipalName, TgsReq,
    Ticket, UInt32, decode, encode, msg_type, pa_type,
};
use tessera_fuzz::realm::{Counter, ETYPE, NOON, alices_tgt, key_of, principal, with_realm};

fuzz_target!(|octets: &[u8]| {
    let Some((which, content)) = octets.split_first() else {
        return;
    };
    let tgt = alices_tgt();
    let body = encode(&body());
    let request = match which % 8 {
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
        4 => as_request(content),
        5 => armored_as_request(&armor_authenticator(&tgt.key), content, &[]),
        6 => armored_as_request(content, &fast_request(&[]), &[]),
        // The proof inside the armor, whole, and what is under its key.
        _ => armored_as_request(&armor_authenticator(&tgt.key), &fast_request(content), content),
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

fn subkey() -> Key {
    Key::new(ETYPE, &[9; 16]).unwrap()
}

fn armor_authenticator(key: &Key) -> Vec<u8> {
    let plain: Authenticator = decode(&authenticator(key, b"")).unwrap();
    encode(&Authenticator {
        cksum: None,
        subkey: Some((&subkey()).into()),
        ..plain
    })
}

// Alice's request as it stands inside: with a proof under the challenge key, and with the same octets as they are.
fn fast_request(challenge: &[u8]) -> Vec<u8> {
    let key = cf2(
        &armor_key(),
        &key_of("alice"),
        b"clientchallengearmor",
        b"challengelongterm",
    );
    let sealed = sealed(&key, KeyUsage::ENC_CHALLENGE_CLIENT, None, challenge);
    let own = KdcReqBody {
        cname: Some(wire_name("alice")),
        ..body()
    };
    encode(&KrbFastReq {
        fast_options: FastOptions::HIDE_CLIENT_NAMES,
        padata: vec![
            PaData::new(pa_type::FX_COOKIE, challenge.to_vec()),
            PaData::new(pa_type::ENCRYPTED_CHALLENGE, encode(&sealed)),
        ],
        req_body: Any::new(encode(&own)),
    })
}

fn armor_key() -> Key {
    cf2(&subkey(), &alices_tgt().key, b"subkeyarmor", b"ticketarmor")
}

fn armored_as_request(authenticator: &[u8], inner: &[u8], outside: &[u8]) -> Vec<u8> {
    let tgt = alices_tgt();
    let ap_req = ApReq {
        pvno: 5,
        msg_type: msg_type::AP_REQ,
        ap_options: ApOptions::empty(),
        ticket: Any::new(tgt.ticket.clone()),
        authenticator: sealed(&tgt.key, KeyUsage::AP_REQ_AUTHENTICATOR, None, authenticator),
    };
    let outer = encode(&body());
    let key = armor_key();
    let armored = PaFxFastRequest::ArmoredData(KrbFastArmoredReq {
        armor: Some(KrbFastArmor {
            armor_type: 1,
            armor_value: encode(&ap_req).into(),
        }),
        req_checksum: Checksum {
            cksumtype: ETYPE.checksum_type(),
            checksum: key.checksum(KeyUsage::FAST_REQ_CHECKSUM, &outer).into(),
        },
        enc_fast_req: sealed(&key, KeyUsage::FAST_ENC, None, inner),
    });
    encode(&AsReq(KdcReq {
        pvno: 5,
        msg_type: msg_type::AS_REQ,
        padata: Some(vec![
            PaData::new(pa_type::FX_FAST, encode(&armored)),
            PaData::new(pa_type::FX_COOKIE, outside.to_vec()),
        ]),
        req_body: Any::new(outer),
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
