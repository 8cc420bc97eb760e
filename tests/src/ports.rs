//! Ports for programs that cannot choose one themselves.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Below the numbers that the kernel gives to port 0 and to connections that go out (32768 to 60999): a port that is free
/// stays free until whoever it was taken for has it, and a client that still asks where a server was meets nobody else.
const NUMBERS: std::ops::Range<u16> = 20_000..32_000;

/// A UDP socket and a TCP listener on one port of loopback.
pub(crate) fn pair() -> (UdpSocket, TcpListener) {
    let port = (Ipv4Addr::LOCALHOST, free());
    (UdpSocket::bind(port).unwrap(), TcpListener::bind(port).unwrap())
}

/// A port that nobody listens on, in either protocol, at any address; no other call gets it, in any process, while this
/// process lives.
///
/// # Panics
///
/// If every port is taken.
#[must_use]
pub fn free() -> u16 {
    let first = usize::try_from(std::process::id()).unwrap();
    NUMBERS
        .cycle()
        .skip(first % NUMBERS.len())
        .take(NUMBERS.len())
        .find(|&port| claim(port) && unused(port))
        .expect("no port is free")
}

fn unused(port: u16) -> bool {
    let everywhere = (Ipv6Addr::UNSPECIFIED, port);
    TcpListener::bind(everywhere).is_ok() && UdpSocket::bind(everywhere).is_ok()
}

/// Other tests run beside this one: a name that only one process can have tells them that the port is spoken for. The
/// kernel forgets it with the process.
fn claim(port: u16) -> bool {
    let name = SocketAddr::from_abstract_name(format!("tessera-port-{port}")).unwrap();
    match UnixListener::bind_addr(&name) {
        Ok(claimed) => {
            std::mem::forget(claimed);
            true
        }
        Err(_) => false,
    }
}
