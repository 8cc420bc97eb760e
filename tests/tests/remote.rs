//! Administration from afar: who gets in, what of it can be seen, altered or repeated on the way, and what becomes of those
//! who only want to be a nuisance. The conversations by hand follow docs/admin-protocol.md.
//!
//! Whoever has a right to administer from afar here has it by the role `operator`, which `realm.toml` gives every right.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tessera_tests::wire::admin::{self, Answer, Conversation, FirstToken, begin, context, framed, hello};
use tessera_tests::wire::{ApReq, KdcReq, Name, Session, crypto::Key, login_by_preauth, random, socket};
use tessera_tests::{Realm, RealmBuilder, Tool, Workstation};

const PASSWORD: &str = "looking-glass";

fn builder() -> RealmBuilder {
    Realm::builder().from_afar()
}

/// A realm with alice/admin, who has no right.
fn realm() -> Realm {
    let realm = builder().start();
    realm.add("alice/admin", PASSWORD);
    realm
}

/// A realm with alice/admin, who may do everything.
fn realm_with_an_operator() -> Realm {
    let realm = builder().section("[roles.operator]\nrights = [\"admin\"]").start();
    realm.add("alice/admin", PASSWORD);
    realm.principal("set alice/admin --add-role operator").run().ok();
    realm
}

/// A ticket that came for the password.
fn ticket_for(realm: &Realm, client: &str, service: &str) -> Session {
    let key = Key::from_password(PASSWORD, &format!("EXAMPLE.COM{}", client.replace('/', "")));
    let request = KdcReq {
        sname: Some(Name::new(service)),
        ..KdcReq::initial(client)
    };
    login_by_preauth(realm.kerberos(), &request, &key)
}

fn ticket(realm: &Realm) -> Session {
    ticket_for(realm, "alice/admin", "kadmin/admin")
}

/// Our `principal` from afar.
fn afar(realm: &Realm, desk: &Workstation, line: &str) -> Tool {
    at(realm.admin(), desk, line)
}

fn at(server: SocketAddr, desk: &Workstation, line: &str) -> Tool {
    desk.ours(&format!("principal --server {server} {line}"))
}

/// What is said to whoever has no right.
const NO_RIGHT: &str = "alice/admin@EXAMPLE.COM has no right to";

fn list() -> Value {
    json!({"list": {"glob": null}})
}

fn refusal(response: &Value) -> (String, String) {
    let text = |key: &str| response["refused"][key].as_str().unwrap_or_default().to_owned();
    assert!(response.get("refused").is_some(), "{response}");
    (text("reason"), text("message"))
}

#[track_caller]
fn well(realm: &Realm) {
    realm.principal("list").run().ok();
    assert!(!realm.log().contains("panicked") && !realm.log().contains("a fault in the program"));
}

#[test]
fn administration_from_afar_is_served_where_realm_toml_says() {
    let off = Realm::start();
    assert!(!off.log().contains("admin="), "{}", off.log());
    let realm = Realm::builder()
        .listen("kerberos = [\"127.0.0.1:0\"]\nadmin = [\"127.0.0.1:0\", \"127.0.0.2:0\"]\n")
        .start();
    let ready = realm.log();
    let ready = ready.lines().find(|line| line.starts_with("ready ")).unwrap();
    let addresses = ready.split(' ').find_map(|word| word.strip_prefix("admin=")).unwrap();
    let addresses: Vec<SocketAddr> = addresses.split(',').map(|address| address.parse().unwrap()).collect();
    assert_eq!(addresses.len(), 2);
    realm.add("alice/admin", PASSWORD);
    for address in addresses {
        Conversation::open(address, &ticket(&realm));
    }
    // MIT's kadmin speaks another protocol, and is not sent here.
    let conf = std::fs::read_to_string(realm.state().join("krb5.conf")).unwrap();
    assert!(!conf.contains("admin_server"), "{conf}");

    let taken = Realm::builder()
        .listen(&format!("admin = [\"{}\"]\n", realm.admin()))
        .refused();
    taken.refused_with("the port is in use");
}

#[test]
#[ignore = "needs MIT's tools"]
fn an_administrator_from_afar_is_known_by_a_password_or_a_ticket() {
    let realm = realm();
    realm.add("bob", PASSWORD);
    let desk = realm.workstation();
    let known = |tool: Tool| drop(tool.run().refused_with(NO_RIGHT));
    // By a password, for the name that is given and for the one that MIT's kadmin would take.
    known(afar(&realm, &desk, "-p alice/admin list").stdin(format!("{PASSWORD}\n")));
    realm.add("alice", "wonderland");
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    known(afar(&realm, &desk, "list").stdin(format!("{PASSWORD}\n")));
    afar(&realm, &desk, "list")
        .stdin("wrong\n")
        .run()
        .refused_with("alice/admin@EXAMPLE.COM");
    // By a ticket that MIT's kinit got: in the cache that is named, or in the default one.
    let cache = format!("FILE:{}", desk.path("admin-cache").display());
    desk.mit(&format!("kinit -S kadmin/admin -c {cache} alice/admin"))
        .stdin(format!("{PASSWORD}\n"))
        .run()
        .ok();
    known(afar(&realm, &desk, &format!("-c {cache} list")));
    let other = desk.another().with_cache(&cache);
    known(afar(&realm, &other, "list"));
    known(afar(&realm, &other, "list -p alice/admin"));
    // Where names do not fit, nobody's ticket is taken for another's.
    afar(&realm, &desk, &format!("-c {cache} -p bob list"))
        .run()
        .refused_with("has the tickets of alice/admin@EXAMPLE.COM, not of bob@EXAMPLE.COM");
    afar(&realm, &desk, "-c")
        .arg(desk.cache())
        .arg("list")
        .run()
        .refused_with("has no ticket for kadmin/admin@EXAMPLE.COM");
    let bob = afar(&realm, &other, "list -p bob").stdin(format!("{PASSWORD}\n")).run();
    bob.refused_with("bob@EXAMPLE.COM has no right to");
    assert!(!desk.cache_file().with_file_name("kept").exists());
    // What is got for a password is kept nowhere.
    let listed = desk.mit("klist").run().ok();
    assert!(!listed.contains("kadmin/admin"), "{listed}");
    // All of it is in the log, with who, from where and by which proof.
    let log = realm.log();
    let line = log
        .lines()
        .find(|line| line.contains("admin by=\"alice/admin@EXAMPLE.COM\""));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(
        line.contains(" from=127.0.0.1:") && line.contains(" factors=long-term-key request=list result=refused"),
        "{line}"
    );
}

