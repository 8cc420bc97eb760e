//! Time as Kerberos counts it: whole seconds since 1970-01-01T00:00:00Z, and microseconds beside them.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

/// A `KerberosTime` (RFC 4120 §5.2.3): whole seconds since the Unix epoch, never a fraction.
///
/// The range is that of the wire form, years 0000 to 9999. Arithmetic saturates at `i64`, so no peer's value can make it
/// wrap; what does not fit on a wire is clamped when it is encoded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct KerberosTime(pub i64);

impl KerberosTime {
    /// 1970-01-01T00:00:00Z: in requests, "not set".
    pub const EPOCH: Self = Self(0);
    /// 9999-12-31T23:59:59Z, the last instant that the wire can carry.
    pub const MAX: Self = Self(253_402_300_799);
    /// 0000-01-01T00:00:00Z, the first.
    pub const MIN: Self = Self(-62_167_219_200);

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This time and `d` later, saturating.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(d.as_secs()).unwrap_or(i64::MAX)))
    }

    /// This time and `d` earlier, saturating.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(d.as_secs()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this one; zero when `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whether the two are at most `skew` apart, in either direction.
    #[must_use]
    pub fn within(self, other: Self, skew: Duration) -> bool {
        self.0.abs_diff(other.0) <= skew.as_secs()
    }

    /// The 15 octets `YYYYMMDDHHMMSSZ` of the wire; years outside 0000..=9999 are clamped.
    #[must_use]
    pub fn to_wire(self) -> [u8; 15] {
        let clamped = self.0.clamp(Self::MIN.0, Self::MAX.0);
        let (days, second) = (clamped.div_euclid(86_400), clamped.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        // All within what the wire's digits can say.
        let small = |number: i64| u32::try_from(number).unwrap_or(0);
        let (year, second) = (small(year), small(second));
        let [y0, y1] = two_digits(year / 100);
        let [y2, y3] = two_digits(year % 100);
        let [m0, m1] = two_digits(small(month));
        let [d0, d1] = two_digits(small(day));
        let [h0, h1] = two_digits(second / 3600);
        let [n0, n1] = two_digits(second / 60 % 60);
        let [s0, s1] = two_digits(second % 60);
        [y0, y1, y2, y3, m0, m1, d0, d1, h0, h1, n0, n1, s0, s1, b'Z']
    }

    /// The 20 characters `YYYY-MM-DDTHH:MM:SSZ` of RFC 3339, as [`fmt::Display`] writes them.
    #[must_use]
    pub fn to_text(self) -> TimeText {
        let wire = self.to_wire();
        let mut out = *b"0000-00-00T00:00:00Z";
        let places = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18];
        for (place, digit) in places.into_iter().zip(wire) {
            if let Some(to) = out.get_mut(place) {
                *to = digit;
            }
        }
        TimeText(out)
    }

    /// Reads `YYYYMMDDHHMMSSZ`; anything else (fractions, offsets, a 30th of February, a 60th second) is `None`.
    #[must_use]
    pub fn from_wire(octets: &[u8]) -> Option<Self> {
        let (digits, zone) = octets.split_last_chunk::<1>()?;
        if *zone != *b"Z" || digits.len() != 14 {
            return None;
        }
        let number = |at: usize, width: usize| {
            digits
                .get(at..at + width)?
                .iter()
                .try_fold(0i64, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
        };
        let (year, month, day) = (number(0, 4)?, number(4, 2)?, number(6, 2)?);
        let (hour, minute, second) = (number(8, 2)?, number(10, 2)?, number(12, 2)?);
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        let days_in_month = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Some(Self(
            days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second,
        ))
    }
}

/// RFC 3339 in UTC, as in `2026-11-23T08:15:00Z`.
impl fmt::Display for KerberosTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_text().as_str())
    }
}

/// A time as RFC 3339 has it.
#[derive(Clone, Copy)]
pub struct TimeText([u8; 20]);

impl TimeText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Digits and what stands between them.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[inline]
fn two_digits(number: u32) -> [u8; 2] {
    let [low, ..] = (number % 100).to_le_bytes();
    [b'0' + low / 10, b'0' + low % 10]
}

impl fmt::Debug for KerberosTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeError;

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time such as 2026-11-23T08:15:00Z, 2026-11-23T08:15:00+01:00 or 2026-11-23")
    }
}

impl core::error::Error for TimeError {}

