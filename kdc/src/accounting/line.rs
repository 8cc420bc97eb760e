//! A line of the event log as it stands in a file: what can be told of it without taking it apart in full.

use memchr::{memchr, memchr_iter, memchr2};
use tessera_common::accounting::EventKind;

/// How each line begins.
pub(super) const HEAD: &str = "{\"seq\":";
/// What stands between its number and its time.
const TIME: &[u8] = b",\"time\":\"";
/// How many characters a time has.
const TIME_LENGTH: usize = 27;

/// The number of a line; `None`, it is no event.
pub(super) fn seq(line: &[u8]) -> Option<u64> {
    split_seq(line).map(|(seq, _)| seq)
}

/// The time of a line, as it is written there: RFC 3339 in UTC, so that the later of two is the greater text.
pub(super) fn time_text(line: &[u8]) -> Option<&[u8]> {
    let (_, rest) = split_seq(line)?;
    rest.strip_prefix(TIME)?.get(..TIME_LENGTH)
}

/// The lines of a text, each with its end; the last may have none.
pub(super) fn each(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr_iter(b'\n', text).map(|at| at + 1);
    let last = (text.last().is_some_and(|octet| *octet != b'\n')).then_some(text.len());
    ends.chain(last).scan(0, |from, end| {
        let line = text.get(*from..end);
        *from = end;
        line
    })
}

fn split_seq(line: &[u8]) -> Option<(u64, &[u8])> {
    let rest = line.strip_prefix(HEAD.as_bytes())?;
    let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let number = core::str::from_utf8(number).ok()?.parse().ok()?;
    Some((number, rest))
}

/// What is needed of a line to find it again among many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key<'l> {
    /// What sort of thing it is.
    pub(super) sort: Sort,
    /// As it stands in the line, escapes included.
    pub(super) text: &'l [u8],
}

/// What a key of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// A principal's immutable id.
    Id,
    /// A name, or what else an administrator named.
    Name,
    /// An address, without its port.
    Address,
    /// A session.
    Session,
}

/// Everything that an index needs of a line. Each line of a log is looked at once for that, so it is not taken apart.
pub(super) struct Facts<'l> {
    pub(super) seq: u64,
    /// As it is written there.
    pub(super) time: &'l [u8],
    pub(super) kind: EventKind,
    fields: Fields<'l>,
}

impl<'l> Facts<'l> {
    pub(super) fn of(line: &'l [u8]) -> Option<Self> {
        let (seq, _) = split_seq(line)?;
        let time = time_text(line)?;
        let mut fields = Fields::of(line)?;
        let kind = fields.find(|(key, _)| *key == b"kind")?.1;
        let kind = EventKind::ALL
            .into_iter()
            .find(|known| known.name().as_bytes() == kind)?;
        Some(Self {
            seq,
            time,
            kind,
            fields,
        })
    }

    /// The keys that it can be found by. They stand before all else, but for a session's.
    pub(super) fn keys(self) -> impl Iterator<Item = Key<'l>> {
        let is_session = matches!(
            self.kind,
            EventKind::SessionStart | EventKind::SessionInterim | EventKind::SessionStop
        );
        let may_follow = move |(key, _): &(&[u8], &[u8])| {
            is_session
                || matches!(
                    *key,
                    b"peer" | b"via" | b"client" | b"client-id" | b"service" | b"service-id"
                )
        };
        self.fields.take_while(may_follow).filter_map(|(key, text)| {
            let (sort, text) = match key {
                b"client" | b"service" => (Sort::Name, without_realm(text)),
                b"client-id" | b"service-id" => (Sort::Id, text),
                b"peer" => (Sort::Address, without_port(text)),
                b"session" => (Sort::Session, text),
                _ => return None,
            };
            Some(Key { sort, text })
        })
    }
}

/// A name as far as its realm, which an event may leave out.
pub(super) fn without_realm(name: &[u8]) -> &[u8] {
    memchr(b'@', name).and_then(|at| name.get(..at)).unwrap_or(name)
}

