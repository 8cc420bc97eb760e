//! What the client makes of a KDC's answers: of right ones, of refusals, and of answers that somebody tampered with.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod fake_kdc;
mod fast;

use fake_kdc::{Counter, EncPaRep, FakeKdc, NOW, client_key, krb_error, password};
use tessera_client::exchange::{
    AsExchange, AsReply, AsRequest, AsStep, ClockRule, ExchangeError, MAX_REFERRALS, Outbound, ReplyFault,
    RequestedTimes, Transport, When,
};
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::{KdcOptions, TicketFlags};
use tessera_common::name::{Name, Principal, Realm, name_type};
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{self, Checksum, KerberosString, PaData, PrincipalName, pa_type};

fn alice() -> Principal {
    "alice@EXAMPLE.COM".parse().unwrap()
}

fn outbound(step: AsStep) -> Outbound {
    match step {
        AsStep::Send(outbound) => outbound,
        other => panic!("expected a request, not {other:?}"),
    }
}

fn now() -> Timestamp {
    Timestamp::new(NOW, 250_000)
}

/// Logs in at `kdc` with the right password.
fn login(request: AsRequest, kdc: &FakeKdc) -> Result<AsReply, ExchangeError> {
    let mut random = Counter::default();
    let (mut exchange, mut request) = AsExchange::begin(request, now(), &mut random);
    loop {
        let step = exchange.receive(&kdc.answer(&request.octets), now(), &mut random)?;
        let step = match step {
            AsStep::NeedKey(wanted) => exchange.key(&wanted.derive(password()).unwrap(), now(), &mut random)?,
            step => step,
        };
        match step {
            AsStep::Send(next) => request = next,
            AsStep::Done(reply) => return Ok(*reply),
            AsStep::NeedKey(_) => panic!("asked for a key twice"),
        }
    }
}

fn fault(reply: Result<AsReply, ExchangeError>) -> ReplyFault {
    match reply {
        Err(ExchangeError::Reply(fault)) => fault,
        other => panic!("should have been refused: {other:?}"),
    }
}

#[test]
fn a_login_gives_what_the_encrypted_part_says() {
    for preauth in [true, false] {
        let kdc = FakeKdc {
            preauth,
            ..FakeKdc::default()
        };
        let reply = login(AsRequest::new(alice()), &kdc).unwrap();
        let credential = &reply.credential;
        assert_eq!(credential.client, alice());
        assert_eq!(credential.server.to_string(), "krbtgt/EXAMPLE.COM@EXAMPLE.COM");
        assert_eq!(credential.times.endtime, KerberosTime(NOW.0 + 36_000));
        assert_eq!(reply.preauth_type, preauth.then_some(pa_type::ENC_TIMESTAMP));
        assert_eq!(reply.clock_offset.0, 0);
        assert!(!reply.fast_available);
    }
}

#[test]
fn the_encrypted_part_may_have_either_tag() {
    for tag_of_tgs in [true, false] {
        let kdc = FakeKdc {
            tag_of_tgs,
            ..FakeKdc::default()
        };
        assert!(login(AsRequest::new(alice()), &kdc).is_ok());
    }
}

#[test]
fn an_altered_reply_is_refused() {
    type Alter = fn(&mut FakeKdc);
    let cases: [(&str, Alter, ReplyFault); 8] = [
        ("nonce", |kdc| kdc.part = |part| part.nonce.0 ^= 1, ReplyFault::Nonce),
        (
            "service",
            |kdc| kdc.part = |part| part.sname = service("krbtgt/EVIL"),
            ReplyFault::Server,
        ),
        (
            "service's realm",
            |kdc| kdc.part = |part| part.srealm = "EVIL".into(),
            ReplyFault::Server,
        ),
        (
            "client",
            |kdc| kdc.rep = |rep| rep.cname = service("mallory"),
            ReplyFault::Client,
        ),
        (
            "client's realm",
            |kdc| kdc.rep = |rep| rep.crealm = "EVIL".into(),
            ReplyFault::Client,
        ),
        (
            "enctype of the session",
            |kdc| kdc.part = |part| part.key.keytype = 23,
            ReplyFault::EncType(23),
        ),
        (
            "enctype of the reply",
            |kdc| kdc.rep = |rep| rep.enc_part.etype = 23,
            ReplyFault::EncType(23),
        ),
        (
            "ciphertext",
            |kdc| kdc.rep = |rep| rep.enc_part.cipher.0[20] ^= 1,
            ReplyFault::Integrity,
        ),
    ];
    for (what, alter, expected) in cases {
        let mut kdc = FakeKdc::default();
        alter(&mut kdc);
        assert_eq!(fault(login(AsRequest::new(alice()), &kdc)), expected, "{what}");
    }
}

