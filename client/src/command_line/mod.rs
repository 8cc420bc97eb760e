//! What may be typed at each program: one place for the program itself, its manual and its completions.

use clap::{Command, CommandFactory as _};

pub mod kdestroy;
pub mod kinit;
pub mod klist;
pub mod kpasswd;
pub mod kswitch;
pub mod kvno;

/// The command lines of all programs of this package, by name.
#[must_use]
pub fn commands() -> Vec<Command> {
    vec![
        kdestroy::Arguments::command(),
        kinit::Arguments::command(),
        klist::Arguments::command(),
        kpasswd::Arguments::command(),
        kswitch::Arguments::command(),
        kvno::Arguments::command(),
        crate::admin::command(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_line_is_consistent() {
        for command in commands() {
            command.debug_assert();
        }
    }
}
