//! What MIT's klist says is in a cache.

use crate::wire::der::days;
use crate::workstation::Workstation;

/// One credential as `klist -fean` lists it. Times are seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Start.
    pub starts: i64,
    /// End.
    pub ends: i64,
    /// The server's name, with its realm.
    pub service: String,
    /// Until when it can be renewed.
    pub renew_till: Option<i64>,
    /// The letters for its flags, as `FRIA`.
    pub flags: String,
    /// The session key's enctype.
    pub session_etype: String,
    /// The ticket's enctype.
    pub ticket_etype: String,
    /// The addresses, as klist words them.
    pub addresses: String,
}

impl Listed {
    /// How long it is good for, in seconds.
    #[must_use]
    pub fn life(&self) -> i64 {
        self.ends - self.starts
    }

    /// How long after its start it can still be renewed, in seconds.
    #[must_use]
    #[track_caller]
    pub fn renewable_life(&self) -> i64 {
        self.renew_till.expect("not renewable") - self.starts
    }
}

impl Workstation {
    /// What is in the cache, as MIT's klist sees it.
    #[must_use]
    #[track_caller]
    pub fn tickets(&self) -> Vec<Listed> {
        parse(&self.mit("klist -fean").run().ok())
    }

    /// The ticket for this service (without realm) in the cache.
    #[must_use]
    #[track_caller]
    pub fn ticket(&self, service: &str) -> Listed {
        let tickets = self.tickets();
        let wanted = format!("{service}@EXAMPLE.COM");
        let found = tickets.iter().find(|ticket| ticket.service == wanted);
        found
            .unwrap_or_else(|| panic!("no ticket for {wanted} among {tickets:#?}"))
            .clone()
    }

    /// The TGT in the cache.
    #[must_use]
    #[track_caller]
    pub fn tgt(&self) -> Listed {
        self.ticket("krbtgt/EXAMPLE.COM")
    }
}

fn parse(listing: &str) -> Vec<Listed> {
    let mut tickets: Vec<Listed> = Vec::new();
    let heading = "Valid starting     Expires            Service principal\n";
    let body = listing
        .split_once(heading)
        .unwrap_or_else(|| panic!("no heading in {listing:?}"))
        .1;
    for line in body.lines().filter(|line| !line.is_empty()) {
        let Some(details) = line.strip_prefix('\t') else {
            tickets.push(first_line(line));
            continue;
        };
        let ticket = tickets.last_mut().expect("details without a ticket");
        if let Some(etypes) = details.strip_prefix("Etype (skey, tkt): ") {
            let (session, of_ticket) = etypes.trim_end().split_once(", ").unwrap();
            (ticket.session_etype, ticket.ticket_etype) = (session.to_owned(), of_ticket.to_owned());
        } else if let Some(addresses) = details.strip_prefix("Addresses: ") {
            addresses.clone_into(&mut ticket.addresses);
        } else {
            for part in details.split(", ") {
                if let Some(time) = part.strip_prefix("renew until ") {
                    ticket.renew_till = Some(seconds(time));
                } else if let Some(flags) = part.strip_prefix("Flags: ") {
                    flags.clone_into(&mut ticket.flags);
                }
            }
        }
    }
    tickets
}

fn first_line(line: &str) -> Listed {
    let (starts, rest) = line.split_at(17);
    let (ends, service) = rest[2..].split_at(17);
    Listed {
        starts: seconds(starts),
        ends: seconds(ends),
        service: service.trim().to_owned(),
        renew_till: None,
        flags: String::new(),
        session_etype: String::new(),
        ticket_etype: String::new(),
        addresses: String::new(),
    }
}

/// `11/23/26 03:09:56`, UTC.
fn seconds(time: &str) -> i64 {
    let numbers: Vec<i64> = time
        .trim()
        .split(['/', ' ', ':'])
        .map(|number| number.parse().unwrap())
        .collect();
    let [month, day, year, hour, minute, second] = numbers[..] else {
        panic!("no time: {time:?}")
    };
    days(2000 + year, month, day) * 86400 + hour * 3600 + minute * 60 + second
}
