use core::net::IpAddr;
use core::time::Duration;

use super::fixture::{AES256, Counter, Forgetful, Issue, NOW, now, principal, service_key};
use crate::ap::{
    Accepted, Acceptor, ApError, Initiator, MemoryReplayCache, MessageError, Part, ReplayCache, ReplayTag,
    TransitedPolicy, first_seq_number,
};
use crate::crypto::{EncType, Key, KeyUsage, md5};
use crate::error_code::ErrorCode;
use crate::flags::{ApOptions, TicketFlags};
use crate::keytab::{Keytab, KeytabEntry};
use crate::name::Principal;
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{
    self, ApReq, Authenticator, Checksum, EncryptionKey, HostAddress, KerberosString, KrbError, Microseconds,
    PrincipalName,
};

const SKEW: i64 = 300;

type Held = (Principal, u32, Key);

fn at(offset: i64) -> KerberosTime {
    KerberosTime(NOW.0 + offset)
}

fn request(issue: &Issue) -> Vec<u8> {
    Initiator::new(&issue.credential())
        .request(now(), &mut Counter(5))
        .octets()
        .to_vec()
}

fn acceptor() -> Acceptor {
    Acceptor::for_service(principal("host/www@EXAMPLE.COM"))
}

fn accept(issue: &Issue) -> Result<Accepted, ApError> {
    acceptor().accept(&request(issue), &issue.keys()[..], &Forgetful, None, NOW)
}

// An AP-REQ whose authenticator is as `change` makes it.
fn with_authenticator(issue: &Issue, change: impl FnOnce(&mut Authenticator)) -> Vec<u8> {
    let key = issue.credential().key;
    let mut request: ApReq = wire::decode(&request(issue)).unwrap();
    let plain = key
        .decrypt(KeyUsage::AP_REQ_AUTHENTICATOR, &request.authenticator.cipher)
        .unwrap();
    let mut authenticator: Authenticator = wire::decode(&plain).unwrap();
    change(&mut authenticator);
    let cipher = key.encrypt(
        KeyUsage::AP_REQ_AUTHENTICATOR,
        &wire::encode(&authenticator),
        &mut Counter(6),
    );
    request.authenticator.cipher = cipher.into();
    wire::encode(&request)
}

fn read(issue: &Issue, ap_req: &[u8]) -> Result<Accepted, ApError> {
    acceptor().accept(ap_req, &issue.keys()[..], &Forgetful, None, NOW)
}

#[test]
fn what_the_ticket_and_the_authenticator_say_is_what_the_service_sees() {
    let issue = Issue {
        addresses: Some(vec![IpAddr::from([192, 0, 2, 1]).into()]),
        ..Issue::default()
    };
    let credential = issue.credential();
    let subkey = Key::random(AES256, &mut Counter(1));
    let made = Initiator::new(&credential)
        .mutual()
        .with_subkey(subkey.clone())
        .with_seq_number(0xfedc_ba98)
        .with_checksum_over(b"hello")
        .request(now(), &mut Counter(5));
    let accepted = acceptor()
        .accept(
            made.octets(),
            &issue.keys()[..],
            &Forgetful,
            Some([192, 0, 2, 1].into()),
            NOW,
        )
        .unwrap();
    assert_eq!(accepted.client().to_string(), "alice@EXAMPLE.COM");
    assert_eq!(accepted.service().to_string(), "host/www@EXAMPLE.COM");
    assert_eq!(accepted.flags(), TicketFlags::PRE_AUTHENT);
    assert_eq!(
        (accepted.authtime(), accepted.starttime(), accepted.endtime()),
        (at(-600), at(-300), at(36_000))
    );
    assert_eq!(accepted.renew_till(), None);
    assert_eq!(accepted.addresses().len(), 1);
    assert_eq!(accepted.session_key(), &credential.key);
    assert_eq!(accepted.subkey(), Some(&subkey));
    assert_eq!(accepted.seq_number(), Some(0xfedc_ba98));
    assert_eq!(accepted.time(), now());
    assert_eq!(accepted.options(), ApOptions::MUTUAL_REQUIRED);
    assert!(accepted.mutual_required());
    assert_eq!(accepted.verify_checksum(b"hello"), Ok(()));
    assert_eq!(accepted.verify_checksum(b"hallo"), Err(MessageError::Modified));
    assert!(accepted.authorization_data().is_empty() && accepted.client_authorization_data().is_empty());
}

