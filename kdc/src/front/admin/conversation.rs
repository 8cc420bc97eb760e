//! A conversation with an administrator, whichever way it came: greetings, and requests that are answered in turn.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tessera_common::accounting::EventResult;
use tessera_common::admin::{
    self, Act, Dialogue, FrameError, Hello, PROTOCOL, Reason, Request, Response, Welcome, read_frame, write_frame,
};

use super::account::{AskedEvents, Followers};
use super::caller::Caller;
use super::execute::{Executor, Refused};
use super::line::{Line, cause_of_no_answer, cause_of_no_request, has_timed_out};
use super::listener::{AtLine, Listener};
use super::remote::Connected;
use super::rights::Permits;
use super::told::{Told, describe, for_log, reason};
use crate::accounting::{Accounting, Cause, Counts, Opening, Sessions};
use crate::clock;
use crate::front::workers::Workers;
use crate::kerberos::Kdc;
use crate::random::ThreadRandom;
use crate::store::{Author, Store};

/// How long one may take until the next request is there.
pub(super) const IDLE: Duration = Duration::from_secs(600);
/// How long one may take to take in one message.
pub(super) const TAKE_IN: Duration = Duration::from_secs(60);

/// Applies a changed realm.toml: notes for the operator, or what is wrong with it.
pub type Reload = dyn Fn() -> Result<Vec<String>, String> + Send + Sync;

/// Changes the master key: sentences for the operator, or why it was not changed. It is given what to tell how many
/// principals are done, of how many.
pub type RotateMasterKey = dyn Fn(&mut dyn FnMut(usize, usize)) -> Result<Vec<String>, String> + Send + Sync;

/// Carries out what administrators ask for.
pub struct AdminFront {
    /// The settings in force are the KDC's.
    pub kdc: Arc<ArcSwap<Kdc>>,
    /// The principals.
    pub store: Arc<dyn Store>,
    /// Where keys are made from passwords.
    pub workers: Arc<Workers>,
    /// What `principal reload` does.
    pub reload: Box<Reload>,
    /// What `kdc rotate-master-key` does.
    pub rotate_master_key: Box<RotateMasterKey>,
    /// Who is told what happened.
    pub accounting: Accounting,
    /// What administrators' sessions are among.
    pub sessions: Sessions,
    /// Who wants to be told what happens, as it does.
    pub followers: Followers,
    /// Who is connected over a network.
    pub connected: Connected,
}

/// A conversation is over, and all is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// What was waited for did not come in time.
    TooSlow,
    /// For any other reason.
    Otherwise,
}

impl AdminFront {
    /// A conversation with somebody who is welcome, which `counts` counts: from here to its end it is a session.
    pub(super) fn in_session(
        &self,
        opening: Opening,
        counts: Arc<Counts>,
        line: &mut impl Line,
        caller: &mut dyn FnMut() -> Result<Caller, Refused>,
    ) {
        let from = opening
            .peer
            .map_or_else(|| admin::SOCKET.to_owned(), |peer| peer.to_string());
        match self.sessions.open(opening, Arc::clone(&counts)) {
            Ok(session) => session.end(self.converse(line, &from, &counts, caller)),
            Err(why) => {
                self.turn_away(line, &from, Refused::new(Reason::Unavailable, why.to_string()));
            }
        }
    }

    /// The last word to somebody `from` somewhere who may not begin, or not go on.
    pub(super) fn turn_away(&self, stream: &mut impl Dialogue, from: &str, refused: Refused) -> TurnedAway {
        self.accounting.log().warn(format_args!(
            "an administrator from {from} was refused: {}",
            for_log(&refused.message)
        ));
        let _ = write_frame(stream, &Response::from(refused));
        TurnedAway::Otherwise
    }

    /// The end of a conversation that cannot be gone on with. Whoever broke the seal, or is not there any more, is told nothing.
    fn end(&self, stream: &mut impl Dialogue, from: &str, why: &FrameError) -> TurnedAway {
        let refused = Refused::invalid(why.to_string());
        if let FrameError::Message(_) | FrameError::TooLong { .. } = why {
            return self.turn_away(stream, from, refused);
        }
        self.accounting.log().warn(format_args!(
            "the conversation with an administrator from {from} is ended: {}",
            refused.message
        ));
        match has_timed_out(why) {
            true => TurnedAway::TooSlow,
            false => TurnedAway::Otherwise,
        }
    }

    /// Exchanges greetings with somebody who is `admitted`, or not. The greeting is read first: an end with something unread
    /// would take the refusal with it.
    pub(super) fn welcome<T>(
        &self,
        stream: &mut impl Dialogue,
        from: &str,
        admitted: Result<T, Refused>,
    ) -> Result<T, TurnedAway> {
        let hello: Hello = match read_frame(stream) {
            Ok(Some(hello)) => hello,
            Ok(None) => return Err(self.turn_away(stream, from, Refused::invalid("it hung up at once"))),
            Err(why) => return Err(self.end(stream, from, &why)),
        };
        let admitted = admitted.map_err(|refused| self.turn_away(stream, from, refused))?;
        if hello.protocol != PROTOCOL {
            let other = format!(
                "{} speaks version {} of the administration protocol, this daemon version {PROTOCOL}; use the principal \
                 that came with it",
                hello.program, hello.protocol
            );
            return Err(self.turn_away(stream, from, Refused::invalid(other)));
        }
        let welcome = Welcome {
            protocol: PROTOCOL,
            program: concat!("kdc ", env!("CARGO_PKG_VERSION")).into(),
            realm: self.kdc.load().settings().name.as_str().to_owned(),
        };
        match write_frame(stream, &welcome) {
            Ok(()) => Ok(admitted),
            Err(why) => Err(self.end(stream, from, &why)),
        }
    }

