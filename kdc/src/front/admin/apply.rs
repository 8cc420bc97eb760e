//! A realm that is declared in a file: what differs, and making it so, all of it or nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;

use tessera_common::admin::{
    ApplyMode, Becomes, Deadline, Declaration, DeclaredKind, DeclaredPrincipal, Difference, MAX_BATCH, OwnPolicy,
    Reason, Response, Rest, Settings,
};
use tessera_common::name::Name;
use tessera_common::role::RoleName;

use super::access::rule_of;
use super::attributes::apply;
use super::declared::{OPERATIONAL, access_object, declared_principal, default_attributes, differing, object};
use super::execute::{Executor, Refused, TRIES, overtaken};
use super::policies::policy_name;
use crate::realm::access_record::{AccessKey, AccessRecord, Declared};
use crate::realm::founding;
use crate::realm::keys::{self, Former, FreshKeys};
use crate::realm::policy::PolicyParts;
use crate::realm::principal::{Attributes, PrincipalId, PrincipalRecord};
use crate::realm::rights::{Granted, Role};
use crate::realm::rules::Rule;
use crate::store::{Change, StoreError, View};

/// How many faults of a declaration are told at once.
const MOST_FAULTS: usize = 50;
/// What a declaration comes to.
#[derive(Default)]
struct Plan {
    changes: Changes,
    differences: Vec<Difference>,
    faults: Vec<String>,
}

/// The changes, in an order in which each finds what it needs: names are given up before they are taken, and a role, rule or
/// policy is there as long as anything speaks of it.
#[derive(Default)]
struct Changes {
    removed: Vec<Change>,
    declared: Vec<Change>,
    giving_up_names: Vec<Change>,
    put: Vec<Change>,
    rules_withdrawn: Vec<Change>,
    withdrawn: Vec<Change>,
}

impl Changes {
    fn in_order(self) -> Vec<Change> {
        [
            self.removed,
            self.declared,
            self.giving_up_names,
            self.put,
            self.rules_withdrawn,
            self.withdrawn,
        ]
        .concat()
    }
}

