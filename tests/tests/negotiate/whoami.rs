//! Our `whoami` with callers that others wrote, and what it shows of them.

use serde_json::{Value, json};
use tessera_tests::{Chromium, Realm, Side, Whoami, Workstation};

use super::realm_with_alice_and_a_web_server;

/// Alice's desk, with a forwardable TGT.
fn desk_of_alice(realm: &Realm) -> Workstation {
    let desk = realm.workstation();
    desk.ours("kinit -f alice").stdin("wonderland\n").run().ok();
    desk
}

#[test]
#[ignore = "needs curl and MIT's tools"]
fn curl_is_told_who_it_is() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    let whoami = Whoami::start(&realm.workstation(), &keytab, "");
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.tool(side, "kinit -f -r 2d alice").stdin("wonderland\n").run().ok();
        let told = whoami.tells(&desk, "");
        assert_eq!(told["principal"], "alice@EXAMPLE.COM");
        assert_eq!(told["service"], "HTTP/localhost@EXAMPLE.COM");
        assert_eq!(told["delegated"], false, "nothing goes along unasked");
        assert_eq!(told["enctypes"]["ticket"], "aes256-cts-hmac-sha1-96");
        assert_eq!(told["enctypes"]["session"], "aes256-cts-hmac-sha1-96");
        assert_eq!(told["channel-bound"], false);
        assert_eq!(told["factors"]["pre-authenticated"], true);
        // The times are those that are in the cache, in words of their own.
        let listed = desk.ours("klist --json").run().ok();
        for time in ["endtime", "renew-till"] {
            let time = told["ticket"][time].as_str().unwrap();
            assert!(listed.contains(time), "{time} {listed}");
        }
    }
}

#[test]
#[ignore = "needs curl and MIT's tools"]
fn curl_without_a_ticket_is_told_nothing() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    let whoami = Whoami::start(&realm.workstation(), &keytab, "");
    let nobody = realm.workstation();
    let alice = desk_of_alice(&realm);
    for (desk, options) in [
        (&nobody, "--negotiate -u :"),
        (&nobody, ""),
        (&alice, ""),
        (&alice, "-u alice:wonderland"),
        (&alice, "--header Authorization:Negotiate"),
    ] {
        let said = desk
            .installed(&format!("curl -sS -i {options}"))
            .arg(whoami.url())
            .run()
            .ok();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 401"), "{options} {said}");
        assert!(
            head.lines()
                .any(|line| line.eq_ignore_ascii_case("www-authenticate: negotiate")),
            "{options} {said}"
        );
        for secret in ["alice", "HTTP/localhost", "EXAMPLE.COM", "keytab", "kvno", "tessera"] {
            assert!(!body.contains(secret) && !head.contains(secret), "{options} {said}");
        }
    }
}

#[test]
#[ignore = "needs curl and MIT's tools"]
fn what_curl_delegates_is_good_at_whoami() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    realm.add_service("imap/server.example.com");
    let whoami = Whoami::start(&realm.workstation(), &keytab, "--delegate-to imap/server.example.com");
    let desk = desk_of_alice(&realm);
    let told = whoami.tells(&desk, "--delegation always");
    assert_eq!(told["delegated"], true);
    let page = format!("{}delegated", whoami.url());
    let said = desk
        .installed("curl -sS --fail --negotiate -u : --delegation always")
        .arg(page)
        .run()
        .ok();
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["client"], "alice@EXAMPLE.COM", "{said}");
    assert_eq!(told["service"], "imap/server.example.com@EXAMPLE.COM", "{said}");
    // The KDC was asked by alice, from a TGT that nobody but whoami had.
    realm.wait_for_log("client=alice service=imap/server.example.com");
    // Delegation by policy: the KDC has to say that the service may be trusted.
    assert_eq!(whoami.tells(&desk, "--delegation policy")["delegated"], false);
    realm.principal("set HTTP/localhost --ok-as-delegate yes").run().ok();
    let desk = desk_of_alice(&realm);
    assert_eq!(whoami.tells(&desk, "--delegation policy")["delegated"], true);
}

#[test]
#[ignore = "needs Chromium and MIT's tools"]
fn chromium_is_told_who_it_is_when_it_may() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    let whoami = Whoami::start(&realm.workstation(), &keytab, "");
    let desk = desk_of_alice(&realm);
    let allowed = Chromium::at(&desk).allowing("localhost");
    let page = allowed.document(&whoami.url());
    assert!(page.contains("alice@EXAMPLE.COM"), "{page}");
    let picture = allowed.screenshot(&whoami.url(), "whoami.png");
    println!("screenshot: {}", picture.display());
    let page = Chromium::at(&desk).document(&whoami.url());
    assert!(!page.contains("alice"), "{page}");
}

#[test]
#[ignore = "needs curl, Python's gssapi and MIT's tools"]
fn a_header_of_pythons_that_curl_sends_twice_is_taken_once_by_all_processes_together() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    let station = realm.workstation();
    let replays = format!("--replay-cache {}", station.path("replays").display());
    let both = [(); 2].map(|()| Whoami::start(&station, &keytab, &replays));
    let desk = desk_of_alice(&realm);
    let status = |whoami: &Whoami, token: &str| {
        let request = desk.installed("curl -sS -o /dev/null -w %{http_code} -H");
        let request = request.arg(format!("Authorization: Negotiate {token}"));
        request.arg(whoami.url()).run().ok()
    };
    for (first, second) in [(0, 0), (0, 1), (1, 0)] {
        let what = json!({"port": 0, "service": "HTTP@localhost", "only-token": true});
        let token = desk.python("negotiate/caller.py").arg(what.to_string()).run().ok();
        let token = token.trim_end();
        assert_eq!(status(&both[first], token), "200");
        assert_eq!(status(&both[second], token), "401");
        both[second].wait_for_log("a copy of an earlier AP-REQ of alice@EXAMPLE.COM");
    }
    // Processes that share nothing cannot know; that they can is what the file is for.
    let alone = Whoami::start(&station, &keytab, "");
    let what = json!({"port": 0, "service": "HTTP@localhost", "only-token": true});
    let token = desk.python("negotiate/caller.py").arg(what.to_string()).run().ok();
    assert_eq!(status(&both[0], token.trim_end()), "200");
    assert_eq!(status(&alone, token.trim_end()), "200");
    assert_eq!(status(&alone, token.trim_end()), "401");
}

