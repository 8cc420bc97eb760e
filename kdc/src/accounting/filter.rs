//! Which events somebody wants to see.

use core::net::IpAddr;

use serde::Deserialize;
use tessera_common::accounting::{EventKind, EventRecord, EventResult, EventTime};
use tessera_common::network::Network;

/// Which events somebody wants to see: those that every condition holds for. A list that is empty is no condition; one that is
/// not holds where any of its members does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct EventFilter {
    /// Whom they are about.
    pub principals: Vec<WhoseEvents>,
    /// Where the request came from.
    pub networks: Vec<Network>,
    /// What they are about.
    pub kinds: Vec<EventKind>,
    /// What came of the request.
    pub results: Vec<EventResult>,
    /// Why it was refused or dropped: stable names.
    pub reasons: Vec<String>,
    /// From when on.
    pub since: Option<EventTime>,
    /// Before when.
    pub until: Option<EventTime>,
}

/// A principal whose events somebody wants to see. Where an event has the id of the one that it names, the id decides, so that a
/// principal keeps its events under a new name and gets none of another's that had its name before; where it has not, as when
/// nobody was found under the name, or where no id is given here, the names do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct WhoseEvents {
    /// Its immutable id: 32 hexadecimal digits in lower case.
    pub id: Option<String>,
    /// What it is called: its name, and its aliases. A name without a realm means that name in any.
    pub names: Vec<String>,
}

impl EventFilter {
    /// Whether an event is one of those.
    #[must_use]
    pub fn matches(&self, event: &EventRecord) -> bool {
        self.covers(event.time)
            && any_of(&self.kinds, |kind| *kind == event.kind)
            && any_of(&self.results, |result| Some(*result) == event.result)
            && any_of(&self.reasons, |reason| Some(reason) == event.reason.as_ref())
            && any_of(&self.networks, |network| {
                event.peer.is_some_and(|peer| network.contains(peer.ip()))
            })
            && any_of(&self.principals, |whose| whose.are_by(event) || whose.are_to(event))
    }

    /// Whether what happened at this time may be one of them.
    #[must_use]
    pub fn covers(&self, time: EventTime) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    /// The same, for what happened between two times, both included.
    #[must_use]
    pub fn covers_any(&self, first: EventTime, last: EventTime) -> bool {
        self.since.is_none_or(|since| since <= last) && self.until.is_none_or(|until| first < until)
    }

    /// The one address that all of them came from; `None`, there are several, or it does not matter.
    #[must_use]
    pub fn sole_address(&self) -> Option<IpAddr> {
        match self.networks.as_slice() {
            [network] => network.sole_address(),
            _ => None,
        }
    }
}

impl WhoseEvents {
    /// Those of the principal with this id, which is or was called this.
    #[must_use]
    pub fn of(id: Option<String>, names: Vec<String>) -> Self {
        Self { id, names }
    }

    /// Whether it is who asked.
    pub(super) fn are_by(&self, event: &EventRecord) -> bool {
        self.is(event.client_id.as_ref(), event.client.as_deref())
    }

    /// Whether it is what was asked for, or changed.
    pub(super) fn are_to(&self, event: &EventRecord) -> bool {
        self.is(event.service_id.as_ref(), event.service.as_deref())
    }

    fn is(&self, id: Option<&String>, name: Option<&str>) -> bool {
        match (&self.id, id) {
            (Some(wanted), Some(found)) => wanted == found,
            _ => name.is_some_and(|name| self.names.iter().any(|wanted| is_called(name, wanted))),
        }
    }
}

// With a realm or without; an event leaves it out where it is the daemon's own for sure.
fn is_called(name: &str, wanted: &str) -> bool {
    name.strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
}

