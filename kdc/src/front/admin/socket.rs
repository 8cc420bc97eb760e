use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Uid;
use tessera_common::accounting::EventResult;
use tessera_common::admin::{
    self, Act, ApplyMode, Dialogue, FrameError, Hello, PROTOCOL, Reason, Request, Response, Rest, Welcome, read_frame,
    write_frame,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use super::account::{AskedEvents, Followers};
use super::caller::Caller;
use super::execute::{Executor, Refused};
use super::line::{Counted, Line, cause_of_no_answer, cause_of_no_request, has_timed_out};
use super::listener::{AtLine, Listener};
use super::remote::Connected;
use super::rights::Permits;
use super::told::{Described, Told, for_log};
use crate::accounting::{Accounting, Cause, Counts, Opening, Sessions};
use crate::clock;
use crate::front::workers::Workers;
use crate::kerberos::Kdc;
use crate::metrics::{Connections, Gauge};
use crate::net::{ConnectionCounts, Ended};
use crate::random::ThreadRandom;
use crate::store::{Author, Store};

/// How many administrators may be connected at once.
const MOST_CONNECTED: usize = 128;
/// How long one may say nothing.
const IDLE: Duration = Duration::from_secs(600);
/// How long one may take to take in one message.
const TAKE_IN: Duration = Duration::from_secs(60);
/// What the address of a Unix socket has room for, without the NUL at its end.
const LONGEST_PATH: usize = 107;

/// The socket, bound and not served yet. The file is removed when this is dropped.
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    places: Arc<Semaphore>,
    counts: Arc<ConnectionCounts>,
}

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

