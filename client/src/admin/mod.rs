//! `principal`: administration of a realm, over its daemon's socket or from afar.

mod access;
mod account;
mod apply;
mod cli;
mod cli_access;
mod cli_account;
mod columns;
mod command;
mod connection;
mod declaration;
mod error;
mod import;
mod json_array;
mod keytab;
mod password;
mod progress;
mod render;
mod render_access;
mod render_account;
mod render_policy;
mod server;
mod socket;
mod ticket;

use core::fmt::Display;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;

use crate::program;
use clap::CommandFactory as _;
use cli::{Cli, Command};
use command::{Administrator, Outcome};
use connection::Connection;
pub use error::AdminError;
use render::Look;
use tessera_common::admin::{Dialogue, config_file};
use ticket::Ticket;

/// The command line.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Does what the command line asks for: 0 when it is done, 1 when it was refused or failed, 2 when it makes no sense.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::read(std::env::args_os()).unwrap_or_else(|why| why.exit());
    let outcome = match &cli.server {
        Some(server) => Ticket::obtain(cli.cache.as_deref(), cli.principal.as_deref())
            .and_then(|ticket| Connection::to_server(server, &ticket))
            .and_then(|daemon| run(daemon, cli.command)),
        None => {
            Connection::to_daemon_of(&config_file(cli.config, Path::exists)).and_then(|daemon| run(daemon, cli.command))
        }
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeRefused) => ExitCode::FAILURE,
        // Whoever reads has seen enough.
        Err(AdminError::Output(why)) if why.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(why) => {
            complain(why);
            ExitCode::FAILURE
        }
    }
}

fn run<S: Dialogue>(daemon: Connection<S>, command: Command) -> Result<Outcome, AdminError> {
    let out = io::BufWriter::new(io::stdout());
    Administrator::new(daemon, out, look()).run(command)
}

fn complain(text: impl Display) {
    program::complain("principal", render::printable(&text.to_string()));
}

// https://no-color.org
fn look() -> Look {
    if !io::stdout().is_terminal() {
        return Look::Plain;
    }
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    Look::Terminal { colour: !unwanted }
}
