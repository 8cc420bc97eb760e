//! Principals' keys: made from passwords, at random or elsewhere, handed out, and the steps from one version to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use tessera_common::admin::{GivenKey, HexOctets, KeyUse, KeytabKey, MAX_BATCH, Password, Reason, Response, Rotation};
use tessera_common::crypto::{EncType, Key};
use tessera_common::name::Name;

use super::attributes::key_info;
use super::execute::{Executor, Refused, TRIES, overtaken, unmade};
use crate::realm::access::AccessPolicy;
use crate::realm::keys::{self, Former, FreshKeys, Unrotated};
use crate::realm::passwords;
use crate::realm::policy::{Policy, PolicyName};
use crate::realm::principal::{PrincipalRecord, StoredKey};
use crate::store::{StoreError, View};

/// A password that an administrator wants a principal to have.
pub(super) struct Wanted<'w> {
    pub(super) view: &'w View,
    pub(super) name: &'w Name,
    /// Its record; `None`, it is to be made.
    pub(super) held: Option<&'w Arc<PrincipalRecord>>,
    /// Its own policy.
    pub(super) policy: Option<PolicyName>,
    pub(super) password: &'w Password,
    /// What to make keys for; `None`, what its policy or the realm says.
    pub(super) enctypes: Option<&'w [String]>,
}

