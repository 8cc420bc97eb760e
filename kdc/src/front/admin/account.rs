//! What happened, as administrators ask for it. It is read on the thread of whoever asks and sent as it is read, so that nobody
//! else waits for it, and only a few events are in memory at once.

use core::cell::RefCell;
use core::ops::ControlFlow;
use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use tessera_common::accounting::{EventKind, EventRecord, EventTime};
use tessera_common::admin::{
    Act, EventLine, EventQuery, MAX_BATCH, Moment, Reason, Response, SessionInfo, Usage, WhichSessions,
};
use tessera_common::time::Timestamp;

use super::caller::Caller;
use super::conversation::AdminFront;
use super::execute::{Executor, Refused};
use super::eyes::{Eyes, Meant};
use super::listener::Listener;
use super::places::{Place, Places};
use crate::accounting::{Cause, EventFilter, Found, MOST_OPEN, OpenSession, Progress, Reader, Start, UsageCount};
use crate::clock;
use crate::realm::principal::PrincipalId;

/// How many may follow what happens over the socket.
const MOST_LOCAL: usize = 16;
/// How many may from afar.
const MOST_REMOTE: usize = 16;
/// Of these, how many that are one principal.
const MOST_REMOTE_OF_ONE_PRINCIPAL: usize = 4;
/// How many octets of events are in one message, and one more event.
const BATCH_OCTETS: usize = 1 << 20;
/// How long it is waited for what is on its way into the log. A disk that takes longer holds nobody up who asks.
const ON_ITS_WAY: Duration = Duration::from_secs(1);
/// How often it is looked whether whoever follows is there still, and may go on.
const LOOK: Duration = Duration::from_millis(250);
/// After how long without an event whoever follows is told that the daemon is there.
const QUIET: Duration = Duration::from_secs(15);

/// Who follows what happens.
#[derive(Default)]
pub struct Followers {
    local: Places<(), MOST_LOCAL, MOST_LOCAL>,
    remote: Places<PrincipalId, MOST_REMOTE, MOST_REMOTE_OF_ONE_PRINCIPAL>,
}

