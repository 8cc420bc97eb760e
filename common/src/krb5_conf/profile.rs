use std::io;

use super::parse::{Parser, include_directory, unreadable};
use super::{ConfigError, Files, Problem};

/// A configuration: one tree of sections for each file, asked one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    files: Vec<Tree>,
}

/// One value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The text, without quotes and escapes.
    pub text: String,
    /// The file that it is from.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
}

/// The sections of one file and of what it includes. The first node is the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) is_final: bool,
    /// `None` for a section.
    pub(super) value: Option<Value>,
    pub(super) children: Vec<usize>,
}

impl Profile {
    /// Reads `paths`, which are separated by colons as in `KRB5_CONFIG`. Files that are missing or may not be read are passed
    /// over while there are others; with no file at all, the profile is empty.
    ///
    /// # Errors
    /// [`ConfigError`]: the syntax is wrong, an included file is missing, or none of the files may be read.
    pub fn load(paths: &str, files: &mut dyn Files) -> Result<Self, ConfigError> {
        let mut trees = Vec::new();
        let mut denied = None;
        for path in paths.split(':').filter(|path| !path.is_empty()) {
            let mut tree = Tree::new();
            match files.read(path) {
                Ok(content) => Parser::new(files, &mut tree).parse(path, &content)?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                    denied.get_or_insert_with(|| unreadable(path, &e));
                    continue;
                }
                Err(e) if e.kind() == io::ErrorKind::IsADirectory => include_directory(files, &mut tree, path)?,
                Err(e) => return Err(unreadable(path, &e)),
            }
            trees.push(tree);
        }
        match denied {
            Some(error) if trees.is_empty() => Err(error),
            _ => Ok(Self { files: trees }),
        }
    }

    /// Every value at `path` (sections, then the relation's name), of all files until one says that it is final.
    #[must_use]
    pub fn values(&self, path: &[&str]) -> Vec<&Value> {
        let Some((name, sections)) = path.split_last() else {
            return Vec::new();
        };
        let mut values = Vec::new();
        for tree in &self.files {
            let mut last_file = false;
            let mut section = tree.root();
            for wanted in sections {
                section = section.and_then(|s| tree.children(s).find(|n| n.name == *wanted && n.value.is_none()));
                last_file |= section.is_some_and(|s| s.is_final);
            }
            for node in section
                .into_iter()
                .flat_map(|s| tree.children(s))
                .filter(|n| n.name == *name)
            {
                if let Some(value) = &node.value {
                    last_file |= node.is_final;
                    values.push(value);
                }
            }
            if last_file {
                break;
            }
        }
        values
    }

    /// The first value at `path`: what counts where only one can.
    #[must_use]
    pub fn value(&self, path: &[&str]) -> Option<&Value> {
        self.values(path).first().copied()
    }
}

impl Value {
    /// The error that says this value of `key` cannot be used.
    pub(super) fn bad(&self, key: &str, reason: impl Into<String>) -> ConfigError {
        ConfigError {
            file: self.file.clone(),
            line: Some(self.line),
            problem: Problem::BadValue {
                key: key.into(),
                reason: reason.into(),
            },
        }
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::new("", None)],
        }
    }

    fn root(&self) -> Option<&Node> {
        self.nodes.first()
    }

    pub(super) fn children<'a>(&'a self, section: &'a Node) -> impl Iterator<Item = &'a Node> {
        section.children.iter().filter_map(|at| self.nodes.get(*at))
    }

    /// Adds a node behind the others of `section` and says where it is.
    pub(super) fn add(&mut self, section: usize, node: Node) -> usize {
        let at = self.nodes.len();
        self.nodes.push(node);
        if let Some(section) = self.nodes.get_mut(section) {
            section.children.push(at);
        }
        at
    }

    /// Where the section `name` within `section` is, if there is one.
    pub(super) fn find_section(&self, section: usize, name: &str) -> Option<usize> {
        let is_it = |node: &Node| node.name == name && node.value.is_none();
        self.nodes
            .get(section)?
            .children
            .iter()
            .copied()
            .find(|at| self.nodes.get(*at).is_some_and(is_it))
    }
}

impl Node {
    pub(super) fn new(name: &str, value: Option<Value>) -> Self {
        Self {
            name: name.to_owned(),
            is_final: false,
            value,
            children: Vec::new(),
        }
    }
}
