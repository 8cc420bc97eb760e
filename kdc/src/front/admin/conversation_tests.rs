//! Conversations over a real socket.
#![allow(clippy::disallowed_methods, reason = "real sockets are waited for")]

use std::io;
use std::os::unix::net::UnixStream as Client;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tempfile::TempDir;
use tessera_common::admin::{self, Hello, PROTOCOL, Reason, Request, Response, Welcome, read_frame, write_frame};
use tessera_common::name::Realm;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::account::Followers;
use super::conversation::AdminFront;
use super::remote::Connected;
use super::socket::AdminSocket;
use crate::accounting::{Accounting, Sessions, SessionsKeeper};
use crate::front::workers::{Bounds, Workers, WorkersGuard};
use crate::kerberos::Kdc;
use crate::log::{Log, LogWriter};
use crate::realm::settings::RealmSettings;
use crate::store::Memory;
use crate::store::test_realm::keyring;

pub(super) struct Served {
    pub(super) state: TempDir,
    pub(super) stop: watch::Sender<bool>,
    pub(super) task: JoinHandle<()>,
    pub(super) runtime: Runtime,
    _workers: WorkersGuard,
    _sessions: SessionsKeeper,
    _log: LogWriter,
}

pub(super) fn served() -> Served {
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

pub(super) fn connect(served: &Served) -> Client {
    let client = Client::connect(served.state.path().join(admin::SOCKET)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client
}

pub(super) fn greeted(served: &Served) -> Client {
    let mut client = connect(served);
    write_frame(&mut client, &hello(PROTOCOL)).unwrap();
    let welcome: Welcome = read_frame(&mut client).unwrap().unwrap();
    assert_eq!((welcome.protocol, welcome.realm.as_str()), (PROTOCOL, "EXAMPLE.COM"));
    client
}

pub(super) fn hello(protocol: u32) -> Hello {
    Hello {
        protocol,
        program: "principal 9".into(),
    }
}

pub(super) fn refusal(client: &mut Client) -> (Reason, String) {
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
