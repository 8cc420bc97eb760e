//! krb5.conf: the configuration that Kerberos clients of every make share.
//!
//! [`Profile`] reads the files as MIT does: sections, nested braces, quotes, comments, final markers, `include` and
//! `includedir`, several files one over the other. [`ClientConfig`] gives what this project's clients heed of it, checked.
//! What they do not heed is ignored, as every implementation ignores the others' keys.
//!
//! ```text
//! [libdefaults]
//!         default_realm = EXAMPLE.COM      # the first value found counts, of the first file that has one
//! [realms]
//!         EXAMPLE.COM = {
//!                 kdc = kdc1.example.com   # all values count, of all files
//!                 kdc = [2001:db8::1]:8888
//!                 disable_encrypted_timestamp = true   # passwords are proved inside FAST only
//!         }*                               # final: later files add nothing to this realm
//! [domain_realm]
//!         .example.com = EXAMPLE.COM
//! ```

mod client_config;
mod parse;
mod path_tokens;
mod profile;
mod server;

use core::fmt;
use std::io;

pub use client_config::ClientConfig;
pub use path_tokens::PathTokens;
pub use profile::{Profile, Value};
pub use server::Server;

/// The file that is read when `KRB5_CONFIG` is not set.
pub const DEFAULT_FILE: &str = "/etc/krb5.conf";
/// The most files that one configuration may consist of; a file that includes itself is stopped by it.
pub const MAX_FILES: usize = 256;

/// Gives the parser the files that it asks for. A program reads them from disk; a test has them at hand.
pub trait Files {
    /// The content of a file.
    ///
    /// # Errors
    /// As the operating system has them: [`io::ErrorKind::NotFound`] and [`io::ErrorKind::PermissionDenied`] of a file that
    /// `KRB5_CONFIG` names mean that it is passed over; [`io::ErrorKind::IsADirectory`], that the directory's files are read.
    fn read(&mut self, path: &str) -> io::Result<Vec<u8>>;

    /// The names of what is in a directory, in any order, without the directory's own.
    ///
    /// # Errors
    /// As the operating system has them.
    fn list(&mut self, directory: &str) -> io::Result<Vec<String>>;
}

