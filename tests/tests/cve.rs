//! Faults of other implementations that have numbers: that this one does not have them. CVE.md is the table; what other
//! tests prove is named there, what is peculiar is here.

use tessera_tests::wire::der::{self, Element, sequence, tagged};
use tessera_tests::wire::{
    ApReq, AuthenticatorChecksum, EncTicketPart, KdcReq, Name, Rep, Reply, Session, ask, authorization_data,
    authorization_types, crypto::Key, flag, keytab, login, login_by_preauth, now, option, socket,
};
use tessera_tests::{Protocol, Realm, Relay};

fn realm_with_alice_and_a_host() -> Realm {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    realm
}

fn alice() -> Key {
    Key::from_password("wonderland", "EXAMPLE.COMalice")
}

fn host() -> KdcReq {
    KdcReq::ticket("host/server.example.com")
}

#[track_caller]
fn well(realm: &Realm) {
    assert_eq!(ask(realm.kerberos(), &KdcReq::initial("alice").to_der()).code(), 25);
    assert!(!realm.log().contains("panicked"), "{}", realm.log());
}

/// CVE-2020-28196: indefinite lengths, nested as deep as they go.
#[test]
fn nesting_has_an_end() {
    let realm = realm_with_alice_and_a_host();
    for unit in [
        &[0x30, 0x80][..],
        &[0x6a, 0x80],
        &[0xa0, 0x80],
        &[0x24, 0x80],
        &[0x30, 0x82, 0xff, 0xff],
    ] {
        for octets in [64_000, 1_000_000] {
            let packet = unit.repeat(octets / unit.len());
            let mut stream = socket::connect(realm.kerberos());
            // The connection may end before all of it is sent.
            let length = u32::try_from(packet.len()).unwrap().to_be_bytes();
            let _ = std::io::Write::write_all(&mut stream, &[&length[..], &packet].concat());
            well(&realm);
        }
    }
}

/// CVE-2021-37750, CVE-2021-3671: a TGS-REQ that names no service.
#[test]
fn a_tgs_request_may_leave_out_what_it_likes() {
    let realm = realm_with_alice_and_a_host();
    let tgt = login(realm.kerberos(), "alice", &alice());
    let rows = [
        KdcReq { sname: None, ..host() },
        KdcReq { realm: None, ..host() },
        KdcReq {
            sname: None,
            realm: None,
            ..host()
        },
        KdcReq {
            sname: Some(Name {
                name_type: 2,
                components: vec![],
            }),
            ..host()
        },
        KdcReq { sname: None, ..host() }.with_options(option::ENC_TKT_IN_SKEY),
        KdcReq { sname: None, ..host() }.with_options(option::RENEW),
        host().with_options(option::ENC_TKT_IN_SKEY),
        KdcReq {
            additional_tickets: vec![sequence(&[])],
            ..host()
        }
        .with_options(option::ENC_TKT_IN_SKEY),
        KdcReq {
            etypes: vec![],
            ..host()
        },
    ];
    for request in rows {
        let _ = tgt.ask(realm.kerberos(), &request).error();
        well(&realm);
    }
}

/// CVE-2012-1014, CVE-2012-1015, CVE-2013-1416, CVE-2013-1417: odd names for services, with and without a ticket.
#[test]
fn odd_service_names_are_unknown_services() {
    let realm = realm_with_alice_and_a_host();
    let tgt = login(realm.kerberos(), "alice", &alice());
    let many: Vec<Vec<u8>> = (0..200).map(|_| b"x".to_vec()).collect();
    let odd: [Vec<Vec<u8>>; 9] = [
        vec![b"krbtgt".to_vec()],
        vec![b"krbtgt".to_vec(), vec![]],
        vec![b"krbtgt".to_vec(), b"EXAMPLE.COM".to_vec(), b"more".to_vec()],
        vec![vec![], b"EXAMPLE.COM".to_vec()],
        vec![b"host".to_vec(), b"a.b..c".to_vec()],
        vec![b"host".to_vec(), b".".to_vec()],
        vec![b"krbtgt\0".to_vec(), b"EXAMPLE.COM".to_vec()],
        vec![b"host".to_vec(), vec![b'.'; 5000]],
        many,
    ];
    for components in odd {
        let sname = Some(Name {
            name_type: 2,
            components,
        });
        let initial = KdcReq {
            sname: sname.clone(),
            ..KdcReq::initial("alice")
        };
        let _ = ask(realm.kerberos(), &initial.to_der()).error();
        let _ = tgt.ask(realm.kerberos(), &KdcReq { sname, ..host() }).error();
        well(&realm);
    }
}

