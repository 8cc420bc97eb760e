use core::time::Duration;

use tessera_common::time::KerberosTime;

/// A point in time that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This very time. In `till`, 1970 stands for "as late as possible".
    At(KerberosTime),
    /// So much after the beginning of the ticket; for the beginning itself, after now. Counted on the KDC's clock as far as
    /// it is known.
    After(Duration),
}

impl When {
    fn counted_from(self, start: KerberosTime) -> KerberosTime {
        match self {
            Self::At(time) => time,
            Self::After(duration) => start.plus(duration),
        }
    }
}

/// The times that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestedTimes {
    /// The beginning; `None` is now.
    pub from: Option<When>,
    /// The end.
    pub till: When,
    /// Until when the ticket shall be renewable, if at all. Sent no earlier than the end.
    pub rtime: Option<When>,
}

impl Default for RequestedTimes {
    /// From now until as late as possible, not renewable.
    fn default() -> Self {
        Self {
            from: None,
            till: When::At(KerberosTime::EPOCH),
            rtime: None,
        }
    }
}

/// [`RequestedTimes`] as they stand in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AbsoluteTimes {
    pub(super) from: Option<KerberosTime>,
    pub(super) till: KerberosTime,
    pub(super) rtime: Option<KerberosTime>,
}

impl RequestedTimes {
    pub(super) fn at(&self, now: KerberosTime) -> AbsoluteTimes {
        let from = self.from.map(|from| from.counted_from(now));
        let start = from.unwrap_or(now);
        let till = self.till.counted_from(start);
        let rtime = self.rtime.map(|rtime| match rtime {
            // A renewable life shorter than the life itself would only be cut.
            When::After(_) => rtime.counted_from(start).max(till),
            When::At(time) => time,
        });
        AbsoluteTimes { from, till, rtime }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_count_from_the_beginning_of_the_ticket() {
        let hour = |n: u64| Duration::from_secs(n * 3600);
        let asked = RequestedTimes {
            from: Some(When::After(hour(1))),
            till: When::After(hour(2)),
            rtime: Some(When::After(hour(1))),
        };
        let now = KerberosTime(1_000_000);
        assert_eq!(
            asked.at(now),
            AbsoluteTimes {
                from: Some(now.plus(hour(1))),
                till: now.plus(hour(3)),
                rtime: Some(now.plus(hour(3))),
            }
        );
        assert_eq!(
            RequestedTimes::default().at(now),
            AbsoluteTimes {
                from: None,
                till: KerberosTime::EPOCH,
                rtime: None
            }
        );
    }
}
