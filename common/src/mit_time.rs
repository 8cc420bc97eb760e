//! Spans and times as MIT's programs and krb5.conf write them: `10h`, `1d 2h`, `1-02:03:04`, `8:30`; `20261123081500`, `08:15`.
//!
//! People have these in their files and their fingers, so the programs that replace MIT's read them. What this project's own
//! files say is read by [`crate::duration`] and by [`KerberosTime`] itself.

use core::fmt;
use core::time::Duration;

use crate::time::KerberosTime;

/// The longest span: 2^31-1 seconds, 68 years.
pub const MAX_SPAN: Duration = Duration::from_secs(0x7fff_ffff);

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Why a text is no span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanError {
    /// None of the forms.
    Unreadable,
    /// Longer than [`MAX_SPAN`].
    TooLong,
}

/// Reads a span: numbers with the units `d`, `h`, `m`, `s`, the larger first, blanks between them or not; `h:m`, `h:m:s`,
/// `d-h:m:s`; or a number of seconds.
///
/// # Errors
/// [`SpanError`].
pub fn parse_span(text: &str) -> Result<Duration, SpanError> {
    let text = text.trim_ascii();
    let seconds = if text.contains(':') {
        clock_span(text)
    } else {
        unit_span(text)
    }?;
    Some(Duration::from_secs(seconds))
        .filter(|span| *span <= MAX_SPAN)
        .ok_or(SpanError::TooLong)
}

fn clock_span(text: &str) -> Result<u64, SpanError> {
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (number(days, 10)?, clock),
        None => (0, text),
    };
    let has_days = text.contains('-');
    let mut parts = clock.split(':');
    let mut next = |digits| parts.next().map(|part| number(part, digits)).transpose();
    let hours = next(if has_days { 2 } else { 10 })?.ok_or(SpanError::Unreadable)?;
    let minutes = next(2)?.ok_or(SpanError::Unreadable)?;
    let seconds = next(2)?;
    if parts.next().is_some() || (has_days && seconds.is_none()) {
        return Err(SpanError::Unreadable);
    }
    Ok(days * 86_400 + hours * 3600 + minutes * 60 + seconds.unwrap_or(0))
}

fn unit_span(text: &str) -> Result<u64, SpanError> {
    if let Ok(seconds) = number(text, 10) {
        return Ok(seconds);
    }
    let mut seconds = 0;
    let mut rest = text;
    for (unit, worth) in [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)] {
        if let Some((count, behind)) = rest.split_once(unit) {
            seconds += number(count, 10)? * worth;
            rest = behind.trim_ascii_start();
        }
    }
    if rest.is_empty() && !text.is_empty() {
        Ok(seconds)
    } else {
        Err(SpanError::Unreadable)
    }
}

// So few digits that no product of them with a unit leaves 64 bits.
fn number(text: &str, digits: usize) -> Result<u64, SpanError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SpanError::Unreadable);
    }
    if text.len() > digits {
        return Err(if digits < 10 {
            SpanError::Unreadable
        } else {
            SpanError::TooLong
        });
    }
    text.parse().map_err(|_| SpanError::TooLong)
}

/// Reads a local time: `yyyymmddhhmmss`, `yyyy.mm.dd.hh.mm.ss`, both with two digits of the year, `yymmddhhmm`,
/// `dd-mon-yyyy:hh:mm`, with `:ss` or not, and, of today, `hhmmss`, `hhmm`, `hh:mm:ss`, `hh:mm`. Two digits of the year are
/// 1969 to 2068. `None` when it is none of these.
///
/// `offset_at` gives local time less UTC in seconds at an instant.
pub fn parse_local_time(
    text: &str,
    now: KerberosTime,
    offset_at: impl Fn(KerberosTime) -> i32,
) -> Option<KerberosTime> {
    let offset_now = i64::from(offset_at(now));
    let today = KerberosTime(now.seconds().saturating_add(offset_now)).to_wire();
    let today = core::str::from_utf8(today.get(..8)?).ok()?;

    let text = text.trim_ascii();
    let local = date_and_time(text).or_else(|| Some(format!("{today}{}", time_of_day(text)?)))?;
    let local = KerberosTime::from_wire(format!("{local}Z").as_bytes())?.seconds();
    // The offset that counts is the one at that time, which the one of now finds closely enough.
    let near = KerberosTime(local.saturating_sub(offset_now));
    Some(KerberosTime(local.saturating_sub(i64::from(offset_at(near)))))
}

// All as yyyymmddhhmmss.
fn date_and_time(text: &str) -> Option<String> {
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.len() {
        14 if is_digits => return Some(text.to_owned()),
        12 if is_digits => return Some(format!("{}{}", century(text)?, text)),
        10 if is_digits => return Some(format!("{}{}00", century(text)?, text)),
        _ => {}
    }
    if let Some((date, clock)) = text.split_once(':') {
        let parts: Vec<&str> = date.split('-').collect();
        let [day, month, year] = <[&str; 3]>::try_from(parts).ok()?;
        let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? + 1;
        let year = if year.len() == 4 { year } else { return None };
        return Some(format!(
            "{year}{month:02}{}{}",
            two_digits(day)?,
            time_of_day(clock).filter(|_| clock.contains(':'))?
        ));
    }
    let parts: Vec<&str> = text.split('.').collect();
    let [year, rest @ ..] = <[&str; 6]>::try_from(parts).ok()?;
    let year = match year.len() {
        4 => year.to_owned(),
        _ => format!("{}{}", century(&two_digits(year)?)?, two_digits(year)?),
    };
    let rest = rest.into_iter().map(two_digits).collect::<Option<String>>()?;
    Some(year + &rest)
}