/// CVE-2022-45142 (a comparison turned round), CVE-2010-1323, CVE-2010-1324, CVE-2014-6324: which checksums over a request
/// are taken, and that they are compared.
#[test]
fn a_request_is_bound_to_its_authenticator() {
    use AuthenticatorChecksum::{Absent, Crc32, Keyed, Raw, RsaMd5, Sha1};
    let realm = realm_with_alice_and_a_host();
    let tgt = login(realm.kerberos(), "alice", &alice());
    let right = tgt.key.checksum(6, &host().body());
    let rows = [
        ("the key's own", Keyed(6), 0),
        ("RSA-MD5, as old clients send it", RsaMd5, 0),
        ("none", Absent, 50),
        ("CRC-32", Crc32, 50),
        ("MD4", Raw(2, vec![0; 16]), 50),
        ("SHA-1 without a key", Sha1, 15),
        ("of a type nobody numbered", Raw(999, vec![0; 12]), 15),
        ("of another usage", Keyed(7), 41),
        ("of other octets", Raw(16, vec![0; 12]), 41),
        ("cut short", Raw(16, right[..11].to_vec()), 41),
        ("too long", Raw(16, [&right[..], &[0]].concat()), 41),
        ("empty", Raw(16, vec![]), 41),
        ("RSA-MD5 of other octets", Raw(7, vec![0; 16]), 41),
        ("of the smaller AES", Raw(15, right.clone()), 50),
    ];
    for (what, checksum, expected) in rows {
        let nonce = KdcReq {
            nonce: host().nonce,
            ..host()
        };
        let header = ApReq {
            checksum,
            ..tgt.header()
        };
        let code = tgt.ask_with(realm.kerberos(), &nonce, &header).code();
        assert_eq!(code, expected, "{what}");
    }
    // Every bit counts.
    for bit in 0..96 {
        let request = host();
        let mut checksum = tgt.key.checksum(6, &request.body());
        checksum[bit / 8] ^= 1 << (bit % 8);
        let header = ApReq {
            checksum: Raw(16, checksum),
            ..tgt.header()
        };
        assert_eq!(
            tgt.ask_with(realm.kerberos(), &request, &header).code(),
            41,
            "bit {bit}"
        );
    }
}

/// CVE-2014-6324 and its kind, on the header: name, realm, time, key, usage.
#[test]
fn an_authenticator_is_its_tickets() {
    let realm = realm_with_alice_and_a_host();
    let tgt = login(realm.kerberos(), "alice", &alice());
    let altered = |alter: &dyn Fn(&mut ApReq)| {
        let mut header = tgt.header();
        alter(&mut header);
        tgt.ask_with(realm.kerberos(), &host(), &header).code()
    };
    assert_eq!(altered(&|_| ()), 0);
    assert_eq!(altered(&|header| header.cname = Name::new("bob")), 36);
    assert_eq!(altered(&|header| header.cname = Name::new("alice/admin")), 36);
    assert_eq!(altered(&|header| header.crealm = "OTHER.ORG".into()), 36);
    assert_eq!(altered(&|header| header.ctime -= 400), 37);
    assert_eq!(altered(&|header| header.ctime += 400), 37);
    assert_eq!(altered(&|header| header.usage = 11), 31);
    assert_eq!(altered(&|header| header.session_key = Key::random()), 31);
    let last = tgt.ticket.len() - 1;
    assert_eq!(altered(&|header| header.ticket[last] ^= 1), 31);
}

/// A ticket that was not issued, or not yet, or no more.
#[test]
fn forged_and_stale_tickets_are_refused() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let tgt = login(kdc, "alice", &alice());
    let (krbtgt, kvno) = keytab::newest_key(&realm.keytab("krbtgt/EXAMPLE.COM"));
    let (service_key, service_kvno) = keytab::newest_key(&realm.keytab("host/server.example.com"));
    let genuine = EncTicketPart::open(&tgt.ticket, &krbtgt);
    let with = |alter: &dyn Fn(&mut EncTicketPart), key: &Key, kvno| {
        let mut part = genuine.clone();
        alter(&mut part);
        let session = Session {
            ticket: part.seal("krbtgt/EXAMPLE.COM", key, kvno),
            key: part.key,
            ..tgt.clone()
        };
        session.ask(kdc, &host()).code()
    };
    assert_eq!(with(&|_| (), &krbtgt, Some(kvno)), 0, "sealed again as it was");
    assert_ne!(
        with(&|_| (), &service_key, Some(service_kvno)),
        0,
        "sealed with a service's key"
    );
    assert_ne!(
        with(&|_| (), &Key::random(), Some(kvno)),
        0,
        "sealed with a key made up"
    );
    assert_eq!(with(&|_| (), &krbtgt, Some(kvno + 1)), 44, "a key version that is not");
    assert_eq!(with(&|part| part.endtime = now() - 400, &krbtgt, Some(kvno)), 32);
    assert_eq!(
        with(&|part| part.starttime = Some(now() + 400), &krbtgt, Some(kvno)),
        33
    );
    assert_eq!(with(&|part| part.flags |= flag::INVALID, &krbtgt, Some(kvno)), 33);
}

