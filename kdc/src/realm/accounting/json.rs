//! An event as the line of JSON that [`EventRecord`](tessera_common::accounting::EventRecord) is, without its number. Every request
//! writes one, so this goes without [`core::fmt`] where it can.

use core::fmt::Write as _;

use tessera_common::time::Timestamp;

use super::phrases::{Phrases, Second, put_instant, put_offered};
use super::{Event, Result, ShutOutLine, Transport, put_address, put_number};
use crate::realm::principal::PrincipalId;
use crate::realm::rules::RuleName;

impl Event {
    /// Writes `"time":…`, and all else that is known of it, each member but the first with a comma before it.
    pub fn put_json(&self, phrases: &mut Phrases, out: &mut String) {
        put_time(out, &mut phrases.now, self.time);
        out.push(',');
        self.put_json_but_time(phrases, out);
    }

    /// The same without its time.
    pub fn put_json_but_time(&self, phrases: &mut Phrases, out: &mut String) {
        out.push_str("\"kind\":\"");
        out.push_str(self.kind.name());
        out.push_str("\",\"peer\":\"");
        put_address(out, self.origin.peer);
        out.push_str(match self.origin.transport {
            Transport::Udp => "\",\"via\":\"udp\"",
            Transport::Tcp => "\",\"via\":\"tcp\"",
        });
        put_text(out, ",\"client\":", self.client.as_deref());
        put_id(out, ",\"client-id\":", self.client_id);
        put_text(out, ",\"service\":", self.service.as_deref());
        put_id(out, ",\"service-id\":", self.service_id);
        put_text(out, ",\"armor\":", self.armor.as_deref());
        put_text(out, ",\"mechanism\":", self.mechanism);
        put_text(out, ",\"factor\":", self.factor);
        out.push_str(",\"result\":\"");
        out.push_str(self.result.event_result().name());
        out.push('"');
        match &self.result {
            Result::Refused { code, reason, detail } => {
                put_text(out, ",\"reason\":", Some(reason));
                out.push_str(",\"code\":");
                put_number(out, i64::from(code.0));
                put_text(
                    out,
                    ",\"detail\":",
                    Some(detail.as_str()).filter(|detail| !detail.is_empty()),
                );
            }
            Result::Dropped { reason } => put_text(out, ",\"reason\":", Some(reason)),
            Result::Issued(_) | Result::PasswordChanged | Result::Admitted | Result::Repeated => {}
        }
        put_text(out, ",\"rule\":", self.rule.as_ref().map(RuleName::as_str));
        if let Result::Issued(issued) = &self.result {
            let (before_times, after_times) = phrases.ticket.text(issued, &self.offered);
            out.push_str(before_times);
            put_until(out, ",\"end\":\"", phrases.end.text(issued.end));
            if let Some(renew_till) = issued.renew_till {
                put_until(out, ",\"renew-till\":\"", phrases.renew_till.text(renew_till));
            }
            out.push_str(after_times);
        } else {
            put_offered(out, &self.offered);
        }
    }
}

impl ShutOutLine {
    /// As [`Event::put_json`], at this time.
    pub fn put_json(&self, out: &mut String, time: Timestamp) {
        put_time(out, &mut Second::default(), time);
        out.push_str(",\"kind\":\"shut-out\"");
        put_text(out, ",\"client\":", Some(&self.who));
        put_id(out, ",\"client-id\":", self.id);
        put_text(out, ",\"detail\":", Some(self.what));
        out.push_str(",\"count\":");
        put_number(out, i64::from(self.failures));
        if let Some(until) = self.until {
            put_until(out, ",\"until\":\"", Second::default().text(until));
        }
    }
}

/// Writes `"time":…`.
pub(crate) fn put_time(out: &mut String, second: &mut Second, time: Timestamp) {
    out.push_str("\"time\":\"");
    put_instant(out, second, time);
    out.push('"');
}

