//! FAST (RFC 6113): who logs in in armor, with whose programs, and what only armor opens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tessera_tests::wire::der::Element;
use tessera_tests::wire::{
    Armor, FastReq, HIDE_CLIENT_NAMES, KdcReq, Name, Session, ask, crypto::Key, flag, keytab, login, login_in_armor,
    now, pa, pa_enc_timestamp, padata_of,
};
use tessera_tests::{ENCTYPES, MitRealm, Realm, Relay, Side, Tool, Workstation};

const HOST: &str = "host/client.example.com";
const NO_TIMESTAMP: &str = "[realms]\n EXAMPLE.COM = {\n  disable_encrypted_timestamp = true\n }\n";

fn realm_with_alice_and_hosts() -> Realm {
    let realm = Realm::start();
    add_alice_and_hosts(&realm);
    realm
}

fn add_alice_and_hosts(realm: &Realm) {
    realm.add("alice", "wonderland");
    realm.add_service(HOST);
    realm.add_service("host/server.example.com");
}

fn alice() -> Key {
    Key::from_password("wonderland", "EXAMPLE.COMalice")
}

fn anonymous() -> Name {
    Name {
        name_type: 11,
        ..Name::new("WELLKNOWN/ANONYMOUS")
    }
}

/// The ticket of a host, to take armor from.
#[track_caller]
fn host(kdc: SocketAddr, keytab: &Path) -> Session {
    login(kdc, HOST, &keytab::newest_key(keytab).0)
}

/// A cache with the ticket of a host, as `kinit -T` takes it.
#[track_caller]
fn armor_cache(desk: &Workstation, keytab: &Path) -> String {
    let host = desk.another();
    std::fs::copy(keytab, host.keytab()).unwrap();
    host.mit("kinit -k").arg(HOST).run().ok();
    host.cache().to_owned()
}

/// So many of the daemon's lines have all of these in them, as soon as it has written them.
#[track_caller]
fn told(realm: &Realm, times: usize, parts: &[&str]) {
    let start = Instant::now();
    let count = || {
        let log = realm.log();
        let fits = |line: &&str| parts.iter().all(|part| line.contains(part));
        log.lines().filter(fits).count()
    };
    while count() < times && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(count(), times, "{parts:?} in\n{}", realm.log());
}

/// The types of padata in each AS-REQ that passed here.
fn sent(relay: &Relay) -> Vec<Vec<i64>> {
    let requests = relay.exchanges().into_iter().map(|exchange| exchange.request);
    let initial = requests.filter(|request| request[0] == 0x6a);
    initial
        .map(|request| padata_of(&request).iter().map(|(kind, _)| *kind).collect())
        .collect()
}

/// A realm to try out, which is ours or MIT's.
struct Place<'a> {
    kdc: SocketAddr,
    desk: Workstation,
    keytab: PathBuf,
    ours: Option<&'a Realm>,
}

impl Place<'_> {
    /// Our daemon must have granted alice so many tickets with a host's armor; MIT's says nothing of it.
    #[track_caller]
    fn armored(&self, times: usize) {
        if let Some(realm) = self.ours {
            told(
                realm,
                times,
                &["client=alice ", "result=issued", "armor=host/client.example.com"],
            );
        }
    }
}

