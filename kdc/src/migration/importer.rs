//! Puts what an importer hands over together to a database.

use core::fmt;

use tessera_common::Random;

use super::finding::{Finding, Item, Summary, Whose};
use super::principal::ImportedPrincipal;
use crate::realm::access_record::Declared;
use crate::realm::founding;
use crate::realm::glob::Glob;
use crate::realm::policy::Policy;
use crate::realm::settings::RealmSettings;
use crate::store::{Author, Change, Construction, StoreError};

/// Why there is no import. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line cannot be read.
    #[error("line {line}: {why}")]
    Line {
        /// Which, from 1 on.
        line: u64,
        /// What is wrong, and where in the line.
        why: String,
    },
    /// The file as a whole is not what it should be, or does not go with the rest of what was given.
    #[error("{0}")]
    Refused(String),
}

impl ImportError {
    /// That a line is not as it should be.
    pub fn at(line: u64, why: impl fmt::Display) -> Self {
        Self::Line {
            line,
            why: why.to_string(),
        }
    }
}

/// Takes principals and policies into a database that is being made, and says what became of each.
pub struct Importer<'i> {
    construction: Construction,
    settings: &'i RealmSettings,
    author: Author,
    random: &'i mut dyn Random,
    tell: &'i mut dyn FnMut(&Finding),
    summary: Summary,
    with_random_keys: Vec<Glob>,
}

impl<'i> Importer<'i> {
    /// Into `construction`, for a realm of these settings, in the name of `author`. Every line of the report goes to `tell`.
    pub fn new(
        construction: Construction,
        settings: &'i RealmSettings,
        author: Author,
        random: &'i mut dyn Random,
        tell: &'i mut dyn FnMut(&Finding),
    ) -> Self {
        Self {
            construction,
            settings,
            author,
            random,
            tell,
            summary: Summary::default(),
            with_random_keys: Vec::new(),
        }
    }

    /// Those whose names match any of `patterns` have random keys: what cannot be guessed is exempt from what is for passwords.
    /// The other database does not tell them from others. Keys with another salt than the name makes are of a password all the
    /// same.
    pub fn know_random_keys(&mut self, patterns: Vec<Glob>) {
        self.with_random_keys = patterns;
    }

