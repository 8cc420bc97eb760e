//! What people ask of the account: what happened, which sessions there are and were, what somebody did. MIT's programs cause
//! what happens; `principal log`, `sessions` and `usage` tell it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tessera_tests::wire::admin::{Conversation, hello};
use tessera_tests::wire::{KdcReq, Name, Session, crypto::Key, login_by_preauth, socket};
use tessera_tests::{Realm, RealmBuilder, Relay, Tool, Workstation, until, until_found};

const PASSWORD: &str = "looking-glass";
const PATIENCE: Duration = Duration::from_secs(60);
/// What clients ask for: to ask what happened is something that happened, too.
const REQUESTS: &str = "--kind as --kind tgs --kind password";

/// alice/admin may do everything; desk/admin sees students alone.
fn builder() -> RealmBuilder {
    Realm::builder()
        .from_afar()
        .section("[roles.operator]\nrights = [\"admin\"]\n[roles.desk]\nrights = [\"viewer:*/student\"]")
}

fn with_administrators(realm: &Realm) {
    for (name, role) in [("alice/admin", "operator"), ("desk/admin", "desk")] {
        realm.add(name, PASSWORD);
        realm.principal(&format!("set {name} --add-role {role}")).run().ok();
    }
}

fn ticket(realm: &Realm, client: &str) -> Session {
    let key = Key::from_password(PASSWORD, &format!("EXAMPLE.COM{}", client.replace('/', "")));
    let request = KdcReq {
        sname: Some(Name::new("kadmin/admin")),
        ..KdcReq::initial(client)
    };
    login_by_preauth(realm.kerberos(), &request, &key)
}

/// Our `principal` from afar.
fn afar(realm: &Realm, server: SocketAddr, who: &str, line: &str) -> Tool {
    let desk = realm.workstation();
    desk.ours(&format!("principal --server {server} -p {who} {line}"))
        .stdin(format!("{PASSWORD}\n"))
}

fn lines(text: &str) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}

/// What `principal log --json` tells.
#[track_caller]
fn log(realm: &Realm, flags: &str) -> Vec<Value> {
    lines(&realm.principal(&format!("log --json {flags}")).run().ok())
}

/// The same, when there is so much; what happened is in the log a moment later.
#[track_caller]
fn log_of(realm: &Realm, flags: &str, count: usize) -> Vec<Value> {
    let told = until_found(&format!("{flags} are {count}"), || {
        Some(log(realm, flags)).filter(|told| told.len() >= count)
    });
    assert_eq!(told.len(), count, "{flags}: {told:#?}");
    told
}

#[track_caller]
fn sessions(realm: &Realm, flags: &str) -> Vec<Value> {
    serde_json::from_str(&realm.principal(&format!("sessions --json {flags}")).run().ok()).unwrap()
}

fn each<'v>(events: &'v [Value], field: &str) -> Vec<&'v str> {
    events
        .iter()
        .map(|event| event[field].as_str().unwrap_or("-"))
        .collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn login(desk: &Workstation, name: &str, password: &str) -> bool {
    let kinit = desk.mit(&format!("kinit {name}")).stdin(format!("{password}\n"));
    kinit.run().status.success()
}