#[test]
fn the_clients_clock_may_be_off_by_the_skew_and_no_more() {
    let issue = Issue {
        starttime: Some(at(-10_000)),
        ..Issue::default()
    };
    for (offset, fits) in [
        (-SKEW - 1, false),
        (-SKEW, true),
        (-1, true),
        (0, true),
        (1, true),
        (SKEW, true),
        (SKEW + 1, false),
    ] {
        let client = Timestamp {
            time: at(offset),
            usec: 999_999,
        };
        let ap_req = Initiator::new(&issue.credential())
            .request(client, &mut Counter(5))
            .octets()
            .to_vec();
        let result = read(&issue, &ap_req).map(drop);
        let skew = ApError::Skew {
            client,
            now: NOW,
            allowed: Duration::from_secs(300),
        };
        assert_eq!(result, if fits { Ok(()) } else { Err(skew) }, "{offset}");
    }
}

#[test]
fn a_ticket_is_good_from_its_start_less_the_skew() {
    for (offset, fits) in [
        (-SKEW - 1, true),
        (-SKEW, true),
        (0, true),
        (SKEW, true),
        (SKEW + 1, false),
    ] {
        let starttime = at(offset);
        let expected = if fits {
            Ok(())
        } else {
            Err(ApError::NotYetValid { starttime, now: NOW })
        };
        let issue = Issue {
            starttime: Some(starttime),
            ..Issue::default()
        };
        assert_eq!(accept(&issue).map(drop), expected, "start {offset}");
        // Without a starttime, authtime is the start.
        let issue = Issue {
            authtime: starttime,
            starttime: None,
            ..Issue::default()
        };
        assert_eq!(accept(&issue).map(drop), expected, "authtime {offset}");
    }
}

#[test]
fn a_ticket_is_good_until_its_end_and_the_skew() {
    for (offset, fits) in [
        (-SKEW - 1, false),
        (-SKEW, true),
        (0, true),
        (SKEW, true),
        (SKEW + 1, true),
    ] {
        let endtime = at(offset);
        let expected = if fits {
            Ok(())
        } else {
            Err(ApError::Expired { endtime, now: NOW })
        };
        let issue = Issue {
            starttime: Some(at(-10_000)),
            endtime,
            ..Issue::default()
        };
        assert_eq!(accept(&issue).map(drop), expected, "{offset}");
    }
}

#[test]
fn a_configured_skew_is_the_one_that_counts() {
    let issue = Issue {
        endtime: at(-11),
        ..Issue::default()
    };
    let strict = acceptor().with_skew(Duration::from_secs(10));
    let result = strict.accept(&request(&issue), &issue.keys()[..], &Forgetful, None, NOW);
    assert_eq!(
        result.unwrap_err(),
        ApError::Expired {
            endtime: at(-11),
            now: NOW
        }
    );
}

#[test]
fn a_postdated_ticket_is_of_no_use_before_it_is_validated() {
    let flags = TicketFlags::POSTDATED | TicketFlags::INVALID;
    assert_eq!(
        accept(&Issue {
            flags,
            ..Issue::default()
        })
        .unwrap_err(),
        ApError::Invalid
    );
    assert!(
        accept(&Issue {
            flags: TicketFlags::POSTDATED,
            ..Issue::default()
        })
        .is_ok()
    );
}

#[test]
fn only_the_very_service_is_served() {
    let issue = Issue::default();
    for other in [
        "host/ww@EXAMPLE.COM",
        "host/www2@EXAMPLE.COM",
        "host/WWW@EXAMPLE.COM",
        "host@EXAMPLE.COM",
        "host/www/@EXAMPLE.COM",
        "host/www/x@EXAMPLE.COM",
        r"host\/www@EXAMPLE.COM",
        "hos/twww@EXAMPLE.COM",
        "www/host@EXAMPLE.COM",
        "host/www@EXAMPLE.CO",
        "host/www@EXAMPLE.COM2",
        "host/www@example.com",
    ] {
        let accepted = vec![principal(other)];
        let result =
            Acceptor::for_service(principal(other)).accept(&request(&issue), &issue.keys()[..], &Forgetful, None, NOW);
        let error = result.unwrap_err();
        assert_eq!(
            error,
            ApError::NotUs {
                service: issue.service.clone(),
                accepted
            },
            "{other}"
        );
        assert_eq!(error.code(), ErrorCode::KRB_AP_ERR_NOT_US);
        // The same if that name has the very key.
        let same_key = [(principal(other), 3, issue.key.clone())];
        let any = Acceptor::for_any_service().accept(&request(&issue), &same_key[..], &Forgetful, None, NOW);
        assert!(matches!(any, Err(ApError::NotUs { .. })), "{other}");
    }
    assert!(
        Acceptor::for_any_service()
            .accept(&request(&issue), &issue.keys()[..], &Forgetful, None, NOW)
            .is_ok()
    );
}

