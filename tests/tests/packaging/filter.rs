//! The system calls that the unit lets the daemon make, and those that it makes.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use tessera_tests::wire::{KdcReq, Name, PasswordRequest, crypto::Key, login_by_preauth, socket};
use tessera_tests::{Realm, Tool, installed};

use super::source;

/// The calls of a group such as `@system-service`, or the one call.
fn calls(name: &str) -> BTreeSet<String> {
    if !name.starts_with('@') {
        return BTreeSet::from([name.to_owned()]);
    }
    let line = format!("systemd-analyze syscall-filter {name}");
    let listed = Tool::new(installed("systemd-analyze"), &line).run().ok();
    let own = listed.lines().skip(1).map(str::trim);
    own.filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(calls)
        .collect()
}

/// What the unit's filters leave.
fn allowed() -> BTreeSet<String> {
    let unit = fs::read_to_string(source("packaging/systemd/tessera-kdc.service")).unwrap();
    let mut allowed = BTreeSet::new();
    for filter in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let refused = filter.strip_prefix('~');
        for call in refused.unwrap_or(filter).split(' ').flat_map(calls) {
            if refused.is_some() {
                allowed.remove(&call);
            } else {
                allowed.insert(call);
            }
        }
    }
    allowed
}

#[test]
#[ignore = "needs MIT's tools"]
fn systemd_lets_the_daemon_make_every_system_call_that_strace_sees() {
    let mut realm = Realm::builder().stopped();
    let trace = realm.directory().join("trace");
    let line = format!("strace -D -f -qq -o {}", trace.display());
    let kdc = realm.kdc("").under(installed("strace"), &line);
    realm.restart_as(kdc);
    realm.add("alice", "wonderland");
    let for_password = KdcReq {
        sname: Some(Name::new("kadmin/changepw")),
        ..KdcReq::initial("alice")
    };
    let key = Key::from_password("wonderland", "EXAMPLE.COMalice");
    let session = login_by_preauth(realm.kerberos(), &for_password, &key);
    let change = PasswordRequest::change(&session, "looking-glass");
    assert_eq!(change.parse(&socket::tcp(realm.password(), &change.to_bytes())).code, 0);
    realm.principal("reload").run().ok();
    assert!(realm.stop().success());

    // Whoever traces is behind by a moment.
    let start = Instant::now();
    let ended = || fs::read_to_string(&trace).unwrap().contains("exit_group(0");
    while !ended() {
        assert!(start.elapsed() < Duration::from_secs(60), "the trace has no end");
        std::thread::sleep(Duration::from_millis(20));
    }
    let text = fs::read_to_string(&trace).unwrap();
    let made: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1)?.split_once('('))
        .map(|(call, _)| call.to_owned())
        .collect();
    assert!(made.contains("recvmmsg") && made.contains("fdatasync"), "{made:?}");
    let allowed = allowed();
    assert!(!allowed.contains("ptrace") && !allowed.contains("setuid"));
    let refused: Vec<_> = made.difference(&allowed).collect();
    assert!(refused.is_empty(), "the unit would refuse {refused:?}");
}
