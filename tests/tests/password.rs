//! Changing passwords: kpasswd, the dialogue of an expired password, and RFC 3244 by hand.

use std::net::SocketAddr;

use tessera_tests::wire::der::{application, integer, sequence, tagged};
use tessera_tests::wire::{
    ApReq, KdcReq, Name, PasswordRequest, Session, ask, crypto::Key, login, login_by_preauth, random, socket,
};
use tessera_tests::{Protocol, Realm, Relay, Side, Workstation};

fn realm_with_alice() -> Realm {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm
}

fn logs_in(desk: &Workstation, password: &str) -> bool {
    desk.mit("kinit alice")
        .stdin(format!("{password}\n"))
        .run()
        .status
        .success()
}

#[test]
#[ignore = "needs MIT's tools"]
fn kpasswd_changes_the_password() {
    for side in Side::BOTH {
        let realm = realm_with_alice();
        let desk = realm.workstation();
        let mut terminal = desk.tool(side, "kpasswd alice").at_terminal();
        terminal.answer("Password for alice@EXAMPLE.COM: ", "wonderland");
        terminal.answer("Enter new password: ", "lookingglass");
        terminal.answer("Enter it again: ", "lookingglass");
        let shown = terminal.finish().ok();
        assert!(shown.contains("Password changed."), "{side:?} {shown}");
        assert!(
            !shown.contains("wonderland") && !shown.contains("lookingglass"),
            "{side:?} {shown}"
        );
        assert!(
            !logs_in(&desk, "wonderland"),
            "{side:?}: the old password still logs in"
        );
        assert!(
            logs_in(&desk, "lookingglass"),
            "{side:?}: the new password does not log in"
        );
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn kpasswd_takes_whose_password_from_the_cache() {
    let realm = realm_with_alice();
    for (side, old, new) in [
        (Side::Mit, "wonderland", "lookingglass"),
        (Side::Ours, "lookingglass", "jabberwocky"),
    ] {
        let desk = realm.workstation();
        assert!(logs_in(&desk, old));
        desk.tool(side, "kpasswd")
            .stdin(format!("{old}\n{new}\n{new}\n"))
            .run()
            .ok();
        assert!(logs_in(&desk, new), "{side:?}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn kpasswd_refuses_a_wrong_password_and_two_that_differ() {
    let realm = realm_with_alice();
    for side in Side::BOTH {
        let desk = realm.workstation();
        desk.tool(side, "kpasswd alice").stdin("wrong\nx\nx\n").run().refused();
        desk.tool(side, "kpasswd alice")
            .stdin("wonderland\nlooking\nglass\n")
            .run()
            .refused();
        assert!(logs_in(&desk, "wonderland"), "{side:?}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn passwords_change_over_udp_alone_and_tcp_alone() {
    let realm = realm_with_alice();
    let mut old = "wonderland".to_owned();
    for side in Side::BOTH {
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            let relay = Relay::only(realm.password(), protocol);
            let desk = realm
                .workstation()
                .with_whole_config(&krb5_conf(realm.kerberos(), relay.address()));
            let new = format!("{old}-{side:?}-{protocol:?}");
            desk.tool(side, "kpasswd alice")
                .stdin(format!("{old}\n{new}\n{new}\n"))
                .run()
                .ok();
            assert!(logs_in(&desk, &new), "{side:?} {protocol:?}");
            assert!(relay.count(protocol) >= 1 && relay.count(protocol) == relay.exchanges().len());
            old = new;
        }
    }
}

fn krb5_conf(kerberos: SocketAddr, password: SocketAddr) -> String {
    format!(
        "[libdefaults]\n default_realm = EXAMPLE.COM\n dns_lookup_kdc = false\n\
         [realms]\n EXAMPLE.COM = {{\n  kdc = {kerberos}\n  kpasswd_server = {password}\n }}\n"
    )
}

#[test]
#[ignore = "needs MIT's tools"]
fn an_expired_password_is_changed_at_login() {
    for (setting, date) in [
        ("--password-expires", "1999-12-31T00:00:00Z"),
        ("--must-change-password", ""),
    ] {
        for side in Side::BOTH {
            let realm = realm_with_alice();
            realm.principal(&format!("set alice {setting} {date}")).run().ok();
            let desk = realm.workstation();
            // Who does not know the password is not told that it has expired.
            let said = desk.tool(side, "kinit alice").stdin("wrong\n").run().refused();
            assert!(!said.to_lowercase().contains("expired"), "{side:?} {said}");

            let mut terminal = desk.tool(side, "kinit alice").at_terminal();
            terminal.answer("Password for alice@EXAMPLE.COM: ", "wonderland");
            terminal.wait_for("Password expired.  You must change it now.");
            terminal.answer("Enter new password: ", "lookingglass");
            terminal.answer("Enter it again: ", "lookingglass");
            terminal.finish().ok();
            assert_eq!(desk.tgt().service, "krbtgt/EXAMPLE.COM@EXAMPLE.COM", "{side:?}");
            assert!(
                logs_in(&realm.workstation(), "lookingglass"),
                "{side:?} {setting}: has it been lifted?"
            );
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_password_expires_at_its_time_and_kinit_warns_before() {
    let realm = Realm::builder().with_clock().start();
    realm.add("alice", "wonderland");
    realm.principal("set alice --password-expires +1d").run().ok();
    for side in Side::BOTH {
        let said = realm
            .workstation()
            .tool(side, "kinit alice")
            .stdin("wonderland\n")
            .run()
            .status(0);
        assert!(
            said.contains("Warning: Your password will expire in"),
            "{side:?} {said}"
        );
    }
    realm.clock().forward(86400 + 10);
    for side in Side::BOTH {
        let said = realm
            .workstation()
            .tool(side, "kinit alice")
            .stdin("wonderland\n")
            .run()
            .refused();
        assert!(
            said.contains("Password expired") || said.contains("password has expired"),
            "{side:?} {said}"
        );
    }
    realm.principal("set alice --password-expires never").run().ok();
    assert!(logs_in(&realm.workstation(), "wonderland"));
}

#[test]
#[ignore = "needs MIT's tools"]
fn an_administrators_new_password_takes_effect_at_once() {
    let realm = realm_with_alice();
    realm
        .principal("password alice --password-file -")
        .stdin("lookingglass\n")
        .run()
        .ok();
    let desk = realm.workstation();
    assert!(!logs_in(&desk, "wonderland"));
    assert!(logs_in(&desk, "lookingglass"));
}

// From here on by hand.

fn alice() -> Key {
    Key::from_password("wonderland", "EXAMPLE.COMalice")
}

/// A ticket for kadmin/changepw, from the AS.
fn changepw(realm: &Realm, client: &str, key: &Key) -> Session {
    let request = KdcReq {
        sname: Some(Name::new("kadmin/changepw")),
        ..KdcReq::initial(client)
    };
    login_by_preauth(realm.kerberos(), &request, key)
}

fn password_is(realm: &Realm, client: &str, password: &str) -> bool {
    let key = Key::from_password(password, &format!("EXAMPLE.COM{client}"));
    let mut request = KdcReq::initial(client);
    request
        .padata
        .push(tessera_tests::wire::pa_enc_timestamp(&key, tessera_tests::wire::now()));
    ask(realm.kerberos(), &request.to_der()).code() == 0
}

#[test]
fn both_versions_change_ones_own_password() {
    let realm = realm_with_alice();
    let session = changepw(&realm, "alice", &alice());
    let reply = PasswordRequest::change(&session, "one").ask(realm.password());
    assert_eq!((reply.code, reply.has_s_address), (0, true), "{reply:?}");
    assert!(password_is(&realm, "alice", "one"));
    for (password, target) in [("two", None), ("three", Some("alice"))] {
        let reply = PasswordRequest::set(&session, password, target).ask(realm.password());
        assert_eq!((reply.code, reply.has_s_address), (0, true), "{reply:?}");
        assert!(password_is(&realm, "alice", password));
    }
}

#[test]
fn tcp_serves_several_changes_on_one_connection() {
    let realm = realm_with_alice();
    let session = changepw(&realm, "alice", &alice());
    let mut stream = socket::connect(realm.password());
    for password in ["one", "two", "three"] {
        let request = PasswordRequest::change(&session, password);
        socket::send(&mut stream, &request.to_bytes());
        let reply = request.parse(&socket::receive(&mut stream).expect("the connection ended"));
        assert_eq!(reply.code, 0, "{reply:?}");
        assert!(password_is(&realm, "alice", password));
    }
}

#[test]
fn nobody_sets_anothers_password() {
    let realm = realm_with_alice();
    realm.add("bob", "builder");
    let session = changepw(&realm, "alice", &alice());
    for target in ["bob", "krbtgt/EXAMPLE.COM", "no-such"] {
        let reply = PasswordRequest::set(&session, "mine", Some(target)).ask(realm.password());
        assert_eq!(reply.code, 5, "{target} {reply:?}");
    }
    assert!(password_is(&realm, "bob", "builder"));
}

#[test]
fn an_address_in_the_request_is_no_reason_to_refuse() {
    let realm = realm_with_alice();
    let session = changepw(&realm, "alice", &alice());
    for (n, address) in [
        (2, vec![192, 0, 2, 9]),
        (2, vec![]),
        (24, vec![0; 16]),
        (999, vec![1; 40]),
    ]
    .into_iter()
    .enumerate()
    {
        let password = format!("password-{n}");
        let mut request = PasswordRequest::change(&session, &password);
        request.s_address = address;
        assert_eq!(request.ask(realm.password()).code, 0);
        assert!(password_is(&realm, "alice", &password));
    }
}

#[test]
fn a_request_that_proves_too_little_changes_nothing() {
    let realm = realm_with_alice();
    let server = realm.password();
    let key = alice();
    let session = changepw(&realm, "alice", &key);
    let good = PasswordRequest::change(&session, "stolen");
    let refused = |what: &str, request: &PasswordRequest| {
        let reply = request.ask(server);
        assert_ne!(reply.code, 0, "{what}");
        assert!(password_is(&realm, "alice", "wonderland"), "{what}");
        reply
    };

    // A TGT, and a ticket to another service, in place of one to kadmin/changepw.
    let tgt = login(realm.kerberos(), "alice", &key);
    refused("a TGT", &PasswordRequest::change(&tgt, "stolen"));
    realm.add_service("kadmin/changepwd");
    let near = KdcReq {
        sname: Some(Name::new("kadmin/changepwd")),
        ..KdcReq::initial("alice")
    };
    let near = login_by_preauth(realm.kerberos(), &near, &key);
    refused("a name that is nearly right", &PasswordRequest::change(&near, "stolen"));

    let mut other_session_key = good.clone();
    other_session_key.ap_req.session_key = Key::random();
    refused("an authenticator under another key", &other_session_key);

    let mut another_client = good.clone();
    another_client.ap_req.cname = Name::new("bob");
    refused("somebody else's authenticator", &another_client);

    let mut late = good.clone();
    late.ap_req.ctime -= 3600;
    refused("an old authenticator", &late);

    let mut wrong_usage = good.clone();
    wrong_usage.ap_req.usage = 7;
    refused("an authenticator for a TGS", &wrong_usage);

    let mut other_key = good.clone();
    other_key.key = Key::random();
    refused("a KRB-PRIV under another key", &other_key);

    let mut session_keyed = PasswordRequest::set(&session, "stolen", None);
    session_keyed.key = session.key.clone();
    refused("version 0xff80 with the subkey not used", &session_keyed);

    let mut without_subkey = PasswordRequest::set(&session, "stolen", None);
    without_subkey.key = session.key.clone();
    without_subkey.ap_req.subkey = None;
    refused("version 0xff80 without a subkey", &without_subkey);

    let mut no_data = PasswordRequest::set(&session, "stolen", None);
    no_data.user_data = b"not ChangePasswdData".to_vec();
    let reply = refused("user data that is not what the version says", &no_data);
    assert_eq!(reply.code, 1, "{reply:?}");

    let replayed = good.to_bytes();
    assert_eq!(good.parse(&socket::udp(server, &replayed)).code, 0);
    assert!(password_is(&realm, "alice", "stolen"));
}

#[test]
fn a_ticket_that_is_not_initial_changes_nothing() {
    use tessera_tests::wire::{EncTicketPart, flag, keytab};
    let realm = realm_with_alice();
    let mut session = changepw(&realm, "alice", &alice());
    let (key, kvno) = keytab::newest_key(&realm.keytab("kadmin/changepw"));
    let mut part = EncTicketPart::open(&session.ticket, &key);
    part.flags &= !flag::INITIAL;
    session.ticket = part.seal("kadmin/changepw", &key, Some(kvno));
    let reply = PasswordRequest::change(&session, "stolen").ask(realm.password());
    // INITIAL is missing (7); before that, the KDC sees that its ticket was altered (5).
    assert!(matches!(reply.code, 5 | 7), "{reply:?}");
    assert!(password_is(&realm, "alice", "wonderland"));
}

#[test]
fn unknown_versions_are_told_so() {
    let realm = realm_with_alice();
    let session = changepw(&realm, "alice", &alice());
    for version in [0, 2, 0xff81, 0xffff] {
        let request = PasswordRequest {
            version,
            ..PasswordRequest::change(&session, "stolen")
        };
        let reply = request.ask(realm.password());
        assert_eq!(reply.code, 6, "version {version:#x}: {reply:?}");
    }
    assert!(password_is(&realm, "alice", "wonderland"));
}

#[test]
fn errors_are_framed_for_version_1_and_bare_for_0xff80() {
    let realm = realm_with_alice();
    let session = changepw(&realm, "alice", &alice());
    for (request, framed) in [
        (PasswordRequest::change(&session, "stolen"), true),
        (PasswordRequest::set(&session, "stolen", None), false),
    ] {
        let mut request = request;
        request.ap_req.session_key = Key::random();
        let reply = request.ask(realm.password());
        assert_eq!(reply.framed, framed, "{reply:?}");
        assert!(reply.error.is_some(), "{reply:?}");
    }
}

#[test]
fn what_is_an_answer_or_an_error_gets_none() {
    let realm = realm_with_alice();
    let server = realm.password();
    let session = changepw(&realm, "alice", &alice());
    let request = PasswordRequest::change(&session, "lookingglass");
    let answer = socket::udp(server, &request.to_bytes());
    let mut refused = PasswordRequest::change(&session, "stolen");
    refused.ap_req.session_key = Key::random();
    let framed_error = socket::udp(server, &refused.to_bytes());
    let probe = refused.to_bytes();
    let bare_error = {
        let mut refused = PasswordRequest::set(&session, "stolen", None);
        refused.ap_req.session_key = Key::random();
        socket::udp(server, &refused.to_bytes())
    };
    let krb_error = application(30, &sequence(&[tagged(0, &integer(5)), tagged(1, &integer(30))]));
    for packet in [
        &answer[..],
        &framed_error,
        &bare_error,
        &krb_error,
        b"",
        b"\0",
        b"\0\x06\0\x01\0\0",
    ] {
        socket::udp_silence(server, packet, &probe);
    }
}

#[test]
fn lengths_that_do_not_add_up_change_nothing_and_hurt_nobody() {
    let realm = realm_with_alice();
    let server = realm.password();
    let session = changepw(&realm, "alice", &alice());
    let patience = std::time::Duration::from_millis(100);
    let request = PasswordRequest::change(&session, "stolen");
    let whole = request.to_bytes();
    let answered_with_success = |packet: &[u8]| {
        let answer = socket::udp_within(server, packet, patience);
        answer.is_some_and(|answer| request.parse(&answer).code == 0)
    };
    for at in [0, 2, 4] {
        let right = u16::from_be_bytes([whole[at], whole[at + 1]]);
        for wrong in [
            0,
            1,
            5,
            6,
            7,
            right.wrapping_sub(6),
            right - 1,
            right + 1,
            right + 6,
            0x7fff,
            0xffff,
        ] {
            let mut packet = whole.clone();
            packet[at..at + 2].copy_from_slice(&wrong.to_be_bytes());
            assert!(wrong == right || !answered_with_success(&packet), "at {at}: {wrong:#x}");
        }
    }
    for length in (0..whole.len()).step_by(23) {
        assert!(!answered_with_success(&whole[..length]), "cut to {length}");
    }
    let mut longer = whole;
    longer.extend_from_slice(&random::<6>());
    assert!(!answered_with_success(&longer), "six octets too many");
    assert!(password_is(&realm, "alice", "wonderland"));
    assert_eq!(
        PasswordRequest::change(&session, "mine").ask(server).code,
        0,
        "and honest clients are served"
    );
}

#[test]
fn an_expired_password_gets_a_ticket_for_changing_it_and_no_other() {
    let realm = realm_with_alice();
    realm
        .principal("set alice --password-expires 1999-12-31T00:00:00Z")
        .run()
        .ok();
    let mut request = KdcReq::initial("alice");
    request.padata.push(tessera_tests::wire::pa_enc_timestamp(
        &alice(),
        tessera_tests::wire::now(),
    ));
    assert_eq!(ask(realm.kerberos(), &request.to_der()).error().code, 23);
    let session = changepw(&realm, "alice", &alice());
    assert!(session.part.key_expiration.is_some());
    assert_eq!(
        PasswordRequest::change(&session, "lookingglass")
            .ask(realm.password())
            .code,
        0
    );
    assert!(password_is(&realm, "alice", "lookingglass"));
}

#[test]
fn an_authenticator_serves_once() {
    let realm = realm_with_alice();
    let session = changepw(&realm, "alice", &alice());
    let first = PasswordRequest::change(&session, "one");
    assert_eq!(first.ask(realm.password()).code, 0);
    let mut second = PasswordRequest::change(&session, "two");
    // The very same AP-REQ with another KRB-PRIV: its authenticator has been seen.
    second.ap_req = ApReq {
        cusec: first.ap_req.cusec,
        ctime: first.ap_req.ctime,
        ..first.ap_req.clone()
    };
    second.key.clone_from(&first.key);
    let ap_req = first.ap_req.to_der(b"");
    let splice = |packet: Vec<u8>| {
        let old = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
        let krb_priv = &packet[6 + old..];
        let short = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
        [
            &short(6 + ap_req.len() + krb_priv.len())[..],
            &[0, 1],
            &short(ap_req.len()),
            &ap_req,
            krb_priv,
        ]
        .concat()
    };
    let once = second.parse(&socket::udp(realm.password(), &splice(second.to_bytes())));
    assert_eq!(once.code, 0, "{once:?}");
    second.user_data = b"three".to_vec();
    let again = second.parse(&socket::udp(realm.password(), &splice(second.to_bytes())));
    assert_ne!(again.code, 0, "{again:?}");
    assert!(password_is(&realm, "alice", "two"));
}
