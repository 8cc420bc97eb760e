//! What an administrator asked for, as an event.

use std::sync::Arc;

use tessera_common::accounting::{EventKind, EventRecord, EventResult, EventTime};
use tessera_common::admin::{Request, SOCKET};
use tessera_common::name::{Principal, Realm};
use tessera_common::time::Timestamp;

use super::caller::Caller;
use crate::realm::principal::PrincipalId;
use crate::store::{Author, View};

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
    pub(super) const fn new(request: &'static str, about: String) -> Self {
        Self {
            request,
            about,
            says_more: true,
        }
    }

    pub(super) fn of(request: &'static str, whom: Option<&String>) -> Self {
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
        let subject = |name: String| Subject {
            id: Some(&name)
                .filter(|_| is_principal)
                .and_then(|name| id(view, realm, name)),
            name,
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
        let more = Some(&described.about).filter(|_| described.says_more).cloned();
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
            detail: message.or(more),
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

// By their names, and whether they are principals.
fn subjects(request: &Request) -> (Vec<String>, bool) {
    match request {
        Request::Add(new) => (vec![new.name.clone()], true),
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
        | Request::Remove { name } => (vec![name.clone()], true),
        Request::Sessions { name, .. } => (name.iter().cloned().collect(), true),
        Request::Events { query, .. } => (query.names.clone(), true),
        Request::Keytab { names, .. } => (names.clone(), true),
        Request::AddRole { name, .. } | Request::SetRole { name, .. } | Request::RemoveRole { name } => {
            (vec![name.to_string()], false)
        }
        Request::AddRule { name, .. }
        | Request::SetRule { name, .. }
        | Request::RemoveRule { name }
        | Request::ShowRule { name }
        | Request::AddPolicy { name, .. }
        | Request::SetPolicy { name, .. }
        | Request::RemovePolicy { name }
        | Request::ShowPolicy { name } => (vec![name.clone()], false),
        _ => (Vec::new(), false),
    }
}
