//! What programs read of lists.

use std::io::Write;

use serde::Serialize;

use super::AdminError;

/// An array, written as its elements come, each on a line of its own.
pub(super) struct JsonArray<'w, W> {
    out: &'w mut W,
    // What stands before the next element.
    separator: &'static str,
}

impl<'w, W: Write> JsonArray<'w, W> {
    pub(super) const fn new(out: &'w mut W) -> Self {
        Self { out, separator: "[\n" }
    }

    pub(super) fn add(&mut self, some: &[impl Serialize]) -> Result<(), AdminError> {
        for one in some {
            self.out
                .write_all(self.separator.as_bytes())
                .map_err(AdminError::Output)?;
            self.separator = ",\n";
            serde_json::to_writer(&mut *self.out, one).map_err(|why| AdminError::Output(why.into()))?;
        }
        Ok(())
    }

    pub(super) fn end(self) -> Result<(), AdminError> {
        let end = if self.separator == "[\n" { "[]\n" } else { "\n]\n" };
        let written = self.out.write_all(end.as_bytes()).and_then(|()| self.out.flush());
        written.map_err(AdminError::Output)
    }
}