#[test]
fn a_service_under_two_names_takes_tickets_to_both() {
    let issue = Issue::default();
    let both = Acceptor::for_service(principal("HTTP/www@EXAMPLE.COM")).and_service(issue.service.clone());
    assert!(
        both.accept(&request(&issue), &issue.keys()[..], &Forgetful, None, NOW)
            .is_ok()
    );
}

#[test]
fn an_alias_is_taken_by_its_key_on_request_only() {
    let issue = Issue {
        service: principal("host/alias@EXAMPLE.COM"),
        ..Issue::default()
    };
    let keytab = [(principal("host/www@EXAMPLE.COM"), 3, issue.key.clone())];
    let strict = acceptor().accept(&request(&issue), &keytab[..], &Forgetful, None, NOW);
    assert!(matches!(strict, Err(ApError::NotUs { .. })));
    for lenient in [acceptor().with_aliases(), Acceptor::for_any_service().with_aliases()] {
        let accepted = lenient
            .accept(&request(&issue), &keytab[..], &Forgetful, None, NOW)
            .unwrap();
        assert_eq!(accepted.service().to_string(), "host/www@EXAMPLE.COM");
        let other = [(
            principal("host/www@EXAMPLE.COM"),
            3,
            Key::random(AES256, &mut Counter(1234)),
        )];
        let refused = lenient.accept(&request(&issue), &other[..], &Forgetful, None, NOW);
        assert!(matches!(refused, Err(ApError::NotUs { .. })));
    }
    // Another service of the same keytab stays another service.
    let nfs = [(principal("nfs/www@EXAMPLE.COM"), 3, issue.key.clone())];
    let refused = acceptor()
        .with_aliases()
        .accept(&request(&issue), &nfs[..], &Forgetful, None, NOW);
    assert!(matches!(refused, Err(ApError::NotUs { .. })));
}

#[test]
fn a_key_that_is_not_there_is_named_with_what_is() {
    let issue = Issue::default();
    let name = || principal("host/www@EXAMPLE.COM");
    let sha2 = EncType::Aes256CtsHmacSha384_192;
    let cases: [(&[Held], ErrorCode, &str); 5] = [
        (
            &[],
            ErrorCode::KRB_AP_ERR_NOKEY,
            "no key for host/www@EXAMPLE.COM kvno 3 aes256-cts-hmac-sha1-96: the keytab has none of \
             host/www@EXAMPLE.COM",
        ),
        (
            &[(name(), 2, service_key(AES256))],
            ErrorCode::KRB_AP_ERR_BADKEYVER,
            "no key for host/www@EXAMPLE.COM kvno 3 aes256-cts-hmac-sha1-96: the keytab has kvno 2 \
             aes256-cts-hmac-sha1-96; the keytab is older than the ticket: export it again",
        ),
        (
            &[(name(), 4, service_key(AES256)), (name(), 5, service_key(AES256))],
            ErrorCode::KRB_AP_ERR_BADKEYVER,
            "no key for host/www@EXAMPLE.COM kvno 3 aes256-cts-hmac-sha1-96: the keytab has kvno 4 \
             aes256-cts-hmac-sha1-96, kvno 5 aes256-cts-hmac-sha1-96; the ticket is older than the keytab: the client \
             needs a new one",
        ),
        (
            &[(name(), 3, service_key(sha2))],
            ErrorCode::KRB_AP_ERR_BADKEYVER,
            "no key for host/www@EXAMPLE.COM kvno 3 aes256-cts-hmac-sha1-96: the keytab has kvno 3 \
             aes256-cts-hmac-sha384-192; export the keytab again with that enctype",
        ),
        (
            &[(name(), 3, Key::random(AES256, &mut Counter(1234)))],
            ErrorCode::KRB_AP_ERR_BAD_INTEGRITY,
            "the ticket for host/www@EXAMPLE.COM kvno 3 aes256-cts-hmac-sha1-96 cannot be decrypted with the key of \
             that version: the key was changed without a new version, or the ticket was altered; export the keytab again",
        ),
    ];
    for (keys, code, text) in cases {
        let error = acceptor()
            .accept(&request(&issue), keys, &Forgetful, None, NOW)
            .unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, text));
    }
}

