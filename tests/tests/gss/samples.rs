//! MIT's `gss-client` at our server, our client at MIT's `gss-server`.

use tessera_tests::{ENCTYPES, GssServer};

use super::{desk_of_alice, realm_with_alice_and_a_host};

/// What the one that did not write the other is told of a context that leaves something out.
struct Row {
    /// Options of our client.
    ours: &'static str,
    /// The same for MIT's.
    mits: &'static str,
    /// The flags that the acceptor sees, as our server words them.
    flags: &'static str,
    /// What our server says of the message.
    message: &'static str,
}

const ROWS: [Row; 9] = [
    Row {
        ours: "",
        mits: "-seq",
        flags: "mutual,replay,sequence,conf,integ",
        message: "\"hello\" encrypted",
    },
    Row {
        ours: "--without sequence",
        mits: "",
        flags: "mutual,replay,conf,integ",
        message: "\"hello\" encrypted",
    },
    Row {
        ours: "--without replay",
        mits: "-seq -noreplay",
        flags: "mutual,sequence,conf,integ",
        message: "\"hello\" encrypted",
    },
    Row {
        ours: "--without replay,sequence",
        mits: "-noreplay",
        flags: "mutual,conf,integ",
        message: "\"hello\" encrypted",
    },
    Row {
        ours: "--without mutual",
        mits: "-seq -nomutual",
        flags: "replay,sequence,conf,integ",
        message: "\"hello\" encrypted",
    },
    Row {
        ours: "--delegate",
        mits: "-seq -d",
        flags: "deleg,mutual,replay,sequence,conf,integ",
        message: "\"hello\" encrypted",
    },
    Row {
        ours: "--without encryption",
        mits: "-seq -nx",
        flags: "mutual,replay,sequence,conf,integ",
        message: "\"hello\" plain",
    },
    Row {
        ours: "--without wrap",
        mits: "-seq -nw",
        flags: "mutual,replay,sequence,conf,integ",
        message: "\"hello\" unwrapped",
    },
    Row {
        ours: "--without mic",
        mits: "-seq -nm",
        flags: "mutual,replay,sequence,conf,integ",
        message: "\"hello\" encrypted",
    },
];

const SPNEGO: [&str; 2] = ["", "-spnego"];