fn any_of<T>(list: &[T], is: impl FnMut(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff";
    const OTHER: &str = "ffeeddccbbaa99887766554433221100";

    fn event() -> EventRecord {
        EventRecord {
            peer: Some("192.0.2.7:5000".parse().unwrap()),
            client: Some("alice".into()),
            client_id: Some(ID.into()),
            service: Some("host/www.example.com".into()),
            result: Some(EventResult::Refused),
            reason: Some("wrong-proof".into()),
            ..EventRecord::new(7, time("2026-11-23T08:15:00.500000Z"), EventKind::As)
        }
    }

    fn time(text: &str) -> EventTime {
        text.parse().unwrap()
    }

    fn whose(id: Option<&str>, names: &[&str]) -> WhoseEvents {
        WhoseEvents::of(
            id.map(Into::into),
            names.iter().map(|name| (*name).to_owned()).collect(),
        )
    }

    fn are(whose: &WhoseEvents, event: &EventRecord) -> bool {
        let filter = EventFilter {
            principals: vec![whose.clone()],
            ..EventFilter::default()
        };
        filter.matches(event)
    }

    #[test]
    fn every_condition_has_to_hold() {
        let of = |json: &str| serde_json::from_str::<EventFilter>(json).unwrap();
        for (filter, holds) in [
            ("{}", true),
            (r#"{"kinds": ["as"]}"#, true),
            (r#"{"kinds": ["tgs", "as"]}"#, true),
            (r#"{"kinds": ["tgs"]}"#, false),
            (r#"{"results": ["refused"]}"#, true),
            (r#"{"results": ["issued"]}"#, false),
            (r#"{"reasons": ["locked", "wrong-proof"]}"#, true),
            (r#"{"reasons": ["locked"]}"#, false),
            (r#"{"networks": ["192.0.2.0/24"]}"#, true),
            (r#"{"networks": ["198.51.100.0/24", "192.0.2.7"]}"#, true),
            (r#"{"networks": ["192.0.2.6"]}"#, false),
            (r#"{"since": "2026-11-23T08:15:00.500000Z"}"#, true),
            (r#"{"since": "2026-11-23T08:15:00.500001Z"}"#, false),
            (r#"{"until": "2026-11-23T08:15:00.500001Z"}"#, true),
            (r#"{"until": "2026-11-23T08:15:00.500000Z"}"#, false),
            (r#"{"kinds": ["as"], "networks": ["192.0.2.6"]}"#, false),
        ] {
            assert_eq!(of(filter).matches(&event()), holds, "{filter}");
        }
        let without = EventRecord::new(1, time("2026-11-23T08:15:00.500000Z"), EventKind::Started);
        for filter in [
            r#"{"results": ["refused"]}"#,
            r#"{"networks": ["0.0.0.0/0"]}"#,
            r#"{"principals": [{"names": ["alice"]}]}"#,
        ] {
            assert!(!of(filter).matches(&without), "{filter}");
        }
    }

    #[test]
    fn an_id_decides_where_both_have_one_and_a_name_where_not() {
        for (id, names, by, to) in [
            (Some(ID), &["renamed"][..], true, false),
            (Some(OTHER), &["alice"], false, false),
            (None, &["alice"], true, false),
            (None, &["bob", "alice"], true, false),
            (None, &["alic"], false, false),
            (None, &["alice/admin"], false, false),
            (Some(OTHER), &["host/www.example.com"], false, true),
        ] {
            let whose = whose(id, names);
            assert_eq!((whose.are_by(&event()), whose.are_to(&event())), (by, to), "{whose:?}");
            assert_eq!(are(&whose, &event()), by || to, "{whose:?}");
        }
        let realm = EventRecord {
            client: Some("alice@EXAMPLE.COM".into()),
            client_id: None,
            ..event()
        };
        for (name, is) in [
            ("alice", true),
            ("alice@EXAMPLE.COM", true),
            ("alice@EXAMPLE", false),
            ("alice@OTHER", false),
        ] {
            assert_eq!(are(&whose(None, &[name]), &realm), is, "{name}");
        }
    }

    #[test]
    fn a_span_of_time_is_covered_where_any_of_it_is() {
        let filter = EventFilter {
            since: Some(time("2026-11-23T08:00:00.000000Z")),
            until: Some(time("2026-11-23T09:00:00.000000Z")),
            ..EventFilter::default()
        };
        for (first, last, covered) in [
            ("07:00:00.000000", "07:59:59.999999", false),
            ("07:00:00.000000", "08:00:00.000000", true),
            ("08:30:00.000000", "08:30:00.000000", true),
            ("08:59:59.999999", "10:00:00.000000", true),
            ("09:00:00.000000", "10:00:00.000000", false),
            ("07:00:00.000000", "10:00:00.000000", true),
        ] {
            let at = |clock: &str| time(&format!("2026-11-23T{clock}Z"));
            assert_eq!(filter.covers_any(at(first), at(last)), covered, "{first} {last}");
        }
    }

    #[test]
    fn a_filter_that_is_not_known_is_none() {
        assert_eq!(
            serde_json::from_str::<EventFilter>("{}").unwrap(),
            EventFilter::default()
        );
        assert!(serde_json::from_str::<EventFilter>(r#"{"colour": ["blue"]}"#).is_err());
    }
}
