//! Hours of the week: when something is allowed.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tessera_common::time::KerberosTime;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const EVERY_DAY: u8 = 0b111_1111;
const MINUTES_OF_DAY: u16 = 24 * 60;
const SECONDS_OF_DAY: i64 = 86_400;

/// Windows of the week, in the daemon's local time: at least one. A time is within if it is within any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours(Box<[Window]>);

/// The same hours of some days of the week: `Mon-Fri 08:00-18:00`, `Sat,Sun`, `22:00-06:00`. The first minute is within, the
/// last is not. A window that ends before it begins ends on the next day: it belongs to the day on which it begins.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    /// Monday is the lowest bit. Never none.
    days: u8,
    /// In minutes of the day, before [`MINUTES_OF_DAY`].
    from: u16,
    /// In minutes of the day, `from` excluded, up to [`MINUTES_OF_DAY`]; less than `from`, on the next day.
    until: u16,
}

/// Why a text is no window of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoursError {
    /// No window at all.
    Empty,
    /// Something that should be days is none.
    Day,
    /// Something that should be two times is none.
    Time,
    /// It ends as it begins.
    Nothing,
}

/// How local time runs beside the realm's: handed in, since the realm reads no file and no environment.
#[derive(Clone, Copy)]
pub struct LocalTime(pub fn(KerberosTime) -> i32);

impl Hours {
    /// Hours of these windows.
    ///
    /// # Errors
    /// [`HoursError::Empty`] for none.
    pub fn new(windows: impl Into<Box<[Window]>>) -> Result<Self, HoursError> {
        let windows = windows.into();
        if windows.is_empty() {
            return Err(HoursError::Empty);
        }
        Ok(Self(windows))
    }

    /// The windows, at least one.
    #[must_use]
    pub const fn windows(&self) -> &[Window] {
        &self.0
    }

    /// Whether it is within these hours now.
    #[must_use]
    pub fn contain(&self, now: KerberosTime, local: LocalTime) -> bool {
        let seconds = now.seconds().saturating_add(i64::from(local.offset(now)));
        // The first of January 1970 was a Thursday.
        let day = (seconds.div_euclid(SECONDS_OF_DAY) + 3).rem_euclid(7);
        let minute = seconds.rem_euclid(SECONDS_OF_DAY) / 60;
        self.0.iter().any(|window| window.contains(day, minute))
    }
}

impl Window {
    // `day` is 0 for Monday.
    fn contains(self, day: i64, minute: i64) -> bool {
        let (from, until) = (i64::from(self.from), i64::from(self.until));
        let on = |day: i64| self.days & (1 << day.rem_euclid(7)) != 0;
        if from < until {
            on(day) && (from..until).contains(&minute)
        } else {
            (on(day) && minute >= from) || (on(day - 1) && minute < until)
        }
    }
}

impl FromStr for Window {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let (days, times) = match text.split_once(' ') {
            Some((days, times)) => (Some(days), Some(times)),
            None if text.contains(':') => (None, Some(text)),
            None => (Some(text), None),
        };
        let days = days.map_or(Ok(EVERY_DAY), parse_days)?;
        let (from, until) = times.map_or(Ok((0, MINUTES_OF_DAY)), parse_times)?;
        Ok(Self { days, from, until })
    }
}

fn parse_days(text: &str) -> Result<u8, HoursError> {
    let day = |text: &str| {
        DAYS.iter()
            .position(|day| day.eq_ignore_ascii_case(text))
            .ok_or(HoursError::Day)
    };
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        // Over the end of the week, if need be.
        let last = if last < first { last + DAYS.len() } else { last };
        for on in first..=last {
            days |= 1 << (on % DAYS.len());
        }
    }
    Ok(days)
}

fn parse_times(text: &str) -> Result<(u16, u16), HoursError> {
    let (from, until) = text.split_once('-').ok_or(HoursError::Time)?;
    let (from, until) = (parse_time(from)?, parse_time(until)?);
    if from == MINUTES_OF_DAY {
        return Err(HoursError::Time);
    }
    // 24:00 is the end of a day, 00:00 its beginning; as the end of a window both are the same.
    let until = if until == 0 { MINUTES_OF_DAY } else { until };
    if from == until {
        return Err(HoursError::Nothing);
    }
    Ok((from, until))
}

fn parse_time(text: &str) -> Result<u16, HoursError> {
    let (hours, minutes) = text.split_once(':').ok_or(HoursError::Time)?;
    let number = |text: &str, digits: core::ops::RangeInclusive<usize>| {
        let good = digits.contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
        good.then(|| text.parse::<u16>().ok()).flatten().ok_or(HoursError::Time)
    };
    let (hours, minutes) = (number(hours, 1..=2)?, number(minutes, 2..=2)?);
    let time = hours * 60 + minutes;
    if minutes >= 60 || time > MINUTES_OF_DAY {
        return Err(HoursError::Time);
    }
    Ok(time)
}

