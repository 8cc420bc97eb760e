//! For services: who is calling.

mod replay_file;

pub use replay_file::{ReplayFile, ReplayFileError};