/// The same on the original and on ours: a test is right if the original passes it.
fn on_both(test: impl Fn(&Place<'_>)) {
    let mits = MitRealm::start();
    mits.add("alice", "wonderland");
    let keytab = mits.add_service(HOST);
    let _ = mits.add_service("host/server.example.com");
    test(&Place {
        kdc: mits.kerberos(),
        desk: mits.workstation(),
        keytab,
        ours: None,
    });
    let ours = realm_with_alice_and_hosts();
    test(&Place {
        kdc: ours.kerberos(),
        desk: ours.workstation(),
        keytab: ours.keytab(HOST),
        ours: Some(&ours),
    });
}

/// The same, with packets alone.
fn packets_to_both(test: impl Fn(SocketAddr, &Session)) {
    on_both(|place| test(place.kdc, &host(place.kdc, &place.keytab)));
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_challenge_in_armor_gets_a_ticket_that_gets_others_in_armor() {
    packets_to_both(|kdc, host| {
        let tgt = login_in_armor(kdc, "alice", &alice(), &host.armor());
        assert!(tgt.part.has(flag::INITIAL | flag::PRE_AUTHENT), "{:?}", tgt.part);
        let ticket = tgt.get_in_armor(kdc, &KdcReq::ticket("host/server.example.com"));
        assert_eq!(ticket.part.sname, "host/server.example.com");
        assert!(!ticket.part.has(flag::INITIAL), "{:?}", ticket.part);
        // And without, since whoever has the ticket may.
        let _ = tgt.get(kdc, &KdcReq::ticket("host/server.example.com"));
        // In armor of one's own, too.
        let _ = login_in_armor(kdc, "alice", &alice(), &tgt.armor());
    });
}

#[test]
#[ignore = "needs MIT's tools"]
fn in_armor_a_challenge_is_offered_and_no_timestamp() {
    packets_to_both(|kdc, host| {
        let unarmored = ask(kdc, &KdcReq::initial("alice").to_der()).error();
        assert_eq!(unarmored.code, 25);
        let offered = unarmored.methods();
        assert!(
            offered.contains(&(pa::FX_FAST, Vec::new())),
            "an offer of FAST is empty: {offered:?}"
        );
        assert!(
            offered.iter().all(|(kind, _)| *kind != pa::ENCRYPTED_CHALLENGE),
            "{offered:?}"
        );

        let armor = host.armor();
        let first = FastReq::new(&armor, &KdcReq::initial("alice")).ask_as(kdc);
        assert_eq!(first.refusal(), (25, true));
        let offered = first.inner_types();
        for kind in [pa::ETYPE_INFO2, pa::ENCRYPTED_CHALLENGE, pa::FX_COOKIE, pa::FX_ERROR] {
            assert!(offered.contains(&kind), "{kind}: {offered:?}");
        }
        assert!(!offered.contains(&pa::ENC_TIMESTAMP), "{offered:?}");
        // What was offered is good for going on, the cookie included, in the same armor and in other.
        for armor in [armor, host.armor()] {
            let mut second = FastReq::new(&armor, &KdcReq::initial("alice")).with_challenge(&alice());
            second.padata.push((pa::FX_COOKIE, first.inner(pa::FX_COOKIE)));
            assert_eq!(second.ask_as(kdc).code(), 0);
        }
    });
}

/// It is not offered there. As with MIT, it is taken all the same where it could have been sent in the clear; the reply is then
/// not strengthened, and gives no more away than one without armor.
#[test]
fn an_encrypted_timestamp_in_armor_is_worth_what_it_is_without() {
    let realm = realm_with_alice_and_hosts();
    let kdc = realm.kerberos();
    let host = host(kdc, &realm.keytab(HOST));
    let ask = || {
        let mut request = KdcReq::initial("alice");
        request.padata.push(pa_enc_timestamp(&alice(), now()));
        FastReq::new(&host.armor(), &request).ask_as(kdc)
    };
    let reply = ask();
    assert_eq!(reply.code(), 0);
    assert!(reply.response().strengthen_key.is_none(), "{reply:?}");
    realm.principal("set alice --require-fast yes").run().ok();
    let reply = ask();
    assert_eq!(reply.refusal(), (25, true));
    assert!(!reply.inner_types().contains(&pa::ENC_TIMESTAMP), "{reply:?}");
    told(&realm, 1, &["client=alice ", "reason=timestamp-within-armor"]);
    // Nor does one that stands beside the armor, which MIT knows as well.
    let mut request = KdcReq::initial("alice");
    request.padata.push(pa_enc_timestamp(&alice(), now()));
    let fast = FastReq::new(&host.armor(), &KdcReq::initial("alice"));
    assert_eq!(fast.ask(kdc, &request).refusal(), (25, true));
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_request_inside_is_the_one_that_counts() {
    packets_to_both(|kdc, host| {
        let armor = host.armor();
        let inner = KdcReq::initial("alice");
        let fast = FastReq::new(&armor, &inner).with_challenge(&alice());
        let outer = KdcReq {
            cname: Some(Name::new("nobody")),
            sname: Some(Name::new("host/nowhere")),
            nonce: inner.nonce ^ 1,
            till: now() + 60,
            etypes: vec![17],
            ..KdcReq::initial("")
        };
        let reply = fast.ask(kdc, &outer);
        let session = reply.session("alice", &alice(), 3);
        assert_eq!(
            (reply.rep().cname.as_str(), session.part.sname.as_str()),
            ("alice", "krbtgt/EXAMPLE.COM")
        );
        assert!(session.part.endtime > now() + 1800, "{:?}", session.part);
        let finished = reply.response().finished.as_ref().unwrap();
        assert_eq!(
            (finished.crealm.as_str(), finished.cname.as_str()),
            ("EXAMPLE.COM", "alice")
        );
        // In a TGS-REQ no less.
        let header = session.header_with_subkey();
        let asked = KdcReq::ticket("host/server.example.com");
        let mut outer = KdcReq::ticket("host/nowhere");
        outer.padata.push((pa::TGS_REQ, header.to_der(&outer.body())));
        let reply = FastReq::new(&Armor::implicit(&header), &asked).ask(kdc, &outer);
        let ticket = reply.session("alice", header.subkey.as_ref().unwrap(), 9);
        assert_eq!(ticket.part.sname, "host/server.example.com");
    });
}

#[test]
#[ignore = "needs MIT's tools"]
fn names_are_hidden_when_asked() {
    packets_to_both(|kdc, host| {
        let hidden = |outer: &KdcReq, proof: bool| {
            let fast = FastReq::new(&host.armor(), &KdcReq::initial("alice")).with_options(HIDE_CLIENT_NAMES);
            let fast = if proof { fast.with_challenge(&alice()) } else { fast };
            fast.ask(kdc, outer)
        };
        let nameless = KdcReq {
            cname: Some(anonymous()),
            ..KdcReq::initial("")
        };
        for outer in [KdcReq::initial("alice"), nameless] {
            let error = hidden(&outer, false).outer.error();
            assert_eq!(error.code, 25);
            assert_eq!(
                error.cname.as_deref().unwrap_or("WELLKNOWN/ANONYMOUS"),
                "WELLKNOWN/ANONYMOUS"
            );
            assert_eq!(
                error.crealm.as_deref().unwrap_or("WELLKNOWN:ANONYMOUS"),
                "WELLKNOWN:ANONYMOUS"
            );
            let reply = hidden(&outer, true);
            let rep = reply.rep();
            assert_eq!(
                (rep.crealm.as_str(), rep.cname.as_str()),
                ("WELLKNOWN:ANONYMOUS", "WELLKNOWN/ANONYMOUS")
            );
            let finished = reply.response().finished.as_ref().unwrap();
            assert_eq!(
                (finished.crealm.as_str(), finished.cname.as_str()),
                ("EXAMPLE.COM", "alice")
            );
            let tgt = reply.session("alice", &alice(), 3);
            let _ = tgt.get(kdc, &KdcReq::ticket("host/server.example.com"));
        }
    });
}

/// What Heimdal's client sends: outside there is no word of what is asked for.
#[test]
fn the_request_outside_may_say_nothing() {
    let realm = realm_with_alice_and_hosts();
    let kdc = realm.kerberos();
    let host = host(kdc, &realm.keytab(HOST));
    let fast = FastReq::new(&host.armor(), &KdcReq::initial("alice")).with_options(HIDE_CLIENT_NAMES);
    let nothing = KdcReq {
        cname: Some(anonymous()),
        realm: Some(b"WELLKNOWN:ANONYMOUS".to_vec()),
        sname: None,
        till: 0,
        nonce: 0,
        etypes: vec![],
        ..KdcReq::initial("")
    };
    assert_eq!(fast.ask(kdc, &nothing).refusal(), (25, true));
    let reply = fast.with_challenge(&alice()).ask(kdc, &nothing);
    let _ = reply.session("alice", &alice(), 3);
}

/// RFC 6806 §11: the reply proves that FAST was not taken off an earlier one, in armor or not.
#[test]
#[ignore = "needs MIT's tools"]
fn the_reply_says_that_there_is_fast_and_which_request_it_answers() {
    const AS_REQ: u32 = 56;
    packets_to_both(|kdc, host| {
        let mut plain = KdcReq::initial("alice");
        plain.padata = vec![(pa::REQ_ENC_PA_REP, Vec::new())];
        let mut armored = FastReq::new(&host.armor(), &plain).with_challenge(&alice());
        armored.padata.push((pa::REQ_ENC_PA_REP, Vec::new()));
        plain.padata.push(pa_enc_timestamp(&alice(), now()));
        let plain = plain.to_der();
        let rep = ask(kdc, &plain).rep();
        let armored_request = armored.within(&KdcReq::initial("alice"));
        let reply = armored.open(ask(kdc, &armored_request));
        let answers = [
            (&plain, &rep, alice()),
            (&armored_request, reply.rep(), reply.reply_key(&alice())),
        ];
        for (request, rep, key) in answers {
            let part = rep.open(&key, 3);
            assert!(part.has(flag::ENC_PA_REP));
            let value = |kind| {
                part.encrypted_pa_data
                    .iter()
                    .find(|(found, _)| *found == kind)
                    .map(|(_, value)| value)
            };
            let proof = Element::parse(value(pa::REQ_ENC_PA_REP).expect("no checksum"));
            assert_eq!(proof.field(0).integer(), 16);
            assert_eq!(
                proof.field(1).content,
                key.checksum(AS_REQ, request),
                "over the whole request as it was sent"
            );
            assert_eq!(value(pa::FX_FAST), Some(&Vec::new()), "{:?}", part.encrypted_pa_data);
        }
        // Who does not ask is not told.
        let reply = FastReq::new(&host.armor(), &KdcReq::initial("alice"))
            .with_challenge(&alice())
            .ask_as(kdc);
        assert_eq!(reply.session("alice", &alice(), 3).part.encrypted_pa_data, []);
    });
}

#[test]
#[ignore = "needs MIT's tools"]
fn who_may_not_send_a_timestamp_logs_in_in_armor() {
    on_both(|place| {
        for (times, side) in (1..).zip(Side::BOTH) {
            let relay = Relay::to(place.kdc);
            let armor = armor_cache(&place.desk, &place.keytab);
            let config = format!("{NO_TIMESTAMP}\n{}", relay.krb5_conf());
            let desk = place.desk.another().with_whole_config(&config);
            desk.tool(side, "kinit alice").stdin("wonderland\n").run().refused();
            let kinit = |password: &str| {
                let tool = desk.tool(side, "kinit -T").arg(&armor).arg("alice");
                tool.stdin(format!("{password}\n")).run()
            };
            let before = sent(&relay).len();
            kinit("looking-glass").refused_with("Password incorrect");
            kinit("wonderland").ok();
            let armored = |types: &&Vec<i64>| types.contains(&pa::FX_FAST);
            let all = sent(&relay);
            assert!(all[before..].iter().filter(armored).count() >= 2, "{side:?} {all:?}");
            for types in &all {
                assert!(
                    !types.contains(&pa::ENC_TIMESTAMP) && !types.contains(&pa::ENCRYPTED_CHALLENGE),
                    "{side:?}: a proof outside the armor: {all:?}"
                );
            }
            place.armored(times);

            // It remembers that there is FAST here, and wraps what it asks for with the ticket.
            let listed = desk.mit("klist -C").run().ok();
            assert!(listed.contains("fast_avail"), "{side:?} {listed}");
            desk.tool(side, "kvno host/server.example.com").run().ok();
            let last = relay.exchanges().pop().unwrap().request;
            let types: Vec<_> = padata_of(&last).iter().map(|(kind, _)| *kind).collect();
            assert!(last[0] == 0x6c && types.contains(&pa::FX_FAST), "{side:?} {types:?}");
            if let Some(realm) = place.ours {
                told(
                    realm,
                    times,
                    &["service=host/server.example.com ", "result=issued", "armor=session"],
                );
            }
        }
    });
}

/// Armor of one kind of key for a password of another.
#[test]
#[ignore = "needs MIT's tools"]
fn every_enctype_armors_every_other() {
    let realm = realm_with_alice_and_hosts();
    let keytab = realm.keytab(HOST);
    let asking_for = |etype: &str| {
        let config = format!("[libdefaults]\n default_tkt_enctypes = {etype}\n{NO_TIMESTAMP}");
        realm.workstation().with_config(&config)
    };
    for of_host in ENCTYPES {
        let host = realm
            .workstation()
            .with_config(&format!("[libdefaults]\n default_tkt_enctypes = {of_host}\n"));
        std::fs::copy(&keytab, host.keytab()).unwrap();
        host.mit("kinit -k").arg(HOST).run().ok();
        assert_eq!(host.tgt().session_etype, of_host);
        for of_alice in ENCTYPES {
            let desk = asking_for(of_alice);
            let kinit = desk.mit("kinit -T").arg(host.cache()).arg("alice");
            kinit.stdin("wonderland\n").run().ok();
            assert_eq!(desk.tgt().session_etype, of_alice, "in {of_host}");
            desk.mit("kvno host/server.example.com").run().ok();
        }
    }
}

/// Where unknown names look like others, they do so in armor.
#[test]
fn unknown_names_look_in_armor_like_others() {
    let shape = |kdc: SocketAddr, host: &Session, name: &str, proof: bool| {
        let fast = FastReq::new(&host.armor(), &KdcReq::initial(name));
        let fast = if proof {
            fast.with_challenge(&Key::random())
        } else {
            fast
        };
        let reply = fast.ask_as(kdc);
        // Names that are as long make padata that is as long.
        let sizes = |(kind, value): &(i64, Vec<u8>)| (*kind, value.len());
        let inside: Vec<_> = reply.response().padata.iter().map(sizes).collect();
        (reply.refusal(), reply.outer.error().e_text, inside)
    };
    let hidden = Realm::builder().realm("hide-unknown-principals = true").start();
    add_alice_and_hosts(&hidden);
    let kdc = hidden.kerberos();
    let host_there = host(kdc, &hidden.keytab(HOST));
    for (proof, code) in [(false, 25), (true, 24)] {
        let of_alice = shape(kdc, &host_there, "alice", proof);
        assert_eq!(of_alice.0, (code, true));
        assert_eq!(shape(kdc, &host_there, "carol", proof), of_alice);
    }
    let open = realm_with_alice_and_hosts();
    let kdc = open.kerberos();
    let host_there = host(kdc, &open.keytab(HOST));
    assert_eq!(shape(kdc, &host_there, "carol", false).0, (6, true));
}

/// What else a client may meet with at login, in armor: an alias, a password to be changed, a reply too big for a datagram.
#[test]
#[ignore = "needs MIT's tools"]
fn armor_changes_nothing_else_about_a_login() {
    let realm = Realm::builder()
        .listen("kerberos = [\"127.0.0.1:0\"]\npassword = [\"127.0.0.1:0\"]\nmax-udp-reply = 512\n")
        .start();
    add_alice_and_hosts(&realm);
    realm.principal("set alice --require-fast yes").run().ok();
    realm.principal("alias alice al").run().ok();
    let armor = armor_cache(&realm.workstation(), &realm.keytab(HOST));
    for side in Side::BOTH {
        let desk = realm.workstation();
        let kinit = |options: &str, stdin: &str| {
            let tool = desk.tool(side, "kinit -T").arg(&armor);
            let tool = options.split(' ').fold(tool, Tool::arg);
            tool.stdin(stdin).run()
        };
        kinit("-C al", "wonderland\n").ok();
        let listed = desk.mit("klist").run().ok();
        assert!(
            listed.contains("Default principal: alice@EXAMPLE.COM\n"),
            "{side:?} {listed}"
        );
        realm.principal("set alice --must-change-password yes").run().ok();
        kinit("alice", "wonderland\nlooking-glass\nlooking-glass\n").ok();
        kinit("alice", "looking-glass\n").ok();
        realm
            .principal("password alice --password-file -")
            .stdin("wonderland\n")
            .run()
            .ok();
    }
}

/// Heimdal 7 proves itself in armor by a timestamp, whatever it is offered, and does not know of strengthened reply keys; it
/// cannot log in to MIT's KDC so. Here it can, where it could without armor.
#[test]
#[ignore = "needs Heimdal's tools"]
fn heimdals_kinit_logs_in_in_armor() {
    let realm = realm_with_alice_and_hosts();
    let relay = Relay::to(realm.kerberos());
    let armor = armor_cache(&realm.workstation(), &realm.keytab(HOST));
    let desk = realm.workstation().with_whole_config(&relay.krb5_conf());
    let kinit = |password: &str| {
        desk.heimdal("kinit --password-file=STDIN")
            .arg(format!("--fast-armor-cache={armor}"))
            .arg("alice")
            .stdin(format!("{password}\n"))
            .run()
    };
    kinit("looking-glass").refused();
    assert!(!desk.cache_file().exists());
    kinit("wonderland").ok();
    assert!(desk.tgt().flags.contains("IA"), "{:?}", desk.tgt());
    let issued = ["client=alice ", "armor=host/client.example.com", "result=issued"];
    told(&realm, 1, &issued);
    desk.heimdal("kgetcred host/server.example.com").run().ok();
    desk.mit("kvno host/server.example.com").run().ok();
    for types in sent(&relay) {
        assert!(
            types.contains(&pa::FX_FAST) && !types.contains(&pa::ENC_TIMESTAMP),
            "{types:?}"
        );
    }
    realm.principal("set alice --require-fast yes").run().ok();
    let version = desk.heimdal("kinit --version").run();
    let is_old = (version.stdout + &version.stderr).contains("Heimdal 7.");
    assert_eq!(kinit("wonderland").status.success(), !is_old);
    if is_old {
        told(&realm, 1, &["client=alice ", "reason=timestamp-within-armor"]);
    }
}

/// Without armor Heimdal's and our realm get along as well.
#[test]
#[ignore = "needs Heimdal's tools"]
fn heimdals_tools_log_in_and_get_tickets() {
    let realm = realm_with_alice_and_hosts();
    let desk = realm.workstation();
    desk.heimdal("kinit --password-file=STDIN alice")
        .stdin("wonderland\n")
        .run()
        .ok();
    desk.heimdal("kgetcred host/server.example.com").run().ok();
    let services: Vec<_> = desk.tickets().into_iter().map(|ticket| ticket.service).collect();
    assert_eq!(
        services,
        ["krbtgt/EXAMPLE.COM@EXAMPLE.COM", "host/server.example.com@EXAMPLE.COM"]
    );
    std::fs::copy(realm.keytab(HOST), desk.keytab()).unwrap();
    desk.heimdal("kinit -k -t").arg(desk.keytab()).arg(HOST).run().ok();
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_kinit_takes_armor_from_a_cache_and_from_a_keytab_on_either_realm() {
    on_both(|place| {
        let relay = Relay::to(place.kdc);
        let cache = armor_cache(&place.desk, &place.keytab);
        let desk = place.desk.clone().with_whole_config(&relay.krb5_conf());
        let keytab = place.keytab.display().to_string();
        for armor in [["-T", &cache], ["--armor-keytab", &keytab]] {
            let kinit = |password: &str| {
                let tool = armor.iter().fold(desk.ours("kinit"), |tool, word| tool.arg(word));
                tool.arg("alice").stdin(format!("{password}\n")).run()
            };
            let before = sent(&relay).len();
            kinit("looking-glass").refused_with("Password incorrect");
            kinit("wonderland").ok();
            assert!(desk.tgt().flags.contains("IA"), "{armor:?} {:?}", desk.tgt());
            let sent = &sent(&relay)[before..];
            let armored = sent.iter().filter(|types| types.contains(&pa::FX_FAST)).count();
            assert!(armored >= 2, "{armor:?} {sent:?}");
            desk.ours("kdestroy").run().ok();
        }
        place.armored(2);
    });
}

/// Who may still come without: by the realm's rules and by a principal's.
#[test]
#[ignore = "needs MIT's tools"]
fn armor_can_be_required_of_one_of_all_and_for_passwords_alone() {
    let without = |realm: &Realm, name: &str| {
        let kinit = realm.workstation().mit("kinit").arg(name).stdin("wonderland\n");
        kinit.run().status.success()
    };
    let within = |realm: &Realm, name: &str| {
        let armor = armor_cache(&realm.workstation(), &realm.keytab(HOST));
        let kinit = realm.workstation().mit("kinit -T").arg(armor).arg(name);
        kinit.stdin("wonderland\n").run().ok();
    };
    let open = |realm: &Realm| {
        let add = realm.principal("add open --no-preauth --password-file -");
        add.stdin("wonderland\n").run().ok();
    };

    let realm = realm_with_alice_and_hosts();
    open(&realm);
    for name in ["alice", "open"] {
        assert!(without(&realm, name), "{name}");
        realm.principal(&format!("set {name} --require-fast yes")).run().ok();
        assert!(!without(&realm, name), "{name}");
        told(&realm, 1, &[&format!("client={name} "), "reason=armor-required"]);
        within(&realm, name);
        realm.principal(&format!("set {name} --require-fast no")).run().ok();
        assert!(without(&realm, name), "{name}");
    }

    let realm = Realm::builder()
        .section("[authentication]\nrequire-fast = true")
        .start();
    // Hosts get their armor without any.
    realm.add("alice", "wonderland");
    realm.add_service(HOST);
    open(&realm);
    for name in ["alice", "open"] {
        assert!(!without(&realm, name), "{name}");
        within(&realm, name);
    }

    let realm = Realm::builder()
        .section("[authentication]\nunarmored-encrypted-timestamp = false")
        .start();
    add_alice_and_hosts(&realm);
    assert!(!without(&realm, "alice"));
    let offered = ask(realm.kerberos(), &KdcReq::initial("alice").to_der())
        .error()
        .methods();
    assert!(
        offered.iter().all(|(kind, _)| *kind != pa::ENC_TIMESTAMP),
        "{offered:?}"
    );
    assert!(offered.iter().any(|(kind, _)| *kind == pa::FX_FAST), "{offered:?}");
    let mut stamped = KdcReq::initial("alice");
    stamped.padata.push(pa_enc_timestamp(&alice(), now()));
    assert_ne!(ask(realm.kerberos(), &stamped.to_der()).code(), 0);
    within(&realm, "alice");
}
