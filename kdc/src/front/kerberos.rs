//! AS and TGS requests, over UDP and TCP.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::per_thread::PerThread;
use crate::clock;
use crate::kerberos::{Kdc, Request};
use crate::log::Log;
use crate::net::{Answer, Deferred, Origin, Service};
use crate::random::ThreadRandom;
use crate::store::{Store, View};

/// Answers them from a store.
pub struct KerberosFront {
    /// Replaced when the realm's settings change.
    kdc: Arc<ArcSwap<Kdc>>,
    store: Arc<dyn Store>,
    /// What each worker looked up so far.
    handles: PerThread<View>,
    log: Log,
}

impl KerberosFront {
    /// A front of this KDC.
    #[must_use]
    pub fn new(kdc: Arc<ArcSwap<Kdc>>, store: Arc<dyn Store>, log: Log) -> Self {
        Self {
            kdc,
            store,
            handles: PerThread::new(),
            log,
        }
    }

    /// Lets go of former pictures of the realm that workers without work still hold. To be called every so often.
    pub fn tidy(&self) {
        self.handles.with_idle(|handle| self.store.renew(handle));
    }
}

impl Service for KerberosFront {
    fn answer(&self, request: &[u8], origin: &Origin, _: &dyn Fn() -> Deferred) -> Answer {
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
        self.log.event(&outcome.event);
        outcome.answer.map_or(Answer::Silence, Answer::Reply)
    }

    fn too_long(&self, _: &Origin) -> Option<Arc<[u8]>> {
        Some(self.kdc.load().too_long(clock::now()))
    }
}
