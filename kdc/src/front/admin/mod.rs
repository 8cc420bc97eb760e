//! Administration, over `<state>/admin.sock` and from afar: one thread for each administrator that is connected.

mod access;
#[cfg(test)]
mod access_tests;
mod account;
mod apply;
#[cfg(test)]
mod apply_tests;
mod attributes;
mod caller;
mod conflict;
mod conversation;
#[cfg(test)]
mod conversation_tests;
mod declared;
mod execute;
mod explain;
mod eyes;
mod import;
mod keys;
#[cfg(test)]
mod keys_tests;
mod line;
mod listener;
mod places;
mod policies;
mod remote;
mod rights;
#[cfg(test)]
mod rights_tests;
mod socket;
#[cfg(test)]
mod tests;
mod told;

pub use account::Followers;
pub use conversation::{AdminFront, Reload, RotateMasterKey};
pub use line::Line;
pub use remote::{Connected, RemoteListener};
pub use socket::AdminSocket;
