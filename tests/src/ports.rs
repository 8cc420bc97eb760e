//! Ports for programs that cannot choose one themselves.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// A UDP socket and a TCP listener on one port of loopback.
pub(crate) fn pair() -> (UdpSocket, TcpListener) {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()) {
            return (socket, listener);
        }
    }
}

/// A port that was free a moment ago.
pub(crate) fn free() -> u16 {
    pair().1.local_addr().unwrap().port()
}
