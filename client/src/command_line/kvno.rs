//! `kvno`.

use clap::Parser;
use tessera_common::crypto::EncType;

/// Gets tickets for services, keeps them in the credential cache and shows the version of the key that each is under.
#[derive(Debug, Parser)]
#[command(name = "kvno", version)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Arguments {
    /// The credential cache; otherwise the default one
    #[arg(short = 'c', value_name = "CACHE")]
    pub cache: Option<String>,
    /// The enctype of the session key
    #[arg(short = 'e', value_name = "ENCTYPE", value_parser = enctype)]
    pub enctype: Option<EncType>,
    /// Tries the tickets on this keytab
    #[arg(short = 'k', value_name = "KEYTAB")]
    pub keytab: Option<String>,
    /// Shows nothing but errors
    #[arg(short = 'q')]
    pub quiet: bool,
    /// Asks for the names without saying of which type they are
    #[arg(short = 'u', conflicts_with = "service")]
    pub unknown_type: bool,
    /// The names are hosts; gets tickets for this service there
    #[arg(short = 'S', value_name = "SERVICE")]
    pub service: Option<String>,
    /// Takes tickets from the cache and asks no KDC
    #[arg(long)]
    pub cached_only: bool,
    /// Does not add the tickets to the cache
    #[arg(long)]
    pub no_store: bool,
    /// Keeps the tickets in this cache instead, and nothing else
    #[arg(long, value_name = "CACHE")]
    pub out_cache: Option<String>,
    /// User-to-user: encrypted for whoever holds the ticket-granting ticket in this cache
    #[arg(long, value_name = "CACHE")]
    pub u2u: Option<String>,
    /// The services, or with -S the hosts
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

fn enctype(text: &str) -> Result<EncType, String> {
    let known = || EncType::ALL.map(EncType::name).join(", ");
    EncType::from_name(text).ok_or_else(|| format!("there are {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_names_are_read() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        let arguments = parse("kvno -q -e aes128-sha2 --u2u FILE:/tmp/bob bob host/www").unwrap();
        assert_eq!(arguments.enctype, Some(EncType::Aes128CtsHmacSha256_128));
        assert_eq!(arguments.names, ["bob", "host/www"]);
        for line in [
            "kvno",
            "kvno -u -S host www",
            "kvno -e des3 x",
            "kvno -P x",
            "kvno -I x y",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