#[test]
fn the_key_is_found_by_version_low_octet_or_without_one() {
    for (ticket, held, fits) in [
        (Some(3), 3, true),
        (Some(3), 0, true),
        (None, 3, true),
        (Some(0x103), 3, true),
        (Some(0x103), 0x103, true),
        (Some(3), 0x103, false),
        (Some(0x103), 0x203, false),
        (Some(u32::MAX), u32::MAX, true),
    ] {
        let issue = Issue {
            kvno: ticket,
            ..Issue::default()
        };
        let wrong = Key::random(AES256, &mut Counter(1234));
        // Behind a wrong key of the same service, too.
        let keys = [
            (issue.service.clone(), 3, wrong),
            (issue.service.clone(), held, issue.key.clone()),
        ];
        let result = acceptor().accept(&request(&issue), &keys[..], &Forgetful, None, NOW);
        assert_eq!(result.is_ok(), fits, "{ticket:?} {held}");
    }
}

#[test]
fn a_keytab_gives_its_keys() {
    let issue = Issue::default();
    let mut keytab = Keytab::default();
    for (principal, kvno, key) in issue.keys() {
        keytab.append(KeytabEntry {
            principal,
            name_type: 1,
            timestamp: NOW,
            kvno,
            key: key.into(),
        });
    }
    assert!(
        acceptor()
            .accept(&request(&issue), &keytab, &Forgetful, None, NOW)
            .is_ok()
    );
}

#[test]
fn the_authenticator_must_be_the_tickets_clients() {
    let issue = Issue {
        client: principal("alice/admin@EXAMPLE.COM"),
        ..Issue::default()
    };
    for (realm, name, fits) in [
        ("EXAMPLE.COM", &["alice", "admin"][..], true),
        ("EXAMPLE.COM", &["alice"], false),
        ("EXAMPLE.COM", &["alice", "admin", ""], false),
        ("EXAMPLE.COM", &["alice", "admi"], false),
        ("EXAMPLE.COM", &["alice", "admin2"], false),
        ("EXAMPLE.COM", &["alice/admin"], false),
        ("EXAMPLE.COM", &["Alice", "admin"], false),
        ("EXAMPLE.CO", &["alice", "admin"], false),
        ("OTHER", &["alice", "admin"], false),
    ] {
        for name_type in [0, 1, 2, 10, -7] {
            let ap_req = with_authenticator(&issue, |authenticator| {
                authenticator.crealm = realm.into();
                let name_string = name.iter().map(|part| KerberosString::from(*part)).collect();
                authenticator.cname = PrincipalName { name_type, name_string };
            });
            let result = read(&issue, &ap_req);
            assert_eq!(result.is_ok(), fits, "{name:?}@{realm}");
            if let Err(error) = result {
                assert_eq!(error.code(), ErrorCode::KRB_AP_ERR_BADMATCH);
            }
        }
    }
}

#[test]
fn an_authenticator_under_another_key_or_usage_is_refused() {
    let issue = Issue::default();
    let credential = issue.credential();
    let mut stranger = credential.clone();
    stranger.key = Key::random(AES256, &mut Counter(1234));
    let ap_req = Initiator::new(&stranger).request(now(), &mut Counter(5));
    assert_eq!(
        read(&issue, ap_req.octets()).unwrap_err(),
        ApError::AuthenticatorIntegrity
    );
    stranger.key = Key::random(EncType::Aes128CtsHmacSha1_96, &mut Counter(1234));
    let ap_req = Initiator::new(&stranger).request(now(), &mut Counter(5));
    assert_eq!(
        read(&issue, ap_req.octets()).unwrap_err(),
        ApError::AuthenticatorIntegrity
    );
    // One that was made for a KDC.
    let ap_req = Initiator::for_tgs(&credential, b"body").request(now(), &mut Counter(5));
    assert_eq!(
        read(&issue, ap_req.octets()).unwrap_err(),
        ApError::AuthenticatorIntegrity
    );
}

