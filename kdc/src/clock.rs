//! The daemon's one look at the clock.

use std::time::{Duration, SystemTime};

use tessera_common::time::Timestamp;

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
