//! SPNEGO.

mod der;
mod mech;
mod token;

pub use mech::{MAX_MECHS, Mech, MechTypeList};
pub use token::{MAX_TOKEN, NegHints, NegState, NegToken, NegTokenInit, NegTokenResp, TokenError};

#[cfg(test)]
mod tests;
