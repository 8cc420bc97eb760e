//! One conversation with the daemon.

use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tessera_common::admin::{
    Dialogue, FrameError, Hello, PROTOCOL, Request, Response, Sealed, Welcome, read_frame, write_frame,
};
use tessera_common::gss::ContextError;
use tessera_common::name::{Principal, Realm};

use super::AdminError;
use super::server::Server;
use super::ticket::Ticket;
use crate::system::SystemRandom;

// Longer than the daemon takes for anything, many passwords at once included.
const PATIENCE: Duration = Duration::from_secs(300);

/// A daemon that said welcome.
pub(super) struct Connection<S> {
    stream: S,
    realm: Option<Realm>,
}

// Who is not welcome gets a refusal instead.
#[derive(Deserialize)]
#[serde(untagged)]
enum Greeting {
    Welcome(Welcome),
    Response(Response),
}

impl Connection<UnixStream> {
    /// Connects to the daemon of this realm.toml.
    pub(super) fn to_daemon_of(config: &Path) -> Result<Self, AdminError> {
        let socket = super::socket::find(config)?;
        let stream = UnixStream::connect(&socket).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        let stream = stream.map_err(|why| AdminError::Connect {
            socket,
            config: config.to_owned(),
            why,
        })?;
        Self::greet(stream)
    }
}

impl Connection<Sealed<TcpStream, SystemRandom>> {
    /// Connects to a daemon over a network.
    pub(super) fn to_server(server: &Server, ticket: &Ticket) -> Result<Self, AdminError> {
        Self::greet(server.converse(ticket, PATIENCE)?)
    }
}

impl<S: Dialogue> Connection<S> {
    /// Exchanges greetings.
    pub(super) fn greet(mut stream: S) -> Result<Self, AdminError> {
        let hello = Hello {
            protocol: PROTOCOL,
            program: concat!("principal ", env!("CARGO_PKG_VERSION")).into(),
        };
        // A daemon that refuses at once may have closed its end already; what it said can still be read.
        let sent = write_frame(&mut stream, &hello);
        match read_frame(&mut stream) {
            Ok(Some(Greeting::Welcome(welcome))) if welcome.protocol == PROTOCOL => Ok(Self {
                stream,
                realm: Realm::new(&welcome.realm).ok(),
            }),
            Ok(Some(Greeting::Welcome(welcome))) => Err(AdminError::Version(welcome)),
            Ok(Some(Greeting::Response(Response::Refused { reason, message }))) => {
                Err(AdminError::Refused { reason, message })
            }
            Ok(Some(Greeting::Response(_))) => Err(AdminError::Unexpected),
            Ok(None) => {
                sent?;
                Err(AdminError::HungUp)
            }
            Err(why) => Err(why.into()),
        }
    }

    /// Asks for something and waits for the answer; a refusal is an error.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Response, AdminError> {
        write_frame(&mut self.stream, request)?;
        self.answer()
    }

    /// Asks for what comes in parts, of which `some` takes one, and hands them on as they come.
    pub(super) fn list<T>(
        &mut self,
        request: &Request,
        some: impl Fn(Response) -> Option<Vec<T>>,
        mut each: impl FnMut(Vec<T>) -> Result<(), AdminError>,
    ) -> Result<(), AdminError> {
        write_frame(&mut self.stream, request)?;
        loop {
            match self.answer()? {
                Response::Done => return Ok(()),
                part => each(some(part).ok_or(AdminError::Unexpected)?)?,
            }
        }
    }

    /// The same, all at once.
    pub(super) fn all<T>(
        &mut self,
        request: &Request,
        some: impl Fn(Response) -> Option<Vec<T>>,
    ) -> Result<Vec<T>, AdminError> {
        let mut all = Vec::new();
        self.list(request, some, |mut part| {
            all.append(&mut part);
            Ok(())
        })?;
        Ok(all)
    }

    fn answer(&mut self) -> Result<Response, AdminError> {
        match read_frame(&mut self.stream)? {
            Some(Response::Refused { reason, message }) => Err(AdminError::Refused { reason, message }),
            Some(response) => Ok(response),
            None => Err(AdminError::HungUp),
        }
    }

    /// The realm that is administered, if the daemon gave a name that can be one.
    pub(super) const fn realm(&self) -> Option<&Realm> {
        self.realm.as_ref()
    }

    /// A name as it was typed, in full.
    pub(super) fn full(&self, name: &str) -> String {
        Principal::parse(name, self.realm.as_ref()).map_or_else(|_| name.to_owned(), |principal| principal.to_string())
    }
}

impl From<FrameError> for AdminError {
    fn from(why: FrameError) -> Self {
        match why {
            FrameError::Stream(why) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Self::Silent
            }
            FrameError::Stream(why)
                // The last: it hung up before it had read what was sent.
                if matches!(
                    why.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                Self::HungUp
            }
            FrameError::Seal(ContextError::Expired { .. }) => Self::TicketOver,
            why => Self::Frame(why),
        }
    }
}
