//! Real clients at real sockets.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream as Client};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tessera_common::wire::MAX_MESSAGE;

use super::*;
use crate::log::LogWriter;
use crate::net::{Answer, Deferred, Origin};

#[derive(Default)]
struct Echo {
    kept: Mutex<Vec<Deferred>>,
}

impl Service for Echo {
    fn answer(&self, request: &[u8], origin: &Origin, later: &dyn Fn() -> Deferred) -> Answer {
        match request {
            b"quiet" => Answer::Silence,
            b"panic" => panic!("as asked"),
            b"never" => {
                drop(later());
                Answer::Later
            }
            b"later" => {
                let later = later();
                thread::spawn(move || later.reply(b"at last"[..].into()));
                Answer::Later
            }
            b"by hand" => {
                self.kept.lock().unwrap().push(later());
                Answer::Later
            }
            b"forgotten" => Answer::Later,
            b"who" => Answer::Reply(format!("{:?}", thread::current().id()).into_bytes().into()),
            b"slow" => {
                thread::sleep(Duration::from_millis(300));
                Answer::Silence
            }
            b"where" => Answer::Reply(origin.local.to_string().as_bytes().into()),
            _ => Answer::Reply(request.iter().rev().copied().collect()),
        }
    }

    fn too_long(&self, _: &Origin) -> Option<Arc<[u8]>> {
        Some(b"too long"[..].into())
    }
}

struct Served {
    address: SocketAddr,
    workers: TcpWorkers,
    service: Arc<Echo>,
    _log: LogWriter,
}

fn served(address: &str, limits: TcpLimits) -> Served {
    served_by(2, address, limits)
}

fn served_by(workers: usize, address: &str, limits: TcpLimits) -> Served {
    let log = Log::start(io::sink()).unwrap();
    let socket = TcpSocket::bind(address.parse().unwrap()).unwrap();
    let address = socket.address();
    let service = Arc::new(Echo::default());
    let shared: Arc<dyn Service> = Arc::clone(&service) as _;
    let workers = TcpWorkers::serve(vec![socket], workers, &shared, limits, &log.log()).unwrap();
    Served {
        address,
        workers,
        service,
        _log: log,
    }
}

