//! kdestroy: removes credential caches, after overwriting them.

use std::process::ExitCode;

use clap::Parser as _;
use tessera_client::cache::{self, CacheError};
use tessera_client::command_line::kdestroy::Arguments;
use tessera_client::program::complain;
use tessera_client::{Client, Error};
use tessera_common::ccache::CacheName;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain("kdestroy", &why);
            // What is not there is as good as destroyed.
            let gone = matches!(why, Error::Cache(CacheError::NotFound(_)));
            if gone { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let client = Client::from_environment()?;
    let name: CacheName = match &arguments.cache {
        Some(name) => name.parse().map_err(CacheError::Name)?,
        None => client.settings().default_cache()?,
    };
    if arguments.all {
        return all(&name);
    }
    let cache = match &arguments.principal {
        Some(principal) => cache::by_principal(&name, &client.principal(principal)?)?,
        None => cache::open(&name)?,
    };
    cache.destroy()?;
    if !arguments.quiet && arguments.principal.is_none() && !cache::all(&name)?.is_empty() {
        eprintln!("Other credential caches present, use -A to destroy all");
    }
    Ok(())
}

// Goes on after a failure, and fails in the end.
fn all(name: &CacheName) -> Result<(), Error> {
    let mut outcome = Ok(());
    for cache in cache::all(name)? {
        match cache.destroy() {
            Ok(()) | Err(CacheError::NotFound(_)) => {}
            Err(why) if outcome.is_ok() => outcome = Err(why.into()),
            Err(why) => complain("kdestroy", why),
        }
    }
    outcome
}