/// As [`Window`]'s `FromStr` reads it: days in their order, neighbours as a range, none where it is every day.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole_days = (self.from, self.until) == (0, MINUTES_OF_DAY);
        if self.days != EVERY_DAY || whole_days {
            write_days(f, self.days)?;
        }
        if whole_days {
            return Ok(());
        }
        let separator = if self.days == EVERY_DAY { "" } else { " " };
        let (from, until) = (self.from, self.until);
        write!(
            f,
            "{separator}{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            until / 60,
            until % 60
        )
    }
}

fn write_days(f: &mut fmt::Formatter<'_>, days: u8) -> fmt::Result {
    let on = |day: usize| days & (1 << day) != 0;
    let mut separator = "";
    let mut day = 0;
    while let Some(name) = DAYS.get(day) {
        let run = (day..DAYS.len()).take_while(|day| on(*day)).count();
        if run > 0 {
            write!(f, "{separator}{name}")?;
            separator = ",";
        }
        if run > 1
            && let Some(last) = DAYS.get(day + run - 1)
        {
            write!(f, "-{last}")?;
        }
        day += run.max(1);
    }
    Ok(())
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Window {
    type Error = HoursError;

    fn try_from(text: String) -> Result<Self, HoursError> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.to_string()
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.windows())
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for HoursError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "there are no hours",
            Self::Day => "days are Mon, Tue, Wed, Thu, Fri, Sat and Sun, with - and , between them",
            Self::Time => "times are two of 00:00 to 24:00, with - between them",
            Self::Nothing => "it ends as it begins; a whole day has no times, or 00:00-24:00",
        })
    }
}

impl core::error::Error for HoursError {}

impl LocalTime {
    /// As in Greenwich.
    pub const UTC: Self = Self(|_| 0);

    /// How many seconds local time is ahead of UTC at a moment; less than zero, behind it.
    #[must_use]
    pub fn offset(self, at: KerberosTime) -> i32 {
        (self.0)(at)
    }
}

impl fmt::Debug for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local time")
    }
}

/// Whether it is the same function, as far as that can be told.
impl PartialEq for LocalTime {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl Eq for LocalTime {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // 2026-11-23 was a Monday.
    const MONDAY: i64 = 1_795_392_000;
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn hours(windows: &[&str]) -> Hours {
        let windows: Vec<Window> = windows.iter().map(|text| text.parse().unwrap()).collect();
        Hours::new(windows).unwrap()
    }

    fn contain(windows: &[&str], seconds: i64) -> bool {
        hours(windows).contain(KerberosTime(MONDAY + seconds), LocalTime::UTC)
    }

    #[test]
    fn the_week_of_these_tests_begins_on_a_monday() {
        assert_eq!(KerberosTime(MONDAY).to_text().as_str(), "2026-11-23T00:00:00Z");
    }

    #[test]
    fn a_window_has_its_first_second_and_not_its_end() {
        for (windows, at, within) in [
            (&["Mon-Fri 08:00-18:00"][..], 8 * HOUR - 1, false),
            (&["Mon-Fri 08:00-18:00"], 8 * HOUR, true),
            (&["Mon-Fri 08:00-18:00"], 18 * HOUR - 1, true),
            (&["Mon-Fri 08:00-18:00"], 18 * HOUR, false),
            (&["Mon-Fri 08:00-18:00"], 4 * DAY + 12 * HOUR, true),
            (&["Mon-Fri 08:00-18:00"], 5 * DAY + 12 * HOUR, false),
            (&["Mon-Fri 08:00-18:00"], 6 * DAY + 12 * HOUR, false),
            (&["Mon-Fri 08:00-18:00"], -DAY + 12 * HOUR, false),
            (&["Mon-Fri 08:00-18:00"], -3 * DAY + 12 * HOUR, true),
            // Whole days.
            (&["Tue"], DAY - 1, false),
            (&["Tue"], DAY, true),
            (&["Tue"], 2 * DAY - 1, true),
            (&["Tue"], 2 * DAY, false),
            (&["Tue 00:00-24:00"], 2 * DAY - 1, true),
            (&["Tue 00:00-24:00"], 2 * DAY, false),
            (&["00:00-24:00"], 3 * DAY - 1, true),
            // Up to midnight, either way of writing it.
            (&["Mon 20:00-24:00"], DAY - 1, true),
            (&["Mon 20:00-24:00"], DAY, false),
            (&["Mon 20:00-00:00"], DAY - 1, true),
            (&["Mon 20:00-00:00"], DAY, false),
            (&["Mon 20:00-00:00"], 0, false),
            // Several windows.
            (&["Mon 08:00-09:00", "Tue 10:00-11:00"], 8 * HOUR, true),
            (&["Mon 08:00-09:00", "Tue 10:00-11:00"], DAY + 10 * HOUR, true),
            (&["Mon 08:00-09:00", "Tue 10:00-11:00"], DAY + 8 * HOUR, false),
            // Over the end of the week.
            (&["Sat-Mon"], 0, true),
            (&["Sat-Mon"], DAY, false),
            (&["Sat-Mon"], 5 * DAY, true),
            (&["Sat-Mon"], 6 * DAY, true),
            // Before 1970's first Monday, too.
            (&["Mon"], -1000 * 7 * DAY, true),
            (&["Mon"], -4000 * 7 * DAY, true),
            (&["Mon"], -4000 * 7 * DAY - 1, false),
        ] {
            assert_eq!(contain(windows, at), within, "{windows:?} {at}");
        }
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        for (window, at, within) in [
            ("22:00-06:00", 22 * HOUR - 1, false),
            ("22:00-06:00", 22 * HOUR, true),
            ("22:00-06:00", DAY, true),
            ("22:00-06:00", DAY + 6 * HOUR - 1, true),
            ("22:00-06:00", DAY + 6 * HOUR, false),
            ("Mon 22:00-06:00", 5 * HOUR, false),
            ("Mon 22:00-06:00", 22 * HOUR, true),
            ("Mon 22:00-06:00", DAY + 5 * HOUR, true),
            ("Mon 22:00-06:00", DAY + 22 * HOUR, false),
            ("Sun 22:00-06:00", 5 * HOUR, true),
            ("Sun 22:00-06:00", 6 * DAY + 23 * HOUR, true),
            ("Sun 22:00-06:00", 23 * HOUR, false),
        ] {
            assert_eq!(contain(&[window], at), within, "{window} {at}");
        }
    }

