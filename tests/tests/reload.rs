//! A changed realm.toml, without a restart and without losing a request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use tessera_tests::wire::{KdcReq, Reply, ask, pa, socket};
use tessera_tests::{Realm, Workstation};

fn rewrite(realm: &Realm, from: &str, to: &str) {
    let toml = std::fs::read_to_string(realm.toml()).unwrap();
    assert!(toml.contains(from), "{from} is not in {toml}");
    std::fs::write(realm.toml(), toml.replace(from, to)).unwrap();
}

fn realm_with_alice() -> Realm {
    let realm = Realm::builder()
        .realm("hide-unknown-principals = false")
        .section("[tickets]\nlifetime = \"10h\"\nrenewable-lifetime = \"7d\"\nclock-skew = \"5m\"")
        .section("[keys]\nenctypes = [\"aes256-cts-hmac-sha1-96\"]")
        .section("[authentication]\nrequire-fast = false\nunarmored-encrypted-timestamp = true")
        .start();
    realm.add("alice", "wonderland");
    realm
}

fn life(desk: &Workstation) -> i64 {
    desk.mit("kinit -l 1d alice").stdin("wonderland\n").run().ok();
    desk.tgt().life()
}

#[test]
#[ignore = "needs MIT's tools"]
fn both_ways_to_reload_apply_what_changed() {
    let realm = realm_with_alice();
    let desk = realm.workstation();
    assert_eq!(life(&desk), 36000);
    rewrite(&realm, "lifetime = \"10h\"", "lifetime = \"2h\"");
    assert_eq!(life(&desk), 36000, "not before it is told");
    realm.principal("reload").run().ok();
    assert_eq!(life(&desk), 7200);
    rewrite(&realm, "lifetime = \"2h\"", "lifetime = \"3h\"");
    realm.signal(Signal::SIGHUP);
    let applied = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        life(&desk) == 3 * 3600
    });
    assert!(applied, "{}", realm.log());
}

#[test]
#[ignore = "needs MIT's tools"]
fn every_key_that_can_change_does() {
    let realm = realm_with_alice();
    let desk = realm.workstation();
    rewrite(
        &realm,
        "hide-unknown-principals = false",
        "hide-unknown-principals = true",
    );
    rewrite(&realm, "renewable-lifetime = \"7d\"", "renewable-lifetime = \"1d\"");
    rewrite(&realm, "aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha256-128");
    rewrite(&realm, "clock-skew = \"5m\"", "clock-skew = \"1m\"");
    realm.principal("reload").run().ok();
    let nobody = KdcReq {
        etypes: vec![18, 19],
        ..KdcReq::initial("nobody")
    };
    assert_eq!(ask(realm.kerberos(), &nobody.to_der()).code(), 25);
    desk.mit("kinit -r 30d alice").stdin("wonderland\n").run().ok();
    assert!((desk.tgt().renewable_life() - 86400).abs() < 10);
    realm.add("bob", "builder");
    desk.mit("kinit bob").stdin("builder\n").run().ok();
    assert!(
        desk.trace().contains("Selected etype info: etype aes128-sha2"),
        "{}",
        desk.trace()
    );
    let key = tessera_tests::wire::crypto::Key::from_password("wonderland", "EXAMPLE.COMalice");
    let mut late = KdcReq::initial("alice");
    late.padata.push(tessera_tests::wire::pa_enc_timestamp(
        &key,
        tessera_tests::wire::now() - 120,
    ));
    assert_eq!(ask(realm.kerberos(), &late.to_der()).code(), 37);
    let offers_a_timestamp = || {
        let error = ask(realm.kerberos(), &KdcReq::initial("alice").to_der()).error();
        error.methods().iter().any(|(kind, _)| *kind == pa::ENC_TIMESTAMP)
    };
    assert!(offers_a_timestamp());
    for (key, was, becomes) in [
        ("unarmored-encrypted-timestamp", "true", "false"),
        ("require-fast", "false", "true"),
    ] {
        rewrite(&realm, &format!("{key} = {was}"), &format!("{key} = {becomes}"));
        realm.principal("reload").run().ok();
        assert!(!offers_a_timestamp(), "{key}");
        rewrite(&realm, &format!("{key} = {becomes}"), &format!("{key} = {was}"));
        realm.principal("reload").run().ok();
        assert!(offers_a_timestamp(), "{key}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_bad_file_changes_nothing_and_is_told() {
    let realm = realm_with_alice();
    let desk = realm.workstation();
    rewrite(&realm, "lifetime = \"10h\"", "lifetime = \"much\"");
    let said = realm.principal("reload").run().status(1);
    assert!(said.contains("realm.toml:") && said.contains("lifetime"), "{said}");
    realm.signal(Signal::SIGHUP);
    realm.wait_for_log("lifetime");
    assert_eq!(life(&desk), 36000);
    // What a running realm cannot change.
    rewrite(&realm, "lifetime = \"much\"", "lifetime = \"10h\"");
    rewrite(&realm, "EXAMPLE.COM", "OTHER.ORG");
    let said = realm.principal("reload").run().status(1);
    assert!(said.contains("realm.name"), "{said}");
    rewrite(&realm, "OTHER.ORG", "EXAMPLE.COM");
    rewrite(
        &realm,
        "kerberos = [\"127.0.0.1:0\"]",
        "kerberos = [\"127.0.0.1:0\", \"[::1]:0\"]",
    );
    let said = realm.principal("reload").run().status(0);
    assert!(said.contains("listen.kerberos"), "{said}");
}

#[test]
fn no_request_is_lost_while_reloading() {
    let realm = realm_with_alice();
    let (ended, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let request = KdcReq::initial("alice").to_der();
                let mut stream = socket::connect(realm.kerberos());
                while !ended.load(Ordering::SeqCst) {
                    socket::send(&mut stream, &request);
                    let answer = socket::receive(&mut stream).expect("a connection was dropped");
                    assert_eq!(Reply::parse(&answer).code(), 25);
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for n in 0..20 {
            let (from, to) = if n % 2 == 0 {
                ("\"10h\"", "\"9h\"")
            } else {
                ("\"9h\"", "\"10h\"")
            };
            rewrite(&realm, from, to);
            realm.principal("reload").run().ok();
        }
        ended.store(true, Ordering::SeqCst);
    });
    assert!(answered.load(Ordering::SeqCst) > 0);
}
