//! The application's side of Kerberos (RFC 4120 §3.2, §3.4 to §3.6): AP-REQ and AP-REP, and the messages that are
//! protected by what these two agree on.
//!
//! - A service: [`Acceptor`] turns an AP-REQ into [`Accepted`], or into an [`ApError`] that tells the operator all and the
//!   peer a code; [`Accepted::reply`] makes the AP-REP.
//! - A client: [`Initiator`] makes the AP-REQ, [`Initiated::verify_reply`] reads the AP-REP.
//! - Both then have an [`Agreement`], and from it a [`Channel`] for KRB-PRIV and KRB-SAFE. [`krb_cred`] hands tickets on.
//! - What else a KDC vouches for in a ticket, roles above all, is [`Vouched`].
//! - A KDC, whose rules for an AP-REQ are others, takes the pieces: [`ApRequest`], [`open_ticket`],
//!   [`open_authenticator`].

mod accept;
mod accepted;
mod agreement;
mod authenticator;
mod channel;
mod error;
mod initiate;
pub mod krb_cred;
pub mod krb_priv;
pub mod krb_safe;
mod message;
mod message_error;
mod replay;
mod request;
mod sequence;
mod service_keys;
mod ticket;
pub mod vouched;

pub use accept::{Acceptor, TransitedPolicy};
pub use accepted::Accepted;
pub use agreement::{Agreement, Answer, Role, first_seq_number};
pub use authenticator::{OpenAuthenticator, open_authenticator};
pub use channel::{Addresses, Channel};
pub(crate) use error::krb_error;
pub use error::{ApError, HeldKey, KeyWanted, Part};
pub use initiate::{Initiated, Initiator, ReplyError};
pub use message::{Header, Opened};
pub use message_error::MessageError;
pub use replay::{MemoryReplayCache, ReplayCache, ReplayError, ReplayTag};
pub use request::ApRequest;
pub use sequence::{SequenceError, SequenceNumber, SequenceWindow};
pub use service_keys::{ServiceKey, ServiceKeys};
pub use ticket::{OpenTicket, open_ticket};
pub use vouched::{CammacError, Vouched};

#[cfg(test)]
pub(crate) mod tests;
