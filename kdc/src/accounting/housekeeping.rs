//! Former events: made small, and taken away when they are old or too many. On a thread that nobody waits for.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;

use super::compress::Frames;
use super::figures::{self, Figures};
use super::files::{self, CURRENT, Rotated};
use super::frame::MOST_CONTENT;
use crate::clock;
use crate::config::AccountingConfig;
use crate::log::Log;

/// How often it is looked what is old.
const PERIOD: Duration = Duration::from_secs(60);
/// Octets of lines in one frame.
const FRAME: u64 = 1 << 20;
/// What a file is called while it is made.
const UNFINISHED: &str = ".new";

/// The running task; ended and waited for when dropped.
pub(super) struct Housekeeper {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(super) struct Task {
    pub(super) directory: PathBuf,
    pub(super) settings: Arc<ArcSwap<AccountingConfig>>,
    pub(super) figures: Arc<Figures>,
    pub(super) log: Log,
    /// What went wrong, and was said.
    pub(super) said: Option<String>,
    pub(super) stopping: Arc<std::sync::atomic::AtomicBool>,
}

impl Housekeeper {
    pub(super) fn start(mut task: Task) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread = thread::Builder::new().name("events-rotated".into()).spawn(move || {
            // On Linux this is the thread's own. Where it cannot be, it is done at the same priority.
            let _ = rustix::process::nice(19);
            task.run(&woken);
        })?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    /// Has it looked at once what is to be done.
    pub(super) fn waker(&self) -> Option<SyncSender<()>> {
        self.wake.clone()
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Task {
    fn run(&mut self, woken: &Receiver<()>) {
        loop {
            self.round();
            if woken.recv_timeout(PERIOD) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    pub(super) fn round(&mut self) {
        let settings = self.settings.load_full();
        let done = self.compress(&settings).and_then(|()| self.remove_old(&settings));
        match done {
            Ok(()) => self.said = None,
            Err(why) => {
                if self.said.as_ref() != Some(&why) {
                    self.log
                        .error(format_args!("former events: {why}; it is tried again every minute"));
                    self.said = Some(why);
                }
            }
        }
    }

    fn compress(&self, settings: &AccountingConfig) -> Result<(), String> {
        if !settings.compress {
            return Ok(());
        }
        let mut failed = None;
        for rotated in self.rotated()?.into_iter().filter(|rotated| !rotated.compressed) {
            if self.stopping.load(Ordering::Relaxed) {
                return Ok(());
            }
            if let Err(why) = self.compress_file(&rotated) {
                figures::add(&self.figures.compression_failures, 1);
                failed = Some(format!(
                    "{} is not compressed: {why}",
                    rotated.path(&self.directory).display()
                ));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    // Whole, or not at all: the file that it is made of goes last.
    fn compress_file(&self, rotated: &Rotated) -> io::Result<()> {
        let path = rotated.path(&self.directory);
        let to = rotated.with(true).path(&self.directory);
        let unfinished = self.directory.join(rotated.with(true).name() + UNFINISHED);
        let made = self.make(&path, &unfinished);
        match made {
            Ok(true) => {
                fs::rename(&unfinished, &to)?;
                File::open(&self.directory)?.sync_all()?;
                fs::remove_file(&path)
            }
            Ok(false) => fs::remove_file(&unfinished),
            Err(why) => {
                let _ = fs::remove_file(&unfinished);
                Err(why)
            }
        }
    }

    // `false`: the daemon stops.
    fn make(&self, from: &Path, to: &Path) -> io::Result<bool> {
        let file = File::open(from)?;
        let metadata = file.metadata()?;
        let mut out = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(to)?;
        let (mut at, end) = (0, metadata.len());
        let mut frames = Frames::new()?;
        let mut lines = Vec::new();
        while at < end {
            if self.stopping.load(Ordering::Relaxed) {
                return Ok(false);
            }
            whole_lines(&file, at, end, &mut lines)?;
            frames.write(&lines, &mut out)?;
            at += lines.len() as u64;
        }
        // How old it is, is how old its last event is.
        out.set_modified(metadata.modified()?)?;
        out.sync_all()?;
        Ok(true)
    }

    fn remove_old(&self, settings: &AccountingConfig) -> Result<(), String> {
        let now = Duration::from_secs(u64::try_from(clock::now().time.seconds()).unwrap_or(0));
        let mut files = Vec::new();
        for rotated in self.rotated()? {
            let path = rotated.path(&self.directory);
            // One that is gone already is no more to be taken away.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let written = metadata
                .modified()
                .ok()
                .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            files.push((path, metadata.len(), now.saturating_sub(written.unwrap_or(now))));
        }
        let current = fs::metadata(self.directory.join(CURRENT)).map_or(0, |metadata| metadata.len());
        let mut octets = current + files.iter().map(|(_, octets, _)| octets).sum::<u64>();
        let mut removed = 0;
        for (path, length, age) in files {
            let old = settings.keep.is_some_and(|keep| age > keep);
            let many = settings.max_size.is_some_and(|most| octets > most);
            if !old && !many {
                continue;
            }
            fs::remove_file(&path).map_err(|why| format!("{} cannot be removed: {why}", path.display()))?;
            octets -= length;
            removed += 1;
        }
        if removed > 0 {
            self.log.info(format_args!(
                "{removed} files of former events are past what [accounting] keep and max-size allow, and gone"
            ));
        }
        self.figures.on_disk.store(octets, Ordering::Relaxed);
        Ok(())
    }

    fn rotated(&self) -> Result<Vec<Rotated>, String> {
        match files::rotated(&self.directory) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            found => found.map_err(|why| format!("{} cannot be read: {why}", self.directory.display())),
        }
    }
}

// Reads about as many as a frame has; one line at least, and at the end what has no end either.
fn whole_lines(file: &File, at: u64, end: u64, octets: &mut Vec<u8>) -> io::Result<()> {
    octets.clear();
    loop {
        let length = octets.len();
        let more = (end - at - length as u64).min(FRAME);
        octets.resize(length + usize::try_from(more).unwrap_or(0), 0);
        file.read_exact_at(octets.get_mut(length..).unwrap_or_default(), at + length as u64)?;
        if at + octets.len() as u64 == end {
            return Ok(());
        }
        // Nobody who writes here writes such a line.
        if octets.len() >= MOST_CONTENT && !octets.contains(&b'\n') {
            return Ok(());
        }
        if let Some(newline) = memchr::memrchr(b'\n', octets) {
            octets.truncate(newline + 1);
            return Ok(());
        }
    }
}
