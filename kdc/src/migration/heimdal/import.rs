//! An import as a whole: a first look at all lines, then one principal after the other.

use core::time::Duration;
use std::io::{BufRead, Seek, SeekFrom};

use tessera_common::Random;
use tessera_common::name::{Name, Realm};

use super::convert::{Converted, Converter};
use super::entry::Entry;
use super::key_sets::Opener;
use super::master_key::MasterKeys;
use crate::migration::importer::{ImportError, Importer};
use crate::migration::lines::{LineError, Lines};

/// Reads a dump twice, first to see whether all of it can be read, and hands everything in it over. Without master keys, a
/// dump whose current keys are open is needed.
///
/// # Errors
/// [`ImportError`]: for the first line that is not as it should be, for a key that does not open, and for a dump of another
/// realm.
pub fn import<R: BufRead + Seek>(
    mut dump: R,
    masters: Option<&MasterKeys>,
    importer: &mut Importer<'_>,
    random: &mut dyn Random,
) -> Result<(), ImportError> {
    let settings = importer.settings();
    let once = |why| ImportError::Refused(format!("it has to be a file that can be read twice: {why}"));
    let begin = dump.stream_position().map_err(once)?;
    let survey = Survey::of(&mut Lines::new(&mut dump), &settings.name)?;
    dump.seek(SeekFrom::Start(begin)).map_err(once)?;
    let converter = Converter {
        settings,
        now: importer.author().when,
        opener: Opener {
            realm: &settings.name,
            masters,
        },
        longest_life: survey.longest_life,
    };
    let mut lines = Lines::new(&mut dump);
    while let Some((line, entry)) = next_entry(&mut lines)? {
        match converter.convert(line, &entry, random)? {
            Converted::Principal(imported) => importer.principal(*imported)?,
            Converted::LeftOut(finding) => importer.tell(&finding),
        }
    }
    Ok(())
}

/// What has to be known before the first principal is converted.
struct Survey {
    longest_life: Option<Duration>,
}

impl Survey {
    /// Reads all lines.
    fn of(lines: &mut Lines<impl BufRead>, realm: &Realm) -> Result<Self, ImportError> {
        let krbtgt = Name::krbtgt(realm);
        let (mut is_of_realm, mut other) = (false, None);
        let mut longest = Some(0);
        while let Some((_, entry)) = next_entry(lines)? {
            let principal = entry.principal;
            if principal.realm != *realm {
                if principal.name.tgs_realm() == Some(principal.realm.as_str()) {
                    other = Some(principal.realm);
                }
            } else if principal.name == krbtgt {
                is_of_realm = true;
            } else {
                longest = longest.zip(entry.max_life).map(|(a, b)| a.max(b));
            }
        }
        if !is_of_realm {
            return Err(ImportError::Refused(match other {
                Some(other) => format!(
                    "the dump is of the realm {other}, and realm.toml describes {realm}: its [realm] name has to be the same"
                ),
                None => format!(
                    "there is no {krbtgt}@{realm} in the dump: it is of another realm than realm.toml describes, or not of the \
                     whole database (kadmin -l dump FILE)"
                ),
            }));
        }
        let longest = longest.filter(|seconds| *seconds > 0);
        Ok(Self {
            longest_life: longest.map(|seconds| Duration::from_secs(u64::from(seconds))),
        })
    }
}

fn next_entry(lines: &mut Lines<impl BufRead>) -> Result<Option<(u64, Entry)>, ImportError> {
    let line = lines.number() + 1;
    let read = match lines.next_line() {
        Ok(None) if line == 1 => return Err(ImportError::Refused("the file is empty".into())),
        Ok(None) => return Ok(None),
        Ok(Some(text)) if is_mit(text) => {
            let why = "this is a dump of MIT's database; `kdc import-mit` reads it";
            return Err(ImportError::at(line, why));
        }
        Ok(Some(text)) => Entry::parse(text),
        // A database's own file, or something else that is no text.
        Err(LineError::Nul | LineError::TooLong) if line == 1 => {
            let why = "this is no dump of Heimdal's database: write one with kadmin -l dump FILE";
            return Err(ImportError::at(line, why));
        }
        Err(why) => return Err(ImportError::at(line, why)),
    };
    read.map(|entry| Some((line, entry)))
        .map_err(|why| ImportError::at(line, why))
}

/// Whether a line is the first of what MIT's kdb5_util writes, or Heimdal's kadmin in MIT's format.
fn is_mit(line: &[u8]) -> bool {
    [&b"kdb5_util load_dump version "[..], b"ipropx "]
        .iter()
        .any(|begin| line.starts_with(begin))
}
