//! The command line of `kdc`.

mod database;
mod import;
mod import_heimdal;
mod import_mit;
mod master_key;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nix::sys::stat::{Mode, umask};
use tessera_common::admin::config_file;

use crate::config::Config;
use crate::serve;
use crate::store::Keys;

/// Serves a Kerberos realm.
///
/// Without a command, kdc serves the realm that realm.toml describes. An empty state directory becomes a new realm; what
/// to type next is printed.
#[derive(Debug, Parser)]
#[command(name = "kdc", version, after_help = EXIT_STATUS)]
pub struct Cli {
    /// The realm's configuration [default: realm.toml, or where there is none /etc/tessera/realm.toml]
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_STATUS: &str = "Exit status: 0 done, 1 refused or failed, 2 wrong usage.";

/// What to do instead of serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read the configuration and say what is wrong with it
    Check,
    /// Read the whole database, open every key, and say what is wrong and where
    Verify,
    /// Write the database to a text file; keys stay sealed under the master key
    Dump {
        /// Leave out what was changed after this change
        #[arg(long, value_name = "CHANGE")]
        until: Option<u64>,
        /// The file; one that is there is replaced
        file: PathBuf,
    },
    /// List the changes that the journal still has: number, time, who made it, what, whose, and from
    /// where and by what proof it was made. For dump --until
    Log,
    /// Make a database of a dump, in a state directory that has only its master.key
    Load {
        /// Leave out all keys, since the master key is lost: everybody needs a new password, and every service a new keytab.
        /// Makes a master.key, where there is none
        #[arg(long)]
        without_keys: bool,
        /// The dump
        file: PathBuf,
    },
    /// Make a database of a dump of MIT's (kdb5_util dump), with every key, and say what became of what;
    /// in a state directory that has no database
    ImportMit(import_mit::ImportMit),
    /// Make a database of a dump of Heimdal's (kadmin -l dump), with every key, and say what became of
    /// what; in a state directory that has no database
    ImportHeimdal(import_heimdal::ImportHeimdal),
    /// Make a new master key and seal every key anew under it; kdc may be serving. Begun before, it goes on
    RotateMasterKey,
    /// Make the database's index anew from its journal and snapshots; kdc must not be serving
    Rebuild,
}

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    // Nothing that is made is anybody else's to read, unless said otherwise.
    umask(Mode::from_bits_truncate(0o077));
    let config = match Config::load(&config_file(cli.config, Path::exists)) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let done = match cli.command {
        None => serve::run(config),
        Some(Command::Check) => {
            check(&config);
            Ok(())
        }
        Some(Command::Verify) => database::verify(&config.location()),
        Some(Command::Dump { until, file }) => database::dump(&config.location(), until, &file),
        Some(Command::Log) => database::log(&config.location()),
        Some(Command::Load { without_keys, file }) => {
            let keys = if without_keys { Keys::LeftOut } else { Keys::Taken };
            database::load(&config.location(), &file, keys)
        }
        Some(Command::ImportMit(asked)) => import_mit::import_mit(&config, &asked),
        Some(Command::ImportHeimdal(asked)) => import_heimdal::import_heimdal(&config, &asked),
        Some(Command::RotateMasterKey) => master_key::rotate(&config.location()),
        Some(Command::Rebuild) => database::rebuild(&config.location()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kdc: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(config: &Config) {
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    println!(
        "{} is right: it describes the realm {}",
        config.file.display(),
        config.realm.name
    );
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_configuration_may_be_named_before_or_behind_the_command() {
        for line in [["kdc", "--config", "r.toml", "check"], ["kdc", "check", "-c", "r.toml"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.config, Some(PathBuf::from("r.toml")));
            assert!(matches!(cli.command, Some(Command::Check)));
        }
        assert_eq!(Cli::try_parse_from(["kdc"]).unwrap().config, None);
    }

    #[test]
    fn what_is_not_known_is_wrong_usage() {
        for line in [
            &["kdc", "serve"][..],
            &["kdc", "--colour"],
            &["kdc", "check", "extra"],
            &["kdc", "dump"],
            &["kdc", "dump", "--until", "x", "f"],
            &["kdc", "load"],
            &["kdc", "import-heimdal"],
            &["kdc", "import-heimdal", "dump", "--stash", "f"],
            &["kdc", "import-mit", "dump"],
            &["kdc", "import-mit", "--stash", "f"],
            &[
                "kdc",
                "import-mit",
                "dump",
                "--stash",
                "f",
                "--master-password-file",
                "g",
            ],
        ] {
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
        assert_eq!(Cli::try_parse_from(["kdc", "--help"]).unwrap_err().exit_code(), 0);
    }
}
