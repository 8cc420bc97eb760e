use std::io;

use super::profile::{Node, Tree, Value};
use super::{ConfigError, Files, MAX_FILES, Problem};

const ROOT: usize = 0;

/// Reads one file, and what it includes, into a tree.
pub(super) struct Parser<'a> {
    files: &'a mut dyn Files,
    tree: &'a mut Tree,
    files_read: usize,
}

/// Where the syntax of one file stands. An included file has its own: braces do not reach across files.
struct Syntax {
    /// What comes before the first `[` at the start of a line is no configuration.
    begun: bool,
    /// A relation without a value was read, and a `{` must follow.
    wants_brace: bool,
    /// Braces that are open, and one more once a section has begun.
    depth: usize,
    /// The depth at which a section began that is final already and takes no more; 0 when none is open.
    discard: usize,
    /// The open sections from the root on. Within a discarded one, none is opened.
    open: Vec<usize>,
}

/// Reads every file of a directory whose name is one of configuration, in the order of the names.
pub(super) fn include_directory(files: &mut dyn Files, tree: &mut Tree, directory: &str) -> Result<(), ConfigError> {
    let mut parser = Parser::new(files, tree);
    let error = |e| unreadable(directory, &e);
    let names = parser.files.list(directory).map_err(error)?;
    parser.include_names(directory, names)
}

pub(super) fn unreadable(file: &str, error: &io::Error) -> ConfigError {
    ConfigError {
        file: file.to_owned(),
        line: None,
        problem: Problem::Unreadable(error.to_string()),
    }
}

// Letters, digits, dashes and underscores, or anything that ends in .conf and is not hidden: neither an editor's copy nor
// what a package manager puts aside.
fn is_configuration(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.starts_with('.') && !name.is_empty() && (name.ends_with(".conf") || name.chars().all(plain))
}

impl<'a> Parser<'a> {
    pub(super) fn new(files: &'a mut dyn Files, tree: &'a mut Tree) -> Self {
        Self {
            files,
            tree,
            files_read: 0,
        }
    }

    pub(super) fn parse(&mut self, file: &str, content: &[u8]) -> Result<(), ConfigError> {
        let text = String::from_utf8_lossy(content);
        let mut syntax = Syntax {
            begun: false,
            wants_brace: false,
            depth: 0,
            discard: 0,
            open: vec![ROOT],
        };
        for (number, line) in text.split('\n').enumerate() {
            let at = |problem| ConfigError {
                file: file.to_owned(),
                line: Some(number + 1),
                problem,
            };
            let line = line.trim_end_matches('\r');
            if let Some(path) = directive(line, "include") {
                let content = self.read(path).map_err(at)?;
                self.parse(path, &content)?;
            } else if let Some(path) = directive(line, "includedir") {
                let names = self.files.list(path).map_err(|e| at(included(path, &e)))?;
                self.include_names(path, names)?;
            } else if !syntax.begun && directive(line, "module").is_some() {
                return Err(at(Problem::Module));
            } else if syntax.begun || line.starts_with('[') {
                syntax.begun = true;
                let value = |text: String| Value {
                    text,
                    file: file.to_owned(),
                    line: number + 1,
                };
                self.line(&mut syntax, line, value).map_err(at)?;
            }
        }
        Ok(())
    }

