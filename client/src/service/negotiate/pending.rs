use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tessera_common::time::KerberosTime;

use crate::service::acceptor::HalfOpen;

/// Negotiations whose clients have to answer, each with its connection. There is room for a fixed number, and none of them waits
/// for long: what is in here is worth nothing, and the client begins anew.
#[derive(Debug)]
pub(super) struct Pending<T = HalfOpen>(Mutex<HashMap<u64, (KerberosTime, T)>>);

/// The most that wait at once.
pub(super) const CAPACITY: usize = 1024;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(60);

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Pending<T> {
    /// Keeps one for its connection. The oldest gives way if there is no room.
    pub(super) fn put(&self, connection: u64, state: T, now: KerberosTime) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= CAPACITY {
            waiting.retain(|_, (since, _)| now.within(*since, PATIENCE));
        }
        if waiting.len() >= CAPACITY {
            let oldest = waiting.iter().min_by_key(|(_, (since, _))| *since);
            if let Some(connection) = oldest.map(|(connection, _)| *connection) {
                waiting.remove(&connection);
            }
        }
        waiting.insert(connection, (now, state));
    }

    /// Gives back what the connection's client was asked for, once.
    pub(super) fn take(&self, connection: u64, now: KerberosTime) -> Option<T> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, state) = waiting.remove(&connection)?;
        now.within(since, PATIENCE).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: KerberosTime = KerberosTime(1000);

    #[test]
    fn each_is_given_back_once_to_its_own_connection_and_not_too_late() {
        let pending = Pending::default();
        pending.put(1, 'a', NOW);
        pending.put(2, 'b', NOW);
        assert_eq!(pending.take(3, NOW), None);
        assert_eq!(pending.take(1, KerberosTime(1060)), Some('a'));
        assert_eq!(pending.take(1, NOW), None);
        assert_eq!(pending.take(2, KerberosTime(1061)), None);
        assert_eq!(pending.take(2, NOW), None);
    }

    #[test]
    fn there_are_never_more_than_there_is_room_for_and_the_oldest_go_first() {
        let pending = Pending::default();
        let total = CAPACITY as u64 + 100;
        for n in 0..total {
            pending.put(n, n, KerberosTime(1000 + i64::try_from(n / 100).unwrap()));
        }
        assert_eq!(pending.0.lock().unwrap().len(), CAPACITY);
        assert_eq!(pending.take(0, NOW), None);
        assert_eq!(pending.take(total - 1, KerberosTime(1011)), Some(total - 1));
    }
}
