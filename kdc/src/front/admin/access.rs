//! Administrators' roles and rules: those that commands make are in the database, beside those of realm.toml, which commands
//! leave alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use tessera_common::admin::{
    AccessHistory, MAX_BATCH, Reason, Response, RoleChanges, RoleInfo, RuleChanges, RuleInfo, Source, Span, Time,
};
use tessera_common::role::RoleName;

use super::execute::{Executor, Refused, TRIES, overtaken};
use crate::realm::access_record::{AccessKey, AccessRecord, Declared};
use crate::realm::glob::Glob;
use crate::realm::hours::{Hours, Window};
use crate::realm::network::Network;
use crate::realm::principal::PrincipalRecord;
use crate::realm::rights::Role;
use crate::realm::rules::{Effect, Rule, RuleName, RuleParts};
use crate::store::{Change, StoreError, View};

/// How many rules are in one frame: each is as large as a record at most.
const RULES_AT_ONCE: usize = 64;

impl Executor<'_> {
    /// Gives a principal roles, and takes some away.
    pub(super) fn change_roles(
        &self,
        view: &View,
        record: &mut PrincipalRecord,
        changes: &RoleChanges,
    ) -> Result<(), Refused> {
        if let Some(both) = changes.add.iter().find(|role| changes.remove.contains(role)) {
            return Err(Refused::invalid(format!(
                "the role {both} cannot be both added and removed"
            )));
        }
        if let Some(absent) = changes.remove.iter().find(|role| !record.roles.contains(role)) {
            let message = format!("{} does not have the role {absent}", self.full(&record.name));
            return Err(Refused::new(Reason::NotFound, message));
        }
        let mut roles: BTreeSet<_> = record.roles.drain(..).collect();
        roles.extend(self.declared_roles(view, &changes.add)?);
        record.roles = roles
            .into_iter()
            .filter(|role| !changes.remove.contains(role))
            .collect();
        Ok(())
    }

    /// Roles that there are, sorted, each once.
    pub(super) fn declared_roles(&self, view: &View, roles: &[RoleName]) -> Result<Vec<RoleName>, Refused> {
        let is_declared = |role: &RoleName| self.is_in_file(role) || view.access().declared().declares(role);
        if let Some(unknown) = roles.iter().find(|role| !is_declared(role)) {
            let message = format!(
                "there is no role {unknown}; `principal role add {unknown}` makes one, or [roles.{unknown}] in realm.toml"
            );
            return Err(Refused::new(Reason::NotFound, message));
        }
        Ok(roles.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect())
    }

    pub(super) fn add_role(&self, name: RoleName) -> Result<Response, Refused> {
        if self.is_in_file(&name) {
            return Err(Refused::new(
                Reason::Taken,
                format!("the role {name} is already in realm.toml, [roles.{name}]; it cannot be in the database, too"),
            ));
        }
        self.declare_new(Declared::Role(Role::plain(name)))
            .map(|_| Response::Done)
    }

    pub(super) fn remove_role(&self, name: RoleName) -> Result<Response, Refused> {
        if self.is_in_file(&name) {
            return Err(file_only(&AccessKey::Role(name.clone()), &format!("[roles.{name}]")));
        }
        if let Some(rule) = self
            .settings
            .access
            .rules()
            .iter()
            .find(|rule| rule.roles().contains(&name))
        {
            let message = format!(
                "the role {name} is in use: the rule {0} names it, [rules.{0}] in realm.toml",
                rule.name()
            );
            return Err(Refused::new(Reason::Protected, message));
        }
        self.withdraw(&AccessKey::Role(name))
    }

    pub(super) fn add_rule(&self, name: &str, parts: &RuleChanges) -> Result<Response, Refused> {
        let name = rule_name(name)?;
        self.is_not_in_file(&name, Reason::Taken)?;
        let effect = parts
            .effect
            .as_deref()
            .ok_or_else(|| Refused::invalid("a new rule needs an effect: allow or deny"))?;
        let rule = RuleParts {
            name,
            effect: read("effect", effect)?,
            roles: Vec::new(),
            services: Vec::new(),
            from: Vec::new(),
            hours: None,
            max_life: None,
        };
        let rule = changed(rule, parts)?;
        self.declared_roles(&self.store.view(), rule.roles())?;
        let record = self.declare_new(Declared::Rule(rule))?;
        Ok(rule_response(&record))
    }

    pub(super) fn set_rule(&self, name: &str, parts: &RuleChanges, revision: Option<u64>) -> Result<Response, Refused> {
        let name = rule_name(name)?;
        self.is_not_in_file(&name, Reason::Protected)?;
        if *parts == RuleChanges::default() {
            return Err(Refused::invalid("nothing to set"));
        }
        let key = AccessKey::Rule(name);
        for _ in 0..TRIES {
            let view = self.store.view();
            let found = Self::kept(&view, &key)?;
            if revision.is_some_and(|revision| revision != found.revision) {
                return Err(outdated(&found, revision));
            }
            let old = found.rule().map(|rule| rule.parts().clone());
            let rule = changed(old.ok_or_else(|| absent(&key))?, parts)?;
            self.declared_roles(&view, rule.roles())?;
            let record = self.record(Declared::Rule(rule), Some(&found));
            let change = Change::Declare {
                expected: Some(found.revision),
                record: Box::new(record.clone()),
            };
            match self.store.commit(&self.author, vec![change]) {
                Ok(revision) => return Ok(rule_response(&AccessRecord { revision, ..record })),
                Err(StoreError::AccessConflict { .. }) => {}
                Err(error) => return Err(self.refusal(&error)),
            }
        }
        Err(overtaken(&key.to_string()))
    }

    pub(super) fn remove_rule(&self, name: &str) -> Result<Response, Refused> {
        let name = rule_name(name)?;
        self.is_not_in_file(&name, Reason::Protected)?;
        self.withdraw(&AccessKey::Rule(name))
    }

    pub(super) fn show_rule(&self, name: &str) -> Result<Response, Refused> {
        let name = rule_name(name)?;
        if let Some(rule) = self.settings.access.rule(&name) {
            return Ok(Response::Rule(Box::new(rule_info(rule, None))));
        }
        let record = Self::kept(&self.store.view(), &AccessKey::Rule(name))?;
        Ok(rule_response(&record))
    }

    /// Roles that are declared in either place, and those that principals have though they are in none.
    pub(super) fn list_roles(&self, send: &mut dyn FnMut(&Response) -> io::Result<()>) -> io::Result<()> {
        let view = self.store.view();
        let info = |name: &RoleName, source| RoleInfo {
            name: name.clone(),
            source,
            principals: 0,
            rules: Vec::new(),
            history: None,
        };
        let mut roles: BTreeMap<RoleName, RoleInfo> = view
            .holders()
            .map(|(name, _)| (name.clone(), info(name, Source::Nowhere)))
            .collect();
        for record in view.access().iter() {
            if let Declared::Role(Role { name, .. }) = &record.declared {
                let info = RoleInfo {
                    history: Some(history(record)),
                    ..info(name, Source::Database)
                };
                roles.insert(name.clone(), info);
            }
        }
        for name in self.settings.access.roles() {
            roles.insert(name.clone(), info(name, Source::RealmToml));
        }
        for (name, holders) in view.holders() {
            if let Some(role) = roles.get_mut(name) {
                role.principals = holders;
            }
        }
        for rule in self
            .settings
            .access
            .rules()
            .iter()
            .chain(view.access().declared().rules())
        {
            for name in rule.roles() {
                if let Some(role) = roles.get_mut(name) {
                    role.rules.push(rule.name().to_string());
                }
            }
        }
        let roles: Vec<_> = roles.into_values().collect();
        roles
            .chunks(MAX_BATCH)
            .try_for_each(|some| send(&Response::Roles(some.to_vec())))
    }

    /// Rules of either place.
    pub(super) fn list_rules(&self, send: &mut dyn FnMut(&Response) -> io::Result<()>) -> io::Result<()> {
        let view = self.store.view();
        let of_file = self.settings.access.rules().iter().map(|rule| rule_info(rule, None));
        let kept = view.access().iter();
        let kept = kept.filter_map(|record| record.rule().map(|rule| rule_info(rule, Some(record))));
        let mut rules: Vec<_> = of_file.chain(kept).collect();
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        rules
            .chunks(RULES_AT_ONCE)
            .try_for_each(|some| send(&Response::Rules(some.to_vec())))
    }

    fn is_in_file(&self, role: &RoleName) -> bool {
        self.settings.access.declares(role)
    }

    fn is_not_in_file(&self, name: &RuleName, reason: Reason) -> Result<(), Refused> {
        match self.settings.access.rule(name) {
            None => Ok(()),
            Some(_) if reason == Reason::Taken => Err(Refused::new(
                reason,
                format!("the rule {name} is already in realm.toml, [rules.{name}]; it cannot be in the database, too"),
            )),
            Some(_) => Err(file_only(&AccessKey::Rule(name.clone()), &format!("[rules.{name}]"))),
        }
    }

    pub(super) fn kept(view: &View, key: &AccessKey) -> Result<Arc<AccessRecord>, Refused> {
        view.access().get(key).map(Arc::clone).ok_or_else(|| absent(key))
    }

    pub(super) fn declare_new(&self, declared: Declared) -> Result<AccessRecord, Refused> {
        let record = self.record(declared, None);
        let change = Change::Declare {
            expected: None,
            record: Box::new(record.clone()),
        };
        match self.store.commit(&self.author, vec![change]) {
            Ok(revision) => Ok(AccessRecord { revision, ..record }),
            Err(StoreError::AccessConflict { key, .. }) => {
                Err(Refused::new(Reason::Taken, format!("{key} exists already")))
            }
            Err(error) => Err(self.refusal(&error)),
        }
    }

    pub(super) fn withdraw(&self, key: &AccessKey) -> Result<Response, Refused> {
        for _ in 0..TRIES {
            let change = Change::Withdraw {
                key: key.clone(),
                expected: Self::kept(&self.store.view(), key)?.revision,
            };
            match self.store.commit(&self.author, vec![change]) {
                Ok(_) => return Ok(Response::Done),
                Err(StoreError::AccessConflict { .. }) => {}
                Err(error) => return Err(self.refusal(&error)),
            }
        }
        Err(overtaken(&key.to_string()))
    }

    pub(super) fn record(&self, declared: Declared, before: Option<&AccessRecord>) -> AccessRecord {
        AccessRecord {
            declared,
            revision: 0,
            created: before.map_or(self.author.when, |before| before.created),
            changed: self.author.when,
            changed_by: self.author.who.clone(),
        }
    }
}

