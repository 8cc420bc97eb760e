//! MIT's sample of a service that speaks GSS-API.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::ports;
use crate::server::Server;
use crate::tool::Finished;
use crate::workstation::Workstation;

/// The service that it is.
pub const SERVICE: &str = "host@server.example.com";

/// MIT's `gss-server`, until dropped.
pub struct GssServer {
    server: Server,
    address: SocketAddr,
}

impl GssServer {
    /// For `host/server.example.com`, with this keytab.
    #[must_use]
    pub fn start(desk: &Workstation, keytab: &Path) -> Self {
        let port = ports::free();
        let line = format!(
            "gss-server -port {port} -verbose -keytab {} {SERVICE}",
            keytab.display()
        );
        Self {
            server: Server::start(desk.mit(&line), port, &desk.path("gss-server.log")),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// MIT's `gss-client` says hello to it.
    #[must_use]
    pub fn client(&self, desk: &Workstation, options: &str) -> Finished {
        let port = self.address.port();
        desk.mit(&format!("gss-client -port {port} {options} 127.0.0.1 {SERVICE} hello"))
            .run()
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.log()
    }
}
