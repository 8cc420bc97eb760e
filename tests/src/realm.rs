//! Our daemon, in a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::clock::Clock;
use crate::tool::{Finished, Tool, binary};
use crate::workstation::Workstation;

/// How long anything may take that a busy machine delays. Nothing is proved by waiting this long; it ends a test that
/// would hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// A realm that serves, with its directory. Stopped, and the directory removed, when dropped.
pub struct Realm {
    daemon: Option<Daemon>,
    clock: Option<Arc<Clock>>,
    zone: Option<String>,
    directory: TempDir,
}

/// The realm to be: what goes into its `realm.toml`.
pub struct RealmBuilder {
    realm: String,
    listen: String,
    sections: String,
    directory: TempDir,
    clock: Option<Arc<Clock>>,
    zone: Option<String>,
}

impl Realm {
    /// `EXAMPLE.COM` with nothing but defaults, on free ports of 127.0.0.1.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A realm that differs.
    #[must_use]
    pub fn builder() -> RealmBuilder {
        RealmBuilder {
            realm: "name = \"EXAMPLE.COM\"\nstate = \"var\"\n".to_owned(),
            listen: "kerberos = [\"127.0.0.1:0\"]\npassword = [\"127.0.0.1:0\"]\n".to_owned(),
            sections: String::new(),
            directory: TempDir::with_prefix("tessera-").unwrap(),
            clock: None,
            zone: None,
        }
    }

    /// Where it answers Kerberos requests: the first of its addresses.
    #[must_use]
    pub fn kerberos(&self) -> SocketAddr {
        self.address("kerberos")
    }

    /// Where it changes passwords: the first of its addresses.
    #[must_use]
    pub fn password(&self) -> SocketAddr {
        self.address("password")
    }

    /// Where it is administered from afar; only of a realm built with that.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.address("admin")
    }

    /// Where its figures are; only of a realm that is watched.
    #[must_use]
    pub fn metrics(&self) -> SocketAddr {
        self.address("metrics")
    }

    fn address(&self, front: &str) -> SocketAddr {
        let ready = &self.daemon.as_ref().expect("the realm is not running").ready;
        let addresses = ready
            .split(' ')
            .find_map(|word| word.strip_prefix(front)?.strip_prefix('='));
        let first = addresses
            .unwrap_or_else(|| panic!("no {front} in {ready:?}"))
            .split(',')
            .next()
            .unwrap();
        first.parse().unwrap_or_else(|error| panic!("{first}: {error}"))
    }

    /// A place to work at, with the krb5.conf that the daemon wrote.
    #[must_use]
    pub fn workstation(&self) -> Workstation {
        Workstation::new(
            self.directory.path(),
            self.state().join("krb5.conf"),
            self.clock.clone(),
        )
    }

    /// Our `principal`, as root or the daemon's own user runs it.
    #[must_use]
    pub fn principal(&self, line: &str) -> Tool {
        let mut tool = Tool::new(binary("principal"), "principal");
        tool.command
            .arg("--config")
            .arg(self.toml())
            .args(line.split_whitespace());
        tool.line = format!("principal {line}");
        self.by_clock(tool)
    }

    /// Adds a principal with a password.
    pub fn add(&self, name: &str, password: &str) {
        self.principal("add")
            .arg(name)
            .arg("--password-file")
            .arg("-")
            .stdin(format!("{password}\n"))
            .run()
            .ok();
    }

    /// Adds a service with random keys, and gives the keytab that holds them.
    pub fn add_service(&self, name: &str) -> PathBuf {
        self.principal("add").arg(name).arg("--random-key").run().ok();
        self.keytab(name)
    }

    /// The keytab with this principal's current keys.
    #[must_use]
    pub fn keytab(&self, name: &str) -> PathBuf {
        let file = tempfile::Builder::new()
            .suffix(".keytab")
            .tempfile_in(&self.directory)
            .unwrap();
        let path = file.path().to_owned();
        file.close().unwrap();
        self.principal("keytab").arg(name).arg("--output").arg(&path).run().ok();
        path
    }

    /// Our `kdc` with this subcommand, on this realm's configuration.
    #[must_use]
    pub fn kdc(&self, line: &str) -> Tool {
        let mut tool = Tool::new(binary("kdc"), "kdc");
        tool.command
            .arg("--config")
            .arg(self.toml())
            .args(line.split_whitespace());
        tool.line = format!("kdc {line}");
        let tool = match &self.zone {
            Some(zone) => tool.env("TZ", zone),
            None => tool,
        };
        self.by_clock(tool)
    }

    fn by_clock(&self, tool: Tool) -> Tool {
        match &self.clock {
            Some(clock) => clock.set(tool),
            None => tool,
        }
    }

    /// The realm's `realm.toml`.
    #[must_use]
    pub fn toml(&self) -> PathBuf {
        self.directory.path().join("realm.toml")
    }

    /// The realm's state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("var")
    }

    /// The directory that everything of the realm is in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The clock that the daemon and the workstations live by; only of a realm built with one.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.clock.as_ref().expect("built without a clock")
    }

    /// What the daemon has said so far, standard output and error.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
        read("stdout") + &read("stderr")
    }

    /// Waits until the daemon has said this.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let start = std::time::Instant::now();
        while !self.log().contains(text) {
            assert!(
                start.elapsed() < PATIENCE,
                "the daemon did not say {text:?} but\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// The daemon's process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.daemon.as_ref().expect("the realm is not running").pid()
    }

    /// Stops the daemon in good order. Gives how it ended.
    pub fn stop(&mut self) -> std::process::ExitStatus {
        self.signal(Signal::SIGTERM);
        self.daemon.take().unwrap().child.wait().unwrap()
    }

    /// Ends the daemon as a power cut would.
    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("the realm is not running");
        // It may have been killed already; until it is waited for, its number is not another's.
        daemon.child.kill().unwrap();
        daemon.child.wait().unwrap();
    }

    /// Starts the daemon that was stopped. Its ports may be others: a workstation taken before still finds it, as the
    /// krb5.conf is written anew.
    pub fn restart(&mut self) {
        self.launch(self.kdc(""));
    }

    /// The same with a signal ignored.
    pub fn restart_ignoring(&mut self, signal: &str) {
        let line = format!("env --ignore-signal={signal}");
        self.launch(self.kdc("").under("/usr/bin/env".into(), &line));
    }

    /// The same by this command line, which has [`Self::kdc`] in it.
    pub fn restart_as(&mut self, kdc: Tool) {
        self.launch(kdc);
    }

    fn launch(&mut self, kdc: Tool) {
        assert!(self.daemon.is_none(), "the realm is running");
        let daemon = Daemon::start(kdc, self.directory.path());
        self.daemon = Some(daemon.unwrap_or_else(|finished| panic!("kdc did not start: {finished}")));
    }
}

