//! Kerberos V5 for both ends of a wire: what a service needs to know who its clients are, and what a client needs to know
//! that it talks to the service it means.
//!
//! # For the author of a service
//!
//! A service has a *keytab*, a file with its keys, and gets an *AP-REQ* from each client, in whatever way the application's
//! protocol carries it. [`ap::Acceptor`] makes of it a client's name that can be relied on:
//!
//! ```no_run
//! use std::net::IpAddr;
//!
//! use tessera_common::Random;
//! use tessera_common::ap::{Acceptor, Answer, Channel, MemoryReplayCache};
//! use tessera_common::keytab::Keytab;
//! use tessera_common::time::Timestamp;
//!
//! # struct SystemRandom;
//! # impl Random for SystemRandom {
//! #     fn fill(&mut self, out: &mut [u8]) { getrandom::fill(out).expect("the system's generator") }
//! # }
//! # fn receive() -> (Vec<u8>, IpAddr) { unimplemented!() }
//! # fn send(_: &[u8]) {}
//! # fn now() -> Timestamp { unimplemented!() }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Once, at the start:
//! let keytab = Keytab::parse(&std::fs::read("/etc/krb5.keytab")?)?;
//! let acceptor = Acceptor::for_service("imap/mail.example.com@EXAMPLE.COM".parse()?);
//! let replays = MemoryReplayCache::new(Acceptor::SKEW);
//!
//! // For every client:
//! let (ap_req, from) = receive();
//! let accepted = acceptor.accept(&ap_req, &keytab, &replays, Some(from), now().time)?;
//! println!("{from} is {}", accepted.client());
//!
//! // The service proves itself in turn, and both have a key that nobody else has:
//! let mut random = SystemRandom;
//! let answer = Answer::fresh(accepted.session_key().etype(), &mut random);
//! let (ap_rep, agreed) = accepted.reply(&answer, &mut random);
//! send(&ap_rep);
//! let mut channel = Channel::stream(agreed);
//! let (message, _) = receive();
//! let text = channel.read_priv(&message, now())?;
//! # Ok(())
//! # }
//! ```
//!
//! When `accept` fails, its [`ap::ApError`] says in full what is wrong, for the service's own log: which key is missing and
//! which ones the keytab has, whose clock is off by how much. The client is owed no more than
//! [`ap::ApError::to_krb_error`], which has a code and the time.
//!
//! Many application protocols carry GSS-API tokens instead (SSH, LDAP, IMAP, HTTP's `Negotiate`): [`gss`] has the same for
//! them, with channel bindings, delegation, and MIC and Wrap tokens for what follows, and [`spnego`] where the two ends agree on
//! a mechanism first.
//!
//! Who may do what is for the service to decide; that a client could prove its name is no reason to let it in.
//!
//! # For the author of a client
//!
//! [`ap::Initiator`] makes the AP-REQ out of a [`credential::Credential`], a ticket for the service. `tessera-client` gets
//! those from the KDC or the user's cache; it has an example of a service and of its client, which talk over TCP
//! (`cargo run --example echo_service`, `echo_client`).
//!
//! # No input, no output
//!
//! Nothing here opens a socket, reads a clock, draws randomness or writes a file: functions take bytes, the time and a
//! [`Random`] source, and give bytes back. That makes every exchange replayable in a test and usable on any thread.

pub mod accounting;
pub mod admin;
pub mod ap;
pub mod ccache;
pub mod credential;
pub mod crypto;
pub mod duration;
pub mod error_code;
pub mod fast;
pub mod flags;
pub mod gss;
pub mod hexadecimal;
pub mod keytab;
pub mod kpasswd;
pub mod krb5_conf;
pub mod listed;
pub mod mit_time;
pub mod name;
pub mod network;
mod reader;
pub mod role;
pub mod spnego;
mod stored_key;
pub mod time;
pub mod tlv;
pub mod wire;

/// A source of unpredictable octets, handed in by whoever runs the protocol.
///
/// Programs use the operating system's generator or a generator seeded from it; tests and simulations may use a counter.
pub trait Random {
    /// Fills `out` with octets that nobody can predict.
    fn fill(&mut self, out: &mut [u8]);
}
