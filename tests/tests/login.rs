//! Logging in: with a password, with a keytab, in every enctype, over every transport.

use tessera_tests::wire::{KdcReq, crypto::Key, flag, login_by_preauth};
use tessera_tests::{ENCTYPES, Protocol, Realm, Relay, Side};

/// Only this enctype, for everything.
fn only(enctype: &str) -> String {
    format!(
        "[libdefaults]\n permitted_enctypes = {enctype}\n default_tkt_enctypes = {enctype}\n default_tgs_enctypes = {enctype}"
    )
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_right_password_logs_in() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
        for reader in Side::BOTH {
            let listed = desk.tool(reader, "klist").run().ok();
            assert!(
                listed.contains("Default principal: alice@EXAMPLE.COM\n"),
                "{side:?} {reader:?} {listed}"
            );
            assert!(
                listed.contains("krbtgt/EXAMPLE.COM@EXAMPLE.COM"),
                "{side:?} {reader:?} {listed}"
            );
        }
        assert!(desk.tgt().flags.contains("IA"), "{side:?} {:?}", desk.tgt());
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_password_typed_at_a_terminal_is_not_shown() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    for side in Side::BOTH {
        let desk = realm.workstation();
        let mut terminal = desk.tool(side, "kinit alice").at_terminal();
        terminal.answer("Password for alice@EXAMPLE.COM: ", "wonderland");
        let shown = terminal.finish().ok();
        assert!(!shown.contains("wonderland"), "{side:?} {shown}");
        desk.mit("klist -s").run().ok();
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_keytab_logs_in() {
    let realm = Realm::start();
    let keytab = realm.add_service("host/server.example.com");
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.tool(side, "kinit -k -t")
            .arg(&keytab)
            .arg("host/server.example.com")
            .run()
            .ok();
        assert!(desk.tgt().flags.contains("IA"), "{side:?}");
        // Without -t: KRB5_KTNAME. With -i: the client keytab.
        let desk = realm.workstation();
        std::fs::copy(&keytab, desk.keytab()).unwrap();
        desk.tool(side, "kinit -k host/server.example.com").run().ok();
        let desk = realm.workstation();
        std::fs::copy(&keytab, desk.path("client-keytab")).unwrap();
        desk.tool(side, "kinit -k -i host/server.example.com").run().ok();
        assert_eq!(desk.tgt().service, "krbtgt/EXAMPLE.COM@EXAMPLE.COM");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn every_enctype_logs_in_by_password_and_by_keytab() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let keytab = realm.add_service("host/server.example.com");
    for enctype in ENCTYPES {
        for side in Side::BOTH {
            let desk = realm.workstation().with_config(&only(enctype));
            desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
            assert_eq!(desk.tgt().session_etype, enctype, "{side:?}");
            desk.tool(side, "kinit -k -t")
                .arg(&keytab)
                .arg("host/server.example.com")
                .run()
                .ok();
            assert_eq!(desk.tgt().session_etype, enctype, "{side:?}");
            desk.tool(side, "kvno host/server.example.com").run().ok();
            assert_eq!(
                desk.ticket("host/server.example.com").session_etype,
                enctype,
                "{side:?}"
            );
            // Tickets are sealed with the service's first key, whatever the client asks.
            assert_eq!(desk.tgt().ticket_etype, ENCTYPES[0]);
            assert_eq!(desk.ticket("host/server.example.com").ticket_etype, ENCTYPES[0]);
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_principal_has_the_enctypes_it_was_given() {
    let realm = Realm::start();
    for enctype in ENCTYPES {
        let (name, service) = (format!("only-{enctype}"), format!("service/only-{enctype}"));
        let add = realm
            .principal("add --password-file - --enctypes")
            .arg(enctype)
            .arg(&name);
        add.stdin("wonderland\n").run().ok();
        realm
            .principal("add --random-key --enctypes")
            .arg(enctype)
            .arg(&service)
            .run()
            .ok();
        for side in Side::BOTH {
            let desk = realm.workstation();
            desk.tool(side, "kinit").arg(&name).stdin("wonderland\n").run().ok();
            if side == Side::Mit {
                assert!(
                    desk.trace()
                        .contains(&format!("Selected etype info: etype {}", short(enctype))),
                    "{}",
                    desk.trace()
                );
            }
            desk.tool(side, "kvno").arg(&service).run().ok();
            assert_eq!(desk.ticket(&service).ticket_etype, enctype);
        }
        // No key of the client's fits: refused, and not with a key of another kind.
        let other = ENCTYPES.iter().find(|other| **other != enctype).unwrap();
        let desk = realm.workstation().with_config(&only(other));
        desk.mit("kinit")
            .arg(&name)
            .stdin("wonderland\n")
            .run()
            .refused_with("KDC has no support for encryption type");
    }
}

/// As MIT's trace names an enctype.
fn short(enctype: &str) -> &str {
    match enctype {
        "aes256-cts-hmac-sha1-96" => "aes256-cts",
        "aes128-cts-hmac-sha1-96" => "aes128-cts",
        "aes256-cts-hmac-sha384-192" => "aes256-sha2",
        "aes128-cts-hmac-sha256-128" => "aes128-sha2",
        other => panic!("{other}"),
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_realm_makes_the_enctypes_that_realm_toml_names() {
    let realm = Realm::builder()
        .section("[keys]\nenctypes = [\"aes128-cts-hmac-sha256-128\"]")
        .start();
    realm.add("alice", "wonderland");
    let desk = realm.workstation();
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    assert_eq!(desk.tgt().ticket_etype, "aes128-cts-hmac-sha256-128");
    assert!(
        desk.trace().contains("Selected etype info: etype aes128-sha2"),
        "{}",
        desk.trace()
    );
    let desk = realm.workstation().with_config(&only("aes256-cts-hmac-sha1-96"));
    desk.mit("kinit alice")
        .stdin("wonderland\n")
        .run()
        .refused_with("KDC has no support for encryption type");
}

#[test]
#[ignore = "needs MIT's tools"]
fn udp_alone_and_tcp_alone_are_enough() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    for side in Side::BOTH {
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            let relay = Relay::only(realm.kerberos(), protocol);
            let desk = realm.workstation().with_whole_config(&relay.krb5_conf());
            desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
            desk.tool(side, "kvno host/server.example.com").run().ok();
            // Two requests to log in, one for the ticket; a slow machine may see one sent twice.
            assert!(
                relay.count(protocol) >= 3,
                "{side:?} {protocol:?} {}",
                relay.count(protocol)
            );
            assert_eq!(relay.count(protocol), relay.exchanges().len());
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_client_may_prefer_tcp() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    for side in Side::BOTH {
        let relay = Relay::to(realm.kerberos());
        let config = format!("[libdefaults]\n udp_preference_limit = 1\n{}", relay.krb5_conf());
        let desk = realm.workstation().with_whole_config(&config);
        desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
        assert_eq!(relay.count(Protocol::Udp), 0, "{side:?}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn ipv6_is_served_beside_ipv4() {
    let listen = "kerberos = [\"[::1]:0\", \"127.0.0.1:0\"]\npassword = [\"[::1]:0\"]\n";
    let realm = Realm::builder().listen(listen).start();
    realm.add("alice", "wonderland");
    assert!(realm.kerberos().is_ipv6());
    for side in Side::BOTH {
        for limit in [1, 1465] {
            let config = format!(
                "[libdefaults]\n default_realm = EXAMPLE.COM\n udp_preference_limit = {limit}\n\
                 [realms]\n EXAMPLE.COM = {{\n  kdc = {}\n }}\n",
                realm.kerberos()
            );
            let desk = realm.workstation().with_whole_config(&config);
            desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_krb5_conf_that_the_daemon_writes_needs_no_name_service() {
    let realm = Realm::start();
    let config = std::fs::read_to_string(realm.workstation().config()).unwrap();
    for setting in [
        "dns_lookup_kdc = false",
        "dns_lookup_realm = false",
        "rdns = false",
        "dns_canonicalize_hostname = false",
    ] {
        assert!(config.contains(setting), "{setting} is not in\n{config}");
    }
    let desk = realm.workstation();
    realm.add("alice", "wonderland");
    realm.add_service("host/no.such.host.invalid");
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    desk.mit("kvno -S host no.such.host.invalid").run().ok();
}

#[test]
#[ignore = "needs MIT's tools"]
fn pre_authentication_is_required_unless_told_otherwise() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm
        .principal("add bob --no-preauth --password-file -")
        .stdin("builder\n")
        .run()
        .ok();
    let requests = |client: &str, password: &str| {
        let relay = Relay::to(realm.kerberos());
        let desk = realm.workstation().with_whole_config(&relay.krb5_conf());
        desk.mit("kinit").arg(client).stdin(format!("{password}\n")).run().ok();
        (relay.exchanges().len(), desk.tgt().flags)
    };
    let (with, flags) = requests("alice", "wonderland");
    assert!(with >= 2 && flags.contains('A'), "{with} {flags}");
    let (without, flags) = requests("bob", "builder");
    assert!(without == 1 && !flags.contains('A'), "{without} {flags}");
    // And the other way round, later.
    realm.principal("set alice --preauth no").run().ok();
    realm.principal("set bob --preauth yes").run().ok();
    assert!(!requests("alice", "wonderland").1.contains('A'));
    assert!(requests("bob", "builder").1.contains('A'));
}

#[test]
#[ignore = "needs MIT's tools"]
fn an_alias_logs_in_and_is_made_canonical_when_asked() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.principal("alias alice al").run().ok();
    for side in Side::BOTH {
        for (command, becomes) in [
            ("kinit al", "al@EXAMPLE.COM"),
            ("kinit -C al", "alice@EXAMPLE.COM"),
            ("kinit -E al@EXAMPLE.COM", r"al\@EXAMPLE.COM@EXAMPLE.COM"),
            ("kinit -E -C al@EXAMPLE.COM", "alice@EXAMPLE.COM"),
            ("kinit -E -C alice@EXAMPLE.COM", "alice@EXAMPLE.COM"),
        ] {
            let desk = realm.workstation();
            desk.tool(side, command).stdin("wonderland\n").run().ok();
            let listed = desk.mit("klist").run().ok();
            assert!(
                listed.contains(&format!("Default principal: {becomes}\n")),
                "{side:?} {command} {listed}"
            );
        }
    }
    let desk = realm.workstation().with_config("[libdefaults]\n canonicalize = true");
    desk.ours("kinit al").stdin("wonderland\n").run().ok();
    assert!(
        desk.mit("klist")
            .run()
            .ok()
            .contains("Default principal: alice@EXAMPLE.COM\n")
    );
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_renamed_principal_keeps_its_password() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.principal("rename alice liddell").run().ok();
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.tool(side, "kinit liddell").stdin("wonderland\n").run().ok();
        desk.tool(side, "kinit alice").stdin("wonderland\n").run().refused();
    }
    let desk = realm.workstation();
    desk.mit("kinit liddell").stdin("wonderland\n").run().ok();
    assert!(desk.trace().contains("salt \"EXAMPLE.COMalice\""), "{}", desk.trace());
}

#[test]
#[ignore = "needs MIT's tools"]
fn unusual_names_and_passwords_are_as_good_as_any() {
    let realm = Realm::start();
    let long = "long ".repeat(40);
    let rows = [
        ("with space", "wonder land"),
        (r"slash\/in\/one", "wonderland"),
        (r"at\@sign", "wonderland"),
        (r"back\\slash", "wonderland"),
        ("Ünïcödé", "pässwörd → ✓"),
        ("one/two/three/four", " leading and trailing "),
        ("UPPER", long.trim_end()),
        ("upper", "another than of UPPER"),
        ("-dash", "wonderland"),
        ("*", "wonderland"),
        (")(|(cn=*)", "wonderland"),
    ];
    for (name, password) in rows {
        let add = realm.principal("add --random-key --").arg(name).run();
        add.ok();
        realm
            .principal("password --password-file - --")
            .arg(name)
            .stdin(format!("{password}\n"))
            .run()
            .ok();
    }
    for (name, password) in rows {
        for side in Side::BOTH {
            let desk = realm.workstation();
            desk.tool(side, "kinit --")
                .arg(name)
                .stdin(format!("{password}\n"))
                .run()
                .ok();
            let listed = desk.mit("klist").run().ok();
            assert!(
                listed.contains(&format!("Default principal: {name}@EXAMPLE.COM\n")),
                "{side:?} {name} {listed}"
            );
        }
    }
}

#[test]
fn the_reply_proves_which_request_it_answers_when_asked() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let key = Key::from_password("wonderland", "EXAMPLE.COMalice");
    let mut request = KdcReq::initial("alice");
    request.padata.push((149, Vec::new()));
    let session = login_by_preauth(realm.kerberos(), &request, &key);
    assert!(session.part.has(flag::ENC_PA_REP));
    // The checksum itself is over a request that login_by_preauth added to: tests of the exchange look at it.
    assert!(
        session.part.encrypted_pa_data.iter().any(|(kind, _)| *kind == 149),
        "{:?}",
        session.part
    );
}
