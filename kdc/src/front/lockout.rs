//! That somebody is shut out, written down: the request that did it waits for that.

use crate::clock;
use crate::log::Log;
use crate::realm::accounting::ShutOutLine;
use crate::realm::lockout::{ClientTrip, Lockout, NetworkTrip};
use crate::realm::principal::PrincipalRecord;
use crate::realm::settings::RealmSettings;
use crate::store::{Author, Change, Store, StoreError};

/// How often a change is tried anew that somebody else's change came before.
const TRIES: usize = 16;

/// Where it is written down that somebody is shut out.
#[derive(Clone, Copy)]
pub struct Keeper<'k> {
    /// The principals.
    pub store: &'k dyn Store,
    /// The counts.
    pub lockout: &'k Lockout,
    /// For the realm's name.
    pub settings: &'k RealmSettings,
    /// The log.
    pub log: &'k Log,
}

impl Keeper<'_> {
    /// Makes it durable that a principal is shut out, and logs that it is. Takes as long as the disk does. `false`: the store
    /// does not take it; the principal stays shut out as long as this process remembers.
    #[must_use]
    pub fn keep(&self, trip: &ClientTrip) -> bool {
        let kept = self.try_to_keep(trip);
        if let Err(why) = &kept {
            let id = trip.id;
            self.log.error(format_args!(
                "that the principal with the id {id} is shut out is not in the database yet: {why}"
            ));
        }
        kept.is_ok()
    }

    fn try_to_keep(&self, trip: &ClientTrip) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            let now = clock::now().time;
            let view = self.store.view();
            let Some(found) = view.get(trip.id) else {
                // Removed meanwhile: whoever has the name next is somebody else.
                self.lockout.forget(trip.id);
                return Ok(());
            };
            // An administrator who lets it in again forgets the count first, and changes the record then: whichever of the two
            // changes comes first, the other one sees it.
            if self.lockout.shut_out(trip.id, now) != Some(trip.shut_out) {
                return Ok(());
            }
            let change = Change::Put {
                expected: Some(found.revision),
                record: Box::new(PrincipalRecord {
                    shut_out: Some(trip.shut_out),
                    changed: now,
                    changed_by: "kdc".into(),
                    ..PrincipalRecord::clone(found)
                }),
            };
            let author = Author {
                who: "kdc".into(),
                when: now,
            };
            match self.store.commit(&author, vec![change]) {
                Ok(_) => {
                    self.lockout.kept(trip.id);
                    self.log
                        .warn(ShutOutLine::principal(&found.name, &self.settings.name, trip));
                    return Ok(());
                }
                Err(StoreError::Conflict { .. } | StoreError::NotFound) if tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Logs that a network is shut out.
    pub fn log_network(log: &Log, trip: &NetworkTrip) {
        log.warn(ShutOutLine::network(trip));
    }
}