#[test]
fn keys_of_foreign_enctypes_or_lengths_are_refused() {
    for (keytype, len) in [(23, 16), (1, 8), (16, 24), (0, 0), (18, 16), (17, 32), (18, 0)] {
        let strange = || EncryptionKey {
            keytype,
            keyvalue: vec![7; len].into(),
        };
        // The client cannot use it either, so it takes another one.
        let mut issue = Issue::default();
        let credential = issue.credential();
        issue.session_key = strange();
        let mut credential = credential;
        credential.ticket = issue.ticket();
        let ap_req = Initiator::new(&credential).request(now(), &mut Counter(5));
        assert_eq!(
            read(&issue, ap_req.octets()).unwrap_err(),
            ApError::KeyType(Part::Ticket, keytype)
        );

        let issue = Issue::default();
        let ap_req = with_authenticator(&issue, |authenticator| authenticator.subkey = Some(strange()));
        assert_eq!(
            read(&issue, &ap_req).unwrap_err(),
            ApError::KeyType(Part::Authenticator, keytype)
        );
    }
}

#[test]
fn a_ticket_with_addresses_is_good_from_these_alone() {
    let v4: IpAddr = "192.0.2.1".parse().unwrap();
    let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    let netbios = HostAddress {
        addr_type: 20,
        address: b"WORKSTATION     ".as_slice().into(),
    };
    let raw_mapped = HostAddress {
        addr_type: 24,
        address: [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, 1]].concat().into(),
    };
    for (allowed, from, fits) in [
        (None, Some(v4), true),
        (Some(vec![]), Some(v4), true),
        (Some(vec![v4.into()]), Some(v4), true),
        (Some(vec![v4.into()]), Some(mapped), true),
        (Some(vec![raw_mapped]), Some(v4), true),
        (Some(vec![v6.into(), v4.into()]), Some(v4), true),
        (Some(vec![v6.into(), netbios.clone()]), Some(v4), false),
        // What Windows asks for names a machine and says nothing of where it is.
        (Some(vec![netbios]), Some(v4), true),
        (Some(vec![v4.into()]), Some(v6), false),
        (Some(vec![v4.into()]), None, true),
    ] {
        let issue = Issue {
            addresses: allowed.clone(),
            ..Issue::default()
        };
        let result = acceptor().accept(&request(&issue), &issue.keys()[..], &Forgetful, from, NOW);
        let expected = if fits {
            Ok(())
        } else {
            Err(ApError::Address {
                from: from.unwrap(),
                allowed: allowed.clone().unwrap(),
            })
        };
        assert_eq!(result.map(drop), expected, "{allowed:?} {from:?}");
    }
}

#[test]
fn the_path_through_other_realms_must_have_been_checked() {
    let checked = TicketFlags::TRANSITED_POLICY_CHECKED;
    for (client, transited, flags, fits) in [
        ("alice@EXAMPLE.COM", "", TicketFlags::empty(), true),
        ("alice@EXAMPLE.COM", "OTHER", TicketFlags::empty(), true),
        ("alice@FAR", "", TicketFlags::empty(), true),
        ("alice@FAR", "OTHER", checked, true),
        ("alice@FAR", "OTHER", TicketFlags::empty(), false),
    ] {
        let issue = Issue {
            client: principal(client),
            transited,
            flags,
            ..Issue::default()
        };
        let result = accept(&issue);
        assert_eq!(result.is_ok(), fits, "{client} {transited}");
        if let Err(error) = result {
            assert_eq!(error.code(), ErrorCode::KRB_AP_PATH_NOT_ACCEPTED);
            let anything = acceptor().with_transited(TransitedPolicy::Anything);
            assert!(
                anything
                    .accept(&request(&issue), &issue.keys()[..], &Forgetful, None, NOW)
                    .is_ok()
            );
        }
    }
}

