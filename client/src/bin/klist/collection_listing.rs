use std::fmt::Write as _;

use tessera_common::ccache::{CacheName, CredentialCache};
use tessera_common::time::KerberosTime;

use crate::validity::is_current;

/// One line for each cache.
pub(crate) fn summary(caches: &[(&CacheName, CredentialCache)], now: KerberosTime) -> String {
    let mut out = format!(
        "{:<30} {}\n{:<30} {}\n",
        "Principal name", "Cache name", "--------------", "----------"
    );
    for (name, content) in caches {
        let expired = if is_current(content, now) { "" } else { " (Expired)" };
        let principal = first_octets(&content.principal.to_string(), 30);
        let padding = " ".repeat(30 - principal.len());
        let _ = writeln!(out, "{principal}{padding} {name}{expired}");
    }
    out
}

// At most so many octets, which is how MIT's program counts; but no half of a character.
fn first_octets(text: &str, most: usize) -> String {
    let end = text
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| *end <= most)
        .last();
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}