impl AdminSocket {
    /// Binds `admin.sock` in the state directory, in place of one that a daemon left behind. Only the daemon's user, and
    /// root, can connect.
    ///
    /// # Errors
    /// With the path, and what to do.
    pub fn bind(state: &Path) -> Result<Self, String> {
        let path = state.join(admin::SOCKET);
        let octets = path.as_os_str().len();
        if octets > LONGEST_PATH {
            return Err(format!(
                "the path {} has {octets} octets, and a socket's at most {LONGEST_PATH}; choose a shorter [realm] state",
                path.display()
            ));
        }
        if UnixStream::connect(&path).is_ok() {
            return Err(format!(
                "another kdc serves {}: it answers at {}",
                state.display(),
                path.display()
            ));
        }
        let bound = match fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
            _ => UnixListener::bind(&path),
        };
        let failed = |why: io::Error| format!("{}: {why}", path.display());
        let listener = bound.map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self {
            listener,
            path,
            places: Arc::new(Semaphore::new(MOST_CONNECTED)),
            counts: Arc::default(),
        })
    }

    /// What becomes of its connections, whenever that is asked.
    pub fn connections(&self) -> impl Fn() -> Connections + Clone + Send + Sync + use<> {
        let (places, counts) = (Arc::clone(&self.places), Arc::clone(&self.counts));
        move || {
            let free = places.available_permits();
            let open = Gauge {
                now: MOST_CONNECTED.saturating_sub(free) as u64,
                limit: MOST_CONNECTED as u64,
            };
            counts.read(open, &[Ended::Busy])
        }
    }

    /// Serves until `stop` holds true, on the runtime that this is called in.
    ///
    /// # Errors
    /// When the runtime does not take the socket.
    pub fn serve(self, front: Arc<AdminFront>, mut stop: watch::Receiver<bool>) -> io::Result<JoinHandle<()>> {
        let listener = tokio::net::UnixListener::from_std(self.listener.try_clone()?)?;
        Ok(tokio::spawn(async move {
            // Removes the file at the end.
            let socket = self;
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = stop.wait_for(|stop| *stop) => return,
                };
                let stream = accepted.and_then(|(stream, _)| stream.into_std()).and_then(|stream| {
                    stream.set_nonblocking(false)?;
                    stream.set_read_timeout(Some(IDLE))?;
                    stream.set_write_timeout(Some(TAKE_IN))?;
                    Ok(stream)
                });
                let started = stream.and_then(|stream| front.start(stream, &socket));
                if let Err(why) = started {
                    front
                        .accounting
                        .log()
                        .error(format_args!("an administrator could not be served: {why}"));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }))
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl AdminFront {
    fn start(self: &Arc<Self>, mut stream: UnixStream, socket: &AdminSocket) -> io::Result<()> {
        let Ok(place) = Arc::clone(&socket.places).try_acquire_owned() else {
            socket.counts.ended(Ended::Busy);
            let message = format!("{MOST_CONNECTED} administrators are connected already; try again later");
            let _ = write_frame(&mut stream, &Response::from(Refused::new(Reason::Unavailable, message)));
            return Ok(());
        };
        socket.counts.accepted();
        let front = Arc::clone(self);
        thread::Builder::new().name("admin".into()).spawn(move || {
            let _place: OwnedSemaphorePermit = place;
            front.serve(stream);
        })?;
        Ok(())
    }

    fn serve(&self, stream: UnixStream) {
        let permitted = permitted_uid(&stream);
        let counts = Arc::new(Counts::default());
        let mut line = Counted::new(stream, Arc::clone(&counts));
        if let Ok(uid) = self.welcome(&mut line, admin::SOCKET, permitted) {
            let opening = Opening {
                client: format!("uid {uid}"),
                client_id: None,
                peer: None,
                via: "socket",
                service: admin::SOCKET.to_owned(),
                service_id: None,
            };
            self.in_session(opening, counts, &mut line, &mut || Ok(Caller::Local { uid }));
        }
    }

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

// Only the daemon's own user, and root.
fn permitted_uid(stream: &UnixStream) -> Result<Uid, Refused> {
    let peer = getsockopt(stream, sockopt::PeerCredentials).map_err(|errno| Refused::invalid(errno.to_string()))?;
    let (uid, own) = (Uid::from_raw(peer.uid()), Uid::effective());
    if uid.is_root() || uid == own {
        return Ok(uid);
    }
    Err(Refused::new(
        Reason::NotPermitted,
        format!("uid {uid} may not administer this realm; run principal as root or as uid {own}, as the daemon"),
    ))
}

/// A conversation is over, and all is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// What was waited for did not come in time.
    TooSlow,
    /// For any other reason.
    Otherwise,
}

// The request and whom it concerns, for the log; never a secret.
pub(super) fn describe(request: &Request) -> Described {
    let (what, whom) = match request {
        Request::Add(new) => ("add", Some(&new.name)),
        Request::List { glob, .. } => ("list", glob.as_ref()),
        Request::Show { name } => ("show", Some(name)),
        Request::Explain {
            name, service: None, ..
        } => ("explain", Some(name)),
        Request::Explain {
            name,
            service: Some(service),
            ..
        } => return Described::new("explain", format!("principal={name:?} service={service:?}")),
        Request::ExplainAct { name, act, on } => {
            let on = on.as_ref().map(|on| format!(" on={on:?}")).unwrap_or_default();
            return Described::new("explain", format!("principal={name:?} act={act}{on}"));
        }
        Request::Set { name, .. } => ("set", Some(name)),
        Request::Password { name, .. } => ("password", Some(name)),
        Request::Rotate { name, how, .. } => return Described::new("rotate", format!("principal={name:?} how={how}")),
        Request::Lock { name } => ("lock", Some(name)),
        Request::Unlock { name } => ("unlock", Some(name)),
        Request::Rename { name, to } => return Described::new("rename", format!("principal={name:?} to={to:?}")),
        Request::Alias { name, alias } => {
            return Described::new("alias", format!("principal={name:?} alias={alias:?}"));
        }
        Request::Unalias { name, alias } => {
            return Described::new("unalias", format!("principal={name:?} alias={alias:?}"));
        }
        Request::Remove { name } => ("remove", Some(name)),
        Request::Keytab { names, .. } => return Described::new("keytab", format!("principals={:?}", names.join(","))),
        Request::Import { principals } => return Described::new("import", format!("count={}", principals.len())),
        Request::AddRole { name, .. } => return Described::new("add-role", format!("role={name}")),
        Request::SetRole { name, .. } => return Described::new("set-role", format!("role={name}")),
        Request::RemoveRole { name } => return Described::new("remove-role", format!("role={name}")),
        Request::ListRoles => ("list-roles", None),
        Request::AddRule { name, .. } => return Described::new("add-rule", format!("rule={name:?}")),
        Request::SetRule { name, .. } => return Described::new("set-rule", format!("rule={name:?}")),
        Request::RemoveRule { name } => return Described::new("remove-rule", format!("rule={name:?}")),
        Request::ShowRule { name } => return Described::new("show-rule", format!("rule={name:?}")),
        Request::ListRules => ("list-rules", None),
        Request::AddPolicy { name, .. } => return Described::new("add-policy", format!("policy={name:?}")),
        Request::SetPolicy { name, .. } => return Described::new("set-policy", format!("policy={name:?}")),
        Request::RemovePolicy { name } => return Described::new("remove-policy", format!("policy={name:?}")),
        Request::ShowPolicy { name } => return Described::new("show-policy", format!("policy={name:?}")),
        Request::ListPolicies => ("list-policies", None),
        Request::Apply {
            declaration,
            mode,
            rest,
        } => {
            let mode = match mode {
                ApplyMode::Commit => "apply",
                ApplyMode::DryRun => "apply-dry-run",
            };
            let rest = match rest {
                Rest::Stays => "stays",
                Rest::Goes => "goes",
            };
            return Described::new(mode, format!("declared={} rest={rest}", declaration.len()));
        }
        Request::Events { query, last, follow } => {
            let query = serde_json::to_string(query).unwrap_or_default();
            let last = last.map(|last| format!(" last={last}")).unwrap_or_default();
            let follow = if *follow { " follow=yes" } else { "" };
            return Described::new("events", format!("query={query:?}{last}{follow}"));
        }
        Request::Sessions { name, .. } => ("sessions", name.as_ref()),
        Request::Usage { name, .. } => ("usage", Some(name)),
        Request::Export => ("export", None),
        Request::Reload => ("reload", None),
        Request::RotateMasterKey => ("rotate-master-key", None),
        _ => ("unknown", None),
    };
    Described::of(what, whom)
}

const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NotPermitted => "not-permitted",
        Reason::NotFound => "not-found",
        Reason::Taken => "taken",
        Reason::Conflict => "conflict",
        Reason::Invalid => "invalid",
        Reason::Protected => "protected",
        Reason::Unavailable => "unavailable",
        _ => "unknown",
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "real sockets are waited for")]
mod tests {
    use std::os::unix::net::UnixStream as Client;

