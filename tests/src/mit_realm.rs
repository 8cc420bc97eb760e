//! MIT's own KDC and password server, in a directory of their own.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tempfile::TempDir;

use crate::clock::Clock;
use crate::ports;
use crate::server::Server;
use crate::tool::{Tool, installed};
use crate::workstation::Workstation;

/// `EXAMPLE.COM` as MIT serves it. Stopped, and the directory removed, when dropped.
pub struct MitRealm {
    servers: Vec<Server>,
    kerberos: SocketAddr,
    password: SocketAddr,
    clock: Option<Arc<Clock>>,
    directory: TempDir,
}

impl MitRealm {
    /// With all four enctypes, pre-authentication required, renewable for 7 days.
    #[must_use]
    pub fn start() -> Self {
        Self::launch(false, "")
    }

    /// The same, living by a clock that the test moves.
    #[must_use]
    pub fn start_with_clock() -> Self {
        Self::launch(true, "")
    }

    /// A realm whose `kdc.conf` says more of it: lines as `key = value`.
    #[must_use]
    pub fn start_with(keys: &str) -> Self {
        Self::launch(false, keys)
    }

    fn launch(with_clock: bool, keys: &str) -> Self {
        let directory = TempDir::with_prefix("mit-").unwrap();
        let clock = with_clock.then(|| Arc::new(Clock::new(directory.path(), "clock")));
        let [kerberos, password, admin] = [(); 3].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free())));
        write_configuration(directory.path(), [kerberos, password, admin], keys);
        let mut realm = Self {
            servers: Vec::new(),
            kerberos,
            password,
            clock,
            directory,
        };
        realm.tool("kdb5_util create -s -r EXAMPLE.COM -P master").run().ok();
        realm.servers = vec![
            realm.serve("krb5kdc -n -r EXAMPLE.COM", kerberos),
            realm.serve("kadmind -nofork -r EXAMPLE.COM", password),
        ];
        realm
    }

    fn serve(&self, line: &str, address: SocketAddr) -> Server {
        let program = line.split(' ').next().unwrap();
        Server::start(self.tool(line), address.port(), &self.path(&format!("{program}.said")))
    }

    fn tool(&self, line: &str) -> Tool {
        let tool = Tool::new(installed(line.split(' ').next().unwrap()), line)
            .env("KRB5_CONFIG", self.path("krb5.conf"))
            .env("KRB5_KDC_PROFILE", self.path("kdc.conf"));
        match &self.clock {
            Some(clock) => clock.set(tool),
            None => tool,
        }
    }

    /// `kadmin.local -q COMMAND`, which must not complain.
    pub fn kadmin(&self, command: &str) -> String {
        let finished = self.tool("kadmin.local -r EXAMPLE.COM -q").arg(command).run();
        assert!(!finished.stderr.contains("while"), "{finished}");
        finished.ok()
    }

    /// `kadmin.local`, told all of this, which it must not complain about.
    pub fn kadmin_all(&self, commands: &[&str]) -> String {
        let tool = self.tool("kadmin.local -r EXAMPLE.COM");
        let finished = tool.stdin(commands.join("\n") + "\n").run();
        assert!(!finished.stderr.contains("while"), "{finished}");
        finished.ok()
    }

    /// `kdb5_util` with this subcommand, on the realm's database.
    #[must_use]
    pub fn kdb5_util(&self, line: &str) -> Tool {
        self.tool(&format!("kdb5_util -r EXAMPLE.COM {line}"))
    }

    /// A dump of the database; `options` say in which format.
    #[must_use]
    pub fn dump(&self, options: &str) -> PathBuf {
        let path = self.path(&format!("dump{}", options.trim()));
        let line = format!("dump {options}").trim_end().to_owned();
        self.kdb5_util(&line).arg(&path).run().ok();
        path
    }

    /// The file that its master key is in.
    #[must_use]
    pub fn stash(&self) -> PathBuf {
        self.path("stash")
    }

    /// The keytab with this principal's current keys.
    #[must_use]
    pub fn keytab(&self, name: &str) -> PathBuf {
        let path = self.path(&format!("{}.keytab", name.replace('/', "-")));
        self.kadmin(&format!("ktadd -norandkey -k {} {name}", path.display()));
        path
    }

    /// Stops its servers; the database stays.
    pub fn stop(&mut self) {
        self.servers.clear();
    }

    /// Adds a principal with a password; it must pre-authenticate.
    pub fn add(&self, name: &str, password: &str) {
        self.kadmin(&format!("addprinc +requires_preauth -pw {password} {name}"));
    }

    /// Adds a service with random keys, and gives the keytab that holds them.
    #[must_use]
    pub fn add_service(&self, name: &str) -> PathBuf {
        self.kadmin(&format!("addprinc -randkey {name}"));
        self.keytab(name)
    }

    /// A place to work at.
    #[must_use]
    pub fn workstation(&self) -> Workstation {
        Workstation::new(self.directory.path(), self.path("krb5.conf"), self.clock.clone())
    }

    /// Where krb5kdc answers.
    #[must_use]
    pub fn kerberos(&self) -> SocketAddr {
        self.kerberos
    }

    /// Where kadmind changes passwords.
    #[must_use]
    pub fn password(&self) -> SocketAddr {
        self.password
    }

    /// The clock that the servers and the workstations live by; only if started with one.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.clock.as_ref().expect("started without a clock")
    }

    /// What both servers logged.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.path(name)).unwrap_or_default();
        read("kdc.log") + &read("kadmind.log")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for MitRealm {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- MIT's logs\n{}---", self.log());
        }
        self.servers.clear();
    }
}

