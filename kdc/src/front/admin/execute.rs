//! What an administrator asks for, done to the store.

use core::net::{IpAddr, Ipv4Addr};
use std::io;
use std::sync::Arc;

use tessera_common::Random;
use tessera_common::admin::{
    Deadline, MAX_BATCH, NewKeys, NewPrincipal, Password, PrincipalInfo, Reason, Request, Response, RoleChanges,
    Settings,
};
use tessera_common::name::{Name, Principal};
use tessera_common::role::RoleName;

use super::attributes::{apply, info};
use super::explain::{About, explanation};
use super::keys::Wanted;
use super::rights::Permits;
use crate::front::workers::Workers;
use crate::kerberos;
use crate::realm::administration::Target;
use crate::realm::founding;
use crate::realm::glob::Glob;
use crate::realm::keys::{self, Former, FreshKeys};
use crate::realm::lockout::Lockout;
use crate::realm::passwords::PasswordRefused;
use crate::realm::principal::{Attributes, PrincipalId, PrincipalRecord};
use crate::realm::settings::RealmSettings;
use crate::store::{Author, Change, Store, StoreError, View};

/// How often a change is tried anew that somebody else's change came before.
pub(super) const TRIES: usize = 16;

/// What principals in one frame may weigh, so that they fit even with the longest names: their keys and aliases weigh 1
/// each, and they themselves this.
const BATCH_WEIGHT: usize = 1500;
const OWN_WEIGHT: usize = 2;

/// Carries out one administrator's requests.
pub(super) struct Executor<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) settings: Arc<RealmSettings>,
    pub(super) workers: &'a Workers,
    pub(super) lockout: &'a Lockout,
    pub(super) author: Author,
    pub(super) permits: Permits,
    pub(super) random: &'a mut dyn Random,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: Reason,
    /// A name for the log that says more than the reason does, where there is one.
    pub(super) detail: Option<&'static str>,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            detail: None,
            message: message.into(),
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Reason::Invalid, message)
    }
}

impl From<PasswordRefused> for Refused {
    fn from(why: PasswordRefused) -> Self {
        Self {
            detail: Some(why.name()),
            ..Self::invalid(why.to_string())
        }
    }
}

impl From<Refused> for Response {
    fn from(refused: Refused) -> Self {
        Self::Refused {
            reason: refused.reason,
            message: refused.message,
        }
    }
}