#[test]
fn user_to_user_takes_the_session_key_of_the_services_tgt() {
    let tgt = Issue {
        client: principal("bob@EXAMPLE.COM"),
        service: principal("krbtgt/E@E"),
        ..Issue::default()
    };
    let tgt = tgt.credential();
    let issue = Issue {
        service: principal("bob@EXAMPLE.COM"),
        key: tgt.key.clone(),
        kvno: None,
        ..Issue::default()
    };
    let mut credential = issue.credential();
    credential.second_ticket = tgt.ticket.clone();
    let ap_req = Initiator::new(&credential).request(now(), &mut Counter(5));
    let any = Acceptor::for_any_service();
    let accepted = any
        .accept_user_to_user(ap_req.octets(), &tgt, &Forgetful, None, NOW)
        .unwrap();
    assert_eq!(accepted.service().to_string(), "bob@EXAMPLE.COM");
    assert_eq!(accepted.options(), ApOptions::USE_SESSION_KEY);

    let without_tgt = any
        .accept(ap_req.octets(), &issue.keys()[..], &Forgetful, None, NOW)
        .unwrap_err();
    assert_eq!(
        (without_tgt.code(), without_tgt),
        (ErrorCode::KRB_AP_ERR_NO_TGT, ApError::NoTgt)
    );
    let ordinary = request(&Issue::default());
    let error = any
        .accept_user_to_user(&ordinary, &tgt, &Forgetful, None, NOW)
        .unwrap_err();
    assert_eq!(
        (error.code(), error),
        (ErrorCode::KRB_AP_ERR_USER_TO_USER_REQUIRED, ApError::UserToUserRequired)
    );

    let mut other_tgt = tgt.clone();
    other_tgt.key = Key::random(AES256, &mut Counter(77));
    let error = any
        .accept_user_to_user(ap_req.octets(), &other_tgt, &Forgetful, None, NOW)
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::KRB_AP_ERR_BAD_INTEGRITY);
    other_tgt = tgt;
    other_tgt.client = principal("carol@EXAMPLE.COM");
    let error = any
        .accept_user_to_user(ap_req.octets(), &other_tgt, &Forgetful, None, NOW)
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::KRB_AP_ERR_NOT_US);
}

#[test]
fn an_ap_req_is_accepted_once() {
    let issue = Issue::default();
    let cache = MemoryReplayCache::new(Acceptor::SKEW);
    let again = |octets: &[u8], now| {
        acceptor()
            .accept(octets, &issue.keys()[..], &cache, None, now)
            .map(drop)
    };
    let first = request(&issue);
    assert_eq!(again(&first, NOW), Ok(()));
    for later in [0, 1, SKEW] {
        let error = again(&first, at(later)).unwrap_err();
        assert_eq!(
            (error.code(), error),
            (
                ErrorCode::KRB_AP_ERR_REPEAT,
                ApError::Replay {
                    client: issue.client.clone()
                }
            )
        );
    }
    // The cleartext is not what makes it another one.
    let mut altered: ApReq = wire::decode(&first).unwrap();
    altered.ap_options = ApOptions::MUTUAL_REQUIRED;
    assert!(matches!(
        again(&wire::encode(&altered), NOW),
        Err(ApError::Replay { .. })
    ));
    // Another authenticator of the same microsecond is.
    let second = Initiator::new(&issue.credential()).request(now(), &mut Counter(6));
    assert_eq!(again(second.octets(), NOW), Ok(()));
}

#[test]
fn what_is_refused_takes_no_room_in_the_cache_and_a_full_one_lets_nobody_in() {
    let issue = Issue::default();
    let cache = MemoryReplayCache::with_capacity(Acceptor::SKEW, 1);
    let expired = Issue {
        endtime: at(-1000),
        ..Issue::default()
    };
    let accept = |octets: &[u8]| {
        acceptor()
            .accept(octets, &issue.keys()[..], &cache, None, NOW)
            .map(drop)
    };
    assert!(accept(&request(&expired)).is_err());
    assert_eq!(accept(&request(&issue)), Ok(()));
    let second = Initiator::new(&issue.credential()).request(now(), &mut Counter(6));
    assert_eq!(accept(second.octets()), Err(ApError::ReplayCacheFull));
    assert_eq!(cache.claim(ReplayTag([1; 16]), at(10_000)), Ok(()));
}

