//! Administration, over `<state>/admin.sock` and from afar: one thread for each administrator that is connected.

mod access;
#[cfg(test)]
mod access_tests;
mod attributes;
mod caller;
mod execute;
mod explain;
mod import;
mod remote;
mod socket;
#[cfg(test)]
mod tests;

pub use remote::{Connected, RemoteListener};
pub use socket::{AdminFront, AdminSocket, Reload, RotateMasterKey};
