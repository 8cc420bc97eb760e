//! Services that speak GSS-API as MIT's sample does: MIT's own, our example, and a script of the test's.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::ports;
use crate::server::Server;
use crate::tool::{Finished, Tool};
use crate::workstation::Workstation;

/// The service that each of them is, as GSS-API names it.
const SERVICE: &str = "host@server.example.com";

/// One that runs until dropped.
pub struct GssServer {
    server: Server,
    address: SocketAddr,
}

impl GssServer {
    /// MIT's `gss-server`, for `host/server.example.com` with this keytab.
    #[must_use]
    pub fn start(desk: &Workstation, keytab: &Path) -> Self {
        Self::listening(desk, |port| {
            let keytab = keytab.display();
            desk.mit(&format!("gss-server -port {port} -verbose -keytab {keytab} {SERVICE}"))
        })
    }

    /// Our example `gss_server`, for `host/server.example.com` with this keytab; `options` are its own.
    #[must_use]
    pub fn ours(desk: &Workstation, keytab: &Path, options: &str) -> Self {
        Self::listening(desk, |port| {
            let line = format!("gss_server --listen 127.0.0.1:{port} {options} --principal");
            desk.example(&line)
                .arg("host/server.example.com@EXAMPLE.COM")
                .arg("--keytab")
                .arg(keytab)
        })
    }

    /// Any other: `tool` gives the command that listens on a port.
    #[must_use]
    pub fn listening(desk: &Workstation, tool: impl FnOnce(u16) -> Tool) -> Self {
        let port = ports::free();
        Self {
            server: Server::start(tool(port), port, &desk.path("gss-server.log")),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// MIT's `gss-client` says hello to it.
    #[must_use]
    pub fn client(&self, desk: &Workstation, options: &str) -> Finished {
        let port = self.port();
        desk.mit(&format!("gss-client -port {port} {options} 127.0.0.1 {SERVICE} hello"))
            .run()
    }

    /// Our example `gss_client` says hello to it.
    #[must_use]
    pub fn our_client(&self, desk: &Workstation, options: &str) -> Finished {
        let address = self.address;
        desk.example(&format!("gss_client {options} {address} {SERVICE} hello"))
            .run()
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// Waits until it has said this. Gives all that it has said since it started.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) -> String {
        self.server.wait_for_log(text)
    }
}
