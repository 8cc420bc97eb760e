//! The daemon: puts store, fronts and listeners together, and takes them apart again.

mod confinement;
mod failures;
mod greeting;
mod privileges;
mod reload;
mod service_manager;
mod sockets;
mod stoppable;
mod upkeep;
mod watched;

use std::fs;
use std::io::{self, Write as _};
use std::num::NonZero;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::accounting::{Accounting, EVENTS_DIRECTORY, SessionNotice, Sessions};
use crate::clock;
use crate::config::Config;
use crate::front::admin::{AdminFront, AdminSocket, Connected, Followers, RemoteListener};
use crate::front::kerberos::KerberosFront;
use crate::front::metrics::{MetricsFront, MetricsListener, ProcessFiles, ServiceState, Sources, Surveyor};
use crate::front::password::PasswordFront;
use crate::front::workers::{Bounds, Workers};
use crate::kerberos::Kdc;
use crate::krb5_conf::krb5_conf;
use crate::log::Log;
use crate::net::{BothSockets, LAST_ANSWER, Pulse, Service, TcpLimits, TcpWorkers, UdpWorkers};
use crate::random::ThreadRandom;
use crate::realm::founding;
use crate::realm::settings::RealmSettings;
use crate::store::{Author, Durable, MASTER_KEY_FILE, Notice, Opened, Store};
use confinement::Confinement;
use failures::{FAILURES_FILE, FailuresWriter};
use service_manager::ServiceManager;
use sockets::Sockets;
use stoppable::Stoppable;
use upkeep::Upkeep;

/// How long connections may take to end when the daemon stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often workers without work let go of what is no longer so.
const TIDY: Duration = Duration::from_secs(1);

/// Serves the realm until SIGTERM or SIGINT.
///
/// # Errors
/// Why it cannot serve; then nothing was served.
pub fn run(config: Config) -> Result<(), String> {
    // While all can still be reached, and nothing has a thread of its own: what a thread gives up, its later ones have not.
    let manager = service_manager::Found::in_environment();
    let sockets = Sockets::open(&config.listen, cores())?;
    let became = privileges::become_user(&config.process, &config.realm.state)?;
    make_state_directory(&config)?;
    Accounting::make_directory(&config.accounting, &config.realm.state);
    let process = ProcessFiles::open();
    let confinement = Confinement::begin(&config);

    let log_writer = Log::start(io::stderr()).map_err(|why| format!("no thread can be started: {why}"))?;
    let log = log_writer.log();
    log.set(config.log);
    report_panics(&log);
    let manager = Arc::new(manager.with_log(&log));
    for warning in &config.warnings {
        log.warn(warning);
    }
    if let Some(became) = became {
        log.info(became);
        if let Err(why) = fs::File::open(&config.file) {
            let file = config.file.display();
            log.warn(format_args!(
                "{file} cannot be read any more: {why}; what changes in it cannot be applied"
            ));
        }
    }
    log.info(confinement.sentence());
    raise_file_limit(&log);
    let Opened { store, fresh } = open_store(&config, &log)?;
    reload::fits_database(&config, &store)?;
    let settings = Arc::new(config.settings());
    let daemon = Daemon::bind(config, sockets, Arc::new(store), Arc::clone(&settings), &log)?;
    let (accounting, _events) = Accounting::start(&daemon.config.accounting, &daemon.config.realm.state, &log)?;
    // Last, so that a start that failed before is still a first one.
    found_realm(&*daemon.store, &settings)?;
    daemon.serve(fresh, accounting, &manager, confinement, process)
}

/// Everything that is bound and opened, and not served yet.
struct Daemon {
    config: Config,
    store: Arc<Durable>,
    kdc: Arc<ArcSwap<Kdc>>,
    kerberos: Vec<BothSockets>,
    password: Vec<BothSockets>,
    admin: AdminSocket,
    remote: Vec<RemoteListener>,
    metrics: Vec<MetricsListener>,
}

impl Daemon {
    fn bind(
        config: Config,
        sockets: Sockets,
        store: Arc<Durable>,
        settings: Arc<RealmSettings>,
        log: &Log,
    ) -> Result<Self, String> {
        let Sockets {
            kerberos,
            password,
            admin: remote,
            metrics,
        } = sockets;
        if kerberos.is_empty() && password.is_empty() {
            log.warn("[listen] has no address: nobody but administrators can reach the realm");
        }
        let admin = AdminSocket::bind(&config.realm.state)?;
        let kdc = Kdc::new(settings);
        failures::restore(&config.realm.state, &kdc, log);
        let kdc = Arc::new(ArcSwap::from_pointee(kdc));
        Ok(Self {
            config,
            store,
            kdc,
            kerberos,
            password,
            admin,
            remote,
            metrics,
        })
    }

