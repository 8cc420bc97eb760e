//! What the system says of this process, by the names that every exporter has for it. What is read is opened once, so that it can
//! be read when nothing more may be opened.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::stat::Mode;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

use crate::clock;
use crate::metrics::Process;

/// Where to look.
pub struct ProcessFiles {
    statm: Option<File>,
    descriptors: Option<Mutex<Dir>>,
    page_octets: u64,
    started: Option<f64>,
}

impl ProcessFiles {
    /// Opens them. What the system does not give is left out.
    #[must_use]
    pub fn open() -> Self {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
        Self {
            statm: File::open("/proc/self/statm").ok(),
            descriptors: Dir::open("/proc/self/fd", flags, Mode::empty()).ok().map(Mutex::new),
            page_octets: page.and_then(|page| u64::try_from(page).ok()).unwrap_or(4096),
            started: started(),
        }
    }

    pub(super) fn read(&self) -> Process {
        let [virtual_octets, resident_octets] = self.memory();
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).ok().unzip();
        Process {
            cpu_seconds: cpu_seconds(),
            resident_octets,
            virtual_octets,
            open_files: self.open_files(),
            most_files: soft,
            started: self.started,
        }
    }

    fn memory(&self) -> [Option<u64>; 2] {
        let mut octets = [0; 128];
        let read = self.statm.as_ref().and_then(|file| file.read_at(&mut octets, 0).ok());
        let text = octets
            .get(..read.unwrap_or(0))
            .and_then(|octets| core::str::from_utf8(octets).ok());
        let mut pages = text
            .unwrap_or_default()
            .split(' ')
            .map(|pages| pages.parse::<u64>().ok());
        [pages.next(), pages.next()].map(|pages| Some(pages??.saturating_mul(self.page_octets)))
    }

    fn open_files(&self) -> Option<u64> {
        let mut directory = self
            .descriptors
            .as_ref()?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Without "." and "..". The directory's own descriptor counts: it is open.
        let entries = directory.iter().filter_map(Result::ok).count();
        entries.checked_sub(2).map(|entries| entries as u64)
    }
}

fn cpu_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let microseconds = [usage.user_time(), usage.system_time()].map(|time| {
        let whole = u64::try_from(time.tv_sec()).unwrap_or(0);
        Duration::from_secs(whole) + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
    });
    Some(microseconds.iter().sum::<Duration>().as_secs_f64())
}

// Not by when the system was booted, which /proc/stat has: who sees of /proc the processes alone does not see that.
fn started() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let ticks_a_second = sysconf(SysconfVar::CLK_TCK).ok().flatten()?;
    let up = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?);
    let now = clock::now();
    let micros = Duration::from_micros(now.usec.into()).as_secs_f64();
    #[allow(
        clippy::cast_precision_loss,
        reason = "a hundred or a thousand, and seconds that are told as a float"
    )]
    let (ticks_a_second, now) = (ticks_a_second as f64, now.time.0 as f64 + micros);
    Some(now - (up.as_secs_f64() - started_after_boot(&stat, ticks_a_second)?))
}

// proc(5): field 22 of stat, in ticks since the system was booted; the name in field 2 may hold anything but ends with the last
// ")".
fn started_after_boot(stat: &str, ticks_a_second: f64) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let ticks: f64 = behind.split_whitespace().nth(19)?.parse().ok()?;
    Some(ticks / ticks_a_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_read_whatever_the_program_is_called() {
        let fields: Vec<_> = (3..=52).map(|field| format!("{}", field * 100)).collect();
        for name in ["kdc", "a) S 1 (b"] {
            let stat = format!("4711 ({name}) {}", fields.join(" "));
            assert_eq!(started_after_boot(&stat, 100.0), Some(22.0), "{name}");
        }
        assert_eq!(started_after_boot("4711 (kdc) S 1 2", 100.0), None);
    }

    #[test]
    fn the_process_is_seen_as_it_is() {
        let files = ProcessFiles::open();
        let before = files.read();
        assert!(before.resident_octets.unwrap() > 100_000);
        assert!(before.virtual_octets >= before.resident_octets);
        assert!(before.most_files >= before.open_files);
        let now = clock::now().time.0 as f64;
        // A test is at most as old as a run of all of them.
        let age = now - before.started.unwrap();
        assert!((-1.0..86_400.0).contains(&age), "{before:?} at {now}");
        let held: Vec<_> = (0..50).map(|_| File::open("/proc/self/stat").unwrap()).collect();
        // Other tests open and close files at the same time, though never so many.
        assert!(files.read().open_files.unwrap() >= before.open_files.unwrap() + 20);
        drop(held);
        let mut sum = 0_u64;
        while files.read().cpu_seconds <= before.cpu_seconds {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
    }
}