impl Served {
    // The way back to the client that asked for an answer by hand, as soon as it has asked.
    fn asked(&self) -> Deferred {
        loop {
            if let Some(asked) = self.service.kept.lock().unwrap().pop() {
                return asked;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn quick() -> TcpLimits {
    TcpLimits {
        message: Duration::from_millis(300),
        idle: Duration::from_millis(600),
        ..TcpLimits::default()
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

fn connect(served: &Served) -> Client {
    let client = Client::connect(served.address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client
}

fn receive(client: &mut Client) -> Vec<u8> {
    let mut length = [0; 4];
    client.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    client.read_exact(&mut message).unwrap();
    message
}

fn closed(client: &mut Client) -> bool {
    match client.read(&mut [0; 1]) {
        Ok(octets) => octets == 0,
        Err(why) => why.kind() == io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn several_messages_in_one_connection_are_answered_in_order() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let mut client = connect(&served);
    for message in ["one", "", "two"] {
        client.write_all(&framed(message.as_bytes())).unwrap();
        assert_eq!(receive(&mut client), message.bytes().rev().collect::<Vec<_>>());
    }
    let merged = [framed(b"abc"), framed(b"later"), framed(b"def")].concat();
    client.write_all(&merged).unwrap();
    assert_eq!(receive(&mut client), b"cba");
    assert_eq!(receive(&mut client), b"at last");
    assert_eq!(receive(&mut client), b"fed");
}

#[test]
fn a_message_may_come_octet_by_octet() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let mut client = connect(&served);
    client.set_nodelay(true).unwrap();
    for octet in framed(b"split") {
        client.write_all(&[octet]).unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(receive(&mut client), b"tilps");
}

#[test]
fn the_longest_message_is_taken() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let mut client = connect(&served);
    let mut message = vec![0; MAX_MESSAGE];
    message[0] = 7;
    client.write_all(&framed(&message)).unwrap();
    let answer = receive(&mut client);
    assert_eq!((answer.len(), answer.last()), (MAX_MESSAGE, Some(&7)));
}

#[test]
fn a_client_that_has_said_all_still_hears_the_answers() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let mut client = connect(&served);
    client.write_all(&[framed(b"later"), framed(b"xy")].concat()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(receive(&mut client), b"at last");
    assert_eq!(receive(&mut client), b"yx");
    assert!(closed(&mut client));
}

#[test]
fn a_length_with_the_reserved_bit_or_past_the_limit_is_answered_and_the_connection_closed() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    for length in [
        0x8000_0000u32,
        0xffff_ffff,
        0x8000_0003,
        u32::try_from(MAX_MESSAGE).unwrap() + 1,
    ] {
        let mut client = connect(&served);
        client
            .write_all(&[&length.to_be_bytes()[..], &[0; 3000]].concat())
            .unwrap();
        assert_eq!(receive(&mut client), b"too long", "{length:#x}");
        assert!(closed(&mut client));
    }
}

#[test]
fn no_answer_and_a_panic_close_the_connection_and_harm_no_other() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let mut other = connect(&served);
    for message in ["quiet", "panic", "never", "forgotten"] {
        let mut client = connect(&served);
        client.write_all(&framed(message.as_bytes())).unwrap();
        assert!(closed(&mut client), "{message}");
    }
    other.write_all(&framed(b"ab")).unwrap();
    assert_eq!(receive(&mut other), b"ba");
}

#[test]
fn slow_and_idle_clients_are_hung_up_on() {
    let served = served("127.0.0.1:0", quick());
    let mut idle = connect(&served);
    let mut slow = connect(&served);
    slow.write_all(&[0, 0]).unwrap();
    let mut drip = connect(&served);
    drip.write_all(&framed(&[1; 100])[..50]).unwrap();
    let started = thread::spawn(move || {
        // Going on to send octets does not extend the time for the message.
        for _ in 0..40 {
            if drip.write_all(&[1]).is_err() {
                return true;
            }
            thread::sleep(Duration::from_millis(25));
        }
        closed(&mut drip)
    });
    assert!(closed(&mut slow));
    assert!(closed(&mut idle));
    assert!(started.join().unwrap());
}

#[test]
fn a_client_that_says_nothing_yet_has_the_idle_limit_and_not_that_of_a_message() {
    let served = served(
        "127.0.0.1:0",
        TcpLimits {
            idle: Duration::from_secs(60),
            ..quick()
        },
    );
    let mut client = connect(&served);
    thread::sleep(Duration::from_millis(700));
    client.write_all(&framed(b"ab")).unwrap();
    assert_eq!(receive(&mut client), b"ba");
}

#[test]
fn a_client_in_touch_outlives_the_idle_limit() {
    let served = served("127.0.0.1:0", quick());
    let mut client = connect(&served);
    for _ in 0..5 {
        thread::sleep(Duration::from_millis(200));
        client.write_all(&framed(b"ab")).unwrap();
        assert_eq!(receive(&mut client), b"ba");
    }
}

#[test]
fn one_connection_too_many_closes_the_one_that_waited_longest() {
    let served = served(
        "127.0.0.1:0",
        TcpLimits {
            connections: 3,
            ..TcpLimits::default()
        },
    );
    let mut clients: Vec<_> = (0..3).map(|_| connect(&served)).collect();
    // The first asks last, so that the second has waited longest.
    for at in [1, 2, 0] {
        clients[at].write_all(&framed(b"ab")).unwrap();
        assert_eq!(receive(&mut clients[at]), b"ba");
        // Until the server waits again; it sends before it does.
        thread::sleep(Duration::from_millis(100));
    }
    let mut late = connect(&served);
    assert!(closed(&mut clients[1]));
    for client in [&mut late, &mut clients.remove(0), &mut clients.remove(1)] {
        client.write_all(&framed(b"cd")).unwrap();
        assert_eq!(receive(client), b"dc");
    }
}

#[test]
fn many_idle_connections_are_held() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let mut clients: Vec<_> = (0..400).map(|_| connect(&served)).collect();
    for client in clients.iter_mut().step_by(37) {
        client.write_all(&framed(b"ab")).unwrap();
        assert_eq!(receive(client), b"ba");
    }
}

#[test]
fn stopping_hangs_up_and_frees_the_port() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let mut client = connect(&served);
    client.write_all(&framed(b"ab")).unwrap();
    receive(&mut client);
    served.workers.stop();
    assert!(closed(&mut client));
    let port_is_free = (0..50).any(|_| {
        thread::sleep(Duration::from_millis(20));
        TcpSocket::bind(served.address).is_ok()
    });
    assert!(port_is_free);
}

#[test]
fn whatever_came_before_the_stop_is_answered() {
    let served = served_by(1, "127.0.0.1:0", TcpLimits::default());
    let mut known = connect(&served);
    known.write_all(&framed(b"ab")).unwrap();
    receive(&mut known);
    // The one loop has its hands full meanwhile: what comes waits in the kernel.
    let mut slow = connect(&served);
    slow.write_all(&framed(b"slow")).unwrap();
    thread::sleep(Duration::from_millis(100));
    let mut crowd: Vec<_> = (0..100).map(|_| connect(&served)).collect();
    for client in &mut crowd {
        client.write_all(&[framed(b"cd"), framed(b"later")].concat()).unwrap();
    }
    let mut begun = connect(&served);
    let (head, rest) = (&framed(b"ef")[..3], &framed(b"ef")[3..]);
    begun.write_all(head).unwrap();
    known.write_all(&framed(b"gh")).unwrap();
    served.workers.stop();
    begun.write_all(rest).unwrap();
    assert_eq!(receive(&mut known), b"hg");
    assert!(closed(&mut known));
    for client in &mut crowd {
        assert_eq!(receive(client), b"dc");
        assert_eq!(receive(client), b"at last");
        assert!(closed(client));
    }
    assert_eq!(receive(&mut begun), b"fe");
    let Served { address, workers, .. } = served;
    drop(workers);
    assert!(Client::connect(address).is_err());
}

#[test]
fn connections_to_a_listener_that_was_handed_over_wait_for_who_serves_it_next() {
    let log = Log::start(io::sink()).unwrap();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let service: Arc<dyn Service> = Arc::new(Echo::default());
    let serve = || {
        let socket = TcpSocket::handed_over(held.try_clone().unwrap()).unwrap();
        TcpWorkers::serve(vec![socket], 2, &service, TcpLimits::default(), &log.log()).unwrap()
    };
    let first = serve();
    first.stop();
    drop(first);
    let mut client = Client::connect(held.local_addr().unwrap()).unwrap();
    client.write_all(&framed(b"ab")).unwrap();
    let _second = serve();
    assert_eq!(receive(&mut client), b"ba");
}

#[test]
fn a_loop_goes_round_when_it_is_woken_and_not_when_it_hangs() {
    let served = served_by(1, "127.0.0.1:0", TcpLimits::default());
    let pulse = served.workers.pulses()[0].clone();
    let wake = served.workers.waker();
    for _ in 0..3 {
        let before = pulse.beats();
        wake();
        while pulse.beats() == before {
            thread::yield_now();
        }
    }
    let mut slow = connect(&served);
    slow.write_all(&framed(b"slow")).unwrap();
    thread::sleep(Duration::from_millis(100));
    let before = pulse.beats();
    wake();
    assert!(pulse.beats() <= before + 1);
    assert!(closed(&mut slow));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let error = TcpSocket::bind(served.address).map(|_| ()).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!(
            "cannot listen on {} (TCP): the port is in use",
            served.address
        )),
        "{error}"
    );
}

#[test]
fn ipv6_is_served() {
    if Client::connect("[::1]:1").is_err_and(|why| why.kind() != io::ErrorKind::ConnectionRefused) {
        return;
    }
    let served = served("[::1]:0", TcpLimits::default());
    let mut client = connect(&served);
    client.write_all(&framed(b"ab")).unwrap();
    assert_eq!(receive(&mut client), b"ba");
}

#[test]
fn several_sockets_are_served_together() {
    let log = Log::start(io::sink()).unwrap();
    let sockets = ["127.0.0.1:0", "127.0.0.2:0"].map(|address| TcpSocket::bind(address.parse().unwrap()).unwrap());
    let addresses = [sockets[0].address(), sockets[1].address()];
    let service: Arc<dyn Service> = Arc::new(Echo::default());
    let _workers = TcpWorkers::serve(sockets.into(), 2, &service, TcpLimits::default(), &log.log()).unwrap();
    for address in addresses {
        let mut client = Client::connect(address).unwrap();
        client.write_all(&framed(b"where")).unwrap();
        assert_eq!(receive(&mut client), address.to_string().as_bytes());
    }
}

#[test]
fn the_service_is_told_which_address_was_asked() {
    let served = served("0.0.0.0:0", TcpLimits::default());
    for asked in ["127.0.0.1", "127.0.0.2"] {
        let asked = SocketAddr::new(asked.parse().unwrap(), served.address.port());
        let mut client = Client::connect(asked).unwrap();
        client.write_all(&framed(b"where")).unwrap();
        assert_eq!(receive(&mut client), asked.to_string().as_bytes());
    }
}

#[test]
fn an_answer_that_is_not_made_in_time_is_not_waited_for() {
    let served = served(
        "127.0.0.1:0",
        TcpLimits {
            answer: Duration::from_millis(300),
            ..TcpLimits::default()
        },
    );
    let mut client = connect(&served);
    client.write_all(&framed(b"by hand")).unwrap();
    assert!(closed(&mut client));
}

#[test]
fn a_client_that_leaves_before_its_answer_is_made_harms_nobody() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let mut leaves = connect(&served);
    leaves.write_all(&framed(b"by hand")).unwrap();
    let asked = served.asked();
    drop(leaves);
    asked.reply(b"too late"[..].into());
    let mut client = connect(&served);
    client.write_all(&framed(b"by hand")).unwrap();
    served.asked().reply(b"in time"[..].into());
    assert_eq!(receive(&mut client), b"in time");
}

