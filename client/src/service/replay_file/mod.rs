//! A replay cache in a file that the processes of a host share.

mod bucket;
mod error;
mod header;

use core::time::Duration;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::libc;
use tessera_common::ap::{ReplayCache, ReplayError, ReplayTag};
use tessera_common::time::KerberosTime;

use self::bucket::{BUCKET_LEN, Finding, SLOT_LEN, find, slot};
pub use self::error::ReplayFileError;
use self::header::Header;
use crate::cache::create_beside;
use crate::system::{self, SystemRandom};

/// A replay cache in a file: what one process of a host has accepted, none of them accepts again, nor the same one after it
/// was killed.
///
/// The file belongs to the user that the services run as and is written by nobody else. It is a table of a fixed number of
/// tags, 32 octets each; when there is no room for a tag, it is refused with [`ReplayError::Full`] until old ones expire, as
/// with [`tessera_common::ap::MemoryReplayCache`]. A claim takes the file's lock, reads where the tag may be, and writes it there with one
/// write within one page: killed at whatever instant, a process has made its claim or has not, and never says that it has
/// before it has.
///
/// - **A file that is not there** is made, whole before it gets its name. Removing one is how an administrator has it forget.
/// - **A damaged file**, cut short or with something in it that nobody wrote, is put aside as `FILE.damaged`. The one in its place
///   refuses everybody ([`ReplayError::Unavailable`]) for twice the skew: what the old one knew has then expired.
/// - **A clock that goes back** forgets nothing. What was claimed while it was ahead is kept until it comes there again, unless the
///   room is needed.
/// - **After a power cut** what was claimed in the last half minute may be missing, as the system writes the file to the
///   disk in its own time. In `/run`, the file is new after every start of the machine.
#[derive(Debug)]
pub struct ReplayFile {
    path: PathBuf,
    window: Duration,
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    problem: Option<String>,
}

#[derive(Debug)]
struct Held {
    file: File,
    // Device and inode: whether it is the one at the path.
    identity: (u64, u64),
    // Once it was read. It does not change, but for a file that is closed.
    header: Option<Header>,
}

// What came of a claim that nothing stood in the way of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Made,
    Seen,
    Full,
}

// Why a claim has to be tried again.
enum Setback {
    // The file at the path is another one now.
    Replaced,
    Damaged,
    Fatal(ReplayFileError),
}

// How often the file may be found replaced under one claim.
const ATTEMPTS: usize = 16;
// How long others may hold the lock, all in all: they hold it for microseconds.
const YIELDS: u32 = 500;
const NAPS: u32 = 2000;
const NAP: Duration = Duration::from_millis(1);

impl ReplayFile {
    /// Tags that a file of [`ReplayFile::open`] has room for: 500,000, which makes it 20 MB.
    pub const CAPACITY: usize = 500_000;

    /// Opens the file, or makes it, for messages whose time may be `skew` off in either direction.
    ///
    /// # Errors
    /// [`ReplayFileError`]. A damaged file is none: it is replaced, and claims are refused for a while.
    pub fn open(path: impl Into<PathBuf>, skew: Duration) -> Result<Self, ReplayFileError> {
        Self::with_capacity(path, skew, Self::CAPACITY)
    }

    /// The same; a file that is made anew has room for `capacity` tags at least.
    ///
    /// # Errors
    /// As [`ReplayFile::open`].
    pub fn with_capacity(path: impl Into<PathBuf>, skew: Duration, capacity: usize) -> Result<Self, ReplayFileError> {
        let this = Self {
            path: path.into(),
            // A message from `skew` in the future stays current for twice the skew.
            window: skew.saturating_mul(2),
            capacity,
            state: Mutex::default(),
        };
        {
            let mut state = this.state.lock().unwrap_or_else(PoisonError::into_inner);
            this.with_file(&mut state.held, system::now().time, |_, _| Ok(()))?;
        }
        Ok(this)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was in the way of the last claim that was refused with [`ReplayError::Unavailable`]: for the log.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.problem.clone()
    }

