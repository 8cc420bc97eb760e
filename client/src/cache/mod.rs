//! Credential caches on disk: FILE caches and DIR collections, shared with MIT's programs that may use them at the same time.

mod collection;
mod error;
mod file;
mod replace;

pub use collection::{all, by_principal, make_primary, new_in, open};
pub use error::CacheError;
pub use file::CacheFile;
pub(crate) use replace::create_beside;
pub use replace::replace_file;
