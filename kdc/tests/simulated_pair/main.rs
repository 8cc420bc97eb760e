//! Whole scenarios between our client and our KDC on a simulated clock and link: what needs days or bad luck on a real one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
#![allow(missing_docs, unreachable_pub, reason = "tests")]

mod access;
mod administration;
mod armored;
mod explained;
mod identity;
mod lifetimes;
mod link;
mod lockout;
mod passwords;
mod proofs;
mod rules;
mod world;
