//! Which of what happened an administrator sees.

use std::collections::HashMap;
use std::sync::Arc;

use tessera_common::accounting::{EventKind, EventRecord};
use tessera_common::admin::Act;
use tessera_common::name::{Name, Principal, Realm};

use super::execute::{Executor, Refused};
use crate::accounting::WhoseEvents;
use crate::realm::administration::Named;
use crate::realm::principal::{PrincipalId, PrincipalRecord};
use crate::store::View;

/// How much is looked at in one view of the realm: it keeps what was looked up in it, and the realm changes.
const MOST_IN_ONE_VIEW: usize = 10_000;

/// Looks at what happened as somebody who asks for it.
#[derive(Clone)]
pub(super) struct Eyes<'a, 'e> {
    executor: &'a Executor<'e>,
    view: Arc<View>,
    sees_all: bool,
    // What was decided of pairs of client and service, and how much was looked at.
    remembered: HashMap<[Option<PrincipalId>; 2], bool>,
    looked_at: usize,
}

impl<'a, 'e> Eyes<'a, 'e> {
    pub(super) fn new(executor: &'a Executor<'e>) -> Self {
        let view = executor.store.view();
        Self {
            executor,
            sees_all: executor.sees_all(&view),
            view,
            remembered: HashMap::new(),
            looked_at: 0,
        }
    }

    /// Whether all can be seen.
    pub(super) const fn see_all(&self) -> bool {
        self.sees_all
    }

    /// Whether this can be seen.
    pub(super) fn see(&mut self, event: &EventRecord) -> bool {
        self.looked_at += 1;
        if self.looked_at > MOST_IN_ONE_VIEW {
            *self = Self::new(self.executor);
        }
        self.sees_all || self.see_who_is_named(&Parties::of(event, self.executor.realm()))
    }

    fn see_who_is_named(&mut self, parties: &Parties) -> bool {
        let Some(ids) = parties.ids() else {
            return self.look_at(parties);
        };
        if let Some(seen) = self.remembered.get(&ids) {
            return *seen;
        }
        let seen = self.look_at(parties);
        self.remembered.insert(ids, seen);
        seen
    }

    fn look_at(&self, parties: &Parties) -> bool {
        let named = parties.0.iter().flatten().filter_map(|party| match party {
            // Who is no more is nobody whom a pattern could be over.
            Party::Id(id) => self.view.get(*id).map(|record| Named::Principal(record)),
            Party::Name(name) => Some(match self.view.find(name) {
                Some(record) => Named::Principal(record),
                None => Named::Name(name),
            }),
        });
        self.executor.sees_what_names(&self.view, named)
    }
}

/// Whom an event names: as client, and as service.
struct Parties([Option<Party>; 2]);

enum Party {
    Id(PrincipalId),
    Name(Name),
}

impl Parties {
    fn of(event: &EventRecord, realm: &Realm) -> Self {
        let party = |id: Option<&String>, name: Option<&String>, is_a_name: bool| match id {
            Some(id) => id.parse().ok().map(Party::Id),
            None => {
                let name = Principal::parse(name.filter(|_| is_a_name)?, Some(realm)).ok()?;
                (name.realm == *realm).then_some(Party::Name(name.name))
            }
        };
        Self([
            party(
                event.client_id.as_ref(),
                event.client.as_ref(),
                event.kind.is_a_request(),
            ),
            party(
                event.service_id.as_ref(),
                event.service.as_ref(),
                event.kind.is_a_request() || is_done_to_a_principal(event),
            ),
        ])
    }

    // Where nobody is known by a name alone.
    fn ids(&self) -> Option<[Option<PrincipalId>; 2]> {
        let id = |party: &Option<Party>| match party {
            None => Some(None),
            Some(Party::Id(id)) => Some(Some(*id)),
            Some(Party::Name(_)) => None,
        };
        let [client, service] = &self.0;
        Some([id(client)?, id(service)?])
    }
}

// Otherwise it is done to a role, a rule, a policy, or the realm.
fn is_done_to_a_principal(event: &EventRecord) -> bool {
    let act = event.request.as_deref().and_then(|act| act.parse::<Act>().ok());
    event.kind == EventKind::Admin && act.is_some_and(Act::is_to_a_principal)
}

/// Who is meant by a name that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meant {
    /// Whose events.
    pub(super) whose: WhoseEvents,
    /// What it is called, with its realm.
    pub(super) called: String,
}

impl Executor<'_> {
    /// Whose events are meant by a name that was typed: the principal's, by its id and, where an event has none, by its names;
    /// or those of the name alone, where nobody has it. Refused is who may not look at it.
    pub(super) fn whose(&self, typed: &str) -> Result<Meant, Refused> {
        let view = self.store.view();
        let foreign = Principal::parse(typed, Some(self.realm()))
            .ok()
            .filter(|principal| principal.realm != *self.realm() && self.sees_all(&view));
        if let Some(principal) = foreign {
            let called = principal.to_string();
            return Ok(Meant {
                whose: WhoseEvents::of(None, vec![called.clone()]),
                called,
            });
        }
        let name = self.name(typed)?;
        let found = view.find(&name);
        self.may_by_name(&view, &name, found)?;
        Ok(match found {
            Some(record) => Meant {
                whose: whose(record),
                called: self.full(&record.name),
            },
            None => Meant {
                whose: WhoseEvents::of(None, vec![name.to_string()]),
                called: self.full(&name),
            },
        })
    }

    fn realm(&self) -> &Realm {
        &self.settings.name
    }
}

