//! Administrators' policies: those that commands make are in the database, beside those of realm.toml.

use std::collections::BTreeMap;
use std::io;

use tessera_common::admin::{OrNone, OwnPolicy, PolicyBody, PolicyChanges, PolicyInfo, Reason, Response, Source, Span};
use tessera_common::crypto::EncType;

use super::access::{absent, file_only, history, outdated};
use super::conflict;
use super::execute::{Executor, Refused, TRIES, overtaken};
use super::keys::named_enctypes;
use crate::realm::access_record::{AccessKey, AccessRecord, Declared};
use crate::realm::policy::{Policy, PolicyName, PolicyParts};
use crate::realm::principal::PrincipalRecord;
use crate::store::{Change, StoreError, View};

/// How many policies are in one frame.
const POLICIES_AT_ONCE: usize = 64;

impl Executor<'_> {
    /// The policy that a new principal is to have for its own: one that there is.
    pub(super) fn named_policy(&self, view: &View, asked: Option<&OwnPolicy>) -> Result<Option<PolicyName>, Refused> {
        let Some(OwnPolicy::Named(name)) = asked else {
            return Ok(None);
        };
        let name = policy_name(name)?;
        match self.policy(view).policy(name.as_str()) {
            Some(_) => Ok(Some(name)),
            None => Err(Refused::new(
                Reason::NotFound,
                format!(
                    "there is no policy {name}; `principal policy add {name}` makes one, or [policies.{name}] in realm.toml"
                ),
            )),
        }
    }

    /// Lets a principal go by another policy, if one is asked for. The password that it has stays good.
    pub(super) fn change_policy(
        &self,
        view: &View,
        record: &mut PrincipalRecord,
        asked: Option<&OwnPolicy>,
    ) -> Result<(), Refused> {
        if asked.is_some() {
            record.policy = self.named_policy(view, asked)?;
        }
        Ok(())
    }

    pub(super) fn add_policy(&self, name: &str, parts: &PolicyChanges) -> Result<Response, Refused> {
        let name = policy_name(name)?;
        if self.settings.access.policy(name.as_str()).is_some() {
            return Err(Refused::new(
                Reason::Taken,
                format!(
                    "the policy {name} is already in realm.toml, [policies.{name}]; it cannot be in the database, too"
                ),
            ));
        }
        let policy = self.changed(PolicyParts::new(name), parts)?;
        let record = self.declare_new(Declared::Policy(policy))?;
        Ok(self.shown_policy(&record))
    }

    pub(super) fn set_policy(
        &self,
        name: &str,
        parts: &PolicyChanges,
        revision: Option<u64>,
    ) -> Result<Response, Refused> {
        let name = policy_name(name)?;
        self.is_databases(&name)?;
        if *parts == PolicyChanges::default() {
            return Err(Refused::invalid("nothing to set"));
        }
        let key = AccessKey::Policy(name);
        for _ in 0..TRIES {
            let found = Self::kept(&self.store.view(), &key)?;
            let Declared::Policy(old) = &found.declared else {
                return Err(absent(&key));
            };
            if revision.is_some_and(|revision| revision != found.revision) {
                let now = policy_info(old, None, 0);
                return Err(outdated(&found, revision, &conflict::of_policy(&now, parts)));
            }
            let policy = self.changed(PolicyParts::from(old.clone()), parts)?;
            let record = self.record(Declared::Policy(policy), Some(&found));
            let change = Change::Declare {
                expected: Some(found.revision),
                record: Box::new(record.clone()),
            };
            match self.store.commit(&self.author, vec![change]) {
                Ok(revision) => return Ok(self.shown_policy(&AccessRecord { revision, ..record })),
                Err(StoreError::AccessConflict { .. }) => {}
                Err(error) => return Err(self.refusal(&error)),
            }
        }
        Err(overtaken(&key.to_string()))
    }

    pub(super) fn remove_policy(&self, name: &str) -> Result<Response, Refused> {
        let name = policy_name(name)?;
        self.is_databases(&name)?;
        self.withdraw(&AccessKey::Policy(name))
    }

    pub(super) fn show_policy(&self, name: &str) -> Result<Response, Refused> {
        let name = policy_name(name)?;
        if let Some(policy) = self.settings.access.policy(name.as_str()) {
            let principals = holders(&self.store.view(), &name);
            return Ok(Response::Policy(Box::new(policy_info(policy, None, principals))));
        }
        let record = Self::kept(&self.store.view(), &AccessKey::Policy(name))?;
        Ok(self.shown_policy(&record))
    }

    /// Policies of either place, and those that principals have for their own though they are in none.
    pub(super) fn list_policies(&self, send: &mut dyn FnMut(&Response) -> io::Result<()>) -> io::Result<()> {
        let view = self.store.view();
        let mut policies = BTreeMap::new();
        for (name, principals) in view.governed() {
            if let Ok(nothing) = Policy::new(PolicyParts::new(name.clone())) {
                let info = PolicyInfo {
                    source: Source::Nowhere,
                    ..policy_info(&nothing, None, principals)
                };
                policies.insert(name.clone(), info);
            }
        }
        for record in view.access().iter() {
            if let Declared::Policy(policy) = &record.declared {
                let principals = holders(&view, policy.name());
                policies.insert(policy.name().clone(), policy_info(policy, Some(record), principals));
            }
        }
        for policy in self.settings.access.policies() {
            let principals = holders(&view, policy.name());
            policies.insert(policy.name().clone(), policy_info(policy, None, principals));
        }
        let policies: Vec<_> = policies.into_values().collect();
        policies
            .chunks(POLICIES_AT_ONCE)
            .try_for_each(|some| send(&Response::Policies(some.to_vec())))
    }

    fn is_databases(&self, name: &PolicyName) -> Result<(), Refused> {
        match self.settings.access.policy(name.as_str()) {
            None => Ok(()),
            Some(_) => Err(file_only(
                &AccessKey::Policy(name.clone()),
                &format!("[policies.{name}]"),
            )),
        }
    }

    fn shown_policy(&self, record: &AccessRecord) -> Response {
        match &record.declared {
            Declared::Policy(policy) => {
                let principals = holders(&self.store.view(), policy.name());
                Response::Policy(Box::new(policy_info(policy, Some(record), principals)))
            }
            _ => Response::Done,
        }
    }

    /// A policy with these parts set.
    fn changed(&self, mut parts: PolicyParts, changes: &PolicyChanges) -> Result<Policy, Refused> {
        let policy = &mut parts.body;
        // Without `..`, so that a new part is not forgotten here.
        let PolicyChanges {
            min_length,
            min_classes,
            min_strength,
            dictionary,
            history,
            min_age,
            max_age,
            max_failures,
            failure_window,
            lockout,
            enctypes,
            max_life,
            max_renew,
        } = changes;
        set(&mut policy.min_length, *min_length);
        set(&mut policy.min_classes, *min_classes);
        set(&mut policy.min_strength, *min_strength);
        set(&mut policy.history, *history);
        set::<Span>(&mut policy.min_age, *min_age);
        set::<Span>(&mut policy.max_age, *max_age);
        set(&mut policy.max_failures, *max_failures);
        set::<Span>(&mut policy.failure_window, *failure_window);
        set::<Span>(&mut policy.lockout, *lockout);
        set::<Span>(&mut policy.max_life, *max_life);
        set::<Span>(&mut policy.max_renew, *max_renew);
        if let Some(dictionary) = dictionary {
            policy.dictionary = (*dictionary).into();
        }
        match enctypes.as_deref() {
            None => {}
            Some([]) => policy.enctypes = Vec::new(),
            Some(names) => policy.enctypes = named_enctypes(names)?,
        }
        self.checked_policy(parts)
    }

    /// A policy of these parts, if this realm can have it.
    pub(super) fn checked_policy(&self, parts: PolicyParts) -> Result<Policy, Refused> {
        if parts.body.dictionary && self.settings.dictionary.is_empty() {
            return Err(Refused::invalid(
                "dictionary: the realm has no words; name a file of them in realm.toml, [passwords] dictionary",
            ));
        }
        Policy::new(parts).map_err(|why| Refused::invalid(format!("{}: {why}", why.key())))
    }
}

