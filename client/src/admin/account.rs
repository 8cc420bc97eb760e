//! What happened, as whoever types commands asks for it.

use std::io::{self, Write};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tessera_common::admin::{Dialogue, EventLine, Request, Response, SessionInfo};

use super::AdminError;
use super::cli_account::{LogArgs, SessionsArgs, UsageArgs};
use super::command::Administrator;
use super::json_array::JsonArray;
use super::render_account::{EventList, SessionList, usage};

impl<S: Dialogue, W: Write> Administrator<S, W> {
    pub(super) fn log(&mut self, args: LogArgs) -> Result<(), AdminError> {
        let json = args.json;
        let mut list = EventList::new(self.look);
        let out = &mut self.out;
        self.daemon.list(&Request::from(args), events, |some| {
            if some.is_empty() && nobody_reads() {
                return Err(AdminError::Output(io::ErrorKind::BrokenPipe.into()));
            }
            for EventLine(line) in &some {
                let written = if json {
                    out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n"))
                } else {
                    out.write_all(list.lines(line).as_bytes())
                };
                written.map_err(AdminError::Output)?;
            }
            // Whoever follows wants to see it now.
            out.flush().map_err(AdminError::Output)
        })
    }

    pub(super) fn sessions(&mut self, args: SessionsArgs) -> Result<(), AdminError> {
        let json = args.json;
        let request = Request::from(args);
        if json {
            let mut array = JsonArray::new(&mut self.out);
            self.daemon.list(&request, sessions, |some| array.add(&some))?;
            return array.end();
        }
        let mut list = SessionList::new(self.look);
        let out = &mut self.out;
        self.daemon.list(&request, sessions, |some| {
            out.write_all(list.lines(&some).as_bytes()).map_err(AdminError::Output)
        })?;
        self.out.flush().map_err(AdminError::Output)
    }

    pub(super) fn usage(&mut self, args: UsageArgs) -> Result<(), AdminError> {
        let json = args.json;
        let Response::Usage(used) = self.daemon.ask(&Request::from(args))? else {
            return Err(AdminError::Unexpected);
        };
        let text = usage(&used, self.look);
        self.print(&used, text, json)
    }
}

fn events(part: Response) -> Option<Vec<EventLine>> {
    match part {
        Response::Events(some) => Some(some),
        _ => None,
    }
}

fn sessions(part: Response) -> Option<Vec<SessionInfo>> {
    match part {
        Response::Sessions(some) => Some(some),
        _ => None,
    }
}

// Whether whoever read the standard output has gone; otherwise that would show only when something is written next.
fn nobody_reads() -> bool {
    let stdout = io::stdout();
    let mut watched = [PollFd::new(std::os::fd::AsFd::as_fd(&stdout), PollFlags::empty())];
    poll(&mut watched, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        && watched
            .iter()
            .any(|fd| fd.revents().is_some_and(|seen| seen.contains(PollFlags::POLLERR)))
}
