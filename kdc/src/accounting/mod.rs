//! Where what happened is told: one place for everybody who has something to account for, and who keeps it is not their concern.

use crate::log::Log;
use crate::realm::accounting::{Event, ShutOutLine};

/// Takes what happened; all clones tell the same.
#[derive(Clone)]
pub struct Accounting {
    log: Log,
}

impl Accounting {
    /// Tells this log.
    #[must_use]
    pub const fn new(log: Log) -> Self {
        Self { log }
    }

    /// For what an operator should know besides.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// A request was dealt with.
    pub fn request(&self, event: &Event) {
        self.log.event(event);
    }

    /// Somebody is shut out.
    pub fn shut_out(&self, who: &ShutOutLine) {
        self.log.warn(who);
    }
}
