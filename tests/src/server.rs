//! A server of somebody else's, for as long as a test needs it.

use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::tool::Tool;

/// How long anything may take that a busy machine delays.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that listens on a port of loopback. Asked to end and waited for when dropped.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts it, and waits until it listens. What it says goes to the end of `log`.
    pub(crate) fn start(tool: Tool, port: u16, log: &Path) -> Self {
        let line = tool.line.clone();
        let said = File::options().create(true).append(true).open(log).unwrap();
        let child = tool
            .into_command()
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            // Apache ends its whole process group, which must not be the test's.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("`{line}` does not start: {error}"));
        let mut server = Self {
            child,
            log: log.to_owned(),
        };
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "`{line}` ended:\n{}", server.log());
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        // Not everybody logs in UTF-8.
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until it has said this. Gives all that it has said since it started.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert!(start.elapsed() < PATIENCE, "it did not say {text:?} but\n{log}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    /// Asks it to end, and ends it when it does not: MIT's kadmind that waits for the rest of somebody's message hears nothing.
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- {}\n{}---", self.log.display(), self.log());
        }
        // Already gone is as good.
        let _ = kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM);
        for _ in 0..250 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
