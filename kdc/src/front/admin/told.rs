//! What an administrator asked for, as an event.

use std::sync::Arc;

use tessera_common::accounting::{EventKind, EventRecord, EventResult, EventTime};
use tessera_common::admin::{ApplyMode, EventQuery, MAX_BATCH, Reason, Request, Rest, SOCKET};
use tessera_common::name::{MAX_NAME_OCTETS, Principal, Realm};
use tessera_common::time::Timestamp;

use super::caller::Caller;
use crate::realm::principal::PrincipalId;
use crate::store::{Author, View};

/// How many characters of what an administrator sent go into one line of a log: a message may be long, and a name is whole.
const MOST_LOGGED: usize = MAX_NAME_OCTETS;

/// A request in words: never a secret.
pub(super) struct Described {
    /// What it is called.
    pub(super) request: &'static str,
    /// Whom or what it is about, and how: `key=value`.
    pub(super) about: String,
    /// Whether that says more than whom.
    pub(super) says_more: bool,
}

/// Whom or what a request is about.
struct Subject {
    name: String,
    /// Of a principal.
    id: Option<PrincipalId>,
    /// Whether it is one.
    is_principal: bool,
}

/// The events of a request, when it was answered.
pub(super) struct Told {
    subjects: Vec<Subject>,
    count: Option<u64>,
}

impl Described {
    const fn new(request: &'static str, about: String) -> Self {
        Self {
            request,
            about,
            says_more: true,
        }
    }

    fn of(request: &'static str, whom: Option<&String>) -> Self {
        Self {
            request,
            about: whom.map(|whom| format!("principal={whom:?}")).unwrap_or_default(),
            says_more: false,
        }
    }

    /// For the log.
    pub(super) fn line(&self) -> String {
        let space = if self.about.is_empty() { "" } else { " " };
        format!("request={}{space}{}", self.request, self.about)
    }
}

impl Told {
    /// Before it is carried out: a principal that is removed or renamed is found under its name as yet.
    pub(super) fn new(request: &Request, view: &View, realm: &Realm) -> Self {
        let (names, is_principal) = subjects(request);
        let subject = |name: &str| Subject {
            name: for_log(name),
            id: is_principal.then(|| id(view, realm, name)).flatten(),
            is_principal,
        };
        Self {
            subjects: names.into_iter().map(subject).collect(),
            count: match request {
                Request::Import { principals } => Some(principals.len() as u64),
                Request::Apply { declaration, .. } => Some(declaration.len() as u64),
                _ => None,
            },
        }
    }

