//! Services that accept tickets, over HTTP and not: without a KDC, with tickets made by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at what it does not expect"
)]

mod examples;
mod keytab;
mod layer;
mod legs;
mod refusals;
mod world;