/// A program that goes on, and the lines that it says.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(tool: Tool, stdin: &str) -> Self {
        let mut command = tool.into_command();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// The next event about a request of this kind.
    #[track_caller]
    fn next(&self, kind: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("nothing more came");
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["kind"] == kind {
                return event;
            }
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn what_happened_is_found_by_whom_where_what_and_when() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    realm.add("bob", "builder");
    realm.principal("add host/www --random-key").run().ok();
    let desk = realm.workstation();
    assert!(login(&desk, "alice", "wonderland"));
    desk.mit("kvno host/www").run().ok();
    assert!(!login(&desk.another(), "alice", "wrong"));
    let kpasswd = desk.mit("kpasswd alice").stdin("wonderland\nmuchness-9\nmuchness-9\n");
    kpasswd.run().ok();
    assert!(login(&desk.another(), "bob", "builder"));
    assert!(!login(&desk.another(), "mallory", "nobody"));

    // By name: as client, as service, and of one whom nobody knows.
    let of_bob = log_of(&realm, "bob --kind as --result issued", 1);
    assert_eq!(each(&of_bob, "client"), ["bob"]);
    let to_www = log_of(&realm, "host/www --kind tgs", 1);
    assert_eq!(
        (to_www[0]["client"].as_str(), to_www[0]["result"].as_str()),
        (Some("alice"), Some("issued"))
    );
    assert!(to_www[0]["client-id"].is_string() && to_www[0]["service-id"].is_string());
    let unknown = log_of(&realm, "mallory --kind as", 1);
    assert_eq!(each(&unknown, "result"), ["refused"]);
    // Several at once are either.
    assert_eq!(
        log_of(
            &realm,
            "bob mallory --kind as --reason client-unknown --reason proof-missing",
            2
        )
        .len(),
        2
    );

    // By kind, by result, by reason: each leaves out what the others are.
    let kinds = log_of(&realm, "alice --kind password", 1);
    assert_eq!(each(&kinds, "result"), ["password-changed"]);
    let wrong = log_of(&realm, "--reason wrong-proof", 1);
    assert_eq!(
        (each(&wrong, "client"), each(&wrong, "kind")),
        (vec!["alice"], vec!["as"])
    );
    assert!(log(&realm, "alice --kind as --result issued --reason wrong-proof").is_empty());
    let changes = log(&realm, "alice --kind admin");
    assert_eq!(
        (&changes[0]["request"], &changes[0]["result"]),
        (&json!("add"), &json!("done"))
    );
    // Whoever asks is in it, too.
    assert!(
        each(&changes, "request")[1..]
            .iter()
            .all(|request| *request == "events")
    );

    // By time: before and after an event, to the microsecond.
    let of_alice = |flags: &str| log(&realm, &format!("alice {REQUESTS} {flags}"));
    let all = of_alice("");
    let middle = &all[all.len() / 2];
    let time = middle["time"].as_str().unwrap();
    let since = of_alice(&format!("--since {time}"));
    let until = of_alice(&format!("--until {time}"));
    assert_eq!(since[0], *middle);
    assert_eq!(([until, since].concat()), all);
    assert_eq!(of_alice("--since 1h"), all);
    assert!(of_alice("--until 1h").is_empty());
    assert!(of_alice("--since 2026-01-01 --until 2026-01-02").is_empty());
    assert_eq!(of_alice("--last 2"), all[all.len() - 2..]);
    assert_eq!(of_alice("--last 1000"), all);
    assert!(of_alice("--last 0").is_empty());
    let numbers: Vec<u64> = log(&realm, "").iter().map(|event| number(&event["seq"])).collect();
    assert!(numbers.is_sorted() && numbers[0] == 1, "{numbers:?}");

    // In a pipe a line is columns with tabs between; at a terminal they are aligned, with a heading.
    let text = realm.principal("log alice --reason wrong-proof").run().ok();
    let cells: Vec<&str> = text.trim_end().split('\t').collect();
    assert_eq!(
        (cells[0], cells[1], cells[2]),
        (wrong[0]["time"].as_str().unwrap(), "as", "alice")
    );
    assert!(
        cells[3].starts_with("127.0.0.1:") && cells[4].starts_with("krbtgt/"),
        "{text}"
    );
    assert!(cells[5].starts_with("refused, wrong-proof"), "{text}");
    let seen = realm
        .principal("log alice --reason wrong-proof")
        .at_terminal()
        .finish()
        .ok();
    assert!(
        seen.contains("What came of it") && seen.contains("refused, wrong-proof"),
        "{seen}"
    );

    // What makes no sense is wrong usage.
    for line in [
        "log --since tomorrow",
        "log --kind login",
        "log --from www",
        "sessions --since 1h",
        "usage",
    ] {
        realm.principal(line).run().status(2);
    }
    realm.principal("log alice@OTHER/X@Y").run().status(1);
}

fn ask_from(from: Ipv4Addr, kdc: SocketAddr, client: &str) {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&KdcReq::initial(client).to_der(), kdc).unwrap();
    socket.recv_from(&mut [0; 65536]).unwrap();
}