#[test]
#[ignore = "needs curl and MIT's tools"]
fn an_outdated_keytab_is_named_in_the_log_and_curl_is_told_nothing() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    realm.principal("rotate HTTP/localhost").run().ok();
    let whoami = Whoami::start(&realm.workstation(), &keytab, "");
    let desk = desk_of_alice(&realm);
    let said = desk
        .installed("curl -sS -i --negotiate -u :")
        .arg(whoami.url())
        .run()
        .ok();
    assert!(said.starts_with("HTTP/1.1 401") && !said.contains("200 OK"), "{said}");
    assert!(!said.contains("keytab") && !said.contains("kvno"), "{said}");
    let log = whoami.wait_for_log("kvno 2");
    let line = log.lines().find(|line| line.contains("kvno 2")).unwrap();
    for part in ["HTTP/localhost@EXAMPLE.COM", "aes256-cts-hmac-sha1-96", "kvno 1"] {
        assert!(line.contains(part), "{log}");
    }
    // The same file, with the new keys: it is read again, and nothing is started anew.
    realm
        .principal("keytab HTTP/localhost --output")
        .arg(&keytab)
        .run()
        .ok();
    assert_eq!(whoami.tells(&desk, "")["principal"], "alice@EXAMPLE.COM");
}

#[test]
#[ignore = "needs Python's gssapi and MIT's tools"]
fn a_ticket_of_pythons_for_another_service_is_refused() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    realm.principal("add imap/localhost --random-key").run().ok();
    realm
        .principal("keytab imap/localhost --output")
        .arg(&keytab)
        .run()
        .ok();
    let whoami = Whoami::start(&realm.workstation(), &keytab, "--service HTTP");
    let any = Whoami::start(&realm.workstation(), &keytab, "");
    let desk = desk_of_alice(&realm);
    for (server, service, status) in [
        (&whoami, "HTTP@localhost", 200),
        (&whoami, "imap@localhost", 401),
        (&any, "imap@localhost", 200),
    ] {
        for krb5 in [false, true] {
            let what = json!({"port": server.port(), "service": service, "krb5": krb5});
            let said = desk.python("negotiate/caller.py").arg(what.to_string()).run().ok();
            let said: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(said["status"], status, "{service} {said}");
            // Who lets somebody in has proved itself, too.
            assert_eq!(said["complete"] == true, status == 200, "{service} {said}");
        }
    }
    whoami.wait_for_log("imap/localhost@EXAMPLE.COM");
}

#[test]
#[ignore = "needs curl and MIT's tools"]
fn curl_is_told_its_roles_and_let_in_by_them() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    realm.principal("role add paid").run().ok();
    realm.principal("role add staff").run().ok();
    realm
        .principal("add bob --role paid --role staff --password-file -")
        .stdin("builder\n")
        .run()
        .ok();
    let open = Whoami::start(&realm.workstation(), &keytab, "");
    let for_payers = Whoami::start(&realm.workstation(), &keytab, "--require-role paid");
    let (alice, bob) = (desk_of_alice(&realm), realm.workstation());
    bob.mit("kinit bob").stdin("builder\n").run().ok();
    assert_eq!(open.tells(&alice, "")["roles"], json!([]));
    let told = open.tells(&bob, "");
    assert_eq!(told["roles"], json!(["paid", "staff"]));
    assert!(told["id"].as_str().is_some_and(|id| id.len() == 32), "{told}");
    assert_eq!(for_payers.tells(&bob, "")["principal"], "bob@EXAMPLE.COM");
    let said = alice
        .installed("curl -sS -w %{http_code} --negotiate -u :")
        .arg(for_payers.url())
        .run()
        .ok();
    assert!(said.ends_with("403") && !said.contains("paid"), "{said}");
}

#[test]
#[ignore = "needs curl and MIT's tools"]
fn a_rule_keeps_curl_from_a_ticket_for_whoami() {
    let realm = Realm::builder()
        .section("[roles.paid]\n[rules.web]\neffect = \"allow\"\nroles = [\"paid\"]\nservices = [\"HTTP/*\"]")
        .start();
    realm.add("alice", "wonderland");
    realm
        .principal("add bob --role paid --password-file -")
        .stdin("builder\n")
        .run()
        .ok();
    let keytab = realm.add_service("HTTP/localhost");
    let whoami = Whoami::start(&realm.workstation(), &keytab, "");
    let (alice, bob) = (desk_of_alice(&realm), realm.workstation());
    bob.ours("kinit bob").stdin("builder\n").run().ok();
    assert_eq!(whoami.tells(&bob, "")["roles"], json!(["paid"]));
    let said = alice.installed("curl -sS -v --negotiate -u :").arg(whoami.url()).run();
    assert!(said.stderr.contains("401") && !said.stdout.contains("alice"), "{said}");
    realm.wait_for_log("code=12");
    let log = realm.log();
    let refused = log.lines().find(|line| line.contains("code=12")).unwrap();
    assert!(refused.contains("client=alice service=HTTP/localhost"), "{log}");
    assert!(
        refused.contains("result=refused") && refused.contains("closed by web"),
        "{log}"
    );
}