fn without_port(peer: &[u8]) -> &[u8] {
    let port = peer.iter().rev().position(|octet| *octet == b':');
    port.and_then(|digits| peer.get(..peer.len() - digits - 1))
        .unwrap_or(peer)
}

/// The fields of a line in their order: names, and values without the quotes around them. It ends early where the line is not as
/// the daemon writes lines.
struct Fields<'l> {
    rest: &'l [u8],
}

impl<'l> Fields<'l> {
    fn of(line: &'l [u8]) -> Option<Self> {
        Some(Self {
            rest: line.strip_prefix(b"{")?,
        })
    }

    fn string(&mut self) -> Option<&'l [u8]> {
        let text = self.rest.strip_prefix(b"\"")?;
        let end = end_of_string(text)?;
        self.rest = text.get(end + 1..)?;
        text.get(..end)
    }

    fn value(&mut self) -> Option<&'l [u8]> {
        match self.rest.first()? {
            b'"' => self.string(),
            b'[' => self.upto(memchr(b']', self.rest)? + 1),
            _ => self.upto(memchr2(b',', b'}', self.rest)?),
        }
    }

    fn upto(&mut self, end: usize) -> Option<&'l [u8]> {
        let (value, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(value)
    }
}

impl<'l> Iterator for Fields<'l> {
    type Item = (&'l [u8], &'l [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.rest = self.rest.strip_prefix(b",").unwrap_or(self.rest);
        let key = self.string()?;
        self.rest = self.rest.strip_prefix(b":")?;
        Some((key, self.value()?))
    }
}

fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

/// A text as it stands between quotes in a line.
pub(super) fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted
        .get(1..quoted.len().saturating_sub(1))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = br#"{"seq":7,"time":"2026-11-23T08:15:00.000120Z","kind":"session-stop","peer":"192.0.2.1:5000","via":"udp","client":"al\"i]ce@EXAMPLE.COM","client-id":"00112233445566778899aabbccddeeff","service":"host/x","flags":["initial","renewable"],"etypes":[18,17],"session":"ab"}"#;

    #[test]
    fn a_line_tells_its_number_time_kind_and_keys() {
        assert_eq!(seq(LINE), Some(7));
        assert_eq!(time_text(LINE), Some(&b"2026-11-23T08:15:00.000120Z"[..]));
        let facts = Facts::of(LINE).unwrap();
        assert_eq!((facts.seq, facts.kind), (7, EventKind::SessionStop));
        assert_eq!(facts.time, b"2026-11-23T08:15:00.000120Z");
        let keys: Vec<_> = facts
            .keys()
            .map(|key| (key.sort, core::str::from_utf8(key.text).unwrap()))
            .collect();
        assert_eq!(
            keys,
            [
                (Sort::Address, "192.0.2.1"),
                (Sort::Name, r#"al\"i]ce"#),
                (Sort::Id, "00112233445566778899aabbccddeeff"),
                (Sort::Name, "host/x"),
                (Sort::Session, "ab"),
            ]
        );
        assert_eq!(escaped("al\"i]ce"), r#"al\"i]ce"#);
    }

    #[test]
    fn lines_have_their_ends_and_the_last_may_have_none() {
        let lines = |text| each(text).collect::<Vec<&[u8]>>();
        assert_eq!(lines(b"a\n\nbc\nd"), [&b"a\n"[..], b"\n", b"bc\n", b"d"]);
        assert_eq!(lines(b"a\n"), [b"a\n"]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn an_address_of_six_stands_in_brackets() {
        assert_eq!(without_port(b"[2001:db8::1]:88"), b"[2001:db8::1]");
    }

    #[test]
    fn what_is_no_event_has_no_facts_and_panics_nowhere() {
        for end in 0..LINE.len() {
            let _ = Facts::of(&LINE[..end]).map(|facts| facts.keys().count());
        }
        for bad in [
            &b""[..],
            b"{}",
            b"{\"seq\":",
            b"{\"seq\":99999999999999999999999}",
            b"{\"seq\":1,\"time\":\"2026-11-23T08:15:00.000120Z\",\"kind\":\"later\"}",
            b"[1]",
        ] {
            assert!(Facts::of(bad).is_none());
        }
    }
}
