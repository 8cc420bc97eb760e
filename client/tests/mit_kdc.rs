//! Our programs at MIT's KDC and password server; MIT's klist tells what came of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::net::SocketAddr;
use std::sync::Arc;

use tessera_tests::{Clock, MitRealm, Protocol, Relay, Workstation};

fn realm() -> MitRealm {
    let realm = MitRealm::start();
    realm.add("alice", "wonderland");
    realm
}

#[track_caller]
fn log_in(desk: &Workstation, options: &str) {
    desk.ours(&format!("kinit {options} alice"))
        .stdin("wonderland\n")
        .run()
        .ok();
}

#[track_caller]
fn shown(desk: &Workstation) -> String {
    desk.mit("klist -efan").run().ok()
}

fn seconds_of(json: &serde_json::Value, field: &str) -> i64 {
    let text = json["tickets"][0][field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {json}"));
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp()
}

fn first_ticket(desk: &Workstation) -> serde_json::Value {
    serde_json::from_str(&desk.ours("klist --json").run().ok()).unwrap()
}

#[test]
#[ignore = "needs MIT's KDC"]
fn every_enctype_logs_in_and_gets_a_service_ticket() {
    let realm = realm();
    let keytab = realm.add_service("host/www.example.com");
    for enctype in [
        "aes256-cts-hmac-sha1-96",
        "aes256-cts-hmac-sha384-192",
        "aes128-cts-hmac-sha1-96",
        "aes128-cts-hmac-sha256-128",
    ] {
        let only = format!("[libdefaults]\n permitted_enctypes = {enctype}");
        let desk = realm.workstation().with_config(&only);
        log_in(&desk, "");
        let kvno = desk
            .ours(&format!("kvno -k {} host/www.example.com", keytab.display()))
            .run()
            .ok();
        assert_eq!(kvno, "host/www.example.com@EXAMPLE.COM: kvno = 1, keytab entry valid\n");
        assert_eq!(
            shown(&desk).matches(&format!("Etype (skey, tkt): {enctype}")).count(),
            2,
            "{}",
            shown(&desk)
        );
        // MIT's program goes on with our cache.
        desk.mit("kvno --cached-only host/www.example.com").run().ok();
    }
}

#[test]
#[ignore = "needs MIT's KDC"]
fn flags_and_lifetimes_are_asked_for() {
    let realm = realm();
    let desk = realm.workstation();
    for (options, flags) in [
        ("", "RIA"),
        ("-f", "FRIA"),
        ("-p", "PRIA"),
        ("-fp -l 1h", "FPIA"),
        ("-r 2d", "RIA"),
    ] {
        log_in(&desk, options);
        assert!(
            shown(&desk).contains(&format!("Flags: {flags}")),
            "{options}: {}",
            shown(&desk)
        );
    }
    let wishes = realm
        .workstation()
        .with_config("[libdefaults]\n forwardable = true\n proxiable = true\n ticket_lifetime = 1h");
    for (options, flags) in [("", "FPIA"), ("-F", "PIA"), ("-P", "FIA"), ("-F -P", "IA")] {
        log_in(&wishes, options);
        assert!(
            shown(&wishes).contains(&format!("Flags: {flags}")),
            "{options}: {}",
            shown(&wishes)
        );
    }
    for (options, life, renewable) in [("-l 90m -r 3d", 5400, 3 * 86_400), ("-l 2h -r 1h", 7200, 7200)] {
        log_in(&desk, options);
        let json = first_ticket(&desk);
        let start = seconds_of(&json, "valid-starting");
        assert_eq!(seconds_of(&json, "expires") - start, life, "{options}");
        assert_eq!(seconds_of(&json, "renew-until") - start, renewable, "{options}");
    }
}

#[test]
#[ignore = "needs MIT's KDC"]
fn addresses_are_in_the_ticket_when_asked_for() {
    let realm = realm();
    let desk = realm.workstation();
    log_in(&desk, "");
    assert!(shown(&desk).contains("Addresses: (none)"));
    let ours = tessera_client::system::local_addresses().unwrap();
    let expected = if ours.is_empty() {
        "Addresses: (none)"
    } else {
        "Addresses: "
    };
    log_in(&desk, "-a");
    assert!(shown(&desk).contains(expected) && (ours.is_empty() || !shown(&desk).contains("(none)")));
    let wishes = realm.workstation().with_config("[libdefaults]\n noaddresses = false");
    log_in(&wishes, "-A");
    assert!(shown(&wishes).contains("Addresses: (none)"));
}

#[test]
#[ignore = "needs MIT's KDC"]
fn tickets_are_renewed_and_validated() {
    let realm = MitRealm::start_with_clock();
    realm.add("alice", "wonderland");
    let desk = realm.workstation();
    log_in(&desk, "-l 1h -r 1d");
    let before = first_ticket(&desk);
    realm.clock().forward(1800);
    desk.ours("kinit -R").run().ok();
    let after = first_ticket(&desk);
    assert_eq!(
        seconds_of(&after, "expires") - seconds_of(&after, "valid-starting"),
        3600
    );
    assert!(seconds_of(&after, "expires") >= seconds_of(&before, "expires") + 1800);
    assert_eq!(seconds_of(&after, "renew-until"), seconds_of(&before, "renew-until"));

    log_in(&desk, "-s 2h -l 1h");
    assert!(shown(&desk).contains("Flags: Ddi"), "{}", shown(&desk));
    desk.ours("kinit -v").run().refused_with("kdc ");
    realm.clock().forward(7300);
    desk.ours("kinit -v").run().ok();
    assert!(
        !shown(&desk).contains('i') || !shown(&desk).contains("Ddi"),
        "{}",
        shown(&desk)
    );
    log_in(&desk, "-l 5m");
    desk.ours("kinit -R").run().refused_with("kdc ");
}

#[test]
#[ignore = "needs MIT's KDC"]
fn keytabs_log_in() {
    let realm = realm();
    let keytab = realm.add_service("host/www.example.com");
    let desk = realm.workstation();
    desk.ours(&format!("kinit -kt {} host/www.example.com", keytab.display()))
        .run()
        .ok();
    assert!(shown(&desk).contains("Default principal: host/www.example.com@EXAMPLE.COM"));
    std::fs::copy(&keytab, desk.path("client-keytab")).unwrap();
    desk.ours("kdestroy").run().ok();
    desk.ours("kinit -ki").run().ok();
    assert!(shown(&desk).contains("Default principal: host/www.example.com@EXAMPLE.COM"));
    std::fs::copy(&keytab, desk.keytab()).unwrap();
    desk.ours("kinit -k host/www.example.com").run().ok();
    desk.ours("kinit -k alice")
        .run()
        .refused_with("Keytab contains no suitable keys for alice@EXAMPLE.COM");
    // The key has changed since.
    realm.kadmin("cpw -randkey host/www.example.com");
    let said = desk
        .ours("kinit -k host/www.example.com")
        .run()
        .refused_with("does not take the key of host/www.example.com");
    assert!(said.contains(&realm.kerberos().to_string()), "{said}");
}

#[test]
#[ignore = "needs MIT's KDC"]
fn a_keytab_with_one_weak_key_is_enough() {
    let realm = realm();
    realm.kadmin("addprinc -randkey -e aes128-sha1:normal batch");
    let keytab = realm.workstation().path("batch.keytab");
    realm.kadmin(&format!("ktadd -norandkey -k {} batch", keytab.display()));
    let desk = realm.workstation();
    desk.ours(&format!("kinit -kt {} batch", keytab.display())).run().ok();
    assert!(shown(&desk).contains("Default principal: batch@EXAMPLE.COM"));
}

#[test]
#[ignore = "needs MIT's KDC"]
fn refusals_name_the_kdc_and_the_principal() {
    let realm = realm();
    let kdc = realm.kerberos();
    let desk = realm.workstation();
    let kinit = |line: &str, password: &str| desk.ours(line).stdin(format!("{password}\n")).run();
    kinit("kinit bob", "x").refused_with(&format!("kdc {kdc} does not know bob@EXAMPLE.COM"));
    kinit("kinit alice", "wrong").refused_with(&format!("Password incorrect for alice@EXAMPLE.COM (kdc {kdc})"));
    kinit("kinit -S no/such alice", "x")
        .refused_with(&format!("kdc {kdc} does not know the service no/such@EXAMPLE.COM"));
    realm.kadmin("modprinc -expire yesterday alice");
    kinit("kinit alice", "wonderland").refused_with(&format!("kdc {kdc} says that alice@EXAMPLE.COM has expired"));
    kinit("kinit alice@ELSEWHERE", "x").refused_with("Cannot find KDC for realm \"ELSEWHERE\"");
    assert!(!desk.cache_file().exists());
}

#[test]
#[ignore = "needs MIT's KDC"]
fn a_dead_kdc_is_passed_over_and_named_when_all_are_dead() {
    let realm = realm();
    let dead = "127.0.0.1:9";
    let two = |first: &str, second: &str| {
        format!(
            "[libdefaults]\n default_realm = EXAMPLE.COM\n[realms]\n EXAMPLE.COM = {{\n kdc = {first}\n kdc = {second}\n }}\n"
        )
    };
    let alive = realm.kerberos().to_string();
    log_in(&realm.workstation().with_whole_config(&two(dead, &alive)), "");
    let desk = realm.workstation().with_whole_config(&two(dead, "127.0.0.2:9"));
    let said = desk
        .ours("kinit alice")
        .run()
        .refused_with("Cannot contact any KDC for realm 'EXAMPLE.COM'");
    for address in [
        "127.0.0.1:9 (udp)",
        "127.0.0.1:9 (tcp)",
        "127.0.0.2:9 (udp)",
        "127.0.0.2:9 (tcp)",
    ] {
        assert!(said.contains(&format!("{address}: Connection refused")), "{said}");
    }
}

#[test]
#[ignore = "needs MIT's KDC"]
fn either_protocol_is_enough_and_the_limit_chooses() {
    let realm = realm();
    for protocol in [Protocol::Udp, Protocol::Tcp] {
        let relay = Relay::only(realm.kerberos(), protocol);
        log_in(&realm.workstation().with_whole_config(&relay.krb5_conf()), "");
        assert!(relay.count(protocol) >= 2);
    }
    let relay = Relay::to(realm.kerberos());
    let conf = format!("[libdefaults]\n udp_preference_limit = 1\n{}", relay.krb5_conf());
    log_in(&realm.workstation().with_whole_config(&conf), "");
    assert_eq!((relay.count(Protocol::Udp), relay.count(Protocol::Tcp)), (0, 2));
}

#[test]
#[ignore = "needs MIT's KDC"]
fn a_lost_request_is_sent_again_as_it_was() {
    let realm = realm();
    let relay = Relay::rewriting(realm.kerberos(), &[Protocol::Udp], {
        let lost = std::sync::atomic::AtomicBool::new(false);
        move |exchange| {
            if !lost.swap(true, std::sync::atomic::Ordering::SeqCst) {
                exchange.reply = None;
            }
        }
    });
    log_in(&realm.workstation().with_whole_config(&relay.krb5_conf()), "");
    let requests: Vec<_> = relay.exchanges().into_iter().map(|exchange| exchange.request).collect();
    assert_eq!(requests[0], requests[1]);
}

#[test]
#[ignore = "needs MIT's KDC"]
fn a_clock_that_is_off_is_corrected_and_remembered() {
    let realm = realm();
    let directory = realm.workstation().path("clock");
    std::fs::create_dir(&directory).unwrap();
    let keytab = realm.add_service("host/www");
    for seconds in [3600, -3600] {
        let clock = Clock::new(&directory, "clock");
        clock.forward(seconds);
        let desk = realm.workstation().with_clock(Arc::new(clock));
        log_in(&desk, "");
        desk.ours(&format!("kvno -k {} host/www", keytab.display())).run().ok();
        // MIT's programs find the offset in the cache.
        desk.mit("kvno krbtgt/EXAMPLE.COM").run().ok();
        let strict = desk.clone().with_config("[libdefaults]\n kdc_timesync = 0");
        let refused = strict.ours("kinit alice").stdin("wonderland\n").run();
        refused.refused_with("Clock skew too great");
    }
}

#[test]
#[ignore = "needs MIT's KDC"]
fn kvno_takes_its_flags() {
    let realm = realm();
    realm.add("bob", "builder");
    let keytab = realm.add_service("host/www.example.com");
    let desk = realm.workstation();
    log_in(&desk, "");
    let kvno = |options: &str| desk.ours(&format!("kvno {options}")).run();
    assert_eq!(kvno("-q host/www.example.com").ok(), "");
    kvno("--cached-only host/www.example.com").ok();
    kvno("--cached-only host/other").status(1);
    assert_eq!(
        kvno("-S host WWW.Example.com").ok(),
        "host/www.example.com@EXAMPLE.COM: kvno = 1\n"
    );
    kvno("-e aes128-sha2 host/www.example.com").ok();
    assert!(shown(&desk).contains("Etype (skey, tkt): aes128-cts-hmac-sha256-128, aes256-cts-hmac-sha1-96"));
    let before = shown(&desk).len();
    kvno("--no-store -e aes128-sha1 host/www.example.com").ok();
    assert_eq!(shown(&desk).len(), before);
    let out = desk.path("out");
    kvno(&format!("--out-cache {} host/www.example.com", out.display())).ok();
    let listed = desk.mit(&format!("klist {}", out.display())).run().ok();
    assert!(
        listed.contains("host/www.example.com") && !listed.contains("krbtgt"),
        "{listed}"
    );
    let said = kvno("no/such host/www.example.com").status(1);
    assert!(
        said.contains("does not know the service no/such@EXAMPLE.COM")
            && said.contains("host/www.example.com@EXAMPLE.COM: kvno = 1")
    );
    realm.kadmin("cpw -randkey host/www.example.com");
    desk.ours("kdestroy").run().ok();
    log_in(&desk, "");
    let said = kvno(&format!("-k {} host/www.example.com", keytab.display())).status(1);
    assert!(said.contains("kvno = 2, keytab entry invalid"), "{said}");

    let other = desk.another();
    other.ours("kinit bob").stdin("builder\n").run().ok();
    let said = kvno(&format!("--u2u {} bob", other.cache())).ok();
    assert_eq!(said, "bob@EXAMPLE.COM: kvno = 0\n");
    kvno(&format!("--u2u {} alice", other.cache())).refused_with("kdc ");
}

#[test]
#[ignore = "needs MIT's KDC"]
fn passwords_are_changed_by_either_protocol() {
    let realm = realm();
    let change = |desk: &Workstation, old: &str, new: &str| {
        desk.ours("kpasswd alice").stdin(format!("{old}\n{new}\n{new}\n")).run()
    };
    let conf = |kerberos: SocketAddr, password: SocketAddr| {
        format!(
            "[libdefaults]\n default_realm = EXAMPLE.COM\n[realms]\n EXAMPLE.COM = {{\n  kdc = {kerberos}\n  kpasswd_server = {password}\n }}\n"
        )
    };
    for (protocol, old, new) in [
        (Protocol::Udp, "wonderland", "second"),
        (Protocol::Tcp, "second", "third"),
    ] {
        let relay = Relay::only(realm.password(), protocol);
        let desk = realm
            .workstation()
            .with_whole_config(&conf(realm.kerberos(), relay.address()));
        assert!(change(&desk, old, new).ok().ends_with("Password changed.\n"));
        desk.mit("kinit alice").stdin(format!("{new}\n")).run().ok();
    }
    realm.kadmin("addpol -minlength 8 long");
    realm.kadmin("modprinc -policy long alice");
    let said = change(&realm.workstation(), "third", "short").status(2);
    assert!(
        said.contains("Password change rejected: New password is too short."),
        "{said}"
    );
    let desk = realm.workstation();
    desk.ours("kpasswd alice")
        .stdin("third\none\ntwo\n")
        .run()
        .refused_with("Password mismatch");
    desk.ours("kpasswd alice")
        .stdin("wrong\n")
        .run()
        .refused_with("Password incorrect for alice@EXAMPLE.COM (kdc ");
    desk.mit("kinit alice").stdin("third\n").run().ok();
}

#[test]
#[ignore = "needs MIT's KDC"]
fn an_expired_password_is_changed_at_login() {
    let realm = realm();
    realm.kadmin("modprinc +needchange alice");
    let desk = realm.workstation();
    let mut terminal = desk.ours("kinit alice").at_terminal();
    terminal
        .answer("Password for alice@EXAMPLE.COM: ", "wonderland")
        .wait_for("Password expired.  You must change it now.")
        .answer("Enter new password: ", "looking")
        .answer("Enter it again: ", "glass")
        .wait_for("Password mismatch.  Please try again.")
        .answer("Enter new password: ", "looking-glass")
        .answer("Enter it again: ", "looking-glass");
    let screen = terminal.finish().ok();
    assert!(
        !screen.contains("wonderland") && !screen.contains("looking"),
        "passwords show: {screen}"
    );
    assert!(shown(&desk).contains("krbtgt/EXAMPLE.COM@EXAMPLE.COM"));
    desk.mit("kinit alice").stdin("looking-glass\n").run().ok();
}

#[test]
#[ignore = "needs MIT's KDC"]
fn each_principal_has_a_cache_of_its_own_in_a_collection() {
    let realm = realm();
    realm.add("bob", "builder");
    let desk = realm.workstation();
    let directory = desk.path("caches");
    let desk = desk.with_cache(&format!("DIR:{}", directory.display()));
    log_in(&desk, "");
    desk.ours("kinit bob").stdin("builder\n").run().ok();
    assert!(
        desk.mit("klist")
            .run()
            .ok()
            .contains("Default principal: bob@EXAMPLE.COM")
    );
    desk.ours("kswitch -p alice").run().ok();
    assert!(
        desk.mit("klist")
            .run()
            .ok()
            .contains("Default principal: alice@EXAMPLE.COM")
    );
    desk.mit("kswitch -p bob").run().ok();
    assert!(
        desk.ours("klist")
            .run()
            .ok()
            .contains("Default principal: bob@EXAMPLE.COM")
    );
    // Logging in again takes the same cache.
    log_in(&desk, "");
    assert_eq!(desk.mit("klist -l").run().ok().matches("DIR::").count(), 2);
    desk.ours("kdestroy -p bob").run().ok();
    assert_eq!(desk.mit("klist -l").run().ok().matches("DIR::").count(), 1);
    desk.ours("kdestroy -A").run().ok();
    desk.mit("klist -l").run().status(1);
}
