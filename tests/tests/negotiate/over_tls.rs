//! Over TLS: a ticket is bound to the certificate that its owner was shown (RFC 5929).

use serde_json::{Value, json};
use tessera_tests::{Certificate, Chromium, Whoami};

use super::realm_with_alice_and_a_web_server;

#[test]
#[ignore = "needs Python's gssapi, OpenSSL and MIT's tools"]
fn pythons_ticket_is_bound_to_the_certificate() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    let desk = realm.workstation();
    desk.ours("kinit alice").stdin("wonderland\n").run().ok();
    for hash in ["sha256", "sha384"] {
        let station = realm.workstation();
        let certificate = Certificate::new(&station, hash);
        for (policy, absent, wrong) in [("if-present", 200, 401), ("require", 401, 401), ("ignore", 200, 200)] {
            let options = format!("--channel-bindings {policy}");
            let whoami = Whoami::start_with_tls(&station, &keytab, &certificate, &options);
            for (bindings, status) in [(None, absent), (Some("wrong"), wrong), (Some("right"), 200)] {
                let what = json!({
                    "port": whoami.port(), "service": "HTTP@localhost", "tls": certificate.certificate,
                    "bindings": bindings, "hash": hash,
                });
                let said = desk.python("negotiate/caller.py").arg(what.to_string()).run().ok();
                let said: Value = serde_json::from_str(&said).unwrap();
                assert_eq!(said["status"], status, "{policy} {bindings:?} {said}");
                if status == 200 {
                    let told: Value = serde_json::from_str(said["body"].as_str().unwrap()).unwrap();
                    let bound = bindings == Some("right") && policy != "ignore";
                    assert_eq!(told["channel-bound"], bound, "{policy} {bindings:?} {said}");
                }
            }
        }
    }
}

#[test]
#[ignore = "needs Chromium, curl, OpenSSL and MIT's tools"]
fn chromium_and_curl_are_let_in_unbound_only_where_that_will_do() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    let station = realm.workstation();
    let certificate = Certificate::new(&station, "sha256");
    let desk = realm.workstation();
    desk.ours("kinit alice").stdin("wonderland\n").run().ok();
    for (policy, unbound) in [("if-present", true), ("require", false)] {
        let options = format!("--channel-bindings {policy}");
        let whoami = Whoami::start_with_tls(&station, &keytab, &certificate, &options);
        let browser = Chromium::at(&desk)
            .allowing("localhost")
            .with("--ignore-certificate-errors");
        let curl = desk
            .installed("curl -sS --negotiate -u : --cacert")
            .arg(&certificate.certificate)
            .arg(whoami.url());
        for page in [browser.document(&whoami.url()), curl.run().ok()] {
            // Not every version of them binds.
            let bound = page.contains("\"channel-bound\": true");
            assert_eq!(page.contains("alice@EXAMPLE.COM"), bound || unbound, "{policy} {page}");
        }
    }
}
