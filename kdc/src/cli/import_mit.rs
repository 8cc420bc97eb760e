//! A realm of MIT's.

use std::path::PathBuf;

use clap::Args;

use super::import::{ImportOptions, import, read_password, read_secret};
use crate::config::Config;
use crate::migration::mit::{self, Source};
use crate::realm::glob::Glob;

/// What `kdc import-mit` takes.
#[derive(Debug, Args)]
pub struct ImportMit {
    /// The dump: kdb5_util dump FILE
    dump: PathBuf,
    #[command(flatten)]
    master: Master,
    /// Principals with random keys, such as 'host/*': the dump does not tell them from passwords. May be given more than once
    #[arg(long, value_name = "GLOB")]
    random_keys: Vec<String>,
    #[command(flatten)]
    options: ImportOptions,
}

/// What opens the keys in the dump.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Master {
    /// The stash file with the database's master key, such as /etc/krb5kdc/stash
    #[arg(long, value_name = "FILE")]
    stash: Option<PathBuf>,
    /// A file with the password of the database's master key in its first line; -, standard input
    #[arg(long, value_name = "FILE")]
    master_password_file: Option<PathBuf>,
}

/// Makes a database of a dump.
pub(super) fn import_mit(config: &Config, asked: &ImportMit) -> Result<(), String> {
    let Master {
        stash,
        master_password_file,
    } = &asked.master;
    let source = match (stash, master_password_file) {
        (Some(path), _) => Source::Stash(read_secret(path)?),
        (None, Some(path)) => Source::Password(read_password(path)?),
        (None, None) => return Err("either --stash or --master-password-file is needed".into()),
    };
    let read =
        |pattern: &String| Glob::new(pattern).map_err(|why| format!("{pattern:?} is no pattern of names: {why}"));
    let random_keys: Vec<Glob> = asked.random_keys.iter().map(read).collect::<Result<_, _>>()?;
    import(config, &asked.dump, &asked.options, |dump, importer, random| {
        importer.know_random_keys(random_keys);
        mit::import(dump, &source, importer, random)
    })
}
