//! Events on their way to the file: a page of lines that many write on and one takes.
//!
//! Nobody is woken for an event, and nobody holds the page while anything is written to a disk.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tessera_common::accounting::{EventKind, EventRecord, EventTime};

use super::figures::{self, Figures};
use super::line::HEAD;
use crate::clock;
use crate::config::WhenSlow;

/// What a line has besides what it says: its number, braces and end.
const FRAME_OCTETS: usize = 32;
/// The longest line: a frame of a compressed file and a message to an administrator have room for it, and for as much again.
const MOST_LINE: usize = 1 << 20;
/// How often somebody who waits for room looks whether the daemon stops.
const LOOK: Duration = Duration::from_millis(50);
/// A page that grew larger than this in a storm is given back when the storm is over.
const PAGE_OCTETS: usize = 1 << 20;

/// Where events wait.
pub(super) struct Queue {
    page: Mutex<Page>,
    /// There is room again.
    room: Condvar,
    /// The most octets that wait.
    limit: AtomicUsize,
    /// Whether who finds no room waits for it.
    blocks: AtomicBool,
    stopping: AtomicBool,
    figures: Arc<Figures>,
}

#[derive(Default)]
struct Page {
    text: String,
    lines: u64,
    /// Octets that were taken and are not in the file yet.
    taken: usize,
    /// The number of the next event.
    next: u64,
    /// How many were lost since that was last said.
    lost: u64,
}

/// What was taken: whole lines.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) text: String,
    pub(super) lines: u64,
    /// The number of the last one; `None`, there is none.
    pub(super) last: Option<u64>,
    /// How many events were lost before.
    pub(super) lost: u64,
}

impl Queue {
    pub(super) fn new(next: u64, limit: usize, when_slow: WhenSlow, figures: Arc<Figures>) -> Self {
        let page = Page {
            next,
            ..Page::default()
        };
        Self {
            page: Mutex::new(page),
            room: Condvar::new(),
            limit: AtomicUsize::new(limit),
            blocks: AtomicBool::new(when_slow == WhenSlow::Block),
            stopping: AtomicBool::new(false),
            figures,
        }
    }

    /// The number of the last event that came.
    pub(super) fn last(&self) -> u64 {
        self.page().next.saturating_sub(1)
    }

