//! Heimdal's own KDC and its database, in a directory of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tempfile::TempDir;

use crate::mit_realm::krb5_conf;
use crate::ports;
use crate::server::Server;
use crate::tool::{Tool, heimdal};
use crate::workstation::Workstation;

/// `EXAMPLE.COM` as Heimdal keeps it. What was started is stopped, and the directory removed, when dropped.
pub struct HeimdalRealm {
    server: Option<Server>,
    kerberos: SocketAddr,
    directory: TempDir,
}

impl HeimdalRealm {
    /// A realm whose keys are sealed under a random master key of this enctype; what else its configuration says, as sections.
    #[must_use]
    pub fn new(master_enctype: &str, sections: &str) -> Self {
        let realm = Self {
            server: None,
            kerberos: SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free())),
            directory: TempDir::with_prefix("heimdal-").unwrap(),
        };
        let text = krb5_conf("EXAMPLE.COM", realm.kerberos, realm.kerberos);
        let keep = |name: &str| realm.path(name).display().to_string();
        let database = format!(
            "[kdc]\n database = {{\n  dbname = {}\n  realm = EXAMPLE.COM\n  mkey_file = {}\n  acl_file = {}\n  log_file = {}\n }}",
            keep("database"),
            realm.master_key().display(),
            keep("acl"),
            keep("log"),
        );
        let logging = format!("[logging]\n default = FILE:{}", keep("kdc.log"));
        std::fs::write(
            realm.path("krb5.conf"),
            format!("{text}\n{database}\n{logging}\n{sections}\n"),
        )
        .unwrap();
        realm
            .tool(&format!("kstash --random-key --enctype={master_enctype}"))
            .arg(format!("--key-file={}", realm.master_key().display()))
            .run()
            .ok();
        realm
            .kadmin("init --realm-max-ticket-life=unlimited --realm-max-renewable-life=unlimited EXAMPLE.COM")
            .run()
            .ok();
        realm
    }

    /// `kadmin` on the database itself; arguments follow.
    #[must_use]
    pub fn kadmin(&self, command: &str) -> Tool {
        self.tool(&format!("kadmin -l -r EXAMPLE.COM {command}"))
    }

    /// Adds a principal with a password.
    pub fn add(&self, name: &str, password: &str) {
        let add = self.kadmin("add --use-defaults").arg(format!("--password={password}"));
        add.arg(name).run().ok();
    }

    /// Adds a service with random keys, and gives the keytab that holds them.
    #[must_use]
    pub fn add_service(&self, name: &str) -> PathBuf {
        self.kadmin("add --use-defaults --random-key").arg(name).run().ok();
        let path = self.path(&format!("{}.keytab", name.replace('/', "-")));
        let extract = self.kadmin("ext_keytab").arg(format!("--keytab={}", path.display()));
        extract.arg(name).run().ok();
        path
    }

    /// The whole database as text; `how` is what `dump` is told.
    #[must_use]
    pub fn dump(&self, how: &str) -> PathBuf {
        let path = self.path("dump");
        self.kadmin(&format!("dump {how}")).arg(&path).run().ok();
        path
    }

    /// The file with the master key.
    #[must_use]
    pub fn master_key(&self) -> PathBuf {
        self.path("m-key")
    }

    /// Has the KDC answer requests.
    pub fn serve(&mut self) {
        let kdc = self.tool(&format!("kdc --addresses=127.0.0.1 --ports={}", self.kerberos.port()));
        let kdc = kdc.arg(format!("--config-file={}", self.path("krb5.conf").display()));
        self.server = Some(Server::start(kdc, self.kerberos.port(), &self.path("kdc.said")));
    }

    /// Has it answer no more.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// A place to work at, where Heimdal's KDC is the realm's.
    #[must_use]
    pub fn workstation(&self) -> Workstation {
        Workstation::new(self.directory.path(), self.path("krb5.conf"), None)
    }

    /// A file in the realm's directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tool(&self, line: &str) -> Tool {
        let (program, libraries) = heimdal(line.split(' ').next().unwrap());
        Tool::new(program, line)
            .env("LD_LIBRARY_PATH", libraries)
            .env("KRB5_CONFIG", self.path("krb5.conf"))
    }
}
