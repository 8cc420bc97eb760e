//! A stop swallows no request: what was sent before it is answered, what is sent after it is refused at once, or waits in a
//! socket that somebody keeps.

mod load;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use load::{Load, Outcome, Sent};
use nix::sys::signal::Signal;
use tessera_tests::wire::{
    KdcReq, Name, PasswordRequest, ask, crypto::Key, login_by_preauth, now, pa_enc_timestamp, socket,
};
use tessera_tests::{Realm, Tool, ports, until};

/// How long the kernel may have a request in hand on a busy machine before the daemon can see it.
const IN_THE_KERNEL: Duration = Duration::from_millis(20);

/// Nothing was swallowed, and what was sent before any of the stops was answered.
fn check(sent: &[Sent], stops: &[Instant]) {
    for wire in ["UDP", "TCP"] {
        let of = |outcome| {
            sent.iter()
                .filter(move |sent| sent.wire == wire && sent.outcome == outcome)
        };
        assert!(of(Outcome::Answered).count() > 100, "{wire}: hardly anything was asked");
        assert_eq!(of(Outcome::Swallowed).count(), 0, "{wire}: swallowed");
        let first = of(Outcome::Told).map(|sent| sent.at).min();
        let early = first.is_some_and(|first| stops.first().is_none_or(|stop| first + IN_THE_KERNEL < *stop));
        assert!(
            !early,
            "{wire}: a request that was sent before the stop was not answered"
        );
    }
}

#[test]
fn what_was_sent_before_a_stop_is_answered_and_what_comes_later_is_refused_at_once() {
    let mut realm = Realm::start();
    realm.add("alice", "wonderland");
    for _ in 0..3 {
        let load = Load::on(realm.kerberos());
        load.go_on(150);
        // Each client has requests that wait when the stop comes.
        realm.signal(Signal::SIGSTOP);
        std::thread::sleep(5 * IN_THE_KERNEL);
        let stop = Instant::now();
        realm.signal(Signal::SIGCONT);
        assert!(realm.stop().success());
        load.be_told();
        check(&load.end(), &[stop]);
        realm.restart();
    }
}

#[test]
fn a_datagram_to_a_wildcard_is_answered_before_the_stop_and_refused_after_it() {
    let listen = "kerberos = [\"0.0.0.0:0\"]\n";
    let mut realm = Realm::builder().listen(listen).start();
    let port = realm.kerberos().port();
    let clients = || {
        (1..=20).map(|last| {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client
                .connect((std::net::Ipv4Addr::new(127, 0, 0, last), port))
                .unwrap();
            client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            client.send(&KdcReq::initial("nobody").to_der()).map(|_| client)
        })
    };
    let early = clients().collect::<Vec<_>>();
    assert!(realm.stop().success());
    for client in early {
        client.unwrap().recv(&mut [0; 4096]).unwrap();
    }
    for client in clients().flatten() {
        let refused = client.recv(&mut [0; 4096]).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}

#[test]
fn new_passwords_that_were_sent_before_a_stop_are_made_and_confirmed() {
    let mut realm = Realm::start();
    // As many at once as one address may have under way.
    let names: Vec<_> = (0..8).map(|n| format!("user-{n}")).collect();
    let key = |name: &str, password: &str| Key::from_password(password, &format!("EXAMPLE.COM{name}"));
    let requests: Vec<_> = names
        .iter()
        .map(|name| {
            realm.add(name, "wonderland");
            let for_password = KdcReq {
                sname: Some(Name::new("kadmin/changepw")),
                ..KdcReq::initial(name)
            };
            let session = login_by_preauth(realm.kerberos(), &for_password, &key(name, "wonderland"));
            PasswordRequest::change(&session, "looking-glass")
        })
        .collect();
    let server = realm.password();
    let datagrams: Vec<_> = requests[..4]
        .iter()
        .map(|request| {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            client.connect(server).unwrap();
            client.send(&request.to_bytes()).unwrap();
            client
        })
        .collect();
    let connections: Vec<_> = requests[4..]
        .iter()
        .map(|request| {
            let mut stream = socket::connect(server);
            socket::send(&mut stream, &request.to_bytes());
            stream
        })
        .collect();
    assert!(realm.stop().success());
    let mut buffer = [0; 4096];
    for (client, request) in datagrams.iter().zip(&requests) {
        let octets = client.recv(&mut buffer).expect("no answer over UDP");
        assert_eq!(request.parse(&buffer[..octets]).code, 0);
    }
    for (mut stream, request) in connections.into_iter().zip(&requests[4..]) {
        let answer = socket::receive(&mut stream).expect("no answer over TCP");
        assert_eq!(request.parse(&answer).code, 0);
    }
    realm.restart();
    for name in &names {
        let mut request = KdcReq::initial(name);
        request
            .padata
            .push(pa_enc_timestamp(&key(name, "looking-glass"), now()));
        assert_eq!(ask(realm.kerberos(), &request.to_der()).code(), 0, "{name}");
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn sockets_that_somebody_keeps_lose_nothing_to_restarts_as_python_holds_them() {
    let port = ports::free();
    let listen = format!("kerberos = [\"127.0.0.1:{port}\"]\n");
    let mut realm = Realm::builder().listen(&listen).stopped();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stopping/holder.py");
    let line = format!("python3 {} {port}", script.display());
    let held: Tool = realm.kdc("").under("/usr/bin/python3".into(), &line);
    realm.restart_as(held);
    realm.add("alice", "wonderland");
    let load = Load::on(realm.kerberos());
    let mut stops = Vec::new();
    for round in 1..=3 {
        load.go_on(100);
        stops.push(Instant::now());
        realm.signal(Signal::SIGHUP);
        until("it is served again", || {
            realm.log().matches("the realm EXAMPLE.COM is served").count() > round
        });
    }
    load.go_on(100);
    let sent = load.end();
    check(&sent, &stops);
    let told = sent
        .iter()
        .filter(|sent| sent.wire == "UDP" && sent.outcome == Outcome::Told)
        .count();
    assert_eq!(told, 0, "somebody was told that nobody listens");
}
