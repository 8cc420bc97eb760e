//! A daemon that says what a test wants it to, and keeps what it was asked.

use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use tempfile::TempDir;
use tessera_common::admin::{Hello, PROTOCOL, Request, Response, Welcome, read_frame, write_frame};

/// A directory with a realm.toml, and perhaps a socket in its state directory.
pub(crate) struct Realm {
    pub(crate) directory: TempDir,
}

/// What the tool did.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A daemon that serves one conversation.
pub(crate) struct FakeDaemon(JoinHandle<Vec<serde_json::Value>>);

impl Realm {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let toml = "[realm]\nname = \"EXAMPLE.COM\"\nstate = \"var\"\n";
        std::fs::write(directory.path().join("realm.toml"), toml).unwrap();
        std::fs::create_dir(directory.path().join("var")).unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn listener(&self) -> UnixListener {
        UnixListener::bind(self.path("var/admin.sock")).unwrap()
    }

    /// A daemon that answers each request with the next of `answers`; when they are used up, it hangs up.
    pub(crate) fn daemon(&self, answers: impl IntoIterator<Item = Vec<Response>>) -> FakeDaemon {
        let listener = self.listener();
        let answers: Vec<_> = answers.into_iter().collect();
        FakeDaemon(thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            if !welcome(&mut stream, PROTOCOL) {
                return asked;
            }
            for answer in answers {
                let Ok(Some(request)) = read_frame::<Request>(&mut stream) else {
                    return asked;
                };
                asked.push(serde_json::to_value(request).unwrap());
                for response in answer {
                    // The tool may have seen enough.
                    let _ = write_frame(&mut stream, &response);
                }
            }
            if let Ok(Some(request)) = read_frame::<Request>(&mut stream) {
                asked.push(serde_json::to_value(request).unwrap());
            }
            asked
        }))
    }

    /// The tool, in this realm's directory.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_principal"));
        command
            .current_dir(self.directory.path())
            .args(words)
            .env_clear()
            .env("TERM", "xterm");
        command
    }

    /// Runs the tool to its end, without a terminal.
    pub(crate) fn run(&self, words: &[&str], stdin: &str) -> Finished {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // The tool may end without having read it.
        let _ = std::io::Write::write_all(&mut input, stdin.as_bytes());
        drop(input);
        let output = child.wait_with_output().unwrap();
        Finished {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl FakeDaemon {
    /// All that it was asked, as JSON.
    pub(crate) fn asked(self) -> Vec<serde_json::Value> {
        self.0.join().unwrap()
    }
}

/// Exchanges greetings; false if there was none.
pub(crate) fn welcome(stream: &mut UnixStream, protocol: u32) -> bool {
    let Ok(Some(hello)) = read_frame::<Hello>(stream) else {
        return false;
    };
    assert_eq!(hello.protocol, PROTOCOL);
    assert!(hello.program.starts_with("principal "), "{hello:?}");
    let welcome = Welcome {
        protocol,
        program: "kdc 9.9".into(),
        realm: "EXAMPLE.COM".into(),
    };
    write_frame(stream, &welcome).unwrap();
    true
}

/// All that can be read until there is no more.
pub(crate) fn drain(stream: &mut UnixStream) {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}
