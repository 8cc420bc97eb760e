//! Clients that ask all the time, each request once, and say what became of it.

use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tessera_tests::until;
use tessera_tests::wire::{KdcReq, socket};

/// How long an answer may take on a busy machine. It ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many requests a client has under way at once.
const AT_ONCE: usize = 32;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    /// Nobody listened, or the connection was closed: the client knows at once, and asks another server.
    Told,
    /// Neither.
    Swallowed,
}

/// A request, by when it had been handed to the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) wire: &'static str,
    pub(crate) at: Instant,
    pub(crate) outcome: Outcome,
}

/// Clients over UDP and TCP, with connections that stay and with one for each request.
pub(crate) struct Load {
    enough: Arc<AtomicBool>,
    clients: Vec<Client>,
}

struct Client {
    wire: &'static str,
    count: Arc<Count>,
    thread: JoinHandle<Vec<Sent>>,
}

type Round = fn(SocketAddr, &mut Lasting) -> Vec<Sent>;

/// How often a client was answered, and told that nobody is there.
#[derive(Default)]
struct Count {
    answered: AtomicUsize,
    told: AtomicUsize,
}

impl Load {
    pub(crate) fn on(server: SocketAddr) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let rounds: [(&str, Round); 3] = [("UDP", datagrams), ("TCP", connections), ("TCP", lasting)];
        let clients = rounds.map(|(wire, round)| {
            let count = Arc::<Count>::default();
            let (enough, counts) = (Arc::clone(&enough), Arc::clone(&count));
            let thread = thread::spawn(move || {
                let mut lasting = Lasting::new();
                let mut all = Vec::new();
                while !enough.load(Ordering::Relaxed) {
                    let sent = round(server, &mut lasting);
                    for (outcome, count) in [(Outcome::Answered, &counts.answered), (Outcome::Told, &counts.told)] {
                        let more = sent.iter().filter(|sent| sent.outcome == outcome).count();
                        count.fetch_add(more, Ordering::Relaxed);
                    }
                    all.extend(sent);
                }
                all
            });
            Client { wire, count, thread }
        });
        Self {
            enough,
            clients: clients.into(),
        }
    }

    /// Waits until each client is answered so many times more.
    pub(crate) fn go_on(&self, more: usize) {
        let answered = |client: &Client| client.count.answered.load(Ordering::Relaxed);
        let goals: Vec<_> = self.clients.iter().map(|client| answered(client) + more).collect();
        until("requests are answered", || {
            self.clients
                .iter()
                .zip(&goals)
                .all(|(client, goal)| answered(client) >= *goal)
        });
    }

    /// Waits until who asks over UDP and who asks over TCP was told that nobody is there.
    pub(crate) fn be_told(&self) {
        let told = |client: &Client| client.count.told.load(Ordering::Relaxed) > 0;
        until("who comes too late is told so", || {
            ["UDP", "TCP"]
                .iter()
                .all(|wire| self.clients.iter().any(|client| client.wire == *wire && told(client)))
        });
    }

    /// What became of all of them.
    pub(crate) fn end(self) -> Vec<Sent> {
        self.enough.store(true, Ordering::Relaxed);
        self.clients
            .into_iter()
            .flat_map(|client| client.thread.join().unwrap())
            .collect()
    }
}

type Lasting = Vec<TcpStream>;

fn request() -> Vec<u8> {
    KdcReq::initial("alice").to_der()
}

fn datagrams(server: SocketAddr, _: &mut Lasting) -> Vec<Sent> {
    let clients: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.connect(server).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client
        })
        .collect();
    let sent: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let sent = client.send(&request());
            (client, sent, Instant::now())
        })
        .collect();
    let outcome = |client: &UdpSocket| match client.recv(&mut [0; 4096]) {
        Ok(_) => Outcome::Answered,
        Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => Outcome::Told,
        Err(_) => Outcome::Swallowed,
    };
    sent.into_iter()
        .map(|(client, sent, at)| Sent {
            wire: "UDP",
            at,
            outcome: sent.map_or(Outcome::Told, |_| outcome(&client)),
        })
        .collect()
}

fn connections(server: SocketAddr, _: &mut Lasting) -> Vec<Sent> {
    let connected = (0..AT_ONCE).map(|_| TcpStream::connect(server)).collect::<Vec<_>>();
    let refused = connected.iter().filter(|stream| stream.is_err()).count();
    let mut all: Vec<_> = ask_each(connected.into_iter().flatten().collect()).0;
    all.extend((0..refused).map(|_| Sent {
        wire: "TCP",
        at: Instant::now(),
        outcome: Outcome::Told,
    }));
    all
}

fn lasting(server: SocketAddr, lasting: &mut Lasting) -> Vec<Sent> {
    let missing = AT_ONCE - lasting.len();
    lasting.extend((0..missing).flat_map(|_| TcpStream::connect(server)));
    if lasting.is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
    let (sent, left) = ask_each(std::mem::take(lasting));
    *lasting = left;
    sent
}

// One request over each; with those that are still open.
fn ask_each(streams: Vec<TcpStream>) -> (Vec<Sent>, Vec<TcpStream>) {
    use std::io::Write as _;
    let sent: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let request = request();
            let length = u32::try_from(request.len()).unwrap().to_be_bytes();
            let sent = stream.write_all(&[&length[..], &request].concat());
            (stream, sent, Instant::now())
        })
        .collect();
    let mut open = Vec::new();
    let mut all = Vec::new();
    for (mut stream, sent, at) in sent {
        let outcome = match sent.ok().and_then(|()| socket::receive(&mut stream)) {
            Some(_) => Outcome::Answered,
            None => Outcome::Told,
        };
        all.push(Sent {
            wire: "TCP",
            at,
            outcome,
        });
        if outcome == Outcome::Answered {
            open.push(stream);
        }
    }
    (all, open)
}
