//! `kswitch`.

use clap::Parser;

/// Makes a credential cache the one of its collection that is used when none is named.
#[derive(Debug, Parser)]
#[command(name = "kswitch", version)]
pub struct Arguments {
    /// Which cache.
    #[command(flatten)]
    pub which: Which,
}

/// Which cache: one of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The cache, as DIR::/path/tktNAME
    #[arg(short = 'c', value_name = "CACHE")]
    pub cache: Option<String>,
    /// The cache of this principal
    #[arg(short = 'p', value_name = "PRINCIPAL")]
    pub principal: Option<String>,
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