    /// The most octets that wait.
    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, limit: usize, when_slow: WhenSlow) {
        self.limit.store(limit, Ordering::Relaxed);
        self.blocks.store(when_slow == WhenSlow::Block, Ordering::Relaxed);
        self.room.notify_all();
    }

    /// Nobody waits for room any more: what finds none is lost.
    pub(super) fn let_go(&self) {
        self.blocks.store(false, Ordering::Relaxed);
        self.room.notify_all();
    }

    /// Nothing more comes.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.room.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Adds an event: `members` are those of its line but for its number. One that there will never be room for is not waited for.
    pub(super) fn push(&self, members: &str) {
        let octets = members.len() + FRAME_OCTETS;
        let mut page = self.page();
        while octets > MOST_LINE || page.text.len() + page.taken + octets > self.limit() {
            let has_never_room = octets > self.limit().min(MOST_LINE);
            if has_never_room || !self.blocks.load(Ordering::Relaxed) || self.is_stopping() {
                // The number is used up: a gap is events that were lost.
                page.next += 1;
                page.lost += 1;
                figures::add(&self.figures.lost, 1);
                return;
            }
            let waited = self.room.wait_timeout(page, LOOK);
            page = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        page.put(members);
    }

    /// Adds the last event, whether there is room or not.
    pub(super) fn push_last(&self, members: &str) {
        self.page().put(members);
    }

    /// Takes all that waits, with a line that says so when events were lost.
    pub(super) fn take(&self, into: &mut Taken) {
        into.text.clear();
        into.text.shrink_to(PAGE_OCTETS);
        let mut page = self.page();
        into.lost = core::mem::take(&mut page.lost);
        if into.lost > 0 {
            let members = lost(into.lost);
            page.put(&members);
        }
        core::mem::swap(&mut into.text, &mut page.text);
        into.lines = core::mem::take(&mut page.lines);
        page.taken = into.text.len();
        into.last = (page.taken > 0).then(|| page.next - 1);
        figures::set(&self.figures.queued, page.taken);
    }

    /// What was taken is in the file, or given up.
    pub(super) fn done(&self) {
        let mut page = self.page();
        page.taken = 0;
        figures::set(&self.figures.queued, page.text.len());
        drop(page);
        self.room.notify_all();
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    fn put(&mut self, members: &str) {
        self.text.push_str(HEAD);
        self.text.push_str(itoa::Buffer::new().format(self.next));
        self.text.push(',');
        self.text.push_str(members);
        self.text.push_str("}\n");
        self.lines += 1;
        self.next += 1;
    }
}

/// The members of a record's line but for its number.
pub(super) fn members(record: &EventRecord) -> String {
    let record = EventRecord {
        seq: 0,
        ..record.clone()
    };
    let line = serde_json::to_string(&record).unwrap_or_default();
    let members = line.strip_prefix("{\"seq\":0,").and_then(|line| line.strip_suffix('}'));
    members.unwrap_or_default().to_owned()
}

fn lost(count: u64) -> String {
    members(&EventRecord {
        count: Some(count),
        detail: Some("the queue was full: the log is not written as fast as events come".into()),
        ..EventRecord::new(0, EventTime(clock::now()), EventKind::Lost)
    })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a thread is waited for")]
mod tests {
    use std::thread;

    use super::*;

    fn queue(limit: usize, when_slow: WhenSlow) -> Queue {
        Queue::new(9, limit, when_slow, Arc::default())
    }

    fn taken(queue: &Queue) -> Taken {
        let mut taken = Taken::default();
        queue.take(&mut taken);
        taken
    }

    #[test]
    fn events_are_numbered_as_they_come() {
        let queue = queue(1000, WhenSlow::Block);
        queue.push("\"a\":1");
        queue.push("\"b\":2");
        let first = taken(&queue);
        assert_eq!(first.text, "{\"seq\":9,\"a\":1}\n{\"seq\":10,\"b\":2}\n");
        assert_eq!((first.lines, first.last, first.lost), (2, Some(10), 0));
        queue.done();
        assert_eq!(taken(&queue).last, None);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_leaves_a_gap_and_the_count_is_an_event_as_soon_as_there_is_room() {
        let queue = queue(100, WhenSlow::DropAndCount);
        for _ in 0..5 {
            queue.push("\"a\":1");
        }
        let first = taken(&queue);
        assert!(first.text.starts_with("{\"seq\":9,\"a\":1}\n"), "{}", first.text);
        let lost = first.text.lines().last().unwrap();
        let event: EventRecord = serde_json::from_str(lost).unwrap();
        let kept = first.text.lines().count() as u64 - 1;
        assert_eq!(
            (event.kind, event.count, event.seq),
            (EventKind::Lost, Some(5 - kept), 14)
        );
        assert_eq!(queue.figures.lost.load(Ordering::Relaxed), 5 - kept);
        assert_eq!(first.lost, 5 - kept);
    }

    #[test]
    fn what_was_taken_takes_room_until_it_is_in_the_file() {
        let queue = queue(60, WhenSlow::DropAndCount);
        queue.push("\"a\":1");
        let first = taken(&queue);
        queue.push("\"a\":1");
        queue.push("\"a\":1");
        assert!(taken(&queue).lost > 0);
        queue.done();
        queue.push("\"a\":1");
        assert_eq!(taken(&queue).lost, 0);
        drop(first);
    }

    #[test]
    fn who_has_to_wait_for_room_waits_and_nothing_is_lost() {
        let queue = queue(100, WhenSlow::Block);
        thread::scope(|scope| {
            scope.spawn(|| (0..200).for_each(|_| queue.push("\"a\":1")));
            let mut lines = 0;
            while lines < 200 {
                let taken = taken(&queue);
                assert!(taken.text.len() <= 100);
                lines += taken.text.lines().count();
                assert_eq!(taken.lost, 0);
                queue.done();
            }
        });
        assert_eq!(queue.figures.lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn nobody_waits_for_room_when_the_daemon_stops() {
        let queue = queue(50, WhenSlow::Block);
        queue.push("\"a\":1");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.push("\"a\":1"));
            thread::sleep(Duration::from_millis(20));
            assert!(!waiting.is_finished());
            queue.stop();
            waiting.join().unwrap();
        });
        assert_eq!(taken(&queue).lost, 1);
    }

    #[test]
    fn a_line_that_there_is_never_room_for_is_lost_and_counted_and_nobody_waits_for_it() {
        for (limit, length) in [(100, 100), (64 << 20, MOST_LINE)] {
            let queue = Arc::new(queue(limit, WhenSlow::Block));
            let pushing = Arc::clone(&queue);
            let (done, heard) = std::sync::mpsc::channel();
            thread::spawn(move || {
                pushing.push(&"x".repeat(length));
                done.send(()).unwrap();
            });
            heard.recv_timeout(Duration::from_secs(60)).unwrap();
            queue.push("\"a\":1");
            let taken = taken(&queue);
            assert!(taken.text.starts_with("{\"seq\":10,\"a\":1}\n"), "{limit}");
            assert_eq!((taken.lost, queue.figures.lost.load(Ordering::Relaxed)), (1, 1));
        }
    }
}
