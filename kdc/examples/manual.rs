//! Writes the manual and the completions of every program, made of what the programs themselves say of their command lines:
//!
//! ```console
//! $ cargo run -p tessera-kdc --example manual -- DIRECTORY
//! ```
//!
//! There are `man1/` and `man8/` in the directory then, with a page for each program and each of its commands, and `bash/`,
//! `zsh/` and `fish/`, with a file for each program under the name that the shell looks for.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

/// Programs for whoever runs the machine, and for everybody.
const SECTIONS: [&str; 2] = ["8", "1"];

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: manual DIRECTORY");
        return ExitCode::from(2);
    };
    match write_all(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("manual: {}: {why}", directory.display());
            ExitCode::FAILURE
        }
    }
}

fn write_all(directory: &Path) -> io::Result<()> {
    let [for_operators, for_all] = SECTIONS;
    write(directory, tessera_kdc::cli::Cli::command(), for_operators)?;
    for command in tessera_client::command_line::commands() {
        write(directory, command, for_all)?;
    }
    Ok(())
}

fn write(directory: &Path, mut command: Command, section: &str) -> io::Result<()> {
    let name = command.get_name().to_owned();
    for (shell, place) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
        let place = directory.join(place);
        fs::create_dir_all(&place)?;
        generate_to(shell, &mut command, &name, place)?;
    }
    command.build();
    let pages = directory.join(format!("man{section}"));
    fs::create_dir_all(&pages)?;
    write_pages(&pages, &command, section)
}

// A page for the command, and one for each of its own.
fn write_pages(pages: &Path, command: &Command, section: &str) -> io::Result<()> {
    for own in command.get_subcommands().filter(|own| own.get_name() != "help") {
        write_pages(pages, own, section)?;
    }
    let name = command.get_display_name().unwrap_or(command.get_name());
    let mut page = BufWriter::new(File::create(pages.join(format!("{name}.{section}")))?);
    Man::new(command.clone())
        .section(section)
        .source(concat!("Tessera ", env!("CARGO_PKG_VERSION")))
        .manual("Tessera")
        .render(&mut page)?;
    page.flush()
}