fn century(year_first: &str) -> Option<&'static str> {
    let year: u8 = year_first.get(..2)?.parse().ok()?;
    Some(if year < 69 { "20" } else { "19" })
}

fn time_of_day(text: &str) -> Option<String> {
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.len() {
        6 if is_digits => return Some(text.to_owned()),
        4 if is_digits => return Some(format!("{text}00")),
        _ => {}
    }
    let mut parts = text.split(':').map(two_digits);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or_else(|| Some("00".to_owned()))?;
    parts.next().is_none().then(|| format!("{hour}{minute}{second}"))
}

fn two_digits(text: &str) -> Option<String> {
    let fits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| format!("{text:0>2}"))
}

impl fmt::Display for SpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "a span of time is written 10h, 7d, 1d2h30m, 8:30, or as a number of seconds",
            Self::TooLong => "the span of time is longer than 68 years",
        })
    }
}

impl core::error::Error for SpanError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: KerberosTime = KerberosTime(1_795_421_700); // 2026-11-23T08:15:00Z

    #[test]
    fn spans_are_read_as_mit_reads_them() {
        for (text, seconds) in [
            ("0", 0),
            ("36000", 36_000),
            ("10h", 36_000),
            ("7d", 604_800),
            ("1d2h3m4s", 93_784),
            ("1d 2h 3m 4s", 93_784),
            ("1d4s", 86_404),
            (" 5m ", 300),
            ("90s", 90),
            ("8:30", 30_600),
            ("8:30:01", 30_601),
            ("100:00:00", 360_000),
            ("1-02:03:04", 93_784),
            ("2147483647", 2_147_483_647),
        ] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for (text, why) in [
            ("", SpanError::Unreadable),
            ("h", SpanError::Unreadable),
            ("10x", SpanError::Unreadable),
            ("10hx", SpanError::Unreadable),
            ("1m1h", SpanError::Unreadable),
            ("1h1h", SpanError::Unreadable),
            ("1h 30", SpanError::Unreadable),
            ("-5", SpanError::Unreadable),
            ("8:", SpanError::Unreadable),
            ("8:300", SpanError::Unreadable),
            ("8:30:01:00", SpanError::Unreadable),
            ("1-02:03", SpanError::Unreadable),
            ("1-100:03:04", SpanError::Unreadable),
            ("2147483648", SpanError::TooLong),
            ("24856d", SpanError::TooLong),
            ("99999999999h", SpanError::TooLong),
        ] {
            assert_eq!(parse_span(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn local_times_are_read_as_mit_reads_them() {
        for (text, utc) in [
            ("20261124093000", "20261124083000Z"),
            ("2026.11.24.09.30.00", "20261124083000Z"),
            ("2026.11.24.9.30.0", "20261124083000Z"),
            ("261124093000", "20261124083000Z"),
            ("26.11.24.09.30.00", "20261124083000Z"),
            ("2611240930", "20261124083000Z"),
            ("9911240930", "19991124083000Z"),
            ("6811240930", "20681124083000Z"),
            ("093015", "20261123083015Z"),
            ("0930", "20261123083000Z"),
            ("09:30:15", "20261123083015Z"),
            ("9:30", "20261123083000Z"),
            ("24-Nov-2026:09:30", "20261124083000Z"),
            ("24-nov-2026:09:30:15", "20261124083015Z"),
        ] {
            let expected = KerberosTime::from_wire(utc.as_bytes());
            assert_eq!(parse_local_time(text, NOW, |_| 3600), expected, "{text}");
        }
    }

    #[test]
    fn today_is_the_local_day() {
        let late = KerberosTime(NOW.seconds() + 15 * 3600); // 23:15 UTC, past midnight an hour to the east
        assert_eq!(
            parse_local_time("00:30", late, |_| 3600),
            KerberosTime::from_wire(b"20261123233000Z")
        );
        assert_eq!(
            parse_local_time("00:30", late, |_| 0),
            KerberosTime::from_wire(b"20261123003000Z")
        );
    }

    #[test]
    fn the_offset_is_that_of_the_time_itself() {
        let summer = KerberosTime::from_wire(b"20270328010000Z").unwrap();
        let offset = |t: KerberosTime| if t >= summer { 7200 } else { 3600 };
        assert_eq!(
            parse_local_time("20270401120000", NOW, offset),
            KerberosTime::from_wire(b"20270401100000Z")
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "10h",
            "25:00",
            "09:60",
            "20261324093000",
            "2026112409300",
            "1:2:3:4",
            "24-Foo-2026:09:30",
            "::",
        ] {
            assert_eq!(parse_local_time(text, NOW, |_| 0), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9dhms:. \\-]{0,20}|\\PC{0,20}", now in any::<i64>(), offset in any::<i32>()) {
            let _ = parse_span(&text);
            let _ = parse_local_time(&text, KerberosTime(now), |_| offset);
        }

        #[test]
        fn every_form_of_a_span_is_the_same_span(seconds in 0u64..2_147_483_648) {
            let (d, h, m, s) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
            let span = Ok(Duration::from_secs(seconds));
            prop_assert_eq!(parse_span(&format!("{seconds}")), span);
            prop_assert_eq!(parse_span(&format!("{d}d{h}h{m}m{s}s")), span);
            prop_assert_eq!(parse_span(&format!("{d}-{h}:{m}:{s}")), span);
            prop_assert_eq!(parse_span(&format!("{}:{m}:{s}", seconds / 3600)), span);
        }
    }
}
