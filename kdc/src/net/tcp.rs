//! Connections: messages behind a length of four octets (RFC 4120 §7.2.2), several in one connection, answered in order.

use core::cell::Cell;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tessera_common::wire::MAX_MESSAGE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Answer, BindError, Deferred, Origin, Service, Transport, guarded};
use crate::log::Log;

/// How many connections wait to be accepted.
const BACKLOG: i32 = 4096;
/// What a buffer grows by at least, and what a message that has not come yet may cost at most.
const CHUNK: usize = 4096;
/// The bit of the length that RFC 4120 §7.2.2 keeps for extensions; there are none.
const RESERVED: u32 = 0x8000_0000;

/// What one wire's connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpLimits {
    /// How many there may be. One more, and the one that has waited longest for its client is closed.
    pub connections: usize,
    /// How long a connection may wait for a message to begin.
    pub idle: Duration,
    /// How long a message may take from its first octet to its last, and how long an answer may take to be sent.
    pub message: Duration,
    /// How long a deferred answer may take to be made.
    pub answer: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            idle: Duration::from_secs(300),
            message: Duration::from_secs(10),
            answer: Duration::from_secs(30),
        }
    }
}

/// A listening socket that is not served yet.
pub struct TcpSocket {
    address: SocketAddr,
    socket: std::net::TcpListener,
}

impl TcpSocket {
    /// Binds and listens; with port 0 a free port is taken.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let open = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            let socket = std::net::TcpListener::from(socket);
            Ok(Self {
                address: socket.local_addr()?,
                socket,
            })
        };
        open().map_err(|why| BindError {
            address,
            transport: "TCP",
            why,
        })
    }

    /// The address, with the port that was bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to serve, on the runtime that this is called in, until `stop` holds true. `connections` may be shared by
    /// several sockets.
    ///
    /// # Errors
    /// When the runtime does not take the socket.
    pub fn serve(
        self,
        service: Arc<dyn Service>,
        connections: Arc<Connections>,
        log: Log,
        stop: watch::Receiver<bool>,
    ) -> io::Result<JoinHandle<()>> {
        let listener = TcpListener::from_std(self.socket)?;
        let front = Front {
            address: self.address,
            service,
            connections,
            log,
            stop,
        };
        Ok(tokio::spawn(front.accept(listener)))
    }
}

#[derive(Clone)]
struct Front {
    address: SocketAddr,
    service: Arc<dyn Service>,
    connections: Arc<Connections>,
    log: Log,
    stop: watch::Receiver<bool>,
}

