//! Administration over `<state>/admin.sock`: one thread for each administrator that is connected.

mod access;
#[cfg(test)]
mod access_tests;
mod attributes;
mod execute;
mod explain;
mod import;
mod policies;
mod socket;
#[cfg(test)]
mod tests;

pub use socket::{AdminFront, AdminSocket, Reload, RotateMasterKey};
