use std::fs;
use std::path::Path;

/// What a document tells people to type.
pub(crate) struct Document {
    pub(crate) steps: Vec<Step>,
    /// The blocks that are not typed: where, and why.
    pub(crate) left_out: Vec<(usize, String)>,
}

/// A command, and what it has to show.
pub(crate) struct Step {
    /// Where it stands, from 1.
    pub(crate) line: usize,
    pub(crate) as_root: bool,
    /// With the lines that go on with it.
    pub(crate) command: String,
    /// What is typed when it asks.
    pub(crate) types: String,
    shows: Vec<String>,
}

impl Document {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let mut document = Self {
            steps: Vec::new(),
            left_out: Vec::new(),
        };
        let (mut types, mut not_run) = (String::new(), None);
        let mut lines = text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            if let Some(comment) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) {
                match comment.split_once(": ") {
                    Some(("types", text)) => text.clone_into(&mut types),
                    Some(("not run", why)) => not_run = Some(why.to_owned()),
                    _ => {}
                }
            }
            if line != "```console" {
                continue;
            }
            let block = lines.by_ref().take_while(|(_, line)| *line != "```");
            match not_run.take() {
                Some(why) => {
                    block.for_each(drop);
                    document.left_out.push((at + 1, why));
                }
                None => block.for_each(|(at, line)| document.take(at + 1, line, &types)),
            }
            types.clear();
        }
        document
    }

    fn take(&mut self, number: usize, line: &str, types: &str) {
        let typed = |as_root, command: &str| Step {
            line: number,
            as_root,
            command: command.to_owned(),
            types: types.to_owned(),
            shows: Vec::new(),
        };
        if let Some(command) = line.strip_prefix("# ") {
            self.steps.push(typed(true, command));
        } else if let Some(command) = line.strip_prefix("$ ") {
            self.steps.push(typed(false, command));
        } else {
            let step = self
                .steps
                .last_mut()
                .unwrap_or_else(|| panic!("line {number}: nothing was typed"));
            match line.strip_prefix('>').filter(|_| step.shows.is_empty()) {
                Some(more) => {
                    step.command.push('\n');
                    step.command.push_str(more.strip_prefix(' ').unwrap_or(more));
                }
                None => step.shows.push(line.trim_end().to_owned()),
            }
        }
    }
}

impl Step {
    /// What it asks, in its order.
    pub(crate) fn questions(&self) -> Vec<&str> {
        let is_question = |line: &&str| line.ends_with(':') && !self.types.is_empty();
        self.shows.iter().map(String::as_str).filter(is_question).collect()
    }

    /// Whether that is what it has to show; anything, where nothing is said.
    pub(crate) fn shows(&self, shown: &str) -> Result<(), String> {
        let shown: Vec<&str> = shown.trim_end().lines().map(str::trim_end).collect();
        let shown = if shown == [""] { Vec::new() } else { shown };
        match self.shows.is_empty() || all_match(&self.shows, &shown) {
            true => Ok(()),
            false => Err(format!(
                "is to show\n    {}\nand shows\n    {}",
                self.shows.join("\n    "),
                shown.join("\n    ")
            )),
        }
    }
}

fn all_match(expected: &[String], shown: &[&str]) -> bool {
    match expected.split_first() {
        None => shown.is_empty(),
        Some((first, rest)) if first == "..." => (0..=shown.len()).any(|skipped| all_match(rest, &shown[skipped..])),
        Some((first, rest)) => match shown.split_first() {
            Some((line, others)) => matches(first, line) && all_match(rest, others),
            None => false,
        },
    }
}

fn matches(expected: &str, shown: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = shown.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else {
            return false;
        };
        rest = behind;
        last = Some(part);
    }
    match last {
        None => rest.is_empty(),
        Some("") => true,
        Some(end) => rest.is_empty() || shown.ends_with(end),
    }
}

#[test]
fn a_document_is_read_as_it_is_typed() {
    let text = "```console\n# one\n> more\n>\nshown\n```\n<!-- types: secret -->\n```console\n$ two\nPassword:\nend … of 3\n...\n```\n\
                <!-- not run: no network -->\n```console\n# three\n```\n```console\n# four\n```\n";
    let document = Document::parse(text);
    let commands: Vec<_> = document
        .steps
        .iter()
        .map(|step| (step.line, step.as_root, step.command.as_str()))
        .collect();
    assert_eq!(
        commands,
        [(2, true, "one\nmore\n"), (9, false, "two"), (19, true, "four")]
    );
    assert_eq!(document.left_out, [(15, "no network".to_owned())]);
    let [one, two, four] = &document.steps[..] else {
        panic!()
    };
    assert_eq!(
        (one.questions(), two.questions(), &*two.types),
        (vec![], vec!["Password:"], "secret")
    );
    assert!(one.shows("shown\n").is_ok() && one.shows("else\n").is_err() && one.shows("").is_err());
    assert!(two.shows("Password: \nend 2 of 3\nand\nmore\n").is_ok());
    assert!(two.shows("Password: \nend 2 of 4\n").is_err() && four.shows("a\n").is_ok());
}