fn put_until(out: &mut String, key: &str, second: &str) {
    out.push_str(key);
    out.push_str(second);
    out.push_str("Z\"");
}

fn put_id(out: &mut String, key: &str, id: Option<PrincipalId>) {
    let Some(id) = id else { return };
    out.push_str(key);
    out.push('"');
    out.push_str(id.to_text().as_str());
    out.push('"');
}

fn put_text(out: &mut String, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.push_str(key);
        put_string(out, text);
    }
}

/// Writes a text as a string of JSON, with the escapes that it takes (RFC 8259 §7) and no others.
pub fn put_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // To look at all at once is what a processor does fastest, and most texts have none of these.
    let plain = !text.bytes().fold(false, |special, octet| special | is_special(octet));
    while !plain && let Some(at) = rest.bytes().position(is_special) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let octet = special.bytes().next().unwrap_or_default();
        match octet {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            8 => out.push_str("\\b"),
            9 => out.push_str("\\t"),
            10 => out.push_str("\\n"),
            12 => out.push_str("\\f"),
            13 => out.push_str("\\r"),
            // Writing to a string does not fail.
            _ => drop(write!(out, "\\u{octet:04x}")),
        }
        rest = special.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
    out.push('"');
}

const fn is_special(octet: u8) -> bool {
    octet < 32 || octet == b'"' || octet == b'\\'
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;
    use tessera_common::accounting::{EventKind, EventRecord, EventResult, EventTime};
    use tessera_common::crypto::EncType;
    use tessera_common::error_code::ErrorCode;
    use tessera_common::flags::TicketFlags;
    use tessera_common::time::KerberosTime;

    use super::*;
    use crate::realm::accounting::{Issued, Kind, Origin};

    /// What the line is to say.
    fn record(event: &Event) -> EventRecord {
        let kind = match event.kind {
            Kind::As => EventKind::As,
            Kind::Tgs => EventKind::Tgs,
            Kind::Password => EventKind::Password,
            Kind::Administration => EventKind::Administration,
            Kind::Unknown => EventKind::Unknown,
        };
        let id = |id: Option<PrincipalId>| id.map(|id| id.to_string());
        let mut record = EventRecord {
            peer: Some(event.origin.peer),
            via: Some(match event.origin.transport {
                Transport::Udp => "udp".into(),
                Transport::Tcp => "tcp".into(),
            }),
            client: event.client.clone(),
            client_id: id(event.client_id),
            service: event.service.clone(),
            service_id: id(event.service_id),
            armor: event.armor.clone(),
            mechanism: event.mechanism.map(Into::into),
            factor: event.factor.map(Into::into),
            rule: event.rule.as_ref().map(|rule| rule.as_str().to_owned()),
            etypes: event.offered.clone(),
            ..EventRecord::new(7, EventTime(event.time), kind)
        };
        record.result = Some(match &event.result {
            Result::Issued(issued) => {
                record.ticket = Some(issued.ticket_etype.name().into());
                record.session_key = Some(issued.session_etype.name().into());
                record.reply = Some(issued.reply_etype.name().into());
                record.kvno = issued.kvno;
                record.reply_kvno = issued.reply_kvno;
                record.end = Some(issued.end.to_string());
                record.renew_till = issued.renew_till.map(|till| till.to_string());
                let flags = TicketFlags::NAMED
                    .iter()
                    .filter(|(flag, _)| issued.flags.contains(*flag));
                record.flags = flags.map(|(_, name)| (*name).to_owned()).collect();
                EventResult::Issued
            }
            Result::PasswordChanged => EventResult::PasswordChanged,
            Result::Admitted => EventResult::Admitted,
            Result::Refused { code, reason, detail } => {
                record.code = Some(code.0);
                record.reason = Some((*reason).into());
                record.detail = Some(detail.clone()).filter(|detail| !detail.is_empty());
                EventResult::Refused
            }
            Result::Repeated => EventResult::Repeated,
            Result::Dropped { reason } => {
                record.reason = Some((*reason).into());
                EventResult::Dropped
            }
        });
        record
    }

    fn time() -> impl Strategy<Value = Timestamp> {
        (KerberosTime::MIN.0..=KerberosTime::MAX.0, 0u32..1_000_000)
            .prop_map(|(seconds, usec)| Timestamp::new(KerberosTime(seconds), usec))
    }

    fn seconds() -> impl Strategy<Value = KerberosTime> {
        time().prop_map(|time| time.time)
    }

    fn id() -> impl Strategy<Value = Option<PrincipalId>> {
        option::of(any::<[u8; 16]>().prop_map(PrincipalId))
    }

    fn etype() -> impl Strategy<Value = EncType> {
        prop::sample::select(EncType::ALL.to_vec())
    }

    fn result() -> impl Strategy<Value = Result> {
        let reason = prop::sample::select(vec!["wrong-proof", "busy", "empty"]);
        let issued = (
            (etype(), etype(), etype()),
            (option::of(any::<u32>()), option::of(any::<u32>())),
            (any::<u32>(), seconds(), option::of(seconds())),
        );
        prop_oneof![
            issued.prop_map(
                |((ticket, session, reply), (kvno, reply_kvno), (flags, end, renew_till))| {
                    Result::Issued(Issued {
                        ticket_etype: ticket,
                        session_etype: session,
                        reply_etype: reply,
                        kvno,
                        reply_kvno,
                        flags: TicketFlags(flags),
                        end,
                        renew_till,
                    })
                }
            ),
            (any::<i32>(), reason.clone(), any::<String>()).prop_map(|(code, reason, detail)| Result::Refused {
                code: ErrorCode(code),
                reason,
                detail
            }),
            reason.prop_map(|reason| Result::Dropped { reason }),
            Just(Result::PasswordChanged),
            Just(Result::Admitted),
            Just(Result::Repeated),
        ]
    }

    prop_compose! {
        fn event()(
            time in time(),
            (peer, udp) in (any::<core::net::SocketAddr>(), any::<bool>()),
            kind in prop::sample::select(vec![Kind::As, Kind::Tgs, Kind::Password, Kind::Administration, Kind::Unknown]),
            (client, client_id, service, service_id) in (any::<Option<String>>(), id(), any::<Option<String>>(), id()),
            offered in prop::collection::vec(any::<i32>(), 0..12),
            (armor, factor) in (any::<Option<String>>(), option::of(Just("password"))),
            rule in option::of("[a-z][a-z0-9.]{0,8}"),
            result in result(),
        ) -> Event {
            Event {
                time,
                origin: Origin { peer, local: peer, transport: if udp { Transport::Udp } else { Transport::Tcp } },
                kind,
                client,
                client_id,
                service,
                service_id,
                offered,
                armor,
                mechanism: factor.map(|_| "spake"),
                factor,
                rule: rule.and_then(|rule| RuleName::new(&rule).ok()),
                result,
            }
        }
    }

    proptest! {
        #[test]
        fn a_line_is_what_the_record_of_the_same_event_is_written_as(
            events in prop::collection::vec(event(), 1..6),
            again in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut phrases = Phrases::default();
            // Whatever was put into words before.
            for event in events.iter().chain(again.iter().map(|at| at.get(&events))) {
                let mut line = String::from("{\"seq\":7,");
                event.put_json(&mut phrases, &mut line);
                line.push('}');
                prop_assert_eq!(&line, &serde_json::to_string(&record(event)).unwrap());
            }
        }

        #[test]
        fn a_text_is_escaped_as_serde_does(text: String) {
            let mut out = String::new();
            put_string(&mut out, &text);
            prop_assert_eq!(out, serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn every_control_character_is_escaped_as_serde_does() {
        let text: String = (0..=0xffu8).map(char::from).collect();
        let mut out = String::new();
        put_string(&mut out, &text);
        assert_eq!(out, serde_json::to_string(&text).unwrap());
    }
}
