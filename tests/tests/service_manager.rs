//! What a service manager sees of the daemon: its messages, its watchdog, and the sockets that it hands over.

use std::fs;
use std::net::UdpSocket;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use tessera_tests::wire::{KdcReq, Reply, socket};
use tessera_tests::{Realm, Tool, installed, ports};

/// How long anything may take that a busy machine delays.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a service manager listens at.
struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    fn at(address: &SocketAddr, name: &str) -> Self {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        Self {
            socket,
            name: name.to_owned(),
        }
    }

    /// A socket with a path, and an abstract one.
    fn both(realm: &Realm) -> [Self; 2] {
        let path = realm.directory().join("notify").display().to_string();
        let hidden = realm.directory().file_name().unwrap().to_string_lossy().into_owned();
        [
            Self::at(&SocketAddr::from_pathname(&path).unwrap(), &path),
            Self::at(&SocketAddr::from_abstract_name(&hidden).unwrap(), &format!("@{hidden}")),
        ]
    }

    fn within(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 4096];
        let octets = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..octets].to_vec()).unwrap())
    }

    #[track_caller]
    fn next(&self) -> String {
        self.within(PATIENCE).expect("the daemon says nothing more")
    }

    fn hears(&self, kdc: Tool) -> Tool {
        kdc.env("NOTIFY_SOCKET", &self.name)
    }
}

#[test]
fn a_service_manager_hears_of_start_reload_and_end() {
    let mut realm = Realm::builder().stopped();
    let toml = fs::read_to_string(realm.toml()).unwrap();
    for manager in Manager::both(&realm) {
        realm.restart_as(manager.hears(realm.kdc("")));
        assert_eq!(manager.next(), "READY=1\nSTATUS=the realm EXAMPLE.COM is served");

        let before = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
        realm.signal(Signal::SIGHUP);
        let reloading = manager.next();
        let after = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
        let at = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        let at: u64 = at.lines().next().unwrap().parse().unwrap();
        let at = Duration::from_micros(at + 1);
        assert!(before <= at && at <= after + Duration::from_micros(1), "{reloading}");
        assert_eq!(manager.next(), "READY=1\nSTATUS=the realm EXAMPLE.COM is served");

        fs::write(realm.toml(), "[realm]\nname = 1\n").unwrap();
        realm.signal(Signal::SIGHUP);
        assert!(manager.next().starts_with("RELOADING=1\n"));
        let ready = manager.next();
        let status = "READY=1\nSTATUS=the realm EXAMPLE.COM is served, with the configuration as it was: ";
        assert!(
            ready.starts_with(status) && ready.contains("realm.toml:2:8: realm.name: "),
            "{ready}"
        );
        assert_eq!(ready.lines().count(), 2, "{ready}");
        fs::write(realm.toml(), &toml).unwrap();

        assert!(realm.stop().success());
        assert!(manager.next().starts_with("STOPPING=1\n"));
        assert_eq!(manager.within(Duration::from_millis(1)), None);
    }
}

#[test]
fn a_notify_socket_that_leads_nowhere_is_said_and_the_realm_served() {
    let mut realm = Realm::builder().stopped();
    let kdc = realm.kdc("").env("NOTIFY_SOCKET", "/nonexistent/notify");
    realm.restart_as(kdc);
    realm.wait_for_log("NOTIFY_SOCKET leads nowhere: ");
}

