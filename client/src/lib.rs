//! Kerberos V5 for clients: logging in, getting tickets for services, keeping them, changing passwords.
//!
//! ```no_run
//! use tessera_client::{Client, Password, Secret};
//!
//! # fn main() -> Result<(), tessera_client::Error> {
//! let client = Client::from_environment()?;
//! let alice = client.principal("alice")?;
//! let mut cache = client.login(&alice, Secret::Password(Password::new("wonderland")))?;
//! let service = client.service_on_host("host", "www.example.com")?;
//! let credential = client.service_ticket(&mut cache, &service)?;
//! println!("{} until {}", credential.server, credential.times.endtime);
//! # Ok(())
//! # }
//! ```
//!
//! The credential goes into an AP-REQ, which [`tessera_common::ap::Initiator`] makes.
//!
//! - [`exchange`] has the protocol without I/O: requests and answers as octets, for whoever brings a network of their own.
//! - [`net`] carries them: several KDCs, UDP and TCP, retransmissions.
//! - [`cache`] and [`keytab_file`] read and write the files that MIT's, Heimdal's and Java's programs use.
//! - [`Client`] puts them together.

pub mod admin;
mod armor;
pub mod cache;
mod client;
pub mod command_line;
mod error;
pub mod exchange;
mod http_token;
pub mod keytab_file;
mod login;
mod negotiate;
pub mod net;
mod password;
pub mod program;
mod prompt;
pub mod service;
mod settings;
pub mod system;
mod tickets;

pub use client::Client;
pub use error::{Error, KdcError};
pub use login::{Asking, DEFAULT_LIFETIME, Login, Secret, renewable_for};
pub use negotiate::{Delegation, NegotiateError, Negotiated, Negotiation};
pub use password::{PasswordError, ask_for_new_password};
pub use prompt::{Password, PromptError, Prompter, StandardInput};
pub use settings::{Settings, SettingsError};
pub use tickets::{user_to_user, with_session_enctype};
