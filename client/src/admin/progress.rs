//! How far a long job is.

use std::io::{self, IsTerminal as _, Write as _};

use super::render::printable;

const CELLS: u64 = 30;

/// A bar on the standard error, if that is a terminal; complaints go there in any case.
pub(super) struct Progress {
    // How much there is to do in all, if that is known.
    whole: Option<u64>,
    shown: bool,
    terminal: bool,
}

impl Progress {
    pub(super) fn of(whole: Option<u64>) -> Self {
        Self {
            whole,
            shown: false,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Shows how much is done, and `text` behind it.
    pub(super) fn show(&mut self, done: u64, text: &str) {
        if self.terminal {
            self.shown = true;
            // To the line's start, and nothing left of what stood there.
            write(&format!("\r{}\x1b[K", line(done, self.whole, text)));
        }
    }

    /// A line that stays.
    pub(super) fn complain(&mut self, text: &str) {
        self.clear();
        write(&format!("{}\n", printable(text)));
    }

    /// Takes the bar away.
    pub(super) fn clear(&mut self) {
        if core::mem::take(&mut self.shown) {
            write("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

// Nothing depends on its being seen.
fn write(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn line(done: u64, whole: Option<u64>, text: &str) -> String {
    let Some(whole) = whole.filter(|whole| *whole > 0) else {
        return text.to_owned();
    };
    let part = |of: u64| u128::from(done.min(whole)) * u128::from(of) / u128::from(whole);
    let full = usize::try_from(part(CELLS)).unwrap_or_default();
    let rest = usize::try_from(CELLS).unwrap_or_default().saturating_sub(full);
    format!("[{}{}] {:>3} %  {text}", "#".repeat(full), ".".repeat(rest), part(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_up() {
        for (done, whole, shown) in [
            (0, Some(200), "[..............................]   0 %  x"),
            (100, Some(200), "[###############...............]  50 %  x"),
            (199, Some(200), "[#############################.]  99 %  x"),
            (200, Some(200), "[##############################] 100 %  x"),
            (300, Some(200), "[##############################] 100 %  x"),
            (u64::MAX, Some(u64::MAX), "[##############################] 100 %  x"),
            (7, None, "x"),
            (0, Some(0), "x"),
        ] {
            assert_eq!(line(done, whole, "x"), shown);
        }
    }
}