#[test]
fn at_a_terminal_the_password_is_asked_for_and_not_shown() {
    let realm = realm();
    let desk = realm.workstation();
    let mut terminal = afar(&realm, &desk, "-p alice/admin list").at_terminal();
    terminal.answer("Password for alice/admin@EXAMPLE.COM: ", PASSWORD);
    let seen = terminal.finish();
    assert!(!seen.stdout.contains(PASSWORD), "{seen}");
    seen.refused_with(NO_RIGHT);
}

#[test]
fn whoever_cannot_be_an_administrators_daemon_is_told_apart() {
    let realm = realm();
    let desk = realm.workstation();
    let by_password = |server: &str| {
        let tool = desk.ours(&format!("principal --server {server} -p alice/admin list"));
        tool.stdin(format!("{PASSWORD}\n")).run()
    };
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    by_password(&nobody.to_string()).refused_with("check --server");
    by_password("nowhere.invalid:8749").refused_with("nowhere.invalid has no address");
    by_password(&realm.kerberos().to_string()).refused_with(&realm.kerberos().to_string());
    // Somebody who hangs up, somebody who talks nonsense, and somebody who is not whom the ticket is for.
    for (answer, says) in [
        (None, "hung up without an answer"),
        (
            Some(b"HTTP/1.1 400 Bad Request".to_vec()),
            "is no daemon's [listen] admin",
        ),
        (
            Some(framed(&[&[2, 0][..], &[0x6f, 2, 0x30, 0]].concat())),
            "did not prove to be kadmin/admin@EXAMPLE.COM",
        ),
    ] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let impostor = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let first = socket::receive(&mut stream).unwrap();
            if let Some(answer) = answer {
                socket::send(&mut stream, &answer);
                assert_eq!(socket::receive(&mut stream), None, "something was said to an impostor");
            }
            first
        });
        by_password(&address.to_string()).refused_with(says);
        let first = impostor.join().unwrap();
        assert!(!first.windows(4).any(|part| part == b"list"));
    }
    // Another realm's daemon, of the same name.
    let stranger = self::realm();
    by_password(&stranger.admin().to_string()).refused_with("does not take the ticket for kadmin/admin@EXAMPLE.COM");
    desk.ours("principal --server 127.0.0.1 list").run().status(2);
    desk.ours("principal list -c FILE:x").run().status(2);
    desk.ours("principal list -p alice/admin").run().status(2);
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_ticket_that_is_not_initial_administers_nothing() {
    let realm = realm();
    // The KDC gives none, unless it is told to.
    realm.principal("set kadmin/admin --tgt-based yes").run().ok();
    let desk = realm.workstation();
    desk.mit("kinit alice/admin").stdin(format!("{PASSWORD}\n")).run().ok();
    desk.mit("kvno kadmin/admin").run().ok();
    afar(&realm, &desk, "-c")
        .arg(desk.cache())
        .arg("list")
        .run()
        .refused_with("must be got with the password");
    realm.wait_for_log("result=refused reason=ticket-not-initial");
    well(&realm);
}

/// CVE-2014-9422: any `kadmin/x` was as good as `kadmin/admin`.
#[test]
fn a_ticket_for_anything_but_kadmin_admin_administers_nothing() {
    let realm = realm();
    for name in [
        "kadmin/admi",
        "kadmin/administrator",
        "kadmin/x",
        "kadmin/admin/x",
        "kadmin",
        "admin/kadmin",
    ] {
        realm.principal("add --random-key").arg(name).run().ok();
    }
    for service in [
        "kadmin/changepw",
        "kadmin/admi",
        "kadmin/administrator",
        "kadmin/x",
        "kadmin/admin/x",
        "kadmin",
        "admin/kadmin",
        "krbtgt/EXAMPLE.COM",
    ] {
        let session = ticket_for(&realm, "alice/admin", service);
        let first = FirstToken::new(&session, context::USUAL);
        let Answer::Error(code) = begin(socket::connect(realm.admin()), &first) else {
            panic!("a ticket for {service} is taken")
        };
        assert_eq!(code, 35, "KRB_AP_ERR_NOT_US for {service}");
    }
    // The name on the ticket is in the clear: that of another ticket does not help.
    let good = ticket(&realm);
    let mut forged = ticket_for(&realm, "alice/admin", "kadmin/admi");
    forged.ticket = replaced(&forged.ticket, b"admi", b"admin");
    let first = FirstToken::new(&forged, context::USUAL);
    assert!(!matches!(
        begin(socket::connect(realm.admin()), &first),
        Answer::Welcome(_)
    ));
    Conversation::open(realm.admin(), &good);
    realm.wait_for_log("result=admitted");
    let log = realm.log();
    assert_eq!(log.matches("reason=ticket-for-another-service").count(), 8, "{log}");
}

