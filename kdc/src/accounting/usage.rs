//! What one principal did, counted from the events that name it.

use std::collections::{BTreeMap, HashMap};

use tessera_common::accounting::{EventKind, EventRecord, EventResult, EventTime};
use tessera_common::admin::{Act, Counted, Usage};

use super::filter::WhoseEvents;

/// How many services and how many addresses are counted apart: whoever asks chooses their names. What comes after so many
/// different ones is in the sums alone.
const MOST_APART: usize = 10_000;
/// How many of them are told, the most frequent ones.
const MOST_TOLD: usize = 20;

/// Under what name that is counted.
const ASKED_FOR_PROOF: &str = "asked-for-proof";

/// Counts, event by event, oldest first.
pub struct UsageCount {
    whose: WhoseEvents,
    usage: Usage,
    services: HashMap<String, u64>,
    addresses: HashMap<String, u64>,
}

impl UsageCount {
    /// Begins at nothing; `usage` says of whom.
    #[must_use]
    pub fn of(whose: &WhoseEvents, usage: Usage) -> Self {
        Self {
            whose: whose.clone(),
            usage,
            services: HashMap::new(),
            addresses: HashMap::new(),
        }
    }

    /// Counts an event, whoever it is about.
    pub fn count(&mut self, event: &EventRecord) {
        if self.whose.are_by(event) {
            self.count_own(event);
        } else if self.whose.are_to(event) {
            self.count_of_others(event);
        }
    }

    /// What was counted.
    #[must_use]
    pub fn finish(self) -> Usage {
        Usage {
            tickets: Counted::top(self.services, MOST_TOLD),
            addresses: Counted::top(self.addresses, MOST_TOLD),
            ..self.usage
        }
    }

    fn count_own(&mut self, event: &EventRecord) {
        let usage = &mut self.usage;
        let issued = event.result == Some(EventResult::Issued);
        // Anybody can ask for a login in its name. Whoever asks for anything else has proved to be it.
        if issued || event.kind != EventKind::As {
            let EventRecord { time, .. } = *event;
            usage.first_seen = Some(usage.first_seen.map_or(time, |first: EventTime| first.min(time)));
            usage.last_seen = Some(usage.last_seen.map_or(time, |last: EventTime| last.max(time)));
        }
        if let Some(peer) = event.peer.filter(|_| event.kind.is_a_request()) {
            add(&mut self.addresses, peer.ip().to_canonical().to_string());
        }
        let asked_for_proof = event.asks_for_proof();
        if let Some(reason) = event.reason.as_ref().filter(|_| !asked_for_proof) {
            *usage.refusals.entry(reason.clone()).or_default() += 1;
        }
        match event.kind {
            EventKind::As => {
                let name = if asked_for_proof {
                    ASKED_FOR_PROOF
                } else {
                    event.result.map_or("unknown", EventResult::name)
                };
                one_more(&mut usage.logins, name);
                if issued {
                    one_more(&mut usage.factors, event.factor.as_deref().unwrap_or("none"));
                }
            }
            EventKind::Tgs if issued => {
                usage.tickets_in_all += 1;
                add(&mut self.services, event.service.clone().unwrap_or_default());
            }
            EventKind::Password if event.result == Some(EventResult::PasswordChanged) => usage.password_changes += 1,
            EventKind::SessionStop => {
                let sessions = &mut usage.sessions;
                sessions.count += 1;
                sessions.duration_ms += event.duration_ms.unwrap_or_default();
                sessions.octets_in += event.octets_in.unwrap_or_default();
                sessions.octets_out += event.octets_out.unwrap_or_default();
                sessions.requests += event.requests.unwrap_or_default();
            }
            _ => {}
        }
    }

    fn count_of_others(&mut self, event: &EventRecord) {
        match event.kind {
            EventKind::As | EventKind::Tgs if event.result == Some(EventResult::Issued) => {
                self.usage.tickets_to_it += 1;
            }
            EventKind::Admin
                if event.result == Some(EventResult::Done)
                    && event.request.as_deref() == Some(Act::Password.name()) =>
            {
                self.usage.passwords_given += 1;
            }
            _ => {}
        }
    }
}

fn one_more(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}

