//! Apache with `mod_auth_gssapi`, which asks MIT's library who is calling.

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use tempfile::TempDir;

use crate::ports;
use crate::server::Server;
use crate::tool::{Tool, installed};
use crate::workstation::Workstation;

const MODULES: &str = "/usr/lib/apache2/modules";

/// What one page answers with: who called, and where the credentials are that came along.
const PAGE: &str = "<html><body>user=<!--#echo var=\"REMOTE_USER\" --> mechanism=<!--#echo var=\"AUTH_TYPE\" --> \
                    delegated=<!--#echo var=\"KRB5CCNAME\" --></body></html>\n";

/// An Apache that lets in who has a ticket, until dropped.
pub struct Apache {
    _server: Server,
    port: u16,
    directory: TempDir,
}

impl Apache {
    /// For `HTTP/localhost`, with this keytab and the workstation's krb5.conf.
    #[must_use]
    pub fn start(desk: &Workstation, keytab: &Path) -> Self {
        let directory = TempDir::with_prefix("apache-").unwrap();
        let apache = |name: &str| directory.path().join(name);
        for name in ["pages", "delegated", "replays"] {
            std::fs::create_dir(apache(name)).unwrap();
        }
        std::fs::write(apache("pages/index.html"), PAGE).unwrap();
        std::fs::copy(keytab, apache("keytab")).unwrap();
        std::fs::copy(desk.config(), apache("krb5.conf")).unwrap();
        let port = ports::free();
        std::fs::write(apache("apache.conf"), configuration(directory.path(), port)).unwrap();
        if Uid::effective().is_root() {
            give_to_its_user(directory.path());
        }
        let tool = Tool::new(installed("apache2"), "apache2 -D FOREGROUND -f")
            .arg(apache("apache.conf"))
            .env("KRB5_CONFIG", apache("krb5.conf"))
            .env("KRB5RCACHEDIR", apache("replays"));
        Self {
            _server: Server::start(tool, port, &apache("log")),
            port,
            directory,
        }
    }

    /// Its page.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// The name of the cache with what this principal delegated.
    #[must_use]
    pub fn delegated(&self, principal: &str) -> String {
        format!(
            "FILE:{}",
            self.directory.path().join("delegated").join(principal).display()
        )
    }
}

fn configuration(directory: &Path, port: u16) -> String {
    let mut text = String::new();
    let here = directory.display();
    for (name, module) in [
        ("mpm_prefork_module", "mod_mpm_prefork.so"),
        ("authn_core_module", "mod_authn_core.so"),
        ("authz_core_module", "mod_authz_core.so"),
        ("authz_user_module", "mod_authz_user.so"),
        ("auth_gssapi_module", "mod_auth_gssapi.so"),
        ("dir_module", "mod_dir.so"),
        ("include_module", "mod_include.so"),
        ("mime_module", "mod_mime.so"),
    ] {
        writeln!(text, "LoadModule {name} {MODULES}/{module}").unwrap();
    }
    if Uid::effective().is_root() {
        text.push_str("User www-data\nGroup www-data\n");
    }
    write!(
        text,
        "ServerRoot {here}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {here}/pid\nErrorLog {here}/log\n\
         LogLevel warn auth_gssapi:info\nStartServers 1\nMinSpareServers 1\nMaxSpareServers 2\nTypesConfig /dev/null\n\
         AddType text/html .html\nDocumentRoot {here}/pages\nDirectoryIndex index.html\n\
         <Directory {here}/pages>\nOptions +IncludesNOEXEC\nSetOutputFilter INCLUDES\n\
         AuthType GSSAPI\nAuthName realm\nGssapiAllowedMech krb5\nGssapiCredStore keytab:{here}/keytab\n\
         GssapiDelegCcacheDir {here}/delegated\nRequire valid-user\n</Directory>\n"
    )
    .unwrap();
    text
}

// Started by root, it answers as a user that may read nothing of root's.
fn give_to_its_user(directory: &Path) {
    let user = User::from_name("www-data").unwrap().expect("there is no user www-data");
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    for name in [
        "pages",
        "pages/index.html",
        "delegated",
        "replays",
        "keytab",
        "krb5.conf",
    ] {
        let path: PathBuf = directory.join(name);
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
}
