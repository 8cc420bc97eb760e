use chrono::{Local, TimeZone as _};
use tessera_common::time::KerberosTime;

/// The form of the columns with times, as MIT's programs choose it: by the locale, as long as it fits into 19 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    format: &'static str,
    /// How many characters a time takes.
    pub(crate) width: usize,
}

impl Columns {
    const POSIX: Self = Self {
        format: "%m/%d/%y %H:%M:%S",
        width: 17,
    };
    const AMERICAN: Self = Self {
        format: "%m/%d/%Y %H:%M:%S",
        width: 19,
    };

    pub(crate) fn of_environment() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_TIME")).or_else(|| set("LANG"));
        Self::of_locale(locale.as_deref().unwrap_or("C"))
    }

    fn of_locale(locale: &str) -> Self {
        if locale.starts_with("en_US") {
            Self::AMERICAN
        } else {
            Self::POSIX
        }
    }

    /// A time of this machine's zone.
    pub(crate) fn time(self, time: KerberosTime) -> String {
        match Local.timestamp_opt(time.seconds(), 0).earliest() {
            Some(local) => local.format(self.format).to_string(),
            None => " ".repeat(self.width),
        }
    }

    /// A heading, filled up to the width of a time and to `more` characters beyond.
    pub(crate) fn heading(self, text: &str, more: usize) -> String {
        format!("{text:<width$}", width = self.width + more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides() {
        for (locale, columns) in [
            ("C", Columns::POSIX),
            ("C.UTF-8", Columns::POSIX),
            ("en_US.UTF-8", Columns::AMERICAN),
            ("", Columns::POSIX),
        ] {
            assert_eq!(Columns::of_locale(locale), columns);
            assert_eq!(columns.time(KerberosTime(0)).len(), columns.width);
        }
    }
}