fn write_configuration(directory: &Path, [kerberos, password, admin]: [SocketAddr; 3], keys: &str) {
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    write("krb5.conf", &krb5_conf("EXAMPLE.COM", kerberos, password));
    let mut text = String::new();
    let keep = |name: &str| directory.join(name).display().to_string();
    writeln!(
        text,
        "[kdcdefaults]\n kdc_listen = {kerberos}\n kdc_tcp_listen = {kerberos}"
    )
    .unwrap();
    writeln!(
        text,
        "[realms]\n EXAMPLE.COM = {{\n  kpasswd_listen = {password}\n  kadmind_listen = {admin}"
    )
    .unwrap();
    writeln!(
        text,
        "  database_name = {}\n  key_stash_file = {}",
        keep("principal"),
        keep("stash")
    )
    .unwrap();
    writeln!(
        text,
        "  acl_file = {}\n  max_life = 10h\n  max_renewable_life = 7d",
        keep("kadm5.acl")
    )
    .unwrap();
    writeln!(
        text,
        "  supported_enctypes = aes256-sha1:normal aes256-sha2:normal aes128-sha1:normal aes128-sha2:normal"
    )
    .unwrap();
    writeln!(text, "  default_principal_flags = +preauth\n{keys}\n }}").unwrap();
    writeln!(
        text,
        "[logging]\n kdc = FILE:{}\n admin_server = FILE:{}",
        keep("kdc.log"),
        keep("kadmind.log")
    )
    .unwrap();
    write("kdc.conf", &text);
    write("kadm5.acl", "");
}

/// A krb5.conf with one realm and its two addresses.
pub(crate) fn krb5_conf(realm: &str, kerberos: SocketAddr, password: SocketAddr) -> String {
    format!(
        "[libdefaults]\n default_realm = {realm}\n dns_lookup_realm = false\n dns_lookup_kdc = false\n rdns = false\n \
         dns_canonicalize_hostname = false\n\n[realms]\n {realm} = {{\n  kdc = {kerberos}\n  kpasswd_server = {password}\n }}\n\n\
         [domain_realm]\n localhost = {realm}\n .example.com = {realm}\n example.com = {realm}\n"
    )
}