    use tempfile::TempDir;
    use tessera_common::name::Realm;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::accounting::SessionsKeeper;
    use crate::front::workers::{Bounds, WorkersGuard};
    use crate::log::{Log, LogWriter};
    use crate::realm::settings::RealmSettings;
    use crate::store::Memory;
    use crate::store::test_realm::keyring;

    struct Served {
        state: TempDir,
        stop: watch::Sender<bool>,
        task: JoinHandle<()>,
        runtime: Runtime,
        _workers: WorkersGuard,
        _sessions: SessionsKeeper,
        _log: LogWriter,
    }

    fn served() -> Served {
        let state = tempfile::tempdir().unwrap();
        let log = Log::start(io::sink()).unwrap();
        let workers = Workers::start(1, Bounds::default()).unwrap();
        let settings = RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap());
        let sessions = Sessions::start(Box::new(|_| {}), Duration::from_secs(600)).unwrap();
        let front = AdminFront {
            kdc: Arc::new(ArcSwap::from_pointee(Kdc::new(Arc::new(settings)))),
            store: Arc::new(Memory::new(keyring())),
            workers: workers.workers(),
            reload: Box::new(|| Err("no file".into())),
            rotate_master_key: Box::new(|progress| {
                progress(1, 2);
                Err("no file".into())
            }),
            accounting: Accounting::new(log.log()),
            sessions: sessions.sessions(),
            followers: Followers::default(),
            connected: Connected::default(),
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (stop, stopped) = watch::channel(false);
        let entered = runtime.enter();
        let task = AdminSocket::bind(state.path())
            .unwrap()
            .serve(Arc::new(front), stopped)
            .unwrap();
        drop(entered);
        Served {
            state,
            stop,
            task,
            runtime,
            _workers: workers,
            _sessions: sessions,
            _log: log,
        }
    }

