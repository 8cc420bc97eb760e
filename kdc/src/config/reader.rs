//! Reading TOML so that every fault names its place: file, line, column, key, and what was expected there.

use core::cell::RefCell;
use core::fmt;
use core::ops::Range;
use core::time::Duration;
use std::path::{Path, PathBuf};

use tessera_common::duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Such as `tickets.lifetime`; empty when the file is not TOML.
    pub key: String,
    /// What is wrong and what was expected.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file.display(), self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

/// A file being read, and what was found wrong with it so far.
pub(super) struct Document<'t> {
    file: &'t Path,
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Document<'t> {
    pub(super) const fn new(file: &'t Path, text: &'t str) -> Self {
        Self {
            file,
            text,
            problems: RefCell::new(Vec::new()),
        }
    }

    /// The whole file as a table; `None`, with the problem noted, when it is not TOML.
    pub(super) fn root<'d>(&'d self) -> Option<Table<'d, 't>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(Table {
                document: self,
                path: String::new(),
                at: 0..0,
                entries: table.into_inner(),
                known: Vec::new(),
            }),
            Err(error) => {
                let at = error.span().unwrap_or_default();
                let text = self
                    .text
                    .get(at.clone())
                    .filter(|text| !text.is_empty() && !text.contains('\n'));
                let found = text.map_or_else(String::new, |text| format!(" at {text:?}"));
                self.note("", at, format!("not TOML: {}{found}", error.message()));
                None
            }
        }
    }

    pub(super) fn note(&self, key: &str, at: Range<usize>, what: String) {
        let problem = self.problem(key, at, what);
        self.problems.borrow_mut().push(problem);
    }

    fn problem(&self, key: &str, at: Range<usize>, what: String) -> Problem {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Problem {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(1, |line| line.chars().count() + 1),
            key: key.to_owned(),
            what,
        }
    }

    /// Everything wrong with the file, in its order.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }
}

/// A table of the file. The keys that are asked for are the keys that it may have.
pub(super) struct Table<'d, 't> {
    document: &'d Document<'t>,
    path: String,
    at: Range<usize>,
    entries: DeTable<'t>,
    known: Vec<&'static str>,
}

/// A value and its place, for checks that concern several keys.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) at: Range<usize>,
}

impl<'d, 't> Table<'d, 't> {
    /// The table under `key`, an empty one when it is absent.
    pub(super) fn table(&mut self, key: &'static str) -> Self {
        let path = self.name_of(key);
        let (at, entries) = match self.take(key) {
            Some((at, value)) => match value.into_inner() {
                DeValue::Table(entries) => (at, entries),
                _ => {
                    self.document
                        .note(&path, at.clone(), format!("expected a table, as in [{path}]"));
                    (at, DeTable::new())
                }
            },
            None => (0..0, DeTable::new()),
        };
        Table {
            document: self.document,
            path,
            at,
            entries,
            known: Vec::new(),
        }
    }

    /// The tables in this table, each under a name that the operator chose.
    pub(super) fn tables(self) -> Vec<(Placed<String>, Self)> {
        let mut tables = Vec::new();
        for (key, value) in self.entries {
            let (name, at) = (key.get_ref().to_string(), key.span());
            let path = format!("{}.{name}", self.path);
            match value.into_inner() {
                DeValue::Table(entries) => tables.push((
                    Placed {
                        value: name,
                        at: at.clone(),
                    },
                    Table {
                        document: self.document,
                        path,
                        at,
                        entries,
                        known: Vec::new(),
                    },
                )),
                _ => self
                    .document
                    .note(&path, at, format!("expected a table, as in [{path}]")),
            }
        }
        tables
    }