/// CVE-2014-5351: whoever may fetch the keys of today is not told those of yesterday, which open tickets that others have.
#[test]
fn a_keytab_never_gets_a_former_key() {
    const SERVICE: &str = "host/server.example.com";
    let realm = realm_with_alice_and_a_host();
    let told = |flags: &str| {
        let file = tempfile::Builder::new().tempfile_in(realm.directory()).unwrap();
        let line = format!("keytab {SERVICE} {flags} --output");
        realm.principal(&line).arg(file.path()).run().ok();
        let entries = keytab::read(file.path());
        entries
            .into_iter()
            .map(|entry| (entry.kvno, entry.key))
            .collect::<Vec<_>>()
    };
    let mut known = told("");
    for (step, versions) in [
        ("--keep", &[2][..]),
        ("--stage", &[2, 3]),
        ("--activate", &[3]),
        ("--stage", &[3, 4]),
        ("--purge", &[3, 4]),
        ("--activate", &[4]),
    ] {
        realm.principal(&format!("rotate {SERVICE} {step}")).run().ok();
        let keys = told("");
        let mut seen: Vec<_> = keys.iter().map(|(kvno, _)| *kvno).collect();
        seen.dedup();
        assert_eq!(seen, versions, "{step}");
        for (kvno, key) in keys {
            let first = known.iter().find(|(_, other)| *other == key);
            assert!(
                first.is_none_or(|(of, _)| *of == kvno),
                "{step}: a key of another version"
            );
            known.push((kvno, key));
        }
    }
    assert!(told("--rotate").iter().all(|(kvno, _)| *kvno == 5));
}

/// CVE-2021-42278, CVE-2021-42287, CVE-2020-25719: a TGT is its principal's, not its name's.
#[test]
fn a_principal_made_anew_under_an_old_name_is_another() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let alices = login_by_preauth(kdc, &KdcReq::initial("alice").with_options(option::RENEWABLE), &alice());
    let renew = KdcReq::ticket("krbtgt/EXAMPLE.COM").with_options(option::RENEW);
    realm.add("bob", "builder");
    realm.principal("rename alice liddell").run().ok();
    realm.principal("rename bob alice").run().ok();
    // It is alice's ticket, whoever has her name by now.
    for request in [host(), renew.clone()] {
        let code = alices.ask(kdc, &request).code();
        assert_ne!(code, 0, "a ticket for one principal used as another's");
    }
    realm.principal("remove alice").run().ok();
    assert_ne!(alices.ask(kdc, &host()).code(), 0);
    realm.add("alice", "wonderland");
    for request in [host(), renew] {
        assert_eq!(alices.ask(kdc, &request).error().code, 20, "TGT_REVOKED");
    }
    assert_eq!(login(kdc, "alice", &alice()).ask(kdc, &host()).code(), 0);
}

/// A service rewrites a ticket to itself and brings it back.
#[test]
fn a_service_cannot_make_its_ticket_more_than_it_was() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    realm.add("bob", "builder");
    let renewable = KdcReq::initial("alice").with_options(option::RENEWABLE | option::PROXIABLE);
    let tgt = login_by_preauth(kdc, &renewable, &alice());
    let ticket = tgt.get(kdc, &host().with_options(option::RENEWABLE | option::PROXIABLE));
    let (key, kvno) = keytab::newest_key(&realm.keytab("host/server.example.com"));
    let genuine = EncTicketPart::open(&ticket.ticket, &key);
    let renew = host().with_options(option::RENEW);
    let asked = |part: &EncTicketPart, cname: &Name| {
        let session = Session {
            ticket: part.seal("host/server.example.com", &key, Some(kvno)),
            key: part.key.clone(),
            client: cname.clone(),
            ..ticket.clone()
        };
        session.ask(kdc, &renew)
    };
    assert_eq!(
        asked(&genuine, &genuine.cname).code(),
        0,
        "as it was issued it is renewed"
    );
    // Somebody else's, by another name: it must not come back as the KDC's word for bob.
    let bobs = EncTicketPart {
        cname: Name::new("bob"),
        ..genuine.clone()
    };
    assert_ne!(
        asked(&bobs, &bobs.cname).code(),
        0,
        "a ticket for alice became one for bob"
    );
    let bare = EncTicketPart {
        cname: Name::new("bob"),
        authorization_data: None,
        ..genuine
    };
    assert_ne!(asked(&bare, &bare.cname).code(), 0, "nor without the binding");
}

