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
    split_time(rest).map(|(time, _)| time)
}

fn split_time(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    rest.strip_prefix(TIME)?.split_at_checked(TIME_LENGTH)
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
}

/// Everything that an index needs of a line. Each line of a log is looked at once for that, so it is not taken apart.
pub(super) struct Facts<'l> {
    pub(super) seq: u64,
    /// As it is written there.
    pub(super) time: &'l [u8],
    pub(super) kind: EventKind,
    rest: Rest<'l>,
}

impl<'l> Facts<'l> {
    pub(super) fn of(line: &'l [u8]) -> Option<Self> {
        let (seq, rest) = split_seq(line)?;
        let (time, rest) = split_time(rest)?;
        let mut rest = Rest(rest);
        let kind = rest.value(KIND)?;
        let kind = EventKind::ALL
            .into_iter()
            .find(|known| known.name().as_bytes() == kind)?;
        Some(Self { seq, time, kind, rest })
    }

    /// The keys that it can be found by. They stand before all else, in this order.
    pub(super) fn keys(mut self) -> impl Iterator<Item = Key<'l>> {
        KEYS.into_iter().filter_map(move |(name, sort)| {
            let text = self.rest.value(name)?;
            let sort = sort?;
            let text = match sort {
                Sort::Id => text,
                Sort::Name => without_realm(text),
                Sort::Address => without_port(text),
            };
            Some(Key { sort, text })
        })
    }
}

/// What stands between a line's time and its kind.
const KIND: &[u8] = b"\",\"kind\":\"";

/// What stands before each of what may follow, the end of the text before it included, and what sort of key that is.
const KEYS: [(&[u8], Option<Sort>); 6] = [
    (b"\",\"peer\":\"", Some(Sort::Address)),
    (b"\",\"via\":\"", None),
    (b"\",\"client\":\"", Some(Sort::Name)),
    (b"\",\"client-id\":\"", Some(Sort::Id)),
    (b"\",\"service\":\"", Some(Sort::Name)),
    (b"\",\"service-id\":\"", Some(Sort::Id)),
];

/// What is left of a line, from the quotes behind a text on.
struct Rest<'l>(&'l [u8]);

impl<'l> Rest<'l> {
    /// The text behind this, where it stands next.
    fn value(&mut self, before: &[u8]) -> Option<&'l [u8]> {
        let text = self.0.strip_prefix(before)?;
        let (value, rest) = text.split_at_checked(end_of_string(text)?)?;
        self.0 = rest;
        Some(value)
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
