//! The steps from one version of a principal's keys to the next.

use tessera_common::admin::{KeyUse, Reason, Response};

use super::attributes::key_info;
use super::execute::{Executor, Refused};
use crate::realm::keys::{self, FreshKeys, Unrotated};
use crate::realm::principal::PrincipalRecord;

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
}
