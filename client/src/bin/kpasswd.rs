//! kpasswd: changes a password.

use std::process::ExitCode;

use clap::Parser;
use tessera_client::program::complain;
use tessera_client::{
    Client, Error, PasswordError, Secret, SettingsError, StandardInput, ask_for_new_password, cache, system,
};
use tessera_common::name::Principal;

// The server was asked and said no.
const REFUSED: u8 = 2;

/// Changes a Kerberos password.
///
/// Passwords are asked for at the terminal, or read line by line from the standard input when that is none: the old one, then
/// the new one twice.
#[derive(Debug, Parser)]
#[command(name = "kpasswd", version)]
struct Arguments {
    /// Whose password; otherwise whose credential cache it is, or the user's name
    principal: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => {
            println!("Password changed.");
            ExitCode::SUCCESS
        }
        Err(Error::Password(why @ PasswordError::Refused { .. })) => {
            println!("{why}");
            ExitCode::from(REFUSED)
        }
        Err(why) => {
            complain("kpasswd", why);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let client = Client::from_environment()?;
    let principal = match &arguments.principal {
        Some(text) => client.principal(text)?,
        None => owner_or_user(&client)?,
    };
    let login = client.login_to_change_password(&principal, Secret::ask(&mut StandardInput))?;
    let new = ask_for_new_password(&mut StandardInput)?;
    client.change_password(&login, &new)
}

fn owner_or_user(client: &Client) -> Result<Principal, Error> {
    let cache = cache::open(&client.settings().default_cache()?)?;
    match cache.load() {
        Ok(content) => Ok(content.principal),
        Err(_) => client.principal(&system::user_name().ok_or(SettingsError::NoUserName)?),
    }
}