/// Authorization data that only a KDC may issue does not come in through a client.
#[test]
fn authorization_data_of_the_kdcs_own_types_is_dropped() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let tgt = login(kdc, "alice", &alice());
    let (key, _) = keytab::newest_key(&realm.keytab("host/server.example.com"));
    let value = b"made up".to_vec();
    let nested = authorization_data(&[
        (4, value.clone()),
        (96, value.clone()),
        (97, value.clone()),
        (128, value.clone()),
        (555, value.clone()),
    ]);
    let elements = [
        (4, value.clone()),
        (96, value.clone()),
        (97, value.clone()),
        (128, value.clone()),
        (555, value),
        (1, nested),
    ];
    let plain = authorization_data(&elements);
    let sealed = tgt.key.encrypt(4, &plain);
    let encrypted = sequence(&[tagged(0, &der::integer(18)), tagged(2, &der::octets(&sealed))]);
    let ticket = tgt.get(
        kdc,
        &KdcReq {
            authorization_data: Some(encrypted),
            ..host()
        },
    );
    let part = EncTicketPart::open(&ticket.ticket, &key);
    let data = part.authorization_data.unwrap_or_else(|| authorization_data(&[]));
    let of_client = flatten(&data)
        .into_iter()
        .filter(|(_, value)| value == b"made up")
        .map(|(kind, _)| kind);
    assert_eq!(
        of_client.collect::<Vec<_>>(),
        [555, 555],
        "{:?}",
        authorization_types(&data)
    );
}

fn flatten(data: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let mut all = Vec::new();
    for item in Element::parse(data).children() {
        let (kind, value) = (item.field(0).integer(), item.field(1).content.to_vec());
        if kind == 1 {
            all.extend(flatten(&value));
        }
        all.push((kind, value));
    }
    all
}

/// CVE-2017-11103 (Orpheus' Lyre): the client believes the encrypted part alone.
#[test]
#[ignore = "needs MIT's tools"]
fn our_client_does_not_believe_what_anybody_can_alter() {
    let realm = realm_with_alice_and_a_host();
    realm.add_service("host/other.example.com");
    for (what, tag) in [("an AS-REP", 0x6b_u8), ("a TGS-REP", 0x6d)] {
        let relay = Relay::rewriting(realm.kerberos(), &[Protocol::Udp, Protocol::Tcp], move |exchange| {
            if let Some(reply) = exchange.reply.as_mut().filter(|reply| reply[0] == tag) {
                let Reply::Rep(rep) = Reply::parse(reply) else {
                    unreachable!()
                };
                *reply = with_other_names(&rep, tag);
            }
        });
        let desk = realm.workstation().with_whole_config(&relay.krb5_conf());
        let kinit = desk.ours("kinit alice").stdin("wonderland\n").run();
        let finished = if tag == 0x6b {
            kinit
        } else {
            desk.ours("kvno host/server.example.com").run()
        };
        if finished.status.success() {
            // It took no notice of the names outside: then those inside are what it stored.
            let services: Vec<_> = desk.tickets().into_iter().map(|ticket| ticket.service).collect();
            assert!(
                !services.iter().any(|service| service.contains("other")),
                "{what}: {services:?}"
            );
        }
    }
}