    /// The value under `key`, as `read` makes it; `None` when it is absent or wrong. `expected` is what a reader of the
    /// message should write.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<Placed<T>> {
        let (_, found) = self.take(key)?;
        let at = found.span();
        match read(found.get_ref()) {
            Ok(value) => Some(Placed { value, at }),
            Err(fault) => {
                let fault = fault.or_wrong_type(found.get_ref());
                self.document
                    .note(&self.name_of(key), at, format!("{fault}expected {expected}"));
                None
            }
        }
    }

    /// The list under `key`, each element as `read` makes it; `None` when it is absent, no list, or has a wrong element.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl Fn(&str) -> Result<T, Fault>,
    ) -> Option<Placed<Vec<Placed<T>>>> {
        let (_, found) = self.take(key)?;
        self.elements(key, &found, expected, read)
    }

    /// As [`Table::list`], where one element may stand without a list around it.
    pub(super) fn one_or_list<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl Fn(&str) -> Result<T, Fault>,
    ) -> Option<Placed<Vec<Placed<T>>>> {
        let (_, found) = self.take(key)?;
        let at = found.span();
        let Some(text) = found.get_ref().as_str() else {
            return self.elements(key, &found, expected, read);
        };
        match read(text) {
            Ok(value) => Some(Placed {
                value: vec![Placed { value, at: at.clone() }],
                at,
            }),
            Err(fault) => {
                self.wrong(key, at, format!("{fault}expected {expected}"));
                None
            }
        }
    }

    fn elements<T>(
        &self,
        key: &str,
        found: &Spanned<DeValue<'_>>,
        expected: &str,
        read: impl Fn(&str) -> Result<T, Fault>,
    ) -> Option<Placed<Vec<Placed<T>>>> {
        let at = found.span();
        let path = self.name_of(key);
        let DeValue::Array(elements) = found.get_ref() else {
            let fault = Fault::WRONG_TYPE.or_wrong_type(found.get_ref());
            self.document.note(
                &path,
                at,
                format!("{fault}expected a list of {expected}, as in {key} = [\"…\"]"),
            );
            return None;
        };
        let mut list = Vec::new();
        for element in elements {
            let at = element.span();
            match string(element.get_ref()).and_then(&read) {
                Ok(value) => list.push(Placed { value, at }),
                Err(fault) => {
                    let fault = fault.or_wrong_type(element.get_ref());
                    self.document.note(&path, at, format!("{fault}expected {expected}"));
                }
            }
        }
        (list.len() == elements.len()).then_some(Placed { value: list, at })
    }

    /// A problem at this place, of which it is not known yet whether it is one.
    pub(super) fn place(&self, key: &str, at: Range<usize>) -> Problem {
        self.document.problem(&self.name_of(key), at, String::new())
    }

    /// As [`Table::place`], of the table itself.
    pub(super) fn own_place(&self) -> Problem {
        self.document.problem(&self.path, self.at.clone(), String::new())
    }

    /// Notes a fault with the table itself.
    pub(super) fn wrong_itself(&self, what: String) {
        self.document.note(&self.path, self.at.clone(), what);
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Notes that `key` has to be there.
    pub(super) fn missing(&self, key: &str, expected: &str) {
        self.document.note(
            &self.name_of(key),
            self.at.clone(),
            format!("missing; expected {expected}"),
        );
    }

    /// Notes a fault with what was read under `key`.
    pub(super) fn wrong(&self, key: &str, at: Range<usize>, what: String) {
        self.document.note(&self.name_of(key), at, what);
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(self) {
        for (key, _) in &self.entries {
            let name = key.get_ref();
            let kind = if self.path.is_empty() { "table" } else { "key" };
            let what = match nearest(name, &self.known) {
                Some(near) => format!("unknown {kind}; did you mean {near}?"),
                None if self.known.is_empty() => format!("unknown {kind}; this table has none"),
                None => format!("unknown {kind}; known here: {}", self.known.join(", ")),
            };
            self.document.note(&self.name_of(name), key.span(), what);
        }
    }

    fn take(&mut self, key: &'static str) -> Option<(Range<usize>, Spanned<DeValue<'t>>)> {
        self.known.push(key);
        self.entries.remove_entry(key).map(|(key, value)| (key.span(), value))
    }

    fn name_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// What is wrong with a value, before what was expected instead.
pub(super) struct Fault(Option<String>);

impl Fault {
    const WRONG_TYPE: Self = Self(None);

    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self(Some(what.to_string()))
    }

    fn or_wrong_type(self, found: &DeValue<'_>) -> Self {
        Self(
            self.0
                .or_else(|| Some(format!("{} is not right here", described(found)))),
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|what| write!(f, "{what}; "))
    }
}

pub(super) fn string<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Fault> {
    value.as_str().ok_or(Fault::WRONG_TYPE)
}

/// A span of time, and the text that says it.
pub(super) fn span<'v>(value: &'v DeValue<'_>) -> Result<(&'v str, Duration), Fault> {
    let text = string(value)?;
    let span = duration::parse(text).map_err(|why| Fault::new(format!("{text:?} is no time: {why}")))?;
    Ok((text, span))
}

/// The same without the text.
pub(super) fn span_alone(value: &DeValue<'_>) -> Result<Duration, Fault> {
    span(value).map(|(_, span)| span)
}

pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Fault> {
    value.as_bool().ok_or(Fault::WRONG_TYPE)
}

pub(super) fn integer(value: &DeValue<'_>) -> Result<i64, Fault> {
    let integer = value.as_integer().ok_or(Fault::WRONG_TYPE)?;
    i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| Fault::new("the number is out of range"))
}

fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {text:?}"),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(yes) => format!("the value {yes}"),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

// The one of `known` that `name` is most likely a slip for: at most a third of its letters wrong.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let (slips, near) = known
        .iter()
        .map(|candidate| (edit_distance(name, candidate), *candidate))
        .min()?;
    (slips * 3 <= near.chars().count().max(3)).then_some(near)
}

// Levenshtein's distance: the fewest letters to insert, remove or replace.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(left + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edit_distance_counts_slips() {
        for (a, b, slips) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("lifetime", "lifetme", 1),
            ("kitten", "sitting", 3),
            ("clock_skew", "clock-skew", 1),
        ] {
            assert_eq!(edit_distance(a, b), slips, "{a} {b}");
        }
    }

    #[test]
    fn only_a_likely_slip_is_suggested() {
        let known = ["lifetime", "renewable-lifetime", "clock-skew"];
        assert_eq!(nearest("lifetme", &known), Some("lifetime"));
        assert_eq!(nearest("renewable_life_time", &known), Some("renewable-lifetime"));
        assert_eq!(nearest("password", &known), None);
    }
}
