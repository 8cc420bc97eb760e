//! Who hears an answer: it comes in one response or in several, and somebody may be gone before its end.

use std::io;

use tessera_common::admin::{Response, write_frame};

use super::execute::Refused;
use super::line::Line;

/// Who hears an answer.
pub(super) trait Listener {
    /// Says some of it.
    ///
    /// # Errors
    /// When it cannot be said.
    fn tell(&mut self, response: &Response) -> io::Result<()>;

    /// Whether nobody is listening any more, as far as can be told without saying something.
    fn has_gone(&mut self) -> bool;

    /// How many times something was said.
    fn messages(&self) -> usize;

    /// What has no end was right as far as it went.
    fn goes_on(&mut self);
}

/// The other end of a line, and what it has been told came of its request.
pub(super) struct AtLine<'l, L> {
    line: &'l mut L,
    outcome: Option<Result<(), Refused>>,
    messages: usize,
}

impl<'l, L> AtLine<'l, L> {
    pub(super) const fn new(line: &'l mut L) -> Self {
        Self {
            line,
            outcome: None,
            messages: 0,
        }
    }

    /// What it has been told came of it; `None`: nothing yet.
    pub(super) fn outcome(self) -> Option<Result<(), Refused>> {
        self.outcome
    }
}

impl<L: Line> Listener for AtLine<'_, L> {
    fn tell(&mut self, response: &Response) -> io::Result<()> {
        self.messages += 1;
        self.outcome = outcome(response).or_else(|| self.outcome.take());
        write_frame(self.line, response).map_err(io::Error::other)
    }

    fn has_gone(&mut self) -> bool {
        self.line.hung_up()
    }

    fn messages(&self) -> usize {
        self.messages
    }

    fn goes_on(&mut self) {
        self.outcome = Some(Ok(()));
    }
}

/// What came of a request, if a response tells it.
fn outcome(response: &Response) -> Option<Result<(), Refused>> {
    match response {
        Response::Refused { reason, message } => Some(Err(Refused::new(*reason, message.clone()))),
        Response::Listed(_)
        | Response::Roles(_)
        | Response::Rules(_)
        | Response::Policies(_)
        | Response::Events(_)
        | Response::Sessions(_)
        | Response::Differences(_)
        | Response::Exported(_)
        | Response::Progress { .. } => None,
        _ => Some(Ok(())),
    }
}
