//! The connections of one wire, counted over all its event loops.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::TcpLimits;
use super::inbox::{Inbox, News};
use crate::metrics::{Connections as Readings, Gauge};
use crate::net::{ConnectionCounts, Ended};

/// How many there are, and who waits for its client.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) limits: TcpLimits,
    pub(super) counts: ConnectionCounts,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: usize,
    turn: u64,
    /// Those that wait for their client, the one that has waited longest first.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    inbox: Arc<Inbox>,
    connection: u64,
}

impl Connections {
    pub(super) fn new(limits: TcpLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            counts: ConnectionCounts::default(),
            table: Mutex::default(),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more, which the loop behind `inbox` calls `connection`; `None` when all are taken and none can be
    /// taken back.
    pub(super) fn admit(self: &Arc<Self>, inbox: &Arc<Inbox>, connection: u64) -> Option<Place> {
        let mut table = self.table();
        if table.open >= self.limits.connections {
            if !table.evict() {
                self.counts.ended(Ended::Busy);
                return None;
            }
            self.counts.ended(Ended::Evicted);
        }
        table.open += 1;
        drop(table);
        self.counts.accepted();
        Some(Place {
            connections: Arc::clone(self),
            inbox: Arc::clone(inbox),
            connection,
            held: Held::Busy,
        })
    }

    /// Takes the place of the one that has waited longest, if one waits.
    pub(super) fn evict(&self) -> bool {
        let evicted = self.table().evict();
        if evicted {
            self.counts.ended(Ended::Evicted);
        }
        evicted
    }

    /// What became of all of them.
    pub(super) fn read(&self) -> Readings {
        let open = Gauge {
            now: self.table().open as u64,
            limit: self.limits.connections as u64,
        };
        self.counts.read(open, &Ended::ALL)
    }
}

impl Table {
    fn evict(&mut self) -> bool {
        let Some((_, longest)) = self.waiting.pop_first() else {
            return false;
        };
        self.open -= 1;
        longest.inbox.tell(News::Evicted(longest.connection));
        true
    }
}

/// A connection's place in the table.
pub(super) struct Place {
    connections: Arc<Connections>,
    inbox: Arc<Inbox>,
    connection: u64,
    held: Held,
}

#[derive(Clone, Copy)]
enum Held {
    /// It cannot be taken.
    Busy,
    /// It may have been taken: then this turn is no longer in the table.
    Waiting(u64),
    /// It was taken.
    Lost,
}

impl Place {
    /// From now on it may be taken.
    pub(super) fn wait(&mut self) {
        if !matches!(self.held, Held::Busy) {
            return;
        }
        let mut table = self.connections.table();
        table.turn += 1;
        let turn = table.turn;
        table.waiting.insert(
            turn,
            Waiting {
                inbox: Arc::clone(&self.inbox),
                connection: self.connection,
            },
        );
        self.held = Held::Waiting(turn);
    }

    /// From now on not; false when it was taken before.
    pub(super) fn keep(&mut self) -> bool {
        if let Held::Waiting(turn) = self.held {
            let there = self.connections.table().waiting.remove(&turn).is_some();
            self.held = if there { Held::Busy } else { Held::Lost };
        }
        matches!(self.held, Held::Busy)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.connections.table();
        let there = match self.held {
            Held::Busy => true,
            Held::Waiting(turn) => table.waiting.remove(&turn).is_some(),
            Held::Lost => false,
        };
        if there {
            table.open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_has_waited_longest_is_evicted_whichever_loop_it_is_of() {
        let limits = TcpLimits {
            connections: 3,
            ..TcpLimits::default()
        };
        let connections = Connections::new(limits);
        let inboxes = [(); 2].map(|()| Arc::new(Inbox::new().unwrap()));
        let mut places: Vec<_> = [(0, 10), (1, 11), (0, 12)]
            .map(|(of, name)| connections.admit(&inboxes[of], name).unwrap())
            .into();
        assert!(connections.admit(&inboxes[0], 13).is_none(), "all are busy");
        for at in [1, 0, 2] {
            places[at].wait();
        }
        let mut late = connections.admit(&inboxes[0], 13).unwrap();
        assert_eq!(inboxes[1].take(), [News::Evicted(11)]);
        assert!(!places[1].keep(), "what was taken is not given back");
        assert!(places[0].keep());
        places[0].wait();
        late.wait();
        assert!(connections.evict());
        assert_eq!(inboxes[0].take(), [News::Evicted(12)]);
    }

    #[test]
    fn every_place_is_given_back_once() {
        let limits = TcpLimits {
            connections: 2,
            ..TcpLimits::default()
        };
        let connections = Connections::new(limits);
        let inbox = Arc::new(Inbox::new().unwrap());
        let admit = || connections.admit(&inbox, 0);
        let busy = admit().unwrap();
        let mut waiting = admit().unwrap();
        waiting.wait();
        let late = admit().unwrap();
        drop(waiting);
        assert_eq!(connections.table().open, 2);
        drop((busy, late));
        let table = connections.table();
        assert_eq!((table.open, table.waiting.len()), (0, 0));
        drop(table);
        let read = connections.read();
        assert_eq!((read.open.now, read.open.limit, read.accepted), (0, 2, 3));
        assert!(read.dropped.contains(&("evicted", 1)), "{read:?}");
    }
}
