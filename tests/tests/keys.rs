//! A service's keys, and the realm's own, follow one another over the years: nobody who works meanwhile notices.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tessera_tests::wire::{KdcReq, Session, crypto::Key, keytab, login, login_by_preauth, option};
use tessera_tests::{GssServer, Realm, Side, Workstation};

const SERVICE: &str = "host/server.example.com";

fn realm_with_alice_and_a_host() -> Realm {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.principal(&format!("add {SERVICE} --random-key")).run().ok();
    realm
}

fn alice() -> Key {
    Key::from_password("wonderland", "EXAMPLE.COMalice")
}

fn desk_of_alice(realm: &Realm) -> Workstation {
    let desk = realm.workstation();
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    desk
}

/// What a host does to learn its keys: those that it has stay in its keytab.
fn fetch(realm: &Realm, keytab: &Path) -> String {
    realm
        .principal(&format!("keytab {SERVICE} --output"))
        .arg(keytab)
        .run()
        .ok()
}

fn versions_in(keytab: &Path) -> Vec<u32> {
    let mut versions: Vec<_> = keytab::read(keytab).iter().map(|entry| entry.kvno).collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// The version and use of each key, those of one version once.
fn uses(realm: &Realm, name: &str) -> Vec<(u64, String)> {
    let shown = realm.principal(&format!("show --json {name}")).run().ok();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let keys = shown["keys"].as_array().unwrap().iter();
    let mut uses: Vec<_> = keys
        .map(|key| (key["kvno"].as_u64().unwrap(), key["use"].as_str().unwrap().to_owned()))
        .collect();
    uses.dedup();
    uses
}

fn owned(uses: &[(u64, &str)]) -> Vec<(u64, String)> {
    uses.iter().map(|(kvno, used)| (*kvno, (*used).to_owned())).collect()
}

#[track_caller]
fn accepts(server: &GssServer, desk: &Workstation) {
    let said = server.client(desk, "").ok();
    assert!(said.contains("Signature verified."), "{said}\n{}", server.log());
}

#[test]
#[ignore = "needs MIT's tools"]
fn staged_keys_are_in_keytabs_before_a_ticket_needs_them() {
    let realm = realm_with_alice_and_a_host();
    let places = [realm.workstation(), realm.workstation()];
    let keytabs: [PathBuf; 2] = [places[0].path("host"), places[1].path("host")];
    keytabs.iter().for_each(|keytab| drop(fetch(&realm, keytab)));
    let [one, other] = [0, 1].map(|host| GssServer::start(&places[host], &keytabs[host]));
    let before = desk_of_alice(&realm);
    accepts(&one, &before);
    accepts(&other, &before);

    let said = realm.principal(&format!("rotate {SERVICE} --stage")).run().ok();
    assert_eq!(said, format!("staged keys of {SERVICE}@EXAMPLE.COM, kvno 2\n"));
    assert_eq!(uses(&realm, SERVICE), owned(&[(2, "staged"), (1, "current")]));
    let shown = realm.principal(&format!("show {SERVICE}")).run().ok();
    assert!(
        shown.contains("kvno 2, aes256-cts-hmac-sha1-96, staged, made 2") && shown.contains("s ago)"),
        "{shown}"
    );
    // One of the two hosts fetches them, as often as it likes.
    for _ in 0..2 {
        let said = fetch(&realm, &keytabs[0]);
        assert!(
            said.contains("kvno 1, in ") && said.contains("kvno 2, staged, in "),
            "{said}"
        );
    }
    assert_eq!(versions_in(&keytabs[0]), [1, 2]);
    assert_eq!(uses(&realm, SERVICE), owned(&[(2, "staged"), (1, "current")]));
    // No ticket is sealed with them, and a host that has them proves itself by the newest, as MIT's and our programs do.
    for side in Side::BOTH {
        let desk = desk_of_alice(&realm);
        let said = desk.tool(side, &format!("kvno {SERVICE}")).run().ok();
        assert_eq!(said, format!("{SERVICE}@EXAMPLE.COM: kvno = 1\n"));
        accepts(&one, &desk);
        accepts(&other, &desk);
        for keytab in &keytabs {
            let desk = realm.workstation();
            desk.tool(side, "kinit -k -t").arg(keytab).arg(SERVICE).run().ok();
        }
        // In armor, too.
        let desk = realm.workstation();
        desk.tool(side, "kinit -k -T")
            .arg(before.cache())
            .arg("-t")
            .arg(&keytabs[0])
            .arg(SERVICE)
            .run()
            .ok();
    }
    // Whoever would lose what was fetched is told what to do.
    for command in [
        format!("rotate {SERVICE}"),
        format!("rotate {SERVICE} --keep"),
        format!("rotate {SERVICE} --stage"),
        format!("keytab {SERVICE} --rotate --output {}", keytabs[0].display()),
    ] {
        let said = realm.principal(&command).run().status(1);
        assert!(said.contains("--activate"), "{said}");
    }

    let said = realm.principal(&format!("rotate {SERVICE} --activate")).run().ok();
    assert!(
        said.contains("kvno 2, are in force; the former are good until 2"),
        "{said}"
    );
    assert_eq!(uses(&realm, SERVICE), owned(&[(2, "current"), (1, "former")]));
    let after = desk_of_alice(&realm);
    accepts(&one, &after);
    let said = other.client(&after, "");
    assert!(!said.stdout.contains("Signature verified."), "{said}");
    // Tickets from before are as good as ever, at both.
    accepts(&one, &before);
    accepts(&other, &before);
    let said = fetch(&realm, &keytabs[1]);
    assert!(!said.contains("staged") && !said.contains("kvno 1"), "{said}");
    accepts(&other, &after);
    accepts(&other, &before);
    let said = realm.principal(&format!("rotate {SERVICE} --activate")).run().status(1);
    assert!(said.contains("--stage"), "{said}");
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_password_and_the_realms_own_key_have_no_stage() {
    let realm = realm_with_alice_and_a_host();
    for name in ["alice", "krbtgt/EXAMPLE.COM"] {
        let before = uses(&realm, name);
        let said = realm.principal(&format!("rotate {name} --stage")).run().status(1);
        assert!(said.contains(&format!("`principal rotate {name}`")), "{said}");
        assert_eq!(uses(&realm, name), before);
    }
    desk_of_alice(&realm);
    for flags in [
        "--stage --activate",
        "--activate --purge",
        "--purge --keep",
        "--keep --stage",
    ] {
        realm.principal(&format!("rotate {SERVICE} {flags}")).run().status(2);
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn after_a_purge_no_ticket_under_a_former_key_is_good() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let tgt = login_by_preauth(kdc, &KdcReq::initial("alice").with_options(option::RENEWABLE), &alice());
    let ticket = || tgt.get(kdc, &KdcReq::ticket(SERVICE).with_options(option::RENEWABLE));
    // Renewing needs the key that the ticket is sealed with: it tells whether it is still known.
    let renew = KdcReq::ticket(SERVICE).with_options(option::RENEW);
    let first = ticket();
    realm.principal(&format!("rotate {SERVICE} --stage")).run().ok();
    let said = realm.principal(&format!("rotate {SERVICE} --purge")).run().ok();
    assert_eq!(said, format!("{SERVICE}@EXAMPLE.COM has no former keys\n"));
    realm.principal(&format!("rotate {SERVICE} --activate")).run().ok();
    assert_eq!(first.ask(kdc, &renew).code(), 0, "as long as the former are good");
    realm.principal(&format!("rotate {SERVICE} --stage")).run().ok();

    let said = realm.principal(&format!("rotate {SERVICE} --purge")).run().ok();
    assert_eq!(
        said,
        format!("the former keys of {SERVICE}@EXAMPLE.COM are gone: kvno 1\n")
    );
    assert_eq!(uses(&realm, SERVICE), owned(&[(3, "staged"), (2, "current")]));
    assert_eq!(first.ask(kdc, &renew).code(), 44, "KRB_AP_ERR_BADKEYVER");
    assert_eq!(ticket().ask(kdc, &renew).code(), 0);

    // The realm's own key is not given up as long as anybody is logged in by it.
    realm.principal("rotate krbtgt/EXAMPLE.COM").run().ok();
    let said = realm.principal("rotate krbtgt/EXAMPLE.COM --purge").run().status(1);
    assert!(
        said.contains("tickets may need the former keys") && said.contains("until 2"),
        "{said}"
    );
    assert_eq!(tgt.ask(kdc, &KdcReq::ticket(SERVICE)).code(), 0);
    let desk = desk_of_alice(&realm);
    desk.mit(&format!("kvno {SERVICE}")).run().ok();
}

#[test]
#[ignore = "needs Heimdal's tools"]
fn heimdals_clients_log_in_by_keytabs_with_staged_keys() {
    let realm = realm_with_alice_and_a_host();
    let desk = realm.workstation();
    fetch(&realm, &desk.keytab());
    for step in ["--stage", "--activate"] {
        realm.principal(&format!("rotate {SERVICE} {step}")).run().ok();
        fetch(&realm, &desk.keytab());
        assert_eq!(versions_in(&desk.keytab()), [1, 2]);
        desk.heimdal("kinit -k -t").arg(desk.keytab()).arg(SERVICE).run().ok();
        desk.heimdal(&format!("kgetcred {SERVICE}")).run().ok();
    }
}

/// The realm's own key is changed every eight seconds, and is good for three minutes more.
const QUICK: &str = "[tickets]\nlifetime = \"2m\"\nclock-skew = \"1m\"\n[keys]\nkrbtgt-every = \"8s\"\n";

#[test]
#[ignore = "needs MIT's tools"]
fn the_realms_key_is_changed_on_schedule_as_a_reload_says_and_former_ones_go_by_themselves() {
    let realm = Realm::builder().with_clock().start();
    realm.add("alice", "wonderland");
    realm.principal(&format!("add {SERVICE} --random-key")).run().ok();
    let krbtgt = "krbtgt/EXAMPLE.COM";
    let reload = || drop(realm.principal("reload").run().ok());
    realm.clock().forward(40 * 86_400);
    reload();
    let desk = desk_of_alice(&realm);
    assert_eq!(uses(&realm, krbtgt), owned(&[(1, "current")]), "not by itself");

    let text = std::fs::read_to_string(realm.toml()).unwrap();
    let every =
        |span: &str| std::fs::write(realm.toml(), format!("{text}\n[keys]\nkrbtgt-every = \"{span}\"\n")).unwrap();
    every("1m");
    let said = realm.principal("reload").run().status(1);
    assert!(said.contains("keys.krbtgt-every: 1m is too often"), "{said}");
    every("30d");
    reload();
    realm.wait_for_log("krbtgt/EXAMPLE.COM has a new key, kvno 2, the former is good until 2");
    assert_eq!(uses(&realm, krbtgt), owned(&[(2, "current"), (1, "former")]));
    let shown = realm.principal("show krbtgt/EXAMPLE.COM").run().ok();
    assert!(
        shown.contains("Changed by: kdc\n")
            && shown.contains("former, made 2")
            && shown.contains("(40d ago), good until"),
        "{shown}"
    );
    // Whoever was logged in still is.
    desk.mit(&format!("kvno {SERVICE}")).run().ok();
    // A clock that is put back for a while changes nothing.
    realm.clock().forward(-35 * 86_400);
    reload();
    realm.wait_for_log("by a clock that is ahead of this one");
    realm.clock().forward(35 * 86_400);
    reload();
    assert_eq!(uses(&realm, krbtgt), owned(&[(2, "current"), (1, "former")]));
    desk.mit(&format!("kvno {SERVICE}")).run().ok();

    realm.clock().forward(11 * 3600);
    reload();
    realm.wait_for_log("former keys are past their time, and gone: krbtgt/EXAMPLE.COM kvno 1");
    assert_eq!(uses(&realm, krbtgt), owned(&[(2, "current")]));
    realm.clock().forward(30 * 86_400);
    reload();
    realm.wait_for_log("krbtgt/EXAMPLE.COM has a new key, kvno 3");
    desk_of_alice(&realm).mit(&format!("kvno {SERVICE}")).run().ok();
}

/// Does `work` while two people log in and use the service, and the service logs in by its keytab, again and again. Nothing of
/// that may fail. `work` is given what waits until some more has been done that began after now.
fn under_load(realm: &Realm, server: &GssServer, keytab: &Path, work: impl FnOnce(&dyn Fn())) {
    let (ended, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let more = || {
        let until = done.load(Ordering::SeqCst) + 6;
        while done.load(Ordering::SeqCst) < until && !ended.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    std::thread::scope(|scope| {
        let (ended, done) = (&ended, &done);
        let again_and_again = move |each: Box<dyn Fn() + Send>| {
            scope.spawn(move || {
                let _ends = Ends(ended);
                while !ended.load(Ordering::SeqCst) {
                    each();
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        };
        for side in Side::BOTH {
            let desk = realm.workstation();
            again_and_again(Box::new(move || {
                desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
                desk.tool(side, &format!("kvno {SERVICE}")).run().ok();
                accepts(server, &desk);
            }));
        }
        let (desk, keytab) = (realm.workstation(), keytab.to_owned());
        again_and_again(Box::new(move || {
            desk.mit("kinit -k -t").arg(&keytab).arg(SERVICE).run().ok();
        }));
        let _ends = Ends(ended);
        work(&more);
    });
}

/// Says that it is over, also when something fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A login from before a change, with a ticket for the service that was used and one that is new.
struct Held {
    desk: Workstation,
    session: Session,
}

impl Held {
    fn now(realm: &Realm, server: &GssServer) -> Self {
        let desk = desk_of_alice(realm);
        accepts(server, &desk);
        Self {
            desk,
            session: login(realm.kerberos(), "alice", &alice()),
        }
    }

    #[track_caller]
    fn is_good(&self, realm: &Realm, server: &GssServer) {
        accepts(server, &self.desk);
        assert_eq!(self.session.ask(realm.kerberos(), &KdcReq::ticket(SERVICE)).code(), 0);
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn every_key_of_the_realm_changes_under_load_and_nobody_notices() {
    let realm = Realm::builder().section(QUICK).start();
    realm.add("alice", "wonderland");
    realm.principal(&format!("add {SERVICE} --random-key")).run().ok();
    let place = realm.workstation();
    let keytab = place.path("host");
    fetch(&realm, &keytab);
    let server = GssServer::start(&place, &keytab);
    let rotate = |step: &str| drop(realm.principal(&format!("rotate {SERVICE} {step}")).run().ok());
    under_load(&realm, &server, &keytab, |more| {
        more();
        for round in 0..3_u32 {
            let held = Held::now(&realm, &server);
            rotate("--stage");
            more();
            held.is_good(&realm, &server);
            fetch(&realm, &keytab);
            assert_eq!(versions_in(&keytab).last(), Some(&(round + 2)));
            more();
            rotate("--activate");
            held.is_good(&realm, &server);
            more();
            rotate("--purge");
            // The host's own keytab still opens what was sealed before.
            held.is_good(&realm, &server);
            let held = Held::now(&realm, &server);
            realm.wait_for_log(&format!("krbtgt/EXAMPLE.COM has a new key, kvno {}", round + 2));
            held.is_good(&realm, &server);
            if round == 1 {
                let said = realm.kdc("rotate-master-key").run().ok();
                assert!(said.contains("master key 2 seals now"), "{said}");
                held.is_good(&realm, &server);
            }
            more();
        }
    });
    assert_eq!(uses(&realm, SERVICE), owned(&[(4, "current")]));
    assert!(uses(&realm, "krbtgt/EXAMPLE.COM")[0].0 >= 4);
    assert!(!realm.log().contains("error"), "{}", realm.log());
}