// More than the buffers of both ends hold.
fn long_messages() -> Vec<Vec<u8>> {
    (0..100u8).map(|n| vec![n; MAX_MESSAGE]).collect()
}

#[test]
fn a_client_that_reads_late_gets_every_answer_and_keeps_nobody_waiting() {
    let served = served_by(1, "127.0.0.1:0", TcpLimits::default());
    let mut slow = connect(&served);
    let mut writer = slow.try_clone().unwrap();
    let writing = thread::spawn(move || {
        for message in long_messages() {
            writer.write_all(&framed(&message)).unwrap();
        }
        writer.shutdown(Shutdown::Write).unwrap();
    });
    thread::sleep(Duration::from_millis(300));
    for _ in 0..3 {
        let mut other = connect(&served);
        other.write_all(&framed(b"ab")).unwrap();
        assert_eq!(receive(&mut other), b"ba");
    }
    for message in long_messages() {
        assert!(receive(&mut slow) == message, "{}", message[0]);
    }
    assert!(closed(&mut slow));
    writing.join().unwrap();
}

#[test]
fn a_client_that_never_reads_is_hung_up_on() {
    let served = served("127.0.0.1:0", quick());
    let mut client = connect(&served);
    client.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    let failed = long_messages()
        .iter()
        .find_map(|message| client.write_all(&framed(message)).err());
    let kind = failed.expect("everything was taken").kind();
    assert!(
        matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
        "{kind}"
    );
}