    fn include_names(&mut self, directory: &str, mut names: Vec<String>) -> Result<(), ConfigError> {
        names.retain(|name| is_configuration(name));
        names.sort_unstable();
        for name in names {
            let path = format!("{directory}/{name}");
            let at = |problem| ConfigError {
                file: directory.to_owned(),
                line: None,
                problem,
            };
            let content = self.read(&path).map_err(at)?;
            self.parse(&path, &content)?;
        }
        Ok(())
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Problem> {
        self.files_read += 1;
        if self.files_read > MAX_FILES {
            return Err(Problem::TooManyFiles);
        }
        self.files.read(path).map_err(|e| included(path, &e))
    }

    fn line(&mut self, syntax: &mut Syntax, line: &str, value: impl FnOnce(String) -> Value) -> Result<(), Problem> {
        let text = line.trim_start_matches(is_space);
        if syntax.wants_brace {
            syntax.wants_brace = false;
            return if text.starts_with('{') {
                Ok(())
            } else {
                Err(Problem::MissingBrace)
            };
        }
        match text.chars().next() {
            None | Some('#' | ';') => Ok(()),
            Some('[') => self.section(syntax, text),
            Some('}') => self.close(syntax, text),
            Some(_) => self.relation(syntax, text, value),
        }
    }

    fn section(&mut self, syntax: &mut Syntax, text: &str) -> Result<(), Problem> {
        if syntax.depth > 1 {
            return Err(Problem::SectionInBraces);
        }
        let (name, rest) = text
            .strip_prefix('[')
            .and_then(|t| t.split_once(']'))
            .ok_or(Problem::SectionSyntax)?;
        let section = self.enter(ROOT, name);
        syntax.open = vec![ROOT, section];
        syntax.depth = 1;
        syntax.discard = usize::from(self.is_final(section));
        let rest = match rest.strip_prefix('*') {
            Some(rest) => {
                self.make_final(section);
                rest
            }
            None => rest,
        };
        if rest.trim_matches(is_space).is_empty() {
            Ok(())
        } else {
            Err(Problem::SectionSyntax)
        }
    }

    fn close(&mut self, syntax: &mut Syntax, text: &str) -> Result<(), Problem> {
        if syntax.depth < 2 {
            return Err(Problem::ExtraBrace);
        }
        if text.starts_with("}*") {
            self.make_final(syntax.current());
        }
        syntax.depth -= 1;
        if syntax.depth < syntax.discard {
            syntax.discard = 0;
        }
        if syntax.discard == 0 {
            syntax.open.pop();
        }
        Ok(())
    }

    fn relation(
        &mut self,
        syntax: &mut Syntax,
        text: &str,
        value: impl FnOnce(String) -> Value,
    ) -> Result<(), Problem> {
        let (name, rest) = text.split_once('=').ok_or(Problem::RelationSyntax)?;
        let name = name.trim_end_matches(is_space);
        if name.is_empty() || name.contains(is_space) {
            return Err(Problem::RelationSyntax);
        }
        let (name, is_final) = match name.split_once('*') {
            Some((name, _)) => (name, true),
            None => (name, false),
        };
        let rest = rest.trim_start_matches(is_space);
        let is_brace = rest
            .strip_prefix('{')
            .is_some_and(|r| r.trim_start_matches(is_space).is_empty());
        if rest.is_empty() || is_brace {
            syntax.wants_brace = rest.is_empty();
            syntax.depth += 1;
            if syntax.discard == 0 {
                let section = self.enter(syntax.current(), name);
                syntax.open.push(section);
                if self.is_final(section) {
                    syntax.discard = syntax.depth;
                }
                if is_final {
                    self.make_final(section);
                }
            }
            return Ok(());
        }
        let text = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => rest.trim_end_matches(is_space).to_owned(),
        };
        let has_final = |tree: &Tree, section: &Node| tree.children(section).any(|n| n.name == name && n.is_final);
        let taken = self
            .tree
            .nodes
            .get(syntax.current())
            .is_some_and(|section| has_final(self.tree, section));
        if syntax.discard == 0 && !taken {
            let node = Node {
                is_final,
                ..Node::new(name, Some(value(text)))
            };
            self.tree.add(syntax.current(), node);
        }
        Ok(())
    }

    // Sections of one name within one section are one.
    fn enter(&mut self, section: usize, name: &str) -> usize {
        match self.tree.find_section(section, name) {
            Some(at) => at,
            None => self.tree.add(section, Node::new(name, None)),
        }
    }

    fn is_final(&self, at: usize) -> bool {
        self.tree.nodes.get(at).is_some_and(|node| node.is_final)
    }

    fn make_final(&mut self, at: usize) {
        if let Some(node) = self.tree.nodes.get_mut(at) {
            node.is_final = true;
        }
    }
}

impl Syntax {
    fn current(&self) -> usize {
        self.open.last().copied().unwrap_or(ROOT)
    }
}

fn included(path: &str, error: &io::Error) -> Problem {
    Problem::Unreadable(format!("{path}: {error}"))
}

fn directive<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(word)?;
    rest.starts_with(is_space).then(|| rest.trim_matches(is_space))
}

// What C's isspace takes, in its first locale.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn unquote(quoted: &str) -> String {
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => text.push(match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('b') => '\x08',
                Some(other) => other,
                None => '\\',
            }),
            plain => text.push(plain),
        }
    }
    text
}
