//! End to end: the realm's binaries against programs that were not written here, and against packets that no honest
//! program sends.
//!
//! Nothing in this crate knows the product's code. A test starts a [`Realm`] (our `kdc` in a directory of its own, on ports
//! of its own), takes a [`Workstation`] there, and runs MIT's tools and ours as a person would type them:
//!
//! ```no_run
//! use tessera_tests::Realm;
//!
//! let realm = Realm::start();
//! realm.add("alice", "wonderland");
//! let desk = realm.workstation();
//! desk.mit("kinit alice").stdin("wonderland\n").run().ok();
//! assert!(desk.mit("klist").run().ok().contains("alice@EXAMPLE.COM"));
//! ```
//!
//! [`MitRealm`] is MIT's own KDC, run the same way, to try our clients on it and to see what the original does, and
//! [`HeimdalRealm`] is Heimdal's. [`Relay`]
//! stands between a client and a KDC, records what passes and can change it. [`Clock`] sets the time that the programs
//! see. [`Apache`], [`Sshd`] and [`GssServer`] are services that others wrote, [`Whoami`] is one of ours, [`Chromium`] is a
//! browser. [`Terminal`] types at a program that believes it has a person before it. [`wire`] makes packets by hand.

/// The enctypes of a realm that is left alone, best first.
pub const ENCTYPES: [&str; 4] = [
    "aes256-cts-hmac-sha1-96",
    "aes256-cts-hmac-sha384-192",
    "aes128-cts-hmac-sha1-96",
    "aes128-cts-hmac-sha256-128",
];

pub mod http;
pub mod ports;
pub mod wire;

mod apache;
mod chromium;
mod clock;
mod exposition;
mod gss_sample;
mod heimdal_realm;
mod listing;
mod mit_realm;
mod prometheus;
mod realm;
mod relay;
mod sandbox;
mod server;
mod sshd;
mod terminal;
mod tool;
mod until;
mod whoami;
mod workstation;

pub use apache::Apache;
pub use chromium::Chromium;
pub use clock::Clock;
pub use exposition::{Exposition, Family};
pub use gss_sample::GssServer;
pub use heimdal_realm::HeimdalRealm;
pub use listing::Listed;
pub use mit_realm::MitRealm;
pub use prometheus::{Prometheus, promtool};
pub use realm::{Realm, RealmBuilder};
pub use relay::{Exchange, Protocol, Relay};
pub use sandbox::{Outcome, Sandbox};
pub use sshd::Sshd;
pub use terminal::Terminal;
pub use tool::{Finished, Tool, binary, example, installed};
pub use until::{until, until_found};
pub use whoami::{Certificate, Whoami};
pub use workstation::{Side, Workstation};