/// A rule with these parts set.
fn changed(mut rule: RuleParts, changes: &RuleChanges) -> Result<Rule, Refused> {
    // Without `..`, so that a new part is not forgotten here.
    let RuleChanges {
        effect,
        roles,
        services,
        from,
        hours,
        max_life,
    } = changes;
    if let Some(effect) = effect {
        rule.effect = read::<Effect>("effect", effect)?;
    }
    if let Some(roles) = roles {
        rule.roles.clone_from(roles);
    }
    if let Some(services) = services {
        rule.services = read_all::<Glob>("service", services)?;
    }
    if let Some(from) = from {
        rule.from = read_all::<Network>("from", from)?;
    }
    if let Some(hours) = hours {
        let windows = read_all::<Window>("hours", hours)?;
        // No windows: always.
        rule.hours = Hours::new(windows).ok();
    }
    if let Some(limit) = max_life {
        rule.max_life = limit.duration().map(Span);
    }
    Rule::new(rule).map_err(|why| Refused::invalid(format!("{}: {why}", why.key())))
}

fn read<T: FromStr<Err: core::fmt::Display>>(part: &str, text: &str) -> Result<T, Refused> {
    text.parse()
        .map_err(|why| Refused::invalid(format!("{part} {text:?}: {why}")))
}

