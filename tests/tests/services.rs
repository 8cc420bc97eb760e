//! MIT's GSS sample server with our keytabs and our tickets; our clients at MIT's KDC.

use tessera_tests::wire::der::Element;
use tessera_tests::wire::{
    EncTicketPart, KdcReq, Name, PasswordRequest, ask, crypto::Key, flag, keytab, login, login_by_preauth, option,
};
use tessera_tests::{ENCTYPES, GssServer, MitRealm, Protocol, Realm, Relay, Side};

fn realm_with_alice_and_a_host() -> (Realm, std::path::PathBuf) {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let keytab = realm.add_service("host/server.example.com");
    (realm, keytab)
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_gss_server_accepts_our_tickets_with_our_keytab() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let server = GssServer::start(&realm.workstation(), &keytab);
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.tool(side, "kinit -f alice").stdin("wonderland\n").run().ok();
        for options in [
            "",
            "-spnego",
            "-nomutual",
            "-seq",
            "-noreplay",
            "-d",
            "-ccount 2 -mcount 3",
            "-nw",
            "-nx",
            "-nm",
        ] {
            let said = server.client(&desk, options).ok();
            assert!(
                options == "-nm" || said.contains("Signature verified."),
                "{side:?} {options} {said}"
            );
            if options.is_empty() {
                assert!(
                    said.contains("\"alice@EXAMPLE.COM\" to \"host/server.example.com@EXAMPLE.COM\""),
                    "{side:?} {said}"
                );
            }
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn mits_gss_server_accepts_every_enctype() {
    let (realm, _) = realm_with_alice_and_a_host();
    for enctype in ENCTYPES {
        realm.principal("remove host/server.example.com").run().ok();
        realm
            .principal("add host/server.example.com --random-key --enctypes")
            .arg(enctype)
            .run()
            .ok();
        let server = GssServer::start(&realm.workstation(), &realm.keytab("host/server.example.com"));
        for side in Side::BOTH {
            let desk = realm.workstation();
            desk.tool(side, "kinit alice").stdin("wonderland\n").run().ok();
            desk.tool(side, "kvno host/server.example.com").run().ok();
            assert_eq!(desk.ticket("host/server.example.com").ticket_etype, enctype);
            server.client(&desk, "").ok();
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn gss_delegation_forwards_the_tgt_when_it_may() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let server = GssServer::start(&realm.workstation(), &keytab);
    let forwarded = |options: &str, login: &str| {
        let relay = Relay::to(realm.kerberos());
        let desk = realm.workstation().with_whole_config(&relay.krb5_conf());
        desk.mit(login).stdin("wonderland\n").run().ok();
        server.client(&desk, options).ok();
        let asks = |request: &[u8]| {
            let message = Element::parse(request);
            message.tag == 0x6c && message.field(4).field(0).bits() & option::FORWARDED != 0
        };
        let replies: Vec<_> = relay
            .exchanges()
            .into_iter()
            .filter(|exchange| asks(&exchange.request))
            .collect();
        replies
            .iter()
            .any(|exchange| exchange.reply.as_ref().is_some_and(|reply| reply[0] == 0x6d))
    };
    assert!(forwarded("-d", "kinit -f alice"), "a forwardable TGT is forwarded");
    assert!(!forwarded("", "kinit -f alice"), "and only when asked");
    assert!(!forwarded("-d", "kinit -F alice"), "and only if forwardable");
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_service_with_the_old_keytab_takes_no_new_tickets() {
    let (realm, keytab) = realm_with_alice_and_a_host();
    let stale = GssServer::start(&realm.workstation(), &keytab);
    let desk = realm.workstation();
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    stale.client(&desk, "").ok();
    realm.principal("rotate host/server.example.com").run().ok();
    stale.client(&desk, "").ok();
    let desk = realm.workstation();
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    stale.client(&desk, "").refused();
    // The new keys added to the keytab: old and new tickets are good.
    realm
        .principal("keytab host/server.example.com --output")
        .arg(&keytab)
        .run()
        .ok();
    stale.client(&desk, "").ok();
}

// Our clients at MIT's KDC.

fn mit_realm_with_alice_and_a_host() -> (MitRealm, std::path::PathBuf) {
    let realm = MitRealm::start_with_clock();
    realm.add("alice", "wonderland");
    let keytab = realm.add_service("host/server.example.com");
    (realm, keytab)
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_kinit_logs_in_to_mits_kdc() {
    let (realm, keytab) = mit_realm_with_alice_and_a_host();
    let desk = realm.workstation();
    desk.ours("kinit alice").stdin("wonderland\n").run().ok();
    assert!(desk.tgt().flags.contains("IA"));
    desk.ours("kvno host/server.example.com").run().ok();
    let server = GssServer::start(&realm.workstation(), &keytab);
    assert!(server.client(&desk, "").ok().contains("Signature verified."));
    desk.ours("kinit -k -t")
        .arg(&keytab)
        .arg("host/server.example.com")
        .run()
        .ok();
    desk.ours("kinit -f -p -l 1h -r 2d -S host/server.example.com alice")
        .stdin("wonderland\n")
        .run()
        .ok();
    let ticket = desk.ticket("host/server.example.com");
    assert!(ticket.flags.contains("FPRIA") || ["F", "P", "R", "I", "A"].iter().all(|flag| ticket.flags.contains(flag)));
    assert!((ticket.life() - 3600).abs() <= 10, "{ticket:?}");
    for (protocol, enctype) in [
        (Protocol::Udp, "aes256-cts-hmac-sha384-192"),
        (Protocol::Tcp, "aes128-cts-hmac-sha256-128"),
    ] {
        let relay = Relay::only(realm.kerberos(), protocol);
        let config = format!(
            "[libdefaults]\n permitted_enctypes = {enctype}\n default_tkt_enctypes = {enctype}\n\
             default_tgs_enctypes = {enctype}\n{}",
            relay.krb5_conf()
        );
        let desk = realm.workstation().with_whole_config(&config);
        desk.ours("kinit alice").stdin("wonderland\n").run().ok();
        desk.ours("kvno host/server.example.com").run().ok();
        assert_eq!(desk.ticket("host/server.example.com").session_etype, enctype);
        assert_eq!(relay.count(protocol), relay.exchanges().len());
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_kinit_renews_postdates_and_validates_at_mits_kdc() {
    let (realm, _) = mit_realm_with_alice_and_a_host();
    let desk = realm.workstation();
    desk.ours("kinit -l 1h -r 3h alice").stdin("wonderland\n").run().ok();
    let first = desk.tgt();
    realm.clock().forward(1800);
    desk.ours("kinit -R").run().ok();
    assert!(desk.tgt().starts >= first.starts + 1800 && desk.tgt().renew_till == first.renew_till);
    desk.ours("kinit -s 1h alice").stdin("wonderland\n").run().ok();
    assert!(desk.tgt().flags.contains("di"));
    desk.ours("kinit -v").run().refused();
    realm.clock().forward(3700);
    desk.ours("kinit -v").run().ok();
    assert!(!desk.tgt().flags.contains('i'));
}

#[test]
#[ignore = "needs MIT's tools"]
fn our_kvno_and_kpasswd_work_at_mits_realm() {
    let (realm, _) = mit_realm_with_alice_and_a_host();
    realm.add("bob", "builder");
    let bob = realm.workstation();
    bob.ours("kinit bob").stdin("builder\n").run().ok();
    let desk = realm.workstation();
    desk.ours("kinit alice").stdin("wonderland\n").run().ok();
    desk.ours("kvno --u2u").arg(bob.cache()).arg("bob").run().ok();
    desk.ours("kpasswd")
        .stdin("wonderland\nlookingglass\nlookingglass\n")
        .run()
        .ok();
    desk.ours("kinit alice")
        .stdin("wonderland\n")
        .run()
        .refused_with("Password incorrect for alice@EXAMPLE.COM");
    desk.ours("kinit alice").stdin("lookingglass\n").run().ok();
    realm.kadmin("modprinc +needchange alice");
    let mut terminal = desk.ours("kinit alice").at_terminal();
    terminal.answer("Password for alice@EXAMPLE.COM: ", "lookingglass");
    terminal.answer("Enter new password: ", "jabberwocky");
    terminal.answer("Enter it again: ", "jabberwocky");
    terminal.finish().ok();
    desk.mit("kinit alice").stdin("jabberwocky\n").run().ok();
    let said = desk.ours("kinit nobody").stdin("x\n").run().refused();
    assert!(
        said.contains(&format!("kdc {} does not know nobody@EXAMPLE.COM", realm.kerberos())),
        "{said}"
    );
}

#[test]
#[ignore = "needs MIT's tools"]
fn requests_made_by_hand_are_right_by_mits_judgement() {
    let (realm, keytab) = mit_realm_with_alice_and_a_host();
    let key = Key::from_password("wonderland", "EXAMPLE.COMalice");
    let kdc = realm.kerberos();
    assert_eq!(ask(kdc, &KdcReq::initial("alice").to_der()).code(), 25);
    let tgt = login(kdc, "alice", &key);
    assert!(tgt.part.has(flag::INITIAL | flag::PRE_AUTHENT));
    let ticket = tgt.get(kdc, &KdcReq::ticket("host/server.example.com"));
    let (service_key, _) = keytab::newest_key(&keytab);
    assert_eq!(
        EncTicketPart::open(&ticket.ticket, &service_key).cname,
        Name::new("alice")
    );
    let changepw = KdcReq {
        sname: Some(Name::new("kadmin/changepw")),
        ..KdcReq::initial("alice")
    };
    let session = login_by_preauth(kdc, &changepw, &key);
    assert_eq!(PasswordRequest::change(&session, "one").ask(realm.password()).code, 0);
    assert_eq!(
        PasswordRequest::set(&session, "two", Some("alice"))
            .ask(realm.password())
            .code,
        0
    );
}
