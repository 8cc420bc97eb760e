//! Service tickets: kvno, user-to-user, forwarding, and what a TGS may not do.

use tessera_tests::wire::{EncTicketPart, KdcReq, Session, crypto::Key, flag, keytab, login, login_by_preauth, option};
use tessera_tests::{Realm, Side};

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
#[ignore = "needs MIT's tools"]
fn kvno_gets_a_ticket_and_tells_its_key_version() {
    let realm = realm_with_alice_and_a_host();
    for (version, rotate) in [(1, false), (2, true)] {
        if rotate {
            realm.principal("rotate host/server.example.com").run().ok();
        }
        for side in Side::BOTH {
            let desk = realm.workstation();
            desk.mit("kinit alice").stdin("wonderland\n").run().ok();
            let said = desk.tool(side, "kvno host/server.example.com").run().ok();
            assert_eq!(
                said,
                format!("host/server.example.com@EXAMPLE.COM: kvno = {version}\n"),
                "{side:?}"
            );
            let ticket = desk.ticket("host/server.example.com");
            assert!(
                !ticket.flags.contains('I') && ticket.flags.contains('A'),
                "{side:?} {ticket:?}"
            );
            assert_eq!(ticket.ends, desk.tgt().ends, "{side:?}");
            assert_eq!(
                desk.tool(side, "kvno -q host/server.example.com").run().ok(),
                "",
                "{side:?}"
            );
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn kvno_takes_enctype_service_keytab_and_caches() {
    let realm = realm_with_alice_and_a_host();
    let keytab = realm.keytab("host/server.example.com");
    let other = realm.add_service("host/other.example.com");
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.mit("kinit alice").stdin("wonderland\n").run().ok();
        desk.tool(side, "kvno -e aes128-cts-hmac-sha1-96 host/server.example.com")
            .run()
            .ok();
        assert_eq!(
            desk.ticket("host/server.example.com").session_etype,
            "aes128-cts-hmac-sha1-96",
            "{side:?}"
        );

        let said = desk.tool(side, "kvno -u host/server.example.com").run().ok();
        assert!(
            said.contains("host/server.example.com@EXAMPLE.COM: kvno = 1"),
            "{side:?} {said}"
        );
        let (cache, away) = (
            desk.cache().to_owned(),
            desk.clone().with_cache("FILE:/nonexistent/cache"),
        );
        away.tool(side, "kvno -c")
            .arg(cache)
            .arg("host/server.example.com")
            .run()
            .ok();

        let said = desk.tool(side, "kvno -S host server.example.com").run().ok();
        assert!(
            said.contains("host/server.example.com@EXAMPLE.COM: kvno = 1"),
            "{side:?} {said}"
        );

        let said = desk
            .tool(side, "kvno -k")
            .arg(&keytab)
            .arg("host/server.example.com")
            .run()
            .ok();
        assert!(said.contains("keytab entry valid"), "{side:?} {said}");
        desk.tool(side, "kvno -k")
            .arg(&other)
            .arg("host/server.example.com")
            .run()
            .refused();

        desk.tool(side, "kvno --cached-only host/server.example.com").run().ok();
        desk.tool(side, "kvno --cached-only host/other.example.com")
            .run()
            .refused();
        desk.tool(side, "kvno --no-store host/other.example.com").run().ok();
        assert!(
            desk.tickets().iter().all(|ticket| !ticket.service.contains("other")),
            "{side:?}"
        );
        let out = format!("FILE:{}", desk.path("out").display());
        desk.tool(side, "kvno --out-cache")
            .arg(&out)
            .arg("host/other.example.com")
            .run()
            .ok();
        assert!(
            desk.tickets().iter().all(|ticket| !ticket.service.contains("other")),
            "{side:?}"
        );
        assert!(
            desk.mit("klist")
                .arg(&out)
                .run()
                .ok()
                .contains("host/other.example.com@EXAMPLE.COM"),
            "{side:?}"
        );
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn kvno_goes_on_after_a_failure_and_ends_with_it() {
    let realm = realm_with_alice_and_a_host();
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.mit("kinit alice").stdin("wonderland\n").run().ok();
        let said = desk
            .tool(side, "kvno host/nowhere host/server.example.com")
            .run()
            .status(1);
        assert!(
            said.contains("host/server.example.com@EXAMPLE.COM: kvno = 1"),
            "{side:?} {said}"
        );
        assert!(said.contains("host/nowhere"), "{side:?} {said}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn user_to_user_tickets_are_sealed_with_the_others_session_key() {
    let realm = realm_with_alice_and_a_host();
    realm.add("bob", "builder");
    realm.principal("alias bob robert").run().ok();
    let bob = realm.workstation();
    bob.mit("kinit bob").stdin("builder\n").run().ok();
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.mit("kinit alice").stdin("wonderland\n").run().ok();
        desk.tool(side, "kvno --u2u").arg(bob.cache()).arg("bob").run().ok();
        desk.tool(side, "kvno --u2u").arg(bob.cache()).arg("robert").run().ok();
        // Not whose ticket it is.
        let said = desk
            .tool(side, "kvno --u2u")
            .arg(bob.cache())
            .arg("alice")
            .run()
            .refused();
        assert!(
            said.contains("match") || said.contains("Requested server"),
            "{side:?} {said}"
        );
    }
    realm.principal("set bob --user-to-user no").run().ok();
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.mit("kinit alice").stdin("wonderland\n").run().ok();
        desk.tool(side, "kvno --u2u")
            .arg(bob.cache())
            .arg("bob")
            .run()
            .refused();
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_service_may_be_closed_to_what_it_does_not_want() {
    let realm = realm_with_alice_and_a_host();
    realm
        .principal("add bob --no-preauth --password-file -")
        .stdin("builder\n")
        .run()
        .ok();
    realm.add_service("host/strict.example.com");
    for side in Side::BOTH {
        let ask = |client: &str, password: &str| {
            let desk = realm.workstation();
            desk.mit("kinit").arg(client).stdin(format!("{password}\n")).run().ok();
            desk.tool(side, "kvno host/strict.example.com").run()
        };
        let by_as = |client: &str, password: &str| {
            let desk = realm.workstation();
            let kinit = desk.tool(side, "kinit -S host/strict.example.com").arg(client);
            kinit.stdin(format!("{password}\n")).run()
        };
        ask("alice", "wonderland").ok();
        ask("bob", "builder").ok();

        realm
            .principal("set host/strict.example.com --require-preauth yes")
            .run()
            .ok();
        ask("alice", "wonderland").ok();
        ask("bob", "builder").refused();
        realm
            .principal("set host/strict.example.com --require-preauth no")
            .run()
            .ok();

        realm.principal("set host/strict.example.com --tgt-based no").run().ok();
        ask("alice", "wonderland").refused();
        by_as("alice", "wonderland").ok();
        realm
            .principal("set host/strict.example.com --tgt-based yes")
            .run()
            .ok();

        realm.principal("set host/strict.example.com --service no").run().ok();
        ask("alice", "wonderland").refused();
        by_as("alice", "wonderland").refused();
        realm.principal("set host/strict.example.com --service yes").run().ok();

        realm.principal("lock host/strict.example.com").run().ok();
        ask("alice", "wonderland").refused();
        realm.principal("unlock host/strict.example.com").run().ok();

        realm
            .principal("set host/strict.example.com --ok-as-delegate yes")
            .run()
            .ok();
        let desk = realm.workstation();
        desk.mit("kinit alice").stdin("wonderland\n").run().ok();
        desk.tool(side, "kvno host/strict.example.com").run().ok();
        assert!(desk.ticket("host/strict.example.com").flags.contains('O'), "{side:?}");
        realm
            .principal("set host/strict.example.com --ok-as-delegate no")
            .run()
            .ok();
        let desk = realm.workstation();
        desk.mit("kinit alice").stdin("wonderland\n").run().ok();
        desk.tool(side, "kvno host/strict.example.com").run().ok();
        assert!(!desk.ticket("host/strict.example.com").flags.contains('O'), "{side:?}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_user_is_no_service_but_for_user_to_user() {
    let realm = realm_with_alice_and_a_host();
    realm.add("bob", "builder");
    let desk = realm.workstation();
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    desk.mit("kvno bob")
        .run()
        .refused_with("Server principal valid for user2user only");
    desk.ours("kvno bob").run().refused_with("user-to-user");
    realm.principal("set bob --service yes").run().ok();
    desk.mit("kvno bob").run().ok();
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_least_of_ticket_service_and_realm_limits_a_service_ticket() {
    let realm = realm_with_alice_and_a_host();
    realm.principal("set host/server.example.com --max-life 20m").run().ok();
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.mit("kinit -l 1h alice").stdin("wonderland\n").run().ok();
        desk.tool(side, "kvno host/server.example.com").run().ok();
        let ticket = desk.ticket("host/server.example.com");
        assert!((ticket.life() - 1200).abs() <= 5, "{side:?} {ticket:?}");
        assert!(ticket.ends <= desk.tgt().ends);
    }
}

#[test]
fn a_forwarded_ticket_has_the_new_addresses_and_says_so() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let forwardable = KdcReq::initial("alice").with_options(option::FORWARDABLE);
    let tgt = login_by_preauth(kdc, &forwardable, &alice());
    let there = vec![(2, vec![192, 0, 2, 7])];
    let request = KdcReq {
        addresses: Some(there.clone()),
        ..KdcReq::ticket("krbtgt/EXAMPLE.COM").with_options(option::FORWARDED | option::FORWARDABLE)
    };
    let forwarded = tgt.get(kdc, &request);
    assert!(forwarded.part.has(flag::FORWARDED | flag::FORWARDABLE));
    assert!(!forwarded.part.has(flag::INITIAL));
    assert_eq!(forwarded.part.caddr, Some(there));
    // A ticket from a forwarded TGT is forwarded, too. Without the option, the addresses stay the TGT's.
    let local = tgt.get(
        kdc,
        &KdcReq {
            addresses: None,
            ..request.clone()
        },
    );
    let service = local.get(kdc, &KdcReq::ticket("host/server.example.com"));
    assert!(service.part.has(flag::FORWARDED));
    let plain = login(kdc, "alice", &alice());
    assert_eq!(plain.refused(kdc, &request), 13, "not forwardable");
}

#[test]
fn a_proxy_is_made_of_a_proxiable_ticket_but_never_a_tgt() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let tgt = login_by_preauth(kdc, &KdcReq::initial("alice").with_options(option::PROXIABLE), &alice());
    let there = vec![(2, vec![192, 0, 2, 7])];
    let request = KdcReq {
        addresses: Some(there.clone()),
        ..KdcReq::ticket("host/server.example.com").with_options(option::PROXY)
    };
    let proxy = tgt.get(kdc, &request);
    assert!(proxy.part.has(flag::PROXY));
    assert_eq!(proxy.part.caddr, Some(there));
    let another_tgt = KdcReq {
        sname: KdcReq::initial("").sname,
        ..request.clone()
    };
    assert_ne!(tgt.ask(kdc, &another_tgt).code(), 0, "no proxy of a TGT");
    assert_eq!(
        login(kdc, "alice", &alice()).refused(kdc, &request),
        13,
        "not proxiable"
    );
}

#[test]
fn addresses_change_only_with_forwarded_or_proxy() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let here = vec![(2, vec![127, 0, 0, 1])];
    let initial = KdcReq {
        addresses: Some(here.clone()),
        ..KdcReq::initial("alice")
    };
    let tgt = login_by_preauth(kdc, &initial, &alice());
    assert_eq!(tgt.part.caddr, Some(here.clone()));
    let elsewhere = Some(vec![(2, vec![192, 0, 2, 7])]);
    let ticket = tgt.get(
        kdc,
        &KdcReq {
            addresses: elsewhere.clone(),
            ..KdcReq::ticket("host/server.example.com")
        },
    );
    let (service_key, _) = keytab::newest_key(&realm.keytab("host/server.example.com"));
    assert_eq!(
        EncTicketPart::open(&ticket.ticket, &service_key).caddr,
        Some(here),
        "the TGT's stay"
    );
    // A TGT that is good at another address only is no good here.
    let away = login_by_preauth(
        kdc,
        &KdcReq {
            addresses: elsewhere,
            ..KdcReq::initial("alice")
        },
        &alice(),
    );
    assert_eq!(away.refused(kdc, &KdcReq::ticket("host/server.example.com")), 38);
}

#[test]
fn a_service_ticket_keeps_authtime_and_ends_with_its_tgt() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let tgt = login(kdc, "alice", &alice());
    let longer = KdcReq {
        till: tgt.part.endtime + 3600,
        ..KdcReq::ticket("host/server.example.com")
    };
    let ticket = tgt.get(kdc, &longer);
    assert_eq!(ticket.part.endtime, tgt.part.endtime);
    assert_eq!(ticket.part.authtime, tgt.part.authtime);
    assert!(ticket.part.starttime.is_some());
    assert!(!ticket.part.has(flag::INITIAL));
    assert!(ticket.part.has(flag::PRE_AUTHENT | flag::TRANSITED_POLICY_CHECKED));
    // till of 1970: as long as may be.
    let unlimited = tgt.get(
        kdc,
        &KdcReq {
            till: 0,
            ..KdcReq::ticket("host/server.example.com")
        },
    );
    assert_eq!(unlimited.part.endtime, tgt.part.endtime);
    let past = KdcReq {
        till: tgt.part.authtime - 1,
        ..KdcReq::ticket("host/server.example.com")
    };
    assert_eq!(tgt.refused(kdc, &past), 11);
}

#[test]
fn a_service_ticket_is_no_tgt() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let tgt = login_by_preauth(kdc, &KdcReq::initial("alice").with_options(option::PROXIABLE), &alice());
    let ticket = tgt.get(kdc, &KdcReq::ticket("host/server.example.com"));
    let refused = |request: KdcReq| {
        let code = ticket.refused(kdc, &request);
        assert!(code == 35 || code == 26 || code == 13, "{code}");
    };
    refused(KdcReq::ticket("krbtgt/EXAMPLE.COM"));
    refused(KdcReq::ticket("host/server.example.com"));
    realm.add_service("host/other.example.com");
    refused(KdcReq::ticket("host/other.example.com"));
    refused(KdcReq::ticket("host/other.example.com").with_options(option::RENEW));
    refused(KdcReq::ticket("krbtgt/EXAMPLE.COM").with_options(option::VALIDATE));
}

#[test]
fn tickets_for_changing_passwords_come_from_the_as_alone() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let changepw = KdcReq {
        sname: KdcReq::ticket("kadmin/changepw").sname,
        ..KdcReq::initial("alice")
    };
    let ticket = login_by_preauth(kdc, &KdcReq { till: 0, ..changepw }, &alice());
    assert!(ticket.part.has(flag::INITIAL));
    assert!(ticket.part.endtime - ticket.part.authtime <= 300, "{:?}", ticket.part);
    let tgt = login(kdc, "alice", &alice());
    assert_ne!(tgt.ask(kdc, &KdcReq::ticket("kadmin/changepw")).code(), 0);
    assert_ne!(ticket.ask(kdc, &KdcReq::ticket("host/server.example.com")).code(), 0);
}

#[test]
fn tickets_of_older_krbtgt_keys_stay_good() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let old = login(kdc, "alice", &alice());
    realm.principal("rotate krbtgt/EXAMPLE.COM").run().ok();
    let new = login(kdc, "alice", &alice());
    for tgt in [&old, &new] {
        let _: Session = tgt.get(kdc, &KdcReq::ticket("host/server.example.com"));
    }
    let (key, kvno) = keytab::newest_key(&realm.keytab("krbtgt/EXAMPLE.COM"));
    assert_eq!(kvno, 2);
    assert_eq!(EncTicketPart::open(&new.ticket, &key).cname, new.client);
}

#[test]
fn a_service_keeps_old_keys_when_told_to() {
    let realm = realm_with_alice_and_a_host();
    let kdc = realm.kerberos();
    let tgt = login_by_preauth(kdc, &KdcReq::initial("alice").with_options(option::RENEWABLE), &alice());
    let under_first = tgt.get(
        kdc,
        &KdcReq::ticket("host/server.example.com").with_options(option::RENEWABLE),
    );
    // Renewing needs the key that the ticket is sealed with: it tells whether it is still known.
    let renew = KdcReq::ticket("host/server.example.com").with_options(option::RENEW);
    realm.principal("rotate host/server.example.com --keep").run().ok();
    let keytab = realm.keytab("host/server.example.com");
    assert!(
        keytab::read(&keytab).iter().all(|entry| entry.kvno == 2),
        "a keytab has the current keys"
    );
    assert_eq!(under_first.ask(kdc, &renew).code(), 0);
    realm.principal("rotate host/server.example.com").run().ok();
    assert_ne!(under_first.ask(kdc, &renew).code(), 0, "without --keep they are gone");
}
