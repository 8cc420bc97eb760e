//! The same request twice: the same answer. The same authenticator for another purpose: none.

use std::sync::atomic::{AtomicUsize, Ordering};

use tessera_tests::wire::{KdcReq, Reply, ask, crypto::Key, login, now, pa_enc_timestamp, socket};
use tessera_tests::{Protocol, Realm, Relay, Side};

fn realm_with_alice_and_a_host() -> Realm {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add_service("host/server.example.com");
    realm
}

fn alice() -> Key {
    Key::from_password("wonderland", "EXAMPLE.COMalice")
}

#[test]
fn an_identical_retransmit_gets_the_identical_answer() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let mut as_req = KdcReq::initial("alice");
    as_req.padata.push(pa_enc_timestamp(&alice(), now()));
    let tgt = login(kdc, "alice", &alice());
    let mut tgs_req = KdcReq::ticket("host/server.example.com");
    tgs_req.padata.push((1, tgt.header().to_der(&tgs_req.body())));
    for request in [as_req.to_der(), tgs_req.to_der()] {
        let first = socket::udp(kdc, &request);
        let _ = Reply::parse(&first).rep();
        assert_eq!(socket::udp(kdc, &request), first, "by UDP again");
        assert_eq!(socket::tcp(kdc, &request), first, "by TCP");
        assert_eq!(socket::udp(kdc, &request), first, "and by UDP once more");
    }
}

#[test]
fn a_reply_too_big_for_udp_is_there_when_tcp_asks_for_it() {
    let realm = Realm::builder()
        .listen("kerberos = [\"127.0.0.1:0\"]\nmax-udp-reply = 512\n")
        .start();
    realm.add("alice", "wonderland");
    let mut request = KdcReq::initial("alice");
    request.padata.push(pa_enc_timestamp(&alice(), now()));
    let request = request.to_der();
    for _ in 0..2 {
        assert_eq!(Reply::parse(&socket::udp(realm.kerberos(), &request)).error().code, 52);
        let _ = Reply::parse(&socket::tcp(realm.kerberos(), &request)).rep();
    }
}

#[test]
fn an_authenticator_serves_one_request() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let tgt = login(kdc, "alice", &alice());
    let mut request = KdcReq::ticket("host/server.example.com");
    let header = tgt.header().to_der(&request.body());
    request.padata.push((1, header));
    let _ = ask(kdc, &request.to_der()).rep();
    request.padata.push((128, Vec::new()));
    assert_eq!(ask(kdc, &request.to_der()).error().code, 34);
    // The like in a request for another service: the checksum does not fit.
    let mut other = KdcReq::ticket("krbtgt/EXAMPLE.COM");
    other.padata.clone_from(&request.padata);
    let code = ask(kdc, &other.to_der()).error().code;
    assert!(code == 34 || code == 41, "{code}");
}

#[test]
fn an_encrypted_timestamp_serves_one_request() {
    let realm = realm_with_alice_and_a_host();
    let mut request = KdcReq::initial("alice");
    request.padata.push(pa_enc_timestamp(&alice(), now()));
    let _ = ask(realm.kerberos(), &request.to_der()).rep();
    // RFC 4120 lets a KDC refuse this; MIT does not. Either way, no more than the password's owner could have.
    let again = KdcReq {
        nonce: request.nonce ^ 1,
        ..request
    };
    let code = ask(realm.kerberos(), &again.to_der()).code();
    assert!(code == 0 || code == 34 || code == 24, "{code}");
}

#[test]
fn clients_with_coarse_clocks_do_not_collide() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let tgt = login(kdc, "alice", &alice());
    let at = now();
    for _ in 0..5 {
        let mut header = tgt.header();
        (header.ctime, header.cusec) = (at, 0);
        assert_eq!(
            tgt.ask_with(kdc, &KdcReq::ticket("host/server.example.com"), &header)
                .code(),
            0
        );
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn clients_get_through_a_link_that_loses_answers() {
    let realm = realm_with_alice_and_a_host();
    for side in Side::BOTH {
        let seen = AtomicUsize::new(0);
        let relay = Relay::rewriting(realm.kerberos(), &[Protocol::Udp], move |exchange| {
            if seen.fetch_add(1, Ordering::SeqCst) < 2 {
                exchange.reply = None;
            }
        });
        let desk = realm.workstation().with_whole_config(&relay.krb5_conf());
        desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
        let lost = relay
            .exchanges()
            .iter()
            .filter(|exchange| exchange.reply.is_none())
            .count();
        assert!(lost >= 2, "{side:?}");
    }
}