#[test]
fn only_the_session_keys_own_checksum_is_taken() {
    for etype in EncType::ALL {
        let issue = Issue::with(etype, etype);
        let key = issue.credential().key;
        let usage = KeyUsage::AP_REQ_CHECKSUM;
        let right = key.checksum(usage, b"data");
        for cksumtype in (-200..=200).chain([0x8003]) {
            for checksum in [
                right.clone(),
                md5::digest(b"data").to_vec(),
                vec![0; right.len()],
                Vec::new(),
            ] {
                let is_right = checksum == right;
                let ap_req = with_authenticator(&issue, |authenticator| {
                    authenticator.cksum = Some(Checksum {
                        cksumtype,
                        checksum: checksum.into(),
                    });
                });
                let verdict = read(&issue, &ap_req).unwrap().verify_checksum(b"data");
                let expected = match cksumtype == etype.checksum_type() {
                    true if is_right => Ok(()),
                    true => Err(MessageError::Modified),
                    false => Err(MessageError::ChecksumType(cksumtype)),
                };
                assert_eq!(verdict, expected, "{etype} {cksumtype}");
            }
        }
        let none = accept(&issue).unwrap().verify_checksum(b"data").unwrap_err();
        assert_eq!(
            (none.code(), none),
            (ErrorCode::KRB_AP_ERR_INAPP_CKSUM, MessageError::NoChecksum)
        );
        let elsewhere = Initiator::new(&issue.credential())
            .with_checksum(Checksum {
                cksumtype: etype.checksum_type(),
                checksum: key.checksum(KeyUsage::TGS_REQ_CHECKSUM, b"data").into(),
            })
            .request(now(), &mut Counter(5));
        let verdict = read(&issue, elsewhere.octets()).unwrap().verify_checksum(b"data");
        assert_eq!(verdict, Err(MessageError::Modified));
    }
}

#[test]
fn what_is_no_ap_req_is_told_from_a_broken_one() {
    let issue = Issue::default();
    let good: ApReq = wire::decode(&request(&issue)).unwrap();
    let changed = |change: fn(&mut ApReq)| {
        let mut request = good.clone();
        change(&mut request);
        wire::encode(&request)
    };
    for (octets, code) in [
        (vec![], ErrorCode::KRB_AP_ERR_MSG_TYPE),
        (b"GET / HTTP/1.1\r\n".to_vec(), ErrorCode::KRB_AP_ERR_MSG_TYPE),
        (b"\x6e\x80\x30\x80".to_vec(), ErrorCode::KRB_ERR_GENERIC),
        (changed(|r| r.pvno = 4), ErrorCode::KRB_AP_ERR_BADVERSION),
        (changed(|r| r.msg_type = 12), ErrorCode::KRB_AP_ERR_MSG_TYPE),
        (
            changed(|r| r.ticket = wire::Any::new(vec![0x30, 0])),
            ErrorCode::KRB_ERR_GENERIC,
        ),
    ] {
        assert_eq!(read(&issue, &octets).unwrap_err().code(), code);
    }
    let ap_req = with_authenticator(&issue, |authenticator| authenticator.authenticator_vno = 4);
    assert_eq!(
        read(&issue, &ap_req).unwrap_err(),
        ApError::Version(Part::Authenticator, 4)
    );
    let ap_req = with_authenticator(&issue, |authenticator| authenticator.cname.name_string.clear());
    assert!(matches!(
        read(&issue, &ap_req),
        Err(ApError::Name(Part::Authenticator, _))
    ));
    let ap_req = with_authenticator(&issue, |authenticator| authenticator.crealm = "\0EXAMPLE.COM".into());
    assert!(matches!(
        read(&issue, &ap_req),
        Err(ApError::Name(Part::Authenticator, _))
    ));
}

#[test]
fn the_peer_is_told_a_code_and_the_time_and_nothing_else() {
    let error = accept(&Issue {
        endtime: at(-1000),
        ..Issue::default()
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the ticket ended at 2027-01-15T07:43:20Z, now it is 2027-01-15T08:00:00Z"
    );
    let octets = error.to_krb_error(&principal("host/www@EXAMPLE.COM"), now());
    let told: KrbError = wire::decode(&octets).unwrap();
    let expected = KrbError {
        pvno: 5,
        msg_type: 30,
        ctime: None,
        cusec: None,
        stime: NOW,
        susec: Microseconds(123_456),
        error_code: 32,
        crealm: None,
        cname: None,
        realm: "EXAMPLE.COM".into(),
        sname: PrincipalName::new(2, &"host/www".parse().unwrap()),
        e_text: None,
        e_data: None,
    };
    assert_eq!(told, expected);
}

#[test]
fn sequence_numbers_begin_where_every_program_counts_them_alike() {
    let mut random = Counter(0);
    assert!((0..1000).all(|_| first_seq_number(&mut random) < 0x4000_0000));
}
