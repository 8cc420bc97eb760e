//! What lines say again and again, kept as it was put into words: most events of a busy daemon are of the same second, and of
//! tickets alike.

use tessera_common::flags::TicketFlags;
use tessera_common::time::{KerberosTime, Timestamp};

use super::{Issued, put_number};

/// What was put into words last. Whoever writes lines has one of these, and gives it to each.
#[derive(Default)]
pub struct Phrases {
    /// When.
    pub(crate) now: Second,
    /// Until when a ticket is good.
    pub(super) end: Second,
    /// Until when it can be renewed.
    pub(super) renew_till: Second,
    /// What else is said of a ticket.
    pub(super) ticket: TicketPhrases,
}

/// A second in words.
#[derive(Default)]
pub(crate) struct Second {
    time: KerberosTime,
    text: String,
}

impl Second {
    /// As RFC 3339 has it, without the `Z` at its end.
    pub(super) fn text(&mut self, time: KerberosTime) -> &str {
        if self.time != time || self.text.is_empty() {
            self.time = time;
            time.to_text().as_str().trim_end_matches('Z').clone_into(&mut self.text);
        }
        &self.text
    }
}

/// Writes a time: RFC 3339 in UTC, to the microsecond.
pub(crate) fn put_instant(out: &mut String, second: &mut Second, time: Timestamp) {
    out.push_str(second.text(time.time));
    out.push('.');
    // The digit before them keeps the zeros that they begin with.
    let mut digits = itoa::Buffer::new();
    out.push_str(
        digits
            .format(MILLION + time.usec % MILLION)
            .get(1..)
            .unwrap_or_default(),
    );
    out.push('Z');
}

/// Microseconds in a second.
const MILLION: u32 = 1_000_000;

/// A ticket in words, but for its times.
#[derive(Default)]
pub(super) struct TicketPhrases {
    of: Option<Issued>,
    offered: Vec<i32>,
    before_times: String,
    after_times: String,
}

impl TicketPhrases {
    /// What stands before the ticket's times, and what behind them and ends with what the client offered.
    pub(super) fn text(&mut self, issued: &Issued, offered: &[i32]) -> (&str, &str) {
        let timeless = Issued {
            end: KerberosTime::MIN,
            renew_till: None,
            ..*issued
        };
        if self.of != Some(timeless) || self.offered != offered {
            self.of = Some(timeless);
            offered.clone_into(&mut self.offered);
            self.before_times.clear();
            put_before_times(&mut self.before_times, issued);
            self.after_times.clear();
            put_flags(&mut self.after_times, issued.flags);
            put_offered(&mut self.after_times, offered);
        }
        (&self.before_times, &self.after_times)
    }
}

fn put_before_times(out: &mut String, issued: &Issued) {
    for (key, etype) in [
        (",\"ticket\":\"", issued.ticket_etype),
        ("\",\"session-key\":\"", issued.session_etype),
        ("\",\"reply\":\"", issued.reply_etype),
    ] {
        out.push_str(key);
        out.push_str(etype.name());
    }
    out.push('"');
    for (key, kvno) in [(",\"kvno\":", issued.kvno), (",\"reply-kvno\":", issued.reply_kvno)] {
        if let Some(kvno) = kvno {
            out.push_str(key);
            put_number(out, i64::from(kvno));
        }
    }
}

fn put_flags(out: &mut String, flags: TicketFlags) {
    let mut before = ",\"flags\":[\"";
    for (_, name) in TicketFlags::NAMED.iter().filter(|(flag, _)| flags.contains(*flag)) {
        out.push_str(before);
        out.push_str(name);
        before = "\",\"";
    }
    if before == "\",\"" {
        out.push_str("\"]");
    }
}

/// The enctypes that a client offered.
pub(super) fn put_offered(out: &mut String, offered: &[i32]) {
    let mut before = ",\"etypes\":[";
    for etype in offered {
        out.push_str(before);
        put_number(out, i64::from(*etype));
        before = ",";
    }
    if before == "," {
        out.push(']');
    }
}
