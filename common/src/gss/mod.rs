//! The Kerberos V5 mechanism of GSS-API (RFC 4121, with the semantics of RFC 2743).
//!
//! A service has an [`Acceptor`], and makes a [`Context`] of a client's token:
//!
//! ```
//! # use core::net::IpAddr;
//! # use tessera_common::Random;
//! # use tessera_common::ap::{self, MemoryReplayCache};
//! # use tessera_common::gss::{Accepted, AcceptError, Acceptor};
//! # use tessera_common::keytab::Keytab;
//! # use tessera_common::time::Timestamp;
//! # fn accept(token: &[u8], keytab: &Keytab, replays: &MemoryReplayCache, from: IpAddr, now: Timestamp,
//! #     random: &mut dyn Random) -> Result<(), AcceptError> {
//! let acceptor = Acceptor::new(ap::Acceptor::for_any_service());
//! let accepted = acceptor.accept(token, keytab, replays, Some(from), now, random)?;
//! println!("{} is here; answer: {:?}", accepted.context().initiator(), accepted.token());
//! # Ok(())
//! # }
//! ```
//!
//! A client has an [`Initiator`], and its context when the service has answered:
//!
//! ```
//! # use tessera_common::Random;
//! # use tessera_common::credential::Credential;
//! # use tessera_common::gss::{InitiateError, Initiator, Protection};
//! # use tessera_common::time::Timestamp;
//! # fn initiate(ticket: &Credential, now: Timestamp, random: &mut dyn Random,
//! #     send_and_receive: impl Fn(&[u8]) -> Vec<u8>) -> Result<(), Box<dyn core::error::Error>> {
//! let (token, awaiting) = Initiator::new(ticket).start(now, random);
//! let mut context = awaiting.finish(&send_and_receive(&token))?;
//! let sealed = context.wrap(b"for the service alone", Protection::Confidential, now.time, random)?;
//! # Ok(())
//! # }
//! ```
//!
//! A context that is half made has another type, [`AwaitingReply`], and cannot protect anything. Tokens of RFC 1964, which
//! go with DES and RC4, and DCE's style are refused. Most programs choose the mechanism by SPNEGO; a token of that is none
//! of these.

mod accept;
mod accept_error;
mod bindings;
mod certificate;
mod checksum;
mod context;
mod context_error;
mod context_flags;
mod initiate;
mod message_token;
mod mic;
mod prf;
pub(crate) mod token;
mod wrap;

pub use accept::{Accepted, Acceptor};
pub use accept_error::{AcceptError, Refusal};
pub use bindings::{BindingAddress, BindingPolicy, ChannelBindings};
pub use checksum::ChecksumError;
pub use context::Context;
pub use context_error::ContextError;
pub use context_flags::ContextFlags;
pub use initiate::{AwaitingReply, InitiateError, Initiator};
pub use prf::PrfKey;
pub use token::{FrameError, oid};
pub use wrap::{Protection, Unwrapped};

#[cfg(test)]
mod tests;
