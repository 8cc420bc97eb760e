//! `[accounting]` and `[log]`.

use core::time::Duration;
use std::path::{Path, PathBuf};

use tessera_common::duration;

use super::LONGEST_LIFE;
use super::reader::{self, Fault, Placed, Table};
use crate::accounting::EVENTS_DIRECTORY;
use toml::de::DeValue;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// The smallest and the largest file.
const ROTATE_SIZE: (u64, u64) = (4 * KIB, 16 * GIB);
/// The smallest and the largest queue.
const QUEUE: (u64, u64) = (16 * KIB, GIB);

/// A session of which nothing was heard for longer than a day is not known to be there.
const LONGEST_INTERIM: Duration = Duration::from_secs(86_400);

/// `[accounting]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountingConfig {
    /// `enabled`; true by default.
    pub enabled: bool,
    /// `directory`, relative paths already joined to the file's; absent, `events` in the state directory.
    pub directory: Option<PathBuf>,
    /// `rotate-size`, in octets: 4 KiB to 16 GiB, 64 MiB by default.
    pub rotate_size: u64,
    /// `rotate-every`: 1 s to ten years, a day by default; absent where it is zero.
    pub rotate_every: Option<Duration>,
    /// `keep`: 1 s to ten years, 90 d by default; absent where it is zero: as long as there is room.
    pub keep: Option<Duration>,
    /// `max-size`, in octets: at least twice `rotate-size`, 10 GiB by default; absent where it is zero: any size.
    pub max_size: Option<u64>,
    /// `compress`; true by default.
    pub compress: bool,
    /// `interim-every`: 1 s to a day, 10 min by default.
    pub interim_every: Duration,
    /// `when-slow`; to drop and count by default.
    pub when_slow: WhenSlow,
    /// `queue`, in octets: 16 KiB to 1 GiB, 8 MiB by default.
    pub queue: usize,
    /// `syslog`: a socket; absent by default.
    pub syslog: Option<PathBuf>,
    /// `journald`: a socket; absent by default.
    pub journald: Option<PathBuf>,
}

impl AccountingConfig {
    /// Where events are kept, of a realm with this state directory.
    #[must_use]
    pub fn directory_in(&self, state: &Path) -> PathBuf {
        self.directory.clone().unwrap_or_else(|| state.join(EVENTS_DIRECTORY))
    }
}

/// What becomes of an event when so much waits to be written that there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenSlow {
    /// The request waits until there is.
    Block,
    /// It is lost, and counted. A realm where nobody can log in because a disk is full is the greater harm to most.
    DropAndCount,
}

/// `[log]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `format`; text by default.
    pub format: LogFormat,
    /// `requests`: whether each request has a line; by default, where no events are kept: it is told in one log.
    pub requests: bool,
}

/// How a line of the log on standard error is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object of JSON.
    Json,
}