fn set<T: Copy>(part: &mut Option<T>, change: Option<OrNone<T>>) {
    if let Some(change) = change {
        *part = change.value();
    }
}

fn holders(view: &View, policy: &PolicyName) -> usize {
    let mut governed = view.governed();
    governed.find(|(name, _)| *name == policy).map_or(0, |(_, count)| count)
}

pub(super) fn policy_name(text: &str) -> Result<PolicyName, Refused> {
    text.parse()
        .map_err(|why| Refused::invalid(format!("{text:?} cannot be a policy's name: {why}")))
}

fn policy_info(policy: &Policy, record: Option<&AccessRecord>, principals: usize) -> PolicyInfo {
    let PolicyBody {
        min_length,
        min_classes,
        min_strength,
        dictionary,
        history: remembered,
        min_age,
        max_age,
        max_failures,
        failure_window: _,
        lockout,
        enctypes,
        max_life,
        max_renew,
    } = policy.body();
    PolicyInfo {
        name: policy.name().to_string(),
        source: match record {
            None => Source::RealmToml,
            Some(_) => Source::Database,
        },
        principals,
        min_length: *min_length,
        min_classes: *min_classes,
        min_strength: *min_strength,
        dictionary: *dictionary,
        history: *remembered,
        min_age: *min_age,
        max_age: *max_age,
        max_failures: *max_failures,
        failure_window: policy.failure_limit().map(|limit| Span(limit.window)),
        lockout: *lockout,
        enctypes: enctypes.iter().map(|etype: &EncType| etype.name().to_owned()).collect(),
        max_life: *max_life,
        max_renew: *max_renew,
        record: record.map(history),
    }
}
