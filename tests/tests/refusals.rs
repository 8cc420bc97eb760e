//! For each kind of refusal: what MIT's tools tell their user, and what ours tell theirs.

use std::sync::Arc;

use tessera_tests::wire::{KdcReq, ask};
use tessera_tests::{Clock, Finished, Realm, Side};

struct Row {
    what: &'static str,
    prepare: &'static [&'static str],
    command: &'static str,
    stdin: &'static str,
    mit: &'static str,
    /// Every one of these in one of our lines.
    ours: &'static [&'static str],
}

const LOGIN: &str = "kinit alice";
const PASSWORD: &str = "wonderland\n";

const ROWS: &[Row] = &[
    Row {
        what: "an unknown client",
        prepare: &[],
        command: "kinit bob",
        stdin: PASSWORD,
        mit: "Client 'bob@EXAMPLE.COM' not found in Kerberos database",
        ours: &["kdc 127.0.0.1:", " does not know bob@EXAMPLE.COM"],
    },
    Row {
        what: "a name in the wrong case",
        prepare: &[],
        command: "kinit Alice",
        stdin: PASSWORD,
        mit: "Client 'Alice@EXAMPLE.COM' not found in Kerberos database",
        ours: &["kdc 127.0.0.1:", " does not know Alice@EXAMPLE.COM"],
    },
    Row {
        what: "a wrong password",
        prepare: &[],
        command: LOGIN,
        stdin: "looking-glass\n",
        mit: "Password incorrect",
        ours: &["Password incorrect for alice@EXAMPLE.COM", "kdc 127.0.0.1:"],
    },
    Row {
        what: "a wrong key",
        prepare: &["rotate host/server.example.com"],
        command: "kinit -k host/server.example.com",
        stdin: "",
        mit: "Preauthentication failed",
        ours: &["kdc 127.0.0.1:", "host/server.example.com@EXAMPLE.COM", "key"],
    },
    Row {
        what: "a locked client",
        prepare: &["lock alice"],
        command: LOGIN,
        stdin: PASSWORD,
        mit: "Client's credentials have been revoked",
        ours: &["kdc 127.0.0.1:", "alice@EXAMPLE.COM", "locked"],
    },
    Row {
        what: "an expired client",
        prepare: &["set alice --expires 2001-01-01T00:00:00Z"],
        command: LOGIN,
        stdin: PASSWORD,
        mit: "Client's entry in database has expired",
        ours: &["kdc 127.0.0.1:", "alice@EXAMPLE.COM", "expired"],
    },
    Row {
        what: "an unknown service",
        prepare: &[],
        command: "kinit -S host/nowhere alice",
        stdin: PASSWORD,
        mit: "Server not found in Kerberos database",
        ours: &["kdc 127.0.0.1:", "does not know", "host/nowhere@EXAMPLE.COM"],
    },
    Row {
        what: "an expired service",
        prepare: &["set host/server.example.com --expires 2001-01-01T00:00:00Z"],
        command: "kinit -S host/server.example.com alice",
        stdin: PASSWORD,
        mit: "Server's entry in database has expired",
        ours: &["kdc 127.0.0.1:", "host/server.example.com@EXAMPLE.COM", "expired"],
    },
    Row {
        what: "a service without tickets",
        prepare: &["set host/server.example.com --service no --user-to-user no"],
        command: "kinit -S host/server.example.com alice",
        stdin: PASSWORD,
        mit: "KDC policy rejects request",
        ours: &["kdc 127.0.0.1:", "host/server.example.com@EXAMPLE.COM"],
    },
    Row {
        what: "a realm that krb5.conf does not know",
        prepare: &[],
        command: "kinit alice@OTHER.EXAMPLE",
        stdin: PASSWORD,
        mit: "Cannot find KDC for realm \"OTHER.EXAMPLE\"",
        ours: &["OTHER.EXAMPLE", "krb5.conf"],
    },
    Row {
        what: "no keytab",
        prepare: &[],
        command: "kinit -k nobody",
        stdin: "",
        mit: "Keytab contains no suitable keys for nobody@EXAMPLE.COM",
        ours: &["Keytab contains no suitable keys for nobody@EXAMPLE.COM"],
    },
];

fn realm_with_alice_and_a_host() -> Realm {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    realm
}

fn says(finished: Finished, parts: &[&str], what: &str) {
    let shown = finished.to_string();
    let said = finished.refused();
    let right = said.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(right, "{what}: no line with each of {parts:?} in {shown}");
}