    /// Who imports, and when.
    #[must_use]
    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// The settings of the realm.
    #[must_use]
    pub const fn settings(&self) -> &'i RealmSettings {
        self.settings
    }

    /// Says what became of something.
    pub fn tell(&mut self, finding: &Finding) {
        self.summary.count(finding);
        (self.tell)(finding);
    }

    /// Takes a policy; `findings` is what of it is not as it was.
    ///
    /// # Errors
    /// [`ImportError::Line`] when there are two of one name.
    pub fn policy(&mut self, line: u64, shown: &str, policy: Policy, findings: &[Finding]) -> Result<(), ImportError> {
        let what = format!("the policy {}", policy.name());
        self.construction
            .declare(Declared::Policy(policy), &self.author)
            .map_err(|why| ImportError::at(line, why))?;
        self.summary.policies.carried_over += 1;
        let carried = Finding::carried_over(line, Whose::Policy(shown.into()), Item::Policy, what);
        self.tell(&carried);
        findings.iter().for_each(|finding| self.tell(finding));
        Ok(())
    }

    /// Takes a principal. Of one whose record is too large, the oldest keys are left out.
    ///
    /// # Errors
    /// [`ImportError::Line`] when there are two of one name, or the record is too large with the newest keys alone.
    pub fn principal(&mut self, mut imported: ImportedPrincipal) -> Result<(), ImportError> {
        self.forget_usual_salts(&mut imported);
        loop {
            let ImportedPrincipal {
                record,
                keys,
                former_passwords,
                ..
            } = &imported;
            let added = self
                .construction
                .add(record.clone(), keys, former_passwords, self.random);
            match added {
                Ok(()) => break,
                Err(StoreError::TooLarge { what }) => {
                    let (kvno, count) = imported
                        .drop_oldest_version()
                        .ok_or_else(|| ImportError::at(imported.line, StoreError::TooLarge { what: what.clone() }))?;
                    let whose = Whose::Principal(imported.shown.clone());
                    let gone = format!("keys of version {kvno}");
                    let finding =
                        Finding::left_out(imported.line, whose, Item::Key, gone, format!("too large: {what}"))
                            .advising("what was sealed with them is refused; get new tickets")
                            .of(count);
                    imported.findings.push(finding);
                }
                Err(StoreError::NameTaken { name, holder }) => {
                    let why = if name != holder {
                        format!("{name} is also a name of {holder}")
                    } else if name == imported.record.name {
                        format!("the principal {name} is there twice")
                    } else {
                        format!("the alias {name} is a principal of its own")
                    };
                    return Err(ImportError::at(imported.line, why));
                }
                Err(other) => return Err(ImportError::at(imported.line, other)),
            }
        }
        let summary = &mut self.summary;
        summary.principals.carried_over += 1;
        summary.principals_changed += usize::from(!imported.findings.is_empty());
        summary.aliases.carried_over += imported.record.aliases.len();
        summary.keys.carried_over += imported.keys.len();
        summary.former_passwords.carried_over += imported.former_passwords.len();
        let whose = Whose::Principal(imported.shown.clone());
        let carried = Finding::carried_over(imported.line, whose, Item::Principal, described(&imported));
        self.tell(&carried);
        imported.findings.iter().for_each(|finding| self.tell(finding));
        Ok(())
    }

    // A key without a salt is a random one.
    fn forget_usual_salts(&self, imported: &mut ImportedPrincipal) {
        let name = &imported.record.name;
        let is_meant = |pattern: &Glob| pattern.matches_chars(name.chars());
        if !self.with_random_keys.iter().any(is_meant) {
            return;
        }
        let usual = name.default_salt(&self.settings.name);
        for key in &mut imported.keys {
            if key.salt.as_ref() == Some(&usual) {
                key.salt = None;
            }
        }
    }

    /// Ends the import: what a realm cannot be without and the other database does not have is made anew. Gives the database
    /// to be written, and what came of all.
    ///
    /// # Errors
    /// [`ImportError::Refused`] when the realm's name cannot be part of a principal's.
    pub fn finish(mut self) -> Result<(Construction, Summary), ImportError> {
        let refused = |why: &dyn fmt::Display| ImportError::Refused(why.to_string());
        let founded = founding::found(self.construction.view(), self.settings, &self.author, self.random)
            .map_err(|why| refused(&why))?;
        self.construction.apply_all(&founded).map_err(|why| refused(&why))?;
        for change in &founded {
            if let Change::Put { record, .. } = change {
                let whose = Whose::Principal(record.name.to_string());
                let why = "the realm cannot be without it, and the other database does not have it";
                let made = Finding::changed(
                    None,
                    whose,
                    Item::Principal,
                    "the principal is made, with random keys",
                    why,
                );
                self.tell(&made);
            }
        }
        Ok((self.construction, self.summary))
    }
}

fn described(imported: &ImportedPrincipal) -> String {
    let mut text = match imported.keys.len() {
        0 => "the principal, without keys".to_owned(),
        1 => "the principal with 1 key".to_owned(),
        many => format!("the principal with {many} keys"),
    };
    let mut versions: Vec<_> = imported.keys.iter().map(|key| key.kvno).collect();
    versions.dedup();
    for (at, kvno) in versions.iter().enumerate() {
        let before = match at {
            0 if versions.len() == 1 => " of version ",
            0 => " of versions ",
            _ => ", ",
        };
        text.push_str(before);
        text.push_str(&kvno.to_string());
    }
    let record = &imported.record;
    if let Some(policy) = &record.policy {
        text.push_str(&format!("; policy {policy}"));
    }
    match imported.former_passwords.len() {
        0 => {}
        1 => text.push_str("; 1 former password"),
        many => text.push_str(&format!("; {many} former passwords")),
    }
    for alias in &record.aliases {
        text.push_str(&format!("; alias {alias}"));
    }
    text
}