impl Executor<'_> {
    /// Does what is asked. Every response goes to `send`, the last one as well; an error is `send`'s.
    pub(super) fn run(
        &mut self,
        request: Request,
        send: &mut dyn FnMut(&Response) -> io::Result<()>,
    ) -> io::Result<Result<(), Refused>> {
        if let Err(refused) = self.admit() {
            return send(&refused.clone().into()).map(|()| Err(refused));
        }
        let done = match request {
            Request::List { glob, role } => {
                self.list(glob.as_deref(), role.as_ref(), send)?;
                Ok(Response::Done)
            }
            Request::ListRoles => {
                self.list_roles(send)?;
                Ok(Response::Done)
            }
            Request::ListRules => {
                self.list_rules(send)?;
                Ok(Response::Done)
            }
            Request::Apply {
                declaration,
                rest,
                mode,
            } => self.apply(&declaration, rest, mode, send)?,
            Request::Export => {
                self.export(send)?;
                Ok(Response::Done)
            }
            Request::Add(new) => self.add(&new),
            Request::Show { name } => self.show(&name),
            Request::Explain {
                name,
                service,
                from,
                at,
            } => self.explain(&name, service.as_deref(), from, at),
            Request::ExplainAct { name, act, on } => self.explain_act(&name, act, on.as_deref()),
            Request::Set {
                name,
                settings,
                roles,
                revision,
            } => self.set(&name, &settings, &roles, revision),
            Request::Password {
                name,
                password,
                enctypes,
            } => self.password(&name, &password, enctypes.as_deref()),
            Request::Rotate { name, how, enctypes } => self.rotate(&name, how, enctypes.as_deref()),
            Request::Lock { name } => self.lock(&name),
            Request::Unlock { name } => self.unlock(&name),
            Request::Rename { name, to } => self.rename(&name, &to),
            Request::Alias { name, alias } => self.alias(&name, &alias),
            Request::Unalias { name, alias } => self.unalias(&name, &alias),
            Request::Remove { name } => self.remove(&name),
            Request::Keytab { names, rotate } => self.keytab(&names, rotate),
            Request::Import { principals } => self.import(&principals),
            Request::AddRole { name, rights } => self.add_role(name, &rights),
            Request::SetRole { name, rights } => self.set_role(name, &rights),
            Request::RemoveRole { name } => self.remove_role(name),
            Request::AddRule { name, parts } => self.add_rule(&name, &parts),
            Request::SetRule { name, parts, revision } => self.set_rule(&name, &parts, revision),
            Request::RemoveRule { name } => self.remove_rule(&name),
            Request::ShowRule { name } => self.show_rule(&name),
            Request::ListPolicies => {
                self.list_policies(send)?;
                Ok(Response::Done)
            }
            Request::AddPolicy { name, parts } => self.add_policy(&name, &parts),
            Request::SetPolicy { name, parts, revision } => self.set_policy(&name, &parts, revision),
            Request::RemovePolicy { name } => self.remove_policy(&name),
            Request::ShowPolicy { name } => self.show_policy(&name),
            _ => Err(Refused::invalid("this daemon does not know that request")),
        };
        match done {
            Ok(response) => send(&response).map(Ok),
            Err(refused) => send(&refused.clone().into()).map(|()| Err(refused)),
        }
    }

    fn add(&mut self, new: &NewPrincipal) -> Result<Response, Refused> {
        let name = self.name(&new.name)?;
        let view = self.store.view();
        self.is_free(&view, &name)?;
        let fresh = match &new.keys {
            NewKeys::Password(password) => Some(self.keys_from(&Wanted {
                view: &view,
                name: &name,
                held: None,
                policy: self.named_policy(&view, new.settings.policy.as_ref())?,
                password,
                enctypes: new.enctypes.as_deref(),
            })?),
            _ => None,
        };
        let record = self.make(&view, name, new, fresh)?;
        let id = record.id;
        self.commit(vec![Change::Put {
            expected: None,
            record: Box::new(record),
        }])?;
        self.shown(id)
    }

    fn list(
        &self,
        pattern: Option<&str>,
        role: Option<&RoleName>,
        send: &mut dyn FnMut(&Response) -> io::Result<()>,
    ) -> io::Result<()> {
        let realm = &self.settings.name;
        let with_realm = pattern.is_some_and(|pattern| pattern.replace("\\@", "").contains('@'));
        let glob = pattern.map(Glob::any);
        let wanted = |record: &PrincipalRecord| {
            role.is_none_or(|role| record.roles.contains(role))
                && glob.as_ref().is_none_or(|glob| {
                    [&record.name].into_iter().chain(&record.aliases).any(|name| {
                        if with_realm {
                            glob.matches(&Principal::new(name.clone(), realm.clone()).to_string())
                        } else {
                            glob.matches_chars(name.chars())
                        }
                    })
                })
        };
        let view = self.store.view();
        let sorted = view.sorted();
        let mut batch = Vec::new();
        let mut weight = 0;
        for record in sorted.filter(wanted).filter(|record| self.sees(&view, record)) {
            batch.push(self.info(&view, &record));
            weight += OWN_WEIGHT + record.keys.len() + record.staged.len() + record.aliases.len() + record.roles.len();
            if batch.len() == MAX_BATCH || weight >= BATCH_WEIGHT {
                send(&Response::Listed(core::mem::take(&mut batch)))?;
                weight = 0;
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        send(&Response::Listed(batch))
    }

    fn show(&self, name: &str) -> Result<Response, Refused> {
        let view = self.store.view();
        let record = self.find(&view, name)?;
        Ok(Response::Principal(Box::new(self.info(&view, &record))))
    }

    fn explain(
        &self,
        name: &str,
        service: Option<&str>,
        from: Option<IpAddr>,
        at: Option<Deadline>,
    ) -> Result<Response, Refused> {
        let at = at.unwrap_or(Deadline::At(self.author.when));
        let at = at
            .resolve(self.author.when)
            .ok_or_else(|| Refused::invalid("nobody asks for a ticket at no time; name a time"))?;
        let from = from.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let view = self.store.view();
        let client = self.find(&view, name)?;
        let service = match service {
            Some(service) => self.find(&view, service)?,
            // What is asked for is what becomes of the client, whoever may look at the ticket-granting service.
            None => self.known(&view, &Name::krbtgt(&self.settings.name))?,
        };
        let policy = self.policy(&view);
        let explained = kerberos::explain(policy, &client, &service, self.lockout, (from, at));
        let about = About {
            client: self.full(&client.name),
            service: self.full(&service.name),
            from,
            at,
            roles: policy.declared(&client.roles).map(ToString::to_string).collect(),
            default_access: self.settings.default_access,
        };
        Ok(Response::Explained(Box::new(explanation(about, explained))))
    }

    fn set(
        &mut self,
        name: &str,
        settings: &Settings,
        roles: &RoleChanges,
        revision: Option<u64>,
    ) -> Result<Response, Refused> {
        if *settings == Settings::default() && roles.is_empty() {
            return Err(Refused::invalid("nothing to set"));
        }
        self.change(name, |this, view, record| {
            if revision.is_some_and(|revision| revision != record.revision) {
                return Err(this.outdated(record, revision, settings, roles));
            }
            this.change_roles(view, record, roles)?;
            this.change_policy(view, record, settings.policy.as_ref())?;
            apply(settings, record, this.author.when);
            Ok(())
        })
    }

    fn password(&mut self, name: &str, password: &Password, enctypes: Option<&[String]>) -> Result<Response, Refused> {
        let view = self.store.view();
        let record = self.find(&view, name)?;
        if founding::is_built_in(&record.name, &self.settings.name) {
            return Err(Refused::new(
                Reason::Protected,
                format!(
                    "{} has random keys, which no password is as good as; `principal rotate {}` makes new ones",
                    self.full(&record.name),
                    record.name
                ),
            ));
        }
        let fresh = self.keys_from(&Wanted {
            view: &view,
            name: &record.name,
            held: Some(&record),
            policy: record.policy.clone(),
            password,
            enctypes,
        })?;
        let checked = (record.kvno(), record.policy.clone());
        self.change(name, |this, view, record| {
            // The password was measured beside those that the principal had.
            if checked != (record.kvno(), record.policy.clone()) {
                return Err(overtaken(name));
            }
            this.remember_password(view, record)?;
            let former = Former::due(record, false, &this.settings, this.author.when);
            keys::replace(view, record, &fresh, former, this.author.when, this.random);
            Ok(())
        })
    }

    fn lock(&mut self, name: &str) -> Result<Response, Refused> {
        self.change(name, |_, _, record| {
            record.attributes = record.attributes.set(Attributes::LOCKED, true);
            Ok(())
        })
    }

    fn unlock(&mut self, name: &str) -> Result<Response, Refused> {
        self.change(name, |this, _, record| {
            // The count first: what is about to write the record because of it looks at the count before.
            this.lockout.forget(record.id);
            record.attributes = record.attributes.set(Attributes::LOCKED, false);
            record.shut_out = None;
            Ok(())
        })
    }

    fn rename(&mut self, name: &str, to: &str) -> Result<Response, Refused> {
        let to = self.name(to)?;
        self.change(name, |this, view, record| {
            this.is_not_built_in(record, "renamed")?;
            if record.name != to {
                // It may take one of its own aliases for its name.
                if !record.aliases.contains(&to) {
                    this.is_free(view, &to)?;
                }
                record.aliases.retain(|alias| *alias != to);
                record.name = to.clone();
            }
            Ok(())
        })
    }

    fn alias(&mut self, name: &str, alias: &str) -> Result<Response, Refused> {
        let alias = self.name(alias)?;
        self.change(name, |this, view, record| {
            this.is_free(view, &alias)?;
            record.aliases.push(alias.clone());
            Ok(())
        })
    }

    fn unalias(&mut self, name: &str, alias: &str) -> Result<Response, Refused> {
        let alias = self.name(alias)?;
        self.change(name, |this, _, record| {
            let before = record.aliases.len();
            record.aliases.retain(|other| *other != alias);
            if record.aliases.len() == before {
                let (full, alias) = (this.full(&record.name), this.full(&alias));
                return Err(Refused::new(Reason::NotFound, format!("{full} has no alias {alias}")));
            }
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> Result<Response, Refused> {
        for _ in 0..TRIES {
            let record = self.find(&self.store.view(), name)?;
            self.is_not_built_in(&record, "removed")?;
            let change = Change::Remove {
                id: record.id,
                expected: record.revision,
            };
            match self.store.commit(&self.author, vec![change]) {
                Ok(_) => return Ok(Response::Done),
                Err(StoreError::Conflict { .. } | StoreError::NotFound) => {}
                Err(error) => return Err(self.refusal(&error)),
            }
        }
        Err(overtaken(name))
    }

    fn import(&mut self, principals: &[NewPrincipal]) -> Result<Response, Refused> {
        if principals.len() > MAX_BATCH {
            return Err(Refused::invalid(format!("at most {MAX_BATCH} principals at a time")));
        }
        super::import::run(self, principals)
    }

    /// A new principal's record; `fresh` are the keys from its password.
    pub(super) fn make(
        &mut self,
        view: &View,
        name: Name,
        new: &NewPrincipal,
        fresh: Option<FreshKeys>,
    ) -> Result<PrincipalRecord, Refused> {
        let now = self.author.when;
        let mut record = founding::blank(name, &self.author, self.random);
        self.change_policy(view, &mut record, new.settings.policy.as_ref())?;
        match (&new.keys, fresh) {
            (NewKeys::Password(_), Some(fresh)) => {
                keys::replace(view, &mut record, &fresh, Former::Dropped, now, self.random);
                // Whoever can ask for a ticket to a password's key can guess at the password in peace.
                if record.name.len() == 1 {
                    record.attributes = Attributes::NOT_A_SERVICE;
                }
            }
            (NewKeys::Given(given), _) => {
                if new.enctypes.is_some() {
                    return Err(Refused::invalid("enctypes cannot be chosen for keys that are given"));
                }
                record.keys = self.seal_given(view, &record, given)?;
                record.keys_changed = Some(now);
            }
            _ => {
                let enctypes = self.enctypes(view, new.enctypes.as_deref(), record.policy.as_ref())?;
                let fresh = FreshKeys::at_random(&enctypes, self.random);
                keys::replace(view, &mut record, &fresh, Former::Dropped, now, self.random);
            }
        }
        apply(&new.settings, &mut record, now);
        record.roles = self.declared_roles(view, &new.roles)?;
        let added = Target::Edit {
            before: None,
            after: &record,
        };
        self.may(view, added)?;
        Ok(record)
    }

    pub(super) fn info(&self, view: &View, record: &PrincipalRecord) -> PrincipalInfo {
        let now = self.author.when;
        let shut_out = record.shut_out.filter(|shut_out| shut_out.is_in_force(now));
        let shut_out = shut_out.or_else(|| self.lockout.shut_out(record.id, now));
        info(record, self.policy(view), shut_out)
    }

    /// Looks the principal up, changes it, and commits; from the start when somebody else was faster.
    pub(super) fn change(
        &mut self,
        name: &str,
        mut edit: impl FnMut(&mut Self, &View, &mut PrincipalRecord) -> Result<(), Refused>,
    ) -> Result<Response, Refused> {
        for _ in 0..TRIES {
            let view = self.store.view();
            let found = self.find(&view, name)?;
            let mut record = PrincipalRecord::clone(&found);
            edit(self, &view, &mut record)?;
            let edited = Target::Edit {
                before: Some(&found),
                after: &record,
            };
            self.may(&view, edited)?;
            let id = record.id;
            let change = self.put(&found, record);
            match self.store.commit(&self.author, vec![change]) {
                Ok(_) => return self.shown(id),
                Err(StoreError::Conflict { .. } | StoreError::NotFound) => {}
                Err(error) => return Err(self.refusal(&error)),
            }
        }
        Err(overtaken(name))
    }

    pub(super) fn put(&self, found: &PrincipalRecord, mut record: PrincipalRecord) -> Change {
        record.changed = self.author.when;
        record.changed_by.clone_from(&self.author.who);
        Change::Put {
            expected: Some(found.revision),
            record: Box::new(record),
        }
    }

    pub(super) fn commit(&self, changes: Vec<Change>) -> Result<u64, Refused> {
        self.store
            .commit(&self.author, changes)
            .map_err(|error| self.refusal(&error))
    }

    fn shown(&self, id: PrincipalId) -> Result<Response, Refused> {
        let view = self.store.view();
        match view.get(id) {
            Some(record) => Ok(Response::Principal(Box::new(self.info(&view, record)))),
            // Done, and undone again by somebody else.
            None => Ok(Response::Done),
        }
    }

    /// The principal of a name that was typed, if what is asked for may be done to it.
    pub(super) fn find(&self, view: &View, name: &str) -> Result<Arc<PrincipalRecord>, Refused> {
        let name = self.name(name)?;
        self.may_by_name(view, &name, view.find(&name))?;
        self.known(view, &name)
    }

    fn known(&self, view: &View, name: &Name) -> Result<Arc<PrincipalRecord>, Refused> {
        view.find(name).map(Arc::clone).ok_or_else(|| {
            Refused::new(
                Reason::NotFound,
                format!(
                    "there is no principal {}; `principal list` shows those that there are",
                    self.full(name)
                ),
            )
        })
    }

    /// A name of this realm, as it was typed.
    pub(super) fn name(&self, text: &str) -> Result<Name, Refused> {
        let principal = Principal::parse(text, Some(&self.settings.name))
            .map_err(|why| Refused::invalid(format!("{text:?} is no principal's name: {why}")))?;
        if principal.realm != self.settings.name {
            return Err(Refused::invalid(format!(
                "{text} belongs to the realm {}; this is {}",
                principal.realm, self.settings.name
            )));
        }
        Ok(principal.name)
    }

    /// Refuses a name that somebody has, and one that the administrator may give to nobody.
    pub(super) fn is_free(&self, view: &View, name: &Name) -> Result<(), Refused> {
        self.may(view, Target::Name(name))?;
        match view.find(name) {
            None => Ok(()),
            Some(holder) => Err(self.taken(view, name, &holder.name)),
        }
    }

    pub(super) fn taken(&self, view: &View, name: &Name, holder: &Name) -> Refused {
        let full = self.full(name);
        let message = if name == holder {
            format!("{full} exists already")
        } else if view.find(holder).is_some_and(|holder| self.sees(view, holder)) {
            format!("{full} is already an alias of {}", self.full(holder))
        } else {
            format!("{full} is an alias already")
        };
        Refused::new(Reason::Taken, message)
    }

    fn is_not_built_in(&self, record: &PrincipalRecord, what: &str) -> Result<(), Refused> {
        if founding::is_built_in(&record.name, &self.settings.name) {
            let message = format!("{} cannot be {what}: the realm needs it", self.full(&record.name));
            return Err(Refused::new(Reason::Protected, message));
        }
        Ok(())
    }

    /// With the realm.
    pub(super) fn full(&self, name: &Name) -> String {
        Principal::new(name.clone(), self.settings.name.clone()).to_string()
    }

    pub(super) fn refusal(&self, error: &StoreError) -> Refused {
        match error {
            StoreError::Conflict { .. } => Refused::new(Reason::Conflict, error.to_string()),
            StoreError::NameTaken { name, holder } => self.taken(&self.store.view(), name, holder),
            StoreError::NotFound => Refused::new(Reason::NotFound, error.to_string()),
            StoreError::AccessConflict { .. } => Refused::new(Reason::Conflict, error.to_string()),
            StoreError::RoleInUse { .. } | StoreError::PolicyInUse { .. } => {
                Refused::new(Reason::Protected, error.to_string())
            }
            StoreError::TooLarge { .. } => Refused::invalid(error.to_string()),
            _ => Refused::new(Reason::Unavailable, error.to_string()),
        }
    }
}

/// Enctypes by their names: some, and none twice.
pub(super) fn overtaken(name: &str) -> Refused {
    Refused::new(
        Reason::Conflict,
        format!("{name} is being changed by somebody else all the time; nothing was changed, try again"),
    )
}

pub(super) fn unmade() -> Refused {
    Refused::new(Reason::Unavailable, "the daemon is stopping; nothing was changed")
}
