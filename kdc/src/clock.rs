//! The daemon's one look at the clock.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Local, Offset as _, TimeZone as _};
use tessera_common::time::Timestamp;

use crate::realm::hours::LocalTime;

/// The daemon's time zone: `TZ`, or else /etc/localtime, looked at again about once a second.
pub const LOCAL_TIME: LocalTime = LocalTime(|at| {
    let utc = DateTime::from_timestamp(at.seconds(), 0)
        .unwrap_or_default()
        .naive_utc();
    Local.offset_from_utc_datetime(&utc).fix().local_minus_utc()
});

/// The time of day, to the microsecond. A clock set before 1970 counts as 1970.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "the one place where the daemon reads the clock"
)]
pub fn now() -> Timestamp {
    Timestamp::from_unix(
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO),
    )
}
