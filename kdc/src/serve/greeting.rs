//! What the daemon says on standard output.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tessera_common::admin::config_file;

use crate::config::Config;

/// The line that tells a waiting program where the realm is served.
pub(super) fn ready(fronts: [(&str, &[SocketAddr]); 4]) -> String {
    let mut line = "ready".to_owned();
    for (front, addresses) in fronts {
        if !addresses.is_empty() {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            line.push_str(&format!(" {front}={}", addresses.join(",")));
        }
    }
    line
}

/// What to type in a new realm, ready to paste.
pub(super) fn next_steps(config: &Config) -> String {
    let programs = programs();
    let config_flag = if config.file == config_file(None, Path::exists) {
        String::new()
    } else {
        format!(" --config {}", quoted(&config.file))
    };
    let program = |name: &str| quoted(&programs.directory.join(name));
    let principal = format!("{}{config_flag}", program("principal"));
    let mut lines = Vec::new();
    if !programs.are_built {
        let profile = if programs.directory.ends_with("release") {
            "--release "
        } else {
            ""
        };
        lines.push(format!("cargo build {profile}--bins"));
    }
    lines.extend([
        format!("export KRB5_CONFIG={}", quoted(&config.realm.state.join("krb5.conf"))),
        format!("{principal} add alice"),
        format!("{} alice", program("kinit")),
        format!("{principal} add host/www.example.com --random-key"),
        format!("{} host/www.example.com", program("kvno")),
        program("klist"),
        format!("{principal} keytab host/www.example.com --output www.keytab"),
        format!("{} -k www.keytab host/www.example.com", program("kvno")),
    ]);
    format!(
        "A new realm, {}, in {}. In another terminal, add a principal, log in, get a service ticket, list the tickets,\n\
         and validate the service's with its keytab:\n\n    {}\n\n",
        config.realm.name,
        config.realm.state.display(),
        lines.join("\n    ")
    )
}

struct Programs {
    /// Empty when the programs are found without one.
    directory: PathBuf,
    are_built: bool,
}

// The other programs are where this one is.
fn programs() -> Programs {
    let Some(directory) = env::current_exe().ok().and_then(|own| own.parent().map(Path::to_owned)) else {
        return Programs {
            directory: PathBuf::new(),
            are_built: true,
        };
    };
    let are_built = directory.join("principal").exists();
    let in_path = env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|other| other == directory));
    let relative = env::current_dir()
        .ok()
        .and_then(|here| directory.strip_prefix(here).ok().map(Path::to_owned));
    Programs {
        directory: match relative {
            _ if in_path => PathBuf::new(),
            // In the directory itself a bare name would be looked up elsewhere.
            Some(relative) if relative.as_os_str().is_empty() => ".".into(),
            Some(relative) => relative,
            None => directory,
        },
        are_built,
    }
}

// As a shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+@:,=".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_every_address_that_is_bound() {
        let address = |text: &str| text.parse().unwrap();
        assert_eq!(
            ready([
                ("kerberos", &[address("127.0.0.1:8888"), address("[::1]:88")]),
                ("password", &[address("127.0.0.1:8464")]),
                ("admin", &[address("[::]:749")]),
                ("metrics", &[address("127.0.0.1:9188")]),
            ]),
            "ready kerberos=127.0.0.1:8888,[::1]:88 password=127.0.0.1:8464 admin=[::]:749 metrics=127.0.0.1:9188"
        );
        assert_eq!(
            ready([
                ("kerberos", &[]),
                ("password", &[address("127.0.0.1:1")]),
                ("admin", &[]),
                ("metrics", &[]),
            ]),
            "ready password=127.0.0.1:1"
        );
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        for (path, shell) in [
            ("var/krb5.conf", "var/krb5.conf"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(quoted(Path::new(path)), shell);
        }
    }

    #[test]
    fn the_next_steps_name_a_configuration_that_is_not_the_default() {
        let text = "[realm]\nname = \"R\"\nstate = \"v\"\n";
        let steps = |file: &str| next_steps(&Config::parse(Path::new(file), text).unwrap());
        assert!(steps("realm.toml").contains("principal add alice\n"));
        assert!(steps("/etc/r.toml").contains("principal --config /etc/r.toml add alice\n"));
        assert!(steps("/etc/r.toml").contains("export KRB5_CONFIG=/etc/v/krb5.conf\n"));
    }
}
