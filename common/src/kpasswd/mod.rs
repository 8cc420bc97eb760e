//! Changing passwords (RFC 3244, and version 1 before it): the framing and the contents, for both ends.
//!
//! A request and a reply look alike: a length, a version, the length of an AP-REQ or AP-REP, that, and a KRB-PRIV. Every
//! length is exact; a message with an octet too many or too few is none.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |         message length        |    protocol version number    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     AP-REQ or AP-REP length   |        AP-REQ or AP-REP       /
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! /                  KRB-PRIV, or KRB-ERROR in replies            /
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! - A server: [`Request::decode`], an [`crate::ap::Acceptor`] for `kadmin/changepw`, [`Request::open`], then [`reply`] or
//!   [`error_reply`]. What [`FramingError::answer`] says is `None` gets no answer.
//! - A client: [`PasswordChange::begin`], [`PasswordChange::read_reply`].

mod ad_policy;
mod client;
mod framing;
mod new_password;
mod outcome;
mod server;

pub use ad_policy::AdPolicy;
pub use client::{ChangeError, PasswordChange};
pub use framing::{FramingError, Reply, Request, Version};
pub use new_password::{NewPassword, NewPasswordError};
pub use outcome::{Outcome, ResultCode};
pub use server::{RequestError, error_reply, reply};

#[cfg(test)]
mod tests;
