//! Heimdal's databases, as `kadmin -l dump` writes them.
//!
//! A dump is text, a line for each principal and nothing else. Keys are sealed under a master key, which a file holds, each
//! on its own; `dump --decrypt` writes the current ones open, and the former ones as they are. Other names of a principal, its
//! former keys, and whatever Heimdal has learnt since its first days are in extensions, in DER.

mod convert;
mod der;
mod entry;
mod extension;
mod flags;
mod import;
mod key_sets;
mod keys;
mod master_key;
#[cfg(test)]
mod tests;

pub use entry::{Entry, Event, Field, LineError};
pub use extension::{Content, Extension, KeySet};
pub use import::import;
pub use keys::{DumpedKey, Salt};
pub use master_key::{MasterKeyFileError, MasterKeys, Unopened};
