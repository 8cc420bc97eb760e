//! Too many wrong passwords: how many are tried, who is shut out, for how long, and what of that survives a stop.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tessera_tests::wire::{KdcReq, Reply, ask, crypto::Key, now, pa_enc_timestamp, socket};
use tessera_tests::{Realm, Tool, Workstation};

const LIMITED: &str = "[policies.default]\nmax-failures = 3\nfailure-window = \"10m\"\nlockout = \"1h\"\n";
const REVOKED: &str = "Client's credentials have been revoked";
const WRONG: &str = "Password incorrect";

fn realm_with(sections: &str) -> Realm {
    let realm = Realm::builder().section(sections).with_clock().start();
    realm.add("alice", "wonderland");
    realm.add("bob", "builder");
    realm
}

fn json_of(tool: Tool) -> Value {
    let said = tool.run().ok();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// MIT's kinit with this password; what it says where it gets no ticket.
fn kinit(desk: &Workstation, name: &str, password: &str) -> Option<String> {
    let done = desk.mit(&format!("kinit {name}")).stdin(format!("{password}\n")).run();
    if done.status.success() {
        None
    } else {
        Some(done.refused())
    }
}

#[track_caller]
fn told(said: Option<String>, text: &str) {
    assert!(
        said.as_ref().is_some_and(|said| said.contains(text)),
        "{text}: {said:?}"
    );
}

fn request(client: &str, password: &str) -> Vec<u8> {
    request_at(client, password, now())
}

fn request_at(client: &str, password: &str, at: i64) -> Vec<u8> {
    let key = Key::from_password(password, &format!("EXAMPLE.COM{client}"));
    let mut request = KdcReq {
        till: at + 3600,
        ..KdcReq::initial(client)
    };
    request.padata.push(pa_enc_timestamp(&key, at));
    request.to_der()
}

#[test]
#[ignore = "needs MIT's tools"]
fn as_many_wrong_passwords_as_the_policy_says_are_tried_and_then_none() {
    let realm = realm_with(LIMITED);
    let desk = realm.workstation();
    // A right password in between begins anew, and what is too long ago does not count.
    for _ in 0..2 {
        told(kinit(&desk, "alice", "wrong"), WRONG);
    }
    assert_eq!(kinit(&desk, "alice", "wonderland"), None);
    for _ in 0..2 {
        told(kinit(&desk, "alice", "wrong"), WRONG);
    }
    realm.clock().forward(601);
    for _ in 0..3 {
        told(kinit(&desk, "alice", "wrong"), WRONG);
    }
    for password in ["wonderland", "wrong"] {
        told(kinit(&desk, "alice", password), REVOKED);
    }
    realm.wait_for_log("shut-out principal=alice@EXAMPLE.COM failures=3 until=20");
    realm.wait_for_log("reason=client-shut-out code=18");
    assert_eq!(kinit(&desk, "bob", "builder"), None);
    let shown = json_of(realm.principal("show alice --json"));
    assert!(shown["shut-out"]["until"].is_string(), "{shown}");
    assert!(shown["attributes"].as_array().unwrap().contains(&json!("shut-out")));
    assert!(
        realm
            .principal("show alice")
            .run()
            .ok()
            .contains("\nShut out: until 20")
    );
    let explained = json_of(realm.principal("explain alice --json"));
    assert_eq!(
        (&explained["account"], &explained["by-login"]["refused"]),
        (&json!("client-shut-out"), &json!("client-shut-out"))
    );
    assert_eq!(
        explained["by-ticket"]["refused"],
        Value::Null,
        "a ticket from before is as good as it was"
    );
    realm.clock().forward(3600);
    assert_eq!(kinit(&desk, "alice", "wonderland"), None);
    assert_eq!(json_of(realm.principal("show alice --json"))["shut-out"], Value::Null);
}

#[test]
#[ignore = "needs MIT's tools"]
fn without_an_end_a_lockout_lasts_until_somebody_unlocks() {
    let mut realm = realm_with("[policies.default]\nmax-failures = 2\n");
    let desk = realm.workstation();
    for _ in 0..2 {
        told(kinit(&desk, "alice", "wrong"), WRONG);
    }
    realm.clock().forward(40 * 86_400);
    told(kinit(&desk, "alice", "wonderland"), REVOKED);
    assert!(
        realm
            .principal("show alice")
            .run()
            .ok()
            .contains("\nShut out: until unlocked\n")
    );
    realm.wait_for_log("shut-out principal=alice@EXAMPLE.COM failures=2 until=unlocked");
    realm.kill();
    realm.restart();
    told(kinit(&desk, "alice", "wonderland"), REVOKED);
    realm.principal("unlock alice").run().ok();
    assert_eq!(kinit(&desk, "alice", "wonderland"), None);
    // It is as if there had been no failure: the whole limit again.
    told(kinit(&desk, "alice", "wrong"), WRONG);
    assert_eq!(kinit(&desk, "alice", "wonderland"), None);
    realm.kill();
    realm.restart();
    assert_eq!(kinit(&desk, "alice", "wonderland"), None);
}

/// `--max-failures`, `--failure-window` and `--lockout`.
#[test]
#[ignore = "needs MIT's tools"]
fn how_many_are_tried_can_be_changed_at_any_time() {
    let realm = realm_with("");
    let desk = realm.workstation();
    realm
        .principal("policy add strict --max-failures 1 --lockout 1m")
        .run()
        .ok();
    for _ in 0..5 {
        told(kinit(&desk, "alice", "wrong"), WRONG);
    }
    realm.principal("set alice --policy strict").run().ok();
    told(kinit(&desk, "alice", "wrong"), WRONG);
    told(kinit(&desk, "alice", "wonderland"), REVOKED);
    realm.clock().forward(60);
    assert_eq!(kinit(&desk, "alice", "wonderland"), None);
    realm
        .principal("policy set strict --max-failures 2 --failure-window 1m --lockout none")
        .run()
        .ok();
    told(kinit(&desk, "alice", "wrong"), WRONG);
    realm.clock().forward(60);
    told(kinit(&desk, "alice", "wrong"), WRONG);
    assert_eq!(kinit(&desk, "alice", "wonderland"), None);
    for _ in 0..2 {
        told(kinit(&desk, "alice", "wrong"), WRONG);
    }
    realm.clock().forward(86_400);
    told(kinit(&desk, "alice", "wonderland"), REVOKED);
    realm.principal("unlock alice").run().ok();
    realm
        .principal("policy set strict --failure-window none --max-failures none")
        .run()
        .ok();
    for _ in 0..5 {
        told(kinit(&desk, "alice", "wrong"), WRONG);
    }
    assert_eq!(kinit(&desk, "alice", "wonderland"), None);
}

/// CVE-2021-20251: so many at once that a count which is read and written in two steps falls behind.
#[test]
fn of_two_hundred_wrong_passwords_at_once_exactly_the_limit_is_tried() {
    const LIMIT: usize = 7;
    let mut realm = Realm::builder()
        .with_clock()
        .section("[policies.default]\nmax-failures = 7\nlockout = \"1h\"\n")
        .start();
    for name in ["alice", "bob"] {
        realm.add(name, "wonderland");
    }
    let kdc = realm.kerberos();
    for (name, over_tcp) in [("alice", false), ("bob", true)] {
        let requests: Vec<_> = (0..200).map(|n| request(name, &format!("wrong{n}"))).collect();
        let right = request(name, "wonderland");
        let ready = Barrier::new(requests.len());
        let codes: Vec<i64> = thread::scope(|scope| {
            let asking: Vec<_> = requests
                .iter()
                .map(|request| {
                    let ready = &ready;
                    scope.spawn(move || {
                        ready.wait();
                        let answer = if over_tcp {
                            socket::tcp(kdc, request)
                        } else {
                            socket::udp(kdc, request)
                        };
                        Reply::parse(&answer).code()
                    })
                })
                .collect();
            asking.into_iter().map(|asking| asking.join().unwrap()).collect()
        });
        let told = |code: i64| codes.iter().filter(|found| **found == code).count();
        assert_eq!((told(24), told(18)), (LIMIT, 200 - LIMIT), "{name} {codes:?}");
        assert_eq!(ask(kdc, &right).code(), 18, "the right password comes too late");
        assert_eq!(ask(kdc, &request(name, "wonderland")).code(), 18);
    }
    // Who was told that a password was wrong was told so after it was durable.
    realm.kill();
    realm.restart();
    assert_eq!(ask(realm.kerberos(), &request("alice", "wonderland")).code(), 18);
    assert!(realm.stop().success());
    realm.restart();
    assert_eq!(ask(realm.kerberos(), &request("bob", "wonderland")).code(), 18);
    realm.clock().forward(3600);
    for name in ["alice", "bob"] {
        let request = request_at(name, "wonderland", realm.clock().now());
        assert_eq!(ask(realm.kerberos(), &request).code(), 0, "{name}");
    }
}

#[test]
fn right_passwords_at_once_are_all_let_in() {
    let realm = Realm::builder()
        .section("[policies.default]\nmax-failures = 1\n")
        .start();
    realm.add("alice", "wonderland");
    let kdc = realm.kerberos();
    let requests: Vec<_> = (0..50).map(|_| request("alice", "wonderland")).collect();
    let codes: Vec<i64> = thread::scope(|scope| {
        let asking: Vec<_> = requests
            .iter()
            .map(|request| scope.spawn(move || Reply::parse(&socket::udp(kdc, request)).code()))
            .collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    assert_eq!(codes, [0; 50]);
}

#[test]
fn counts_below_the_limit_survive_a_stop_and_a_damaged_file_is_put_aside() {
    let mut realm = realm_with(LIMITED);
    let wrong = |realm: &Realm| ask(realm.kerberos(), &request("alice", "wrong")).code();
    assert_eq!((wrong(&realm), wrong(&realm)), (24, 24));
    assert!(realm.stop().success());
    let file = realm.state().join("failures");
    assert!(std::fs::read_to_string(&file).unwrap().contains("\nprincipal "));
    realm.restart();
    assert_eq!((wrong(&realm), wrong(&realm)), (24, 18));
    realm.principal("unlock alice").run().ok();
    assert_eq!((wrong(&realm), wrong(&realm)), (24, 24));
    assert!(realm.stop().success());
    std::fs::write(&file, "rubbish\n").unwrap();
    realm.restart();
    realm.wait_for_log("failures is damaged: it does not begin with");
    assert!(realm.state().join("failures.damaged").exists());
    assert_eq!(
        (wrong(&realm), wrong(&realm), wrong(&realm), wrong(&realm)),
        (24, 24, 24, 18)
    );
    // After a kill, what was counted more than a second before.
    assert_eq!(ask(realm.kerberos(), &request("bob", "wrong")).code(), 24);
    let id = json_of(realm.principal("show bob --json"))["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let written = (0..600).any(|_| {
        thread::sleep(Duration::from_millis(50));
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains(&id))
    });
    assert!(written);
    realm.kill();
    realm.restart();
    let bob = || ask(realm.kerberos(), &request("bob", "wrong")).code();
    assert_eq!((bob(), bob(), bob()), (24, 24, 18));
}

#[test]
fn the_same_request_counts_once_however_often_it_comes() {
    let realm = realm_with(LIMITED);
    let same = request("alice", "wrong");
    for _ in 0..5 {
        assert_eq!(ask(realm.kerberos(), &same).code(), 24);
    }
    assert_eq!(ask(realm.kerberos(), &request("alice", "wonderland")).code(), 0);
}

#[test]
fn a_right_password_at_a_wrong_time_tells_nothing_once_the_limit_is_reached() {
    let realm = realm_with(LIMITED);
    let late = || request_at("alice", "wonderland", now() - 3600);
    assert_eq!(ask(realm.kerberos(), &late()).code(), 37);
    for _ in 0..3 {
        assert_eq!(ask(realm.kerberos(), &request("alice", "wrong")).code(), 24);
    }
    assert_eq!(ask(realm.kerberos(), &late()).code(), 18);
}

#[test]
fn where_names_are_hidden_who_is_shut_out_looks_like_a_wrong_password() {
    let realm = Realm::builder()
        .realm("hide-unknown-principals = true")
        .section(LIMITED)
        .start();
    realm.add("alice", "wonderland");
    let told = |request: &[u8]| {
        let error = ask(realm.kerberos(), request).error();
        (error.code, error.e_text, error.e_data.is_some())
    };
    let nobody = told(&request("nobody", "wrong"));
    assert_eq!(nobody.0, 24);
    for _ in 0..5 {
        assert_eq!(told(&request("alice", "wrong")), nobody);
    }
    assert_eq!(told(&request("alice", "wonderland")), nobody);
    assert_eq!(told(&request_at("alice", "wonderland", now() - 3600)), nobody);
    realm.wait_for_log("reason=client-shut-out code=24");
    assert_eq!(told(&KdcReq::initial("alice").to_der()).0, 25);
    realm.principal("unlock alice").run().ok();
    assert_eq!(ask(realm.kerberos(), &request("alice", "wonderland")).code(), 0);
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_wrong_password_in_armor_counts_like_any_other() {
    let realm = realm_with(LIMITED);
    let keytab = realm.add_service("host/client.example.com");
    let host = realm.workstation();
    host.mit("kinit -k -t")
        .arg(&keytab)
        .arg("host/client.example.com")
        .run()
        .ok();
    let desk = realm.workstation();
    let armored = |password: &str| {
        let tool = desk.mit("kinit -T").arg(host.cache()).arg("alice");
        let done = tool.stdin(format!("{password}\n")).run();
        if done.status.success() {
            None
        } else {
            Some(done.refused())
        }
    };
    assert_eq!(armored("wonderland"), None);
    told(armored("wrong"), WRONG);
    told(kinit(&desk, "alice", "wrong"), WRONG);
    told(armored("wrong"), WRONG);
    told(armored("wonderland"), REVOKED);
    told(kinit(&desk, "alice", "wonderland"), REVOKED);
}

#[test]
#[ignore = "needs MIT's tools"]
fn who_has_no_password_is_not_shut_out_by_wrong_ones() {
    let realm = realm_with(LIMITED);
    let keytab = realm.add_service("host/client.example.com");
    for _ in 0..5 {
        assert_eq!(
            ask(realm.kerberos(), &request("host/client.example.com", "wrong")).code(),
            24
        );
    }
    realm
        .workstation()
        .mit("kinit -k -t")
        .arg(&keytab)
        .arg("host/client.example.com")
        .run()
        .ok();
}

/// Asks from an address of this machine.
fn ask_from(from: Ipv4Addr, kdc: SocketAddr, request: &[u8]) -> i64 {
    let socket = UdpSocket::bind((from, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.send_to(request, kdc).unwrap();
    let mut buffer = vec![0; 65_536];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    Reply::parse(&buffer[..length]).code()
}

/// `network-failures`, `network-window`, `network-lockout`, `network-prefix-v4` and `network-prefix-v6`.
#[test]
#[ignore = "needs MIT's tools"]
fn a_network_is_shut_out_after_wrong_passwords_for_whatever_names() {
    let mut realm = Realm::builder()
        .with_clock()
        .listen("kerberos = [\"127.0.0.1:0\", \"[::1]:0\"]\npassword = []\n")
        .section(
            "[authentication]\nnetwork-failures = 4\nnetwork-window = \"10m\"\nnetwork-lockout = \"1h\"\n\
             network-prefix-v4 = 24\nnetwork-prefix-v6 = 48\n",
        )
        .start();
    realm.add("alice", "wonderland");
    let near = Ipv4Addr::new(127, 0, 0, 9);
    let far = Ipv4Addr::new(127, 0, 1, 1);
    let kdc = realm.kerberos();
    let desk = realm.workstation();
    let at = |realm: &Realm| realm.clock().now();
    let wrong = |realm: &Realm, name: &str| request_at(name, "wrong", at(realm));
    let right = |realm: &Realm| request_at("alice", "wonderland", at(realm));
    // A right password in between ends no count; what is too long ago is not in it.
    assert_eq!(ask_from(near, kdc, &wrong(&realm, "alice")), 24);
    realm.clock().forward(600);
    assert_eq!(ask_from(near, kdc, &wrong(&realm, "alice")), 24);
    assert_eq!(ask_from(near, kdc, &wrong(&realm, "nobody")), 6);
    told(kinit(&desk, "alice", "wrong"), WRONG);
    assert_eq!(kinit(&desk, "alice", "wonderland"), None);
    assert_eq!(
        json_of(realm.principal("explain alice --from 127.0.0.9 --json"))["by-login"]["refused"],
        Value::Null
    );
    assert_eq!(ask_from(near, kdc, &wrong(&realm, "alice")), 24);
    realm.wait_for_log("shut-out network=127.0.0.0/24 failures=4 until=20");
    told(kinit(&desk, "alice", "wonderland"), "KDC policy rejects request");
    realm.wait_for_log("reason=network-shut-out code=12");
    assert_eq!(ask_from(near, kdc, &wrong(&realm, "nobody")), 12);
    assert_eq!(ask_from(far, kdc, &right(&realm)), 0);
    for (from, refused) in [("127.0.0.9", json!("network-shut-out")), ("127.0.1.1", Value::Null)] {
        let explained = json_of(realm.principal(&format!("explain alice --from {from} --json")));
        assert_eq!(explained["by-login"]["refused"], refused, "{from}");
    }
    // It is kept over a stop, too.
    assert!(realm.stop().success());
    realm.restart();
    let kdc = realm.kerberos();
    assert_eq!(ask_from(near, kdc, &right(&realm)), 12);
    realm.clock().forward(3600);
    assert_eq!(ask_from(near, kdc, &right(&realm)), 0);
    // Of IPv6 there is one address here; its network is told.
    let port = realm.log();
    let ready = port.lines().rfind(|line| line.starts_with("ready ")).unwrap();
    let addresses = ready
        .split(' ')
        .find_map(|word| word.strip_prefix("kerberos="))
        .unwrap();
    let v6: SocketAddr = addresses.split(',').nth(1).unwrap().parse().unwrap();
    for _ in 0..4 {
        assert_eq!(ask(v6, &wrong(&realm, "alice")).code(), 24);
    }
    assert_eq!(ask(v6, &right(&realm)).code(), 12);
    realm.wait_for_log("shut-out network=::/48 failures=4 until=20");
}
