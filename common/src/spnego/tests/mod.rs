//! Tokens by themselves, negotiations from end to end, and both against MIT's library.

mod answers;
mod codec;
mod downgrade;
mod fixture;
mod mit_library;
mod negotiation;
mod properties;
mod refusals;
mod tampering;