impl Front {
    async fn accept(mut self, listener: TcpListener) {
        let mut turned_away = 0u64;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.stop.wait_for(|stop| *stop) => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(why) => {
                    self.refused(&why).await;
                    continue;
                }
            };
            let Some(slot) = self.connections.admit() else {
                // Every connection is being answered just now. The client tries again, or another server.
                turned_away += 1;
                if turned_away.is_power_of_two() {
                    self.log.warn(format_args!(
                        "{} connections to {} were turned away: all {} are busy",
                        turned_away, self.address, self.connections.limits.connections
                    ));
                }
                continue;
            };
            let front = self.clone();
            tokio::spawn(async move { front.serve(stream, peer, slot).await });
        }
    }

    async fn refused(&self, why: &io::Error) {
        let out_of_files = [Errno::EMFILE, Errno::ENFILE]
            .map(|errno| Some(errno as i32))
            .contains(&why.raw_os_error());
        if out_of_files {
            self.connections.evict();
            self.log.error(format_args!(
                "accepting on {} (TCP): {why}; raise the limit of open files (LimitNOFILE, ulimit -n)",
                self.address
            ));
            sleep(Duration::from_millis(100)).await;
        } else if why.kind() != io::ErrorKind::ConnectionAborted {
            self.log
                .error(format_args!("accepting on {} (TCP): {why}", self.address));
            sleep(Duration::from_millis(100)).await;
        }
    }

    // Whatever goes wrong with one connection ends that connection and concerns nobody else.
    async fn serve(mut self, mut stream: TcpStream, peer: SocketAddr, mut slot: Slot) {
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { return };
        let origin = Origin {
            peer,
            local,
            transport: Transport::Tcp,
        };
        let limits = self.connections.limits;
        // Holds no memory while the connection is idle.
        let mut buffer = Vec::new();
        loop {
            slot.waits();
            let next = async {
                if buffer.is_empty() {
                    // Not `readable`: of a fresh connection that says so before anything has come.
                    timeout(limits.idle, stream.peek(&mut [0])).await??;
                }
                timeout(limits.message, read_message(&mut stream, &mut buffer)).await?
            };
            let message = tokio::select! {
                message = next => message,
                () = slot.evicted() => return,
                _ = self.stop.wait_for(|stop| *stop) => return,
            };
            if !slot.answers() {
                return;
            }
            match message {
                Ok(Message::Whole(end)) => {
                    let request = buffer.get(4..end).unwrap_or_default();
                    let Some(answer) = self.answer(request, &origin).await else {
                        return;
                    };
                    buffer.drain(..end);
                    if buffer.is_empty() {
                        buffer = Vec::new();
                    }
                    if !send(&mut stream, &answer, limits.message).await {
                        return;
                    }
                }
                Ok(Message::TooLong) => {
                    if let Some(answer) = self.service.too_long(&origin)
                        && send(&mut stream, &answer, limits.message).await
                    {
                        linger(stream).await;
                    }
                    return;
                }
                Ok(Message::End) | Err(_) => return,
            }
        }
    }

    async fn answer(&self, request: &[u8], origin: &Origin) -> Option<Arc<[u8]>> {
        let (answer, deferred) = {
            let deferred = Cell::new(None);
            let later = || {
                let (sender, receiver) = oneshot::channel();
                deferred.set(Some(receiver));
                Deferred::new(move |answer| {
                    let _ = sender.send(answer);
                })
            };
            (
                guarded(&*self.service, request, origin, &later, &self.log),
                deferred.into_inner(),
            )
        };
        match answer {
            Answer::Reply(answer) => Some(answer),
            Answer::Silence => None,
            Answer::Later => timeout(self.connections.limits.answer, deferred?).await.ok()?.ok(),
        }
    }
}

enum Message {
    /// It ends at this offset of the buffer; its length stands in the first four octets.
    Whole(usize),
    TooLong,
    End,
}

// Reads until `buffer` begins with a whole message. What is kept of a message never exceeds what has come by more than a
// chunk or its own half, whatever its length says.
async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Message> {
    loop {
        let missing = match buffer.first_chunk::<4>() {
            Some(length) => {
                let length = u32::from_be_bytes(*length);
                let octets = usize::try_from(length).unwrap_or(usize::MAX);
                if length & RESERVED != 0 || octets > MAX_MESSAGE {
                    return Ok(Message::TooLong);
                }
                match (4 + octets).checked_sub(buffer.len()) {
                    None | Some(0) => return Ok(Message::Whole(4 + octets)),
                    Some(missing) => missing.min(buffer.len()),
                }
            }
            None => 0,
        };
        buffer.reserve(missing.max(CHUNK));
        if stream.read_buf(buffer).await? == 0 {
            return Ok(Message::End);
        }
    }
}

async fn send(stream: &mut TcpStream, answer: &[u8], limit: Duration) -> bool {
    let Ok(length) = u32::try_from(answer.len()) else {
        return false;
    };
    let mut framed = Vec::with_capacity(4 + answer.len());
    framed.extend(length.to_be_bytes());
    framed.extend(answer);
    matches!(timeout(limit, stream.write_all(&framed)).await, Ok(Ok(())))
}