/// The ticket's name is the last short string before what is encrypted; lengths around it are put right.
fn replaced(ticket: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    use tessera_tests::wire::der::{Element, application, integer, sequence, string, tagged};
    let whole = Element::parse(ticket);
    let realm = whole.field(1);
    let name = [b"kadmin".to_vec(), to.to_vec()].map(|part| string(&part));
    assert!(ticket.windows(from.len()).any(|part| part == from));
    application(
        1,
        &sequence(&[
            tagged(0, &integer(5)),
            tagged(1, &string(realm.text().as_bytes())),
            tagged(2, &sequence(&[tagged(0, &integer(2)), tagged(1, &sequence(&name))])),
            tagged(3, &tessera_tests::wire::der::element(0x30, whole.field(3).content)),
        ]),
    )
}

#[test]
fn a_first_token_is_good_once_and_whole() {
    let realm = realm();
    let session = ticket(&realm);
    let first = FirstToken::new(&session, context::USUAL);
    let Answer::Welcome(mut conversation) = begin(socket::connect(realm.admin()), &first) else {
        panic!("the first one is good")
    };
    let Answer::Error(34) = begin(socket::connect(realm.admin()), &first) else {
        panic!("KRB_AP_ERR_REPEAT")
    };
    assert_eq!(conversation.ask(&hello())["realm"], "EXAMPLE.COM");
    // The answer to it is of no use to who has no key: what was said before cannot be said again.
    let mut other = Conversation::begun(realm.admin(), &session);
    let token = conversation.wrap(list().to_string().as_bytes());
    socket::send(&mut other.stream, &token);
    assert!(other.is_ended());

    let whole = FirstToken::new(&session, context::USUAL);
    for at in (0..whole.octets.len()).step_by(7) {
        let mut altered = whole.clone();
        altered.octets[at] ^= 0x20;
        if let Answer::Welcome(mut conversation) = begin(socket::connect(realm.admin()), &altered) {
            // Options, and the type of the service's name, are nobody's secret; then the conversation is the client's own.
            assert_eq!(conversation.ask(&hello())["realm"], "EXAMPLE.COM", "octet {at}");
            break;
        }
    }
    for end in [0, 1, 20, whole.octets.len() / 2, whole.octets.len() - 1] {
        let mut cut = whole.clone();
        cut.octets.truncate(end);
        assert!(!matches!(
            begin(socket::connect(realm.admin()), &cut),
            Answer::Welcome(_)
        ));
    }
    realm.wait_for_log("reason=authenticator-replayed");
    realm.wait_for_log("reason=not-a-first-token");
    well(&realm);
}

#[test]
fn an_authenticator_that_is_late_or_anothers_is_refused() {
    let realm = realm();
    realm.add("bob/admin", PASSWORD);
    let session = ticket(&realm);
    type Alter = fn(&mut ApReq);
    let rows: [(&str, i64, Alter); 6] = [
        ("late", 37, |ap_req| ap_req.ctime -= 600),
        ("early", 37, |ap_req| ap_req.ctime += 600),
        ("another's", 36, |ap_req| ap_req.cname = Name::new("bob/admin")),
        ("another realm's", 36, |ap_req| ap_req.crealm = "EXAMPLE.ORG".into()),
        ("under another key", 31, |ap_req| ap_req.session_key = Key::random()),
        ("for a TGS-REQ", 31, |ap_req| ap_req.usage = 7),
    ];
    for (what, code, alter) in rows {
        let first = FirstToken::altered(&session, context::USUAL, alter);
        let Answer::Error(found) = begin(socket::connect(realm.admin()), &first) else {
            panic!("{what}")
        };
        assert_eq!(found, code, "{what}");
    }
    well(&realm);
}

#[test]
fn a_context_that_lacks_a_protection_is_refused() {
    let realm = realm();
    let session = ticket(&realm);
    // Nobody waits for an answer: there is none.
    let first = FirstToken::new(&session, context::USUAL & !context::MUTUAL);
    assert!(matches!(begin(socket::connect(realm.admin()), &first), Answer::Nothing));
    for (missing, name) in [
        (context::SEQUENCE, "sequence"),
        (context::CONF, "conf"),
        (context::INTEG, "integ"),
    ] {
        let first = FirstToken::new(&session, context::USUAL & !missing);
        let Answer::Welcome(mut conversation) = begin(socket::connect(realm.admin()), &first) else {
            panic!("{name}")
        };
        let (reason, message) = refusal(&conversation.ask(&hello()));
        assert_eq!(reason, "not-permitted");
        assert!(message.contains("in sequence"), "{message}");
        assert!(conversation.is_ended());
        realm.wait_for_log(&format!("without {name}"));
    }
    well(&realm);
}

