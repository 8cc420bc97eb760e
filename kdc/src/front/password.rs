//! Password changes (RFC 3244), over UDP and TCP.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tessera_common::crypto::EncType;

use super::workers::Workers;
use crate::accounting::Accounting;
use crate::clock;
use crate::kerberos::{Kdc, Outcome, PasswordChange, PasswordStep, Request};
use crate::net::{Answer, Deferred, Origin, Service};
use crate::random::ThreadRandom;
use crate::realm::access::AccessPolicy;
use crate::realm::keys::{self, Former, FreshKeys};
use crate::realm::passwords::{self, PasswordRefused};
use crate::realm::policy::Policy;
use crate::realm::principal::PrincipalRecord;
use crate::store::{Change, Store, StoreError};

/// How often a change is tried anew that somebody else's change came before.
const TRIES: usize = 16;

/// Answers them from a store. The new keys are made on a pool.
pub struct PasswordFront {
    /// Replaced when the realm's settings change.
    kdc: Arc<ArcSwap<Kdc>>,
    store: Arc<dyn Store>,
    workers: Arc<Workers>,
    accounting: Accounting,
}

impl PasswordFront {
    /// A front of this KDC.
    #[must_use]
    pub fn new(kdc: Arc<ArcSwap<Kdc>>, store: Arc<dyn Store>, workers: Arc<Workers>, accounting: Accounting) -> Self {
        Self {
            kdc,
            store,
            workers,
            accounting,
        }
    }
}

impl Service for PasswordFront {
    fn answer(&self, request: &[u8], origin: &Origin, later: &dyn Fn() -> Deferred) -> Answer {
        let request = Request {
            octets: request,
            origin: *origin,
            now: clock::now(),
        };
        let kdc = self.kdc.load_full();
        let change = match kdc.open_password(&self.store.view(), &request, &mut ThreadRandom) {
            PasswordStep::Answered(outcome) => {
                self.accounting.request(&outcome.event);
                return outcome.answer.map_or(Answer::Silence, Answer::Reply);
            }
            PasswordStep::Change(change) => change,
        };
        let Ok(place) = self.workers.place(origin.peer.ip()) else {
            // The client asks again, and by then there may be room.
            self.accounting.request(&change.dropped("busy"));
            return Answer::Silence;
        };
        let (store, accounting, later) = (Arc::clone(&self.store), self.accounting.clone(), later());
        place.run(move || {
            let outcome = change_password(&kdc, &*store, *change);
            accounting.request(&outcome.event);
            if let Some(answer) = outcome.answer {
                later.reply(answer);
            }
        });
        Answer::Later
    }

    fn too_long(&self, _: &Origin) -> Option<Arc<[u8]>> {
        Some(self.kdc.load().too_long(clock::now()))
    }
}

/// Why a password stays as it was.
enum Unchanged {
    /// The new one is refused.
    Refused(PasswordRefused),
    /// The realm could not do it.
    Failed(String),
}

impl From<PasswordRefused> for Unchanged {
    fn from(why: PasswordRefused) -> Self {
        Self::Refused(why)
    }
}

fn change_password(kdc: &Kdc, store: &dyn Store, change: PasswordChange) -> Outcome {
    match try_to_change(kdc, store, &change) {
        Ok(()) => change.changed(clock::now(), &mut ThreadRandom),
        Err(Unchanged::Refused(why)) => change.refused(&why, clock::now(), &mut ThreadRandom),
        Err(Unchanged::Failed(why)) => change.failed(&why, clock::now(), &mut ThreadRandom),
    }
}

/// The salt and the enctypes that keys are made for.
type MadeFor = (Vec<u8>, Vec<EncType>);

fn try_to_change(kdc: &Kdc, store: &dyn Store, change: &PasswordChange) -> Result<(), Unchanged> {
    let failed = |why: &dyn core::fmt::Display| Unchanged::Failed(why.to_string());
    let settings = &**kdc.settings();
    let author = change.author(clock::now().time);
    let mut fresh: Option<(MadeFor, FreshKeys)> = None;
    for _ in 0..TRIES {
        let view = store.view();
        let found = view
            .get(change.target())
            .ok_or_else(|| failed(&"the principal was removed meanwhile"))?;
        let database = view.access().declared();
        let going_by = AccessPolicy { settings, database };
        passwords::may_change(going_by, found, author.when)?;
        let policy = going_by.policy_for_password(found.policy.as_ref());
        passwords::check(&view, settings, policy, (&found.name, Some(found)), change.password())?;
        let made_for = (
            found.name.default_salt(&settings.name),
            Policy::enctypes(policy, &settings.enctypes).to_vec(),
        );
        let keys = match fresh.take() {
            Some((of, keys)) if of == made_for => keys,
            _ => FreshKeys::from_password(&made_for.1, change.password(), &made_for.0).map_err(|why| failed(&why))?,
        };
        let mut record = PrincipalRecord::clone(found);
        passwords::remember(&view, policy, &mut record, &mut ThreadRandom).map_err(|why| failed(&why))?;
        let former = Former::due(&record, false, settings, author.when);
        keys::replace(&view, &mut record, &keys, former, author.when, &mut ThreadRandom);
        record.changed = author.when;
        record.changed_by.clone_from(&author.who);
        let change = Change::Put {
            expected: Some(found.revision),
            record: Box::new(record),
        };
        match store.commit(&author, vec![change]) {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. } | StoreError::NotFound) => fresh = Some((made_for, keys)),
            Err(error) => return Err(failed(&error)),
        }
    }
    Err(failed(&"the principal is being changed by somebody else all the time"))
}
