//! kswitch: makes a cache the primary one of its collection.

use std::process::ExitCode;

use clap::Parser as _;
use tessera_client::cache::{self, CacheError};
use tessera_client::command_line::kswitch::{Arguments, Which};
use tessera_client::program::finish;
use tessera_client::{Client, Error};

fn main() -> ExitCode {
    finish("kswitch", run(&Arguments::parse().which))
}

fn run(which: &Which) -> Result<(), Error> {
    let client = Client::from_environment()?;
    let cache = match (&which.cache, &which.principal) {
        (Some(name), _) => cache::open(&name.parse().map_err(CacheError::Name)?)?,
        (None, Some(principal)) => {
            cache::by_principal(&client.settings().default_cache()?, &client.principal(principal)?)?
        }
        (None, None) => cache::open(&client.settings().default_cache()?)?,
    };
    Ok(cache::make_primary(&cache)?)
}
