//! Connections to administrators: what goes over them is counted, and that somebody has gone is noticed.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use tessera_common::admin::{Dialogue, FrameError};
use tessera_common::gss::ContextError;

use crate::accounting::{Cause, Counts};

/// A connection to an administrator, in the clear or sealed.
pub trait Line: Dialogue {
    /// Whether the other end has hung up, as far as can be told without waiting for it.
    fn hung_up(&mut self) -> bool;
}

/// A stream whose octets are counted, as they go over it.
#[derive(Debug)]
pub(super) struct Counted<S> {
    stream: S,
    counts: Arc<Counts>,
}

impl<S> Counted<S> {
    pub(super) const fn new(stream: S, counts: Arc<Counts>) -> Self {
        Self { stream, counts }
    }
}

impl<S: AsRawFd> Counted<S> {
    pub(super) fn has_hung_up(&self) -> bool {
        has_hung_up(self.stream.as_raw_fd())
    }
}

impl<S> Counted<S> {
    /// The stream, for its timeouts.
    pub(super) const fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: Read> Read for Counted<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let octets = self.stream.read(out)?;
        self.counts.came(octets);
        Ok(octets)
    }
}

impl<S: Write> Write for Counted<S> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(octets)?;
        self.counts.went(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: Read + Write + AsRawFd> Line for Counted<S> {
    fn hung_up(&mut self) -> bool {
        self.has_hung_up()
    }
}

// What it has sent and nobody has read yet stays where it is.
fn has_hung_up(socket: RawFd) -> bool {
    match recv(socket, &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
        Ok(octets) => octets == 0,
        Err(errno) => !matches!(errno, Errno::EAGAIN | Errno::EINTR),
    }
}

/// Why a session ends in which this came instead of a request.
pub(super) fn cause_of_no_request(why: &FrameError) -> Cause {
    match why {
        why if has_timed_out(why) => Cause::Idle,
        FrameError::Stream(_) => Cause::ConnectionLost,
        FrameError::Seal(ContextError::Expired { .. }) => Cause::TicketOver,
        _ => Cause::Refused,
    }
}

/// Why a session ends in which an answer could not be sent.
pub(super) fn cause_of_no_answer(why: &io::Error) -> Cause {
    match why.get_ref().and_then(|inner| inner.downcast_ref::<FrameError>()) {
        Some(why) if has_timed_out(why) => Cause::Stalled,
        Some(FrameError::Seal(ContextError::Expired { .. })) => Cause::TicketOver,
        _ => Cause::ConnectionLost,
    }
}

/// Whether what was waited for did not come, or was not taken, in time.
pub(super) fn has_timed_out(why: &FrameError) -> bool {
    let kind = match why {
        FrameError::Stream(why) => why.kind(),
        _ => return false,
    };
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_goes_over_a_stream_is_counted_both_ways() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let counts = Arc::new(Counts::default());
        let mut far = Counted::new(far, Arc::clone(&counts));
        near.write_all(b"12345").unwrap();
        let mut three = [0; 3];
        far.read_exact(&mut three).unwrap();
        far.write_all(b"ab").unwrap();
        assert_eq!((counts.octets_in(), counts.octets_out()), (3, 2));
    }

    #[test]
    fn who_has_gone_is_noticed_and_who_says_something_more_has_not_gone() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let mut far = Counted::new(far, Arc::default());
        assert!(!far.hung_up());
        near.write_all(b"1").unwrap();
        assert!(!far.hung_up());
        far.read_exact(&mut [0]).unwrap();
        drop(near);
        assert!(far.hung_up());
    }

    #[test]
    fn each_end_of_a_conversation_has_its_cause() {
        let stream = |kind| FrameError::Stream(io::Error::from(kind));
        for (why, reading, writing) in [
            (stream(io::ErrorKind::WouldBlock), Cause::Idle, Cause::Stalled),
            (stream(io::ErrorKind::TimedOut), Cause::Idle, Cause::Stalled),
            (
                stream(io::ErrorKind::ConnectionReset),
                Cause::ConnectionLost,
                Cause::ConnectionLost,
            ),
            (
                stream(io::ErrorKind::UnexpectedEof),
                Cause::ConnectionLost,
                Cause::ConnectionLost,
            ),
            (FrameError::Message("no".into()), Cause::Refused, Cause::ConnectionLost),
            (FrameError::NotConfidential, Cause::Refused, Cause::ConnectionLost),
        ] {
            assert_eq!(cause_of_no_request(&why), reading, "{why}");
            assert_eq!(cause_of_no_answer(&io::Error::other(why)), writing);
        }
    }
}
