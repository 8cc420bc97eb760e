//! The realm: authentication, authorization and accounting, and the wires that ask for them.

pub mod accounting;
pub mod cli;
pub mod clock;
pub mod config;
pub mod front;
pub mod kerberos;
pub mod krb5_conf;
pub mod log;
pub mod metrics;
pub mod migration;
pub mod net;
pub mod random;
pub mod realm;
pub mod serve;
pub mod store;
mod thread_number;
