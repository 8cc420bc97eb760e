//! Who is who, what for, and for how long; and what was delegated.

use serde_json::json;
use tessera_tests::GssServer;

use super::{Library, USUAL, newest_context, report};
use crate::{desk_of_alice, realm_with_alice_and_a_host};

#[test]
#[ignore = "needs Python's gssapi and MIT's tools"]
fn python_and_ours_agree_who_is_who_and_on_the_flags() {
    both_agree_who_is_who_and_on_the_flags(Library::Package);
}

#[test]
#[ignore = "needs Python, Heimdal's library and MIT's tools"]
fn heimdal_and_ours_agree_who_is_who_and_on_the_flags() {
    both_agree_who_is_who_and_on_the_flags(Library::Heimdal);
}

fn both_agree_who_is_who_and_on_the_flags(library: Library) {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let desk = desk_of_alice(&realm);
    let theirs = library.accept(&realm.workstation(), &keytab, json!({}));
    for spnego in [false, true] {
        for left_out in ["mutual", "replay", "sequence", ""] {
            let flags: Vec<_> = USUAL.into_iter().filter(|flag| *flag != left_out).collect();
            let ours = GssServer::ours(&realm.workstation(), &keytab, "");
            let seen = report(library.initiate(&desk, &ours, json!({"flags": flags, "spnego": spnego})));
            assert_eq!(seen["flags"], json!(flags), "{spnego}");
            ours.wait_for_log(&format!(": alice@EXAMPLE.COM flags={}\n", flags.join(",")));

            let mut options = if spnego { "--spnego" } else { "" }.to_owned();
            if !left_out.is_empty() {
                options = format!("{options} --without {left_out}");
            }
            theirs.our_client(&desk, &options).ok();
            let seen = newest_context(&theirs);
            assert_eq!(seen["initiator"], "alice@EXAMPLE.COM");
            assert_eq!(seen["flags"], json!(flags), "{options}");
            // As long as the ticket, and the skew.
            let lifetime = seen["lifetime"].as_i64().unwrap();
            assert!((35_000..=36_300).contains(&lifetime), "{lifetime}");
        }
    }
}

#[test]
#[ignore = "needs Python's gssapi and MIT's tools"]
fn what_is_delegated_to_and_by_python_is_good() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    realm.add_service("imap/server.example.com");
    for spnego in [false, true] {
        let desk = desk_of_alice(&realm);
        let here = realm.workstation();
        let ours = GssServer::ours(&here, &keytab, &format!("--delegated {}", here.cache()));
        let flags: Vec<_> = ["deleg"].into_iter().chain(USUAL).collect();
        let seen = report(Library::Package.initiate(&desk, &ours, json!({"flags": flags, "spnego": spnego})));
        assert_eq!(seen["flags"], json!(flags));
        let there = realm.workstation();
        let theirs = Library::Package.accept(&there, &keytab, json!({}));
        let options = if spnego { "--delegate --spnego" } else { "--delegate" };
        theirs.our_client(&desk, options).ok();
        assert_eq!(newest_context(&theirs)["delegated"], "alice@EXAMPLE.COM");
        for station in [here, there] {
            assert!(station.tgt().flags.contains("Ff"), "{:?}", station.tgt());
            station.mit("kvno imap/server.example.com").run().ok();
        }
    }
}

#[test]
#[ignore = "needs Python, Heimdal's library and MIT's tools"]
fn what_heimdal_delegates_is_good_and_it_takes_what_we_delegate() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    realm.add_service("imap/server.example.com");
    let desk = desk_of_alice(&realm);
    let here = realm.workstation();
    let ours = GssServer::ours(&here, &keytab, &format!("--delegated {}", here.cache()));
    let flags: Vec<_> = ["deleg"].into_iter().chain(USUAL).collect();
    report(Library::Heimdal.initiate(&desk, &ours, json!({"flags": flags, "spnego": true})));
    assert!(here.tgt().flags.contains("Ff"), "{:?}", here.tgt());
    here.mit("kvno imap/server.example.com").run().ok();
    let theirs = Library::Heimdal.accept(&realm.workstation(), &keytab, json!({}));
    theirs.our_client(&desk, "--delegate --spnego").ok();
    assert_eq!(newest_context(&theirs)["flags"], json!(flags));
}