/// A place among those who follow.
enum Following {
    Local(#[allow(dead_code, reason = "it is given back when dropped")] Place<()>),
    Remote(#[allow(dead_code, reason = "it is given back when dropped")] Place<PrincipalId>),
}

/// Which events are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedEvents<'q> {
    pub(super) query: &'q EventQuery,
    pub(super) last: Option<u64>,
    pub(super) follow: bool,
}

/// Why no more events are told.
enum End {
    /// Whoever listened does not any more.
    Unheard(io::Error),
    /// Whoever asked may not be told more, or the log cannot be read.
    Refused(Refused),
}

/// Whether whoever asked may still be told: asked before each message.
type StillMay<'a> = dyn FnMut() -> Result<Caller, Refused> + 'a;

impl Followers {
    /// Returns when nobody follows.
    pub async fn have_gone(&self) {
        while !(self.local.are_free() && self.remote.are_free()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn take(&self, who: &Caller) -> Option<Following> {
        match who {
            Caller::Local { .. } => self.local.take(()).map(Following::Local),
            Caller::Remote { id, .. } => self.remote.take(*id).map(Following::Remote),
        }
    }
}

impl AdminFront {
    /// Tells events, and goes on with those that happen if that is asked for.
    pub(super) fn events(
        &self,
        asked: AskedEvents<'_>,
        who: &Caller,
        still_may: &mut StillMay<'_>,
        listener: &mut dyn Listener,
    ) -> io::Result<Option<&'static str>> {
        let (filter, reader, _place) = match self.admit_events(asked, who) {
            Ok(admitted) => admitted,
            Err(refused) => return told(refused, listener),
        };
        let told_so_far = self.tell_events(&reader, (&filter, asked.last), who, still_may, listener);
        let done = told_so_far.and_then(|progress| {
            if asked.follow {
                self.follow(&reader, &filter, progress.through, still_may, listener)
            } else {
                complete(&progress).map_err(End::Refused)
            }
        });
        match done {
            // Somebody who follows has hung up, and was told all.
            Ok(()) if asked.follow => {
                listener.goes_on();
                Ok(None)
            }
            Ok(()) => listener.tell(&Response::Done).map(|()| None),
            Err(End::Unheard(why)) => Err(why),
            Err(End::Refused(refused)) => told(refused, listener),
        }
    }

    fn admit_events(
        &self,
        asked: AskedEvents<'_>,
        who: &Caller,
    ) -> Result<(EventFilter, Reader, Option<Following>), Refused> {
        let filter = self.executing(who, Act::Events, |executor| {
            executor.admit()?;
            executor.filter(asked.query)
        })?;
        let reader = self.reader()?;
        let place = match asked.follow {
            true => Some(self.followers.take(who).ok_or_else(|| {
                let message = "too many administrators follow what happens already; try again later";
                Refused::new(Reason::Unavailable, message)
            })?),
            false => None,
        };
        Ok((filter, reader, place))
    }

    fn tell_events(
        &self,
        reader: &Reader,
        (filter, last): (&EventFilter, Option<u64>),
        who: &Caller,
        still_may: &mut StillMay<'_>,
        listener: &mut dyn Listener,
    ) -> Result<Progress, End> {
        self.executing(who, Act::Events, |executor| {
            let eyes = Eyes::new(executor);
            let last = last.map(|last| usize::try_from(last).unwrap_or(usize::MAX));
            let (start, skip) = match last {
                None => (Start::Oldest, 0),
                Some(last) => where_last_begin(reader, filter, last, &eyes).map_err(End::Refused)?,
            };
            Telling::new(eyes, still_may, &RefCell::new(listener), skip).read(reader, filter, start)
        })
    }

    fn follow(
        &self,
        reader: &Reader,
        filter: &EventFilter,
        mut through: u64,
        still_may: &mut StillMay<'_>,
        listener: &mut dyn Listener,
    ) -> Result<(), End> {
        let mut heard = instant();
        loop {
            if self.sessions.are_stopping() {
                let message = "the daemon is stopping";
                return Err(End::Refused(Refused::new(Reason::Unavailable, message)));
            }
            let who = still_may().map_err(End::Refused)?;
            if reader.wait_beyond(through, LOOK) > through {
                let before = listener.messages();
                let progress = self.executing(&who, Act::Events, |executor| {
                    // A right that was taken away counts at once.
                    executor.admit().map_err(End::Refused)?;
                    Telling::new(Eyes::new(executor), still_may, &RefCell::new(&mut *listener), 0).read(
                        reader,
                        filter,
                        Start::After(through),
                    )
                })?;
                through = through.max(progress.through);
                if listener.messages() > before {
                    heard = instant();
                }
            }
            if listener.has_gone() {
                return Ok(());
            }
            if heard.elapsed() >= QUIET {
                listener.tell(&Response::Events(Vec::new())).map_err(End::Unheard)?;
                heard = instant();
            }
        }
    }

    /// Tells sessions.
    pub(super) fn sessions_of(
        &self,
        executor: &Executor<'_>,
        name: Option<&str>,
        which: WhichSessions,
        listener: &mut dyn Listener,
    ) -> io::Result<Option<&'static str>> {
        let whose = match name.map(|name| executor.whose(name)).transpose() {
            Ok(whose) => whose.map(|meant| meant.whose),
            Err(refused) => return told(refused, listener),
        };
        let filter = EventFilter {
            principals: whose.into_iter().collect(),
            ..EventFilter::default()
        };
        let done = match which {
            WhichSessions::Open => {
                for some in self.open_sessions(executor, &filter).chunks(MAX_BATCH) {
                    listener.tell(&Response::Sessions(some.to_vec()))?;
                }
                Ok(())
            }
            WhichSessions::Ended { since } => {
                let since = since.map(|since| since.resolve(clock::now()));
                match self.reader() {
                    Ok(reader) => {
                        ended_sessions(&reader, EventFilter { since, ..filter }, Eyes::new(executor), listener)?
                    }
                    Err(refused) => Err(refused),
                }
            }
        };
        match done {
            Ok(()) => listener.tell(&Response::Done).map(|()| None),
            Err(refused) => told(refused, listener),
        }
    }

