//! How often what happened: for whoever watches the daemon.

use core::sync::atomic::{AtomicU64, Ordering};

use tessera_common::time::Timestamp;

use super::Accounting;
use super::figures::LATENCY_BOUNDS;
use crate::metrics::{Buckets, EventLogReadings, Gauge, OfEach, Requests, Series};
use crate::realm::accounting::{Event, ShutOutLine};

/// What happened, by how often.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests.
    pub requests: Requests,
    principals: AtomicU64,
    networks: AtomicU64,
}

impl Accounting {
    /// How the event log does; `None`, there is none.
    #[must_use]
    pub fn event_log(&self) -> Option<EventLogReadings> {
        let events = self.events.as_ref()?;
        let figures = &events.figures;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = figures.latency.iter().map(of).collect();
        Some(EventLogReadings {
            written: of(&figures.written),
            lost: of(&figures.lost),
            queue: Gauge {
                now: of(&figures.queued),
                limit: events.queue.limit() as u64,
            },
            on_disk: of(&figures.on_disk),
            failures: [
                ("write", of(&figures.write_failures)),
                ("rotation", of(&figures.rotation_failures)),
                ("compression", of(&figures.compression_failures)),
                ("forward", of(&figures.not_forwarded)),
            ],
            writes: Buckets::of(&LATENCY_BOUNDS, counts, of(&figures.latency_sum)),
        })
    }
}

impl Counters {
    /// A request was dealt with, now.
    pub fn request(&self, event: &Event, now: Timestamp) {
        self.requests.count(Series::of(event), microseconds(event.time, now));
    }

    /// Somebody is shut out.
    pub fn shut_out(&self, who: &ShutOutLine) {
        let count = if who.is_principal() {
            &self.principals
        } else {
            &self.networks
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many principals and how many networks were shut out.
    #[must_use]
    pub fn trips(&self) -> OfEach {
        OfEach {
            principals: self.principals.load(Ordering::Relaxed),
            networks: self.networks.load(Ordering::Relaxed),
        }
    }
}

// By a clock that is put back meanwhile, nothing.
fn microseconds(from: Timestamp, to: Timestamp) -> u64 {
    let all = |at: Timestamp| i128::from(at.time.0) * 1_000_000 + i128::from(at.usec);
    u64::try_from(all(to) - all(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use tessera_common::time::KerberosTime;

    use super::*;

    #[test]
    fn a_clock_that_is_put_back_makes_a_request_take_no_time() {
        let at = |seconds, usec| Timestamp {
            time: KerberosTime(seconds),
            usec,
        };
        assert_eq!(microseconds(at(10, 999_999), at(11, 1)), 2);
        assert_eq!(microseconds(at(11, 1), at(10, 999_999)), 0);
    }
}
