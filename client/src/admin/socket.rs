//! Where the daemon's socket is: realm.toml says it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tessera_common::admin::SOCKET;

use super::AdminError;

// The daemon checks the rest.
#[derive(Deserialize)]
struct RealmFile {
    realm: RealmTable,
}

#[derive(Deserialize)]
struct RealmTable {
    state: PathBuf,
}

/// The socket in the state directory of this realm.toml.
pub(super) fn find(config: &Path) -> Result<PathBuf, AdminError> {
    let text = fs::read_to_string(config).map_err(|why| AdminError::ConfigUnreadable {
        file: config.to_owned(),
        why,
    })?;
    let realm: RealmFile = toml::from_str(&text).map_err(|why| AdminError::ConfigWrong {
        file: config.to_owned(),
        line: why
            .span()
            .and_then(|span| text.get(..span.start))
            .map(|before| before.matches('\n').count() + 1),
        what: why.message().to_owned(),
    })?;
    Ok(config.with_file_name("").join(realm.realm.state).join(SOCKET))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(config: &str, text: &str) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join(config);
        fs::write(&config, text).unwrap();
        let shorten = |text: String| text.replace(&directory.path().display().to_string(), "D");
        match find(&config) {
            Ok(socket) => Ok(shorten(socket.display().to_string())),
            Err(why) => Err(shorten(why.to_string())),
        }
    }

    #[test]
    fn the_socket_is_in_the_state_directory_beside_realm_toml() {
        for (state, socket) in [("var", "D/var/admin.sock"), ("/srv/realm", "/srv/realm/admin.sock")] {
            let text = format!("[realm]\nname = \"R\"\nstate = \"{state}\"\n[listen]\nfuture = 1\n");
            assert_eq!(found("realm.toml", &text).unwrap(), socket);
        }
    }

    #[test]
    fn a_wrong_realm_toml_is_named_with_the_line() {
        for (text, says) in [
            ("[realm]\nstate = var\n", "D/r.toml:2: "),
            ("[realm]\nname = \"R\"\n", "D/r.toml:1: missing field `state`"),
            ("", "missing field `realm`"),
            ("[realm]\n\nstate = 3\n", "D/r.toml:3: "),
        ] {
            let error = found("r.toml", text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn without_a_realm_toml_it_says_how_to_name_one() {
        let error = find(Path::new("nowhere/realm.toml")).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no nowhere/realm.toml; name the realm's configuration with --config"
        );
    }
}