impl Executor<'_> {
    /// New keys that no ticket is sealed with yet.
    pub(super) fn stage(&mut self, name: &str, enctypes: Option<&[String]>) -> Result<Response, Refused> {
        self.change(name, |this, view, record| {
            let enctypes = this.enctypes(view, enctypes, record.policy.as_ref())?;
            let fresh = FreshKeys::at_random(&enctypes, this.random);
            keys::stage(view, record, &fresh, &this.settings, this.author.when, this.random)
                .map_err(|why| this.unrotated(record, why))
        })
    }

    /// Tickets are sealed with the staged keys.
    pub(super) fn activate(&mut self, name: &str) -> Result<Response, Refused> {
        self.change(name, |this, _, record| {
            keys::activate(record, &this.settings, this.author.when).map_err(|why| this.unrotated(record, why))
        })
    }

    /// No more former keys, and which there were.
    pub(super) fn purge(&mut self, name: &str) -> Result<Response, Refused> {
        let view = self.store.view();
        let found = self.find(&view, name)?;
        if keys::former(&found).next().is_none() {
            return Ok(Response::Purged {
                principal: Box::new(self.info(&view, &found)),
                gone: Vec::new(),
            });
        }
        let mut gone = Vec::new();
        let done = self.change(name, |this, _, record| {
            gone = keys::purge(record, &this.settings, this.author.when).map_err(|why| this.unrotated(record, why))?;
            Ok(())
        })?;
        Ok(match done {
            Response::Principal(principal) => Response::Purged {
                principal,
                gone: gone.iter().map(|key| key_info(key, KeyUse::Former)).collect(),
            },
            other => other,
        })
    }

    /// Refuses new keys to a principal that has staged ones.
    pub(super) fn nothing_staged(&self, record: &PrincipalRecord) -> Result<(), Refused> {
        keys::check_nothing_staged(record).map_err(|why| self.unrotated(record, why))
    }

    fn unrotated(&self, record: &PrincipalRecord, why: Unrotated) -> Refused {
        let (full, name) = (self.full(&record.name), &record.name);
        match why {
            Unrotated::Staged(kvno) => Refused::invalid(format!(
                "{full} has staged keys, kvno {kvno}; `principal rotate {name} --activate` puts them in force, and only then \
                 others can be made"
            )),
            Unrotated::NothingStaged => Refused::invalid(format!(
                "{full} has no staged keys; `principal rotate {name} --stage` makes some"
            )),
            Unrotated::Password => Refused::invalid(format!(
                "{full} has a password, or keys that were made elsewhere, and no random keys to stage others beside; \
                 `principal password {name}` or `principal rotate {name}` replaces them at once"
            )),
            Unrotated::OwnTicketGrantingService => Refused::invalid(format!(
                "{full} has its keys from nobody's keytab; `principal rotate {name}` makes new ones at once, and tickets \
                 under the former stay good"
            )),
            Unrotated::NeededUntil(until) => Refused::new(
                Reason::Protected,
                format!(
                    "tickets may need the former keys of {full} until {until}, and without them everybody would have to log \
                     in anew; they go by themselves then"
                ),
            ),
        }
    }

    pub(super) fn rotate(
        &mut self,
        name: &str,
        how: Rotation,
        enctypes: Option<&[String]>,
    ) -> Result<Response, Refused> {
        let keep = match how {
            Rotation::Replace => false,
            Rotation::Keep => true,
            Rotation::Stage => return self.stage(name, enctypes),
            Rotation::Activate if enctypes.is_none() => return self.activate(name),
            Rotation::Purge if enctypes.is_none() => return self.purge(name),
            _ => return Err(Refused::invalid("enctypes are chosen for keys that are made")),
        };
        self.change(name, |this, view, record| {
            this.nothing_staged(record)?;
            this.rotate_record(view, record, keep, enctypes)
        })
    }

    fn rotate_record(
        &mut self,
        view: &View,
        record: &mut PrincipalRecord,
        keep: bool,
        enctypes: Option<&[String]>,
    ) -> Result<(), Refused> {
        let enctypes = self.enctypes(view, enctypes, record.policy.as_ref())?;
        self.remember_password(view, record)?;
        let fresh = FreshKeys::at_random(&enctypes, self.random);
        let former = Former::due(record, keep, &self.settings, self.author.when);
        keys::replace(view, record, &fresh, former, self.author.when, self.random);
        Ok(())
    }

    pub(super) fn remember_password(&mut self, view: &View, record: &mut PrincipalRecord) -> Result<(), Refused> {
        let settings = Arc::clone(&self.settings);
        let database = view.access().declared();
        let going_by = AccessPolicy {
            settings: &settings,
            database,
        };
        let policy = going_by.policy_for_password(record.policy.as_ref());
        passwords::remember(view, policy, record, self.random).map_err(|error| self.refusal(&error))
    }

    pub(super) fn keytab(&mut self, names: &[String], rotate: bool) -> Result<Response, Refused> {
        if names.len() > MAX_BATCH {
            return Err(Refused::invalid(format!(
                "the keys of at most {MAX_BATCH} principals at a time"
            )));
        }
        if rotate {
            self.rotate_all(names)?;
        }
        let view = self.store.view();
        let mut keys = Vec::new();
        for asked in names {
            // Under the name that was asked for: a service that is known by an alias looks for that in its keytab.
            let principal = self.full(&self.name(asked)?);
            let record = self.find(&view, asked)?;
            let before = keys.len();
            // Of former ones a service knows what it has to: whoever has only been let in since is to open nothing older.
            let staged = record.staged.iter().map(|stored| (stored, true));
            for (stored, staged) in record.current_keys().map(|stored| (stored, false)).chain(staged) {
                let key = view.key(&record, stored).map_err(|error| self.refusal(&error))?;
                keys.push(KeytabKey {
                    principal: principal.clone(),
                    key: GivenKey {
                        enctype: stored.etype.name().to_owned(),
                        kvno: stored.kvno,
                        key: HexOctets::new(key.octets().to_vec()),
                        salt: None,
                    },
                    staged,
                });
            }
            if keys.len() == before {
                return Err(Refused::invalid(format!(
                    "{principal} has no keys; `principal rotate {asked}` makes some"
                )));
            }
        }
        Ok(Response::Keys(keys))
    }

    // All or none; each principal once, even if it is named twice.
    fn rotate_all(&mut self, names: &[String]) -> Result<(), Refused> {
        for _ in 0..TRIES {
            let view = self.store.view();
            let mut changes = BTreeMap::new();
            for name in names {
                let found = self.find(&view, name)?;
                let mut record = PrincipalRecord::clone(&found);
                self.nothing_staged(&record)?;
                self.rotate_record(&view, &mut record, false, None)?;
                changes.entry(record.id).or_insert_with(|| self.put(&found, record));
            }
            match self.store.commit(&self.author, changes.into_values().collect()) {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. } | StoreError::NotFound) => {}
                Err(error) => return Err(self.refusal(&error)),
            }
        }
        Err(overtaken(&names.join(", ")))
    }

    pub(super) fn seal_given(
        &mut self,
        view: &View,
        record: &PrincipalRecord,
        given: &[GivenKey],
    ) -> Result<Vec<StoredKey>, Refused> {
        let id = record.id;
        let own_salt = record.name.default_salt(&self.settings.name);
        let mut sealed: Vec<StoredKey> = Vec::with_capacity(given.len());
        for key in given {
            let etype = enctype(&key.enctype)?;
            if key.kvno == 0 {
                return Err(Refused::invalid("a key's kvno is 1 or more"));
            }
            if sealed
                .iter()
                .any(|other| other.kvno == key.kvno && other.etype == etype)
            {
                return Err(Refused::invalid(format!("two keys of {etype} with kvno {}", key.kvno)));
            }
            let opened = Key::new(etype, key.key.as_slice()).map_err(|_| {
                let (wanted, found) = (etype.key_len(), key.key.as_slice().len());
                Refused::invalid(format!("a key of {etype} has {wanted} octets, not {found}"))
            })?;
            sealed.push(StoredKey {
                kvno: key.kvno,
                etype,
                // Written out although it is the name's own: the name may change.
                salt: Some(
                    key.salt
                        .as_ref()
                        .map_or_else(|| own_salt.clone(), |salt| salt.clone().into_bytes()),
                ),
                made: Some(self.author.when),
                retired: None,
                sealed: view.seal(id, key.kvno, &opened, self.random),
            });
        }
        if sealed.is_empty() {
            return Err(Refused::invalid("the list of keys is empty"));
        }
        // Newest first; within a version as they were given.
        sealed.sort_by_key(|key| core::cmp::Reverse(key.kvno));
        Ok(sealed)
    }

    // Made on the pool: a connection's own thread would be one more than the machine has cores for.
    pub(super) fn keys_from(&self, wanted: &Wanted<'_>) -> Result<FreshKeys, Refused> {
        let made = self.workers.run_all([self.making_keys(wanted)?]);
        made.into_iter().flatten().next().unwrap_or_else(|| Err(unmade()))
    }

    /// The work of measuring a password and making keys from it, for the pool.
    pub(super) fn making_keys(
        &self,
        wanted: &Wanted<'_>,
    ) -> Result<impl FnOnce() -> Result<FreshKeys, Refused> + Send + use<>, Refused> {
        if wanted.password.as_str().is_empty() {
            return Err(Refused::invalid("the password is empty"));
        }
        let going_by = self.policy(wanted.view);
        let policy = going_by.policy_for_password(wanted.policy.as_ref()).cloned();
        let enctypes = match wanted.enctypes {
            Some(asked) => named_enctypes(asked)?,
            None => Policy::enctypes(policy.as_ref(), &self.settings.enctypes).to_vec(),
        };
        let settings = Arc::clone(&self.settings);
        // The view that the record's keys open in.
        let view = self.store.view();
        let (name, held) = (wanted.name.clone(), wanted.held.cloned());
        let password = wanted.password.clone();
        Ok(move || {
            let octets = password.as_str().as_bytes();
            passwords::check(&view, &settings, policy.as_ref(), (&name, held.as_deref()), octets)?;
            let salt = name.default_salt(&settings.name);
            FreshKeys::from_password(&enctypes, octets, &salt).map_err(|why| Refused::invalid(why.to_string()))
        })
    }

    /// The enctypes that are asked for; or else those of the principal's own policy, or the realm's.
    pub(super) fn enctypes(
        &self,
        view: &View,
        asked: Option<&[String]>,
        own: Option<&PolicyName>,
    ) -> Result<Vec<EncType>, Refused> {
        let policy = own.and_then(|name| self.policy(view).policy(name.as_str()));
        match asked {
            Some(asked) => named_enctypes(asked),
            None => Ok(Policy::enctypes(policy, &self.settings.enctypes).to_vec()),
        }
    }
}

pub(super) fn named_enctypes(asked: &[String]) -> Result<Vec<EncType>, Refused> {
    let mut enctypes = Vec::with_capacity(asked.len());
    for name in asked {
        let etype = enctype(name)?;
        if enctypes.contains(&etype) {
            return Err(Refused::invalid(format!("enctype {etype} is named twice")));
        }
        enctypes.push(etype);
    }
    if enctypes.is_empty() {
        return Err(Refused::invalid("the list of enctypes is empty"));
    }
    Ok(enctypes)
}

fn enctype(name: &str) -> Result<EncType, Refused> {
    EncType::from_name(name).ok_or_else(|| {
        let known = EncType::ALL.map(EncType::name).join(", ");
        Refused::invalid(format!("{name:?} is no enctype of this realm; it has {known}"))
    })
}