    /// Answers requests, one after the other, until there are no more or `caller`, which is asked before each, says that
    /// whoever asks may not go on. Gives why it ended.
    pub(super) fn converse(
        &self,
        line: &mut impl Line,
        from: &str,
        counts: &Counts,
        caller: &mut dyn FnMut() -> Result<Caller, Refused>,
    ) -> Cause {
        loop {
            let request = match read_frame::<Request>(line) {
                Ok(Some(request)) => request,
                Ok(None) => return Cause::ClientClosed,
                Err(why) => {
                    self.end(line, from, &why);
                    return cause_of_no_request(&why);
                }
            };
            counts.asked();
            let asks = match caller() {
                Ok(asks) => asks,
                Err(refused) => {
                    self.turn_away(line, from, refused);
                    return Cause::LostRight;
                }
            };
            if let Err(why) = self.answer(request, &asks, line, caller) {
                return cause_of_no_answer(&why);
            }
        }
    }

    fn answer(
        &self,
        request: Request,
        asks: &Caller,
        line: &mut impl Line,
        caller: &mut dyn FnMut() -> Result<Caller, Refused>,
    ) -> io::Result<()> {
        let described = describe(&request);
        let what = for_log(&described.line());
        let when = clock::now();
        let author = asks.author(when.time);
        let realm = self.kdc.load().settings().name.clone();
        let events = Told::new(&request, &self.store.view(), &realm);
        let mut listener = AtLine::new(line);
        let answered = match request {
            Request::Events { query, last, follow } => {
                let asked = AskedEvents {
                    query: &query,
                    last,
                    follow,
                };
                self.events(asked, asks, caller, &mut listener)
            }
            request => self.carry_out(request, asks, &mut listener),
        };
        // What was done is done, whether anybody was left to hear of it or not.
        let outcome = match listener.outcome() {
            Some(Ok(())) => (EventResult::Done, None, None),
            Some(Err(refused)) => {
                let named = answered.as_ref().ok().copied().flatten();
                let reason = named.unwrap_or_else(|| reason(refused.reason));
                (EventResult::Refused, Some(reason), Some(for_log(&refused.message)))
            }
            None => (EventResult::Interrupted, None, None),
        };
        let unheard = if answered.is_err() { " answered=no" } else { "" };
        let why = match &outcome {
            (_, Some(reason), message) => {
                format!(" reason={reason} detail={:?}", message.as_deref().unwrap_or_default())
            }
            _ => String::new(),
        };
        let Author { who, from, factors, .. } = &author;
        let (from, factors) = (
            from.as_deref().unwrap_or_default(),
            factors.as_deref().unwrap_or_default(),
        );
        self.accounting.log().info(format_args!(
            "admin by={who:?} from={from} factors={factors} {what} result={}{why}{unheard}",
            outcome.0.name()
        ));
        for event in events.events(
            (asks, &author),
            (&described, when),
            outcome,
            (&self.store.view(), &realm),
        ) {
            self.accounting.administered(&event);
        }
        answered.map(drop)
    }

    // A name for the log that says more of a refusal than its reason does, where there is one.
    fn carry_out(
        &self,
        request: Request,
        asks: &Caller,
        listener: &mut dyn Listener,
    ) -> io::Result<Option<&'static str>> {
        self.executing(asks, request.act(), |executor| {
            self.execute(executor, request, listener)
        })
    }

    /// Does something as whoever asks, by its right to an act.
    pub(super) fn executing<T>(&self, asks: &Caller, act: Act, run: impl FnOnce(&mut Executor<'_>) -> T) -> T {
        let kdc = self.kdc.load_full();
        run(&mut Executor {
            store: &*self.store,
            settings: Arc::clone(kdc.settings()),
            workers: &self.workers,
            lockout: kdc.lockout(),
            author: asks.author(clock::now().time),
            permits: Permits::to(asks.rights(), act),
            random: &mut ThreadRandom,
        })
    }

    fn execute(
        &self,
        executor: &mut Executor<'_>,
        request: Request,
        listener: &mut dyn Listener,
    ) -> io::Result<Option<&'static str>> {
        match (executor.admit(), request) {
            (Err(refused), _) => listener.tell(&refused.into())?,
            (Ok(()), Request::Reload) => listener.tell(&self.reload())?,
            (Ok(()), Request::RotateMasterKey) => self.rotate_master_key(&mut |response| listener.tell(response))?,
            (Ok(()), Request::Sessions { name, which }) => {
                return self.sessions_of(executor, name.as_deref(), which, listener);
            }
            (Ok(()), Request::Usage { name, since, until }) => {
                return self.usage(executor, &name, (since, until), listener);
            }
            (Ok(()), request) => {
                let done = executor.run(request, &mut |response| listener.tell(response))?;
                return Ok(done.err().and_then(|refused| refused.detail));
            }
        }
        Ok(None)
    }

    // Begun, it is carried to its end, whether anybody goes on listening or not.
    fn rotate_master_key(&self, send: &mut dyn FnMut(&Response) -> io::Result<()>) -> io::Result<()> {
        let changed = (self.rotate_master_key)(&mut |done, total| {
            let _ = send(&Response::Progress { done, total });
        });
        match changed {
            Ok(notes) => send(&Response::MasterKey { notes }),
            Err(message) => send(&Refused::new(Reason::Unavailable, message).into()),
        }
    }

    fn reload(&self) -> Response {
        match (self.reload)() {
            Ok(notes) => Response::Reloaded { notes },
            Err(message) => Refused::invalid(message).into(),
        }
    }
}