#[test]
fn what_happened_is_found_by_the_address_and_the_network_that_it_came_from() {
    let realm = Realm::builder()
        .listen("kerberos = [\"127.0.0.1:0\", \"[::1]:0\"]\n")
        .start();
    let ready = realm.log();
    let six: SocketAddr = ready
        .split([' ', ',', '\n', '='])
        .find(|word| word.starts_with("[::1]:"))
        .map(|address| address.parse().unwrap())
        .unwrap();
    for last in [2, 3, 130] {
        ask_from(
            Ipv4Addr::new(127, 0, 0, last),
            realm.kerberos(),
            &format!("from-{last}"),
        );
    }
    let _ = tessera_tests::wire::ask(six, &KdcReq::initial("from-six").to_der());
    for (flags, clients) in [
        ("--from 127.0.0.2", &["from-2"][..]),
        ("--from 127.0.0.0/25", &["from-2", "from-3"]),
        ("--from 127.0.0.0/8", &["from-2", "from-3", "from-130"]),
        ("--from ::1", &["from-six"]),
        ("--from ::/0 --from 127.0.0.3", &["from-3", "from-six"]),
        ("--from 192.0.2.0/24", &[]),
    ] {
        let told = log_of(&realm, &format!("--kind as {flags}"), clients.len());
        assert_eq!(each(&told, "client"), clients, "{flags}");
    }
}

#[test]
fn a_principal_keeps_its_events_under_a_new_name_and_leaves_them_to_nobody() {
    let realm = Realm::start();
    let ask = |name: &str| {
        drop(tessera_tests::wire::ask(
            realm.kerberos(),
            &KdcReq::initial(name).to_der(),
        ));
    };
    ask("alice");
    realm.principal("add alice --random-key").run().ok();
    ask("alice");
    realm.principal("rename alice al").run().ok();
    ask("al");
    ask("alice");
    // Under its name it has both; what came before it was there, and what came for the name when it had another, is nobody's.
    let told = log_of(&realm, "al --kind as", 2);
    assert_eq!(each(&told, "client"), ["alice", "al"]);
    assert_eq!(told[0]["client-id"], told[1]["client-id"]);
    realm.principal("remove al").run().ok();
    realm.principal("add al --random-key").run().ok();
    ask("al");
    let anew = log_of(&realm, "al --kind as", 1);
    assert_ne!(anew[0]["client-id"], told[0]["client-id"]);
    // By a name that is nobody's now, whatever was ever asked for in that name.
    assert_eq!(log_of(&realm, "alice --kind as", 3).len(), 3);
    let usage: Value = serde_json::from_str(&realm.principal("usage alice --json").run().ok()).unwrap();
    assert_eq!((usage["id"].is_null(), usage["first-seen"].is_null()), (true, true));
    assert_eq!(usage["refusals"]["client-unknown"], 2);
}

