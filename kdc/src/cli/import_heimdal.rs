//! A realm of Heimdal's.

use std::path::PathBuf;

use clap::Args;

use super::import::{ImportOptions, import, read_secret};
use crate::config::Config;
use crate::migration::heimdal::{self, MasterKeys};

/// What `kdc import-heimdal` takes.
#[derive(Debug, Args)]
pub struct ImportHeimdal {
    /// The dump: kadmin -l dump FILE
    dump: PathBuf,
    /// The file with the database's master key, such as /var/lib/heimdal-kdc/m-key. A dump that was written with
    /// --decrypt has only former keys that need it
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    #[command(flatten)]
    options: ImportOptions,
}

/// Makes a database of a dump.
pub(super) fn import_heimdal(config: &Config, asked: &ImportHeimdal) -> Result<(), String> {
    let read = |path: &PathBuf| {
        let file = read_secret(path)?;
        MasterKeys::parse(&file).map_err(|why| format!("{}: {why}", path.display()))
    };
    let masters = asked.master_key.as_ref().map(read).transpose()?;
    import(config, &asked.dump, &asked.options, |dump, importer, random| {
        heimdal::import(dump, masters.as_ref(), importer, random)
    })
}
