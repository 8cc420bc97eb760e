//! Apache, which asks MIT's library who is calling, with our tickets and our keytab.

use tessera_tests::{Apache, Chromium, Side};

use super::realm_with_alice_and_a_web_server;

#[test]
#[ignore = "needs Apache with mod_auth_gssapi, curl and MIT's tools"]
fn curl_reaches_apache_with_our_ticket_and_keytab() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    let apache = Apache::start(&realm.workstation(), &keytab);
    for side in Side::BOTH {
        let desk = realm.workstation();
        let get = |options: &str| {
            desk.installed(&format!("curl -sS --fail {options}"))
                .arg(apache.url())
                .run()
        };
        get("--negotiate -u :").refused_with("401");
        desk.tool(side, "kinit -f alice").stdin("wonderland\n").run().ok();
        get("").refused_with("401");
        let page = get("--negotiate -u :").ok();
        assert!(
            page.contains("user=alice@EXAMPLE.COM mechanism=Negotiate"),
            "{side:?} {page}"
        );
        assert!(
            page.contains("delegated=(none)"),
            "nothing goes along unasked: {side:?} {page}"
        );
    }
}

#[test]
#[ignore = "needs Apache with mod_auth_gssapi, curl and MIT's tools"]
fn a_ticket_delegated_by_curl_is_good_at_apache() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    realm.add_service("imap/server.example.com");
    let apache = Apache::start(&realm.workstation(), &keytab);
    let desk = realm.workstation();
    desk.ours("kinit -f alice").stdin("wonderland\n").run().ok();
    let page = desk
        .installed("curl -sS --fail --negotiate -u : --delegation always")
        .arg(apache.url())
        .run()
        .ok();
    let cache = apache.delegated("alice@EXAMPLE.COM");
    assert!(page.contains(&format!("delegated={cache}")), "{page}");
    for side in Side::BOTH {
        let there = realm.workstation().with_cache(&cache);
        let forwarded = there.tgt();
        assert!(forwarded.flags.contains("Ff"), "{side:?} {forwarded:?}");
        there.tool(side, "kvno --no-store imap/server.example.com").run().ok();
    }
}

#[test]
#[ignore = "needs Chromium, Apache with mod_auth_gssapi and MIT's tools"]
fn chromium_reaches_apache_with_our_ticket_when_it_may() {
    let (realm, keytab) = realm_with_alice_and_a_web_server();
    let apache = Apache::start(&realm.workstation(), &keytab);
    let desk = realm.workstation();
    desk.ours("kinit alice").stdin("wonderland\n").run().ok();
    let page = Chromium::at(&desk).allowing("localhost").document(&apache.url());
    assert!(page.contains("user=alice@EXAMPLE.COM mechanism=Negotiate"), "{page}");
    let page = Chromium::at(&desk).document(&apache.url());
    assert!(!page.contains("alice"), "{page}");
}
