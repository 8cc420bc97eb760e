//! What the programs have in common.

use core::fmt;
use std::process::ExitCode;

/// Ends a program: 0, or 1 after `name: error` on the standard error.
pub fn finish<E: fmt::Display>(name: &str, outcome: Result<(), E>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(name, why);
            ExitCode::FAILURE
        }
    }
}

/// Writes `name: text` to the standard error.
pub fn complain(name: &str, text: impl fmt::Display) {
    eprintln!("{name}: {text}");
}
