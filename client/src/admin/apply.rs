//! The commands about a realm that is declared in a file.

use std::io::Write;
use std::path::Path;

use tessera_common::admin::{
    ApplyMode, Becomes, Declaration, DeclaredKind, Dialogue, Difference, PartDifference, Request, Response, Rest,
};

use super::AdminError;
use super::command::Administrator;
use super::declaration;
use super::render::{Look, paint, printable};

const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";

impl<S: Dialogue, W: Write> Administrator<S, W> {
    pub(super) fn apply(&mut self, file: &Path, mode: ApplyMode, rest: Rest, json: bool) -> Result<(), AdminError> {
        let request = Request::Apply {
            declaration: declaration::read(file)?,
            rest,
            mode,
        };
        let all = self.daemon.all(&request, |part| match part {
            Response::Differences(some) => Some(some),
            _ => None,
        })?;
        let text: String = all.iter().map(|difference| lines(difference, self.look)).collect();
        self.print_all(&all, &text, json)?;
        if json {
            return Ok(());
        }
        let count = |becomes| all.iter().filter(|difference| difference.becomes == becomes).count();
        let [added, changed, removed] = [Becomes::Added, Becomes::Changed, Becomes::Removed].map(count);
        let done = match mode {
            ApplyMode::Commit => "",
            ApplyMode::DryRun => "would be ",
        };
        self.say(format_args!(
            "{done}{added} added, {changed} changed, {removed} removed"
        ))?;
        let new = all
            .iter()
            .filter(|difference| difference.kind == DeclaredKind::Principal && difference.becomes == Becomes::Added);
        if mode == ApplyMode::Commit && new.count() > 0 {
            self.say(format_args!(
                "new principals have random keys: `principal keytab` hands them out, `principal password` sets a password"
            ))?;
        }
        Ok(())
    }

    pub(super) fn export(&mut self) -> Result<(), AdminError> {
        let realm = self.daemon.realm().map(ToString::to_string).unwrap_or_default();
        let head = format!("# The realm {realm}: what `principal export` wrote, `principal apply` reads.\n");
        self.out.write_all(head.as_bytes()).map_err(AdminError::Output)?;
        let out = &mut self.out;
        self.daemon.list(
            &Request::Export,
            |part| match part {
                Response::Exported(some) => Some(vec![*some]),
                _ => None,
            },
            |some: Vec<Declaration>| {
                for part in some {
                    let text = declaration::write(part).map_err(AdminError::Unwritable)?;
                    out.write_all(b"\n").map_err(AdminError::Output)?;
                    out.write_all(text.as_bytes()).map_err(AdminError::Output)?;
                }
                Ok(())
            },
        )?;
        self.out.flush().map_err(AdminError::Output)
    }
}

fn lines(difference: &Difference, look: Look) -> String {
    let Difference {
        kind,
        name,
        becomes,
        parts,
    } = difference;
    let (sign, colour) = match becomes {
        Becomes::Added => ("+", GREEN),
        Becomes::Changed => ("~", YELLOW),
        Becomes::Removed => ("-", RED),
    };
    let head = format!("{sign} {} {}", kind.word(), printable(name));
    let coloured = matches!(look, Look::Terminal { colour: true });
    let parts = parts.iter().map(|part| part_line(*becomes, part));
    parts.fold(paint(&head, colour, coloured) + "\n", |text, line| text + &line)
}

fn part_line(becomes: Becomes, PartDifference { part, from, to }: &PartDifference) -> String {
    let said = |value: &Option<String>| value.as_deref().map_or_else(|| "(default)".into(), printable);
    match becomes {
        Becomes::Added => format!("    {part}: {}\n", said(to)),
        Becomes::Changed | Becomes::Removed => format!("    {part}: {} -> {}\n", said(from), said(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_reads_as_a_difference() {
        let part = |part: &str, from: Option<&str>, to: Option<&str>| PartDifference {
            part: part.into(),
            from: from.map(Into::into),
            to: to.map(Into::into),
        };
        let difference = |kind, name: &str, becomes, parts| Difference {
            kind,
            name: name.into(),
            becomes,
            parts,
        };
        let all = [
            difference(
                DeclaredKind::Role,
                "desk",
                Becomes::Added,
                vec![part("rights", None, Some("helpdesk:*"))],
            ),
            difference(
                DeclaredKind::Principal,
                "alice",
                Becomes::Changed,
                vec![part("max-life", Some("4h"), None), part("policy", None, Some("strict"))],
            ),
            difference(DeclaredKind::Rule, "office", Becomes::Removed, vec![]),
        ];
        let text: String = all.iter().map(|difference| lines(difference, Look::Plain)).collect();
        assert_eq!(
            text,
            "+ role desk\n    rights: helpdesk:*\n~ principal alice\n    max-life: 4h -> (default)\n    policy: (default) -> \
             strict\n- rule office\n"
        );
    }
}
