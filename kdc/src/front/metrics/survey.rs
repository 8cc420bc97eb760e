//! What is only known by looking at all principals: now and then, on a thread that nobody waits for.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tessera_common::time::KerberosTime;

use crate::clock;
use crate::kerberos::Kdc;
use crate::metrics::Survey;
use crate::realm::principal::{Attributes, PrincipalRecord};
use crate::realm::settings::RealmSettings;
use crate::realm::{founding, keys};
use crate::store::{Store, View};

/// How long it rests at least between two looks.
const REST: Duration = Duration::from_secs(60);
/// And how many times as long as the last one took: so it takes a thousandth of a core.
const REST_EACH: u32 = 1000;

/// The running thread; ended and waited for when dropped.
pub struct Surveyor {
    newest: Arc<Mutex<Option<Survey>>>,
    stopping: Arc<AtomicBool>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Surveyor {
    /// Looks at once, and then again and again.
    ///
    /// # Errors
    /// When no thread can be started.
    #[allow(
        clippy::disallowed_methods,
        reason = "it is about time that passes, whatever the clock shows"
    )]
    pub fn start(kdc: Arc<ArcSwap<Kdc>>, store: Arc<dyn Store>) -> io::Result<Self> {
        let newest: Arc<Mutex<Option<Survey>>> = Arc::default();
        let stopping: Arc<AtomicBool> = Arc::default();
        let (stop, stopped) = channel();
        let (found, end) = (Arc::clone(&newest), Arc::clone(&stopping));
        let thread = thread::Builder::new().name("survey".into()).spawn(move || {
            loop {
                let begun = Instant::now();
                let Some(survey) = survey(&store.view(), kdc.load().settings(), clock::now().time, &end) else {
                    return;
                };
                *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(survey);
                let rest = begun.elapsed().saturating_mul(REST_EACH).max(REST);
                if stopped.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        Ok(Self {
            newest,
            stopping,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// What the last look found, whenever that is asked.
    pub fn newest(&self) -> impl Fn() -> Option<Survey> + Send + Sync + use<> {
        let newest = Arc::clone(&self.newest);
        move || *newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Surveyor {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

// Nothing when the daemon stops.
fn survey(view: &View, settings: &RealmSettings, now: KerberosTime, stopping: &AtomicBool) -> Option<Survey> {
    let mut found = Survey {
        at: now.0,
        ..Survey::default()
    };
    for record in view.iter() {
        if stopping.load(Ordering::Relaxed) {
            return None;
        }
        found.locked += u64::from(record.attributes.contains(Attributes::LOCKED));
        let overdue = record.keys.iter().any(|key| key.retired.is_some_and(|end| end < now));
        found.overdue += u64::from(overdue);
        if is_service(&record) && !founding::is_built_in(&record.name, &settings.name) {
            let made = keys::newest_made(&record).0;
            found.oldest_service_key = Some(found.oldest_service_key.map_or(made, |oldest| oldest.min(made)));
        }
    }
    Some(found)
}

// That is in use, and has keys that somebody has to change.
fn is_service(record: &PrincipalRecord) -> bool {
    let takes_none = Attributes::NOT_A_SERVICE | Attributes::LOCKED;
    !record.attributes.intersects(takes_none) && !record.keys.is_empty() && !record.has_password()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Memory;
    use crate::store::test_realm::{Counter, add, author, id, keyring, principal, stored_key};

    #[test]
    fn the_oldest_key_is_that_of_a_service_which_is_in_use() {
        let now = KerberosTime(10_000);
        let store = Memory::new(keyring());
        let put = |number, name: &str, made, change: &dyn Fn(&mut PrincipalRecord)| {
            let mut record = principal(number, name);
            let mut key = stored_key(&keyring(), id(number), 1, &mut Counter::default());
            (key.made, key.salt) = (Some(KerberosTime(made)), None);
            record.keys = vec![key];
            change(&mut record);
            store.commit(&author(), vec![add(record)]).unwrap();
        };
        put(1, "host/new", 900, &|_| {});
        put(2, "host/old", 700, &|_| {});
        put(3, "alice", 100, &|record| record.keys[0].salt = Some(Vec::new()));
        put(4, "host/locked", 100, &|record| record.attributes = Attributes::LOCKED);
        put(5, "user", 100, &|record| record.attributes = Attributes::NOT_A_SERVICE);
        put(6, "krbtgt/EXAMPLE.COM", 100, &|_| {});
        put(7, "kadmin/admin", 100, &|_| {});
        put(8, "host/past", 800, &|record| {
            let mut former = record.keys[0].clone();
            former.retired = Some(KerberosTime(9999));
            record.keys.push(former);
        });
        let settings = RealmSettings::new("EXAMPLE.COM".parse().unwrap());
        let found = survey(&store.view(), &settings, now, &AtomicBool::new(false));
        let expected = Survey {
            at: 10_000,
            oldest_service_key: Some(700),
            locked: 1,
            overdue: 1,
        };
        assert_eq!(found, Some(expected));
        assert_eq!(survey(&store.view(), &settings, now, &AtomicBool::new(true)), None);
    }
}
