//! The same for programs. Times are RFC 3339 in UTC; what is not there is left out.

use serde::Serialize;
use tessera_client::keytab_file::KeytabFile;
use tessera_common::ccache::{CacheName, CredentialCache, Entry};
use tessera_common::crypto::EncType;
use tessera_common::keytab::Keytab;
use tessera_common::time::KerberosTime;
use tessera_common::wire::{self, Ticket};

use crate::Listing;
use crate::cache_listing::{address_text, flag_letters, ticket_server, valid_starting};
use crate::keytab_listing::hex;
use crate::validity::is_current;

/// A cache: of `klist`, and each element of `klist -A`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Cache {
    ticket_cache: String,
    default_principal: String,
    expired: bool,
    tickets: Vec<CachedTicket>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    config: Vec<Config>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct CachedTicket {
    client: String,
    service_principal: String,
    valid_starting: String,
    expires: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_until: Option<String>,
    flags: String,
    session_enctype: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_enctype: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kvno: Option<u32>,
    addresses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_server: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    value: String,
}

/// A line of `klist -l`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Summary {
    principal_name: String,
    cache_name: String,
    expired: bool,
}

/// A keytab: of `klist -k`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ListedKeytab {
    keytab_name: String,
    entries: Vec<KeytabEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct KeytabEntry {
    kvno: u32,
    timestamp: String,
    principal: String,
    enctype: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

pub(crate) fn cache(listing: &Listing<'_>, name: &CacheName, content: &CredentialCache) -> Cache {
    let configs = content.configs().filter(|_| listing.arguments.config);
    Cache {
        ticket_cache: name.to_string(),
        default_principal: content.principal.to_string(),
        expired: !is_current(content, listing.now),
        tickets: content.credentials().map(ticket).collect(),
        config: configs
            .map(|config| Config {
                key: config.key.to_owned(),
                principal: config.principal.map(str::to_owned),
                value: String::from_utf8_lossy(config.value).into_owned(),
            })
            .collect(),
    }
}

fn ticket(entry: &Entry) -> CachedTicket {
    let decoded: Option<Ticket> = wire::decode(&entry.ticket).ok();
    let ticket_server = decoded.as_ref().and_then(ticket_server);
    CachedTicket {
        client: entry.client.to_string(),
        service_principal: entry.server.to_string(),
        valid_starting: valid_starting(entry).to_string(),
        expires: entry.endtime.to_string(),
        renew_until: (entry.renew_till != KerberosTime::EPOCH).then(|| entry.renew_till.to_string()),
        flags: flag_letters(entry.flags),
        session_enctype: enctype(entry.key.etype_number()),
        ticket_enctype: decoded.as_ref().map(|ticket| enctype(ticket.enc_part.etype)),
        kvno: decoded
            .as_ref()
            .and_then(|ticket| ticket.enc_part.kvno)
            .map(|kvno| kvno.0),
        addresses: entry
            .addresses
            .iter()
            .map(|address| address_text(address, true))
            .collect(),
        ticket_server: ticket_server.filter(|server| *server != entry.server.to_string()),
    }
}

pub(crate) fn summary(caches: &[(&CacheName, CredentialCache)], now: KerberosTime) -> Vec<Summary> {
    let line = |(name, content): &(&CacheName, CredentialCache)| Summary {
        principal_name: content.principal.to_string(),
        cache_name: name.to_string(),
        expired: !is_current(content, now),
    };
    caches.iter().map(line).collect()
}

pub(crate) fn keytab(listing: &Listing<'_>, file: &KeytabFile, keytab: &Keytab) -> ListedKeytab {
    let entries = keytab.entries.iter().map(|entry| KeytabEntry {
        kvno: entry.kvno,
        timestamp: entry.timestamp.to_string(),
        principal: entry.principal.to_string(),
        enctype: enctype(entry.key.etype_number()),
        key: listing.arguments.keys.then(|| hex(entry.key.octets())),
    });
    ListedKeytab {
        keytab_name: file.to_string(),
        entries: entries.collect(),
    }
}

// The registry's name, or the number where this project has none.
fn enctype(number: i32) -> String {
    EncType::from_number(number).map_or_else(|| number.to_string(), |etype| etype.name().to_owned())
}
