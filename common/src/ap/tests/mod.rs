//! Both ends of the AP exchange against each other, and each against a peer that is wrong on purpose.

mod acceptance;
mod exchange;
pub(crate) mod fixture;
mod krb_cred;
mod messages;
mod mit_library;
pub(crate) mod tampering;
mod vouched;