#[test]
#[ignore = "needs MIT's tools"]
fn what_happens_is_seen_as_it_does_from_here_and_by_who_may_see_it_from_afar() {
    let realm = builder().start();
    with_administrators(&realm);
    for name in ["carol/student", "dave"] {
        realm.add(name, "wonderland");
    }
    let mut local = Following::start(realm.principal("log --follow --json --last 1"), "");
    let first = local.lines.recv_timeout(PATIENCE).unwrap();
    assert!(first.contains("\"seq\":"), "{first}");
    let desk = realm.workstation();
    let far = desk.ours(&format!(
        "principal --server {} -p desk/admin log --follow --json --last 0 --kind as",
        realm.admin()
    ));
    let mut far = Following::start(far, &format!("{PASSWORD}\n"));
    // That it follows is seen by its session.
    while local.next("session-start")["client"] != "desk/admin@EXAMPLE.COM" {}
    // What happens before it is there is not what happens from then on: so it is asked again until it tells.
    until("whoever follows from afar is told", || {
        let told = far.lines.try_recv().is_ok();
        assert!(told || login(&desk.another(), "carol/student", "wonderland"));
        told
    });
    while local.next("as")["result"] != "issued" {}
    for name in ["dave", "carol/student"] {
        assert!(login(&desk.another(), name, "wonderland"));
    }
    let mut dave = local.next("as");
    while dave["client"] != "dave" {
        dave = local.next("as");
    }
    // dave's came before carol's, and is not for desk/admin to see.
    for _ in 0..2 {
        assert_eq!(far.next("as")["client"], "carol/student");
    }

    // What it asks for otherwise is no more.
    let limited = |line: &str| afar(&realm, realm.admin(), "desk/admin", line).run();
    let told = lines(&limited("log --json --kind as --result issued").ok());
    assert!(!told.is_empty() && each(&told, "client").iter().all(|client| *client == "carol/student"));
    let last = lines(&limited("log --json --kind as --result issued --last 1").ok());
    assert_eq!(last, told[told.len() - 1..]);
    limited("log dave").refused_with("events dave@EXAMPLE.COM needs the right viewer over dave@EXAMPLE.COM");
    limited("usage dave").refused_with("usage dave@EXAMPLE.COM needs the right viewer");
    limited("usage carol/student").ok();
    assert_eq!(limited("sessions --json").ok().trim(), "[]");
    let explained = realm.principal("explain desk/admin --act usage --on dave").run().ok();
    assert!(explained.contains("Refused: refused: not-permitted"), "{explained}");
    let explained = realm.principal("explain desk/admin --act events").run().ok();
    assert!(explained.contains("Refused: no"), "{explained}");

    // Whose right is taken away is told so, and no more.
    realm.principal("set desk/admin --remove-role desk").run().ok();
    assert!(login(&desk.another(), "carol/student", "wonderland"));
    assert_eq!(far.child.wait().unwrap().code(), Some(1));
    assert!(local.child.try_wait().unwrap().is_none());
}

#[test]
fn whoever_has_read_enough_ends_it_in_good_order() {
    let realm = Realm::start();
    let mut command = realm.principal("log --follow").into_command();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(first.contains("\tstarted\t"), "{first}");
    // Nobody reads any more, and there is something more to say.
    let status = until_found("it ends", || {
        realm.principal("list").run().ok();
        child.try_wait().unwrap()
    });
    assert!(status.success(), "{status}");
}

#[test]
fn sessions_are_accounted_for_to_the_octet_that_was_on_the_wire() {
    let realm = builder().start();
    with_administrators(&realm);
    let relay = Relay::to(realm.admin());
    afar(&realm, relay.address(), "alice/admin", "show alice/admin")
        .run()
        .ok();
    let told = until_found("the session has ended", || {
        Some(sessions(&realm, "alice/admin --ended")).filter(|told| !told.is_empty())
    });
    assert_eq!(told.len(), 1, "{told:#?}");
    let exchanges = relay.exchanges();
    assert_eq!(exchanges.len(), 3, "a token, a greeting, a request");
    let framed = |octets: &[u8]| u64::try_from(octets.len() + 4).unwrap();
    let sent: u64 = exchanges.iter().map(|exchange| framed(&exchange.request)).sum();
    let received: u64 = exchanges
        .iter()
        .map(|exchange| framed(exchange.reply.as_ref().unwrap()))
        .sum();
    let session = &told[0];
    assert_eq!(
        (number(&session["octets-in"]), number(&session["octets-out"])),
        (sent, received)
    );
    assert_eq!(
        (number(&session["requests"]), session["cause"].as_str()),
        (1, Some("client-closed"))
    );
    assert_eq!(session["client"], "alice/admin@EXAMPLE.COM");
    assert!(session["start"].as_str() < session["end"].as_str(), "{session}");
    // In the log it is a start and a stop.
    let id = session["session"].as_str().unwrap();
    let events = log(&realm, "alice/admin --kind session-start --kind session-stop");
    assert!(
        events.len() == 2 && events.iter().all(|event| event["session"] == id),
        "{events:#?}"
    );
    // --since leaves out what ended before.
    let end = session["end"].as_str().unwrap();
    let since = sessions(&realm, &format!("alice/admin --ended --since {end}"));
    assert_eq!(each(&since, "session"), [id]);
    assert!(sessions(&realm, "alice/admin --ended --since 0s").is_empty());
    // Over the socket they are sessions like any other.
    let text = realm.principal("sessions").run().ok();
    assert!(text.contains("\tuid ") && text.contains("\topen\t"), "{text}");
    let usage: Value = serde_json::from_str(&realm.principal("usage alice/admin --json").run().ok()).unwrap();
    assert_eq!(
        (
            number(&usage["sessions"]["count"]),
            number(&usage["sessions"]["octets-in"])
        ),
        (1, sent)
    );
}