#[test]
fn a_ticket_whose_cleartext_names_another_service_is_refused() {
    let kdc = FakeKdc {
        ticket_sname: "krbtgt/SOMETHING.ELSE",
        ..FakeKdc::default()
    };
    assert_eq!(fault(login(AsRequest::new(alice()), &kdc)), ReplyFault::Server);
}

#[test]
fn no_time_may_be_later_than_asked_for() {
    let at = |seconds: i64| When::At(KerberosTime(NOW.0 + seconds));
    type Row = (RequestedTimes, KdcOptions, fn(&mut wire::EncKdcRepPart), bool);
    let cases: [Row; 7] = [
        (
            RequestedTimes {
                till: at(36_000),
                ..RequestedTimes::default()
            },
            KdcOptions::empty(),
            |_| {},
            true,
        ),
        (
            RequestedTimes {
                till: at(35_999),
                ..RequestedTimes::default()
            },
            KdcOptions::empty(),
            |_| {},
            false,
        ),
        (
            RequestedTimes {
                rtime: Some(at(99)),
                ..RequestedTimes::default()
            },
            KdcOptions::RENEWABLE,
            |part| part.renew_till = Some(KerberosTime(NOW.0 + 99)),
            true,
        ),
        (
            RequestedTimes {
                rtime: Some(at(99)),
                ..RequestedTimes::default()
            },
            KdcOptions::RENEWABLE,
            |part| part.renew_till = Some(KerberosTime(NOW.0 + 100)),
            false,
        ),
        (
            RequestedTimes {
                till: at(36_000),
                ..RequestedTimes::default()
            },
            KdcOptions::RENEWABLE_OK,
            |part| {
                part.flags = part.flags | TicketFlags::RENEWABLE;
                part.renew_till = Some(KerberosTime(NOW.0 + 36_001));
            },
            false,
        ),
        (
            RequestedTimes {
                from: Some(at(60)),
                ..RequestedTimes::default()
            },
            KdcOptions::POSTDATED,
            |part| part.starttime = Some(KerberosTime(NOW.0 + 60)),
            true,
        ),
        (
            RequestedTimes {
                from: Some(at(60)),
                ..RequestedTimes::default()
            },
            KdcOptions::POSTDATED,
            |part| part.starttime = Some(KerberosTime(NOW.0 + 61)),
            false,
        ),
    ];
    for (number, (times, options, part, fine)) in cases.into_iter().enumerate() {
        let kdc = FakeKdc {
            part,
            ..FakeKdc::default()
        };
        let reply = login(
            AsRequest {
                times,
                options,
                ..AsRequest::new(alice())
            },
            &kdc,
        );
        if fine {
            assert!(reply.is_ok(), "case {number}: {reply:?}");
        } else {
            assert_eq!(fault(reply), ReplyFault::Times, "case {number}");
        }
    }
}

#[test]
fn the_checksum_of_the_request_is_verified_where_the_kdc_gives_one() {
    let with = |pa: EncPaRep| FakeKdc {
        enc_pa_rep: Some(pa),
        ..FakeKdc::default()
    };
    let right = with(|octets, key| vec![checksum_of(octets, key), PaData::new(pa_type::FX_FAST, Vec::new())]);
    assert!(login(AsRequest::new(alice()), &right).unwrap().fast_available);
    let missing = with(|_, _| Vec::new());
    assert_eq!(
        fault(login(AsRequest::new(alice()), &missing)),
        ReplyFault::RequestChecksum
    );
    let altered = with(|octets, key| {
        let mut octets = octets.to_vec();
        octets[40] ^= 1;
        vec![checksum_of(&octets, key)]
    });
    assert_eq!(
        fault(login(AsRequest::new(alice()), &altered)),
        ReplyFault::RequestChecksum
    );
}

