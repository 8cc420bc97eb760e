//! kpasswd: changes a password.

use std::process::ExitCode;

use clap::Parser as _;
use tessera_client::command_line::kpasswd::Arguments;
use tessera_client::exchange::Armor;
use tessera_client::program::complain;
use tessera_client::{
    Client, Error, PasswordError, Secret, SettingsError, StandardInput, ask_for_new_password, cache, system,
};
use tessera_common::name::{Principal, Realm};

// The server was asked and said no.
const REFUSED: u8 = 2;

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
    let mut request = client.login_request(&principal)?;
    request.armor = armor(&client, &principal.realm);
    let login = client.login_to_change_password(request, Secret::ask(&mut StandardInput))?;
    let new = ask_for_new_password(&mut StandardInput)?;
    client.change_password(&login, &new)
}

fn armor(client: &Client, realm: &Realm) -> Option<Armor> {
    let cache = cache::open(&client.settings().default_cache().ok()?).ok()?;
    client.armor_at_hand(&cache.load().ok()?, realm)
}

fn owner_or_user(client: &Client) -> Result<Principal, Error> {
    let cache = cache::open(&client.settings().default_cache()?)?;
    match cache.load() {
        Ok(content) => Ok(content.principal),
        Err(_) => client.principal(&system::user_name().ok_or(SettingsError::NoUserName)?),
    }
}