    fn serve(
        self,
        fresh: bool,
        accounting: Accounting,
        manager: &Arc<ServiceManager>,
        confinement: Confinement,
        process: ProcessFiles,
    ) -> Result<(), String> {
        let log = accounting.log().clone();
        let log = &log;
        let failed = |why: io::Error| format!("the daemon cannot start: {why}");
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores())
            .enable_all()
            .build()
            .map_err(failed)?;
        let _entered = runtime.enter();
        // Before anybody is told that the daemon is ready, and might send one.
        let signals = Signals::new().map_err(failed)?;
        let workers = Workers::start(cores(), Bounds::default()).map_err(failed)?;
        let (stop, stopped) = watch::channel(false);

        let addresses = |sockets: &[BothSockets]| sockets.iter().map(BothSockets::address).collect::<Vec<_>>();
        let (kerberos, password) = (addresses(&self.kerberos), addresses(&self.password));
        let conf = self.config.realm.state.join("krb5.conf");
        write_public(&conf, &krb5_conf(&self.config.realm.name, &kerberos, &password))
            .map_err(|why| format!("{} cannot be written: {why}", conf.display()))?;

        let database = Arc::clone(&self.store);
        let durable = Arc::clone(&database);
        let store = Arc::new(Stoppable::new(self.store));
        let shared: Arc<dyn Store> = Arc::clone(&store) as _;

        let front = KerberosFront::new(
            Arc::clone(&self.kdc),
            Arc::clone(&shared),
            workers.workers(),
            accounting.clone(),
        );
        let front = Arc::new(front);
        runtime.spawn(tidy(Arc::downgrade(&front)));
        let front: Arc<dyn Service> = front;
        let tickets = Listening::start(self.kerberos, cores(), &front, log).map_err(failed)?;
        let front: Arc<dyn Service> = Arc::new(PasswordFront::new(
            Arc::clone(&self.kdc),
            Arc::clone(&shared),
            workers.workers(),
            accounting.clone(),
        ));
        let passwords = Listening::start(self.password, 1, &front, log).map_err(failed)?;
        runtime.spawn(watch(Arc::clone(manager), &[&tickets, &passwords]));

        let upkeep = Upkeep::start(Arc::clone(&self.kdc), Arc::clone(&shared), accounting.clone()).map_err(failed)?;
        let failures = FailuresWriter::start(
            &self.config.realm.state,
            Arc::clone(&self.kdc),
            Arc::clone(&shared),
            accounting.clone(),
        )
        .map_err(failed)?;

        let state = Arc::new(ServiceState::started());
        let reload = reload::reloader(
            self.config.clone(),
            Arc::clone(&self.kdc),
            Arc::clone(&shared),
            Box::new(upkeep.waker()),
            reload::Surroundings {
                manager: Arc::clone(manager),
                confinement,
            },
            accounting.clone(),
        );
        let reload = {
            let state = Arc::clone(&state);
            Arc::new(move || {
                reload()
                    .inspect(|_| state.reloaded(true))
                    .inspect_err(|_| state.reloaded(false))
            })
        };
        let interim_every = self.config.accounting.interim_every;
        accounting.finish_lost_sessions(interim_every).map_err(failed)?;
        let account = accounting.clone();
        let tell = Box::new(move |notice: &SessionNotice| account.session(&notice.record()));
        let sessions = Sessions::start(tell, interim_every).map_err(failed)?;
        let administration = Arc::new(AdminFront {
            kdc: Arc::clone(&self.kdc),
            store: Arc::clone(&shared),
            workers: workers.workers(),
            reload: Box::new({
                let reload = Arc::clone(&reload);
                move || reload()
            }),
            rotate_master_key: Box::new(move |progress| match durable.change_master_key(progress) {
                Ok(rollover) => Ok(rollover.sentences()),
                Err(error) => Err(error.to_string()),
            }),
            accounting: accounting.clone(),
            sessions: sessions.sessions(),
            followers: Followers::default(),
            connected: Connected::default(),
        });
        let afar: Vec<_> = self.remote.iter().map(RemoteListener::address).collect();
        let mut accepting = Vec::new();
        for listener in self.remote {
            let administration = Arc::clone(&administration);
            accepting.push(listener.serve(administration, stopped.clone()).map_err(failed)?);
        }
        let connections = self.admin.connections();
        let socket = self.admin.serve(Arc::clone(&administration), stopped).map_err(failed)?;