#[test]
#[ignore = "needs MIT's tools"]
fn each_refusal_is_told_by_its_name() {
    for row in ROWS {
        let realm = realm_with_alice_and_a_host();
        let keytab = realm.keytab("host/server.example.com");
        for command in row.prepare {
            realm.principal(command).run().ok();
        }
        for side in Side::BOTH {
            let desk = realm.workstation();
            std::fs::copy(&keytab, desk.keytab()).unwrap();
            let finished = desk.tool(side, row.command).stdin(row.stdin).run();
            match side {
                Side::Mit => says(finished, &[row.mit], row.what),
                Side::Ours => says(finished, row.ours, row.what),
            }
            assert!(!desk.cache_file().exists(), "{}: {side:?} left a cache", row.what);
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_service_ticket_is_refused_by_name() {
    let rows: &[(&str, &[&str], &str, &[&str])] = &[
        (
            "an unknown service",
            &[],
            "Server host/x@EXAMPLE.COM not found in Kerberos database",
            &["kdc 127.0.0.1:", "does not know", "host/x@EXAMPLE.COM"],
        ),
        (
            "a removed client",
            &["add host/x --random-key", "remove alice"],
            "TGT has been revoked",
            &["alice@EXAMPLE.COM", "kinit"],
        ),
        (
            "a locked client",
            &["add host/x --random-key", "lock alice"],
            "Client's credentials have been revoked",
            &["alice@EXAMPLE.COM", "locked"],
        ),
        (
            "a locked service",
            &["add host/x --random-key", "lock host/x"],
            "Server host/x@EXAMPLE.COM not found in Kerberos database",
            &["host/x@EXAMPLE.COM"],
        ),
    ];
    for (what, prepare, mit, ours) in rows {
        let realm = realm_with_alice_and_a_host();
        let desk = realm.workstation();
        desk.mit("kinit alice").stdin(PASSWORD).run().ok();
        for command in *prepare {
            realm.principal(command).run().ok();
        }
        says(desk.mit("kvno host/x").run(), &[mit], what);
        says(desk.ours("kvno host/x").run(), ours, what);
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_silent_kdc_is_named() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let address = realm.kerberos();
    let desk = realm.workstation();
    let text = std::fs::read_to_string(desk.config()).unwrap();
    let desk = desk.with_whole_config(&text);
    drop(realm.principal("list").run());
    let mut realm = realm;
    realm.stop();
    says(
        desk.mit("kinit alice").stdin(PASSWORD).run(),
        &["Cannot contact any KDC for realm 'EXAMPLE.COM'"],
        "MIT's",
    );
    says(
        desk.ours("kinit alice").stdin(PASSWORD).run(),
        &[&address.to_string(), "EXAMPLE.COM"],
        "ours",
    );
}

#[test]
#[ignore = "needs MIT's tools"]
fn without_a_ticket_one_is_told_to_get_one() {
    let realm = Realm::start();
    let desk = realm.workstation();
    says(desk.mit("kvno host/x").run(), &["No credentials cache found"], "MIT's");
    says(desk.ours("kvno host/x").run(), &["kinit"], "ours");
    says(desk.ours("klist").run(), &["No credentials cache found"], "ours");
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_clock_that_is_off_is_put_up_with_up_to_the_skew_and_told_beyond() {
    let realm = Realm::builder().section("[tickets]\nclock-skew = \"2m\"").start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    for (seconds, granted) in [(0, true), (60, true), (-60, true), (200, false), (-200, false)] {
        let clock = Arc::new(Clock::new(realm.directory(), &format!("skewed{seconds}")));
        let desk = realm.workstation().with_config("[libdefaults]\n kdc_timesync = 0");
        desk.mit("kinit alice").stdin(PASSWORD).run().ok();
        clock.forward(seconds);
        let skewed = desk.with_clock(Arc::clone(&clock));
        let finished = skewed.mit("kvno host/server.example.com").run();
        if granted {
            finished.ok();
        } else {
            says(finished, &["Clock skew too great"], "MIT's");
        }
        // Clients that learn the time from the KDC get in all the same.
        for side in Side::BOTH {
            let desk = realm.workstation().with_clock(Arc::clone(&clock));
            desk.tool(side, "kinit alice").stdin(PASSWORD).run().ok();
            desk.tool(side, "kvno host/server.example.com").run().ok();
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn unknown_names_can_be_hidden() {
    let hidden = Realm::builder().realm("hide-unknown-principals = true").start();
    hidden.add("alice", "wonderland");
    for name in ["bob", "alice"] {
        let desk = hidden.workstation();
        let mut terminal = desk.mit("kinit").arg(name).at_terminal();
        terminal.answer(&format!("Password for {name}@EXAMPLE.COM: "), "wrong");
        assert!(terminal.finish().refused().contains("Password incorrect"));
    }
    // Octet by octet the same shape: code, e-text, the methods offered, the length of the salt for a name of that length.
    let shape = |name: &str| {
        let error = ask(hidden.kerberos(), &KdcReq::initial(name).to_der()).error();
        let methods: Vec<_> = error
            .methods()
            .iter()
            .map(|(kind, value)| (*kind, value.len()))
            .collect();
        (error.code, error.e_text, methods)
    };
    assert_eq!(shape("alice"), shape("carol"));
    // The same unknown name is answered the same every time.
    let methods = |name: &str| {
        ask(hidden.kerberos(), &KdcReq::initial(name).to_der())
            .error()
            .methods()
    };
    assert_eq!(methods("carol"), methods("carol"));
}