    fn open_sessions(&self, executor: &Executor<'_>, filter: &EventFilter) -> Vec<SessionInfo> {
        let mut eyes = Eyes::new(executor);
        let all = self.sessions.all().into_iter();
        all.filter_map(|OpenSession { start, now }| {
            let event = now.record();
            let wanted = filter.matches(&event) && eyes.see(&event);
            wanted.then(|| info(event, Some(EventTime(start))))
        })
        .collect()
    }

    /// Tells what one principal did.
    pub(super) fn usage(
        &self,
        executor: &Executor<'_>,
        name: &str,
        span: (Option<Moment>, Option<Moment>),
        listener: &mut dyn Listener,
    ) -> io::Result<Option<&'static str>> {
        let listener = RefCell::new(listener);
        let listens = || !listener.borrow_mut().has_gone();
        let usage = self.usage_of(executor, name, span, &listens);
        let listener = listener.into_inner();
        match usage {
            // Not all of it was looked at.
            Ok(_) if listener.has_gone() => Err(io::ErrorKind::ConnectionAborted.into()),
            Ok(usage) => listener.tell(&Response::Usage(Box::new(usage))).map(|()| None),
            Err(refused) => told(refused, listener),
        }
    }

    fn usage_of(
        &self,
        executor: &Executor<'_>,
        name: &str,
        (since, until): (Option<Moment>, Option<Moment>),
        listens: &dyn Fn() -> bool,
    ) -> Result<Usage, Refused> {
        let Meant { whose, called } = executor.whose(name)?;
        let now = clock::now();
        let [since, until] = [since, until].map(|moment| moment.map(|moment| moment.resolve(now)));
        let mut count = UsageCount::of(
            &whose,
            Usage {
                principal: called,
                id: whose.id.clone(),
                since,
                until,
                ..Usage::default()
            },
        );
        let filter = EventFilter {
            principals: vec![whose],
            since,
            until,
            ..EventFilter::default()
        };
        let reader = self.reader()?;
        let progress = reader.read_while(&filter, Start::Oldest, listens, &mut |found| {
            count.count(found.event);
            ControlFlow::Continue(())
        });
        complete(&progress.map_err(|why| unreadable(&why))?)?;
        Ok(count.finish())
    }

    fn reader(&self) -> Result<Reader, Refused> {
        self.accounting.settled(ON_ITS_WAY).cloned().ok_or_else(|| {
            let message = "this daemon keeps no event log, [accounting] enabled is false; nobody knows what happened";
            Refused::new(Reason::Unavailable, message)
        })
    }
}

impl Executor<'_> {
    /// A query with its names looked up and its times as they are now.
    fn filter(&self, query: &EventQuery) -> Result<EventFilter, Refused> {
        let EventQuery {
            names,
            networks,
            kinds,
            results,
            reasons,
            since,
            until,
        } = query;
        let conditions = names.len() + networks.len() + kinds.len() + results.len() + reasons.len();
        if conditions > MAX_BATCH {
            return Err(Refused::invalid(format!("at most {MAX_BATCH} conditions at a time")));
        }
        let now = clock::now();
        Ok(EventFilter {
            principals: names
                .iter()
                .map(|name| self.whose(name).map(|meant| meant.whose))
                .collect::<Result<_, _>>()?,
            networks: networks.clone(),
            kinds: kinds.clone(),
            results: results.clone(),
            reasons: reasons.clone(),
            since: since.map(|since| since.resolve(now)),
            until: until.map(|until| until.resolve(now)),
        })
    }
}

/// Events on their way from the log to whoever asked.
struct Telling<'t, 's, 'a, 'e> {
    eyes: Eyes<'a, 'e>,
    still_may: &'t mut StillMay<'s>,
    listener: &'t RefCell<&'t mut dyn Listener>,
    /// How many are left out that could be seen.
    skip: usize,
    lines: Vec<EventLine>,
    octets: usize,
    end: Option<End>,
}

impl<'t, 's, 'a, 'e> Telling<'t, 's, 'a, 'e> {
    const fn new(
        eyes: Eyes<'a, 'e>,
        still_may: &'t mut StillMay<'s>,
        listener: &'t RefCell<&'t mut dyn Listener>,
        skip: usize,
    ) -> Self {
        Self {
            eyes,
            still_may,
            listener,
            skip,
            lines: Vec::new(),
            octets: 0,
            end: None,
        }
    }