    fn connect(served: &Served) -> Client {
        let client = Client::connect(served.state.path().join(admin::SOCKET)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        client
    }

    fn greeted(served: &Served) -> Client {
        let mut client = connect(served);
        write_frame(&mut client, &hello(PROTOCOL)).unwrap();
        let welcome: Welcome = read_frame(&mut client).unwrap().unwrap();
        assert_eq!((welcome.protocol, welcome.realm.as_str()), (PROTOCOL, "EXAMPLE.COM"));
        client
    }

    fn hello(protocol: u32) -> Hello {
        Hello {
            protocol,
            program: "principal 9".into(),
        }
    }

    fn refusal(client: &mut Client) -> (Reason, String) {
        match read_frame(client).unwrap().unwrap() {
            Response::Refused { reason, message } => (reason, message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_of_one_connection_are_answered_in_turn() {
        let served = served();
        let mut client = greeted(&served);
        for _ in 0..2 {
            write_frame(&mut client, &Request::List { glob: None, role: None }).unwrap();
            assert_eq!(read_frame::<Response>(&mut client).unwrap(), Some(Response::Done));
            write_frame(&mut client, &Request::Reload).unwrap();
            assert_eq!(refusal(&mut client), (Reason::Invalid, "no file".into()));
        }
    }

    /// Names of every character that patterns, shells and logs trip over.
    #[test]
    fn whatever_a_name_has_in_it_a_line_of_the_log_is_one_line_and_says_the_name() {
        let long = "x".repeat(255);
        for name in [
            "a*b",
            "[a-z]",
            "a\\/b",
            "a\\@b",
            "a b",
            "'a'",
            "\"a\"",
            "a\nadmin by=\"root\"",
            "a=b",
            "$(a)",
            "a\tb",
            "a\u{7f}",
            "a\u{1b}[2J",
            "a\r",
            "\u{85}\u{2028}",
            "😀",
            &long,
        ] {
            for (request, before, after) in [
                (Request::Show { name: name.into() }, "request=show principal=", ""),
                (
                    Request::ExplainAct {
                        name: "desk".into(),
                        act: Act::Show,
                        on: Some(name.into()),
                    },
                    "request=explain principal=\"desk\" act=show on=",
                    "",
                ),
                (
                    Request::Rename {
                        name: "a".into(),
                        to: name.into(),
                    },
                    "request=rename principal=\"a\" to=",
                    "",
                ),
            ] {
                let line = describe(&request).line();
                assert!(!line.contains(|c: char| c.is_control() || c == '\u{2028}'), "{line:?}");
                let quoted = line
                    .strip_prefix(before)
                    .and_then(|rest| rest.strip_suffix(after))
                    .unwrap();
                let inside = quoted
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'))
                    .unwrap();
                assert!(!inside.replace("\\\\", "").replace("\\\"", "").contains('"'), "{line}");
            }
        }
    }

    #[test]
    fn another_version_of_the_protocol_is_refused_with_what_to_do() {
        let served = served();
        let mut client = connect(&served);
        write_frame(&mut client, &hello(1)).unwrap();
        let (reason, message) = refusal(&mut client);
        assert_eq!(reason, Reason::Invalid);
        assert_eq!(
            message,
            format!(
                "principal 9 speaks version 1 of the administration protocol, this daemon version {PROTOCOL}; use the principal \
                 that came with it"
            )
        );
        assert_eq!(read_frame::<Response>(&mut client).unwrap(), None);
    }

    #[test]
    fn what_is_no_request_ends_the_connection_and_no_other() {
        let served = served();
        let mut other = greeted(&served);
        let mut client = greeted(&served);
        write_frame(&mut client, &"nonsense").unwrap();
        let (reason, message) = refusal(&mut client);
        assert_eq!(reason, Reason::Invalid);
        assert!(message.starts_with("not a message of this protocol: "), "{message}");
        assert_eq!(read_frame::<Response>(&mut client).unwrap(), None);
        write_frame(&mut other, &Request::List { glob: None, role: None }).unwrap();
        assert_eq!(read_frame::<Response>(&mut other).unwrap(), Some(Response::Done));
    }

    #[test]
    fn so_many_administrators_are_served_and_no_more() {
        let served = served();
        let mut clients: Vec<_> = (0..MOST_CONNECTED).map(|_| greeted(&served)).collect();
        let mut late = connect(&served);
        let (reason, message) = refusal(&mut late);
        assert_eq!(reason, Reason::Unavailable);
        assert_eq!(message, "128 administrators are connected already; try again later");
        clients.pop();
        let room = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(20));
            let mut next = connect(&served);
            write_frame(&mut next, &hello(PROTOCOL)).unwrap();
            read_frame::<Welcome>(&mut next).is_ok_and(|welcome| welcome.is_some())
        });
        assert!(room);
    }

    #[test]
    fn the_socket_is_for_its_owner_and_goes_with_the_daemon() {
        let served = served();
        let path = served.state.path().join(admin::SOCKET);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let second = AdminSocket::bind(served.state.path()).map(|_| ()).unwrap_err();
        assert!(second.starts_with("another kdc serves "), "{second}");
        served.stop.send(true).unwrap();
        served.runtime.block_on(served.task).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_a_killed_daemon_left_behind_is_replaced() {
        let state = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(state.path().join(admin::SOCKET)).unwrap());
        AdminSocket::bind(state.path()).unwrap();
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let deep = state.path().join("x".repeat(100));
        fs::create_dir(&deep).unwrap();
        let error = AdminSocket::bind(&deep).map(|_| ()).unwrap_err();
        assert!(
            error.ends_with("octets, and a socket's at most 107; choose a shorter [realm] state"),
            "{error}"
        );
    }
}
