//! Sends and receives, with patience where an answer is due and little of it where none is.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a datagram and waits for the answer; it must come from the address that was asked. A datagram may be lost where
/// many are under way: it is sent again every second, as clients do.
#[must_use]
#[track_caller]
pub fn udp(to: SocketAddr, request: &[u8]) -> Vec<u8> {
    let tries = (0..PATIENCE.as_secs()).find_map(|_| udp_within(to, request, Duration::from_secs(1)));
    tries.unwrap_or_else(|| panic!("{to} does not answer {} octets", request.len()))
}

/// Sends a datagram and waits so long for an answer.
#[must_use]
pub fn udp_within(to: SocketAddr, request: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let socket = match to {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
    }
    .unwrap();
    socket.set_read_timeout(Some(patience)).unwrap();
    socket.send_to(request, to).unwrap();
    let mut buffer = vec![0; 65536];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    assert_eq!(from, to, "the answer comes from another address");
    Some(buffer[..length].to_vec())
}

/// Sends a datagram that must get no answer. To know that it has been dealt with and not only delayed, `probe` is sent after
/// it from the same socket, and must be the first to be answered.
#[track_caller]
pub fn udp_silence(to: SocketAddr, request: &[u8], probe: &[u8]) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut buffer = vec![0; 65536];
    socket.send_to(request, to).unwrap();
    // Two workers may overtake each other: an answer that was to come comes within this time.
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    if let Ok((length, _)) = socket.recv_from(&mut buffer) {
        panic!("{to} answers {} octets with {:02x?}", request.len(), &buffer[..length]);
    }
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(probe, to).unwrap();
    socket
        .recv_from(&mut buffer)
        .unwrap_or_else(|error| panic!("{to} no longer answers: {error}"));
}

/// Sends one request over a connection of its own and waits for the answer.
#[must_use]
#[track_caller]
pub fn tcp(to: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(to);
    send(&mut stream, request);
    receive(&mut stream).unwrap_or_else(|| panic!("{to} closes without an answer to {} octets", request.len()))
}

/// A connection that waits patiently.
#[must_use]
#[track_caller]
pub fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap_or_else(|error| panic!("{to}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends one message behind its length.
pub fn send(stream: &mut impl Write, message: &[u8]) {
    let length = u32::try_from(message.len()).unwrap();
    stream
        .write_all(&[&length.to_be_bytes()[..], message].concat())
        .unwrap();
}

/// Receives one message behind its length; `None` when the connection ends.
#[must_use]
#[track_caller]
pub fn receive(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    if let Err(error) = stream.read_exact(&mut length) {
        let timed_out = matches!(
            error.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        );
        assert!(!timed_out, "neither an answer nor an end of the connection");
        return None;
    }
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut message).unwrap();
    Some(message)
}