fn checksum_of(octets: &[u8], key: &Key) -> PaData {
    let checksum = key.checksum(KeyUsage::AS_REQ, octets).into();
    let value = Checksum {
        cksumtype: key.etype().checksum_type(),
        checksum,
    };
    PaData::new(pa_type::REQ_ENC_PA_REP, wire::encode(&value))
}

#[test]
fn a_wrong_password_is_told_from_everything_else() {
    for preauth in [true, false] {
        let kdc = FakeKdc {
            preauth,
            ..FakeKdc::default()
        };
        let mut random = Counter::default();
        let (mut exchange, first) = AsExchange::begin(AsRequest::new(alice()), now(), &mut random);
        let step = exchange
            .receive(&kdc.answer(&first.octets), now(), &mut random)
            .unwrap();
        let AsStep::NeedKey(wanted) = step else {
            panic!("{step:?}")
        };
        let key = wanted.derive(b"not the password").unwrap();
        let end = match exchange.key(&key, now(), &mut random) {
            Ok(step) => exchange
                .receive(&kdc.answer(&outbound(step).octets), now(), &mut random)
                .err(),
            Err(e) => Some(e),
        };
        assert_eq!(end, Some(ExchangeError::WrongKey), "pre-authentication: {preauth}");
        let after = exchange.receive(&[], now(), &mut random);
        assert!(matches!(after, Err(ExchangeError::OutOfTurn)));
    }
}

#[test]
fn an_unknown_client_is_told_before_a_key_is_asked_for() {
    let kdc = FakeKdc {
        refuse: Some(ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN),
        ..FakeKdc::default()
    };
    let refused = login(AsRequest::new(alice()), &kdc).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN));
}

#[test]
fn the_proof_is_made_by_the_kdcs_clock() {
    for ahead in [-100_000, -1, 0, 7, 100_000] {
        let kdc = FakeKdc {
            clock: KerberosTime(NOW.0 + ahead),
            ..FakeKdc::default()
        };
        let reply = login(AsRequest::new(alice()), &kdc).unwrap();
        assert_eq!(reply.clock_offset.0, ahead * 1_000_000);
        let own = ClockRule {
            follow_kdc: false,
            ..ClockRule::default()
        };
        let reply = login(
            AsRequest {
                clock: own,
                ..AsRequest::new(alice())
            },
            &kdc,
        );
        if ahead.abs() <= 300 {
            assert_eq!(reply.unwrap().clock_offset.0, 0);
        } else {
            assert_eq!(reply.unwrap_err().code(), Some(ErrorCode::KRB_AP_ERR_SKEW));
        }
    }
}

#[test]
fn a_clock_error_is_corrected_once() {
    // This KDC tells its time only when it refuses the proof.
    let kdc = FakeKdc {
        clock: KerberosTime(NOW.0 + 4000),
        hide_clock: true,
        ..FakeKdc::default()
    };
    assert!(login(AsRequest::new(alice()), &kdc).is_ok());
    let kdc = FakeKdc {
        refuse_proof: Some(ErrorCode::KRB_AP_ERR_SKEW),
        ..FakeKdc::default()
    };
    let refused = login(AsRequest::new(alice()), &kdc).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::KRB_AP_ERR_SKEW));
}

#[test]
fn a_ticket_that_begins_elsewhere_is_refused_where_the_own_clock_counts() {
    let kdc = FakeKdc {
        preauth: false,
        part: |part| part.starttime = Some(KerberosTime(NOW.0 - 301)),
        ..FakeKdc::default()
    };
    let own = ClockRule {
        follow_kdc: false,
        ..ClockRule::default()
    };
    assert_eq!(
        fault(login(
            AsRequest {
                clock: own,
                ..AsRequest::new(alice())
            },
            &kdc
        )),
        ReplyFault::ClockSkew
    );
    assert!(login(AsRequest::new(alice()), &kdc).is_ok());
}