impl RealmBuilder {
    /// Further keys of `[realm]`.
    #[must_use]
    pub fn realm(mut self, keys: &str) -> Self {
        self.realm = format!("{}{keys}\n", self.realm);
        self
    }

    /// Another `[listen]`.
    #[must_use]
    pub fn listen(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.listen);
        self
    }

    /// That it can be administered from afar.
    #[must_use]
    pub fn from_afar(mut self) -> Self {
        self.listen = format!("{}admin = [\"127.0.0.1:0\"]\n", self.listen);
        self
    }

    /// That it shows its figures.
    #[must_use]
    pub fn watched(mut self) -> Self {
        self.listen = format!("{}metrics = [\"127.0.0.1:0\"]\n", self.listen);
        self
    }

    /// Further sections.
    #[must_use]
    pub fn section(mut self, text: &str) -> Self {
        self.sections = format!("{}\n{text}\n", self.sections);
        self
    }

    /// With a daemon whose local time is this, as `TZ` has it.
    #[must_use]
    pub fn in_zone(mut self, zone: &str) -> Self {
        self.zone = Some(zone.to_owned());
        self
    }

    /// With a clock that the test moves; the daemon and the workstations share it.
    #[must_use]
    pub fn with_clock(mut self) -> Self {
        self.clock = Some(Arc::new(Clock::new(self.directory.path(), "clock")));
        self
    }

    /// Starts it; it must become ready.
    #[must_use]
    pub fn start(self) -> Realm {
        let mut realm = self.stopped();
        realm.restart();
        realm
    }

    /// Starts it; it must refuse to serve. Gives all it said.
    #[must_use]
    pub fn refused(self) -> Finished {
        self.stopped().refused()
    }

    /// Writes its `realm.toml` and starts nothing.
    #[must_use]
    pub fn stopped(self) -> Realm {
        let Self {
            realm,
            listen,
            sections,
            directory,
            clock,
            zone,
        } = self;
        // Who measures what the tests reach has the daemon write that down where it likes.
        let process = if std::env::var_os("LLVM_PROFILE_FILE").is_some() && !sections.contains("[process]") {
            "\n[process]\nlandlock = false\n"
        } else {
            ""
        };
        // What became of each request is seen at once, and in order.
        let log = if sections.contains("[log]") {
            ""
        } else {
            "\n[log]\nrequests = true\n"
        };
        let toml = format!("[realm]\n{realm}\n[listen]\n{listen}{sections}{process}{log}");
        std::fs::write(directory.path().join("realm.toml"), toml).unwrap();
        Realm {
            directory,
            clock,
            zone,
            daemon: None,
        }
    }
}

impl Realm {
    /// Starts the daemon; it must refuse to serve. Gives all it said.
    #[must_use]
    pub fn refused(&self) -> Finished {
        match Daemon::start(self.kdc(""), self.directory.path()) {
            Ok(daemon) => panic!("kdc should have refused to serve, but said {:?}", daemon.ready),
            Err(finished) => finished,
        }
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- the daemon's log\n{}---", self.log());
        }
    }
}

/// The running process. Asked to stop and waited for when dropped.
struct Daemon {
    child: Child,
    ready: String,
}

impl Daemon {
    fn start(mut tool: Tool, directory: &Path) -> Result<Self, Finished> {
        let log = directory.join("stderr");
        let said = std::fs::read_to_string(&log).unwrap_or_default().len();
        let mut child = tool
            .command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(append(&log))
            .spawn()
            .unwrap();
        let lines = copy_lines(child.stdout.take().unwrap(), directory.join("stdout"));
        let mut stdout = String::new();
        loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with("ready ") => return Ok(Self { child, ready: line }),
                Ok(line) => stdout = format!("{stdout}{line}\n"),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    child.kill().unwrap();
                    panic!(
                        "kdc neither became ready nor ended; it said\n{stdout}{}",
                        std::fs::read_to_string(log).unwrap()
                    );
                }
            }
        }
        let status = child.wait().unwrap();
        let stderr = std::fs::read_to_string(log).unwrap()[said..].to_owned();
        Err(Finished {
            line: tool.line,
            status,
            stdout,
            stderr,
        })
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = kill(self.pid(), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn append(path: &Path) -> std::fs::File {
    std::fs::File::options().create(true).append(true).open(path).unwrap()
}

fn copy_lines(from: std::process::ChildStdout, log: PathBuf) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        use std::io::Write;
        let mut log = append(&log);
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = writeln!(log, "{line}");
            let _ = sender.send(line);
        }
    });
    receiver
}
