//! Administration from afar: who gets in, what of it can be seen, altered or repeated on the way, and what becomes of those
//! who only want to be a nuisance. The conversations by hand follow docs/admin-protocol.md.

mod messages;
mod nuisance;
mod operator;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tessera_tests::wire::admin::{self, Answer, Conversation, FirstToken, begin, context, framed, hello};
use tessera_tests::wire::{ApReq, KdcReq, Name, Session, crypto::Key, login_by_preauth, random, socket};
use tessera_tests::{Exposition, Realm, RealmBuilder, Tool, Workstation, http};

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
    assert!(message.contains("; al/admin@EXAMPLE.COM has no right to"), "{message}");
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

#[test]
fn the_protocols_version_is_the_one_that_is_documented() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/admin-protocol.md")).unwrap();
    assert!(document.contains(&format!("version {}", admin::PROTOCOL)));
}
