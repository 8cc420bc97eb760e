//! `<state>/failures`: how many wrong passwords came of whom, kept while nobody serves.
//!
//! The file is text: a line that says what it is, one for each count, and a checksum over all before it. It is written at most
//! once a second, and at the end; what was counted in the last second before a crash is not in it. That somebody is shut out
//! does not depend on it: that is in the principal's record.

use core::fmt::Write as _;
use core::str::FromStr;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use tessera_common::time::KerberosTime;

use crate::accounting::Accounting;
use crate::clock;
use crate::front::lockout::Keeper;
use crate::kerberos::Kdc;
use crate::log::Log;
use crate::realm::lockout::{Count, Saved};
use crate::realm::principal::ShutOut;
use crate::store::{Store, write_file};
use tessera_common::network::Network;

/// The file's name in the state directory.
pub(super) const FAILURES_FILE: &str = "failures";
/// What a damaged one is called.
const DAMAGED_FILE: &str = "failures.damaged";
/// How often it is written at most.
const EVERY: Duration = Duration::from_secs(1);
/// Its first line.
const HEAD: &str = "tessera failures 1";

/// Why the counts cannot be read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Damage {
    /// It is of another version, or no such file at all.
    Head,
    /// The checksum is not there, or is not the file's.
    Checksum,
    /// This line, from 1, is no count.
    Line(usize),
}