#[test]
fn what_is_altered_repeated_reordered_or_only_signed_ends_the_conversation() {
    let realm = realm();
    let session = ticket(&realm);
    let message = list().to_string();
    let message = message.as_bytes();
    type Step = Box<dyn Fn(&mut Conversation) -> Vec<Vec<u8>>>;
    let altered = |at: usize| -> Step {
        Box::new(move |conversation| {
            let mut token = conversation.wrap(list().to_string().as_bytes());
            let at = at.min(token.len() - 1);
            token[at] ^= 1;
            vec![token]
        })
    };
    let mut rows: Vec<(String, usize, Step)> = [0, 1, 2, 3, 4, 6, 8, 15, 16, 40, usize::MAX]
        .into_iter()
        .map(|at| (format!("octet {at}"), 0, altered(at)))
        .collect();
    let of = move |conversation: &mut Conversation| conversation.wrap(list().to_string().as_bytes());
    rows.push((
        "repeated".into(),
        1,
        Box::new(move |conversation| vec![of(conversation); 2]),
    ));
    rows.push((
        "reordered".into(),
        0,
        Box::new(move |conversation| {
            let first = of(conversation);
            vec![of(conversation), first]
        }),
    ));
    rows.push((
        "left out".into(),
        0,
        Box::new(move |conversation| {
            conversation.send += 1;
            vec![of(conversation)]
        }),
    ));
    rows.push((
        "only signed".into(),
        0,
        Box::new(|conversation| vec![conversation.sign(list().to_string().as_bytes())]),
    ));
    rows.push((
        "in the clear".into(),
        0,
        Box::new(|_| vec![list().to_string().into_bytes()]),
    ));
    rows.push(("nothing".into(), 0, Box::new(|_| vec![Vec::new()])));
    rows.push((
        "a header alone".into(),
        0,
        Box::new(|conversation| vec![conversation.wrap(b"")[..16].to_vec()]),
    ));
    rows.push((
        "turned back".into(),
        0,
        Box::new(|conversation| {
            // The daemon's own last token.
            conversation.send(&list());
            vec![socket::receive(&mut conversation.stream).unwrap()]
        }),
    ));
    assert!(!message.is_empty());
    for (what, answers, step) in rows {
        let mut conversation = Conversation::open(realm.admin(), &session);
        for token in step(&mut conversation) {
            let length = u32::try_from(token.len()).unwrap().to_be_bytes();
            let _ = conversation.stream.write_all(&[&length[..], &token].concat());
        }
        for _ in 0..answers {
            let (reason, _) = refusal(&conversation.receive().unwrap());
            assert_eq!(reason, "not-permitted", "{what}");
        }
        assert!(conversation.is_ended(), "{what}");
    }
    realm.wait_for_log("is ended: not a sealed message of this conversation");
    realm.wait_for_log("is ended: a message that is signed and not sealed");
    well(&realm);
}

#[test]
fn a_good_token_with_nonsense_in_it_is_told_so_and_ends_the_conversation() {
    let realm = realm();
    let session = ticket(&realm);
    for nonsense in [
        &b""[..],
        b"{",
        b"null",
        b"\"stop\"",
        b"{\"show\":{\"name\":\"a\",\"all\":true}}",
        b"\xff\xff",
        &[b'['; 100_000],
    ] {
        let mut conversation = Conversation::open(realm.admin(), &session);
        let token = conversation.wrap(nonsense);
        socket::send(&mut conversation.stream, &token);
        let (reason, message) = refusal(&conversation.receive().unwrap());
        assert_eq!(reason, "invalid");
        assert!(message.starts_with("not a message of this protocol: "), "{message}");
        assert!(conversation.is_ended());
    }
    // Lengths that are not taken, before and after the context is there.
    let mut conversation = Conversation::open(realm.admin(), &session);
    conversation.stream.write_all(&u32::MAX.to_be_bytes()).unwrap();
    let (reason, message) = refusal(&conversation.receive().unwrap());
    assert_eq!(
        (reason.as_str(), message.contains("at most")),
        ("invalid", true),
        "{message}"
    );
    let mut stream = socket::connect(realm.admin());
    stream.write_all(&65_537_u32.to_be_bytes()).unwrap();
    assert_eq!(socket::receive(&mut stream), None);
    realm.wait_for_log("result=dropped reason=token-too-long");
    // Other versions.
    let mut conversation = Conversation::begun(realm.admin(), &session);
    let long = json!({"protocol": 1, "program": "x".repeat(1_000_000)});
    assert_eq!(refusal(&conversation.ask(&long)).0, "invalid");
    let mut conversation = Conversation::open(realm.admin(), &session);
    conversation.ask(&json!({"show": {"name": "x".repeat(1_000_000)}}));
    // Nobody fills the log with it.
    realm.wait_for_log("request=show");
    assert!(realm.log().lines().all(|line| line.len() < 4_000));
    let mut conversation = Conversation::begun(realm.admin(), &session);
    let (reason, message) = refusal(&conversation.ask(&json!({"protocol": 1, "program": "an old one"})));
    assert_eq!(reason, "invalid");
    assert!(
        message.starts_with("an old one speaks version 1 of the administration protocol"),
        "{message}"
    );
    well(&realm);
}

#[test]
fn whoever_is_locked_removed_or_expired_goes_on_no_further() {
    for (command, says) in [
        ("lock alice/admin", "has been locked"),
        ("set alice/admin --expires 2001-01-01", "has expired"),
        ("remove alice/admin", "is no more"),
        ("lock kadmin/admin", "kadmin/admin is locked"),
    ] {
        let realm = realm();
        let session = ticket(&realm);
        let mut conversation = Conversation::open(realm.admin(), &session);
        assert_eq!(refusal(&conversation.ask(&list())).0, "not-permitted");
        realm.principal(command).run().ok();
        if command.starts_with("remove") {
            // Somebody else under the same name.
            realm.add("alice/admin", PASSWORD);
        }
        let (reason, message) = refusal(&conversation.ask(&list()));
        assert_eq!(reason, "not-permitted");
        assert!(message.contains(says), "{command}: {message}");
        assert!(conversation.is_ended(), "{command}");
        // Nor does the ticket begin another conversation.
        let first = FirstToken::new(&session, context::USUAL);
        match begin(socket::connect(realm.admin()), &first) {
            Answer::Welcome(mut conversation) => assert_eq!(refusal(&conversation.ask(&hello())).0, "not-permitted"),
            Answer::Error(code) => assert_eq!(code, 45, "no key: {command}"),
            Answer::Nothing => panic!("{command}"),
        }
    }
}

