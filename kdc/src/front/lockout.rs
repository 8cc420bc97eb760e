//! That somebody is shut out, written down: the request that did it waits for that.

use crate::accounting::Accounting;
use crate::clock;
use crate::realm::accounting::ShutOutLine;
use crate::realm::lockout::{ClientTrip, Lockout};
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
    /// Who is told.
    pub accounting: &'k Accounting,
}

impl Keeper<'_> {
    /// Makes it durable that a principal is shut out, and logs that it is. Takes as long as the disk does. `false`: the store
    /// does not take it; the principal stays shut out as long as this process remembers.
    #[must_use]
    pub fn keep(&self, trip: &ClientTrip) -> bool {
        let kept = self.try_to_keep(trip);
        if let Err(why) = &kept {
            let id = trip.id;
            self.accounting.log().error(format_args!(
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
            let author = Author::daemon(now);
            match self.store.commit(&author, vec![change]) {
                Ok(_) => {
                    self.lockout.kept(trip.id);
                    let who = ShutOutLine::principal(&found.name, &self.settings.name, trip);
                    self.accounting.shut_out(&who);
                    return Ok(());
                }
                Err(StoreError::Conflict { .. } | StoreError::NotFound) if tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::log::Log;
    use crate::realm::access::{Access, AccessPolicy};
    use crate::realm::lockout::Attempt;
    use crate::realm::policy::{Policy, PolicyName, PolicyParts};
    use crate::realm::principal::ShutOut;
    use crate::store::test_realm::{Counter, add, author, id, keyring, principal, stored_key};
    use crate::store::{Memory, View};

    /// A store whose disk is full for as long as somebody says so.
    struct Full {
        store: Memory,
        full: AtomicBool,
    }

    impl Store for Full {
        fn view(&self) -> Arc<View> {
            self.store.view()
        }

        fn commit(&self, author: &Author, changes: Vec<Change>) -> Result<u64, StoreError> {
            if self.full.load(Ordering::Relaxed) {
                return Err(StoreError::Unwritable("no room".into()));
            }
            self.store.commit(author, changes)
        }
    }

    struct Desk {
        store: Full,
        lockout: Lockout,
        settings: RealmSettings,
    }

    impl Desk {
        fn new() -> Self {
            let mut parts = PolicyParts::new(PolicyName::new("default").unwrap());
            parts.body.max_failures = Some(1);
            let mut settings = RealmSettings::new("EXAMPLE.COM".parse().unwrap());
            settings.access = Access::default().with_policies([Policy::new(parts).unwrap()]);
            let store = Memory::new(keyring());
            let mut record = principal(1, "alice");
            record.keys = vec![stored_key(&keyring(), id(1), 1, &mut Counter::default())];
            store.commit(&author(), vec![add(record)]).unwrap();
            Self {
                store: Full {
                    store,
                    full: AtomicBool::new(false),
                },
                lockout: Lockout::new(),
                settings,
            }
        }

        fn attempt(&self) -> Attempt<'_> {
            let view = self.store.view();
            let going_by = AccessPolicy::of(&self.settings);
            let alice = view.get(id(1)).unwrap();
            let from = core::net::Ipv4Addr::LOCALHOST.into();
            self.lockout.attempt(going_by, Some(alice), from, clock::now().time)
        }

        fn keep(&self, trip: &ClientTrip) -> bool {
            let log = Log::start(std::io::sink()).unwrap();
            let keeper = Keeper {
                store: &self.store,
                lockout: &self.lockout,
                settings: &self.settings,
                accounting: &Accounting::new(log.log()),
            };
            keeper.keep(trip)
        }

        fn written(&self) -> Option<ShutOut> {
            self.store.view().get(id(1)).unwrap().shut_out
        }
    }

    #[test]
    fn who_is_shut_out_is_so_by_the_record_afterwards() {
        let desk = Desk::new();
        let trip = desk.attempt().wrong().unwrap().client.unwrap();
        assert!(desk.keep(&trip));
        assert_eq!(desk.written(), Some(trip.shut_out));
        assert_eq!(desk.lockout.not_kept(clock::now().time), []);
    }

    #[test]
    fn who_was_let_in_again_in_the_meantime_is_not_shut_out_late() {
        let desk = Desk::new();
        let trip = desk.attempt().wrong().unwrap().client.unwrap();
        desk.lockout.forget(trip.id);
        assert!(desk.keep(&trip));
        assert_eq!(desk.written(), None);
    }

    #[test]
    fn a_full_disk_leaves_somebody_shut_out_in_memory_until_there_is_room() {
        let desk = Desk::new();
        desk.store.full.store(true, Ordering::Relaxed);
        let trip = desk.attempt().wrong().unwrap().client.unwrap();
        assert!(!desk.keep(&trip));
        assert_eq!((desk.written(), desk.attempt().client_may_try().is_err()), (None, true));
        let late = desk.lockout.not_kept(clock::now().time);
        assert_eq!(late, [trip]);
        desk.store.full.store(false, Ordering::Relaxed);
        assert!(desk.keep(&trip));
        assert_eq!(desk.written(), Some(trip.shut_out));
    }
}
