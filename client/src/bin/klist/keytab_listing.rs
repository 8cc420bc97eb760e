use std::fmt::Write as _;

use tessera_common::keytab::Keytab;

use crate::Listing;
use crate::enctype_name::enctype_name;

/// One line for each key.
pub(crate) fn entries(listing: &Listing<'_>, keytab: &Keytab) -> String {
    let width = listing.columns.width;
    let mut out = if listing.arguments.timestamps {
        let heading = listing.columns.heading("Timestamp", 1);
        format!(
            "KVNO {heading}Principal\n---- {} {}\n",
            "-".repeat(width),
            "-".repeat(73 - width)
        )
    } else {
        format!("KVNO Principal\n---- {}\n", "-".repeat(74))
    };
    for entry in &keytab.entries {
        let _ = write!(out, "{:>4} ", entry.kvno.cast_signed());
        if listing.arguments.timestamps {
            let _ = write!(out, "{} ", listing.columns.time(entry.timestamp));
        }
        let _ = write!(out, "{}", entry.principal);
        if listing.arguments.enctypes {
            let _ = write!(out, " ({}) ", enctype_name(entry.key.etype_number()));
        }
        if listing.arguments.keys {
            let _ = write!(out, " (0x{})", hex(entry.key.octets()));
        }
        out.push('\n');
    }
    out
}

/// Octets as hexadecimal digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
