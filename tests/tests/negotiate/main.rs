//! HTTP Negotiate: Apache with `mod_auth_gssapi` and our `whoami` on one side; curl, a browser, Python's `gssapi` and our
//! client on the other.

use std::path::PathBuf;

use tessera_tests::Realm;

mod apache;
mod our_client;
mod over_tls;
mod whoami;

fn realm_with_alice_and_a_web_server() -> (Realm, PathBuf) {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let keytab = realm.add_service("HTTP/localhost");
    (realm, keytab)
}
