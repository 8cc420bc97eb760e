//! OpenSSH's server, which asks MIT's library who is calling.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::Uid;
use tempfile::TempDir;

use crate::ports;
use crate::server::Server;
use crate::tool::Finished;
use crate::workstation::Workstation;

/// Lets nobody in but with a ticket; runs until dropped.
pub struct Sshd {
    server: Server,
    port: u16,
    _directory: TempDir,
}

impl Sshd {
    /// For `host/localhost`, with this keytab and the krb5.conf of the workstation, which says who is which user.
    ///
    /// # Panics
    ///
    /// If this is not root: another user's sshd lets nobody in.
    #[must_use]
    pub fn start(desk: &Workstation, keytab: &Path) -> Self {
        assert!(Uid::effective().is_root(), "sshd lets somebody in only as root");
        let directory = TempDir::with_prefix("sshd-").unwrap();
        let path = |name: &str| directory.path().join(name);
        desk.installed("ssh-keygen -q -t ed25519 -f")
            .arg(path("host_key"))
            .arg("-N")
            .arg("")
            .run()
            .ok();
        let port = ports::free();
        let configuration = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nPidFile none\nUsePAM no\nPermitRootLogin yes\n\
             GSSAPIAuthentication yes\nGSSAPIKeyExchange yes\nGSSAPIStrictAcceptorCheck no\nGSSAPICleanupCredentials yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPubkeyAuthentication no\nLogLevel DEBUG1\n",
            path("host_key").display()
        );
        std::fs::write(path("config"), configuration).unwrap();
        // Where its unprivileged half has its root; the package makes it when its service starts.
        std::fs::create_dir_all("/run/sshd").unwrap();
        std::fs::set_permissions("/run/sshd", std::fs::Permissions::from_mode(0o755)).unwrap();
        let tool = desk
            .installed("sshd -D -e -f")
            .arg(path("config"))
            .env("KRB5_KTNAME", format!("FILE:{}", keytab.display()));
        Self {
            server: Server::start(tool, port, &path("log")),
            port,
            _directory: directory,
        }
    }

    /// OpenSSH's client at this workstation runs a command as root there. `options` are the client's.
    #[must_use]
    pub fn run(&self, desk: &Workstation, options: &str, command: &str) -> Finished {
        let line = format!(
            "ssh -F none -p {} -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=no \
             -o BatchMode=yes -o GSSAPIAuthentication=yes -o LogLevel=ERROR {options} root@localhost",
            self.port
        );
        desk.installed(&line).arg(command).run()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.log()
    }
}
