//! The daemon: serves a realm.

use std::process::ExitCode;

fn main() -> ExitCode {
    tessera_kdc::cli::run()
}
