//! `kdestroy`.

use clap::Parser;

/// Removes a credential cache, after overwriting it.
#[derive(Debug, Parser)]
#[command(name = "kdestroy", version)]
pub struct Arguments {
    /// Removes all caches of the collection
    #[arg(short = 'A', conflicts_with = "principal")]
    pub all: bool,
    /// Does not mention the caches that are left
    #[arg(short = 'q')]
    pub quiet: bool,
    /// The credential cache or collection; otherwise the default one
    #[arg(short = 'c', value_name = "CACHE")]
    pub cache: Option<String>,
    /// Removes the cache of this principal
    #[arg(short = 'p', value_name = "PRINCIPAL")]
    pub principal: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused() {
        for line in ["-A -p alice", "alice", "-x"] {
            assert!(
                Arguments::try_parse_from(format!("kdestroy {line}").split(' ')).is_err(),
                "{line}"
            );
        }
    }
}
