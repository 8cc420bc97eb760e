//! What happened, as people read it.

use core::time::Duration;
use std::collections::BTreeMap;

use tessera_common::accounting::{EventKind, EventRecord, EventResult};
use tessera_common::admin::{Counted, SessionInfo, SessionsUsage, Usage};
use tessera_common::duration;

use super::columns::Columns;
use super::render::{Look, labelled, or, printable, several};

const EVENT_HEADINGS: [&str; 6] = ["Time", "Kind", "Who", "From", "Service", "What came of it"];
const SESSION_HEADINGS: [&str; 11] = [
    "Session", "Who", "From", "Service", "Start", "Duration", "In", "Out", "Requests", "End", "Cause",
];

/// Events, as they come.
#[derive(Debug)]
pub(super) struct EventList(Columns<6>);

/// Sessions, as they come.
#[derive(Debug)]
pub(super) struct SessionList(Columns<11>);

impl EventList {
    pub(super) fn new(look: Look) -> Self {
        Self(Columns::new(look, EVENT_HEADINGS, [27, 14, 16, 21, 24, 0]))
    }

    /// A line for an event of the log.
    pub(super) fn lines(&mut self, line: &str) -> String {
        let Ok(event) = serde_json::from_str::<EventRecord>(line) else {
            // Of a later version's kind, perhaps. It can be read as it is.
            return printable(line) + "\n";
        };
        let row = [
            event.time.to_string(),
            event.kind.name().to_owned(),
            or(event.client.as_ref(), "-"),
            from(&event),
            or(event.service.as_ref(), "-"),
            what_came_of_it(&event),
        ];
        self.0.line(&row, is_alarming(&event))
    }
}

impl SessionList {
    pub(super) fn new(look: Look) -> Self {
        Self(Columns::new(look, SESSION_HEADINGS, [0; 11]))
    }

    /// The lines of some more sessions.
    pub(super) fn lines(&mut self, some: &[SessionInfo]) -> String {
        let rows: Vec<[String; 11]> = some.iter().map(session).collect();
        rows.iter().for_each(|row| self.0.widen(row));
        rows.iter().map(|row| self.0.line(row, false)).collect()
    }
}

fn session(info: &SessionInfo) -> [String; 11] {
    [
        info.session.clone(),
        or(info.client.as_ref(), "-"),
        or(info.peer.as_ref().or(info.via.as_ref()), "-"),
        or(info.service.as_ref(), "-"),
        or(info.start.as_ref(), "-"),
        span(info.duration_ms),
        info.octets_in.to_string(),
        info.octets_out.to_string(),
        info.requests.to_string(),
        or(info.end.as_ref(), "open"),
        or(info.cause.as_ref(), "-"),
    ]
}

fn from(event: &EventRecord) -> String {
    or(
        event
            .peer
            .map(|peer| peer.to_string())
            .or_else(|| event.via.clone())
            .as_ref(),
        "-",
    )
}

fn is_alarming(event: &EventRecord) -> bool {
    match event.kind {
        EventKind::ShutOut | EventKind::Lost | EventKind::ClockSetBack => true,
        _ => !event.asks_for_proof() && matches!(event.result, Some(EventResult::Refused | EventResult::Dropped)),
    }
}

fn what_came_of_it(event: &EventRecord) -> String {
    let mut text = match event.kind {
        EventKind::SessionStart | EventKind::SessionInterim | EventKind::SessionStop => of_a_session(event),
        EventKind::ShutOut => {
            let failures = event.count.map(|count| format!("{count} wrong passwords, "));
            let until = or(event.until.as_ref(), "an administrator unlocks it");
            format!("{}shut out until {until}", failures.unwrap_or_default())
        }
        EventKind::Lost => event
            .count
            .map(|count| format!("{count} events were lost"))
            .unwrap_or_default(),
        _ => of_a_request(event),
    };
    if let Some(detail) = event.detail.as_ref().filter(|detail| !detail.is_empty()) {
        text += if text.is_empty() { "" } else { ": " };
        text += detail;
    }
    text
}

fn of_a_request(event: &EventRecord) -> String {
    let mut parts: Vec<&str> = event.request.as_deref().into_iter().collect();
    parts.extend(event.result.map(EventResult::name));
    parts.extend(event.reason.as_deref());
    let mut text = parts.join(", ");
    if let Some(factor) = &event.factor {
        text += &format!(" (by {factor})");
    }
    if let Some(rule) = &event.rule {
        text += &format!(" (rule {rule})");
    }
    text
}