impl Executor<'_> {
    /// Makes the realm what is declared, or tells what would become of it. What differs goes to `send`.
    pub(super) fn apply(
        &mut self,
        declaration: &Declaration,
        rest: Rest,
        mode: ApplyMode,
        send: &mut dyn FnMut(&Response) -> io::Result<()>,
    ) -> io::Result<Result<Response, Refused>> {
        let differences = match self.applied(declaration, rest, mode) {
            Ok(differences) => differences,
            Err(refused) => return Ok(Err(refused)),
        };
        for some in differences.chunks(MAX_BATCH) {
            send(&Response::Differences(some.to_vec()))?;
        }
        Ok(Ok(Response::Done))
    }

    fn applied(&mut self, declaration: &Declaration, rest: Rest, mode: ApplyMode) -> Result<Vec<Difference>, Refused> {
        for _ in 0..TRIES {
            let view = self.store.view();
            let Plan {
                changes,
                differences,
                faults,
            } = self.plan(&view, declaration, rest);
            if !faults.is_empty() {
                return Err(faulty(&faults));
            }
            let changes = changes.in_order();
            if mode == ApplyMode::DryRun || changes.is_empty() {
                return Ok(differences);
            }
            match self.store.commit(&self.author, changes) {
                Ok(_) => return Ok(differences),
                Err(StoreError::Conflict { .. } | StoreError::NotFound | StoreError::AccessConflict { .. }) => {}
                Err(error) => return Err(self.refusal(&error)),
            }
        }
        Err(overtaken("what is declared"))
    }

    fn plan(&mut self, view: &View, declaration: &Declaration, rest: Rest) -> Plan {
        let mut plan = Plan::default();
        self.plan_roles(view, declaration, rest, &mut plan);
        self.plan_policies(view, declaration, rest, &mut plan);
        self.plan_rules(view, declaration, rest, &mut plan);
        self.plan_principals(view, declaration, rest, &mut plan);
        plan
    }

    fn plan_roles(&self, view: &View, declaration: &Declaration, rest: Rest, plan: &mut Plan) {
        let Some(roles) = &declaration.roles else { return };
        for (name, role) in roles {
            if self.settings.access.declares(name) {
                plan.fault(DeclaredKind::Role, name, in_file(&format!("[roles.{name}]")));
                continue;
            }
            match role.rights.iter().map(|right| right.parse()).collect() {
                Ok(rights) => self.declare(
                    view,
                    Declared::Role(Role {
                        name: name.clone(),
                        rights,
                    }),
                    plan,
                ),
                Err::<Vec<Granted>, _>(why) => plan.fault(DeclaredKind::Role, name, why),
            }
        }
        plan.withdraw_rest(view, rest, |key| match key {
            AccessKey::Role(name) => !roles.contains_key(name),
            AccessKey::Rule(_) | AccessKey::Policy(_) => false,
        });
    }

    fn plan_policies(&self, view: &View, declaration: &Declaration, rest: Rest, plan: &mut Plan) {
        let Some(policies) = &declaration.policies else { return };
        for (name, body) in policies {
            if self.settings.access.policy(name).is_some() {
                plan.fault(DeclaredKind::Policy, name, in_file(&format!("[policies.{name}]")));
                continue;
            }
            let parts = policy_name(name).map(|name| PolicyParts {
                name,
                body: body.clone(),
            });
            match parts.and_then(|parts| self.checked_policy(parts)) {
                Ok(policy) => self.declare(view, Declared::Policy(policy), plan),
                Err(refused) => plan.fault(DeclaredKind::Policy, name, refused.message),
            }
        }
        plan.withdraw_rest(view, rest, |key| match key {
            AccessKey::Policy(name) => !policies.contains_key(name.as_str()),
            AccessKey::Rule(_) | AccessKey::Role(_) => false,
        });
    }

    fn plan_rules(&self, view: &View, declaration: &Declaration, rest: Rest, plan: &mut Plan) {
        if let Some(rules) = &declaration.rules {
            for (name, parts) in rules {
                let rule = match rule_of(name, parts) {
                    Ok(rule) => rule,
                    Err(refused) => {
                        plan.fault(DeclaredKind::Rule, name, refused.message);
                        continue;
                    }
                };
                if self.settings.access.rule(rule.name()).is_some() {
                    plan.fault(DeclaredKind::Rule, name, in_file(&format!("[rules.{name}]")));
                    continue;
                }
                self.declare(view, Declared::Rule(rule), plan);
            }
            plan.withdraw_rest(view, rest, |key| match key {
                AccessKey::Rule(name) => !rules.contains_key(name.as_str()),
                AccessKey::Role(_) | AccessKey::Policy(_) => false,
            });
        }
        // Also of those that were there before: a role that they name may be about to go.
        let staying = |rule: &&Rule| match (&declaration.rules, rest) {
            (Some(rules), _) if rules.contains_key(rule.name().as_str()) => false,
            (Some(_), Rest::Goes) => false,
            _ => true,
        };
        let stay = view.access().declared().rules().iter().filter(staying);
        for rule in stay.chain(self.settings.access.rules()) {
            self.check_roles(
                view,
                declaration,
                rest,
                (DeclaredKind::Rule, rule.name().as_str()),
                rule.roles(),
                plan,
            );
        }
        for (name, parts) in declaration.rules.iter().flatten() {
            let roles = parts.roles.as_deref().unwrap_or_default();
            self.check_roles(view, declaration, rest, (DeclaredKind::Rule, name), roles, plan);
        }
    }

    /// That there will be these roles.
    fn check_roles(
        &self,
        view: &View,
        declaration: &Declaration,
        rest: Rest,
        (kind, name): (DeclaredKind, &str),
        roles: &[RoleName],
        plan: &mut Plan,
    ) {
        let declares = |role: &RoleName| match &declaration.roles {
            _ if self.settings.access.declares(role) => true,
            Some(roles) if roles.contains_key(role) => true,
            Some(_) if rest == Rest::Goes => false,
            _ => view.access().declared().declares(role),
        };
        for role in roles.iter().filter(|role| !declares(role)) {
            plan.fault(
                kind,
                name,
                format!("roles: there would be no role {role}; declare it, or [roles.{role}] in realm.toml"),
            );
        }
    }

    fn plan_principals(&mut self, view: &View, declaration: &Declaration, rest: Rest, plan: &mut Plan) {
        let Some(principals) = &declaration.principals else {
            return;
        };
        let mut seen: HashSet<PrincipalId> = HashSet::new();
        let mut names: HashMap<Name, &str> = HashMap::new();
        for (text, declared) in principals {
            let (name, aliases) = match self.names_of(text, declared) {
                Ok(names) => names,
                Err(refused) => {
                    plan.fault(DeclaredKind::Principal, text, refused.message);
                    continue;
                }
            };
            for own in [&name].into_iter().chain(&aliases) {
                if let Some(other) = names.insert(own.clone(), text) {
                    let what = format!("{own} is a name of {other}, too");
                    plan.fault(DeclaredKind::Principal, text, what);
                }
            }
            self.check_roles(
                view,
                declaration,
                rest,
                (DeclaredKind::Principal, text),
                &declared.roles,
                plan,
            );
            self.check_policy(view, declaration, rest, (text, declared), plan);
            let found = view.find(&name).filter(|found| found.name == name);
            if let Some(found) = found {
                seen.insert(found.id);
            }
            match self.declared_record(view, found.map(|found| &**found), &name, aliases, declared) {
                Ok(record) => self.put_declared(found.map(|found| &**found), record, text, plan),
                Err(refused) => plan.fault(DeclaredKind::Principal, text, refused.message),
            }
        }
        if rest == Rest::Stays {
            return;
        }
        for record in view.sorted() {
            if seen.contains(&record.id) || founding::is_built_in(&record.name, &self.settings.name) {
                continue;
            }
            plan.differences.push(Difference {
                kind: DeclaredKind::Principal,
                name: record.name.to_string(),
                becomes: Becomes::Removed,
                parts: Vec::new(),
            });
            plan.changes.removed.push(Change::Remove {
                id: record.id,
                expected: record.revision,
            });
        }
    }

    fn names_of(&self, text: &str, declared: &DeclaredPrincipal) -> Result<(Name, Vec<Name>), Refused> {
        let aliases = declared.aliases.iter().map(|alias| self.name(alias));
        Ok((self.name(text)?, aliases.collect::<Result<_, _>>()?))
    }

    fn check_policy(
        &self,
        view: &View,
        declaration: &Declaration,
        rest: Rest,
        (text, declared): (&str, &DeclaredPrincipal),
        plan: &mut Plan,
    ) {
        let Some(OwnPolicy::Named(policy)) = &declared.settings.policy else {
            return;
        };
        let is_there = match &declaration.policies {
            _ if self.settings.access.policy(policy).is_some() => true,
            Some(policies) if policies.contains_key(policy) => true,
            Some(_) if rest == Rest::Goes => false,
            _ => view.access().declared().policy(policy).is_some(),
        };
        if !is_there {
            let what =
                format!("policy: there would be no policy {policy}; declare it, or [policies.{policy}] in realm.toml");
            plan.fault(DeclaredKind::Principal, text, what);
        }
    }

    /// The record that a principal has to have to be what is declared. A new one gets random keys.
    fn declared_record(
        &mut self,
        view: &View,
        found: Option<&PrincipalRecord>,
        name: &Name,
        aliases: Vec<Name>,
        declared: &DeclaredPrincipal,
    ) -> Result<PrincipalRecord, Refused> {
        let Settings {
            expires,
            password_expires,
            must_change_password,
            ..
        } = declared.settings;
        if password_expires.is_some() || must_change_password.is_some() {
            return Err(Refused::invalid(
                "when a password has to be changed is not declared; `principal set` says it",
            ));
        }
        if let Some(Deadline::After(_)) = expires {
            return Err(Refused::invalid(
                "expires: a time from now would be another one each time; name the time",
            ));
        }
        let mut record = match found {
            Some(found) => found.clone(),
            None => founding::blank(name.clone(), &self.author, self.random),
        };
        record.aliases = aliases;
        record.policy = match &declared.settings.policy {
            Some(OwnPolicy::Named(policy)) => Some(policy_name(policy)?),
            Some(OwnPolicy::None) | None => None,
        };
        record.roles = declared
            .roles
            .iter()
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let kept = Attributes(record.attributes.0 & OPERATIONAL.0);
        record.attributes = default_attributes(name) | kept;
        (record.expires, record.max_life, record.max_renew) = (None, None, None);
        apply(&declared.settings, &mut record, self.author.when);
        if found.is_none() {
            let enctypes = self.enctypes(view, None, record.policy.as_ref())?;
            let fresh = FreshKeys::at_random(&enctypes, self.random);
            let attributes = record.attributes;
            keys::replace(
                view,
                &mut record,
                &fresh,
                Former::Dropped,
                self.author.when,
                self.random,
            );
            record.attributes = attributes;
        }
        Ok(record)
    }

    fn put_declared(&self, found: Option<&PrincipalRecord>, mut record: PrincipalRecord, text: &str, plan: &mut Plan) {
        let parts = differing(
            &found
                .map(|found| object(&declared_principal(found)))
                .unwrap_or_default(),
            &object(&declared_principal(&record)),
        );
        let becomes = match found {
            Some(_) if parts.is_empty() => return,
            Some(_) => Becomes::Changed,
            None => Becomes::Added,
        };
        plan.differences.push(Difference {
            kind: DeclaredKind::Principal,
            name: text.to_owned(),
            becomes,
            parts,
        });
        record.changed = self.author.when;
        record.changed_by.clone_from(&self.author.who);
        let gives_up = found.is_some_and(|found| found.aliases.iter().any(|alias| !record.aliases.contains(alias)));
        let change = Change::Put {
            expected: found.map(|found| found.revision),
            record: Box::new(record),
        };
        if gives_up {
            plan.changes.giving_up_names.push(change);
        } else {
            plan.changes.put.push(change);
        }
    }

    fn declare(&self, view: &View, declared: Declared, plan: &mut Plan) {
        let record = self.record(declared, None);
        let key = record.key();
        let found = view.access().get(&key);
        let (kind, name) = (kind_of(&key), key.name().to_owned());
        let parts = differing(
            &found.map(|found| access_object(found)).unwrap_or_default(),
            &access_object(&record),
        );
        let becomes = match found {
            Some(_) if parts.is_empty() => return,
            Some(_) => Becomes::Changed,
            None => Becomes::Added,
        };
        plan.differences.push(Difference {
            kind,
            name,
            becomes,
            parts,
        });
        plan.changes.declared.push(Change::Declare {
            expected: found.map(|found| found.revision),
            record: Box::new(AccessRecord {
                created: found.map_or(record.created, |found| found.created),
                ..record
            }),
        });
    }
}

