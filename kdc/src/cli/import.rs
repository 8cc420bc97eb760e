//! Realms of other KDCs: what their imports have in common.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use tessera_common::Random;
use tessera_common::name::Realm;
use zeroize::Zeroizing;

use crate::clock;
use crate::config::Config;
use crate::migration::{Finding, ImportError, Importer, Summary};
use crate::random::ThreadRandom;
use crate::store::{Author, Construction, Notice};

/// The most octets of a file with a key or a password.
const MOST_SECRET_OCTETS: u64 = 1 << 20;

/// What is the same for every import.
#[derive(Debug, Args)]
pub(super) struct ImportOptions {
    /// Do everything but write: read it all, open every key, and say what would become of it
    #[arg(long)]
    dry_run: bool,
    /// Print the report as JSON, one object a line; the last has the summary
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct End<'e> {
    summary: &'e Summary,
    realm: &'e Realm,
    written: bool,
}

/// Makes a database of what `read` hands over out of a file, and prints the report. What it hands over is written when it is
/// done, or not at all.
pub(super) fn import(
    config: &Config,
    file: &Path,
    options: &ImportOptions,
    read: impl FnOnce(BufReader<File>, &mut Importer<'_>, &mut dyn Random) -> Result<(), ImportError>,
) -> Result<(), String> {
    let nothing = |why: &dyn core::fmt::Display| format!("{why}. Nothing was written");
    let location = config.location();
    let settings = config.settings();
    let construction = Construction::begin(&location).map_err(|why| nothing(&why))?;
    let input = File::open(file).map_err(|why| nothing(&format!("{} cannot be read: {why}", file.display())))?;

    let mut out = BufWriter::new(io::stdout().lock());
    // Whoever reads the report may have seen enough; that is no reason to leave the import half done.
    let mut say = |finding: &Finding| {
        let line = match options.json {
            true => serde_json::to_string(finding).unwrap_or_default(),
            false => finding.to_string(),
        };
        let _ = writeln!(out, "{line}");
    };
    let author = Author::unproved("kdc import", clock::now().time);
    let (mut sealing, mut making) = (ThreadRandom, ThreadRandom);
    let mut importer = Importer::new(construction, &settings, author, &mut sealing, &mut say);
    let done = read(BufReader::with_capacity(1 << 16, input), &mut importer, &mut making);
    let done = done.and_then(|()| importer.finish());
    let _ = out.flush();
    let (construction, summary) = done.map_err(|why| nothing(&in_file(file, &why)))?;

    if !options.dry_run {
        let report = Arc::new(|notice: Notice| eprintln!("note: {notice}"));
        construction.finish(&(report as _)).map_err(|why| why.to_string())?;
    }
    let written = !options.dry_run;
    if options.json {
        let end = End {
            summary: &summary,
            realm: &location.realm,
            written,
        };
        let _ = writeln!(out, "{}", serde_json::to_string(&end).unwrap_or_default());
    } else {
        let state = location.state.display();
        let _ = writeln!(out, "{summary}");
        let _ = match written {
            true => writeln!(out, "the realm {} is in {state}: kdc serves it", location.realm),
            false => writeln!(
                out,
                "nothing was written: without --dry-run, the realm {} would be in {state}",
                location.realm
            ),
        };
    }
    let _ = out.flush();
    Ok(())
}

fn in_file(file: &Path, why: &ImportError) -> String {
    let file = file.display();
    match why {
        ImportError::Line { line, why } => format!("{file}, line {line}: {why}"),
        ImportError::Refused(why) => format!("{file}: {why}"),
    }
}

/// A file with keys, whole.
pub(super) fn read_secret(path: &PathBuf) -> Result<Zeroizing<Vec<u8>>, String> {
    let file = File::open(path).map_err(|why| unreadable(path, &why))?;
    read_all(file).map_err(|why| unreadable(path, &why))
}

/// A password: the first line of a file, or of standard input where that is `-`.
pub(super) fn read_password(path: &PathBuf) -> Result<Zeroizing<Vec<u8>>, String> {
    let read = match path.as_os_str() == "-" {
        true => read_all(io::stdin().lock()),
        false => File::open(path).and_then(read_all),
    };
    let mut text = read.map_err(|why| unreadable(path, &why))?;
    let end = text.iter().position(|octet| matches!(octet, b'\n' | b'\r'));
    text.truncate(end.unwrap_or(usize::MAX));
    match text.is_empty() {
        true => Err(format!("there is no password in the first line of {}", path.display())),
        false => Ok(text),
    }
}

fn read_all(input: impl io::Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // As large as it will get, so that no copy is left behind where it grew.
    let mut octets = Zeroizing::new(Vec::with_capacity(64 << 10));
    input.take(MOST_SECRET_OCTETS).read_to_end(&mut octets)?;
    Ok(octets)
}

fn unreadable(path: &Path, why: &io::Error) -> String {
    format!("{} cannot be read: {why}", path.display())
}