#[test]
fn too_big_an_answer_is_asked_for_by_stream_and_with_the_same_octets() {
    let mut random = Counter::default();
    let (mut exchange, first) = AsExchange::begin(AsRequest::new(alice()), now(), &mut random);
    assert_eq!(first.transport, Transport::Any);
    let too_big = krb_error(ErrorCode::KRB_ERR_RESPONSE_TOO_BIG, NOW, None, None);
    let again = outbound(exchange.receive(&too_big, now(), &mut random).unwrap());
    assert_eq!((again.octets, again.transport), (first.octets, Transport::Stream));
    let refused = exchange.receive(&too_big, now(), &mut random).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::KRB_ERR_RESPONSE_TOO_BIG));
}

#[test]
fn the_kdcs_cookie_comes_back() {
    let kdc = FakeKdc {
        cookie: Some(b"state"),
        ..FakeKdc::default()
    };
    assert!(login(AsRequest::new(alice()), &kdc).is_ok());
}

#[test]
fn a_kdc_that_wants_more_than_a_timestamp_is_named_so() {
    let kdc = FakeKdc {
        offers_timestamp: false,
        ..FakeKdc::default()
    };
    let refused = login(AsRequest::new(alice()), &kdc).unwrap_err();
    assert!(
        matches!(refused, ExchangeError::NoCommonPreauth { ref offered, .. } if offered.contains(&pa_type::ETYPE_INFO2))
    );
}

#[test]
fn every_enctype_logs_in() {
    for etype in EncType::ALL {
        let kdc = FakeKdc {
            etype,
            ..FakeKdc::default()
        };
        let request = AsRequest {
            etypes: vec![etype],
            ..AsRequest::new(alice())
        };
        assert_eq!(login(request, &kdc).unwrap().credential.key.etype(), etype);
    }
}

#[test]
fn another_name_is_taken_only_where_it_was_asked_for() {
    let renaming = FakeKdc {
        rep: |rep| rep.cname = service("alice.smith"),
        ..FakeKdc::default()
    };
    assert_eq!(fault(login(AsRequest::new(alice()), &renaming)), ReplyFault::Client);
    let canonical = AsRequest {
        options: KdcOptions::CANONICALIZE,
        ..AsRequest::new(alice())
    };
    assert_eq!(
        login(canonical, &renaming).unwrap().credential.client.to_string(),
        "alice.smith@EXAMPLE.COM"
    );
    let enterprise = AsRequest {
        client_name_type: name_type::ENTERPRISE,
        ..AsRequest::new(alice())
    };
    assert!(login(enterprise, &renaming).is_ok());
    // A service other than the ticket-granting one keeps its name in any case.
    let other = FakeKdc {
        part: |part| part.sname = service("host/evil"),
        ..FakeKdc::default()
    };
    for service in [None, Some(Name::parse("host/good").unwrap())] {
        let canonical = AsRequest {
            options: KdcOptions::CANONICALIZE,
            service,
            ..AsRequest::new(alice())
        };
        assert_eq!(fault(login(canonical, &other)), ReplyFault::Server);
    }
}

