//! For the author of a service: who is calling.
//!
//! ```no_run
//! use tessera_client::service::{Caller, Connection, Service, Step};
//!
//! # fn serve(
//! #     token: Vec<u8>,
//! #     peer: std::net::SocketAddr,
//! #     send_and_receive: impl Fn(&[u8]) -> Vec<u8>,
//! #     send: impl Fn(&[u8]),
//! # ) -> Result<Caller, Box<dyn std::error::Error>> {
//! let (service, connection) = (Service::from_keytab("/etc/krb5.keytab")?, Connection::new(peer));
//! let mut step = service.accept(&token, &connection)?;
//! let caller = loop {
//!     match step {
//!         Step::Continue { token, state } => step = service.go_on(state, &send_and_receive(&token), &connection)?,
//!         Step::Done { token, caller, .. } => {
//!             token.iter().for_each(|token| send(token));
//!             break caller;
//!         }
//!     }
//! };
//! # Ok(caller)
//! # }
//! ```
//!
//! - [`Service`] reads tokens of GSS-API and SPNEGO. Its keytab is read again when it changes.
//! - [`Caller`] is who proved itself: name, roles, how and until when.
//! - [`ReplayFile`] is for services of more than one process.
//! - With the feature `http`, the module `negotiate` has a layer of `tower`'s for servers that speak HTTP.

mod acceptor;
mod caller;
mod connection;
mod event;
mod keys;
mod name;
#[cfg(feature = "http")]
pub mod negotiate;
mod refused;
mod replay_file;

pub use acceptor::{HalfOpen, Service, ServiceBuilder, ServiceError, Step};
pub use caller::{Caller, Factors};
pub use connection::Connection;
pub use event::Event;
pub use keys::KeysError;
pub use name::ServiceName;
pub use refused::{Reason, Refused};
pub use replay_file::{ReplayFile, ReplayFileError};
