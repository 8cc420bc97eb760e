use super::fixture::{Counter, Forgetful, Issue, NOW, now};
use crate::ap::{
    Accepted, Acceptor, Agreement, Answer, ApRequest, Channel, Initiator, ReplyError, Role, open_authenticator,
    open_ticket,
};
use crate::crypto::{EncType, Key, KeyUsage};
use crate::error_code::ErrorCode;
use crate::flags::ApOptions;
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{self, ApRep, EncApRepPart, EncryptionKey};

fn accept(issue: &Issue, ap_req: &[u8]) -> Accepted {
    Acceptor::for_service(issue.service.clone())
        .accept(ap_req, &issue.keys()[..], &Forgetful, None, NOW)
        .unwrap()
}

fn talk(client: Agreement, service: Agreement) {
    let mut random = Counter(11);
    assert_eq!((client.role(), service.role()), (Role::Initiator, Role::Acceptor));
    assert_eq!(client.key(), service.key());
    assert_eq!(client.session_key(), service.session_key());
    let (mut client, mut service) = (Channel::stream(client), Channel::stream(service));
    for round in 0..3u8 {
        let sealed = client.make_priv(&[round; 100], now(), &mut random);
        assert_eq!(service.read_priv(&sealed, now()).unwrap().as_slice(), [round; 100]);
        let signed = service.make_safe(&[round; 10], now());
        assert_eq!(client.read_safe(&signed, now()).unwrap().as_slice(), [round; 10]);
        let sealed = service.make_priv(b"", now(), &mut random);
        assert_eq!(client.read_priv(&sealed, now()).unwrap().as_slice(), b"");
        let signed = client.make_safe(b"x", now());
        assert_eq!(service.read_safe(&signed, now()).unwrap().as_slice(), b"x");
    }
}

#[test]
fn both_sides_prove_themselves_and_talk_under_every_enctype() {
    for ticket in EncType::ALL {
        for session in EncType::ALL {
            let issue = Issue::with(ticket, session);
            let mut random = Counter(3);
            let request = Initiator::new(&issue.credential())
                .mutual()
                .with_fresh_session(&mut random)
                .request(now(), &mut random);
            let accepted = accept(&issue, request.octets());
            for answer in [
                Answer::fresh(ticket, &mut random),
                Answer::plain(),
                Answer::plain().with_seq_number(0),
            ] {
                let (ap_rep, service) = accepted.reply(&answer, &mut random);
                talk(request.verify_reply(&ap_rep).unwrap(), service);
            }
        }
    }
}

#[test]
fn a_client_that_wants_no_proof_talks_all_the_same() {
    let issue = Issue::default();
    let mut random = Counter(3);
    for request in [
        Initiator::new(&issue.credential()),
        Initiator::new(&issue.credential()).with_fresh_session(&mut random),
    ] {
        let request = request.request(now(), &mut Counter(5));
        let accepted = accept(&issue, request.octets());
        assert!(!accepted.mutual_required());
        talk(request.agreement_without_reply(), accepted.agreement_without_reply());
    }
}

#[test]
fn the_key_is_the_services_then_the_clients_then_the_tickets() {
    let issue = Issue::default();
    let key = |n| Key::random(EncType::Aes128CtsHmacSha256_128, &mut Counter(n));
    for (clients, services) in [
        (None, None),
        (Some(key(1)), None),
        (None, Some(key(2))),
        (Some(key(1)), Some(key(2))),
    ] {
        let credential = issue.credential();
        let mut initiator = Initiator::new(&credential);
        let mut answer = Answer::plain();
        if let Some(key) = clients.clone() {
            initiator = initiator.with_subkey(key);
        }
        if let Some(key) = services.clone() {
            answer = answer.with_subkey(key);
        }
        let request = initiator.request(now(), &mut Counter(5));
        let (ap_rep, service) = accept(&issue, request.octets()).reply(&answer, &mut Counter(8));
        let client = request.verify_reply(&ap_rep).unwrap();
        let expected = services.or(clients).unwrap_or_else(|| credential.key.clone());
        assert_eq!((client.key(), service.key()), (&expected, &expected));
    }
}

#[test]
fn the_reply_to_another_request_is_refused() {
    let issue = Issue::default();
    let credential = issue.credential();
    let request = Initiator::new(&credential).request(now(), &mut Counter(5));
    let accepted = accept(&issue, request.octets());
    let (ap_rep, _) = accepted.reply(&Answer::plain(), &mut Counter(8));
    for (seconds, usec) in [(0, 123_457), (0, 0), (1, 123_456), (-1, 123_456)] {
        let other = Timestamp {
            time: KerberosTime(NOW.0 + seconds),
            usec,
        };
        let other = Initiator::new(&credential).request(other, &mut Counter(5));
        assert_eq!(other.verify_reply(&ap_rep).unwrap_err(), ReplyError::OtherRequest);
    }
    assert!(request.verify_reply(&ap_rep).is_ok());
}

