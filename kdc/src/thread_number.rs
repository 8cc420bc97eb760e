//! Which thread this is, for what each thread has for itself.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The calling thread's number, from 0 on. Numbers are not given back: what answers requests lives as long as the daemon.
pub(crate) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
