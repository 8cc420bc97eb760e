use core::time::Duration;

use tessera_common::time::{KerberosTime, Timestamp};

/// What to make of a KDC's clock that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockRule {
    /// Whether to go by the KDC's clock: its `stime` for pre-authentication, its `authtime` afterwards. Otherwise a ticket
    /// that begins further than `skew` from our time is refused.
    pub follow_kdc: bool,
    /// How far two clocks may be apart.
    pub skew: Duration,
}

impl Default for ClockRule {
    fn default() -> Self {
        Self {
            follow_kdc: true,
            skew: Duration::from_secs(300),
        }
    }
}

/// The KDC's clock minus ours, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClockOffset(pub i64);

impl ClockOffset {
    /// What `kdc` says while we have `local`.
    #[must_use]
    pub fn between(kdc: Timestamp, local: Timestamp) -> Self {
        let seconds = kdc.time.seconds().saturating_sub(local.time.seconds());
        Self(
            seconds
                .saturating_mul(1_000_000)
                .saturating_add(i64::from(kdc.usec) - i64::from(local.usec)),
        )
    }

    /// Our time as the KDC has it.
    #[must_use]
    pub fn apply(self, local: Timestamp) -> Timestamp {
        let usec = i64::from(local.usec).saturating_add(self.0);
        let seconds = local.time.seconds().saturating_add(usec.div_euclid(1_000_000));
        Timestamp::new(
            KerberosTime(seconds),
            u32::try_from(usec.rem_euclid(1_000_000)).unwrap_or(0),
        )
    }

    /// As a ccache's header keeps it: seconds and microseconds, of one sign; clamped to 32 bits.
    #[must_use]
    pub fn to_parts(self) -> (i32, i32) {
        let clamp = |n: i64| i32::try_from(n).unwrap_or(if n < 0 { i32::MIN } else { i32::MAX });
        (clamp(self.0 / 1_000_000), clamp(self.0 % 1_000_000))
    }

    /// From a ccache's header.
    #[must_use]
    pub fn from_parts(seconds: i32, usec: i32) -> Self {
        Self(
            i64::from(seconds)
                .saturating_mul(1_000_000)
                .saturating_add(i64::from(usec)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_turns_our_time_into_the_kdcs() {
        for (kdc, local) in [
            ((1000, 0), (400, 999_999)),
            ((400, 999_999), (1000, 0)),
            ((5, 5), (5, 5)),
            ((-1, 7), (1, 8)),
        ] {
            let stamp = |(s, us): (i64, u32)| Timestamp::new(KerberosTime(s), us);
            let offset = ClockOffset::between(stamp(kdc), stamp(local));
            assert_eq!(offset.apply(stamp(local)), stamp(kdc));
            let (seconds, usec) = offset.to_parts();
            assert_eq!(ClockOffset::from_parts(seconds, usec), offset);
        }
    }

    #[test]
    fn no_clock_makes_it_overflow() {
        let far = Timestamp::new(KerberosTime(i64::MAX), 999_999);
        let past = Timestamp::new(KerberosTime(i64::MIN), 0);
        assert_eq!(ClockOffset::between(far, past).0, i64::MAX);
        let _ = ClockOffset(i64::MAX).apply(far);
        let _ = ClockOffset(i64::MIN).apply(past);
        assert_eq!(ClockOffset(i64::MAX).to_parts().0, i32::MAX);
    }
}
