//! kswitch: makes a cache the primary one of its collection.

use std::process::ExitCode;

use clap::Parser;
use tessera_client::cache::{self, CacheError};
use tessera_client::program::finish;
use tessera_client::{Client, Error};

/// Makes a credential cache the one of its collection that is used when none is named.
#[derive(Debug, Parser)]
#[command(name = "kswitch", version)]
struct Arguments {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The cache, as DIR::/path/tktNAME
    #[arg(short = 'c', value_name = "CACHE")]
    cache: Option<String>,
    /// The cache of this principal
    #[arg(short = 'p', value_name = "PRINCIPAL")]
    principal: Option<String>,
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn just_one_cache_is_named() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(parse("kswitch -p alice").is_ok());
        assert!(parse("kswitch -c DIR::/tmp/cc/tkt").is_ok());
        for line in ["kswitch", "kswitch -c DIR:/tmp -p alice", "kswitch alice"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