fn read_all<T: FromStr<Err: core::fmt::Display>>(part: &str, texts: &[String]) -> Result<Vec<T>, Refused> {
    texts.iter().map(|text| read(part, text)).collect()
}

fn rule_name(text: &str) -> Result<RuleName, Refused> {
    text.parse()
        .map_err(|why| Refused::invalid(format!("{text:?} cannot be a rule's name: {why}")))
}

pub(super) fn absent(key: &AccessKey) -> Refused {
    let list = match key {
        AccessKey::Role(_) => "principal role list",
        AccessKey::Rule(_) => "principal rule list",
        AccessKey::Policy(_) => "principal policy list",
    };
    let what = key.to_string();
    let what = what.trim_start_matches("the ");
    Refused::new(
        Reason::NotFound,
        format!("there is no {what}; `{list}` shows those that there are"),
    )
}

pub(super) fn file_only(key: &AccessKey, place: &str) -> Refused {
    Refused::new(
        Reason::Protected,
        format!("{key} is realm.toml's; change {place} there, then `principal reload`"),
    )
}

pub(super) fn outdated(found: &AccessRecord, expected: Option<u64>) -> Refused {
    Refused::new(
        Reason::Conflict,
        format!(
            "{} was changed by {} at {} and is at revision {}, not {}; `principal {} show {}` tells what it is now",
            found.key(),
            found.changed_by,
            found.changed,
            found.revision,
            expected.unwrap_or(0),
            match found.key() {
                AccessKey::Role(_) => "role",
                AccessKey::Rule(_) => "rule",
                AccessKey::Policy(_) => "policy",
            },
            found.key().name()
        ),
    )
}

fn rule_response(record: &AccessRecord) -> Response {
    match record.rule() {
        Some(rule) => Response::Rule(Box::new(rule_info(rule, Some(record)))),
        None => Response::Done,
    }
}

fn rule_info(rule: &Rule, record: Option<&AccessRecord>) -> RuleInfo {
    let RuleParts {
        name,
        effect,
        roles,
        services,
        from,
        hours,
        max_life,
    } = rule.parts();
    let windows = hours.iter().flat_map(Hours::windows);
    RuleInfo {
        name: name.to_string(),
        source: match record {
            None => Source::RealmToml,
            Some(_) => Source::Database,
        },
        effect: effect.name().to_owned(),
        roles: roles.clone(),
        services: services.iter().map(|glob| glob.as_str().to_owned()).collect(),
        from: from.iter().map(ToString::to_string).collect(),
        hours: windows.map(ToString::to_string).collect(),
        max_life: *max_life,
        history: record.map(history),
    }
}

pub(super) fn history(record: &AccessRecord) -> AccessHistory {
    AccessHistory {
        revision: record.revision,
        created: Time(record.created),
        changed: Time(record.changed),
        changed_by: record.changed_by.clone(),
    }
}
