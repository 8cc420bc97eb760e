//! AS and TGS requests, over UDP and TCP.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::lockout::Keeper;
use super::per_thread::PerThread;
use super::workers::Workers;
use crate::accounting::Accounting;
use crate::clock;
use crate::kerberos::{Held, Kdc, Request};
use crate::net::{Answer, Deferred, Origin, Service};
use crate::random::ThreadRandom;
use crate::realm::accounting::ShutOutLine;
use crate::realm::lockout::ClientTrip;
use crate::store::{Store, View};

/// Answers them from a store.
pub struct KerberosFront {
    /// Replaced when the realm's settings change.
    kdc: Arc<ArcSwap<Kdc>>,
    store: Arc<dyn Store>,
    /// Where it is waited for the disk.
    workers: Arc<Workers>,
    /// What each worker looked up so far.
    handles: PerThread<View>,
    accounting: Accounting,
}

impl KerberosFront {
    /// A front of this KDC.
    #[must_use]
    pub fn new(kdc: Arc<ArcSwap<Kdc>>, store: Arc<dyn Store>, workers: Arc<Workers>, accounting: Accounting) -> Self {
        Self {
            kdc,
            store,
            workers,
            handles: PerThread::new(),
            accounting,
        }
    }

    /// Lets go of former pictures of the realm that workers without work still hold. To be called every so often.
    pub fn tidy(&self) {
        self.handles.with_idle(|handle| self.store.renew(handle));
    }
}

impl KerberosFront {
    // That the client is shut out has to be durable before anybody is told that the password was wrong. Where that cannot be,
    // nobody is told; the client is shut out all the same, and who asks again hears so.
    fn answer_when_kept(&self, trip: ClientTrip, held: Held, origin: &Origin, later: &dyn Fn() -> Deferred) -> Answer {
        let Ok(place) = self.workers.place(origin.peer.ip()) else {
            let id = trip.id;
            self.accounting.log().warn(format_args!(
                "that the principal with the id {id} is shut out waits to be written down: too much else waits"
            ));
            return Answer::Silence;
        };
        let (kdc, store, accounting) = (self.kdc.load_full(), Arc::clone(&self.store), self.accounting.clone());
        let later = later();
        place.run(move || {
            let keeper = Keeper {
                store: &*store,
                lockout: kdc.lockout(),
                settings: kdc.settings(),
                accounting: &accounting,
            };
            if keeper.keep(&trip) {
                later.reply(held.release());
            }
        });
        Answer::Later
    }
}

impl Service for KerberosFront {
    fn answer(&self, request: &[u8], origin: &Origin, later: &dyn Fn() -> Deferred) -> Answer {
        let request = Request {
            octets: request,
            origin: *origin,
            now: clock::now(),
        };
        let handle = || self.store.view().lasting();
        let outcome = self.handles.with(handle, |handle| {
            self.store.renew(handle);
            self.kdc.load().handle(handle, &request, &mut ThreadRandom)
        });
        self.accounting.request(&outcome.event);
        if let Some(trip) = &outcome.trips.network {
            self.accounting.shut_out(&ShutOutLine::network(trip));
        }
        match (outcome.trips.client, outcome.held) {
            (Some(trip), Some(held)) => self.answer_when_kept(trip, held, origin, later),
            _ => outcome.answer.map_or(Answer::Silence, Answer::Reply),
        }
    }

    fn too_long(&self, _: &Origin) -> Option<Arc<[u8]>> {
        Some(self.kdc.load().too_long(clock::now()))
    }
}
