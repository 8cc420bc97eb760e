//! `kpasswd`.

use clap::Parser;

/// Changes a Kerberos password.
///
/// Passwords are asked for at the terminal, or read line by line from the standard input when that is none: the old one, then
/// the new one twice. Where the credential cache has a ticket from a KDC that speaks FAST, that protects the old one.
#[derive(Debug, Parser)]
#[command(name = "kpasswd", version)]
pub struct Arguments {
    /// Whose password; otherwise whose credential cache it is, or the user's name
    pub principal: Option<String>,
}