// A connection that is closed while octets of the peer's lie unread is reset, and the reset overtakes the last answer. So
// what the peer still sends is read for a moment and thrown away.
async fn linger(mut stream: TcpStream) {
    let drain = async {
        let _ = stream.shutdown().await;
        let mut waste = vec![0; CHUNK];
        let mut left = MAX_MESSAGE;
        while left > 0 {
            match stream.read(&mut waste).await {
                Ok(octets) if octets > 0 => left = left.saturating_sub(octets),
                _ => return,
            }
        }
    };
    let _ = timeout(Duration::from_secs(2), drain).await;
}

/// The connections of one wire.
#[derive(Debug)]
pub struct Connections {
    limits: TcpLimits,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: usize,
    turn: u64,
    /// Those that wait for their client, the one that has waited longest first.
    waiting: BTreeMap<u64, Arc<Eviction>>,
}

#[derive(Debug, Default)]
struct Eviction {
    done: AtomicBool,
    notify: Notify,
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(limits: TcpLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            table: Mutex::default(),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // A place for one more; `None` when all are taken and none can be taken back.
    fn admit(self: &Arc<Self>) -> Option<Slot> {
        if self.table().open >= self.limits.connections && !self.evict() {
            return None;
        }
        self.table().open += 1;
        Some(Slot {
            connections: Arc::clone(self),
            turn: None,
            eviction: Arc::default(),
        })
    }

    fn evict(&self) -> bool {
        let mut table = self.table();
        let Some((_, longest)) = table.waiting.pop_first() else {
            return false;
        };
        table.open -= 1;
        longest.done.store(true, Ordering::Release);
        longest.notify.notify_one();
        true
    }
}

// A connection's place in the table.
struct Slot {
    connections: Arc<Connections>,
    turn: Option<u64>,
    eviction: Arc<Eviction>,
}

impl Slot {
    // From now on it may be evicted.
    fn waits(&mut self) {
        let mut table = self.connections.table();
        table.turn += 1;
        let turn = table.turn;
        table.waiting.insert(turn, Arc::clone(&self.eviction));
        self.turn = Some(turn);
    }

    // From now on not; false when it already was.
    fn answers(&mut self) -> bool {
        if let Some(turn) = self.turn.take() {
            self.connections.table().waiting.remove(&turn);
        }
        !self.eviction.done.load(Ordering::Acquire)
    }

    async fn evicted(&self) {
        self.eviction.notify.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.connections.table();
        if let Some(turn) = self.turn.take() {
            table.waiting.remove(&turn);
        }
        if !self.eviction.done.load(Ordering::Acquire) {
            table.open -= 1;
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "real sockets are waited for")]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpStream as Client};
    use std::thread;

    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::log::LogWriter;

    struct Echo;

    impl Service for Echo {
        fn answer(&self, request: &[u8], _: &Origin, later: &dyn Fn() -> Deferred) -> Answer {
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
                _ => Answer::Reply(request.iter().rev().copied().collect()),
            }
        }

        fn too_long(&self, _: &Origin) -> Option<Arc<[u8]>> {
            Some(b"too long"[..].into())
        }
    }

    struct Served {
        address: SocketAddr,
        stop: watch::Sender<bool>,
        _log: LogWriter,
        _runtime: Runtime,
    }

    fn served(address: &str, limits: TcpLimits) -> Served {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let log = Log::start(io::sink()).unwrap();
        let socket = TcpSocket::bind(address.parse().unwrap()).unwrap();
        let address = socket.address();
        let (stop, stopped) = watch::channel(false);
        let _entered = runtime.enter();
        socket
            .serve(Arc::new(Echo), Connections::new(limits), log.log(), stopped)
            .unwrap();
        drop(_entered);
        Served {
            address,
            stop,
            _log: log,
            _runtime: runtime,
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
        for message in ["quiet", "panic", "never"] {
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
        served.stop.send(true).unwrap();
        assert!(closed(&mut client));
        let port_is_free = (0..50).any(|_| {
            thread::sleep(Duration::from_millis(20));
            TcpSocket::bind(served.address).is_ok()
        });
        assert!(port_is_free);
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
}