    #[test]
    fn hours_are_those_of_the_local_clock_at_that_moment() {
        let office = hours(&["Mon 08:00-18:00"]);
        let at = |hour| KerberosTime(MONDAY + hour * HOUR);
        let prague = LocalTime(|_| 3600);
        assert!(office.contain(at(7), prague) && !office.contain(at(7), LocalTime::UTC));
        assert!(!office.contain(at(17), prague) && office.contain(at(17), LocalTime::UTC));
        // Sunday evening in Greenwich.
        let auckland = LocalTime(|_| 13 * 3600);
        assert!(office.contain(at(-5), auckland) && !office.contain(at(-6), auckland));
        // A clock that is put forward at noon, UTC: what counts is what it shows.
        let summer = LocalTime(|at| if at.0 < MONDAY + 12 * HOUR { 0 } else { 3600 });
        assert!(office.contain(at(16), summer) && !office.contain(at(17), summer));
    }

    #[test]
    fn windows_are_written_in_one_way() {
        for (text, written) in [
            ("Mon-Fri 08:00-18:00", "Mon-Fri 08:00-18:00"),
            ("mon-FRI 8:00-18:00", "Mon-Fri 08:00-18:00"),
            ("Mon,Tue,Wed,Sat 08:00-18:00", "Mon-Wed,Sat 08:00-18:00"),
            ("Fri-Mon", "Mon,Fri-Sun"),
            ("Mon-Sun 08:00-18:00", "08:00-18:00"),
            ("Sun-Sat", "Mon-Sun"),
            ("00:00-24:00", "Mon-Sun"),
            ("00:00-00:00", "Mon-Sun"),
            ("Wed-Wed 20:00-00:00", "Wed 20:00-24:00"),
            ("22:00-06:00", "22:00-06:00"),
        ] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_window_says_why() {
        use HoursError::{Day, Nothing, Time};
        for (text, why) in [
            ("", Day),
            ("always", Day),
            ("Mo", Day),
            ("Mon-", Day),
            ("Mon,,Tue", Day),
            ("Mon-Tue-Wed", Day),
            (" 08:00-18:00", Day),
            ("Mon ", Time),
            ("Mon  08:00-18:00", Time),
            ("Mon 08:00", Time),
            ("Mon 08-18", Time),
            ("08:00", Time),
            ("08:00-18:00-20:00", Time),
            ("08:60-18:00", Time),
            ("08:00-24:01", Time),
            ("24:00-06:00", Time),
            ("08:00-+8:00", Time),
            ("008:00-18:00", Time),
            ("08:0-18:00", Time),
            ("08:00-08:00", Nothing),
        ] {
            assert_eq!(text.parse::<Window>(), Err(why), "{text:?}");
        }
        assert_eq!(Hours::new([]), Err(HoursError::Empty));
    }

    proptest! {
        #[test]
        fn a_window_is_read_as_it_is_written(days in 1u8..128, from in 0u16..1440, until in 1u16..=1440) {
            prop_assume!(from != until);
            let window = Window { days, from, until };
            prop_assert_eq!(window.to_string().parse(), Ok(window));
            let hours = Hours::new([window]).unwrap();
            let json = serde_json::to_string(&hours).unwrap();
            prop_assert_eq!(serde_json::from_str::<Hours>(&json).unwrap(), hours);
        }

        #[test]
        fn no_text_panics(text in "[MonFri0-9:, -]{0,24}") {
            let _ = text.parse::<Window>();
        }
    }
}
