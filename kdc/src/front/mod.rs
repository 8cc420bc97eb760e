//! Adapters between a wire and the realm, and nothing else.

pub mod admin;
pub mod kerberos;
pub mod lockout;
pub mod metrics;
pub mod password;
mod per_thread;
pub mod workers;
