//! One connection: what has come of its messages, and what has not been taken of their answers. It never waits; its event
//! loop calls it when there is something to do, and each call does a bounded amount.

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
    /// Another turn, to answer what has come.
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
    incoming: Box<[u8]>,
    outgoing: Vec<u8>,
}

impl Desk {
    pub(super) fn new(service: Arc<dyn Service>, inbox: Arc<Inbox>, log: Log) -> Self {
        Self {
            service,
            inbox,
            log,
            incoming: vec![0; READ].into(),
            outgoing: Vec::new(),
        }
    }

    // The answer to a message; whether it comes later, its ticket was taken.
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

    /// Goes on with what it wants, as far as it can without waiting.
    pub(super) fn go_on(&mut self, desk: &mut Desk) {
        match self.wants() {
            Wants::Message | Wants::Rest | Wants::End => self.read(desk),
            Wants::Turn => self.answer_received(desk),
            Wants::Room => {
                let unsent = mem::take(&mut self.unsent);
                self.send(&unsent);
            }
            Wants::Answer | Wants::Nothing => {}
        }
    }

    /// Takes the answer to one of its messages; there may be none. One that comes too late is dropped.
    pub(super) fn answered(&mut self, question: Question, answer: Option<&[u8]>) {
        if !matches!(self.doing, Doing::Answering(asked) if asked == question) {
            return;
        }
        let mut frames = Vec::new();
        if answer.is_some_and(|answer| frame::put(&mut frames, answer)) {
            self.doing = self.listening();
            self.send(&frames);
        } else {
            self.doing = Doing::Closing;
        }
    }

    fn listening(&self) -> Doing {
        Doing::Listening {
            more: !self.received.is_empty(),
        }
    }

    fn read(&mut self, desk: &mut Desk) {
        let mut incoming = mem::take(&mut desk.incoming);
        match self.stream.read(&mut incoming) {
            Ok(octets) if octets > 0 => self.take(incoming.get(..octets).unwrap_or_default(), desk),
            Err(why) if is_passing(&why) => {}
            Ok(_) | Err(_) => self.doing = Doing::Closing,
        }
        desk.incoming = incoming;
    }

    fn take(&mut self, octets: &[u8], desk: &mut Desk) {
        if let Doing::Lingering { left } = self.doing {
            self.doing = match left.checked_sub(octets.len()) {
                Some(left) => Doing::Lingering { left },
                None => Doing::Closing,
            };
        } else if self.received.is_empty() {
            let rest = self.answer(octets, desk);
            self.received.extend_from_slice(rest);
        } else {
            self.received.extend_from_slice(octets);
            self.answer_received(desk);
        }
    }

    fn answer_received(&mut self, desk: &mut Desk) {
        let mut received = mem::take(&mut self.received);
        let left = self.answer(&received, desk).len();
        if left > 0 {
            received.drain(..received.len().saturating_sub(left));
            self.received = received;
        }
    }

    // Answers messages that are whole, in order, and sends the answers. Returns what was left.
    fn answer<'a>(&mut self, octets: &'a [u8], desk: &mut Desk) -> &'a [u8] {
        let mut outgoing = mem::take(&mut desk.outgoing);
        let mut rest = octets;
        self.doing = Doing::Listening { more: true };
        for _ in 0..MESSAGES {
            match frame::first(rest) {
                Frame::Whole(message, behind) => {
                    rest = behind;
                    self.doing = self.answer_one(message, desk, &mut outgoing);
                }
                Frame::Part => self.doing = Doing::Listening { more: false },
                Frame::TooLong => self.doing = self.too_long(desk, &mut outgoing),
            }
            if !matches!(self.doing, Doing::Listening { more: true }) {
                break;
            }
        }
        self.send(&outgoing);
        outgoing.clear();
        desk.outgoing = outgoing;
        match self.doing {
            Doing::Listening { .. } | Doing::Answering(_) => rest,
            Doing::Lingering { .. } | Doing::Closing => &[],
        }
    }

    fn answer_one(&mut self, message: &[u8], desk: &Desk, outgoing: &mut Vec<u8>) -> Doing {
        if !self.place.keep() {
            return Doing::Closing;
        }
        self.messages += 1;
        let question = Question {
            connection: self.name,
            message: self.messages,
        };
        match desk.ask(message, &self.origin, question) {
            Answer::Reply(answer) if frame::put(outgoing, &answer) => Doing::Listening { more: true },
            Answer::Later => Doing::Answering(question),
            Answer::Reply(_) | Answer::Silence => Doing::Closing,
        }
    }

    fn too_long(&mut self, desk: &Desk, outgoing: &mut Vec<u8>) -> Doing {
        match desk.service.too_long(&self.origin) {
            Some(answer) if self.place.keep() && frame::put(outgoing, &answer) => {
                Doing::Lingering { left: MAX_MESSAGE }
            }
            _ => Doing::Closing,
        }
    }

    // Sends what the socket takes, and keeps the rest. What was to follow the last octet follows it.
    fn send(&mut self, frames: &[u8]) {
        if self.unsent.is_empty() {
            let mut left = frames;
            while !left.is_empty() {
                match self.stream.write(left) {
                    Ok(octets) => left = left.get(octets..).unwrap_or_default(),
                    Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                    Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {
                        self.doing = Doing::Closing;
                        return;
                    }
                }
            }
            self.unsent.extend_from_slice(left);
        } else {
            self.unsent.extend_from_slice(frames);
        }
        if self.unsent.is_empty() && matches!(self.doing, Doing::Lingering { .. }) {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

fn is_passing(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
