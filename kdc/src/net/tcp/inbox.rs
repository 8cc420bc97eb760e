//! What other threads have to say to an event loop.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// What an event loop is told. A connection that it is about may be gone by now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A connection's place was given to another.
    Evicted(u64),
    /// The answer to one of a connection's messages; none, when there will be none.
    Answered(Question, Option<Arc<[u8]>>),
    /// Another loop cannot accept all.
    Crowd,
}

/// A message, by its connection and how many came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) connection: u64,
    pub(super) message: u64,
}

/// Where an event loop is told news, waking it.
#[derive(Debug)]
pub(super) struct Inbox {
    news: Mutex<Vec<News>>,
    stopping: AtomicBool,
    bell: EventFd,
}

impl Inbox {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            news: Mutex::default(),
            stopping: AtomicBool::new(false),
            bell: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
        })
    }

    pub(super) fn tell(&self, news: News) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).push(news);
        self.ring();
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.ring();
    }

    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// What was told since; the loop is not woken again for it.
    pub(super) fn take(&self) -> Vec<News> {
        let _ = self.bell.read();
        std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    // It can only fail when it rings already.
    pub(super) fn ring(&self) {
        let _ = self.bell.write(1);
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// The right to answer one message. Dropped, it says that there is no answer.
pub(super) struct Ticket {
    inbox: Arc<Inbox>,
    question: Question,
    answer: Option<Arc<[u8]>>,
}

impl Ticket {
    pub(super) fn new(inbox: &Arc<Inbox>, question: Question) -> Self {
        Self {
            inbox: Arc::clone(inbox),
            question,
            answer: None,
        }
    }

    pub(super) fn answer(mut self, answer: Arc<[u8]>) {
        self.answer = Some(answer);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.inbox.tell(News::Answered(self.question, self.answer.take()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_tells_its_answer_or_that_there_is_none_once() {
        let inbox = Arc::new(Inbox::new().unwrap());
        let question = |message| Question { connection: 5, message };
        Ticket::new(&inbox, question(1)).answer(b"yes"[..].into());
        drop(Ticket::new(&inbox, question(2)));
        assert_eq!(
            inbox.take(),
            [
                News::Answered(question(1), Some(b"yes"[..].into())),
                News::Answered(question(2), None)
            ]
        );
        assert_eq!(inbox.take(), []);
    }
}