/// What is wrong with a configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as `KRB5_CONFIG` or an `include` names it.
    pub file: String,
    /// The line, from 1; `None` when the file could not be read at all.
    pub line: Option<usize>,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The file, or a directory to be included, cannot be read; the operating system says why.
    Unreadable(String),
    /// More than [`MAX_FILES`] files; most likely one that includes itself.
    TooManyFiles,
    /// `module`: configuration from a shared library.
    Module,
    /// `[section]` within braces that are still open.
    SectionInBraces,
    /// `[` without `]`, or text behind it.
    SectionSyntax,
    /// Neither `name = value` nor a section, a brace or a comment.
    RelationSyntax,
    /// `}` without `{`.
    ExtraBrace,
    /// `name =` with nothing behind it, and no `{` on the next line.
    MissingBrace,
    /// A value that cannot be used.
    BadValue {
        /// The name of the relation.
        key: String,
        /// What is wrong with the value, and what it may be.
        reason: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::TooManyFiles => write!(f, "more than {MAX_FILES} files are included; does one include itself?"),
            Self::Module => f.write_str("\"module\" is not supported"),
            Self::SectionInBraces => f.write_str("a section begins before the last \"{\" is closed"),
            Self::SectionSyntax => f.write_str("a section is written [name] or [name]*, alone on its line"),
            Self::RelationSyntax => f.write_str("neither a section nor \"name = value\""),
            Self::ExtraBrace => f.write_str("\"}\" without \"{\""),
            Self::MissingBrace => f.write_str("the line above has no value, and no \"{\" follows"),
            Self::BadValue { key, reason } => write!(f, "{key}: {reason}"),
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Files at hand. `None` in place of a content: may not be read.
    #[derive(Default)]
    pub(super) struct InMemory(pub(super) BTreeMap<&'static str, Option<&'static str>>);

    impl Files for InMemory {
        fn read(&mut self, path: &str) -> io::Result<Vec<u8>> {
            match self.0.get(path) {
                Some(Some(content)) => Ok(content.as_bytes().to_vec()),
                Some(None) => Err(io::ErrorKind::PermissionDenied.into()),
                None if self.0.keys().any(|p| p.starts_with(&format!("{path}/"))) => {
                    Err(io::ErrorKind::IsADirectory.into())
                }
                None => Err(io::ErrorKind::NotFound.into()),
            }
        }

        fn list(&mut self, directory: &str) -> io::Result<Vec<String>> {
            let prefix = format!("{directory}/");
            let names: Vec<String> = self
                .0
                .keys()
                .filter_map(|p| p.strip_prefix(&prefix))
                .map(str::to_owned)
                .collect();
            if names.is_empty() {
                Err(io::ErrorKind::NotFound.into())
            } else {
                Ok(names)
            }
        }
    }

    pub(super) fn load(files: &[(&'static str, &'static str)]) -> Result<Profile, ConfigError> {
        let paths: Vec<&str> = files
            .iter()
            .map(|(path, _)| *path)
            .filter(|path| path.starts_with("/etc/"))
            .collect();
        let mut files = InMemory(files.iter().map(|(path, content)| (*path, Some(*content))).collect());
        Profile::load(&paths.join(":"), &mut files)
    }

    pub(super) fn texts<'a>(profile: &'a Profile, path: &[&str]) -> Vec<&'a str> {
        profile
            .values(path)
            .into_iter()
            .map(|value| value.text.as_str())
            .collect()
    }

    fn one(content: &'static str) -> Result<Profile, ConfigError> {
        load(&[("/etc/a", content)])
    }

    #[test]
    fn relations_of_one_section_are_read() {
        let text = "junk before the first section\n\
             [s]\n\
             \ta=1\n\
             # comment\n\
             ; comment\n\
             \n\
             \t  b \t =  two words \t \r\n\
             c = \"quoted \\\"x\\\" \\n\\t\\b\\\\ \" ignored\n\
             d = # no comment here\n\
             e = { not a section\n\
             f = \"\"\n\
             a = 2\n\
             [t] \n\
             a = 3\n\
             [s]\n\
             a = 4\n";
        let profile = one(text).unwrap();
        for (path, values) in [
            (&["s", "a"][..], &["1", "2", "4"][..]),
            (&["s", "b"], &["two words"]),
            (&["s", "c"], &["quoted \"x\" \n\t\x08\\ "]),
            (&["s", "d"], &["# no comment here"]),
            (&["s", "e"], &["{ not a section"]),
            (&["s", "f"], &[""]),
            (&["t", "a"], &["3"]),
            (&["t", "b"], &[]),
            (&["u", "a"], &[]),
            (&["s"], &[]),
            (&[], &[]),
        ] {
            assert_eq!(texts(&profile, path), values, "{path:?}");
        }
        let b = profile.value(&["s", "b"]).unwrap();
        assert_eq!((b.file.as_str(), b.line), ("/etc/a", 7));
        assert_eq!(profile.value(&["s", "a"]).map(|v| v.text.as_str()), Some("1"));
    }

    #[test]
    fn braces_nest_and_sections_of_one_name_are_one() {
        let profile = one(
            "[r]\n A = {\n  k = 1\n  in = {\n   k = 2\n  }\n  k = 3\n }\n A =\n {\n  k = 4\n }\n k = 5\n B = {\n  k = 6\n",
        );
        let profile = profile.unwrap();
        assert_eq!(texts(&profile, &["r", "A", "k"]), ["1", "3", "4"]);
        assert_eq!(texts(&profile, &["r", "A", "in", "k"]), ["2"]);
        assert_eq!(texts(&profile, &["r", "k"]), ["5"]);
        assert_eq!(texts(&profile, &["r", "B", "k"]), ["6"]);
    }

    #[test]
    fn nothing_is_added_to_what_is_final() {
        for (first, second, path, values) in [
            ("[s]\nk = 1\n", "[s]\nk = 2\n", &["s", "k"][..], &["1", "2"][..]),
            ("[s]\nk* = 1\n", "[s]\nk = 2\n", &["s", "k"], &["1"]),
            ("[s]\nk* = 1\nk = 2\n", "", &["s", "k"], &["1"]),
            ("[s]\nk = 1\nk* = 2\nk = 3\n", "[s]\nk = 4\n", &["s", "k"], &["1", "2"]),
            ("[s]*\nk = 1\n[s]\nk = 2\n", "[s]\nk = 3\n", &["s", "k"], &["1"]),
            ("[s]*\nother = 1\n", "[s]\nk = 3\n", &["s", "k"], &[]),
            ("[s]\nk* = 1\n", "[s]\nj = 2\n", &["s", "j"], &["2"]),
            (
                "[r]\nA = {\n k = 1\n}*\nA = {\n k = 2\n}\nk = 3\n",
                "",
                &["r", "A", "k"],
                &["1"],
            ),
            (
                "[r]\nA* = {\n k = 1\n}\nA = {\n B = {\n k = 2\n }\n}\nk = 3\n",
                "",
                &["r", "k"],
                &["3"],
            ),
            (
                "[r]\nA = {\n k = 1\n}*\n",
                "[r]\nA = {\n k = 2\n}\n",
                &["r", "A", "k"],
                &["1"],
            ),
            (
                "[r]*\nA = {\n B = {\n }\n}\n[r]\nA = {\n B = {\n k = 2\n }\n}\n",
                "",
                &["r", "A", "B", "k"],
                &[],
            ),
        ] {
            let profile = load(&[("/etc/a", first), ("/etc/b", second)]).unwrap();
            assert_eq!(texts(&profile, path), values, "{first:?} {second:?}");
        }
    }

    #[test]
    fn files_are_included_where_they_are_named_and_stand_on_their_own() {
        let profile = load(&[
            (
                "/etc/a",
                "include /x\n[s]\nk = 2\nA = {\nincludedir /d\n  k = 3\n}\nk = 5\n",
            ),
            ("/x", "[s]\nk = 1\nA = {\n k = x\n"),
            ("/d/b.conf", "[s]\nk = 4\n"),
            ("/d/a", "[s]\nk = 3\n"),
            ("/d/.hidden.conf", "[s]\nk = no\n"),
            ("/d/a~", "[s]\nk = no\n"),
            ("/d/a.rpmsave", "[s]\nk = no\n"),
        ])
        .unwrap();
        assert_eq!(texts(&profile, &["s", "k"]), ["1", "2", "3", "4", "5"]);
        assert_eq!(texts(&profile, &["s", "A", "k"]), ["x", "3"]);
        let three = profile.values(&["s", "k"])[2];
        assert_eq!((three.file.as_str(), three.line), ("/d/a", 2));
    }

    #[test]
    fn missing_files_are_passed_over() {
        let mut files = InMemory(BTreeMap::from([
            ("/a", Some("[s]\nk = a\n")),
            ("/secret", None),
            ("/dir/x", Some("[s]\nk = x\n")),
        ]));
        let load = |paths, files: &mut InMemory| Profile::load(paths, files);
        let profile = load("/none:/a:/secret::/dir", &mut files).unwrap();
        assert_eq!(texts(&profile, &["s", "k"]), ["a", "x"]);
        assert_eq!(load("/none", &mut files), Ok(Profile::default()));
        assert_eq!(load("", &mut files), Ok(Profile::default()));
        let error = load("/none:/secret", &mut files).unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("/secret", None));
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        for (content, line, problem) in [
            ("[s]\nnothing\n", 2, Problem::RelationSyntax),
            ("[s]\n= 1\n", 2, Problem::RelationSyntax),
            ("[s]\na b = 1\n", 2, Problem::RelationSyntax),
            ("[s\n", 1, Problem::SectionSyntax),
            ("[s] x\n", 1, Problem::SectionSyntax),
            ("[s]\na = {\n[t]\n", 3, Problem::SectionInBraces),
            ("[s]\n}\n", 2, Problem::ExtraBrace),
            ("[s]\na =\nb = 1\n", 3, Problem::MissingBrace),
            ("module /lib/x:y\n", 1, Problem::Module),
            ("\n\ninclude /etc/a\n", 3, Problem::TooManyFiles),
        ] {
            let error = one(content).unwrap_err();
            assert_eq!(
                error,
                ConfigError {
                    file: "/etc/a".into(),
                    line: Some(line),
                    problem
                },
                "{content:?}"
            );
            assert!(error.to_string().starts_with(&format!("/etc/a:{line}: ")), "{error}");
        }
        let error = one("[s]\n\ninclude /none\n").unwrap_err();
        assert!(
            error.to_string().starts_with("/etc/a:3: cannot be read: /none: "),
            "{error}"
        );
        let error = one("[s]\nincludedir /none\n").unwrap_err();
        assert!(
            error.to_string().starts_with("/etc/a:2: cannot be read: /none: "),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([\\[\\]{}*=\"\\\\#; \ta-z]{0,8}\n){0,12}|\\PC{0,40}") {
            let mut files = InMemory(BTreeMap::from([("/a", Some(&*text.leak()))]));
            if let Ok(profile) = Profile::load("/a", &mut files) {
                let _ = ClientConfig::new(profile);
            }
        }

        #[test]
        fn written_relations_read_back(
            section in "[a-zA-Z.]{1,8}",
            relations in prop::collection::vec(("[a-zA-Z_.]{1,8}", "[^\\p{Cc}]{0,12}"), 0..6),
        ) {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let lines: String = relations.iter().map(|(name, value)| format!("\t{name} = \"{}\"\n", quote(value))).collect();
            let text = format!("[{section}]\nR = {{\n{lines}}}\n");
            let mut files = InMemory(BTreeMap::from([("/a", Some(&*text.leak()))]));
            let profile = Profile::load("/a", &mut files).unwrap();
            for (name, _) in &relations {
                let expected: Vec<&str> = relations.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
                prop_assert_eq!(texts(&profile, &[&section, "R", name]), expected);
            }
        }
    }
}
