//! A person at a terminal: a program that asks is answered.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use nix::pty::openpty;

use crate::tool::{Finished, Tool};

const PATIENCE: Duration = Duration::from_secs(120);

/// A program with a terminal of its own.
pub struct Terminal {
    line: String,
    child: Child,
    keyboard: File,
    screen: Arc<Screen>,
    answered: usize,
}

#[derive(Default)]
struct Screen {
    shown: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Tool {
    /// Runs it at a terminal.
    #[must_use]
    pub fn at_terminal(self) -> Terminal {
        // `setsid --ctty` makes the terminal the program's own, so that it finds it as /dev/tty, too.
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(self.command.get_program())
            .args(self.command.get_args())
            .env_clear();
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let pty = openpty(None, None).unwrap();
        let keyboard = File::from(pty.master);
        let mut child = command
            .stdin(pty.slave.try_clone().unwrap())
            .stdout(pty.slave.try_clone().unwrap())
            .stderr(pty.slave)
            .spawn()
            .unwrap();
        // The command holds the slave's other descriptors: as long as they are open the screen never ends.
        drop(command);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.code().is_some(), "`{}` died at once: {status}", self.line);
        }
        let screen = Arc::new(Screen::default());
        let (from, to) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || to.copy(from));
        Terminal {
            line: self.line,
            child,
            keyboard,
            screen,
            answered: 0,
        }
    }
}

impl Terminal {
    /// Ends the program, whatever it does.
    pub fn kill(&mut self) {
        // It may have ended; until it is waited for, its number is not another's.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until the program asks this (what was answered before does not count), then types the answer and Return.
    #[track_caller]
    pub fn answer(&mut self, question: &str, answer: &str) -> &mut Self {
        self.wait_for(question);
        self.keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
        self
    }

    /// Waits until the program shows this (what was waited for before does not count).
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &mut Self {
        let screen = Arc::clone(&self.screen);
        let mut shown = screen.shown.lock().unwrap();
        loop {
            let rest = String::from_utf8_lossy(&shown.0[self.answered..]).into_owned();
            if let Some(at) = rest.find(text) {
                self.answered += at + text.len();
                return self;
            }
            let all = String::from_utf8_lossy(&shown.0).into_owned();
            assert!(
                !shown.1,
                "`{}` ended without showing {text:?}; it showed\n{all}",
                self.line
            );
            let (next, timeout) = screen.changed.wait_timeout(shown, PATIENCE).unwrap();
            assert!(
                !timeout.timed_out(),
                "`{}` does not show {text:?}; it showed\n{all}",
                self.line
            );
            shown = next;
        }
    }

    /// Types this and Return.
    pub fn type_line(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Waits until of what was shown since the last time enough is there, and gives so much of it as `is_enough` says.
    #[track_caller]
    pub fn read_until(&mut self, is_enough: impl Fn(&str) -> Option<usize>) -> String {
        let screen = Arc::clone(&self.screen);
        let mut shown = screen.shown.lock().unwrap();
        loop {
            let rest = String::from_utf8_lossy(&shown.0[self.answered..]).into_owned();
            if let Some(length) = is_enough(&rest) {
                self.answered += length;
                return rest[..length].to_owned();
            }
            assert!(!shown.1, "`{}` ended; it showed\n{rest}", self.line);
            let (next, timeout) = screen.changed.wait_timeout(shown, PATIENCE).unwrap();
            assert!(
                !timeout.timed_out(),
                "`{}` goes on and on; it showed\n{rest}",
                self.line
            );
            shown = next;
        }
    }

    /// Waits for the program's end. Gives all that was on the screen, as standard output.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let status = self.child.wait().unwrap();
        let mut shown = self.screen.shown.lock().unwrap();
        while !shown.1 {
            shown = self.screen.changed.wait(shown).unwrap();
        }
        let stdout = String::from_utf8_lossy(&shown.0).replace("\r\n", "\n");
        drop(shown);
        Finished {
            line: self.line,
            status,
            stdout,
            stderr: String::new(),
        }
    }
}

impl Screen {
    fn copy(&self, mut from: File) {
        let mut buffer = [0; 4096];
        // Linux ends a pty whose other side is closed with EIO.
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            self.shown.lock().unwrap().0.extend_from_slice(&buffer[..length]);
            self.changed.notify_all();
        }
        self.shown.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}
