//! `klist`.

use clap::Parser;

/// Shows what is in a credential cache or a keytab.
#[derive(Debug, Parser)]
#[command(name = "klist", version)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Arguments {
    /// Shows a credential cache; so it does without
    #[arg(short = 'c', conflicts_with = "keytab")]
    cache: bool,
    /// Shows a keytab
    #[arg(short = 'k')]
    pub keytab: bool,
    /// Shows enctypes
    #[arg(short = 'e')]
    pub enctypes: bool,
    /// Lists the caches of the collection
    #[arg(short = 'l', conflicts_with = "keytab")]
    pub summary: bool,
    /// Shows all caches of the collection
    #[arg(short = 'A', conflicts_with_all = ["keytab", "summary"])]
    pub all: bool,
    /// Shows the tickets' flags
    #[arg(short = 'f', conflicts_with = "keytab")]
    pub flags: bool,
    /// Shows the types of the authorization data that was asked for
    #[arg(short = 'd', conflicts_with = "keytab")]
    pub authorization_data: bool,
    /// Shows nothing; the exit status says whether there is a ticket that is still good
    #[arg(short = 's', conflicts_with_all = ["keytab", "summary"])]
    pub status_only: bool,
    /// Shows addresses
    #[arg(short = 'a', conflicts_with = "keytab")]
    pub addresses: bool,
    /// Shows addresses as numbers
    #[arg(short = 'n', requires = "addresses")]
    pub numeric: bool,
    /// Shows what programs keep in the cache beside the tickets
    #[arg(short = 'C')]
    pub config: bool,
    /// Shows the default client keytab
    #[arg(short = 'i')]
    pub client_keytab: bool,
    /// Shows when each key was written
    #[arg(short = 't', requires = "keytab")]
    pub timestamps: bool,
    /// Shows the keys themselves
    #[arg(short = 'K', requires = "keytab")]
    pub keys: bool,
    /// Writes JSON
    #[arg(long = "json", conflicts_with = "status_only")]
    pub json: bool,
    /// The cache or keytab; otherwise the default one
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn flags_are_combined_as_people_combine_them() {
        let arguments = parse("klist -kte /etc/kt").unwrap();
        assert!(arguments.keytab && arguments.timestamps && arguments.enctypes);
        assert_eq!(arguments.name.as_deref(), Some("/etc/kt"));
        assert!(parse("klist -ef").unwrap().flags);
        assert!(parse("klist -c FILE:/tmp/cc").unwrap().cache);
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "-c -k", "-k -f", "-k -s", "-k -a", "-k -A", "-k -l", "-t", "-K", "-n", "-A -l", "-s -l", "a b", "-4", "-x",
        ] {
            assert!(parse(&format!("klist {line}")).is_err(), "{line}");
        }
    }
}