    // Does something with the file that is at the path now, under its lock and with its header read.
    fn with_file<T>(
        &self,
        held: &mut Option<Held>,
        now: KerberosTime,
        mut act: impl FnMut(&File, &Header) -> Result<T, Setback>,
    ) -> Result<T, ReplayFileError> {
        for _ in 0..ATTEMPTS {
            let mut current = match held.take() {
                Some(current) => current,
                None => self.open_or_create()?,
            };
            match self.under_lock(&mut current, now, &mut act) {
                Ok(done) => {
                    *held = Some(current);
                    return Ok(done);
                }
                Err(Setback::Fatal(why)) => {
                    *held = Some(current);
                    return Err(why);
                }
                Err(Setback::Replaced | Setback::Damaged) => {}
            }
        }
        Err(ReplayFileError::Unsteady(self.path.clone()))
    }

    fn under_lock<T>(
        &self,
        held: &mut Held,
        now: KerberosTime,
        act: &mut impl FnMut(&File, &Header) -> Result<T, Setback>,
    ) -> Result<T, Setback> {
        let Held { file, identity, header } = held;
        let _locked = self.lock(file)?;
        if !self.is_current(*identity)? {
            return Err(Setback::Replaced);
        }
        let known = header.map_or_else(|| self.header(file), Ok);
        let done = known.and_then(|known| {
            *header = Some(known).filter(|known| known.closed.is_none());
            let header = known;
            if header.window() < self.window {
                return Err(Setback::Fatal(ReplayFileError::Window {
                    path: self.path.clone(),
                    has: header.window(),
                    wanted: self.window,
                }));
            }
            act(file, &header)
        });
        if matches!(done, Err(Setback::Damaged)) {
            // Still under the damaged file's lock: of all who find it so, one alone replaces it.
            self.replace_damaged(now).map_err(Setback::Fatal)?;
        }
        done
    }

    fn claim_in(&self, file: &File, header: &Header, tag: ReplayTag, now: KerberosTime) -> Result<Claim, Setback> {
        self.check_closed(file, header, now)?;
        // The emptier one of the two buckets, and the first slot there.
        let (mut best, mut ahead) = (None, None);
        let [one, other] = header.places(tag);
        for place in [Some(one), Some(other).filter(|other| *other != one)]
            .into_iter()
            .flatten()
        {
            let mut bucket = [0; BUCKET_LEN];
            self.read(file, &mut bucket, place)?;
            match find(&bucket, tag, header, now) {
                Finding::Seen => return Ok(Claim::Seen),
                Finding::Damaged => return Err(Setback::Damaged),
                Finding::Absent {
                    free,
                    first,
                    ahead: later,
                } => {
                    let at = |number: usize| place + (number * SLOT_LEN) as u64;
                    best = best.max(first.map(|number| (free, at(number))));
                    ahead = ahead.or(later.map(at));
                }
            }
        }
        let Some(at) = best.map(|(_, at)| at).or(ahead) else {
            return Ok(Claim::Full);
        };
        self.write(file, &slot(tag, now, header), at)?;
        Ok(Claim::Made)
    }

    // After damage, for as long as an authenticator can be current that the lost file knew.
    fn check_closed(&self, file: &File, header: &Header, now: KerberosTime) -> Result<(), Setback> {
        let Some(mut since) = header.closed else {
            return Ok(());
        };
        if now < since {
            // The clock was ahead when the damage was found: so the time counts from now.
            since = now;
            let header = Header {
                closed: Some(now),
                ..*header
            };
            self.write(file, &header.to_bytes(), 0)?;
        }
        let until = since.plus(header.window());
        if now > until {
            return Ok(());
        }
        Err(Setback::Fatal(ReplayFileError::Closed {
            path: self.path.clone(),
            until,
        }))
    }

