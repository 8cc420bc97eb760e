//! A first look at a whole dump: whether every line can be read, and what has to be known before the first principal is.

use std::collections::HashMap;
use std::io::BufRead;

use tessera_common::name::{Name, Principal, Realm};

use super::format::{Format, NotADump, Record};
use super::policy_line::PolicyLine;
use super::principal_line::PrincipalLine;
use crate::migration::importer::ImportError;
use crate::migration::lines::{LineError, Lines};

/// How many aliases may lead to each other, as for MIT's programs.
const MOST_HOPS: usize = 10;

/// What has to be known before the first principal is read.
pub(super) struct Survey {
    pub(super) format: Format,
    /// `K/M` of the realm.
    pub(super) master: (u64, PrincipalLine),
    /// `kadmin/history` of the realm.
    pub(super) history: Option<(u64, PrincipalLine)>,
    pub(super) policies: Vec<(u64, PolicyLine)>,
    pub(super) aliases: Aliases,
}

/// The names that are only others of principals.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    // The line, and what each stands for: maybe another alias.
    targets: HashMap<Name, (u64, Name)>,
    // The names of principals, in the order of their lines.
    of: HashMap<Name, Vec<Name>>,
}

impl Aliases {
    /// The other names of a principal, taken out: what is left in the end has none.
    pub(super) fn take(&mut self, principal: &Name) -> Vec<Name> {
        self.of.remove(principal).unwrap_or_default()
    }

    /// Those that were not taken, with their lines and what they stand for; by line.
    pub(super) fn left(self) -> Vec<(u64, Name, Name)> {
        let Self { targets, of } = self;
        let names = of.into_values().flatten();
        let mut left: Vec<_> = names
            .filter_map(|name| {
                targets
                    .get(&name)
                    .map(|(line, target)| (*line, name.clone(), target.clone()))
            })
            .collect();
        left.sort_unstable();
        left
    }

    // Finds the principal behind each.
    fn resolve(&mut self) {
        let mut of: HashMap<Name, Vec<(u64, Name)>> = HashMap::new();
        for (alias, (line, target)) in &self.targets {
            let mut at = target;
            for _ in 1..MOST_HOPS {
                match self.targets.get(at) {
                    Some((_, next)) => at = next,
                    None => break,
                }
            }
            of.entry(at.clone()).or_default().push((*line, alias.clone()));
        }
        self.of = of
            .into_iter()
            .map(|(principal, mut aliases)| {
                aliases.sort_unstable();
                (principal, aliases.into_iter().map(|(_, alias)| alias).collect())
            })
            .collect();
    }
}

/// Reads all lines.
///
/// # Errors
/// [`ImportError`] for the first that cannot be read, for what is no dump, and for a dump of another realm.
pub(super) fn survey(lines: &mut Lines<impl BufRead>, realm: &Realm) -> Result<Survey, ImportError> {
    let format = header(lines)?;
    let (mut master, mut history, mut policies) = (None, None, Vec::new());
    let mut aliases = Aliases::default();
    let mut other_master = None;
    while let Some((line, record)) = next_record(lines, format)? {
        let princ = match record {
            Record::Policy(policy) => {
                policies.push((line, policy));
                continue;
            }
            Record::Principal(princ) => *princ,
        };
        let Some(principal) = parsed(&princ.name) else {
            continue;
        };
        if principal.realm != *realm {
            if principal.name.is(&["K", "M"]) {
                other_master = Some(principal.realm);
            }
        } else if let Some(target) = princ.tl_data.alias_target.as_deref().and_then(parsed) {
            if target.realm == *realm {
                aliases.targets.insert(principal.name, (line, target.name));
            }
        } else if principal.name.is(&["K", "M"]) {
            master = Some((line, princ));
        } else if principal.name.is(&["kadmin", "history"]) {
            history = Some((line, princ));
        }
    }
    aliases.resolve();
    let master = master.ok_or_else(|| {
        ImportError::Refused(match other_master {
            Some(other) => format!(
                "the dump is of the realm {other}, and realm.toml describes {realm}: its [realm] name has to be the same"
            ),
            None => format!(
                "there is no K/M@{realm} in the dump, so that its keys cannot be opened: it is of another realm than \
                 realm.toml describes, or not of the whole database (kdb5_util dump FILE)"
            ),
        })
    })?;
    Ok(Survey {
        format,
        master,
        history,
        policies,
        aliases,
    })
}

/// Reads the first line.
pub(super) fn header(lines: &mut Lines<impl BufRead>) -> Result<Format, ImportError> {
    match lines.next_line() {
        Ok(Some(line)) => Format::of_header(line).map_err(|why| ImportError::at(1, why)),
        Ok(None) => Err(ImportError::Refused("the file is empty".into())),
        // A database's own file, or something else that is no text.
        Err(LineError::Nul | LineError::TooLong) => Err(ImportError::at(1, NotADump::Something)),
        Err(why) => Err(ImportError::at(lines.number(), why)),
    }
}

/// The next line that has something on it.
pub(super) fn next_record(
    lines: &mut Lines<impl BufRead>,
    format: Format,
) -> Result<Option<(u64, Record)>, ImportError> {
    loop {
        let number = lines.number() + 1;
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(None),
            Err(why) => return Err(ImportError::at(number, why)),
        };
        if let Some(record) = Record::parse(line, format).map_err(|why| ImportError::at(number, why))? {
            return Ok(Some((number, record)));
        }
    }
}

/// A name with its realm, if it can be one here.
fn parsed(name: &[u8]) -> Option<Principal> {
    Principal::parse(core::str::from_utf8(name).ok()?, None).ok()
}
