//! `[roles]` and `[rules]`: who may have tickets for what.

use core::fmt;
use core::str::FromStr;

use tessera_common::admin::Span;
use tessera_common::duration;
use tessera_common::role::RoleName;

use super::LONGEST_LIFE;
use super::reader::{self, Fault, Placed, Problem, Table};
use crate::realm::access::{Access, Conflict, Source};
use crate::realm::glob::Glob;
use crate::realm::hours::{Hours, Window};
use crate::realm::network::Network;
use crate::realm::rules::{Effect, Rule, RuleError, RuleName, RuleParts};

/// `[roles]` and `[rules]`, checked as far as a file can be without the database, which has roles and rules, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessConfig {
    declared: Access,
    // Where each name stands in the file: for what only shows beside the database.
    places: Vec<(Named, Problem)>,
}

/// A name in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// A role is declared.
    Role(RoleName),
    /// A rule begins.
    Rule(RuleName),
    /// A rule names a role.
    RoleOf(RuleName, RoleName),
}

impl AccessConfig {
    pub(super) fn read(roles: Table<'_, '_>, rules: Table<'_, '_>) -> Self {
        let mut places = Vec::new();
        let mut declared_roles = Vec::new();
        for (name, table) in roles.tables() {
            if let Some(role) = checked::<RoleName>(&name.value, &table) {
                places.push((Named::Role(role.clone()), table.own_place()));
                declared_roles.push(role);
            }
            // What a role may do comes from rules; the table says no more than that there is one.
            table.finish();
        }
        let rules: Vec<Rule> = rules
            .tables()
            .into_iter()
            .filter_map(|(name, table)| read_rule(&name.value, table, &mut places))
            .collect();
        Self {
            declared: Access::new(declared_roles, rules),
            places,
        }
    }

    /// The roles and rules of the file.
    #[must_use]
    pub const fn declared(&self) -> &Access {
        &self.declared
    }

    /// What the file and the database cannot both say, or do not say together, one line each: with file, line and key, where
    /// it is the file's.
    #[must_use]
    pub fn conflicts(&self, database: &Access) -> Vec<String> {
        let conflicts = Access::conflicts(&self.declared, database);
        conflicts.iter().map(|conflict| self.placed(conflict)).collect()
    }

    fn placed(&self, conflict: &Conflict) -> String {
        let named = match conflict {
            Conflict::Role(role) => Some(Named::Role(role.clone())),
            Conflict::Rule(rule) => Some(Named::Rule(rule.clone())),
            Conflict::Undeclared {
                source: Source::File,
                rule,
                role,
            } => Some(Named::RoleOf(rule.clone(), role.clone())),
            Conflict::Undeclared { .. } => None,
        };
        let place = self.places.iter().find(|(at, _)| Some(at) == named.as_ref());
        match place {
            Some((_, problem)) => Problem {
                what: conflict.to_string(),
                ..problem.clone()
            }
            .to_string(),
            None => conflict.to_string(),
        }
    }
}

// The table's own name; `None`, with the problem noted, when it is none.
fn checked<T: FromStr<Err: fmt::Display>>(name: &str, table: &Table<'_, '_>) -> Option<T> {
    match name.parse() {
        Ok(name) => Some(name),
        Err(why) => {
            table.wrong_itself(format!("{name:?} cannot be its name: {why}"));
            None
        }
    }
}

fn read_rule(name: &str, mut table: Table<'_, '_>, places: &mut Vec<(Named, Problem)>) -> Option<Rule> {
    const EFFECT: &str = "\"allow\" or \"deny\"";
    const SERVICES: &str = "a service's name or a pattern such as \"host/*\"";
    let name = checked::<RuleName>(name, &table);
    for (key, expected) in [("effect", EFFECT), ("services", SERVICES)] {
        if !table.has(key) {
            table.missing(key, expected);
        }
    }
    let effect = table.value("effect", EFFECT, |v| {
        reader::string(v)?.parse::<Effect>().map_err(Fault::new)
    });
    let roles = listed::<RoleName>(&mut table, "roles", "a role's name such as \"staff\"");
    let services = listed::<Glob>(&mut table, "services", SERVICES);
    let from = listed::<Network>(&mut table, "from", "a network such as \"192.0.2.0/24\", or an address");
    let hours = listed::<Window>(&mut table, "hours", "hours such as \"Mon-Fri 08:00-18:00\"");
    let max_life = table.value("max-life", "a time such as \"1h\"", |v| {
        let (text, span) = reader::span(v)?;
        if span > LONGEST_LIFE {
            let longest = duration::format(LONGEST_LIFE);
            return Err(Fault::new(format!("{text} is more than {longest}")));
        }
        Ok(Span(span))
    });
    let rule = name.zip(effect).and_then(|(name, effect)| {
        places.push((Named::Rule(name.clone()), table.own_place()));
        for role in &roles {
            let named = Named::RoleOf(name.clone(), role.value.clone());
            places.push((named, table.place("roles", role.at.clone())));
        }
        let rule = Rule::new(RuleParts {
            name,
            effect: effect.value,
            roles: values(&roles),
            services: values(&services),
            from: values(&from),
            hours: Hours::new(values(&hours)).ok(),
            max_life: max_life.as_ref().map(|life| life.value),
        });
        match rule {
            Ok(rule) => Some(rule),
            Err(why) => {
                let at = match &why {
                    RuleError::NoServices => None,
                    RuleError::Realm(glob) => services.iter().find(|one| one.value == *glob).map(|one| &one.at),
                    RuleError::RoleTwice(role) => roles.iter().rfind(|one| one.value == *role).map(|one| &one.at),
                    RuleError::DenyWithMaxLife | RuleError::NoLife => max_life.as_ref().map(|life| &life.at),
                };
                // That there is no service was told where the list was read.
                if let Some(at) = at {
                    table.wrong(why.key(), at.clone(), why.to_string());
                }
                None
            }
        }
    });
    table.finish();
    rule
}

// What is under `key`: none, if it is absent or wrong. An empty list is wrong, since it might mean all as well as none.
fn listed<T: FromStr<Err: fmt::Display>>(
    table: &mut Table<'_, '_>,
    key: &'static str,
    expected: &str,
) -> Vec<Placed<T>> {
    let list = table.one_or_list(key, expected, |text| {
        text.parse::<T>().map_err(|why| Fault::new(format!("{text:?}: {why}")))
    });
    let Some(list) = list else {
        return Vec::new();
    };
    if list.value.is_empty() {
        table.wrong(key, list.at, format!("the list has none; expected {expected}"));
    }
    list.value
}

fn values<T: Clone>(list: &[Placed<T>]) -> Vec<T> {
    list.iter().map(|placed| placed.value.clone()).collect()
}