        let listeners = [
            tickets.watched("kerberos"),
            passwords.watched("password"),
            watched::socket(&socket, connections.clone()),
        ];
        let from_afar = watched::afar(&accepting, &administration);
        let watching: Vec<_> = self.metrics.iter().map(MetricsListener::address).collect();
        let survey = if self.metrics.is_empty() {
            None
        } else {
            let survey = Surveyor::start(Arc::clone(&self.kdc), shared).map_err(failed)?;
            let front = MetricsFront::new(Sources {
                kdc: self.kdc,
                store: database,
                accounting,
                workers: workers.workers(),
                state: Arc::clone(&state),
                listeners: listeners.into_iter().chain(from_afar).collect(),
                administrators: watched::administrators(connections, &administration),
                sessions: {
                    let sessions = sessions.sessions();
                    Box::new(move || sessions.all().len() as u64)
                },
                survey: Box::new(survey.newest()),
                process,
            });
            MetricsListener::serve(self.metrics, &Arc::new(front)).map_err(failed)?;
            Some(survey)
        };

        let mut out = io::stdout().lock();
        // Whoever started the daemon may have closed its end.
        if fresh {
            let _ = out.write_all(greeting::next_steps(&self.config).as_bytes());
        }
        let _ = writeln!(
            out,
            "{}",
            greeting::ready([
                ("kerberos", &kerberos),
                ("password", &password),
                ("admin", &afar),
                ("metrics", &watching),
            ])
        );
        let _ = out.flush();
        drop(out);
        log.info(format_args!("the realm {} is served", self.config.realm.name));
        manager.ready(&format!("the realm {} is served", self.config.realm.name));

        runtime.block_on(signals.until_stop(|| {
            let _ = reload();
        }));
        log.info("stopping");
        state.stop();
        administration.accounting.stopping();
        manager.stopping();
        let _ = stop.send(true);
        // Each session has its stop while there is somebody to tell.
        drop(sessions);
        // And whoever follows what happens hears why it is over.
        let _ = runtime.block_on(tokio::time::timeout(FAREWELL, administration.followers.have_gone()));
        let connections = [tickets, passwords].map(Listening::stop);
        // What was asked and takes a while, such as a new password, is done first.
        let undone = workers.workers().finish(LAST_ANSWER);
        if undone > 0 {
            log.warn(format_args!(
                "{undone} requests stay without an answer: they would take longer than {LAST_ANSWER:?}"
            ));
        }
        // What is being committed is acknowledged first; nothing more begins.
        store.stop();
        drop(upkeep);
        drop(survey);
        drop(connections);
        // What was counted up to now.
        drop(failures);
        drop(_entered);
        Runtime::shutdown_timeout(runtime, FAREWELL);
        Ok(())
    }
}

// A worker that nobody asks anything holds on to the principals as they were when it was last asked: in an import, or while
// all keys are sealed anew, that could be as much again as there is.
async fn tidy(front: Weak<KerberosFront>) {
    let mut every = tokio::time::interval(TIDY);
    while let Some(front) = front.upgrade() {
        front.tidy();
        drop(front);
        every.tick().await;
    }
}

// Tells the service manager that the daemon is well as long as every worker goes round.
fn watch(manager: Arc<ServiceManager>, listening: &[&Listening]) -> impl Future<Output = ()> + Send + use<> {
    let pulses = listening.iter().flat_map(|listening| listening.pulses()).collect();
    let wakers: Vec<_> = listening
        .iter()
        .map(|listening| listening.connections.waker())
        .collect();
    async move { manager.watch(pulses, || wakers.iter().for_each(|wake| wake())).await }
}

/// What serves one wire.
struct Listening {
    datagrams: Vec<UdpWorkers>,
    connections: TcpWorkers,
}

impl Listening {
    fn start(sockets: Vec<BothSockets>, workers: usize, front: &Arc<dyn Service>, log: &Log) -> io::Result<Self> {
        let (udp, tcp): (Vec<_>, Vec<_>) = sockets.into_iter().map(|both| (both.udp, both.tcp)).unzip();
        let datagrams = udp.into_iter().map(|sockets| sockets.serve(front, log));
        Ok(Self {
            datagrams: datagrams.collect::<Result<_, _>>()?,
            connections: TcpWorkers::serve(tcp, workers, front, TcpLimits::default(), log)?,
        })
    }