#[test]
fn a_password_that_is_due_for_a_change_administers_nothing() {
    let realm = realm();
    let session = ticket(&realm);
    realm.principal("set alice/admin --must-change-password").run().ok();
    let mut conversation = Conversation::begun(realm.admin(), &session);
    let (_, message) = refusal(&conversation.ask(&hello()));
    assert_eq!(message, "the password must be changed");
    realm.wait_for_log("reason=password-must-change");
    realm
        .principal("set alice/admin --must-change-password no --password-expires 2001-01-01")
        .run()
        .ok();
    let mut conversation = Conversation::begun(realm.admin(), &session);
    assert_eq!(refusal(&conversation.ask(&hello())).0, "not-permitted");
    realm.wait_for_log("reason=password-expired");
}

#[test]
fn a_renamed_administrator_is_known_by_the_new_name() {
    let realm = realm();
    let mut conversation = Conversation::open(realm.admin(), &ticket(&realm));
    realm.principal("rename alice/admin al/admin").run().ok();
    let (_, message) = refusal(&conversation.ask(&list()));
    assert!(message.starts_with("al/admin@EXAMPLE.COM has no right to"), "{message}");
}

#[test]
fn a_conversation_ends_with_its_ticket() {
    let realm = builder().section("[tickets]\nclock-skew = \"1s\"").with_clock().start();
    realm.add("alice/admin", PASSWORD);
    let mut conversation = Conversation::open(realm.admin(), &ticket(&realm));
    assert_eq!(refusal(&conversation.ask(&list())).0, "not-permitted");
    realm.clock().forward(4 * 3600);
    conversation.send(&list());
    assert!(conversation.is_ended());
    realm.wait_for_log("the context ended at");
}

#[test]
fn the_slow_the_silent_and_the_many_keep_nobody_on_this_machine_out() {
    let realm = realm();
    let session = ticket(&realm);
    let from = |last: u8| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let own = SocketAddr::from((Ipv4Addr::new(127, 0, 1, last), 0));
        socket.bind(&own.into()).unwrap();
        socket.connect(&realm.admin().into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    };
    let start = Instant::now();
    // Four of one address are let in and waited for; a fifth is not.
    let mut held: Vec<_> = (0..4).map(|_| from(1)).collect();
    let mut fifth = from(1);
    assert_eq!(fifth.read(&mut [0]).unwrap_or(0), 0, "the fifth of one address");
    realm.wait_for_log("result=dropped reason=busy");
    Conversation::open(realm.admin(), &session);
    // Half a token, an octet at a time, a whole one that is garbage, and nothing at all.
    held[0].write_all(&[0, 0, 1, 0, 0x60]).unwrap();
    held[1].write_all(&[0, 0]).unwrap();
    socket::send(&mut held[2], &random::<200>());
    assert_eq!(held[2].read(&mut [0]).unwrap(), 0);
    // And all the others that fit, from as many addresses.
    held.extend((2..=8).flat_map(|last| (0..4).map(move |_| last)).map(from));
    let mut late = from(9);
    assert!(late.read(&mut [0]).is_ok_and(|octets| octets == 0) || late.take_error().is_ok());
    realm.principal("list").run().ok();
    // However they drip: it takes ten seconds, and no more.
    while start.elapsed() < Duration::from_secs(9) {
        let _ = held[0].write_all(&[0]);
        thread::sleep(Duration::from_millis(500));
    }
    for stream in &mut held {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(
        start.elapsed() < Duration::from_secs(50),
        "they were waited for too long"
    );
    realm.wait_for_log("result=dropped reason=too-slow");
    Conversation::open(realm.admin(), &session);
    well(&realm);
}

#[test]
fn one_administrator_does_not_take_all_places() {
    let realm = realm();
    let session = ticket(&realm);
    let mut open: Vec<_> = (0..8).map(|_| Conversation::open(realm.admin(), &session)).collect();
    let mut ninth = Conversation::open(realm.admin(), &session);
    let (reason, message) = refusal(&ninth.receive().unwrap());
    assert_eq!(reason, "unavailable", "{message}");
    assert!(ninth.is_ended());
    realm.add("bob/admin", PASSWORD);
    let mut bob = Conversation::open(realm.admin(), &ticket_for(&realm, "bob/admin", "kadmin/admin"));
    assert_eq!(refusal(&bob.ask(&list())).0, "not-permitted");
    for conversation in &mut open {
        assert_eq!(refusal(&conversation.ask(&list())).0, "not-permitted");
    }
    drop(open);
    let room = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(20));
        let mut next = Conversation::open(realm.admin(), &session);
        next.send(&list());
        next.receive()
            .is_some_and(|answer| refusal(&answer).0 == "not-permitted")
    });
    assert!(room);
}

