//! Logging in inside FAST, at a KDC that is right, at one that is not, and with somebody in between.

mod kdc;
mod tgs;

use kdc::{ArmoredKdc, armor, open};
use tessera_client::exchange::{
    Armor, AsExchange, AsReply, AsRequest, AsStep, ClockOffset, ExchangeError, ReplyFault, Transport,
};
use tessera_common::crypto::{EncType, Key};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::KdcOptions;
use tessera_common::time::KerberosTime;
use tessera_common::wire::{self, PaData, pa_type};

use crate::fake_kdc::{Counter, FakeKdc, NOW, krb_error, password};
use crate::{alice, fault, now, outbound, service};

const AES: EncType = EncType::Aes256CtsHmacSha1_96;

fn armored() -> AsRequest {
    AsRequest {
        armor: Some(armor(AES)),
        ..AsRequest::new(alice())
    }
}

/// Logs in at whatever answers, and gives the requests, too.
fn log_in(
    request: AsRequest,
    password: &[u8],
    answer: &dyn Fn(usize, &[u8]) -> Vec<u8>,
) -> (Result<AsReply, ExchangeError>, Vec<Vec<u8>>) {
    let mut random = Counter::default();
    let mut sent = Vec::new();
    let (mut exchange, mut request) = AsExchange::begin(request, now(), &mut random);
    loop {
        let number = sent.len();
        sent.push(request.octets.clone());
        let step = exchange.receive(&answer(number, &request.octets), now(), &mut random);
        let step = match step {
            Ok(AsStep::NeedKey(wanted)) => exchange.key(&wanted.derive(password).unwrap(), now(), &mut random),
            step => step,
        };
        match step {
            Ok(AsStep::Send(next)) => request = next,
            Ok(AsStep::Done(reply)) => return (Ok(*reply), sent),
            Ok(AsStep::NeedKey(_)) => panic!("asked for a key twice"),
            Err(why) => {
                let after = exchange.receive(&[], now(), &mut random);
                assert!(matches!(after, Err(ExchangeError::OutOfTurn)));
                return (Err(why), sent);
            }
        }
    }
}

fn login(request: AsRequest, kdc: &ArmoredKdc) -> Result<AsReply, ExchangeError> {
    log_in(request, password(), &|_, octets| kdc.answer(octets)).0
}

fn session_key() -> Key {
    armor(AES).credential.key
}

#[test]
fn a_login_in_armor_names_the_client_inside_alone() {
    for armor_etype in EncType::ALL {
        for etype in EncType::ALL {
            let kdc = ArmoredKdc {
                armor: armor_etype,
                etype,
                ..ArmoredKdc::default()
            };
            let request = AsRequest {
                armor: Some(armor(armor_etype)),
                ..AsRequest::new(alice())
            };
            let (reply, sent) = log_in(request, password(), &|_, octets| kdc.answer(octets));
            let reply = reply.unwrap();
            assert_eq!(reply.credential.client, alice());
            assert_eq!(reply.preauth_type, Some(pa_type::ENCRYPTED_CHALLENGE));
            assert_eq!(reply.clock_offset.0, 7);
            for octets in sent {
                assert!(!octets.windows(5).any(|window| window == b"alice"));
            }
        }
    }
}