/// Writes the file, until it is dropped; then once more.
pub(super) struct FailuresWriter {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Takes what an earlier process counted. A file that is damaged is put aside, and counting begins at nothing.
pub(super) fn restore(state: &Path, kdc: &Kdc, log: &Log) {
    let path = state.join(FAILURES_FILE);
    let saved = match fs::read(&path) {
        Ok(octets) => decode(&octets).map_err(|damage| damage.to_string()),
        Err(why) if why.kind() == io::ErrorKind::NotFound => return,
        Err(why) => Err(why.to_string()),
    };
    match saved {
        Ok(saved) => kdc.lockout().restore(saved, clock::now().time),
        Err(why) => {
            let aside = state.join(DAMAGED_FILE);
            let put_aside = match fs::rename(&path, &aside) {
                Ok(()) => format!("it is {} now", aside.display()),
                Err(why) => format!("it cannot be put aside: {why}"),
            };
            log.warn(format_args!(
                "{} is damaged: {why}; {put_aside}, and wrong passwords are counted from nothing",
                path.display()
            ));
        }
    }
}

impl FailuresWriter {
    /// Begins to keep the counts of a KDC in its state directory.
    pub(super) fn start(
        state: &Path,
        kdc: Arc<ArcSwap<Kdc>>,
        store: Arc<dyn Store>,
        accounting: Accounting,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let path = state.join(FAILURES_FILE);
        let thread = thread::Builder::new().name("failures".into()).spawn(move || {
            let mut failing = false;
            loop {
                let stop = !matches!(stopped.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout));
                let kdc = kdc.load_full();
                if !stop {
                    keep_late(&kdc, &*store, &accounting);
                }
                if kdc.lockout().take_changed() {
                    match write(&path, &kdc) {
                        Ok(()) => failing = false,
                        Err(why) => {
                            if !failing {
                                accounting.log().error(format_args!(
                                    "{} cannot be written: {why}; wrong passwords are counted all the same",
                                    path.display()
                                ));
                            }
                            failing = true;
                            kdc.lockout().put_off();
                        }
                    }
                }
                if stop {
                    return;
                }
            }
        })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for FailuresWriter {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

// Those whose record could not be written when they were shut out.
fn keep_late(kdc: &Kdc, store: &dyn Store, accounting: &Accounting) {
    let now = clock::now().time;
    let late = kdc.lockout().not_kept(now);
    let late = late.iter().filter(|trip| trip.shut_out.since < now);
    for trip in late {
        let keeper = Keeper {
            store,
            lockout: kdc.lockout(),
            settings: kdc.settings(),
            accounting,
        };
        if !keeper.keep(trip) {
            return;
        }
    }
}

fn write(path: &Path, kdc: &Kdc) -> io::Result<()> {
    write_file(path, &encode(&kdc.lockout().save(clock::now().time)))
}

fn encode(saved: &Saved) -> Vec<u8> {
    let mut text = format!("{HEAD}\n");
    for (id, count) in &saved.principals {
        put(&mut text, "principal", &id.to_string(), count);
    }
    for (network, count) in &saved.networks {
        put(&mut text, "network", &network.to_string(), count);
    }
    let checksum = crc32c::crc32c(text.as_bytes());
    // Writing to a string does not fail.
    let _ = writeln!(text, "crc32c {checksum:08x}");
    text.into_bytes()
}

fn put(text: &mut String, what: &str, who: &str, count: &Count) {
    let Count {
        first,
        until,
        failures,
        shut_out,
        kept,
    } = count;
    let _ = write!(text, "{what} {who} {failures} {first} {until}");
    if let Some(ShutOut { since, until }) = shut_out {
        let until = until.map_or_else(|| "unlocked".to_owned(), |until| until.to_string());
        let kept = if *kept { "kept" } else { "new" };
        let _ = write!(text, " {since} {until} {kept}");
    }
    text.push('\n');
}

fn decode(octets: &[u8]) -> Result<Saved, Damage> {
    let text = core::str::from_utf8(octets).map_err(|_| Damage::Head)?;
    let rest = text.strip_prefix(HEAD).and_then(|rest| rest.strip_prefix('\n'));
    let rest = rest.ok_or(Damage::Head)?;
    let (counts, checksum) = rest.rsplit_once("crc32c ").ok_or(Damage::Checksum)?;
    let covered = octets.len() - checksum.len() - "crc32c ".len();
    let found = octets.get(..covered).map(crc32c::crc32c);
    let written = checksum
        .strip_suffix('\n')
        .and_then(|sum| u32::from_str_radix(sum, 16).ok());
    if found.is_none() || found != written {
        return Err(Damage::Checksum);
    }
    let mut saved = Saved::default();
    for (at, line) in counts.lines().enumerate() {
        count(line, &mut saved).ok_or(Damage::Line(at + 2))?;
    }
    Ok(saved)
}

fn count(line: &str, saved: &mut Saved) -> Option<()> {
    let mut words = line.split(' ');
    let (what, who) = (words.next()?, words.next()?);
    let failures = words.next()?.parse().ok()?;
    let (first, until) = (time(words.next()?)?, time(words.next()?)?);
    let shut_out = match words.next() {
        None => None,
        Some(since) => {
            let until = match words.next()? {
                "unlocked" => None,
                until => Some(time(until)?),
            };
            let since = time(since)?;
            let kept = match words.next()? {
                "kept" => true,
                "new" => false,
                _ => return None,
            };
            Some((ShutOut { since, until }, kept))
        }
    };
    let count = Count {
        first,
        until,
        failures,
        shut_out: shut_out.map(|(shut_out, _)| shut_out),
        kept: shut_out.is_some_and(|(_, kept)| kept),
    };
    match what {
        "principal" => saved.principals.push((who.parse().ok()?, count)),
        "network" => saved.networks.push((Network::from_str(who).ok()?, count)),
        _ => return None,
    }
    words.next().is_none().then_some(())
}

fn time(text: &str) -> Option<KerberosTime> {
    text.parse().ok()
}

impl core::fmt::Display for Damage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Head => write!(f, "it does not begin with {HEAD:?}"),
            Self::Checksum => f.write_str("its checksum is not right"),
            Self::Line(line) => write!(f, "line {line} is no count"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realm::principal::PrincipalId;
    use crate::realm::settings::RealmSettings;

    const NOW: KerberosTime = KerberosTime(1_800_000_000);

    fn saved() -> Saved {
        let count = |failures, shut_out, kept| Count {
            first: NOW,
            until: KerberosTime(NOW.0 + 600),
            failures,
            shut_out,
            kept,
        };
        let shut_out = |until| {
            Some(ShutOut {
                since: KerberosTime(NOW.0 + 1),
                until,
            })
        };
        Saved {
            principals: vec![
                (PrincipalId([0; 16]), count(3, None, false)),
                (PrincipalId([0xab; 16]), count(5, shut_out(None), true)),
                (
                    PrincipalId([1; 16]),
                    count(5, shut_out(Some(KerberosTime(NOW.0 + 60))), false),
                ),
            ],
            networks: vec![
                ("192.0.2.0/24".parse().unwrap(), count(7, None, false)),
                ("2001:db8::/64".parse().unwrap(), count(9, shut_out(Some(NOW)), false)),
            ],
        }
    }

    #[test]
    fn counts_are_read_as_they_were_written() {
        assert_eq!(decode(&encode(&saved())), Ok(saved()));
        assert_eq!(decode(&encode(&Saved::default())), Ok(Saved::default()));
        let text = String::from_utf8(encode(&saved())).unwrap();
        assert!(
            text.contains("\nprincipal abababababababababababababababab 5 2027-01-15T08:00:00Z 2027-01-15T08:10:00Z 2027-01-15T08:00:01Z unlocked kept\n"),
            "{text}"
        );
    }

    #[test]
    fn no_damage_goes_unseen() {
        let whole = encode(&saved());
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut turned = whole.clone();
            turned[at] ^= 1;
            assert!(decode(&turned).is_err(), "octet {at}");
        }
        assert_eq!(decode(b"tessera failures 2\ncrc32c 00000000\n"), Err(Damage::Head));
        let of = |line: &str| {
            let text = format!("{HEAD}\n{line}\n");
            let sum = crc32c::crc32c(text.as_bytes());
            decode(format!("{text}crc32c {sum:08x}\n").as_bytes())
        };
        for line in [
            "principal 00 1 2027-01-15T08:00:00Z 2027-01-15T08:10:00Z",
            "network 192.0.2.1/24 1 2027-01-15T08:00:00Z 2027-01-15T08:10:00Z",
            "somebody 192.0.2.0/24 1 2027-01-15T08:00:00Z 2027-01-15T08:10:00Z",
            "network 192.0.2.0/24 -1 2027-01-15T08:00:00Z 2027-01-15T08:10:00Z",
            "network 192.0.2.0/24 1 2027-01-15T08:00:00Z",
            "network 192.0.2.0/24 1 2027-01-15T08:00:00Z soon",
            "network 192.0.2.0/24 1 2027-01-15T08:00:00Z 2027-01-15T08:10:00Z 2027-01-15T08:00:00Z unlocked kept more",
            "",
        ] {
            assert_eq!(of(line), Err(Damage::Line(2)), "{line}");
        }
    }

    #[test]
    fn a_damaged_file_is_put_aside_and_an_absent_one_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::start(io::sink()).unwrap();
        let kdc = Kdc::new(Arc::new(RealmSettings::new("R".parse().unwrap())));
        restore(dir.path(), &kdc, &log.log());
        fs::write(dir.path().join(FAILURES_FILE), "rubbish").unwrap();
        restore(dir.path(), &kdc, &log.log());
        assert!(!dir.path().join(FAILURES_FILE).exists());
        assert_eq!(fs::read(dir.path().join(DAMAGED_FILE)).unwrap(), b"rubbish");
        let mut later = saved();
        later.principals.truncate(2);
        fs::write(dir.path().join(FAILURES_FILE), encode(&later)).unwrap();
        restore(dir.path(), &kdc, &log.log());
        assert!(kdc.lockout().shut_out(PrincipalId([0xab; 16]), NOW).is_some());
    }
}