#[test]
fn a_session_gives_word_of_itself_and_ends_with_the_daemon_however_that_ends() {
    let mut realm = builder().section("[accounting]\ninterim-every = \"1s\"").start();
    with_administrators(&realm);
    let show = json!({"show": {"name": "alice/admin"}});
    let mut killed = Conversation::open(realm.admin(), &ticket(&realm, "alice/admin"));
    killed.ask(&show);
    let open = sessions(&realm, "alice/admin");
    assert_eq!(
        (open.len(), open[0]["end"].is_null(), number(&open[0]["requests"])),
        (1, true, 1)
    );
    let interim = until_found("there is word of it twice", || {
        log(&realm, "alice/admin --kind session-interim").get(1).cloned()
    });
    assert!(
        number(&interim["duration-ms"]) >= 2000 && number(&interim["requests"]) == 1,
        "{interim}"
    );

    // Without a stop the next start tells what was known last.
    realm.kill();
    realm.restart();
    let stops = log_of(&realm, "alice/admin --kind session-stop", 1);
    assert_eq!(stops[0]["cause"], "daemon-lost");
    assert_eq!(stops[0]["session"], interim["session"]);
    assert!(number(&stops[0]["octets-in"]) == number(&interim["octets-in"]) && number(&interim["octets-in"]) > 0);
    assert!(number(&stops[0]["duration-ms"]) >= number(&interim["duration-ms"]));

    // In good order each has its stop before the daemon has.
    let mut stopped = Conversation::open(realm.admin(), &ticket(&realm, "alice/admin"));
    stopped.ask(&show);
    realm.stop();
    realm.restart();
    let stops = log_of(&realm, "alice/admin --kind session-stop", 2);
    assert_eq!(stops[1]["cause"], "daemon-stopped");
    // Of every session that began before, there is one start and one stop.
    let open = each(&sessions(&realm, ""), "session").concat();
    let events = log(&realm, "--kind session-start --kind session-stop");
    let mut ids: Vec<&str> = each(&events, "session");
    ids.retain(|id| !open.contains(id));
    ids.sort_unstable();
    let twice = ids.chunk_by(|a, b| a == b).filter(|of_one| of_one.len() != 2);
    let odd: Vec<_> = twice.collect();
    // But for that of the command that asked.
    assert!(odd.len() <= 1, "{odd:?} {events:#?}");
}

