//! `[process]`: what the daemon is to its machine.

use super::reader::{self, Fault, Table};

/// The longest name of a user or group that Linux's tools make.
const LONGEST_NAME: usize = 32;

/// `[process]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessConfig {
    /// `user`: whom the daemon becomes when root starts it; absent, it stays who started it.
    pub user: Option<String>,
    /// `group`: the user's own by default.
    pub group: Option<String>,
    /// `landlock`; true by default.
    pub landlock: bool,
}

impl ProcessConfig {
    pub(super) fn read(mut table: Table<'_, '_>) -> Self {
        let named = table.has("user");
        let mut name = |key, expected| table.value(key, expected, |v| checked(reader::string(v)?));
        let user = name("user", "a user's name such as \"tessera\"");
        let group = name("group", "a group's name such as \"tessera\"");
        let landlock = table.value("landlock", "true or false", reader::boolean);
        if let Some(group) = group.as_ref().filter(|_| !named) {
            let what = "it goes with user: whoever stays who started the daemon keeps that one's group, too".into();
            table.wrong("group", group.at.clone(), what);
        }
        table.finish();
        Self {
            user: user.map(|user| user.value),
            group: group.map(|group| group.value),
            landlock: landlock.is_none_or(|landlock| landlock.value),
        }
    }
}

fn checked(name: &str) -> Result<String, Fault> {
    match name {
        "" => Err(Fault::new("the name is empty")),
        _ if name.len() > LONGEST_NAME || name.contains(|c: char| c.is_control() || ":/".contains(c)) => {
            Err(Fault::new(format!("{name:?} is nobody's name")))
        }
        name => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::*;

    fn parse(process: &str) -> Result<ProcessConfig, String> {
        let text = format!("[realm]\nname = \"R\"\nstate = \"var\"\n{process}");
        Config::parse(Path::new("r.toml"), &text)
            .map(|config| config.process)
            .map_err(|problems| problems.iter().map(|problem| format!("{problem}\n")).collect())
    }

    #[test]
    fn left_alone_it_stays_who_started_it_and_is_confined() {
        let process = parse("").unwrap();
        assert_eq!((process.user, process.group, process.landlock), (None, None, true));
        let process = parse("[process]\nuser = \"tessera\"\ngroup = \"krb\"\nlandlock = false\n").unwrap();
        assert_eq!(process.user.as_deref(), Some("tessera"));
        assert_eq!(process.group.as_deref(), Some("krb"));
        assert!(!process.landlock);
    }

    #[test]
    fn what_cannot_be_is_named_with_its_place() {
        for (process, message) in [
            (
                "user = \"\"",
                "r.toml:5:8: process.user: the name is empty; expected a user's name such as \"tessera\"\n",
            ),
            (
                "user = 0",
                "r.toml:5:8: process.user: the number 0 is not right here; expected a user's name such as \"tessera\"\n",
            ),
            (
                "user = \"a:b\"",
                "r.toml:5:8: process.user: \"a:b\" is nobody's name; expected a user's name such as \"tessera\"\n",
            ),
            (
                "group = \"tessera\"",
                "r.toml:5:9: process.group: it goes with user: whoever stays who started the daemon keeps that one's group, too\n",
            ),
            (
                "landlock = \"yes\"",
                "r.toml:5:12: process.landlock: the text \"yes\" is not right here; expected true or false\n",
            ),
            (
                "chroot = \"/\"",
                "r.toml:5:1: process.chroot: unknown key; known here: user, group, landlock\n",
            ),
        ] {
            assert_eq!(parse(&format!("[process]\n{process}\n")).unwrap_err(), message);
        }
    }
}
