//! For the author of a service: who is calling.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (token, peer): (Vec<u8>, std::net::SocketAddr) = unimplemented!();
//! use tessera_client::service::{Connection, Service, Step};
//!
//! let service = Service::from_keytab("/etc/krb5.keytab")?;
//! let step = service.accept(&token, &Connection::new(peer))?;
//! let Step::Done { caller, .. } = step else { todo!("send the token, and take another") };
//! # Ok(())
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
