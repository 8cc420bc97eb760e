use std::fmt::Write as _;
use std::net::IpAddr;

use tessera_common::ccache::{CacheName, CredentialCache, Entry};
use tessera_common::flags::TicketFlags;
use tessera_common::time::KerberosTime;
use tessera_common::wire::{self, HostAddress, Ticket, addr_type};

use crate::Listing;
use crate::enctype_name::enctype_name;

const LETTERS: [(TicketFlags, char); 14] = [
    (TicketFlags::FORWARDABLE, 'F'),
    (TicketFlags::FORWARDED, 'f'),
    (TicketFlags::PROXIABLE, 'P'),
    (TicketFlags::PROXY, 'p'),
    (TicketFlags::MAY_POSTDATE, 'D'),
    (TicketFlags::POSTDATED, 'd'),
    (TicketFlags::INVALID, 'i'),
    (TicketFlags::RENEWABLE, 'R'),
    (TicketFlags::INITIAL, 'I'),
    (TicketFlags::HW_AUTHENT, 'H'),
    (TicketFlags::PRE_AUTHENT, 'A'),
    (TicketFlags::TRANSITED_POLICY_CHECKED, 'T'),
    (TicketFlags::OK_AS_DELEGATE, 'O'),
    (TicketFlags::ANONYMOUS, 'a'),
];

/// A whole cache.
pub(crate) fn cache(listing: &Listing<'_>, name: &CacheName, content: &CredentialCache) -> String {
    let columns = listing.columns;
    let mut out = format!("Ticket cache: {name}\nDefault principal: {}\n\n", content.principal);
    out += &columns.heading("Valid starting", 2);
    out += &columns.heading("Expires", 2);
    out += "Service principal\n";
    for entry in &content.entries {
        if entry.config().is_none() {
            ticket(&mut out, listing, content, entry);
        } else if listing.arguments.config {
            config(&mut out, content, entry);
        }
    }
    out
}

/// The letters of a ticket's flags.
pub(crate) fn flag_letters(flags: TicketFlags) -> String {
    LETTERS
        .iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .map(|(_, letter)| letter)
        .collect()
}

/// From when on a ticket is good.
pub(crate) fn valid_starting(entry: &Entry) -> KerberosTime {
    if entry.starttime == KerberosTime::EPOCH {
        entry.authtime
    } else {
        entry.starttime
    }
}

fn ticket(out: &mut String, listing: &Listing<'_>, content: &CredentialCache, entry: &Entry) {
    let time = |time| listing.columns.time(time);
    let decoded: Option<Ticket> = wire::decode(&entry.ticket).ok();
    let _ = writeln!(
        out,
        "{}  {}  {}",
        time(valid_starting(entry)),
        time(entry.endtime),
        entry.server
    );

    let mut line = Line::new(out);
    if entry.client != content.principal {
        line.field(&format!("for client {}", entry.client));
    }
    let is_renewable = entry.renew_till != KerberosTime::EPOCH;
    if is_renewable {
        line.field(&format!("renew until {}", time(entry.renew_till)));
    }
    let letters = flag_letters(entry.flags);
    let shows_flags = listing.arguments.flags && !letters.is_empty();
    if shows_flags {
        line.field(&format!("Flags: {letters}"));
    }
    // What follows "renew until" and anything else begins a line of its own.
    if is_renewable && line.fields > 1 {
        line.end();
    }
    if let Some(ticket) = decoded.as_ref().filter(|_| listing.arguments.enctypes) {
        let session = enctype_name(entry.key.etype_number());
        line.field(&format!(
            "Etype (skey, tkt): {session}, {} ",
            enctype_name(ticket.enc_part.etype)
        ));
    }
    if listing.arguments.authorization_data {
        let types: Vec<String> = entry
            .authorization_data
            .iter()
            .map(|element| element.ad_type.to_string())
            .collect();
        line.field(&format!("AD types: {}", types.join(", ")));
    }
    line.end();

    if listing.arguments.addresses {
        let addresses: Vec<String> = entry
            .addresses
            .iter()
            .map(|address| address_text(address, listing.arguments.numeric))
            .collect();
        let shown = if addresses.is_empty() {
            "(none)".to_owned()
        } else {
            addresses.join(", ")
        };
        let _ = writeln!(out, "\tAddresses: {shown}");
    }
    if let Some(server) = decoded
        .as_ref()
        .and_then(ticket_server)
        .filter(|server| *server != entry.server.to_string())
    {
        let _ = writeln!(out, "\tTicket server: {server}");
    }
}

/// The service that a ticket's cleartext names, if that is a name.
pub(crate) fn ticket_server(ticket: &Ticket) -> Option<String> {
    Some(format!(
        "{}@{}",
        ticket.sname.to_name().ok()?,
        ticket.realm.to_realm().ok()?
    ))
}

fn config(out: &mut String, content: &CredentialCache, entry: &Entry) {
    let mut components = entry.server.name.components().skip(1);
    let mut line = format!("config: {}", components.next().unwrap_or_default());
    for component in components {
        let _ = write!(line, "({component})");
    }
    line += " = ";
    if entry.client != content.principal {
        let _ = write!(line, "\tfor client {}", entry.client);
    }
    *out += &line;
    // Continued lines begin under the value's first column, eight characters in.
    let mut column = line.len();
    for octet in &entry.ticket {
        if column < 8 {
            *out += &" ".repeat(8 - column);
            column = 8;
        }
        if (0x21..0x7f).contains(octet) {
            out.push(char::from(*octet));
            column += 1;
        } else {
            let _ = write!(out, "\\{octet:03o}");
            column += 4;
        }
        if column > 72 {
            out.push('\n');
            column = 0;
        }
    }
    if column > 0 {
        out.push('\n');
    }
}

/// An address as klist shows it.
pub(crate) fn address_text(address: &HostAddress, numeric: bool) -> String {
    let broken = || {
        format!(
            "broken address (type {} length {})",
            address.addr_type,
            address.address.len()
        )
    };
    match address.addr_type {
        addr_type::IPV4 | addr_type::IPV6 => match ip(address) {
            Some(ip) if numeric => ip.to_string(),
            Some(ip) => dns_lookup::lookup_addr(&ip).unwrap_or_else(|_| ip.to_string()),
            None => broken(),
        },
        addr_type::NETBIOS if address.address.len() != 16 => broken(),
        addr_type::NETBIOS => {
            let name = address
                .address
                .iter()
                .take(15)
                .take_while(|octet| !matches!(octet, 0 | b' '));
            name.map(|octet| char::from(*octet)).collect()
        }
        other => format!("unknown addrtype {other}"),
    }
}

// As it is: an IPv4 address inside IPv6 stays one.
fn ip(address: &HostAddress) -> Option<IpAddr> {
    match address.addr_type {
        addr_type::IPV4 => <[u8; 4]>::try_from(&*address.address).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(&*address.address).ok().map(IpAddr::from),
    }
}

/// A line of fields behind a tab, with commas between them.
struct Line<'a> {
    out: &'a mut String,
    fields: usize,
}

impl<'a> Line<'a> {
    fn new(out: &'a mut String) -> Self {
        Self { out, fields: 0 }
    }

    fn field(&mut self, text: &str) {
        *self.out += if self.fields == 0 { "\t" } else { ", " };
        *self.out += text;
        self.fields += 1;
    }

    fn end(&mut self) {
        if self.fields > 0 {
            self.out.push('\n');
            self.fields = 0;
        }
    }
}