pub(super) fn read_accounting(file: &Path, mut table: Table<'_, '_>) -> AccountingConfig {
    let beside = |path: &str| file.parent().unwrap_or(Path::new("")).join(path);
    let mut path = |key, expected| {
        let found = table.value(key, expected, |v| match reader::string(v)? {
            "" => Err(Fault::new("the path is empty")),
            path => Ok(beside(path)),
        });
        found.map(|found| found.value)
    };
    let directory = path("directory", "a directory such as \"/var/log/tessera\"");
    let syslog = path("syslog", "a socket such as \"/dev/log\"");
    let journald = path("journald", "a socket such as \"/run/systemd/journal/socket\"");
    let mut switch = |key| {
        let found = table.value(key, "true or false", reader::boolean);
        found.is_none_or(|found| found.value)
    };
    let (enabled, compress) = (switch("enabled"), switch("compress"));
    let mut span = |key, default: u64| {
        let found = table.value(key, "a time such as \"1d\" or \"90d\", or \"0s\"", |v| {
            let (text, span) = reader::span(v)?;
            if span > LONGEST_LIFE {
                let most = duration::format(LONGEST_LIFE);
                return Err(Fault::new(format!("{text} is more than {most}")));
            }
            Ok(span)
        });
        let span = found.map_or(Duration::from_secs(default), |found| found.value);
        Some(span).filter(|span| !span.is_zero())
    };
    let (rotate_every, keep) = (span("rotate-every", 86_400), span("keep", 90 * 86_400));
    let interim = table.value("interim-every", "a time from 1s to 1d, such as \"10m\"", |v| {
        let (text, span) = reader::span(v)?;
        if span.is_zero() || span > LONGEST_INTERIM {
            return Err(Fault::new(format!("{text} is out of range")));
        }
        Ok(span)
    });
    let mut size = |key, default: u64, (least, most): (u64, u64)| {
        let expected = format!(
            "a size from {} to {}, such as \"64M\"",
            size_text(least),
            size_text(most)
        );
        let found = table.value(key, &expected, |v| {
            let octets = size_of(v)?;
            if !(least..=most).contains(&octets) {
                return Err(Fault::new(format!("{} is out of range", size_text(octets))));
            }
            Ok(octets)
        });
        found.map_or(default, |found| found.value)
    };
    let rotate_size = size("rotate-size", 64 * MIB, ROTATE_SIZE);
    let queue = usize::try_from(size("queue", 8 * MIB, QUEUE)).unwrap_or(usize::MAX);
    let max_size = table.value("max-size", "a size such as \"10G\", or 0", size_of);
    if let Some(Placed { value, at }) = &max_size
        && *value > 0
        && *value < 2 * rotate_size
    {
        let what = format!(
            "{} is less than two files of rotate-size, {}: nothing would be kept",
            size_text(*value),
            size_text(2 * rotate_size)
        );
        table.wrong("max-size", at.clone(), what);
    }
    let when_slow = table.value(
        "when-slow",
        "\"block\" or \"drop-and-count\"",
        |v| match reader::string(v)? {
            "block" => Ok(WhenSlow::Block),
            "drop-and-count" => Ok(WhenSlow::DropAndCount),
            other => Err(Fault::new(format!("{other:?} is neither"))),
        },
    );
    table.finish();
    AccountingConfig {
        enabled,
        directory,
        rotate_size,
        rotate_every,
        keep,
        max_size: Some(max_size.map_or(10 * GIB, |size| size.value)).filter(|size| *size > 0),
        compress,
        interim_every: interim.map_or(Duration::from_secs(600), |found| found.value),
        when_slow: when_slow.map_or(WhenSlow::DropAndCount, |found| found.value),
        queue,
        syslog,
        journald,
    }
}

pub(super) fn read_log(mut table: Table<'_, '_>, accounting: &AccountingConfig) -> LogConfig {
    let format = table.value("format", "\"text\" or \"json\"", |v| match reader::string(v)? {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(Fault::new(format!("{other:?} is neither"))),
    });
    let requests = table.value("requests", "true or false", reader::boolean);
    table.finish();
    LogConfig {
        format: format.map_or(LogFormat::Text, |found| found.value),
        requests: requests.map_or(!accounting.enabled, |found| found.value),
    }
}

/// Octets, or a text such as "64M": K, M and G count by 1024, as df and logrotate do.
fn size_of(value: &DeValue<'_>) -> Result<u64, Fault> {
    let Ok(text) = reader::string(value) else {
        let octets = reader::integer(value)?;
        return u64::try_from(octets).map_err(|_| Fault::new(format!("{octets} is negative")));
    };
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'K') => (text.get(..text.len() - 1), KIB),
        Some(b'M') => (text.get(..text.len() - 1), MIB),
        Some(b'G') => (text.get(..text.len() - 1), GIB),
        _ => (Some(text), 1),
    };
    digits
        .filter(|digits| digits.bytes().all(|octet| octet.is_ascii_digit()))
        .and_then(|digits| digits.parse::<u64>().ok())
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| Fault::new(format!("{text:?} is no size: a number, and K, M or G behind it")))
}