#[test]
fn the_best_proof_that_is_offered_and_allowed_is_sent() {
    const CHALLENGE: i32 = pa_type::ENCRYPTED_CHALLENGE;
    const TIMESTAMP: i32 = pa_type::ENC_TIMESTAMP;
    type Row = (&'static [i32], bool, Option<Option<i32>>);
    let cases: [Row; 6] = [
        (&[TIMESTAMP, CHALLENGE], true, Some(Some(CHALLENGE))),
        (&[TIMESTAMP, CHALLENGE], false, Some(Some(CHALLENGE))),
        (&[TIMESTAMP], true, Some(Some(TIMESTAMP))),
        (&[TIMESTAMP], false, None),
        (&[pa_type::FX_FAST], true, None),
        (&[], true, Some(None)),
    ];
    for (offers, encrypted_timestamp, expected) in cases {
        let kdc = ArmoredKdc {
            offers,
            ..ArmoredKdc::default()
        };
        let request = AsRequest {
            encrypted_timestamp,
            ..armored()
        };
        let got = login(request, &kdc);
        match expected {
            Some(preauth_type) => assert_eq!(got.unwrap().preauth_type, preauth_type, "{offers:?}"),
            None => assert!(
                matches!(got, Err(ExchangeError::NoCommonPreauth { armored: true, .. })),
                "{offers:?}"
            ),
        }
    }
}

#[test]
fn without_armor_a_timestamp_is_not_sent_where_it_is_not_allowed() {
    let request = AsRequest {
        encrypted_timestamp: false,
        ..AsRequest::new(alice())
    };
    let refused = crate::login(request, &FakeKdc::default()).unwrap_err();
    assert!(matches!(refused, ExchangeError::NoCommonPreauth { armored: false, .. }));
}

#[test]
fn one_conversation_has_one_armor_and_the_next_another() {
    let kdc = ArmoredKdc {
        clock: KerberosTime(NOW.0 + 4000),
        ..ArmoredKdc::default()
    };
    let request = AsRequest {
        armor: Some(Armor {
            offset: ClockOffset(4_000_000_000),
            ..armor(AES)
        }),
        ..AsRequest::new(alice())
    };
    let (reply, sent) = log_in(request, password(), &|_, octets| kdc.answer(octets));
    assert_eq!(reply.unwrap().clock_offset, ClockOffset(4_000_000_007));
    let [first, second] = [0, 1].map(|number: usize| open(&sent[number], &session_key()));
    assert_eq!(first.ap_req, second.ap_req);
    assert_ne!(first.body.nonce, second.body.nonce);
    // By the clock that the armor came with.
    assert_eq!(first.authenticator.ctime, KerberosTime(NOW.0 + 4000));
    let (mut random, request) = (Counter::default(), armored());
    let [one, other] = [(); 2].map(|()| AsExchange::begin(request.clone(), now(), &mut random).1);
    assert_ne!(
        open(&one.octets, &session_key()).ap_req,
        open(&other.octets, &session_key()).ap_req
    );
}

#[test]
fn a_reply_that_fast_does_not_vouch_for_is_refused() {
    type Alter = fn(&mut ArmoredKdc);
    let cases: [(&str, Alter, ReplyFault); 11] = [
        ("no FAST", |kdc| kdc.rep = |rep| rep.padata = None, ReplyFault::NoFast),
        (
            "altered",
            |kdc| {
                kdc.rep = |rep| {
                    let value = &mut rep.padata.as_mut().unwrap()[0].padata_value.0;
                    *value.last_mut().unwrap() ^= 1;
                }
            },
            ReplyFault::FastIntegrity,
        ),
        (
            "not finished",
            |kdc| kdc.response = |response| response.finished = None,
            ReplyFault::NotFinished,
        ),
        (
            "another ticket",
            |kdc| kdc.rep = |rep| rep.ticket = wire::Any::new(kdc::ticket("krbtgt/EXAMPLE.COM")),
            ReplyFault::TicketChecksum,
        ),
        (
            "another client",
            |kdc| {
                kdc.response = |response| {
                    if let Some(finished) = &mut response.finished {
                        finished.cname = service("mallory");
                    }
                }
            },
            ReplyFault::Client,
        ),
        (
            "another client's realm",
            |kdc| {
                kdc.response = |response| {
                    if let Some(finished) = &mut response.finished {
                        finished.crealm = "EVIL".into();
                    }
                }
            },
            ReplyFault::Client,
        ),
        (
            "not strengthened",
            |kdc| kdc.response = |response| response.strengthen_key = None,
            ReplyFault::NoStrengthenKey,
        ),
        (
            "strengthened with an unknown enctype",
            |kdc| {
                kdc.response = |response| {
                    if let Some(key) = &mut response.strengthen_key {
                        key.keytype = 23;
                    }
                }
            },
            ReplyFault::EncType(23),
        ),
        (
            "no challenge of the KDC's",
            |kdc| kdc.proves_itself = false,
            ReplyFault::KdcNotVerified,
        ),
        (
            "another nonce in the reply",
            |kdc| {
                kdc.response = |response| {
                    if response.finished.is_some() {
                        response.nonce.0 ^= 1;
                    }
                }
            },
            ReplyFault::Nonce,
        ),
        (
            "another nonce in the error",
            |kdc| {
                kdc.response = |response| {
                    if response.finished.is_none() {
                        response.nonce.0 ^= 1;
                    }
                }
            },
            ReplyFault::Nonce,
        ),
    ];
    for (what, alter, expected) in cases {
        let mut kdc = ArmoredKdc::default();
        alter(&mut kdc);
        assert_eq!(fault(login(armored(), &kdc)), expected, "{what}");
    }
}

#[test]
fn a_reply_needs_no_share_of_the_kdcs_where_nothing_was_challenged() {
    let kdc = ArmoredKdc {
        offers: &[pa_type::ENC_TIMESTAMP],
        response: |response| response.strengthen_key = None,
        ..ArmoredKdc::default()
    };
    assert!(login(armored(), &kdc).is_ok());
}

#[test]
fn an_error_without_fast_is_a_failure_and_never_a_reason_to_go_on() {
    let methods = |kdc: &FakeKdc, octets: &[u8]| kdc.answer(octets);
    for code in [
        ErrorCode::KDC_ERR_PREAUTH_REQUIRED,
        ErrorCode::KDC_ERR_PREAUTH_FAILED,
        ErrorCode::KDC_ERR_PREAUTH_EXPIRED,
        ErrorCode::KDC_ERR_KEY_EXPIRED,
        ErrorCode::KDC_ERR_WRONG_REALM,
        ErrorCode::KRB_AP_ERR_SKEW,
        ErrorCode::KRB_AP_ERR_TKT_EXPIRED,
        ErrorCode::KRB_AP_ERR_BAD_INTEGRITY,
    ] {
        for stage in [0, 1] {
            let kdc = ArmoredKdc::default();
            let request = AsRequest {
                options: KdcOptions::CANONICALIZE,
                ..armored()
            };
            let (got, sent) = log_in(request, password(), &|number, octets| {
                if number < stage {
                    return kdc.answer(octets);
                }
                if code == ErrorCode::KDC_ERR_PREAUTH_REQUIRED {
                    // As a KDC that has never heard of FAST.
                    return methods(&FakeKdc::default(), octets);
                }
                krb_error(code, NOW, Some("OTHER"), None)
            });
            match got {
                Err(ExchangeError::Unarmored { armor, refusal }) => {
                    assert_eq!(
                        (refusal.code, armor.to_string().as_str()),
                        (code, "host/www.example.com@EXAMPLE.COM")
                    );
                }
                other => panic!("{code} at {stage}: {other:?}"),
            }
            assert_eq!(sent.len(), stage + 1, "{code}");
        }
    }
}

#[test]
fn an_error_that_fast_does_not_protect_counts_as_one_without() {
    let kdc = ArmoredKdc::default();
    let alter = |octets: Vec<u8>, alter: fn(&mut Vec<PaData>)| {
        let mut error: wire::KrbError = wire::decode(&octets).unwrap();
        let mut padata = wire::decode(error.e_data.as_ref().unwrap()).unwrap();
        alter(&mut padata);
        error.e_data = Some(wire::encode(&padata).into());
        wire::encode(&error)
    };
    let cases: [fn(&mut Vec<PaData>); 3] = [
        |padata| padata.clear(),
        |padata| *padata[0].padata_value.0.last_mut().unwrap() ^= 1,
        |padata| padata[0].padata_value.0.clear(),
    ];
    for case in cases {
        let got = log_in(armored(), password(), &|_, octets| alter(kdc.answer(octets), case)).0;
        assert!(matches!(got, Err(ExchangeError::Unarmored { .. })), "{got:?}");
    }
    let silent = ArmoredKdc {
        response: |response| response.padata.retain(|pa| pa.padata_type != pa_type::FX_ERROR),
        ..ArmoredKdc::default()
    };
    assert_eq!(fault(login(armored(), &silent)), ReplyFault::NoFast);
}

#[test]
fn too_big_an_answer_is_asked_for_by_stream_in_armor_too() {
    let mut random = Counter::default();
    let (mut exchange, first) = AsExchange::begin(armored(), now(), &mut random);
    let too_big = krb_error(ErrorCode::KRB_ERR_RESPONSE_TOO_BIG, NOW, None, None);
    let again = outbound(exchange.receive(&too_big, now(), &mut random).unwrap());
    assert_eq!((again.octets, again.transport), (first.octets, Transport::Stream));
    assert!(exchange.receive(&too_big, now(), &mut random).is_err());
}

#[test]
fn a_wrong_password_is_told_in_armor() {
    let kdc = ArmoredKdc::default();
    let got = log_in(armored(), b"guess", &|_, octets| kdc.answer(octets)).0;
    assert_eq!(got, Err(ExchangeError::WrongKey));
    let trusting = ArmoredKdc {
        offers: &[],
        ..ArmoredKdc::default()
    };
    let got = log_in(armored(), b"guess", &|_, octets| trusting.answer(octets)).0;
    assert_eq!(got, Err(ExchangeError::WrongKey));
}

#[test]
fn a_clock_error_in_armor_is_corrected_once() {
    let kdc = ArmoredKdc {
        clock: KerberosTime(NOW.0 + 4000),
        hide_clock: true,
        ..ArmoredKdc::default()
    };
    let (got, sent) = log_in(armored(), password(), &|_, octets| kdc.answer(octets));
    assert_eq!((got.unwrap().clock_offset.0, sent.len()), (4_000_000_007, 3));
    let never = ArmoredKdc {
        refuse_proof: Some((ErrorCode::KRB_AP_ERR_SKEW, None)),
        ..ArmoredKdc::default()
    };
    let refused = login(armored(), &never).unwrap_err();
    assert!(matches!(refused, ExchangeError::Refused(refusal) if refusal.code == ErrorCode::KRB_AP_ERR_SKEW));
}

#[test]
fn who_took_too_long_begins_again_once_and_in_new_armor() {
    let (late, kdc) = (
        ArmoredKdc {
            refuse_proof: Some((ErrorCode::KDC_ERR_PREAUTH_EXPIRED, None)),
            ..ArmoredKdc::default()
        },
        ArmoredKdc::default(),
    );
    let (got, sent) = log_in(armored(), password(), &|number, octets| {
        if number == 1 {
            late.answer(octets)
        } else {
            kdc.answer(octets)
        }
    });
    assert_eq!(got.unwrap().credential.client, alice());
    let armor: Vec<_> = sent.iter().map(|octets| open(octets, &session_key()).ap_req).collect();
    assert_eq!(
        (armor.len(), armor[0] == armor[1], armor[2] == armor[3]),
        (4, true, true)
    );
    assert_ne!(armor[1], armor[2]);
    let (got, sent) = log_in(armored(), password(), &|_, octets| late.answer(octets));
    assert_eq!(got.unwrap_err().code(), Some(ErrorCode::KDC_ERR_PREAUTH_EXPIRED));
    assert_eq!(sent.len(), 4);
}

#[test]
fn armor_is_not_carried_to_another_realm() {
    let kdc = ArmoredKdc {
        refuse_proof: Some((ErrorCode::KDC_ERR_WRONG_REALM, Some("OTHER"))),
        ..ArmoredKdc::default()
    };
    let request = AsRequest {
        options: KdcOptions::CANONICALIZE,
        ..armored()
    };
    let refused = login(request, &kdc).unwrap_err();
    assert!(matches!(refused, ExchangeError::ArmorRealm { realm } if realm.as_str() == "OTHER"));
}

#[test]
fn any_octets_in_place_of_an_armored_answer_are_an_error_and_no_panic() {
    for offers in [&[pa_type::ENCRYPTED_CHALLENGE][..], &[]] {
        let kdc = ArmoredKdc {
            offers,
            ..ArmoredKdc::default()
        };
        let (_, first) = AsExchange::begin(armored(), now(), &mut Counter::default());
        let good = kdc.answer(&first.octets);
        for at in 0..good.len() {
            let mut random = Counter::default();
            let (mut exchange, _) = AsExchange::begin(armored(), now(), &mut random);
            assert!(exchange.receive(&good[..at], now(), &mut random).is_err());
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            let (mut exchange, _) = AsExchange::begin(armored(), now(), &mut Counter::default());
            let _ = exchange.receive(&bad, now(), &mut random);
        }
    }
}
