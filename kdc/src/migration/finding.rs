//! What an import says of each thing in the other database: carried over, changed or left out, why, and what to do.

use core::fmt;
use std::collections::BTreeMap;

use serde::Serialize;

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is here as it was there.
    CarriedOver,
    /// It is here, but not as it was.
    Changed,
    /// It is not here.
    LeftOut,
}

/// What something is. The names are what `--json` prints; they stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// A principal as a whole.
    Principal,
    /// Another name of it.
    Alias,
    /// A long-term key.
    Key,
    /// The salt of a key.
    Salt,
    /// A former password that cannot be taken again.
    FormerPassword,
    /// A policy, or that a principal goes by one.
    Policy,
    /// A flag that sets a principal apart.
    Flag,
    /// When something ends: a principal, a password, a ticket.
    Time,
    /// Wrong passwords that were counted, and what came of them.
    Lockout,
    /// Anything else that the other database keeps with a principal.
    Extension,
    /// The other database as a whole.
    Database,
}

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// This principal's, named as in the other database, with its realm only if that is another one.
    Principal(String),
    /// This policy's, named as in the other database.
    Policy(String),
    /// The other database's as a whole. In JSON `"database":null`.
    Database(()),
}

/// One line of the report.
///
/// Its JSON is what `--json` prints, one object a line: `outcome`, `line` (of the file, from 1 on, where there is one), one of `principal`,
/// `policy` and `database`, `item`, `count` (how many such things are meant), `what`, and, if there is something to say, `why`
/// and `do`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// What became of it.
    pub outcome: Outcome,
    /// On which line of the file it is, from 1 on; absent for what is of no line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Whose it is.
    #[serde(flatten)]
    pub whose: Whose,
    /// What it is.
    pub item: Item,
    /// How many are meant.
    pub count: usize,
    /// The same for people, with what tells it from others.
    pub what: String,
    /// Why it is not as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What an administrator can do about it, or that there is nothing to be done.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    /// Something that is as it was.
    #[must_use]
    pub fn carried_over(line: impl Into<Option<u64>>, whose: Whose, item: Item, what: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::CarriedOver,
            line: line.into(),
            whose,
            item,
            count: 1,
            what: what.into(),
            why: None,
            advice: None,
        }
    }

    /// Something that is not as it was.
    #[must_use]
    pub fn changed(
        line: impl Into<Option<u64>>,
        whose: Whose,
        item: Item,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            outcome: Outcome::Changed,
            why: Some(why.into()),
            ..Self::carried_over(line, whose, item, what)
        }
    }

    /// Something that is not here.
    #[must_use]
    pub fn left_out(
        line: impl Into<Option<u64>>,
        whose: Whose,
        item: Item,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            outcome: Outcome::LeftOut,
            ..Self::changed(line, whose, item, what, why)
        }
    }

    /// With what to do about it.
    #[must_use]
    pub fn advising(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Of so many things.
    #[must_use]
    pub const fn of(mut self, count: usize) -> Self {
        self.count = count;
        self
    }
}

impl Outcome {
    const fn words(self) -> &'static str {
        match self {
            Self::CarriedOver => "carried over",
            Self::Changed => "changed",
            Self::LeftOut => "left out",
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(name) => write_on_a_line(f, name),
            Self::Policy(name) => {
                f.write_str("policy ")?;
                write_on_a_line(f, name)
            }
            Self::Database(()) => f.write_str("the database"),
        }
    }
}

/// With tabs between: outcome, line, whose, and what, why and what to do as sentences.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t", self.outcome.words())?;
        match self.line {
            Some(line) => write!(f, "line {line}")?,
            None => f.write_str("-")?,
        }
        write!(f, "\t{}\t", self.whose)?;
        write_on_a_line(f, &self.what)?;
        for (before, text) in [(": ", &self.why), ("; ", &self.advice)] {
            if let Some(text) = text {
                f.write_str(before)?;
                write_on_a_line(f, text)?;
            }
        }
        Ok(())
    }
}

// A name or an attribute of a foreign database may hold anything, and a line of a report is one line.
fn write_on_a_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if !text.contains(char::is_control) {
        return f.write_str(text);
    }
    text.chars().try_for_each(|c| match c.is_control() {
        true => write!(f, "{}", c.escape_default()),
        false => write!(f, "{c}"),
    })
}