fn size_text(octets: u64) -> String {
    match octets {
        _ if octets > 0 && octets.is_multiple_of(GIB) => format!("{}G", octets / GIB),
        _ if octets > 0 && octets.is_multiple_of(MIB) => format!("{}M", octets / MIB),
        _ if octets > 0 && octets.is_multiple_of(KIB) => format!("{}K", octets / KIB),
        _ => octets.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn parse(keys: &str) -> Result<Config, Vec<String>> {
        let text = format!("[realm]\nname = \"R\"\nstate = \"var\"\n{keys}\n");
        Config::parse(Path::new("/etc/realm.toml"), &text)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_written_is_in_force() {
        let config = parse(
            "[log]\nformat = \"json\"\nrequests = false\n[accounting]\nenabled = false\ndirectory = \"log\"\nrotate-size = \"1M\"\n\
             rotate-every = \"1h\"\nkeep = \"0s\"\nmax-size = 3000000\ncompress = false\ninterim-every = \"5m\"\nwhen-slow = \"block\"\nqueue = \"64K\"\n\
             syslog = \"/dev/log\"\njournald = \"/run/systemd/journal/socket\"",
        )
        .unwrap();
        assert_eq!(
            config.accounting,
            AccountingConfig {
                enabled: false,
                directory: Some("/etc/log".into()),
                rotate_size: MIB,
                rotate_every: Some(Duration::from_secs(3600)),
                keep: None,
                max_size: Some(3_000_000),
                compress: false,
                interim_every: Duration::from_secs(300),
                when_slow: WhenSlow::Block,
                queue: 64 << 10,
                syslog: Some("/dev/log".into()),
                journald: Some("/run/systemd/journal/socket".into()),
            }
        );
        let log = LogConfig {
            format: LogFormat::Json,
            requests: false,
        };
        assert_eq!(config.log, log);
        for (keys, requests) in [
            ("", false),
            ("[accounting]\nenabled = false", true),
            ("[log]\nrequests = true", true),
        ] {
            assert_eq!(parse(keys).unwrap().log.requests, requests, "{keys}");
        }
        let unbounded = parse("[accounting]\nmax-size = 0\nrotate-every = \"0s\"")
            .unwrap()
            .accounting;
        assert_eq!((unbounded.max_size, unbounded.rotate_every), (None, None));
    }

    #[test]
    fn what_is_out_of_bounds_says_so() {
        for (keys, why) in [
            (
                "rotate-size = \"4095\"",
                "4095 is out of range; expected a size from 4K to 16G, such as \"64M\"",
            ),
            ("rotate-size = \"17G\"", "17G is out of range"),
            (
                "rotate-size = \"64MB\"",
                "\"64MB\" is no size: a number, and K, M or G behind it",
            ),
            ("rotate-size = \"-1\"", "is no size"),
            ("rotate-size = -1", "-1 is negative"),
            ("rotate-size = \"99999999999G\"", "is no size"),
            ("queue = \"1K\"", "1K is out of range; expected a size from 16K to 1G"),
            (
                "max-size = \"100M\"",
                "100M is less than two files of rotate-size, 128M",
            ),
            ("keep = \"4000d\"", "4000d is more than 3660d"),
            (
                "when-slow = \"wait\"",
                "\"wait\" is neither; expected \"block\" or \"drop-and-count\"",
            ),
            ("directory = \"\"", "the path is empty"),
            (
                "interim-every = \"0s\"",
                "0s is out of range; expected a time from 1s to 1d",
            ),
            ("interim-every = \"25h\"", "25h is out of range"),
        ] {
            let problems = parse(&format!("[accounting]\n{keys}")).unwrap_err();
            assert!(problems[0].contains(why), "{keys}: {problems:?}");
        }
        let problems = parse("[log]\nformat = \"xml\"").unwrap_err();
        assert!(problems[0].contains("\"xml\" is neither"), "{problems:?}");
    }

    #[test]
    fn every_key_is_documented() {
        let documented = include_str!("../../../docs/accounting.md");
        for table in ["accounting", "log"] {
            let problem = parse(&format!("[{table}]\nthere-is-no-such-key = 1"))
                .unwrap_err()
                .remove(0);
            let (_, keys) = problem.split_once("known here: ").unwrap();
            for key in keys.split(", ") {
                assert!(documented.contains(&format!("`{key}")), "{table}.{key}");
            }
        }
    }
}