#[test]
fn garbage_from_afar_hurts_nobody() {
    let realm = realm();
    let good = FirstToken::new(&ticket(&realm), context::USUAL);
    for n in 0..120_usize {
        let noise = random::<256>();
        let packet = match n % 8 {
            0 => vec![0xff; 8],
            1 => [&[0, 0, 0, 10][..], b"{\"proto"].concat(),
            2 => [&[0, 0, 0, 2][..], b"{}"].concat(),
            3 => noise.to_vec(),
            4 => [&[0, 0, 0, 200][..], &noise[..200]].concat(),
            5 => [&[0, 0, 0, 60][..], &framed(&noise[..40])].concat(),
            6 => [&[0, 0, 0, 0][..], &good.octets].concat(),
            _ => Vec::new(),
        };
        let mut stream = socket::connect(realm.admin());
        let _ = stream.write_all(&packet);
        if n % 3 == 0 {
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
    well(&realm);
}

#[test]
fn a_change_whose_connection_dies_is_done_whole_and_logged() {
    let realm = Realm::start();
    let stream = UnixStream::connect(realm.state().join("admin.sock")).unwrap();
    let say = |mut stream: &UnixStream, message: Value| {
        let text = message.to_string();
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], text.as_bytes()].concat()).unwrap();
    };
    say(&stream, hello());
    // The greeting comes back before anything else is said; a connection that dies before is none.
    let mut welcome = stream.try_clone().unwrap();
    let mut length = [0; 4];
    welcome.read_exact(&mut length).unwrap();
    let mut greeting = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    welcome.read_exact(&mut greeting).unwrap();
    // It costs half a second to make these keys, and nobody waits for them.
    let many: Vec<Value> = (0..40)
        .map(|n| json!({"name": format!("user-{n}"), "keys": {"password": "wonderland"}}))
        .collect();
    say(&stream, json!({"import": {"principals": many}}));
    drop((stream, welcome));
    realm.wait_for_log("request=import count=40 result=done answered=no");
    let listed = realm.principal("list user-*").run().ok();
    assert_eq!(listed.matches("user-").count(), 40, "{listed}");
    // One that was never sent whole was never asked for.
    let mut stream = UnixStream::connect(realm.state().join("admin.sock")).unwrap();
    let half = b"{\"add\":{\"name\":\"half\"";
    let hello = hello().to_string();
    let length = u32::try_from(hello.len()).unwrap().to_be_bytes();
    stream
        .write_all(&[&length[..], hello.as_bytes(), &[0, 0, 0, 60], half].concat())
        .unwrap();
    drop(stream);
    realm.wait_for_log("an administrator from admin.sock is ended: the connection failed");
    assert!(!realm.principal("list").run().ok().contains("half"));
}

#[test]
#[ignore = "needs MIT's tools"]
fn the_journal_says_from_where_and_by_what_proof() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    let desk = realm.workstation();
    desk.mit("kpasswd alice")
        .stdin("wonderland\nlooking-glass\nlooking-glass\n")
        .run()
        .ok();
    let log = realm.kdc("log").run().ok();
    let of = |what: &str, whose: &str| -> Vec<String> {
        let line = log.lines().find(|line| line.contains(&format!("\t{what}\t{whose}\t")));
        line.unwrap_or_else(|| panic!("{log}"))
            .split('\t')
            .skip(2)
            .map(str::to_owned)
            .collect()
    };
    let [who, _, _, from, factors] = &of("added", "alice")[..] else {
        panic!("{log}")
    };
    assert!(who.starts_with("uid "));
    assert_eq!((from.as_str(), factors.as_str()), ("admin.sock", "peer-credentials"));
    let [who, _, _, from, factors] = &of("changed", "alice")[..] else {
        panic!("{log}")
    };
    assert_eq!((who.as_str(), factors.as_str()), ("alice@EXAMPLE.COM", "ticket"));
    assert!(from.parse::<SocketAddr>().is_ok(), "{from}");
    let [who, _, _, from, factors] = &of("added", "kadmin/admin")[..] else {
        panic!("{log}")
    };
    assert_eq!((who.as_str(), from.as_str(), factors.as_str()), ("kdc", "-", "-"));
    let log = realm.log();
    assert!(
        log.contains(" from=admin.sock factors=peer-credentials request=add"),
        "{log}"
    );
}