/// How many of one kind came over, and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Count {
    /// Here, as they were or changed.
    pub carried_over: usize,
    /// Not here.
    pub left_out: usize,
}

/// The end of a report. In JSON it is the value of `summary` in the last line, beside `realm` and whether all of it was
/// `written`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// Principals.
    pub principals: Count,
    /// Of those that came over, how many are not in all as they were.
    pub principals_changed: usize,
    /// Their other names.
    pub aliases: Count,
    /// Their long-term keys.
    pub keys: Count,
    /// Their former passwords.
    pub former_passwords: Count,
    /// Policies.
    pub policies: Count,
    /// How many things of each kind were changed.
    pub changed: BTreeMap<Item, usize>,
    /// How many of each were left out.
    pub left_out: BTreeMap<Item, usize>,
}

impl Summary {
    /// Takes a line of the report into account.
    pub fn count(&mut self, finding: &Finding) {
        let by_item = match finding.outcome {
            Outcome::CarriedOver => return,
            Outcome::Changed => &mut self.changed,
            Outcome::LeftOut => &mut self.left_out,
        };
        *by_item.entry(finding.item).or_default() += finding.count;
        if finding.outcome == Outcome::LeftOut {
            let count = match finding.item {
                Item::Principal => &mut self.principals,
                Item::Alias => &mut self.aliases,
                Item::Key => &mut self.keys,
                Item::FormerPassword => &mut self.former_passwords,
                Item::Policy if matches!(finding.whose, Whose::Policy(_)) => &mut self.policies,
                _ => return,
            };
            count.left_out += finding.count;
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (what, count)) in [
            ("principals", self.principals),
            ("aliases", self.aliases),
            ("keys", self.keys),
            ("former passwords", self.former_passwords),
            ("policies", self.policies),
        ]
        .into_iter()
        .enumerate()
        {
            let Count { carried_over, left_out } = count;
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{what}: {carried_over} carried over, {left_out} left out")?;
            if at == 0 {
                write!(f, "; {} of them not in all as they were", self.principals_changed)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose() -> Whose {
        Whose::Principal("alice".into())
    }

    #[test]
    fn a_finding_is_one_line_whatever_it_tells_of() {
        let why = "this realm never has that enctype";
        let finding = Finding::left_out(7, whose(), Item::Key, "key version 2, arcfour-hmac", why)
            .advising("nothing is to be done");
        assert_eq!(
            finding.to_string(),
            "left out\tline 7\talice\tkey version 2, arcfour-hmac: this realm never has that enctype; nothing is to be done"
        );
        let whose = Whose::Policy("a\tb\n".into());
        let finding = Finding::carried_over(1, whose, Item::Policy, "x\u{85}y");
        assert_eq!(finding.to_string(), "carried over\tline 1\tpolicy a\\tb\\n\tx\\u{85}y");
    }

    #[test]
    fn a_finding_in_json_has_the_documented_fields() {
        let finding = Finding::changed(7, whose(), Item::Salt, "a", "b").advising("c").of(2);
        assert_eq!(
            serde_json::to_string(&finding).unwrap(),
            r#"{"outcome":"changed","line":7,"principal":"alice","item":"salt","count":2,"what":"a","why":"b","do":"c"}"#
        );
        let finding = Finding::carried_over(1, Whose::Database(()), Item::Database, "all");
        assert_eq!(
            serde_json::to_string(&finding).unwrap(),
            r#"{"outcome":"carried-over","line":1,"database":null,"item":"database","count":1,"what":"all"}"#
        );
    }

    #[test]
    fn the_summary_counts_what_was_left_out() {
        let mut summary = Summary::default();
        summary.count(&Finding::left_out(1, whose(), Item::Key, "", "").of(3));
        summary.count(&Finding::left_out(1, whose(), Item::Policy, "", ""));
        summary.count(&Finding::left_out(1, Whose::Policy("p".into()), Item::Policy, "", ""));
        summary.count(&Finding::changed(1, whose(), Item::Flag, "", ""));
        summary.count(&Finding::carried_over(1, whose(), Item::Key, ""));
        assert_eq!((summary.keys.left_out, summary.policies.left_out), (3, 1));
        assert_eq!(
            serde_json::to_string(&(summary.changed, summary.left_out)).unwrap(),
            r#"[{"flag":1},{"key":3,"policy":2}]"#
        );
    }
}
