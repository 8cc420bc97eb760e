//! `kinit`.

use std::time::Duration;

use clap::{ArgAction, Parser};
use tessera_common::mit_time::{parse_local_time, parse_span};
use tessera_common::time::KerberosTime;

use crate::system;

/// Logs in to a Kerberos realm and keeps the ticket in a credential cache.
///
/// The password is asked for at the terminal, or read from the standard input when that is none.
#[derive(Debug, Parser)]
#[command(name = "kinit", version, disable_version_flag = true)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Arguments {
    /// Says what is being done
    #[arg(short = 'V')]
    pub verbose: bool,
    /// How long the ticket shall live: 10h, 7d, 1d2h30m, 8:30, or seconds
    #[arg(short = 'l', value_name = "LIFETIME", value_parser = lifetime)]
    pub lifetime: Option<Duration>,
    /// Postdates the ticket: begins after this span of time, or at this local time
    #[arg(short = 's', value_name = "START", value_parser = start)]
    pub start: Option<Start>,
    /// How long the ticket shall be renewable
    #[arg(short = 'r', value_name = "LIFETIME", value_parser = lifetime)]
    pub renewable_lifetime: Option<Duration>,
    /// Asks for a forwardable ticket
    #[arg(short = 'f', long = "forwardable", conflicts_with = "not_forwardable")]
    pub forwardable: bool,
    /// Asks for a ticket that is not forwardable, whatever krb5.conf says
    #[arg(short = 'F', long = "noforwardable")]
    pub not_forwardable: bool,
    /// Asks for a proxiable ticket
    #[arg(short = 'p', long = "proxiable", conflicts_with = "not_proxiable")]
    pub proxiable: bool,
    /// Asks for a ticket that is not proxiable, whatever krb5.conf says
    #[arg(short = 'P', long = "noproxiable")]
    pub not_proxiable: bool,
    /// Ties the ticket to the addresses of this machine
    #[arg(short = 'a', long = "addresses", conflicts_with = "no_addresses")]
    pub addresses: bool,
    /// Ties the ticket to no addresses, whatever krb5.conf says
    #[arg(short = 'A', long = "noaddresses")]
    pub no_addresses: bool,
    /// Lets the KDC answer with another name, or name another realm
    #[arg(short = 'C', long = "canonicalize")]
    pub canonicalize: bool,
    /// The principal is an enterprise name, as alice@mail.example.com
    #[arg(short = 'E', long = "enterprise")]
    pub enterprise: bool,
    /// Has the KDC make the postdated ticket in the cache valid
    #[arg(short = 'v', conflicts_with = "renew")]
    pub validate: bool,
    /// Renews the ticket in the cache
    #[arg(short = 'R')]
    pub renew: bool,
    /// Logs in with a keytab instead of a password
    #[arg(short = 'k', conflicts_with_all = ["validate", "renew"])]
    pub use_keytab: bool,
    /// With the default client keytab
    #[arg(short = 'i', conflicts_with = "keytab")]
    pub client_keytab: bool,
    /// With this keytab
    #[arg(short = 't', value_name = "KEYTAB")]
    pub keytab: Option<String>,
    /// Protects the login with FAST, by the ticket-granting ticket in this cache, most often the machine's. A KDC that does
    /// not speak FAST is then refused: nothing is sent without it
    #[arg(short = 'T', value_name = "ARMOR_CACHE", conflicts_with_all = ["armor_keytab", "validate", "renew"])]
    pub armor_cache: Option<String>,
    /// Protects the login with FAST, as -T does, by a ticket that is got with this keytab and not kept: of host/ and this
    /// machine's name, or of whoever comes first in the keytab
    #[arg(long, value_name = "KEYTAB", conflicts_with_all = ["validate", "renew"])]
    pub armor_keytab: Option<String>,
    /// The credential cache, FILE:path or DIR:directory
    #[arg(short = 'c', value_name = "CACHE")]
    pub cache: Option<String>,
    /// Asks for a ticket for this service instead of a ticket-granting ticket
    #[arg(short = 'S', value_name = "SERVICE")]
    pub service: Option<String>,
    /// Shows the version
    #[arg(long = "version", action = ArgAction::Version)]
    version: Option<bool>,
    /// Who logs in; otherwise whose cache it is, or the user's name
    pub principal: Option<String>,
}

/// When a ticket shall begin.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// After this time.
    In(Duration),
    /// At this one.
    At(KerberosTime),
}

impl Arguments {
    /// Whether a keytab stands for a password.
    #[must_use]
    pub fn uses_keytab(&self) -> bool {
        self.use_keytab || self.client_keytab || self.keytab.is_some()
    }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    match parse_span(text) {
        Ok(span) if span.is_zero() => Err("a ticket without a lifetime would be of no use".into()),
        other => other.map_err(|e| e.to_string()),
    }
}

fn start(text: &str) -> Result<Start, String> {
    match parse_span(text) {
        Ok(span) if !span.is_zero() => Ok(Start::In(span)),
        _ => parse_local_time(text, system::now().time, system::offset_at)
            .map(Start::At)
            .ok_or_else(|| "write a span of time, as 10h, or a local time, as 20261123081500 or 08:15".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn flags_are_combined_as_people_combine_them() {
        let arguments = parse("kinit -kt /etc/kt host/www").unwrap();
        assert!(arguments.uses_keytab());
        assert_eq!(arguments.keytab.as_deref(), Some("/etc/kt"));
        assert_eq!(arguments.principal.as_deref(), Some("host/www"));
        let arguments = parse("kinit -fpl10h -r7d alice").unwrap();
        assert!(arguments.forwardable && arguments.proxiable);
        assert_eq!(arguments.lifetime, Some(Duration::from_secs(36_000)));
    }

    #[test]
    fn a_keytab_alone_is_enough_to_log_in_with_it() {
        assert!(parse("kinit -t /etc/kt").unwrap().uses_keytab());
        assert!(parse("kinit -i").unwrap().uses_keytab());
        assert!(!parse("kinit alice").unwrap().uses_keytab());
    }

    #[test]
    fn armor_comes_from_a_cache_or_from_a_keytab() {
        let arguments = parse("kinit -T /tmp/armor alice").unwrap();
        assert_eq!(arguments.armor_cache.as_deref(), Some("/tmp/armor"));
        let arguments = parse("kinit --armor-keytab /etc/kt -kt kt alice").unwrap();
        assert_eq!(arguments.armor_keytab.as_deref(), Some("/etc/kt"));
        assert_eq!(arguments.keytab.as_deref(), Some("kt"));
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "-f -F",
            "-p -P",
            "-a -A",
            "-R -v",
            "-k -R",
            "-i -t kt",
            "-l 0",
            "-l soon",
            "-s never",
            "a b",
            "-n",
            "-X a",
            "-T a --armor-keytab b",
            "-T a -R",
            "-T a -v",
            "--armor-keytab a -R",
            "-T",
        ] {
            assert!(parse(&format!("kinit {line}")).is_err(), "{line}");
        }
    }
}
