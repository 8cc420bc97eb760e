//! Administrators' roles and rules: those that commands make are in the database, beside those of realm.toml, which commands
//! leave alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use tessera_common::admin::{
    AccessHistory, MAX_BATCH, Reason, Response, RightChanges, RoleChanges, RoleInfo, RuleChanges, RuleInfo, Source,
    Span, Time,
};
use tessera_common::role::RoleName;

use super::conflict::{Difference, Outdated, of_rule};
use super::execute::{Executor, Refused, TRIES, overtaken};
use crate::realm::access_record::{AccessKey, AccessRecord, Declared};
use crate::realm::glob::Glob;
use crate::realm::hours::{Hours, Window};
use crate::realm::principal::PrincipalRecord;
use crate::realm::rights::{Granted, GrantedError, MOST_RIGHTS, Role};
use crate::realm::rules::{Effect, Rule, RuleName, RuleParts};
use crate::store::{Change, StoreError, View};
use tessera_common::network::Network;

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

    pub(super) fn add_role(&self, name: RoleName, rights: &[String]) -> Result<Response, Refused> {
        if self.is_in_file(&name) {
            return Err(Refused::new(
                Reason::Taken,
                format!("the role {name} is already in realm.toml, [roles.{name}]; it cannot be in the database, too"),
            ));
        }
        let rights = changed_rights(Vec::new(), rights, &[])?;
        self.declare_new(Declared::Role(Role { name, rights }))
            .map(|_| Response::Done)
    }

    pub(super) fn set_role(&self, name: RoleName, changes: &RightChanges) -> Result<Response, Refused> {
        if self.is_in_file(&name) {
            return Err(file_only(&AccessKey::Role(name.clone()), &format!("[roles.{name}]")));
        }
        if changes.is_empty() {
            return Err(Refused::invalid("nothing to set"));
        }
        if let Some(both) = changes.add.iter().find(|right| changes.remove.contains(right)) {
            return Err(Refused::invalid(format!(
                "the right {both:?} cannot be both added and removed"
            )));
        }
        let key = AccessKey::Role(name);
        for _ in 0..TRIES {
            let found = Self::kept(&self.store.view(), &key)?;
            let Declared::Role(role) = &found.declared else {
                return Err(absent(&key));
            };
            let rights = changed_rights(role.rights.clone(), &changes.add, &changes.remove)?;
            let name = role.name.clone();
            match self.replace(&found, Declared::Role(Role { name, rights })) {
                Ok(_) => return Ok(Response::Done),
                Err(StoreError::AccessConflict { .. }) => {}
                Err(error) => return Err(self.refusal(&error)),
            }
        }
        Err(overtaken(&key.to_string()))
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
        let rule = rule_of(name, parts)?;
        self.is_not_in_file(rule.name(), Reason::Taken)?;
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
            let old = found.rule().ok_or_else(|| absent(&key))?;
            if revision.is_some_and(|revision| revision != found.revision) {
                return Err(outdated(
                    &found,
                    revision,
                    &of_rule(&rule_info(old, Some(&found)), parts),
                ));
            }
            let rule = changed(old.parts().clone(), parts)?;
            self.declared_roles(&view, rule.roles())?;
            match self.replace(&found, Declared::Rule(rule)) {
                Ok(record) => return Ok(rule_response(&record)),
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
            rights: Vec::new(),
            rules: Vec::new(),
            history: None,
        };
        let mut roles: BTreeMap<RoleName, RoleInfo> = view
            .holders()
            .map(|(name, _)| (name.clone(), info(name, Source::Nowhere)))
            .collect();
        for record in view.access().iter() {
            if let Declared::Role(Role { name, rights }) = &record.declared {
                let info = RoleInfo {
                    rights: rights.iter().map(ToString::to_string).collect(),
                    history: Some(history(record)),
                    ..info(name, Source::Database)
                };
                roles.insert(name.clone(), info);
            }
        }
        for name in self.settings.access.roles() {
            let rights = self.settings.access.rights(name);
            let info = RoleInfo {
                rights: rights.iter().map(ToString::to_string).collect(),
                ..info(name, Source::RealmToml)
            };
            roles.insert(name.clone(), info);
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

    // What is declared in place of what was found, if that is still there.
    fn replace(&self, found: &AccessRecord, declared: Declared) -> Result<AccessRecord, StoreError> {
        let record = self.record(declared, Some(found));
        let change = Change::Declare {
            expected: Some(found.revision),
            record: Box::new(record.clone()),
        };
        let revision = self.store.commit(&self.author, vec![change])?;
        Ok(AccessRecord { revision, ..record })
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

/// A rule of these parts alone.
pub(super) fn rule_of(name: &str, parts: &RuleChanges) -> Result<Rule, Refused> {
    let name = rule_name(name)?;
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
    changed(rule, parts)
}

/// Rights with these added and those removed: each once, in the order in which they came.
fn changed_rights(mut rights: Vec<Granted>, add: &[String], remove: &[String]) -> Result<Vec<Granted>, Refused> {
    let read = |text: &String| -> Result<Granted, Refused> {
        text.parse()
            .map_err(|why: GrantedError| Refused::invalid(why.to_string()))
    };
    for text in remove {
        let right = read(text)?;
        let before = rights.len();
        rights.retain(|other| *other != right);
        if rights.len() == before {
            return Err(Refused::new(
                Reason::NotFound,
                format!("the role does not give the right {right}; `principal role list` shows what it gives"),
            ));
        }
    }
    for text in add {
        let right = read(text)?;
        if !rights.contains(&right) {
            rights.push(right);
        }
    }
    if rights.len() > MOST_RIGHTS {
        return Err(Refused::invalid(format!("a role gives at most {MOST_RIGHTS} rights")));
    }
    Ok(rights)
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

pub(super) fn outdated(found: &AccessRecord, expected: Option<u64>, differences: &[Difference]) -> Refused {
    let key = found.key();
    let outdated = Outdated {
        what: &key.to_string(),
        by: &found.changed_by,
        at: Time(found.changed),
        revision: found.revision,
        expected,
        show: &match &key {
            AccessKey::Role(_) => "principal role list".to_owned(),
            AccessKey::Rule(name) => format!("principal rule show {name}"),
            AccessKey::Policy(name) => format!("principal policy show {name}"),
        },
    };
    outdated.refusal(differences)
}

fn rule_response(record: &AccessRecord) -> Response {
    match record.rule() {
        Some(rule) => Response::Rule(Box::new(rule_info(rule, Some(record)))),
        None => Response::Done,
    }
}

pub(super) fn rule_info(rule: &Rule, record: Option<&AccessRecord>) -> RuleInfo {
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