#[test]
#[ignore = "needs MIT's tools"]
fn usage_is_the_sum_of_what_was_done() {
    let realm = Realm::start();
    realm.add("alice", "wonderland");
    for service in ["host/www", "host/mail"] {
        realm.principal(&format!("add {service} --random-key")).run().ok();
    }
    let desk = realm.workstation();
    for _ in 0..3 {
        assert!(login(&desk, "alice", "wonderland"));
        desk.mit("kvno host/www").run().ok();
    }
    desk.mit("kvno host/mail").run().ok();
    for _ in 0..2 {
        assert!(!login(&desk.another(), "alice", "wrong"));
    }
    desk.mit("kpasswd alice")
        .stdin("wonderland\nmuchness-9\nmuchness-9\n")
        .run()
        .ok();
    realm
        .principal("password alice --password-file -")
        .stdin("tea-party-10\n")
        .run()
        .ok();
    let usage = |line: &str| -> Value {
        serde_json::from_str(&realm.principal(&format!("usage {line} --json")).run().ok()).unwrap()
    };
    let used = until_found("a password was given", || {
        Some(usage("alice")).filter(|used| number(&used["passwords-given"]) == 1)
    });
    // Three for a ticket-granting ticket, and one for changing the password.
    let logins = &used["logins"];
    assert_eq!(
        (number(&logins["issued"]), number(&logins["refused"])),
        (4, 2),
        "{used:#}"
    );
    assert!(number(&logins["asked-for-proof"]) >= 6, "{used:#}");
    assert_eq!(used["factors"].as_object().unwrap().len(), 1);
    assert_eq!(used["refusals"], json!({"wrong-proof": 2}));
    assert_eq!(
        used["tickets"],
        json!([{"name": "host/www", "count": 3}, {"name": "host/mail", "count": 1}])
    );
    assert_eq!(number(&used["tickets-in-all"]), 4);
    assert_eq!(
        (number(&used["password-changes"]), number(&used["passwords-given"])),
        (1, 1)
    );
    assert_eq!(used["addresses"].as_array().unwrap().len(), 1);
    assert_eq!(used["addresses"][0]["name"], "127.0.0.1");
    let (first, last) = (
        used["first-seen"].as_str().unwrap(),
        used["last-seen"].as_str().unwrap(),
    );
    assert!(first < last);
    // A span of time has what fell into it.
    let later = usage(&format!("alice --since {last}"));
    assert_eq!(
        (later["tickets-in-all"].as_u64(), later["first-seen"].as_str()),
        (Some(0), Some(last))
    );
    let earlier = usage(&format!("alice --until {first}"));
    assert!(earlier["first-seen"].is_null(), "{earlier:#}");
    assert_eq!(number(&usage("host/www")["tickets-to-it"]), 3);
    // The text says the same.
    let text = realm.principal("usage alice").run().ok();
    for line in ["Logins: 4 issued", "Tickets for: 3 host/www", "Refusals: 2 wrong-proof"] {
        assert!(text.lines().any(|said| said == line), "{text}");
    }
    // Nobody answers for a name that cannot be.
    realm.principal("usage bob@OTHER.ORG@X").run().status(1);
}

/// Frames over the socket, by hand.
fn send(stream: &mut UnixStream, message: &Value) {
    socket::send(stream, message.to_string().as_bytes());
}

fn receive(stream: &mut UnixStream) -> Value {
    serde_json::from_slice(&socket::receive(stream).expect("the daemon hung up")).unwrap()
}

#[test]
fn an_administrator_who_never_reads_holds_nobody_up() {
    let realm = Realm::start();
    for n in 0..50 {
        let _ = tessera_tests::wire::ask(realm.kerberos(), &KdcReq::initial(&format!("nobody-{n}")).to_der());
    }
    log_of(&realm, "--reason client-unknown", 50);
    let connect = || {
        let mut stream = UnixStream::connect(realm.state().join("admin.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        send(&mut stream, &hello());
        assert_eq!(receive(&mut stream)["realm"], "EXAMPLE.COM");
        stream
    };
    // Each answer is some 15 KB; all of them are more than a socket holds.
    let mut deaf = connect();
    for _ in 0..60 {
        send(&mut deaf, &json!({"events": {}}));
    }
    // Followers are so many, and no more; one that is told what happens is told in parts.
    let mut followers: Vec<UnixStream> = (0..16).map(|_| connect()).collect();
    for follower in &mut followers {
        send(follower, &json!({"events": {"follow": true, "last": 1}}));
        assert_eq!(receive(follower)["events"].as_array().unwrap().len(), 1);
    }
    let mut beyond = connect();
    send(&mut beyond, &json!({"events": {"follow": true}}));
    assert_eq!(receive(&mut beyond)["refused"]["reason"], "unavailable");
    let _ = tessera_tests::wire::ask(realm.kerberos(), &KdcReq::initial("somebody").to_der());
    for follower in &mut followers {
        loop {
            let told = receive(follower);
            let told = told["events"].as_array().unwrap();
            if told.iter().any(|event| event["client"] == "somebody") {
                break;
            }
        }
    }
    // One that hangs up makes room for another.
    drop(followers.pop());
    until("there is room for another", || {
        let mut another = connect();
        send(&mut another, &json!({"events": {"follow": true, "last": 1}}));
        receive(&mut another).get("events").is_some()
    });
    // And when the daemon stops, it says so.
    realm.signal(nix::sys::signal::Signal::SIGTERM);
    let last = loop {
        let told = receive(&mut followers[0]);
        if told.get("events").is_none() {
            break told;
        }
    };
    assert_eq!(last["refused"]["message"], "the daemon is stopping");
}