    fn pulses(&self) -> Vec<Pulse> {
        let datagrams = self.datagrams.iter().flat_map(UdpWorkers::pulses);
        datagrams.chain(self.connections.pulses()).cloned().collect()
    }

    // Nothing more is taken in. What came over UDP is answered, or will be by a job; what came over connections is by the time
    // that the workers are dropped.
    fn stop(self) -> TcpWorkers {
        self.connections.stop();
        drop(self.datagrams);
        self.connections
    }
}

// As it was at the start: later, the files that say it may be out of reach.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

fn make_state_directory(config: &Config) -> Result<(), String> {
    let state = &config.realm.state;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(state);
    made.map_err(|why| {
        let own = match (&config.process.user, why.kind()) {
            (Some(user), io::ErrorKind::PermissionDenied) => {
                let group = config.process.group.as_ref().unwrap_or(user);
                format!(
                    "; `install -d -m 700 -o {user} -g {group} {}` makes it",
                    state.display()
                )
            }
            _ => String::new(),
        };
        format!("the state directory {} cannot be made: {why}{own}", state.display())
    })
}

fn open_store(config: &Config, log: &Log) -> Result<Opened, String> {
    let state = &config.realm.state;
    refuse_foreign_directory(state)?;
    let log = log.clone();
    let report = Arc::new(move |notice: Notice| match notice {
        Notice::Unwritable(_) | Notice::SnapshotFailed(_) | Notice::MasterKeyUnchanged(_) => log.error(notice),
        Notice::TornFrameCut { .. } | Notice::IndexStale(_) | Notice::SnapshotDamaged { .. } => log.warn(notice),
        _ => log.info(notice),
    });
    Durable::open(state, &config.store_options(report)).map_err(|error| error.to_string())
}

// A realm is made in an empty directory only, or beside what an operator puts there first and an interrupted start leaves.
fn refuse_foreign_directory(state: &Path) -> Result<(), String> {
    const OWN: [&str; 10] = [
        MASTER_KEY_FILE,
        "lock",
        "realm",
        "journal",
        "snapshot",
        "index",
        "krb5.conf",
        "admin.sock",
        FAILURES_FILE,
        EVENTS_DIRECTORY,
    ];
    let unreadable = |why| format!("the state directory {} cannot be read: {why}", state.display());
    let mut foreign = None;
    for entry in fs::read_dir(state).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if name == "realm" {
            return Ok(());
        }
        if !OWN.iter().any(|own| name == *own) {
            foreign = Some(name);
        }
    }
    foreign.map_or(Ok(()), |name| {
        Err(format!(
            "the state directory {} holds no realm, but something else: {}; name an empty or a new directory in [realm] state",
            state.display(),
            name.display()
        ))
    })
}

fn found_realm(store: &dyn Store, settings: &RealmSettings) -> Result<(), String> {
    let author = Author::daemon(clock::now().time);
    let view = store.view();
    let changes = founding::found(&view, settings, &author, &mut ThreadRandom)
        .map_err(|why| format!("the realm's name cannot be in a principal's: {why}"))?;
    if !changes.is_empty() {
        store
            .commit(&author, changes)
            .map_err(|error| format!("the realm cannot be made: {error}"))?;
    }
    Ok(())
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    /// Never looked at: that it is caught makes a write past a limit fail, instead of ending the daemon.
    _file_too_large: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _file_too_large: signal(SignalKind::from_raw(Signal::SIGXFSZ as i32))?,
        })
    }

    async fn until_stop(mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}

// Thousands of connections need as many descriptors; the soft limit is for programs that use select().
fn raise_file_limit(log: &Log) {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        } else {
            Ok(())
        }
    });
    if let Err(errno) = raised {
        log.warn(format_args!("the limit of open files stays as it is: {errno}"));
    }
}

// One line of the log for each, in place of the standard hook's several on standard error.
fn report_panics(log: &Log) {
    let log = log.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let what = text
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = thread::current().name().unwrap_or("?").to_owned();
        log.error(format_args!(
            "a fault in the program: {what}; at {place}, thread {thread:?}"
        ));
    }));
}

// Whole or not at all, and for everybody to read.
fn write_public(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("conf.new");
    fs::write(&new, text)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o644))?;
    fs::rename(&new, path)
}
