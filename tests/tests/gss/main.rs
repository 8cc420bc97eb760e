//! GSS-API: our examples with MIT's samples, and with libraries that Python drives.

use std::path::PathBuf;

use tessera_tests::{Realm, Workstation};

mod python;
mod samples;

fn realm_with_alice_and_a_host() -> (Realm, PathBuf) {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let keytab = realm.add_service("host/server.example.com");
    (realm, keytab)
}

/// Alice's desk, with a forwardable TGT.
fn desk_of_alice(realm: &Realm) -> Workstation {
    let desk = realm.workstation();
    desk.ours("kinit -f alice").stdin("wonderland\n").run().ok();
    desk
}
