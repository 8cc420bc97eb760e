//! A new master key: by the daemon if one serves the realm, otherwise here.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use tessera_common::admin::{self, FrameError, Hello, PROTOCOL, Request, Response, Welcome, read_frame, write_frame};

use crate::store::{self, Location, Notice, OpenError, RolloverError};

/// Changes the master key, and says what came of it.
pub(super) fn rotate(location: &Location) -> Result<(), String> {
    let socket = location.state.join(admin::SOCKET);
    let notes = match UnixStream::connect(&socket) {
        Ok(stream) => ask(stream).map_err(|why| format!("the daemon behind {}: {why}", socket.display()))?,
        // Of no daemon, or of one that is no more. Whether it is only not to be reached, the lock tells.
        Err(_) => here(location, &socket)?,
    };
    for note in notes {
        println!("{note}");
    }
    Ok(())
}

fn here(location: &Location, socket: &Path) -> Result<Vec<String>, String> {
    let report = Arc::new(|notice: Notice| match notice {
        // It is said at the end.
        Notice::MasterKeyChanged(_) => {}
        notice => eprintln!("note: {notice}"),
    });
    let changed = store::change_master_key(location, report, &mut show);
    match changed {
        Ok(rollover) => Ok(rollover.sentences()),
        Err(RolloverError::Open(error @ OpenError::InUse { .. })) => Err(format!(
            "{error}; it does not answer at {}: ask again when it is ready",
            socket.display()
        )),
        Err(error) => Err(error.to_string()),
    }
}

fn ask(mut stream: UnixStream) -> Result<Vec<String>, String> {
    let said = |error: FrameError| error.to_string();
    let hello = Hello {
        protocol: PROTOCOL,
        program: concat!("kdc ", env!("CARGO_PKG_VERSION")).into(),
    };
    write_frame(&mut stream, &hello).map_err(said)?;
    let welcome: Option<serde_json::Value> = read_frame(&mut stream).map_err(said)?;
    let welcome = welcome.ok_or("it hung up at once")?;
    if serde_json::from_value::<Welcome>(welcome.clone()).is_err() {
        return match serde_json::from_value(welcome) {
            Ok(Response::Refused { message, .. }) => Err(message),
            _ => Err("it does not speak the administration protocol".into()),
        };
    }
    write_frame(&mut stream, &Request::RotateMasterKey).map_err(said)?;
    loop {
        match read_frame(&mut stream).map_err(said)? {
            Some(Response::Progress { done, total }) => show(done, total),
            Some(Response::MasterKey { notes }) => return Ok(notes),
            Some(Response::Refused { message, .. }) => return Err(message),
            Some(_) => return Err("it gives another answer than to what was asked".into()),
            None => {
                return Err(
                    "it ended before it was done; every key is as good as before, and it goes on when it is started anew"
                        .into(),
                );
            }
        }
    }
}

fn show(done: usize, total: usize) {
    let mut out = io::stderr().lock();
    let end = if out.is_terminal() && done < total { '\r' } else { '\n' };
    // Progress that nobody sees is no reason to end.
    let _ = write!(out, "{done} of {total} principals sealed anew{end}");
}
