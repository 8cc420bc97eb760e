//! Real clients at real sockets.

use std::collections::HashSet;

use super::*;
use crate::log::LogWriter;

struct Echo;

impl Service for Echo {
    fn answer(&self, request: &[u8], origin: &Origin, later: &dyn Fn() -> Deferred) -> Answer {
        let text = format!("{} {}", origin.local.ip(), String::from_utf8_lossy(request));
        match request {
            b"quiet" => Answer::Silence,
            b"panic" => panic!("as asked"),
            b"huge" => Answer::Reply([0; 65_530].into()),
            b"later" => {
                let later = later();
                thread::spawn(move || later.reply(text.as_bytes().into()));
                Answer::Later
            }
            _ => Answer::Reply(text.as_bytes().into()),
        }
    }

    fn too_long(&self, _: &Origin) -> Option<Arc<[u8]>> {
        None
    }
}

fn served(address: &str, workers: usize) -> (SocketAddr, UdpWorkers, LogWriter) {
    let log = Log::start(std::io::sink()).unwrap();
    let sockets = UdpSockets::bind(address.parse().unwrap(), workers).unwrap();
    let bound = sockets.address();
    let service: Arc<dyn Service> = Arc::new(Echo);
    (bound, sockets.serve(&service, &log.log()).unwrap(), log)
}

fn client(bind: &str) -> UdpSocket {
    let socket = UdpSocket::bind(bind).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

fn ask(client: &UdpSocket, server: SocketAddr, request: &str) -> (String, SocketAddr) {
    client.send_to(request.as_bytes(), server).unwrap();
    let mut buffer = [0; 1000];
    let (octets, from) = client.recv_from(&mut buffer).unwrap();
    (String::from_utf8(buffer[..octets].to_vec()).unwrap(), from)
}

#[test]
fn a_reply_leaves_from_the_address_that_was_asked() {
    let (bound, _workers, _log) = served("0.0.0.0:0", 2);
    for asked in ["127.0.0.1", "127.0.0.2", "127.9.9.9"] {
        let server = SocketAddr::new(asked.parse().unwrap(), bound.port());
        let client = client("127.0.0.1:0");
        assert_eq!(ask(&client, server, "hello"), (format!("{asked} hello"), server));
        assert_eq!(ask(&client, server, "later"), (format!("{asked} later"), server));
    }
}

#[test]
fn mixed_batches_go_out_from_each_address() {
    let (bound, _workers, _log) = served("0.0.0.0:0", 1);
    let client = client("127.0.0.1:0");
    for n in 0..200u8 {
        let server = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1 + n / 3 % 4)), bound.port());
        client.send_to(format!("{n}").as_bytes(), server).unwrap();
    }
    let mut buffer = [0; 100];
    for n in 0..200u8 {
        let (octets, from) = client.recv_from(&mut buffer).unwrap();
        let text = String::from_utf8(buffer[..octets].to_vec()).unwrap();
        assert_eq!(text, format!("{} {n}", from.ip()));
    }
}

#[test]
fn ipv6_is_served_beside_ipv4_on_the_same_port() {
    let Ok(probe) = UdpSocket::bind("[::1]:0") else { return };
    drop(probe);
    let (bound, _workers, _log) = served("[::]:0", 2);
    let server = SocketAddr::new("::1".parse().unwrap(), bound.port());
    assert_eq!(ask(&client("[::1]:0"), server, "hello"), ("::1 hello".into(), server));
    UdpSockets::bind(SocketAddr::new("0.0.0.0".parse().unwrap(), bound.port()), 1).unwrap();
}

#[test]
fn a_request_without_an_answer_or_with_a_panic_stops_nobody() {
    let (bound, _workers, _log) = served("127.0.0.1:0", 1);
    let client = client("127.0.0.1:0");
    for request in ["quiet", "panic", "huge", "quiet", "huge"] {
        client.send_to(request.as_bytes(), bound).unwrap();
    }
    assert_eq!(ask(&client, bound, "hello").0, "127.0.0.1 hello");
    assert_eq!(ask(&client, bound, "later").0, "127.0.0.1 later");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let (bound, _workers, _log) = served("127.0.0.1:0", 2);
    let error = UdpSockets::bind(bound, 2).map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("cannot listen on {bound} (UDP): the port is in use; stop the program that has it, or change [listen]")
    );
}

