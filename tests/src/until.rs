//! What comes to pass sooner or later.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is: impl FnMut() -> bool) {
    until_found(what, || is().then_some(()));
}

/// Waits until there is something.
///
/// # Panics
/// If it is not there within two minutes.
#[track_caller]
pub fn until_found<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "it never came to pass that {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