fn of_a_session(event: &EventRecord) -> String {
    let mut parts: Vec<String> = event.cause.iter().cloned().collect();
    parts.extend(event.duration_ms.filter(|ms| *ms > 0).map(span));
    for (count, what) in [
        (event.requests, "requests"),
        (event.octets_in, "octets in"),
        (event.octets_out, "octets out"),
    ] {
        if let Some(count) = count {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}

/// What one principal did.
pub(super) fn usage(usage: &Usage, look: Look) -> String {
    let one = |text: String| vec![text];
    let fields = [
        ("Principal", one(usage.principal.clone())),
        ("Id", one(or(usage.id.as_ref(), "none, there is no such principal"))),
        ("Since", one(or(usage.since.as_ref(), "the log's beginning"))),
        ("Until", one(or(usage.until.as_ref(), "now"))),
        ("First seen", one(or(usage.first_seen.as_ref(), "never"))),
        ("Last seen", one(or(usage.last_seen.as_ref(), "never"))),
        ("Logins", several(counts(&usage.logins))),
        ("Proved by", several(counts(&usage.factors))),
        ("Refusals", several(counts(&usage.refusals))),
        ("Tickets", one(usage.tickets_in_all.to_string())),
        ("Tickets for", several(counted(&usage.tickets))),
        ("Tickets to it", one(usage.tickets_to_it.to_string())),
        ("Password changes", one(usage.password_changes.to_string())),
        ("Passwords given", one(usage.passwords_given.to_string())),
        ("Sessions", one(sessions(&usage.sessions))),
        ("Addresses", several(counted(&usage.addresses))),
    ];
    labelled(&fields, look, |label, value| label == "Refusals" && value != "none")
}

fn counts(counts: &BTreeMap<String, u64>) -> Vec<String> {
    counts.iter().map(|(name, count)| format!("{count} {name}")).collect()
}

fn counted(counts: &[Counted]) -> Vec<String> {
    let lines = counts.iter().map(|Counted { name, count }| format!("{count} {name}"));
    lines.collect()
}

fn sessions(sessions: &SessionsUsage) -> String {
    let SessionsUsage {
        count,
        duration_ms,
        octets_in,
        octets_out,
        requests,
    } = *sessions;
    if count == 0 {
        return "none".to_owned();
    }
    let span = span(duration_ms);
    format!("{count}, {span} in all, {requests} requests, {octets_in} octets in, {octets_out} octets out")
}

// To the second, or of what is shorter to the millisecond.
fn span(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds}ms"),
        _ => duration::format(Duration::from_millis(milliseconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Look = Look::Terminal { colour: true };

    fn shown(look: Look, lines: &[&str]) -> String {
        let mut list = EventList::new(look);
        lines.iter().map(|line| list.lines(line)).collect()
    }

    #[test]
    fn a_program_gets_a_line_with_tabs_for_each_event() {
        for (event, line) in [
            (
                r#""kind":"as","peer":"192.0.2.7:5000","via":"udp","client":"alice","service":"krbtgt/R","factor":"encrypted-timestamp","result":"issued""#,
                "as\talice\t192.0.2.7:5000\tkrbtgt/R\tissued (by encrypted-timestamp)",
            ),
            (
                r#""kind":"as","peer":"[::1]:5000","client":"mallory","result":"refused","reason":"client-unknown","code":6"#,
                "as\tmallory\t[::1]:5000\t-\trefused, client-unknown",
            ),
            (
                r#""kind":"tgs","peer":"[::1]:5000","client":"alice","service":"host/www","result":"refused","reason":"not-permitted","rule":"office""#,
                "tgs\talice\t[::1]:5000\thost/www\trefused, not-permitted (rule office)",
            ),
            (
                r#""kind":"admin","via":"socket","client":"uid 0","service":"alice","request":"set","result":"done""#,
                "admin\tuid 0\tsocket\talice\tset, done",
            ),
            (
                r#""kind":"session-stop","via":"socket","client":"uid 0","service":"admin.sock","session":"00","duration-ms":1500,"octets-in":10,"octets-out":20,"requests":2,"cause":"client-closed""#,
                "session-stop\tuid 0\tsocket\tadmin.sock\tclient-closed, 1s, 2 requests, 10 octets in, 20 octets out",
            ),
            (
                r#""kind":"shut-out","client":"alice","count":3,"until":"2026-11-23T08:30:00Z""#,
                "shut-out\talice\t-\t-\t3 wrong passwords, shut out until 2026-11-23T08:30:00Z",
            ),
            (
                r#""kind":"lost","count":4,"detail":"the disk is full""#,
                "lost\t-\t-\t-\t4 events were lost: the disk is full",
            ),
            (r#""kind":"started""#, "started\t-\t-\t-\t"),
        ] {
            let time = "2026-11-23T08:15:00.000120Z";
            let event = format!(r#"{{"seq":7,"time":"{time}",{event}}}"#);
            assert_eq!(shown(Look::Plain, &[&event]), format!("{time}\t{line}\n"));
        }
    }

    #[test]
    fn a_person_gets_columns_and_sees_what_was_refused_in_red() {
        let event = |client: &str, rest: &str| {
            format!(r#"{{"seq":7,"time":"2026-11-23T08:15:00.000120Z","kind":"as","client":"{client}",{rest}}}"#)
        };
        let long = "a".repeat(20);
        let lines = [
            event("alice", r#""result":"issued""#),
            event(&long, r#""result":"refused","reason":"wrong-proof""#),
            event("bob", r#""result":"issued""#),
            event("bob", r#""result":"refused","reason":"proof-missing""#),
        ];
        let text = shown(TERMINAL, &lines.each_ref().map(String::as_str));
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("\x1b[1mTime ") && lines[0].ends_with("What came of it\x1b[0m"),
            "{text}"
        );
        assert!(
            lines[2].starts_with("\x1b[31m2026") && lines[2].contains("refused, wrong-proof\x1b[0m"),
            "{text}"
        );
        let at = |line: &str, what| line.trim_start_matches("\x1b[31m").find(what);
        assert_eq!(at(lines[2], "refused"), at(lines[3], "issued"));
        // To be asked for a proof is no refusal to speak of.
        assert!(!lines[3].contains('\x1b') && !lines[4].contains('\x1b'));
    }

    #[test]
    fn nothing_in_an_event_commands_a_terminal_or_makes_a_line() {
        let evil = r#"{"seq":7,"time":"2026-11-23T08:15:00.000120Z","kind":"as","client":"a\n\u001b[31mb\tc","result":"issued"}"#;
        let text = shown(Look::Plain, &[evil]);
        assert_eq!(text.matches('\n').count(), 1);
        assert_eq!(text.matches('\t').count(), 5);
        assert!(!text.contains('\x1b'), "{text:?}");
        // What a later daemon says is shown as it is.
        assert_eq!(
            shown(Look::Plain, &["{\"kind\":\"eclipse\"}"]),
            "{\"kind\":\"eclipse\"}\n"
        );
    }

    #[test]
    fn a_session_is_a_line() {
        let info = SessionInfo {
            session: "00ff".into(),
            client: Some("alice/admin@R".into()),
            client_id: None,
            peer: Some("192.0.2.7:5000".into()),
            via: Some("tcp".into()),
            service: Some("kadmin/admin@R".into()),
            start: Some("2026-11-23T08:15:00.000120Z".parse().unwrap()),
            duration_ms: 90_500,
            octets_in: 10,
            octets_out: 20,
            requests: 2,
            end: None,
            cause: None,
        };
        let line = "00ff\talice/admin@R\t192.0.2.7:5000\tkadmin/admin@R\t2026-11-23T08:15:00.000120Z\t1m30s\t10\t20\t2\topen\t-\n";
        assert_eq!(SessionList::new(Look::Plain).lines(core::slice::from_ref(&info)), line);
        let text = SessionList::new(TERMINAL).lines(&[info.clone(), info]);
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn usage_says_what_was_counted_and_what_was_not() {
        let none = usage(&Usage::default(), Look::Plain);
        for line in [
            "Logins: none",
            "First seen: never",
            "Sessions: none",
            "Since: the log's beginning",
        ] {
            assert!(none.lines().any(|shown| shown == line), "{none}");
        }
        let used = Usage {
            principal: "alice@R".into(),
            logins: [("issued".to_owned(), 2), ("refused".to_owned(), 1)].into(),
            refusals: [("wrong-proof".to_owned(), 1)].into(),
            tickets: vec![Counted {
                name: "host/www".into(),
                count: 3,
            }],
            sessions: SessionsUsage {
                count: 1,
                duration_ms: 12,
                octets_in: 1,
                octets_out: 2,
                requests: 3,
            },
            ..Usage::default()
        };
        let text = usage(&used, Look::Plain);
        for line in [
            "Principal: alice@R",
            "Logins: 2 issued",
            "Logins: 1 refused",
            "Tickets for: 3 host/www",
            "Sessions: 1, 12ms in all, 3 requests, 1 octets in, 2 octets out",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{text}");
        }
        assert!(usage(&used, TERMINAL).contains("\x1b[31m1 wrong-proof\x1b[0m"));
    }
}
