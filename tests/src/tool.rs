//! One command line: run it, look at what it said.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

/// A command that has not run yet.
pub struct Tool {
    pub(crate) command: Command,
    pub(crate) line: String,
    stdin: String,
}

impl Tool {
    /// `line` is split at spaces, the first word is replaced by `program`. The environment starts empty but for what makes
    /// programs speak alike everywhere: no locale, UTC.
    #[must_use]
    pub fn new(program: PathBuf, line: &str) -> Self {
        let mut command = Command::new(program);
        command.args(line.split_whitespace().skip(1));
        command.env_clear();
        command
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C")
            .env("TZ", "UTC");
        if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
            command.env("LLVM_PROFILE_FILE", profile);
        }
        Self {
            command,
            line: line.to_owned(),
            stdin: String::new(),
        }
    }

    /// One more argument, spaces and all.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.line = format!("{} {:?}", self.line, arg.as_ref());
        self.command.arg(arg);
        self
    }

    /// What the program reads from its standard input, which is no terminal.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = text.into();
        self
    }

    /// One more variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The same, run by another program: `line` is that one's, behind which this one's stands.
    #[must_use]
    pub fn under(self, program: PathBuf, line: &str) -> Self {
        let mut other = Self::new(program, line);
        other
            .command
            .arg(self.command.get_program())
            .args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value {
                other.command.env(name, value);
            }
        }
        other.line = format!("{line} {}", self.line);
        other.stdin = self.stdin;
        other
    }

    /// The command itself, for a program that is to go on in the background.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(mut self) -> Finished {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{}` does not start: {error}", self.line));
        let mut stdin = child.stdin.take().unwrap();
        let text = std::mem::take(&mut self.stdin);
        // A program may end without having read all of it.
        let writer = thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
        let stderr = collect(child.stderr.take().unwrap());
        let stdout = collect(child.stdout.take().unwrap());
        let status = child.wait().unwrap();
        writer.join().unwrap();
        Finished {
            line: self.line,
            status,
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        }
    }
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A command that has run.
#[derive(Debug)]
pub struct Finished {
    /// As it was typed.
    pub line: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Finished {
    /// It must have succeeded. Gives what it wrote to standard output.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "should have succeeded: {self}");
        self.stdout
    }

    /// It must have failed. Gives everything it wrote, standard error first.
    #[track_caller]
    pub fn refused(self) -> String {
        assert!(!self.status.success(), "should have been refused: {self}");
        assert!(self.status.code().is_some(), "was killed by a signal: {self}");
        self.stderr + &self.stdout
    }

    /// It must have failed and said this. Gives everything it wrote.
    #[track_caller]
    pub fn refused_with(self, text: &str) -> String {
        let shown = self.to_string();
        let said = self.refused();
        assert!(said.contains(text), "should have said {text:?}: {shown}");
        said
    }

    /// It must have ended with this exit status. Gives everything it wrote, standard error first.
    #[track_caller]
    pub fn status(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "wrong exit status: {self}");
        self.stderr + &self.stdout
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            line,
            status,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "`{line}` ended with {status}\n--- stdout\n{stdout}--- stderr\n{stderr}---"
        )
    }
}

/// One of our programs: in `TESSERA_BIN`, or where cargo builds them, which is beside this test.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let directory = match std::env::var_os("TESSERA_BIN") {
        Some(directory) => PathBuf::from(directory),
        None => std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned(),
    };
    let path = directory.join(name);
    assert!(
        path.exists(),
        "{} is not built: `cargo build --workspace --bins --examples` first, as tests/run does",
        path.display()
    );
    path
}

/// One of our examples, which cargo builds into a directory beside the programs.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    binary(&format!("examples/{name}"))
}

/// A program of the distribution's, wherever it put it.
#[must_use]
pub fn installed(name: &str) -> PathBuf {
    installed_one_of(&[name])
}

/// The first of these programs that the distribution has put anywhere.
pub(crate) fn installed_one_of(names: &[&str]) -> PathBuf {
    names
        .iter()
        .flat_map(|name| {
            ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"]
                .map(|directory| PathBuf::from(directory).join(name))
        })
        .find(|path| path.exists())
        .unwrap_or_else(|| {
            panic!(
                "{} is not installed; tests/run installs it where it may",
                names.join(" or ")
            )
        })
}

/// One of Heimdal's programs, and where its libraries are: below `TESSERA_HEIMDAL`, where tests/run unpacks them.
pub(crate) fn heimdal(name: &str) -> (PathBuf, PathBuf) {
    let root = std::env::var_os("TESSERA_HEIMDAL").expect("TESSERA_HEIMDAL names no directory; tests/run sets it");
    let usr = PathBuf::from(root).join("usr");
    let libraries = std::fs::read_dir(usr.join("lib"))
        .unwrap_or_else(|error| panic!("{}: {error}", usr.display()))
        .map(|entry| entry.unwrap().path())
        .find(|path| path.join("libkrb5.so.26").exists());
    // Debian's names, for beside MIT's; and where it puts servers.
    let places = [
        format!("bin/{name}.heimdal"),
        format!("bin/{name}"),
        format!("sbin/{name}"),
        format!("lib/heimdal-servers/{name}"),
    ];
    let program = places.iter().map(|place| usr.join(place)).find(|path| path.exists());
    let program = program.unwrap_or_else(|| panic!("Heimdal's {name} is not below {}", usr.display()));
    (program, libraries.expect("Heimdal's libraries are not unpacked"))
}
