//! SPNEGO (RFC 4178, and MS-SPNG where it differs): client and service agree on a mechanism of GSS-API, which here is always
//! Kerberos ([`crate::gss`]). HTTP's `Negotiate`, LDAP, SMB and others carry its tokens.
//!
//! # A service
//!
//! [`Acceptor`] takes the client's first token, and mostly that is all: a client that likes Kerberos best sends a token of
//! Kerberos along.
//!
//! ```
//! use core::net::IpAddr;
//! use tessera_common::Random;
//! use tessera_common::ap::MemoryReplayCache;
//! use tessera_common::gss;
//! use tessera_common::keytab::Keytab;
//! use tessera_common::spnego::{AcceptError, Acceptor, Step};
//! use tessera_common::time::Timestamp;
//!
//! fn who_is_it(
//!     acceptor: &Acceptor,
//!     keytab: &Keytab,
//!     replays: &MemoryReplayCache,
//!     from: IpAddr,
//!     now: impl Fn() -> Timestamp,
//!     random: &mut dyn Random,
//!     receive: impl Fn() -> Vec<u8>,
//!     send: impl Fn(Vec<u8>),
//! ) -> Result<gss::Accepted, AcceptError> {
//!     let mut step = acceptor.accept(&receive(), keytab, replays, Some(from), now(), random)?;
//!     loop {
//!         step = match step {
//!             Step::Continue { token, state } => {
//!                 send(token);
//!                 state.step(&receive(), keytab, replays, Some(from), now(), random)?
//!             }
//!             Step::Done { token, accepted } => {
//!                 token.into_iter().for_each(send);
//!                 return Ok(accepted);
//!             }
//!         };
//!     }
//! }
//! ```
//!
//! When it fails, [`AcceptError`] is for the service's log, and [`AcceptError::reply_token`] for the client.
//!
//! # A client
//!
//! ```
//! use tessera_common::Random;
//! use tessera_common::credential::Credential;
//! use tessera_common::gss;
//! use tessera_common::spnego::{InitiateError, InitiateStep, Initiator};
//! use tessera_common::time::Timestamp;
//!
//! fn authenticate(
//!     ticket: &Credential,
//!     now: Timestamp,
//!     random: &mut dyn Random,
//!     receive: impl Fn() -> Vec<u8>,
//!     send: impl Fn(Vec<u8>),
//! ) -> Result<gss::Context, InitiateError> {
//!     let (mut token, mut negotiating) = Initiator::new(gss::Initiator::new(ticket)).start(now, random);
//!     loop {
//!         send(token);
//!         match negotiating.step(&receive(), now.time)? {
//!             InitiateStep::Continue { token: next, state } => (token, negotiating) = (next, state),
//!             InitiateStep::Done { token, context } => {
//!                 token.into_iter().for_each(send);
//!                 return Ok(context);
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! # Half a negotiation is no context
//!
//! Each state is consumed by the step that follows it, and a context comes out of the last one. What has none yet cannot
//! protect anything, nor be asked who the peer is:
//!
//! ```compile_fail
//! use tessera_common::spnego::{Acceptor, Step};
//! # fn half_open(step: Step) {
//! if let Step::Continue { state, .. } = step {
//!     let peer = state.accepted.peer();
//! }
//! # }
//! ```
//!
//! ```compile_fail
//! # use tessera_common::spnego::{InitiateStep, Negotiating};
//! # use tessera_common::time::KerberosTime;
//! # fn failed(negotiating: Negotiating, token: &[u8], now: KerberosTime) {
//! let _ = negotiating.step(token, now);
//! let _ = negotiating.step(token, now); // It was consumed, whether or not it failed.
//! # }
//! ```
//!
//! # What nobody may have altered
//!
//! The client's list of mechanisms is not protected when it is sent. Where that matters, each end makes a MIC over it once
//! there is a context to make one with: RFC 4178 §5, which says when. Here:
//!
//! | Kerberos, under either number, is | MICs |
//! |---|---|
//! | the first of the client's list | none, unless the peer sends one: then it is verified, and answered with one |
//! | further down | from both ends, or the negotiation fails |
//!
//! Under a list that begins with Kerberos, what follows may be altered unnoticed; it would not have been chosen either way. So
//! may the choice between the two numbers, which are of one mechanism.
//!
//! # Not supported
//!
//! - NegoEx, NTLM, IAKERB and user-to-user. Clients that offer them beside Kerberos are welcome.
//! - Windows before 2008, where Kerberos is not its first choice: it neither makes nor reads MICs over the list (RFC 4178,
//!   appendix C), and is refused. A `mechListMIC` that is a copy of the token, as Windows 2000 sends it, is a wrong MIC.
//! - Lengths that are not DER's shortest.
//! - A service that speaks first. What Windows says then ([`NegHints`]) can be read, as a token that is of no use.

mod accept;
mod der;
mod error;
mod initiate;
mod mech;
mod token;

#[cfg(test)]
mod tests;

pub use accept::{Accepting, Acceptor, Step};
pub use error::{AcceptError, InitiateError};
pub use initiate::{InitiateStep, Initiator, Negotiating};
pub use mech::{MAX_MECHS, Mech, MechTypeList};
pub use token::{MAX_TOKEN, NegHints, NegState, NegToken, NegTokenInit, NegTokenResp, TokenError};
