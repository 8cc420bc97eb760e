//! Our example `negotiate_client`, at Apache and at our `whoami`.

use serde_json::Value;
use tessera_tests::{Apache, Certificate, Finished, Whoami, Workstation};

use super::realm_with_alice_and_a_web_server;

fn fetch(desk: &Workstation, url: &str, options: &str) -> Finished {
    desk.example(&format!("negotiate_client {options}")).arg(url).run()
}

#[test]
#[ignore = "needs Apache with mod_auth_gssapi and MIT's tools"]
fn our_client_reaches_apache_and_each_proves_itself() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    realm.add_service("imap/server.example.com");
    let apache = Apache::start(&realm.workstation(), &keytab);
    let desk = realm.workstation();
    fetch(&desk, &apache.url(), "").refused();
    desk.ours("kinit -f alice").stdin("wonderland\n").run().ok();
    let fetched = fetch(&desk, &apache.url(), "");
    assert!(
        fetched.stderr.contains("the service is HTTP/localhost@EXAMPLE.COM"),
        "{fetched}"
    );
    let page = fetched.ok();
    assert!(page.contains("user=alice@EXAMPLE.COM mechanism=Negotiate"), "{page}");
    assert!(page.contains("delegated=(none)"), "{page}");

    let page = fetch(&desk, &apache.url(), "--delegate").ok();
    let cache = apache.delegated("alice@EXAMPLE.COM");
    assert!(page.contains(&format!("delegated={cache}")), "{page}");
    let there = realm.workstation().with_cache(&cache);
    assert!(there.tgt().flags.contains("Ff"), "{:?}", there.tgt());
    there.mit("kvno --no-store imap/server.example.com").run().ok();
}

#[test]
#[ignore = "needs Apache with mod_auth_gssapi and MIT's tools"]
fn our_client_is_refused_by_an_apache_with_an_outdated_keytab() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    realm.principal("rotate HTTP/localhost").run().ok();
    let apache = Apache::start(&realm.workstation(), &keytab);
    let desk = realm.workstation();
    desk.ours("kinit alice").stdin("wonderland\n").run().ok();
    let said = fetch(&desk, &apache.url(), "").refused_with("401");
    assert!(!said.contains("alice"), "{said}");
}

#[test]
#[ignore = "needs OpenSSL and MIT's tools"]
fn our_client_binds_its_ticket_over_tls_and_hands_on_another() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    let station = realm.workstation();
    let certificate = Certificate::new(&station, "sha384");
    let whoami = Whoami::start_with_tls(&station, &keytab, &certificate, "--channel-bindings require");
    let desk = realm.workstation();
    desk.mit("kinit -f alice").stdin("wonderland\n").run().ok();
    let trusting = format!("--delegate --cacert {}", certificate.certificate.display());
    let told: Value = serde_json::from_str(&fetch(&desk, &whoami.url(), &trusting).ok()).unwrap();
    assert_eq!(told["principal"], "alice@EXAMPLE.COM");
    assert_eq!(told["channel-bound"], true);
    assert_eq!(told["delegated"], true);
    // A certificate that nobody vouches for is not even shown a ticket.
    let other = Certificate::new(&realm.workstation(), "sha256");
    let doubting = format!("--cacert {}", other.certificate.display());
    fetch(&desk, &whoami.url(), &doubting).refused();
    let log = whoami.log();
    assert_eq!(log.matches("alice@EXAMPLE.COM").count(), 1, "{log}");
}
