//! Libraries that others wrote, driven by Python: its own package `gssapi`, and MIT's and Heimdal's by ctypes.

use std::path::Path;

use serde_json::{Value, json};
use tessera_tests::{Finished, GssServer, Tool, Workstation};

mod bindings;
mod contexts;
mod messages;

/// Whose library.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Library {
    /// The package `gssapi`, which has MIT's behind it.
    Package,
    /// MIT's as it is.
    Mit,
    /// Heimdal's as it is.
    Heimdal,
}

/// All that an initiator can ask for besides delegation.
const USUAL: [&str; 5] = ["mutual", "replay", "sequence", "conf", "integ"];

impl Library {
    /// The script that plays either side.
    fn script(self, desk: &Workstation, what: Value, more: Value) -> Tool {
        let script = "gss/python/peer.py";
        let (tool, library) = match self {
            Self::Package => (desk.python(script), None),
            Self::Mit => (desk.python(script), Some("libgssapi_krb5.so.2")),
            Self::Heimdal => (desk.python_with_heimdal(script), Some("libgssapi.so.3")),
        };
        let mut all = json!({"service": "host@server.example.com", "library": library});
        for part in [what, more] {
            let Value::Object(part) = part else {
                panic!("not an object: {part}")
            };
            all.as_object_mut().unwrap().extend(part);
        }
        tool.arg(all.to_string())
    }

    /// It as initiator; `what` is more than the usual, or instead of it.
    fn initiate(self, desk: &Workstation, server: &GssServer, what: Value) -> Finished {
        let usual = json!({"role": "initiate", "port": server.port(), "flags": USUAL, "steps": []});
        self.script(desk, usual, what).run()
    }

    /// It as acceptor at a desk without a keytab as yet; `what` is more than the usual.
    fn accept(self, desk: &Workstation, keytab: &Path, what: Value) -> GssServer {
        std::fs::copy(keytab, desk.keytab()).unwrap();
        GssServer::listening(desk, |port| {
            let usual = json!({"role": "accept", "port": port, "keytab": keytab, "delegated": desk.cache()});
            self.script(desk, usual, what)
        })
    }
}

/// What an initiator reported.
#[track_caller]
fn report(finished: Finished) -> Value {
    let said = finished.ok();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// What an acceptor reported of its newest context.
#[track_caller]
fn newest_context(server: &GssServer) -> Value {
    let log = server.wait_for_log("initiator");
    let newest = log.lines().rfind(|line| line.contains("initiator")).unwrap();
    serde_json::from_str(newest).unwrap()
}