#[test]
fn referrals_are_followed_where_asked_for_and_not_without_end() {
    let mut random = Counter::default();
    let wrong_realm = |realm: &str| krb_error(ErrorCode::KDC_ERR_WRONG_REALM, NOW, Some(realm), None);
    let (mut exchange, _) = AsExchange::begin(AsRequest::new(alice()), now(), &mut random);
    let refused = exchange.receive(&wrong_realm("OTHER"), now(), &mut random).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::KDC_ERR_WRONG_REALM));

    let canonical = AsRequest {
        options: KdcOptions::CANONICALIZE,
        ..AsRequest::new(alice())
    };
    let (mut exchange, _) = AsExchange::begin(canonical.clone(), now(), &mut random);
    let next = outbound(exchange.receive(&wrong_realm("OTHER"), now(), &mut random).unwrap());
    assert_eq!(next.realm.as_str(), "OTHER");
    let request: wire::AsReq = wire::decode(&next.octets).unwrap();
    let body: wire::KdcReqBody = wire::decode(request.0.req_body.as_bytes()).unwrap();
    assert_eq!(body.realm, KerberosString::from("OTHER"));
    assert_eq!(
        body.sname.unwrap().to_name().unwrap(),
        Name::krbtgt(&Realm::new("OTHER").unwrap())
    );
    let back = exchange.receive(&wrong_realm("EXAMPLE.COM"), now(), &mut random);
    assert!(matches!(back, Err(ExchangeError::ReferralLoop { .. })));

    let (mut exchange, _) = AsExchange::begin(canonical, now(), &mut random);
    let mut referrals = 0;
    let end = loop {
        match exchange.receive(&wrong_realm(&format!("R{referrals}")), now(), &mut random) {
            Ok(_) => referrals += 1,
            Err(e) => break e,
        }
    };
    assert!(matches!(end, ExchangeError::ReferralLoop { .. }));
    assert_eq!(referrals, MAX_REFERRALS);
}

#[test]
fn a_key_of_another_enctype_than_asked_for_is_not_used() {
    let mut random = Counter::default();
    let kdc = FakeKdc::default();
    let (mut exchange, first) = AsExchange::begin(AsRequest::new(alice()), now(), &mut random);
    let step = exchange
        .receive(&kdc.answer(&first.octets), now(), &mut random)
        .unwrap();
    assert!(matches!(step, AsStep::NeedKey(_)));
    let other = client_key(EncType::Aes128CtsHmacSha1_96);
    assert!(matches!(
        exchange.key(&other, now(), &mut random),
        Err(ExchangeError::OutOfTurn)
    ));
}

#[test]
fn the_same_request_never_goes_out_twice_with_one_nonce() {
    let mut random = Counter::default();
    let kdc = FakeKdc::default();
    let (mut exchange, first) = AsExchange::begin(AsRequest::new(alice()), now(), &mut random);
    let AsStep::NeedKey(wanted) = exchange
        .receive(&kdc.answer(&first.octets), now(), &mut random)
        .unwrap()
    else {
        panic!("no key asked for");
    };
    let second = outbound(
        exchange
            .key(&wanted.derive(password()).unwrap(), now(), &mut random)
            .unwrap(),
    );
    let nonce = |octets: &[u8]| {
        let request: wire::AsReq = wire::decode(octets).unwrap();
        wire::decode::<wire::KdcReqBody>(request.0.req_body.as_bytes())
            .unwrap()
            .nonce
    };
    assert_ne!(nonce(&first.octets), nonce(&second.octets));
}

#[test]
fn any_octets_are_an_error_and_no_panic() {
    let mut random = Counter::default();
    let kdc = FakeKdc {
        preauth: false,
        ..FakeKdc::default()
    };
    let (_, first) = AsExchange::begin(AsRequest::new(alice()), now(), &mut random);
    let good = kdc.answer(&first.octets);
    for cut in 0..good.len() {
        let (mut exchange, _) = AsExchange::begin(AsRequest::new(alice()), now(), &mut Counter::default());
        assert!(
            exchange.receive(&good[..cut], now(), &mut random).is_err(),
            "cut to {cut}"
        );
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        let (mut exchange, _) = AsExchange::begin(AsRequest::new(alice()), now(), &mut Counter::default());
        if let Ok(AsStep::NeedKey(wanted)) = exchange.receive(&bad, now(), &mut random)
            && let Ok(key) = wanted.derive(password())
        {
            let _ = exchange.key(&key, now(), &mut random);
        }
    }
}

fn service(text: &str) -> PrincipalName {
    PrincipalName::new(name_type::PRINCIPAL, &Name::parse(text).unwrap())
}
