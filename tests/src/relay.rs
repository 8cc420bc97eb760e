//! A relay between a client and a KDC: it counts, records, drops and alters what passes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::ports;

/// What a message travelled in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// A datagram.
    Udp,
    /// A stream, each message behind its length.
    Tcp,
}

/// One request that came to the relay, as it came.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// How it came.
    pub protocol: Protocol,
    /// The request, without the length that TCP puts before it.
    pub request: Vec<u8>,
    /// What went back to the client, altered or not; `None` if nothing did.
    pub reply: Option<Vec<u8>>,
}

type Rewrite = dyn Fn(&mut Exchange) + Send + Sync;

/// Relays until the test ends.
pub struct Relay {
    address: SocketAddr,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    // A protocol that is not relayed is held all the same, so that nobody else answers there.
    _held: (Option<UdpSocket>, Option<socket2::Socket>),
}

impl Relay {
    /// Relays both protocols to `target`.
    #[must_use]
    pub fn to(target: SocketAddr) -> Self {
        Self::rewriting(target, &[Protocol::Udp, Protocol::Tcp], |_| {})
    }

    /// Relays one protocol only: datagrams to the other vanish, connections are refused.
    #[must_use]
    pub fn only(target: SocketAddr, protocol: Protocol) -> Self {
        Self::rewriting(target, &[protocol], |_| {})
    }

    /// Relays, and lets `rewrite` see each exchange before its reply goes back: it may alter the reply or take it away.
    #[must_use]
    pub fn rewriting(
        target: SocketAddr,
        protocols: &[Protocol],
        rewrite: impl Fn(&mut Exchange) + Send + Sync + 'static,
    ) -> Self {
        let (socket, listener) = ports::pair();
        let address = listener.local_addr().unwrap();
        let exchanges = Arc::default();
        let way = Way {
            target,
            exchanges: Arc::clone(&exchanges),
            rewrite: Arc::new(rewrite),
        };
        let mut held = (None, None);
        if protocols.contains(&Protocol::Udp) {
            let way = way.clone();
            thread::spawn(move || way.datagrams(&socket));
        } else {
            held.0 = Some(socket);
        }
        if protocols.contains(&Protocol::Tcp) {
            thread::spawn(move || way.connections(&listener));
        } else {
            drop(listener);
            held.1 = Some(bound_but_deaf(address));
        }
        Self {
            address,
            exchanges,
            _held: held,
        }
    }

    /// Where clients find it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A whole krb5.conf whose KDC and password server are this relay.
    #[must_use]
    pub fn krb5_conf(&self) -> String {
        crate::mit_realm::krb5_conf("EXAMPLE.COM", self.address, self.address)
    }

    /// What passed so far.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }

    /// How many requests came by this protocol.
    #[must_use]
    pub fn count(&self, protocol: Protocol) -> usize {
        self.exchanges()
            .iter()
            .filter(|exchange| exchange.protocol == protocol)
            .count()
    }
}

fn bound_but_deaf(address: SocketAddr) -> socket2::Socket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

#[derive(Clone)]
struct Way {
    target: SocketAddr,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    rewrite: Arc<Rewrite>,
}

impl Way {
    fn datagrams(&self, socket: &UdpSocket) {
        let mut buffer = vec![0; 65536];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let request = buffer[..length].to_vec();
            let way = self.clone();
            let socket = socket.try_clone().unwrap();
            thread::spawn(move || {
                let reply = way.ask_by_udp(&request);
                if let Some(reply) = way.pass(Exchange {
                    protocol: Protocol::Udp,
                    request,
                    reply,
                }) {
                    let _ = socket.send_to(&reply, client);
                }
            });
        }
    }

    fn ask_by_udp(&self, request: &[u8]) -> Option<Vec<u8>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        socket.connect(self.target).unwrap();
        socket.send(request).ok()?;
        let mut buffer = vec![0; 65536];
        let length = socket.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }

    fn connections(&self, listener: &TcpListener) {
        for client in listener.incoming().map_while(Result::ok) {
            let way = self.clone();
            thread::spawn(move || way.connection(client));
        }
    }

    fn connection(&self, mut client: TcpStream) {
        let Ok(mut server) = TcpStream::connect(self.target) else {
            return;
        };
        while let Some(request) = receive(&mut client) {
            let sent = send(&mut server, &request);
            let reply = sent.and_then(|()| receive(&mut server));
            match self.pass(Exchange {
                protocol: Protocol::Tcp,
                request,
                reply,
            }) {
                Some(reply) => drop(send(&mut client, &reply)),
                None => return,
            }
        }
    }

    fn pass(&self, mut exchange: Exchange) -> Option<Vec<u8>> {
        (self.rewrite)(&mut exchange);
        let reply = exchange.reply.clone();
        self.exchanges.lock().unwrap().push(exchange);
        reply
    }
}

fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap().min(1 << 20)];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

fn send(stream: &mut TcpStream, message: &[u8]) -> Option<()> {
    let length = u32::try_from(message.len()).unwrap();
    stream.write_all(&length.to_be_bytes()).ok()?;
    stream.write_all(message).ok()
}
