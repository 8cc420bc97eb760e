//! An import as a whole: what has to be known first, then the policies, then one principal after the other.

use std::io::{BufRead, Seek, SeekFrom};

use tessera_common::Random;
use tessera_common::name::Realm;
use zeroize::Zeroizing;

use super::convert::{Converted, Converter};
use super::format::Record;
use super::history::HistoryKeys;
use super::master_keys::MasterKeys;
use super::policies;
use super::principal_line::PrincipalLine;
use super::stash::{Candidate, Stash, master_principal};
use super::survey::{Survey, header, next_record, survey};
use crate::migration::finding::{Finding, Item, Whose};
use crate::migration::importer::{ImportError, Importer};
use crate::migration::lines::Lines;
use crate::realm::policy::DEFAULT_POLICY;

/// What opens the keys of a dump.
#[derive(Debug)]
pub enum Source {
    /// A stash file, as it is.
    Stash(Zeroizing<Vec<u8>>),
    /// The password that the master key was made of.
    Password(Zeroizing<Vec<u8>>),
}

/// Reads a dump twice, first to see whether all of it can be read, and hands everything in it over.
///
/// # Errors
/// [`ImportError`]: for the first line that is not as it should be, for a master key that does not open it, and for a dump of
/// another realm.
pub fn import<R: BufRead + Seek>(
    mut dump: R,
    source: &Source,
    importer: &mut Importer<'_>,
    random: &mut dyn Random,
) -> Result<(), ImportError> {
    let settings = importer.settings();
    let begin = dump.stream_position();
    let begin =
        begin.map_err(|why| ImportError::Refused(format!("it has to be a file that can be read twice: {why}")))?;
    let Survey {
        format,
        master: (master_line, master),
        history,
        policies: policy_lines,
        mut aliases,
    } = survey(&mut Lines::new(&mut dump), &settings.name)?;
    let masters = open_masters(&master, source, &settings.name)?;
    let history = match history {
        Some((line, princ)) => HistoryKeys::open(&princ, &masters).map_err(|why| ImportError::at(line, why))?,
        None => HistoryKeys::default(),
    };
    let (mapped, policies) = policies::map(policy_lines, settings)?;

    let database = || Whose::Database(());
    if !format.has_administration_data() {
        let why = "a dump of this version does not have them";
        let what = "who goes by which policy, and former passwords";
        let finding = Finding::left_out(1, database(), Item::Database, what, why);
        importer.tell(&finding.advising("write the dump without -b7: kdb5_util dump FILE"));
    }
    if format.is_for_replicas() {
        let why = "a dump for replicas does not have them";
        let finding = Finding::left_out(1, database(), Item::Lockout, "who is shut out by wrong passwords", why);
        importer.tell(&finding.advising("write another one: kdb5_util dump FILE"));
    }
    let why = "this realm does not keep them";
    let finding = Finding::left_out(master_line, database(), Item::Database, "the times of last logins", why);
    importer.tell(&finding.advising("nothing is to be done"));
    if settings.access.policy(DEFAULT_POLICY).is_some() {
        let why = "realm.toml has a policy of that name, which is for everybody who has none of his own";
        let what = "the policy default: whoever had none goes by it";
        let finding = Finding::changed(None, database(), Item::Policy, what, why);
        importer.tell(&finding.advising("if that is not wanted, call it otherwise: [policies.default]"));
    }

    for policies::Mapped {
        line,
        shown,
        policy,
        findings,
    } in mapped
    {
        importer.policy(line, &shown, policy, &findings)?;
    }
    dump.seek(SeekFrom::Start(begin))
        .map_err(|why| ImportError::Refused(format!("it has to be a file that can be read twice: {why}")))?;
    let mut lines = Lines::new(&mut dump);
    // The same as before, unless somebody writes into the file.
    header(&mut lines)?;
    let converter = Converter {
        masters: &masters,
        history: &history,
        policies: &policies,
        settings,
        now: importer.author().when,
    };
    while let Some((line, record)) = next_record(&mut lines, format)? {
        let Record::Principal(princ) = record else {
            continue;
        };
        let converted = converter.convert(line, &princ, &mut aliases, random);
        match converted.map_err(|why| ImportError::at(line, with_name(&princ, &why)))? {
            Converted::Principal(imported) => importer.principal(*imported)?,
            Converted::LeftOut(finding) => importer.tell(&finding),
            Converted::Alias => {}
        }
    }
    for (line, alias, target) in aliases.left() {
        let whose = Whose::Principal(alias.to_string());
        let why = "there is no such principal";
        let finding = Finding::left_out(line, whose, Item::Alias, format!("the alias of {target}"), why);
        importer.tell(&finding.advising("nothing is to be done: it led nowhere"));
    }
    Ok(())
}

fn with_name(princ: &PrincipalLine, why: &str) -> String {
    format!("{}: {why}", princ.name.escape_ascii())
}

fn open_masters(master: &PrincipalLine, source: &Source, realm: &Realm) -> Result<MasterKeys, ImportError> {
    let refused = |why: &dyn core::fmt::Display| ImportError::Refused(why.to_string());
    let wanted = master_principal(realm).ok_or_else(|| refused(&"the realm's name cannot be in a principal's"))?;
    let candidates = match source {
        Source::Stash(file) => {
            let stash = Stash::parse(file, &wanted);
            stash.map_err(|why| refused(&format!("the stash file: {why}")))?.keys
        }
        Source::Password(password) => {
            let mut etypes: Vec<_> = master.keys.iter().map(|key| key.etype).collect();
            etypes.sort_unstable();
            etypes.dedup();
            let made = etypes
                .iter()
                .filter_map(|etype| Candidate::of_password(password, *etype, &wanted));
            made.collect()
        }
    };
    MasterKeys::open(master, &candidates).map_err(|why| refused(&why))
}
