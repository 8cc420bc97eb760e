use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Instant;

use nix::poll::PollFlags;
use socket2::{Domain, Socket, Type};
use tessera_common::wire::MAX_MESSAGE;

use super::Protocol;

/// One request on its way to one address.
pub(super) struct Attempt {
    pub(super) address: SocketAddr,
    pub(super) protocol: Protocol,
    state: State,
}

enum State {
    NotYet,
    Asked(UdpSocket),
    Connecting(TcpStream, Instant),
    Sending(TcpStream, Instant, usize),
    Receiving(TcpStream, Instant, Vec<u8>),
    Failed(String),
}

impl Attempt {
    pub(super) const fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self {
            address,
            protocol,
            state: State::NotYet,
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.state, State::NotYet | State::Failed(_))
    }

    /// Why it failed, if it did.
    pub(super) fn failure(&self) -> Option<&str> {
        match &self.state {
            State::Failed(why) => Some(why),
            _ => None,
        }
    }

    pub(super) fn fail(&mut self, why: impl ToString) {
        self.state = State::Failed(why.to_string());
    }

    /// Begins, or sends a datagram once more. A stream has until `deadline`.
    pub(super) fn send(&mut self, request: &[u8], deadline: Instant) {
        let begun = match (&self.state, self.protocol) {
            (State::NotYet, Protocol::Udp) => begin_udp(self.address, request).map(State::Asked),
            (State::NotYet, Protocol::Tcp) => begin_tcp(self.address).map(|stream| State::Connecting(stream, deadline)),
            (State::Asked(socket), _) => match socket.send(request) {
                Err(e) if e.kind() != ErrorKind::WouldBlock => Err(e),
                _ => return,
            },
            _ => return,
        };
        self.state = begun.unwrap_or_else(|e| State::Failed(e.to_string()));
    }

    /// What to wait for, on what, and until when at most.
    pub(super) fn waits_for(&self) -> Option<(BorrowedFd<'_>, PollFlags, Option<Instant>)> {
        match &self.state {
            State::NotYet | State::Failed(_) => None,
            State::Asked(socket) => Some((socket.as_fd(), PollFlags::POLLIN, None)),
            State::Connecting(stream, deadline) | State::Sending(stream, deadline, _) => {
                Some((stream.as_fd(), PollFlags::POLLOUT, Some(*deadline)))
            }
            State::Receiving(stream, deadline, _) => Some((stream.as_fd(), PollFlags::POLLIN, Some(*deadline))),
        }
    }

    /// Gives a stream up whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        if self
            .waits_for()
            .and_then(|(_, _, deadline)| deadline)
            .is_some_and(|deadline| deadline <= now)
        {
            let what = match self.state {
                State::Connecting(..) => "no connection in time",
                _ => "no answer in time",
            };
            self.fail(what);
        }
    }

    /// Goes as far as it goes without waiting; gives the answer when there is a whole one.
    pub(super) fn advance(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let state = core::mem::replace(&mut self.state, State::NotYet);
        match step(state, request) {
            Ok(Progress::Answer(answer)) => {
                self.fail("answered before");
                Some(answer)
            }
            Ok(Progress::Wait(state)) => {
                self.state = state;
                None
            }
            Err(e) => {
                self.fail(e);
                None
            }
        }
    }
}

enum Progress {
    Answer(Vec<u8>),
    Wait(State),
}

fn step(state: State, request: &[u8]) -> io::Result<Progress> {
    match state {
        State::Asked(socket) => {
            let mut datagram = vec![0; 65_536];
            match socket.recv(&mut datagram) {
                Ok(length) => {
                    datagram.truncate(length);
                    Ok(Progress::Answer(datagram))
                }
                Err(e) if is_patience(&e) => Ok(Progress::Wait(State::Asked(socket))),
                Err(e) => Err(e),
            }
        }
        State::Connecting(stream, deadline) => match stream.take_error()? {
            Some(e) => Err(e),
            None => step(State::Sending(stream, deadline, 0), request),
        },
        State::Sending(mut stream, deadline, sent) => {
            let length = u32::try_from(request.len())
                .map_err(|_| ErrorKind::InvalidInput)?
                .to_be_bytes();
            let framed: Vec<u8> = length.iter().chain(request).copied().collect();
            let rest = framed.get(sent..).unwrap_or_default();
            match stream.write(rest) {
                Ok(0) if !rest.is_empty() => Err(ErrorKind::WriteZero.into()),
                Ok(count) if count < rest.len() => Ok(Progress::Wait(State::Sending(stream, deadline, sent + count))),
                Ok(_) => Ok(Progress::Wait(State::Receiving(stream, deadline, Vec::new()))),
                Err(e) if is_patience(&e) => Ok(Progress::Wait(State::Sending(stream, deadline, sent))),
                Err(e) => Err(e),
            }
        }
        State::Receiving(mut stream, deadline, mut got) => {
            let mut chunk = [0; 8192];
            match stream.read(&mut chunk) {
                Ok(0) => Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "connection closed without an answer",
                )),
                Ok(count) => {
                    got.extend_from_slice(chunk.get(..count).unwrap_or_default());
                    match framed(&got)? {
                        Some(answer) => Ok(Progress::Answer(answer)),
                        None => Ok(Progress::Wait(State::Receiving(stream, deadline, got))),
                    }
                }
                Err(e) if is_patience(&e) => Ok(Progress::Wait(State::Receiving(stream, deadline, got))),
                Err(e) => Err(e),
            }
        }
        idle @ (State::NotYet | State::Failed(_)) => Ok(Progress::Wait(idle)),
    }
}

fn begin_udp(address: SocketAddr, request: &[u8]) -> io::Result<UdpSocket> {
    let any: SocketAddr = if address.is_ipv4() {
        ([0u8; 4], 0).into()
    } else {
        ([0u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    // Connected, it takes datagrams from this address alone and is told when nobody listens there.
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    socket.send(request)?;
    Ok(socket)
}

fn begin_tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), None)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(e) if e.raw_os_error() == Some(nix::libc::EINPROGRESS) => {}
        Err(e) => return Err(e),
    }
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

// The message behind its length in four octets, once it is whole.
fn framed(got: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let Some((length, rest)) = got.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > MAX_MESSAGE {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("an answer of {length} octets is too long"),
        ));
    }
    Ok(rest.get(..length).map(<[u8]>::to_vec))
}

fn is_patience(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
