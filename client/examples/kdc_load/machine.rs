//! Who used the machine, from /proc.

use std::fs;
use std::time::Instant;

/// Seconds: of CPUs, but for the wall's. First as of an arbitrary beginning, then as the difference of two such.
pub(super) struct Usage {
    wall_at: Instant,
    pub(super) wall: f64,
    /// Of the server's threads.
    pub(super) server: f64,
    /// Of this program's.
    pub(super) own: f64,
    /// Of everybody.
    pub(super) busy: f64,
    /// That the machine's host gave to others. It counts as the running process's own, so it spoils a measurement.
    pub(super) stolen: f64,
}

impl Usage {
    #[allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
    pub(super) fn now(servers: &[u32]) -> Self {
        let (busy, stolen) = everybody().unwrap_or_default();
        Self {
            wall_at: Instant::now(),
            wall: 0.0,
            server: servers.iter().map(|pid| threads(&pid.to_string())).sum(),
            own: threads("self"),
            busy,
            stolen,
        }
    }

    pub(super) fn since(self, before: &Self) -> Self {
        Self {
            wall_at: self.wall_at,
            wall: (self.wall_at - before.wall_at).as_secs_f64(),
            server: self.server - before.server,
            own: self.own - before.own,
            busy: self.busy - before.busy,
            stolen: self.stolen - before.stolen,
        }
    }
}

// The scheduler's own account, in nanoseconds: the first number of each thread's schedstat.
fn threads(pid: &str) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let on_cpu = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    on_cpu.sum::<f64>() / 1e9
}

// The first line of /proc/stat, in hundredths: user, nice, system, idle, iowait, irq, softirq, steal.
fn everybody() -> Option<(f64, f64)> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().next()?.split_whitespace().skip(1);
    let ticks: Vec<f64> = line.map_while(|word| word.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else {
        return None;
    };
    Some(((user + nice + system + irq + softirq) / 100.0, steal / 100.0))
}
