//! A password for a principal: typed twice at a terminal, or the first line of a pipe or file.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use tessera_common::admin::Password;

use super::AdminError;
use crate::prompt::{Password as Typed, PromptError, Prompter, StandardInput};

/// The password that `--password-file` names; without it, or with `-`, from the standard input.
pub(super) fn obtain(principal: &str, file: Option<&Path>) -> Result<Password, AdminError> {
    match file.filter(|file| *file != Path::new("-")) {
        Some(file) => from_file(file),
        None if io::stdin().is_terminal() => typed_twice(principal, &mut StandardInput),
        None => text(&StandardInput.line()?),
    }
}

fn from_file(file: &Path) -> Result<Password, AdminError> {
    let line = File::open(file)
        .map_err(PromptError::from)
        .and_then(|mut open| Typed::from_line(&mut open));
    let line = line.map_err(|why| AdminError::PasswordFile {
        file: file.to_owned(),
        why,
    })?;
    text(&line)
}

fn typed_twice(principal: &str, person: &mut dyn Prompter) -> Result<Password, AdminError> {
    let first = person.ask(&format!("Password for {principal}"))?;
    let second = person.ask("Again")?;
    if first != second {
        return Err(AdminError::PasswordsDiffer);
    }
    text(&first)
}

// Keys are made from text, and other programs send what they type as UTF-8.
fn text(typed: &Typed) -> Result<Password, AdminError> {
    let text = core::str::from_utf8(typed.octets()).map_err(|_| AdminError::PasswordNotUtf8)?;
    Ok(Password::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Person(Vec<&'static str>, Vec<String>);

    impl Prompter for Person {
        fn ask(&mut self, question: &str) -> Result<Typed, PromptError> {
            self.1.push(question.to_owned());
            Ok(Typed::new(self.0.remove(0)))
        }

        fn tell(&mut self, _: &str) {}
    }

    #[test]
    fn a_person_types_the_password_twice() {
        let mut person = Person(vec!["secret", "secret"], Vec::new());
        let password = typed_twice("alice@EXAMPLE.COM", &mut person).unwrap();
        assert_eq!(password.as_str(), "secret");
        assert_eq!(person.1, ["Password for alice@EXAMPLE.COM", "Again"]);
        let mut person = Person(vec!["secret", "Secret"], Vec::new());
        assert!(matches!(
            typed_twice("alice", &mut person),
            Err(AdminError::PasswordsDiffer)
        ));
    }

    #[test]
    fn a_password_file_has_it_in_its_first_line() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        for (content, password) in [
            ("secret\n", "secret"),
            (" pässword \r\nsecond line\n", " pässword "),
            ("no end", "no end"),
            ("\n", ""),
        ] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(obtain("a", Some(&file)).unwrap().as_str(), password, "{content:?}");
        }
        for (content, says) in [(&b""[..], "the input ended"), (b"\xff\n", "not UTF-8")] {
            std::fs::write(&file, content).unwrap();
            let error = obtain("a", Some(&file)).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let error = obtain("a", Some(Path::new("/nowhere/password"))).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/password: "), "{error}");
    }
}
