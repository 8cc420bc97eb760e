//! Messages: wrapped, signed, repeated, out of order, altered.

use serde_json::{Value, json};
use tessera_tests::{ENCTYPES, GssServer};

use super::{Library, USUAL, report};
use crate::{desk_of_alice, realm_with_alice_and_a_host};

#[test]
#[ignore = "needs Python's gssapi and MIT's tools"]
fn messages_go_both_ways_between_python_and_ours_in_every_enctype() {
    messages_go_both_ways_in_every_enctype(Library::Package);
}

#[test]
#[ignore = "needs Python, Heimdal's library and MIT's tools"]
fn messages_go_both_ways_between_heimdal_and_ours_in_every_enctype() {
    messages_go_both_ways_in_every_enctype(Library::Heimdal);
}

fn messages_go_both_ways_in_every_enctype(library: Library) {
    let (realm, _) = realm_with_alice_and_a_host();
    let long = "x".repeat(70_000);
    let mut steps = vec![
        json!({"messages": ["one", "two"], "encrypt": true}),
        json!({"messages": ["three", ""], "encrypt": false}),
        json!({"messages": ["four"], "encrypt": true, "mic": true}),
        json!({"messages": ["five"], "encrypt": true, "sign": true}),
        json!({"messages": [&long], "encrypt": true}),
    ];
    let mut answers = vec![
        json!(["one encrypted", "two encrypted"]),
        json!(["three plain", " plain"]),
        json!(["verified"]),
        json!(["five encrypted"]),
        json!([format!("{long} encrypted")]),
    ];
    if library == Library::Package {
        steps.push(json!({"messages": ["six", ""], "encrypt": true, "rotated": true}));
        answers.push(json!(["six encrypted", " encrypted"]));
        steps.push(json!({"messages": ["seven"], "encrypt": false, "rotated": true}));
        answers.push(json!(["seven plain"]));
    }
    for enctype in ENCTYPES {
        let (desk, keytab) = desk_and_keytab_for_enctype(&realm, enctype);
        let ours = GssServer::ours(&realm.workstation(), &keytab, "--echo");
        for spnego in [false, true] {
            let seen = report(library.initiate(&desk, &ours, json!({"steps": steps, "spnego": spnego})));
            assert_eq!(seen["answers"], json!(answers), "{enctype}");
        }
        let log = ours.log();
        assert_eq!(log.matches("\"five\" encrypted, its MIC is right").count(), 2, "{log}");

        let theirs = library.accept(&realm.workstation(), &keytab, json!({}));
        for spnego in ["", "--spnego"] {
            let said = theirs.our_client(&desk, &format!("{spnego} --count 2 --sign")).ok();
            assert_eq!(said.matches("MIC verified").count(), 2, "{enctype} {said}");
            let said = theirs.our_client(&desk, &format!("{spnego} --without mic")).ok();
            assert!(said.contains("\"hello\" encrypted"), "{enctype} {said}");
            let said = theirs.our_client(&desk, &format!("{spnego} --without mic,encryption"));
            let said = said.ok();
            assert!(said.contains("\"hello\" plain"), "{enctype} {said}");
        }
        let log = theirs.log();
        let signed = "{\"received\": \"hello\", \"encrypted\": true, \"signed\": true}";
        assert_eq!(log.matches(signed).count(), 4, "{log}");
        assert!(!log.contains("error"), "{log}");
        assert_eq!(desk.ticket("host/server.example.com").session_etype, enctype);
    }
}

fn desk_and_keytab_for_enctype(
    realm: &tessera_tests::Realm,
    enctype: &str,
) -> (tessera_tests::Workstation, std::path::PathBuf) {
    realm.principal("remove host/server.example.com").run().ok();
    realm
        .principal("add host/server.example.com --random-key --enctypes")
        .arg(enctype)
        .run()
        .ok();
    let desk = realm.workstation();
    desk.ours("kinit alice").stdin("wonderland\n").run().ok();
    desk.ours("kvno host/server.example.com").run().ok();
    (desk, realm.keytab("host/server.example.com"))
}

#[test]
#[ignore = "needs Python's gssapi and MIT's tools"]
fn ours_takes_no_message_of_pythons_twice_late_or_altered() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let desk = desk_of_alice(&realm);
    let ours = GssServer::ours(&realm.workstation(), &keytab, "--echo");
    let twice = json!({"messages": ["one"], "encrypt": true, "twice": true});
    let backwards = json!({"messages": ["one", "two"], "encrypt": true, "backwards": true});
    let altered = json!({"messages": ["one"], "encrypt": true, "altered": true});
    let rows: [(&[&str], &Value, Value); 8] = [
        (&USUAL, &twice, json!(["one encrypted", null])),
        (&["replay", "mutual"], &twice, json!(["one encrypted", null])),
        (&["sequence", "mutual"], &twice, json!(["one encrypted", null])),
        (&["mutual"], &twice, json!(["one encrypted", "one encrypted"])),
        (&USUAL, &backwards, json!([null])),
        (
            &["replay", "mutual"],
            &backwards,
            json!(["two encrypted", "one encrypted"]),
        ),
        (&["mutual"], &backwards, json!(["two encrypted", "one encrypted"])),
        (&["mutual"], &altered, json!([null])),
    ];
    for (flags, step, answers) in rows {
        let seen = report(Library::Package.initiate(&desk, &ours, json!({"flags": flags, "steps": [step]})));
        assert_eq!(seen["answers"][0], answers, "{flags:?} {step}");
    }
}

#[test]
#[ignore = "needs Python's gssapi and MIT's tools"]
fn our_client_takes_no_message_of_pythons_twice() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let desk = desk_of_alice(&realm);
    let theirs = Library::Package.accept(&realm.workstation(), &keytab, json!({"copies": 2}));
    theirs.our_client(&desk, "--without mic --count 2").refused();
    theirs.our_client(&desk, "--without mic,replay,sequence --count 2").ok();
}

#[test]
#[ignore = "needs Python and MIT's tools"]
fn pseudo_random_octets_are_those_of_mits_library() {
    pseudo_random_octets_are_the_same(Library::Mit);
}

#[test]
#[ignore = "needs Python, Heimdal's library and MIT's tools"]
fn pseudo_random_octets_are_those_of_heimdals_library() {
    pseudo_random_octets_are_the_same(Library::Heimdal);
}

fn pseudo_random_octets_are_the_same(library: Library) {
    let (realm, _) = realm_with_alice_and_a_host();
    for enctype in ENCTYPES {
        let (desk, keytab) = desk_and_keytab_for_enctype(&realm, enctype);
        let ours = GssServer::ours(&realm.workstation(), &keytab, "");
        // Without mutual authentication, Heimdal has no key to make them of.
        let rows = match library {
            Library::Heimdal => vec![&USUAL[..]],
            Library::Mit | Library::Package => vec![&USUAL[..], &USUAL[1..]],
        };
        for flags in rows {
            let seen = report(library.initiate(&desk, &ours, json!({"flags": flags, "pseudo-random": true})));
            assert_eq!(seen["pseudo-random"], true, "{enctype} {flags:?}");
        }
    }
}
