//! Our example `whoami`: a web service that tells its callers who they are.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::ports;
use crate::server::Server;
use crate::workstation::Workstation;

/// One that runs until dropped.
pub struct Whoami {
    server: Server,
    port: u16,
    scheme: &'static str,
}

/// A certificate for `localhost` that signs itself, and its key.
pub struct Certificate {
    /// In PEM.
    pub certificate: PathBuf,
    /// In PEM.
    pub key: PathBuf,
}

impl Certificate {
    /// OpenSSL makes one, signed with this hash (`sha256`, `sha384`).
    #[must_use]
    pub fn new(desk: &Workstation, hash: &str) -> Self {
        let (certificate, key) = (desk.path("certificate.pem"), desk.path("key.pem"));
        // Of nobody's configuration: Debian's would make it a CA's, which rustls does not take for a server's.
        let line = "openssl req -x509 -config /dev/null -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                    -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";
        desk.installed(line)
            .arg(format!("-{hash}"))
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .run()
            .ok();
        Self { certificate, key }
    }
}

impl Whoami {
    /// With this keytab; `options` are its own.
    #[must_use]
    pub fn start(desk: &Workstation, keytab: &Path, options: &str) -> Self {
        Self::launch(desk, keytab, options, None)
    }

    /// Over TLS.
    #[must_use]
    pub fn start_with_tls(desk: &Workstation, keytab: &Path, certificate: &Certificate, options: &str) -> Self {
        Self::launch(desk, keytab, options, Some(certificate))
    }

    fn launch(desk: &Workstation, keytab: &Path, options: &str, certificate: Option<&Certificate>) -> Self {
        let port = ports::free();
        let mut tool = desk
            .example(&format!("whoami --listen 127.0.0.1:{port} {options} --keytab"))
            .arg(keytab);
        if let Some(Certificate { certificate, key }) = certificate {
            tool = tool.arg("--tls-certificate").arg(certificate).arg("--tls-key").arg(key);
        }
        let scheme = if certificate.is_some() { "https" } else { "http" };
        Self {
            server: Server::start(tool, port, &desk.path(&format!("whoami-{port}.log"))),
            port,
            scheme,
        }
    }

    /// Its page.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://localhost:{}/", self.scheme, self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What curl is told there, as JSON; it must be let in. `options` are curl's.
    #[must_use]
    #[track_caller]
    pub fn tells(&self, desk: &Workstation, options: &str) -> Value {
        let said = desk
            .installed(&format!("curl -sS --fail --negotiate -u : {options}"))
            .arg(self.url())
            .run()
            .ok();
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
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
