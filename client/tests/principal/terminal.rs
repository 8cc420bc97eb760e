//! The tool as a person has it: at a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use nix::pty::openpty;

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    pub(crate) fn run(mut command: Command) -> Self {
        let pty = openpty(None, None).unwrap();
        let child = command
            .stdin(pty.slave.try_clone().unwrap())
            .stdout(pty.slave.try_clone().unwrap())
            .stderr(pty.slave)
            .spawn()
            .unwrap();
        // It holds the other side open.
        drop(command);
        let keyboard = File::from(pty.master);
        let mut from = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut octets) {
                if sender.send(octets[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            keyboard,
            screen,
            seen: String::new(),
        }
    }

    /// Waits for a question at the end of what is shown, and types.
    pub(crate) fn answer(&mut self, question: &str, answer: &str) {
        while !self.seen.ends_with(question) {
            let some = self.screen.recv_timeout(PATIENCE);
            let some = some.unwrap_or_else(|why| panic!("no {question:?} ({why}) but {:?}", self.seen));
            self.seen += &String::from_utf8(some).unwrap();
        }
        self.keyboard.write_all(answer.as_bytes()).unwrap();
    }

    /// The exit status, and all that was shown.
    pub(crate) fn finish(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        while let Ok(some) = self.screen.recv_timeout(PATIENCE) {
            self.seen += &String::from_utf8(some).unwrap();
        }
        (status.code(), self.seen.replace("\r\n", "\n"))
    }
}
