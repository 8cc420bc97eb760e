//! What MIT's KDC vouches for in its tickets, read by our acceptor: its CAMMAC is not ours.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use tessera_client::system::{self, SystemRandom};
use tessera_common::ap::{Acceptor, CammacError, Initiator, MemoryReplayCache, Vouched};
use tessera_common::ccache::{CredentialCache, Entry};
use tessera_common::crypto::Key;
use tessera_common::keytab::Keytab;
use tessera_tests::{MitRealm, Workstation};

const SERVICE: &str = "host/www.example.com";
const ARMOR: &str = "host/client.example.com";

/// What the service learns from the ticket that is in the desk's cache.
fn vouched(desk: &Workstation, keytab: &std::path::Path) -> Vouched {
    let cache = CredentialCache::parse(&std::fs::read(desk.cache_file()).unwrap()).unwrap();
    let service = format!("{SERVICE}@EXAMPLE.COM");
    let mut credentials = cache.credentials().filter_map(Entry::to_credential);
    let credential = credentials.find(|held| held.server.to_string() == service).unwrap();
    let keytab = Keytab::parse(&std::fs::read(keytab).unwrap()).unwrap();
    let now = system::now();
    let request = Initiator::new(&credential).request(now, &mut SystemRandom);
    let replays = MemoryReplayCache::new(Acceptor::SKEW);
    let accepted = Acceptor::for_service(credential.server)
        .accept(request.octets(), &keytab, &replays, None, now.time)
        .unwrap();
    let seen = accepted.vouched().clone();
    // By any other key it is nothing.
    let other = Key::random(accepted.session_key().etype(), &mut SystemRandom);
    let by_another = Vouched::read(accepted.authorization_data(), &other);
    assert_eq!(by_another.problem().is_some(), !seen.indicators().is_empty());
    assert!(by_another.indicators().is_empty());
    assert_ne!(by_another.problem(), Some(&CammacError::Several));
    seen
}

#[test]
#[ignore = "needs MIT's KDC"]
fn mits_authentication_indicators_verify_under_every_enctype() {
    let realm = MitRealm::start_with("  encrypted_challenge_indicator = armored");
    realm.add("alice", "wonderland");
    let armor = realm.add_service(ARMOR);
    let keytab = realm.add_service(SERVICE);
    let machine = realm.workstation();
    machine.mit("kinit -k -t").arg(&armor).arg(ARMOR).run().ok();
    let keytab_of = |enctype: &str| keytab.with_extension(enctype);
    for enctype in ["aes256-sha1", "aes256-sha2", "aes128-sha1", "aes128-sha2"] {
        let keytab = keytab_of(enctype);
        realm.kadmin(&format!("cpw -randkey -e {enctype}:normal {SERVICE}"));
        realm.kadmin(&format!("ktadd -norandkey -k {} {SERVICE}", keytab.display()));
        let desk = realm.workstation();
        desk.mit(&format!("kinit -T {} alice", machine.cache()))
            .stdin("wonderland\n")
            .run()
            .ok();
        desk.mit(&format!("kvno {SERVICE}")).run().ok();
        let seen = vouched(&desk, &keytab);
        assert_eq!(seen.problem(), None, "{enctype}");
        assert_eq!(seen.indicators(), ["armored"], "{enctype}");
        assert!(seen.roles().is_empty() && seen.principal_id().is_none(), "{enctype}");
    }

    // Without armor there is another proof, and nothing to vouch for.
    let desk = realm.workstation();
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    desk.mit(&format!("kvno {SERVICE}")).run().ok();
    assert_eq!(vouched(&desk, &keytab_of("aes128-sha2")), Vouched::default());
}