#[test]
fn a_reply_from_somebody_without_the_session_key_is_refused() {
    let issue = Issue::default();
    let request = Initiator::new(&issue.credential()).request(now(), &mut Counter(5));
    let accepted = accept(&issue, request.octets());
    let (ap_rep, _) = accepted.reply(&Answer::plain(), &mut Counter(8));
    let reseal = |key: &Key, usage: KeyUsage, subkey: Option<EncryptionKey>| {
        let mut reply: ApRep = wire::decode(&ap_rep).unwrap();
        let plain = accepted
            .session_key()
            .decrypt(KeyUsage::AP_REP, &reply.enc_part.cipher)
            .unwrap();
        let mut part: EncApRepPart = wire::decode(&plain).unwrap();
        part.subkey = subkey;
        reply.enc_part.etype = key.etype().number();
        reply.enc_part.cipher = key.encrypt(usage, &wire::encode(&part), &mut Counter(8)).into();
        request.verify_reply(&wire::encode(&reply)).map(drop)
    };
    assert_eq!(reseal(accepted.session_key(), KeyUsage::AP_REP, None), Ok(()));
    assert_eq!(
        reseal(accepted.session_key(), KeyUsage::AP_REQ_AUTHENTICATOR, None),
        Err(ReplyError::Integrity)
    );
    assert_eq!(reseal(&issue.key, KeyUsage::AP_REP, None), Err(ReplyError::Integrity));
    let other = Key::random(EncType::Aes128CtsHmacSha1_96, &mut Counter(1));
    assert_eq!(reseal(&other, KeyUsage::AP_REP, None), Err(ReplyError::Integrity));
    let rc4 = EncryptionKey {
        keytype: 23,
        keyvalue: vec![1; 16].into(),
    };
    assert_eq!(
        reseal(accepted.session_key(), KeyUsage::AP_REP, Some(rc4)),
        Err(ReplyError::KeyType(23))
    );
    // The request itself, turned back.
    assert_eq!(
        request.verify_reply(request.octets()).unwrap_err(),
        ReplyError::NotApRep
    );
}

#[test]
fn a_refusal_is_told_as_such() {
    let issue = Issue {
        endtime: KerberosTime(NOW.0 - 1000),
        ..Issue::default()
    };
    let request = Initiator::new(&issue.credential()).request(now(), &mut Counter(5));
    let refused = Acceptor::for_any_service().accept(request.octets(), &issue.keys()[..], &Forgetful, None, NOW);
    let error = request
        .verify_reply(&refused.unwrap_err().to_krb_error(&issue.service, now()))
        .unwrap_err();
    assert_eq!(
        error,
        ReplyError::Refused {
            code: ErrorCode::KRB_AP_ERR_TKT_EXPIRED,
            text: None
        }
    );
    assert_eq!(
        error.to_string(),
        "the service refused: KRB_AP_ERR_TKT_EXPIRED (32): ticket expired"
    );
    assert!(matches!(
        request.verify_reply(b"\x7e\x03abc"),
        Err(ReplyError::Malformed(_))
    ));
    assert!(matches!(request.verify_reply(b""), Err(ReplyError::NotApRep)));
}

#[test]
fn a_request_to_a_kdc_has_its_own_usage_and_a_checksum_over_the_body() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let credential = issue.credential();
        let made = Initiator::for_tgs(&credential, b"the body").with_fresh_session(&mut Counter(3));
        let made = made.request(now(), &mut Counter(5));
        let request = ApRequest::decode(made.octets()).unwrap();
        assert_eq!(request.options(), ApOptions::empty());
        assert_eq!(
            (request.service(), request.kvno(), request.etype()),
            (&issue.service, Some(3), Some(etype))
        );
        let ticket = open_ticket(request.ticket(), &issue.key).unwrap();
        let session_key = ticket.session_key();
        let authenticator =
            open_authenticator(request.authenticator(), session_key, KeyUsage::TGS_REQ_AUTHENTICATOR).unwrap();
        assert_eq!(authenticator.check_client(&ticket), Ok(()));
        assert_eq!(authenticator.subkey(), made.subkey());
        let checksum = authenticator.checksum().unwrap();
        let verify = |data: &[u8]| {
            session_key.verify_checksum(KeyUsage::TGS_REQ_CHECKSUM, checksum.cksumtype, data, &checksum.checksum)
        };
        assert!(verify(b"the body").is_ok() && verify(b"another").is_err());
    }
}
