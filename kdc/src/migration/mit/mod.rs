//! MIT's databases, as `kdb5_util dump` writes them.
//!
//! A dump is text: a line that says which version of the format it is, and a line for each principal, in no order that means
//! anything, and for each policy. Keys are encrypted under the database's master key, which the stash file holds; the
//! principal `K/M` has that key, too, under itself, and all earlier ones under it.

mod convert;
mod fields;
mod flags;
mod format;
mod history;
mod import;
mod kadm_data;
mod key_data;
mod master_keys;
mod policies;
mod policy_line;
mod principal_line;
mod stash;
mod survey;
#[cfg(test)]
mod tests;
mod tl_data;

pub use import::{Source, import};
