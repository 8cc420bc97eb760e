//! What is done to a database without serving it.

use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;
use std::path::Path;

use crate::store::{self, About, Author, Extract, Keys, Location, Verified};

/// Reads all of it, and says what is wrong.
pub(super) fn verify(location: &Location) -> Result<(), String> {
    let Verified {
        principals,
        access,
        keys,
        masters,
        sequence,
        problems,
        remarks,
    } = store::verify(location).map_err(|error| error.to_string())?;
    for remark in remarks {
        eprintln!("note: {remark}");
    }
    for problem in &problems {
        eprintln!("error: {problem}");
    }
    let what = format!(
        "{principals} principals{}, {keys} keys, up to change {sequence}",
        with_access(access)
    );
    for (master, keys) in masters {
        println!("master key {master} seals {keys} keys");
    }
    match problems.len() {
        0 => {
            println!("{} is whole: {what}", location.realm);
            Ok(())
        }
        1 => Err(format!("{} has a problem; {what} could be read", location.realm)),
        count => Err(format!("{} has {count} problems; {what} could be read", location.realm)),
    }
}

/// Writes it to a text file.
pub(super) fn dump(location: &Location, until: Option<u64>, file: &Path) -> Result<(), String> {
    let extract = store::dump(location, until, file).map_err(|error| error.to_string())?;
    for notice in &extract.notices {
        eprintln!("note: {notice}");
    }
    println!("{} of {} in {}", described(&extract), location.realm, file.display());
    Ok(())
}

/// Lists what was changed, the oldest change first.
pub(super) fn log(location: &Location) -> Result<(), String> {
    let mut out = BufWriter::new(io::stdout().lock());
    let read = store::history(location, |event| {
        let name = match event.about {
            About::Principal(Some(name)) => name.to_string(),
            About::Principal(None) => "(unknown)".to_owned(),
            About::Access(key) => key.to_string(),
        };
        let what = event.what.word();
        let Author {
            who,
            from,
            factors,
            when,
        } = event.author;
        // The daemon itself, or a journal from before this was kept.
        let [from, factors] = [from, factors].map(|known| known.unwrap_or_else(|| "-".to_owned()));
        match writeln!(
            out,
            "{}\t{when}\t{who}\t{what}\t{name}\t{from}\t{factors}",
            event.sequence
        ) {
            Ok(()) => ControlFlow::Continue(()),
            // Whoever reads it has seen enough.
            Err(_) => ControlFlow::Break(()),
        }
    });
    read.map_err(|error| error.to_string())?;
    let _ = out.flush();
    Ok(())
}

/// Makes it of a text file.
pub(super) fn load(location: &Location, file: &Path, keys: Keys) -> Result<(), String> {
    let extract = store::load(location, file, keys).map_err(|error| error.to_string())?;
    for notice in &extract.notices {
        eprintln!("note: {notice}");
    }
    let without = match keys {
        Keys::Taken => "",
        Keys::LeftOut => " without their keys",
    };
    println!(
        "{} of {}{without} in {}",
        described(&extract),
        location.realm,
        location.state.display()
    );
    Ok(())
}

/// Makes its index anew.
pub(super) fn rebuild(location: &Location) -> Result<(), String> {
    let principals = store::rebuild_index(location).map_err(|error| error.to_string())?;
    println!(
        "the index of {} is made anew, with {principals} principals",
        location.realm
    );
    Ok(())
}

fn described(extract: &Extract) -> String {
    let access = with_access(extract.access);
    format!(
        "{} principals{access}, up to change {},",
        extract.principals, extract.sequence
    )
}

/// Roles and rules, if there are any, after the principals.
fn with_access(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " and 1 role or rule".to_owned(),
        many => format!(" and {many} roles and rules"),
    }
}
