//! Rows as people and programs read them.

use super::render::{BOLD, Look, RED, paint, printable};

/// Columns of lines that are written as they come: to a person, each as wide as what it has held so far; to a program, with a
/// tab between.
#[derive(Debug)]
pub(super) struct Columns<const N: usize> {
    look: Look,
    headings: [&'static str; N],
    widths: [usize; N],
    begun: bool,
}

impl<const N: usize> Columns<N> {
    pub(super) fn new(look: Look, headings: [&'static str; N], least: [usize; N]) -> Self {
        let mut widths = least;
        for (width, heading) in widths.iter_mut().zip(headings) {
            *width = (*width).max(heading.len());
        }
        Self {
            look,
            headings,
            widths,
            begun: false,
        }
    }

    /// Makes room for a row that will come.
    pub(super) fn widen(&mut self, row: &[String; N]) {
        for (width, cell) in self.widths.iter_mut().zip(row) {
            *width = (*width).max(in_one_line(cell).chars().count());
        }
    }

    /// The line of a row, behind the headings if it is the first.
    pub(super) fn line(&mut self, row: &[String; N], alarming: bool) -> String {
        let row = row.each_ref().map(|cell| in_one_line(cell));
        let Look::Terminal { colour } = self.look else {
            return row.join("\t") + "\n";
        };
        self.widen(&row);
        let mut text = String::new();
        if !core::mem::replace(&mut self.begun, true) {
            let heading = self.columns(&self.headings.map(str::to_owned));
            text += &(paint(&heading, BOLD, colour) + "\n");
        }
        text + &paint(&self.columns(&row), RED, colour && alarming) + "\n"
    }

    fn columns(&self, row: &[String; N]) -> String {
        let cells = row.iter().zip(self.widths);
        let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    }
}

/// Rows that are all there: to a person, columns under their headings; to a program, what each begins with, its name.
pub(super) fn table<const N: usize>(
    headings: [&'static str; N],
    rows: &[[String; N]],
    look: Look,
    alarming: impl Fn(usize) -> bool,
) -> String {
    if look == Look::Plain {
        let names = rows.iter().filter_map(|row| row.first());
        return names.map(|name| in_one_line(name) + "\n").collect();
    }
    let mut columns = Columns::new(look, headings, [0; N]);
    rows.iter().for_each(|row| columns.widen(row));
    let lines = rows.iter().enumerate();
    lines.map(|(at, row)| columns.line(row, alarming(at))).collect()
}

// Nothing in it ends a line or a column.
fn in_one_line(text: &str) -> String {
    printable(&text.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_what_is_shown_in_it() {
        let rows = [["c", "y"], ["a\tb", "x\ny"]].map(|row| row.map(str::to_owned));
        let text = table(["A", "B"], &rows, Look::Terminal { colour: false }, |_| false);
        assert_eq!(text, "A     B\nc     y\na\\tb  x y\n");
    }
}
