//! One connection: what has come of its messages, and what has not been taken of their answers. It never waits: its event
//! loop has it receive, answer and send when it can, and each does a bounded amount.

use core::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use tessera_common::wire::MAX_MESSAGE;

use super::connections::Place;
use super::frame::{self, Frame};
use super::inbox::{Inbox, Question, Ticket};
use crate::log::Log;
use crate::net::{Answer, Deferred, Origin, Service, guarded};

/// How many messages of one connection are answered before others have their turn.
const MESSAGES: u32 = 16;
/// How much is read of one connection before others have their turn.
const READ: usize = 64 * 1024;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// A message.
    Message,
    /// The rest of a message that has begun.
    Rest,
    /// Another turn, to answer what has come already.
    Turn,
    /// An answer that is being made elsewhere.
    Answer,
    /// That its client takes what is sent.
    Room,
    /// That its client hangs up.
    End,
    /// Nothing more. It is to be closed.
    Nothing,
}

/// What the connections of an event loop share.
pub(super) struct Desk {
    pub(super) service: Arc<dyn Service>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) log: Log,
    /// Where what comes is put first, whichever connection it is of.
    incoming: Box<[u8]>,
    /// How often something came.
    pub(super) came: u64,
}

impl Desk {
    pub(super) fn new(service: Arc<dyn Service>, inbox: Arc<Inbox>, log: Log) -> Self {
        Self {
            service,
            inbox,
            log,
            incoming: vec![0; READ].into(),
            came: 0,
        }
    }

    fn ask(&self, message: &[u8], origin: &Origin, question: Question) -> Answer {
        let taken = Cell::new(false);
        let later = || {
            taken.set(true);
            let ticket = Ticket::new(&self.inbox, question);
            Deferred::new(move |answer| ticket.answer(answer))
        };
        match guarded(&*self.service, message, origin, &later, &self.log) {
            Answer::Later if !taken.get() => Answer::Silence,
            answer => answer,
        }
    }
}

/// A connection that was accepted.
pub(super) struct Connection {
    name: u64,
    stream: TcpStream,
    origin: Origin,
    place: Place,
    /// Messages so far.
    messages: u64,
    /// What has come and is not answered. What is kept of a message never exceeds twice what has come of it, whatever its
    /// length says, and nothing is kept while the connection is idle.
    received: Vec<u8>,
    unsent: Vec<u8>,
    doing: Doing,
}

#[derive(Clone, Copy)]
enum Doing {
    /// Whether `received` may begin with a whole message.
    Listening {
        more: bool,
    },
    Answering(Question),
    /// All is said. A connection that is closed while octets of the peer's lie unread is reset, and the reset overtakes the
    /// last answer. So what the peer still sends, up to so many octets, is read and thrown away.
    Lingering {
        left: usize,
    },
    Closing,
}

impl Connection {
    pub(super) const fn new(name: u64, stream: TcpStream, origin: Origin, place: Place) -> Self {
        Self {
            name,
            stream,
            origin,
            place,
            messages: 0,
            received: Vec::new(),
            unsent: Vec::new(),
            doing: Doing::Listening { more: false },
        }
    }

    pub(super) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// How many messages have come.
    pub(super) const fn messages(&self) -> u64 {
        self.messages
    }

    pub(super) fn wants(&self) -> Wants {
        if !self.unsent.is_empty() {
            return Wants::Room;
        }
        match self.doing {
            Doing::Listening { more: true } => Wants::Turn,
            Doing::Listening { more: false } if self.received.is_empty() => Wants::Message,
            Doing::Listening { more: false } => Wants::Rest,
            Doing::Answering(_) => Wants::Answer,
            Doing::Lingering { .. } => Wants::End,
            Doing::Closing => Wants::Nothing,
        }
    }

    /// From now on, its place may be taken.
    pub(super) fn wait(&mut self) {
        self.place.wait();
    }

    /// Reads once, if more is to be read now.
    pub(super) fn receive(&mut self, desk: &mut Desk) {
        if !matches!(self.wants(), Wants::Message | Wants::Rest | Wants::End) {
            return;
        }
        match self.stream.read(&mut desk.incoming) {
            Ok(octets) if octets > 0 => {
                desk.came += 1;
                self.take(desk.incoming.get(..octets).unwrap_or_default());
            }
            Err(why) if is_passing(&why) => {}
            Ok(_) | Err(_) => self.doing = Doing::Closing,
        }
    }

    fn take(&mut self, octets: &[u8]) {
        self.doing = match self.doing {
            Doing::Lingering { left } => match left.checked_sub(octets.len()) {
                Some(left) => Doing::Lingering { left },
                None => Doing::Closing,
            },
            _ => {
                self.received.extend_from_slice(octets);
                Doing::Listening { more: true }
            }
        }
    }

    /// Answers messages that are whole, in order, unless its client has former answers to take first.
    pub(super) fn answer(&mut self, desk: &Desk) {
        if self.wants() != Wants::Turn {
            return;
        }
        let received = mem::take(&mut self.received);
        let mut rest = received.as_slice();
        for _ in 0..MESSAGES {
            self.doing = match frame::first(rest) {
                Frame::Whole(message, behind) => {
                    rest = behind;
                    self.answer_one(message, desk)
                }
                Frame::Part => Doing::Listening { more: false },
                Frame::TooLong => self.too_long(desk),
            };
            if !matches!(self.doing, Doing::Listening { more: true }) {
                break;
            }
        }
        if rest.len() == received.len() {
            self.received = received;
        } else {
            self.received = rest.to_vec();
        }
    }

    fn answer_one(&mut self, message: &[u8], desk: &Desk) -> Doing {
        if !self.place.keep() {
            return Doing::Closing;
        }
        self.messages += 1;
        let question = Question {
            connection: self.name,
            message: self.messages,
        };
        match desk.ask(message, &self.origin, question) {
            Answer::Reply(answer) if frame::put(&mut self.unsent, &answer) => Doing::Listening { more: true },
            Answer::Later => Doing::Answering(question),
            Answer::Reply(_) | Answer::Silence => Doing::Closing,
        }
    }

    fn too_long(&mut self, desk: &Desk) -> Doing {
        match desk.service.too_long(&self.origin) {
            Some(answer) if self.place.keep() && frame::put(&mut self.unsent, &answer) => {
                Doing::Lingering { left: MAX_MESSAGE }
            }
            _ => Doing::Closing,
        }
    }

    /// Takes the answer to one of its messages; there may be none. One that comes too late is dropped.
    pub(super) fn answered(&mut self, question: Question, answer: Option<&[u8]>) {
        if !matches!(self.doing, Doing::Answering(asked) if asked == question) {
            return;
        }
        self.doing = match answer {
            Some(answer) if frame::put(&mut self.unsent, answer) => Doing::Listening {
                more: !self.received.is_empty(),
            },
            _ => Doing::Closing,
        };
    }

    /// Sends of the answers what the socket takes.
    pub(super) fn send(&mut self) {
        if self.unsent.is_empty() {
            return;
        }
        let mut sent = 0;
        while let Some(left @ [_, ..]) = self.unsent.get(sent..) {
            match self.stream.write(left) {
                Ok(octets) => sent += octets,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent.drain(..sent);
                    return;
                }
                Err(_) => {
                    self.doing = Doing::Closing;
                    break;
                }
            }
        }
        self.unsent = Vec::new();
        if matches!(self.doing, Doing::Lingering { .. }) {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

fn is_passing(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