/// The reply with other names of client and service where they are not protected.
fn with_other_names(rep: &Rep, tag: u8) -> Vec<u8> {
    let ticket = Element::parse(&rep.ticket);
    let other = Name::new("host/other.example.com").to_der();
    let ticket = der::application(
        1,
        &sequence(&[
            tagged(0, &der::integer(5)),
            tagged(1, &der::string(b"EXAMPLE.COM")),
            tagged(2, &other),
            tagged(3, ticket.field(3).whole),
        ]),
    );
    let mut enc_part = vec![tagged(0, &der::integer(rep.etype))];
    enc_part.extend(rep.kvno.iter().map(|kvno| tagged(1, &der::integer(*kvno))));
    enc_part.push(tagged(2, &der::octets(&rep.cipher)));
    let padata: Vec<_> = rep
        .padata
        .iter()
        .map(|(kind, value)| sequence(&[tagged(1, &der::integer(*kind)), tagged(2, &der::octets(value))]))
        .collect();
    let mut parts = vec![tagged(0, &der::integer(5)), tagged(1, &der::integer(rep.msg_type))];
    if !padata.is_empty() {
        parts.push(tagged(2, &sequence(&padata)));
    }
    parts.extend([
        tagged(3, &der::string(b"EXAMPLE.COM")),
        tagged(4, &Name::new("alice").to_der()),
        tagged(5, &ticket),
        tagged(6, &sequence(&enc_part)),
    ]);
    der::application(tag & 0x1f, &sequence(&parts))
}

/// CVE-2015-2694: pre-authentication is done or it is not.
#[test]
fn no_ticket_without_a_proof_and_no_flag_without_one() {
    let realm = realm_with_alice_and_a_host();
    for kind in [2, 16, 17, 138, 133, 136, 141, 147, 151, 149] {
        for value in [vec![], vec![0x30, 0], b"garbage".to_vec()] {
            let mut request = KdcReq::initial("alice");
            request.padata.push((kind, value));
            let code = ask(realm.kerberos(), &request.to_der()).error().code;
            let right = match kind {
                // A cookie that is none of this realm's, and FAST that is none.
                133 => code == 90,
                136 => code == 60,
                _ => matches!(code, 24 | 25),
            };
            assert!(right, "padata {kind}: {code}");
        }
    }
    realm
        .principal("add open --no-preauth --password-file -")
        .stdin("sesame\n")
        .run()
        .ok();
    let mut request = KdcReq::initial("open");
    request.padata.push((2, Vec::new()));
    if let Reply::Rep(rep) = ask(realm.kerberos(), &request.to_der()) {
        let part = rep.open(&Key::from_password("sesame", "EXAMPLE.COMopen"), 3);
        assert!(!part.has(flag::PRE_AUTHENT));
    }
}

/// CVE-2014-9422: names are compared by whole components.
#[test]
fn a_name_that_begins_alike_is_another() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let tgt = login(kdc, "alice", &alice());
    for name in [
        "host/server.example.co",
        "host/server.example.com.",
        "host/server.example.comm",
        "hos/server.example.com",
        "host",
    ] {
        assert_eq!(tgt.refused(kdc, &KdcReq::ticket(name)), 7, "{name}");
    }
    realm.add_service("kadmin/changepwd");
    let near = tgt.get(kdc, &KdcReq::ticket("kadmin/changepwd"));
    assert!(
        near.part.endtime - near.part.authtime > 300,
        "it is a service like others"
    );
}

/// CVE-2018-5729, CVE-2018-5730, CVE-2023-25613: names are data, not queries.
#[test]
fn names_with_the_metacharacters_of_other_stores_are_names() {
    let realm = realm_with_alice_and_a_host();
    for name in [
        "*",
        "alice*",
        "alice)(uid=*",
        "(|(cn=*))",
        "alice,dc=example",
        "a\\\\b",
        "'; drop table",
        "../../etc",
        "%s%n",
    ] {
        let request = KdcReq {
            cname: Some(Name {
                name_type: 1,
                components: vec![name.as_bytes().to_vec()],
            }),
            ..KdcReq::initial("")
        };
        assert_eq!(ask(realm.kerberos(), &request.to_der()).error().code, 6, "{name}");
    }
    well(&realm);
}

/// Session keys are as strong as the weakest that both support, never of the past: CVE-2022-37966, CVE-2025-3576.
#[test]
fn enctypes_of_the_past_are_never_chosen() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let mixed = KdcReq {
        etypes: vec![23, 3, 16, 18, 17],
        ..KdcReq::initial("alice")
    };
    let tgt = login_by_preauth(kdc, &mixed, &alice());
    assert_eq!(tgt.part.etype, 18);
    assert_eq!(
        tgt.refused(
            kdc,
            &KdcReq {
                etypes: vec![23, 3, 16],
                ..host()
            }
        ),
        14
    );
    assert_eq!(
        tgt.get(
            kdc,
            &KdcReq {
                etypes: vec![23, 3, 16, 18],
                ..host()
            }
        )
        .part
        .etype,
        18
    );
}
