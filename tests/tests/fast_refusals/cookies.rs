//! The cookie that carries a conversation from one request to the next (RFC 6113 §5.2).

use tessera_tests::Realm;
use tessera_tests::wire::{ApReq, Armor, FastReq, KdcReq, pa};

use crate::{Bench, alice, initial};

fn with_cookie(bench: &Bench, cookie: &[u8]) -> FastReq {
    let mut fast = bench.proven();
    fast.padata.push((pa::FX_COOKIE, cookie.to_vec()));
    fast
}

#[test]
fn a_cookie_is_for_the_client_that_it_was_given() {
    let bench = Bench::new();
    bench.realm.add("bob", "builder");
    let given = |client: &str| {
        FastReq::new(&bench.host.armor(), &KdcReq::initial(client))
            .ask_as(bench.kdc)
            .inner(pa::FX_COOKIE)
    };
    let own = given("alice");
    assert_eq!(with_cookie(&bench, &own).ask_as(bench.kdc).code(), 0);
    let flipped = |at: usize| {
        let mut cookie = own.clone();
        cookie[at] ^= 1;
        cookie
    };
    let last = own.len() - 1;
    let rows = [
        ("another client's", given("bob"), 24, "cookie-of-another-client"),
        ("an altered one", flipped(last), 24, "cookie-altered"),
        ("one altered in the middle", flipped(last / 2), 24, "cookie-altered"),
        ("cut short", own[..last].to_vec(), 24, "cookie-altered"),
        ("an empty one", vec![], 90, "cookie-of-another-version"),
        (
            "MIT's that says nothing",
            b"MIT".to_vec(),
            90,
            "cookie-of-another-version",
        ),
        (
            "MIT's that does",
            [b"MIT1\0\0\0\x01", &[7; 60][..]].concat(),
            90,
            "cookie-of-another-version",
        ),
        ("one of another version", flipped(0), 90, "cookie-of-another-version"),
    ];
    for (what, cookie, code, reason) in rows {
        bench.refused(what, (code, true), reason, || {
            with_cookie(&bench, &cookie).ask_as(bench.kdc)
        });
    }
}

#[test]
fn a_cookie_outlives_a_restart_and_new_keys_of_the_realm() {
    let mut bench = Bench::new();
    let cookie = bench.unproven().ask_as(bench.kdc).inner(pa::FX_COOKIE);
    bench.realm.stop();
    bench.realm.restart();
    bench.kdc = bench.realm.kerberos();
    assert_eq!(with_cookie(&bench, &cookie).ask_as(bench.kdc).code(), 0);
    bench.realm.principal("rotate krbtgt/EXAMPLE.COM").run().ok();
    assert_eq!(with_cookie(&bench, &cookie).ask_as(bench.kdc).code(), 0);
}

#[test]
#[ignore = "needs libfaketime"]
fn a_cookie_is_good_for_ten_minutes() {
    let bench = Bench::of(Realm::builder().with_clock().start());
    let cookie = bench.unproven().ask_as(bench.kdc).inner(pa::FX_COOKIE);
    let armor = || {
        Armor::of(&ApReq {
            ctime: bench.realm.clock().now(),
            ..bench.host.armor_header()
        })
    };
    let later = |cookie: &[u8]| {
        let mut fast = FastReq::new(&armor(), &initial());
        let proof = fast.armor.challenge(&alice(), bench.realm.clock().now());
        fast.padata.push(proof);
        fast.padata.push((pa::FX_COOKIE, cookie.to_vec()));
        fast.ask_as(bench.kdc)
    };
    bench.realm.clock().forward(9 * 60);
    assert_eq!(later(&cookie).code(), 0);
    bench.realm.clock().forward(2 * 60);
    let before = bench.realm.log().len();
    assert_eq!(later(&cookie).refusal(), (90, true));
    let log = bench.log_after(before, "cookie-expired");
    assert!(log.contains("reason=cookie-expired "), "{log}");
    // That tells a client to begin again.
    let fresh = FastReq::new(&armor(), &initial()).ask_as(bench.kdc);
    assert_eq!(later(&fresh.inner(pa::FX_COOKIE)).code(), 0);
}
