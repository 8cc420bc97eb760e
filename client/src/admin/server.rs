//! A daemon that is reached over a network: its address, and a conversation with it that nobody else can read.

use core::fmt;
use core::str::FromStr;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use tessera_common::admin::{FrameError, Sealed, read_token, write_token};
use tessera_common::gss::Initiator;
use tessera_common::krb5_conf;
use tessera_common::time::KerberosTime;

use super::AdminError;
use super::ticket::Ticket;
use crate::system::{self, SystemRandom};

const CONNECTING: Duration = Duration::from_secs(10);

/// `HOST:PORT`, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server(krb5_conf::Server);

impl FromStr for Server {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once("]:").ok_or("write [ADDRESS]:PORT")?,
            None => text.rsplit_once(':').ok_or("the port is missing; write HOST:PORT")?,
        };
        if !text.starts_with('[') && host.contains(':') {
            return Err("an IPv6 address stands in brackets: [ADDRESS]:PORT");
        }
        let port = port.parse().ok().filter(|port| *port != 0);
        let port = port.ok_or("the port is a number from 1 to 65535")?;
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err("the host is missing; write HOST:PORT");
        }
        Ok(Self(krb5_conf::Server {
            host: host.to_owned(),
            port,
        }))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Server {
    /// Connects, and makes a context with this ticket. What comes back is good for anything only when the daemon has proved
    /// that it is the one that the ticket is for: until then, nothing is sent that would be of use to anybody.
    pub(super) fn converse(
        &self,
        ticket: &Ticket,
        patience: Duration,
    ) -> Result<Sealed<TcpStream, SystemRandom>, AdminError> {
        let mut stream = self.connect(patience)?;
        let now = ticket.clock.apply(system::now());
        let (token, awaiting) = Initiator::new(&ticket.credential).start(now, &mut SystemRandom);
        let answer = write_token(&mut stream, &token).and_then(|()| read_token(&mut stream));
        let answer = match answer {
            Ok(Some(answer)) => answer,
            Ok(None) => return Err(self.hung_up()),
            Err(FrameError::Stream(why)) if why.kind() == io::ErrorKind::WouldBlock => return Err(AdminError::Silent),
            Err(_) => return Err(self.hung_up()),
        };
        let context = awaiting.finish(&answer).map_err(|why| AdminError::Handshake {
            server: self.to_string(),
            service: ticket.credential.server.clone(),
            why,
        })?;
        Ok(Sealed::new(stream, context, now_here, SystemRandom))
    }

    fn hung_up(&self) -> AdminError {
        AdminError::NoHandshake {
            server: self.to_string(),
        }
    }

    fn connect(&self, patience: Duration) -> Result<TcpStream, AdminError> {
        let failed = |why| AdminError::Unreachable {
            server: self.to_string(),
            why,
        };
        let addresses = (self.0.host.as_str(), self.0.port).to_socket_addrs();
        let addresses = addresses.map_err(|why| AdminError::NoSuchHost {
            host: self.0.host.clone(),
            why,
        })?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECTING) {
                Ok(stream) => {
                    let set = stream
                        .set_nodelay(true)
                        .and_then(|()| stream.set_read_timeout(Some(patience)))
                        .and_then(|()| stream.set_write_timeout(Some(patience)));
                    return set.map(|()| stream).map_err(failed);
                }
                Err(why) => last = why,
            }
        }
        Err(failed(last))
    }
}

fn now_here() -> KerberosTime {
    system::now().time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for text in [
            "kdc.example.com:749",
            "127.0.0.1:8749",
            "[::1]:8749",
            "[2001:db8::1]:65535",
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!(server.to_string(), text);
        }
        for (text, says) in [
            ("kdc", "the port is missing"),
            ("", "the port is missing"),
            (":8749", "the host is missing"),
            ("a b:8749", "the host is missing"),
            ("kdc:", "1 to 65535"),
            ("kdc:0", "1 to 65535"),
            ("kdc:65536", "1 to 65535"),
            ("kdc:port", "1 to 65535"),
            ("::1:8749", "in brackets"),
            ("[::1]", "[ADDRESS]:PORT"),
            ("[::1]8749", "[ADDRESS]:PORT"),
        ] {
            let error = text.parse::<Server>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
