//! Where a service's long-term keys come from.

use crate::crypto::Key;
use crate::keytab::{Keytab, KeytabEntry};
use crate::name::Principal;

/// A long-term key of a service.
#[derive(Clone, Debug)]
pub struct ServiceKey<'a> {
    /// Whose it is.
    pub service: &'a Principal,
    /// Its version; 0 stands for any, as in keytabs written by hand.
    pub kvno: u32,
    /// The key.
    pub key: &'a Key,
}

/// The long-term keys that tickets may be under: a keytab, or whatever else a service keeps them in.
pub trait ServiceKeys {
    /// Every key, in the order in which they are to be tried.
    fn service_keys(&self) -> Vec<ServiceKey<'_>>;

    /// The keys of one service, of every version and enctype.
    fn keys_of(&self, service: &Principal) -> Vec<ServiceKey<'_>> {
        self.service_keys()
            .into_iter()
            .filter(|key| key.service == service)
            .collect()
    }
}

/// A handful of keys in memory.
impl ServiceKeys for [(Principal, u32, Key)] {
    fn service_keys(&self) -> Vec<ServiceKey<'_>> {
        self.iter()
            .map(|(service, kvno, key)| ServiceKey {
                service,
                kvno: *kvno,
                key,
            })
            .collect()
    }
}

/// A keytab's keys, in the order of the file; those of enctypes that are not used here are passed over.
impl ServiceKeys for Keytab {
    fn service_keys(&self) -> Vec<ServiceKey<'_>> {
        self.entries.iter().filter_map(known).collect()
    }

    // Without a list of all: a keytab may hold the keys of many services.
    fn keys_of(&self, service: &Principal) -> Vec<ServiceKey<'_>> {
        let own = self.entries.iter().filter(|entry| entry.principal == *service);
        own.filter_map(known).collect()
    }
}

fn known(entry: &KeytabEntry) -> Option<ServiceKey<'_>> {
    Some(ServiceKey {
        service: &entry.principal,
        kvno: entry.kvno,
        key: entry.key.known()?,
    })
}

impl ServiceKey<'_> {
    /// Whether a ticket that names `kvno` may be under this key. Without a number in the ticket, it may; a number over 255
    /// is also found by its low octet, all that older programs wrote into keytabs.
    #[must_use]
    pub fn may_be(&self, kvno: Option<u32>) -> bool {
        kvno.is_none_or(|wanted| self.kvno == wanted || self.kvno == 0 || self.kvno == wanted & 0xff)
    }
}