#[test]
#[ignore = "needs MIT's tools"]
fn mits_gss_client_talks_to_our_server() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let desk = desk_of_alice(&realm);
    for spnego in SPNEGO {
        for row in &ROWS {
            let server = GssServer::ours(&realm.workstation(), &keytab, "");
            let options = format!("{spnego} -mcount 3 {}", row.mits);
            let said = server.client(&desk, &options).ok();
            let answer = if row.mits.contains("-nm") {
                "Response received."
            } else {
                "Signature verified."
            };
            assert_eq!(said.matches(answer).count(), 3, "{options} {said}");
            assert!(
                said.contains("\"alice@EXAMPLE.COM\" to \"host/server.example.com@EXAMPLE.COM\""),
                "{options} {said}"
            );
            let log = server.log();
            let context = format!(": alice@EXAMPLE.COM flags={}\n", row.flags);
            assert!(log.contains(&context), "{options} {log}");
            assert_eq!(log.matches(row.message).count(), 3, "{options} {log}");
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_client_talks_to_mits_gss_server() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let desk = desk_of_alice(&realm);
    for spnego in ["", "--spnego"] {
        for row in &ROWS {
            let server = GssServer::start(&realm.workstation(), &keytab);
            let options = format!("{spnego} --count 3 {}", row.ours);
            let said = server.our_client(&desk, &options).ok();
            let answer = if row.ours.contains("mic") {
                "received"
            } else {
                "MIC verified"
            };
            assert_eq!(said.matches(answer).count(), 3, "{options} {said}");
            // It writes its log when a session has ended.
            let log = server.wait_for_log("NOOP token");
            assert!(
                log.contains("Accepted connection: \"alice@EXAMPLE.COM\""),
                "{options} {log}"
            );
            assert_eq!(log.matches("Received message: \"hello\"").count(), 3, "{options} {log}");
            for (flag, name) in [
                ("deleg", "GSS_C_DELEG_FLAG"),
                ("mutual", "GSS_C_MUTUAL_FLAG"),
                ("replay", "GSS_C_REPLAY_FLAG"),
                ("sequence", "GSS_C_SEQUENCE_FLAG"),
                ("conf", "GSS_C_CONF_FLAG"),
                ("integ", "GSS_C_INTEG_FLAG"),
            ] {
                let expected = row.flags.split(',').any(|word| word == flag);
                assert_eq!(
                    log.contains(&format!("context flag: {name}")),
                    expected,
                    "{options} {log}"
                );
            }
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn every_enctype_protects_messages_between_mits_samples_and_ours() {
    let (realm, _) = realm_with_alice_and_a_host();
    for enctype in ENCTYPES {
        realm.principal("remove host/server.example.com").run().ok();
        realm
            .principal("add host/server.example.com --random-key --enctypes")
            .arg(enctype)
            .run()
            .ok();
        let keytab = realm.keytab("host/server.example.com");
        let desk = realm.workstation();
        desk.ours("kinit alice").stdin("wonderland\n").run().ok();
        let theirs = GssServer::start(&realm.workstation(), &keytab);
        let ours = GssServer::ours(&realm.workstation(), &keytab, "");
        for spnego in SPNEGO {
            for kind in ["", "-nx"] {
                let said = ours.client(&desk, &format!("{spnego} {kind}")).ok();
                assert!(said.contains("Signature verified."), "{enctype} {spnego} {kind} {said}");
            }
        }
        for spnego in ["", "--spnego"] {
            for kind in ["", "--without encryption"] {
                let said = theirs.our_client(&desk, &format!("{spnego} {kind}")).ok();
                assert!(said.contains("MIC verified"), "{enctype} {spnego} {kind} {said}");
            }
        }
        let ticket = desk.ticket("host/server.example.com");
        assert_eq!((&*ticket.ticket_etype, &*ticket.session_etype), (enctype, enctype));
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn what_mits_gss_client_delegates_is_good_at_our_server() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    realm.add_service("imap/server.example.com");
    for spnego in SPNEGO {
        let there = realm.workstation();
        let options = format!("--delegated {}", there.cache());
        let server = GssServer::ours(&there, &keytab, &options);
        let desk = desk_of_alice(&realm);
        server.client(&desk, spnego).ok();
        there.mit("klist").run().refused_with("No credentials cache found");
        server.client(&desk, &format!("-d {spnego}")).ok();
        assert!(there.tgt().flags.contains("Ff"), "{:?}", there.tgt());
        there.mit("kvno imap/server.example.com").run().ok();
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_server_says_why_in_its_log_and_a_code_to_mits_gss_client() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    realm.principal("rotate host/server.example.com").run().ok();
    let desk = desk_of_alice(&realm);
    for spnego in SPNEGO {
        let server = GssServer::ours(&realm.workstation(), &keytab, "");
        let said = server.client(&desk, spnego);
        let said = said.refused_with("Key version is not available");
        assert!(!said.contains("keytab"), "{said}");
        let log = server.wait_for_log("kvno 2");
        let line = log.lines().find(|line| line.contains("kvno 2")).unwrap();
        for part in [
            "host/server.example.com@EXAMPLE.COM",
            "aes256-cts-hmac-sha1-96",
            "keytab has kvno 1",
        ] {
            assert!(line.contains(part), "{log}");
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_server_takes_no_ticket_for_another_service_of_its_keytab() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    realm.principal("add imap/server.example.com --random-key").run().ok();
    realm
        .principal("keytab imap/server.example.com --output")
        .arg(&keytab)
        .run()
        .ok();
    let server = GssServer::ours(&realm.workstation(), &keytab, "");
    let desk = desk_of_alice(&realm);
    let port = server.port();
    let other = format!("gss-client -port {port} 127.0.0.1 imap@server.example.com hello");
    desk.mit(&other).run().refused();
    server.wait_for_log("imap/server.example.com@EXAMPLE.COM");
    server.client(&desk, "").ok();
}