    /// Afterwards: one that is new has an id now.
    pub(super) fn events(
        self,
        (caller, author): (&Caller, &Author),
        (described, time): (&Described, Timestamp),
        outcome: (EventResult, Option<&'static str>, Option<String>),
        (view, realm): (&Arc<View>, &Realm),
    ) -> Vec<EventRecord> {
        let (result, reason, message) = outcome;
        let more = Some(&described.about).filter(|_| described.says_more);
        let (peer, client_id) = match caller {
            Caller::Local { .. } => (None, None),
            Caller::Remote { id, from, .. } => (Some(*from), Some(id.to_string())),
        };
        let event = EventRecord {
            peer,
            via: Some(if peer.is_some() { "tcp" } else { "socket" }.into()),
            client: Some(author.who.clone()),
            client_id,
            factor: author.factors.clone(),
            request: Some(described.request.into()),
            result: Some(result),
            reason: reason.map(Into::into),
            detail: message.or_else(|| more.map(|about| for_log(about))),
            count: self.count,
            ..EventRecord::new(0, EventTime(time), EventKind::Admin)
        };
        debug_assert_eq!(author.from.as_deref() == Some(SOCKET), peer.is_none());
        if self.subjects.is_empty() {
            return vec![event];
        }
        let about = |subject: Subject| {
            let found = || {
                Some(&subject.name)
                    .filter(|_| subject.is_principal)
                    .and_then(|name| id(view, realm, name))
            };
            EventRecord {
                service_id: subject.id.or_else(found).map(|id| id.to_string()),
                service: Some(subject.name),
                ..event.clone()
            }
        };
        self.subjects.into_iter().map(about).collect()
    }
}

fn id(view: &View, realm: &Realm, name: &str) -> Option<PrincipalId> {
    let principal = Principal::parse(name, Some(realm)).ok()?;
    let found = Some(&principal.name).filter(|_| principal.realm == *realm);
    found.and_then(|name| view.find(name)).map(|record| record.id)
}

/// The request and whom it concerns, for the log; never a secret.
pub(super) fn describe(request: &Request) -> Described {
    let (what, whom) = match request {
        Request::Add(new) => ("add", Some(&new.name)),
        Request::List { glob, .. } => ("list", glob.as_ref()),
        Request::Show { name } => ("show", Some(name)),
        Request::Explain {
            name, service: None, ..
        } => ("explain", Some(name)),
        Request::Explain {
            name,
            service: Some(service),
            ..
        } => return Described::new("explain", format!("principal={name:?} service={service:?}")),
        Request::ExplainAct { name, act, on } => {
            let on = on.as_ref().map(|on| format!(" on={on:?}")).unwrap_or_default();
            return Described::new("explain", format!("principal={name:?} act={act}{on}"));
        }
        Request::Set { name, .. } => ("set", Some(name)),
        Request::Password { name, .. } => ("password", Some(name)),
        Request::Rotate { name, how, .. } => return Described::new("rotate", format!("principal={name:?} how={how}")),
        Request::Lock { name } => ("lock", Some(name)),
        Request::Unlock { name } => ("unlock", Some(name)),
        Request::Rename { name, to } => return Described::new("rename", format!("principal={name:?} to={to:?}")),
        Request::Alias { name, alias } => {
            return Described::new("alias", format!("principal={name:?} alias={alias:?}"));
        }
        Request::Unalias { name, alias } => {
            return Described::new("unalias", format!("principal={name:?} alias={alias:?}"));
        }
        Request::Remove { name } => ("remove", Some(name)),
        Request::Keytab { names, .. } => return Described::new("keytab", format!("principals={:?}", names.join(","))),
        Request::Import { principals } => return Described::new("import", format!("count={}", principals.len())),
        Request::AddRole { name, .. } => return Described::new("add-role", format!("role={name}")),
        Request::SetRole { name, .. } => return Described::new("set-role", format!("role={name}")),
        Request::RemoveRole { name } => return Described::new("remove-role", format!("role={name}")),
        Request::ListRoles => ("list-roles", None),
        Request::AddRule { name, .. } => return Described::new("add-rule", format!("rule={name:?}")),
        Request::SetRule { name, .. } => return Described::new("set-rule", format!("rule={name:?}")),
        Request::RemoveRule { name } => return Described::new("remove-rule", format!("rule={name:?}")),
        Request::ShowRule { name } => return Described::new("show-rule", format!("rule={name:?}")),
        Request::ListRules => ("list-rules", None),
        Request::AddPolicy { name, .. } => return Described::new("add-policy", format!("policy={name:?}")),
        Request::SetPolicy { name, .. } => return Described::new("set-policy", format!("policy={name:?}")),
        Request::RemovePolicy { name } => return Described::new("remove-policy", format!("policy={name:?}")),
        Request::ShowPolicy { name } => return Described::new("show-policy", format!("policy={name:?}")),
        Request::ListPolicies => ("list-policies", None),
        Request::Apply {
            declaration,
            mode,
            rest,
        } => {
            let mode = match mode {
                ApplyMode::Commit => "apply",
                ApplyMode::DryRun => "apply-dry-run",
            };
            let rest = match rest {
                Rest::Stays => "stays",
                Rest::Goes => "goes",
            };
            return Described::new(mode, format!("declared={} rest={rest}", declaration.len()));
        }
        Request::Events { query, last, follow } => {
            let query = serde_json::to_string(query).unwrap_or_default();
            let last = last.map(|last| format!(" last={last}")).unwrap_or_default();
            let follow = if *follow { " follow=yes" } else { "" };
            return Described::new("events", format!("query={query:?}{last}{follow}"));
        }
        Request::Sessions { name, .. } => ("sessions", name.as_ref()),
        Request::Usage { name, .. } => ("usage", Some(name)),
        Request::Export => ("export", None),
        Request::Reload => ("reload", None),
        Request::RotateMasterKey => ("rotate-master-key", None),
        _ => ("unknown", None),
    };
    Described::of(what, whom)
}

/// What a reason is called in a log.
pub(super) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NotPermitted => "not-permitted",
        Reason::NotFound => "not-found",
        Reason::Taken => "taken",
        Reason::Conflict => "conflict",
        Reason::Invalid => "invalid",
        Reason::Protected => "protected",
        Reason::Unavailable => "unavailable",
        _ => "unknown",
    }
}