    fn read(mut self, reader: &Reader, filter: &EventFilter, start: Start) -> Result<Progress, End> {
        let listener = self.listener;
        // Who has gone is not read for, even where nothing is found to be told.
        let listens = || !listener.borrow_mut().has_gone();
        let read = reader.read_while(filter, start, &listens, &mut |found| self.take(found));
        if self.end.is_none() {
            self.send();
        }
        match self.end {
            Some(end) => Err(end),
            None => read.map_err(|why| End::Refused(unreadable(&why))),
        }
    }

    fn take(&mut self, Found { raw, event }: Found<'_>) -> ControlFlow<()> {
        if !self.eyes.see(event) {
            return ControlFlow::Continue(());
        }
        if let Some(left) = self.skip.checked_sub(1) {
            self.skip = left;
            return ControlFlow::Continue(());
        }
        self.octets += raw.len();
        self.lines.push(EventLine(raw.to_owned()));
        if self.lines.len() == MAX_BATCH || self.octets >= BATCH_OCTETS {
            self.send();
        }
        match self.end {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        }
    }

    fn send(&mut self) {
        self.octets = 0;
        let lines = core::mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        let sent = match (self.still_may)() {
            Ok(_) => {
                let events = Response::Events(lines);
                self.listener.borrow_mut().tell(&events).map_err(End::Unheard)
            }
            Err(refused) => Err(End::Refused(refused)),
        };
        self.end = sent.err();
    }
}

// Where so many begin that can be seen, and how many that can be seen come before them there. Who sees all sees what the log
// finds; for others it has to look further back.
fn where_last_begin(
    reader: &Reader,
    filter: &EventFilter,
    last: usize,
    eyes: &Eyes<'_, '_>,
) -> Result<(Start, usize), Refused> {
    if eyes.see_all() {
        return Ok((Start::Last(last), 0));
    }
    let mut eyes = eyes.clone();
    let mut back = last;
    loop {
        let (mut matching, mut seen, mut first) = (0usize, 0usize, None);
        let read = reader.read(filter, Start::Last(back), &mut |found| {
            first = first.or(Some(found.event.seq));
            matching += 1;
            seen += usize::from(eyes.see(found.event));
            ControlFlow::Continue(())
        });
        read.map_err(|why| unreadable(&why))?;
        if seen >= last || matching < back {
            // What is written in the meantime comes behind.
            let start = first.map_or(Start::Last(0), |first| Start::After(first.saturating_sub(1)));
            return Ok((start, seen.saturating_sub(last)));
        }
        back = back.saturating_mul(4);
    }
}

