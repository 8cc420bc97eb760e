//! OpenSSH, server and client, with our tickets and our keytabs.

use tessera_tests::{Realm, Side, Sshd};

/// Who alice is on the machine that sshd lets her in to.
const ALICE_IS_ROOT: &str = "[realms]\n EXAMPLE.COM = {\n  auth_to_local_names = {\n   alice = root\n  }\n }";

fn realm_with_alice_and_a_host() -> (Realm, std::path::PathBuf) {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add("mallory", "malice");
    let keytab = realm.add_service("host/localhost");
    (realm, keytab)
}

#[test]
#[ignore = "needs OpenSSH's server, MIT's tools, and root"]
fn sshd_lets_a_user_in_with_our_ticket_and_keytab() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let sshd = Sshd::start(&realm.workstation().with_config(ALICE_IS_ROOT), &keytab);
    for side in Side::BOTH {
        let desk = realm.workstation();
        let whoami = |options: &str| sshd.run(&desk, options, "whoami");
        whoami("").refused_with("Permission denied");
        desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
        assert_eq!(whoami("").ok(), "root\n", "{side:?}");
        // The keys of the connection itself from the context, no host key involved.
        assert_eq!(
            whoami("-o GSSAPIKeyExchange=yes -o PreferredAuthentications=gssapi-keyex").ok(),
            "root\n",
            "{side:?}"
        );
        // Somebody else's ticket is as good, but not for this user.
        desk.tool(side, "kinit mallory").stdin("malice\n").run().ok();
        whoami("").refused_with("Permission denied");
    }
    let log = sshd.log();
    assert!(
        log.contains("Authorized to root, krb5 principal alice@EXAMPLE.COM"),
        "{log}"
    );
    assert!(!log.contains("krb5 principal mallory"), "{log}");
}

#[test]
#[ignore = "needs OpenSSH's server, MIT's tools, and root"]
fn sshd_with_an_outdated_keytab_lets_nobody_in() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    realm.principal("rotate host/localhost").run().ok();
    let sshd = Sshd::start(&realm.workstation().with_config(ALICE_IS_ROOT), &keytab);
    let desk = realm.workstation();
    desk.ours("kinit alice").stdin("wonderland\n").run().ok();
    sshd.run(&desk, "", "whoami").refused_with("Permission denied");
    // The same file, with the new keys added.
    realm
        .principal("keytab host/localhost --output")
        .arg(&keytab)
        .run()
        .ok();
    assert_eq!(sshd.run(&desk, "", "whoami").ok(), "root\n");
}

#[test]
#[ignore = "needs OpenSSH's server, MIT's tools, and root"]
fn a_ticket_delegated_to_sshd_is_good_there() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    realm.add_service("imap/server.example.com");
    let sshd = Sshd::start(&realm.workstation().with_config(ALICE_IS_ROOT), &keytab);
    let there = realm.workstation();
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.tool(side, "kinit -f alice").stdin("wonderland\n").run().ok();
        // What root types there, with the cache that sshd made.
        let command = format!(
            "export KRB5_CONFIG={}; klist -f && kvno imap/server.example.com",
            there.config().display()
        );
        let said = sshd.run(&desk, "-o GSSAPIDelegateCredentials=yes", &command).ok();
        assert!(
            said.contains("Default principal: alice@EXAMPLE.COM\n"),
            "{side:?} {said}"
        );
        let forwarded = said.split("krbtgt/EXAMPLE.COM@EXAMPLE.COM\n").nth(1).unwrap();
        let flags = forwarded.lines().next().unwrap().rsplit("Flags: ").next().unwrap();
        assert!(flags.contains("Ff"), "forwardable and forwarded: {side:?} {said}");
        assert!(
            said.contains("imap/server.example.com@EXAMPLE.COM: kvno = 1\n"),
            "{side:?} {said}"
        );
        // Nothing goes along unasked, and nothing that may not.
        let command = format!("KRB5_CONFIG={} klist", there.config().display());
        sshd.run(&desk, "", &command).refused_with("No credentials cache found");
        desk.tool(side, "kinit -F alice").stdin("wonderland\n").run().ok();
        sshd.run(&desk, "-o GSSAPIDelegateCredentials=yes", &command)
            .refused_with("No credentials cache found");
    }
}