/// As much of a text as goes into a line.
pub(super) fn for_log(text: &str) -> String {
    match text.char_indices().nth(MOST_LOGGED) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

// By their names, and whether they are principals. Whoever names more than may be named is refused, and that is one event.
fn subjects(request: &Request) -> (Vec<&str>, bool) {
    let few = |names: &[String]| names.len() <= MAX_BATCH;
    match request {
        Request::Add(new) => (vec![&new.name], true),
        Request::Show { name }
        | Request::Explain { name, .. }
        | Request::ExplainAct { name, .. }
        | Request::Set { name, .. }
        | Request::Password { name, .. }
        | Request::Rotate { name, .. }
        | Request::Lock { name }
        | Request::Unlock { name }
        | Request::Rename { name, .. }
        | Request::Alias { name, .. }
        | Request::Unalias { name, .. }
        | Request::Usage { name, .. }
        | Request::Remove { name } => (vec![name], true),
        Request::Sessions { name: Some(name), .. } => (vec![name], true),
        Request::Events {
            query: EventQuery { names, .. },
            ..
        }
        | Request::Keytab { names, .. }
            if few(names) =>
        {
            (names.iter().map(String::as_str).collect(), true)
        }
        Request::AddRole { name, .. } | Request::SetRole { name, .. } | Request::RemoveRole { name } => {
            (vec![name.as_str()], false)
        }
        Request::AddRule { name, .. }
        | Request::SetRule { name, .. }
        | Request::RemoveRule { name }
        | Request::ShowRule { name }
        | Request::AddPolicy { name, .. }
        | Request::SetPolicy { name, .. }
        | Request::RemovePolicy { name }
        | Request::ShowPolicy { name } => (vec![name], false),
        _ => (Vec::new(), false),
    }
}

#[cfg(test)]
mod tests {
    use core::ops::ControlFlow;
    use std::fs;
    use std::io;
    use std::thread;
    use std::time::Duration;

    use nix::unistd::Uid;
    use tessera_common::admin::Act;

    use super::super::tests::{Desk, NOW};
    use super::*;
    use crate::accounting::tests::small;
    use crate::accounting::{Accounting, Start};
    use crate::log::Log;
    use crate::store::{Memory, Store as _};

    /// The events of a request that was done, or refused with this message.
    fn events_of(desk: &Desk<Memory>, request: &Request, refused: Option<&str>) -> Vec<EventRecord> {
        let realm = Realm::new("EXAMPLE.COM").unwrap();
        let told = Told::new(request, &desk.store.view(), &realm);
        let caller = Caller::Local { uid: Uid::effective() };
        let outcome = match refused {
            None => (EventResult::Done, None, None),
            Some(message) => (EventResult::Refused, Some("invalid"), Some(for_log(message))),
        };
        told.events(
            (&caller, &caller.author(NOW)),
            (&describe(request), Timestamp::new(NOW, 0)),
            outcome,
            (&desk.store.view(), &realm),
        )
    }

    fn keytab(names: usize) -> Request {
        Request::Keytab {
            names: vec!["host/www".into(); names],
            rotate: false,
        }
    }

    fn asking_of(names: usize) -> Request {
        Request::Events {
            query: EventQuery {
                names: vec!["alice".into(); names],
                ..EventQuery::default()
            },
            last: None,
            follow: false,
        }
    }

    /// Of texts that are as long as they get, of characters that are, once written down.
    fn longest() -> Vec<Request> {
        let texts = ["x", "\u{1}", "\\", "😀", "\u{2028}"].map(|character| character.repeat(100_000));
        let requests = texts.iter().flat_map(|text| {
            [
                Request::Show { name: text.clone() },
                Request::Rename {
                    name: text.clone(),
                    to: text.clone(),
                },
                Request::ExplainAct {
                    name: text.clone(),
                    act: Act::Show,
                    on: Some(text.clone()),
                },
                Request::ShowRule { name: text.clone() },
                Request::Keytab {
                    names: vec![text.clone(); 3],
                    rotate: false,
                },
            ]
        });
        requests.collect()
    }

    /// Names of every character that patterns, shells and logs trip over.
    #[test]
    fn whatever_a_name_has_in_it_a_line_of_the_log_is_one_line_and_says_the_name() {
        let long = "x".repeat(255);
        for name in [
            "a*b",
            "[a-z]",
            "a\\/b",
            "a\\@b",
            "a b",
            "'a'",
            "\"a\"",
            "a\nadmin by=\"root\"",
            "a=b",
            "$(a)",
            "a\tb",
            "a\u{7f}",
            "a\u{1b}[2J",
            "a\r",
            "\u{85}\u{2028}",
            "😀",
            &long,
        ] {
            for (request, before, after) in [
                (Request::Show { name: name.into() }, "request=show principal=", ""),
                (
                    Request::ExplainAct {
                        name: "desk".into(),
                        act: Act::Show,
                        on: Some(name.into()),
                    },
                    "request=explain principal=\"desk\" act=show on=",
                    "",
                ),
                (
                    Request::Rename {
                        name: "a".into(),
                        to: name.into(),
                    },
                    "request=rename principal=\"a\" to=",
                    "",
                ),
            ] {
                let line = describe(&request).line();
                assert!(!line.contains(|c: char| c.is_control() || c == '\u{2028}'), "{line:?}");
                let quoted = line
                    .strip_prefix(before)
                    .and_then(|rest| rest.strip_suffix(after))
                    .unwrap();
                let inside = quoted
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'))
                    .unwrap();
                assert!(!inside.replace("\\\\", "").replace("\\\"", "").contains('"'), "{line}");
            }
        }
    }

    #[test]
    fn what_is_logged_of_a_message_has_an_end() {
        assert_eq!(for_log("short"), "short");
        let long = for_log(&"é".repeat(MOST_LOGGED + 1));
        assert_eq!(long.chars().count(), MOST_LOGGED + 1);
        assert!(long.ends_with("é…"));
    }

    #[test]
    fn each_that_may_be_named_has_an_event_and_whoever_names_more_has_one() {
        let desk = Desk::new();
        for asking in [keytab, asking_of] {
            assert_eq!(events_of(&desk, &asking(MAX_BATCH), None).len(), MAX_BATCH);
            let events = events_of(&desk, &asking(MAX_BATCH + 1), Some("too many"));
            let [event] = events.as_slice() else {
                panic!("{} events", events.len())
            };
            assert_eq!((&event.service, event.detail.as_deref()), (&None, Some("too many")));
        }
    }

    #[test]
    fn however_long_a_request_is_its_events_fit_into_the_smallest_queue() {
        let (desk, long) = (Desk::new(), "\u{1}".repeat(100_000));
        for request in longest() {
            for refused in [None, Some(long.as_str())] {
                for event in events_of(&desk, &request, refused) {
                    let line = serde_json::to_string(&event).unwrap();
                    assert!(line.len() < 16 << 10, "{}", line.len());
                }
            }
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a thread is waited for")]
    fn however_long_requests_were_they_are_read_again_from_a_file_that_is_compressed() {
        let state = tempfile::tempdir().unwrap();
        let config = small();
        let log = Log::start(io::sink()).unwrap();
        let (accounting, _writer) = Accounting::start(&config, state.path(), &log.log()).unwrap();
        let (desk, requests) = (Desk::new(), longest());
        let told = requests.iter().flat_map(|request| events_of(&desk, request, None));
        let told: Vec<EventRecord> = told.collect();
        for event in &told {
            accounting.administered(event);
        }
        let all_is_compressed = || {
            let files = fs::read_dir(config.directory_in(state.path())).unwrap();
            let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
            let of = |end: &str| {
                names
                    .iter()
                    .filter(|name| name.to_string_lossy().ends_with(end))
                    .count()
            };
            // What is left is what is written to.
            of(".zst") > 0 && of(".jsonl") == 1
        };
        let reader = accounting.reader().unwrap();
        let mut read = Vec::new();
        for _ in 0..6000 {
            thread::sleep(Duration::from_millis(10));
            if reader.newest() > told.len() as u64 && all_is_compressed() {
                let progress = reader.read(&Default::default(), Start::Oldest, &mut |found| {
                    read.push(found.event.clone());
                    ControlFlow::Continue(())
                });
                assert_eq!(progress.unwrap().damage, [""; 0]);
                break;
            }
        }
        assert_eq!(read.len(), told.len() + 1);
        let written = read.into_iter().skip(1).map(|event| EventRecord { seq: 0, ..event });
        assert!(written.eq(told));
    }
}