/// RFC 3339 without fractions: `2026-11-23T08:15:00Z`, with `+01:00` instead of `Z`, or a date alone, which is its first
/// instant in UTC.
impl FromStr for KerberosTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let (date, clock) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00Z"));
        let (clock, zone) = clock.split_at_checked(8).ok_or(TimeError)?;
        let offset = match zone {
            "Z" | "z" => 0,
            _ => {
                let (sign, zone) = zone.split_at_checked(1).ok_or(TimeError)?;
                let (hours, minutes) = zone.split_once(':').ok_or(TimeError)?;
                let number = |text: &str, most: i64| match text.as_bytes() {
                    [a @ b'0'..=b'9', b @ b'0'..=b'9'] => {
                        Some(i64::from(a - b'0') * 10 + i64::from(b - b'0')).filter(|n| *n <= most)
                    }
                    _ => None,
                };
                let east = number(hours, 23).ok_or(TimeError)? * 3600 + number(minutes, 59).ok_or(TimeError)? * 60;
                match sign {
                    "+" => east,
                    "-" => -east,
                    _ => return Err(TimeError),
                }
            }
        };
        let (d, c) = (date.as_bytes(), clock.as_bytes());
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *d else {
            return Err(TimeError);
        };
        let [h1, h2, b':', i1, i2, b':', s1, s2] = *c else {
            return Err(TimeError);
        };
        Self::from_wire(&[y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, i1, i2, s1, s2, b'Z'])
            .map(|local| Self(local.0 - offset))
            .ok_or(TimeError)
    }
}

/// An instant to the microsecond: what a clock gives, and what `ctime`/`cusec`, `stime`/`susec` and `patimestamp`/`pausec`
/// carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Whole seconds.
    pub time: KerberosTime,
    /// 0 to 999,999; as a peer wrote it, also 1,000,000.
    pub usec: u32,
}

impl Timestamp {
    /// A time and its microseconds; `usec` past 999,999 is cut to it.
    #[must_use]
    pub fn new(time: KerberosTime, usec: u32) -> Self {
        Self {
            time,
            usec: usec.min(999_999),
        }
    }

    /// From a time since the Unix epoch, as a clock gives it.
    #[must_use]
    pub fn from_unix(since_epoch: Duration) -> Self {
        Self {
            time: KerberosTime(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)),
            usec: since_epoch.subsec_micros(),
        }
    }
}

// Days since the epoch to a date of the proleptic Gregorian calendar, by counting 400-year eras from 1 March 0000.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form_is_read_and_written() {
        for (seconds, wire) in [
            (0, b"19700101000000Z"),
            (771_228_197, b"19940610060317Z"),
            (951_782_400, b"20000229000000Z"),
            (4_102_444_799, b"20991231235959Z"),
            (-1, b"19691231235959Z"),
            (KerberosTime::MIN.0, b"00000101000000Z"),
            (KerberosTime::MAX.0, b"99991231235959Z"),
        ] {
            assert_eq!(KerberosTime(seconds).to_wire(), *wire);
            assert_eq!(KerberosTime::from_wire(wire), Some(KerberosTime(seconds)));
        }
    }

    #[test]
    fn what_is_not_a_kerberos_time_is_refused() {
        for bad in [
            "19940610060317.5Z",
            "199406100603Z",
            "19940610060317+0100",
            "19940610060317",
            "19940610060360Z",
            "19940610240000Z",
            "19940229000000Z",
            "19000229000000Z",
            "19940631000000Z",
            "19940010000000Z",
            "19941310000000Z",
            "1994061006031 Z",
            "",
            "Z",
        ] {
            assert_eq!(KerberosTime::from_wire(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn times_are_read_as_rfc_3339_has_them() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1994-06-10t06:03:17z", 771_228_197),
            ("1994-06-10 08:03:17+02:00", 771_228_197),
            ("1994-06-10T00:33:17-05:30", 771_228_197),
            ("1970-01-02", 86_400),
        ] {
            assert_eq!(text.parse(), Ok(KerberosTime(seconds)), "{text}");
        }
        let time = KerberosTime(1_795_421_700);
        assert_eq!(time.to_string().parse(), Ok(time));
        for bad in [
            "",
            "now",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00.5Z",
            "1970-02-30",
            "1970-1-1",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00+2:00",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00é",
            "19700101000000Z",
        ] {
            assert_eq!(bad.parse::<KerberosTime>(), Err(TimeError), "{bad}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let far = KerberosTime(i64::MAX);
        assert_eq!(far.plus(Duration::from_secs(1)), far);
        assert_eq!(
            KerberosTime(i64::MIN).minus(Duration::from_secs(1)),
            KerberosTime(i64::MIN)
        );
        assert_eq!(KerberosTime(5).since(KerberosTime(9)), Duration::ZERO);
        assert_eq!(far.to_wire(), *b"99991231235959Z");
    }

    #[test]
    fn skew_is_inclusive_on_both_sides() {
        let now = KerberosTime(1000);
        let skew = Duration::from_secs(300);
        for (other, fits) in [(699, false), (700, true), (1000, true), (1300, true), (1301, false)] {
            assert_eq!(KerberosTime(other).within(now, skew), fits, "{other}");
        }
    }
}