fn ended_sessions(
    reader: &Reader,
    filter: EventFilter,
    mut eyes: Eyes<'_, '_>,
    listener: &mut dyn Listener,
) -> io::Result<Result<(), Refused>> {
    let filter = EventFilter {
        kinds: vec![EventKind::SessionStart, EventKind::SessionStop],
        ..filter
    };
    let mut starts: HashMap<String, EventTime> = HashMap::new();
    let mut batch = Vec::new();
    let mut unheard = None;
    let listener = RefCell::new(listener);
    let listens = || !listener.borrow_mut().has_gone();
    let read = reader.read_while(&filter, Start::Oldest, &listens, &mut |Found { event, .. }| {
        let session = event.session.clone().unwrap_or_default();
        if event.kind == EventKind::SessionStart {
            if starts.len() < MOST_OPEN {
                starts.insert(session, event.time);
            }
            return ControlFlow::Continue(());
        }
        let start = starts.remove(&session);
        if eyes.see(event) {
            batch.push(info(event.clone(), start.or_else(|| start_of(event))));
        }
        if batch.len() == MAX_BATCH {
            let some = core::mem::take(&mut batch);
            if let Err(why) = listener.borrow_mut().tell(&Response::Sessions(some)) {
                unheard = Some(why);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    if let Some(why) = unheard {
        return Err(why);
    }
    let listener = listener.into_inner();
    if listener.has_gone() {
        // Not all of it was looked at.
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    if !batch.is_empty() {
        listener.tell(&Response::Sessions(batch))?;
    }
    Ok(read
        .map_err(|why| unreadable(&why))
        .and_then(|progress| complete(&progress)))
}

// When a session began whose stop alone is there; `None`, its stop was told later than it was.
fn start_of(stop: &EventRecord) -> Option<EventTime> {
    let span = Duration::from_millis(stop.duration_ms?);
    let EventTime(Timestamp { time, usec }) = stop.time;
    let known = stop.cause.as_deref() != Some(Cause::DaemonLost.name());
    let (seconds, micros) = (Duration::from_secs(span.as_secs()), span.subsec_micros());
    let start = match usec.checked_sub(micros) {
        Some(usec) => Timestamp::new(time.minus(seconds), usec),
        None => Timestamp::new(time.minus(seconds + Duration::from_secs(1)), usec + 1_000_000 - micros),
    };
    known.then_some(EventTime(start))
}

/// Says that something is refused. Gives a name for the log that says more of it, where there is one.
fn told(refused: Refused, listener: &mut dyn Listener) -> io::Result<Option<&'static str>> {
    let detail = refused.detail;
    listener.tell(&refused.into()).map(|()| detail)
}

fn complete(progress: &Progress) -> Result<(), Refused> {
    if progress.damage.is_empty() {
        return Ok(());
    }
    let message = format!("there is more that cannot be read: {}", progress.damage.join("; "));
    Err(Refused::new(Reason::Unavailable, message))
}

fn unreadable(why: &impl ToString) -> Refused {
    Refused::new(Reason::Unavailable, why.to_string())
}

/// A session as an event tells it that is about it.
fn info(event: EventRecord, start: Option<EventTime>) -> SessionInfo {
    SessionInfo {
        session: event.session.unwrap_or_default(),
        client: event.client,
        client_id: event.client_id,
        peer: event.peer.map(|peer| peer.to_string()),
        via: event.via,
        service: event.service,
        start,
        duration_ms: event.duration_ms.unwrap_or_default(),
        octets_in: event.octets_in.unwrap_or_default(),
        octets_out: event.octets_out.unwrap_or_default(),
        requests: event.requests.unwrap_or_default(),
        end: event.cause.is_some().then_some(event.time),
        cause: event.cause,
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "whoever follows is told in time that the daemon is there"
)]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::rights_tests::{populated, sits};
    use super::super::tests::Desk;
    use super::*;
    use crate::store::{Memory, Store as _};

    /// Somebody who hears so many messages and no more.
    struct Hears {
        left: usize,
        told: Vec<Response>,
        gone: bool,
    }

    impl Listener for Hears {
        fn tell(&mut self, response: &Response) -> io::Result<()> {
            self.left = self.left.checked_sub(1).ok_or(io::ErrorKind::TimedOut)?;
            self.told.push(response.clone());
            Ok(())
        }

        fn has_gone(&mut self) -> bool {
            self.gone
        }

        fn messages(&self) -> usize {
            self.told.len()
        }

        fn goes_on(&mut self) {}
    }

    /// A log in which dave and alice/student come in turn.
    fn written(desk: &Desk<Memory>, count: usize) -> (TempDir, Reader) {
        let view = desk.store.view();
        let id = |name: &str| view.find(&name.parse().unwrap()).unwrap().id;
        let ids = [id("alice/student"), id("dave")];
        let lines = (1..=count).map(|seq| {
            let client = ids[seq % 2];
            format!(
                "{{\"seq\":{seq},\"time\":\"2026-11-23T08:15:00.{seq:06}Z\",\"kind\":\"as\",\"client-id\":\"{client}\"}}\n"
            )
        });
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("current.jsonl"), lines.collect::<String>()).unwrap();
        let reader = Reader::open(directory.path());
        (directory, reader)
    }

    fn tell(desk: &mut Desk<Memory>, reader: &Reader, last: Option<usize>, hears: &mut Hears) -> Result<Progress, End> {
        let filter = EventFilter::default();
        let mut still_may = || {
            Ok(Caller::Local {
                uid: nix::unistd::Uid::effective(),
            })
        };
        desk.executing(Act::Events, |executor| {
            let eyes = Eyes::new(executor);
            let (start, skip) = match last {
                None => (Start::Oldest, 0),
                Some(last) => where_last_begin(reader, &filter, last, &eyes).map_err(End::Refused)?,
            };
            Telling::new(eyes, &mut still_may, &RefCell::new(hears), skip).read(reader, &filter, start)
        })
    }

    fn hears(left: usize) -> Hears {
        Hears {
            left,
            told: Vec::new(),
            gone: false,
        }
    }

    fn told(hears: &Hears) -> Vec<u64> {
        let lines = hears.told.iter().flat_map(|response| match response {
            Response::Events(lines) => lines.clone(),
            other => panic!("{other:?}"),
        });
        lines
            .map(|line| serde_json::from_str::<EventRecord>(&line.0).unwrap().seq)
            .collect()
    }

    #[test]
    fn the_last_ones_are_the_last_that_can_be_seen() {
        let mut desk = populated();
        let (_directory, reader) = written(&desk, 101);
        for (who, last, seqs) in [
            ("audit-admin", 3, vec![99, 100, 101]),
            ("audit-admin", 0, vec![]),
            ("audit-admin", 1000, (1..=101).collect()),
            // Of alice are the even ones.
            ("school-admin", 3, vec![96, 98, 100]),
            ("school-admin", 1, vec![100]),
            ("school-admin", 0, vec![]),
            ("school-admin", 1000, (1..=50).map(|n| 2 * n).collect()),
            ("plain-admin", 3, vec![]),
        ] {
            sits(&mut desk, who);
            let mut hears = hears(usize::MAX);
            let progress = tell(&mut desk, &reader, Some(last), &mut hears);
            assert!(progress.is_ok());
            assert_eq!(told(&hears), seqs, "{who} {last}");
        }
    }

    #[test]
    fn a_session_whose_stop_alone_is_there_began_as_long_before_as_it_lasted() {
        let stop = |duration: u64, cause: &str| -> EventRecord {
            let text = format!(
                r#"{{"seq":1,"time":"2026-11-23T08:15:00.250000Z","kind":"session-stop","duration-ms":{duration},"cause":"{cause}"}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        for (duration, start) in [
            (0, "2026-11-23T08:15:00.250000Z"),
            (250, "2026-11-23T08:15:00.000000Z"),
            (251, "2026-11-23T08:14:59.999000Z"),
            (61_500, "2026-11-23T08:13:58.750000Z"),
        ] {
            let told = start_of(&stop(duration, "idle")).unwrap();
            assert_eq!(told.to_string(), start, "{duration}");
        }
        assert_eq!(start_of(&stop(5, "daemon-lost")), None);
    }

    #[test]
    fn for_whoever_has_gone_no_sessions_are_looked_for_to_the_end() {
        let mut desk = populated();
        let directory = tempfile::tempdir().unwrap();
        let stop = r#"{"seq":1,"time":"2026-11-23T08:15:00.000000Z","kind":"session-stop","session":"a"}"#;
        std::fs::write(directory.path().join("current.jsonl"), format!("{stop}\n")).unwrap();
        let reader = Reader::open(directory.path());
        for gone in [false, true] {
            let mut hears = Hears {
                gone,
                ..hears(usize::MAX)
            };
            let filter = EventFilter::default();
            let ended = desk.executing(Act::Sessions, |executor| {
                ended_sessions(&reader, filter, Eyes::new(executor), &mut hears)
            });
            assert_eq!((ended.is_err(), hears.told.is_empty()), (gone, gone));
        }
    }

    #[test]
    fn an_answer_comes_in_messages_that_are_bounded_and_ends_when_nobody_takes_them() {
        let mut desk = populated();
        let (_directory, reader) = written(&desk, 2500);
        let mut all = hears(usize::MAX);
        assert!(tell(&mut desk, &reader, None, &mut all).is_ok_and(|progress| progress.through == 2500));
        assert_eq!((all.told.len(), told(&all).len()), (3, 2500));
        let mut some = hears(1);
        let end = tell(&mut desk, &reader, None, &mut some);
        assert!(matches!(end, Err(End::Unheard(why)) if why.kind() == io::ErrorKind::TimedOut));
        assert_eq!(told(&some).len(), MAX_BATCH);
    }
}
