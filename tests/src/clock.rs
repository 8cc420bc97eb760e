//! The time that programs see, moved without waiting: `libfaketime`, loaded into each of them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::tool::Tool;

const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];

/// A clock of its own for every program that is started with it. Timeouts are not touched, only the time of day is.
pub struct Clock {
    file: PathBuf,
    offset: AtomicI64,
}

impl Clock {
    /// A clock that shows the true time as yet, kept in a file in `directory`.
    #[must_use]
    pub fn new(directory: &Path, name: &str) -> Self {
        let clock = Self {
            file: directory.join(name),
            offset: AtomicI64::new(0),
        };
        clock.forward(0);
        clock
    }

    /// Puts the clock forward, for programs that run and programs to come. A negative number puts it back.
    pub fn forward(&self, seconds: i64) {
        let offset = self.offset.fetch_add(seconds, Ordering::SeqCst) + seconds;
        // Replaced whole: a program may be reading it at this moment.
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, format!("{offset:+}\n")).unwrap();
        std::fs::rename(fresh, &self.file).unwrap();
    }

    /// Seconds since 1970 by this clock.
    #[must_use]
    pub fn now(&self) -> i64 {
        let true_time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        i64::try_from(true_time).unwrap() + self.offset.load(Ordering::SeqCst)
    }

    /// The same tool, living by this clock.
    #[must_use]
    pub fn set(&self, tool: Tool) -> Tool {
        let library = LIBRARIES
            .iter()
            .find(|path| Path::new(path).exists())
            .expect("libfaketime is not installed; tests/run installs it where it may");
        tool.env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DISABLE_SHM", "1")
            .env("NO_FAKE_STAT", "1")
    }
}