/// The events of a principal.
fn whose(record: &PrincipalRecord) -> WhoseEvents {
    let names = [&record.name].into_iter().chain(&record.aliases);
    WhoseEvents::of(Some(record.id.to_string()), names.map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::super::rights_tests::{populated, sits};
    use super::*;
    use crate::store::Store as _;

    fn event(json: &str) -> EventRecord {
        let text = format!(r#"{{"seq":1,"time":"2026-11-23T08:15:00.000000Z",{json}}}"#);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn an_event_is_seen_by_who_may_look_at_any_principal_that_it_names_by_its_id_or_by_a_name_of_its_kind() {
        let mut desk = populated();
        let view = desk.store.view();
        let id = |name: &str| view.find(&name.parse().unwrap()).unwrap().id;
        let (alice, dave) = (id("alice/student"), id("dave"));
        let nobody = PrincipalId([0xab; 16]);
        for (json, seen) in [
            (format!(r#""kind":"as","client":"renamed","client-id":"{alice}""#), true),
            (
                format!(r#""kind":"as","client":"alice/student","client-id":"{dave}""#),
                false,
            ),
            (
                format!(r#""kind":"tgs","client-id":"{dave}","service-id":"{alice}""#),
                true,
            ),
            (
                format!(r#""kind":"tgs","client-id":"{alice}","service-id":"{dave}""#),
                true,
            ),
            (
                format!(r#""kind":"as","client":"alice/student","client-id":"{nobody}""#),
                false,
            ),
            (r#""kind":"as","client":"mallory/student""#.into(), true),
            (r#""kind":"as","client":"mallory/student@EXAMPLE.COM""#.into(), true),
            (r#""kind":"as","client":"mallory/student@OTHER.ORG""#.into(), false),
            (r#""kind":"as","client":"mallory""#.into(), false),
            // An alias within leads to nobody without.
            (r#""kind":"as","client":"dave/student""#.into(), false),
            (r#""kind":"as","service":"lab/student""#.into(), true),
            (
                r#""kind":"admin","client":"uid 0","request":"add","service":"eve/student""#.into(),
                true,
            ),
            (
                r#""kind":"admin","client":"uid 0","request":"add-role","service":"eve/student""#.into(),
                false,
            ),
            (
                r#""kind":"admin","client":"uid 0/student","request":"reload""#.into(),
                false,
            ),
            (r#""kind":"shut-out","client":"192.0.2.0/student""#.into(), false),
            (r#""kind":"session-stop","client":"uid 0/student""#.into(), false),
            (format!(r#""kind":"session-stop","client-id":"{alice}""#), true),
            (r#""kind":"started""#.into(), false),
        ] {
            let event = event(&json);
            for (who, sees) in [("school-admin", seen), ("audit-admin", true), ("plain-admin", false)] {
                sits(&mut desk, who);
                // Asked again it is remembered.
                let told = desk.executing(Act::Events, |executor| {
                    let mut eyes = Eyes::new(executor);
                    [eyes.see(&event), eyes.see(&event)]
                });
                assert_eq!(told, [sees; 2], "{who}: {json}");
            }
        }
    }

    #[test]
    fn whose_events_are_meant_is_told_by_the_id_or_by_the_name_of_nobody() {
        let mut desk = populated();
        let id = desk.store.view().find(&"dave".parse().unwrap()).unwrap().id.to_string();
        let mut whose = |typed: &str| {
            let meant = desk.executing(Act::Events, |executor| executor.whose(typed));
            meant.map(|meant| (meant.whose, meant.called))
        };
        let dave = WhoseEvents::of(Some(id), vec!["dave".into(), "dave/student".into()]);
        let named = |name: &str| WhoseEvents::of(None, vec![name.into()]);
        for (typed, events, called) in [
            ("dave", dave.clone(), "dave@EXAMPLE.COM"),
            ("dave/student@EXAMPLE.COM", dave, "dave@EXAMPLE.COM"),
            ("mallory", named("mallory"), "mallory@EXAMPLE.COM"),
            ("bob@OTHER.ORG", named("bob@OTHER.ORG"), "bob@OTHER.ORG"),
        ] {
            assert_eq!(whose(typed), Ok((events, called.into())));
        }
        assert!(whose("").is_err());
        sits(&mut desk, "school-admin");
        let mut whose = |typed: &str| desk.executing(Act::Events, |executor| executor.whose(typed).is_ok());
        assert!(whose("alice/student") && whose("mallory/student"));
        for other in ["dave", "dave/student", "mallory", "bob/student@OTHER.ORG"] {
            assert!(!whose(other), "{other}");
        }
    }
}