impl Plan {
    fn fault(&mut self, kind: DeclaredKind, name: impl core::fmt::Display, what: impl core::fmt::Display) {
        self.faults.push(format!("{} {name}: {what}", kind.word()));
    }

    /// Withdraws what is not declared, if that is to go.
    fn withdraw_rest(&mut self, view: &View, rest: Rest, undeclared: impl Fn(&AccessKey) -> bool) {
        if rest == Rest::Stays {
            return;
        }
        for record in view.access().iter() {
            let key = record.key();
            if !undeclared(&key) {
                continue;
            }
            self.differences.push(Difference {
                kind: kind_of(&key),
                name: key.name().to_owned(),
                becomes: Becomes::Removed,
                parts: Vec::new(),
            });
            let list = match &key {
                AccessKey::Rule(_) => &mut self.changes.rules_withdrawn,
                AccessKey::Role(_) | AccessKey::Policy(_) => &mut self.changes.withdrawn,
            };
            list.push(Change::Withdraw {
                expected: record.revision,
                key,
            });
        }
    }
}

fn faulty(faults: &[String]) -> Refused {
    let mut message = faults
        .iter()
        .take(MOST_FAULTS)
        .fold(String::new(), |all, fault| all + fault + "\n");
    if faults.len() > MOST_FAULTS {
        message += &format!("and {} more\n", faults.len() - MOST_FAULTS);
    }
    Refused::new(Reason::Invalid, message + "nothing was changed")
}

fn in_file(place: &str) -> String {
    format!("it is in realm.toml, {place}; it cannot be in the database, too")
}

const fn kind_of(key: &AccessKey) -> DeclaredKind {
    match key {
        AccessKey::Role(_) => DeclaredKind::Role,
        AccessKey::Rule(_) => DeclaredKind::Rule,
        AccessKey::Policy(_) => DeclaredKind::Policy,
    }
}