#[test]
fn a_client_that_asks_without_end_leaves_others_their_turn() {
    let served = served_by(1, "127.0.0.1:0", TcpLimits::default());
    let done = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..3)
        .map(|_| {
            let mut writer = connect(&served);
            let mut reader = writer.try_clone().unwrap();
            let done = Arc::clone(&done);
            let reading = thread::spawn(move || io::copy(&mut reader, &mut io::sink()).unwrap());
            let writing = thread::spawn(move || {
                let many = framed(b"xy").repeat(10_000);
                while !done.load(Ordering::Relaxed) {
                    writer.write_all(&many).unwrap();
                }
                writer.shutdown(Shutdown::Write).unwrap();
            });
            (reading, writing)
        })
        .collect();
    let mut client = connect(&served);
    for _ in 0..20 {
        client.write_all(&framed(b"ab")).unwrap();
        assert_eq!(receive(&mut client), b"ba");
        let mut fresh = connect(&served);
        fresh.write_all(&framed(b"cd")).unwrap();
        assert_eq!(receive(&mut fresh), b"dc");
    }
    done.store(true, Ordering::Relaxed);
    for (reading, writing) in floods {
        writing.join().unwrap();
        // Every message that was sent has its answer.
        let octets = reading.join().unwrap();
        assert!(octets > 0 && octets % 60_000 == 0, "{octets}");
    }
}

#[test]
fn what_was_asked_before_the_stop_is_answered() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let mut idle = connect(&served);
    let mut client = connect(&served);
    client.write_all(&framed(b"by hand")).unwrap();
    let asked = served.asked();
    served.workers.stop();
    assert!(closed(&mut idle));
    asked.reply(b"in time"[..].into());
    assert_eq!(receive(&mut client), b"in time");
    assert!(closed(&mut client));
}

#[test]
fn an_answer_that_is_never_made_does_not_keep_the_loops_from_stopping() {
    let served = served("127.0.0.1:0", TcpLimits::default());
    let mut client = connect(&served);
    client.write_all(&framed(b"by hand")).unwrap();
    let _asked = served.asked();
    drop(served);
    assert!(closed(&mut client));
}

// Which threads answer so many clients that ask at once.
fn who_answers(served: &Served, clients: usize) -> BTreeSet<Vec<u8>> {
    let mut clients: Vec<_> = (0..clients).map(|_| connect(served)).collect();
    for client in &mut clients {
        client.write_all(&framed(b"who")).unwrap();
    }
    clients.iter_mut().map(receive).collect()
}

#[test]
fn a_crowd_is_served_by_several_loops_and_a_few_by_one() {
    let served = served_by(3, "127.0.0.1:0", TcpLimits::default());
    assert_eq!(who_answers(&served, 20).len(), 1);
    let mut all = BTreeSet::new();
    while all.len() < 2 {
        // While the first loop is held up, the others come together.
        connect(&served).write_all(&framed(b"slow")).unwrap();
        all.extend(who_answers(&served, 200));
    }
    // Those that helped go to rest again.
    while who_answers(&served, 20).len() > 1 {
        thread::sleep(Duration::from_millis(200));
    }
}
