//! What the database holds, in the form that declarations have: to export it, and to tell what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::Serialize;
use serde_json::{Map, Value};
use tessera_common::admin::{
    Deadline, Declaration, DeclaredPrincipal, DeclaredRole, Limit, OwnPolicy, PartDifference, Response, RuleChanges,
    Span,
};
use tessera_common::name::Name;

use super::access::rule_info;
use super::attributes::own_settings;
use super::execute::Executor;
use crate::realm::access_record::{AccessRecord, Declared};
use crate::realm::principal::{Attributes, PrincipalRecord};
use crate::realm::rules::Rule;

/// How many principals an export has in one message.
const PRINCIPALS_AT_ONCE: usize = 500;
/// That an account is locked or a password is due, no declaration says: that comes of running the realm.
pub(super) const OPERATIONAL: Attributes = Attributes(Attributes::LOCKED.0 | Attributes::MUST_CHANGE_PASSWORD.0);

impl Executor<'_> {
    /// Sends what the database holds, in the form that [`Executor::apply`] takes; of principals, those that may be seen.
    pub(super) fn export(&self, send: &mut dyn FnMut(&Response) -> io::Result<()>) -> io::Result<()> {
        let view = self.store.view();
        let mut declared = Declaration {
            roles: Some(BTreeMap::new()),
            policies: Some(BTreeMap::new()),
            rules: Some(BTreeMap::new()),
            principals: None,
        };
        for record in view.access().iter() {
            match &record.declared {
                Declared::Role(role) => {
                    let rights = role.rights.iter().map(ToString::to_string).collect();
                    let roles = declared.roles.get_or_insert_default();
                    roles.insert(role.name.clone(), DeclaredRole { rights });
                }
                Declared::Policy(policy) => {
                    let policies = declared.policies.get_or_insert_default();
                    policies.insert(policy.name().to_string(), policy.body().clone());
                }
                Declared::Rule(rule) => {
                    let rules = declared.rules.get_or_insert_default();
                    rules.insert(rule.name().to_string(), parts_of(rule));
                }
            }
        }
        send(&Response::Exported(Box::new(declared)))?;
        let mut some = BTreeMap::new();
        let exported = |some| {
            Response::Exported(Box::new(Declaration {
                principals: Some(some),
                ..Declaration::default()
            }))
        };
        for record in view.sorted().filter(|record| self.sees(&view, record)) {
            some.insert(record.name.to_string(), declared_principal(&record));
            if some.len() == PRINCIPALS_AT_ONCE {
                send(&exported(core::mem::take(&mut some)))?;
            }
        }
        send(&exported(some))
    }
}

/// Whoever has a password can be guessed at by who has tickets to them: people, whose names have one component, are no
/// services unless somebody says so.
pub(super) fn default_attributes(name: &Name) -> Attributes {
    if name.len() == 1 {
        Attributes::NOT_A_SERVICE
    } else {
        Attributes::empty()
    }
}

/// A principal as its declaration would be.
pub(super) fn declared_principal(record: &PrincipalRecord) -> DeclaredPrincipal {
    let mut settings = own_settings(record.attributes.without(OPERATIONAL), default_attributes(&record.name));
    settings.expires = record.expires.map(Deadline::At);
    settings.max_life = record.max_life.map(Limit::At);
    settings.max_renew = record.max_renew.map(Limit::At);
    settings.policy = record
        .policy
        .as_ref()
        .map(|policy| OwnPolicy::Named(policy.to_string()));
    DeclaredPrincipal {
        aliases: record.aliases.iter().map(ToString::to_string).collect(),
        roles: record.roles.clone(),
        settings,
    }
}

fn parts_of(rule: &Rule) -> RuleChanges {
    let info = rule_info(rule, None);
    RuleChanges {
        effect: Some(info.effect),
        roles: said(info.roles),
        services: Some(info.services),
        from: said(info.from),
        hours: said(info.hours),
        max_life: info.max_life.map(|Span(life)| Limit::At(life)),
    }
}

fn said<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

pub(super) fn access_object(record: &AccessRecord) -> Map<String, Value> {
    match &record.declared {
        Declared::Role(role) => {
            let rights = role.rights.iter().map(ToString::to_string).collect();
            object(&DeclaredRole { rights })
        }
        Declared::Rule(rule) => object(&parts_of(rule)),
        Declared::Policy(policy) => object(policy.body()),
    }
}

// What a thing says of itself, by key; settings stand beside the rest, as in a file.
pub(super) fn object(value: &impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(mut object)) = serde_json::to_value(value) else {
        return Map::new();
    };
    if let Some(Value::Object(settings)) = object.remove("settings") {
        object.extend(settings);
    }
    object
}

pub(super) fn differing(from: &Map<String, Value>, to: &Map<String, Value>) -> Vec<PartDifference> {
    let keys: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    keys.into_iter()
        .filter(|key| from.get(*key) != to.get(*key))
        .map(|key| PartDifference {
            part: key.clone(),
            from: from.get(key).map(plain),
            to: to.get(key).map(plain),
        })
        .collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(some) => some.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        other => other.to_string(),
    }
}