struct Slow(Mutex<HashSet<thread::ThreadId>>);

impl Service for Slow {
    #[allow(clippy::disallowed_methods, reason = "it is slow")]
    fn answer(&self, _: &[u8], _: &Origin, _: &dyn Fn() -> Deferred) -> Answer {
        self.0.lock().unwrap().insert(thread::current().id());
        thread::sleep(Duration::from_millis(1));
        Answer::Silence
    }

    fn too_long(&self, _: &Origin) -> Option<Arc<[u8]>> {
        None
    }
}

#[test]
fn one_worker_serves_until_more_comes_than_it_can_take() {
    let log = Log::start(std::io::sink()).unwrap();
    let sockets = UdpSockets::bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
    let bound = sockets.address();
    let slow = Arc::new(Slow(Mutex::default()));
    let service: Arc<dyn Service> = Arc::clone(&slow) as _;
    let _workers = sockets.serve(&service, &log.log()).unwrap();
    let client = client("127.0.0.1:0");
    let send = |datagrams: usize| {
        for _ in 0..datagrams {
            client.send_to(b"x", bound).unwrap();
        }
    };
    let served_by = || slow.0.lock().unwrap().len();
    send(BATCH);
    while served_by() == 0 {
        thread::yield_now();
    }
    assert_eq!(served_by(), 1);
    while served_by() < 2 {
        send(BATCH);
    }
}

#[test]
fn what_came_before_the_stop_is_answered_and_what_comes_later_is_refused() {
    for (bind, ask) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("0.0.0.0:0", "127.0.0.3"),
        ("[::]:0", "::1"),
    ] {
        let Ok(client) = UdpSocket::bind(SocketAddr::new(ask.parse().unwrap(), 0)) else {
            continue;
        };
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (bound, workers, _log) = served(bind, 2);
        client
            .connect(SocketAddr::new(ask.parse().unwrap(), bound.port()))
            .unwrap();
        for n in 0..200u8 {
            client.send(&[b'0' + n % 10]).unwrap();
        }
        drop(workers);
        for n in 0..200u8 {
            let mut buffer = [0; 100];
            let octets = client.recv(&mut buffer).unwrap();
            let text = format!("{ask} {}", n % 10);
            assert_eq!(buffer[..octets], *text.as_bytes());
        }
        // The socket is gone now, and before that it took nothing more.
        let refused = client.send(b"late").and_then(|_| client.recv(&mut [0; 100]));
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    }
}

#[test]
fn a_socket_that_is_to_end_refuses_while_it_still_answers() {
    let (bound, workers, _log) = served("0.0.0.0:0", 1);
    let server = SocketAddr::new("127.0.0.1".parse().unwrap(), bound.port());
    let [early, late] = [(); 2].map(|()| client("127.0.0.1:0"));
    assert_eq!(ask(&early, server, "hello").0, "127.0.0.1 hello");
    workers.take_in_no_more();
    late.connect(server).unwrap();
    let refused = late.send(b"late").and_then(|_| late.recv(&mut [0; 100]));
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn datagrams_to_a_socket_that_was_handed_over_wait_for_who_serves_it_next() {
    let log = Log::start(std::io::sink()).unwrap();
    let held = UdpSocket::bind("127.0.0.1:0").unwrap();
    let service: Arc<dyn Service> = Arc::new(Echo);
    let serve = || {
        let sockets = UdpSockets::handed_over(held.try_clone().unwrap(), 2).unwrap();
        sockets.serve(&service, &log.log()).unwrap()
    };
    let first = serve();
    assert!(first.pulses().len() == 2);
    drop(first);
    let client = client("127.0.0.1:0");
    client.send_to(b"early", held.local_addr().unwrap()).unwrap();
    let _second = serve();
    let mut buffer = [0; 100];
    let (octets, _) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..octets], b"127.0.0.1 early");
}

#[test]
fn workers_stop_when_dropped() {
    let (bound, workers, _log) = served("127.0.0.1:0", 2);
    drop(workers);
    UdpSockets::bind(bound, 1).unwrap();
}