#[test]
fn the_watchdog_is_fed_as_long_as_every_worker_goes_round() {
    let mut realm = Realm::builder().stopped();
    let [manager, _] = Manager::both(&realm);
    let kdc = manager.hears(realm.kdc("")).env("WATCHDOG_USEC", "1000000");
    realm.restart_as(kdc);
    assert!(manager.next().starts_with("READY=1\n"));
    for _ in 0..4 {
        assert_eq!(manager.next(), "WATCHDOG=1");
    }
    for name in ["udp", "tcp"] {
        // Held by a tracer, it hangs, and it alone.
        let tasks = format!("/proc/{}/task", realm.pid());
        let worker = fs::read_dir(tasks).unwrap().find_map(|task| {
            let task = task.unwrap();
            let comm = fs::read_to_string(task.path().join("comm")).unwrap();
            comm.starts_with(name)
                .then(|| task.file_name().to_string_lossy().parse().unwrap())
        });
        let worker = Pid::from_raw(worker.unwrap());
        ptrace::attach(worker).unwrap();
        waitpid(worker, Some(WaitPidFlag::__WALL)).unwrap();
        let begun = Instant::now();
        while let Some(said) = manager.within(Duration::from_secs(2)) {
            assert_eq!(said, "WATCHDOG=1");
            assert!(begun.elapsed() < PATIENCE, "{name} hangs, and nobody notices");
        }
        ptrace::detach(worker, None).unwrap();
        assert_eq!(manager.next(), "WATCHDOG=1");
    }
    // Somebody else's watchdog is nobody's business here.
    realm.stop();
    let kdc = manager
        .hears(realm.kdc(""))
        .env("WATCHDOG_USEC", "1000")
        .env("WATCHDOG_PID", "1");
    while manager.within(Duration::from_millis(1)).is_some() {}
    realm.restart_as(kdc);
    assert!(manager.next().starts_with("READY=1\n"));
    assert_eq!(manager.within(Duration::from_millis(200)), None);
}

/// systemd's own test tool: it listens, and starts the daemon when somebody comes.
fn activated(kdc: Tool, flags: &str) -> Tool {
    let line = format!("systemd-socket-activate {flags}");
    kdc.under(installed("systemd-socket-activate"), &line)
}

#[test]
#[ignore = "needs MIT's tools"]
fn systemd_hands_over_sockets_and_who_came_before_the_daemon_is_answered() {
    for flags in ["--datagram ", ""] {
        let port = ports::free();
        let listen = format!("kerberos = [\"127.0.0.1:{port}\"]\n");
        let mut realm = Realm::builder().listen(&listen).stopped();
        let server = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let kdc = activated(
            realm.kdc(""),
            &format!("{flags}--listen=127.0.0.1:{port} --fdname=kerberos"),
        );
        let client = thread::spawn(move || {
            let request = KdcReq::initial("nobody").to_der();
            if flags.is_empty() {
                while std::net::TcpStream::connect(server).is_err() {
                    thread::sleep(Duration::from_millis(10));
                }
                return socket::tcp(server, &request);
            }
            // Only the first that somebody listens for.
            loop {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.connect(server).unwrap();
                client.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut buffer = [0; 4096];
                match client.send(&request).and_then(|_| client.recv(&mut buffer)) {
                    Ok(octets) => return buffer[..octets].to_vec(),
                    Err(why) if why.kind() == std::io::ErrorKind::ConnectionRefused => {}
                    Err(why) => panic!("the datagram is lost: {why}"),
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        realm.restart_as(kdc);
        assert_eq!(realm.kerberos(), server);
        assert_eq!(Reply::parse(&client.join().unwrap()).code(), 6);
        // The other wire was not handed over, and is there all the same.
        let request = KdcReq::initial("nobody").to_der();
        assert_eq!(Reply::parse(&socket::udp(server, &request)).code(), 6);
        assert_eq!(Reply::parse(&socket::tcp(server, &request)).code(), 6);
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_socket_from_systemd_that_realm_toml_does_not_name_is_refused_by_its_name() {
    let realm = Realm::builder().stopped();
    let stray = ports::free();
    let kdc = activated(realm.kdc(""), &format!("--listen=127.0.0.1:{stray} --fdname=stray"));
    let visitor = thread::spawn(move || {
        while std::net::TcpStream::connect(("127.0.0.1", stray)).is_err() {
            thread::sleep(Duration::from_millis(10));
        }
    });
    kdc.run().refused_with(&format!(
        "the TCP socket 127.0.0.1:{stray} (\"stray\") was handed over, but no key of [listen] names 127.0.0.1:{stray}"
    ));
    visitor.join().unwrap();
    realm
        .kdc("")
        .env("LISTEN_FDS", "many")
        .run()
        .refused_with("LISTEN_FDS=\"many\" is no number of sockets");
}