    fn open_or_create(&self) -> Result<Held, ReplayFileError> {
        for _ in 0..ATTEMPTS {
            // A link is not followed: it could lead to a file of ours that is something else.
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
                .open(&self.path);
            match opened {
                Ok(file) => return self.checked(file),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) if e.kind() == ErrorKind::IsADirectory || e.raw_os_error() == Some(libc::ELOOP) => {
                    return Err(ReplayFileError::NotAFile(self.path.clone()));
                }
                Err(e) => return Err(self.io("cannot open", e)),
            }
            self.create(None).map_err(|e| self.io("cannot make", e))?;
        }
        Err(ReplayFileError::Unsteady(self.path.clone()))
    }

    fn checked(&self, file: File) -> Result<Held, ReplayFileError> {
        let metadata = file.metadata().map_err(|e| self.io("cannot read", e))?;
        if !metadata.is_file() {
            return Err(ReplayFileError::NotAFile(self.path.clone()));
        }
        if metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(ReplayFileError::NotOurs(self.path.clone()));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(ReplayFileError::Writable {
                path: self.path.clone(),
                mode: metadata.mode() & 0o7777,
            });
        }
        Ok(Held {
            file,
            identity: (metadata.dev(), metadata.ino()),
            header: None,
        })
    }

    // Makes the file under another name, and gives it its own when it is whole: only if there is none meanwhile, or in place
    // of a damaged one.
    fn create(&self, closed: Option<KerberosTime>) -> io::Result<()> {
        let header = Header {
            closed,
            ..Header::new(self.capacity, self.window, &mut SystemRandom)
        };
        let (file, beside) = create_beside(&self.path)?;
        let made = file
            .write_all_at(&header.to_bytes(), 0)
            .and_then(|()| file.set_len(header.file_len()))
            .and_then(|()| file.sync_all())
            .and_then(|()| match closed {
                None => fs::hard_link(&beside, &self.path),
                Some(_) => fs::rename(&beside, &self.path),
            });
        let _ = fs::remove_file(&beside);
        match made {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    fn replace_damaged(&self, now: KerberosTime) -> Result<(), ReplayFileError> {
        let mut aside = self.path.as_os_str().to_owned();
        aside.push(".damaged");
        let aside = PathBuf::from(aside);
        // For whoever wants to know what happened to it; that it can be kept is not worth failing for.
        let _ = fs::remove_file(&aside);
        let _ = fs::hard_link(&self.path, &aside);
        self.create(Some(now)).map_err(|e| self.io("cannot replace", e))
    }

    // Whether the file that is held is the one at the path.
    fn is_current(&self, ours: (u64, u64)) -> Result<bool, Setback> {
        match fs::symlink_metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) == ours),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(self.fatal("cannot find", e)),
        }
    }

    fn header(&self, file: &File) -> Result<Header, Setback> {
        let mut octets = [0; Header::LEN];
        self.read(file, &mut octets, 0)?;
        Header::parse(&octets).ok_or(Setback::Damaged)
    }

    fn read(&self, file: &File, into: &mut [u8], at: u64) -> Result<(), Setback> {
        file.read_exact_at(into, at).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => Setback::Damaged,
            _ => self.fatal("cannot read", e),
        })
    }

    fn write(&self, file: &File, octets: &[u8], at: u64) -> Result<(), Setback> {
        file.write_all_at(octets, at)
            .map_err(|e| self.fatal("cannot write to", e))
    }

    // The lock is the open file's: threads of this process that share it are kept apart by `state`.
    #[allow(
        clippy::disallowed_methods,
        reason = "whoever holds the lock is asked again and again, and not waited for without end"
    )]
    fn lock<'a>(&self, file: &'a File) -> Result<Locked<'a>, Setback> {
        for attempt in 0..YIELDS + NAPS {
            match file.try_lock() {
                Ok(()) => return Ok(Locked(file)),
                Err(TryLockError::WouldBlock) if attempt < YIELDS => std::thread::yield_now(),
                Err(TryLockError::WouldBlock) => std::thread::sleep(NAP),
                Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Interrupted => {}
                Err(TryLockError::Error(e)) => return Err(self.fatal("cannot lock", e)),
            }
        }
        Err(Setback::Fatal(ReplayFileError::Busy(self.path.clone())))
    }

    fn io(&self, what: &'static str, source: io::Error) -> ReplayFileError {
        ReplayFileError::Io {
            what,
            path: self.path.clone(),
            source,
        }
    }

    fn fatal(&self, what: &'static str, source: io::Error) -> Setback {
        Setback::Fatal(self.io(what, source))
    }
}

impl ReplayCache for ReplayFile {
    fn claim(&self, tag: ReplayTag, now: KerberosTime) -> Result<(), ReplayError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let claimed = self.with_file(&mut state.held, now, |file, header| {
            self.claim_in(file, header, tag, now)
        });
        match claimed {
            Ok(Claim::Made) => Ok(()),
            Ok(Claim::Seen) => Err(ReplayError::Seen),
            Ok(Claim::Full) => Err(ReplayError::Full),
            Err(why) => {
                state.problem = Some(why.to_string());
                Err(ReplayError::Unavailable)
            }
        }
    }
}

// A lock that is given up with its scope; a process that dies gives it up, too.
struct Locked<'a>(&'a File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests;