fn add(counts: &mut HashMap<String, u64>, name: String) {
    if let Some(count) = counts.get_mut(&name) {
        *count += 1;
    } else if counts.len() < MOST_APART {
        counts.insert(name, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "00112233445566778899aabbccddeeff";
    const BOB: &str = "ffeeddccbbaa99887766554433221100";

    fn event(seq: u64, json: &str) -> EventRecord {
        let text = format!(
            r#"{{"seq":{seq},"time":"2026-11-23T08:15:0{}.000000Z",{json}}}"#,
            seq % 10
        );
        serde_json::from_str(&text).unwrap()
    }

    fn counted(whose: &WhoseEvents, events: &[&str]) -> Usage {
        let mut count = UsageCount::of(whose, Usage::default());
        for (seq, json) in (0..).zip(events) {
            count.count(&event(seq, json));
        }
        count.finish()
    }

    fn alice() -> WhoseEvents {
        WhoseEvents::of(Some(ALICE.into()), vec!["alice".into()])
    }

    fn map(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn what_a_principal_did_is_counted_by_what_came_of_it() {
        let by_alice = |rest: &str| format!(r#""client":"alice","client-id":"{ALICE}","peer":"192.0.2.7:5000",{rest}"#);
        let events = [
            by_alice(r#""kind":"as","result":"refused","reason":"wrong-proof""#),
            by_alice(r#""kind":"as","result":"refused","reason":"proof-missing""#),
            by_alice(r#""kind":"as","result":"issued","factor":"encrypted-timestamp""#),
            by_alice(r#""kind":"as","result":"issued""#),
            by_alice(r#""kind":"tgs","result":"issued","service":"host/www""#),
            by_alice(r#""kind":"tgs","result":"issued","service":"host/www""#),
            by_alice(r#""kind":"tgs","result":"refused","service":"host/mail","reason":"not-permitted""#),
            by_alice(r#""kind":"password","result":"password-changed""#),
            by_alice(r#""kind":"session-interim","octets-in":9"#),
            by_alice(r#""kind":"session-stop","duration-ms":5,"octets-in":10,"octets-out":20,"requests":2"#),
            // About it, and not by it.
            format!(r#""kind":"admin","client":"uid 0","service-id":"{ALICE}","request":"password","result":"done""#),
            format!(r#""kind":"admin","client":"uid 0","service-id":"{ALICE}","request":"set","result":"done""#),
            format!(r#""kind":"tgs","client-id":"{BOB}","service-id":"{ALICE}","result":"issued""#),
            // Another's.
            format!(r#""kind":"as","client":"alice","client-id":"{BOB}","result":"issued""#),
        ];
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let usage = counted(&alice(), &events);
        assert_eq!(
            usage.logins,
            map(&[("asked-for-proof", 1), ("issued", 2), ("refused", 1)])
        );
        assert_eq!(usage.factors, map(&[("encrypted-timestamp", 1), ("none", 1)]));
        assert_eq!(usage.refusals, map(&[("not-permitted", 1), ("wrong-proof", 1)]));
        assert_eq!(
            (usage.tickets[0].name.as_str(), usage.tickets[0].count),
            ("host/www", 2)
        );
        assert_eq!(
            (usage.tickets.len(), usage.tickets_in_all, usage.tickets_to_it),
            (1, 2, 1)
        );
        assert_eq!((usage.password_changes, usage.passwords_given), (1, 1));
        let sessions = usage.sessions;
        assert_eq!((sessions.count, sessions.octets_in, sessions.octets_out), (1, 10, 20));
        assert_eq!(
            (usage.addresses[0].name.as_str(), usage.addresses[0].count),
            ("192.0.2.7", 8)
        );
        // Whoever gave a wrong password need not have been alice.
        assert_eq!(usage.first_seen.unwrap().to_string(), "2026-11-23T08:15:02.000000Z");
        assert_eq!(usage.last_seen.unwrap().to_string(), "2026-11-23T08:15:09.000000Z");
    }

    #[test]
    fn a_name_that_nobody_has_was_never_seen_and_is_counted_all_the_same() {
        let whose = WhoseEvents::of(None, vec!["mallory".into()]);
        let usage = counted(
            &whose,
            &[r#""kind":"as","client":"mallory","result":"refused","reason":"client-unknown""#],
        );
        assert_eq!((usage.first_seen, usage.last_seen), (None, None));
        assert_eq!(usage.refusals, map(&[("client-unknown", 1)]));
    }

    #[test]
    fn however_many_services_are_asked_for_the_count_is_bounded() {
        let mut count = UsageCount::of(&alice(), Usage::default());
        let total = u64::try_from(MOST_APART).unwrap() + 50;
        for n in 0..total {
            let json = format!(r#""kind":"tgs","client-id":"{ALICE}","result":"issued","service":"svc/{n}""#);
            count.count(&event(n, &json));
        }
        assert_eq!(count.services.len(), MOST_APART);
        let usage = count.finish();
        assert_eq!((usage.tickets_in_all, usage.tickets.len()), (total, MOST_TOLD));
    }
}
