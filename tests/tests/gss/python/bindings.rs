//! Channel bindings: what is bound to one channel is no good in another.

use serde_json::json;
use tessera_tests::GssServer;

use super::{Library, newest_context, report};
use crate::{desk_of_alice, realm_with_alice_and_a_host};

#[test]
#[ignore = "needs Python's gssapi and MIT's tools"]
fn pythons_channel_bindings_are_compared_as_the_policy_says() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let desk = desk_of_alice(&realm);
    let mut rows = Vec::new();
    for (policy, absent, wrong) in [
        ("", true, false),
        ("--binding-policy if-present", true, false),
        ("--binding-policy require", false, false),
        ("--binding-policy ignore", true, true),
    ] {
        rows.push((policy, None, absent));
        rows.push((policy, Some("wrong"), wrong));
        rows.push((policy, Some("right"), true));
    }
    for (policy, sent, taken) in rows {
        for spnego in [false, true] {
            let ours = GssServer::ours(&realm.workstation(), &keytab, &format!("--bindings right {policy}"));
            let finished = Library::Package.initiate(&desk, &ours, json!({"bindings": sent, "spnego": spnego}));
            if taken {
                report(finished);
                let log = ours.wait_for_log(": alice@EXAMPLE.COM flags=");
                let bound = sent == Some("right") && !policy.contains("ignore");
                assert_eq!(log.contains("channel-bound"), bound, "{policy} {sent:?} {log}");
            } else {
                finished.refused();
                let log = ours.wait_for_log("bindings");
                assert!(!log.contains(": alice@EXAMPLE.COM flags="), "{policy} {sent:?} {log}");
            }
        }
    }
}

#[test]
#[ignore = "needs Python's gssapi and MIT's tools"]
fn python_compares_our_channel_bindings() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let desk = desk_of_alice(&realm);
    let theirs = Library::Package.accept(&realm.workstation(), &keytab, json!({"bindings": "right"}));
    for spnego in ["", "--spnego"] {
        theirs.our_client(&desk, &format!("{spnego} --bindings right")).ok();
        let flags = newest_context(&theirs)["flags"].to_string();
        assert!(flags.contains("channel-bound"), "{flags}");
        theirs
            .our_client(&desk, &format!("{spnego} --bindings wrong"))
            .refused();
        theirs.our_client(&desk, spnego).ok();
        let flags = newest_context(&theirs)["flags"].to_string();
        assert!(!flags.contains("channel-bound"), "{flags}");
    }
    assert!(theirs.log().contains("BadChannelBindings"), "{}", theirs.log());
}
