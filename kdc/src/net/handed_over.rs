//! Sockets that whoever started the daemon has bound already, in its stead (sd_listen_fds(3)): they outlive the daemon, and
//! what comes while it is started anew waits in them.

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use listenfd::ListenFd;
use socket2::SockRef;

/// No service manager hands over more.
const MOST: usize = 1024;

/// Sockets that were handed over, and that no listener has yet.
#[derive(Debug, Default)]
pub struct HandedOver {
    udp: Vec<Handed<UdpSocket>>,
    tcp: Vec<Handed<TcpListener>>,
}

#[derive(Debug)]
struct Handed<S> {
    socket: S,
    address: SocketAddr,
    /// What whoever handed it over calls it.
    name: String,
}

/// Why what was handed over is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandedOverError {
    /// `LISTEN_FDS` is no number of sockets.
    #[error("LISTEN_FDS={0:?} is no number of sockets up to {MOST}; whoever starts kdc sets it")]
    Count(String),
    /// One is not a socket that datagrams or connections come to.
    #[error("the socket {name:?}, which was handed over, is of no use: {why}")]
    NoListener {
        /// What it is called.
        name: String,
        /// What it is, or what the operating system says.
        why: io::Error,
    },
    /// One is where nothing is to listen.
    #[error(
        "the {transport} socket {address} ({name:?}) was handed over, but no key of [listen] names {address}; name it there, \
         or take it from the sockets that are handed over"
    )]
    NotAsked {
        /// What it is called.
        name: String,
        /// `UDP` or `TCP`.
        transport: &'static str,
        /// Where it listens.
        address: SocketAddr,
    },
}

impl HandedOver {
    /// What the environment names: `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`. The first two are taken out of it.
    ///
    /// # Errors
    /// [`HandedOverError`].
    pub fn from_environment() -> Result<Self, HandedOverError> {
        let Some(count) = env::var_os("LISTEN_FDS") else {
            return Ok(Self::default());
        };
        let count = count.to_string_lossy();
        if !count.parse::<usize>().is_ok_and(|count| count <= MOST) {
            return Err(HandedOverError::Count(count.into_owned()));
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self::take_all(ListenFd::from_env(), &names)
    }

    fn take_all(mut passed: ListenFd, names: &str) -> Result<Self, HandedOverError> {
        let mut handed = Self::default();
        let mut names = names.split(':');
        for at in 0..passed.len() {
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown");
            let name = name.to_owned();
            if let Err(why) = handed.take(&mut passed, at, &name) {
                return Err(HandedOverError::NoListener { name, why });
            }
        }
        Ok(handed)
    }

    fn take(&mut self, passed: &mut ListenFd, at: usize, name: &str) -> io::Result<()> {
        if let Ok(Some(socket)) = passed.take_udp_socket(at) {
            let address = socket.local_addr()?;
            self.udp.push(Handed::new(socket, address, name));
        } else if let Some(socket) = passed.take_tcp_listener(at)? {
            if !SockRef::from(&socket).is_listener()? {
                return Err(io::Error::other("it is a connection (Accept=yes?)"));
            }
            let address = socket.local_addr()?;
            self.tcp.push(Handed::new(socket, address, name));
        }
        Ok(())
    }

    /// The socket for datagrams to `address`, if there is one.
    pub fn udp(&mut self, address: SocketAddr) -> Option<UdpSocket> {
        take_out(&mut self.udp, address)
    }

    /// The socket for connections to `address`, if there is one.
    pub fn tcp(&mut self, address: SocketAddr) -> Option<TcpListener> {
        take_out(&mut self.tcp, address)
    }

    /// That every one has found its place.
    ///
    /// # Errors
    /// [`HandedOverError::NotAsked`], of the first that has not.
    pub fn none_left(self) -> Result<(), HandedOverError> {
        let udp = self.udp.into_iter().map(|left| left.not_asked("UDP"));
        let mut left = udp.chain(self.tcp.into_iter().map(|left| left.not_asked("TCP")));
        left.next().map_or(Ok(()), Err)
    }
}

impl<S> Handed<S> {
    fn new(socket: S, address: SocketAddr, name: &str) -> Self {
        Self {
            socket,
            address,
            name: name.to_owned(),
        }
    }

    fn not_asked(self, transport: &'static str) -> HandedOverError {
        HandedOverError::NotAsked {
            name: self.name,
            transport,
            address: self.address,
        }
    }
}

fn take_out<S>(sockets: &mut Vec<Handed<S>>, address: SocketAddr) -> Option<S> {
    let at = sockets.iter().position(|handed| is_same(handed.address, address))?;
    Some(sockets.remove(at).socket)
}

// A flow label is no part of where a socket listens, and a link need not be named in realm.toml.
fn is_same(bound: SocketAddr, asked: SocketAddr) -> bool {
    let link = |address: SocketAddr| match address {
        SocketAddr::V6(address) => address.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    let same_link = link(asked) == 0 || link(bound) == link(asked);
    (bound.ip(), bound.port()) == (asked.ip(), asked.port()) && same_link
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed() -> (HandedOver, SocketAddr, SocketAddr) {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("[::1]:0").unwrap();
        let (udp_at, tcp_at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        let handed = HandedOver {
            udp: vec![Handed::new(udp, udp_at, "kerberos")],
            tcp: vec![Handed::new(tcp, tcp_at, "tickets")],
        };
        (handed, udp_at, tcp_at)
    }

    #[test]
    fn a_socket_goes_once_to_the_address_and_the_wire_that_it_is_of() {
        let (mut handed, udp_at, tcp_at) = handed();
        assert!(handed.tcp(udp_at).is_none() && handed.udp(tcp_at).is_none());
        let elsewhere = SocketAddr::new(udp_at.ip(), udp_at.port() ^ 1);
        assert!(handed.udp(elsewhere).is_none());
        assert_eq!(handed.udp(udp_at).unwrap().local_addr().unwrap(), udp_at);
        assert!(handed.udp(udp_at).is_none());
        assert_eq!(handed.tcp(tcp_at).unwrap().local_addr().unwrap().port(), tcp_at.port());
        handed.none_left().unwrap();
    }

    #[test]
    fn one_that_nobody_asked_for_is_named() {
        let (mut handed, udp_at, tcp_at) = handed();
        handed.udp(udp_at).unwrap();
        assert_eq!(
            handed.none_left().unwrap_err().to_string(),
            format!(
                "the TCP socket {tcp_at} (\"tickets\") was handed over, but no key of [listen] names {tcp_at}; name it there, \
                 or take it from the sockets that are handed over"
            )
        );
    }

    #[test]
    fn a_link_local_address_is_of_its_link_where_one_is_named() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(is_same(address("[fe80::1%2]:88"), address("[fe80::1]:88")));
        assert!(is_same(address("[fe80::1%2]:88"), address("[fe80::1%2]:88")));
        assert!(!is_same(address("[fe80::1%2]:88"), address("[fe80::1%3]:88")));
        assert!(!is_same(address("[::]:88"), address("0.0.0.0:88")));
    }
}