/// Passes what comes, and keeps it: each message of each direction may be altered.
struct Tap {
    address: SocketAddr,
    seen: Arc<std::sync::Mutex<Vec<u8>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

impl Tap {
    fn to(target: SocketAddr, alter: impl Fn(Way, usize, &mut Vec<u8>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, alter) = (Arc::new(std::sync::Mutex::new(Vec::new())), Arc::new(alter));
        let keep = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(target).unwrap();
                for (way, mut from, mut to) in [
                    (Way::There, client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (Way::Back, server, client),
                ] {
                    let (alter, keep) = (Arc::clone(&alter), Arc::clone(&keep));
                    thread::spawn(move || {
                        for n in 0.. {
                            let Some(mut message) = whole(&mut from) else {
                                break;
                            };
                            keep.lock().unwrap().extend_from_slice(&message);
                            alter(way, n, &mut message);
                            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
                            if to.write_all(&[&length[..], &message].concat()).is_err() {
                                break;
                            }
                        }
                        let _ = to.shutdown(std::net::Shutdown::Both);
                        let _ = from.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        Self { address, seen }
    }
}

fn whole(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap().min(8 << 20)];
    from.read_exact(&mut message).ok()?;
    Some(message)
}

#[test]
fn our_client_believes_nothing_that_was_altered_on_the_way() {
    let realm = realm();
    let desk = realm.workstation();
    let through = |tap: &Tap| {
        let tool = at(tap.address, &desk, "-p alice/admin add mallory --password-file");
        let file = desk.path("new-password");
        std::fs::write(&file, "queen-of-hearts\n").unwrap();
        tool.arg(file).stdin(format!("{PASSWORD}\n")).run()
    };
    let honest = Tap::to(realm.admin(), |_, _, _| {});
    through(&honest).refused_with(NO_RIGHT);
    for secret in ["queen-of-hearts", PASSWORD, "mallory", "no right"] {
        let seen = honest.seen.lock().unwrap();
        assert!(
            !seen.windows(secret.len()).any(|part| part == secret.as_bytes()),
            "{secret}"
        );
    }
    // The daemon's proof, its greeting and its answer; and what goes there.
    for (way, which, says) in [
        (Way::Back, 0, "did not prove to be kadmin/admin@EXAMPLE.COM"),
        (Way::Back, 1, "not a sealed message"),
        (Way::Back, 2, "not a sealed message"),
        (Way::There, 0, "does not take the ticket"),
        (Way::There, 1, "hung up"),
        (Way::There, 2, "hung up"),
    ] {
        let tap = Tap::to(realm.admin(), move |is, n, message| {
            if is == way && n == which {
                let last = message.len() - 1;
                message[last] ^= 1;
            }
        });
        through(&tap).refused_with(says);
    }
    well(&realm);
}

#[test]
#[ignore = "needs Python's gssapi and MIT's tools"]
fn mits_library_seals_a_conversation_as_ours_does() {
    let realm = realm();
    let desk = realm.workstation();
    desk.mit("kinit -S kadmin/admin alice/admin")
        .stdin(format!("{PASSWORD}\n"))
        .run()
        .ok();
    let said = desk
        .python("admin_client.py")
        .arg(realm.admin().to_string())
        .arg(list().to_string())
        .arg(json!({"show": {"name": "x".repeat(100_000)}}).to_string())
        .run()
        .ok();
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["realm"], "EXAMPLE.COM");
    assert!(
        lines.len() == 3 && lines[1..].iter().all(|line| refusal(line).0 == "not-permitted"),
        "{said}"
    );
}

#[test]
#[ignore = "needs MIT's tools"]
fn an_operator_administers_from_afar_as_over_the_socket() {
    let realm = realm_with_an_operator();
    let desk = realm.workstation();
    let cache = format!("FILE:{}", desk.path("admin-cache").display());
    desk.mit(&format!("kinit -S kadmin/admin -c {cache} alice/admin"))
        .stdin(format!("{PASSWORD}\n"))
        .run()
        .ok();
    let operator = |line: &str| afar(&realm, &desk, &format!("-c {cache} {line}"));
    // The administrator's password and the new one, each on a line of its own.
    afar(&realm, &desk, "-p alice/admin add bob")
        .stdin(format!("{PASSWORD}\nbuilder\n"))
        .run()
        .ok();
    desk.mit("kinit bob").stdin("builder\n").run().ok();
    operator("add host/www --random-key").run().ok();
    desk.mit("kvno host/www").run().ok();
    let keytab = desk.keytab();
    operator("keytab host/www --output").arg(&keytab).run().ok();
    let listed = desk.mit("klist -k").run().ok();
    assert!(listed.contains("host/www@EXAMPLE.COM"), "{listed}");
    operator("lock bob").run().ok();
    desk.mit("kinit bob").stdin("builder\n").run().refused();
    let listed: Value = serde_json::from_str(&operator("list --json").run().ok()).unwrap();
    assert!(listed.to_string().contains("host/www"), "{listed}");
    let local: Value = serde_json::from_str(&realm.principal("list --json").run().ok()).unwrap();
    assert_eq!(listed, local);
    // Many, in several messages.
    let lines: String = (0..2500)
        .map(|n| format!("{}\n", json!({"name": format!("svc/{n}"), "random-key": true})))
        .collect();
    let file = desk.path("many.ndjson");
    std::fs::write(&file, lines).unwrap();
    operator("import").arg(&file).run().ok();
    assert_eq!(operator("list svc/*").run().ok().matches("svc/").count(), 2500);
    operator("remove nobody")
        .run()
        .refused_with("there is no principal nobody@EXAMPLE.COM");
    operator("reload").run().ok();
    // Who did it, from where, by which proof.
    let log = realm.kdc("log").run().ok();
    let added = log.lines().find(|line| line.contains("\tadded\tbob\t")).unwrap();
    let fields: Vec<&str> = added.split('\t').collect();
    assert_eq!((fields[2], fields[6]), ("alice/admin@EXAMPLE.COM", "long-term-key"));
    assert!(fields[5].starts_with("127.0.0.1:"), "{added}");
}

#[test]
fn an_operators_change_whose_connection_dies_is_done_whole_or_not_at_all() {
    let realm = realm_with_an_operator();
    let session = ticket(&realm);
    for n in 0..20 {
        let mut conversation = Conversation::open(realm.admin(), &session);
        let add = json!({"add": {"name": format!("cut-{n}"), "keys": {"password": "wonderland"}}});
        let token = conversation.wrap(add.to_string().as_bytes());
        let length = u32::try_from(token.len()).unwrap().to_be_bytes();
        let packet = [&length[..], &token].concat();
        // Half of them hang up in the middle of the message, the others right behind it.
        let end = if n % 2 == 0 { packet.len() / 2 } else { packet.len() };
        conversation.stream.write_all(&packet[..end]).unwrap();
    }
    realm.wait_for_log("principal=\"cut-19\" result=done");
    let expected: Vec<String> = (0..20).filter(|n| n % 2 == 1).map(|n| format!("cut-{n}")).collect();
    let start = Instant::now();
    loop {
        let listed: Value = serde_json::from_str(&realm.principal("list cut-* --json").run().ok()).unwrap();
        let listed = listed.to_string();
        let there = (0..20)
            .map(|n| format!("cut-{n}"))
            .filter(|name| listed.contains(&format!("{name}@")));
        let there: Vec<String> = there.collect();
        if there == expected {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{there:?}");
        thread::sleep(Duration::from_millis(50));
    }
    well(&realm);
}

#[test]
fn a_right_that_is_taken_away_counts_for_the_next_request() {
    let realm = realm_with_an_operator();
    let mut conversation = Conversation::open(realm.admin(), &ticket(&realm));
    let show = json!({"show": {"name": "alice/admin"}});
    assert!(conversation.ask(&show).get("principal").is_some());
    realm.principal("set alice/admin --remove-role operator").run().ok();
    assert_eq!(refusal(&conversation.ask(&show)).0, "not-permitted");
    realm.principal("set alice/admin --add-role operator").run().ok();
    assert!(conversation.ask(&show).get("principal").is_some());
}

/// A million bad requests, most of them over the socket, where nothing but the request costs anything; the daemon is no
/// larger afterwards.
#[test]
fn a_million_bad_requests_leave_no_trace_in_memory() {
    const OVER_SOCKET: usize = 980_000;
    const OVER_NETWORK: usize = 20_000;
    const SEALED: usize = 20_000;
    const GROWTH_KB: usize = 24 << 10;
    let realm = realm();
    let session = ticket(&realm);
    // Enough of each that whatever is kept once is there.
    over_socket(&realm, 20_000);
    sealed(&realm, &session, 1_000);
    garbage(&realm, 500);
    let before = resident_kb(&realm);
    thread::scope(|scope| {
        scope.spawn(|| over_socket(&realm, OVER_SOCKET));
        scope.spawn(|| garbage(&realm, OVER_NETWORK));
        scope.spawn(|| sealed(&realm, &session, SEALED));
    });
    let after = resident_kb(&realm);
    println!("resident: {before} kB before, {after} kB after");
    assert!(after < before + GROWTH_KB, "{before} kB before, {after} kB after");
    realm.principal("list").run().ok();
    Conversation::open(realm.admin(), &session);
}

fn resident_kb(realm: &Realm) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", realm.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Requests that are refused, one connection for all of a kind, many under way at a time.
fn over_socket(realm: &Realm, count: usize) {
    const AT_A_TIME: usize = 500;
    let rows = [
        json!({"show": {"name": "nobody"}}),
        json!({"lock": {"name": "no\\xbody/here"}}),
        json!({"add": {"name": "alice/admin", "keys": "random"}}),
        json!({"set": {"name": "nobody", "settings": {"max-life": "1h"}}}),
        json!({"rename": {"name": "krbtgt/EXAMPLE.COM", "to": "x"}}),
        json!({"keytab": {"names": ["nobody", "nobody"], "rotate": true}}),
        json!({"add-rule": {"name": "!", "parts": {}}}),
    ];
    let mut stream = UnixStream::connect(realm.state().join("admin.sock")).unwrap();
    let packet = |message: &Value| {
        let text = message.to_string();
        [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
    };
    stream.write_all(&packet(&hello())).unwrap();
    let mut read = std::io::BufReader::with_capacity(1 << 20, stream.try_clone().unwrap());
    let mut answer = move || {
        let mut length = [0; 4];
        read.read_exact(&mut length).unwrap();
        let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        read.read_exact(&mut message).unwrap();
        message
    };
    assert!(answer().starts_with(b"{\"protocol\""));
    let batch: Vec<u8> = rows.iter().cycle().take(AT_A_TIME).flat_map(packet).collect();
    for _ in 0..count / AT_A_TIME {
        stream.write_all(&batch).unwrap();
        for _ in 0..AT_A_TIME {
            assert!(answer().starts_with(b"{\"refused\""));
        }
    }
}

/// Connections that send what is no first token.
fn garbage(realm: &Realm, count: usize) {
    for n in 0..count {
        let noise = random::<64>();
        let Ok(mut stream) = TcpStream::connect(realm.admin()) else {
            continue;
        };
        let packet = match n % 4 {
            0 => [&[0, 0, 0, 64][..], &noise].concat(),
            1 => [&[0, 0, 0, 55][..], &framed(&noise[..40])].concat(),
            2 => noise.to_vec(),
            _ => Vec::new(),
        };
        let _ = stream.write_all(&packet);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read(&mut [0; 256]);
    }
}

/// Sealed requests of somebody who has no right; every hundredth is nonsense, and ends its conversation.
fn sealed(realm: &Realm, session: &Session, count: usize) {
    for _ in 0..count / 100 {
        let mut conversation = Conversation::open(realm.admin(), session);
        for _ in 0..99 {
            conversation.send(&list());
        }
        let nonsense = conversation.wrap(b"{\"nonsense\":1}");
        socket::send(&mut conversation.stream, &nonsense);
        for _ in 0..99 {
            assert_eq!(refusal(&conversation.receive().unwrap()).0, "not-permitted");
        }
        assert_eq!(refusal(&conversation.receive().unwrap()).0, "invalid");
    }
}

#[test]
fn the_protocols_version_is_the_one_that_is_documented() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/admin-protocol.md")).unwrap();
    assert!(document.contains(&format!("version {}", admin::PROTOCOL)));
}
