//! realm.toml: what an operator writes, checked once.
//!
//! Every key is described where an operator reads of it: in the annotated `realm.toml` at the top of the repository.

mod access;
mod accounting;
mod policies;
mod process;
mod reader;
mod tables;

use core::fmt;
use core::time::Duration;
use std::env;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tessera_common::crypto::EncType;
use tessera_common::name::Realm;

use crate::clock;
use crate::realm::access::DefaultAccess;
use crate::realm::lockout::NetworkLimit;
use crate::realm::settings::RealmSettings;
use crate::store::{Location, Options, Report};
pub use access::AccessConfig;
pub use accounting::{AccountingConfig, LogConfig, LogFormat, WhenSlow};
use accounting::{read_accounting, read_log};
pub use policies::PasswordsConfig;
pub use process::ProcessConfig;
pub use reader::Problem;
use reader::{Document, Fault, Table};
use tables::{listen_warnings, read_authentication, read_keys, read_listen, read_store, read_tickets};

/// No ticket lives longer than this, ten years.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 366 * 86_400);

/// A checked realm.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file that it was read from.
    pub file: PathBuf,
    /// `[realm]`.
    pub realm: RealmConfig,
    /// `[listen]`.
    pub listen: ListenConfig,
    /// `[tickets]`.
    pub tickets: TicketConfig,
    /// `[authentication]`.
    pub authentication: AuthenticationConfig,
    /// `[store]`.
    pub store: StoreConfig,
    /// `[keys]`.
    pub keys: KeysConfig,
    /// `[roles]`, `[rules]` and `[policies]`.
    pub access: AccessConfig,
    /// `[passwords]`.
    pub passwords: PasswordsConfig,
    /// `[process]`.
    pub process: ProcessConfig,
    /// `[accounting]`.
    pub accounting: AccountingConfig,
    /// `[log]`.
    pub log: LogConfig,
    /// What an operator should know although the file is in force.
    pub warnings: Vec<String>,
}

/// `[realm]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmConfig {
    /// `name`.
    pub name: Realm,
    /// `state`: the state directory, relative paths already joined to the file's directory.
    pub state: PathBuf,
    /// `hide-unknown-principals`; false by default.
    pub hide_unknown_principals: bool,
    /// `default-access`; `"allow"` by default.
    pub default_access: DefaultAccess,
}

/// `[listen]`. An empty list is a listener that is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// `kerberos`, for UDP and TCP.
    pub kerberos: Vec<SocketAddr>,
    /// `password`, for UDP and TCP.
    pub password: Vec<SocketAddr>,
    /// `admin`, for TCP.
    pub admin: Vec<SocketAddr>,
    /// `metrics`, for TCP.
    pub metrics: Vec<SocketAddr>,
    /// `max-udp-reply`, in octets: 512 to 65,507, 4096 by default.
    pub max_udp_reply: usize,
}

/// `[tickets]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketConfig {
    /// `lifetime`: 1 s to ten years, 10 h by default.
    pub lifetime: Duration,
    /// `renewable-lifetime`: up to ten years, 7 d by default; zero for none.
    pub renewable_lifetime: Duration,
    /// `clock-skew`: 1 s to a day, 5 min by default.
    pub clock_skew: Duration,
}

/// `[authentication]`.
///
/// `network-failures`: up to 65,535, 0 by default, which is off; `network-window` and `network-lockout`: 1 s to a day, 15 min
/// by default; `network-prefix-v4`: 0 to 32, 32 by default; `network-prefix-v6`: 0 to 128, 64 by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthenticationConfig {
    /// `require-fast`; false by default.
    pub require_fast: bool,
    /// `unarmored-encrypted-timestamp`; true by default.
    pub unarmored_encrypted_timestamp: bool,
    /// The five keys that begin with `network-`; `None`, where `network-failures` is 0.
    pub network_limit: Option<NetworkLimit>,
}

/// `[store]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// `keep-snapshots`: 2 to 1000, 2 by default.
    pub keep_snapshots: usize,
    /// `snapshot-every`; zero, the default: only when there is enough in the journal.
    pub snapshot_every: Duration,
}

/// `[keys]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysConfig {
    /// `enctypes`: what new keys are made for, best first; at least one, none twice.
    pub enctypes: Vec<EncType>,
    /// `krbtgt-every`: up to ten years, and long enough that the keys of [`MOST_FORMER_VERSIONS`](crate::realm::keys::MOST_FORMER_VERSIONS) versions outlive the tickets
    /// under them; absent where it is zero, the default: not by itself.
    pub krbtgt_every: Option<Duration>,
}

/// Why there is no configuration.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// The file is wrong in these places, in its order; at least one.
    Wrong(Vec<Problem>),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, why } if why.kind() == io::ErrorKind::NotFound => write!(
                f,
                "there is no {}; name the realm's configuration with --config, or copy realm.toml from the distribution",
                file.display()
            ),
            Self::Unreadable { file, why } => write!(f, "{} cannot be read: {why}", file.display()),
            Self::Wrong(problems) => {
                for (at, problem) in problems.iter().enumerate() {
                    let separator = if at == 0 { "" } else { "\n" };
                    write!(f, "{separator}{problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// Reads and checks `file`.
    ///
    /// # Errors
    /// [`ConfigError`]: all that is wrong, not only the first.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |why| ConfigError::Unreadable {
            file: file.to_owned(),
            why,
        };
        let text = fs::read_to_string(file).map_err(unreadable)?;
        let mode = fs::metadata(file).map_err(unreadable)?.permissions().mode();
        let mut config = Self::parse(file, &text).map_err(ConfigError::Wrong)?;
        config
            .passwords
            .load()
            .map_err(|problem| ConfigError::Wrong(vec![problem]))?;
        if config.passwords.words.is_empty() {
            let asking = config
                .access
                .declared()
                .policies()
                .filter(|policy| policy.body().dictionary);
            config.warnings.extend(asking.map(|policy| {
                format!(
                    "the policy {} asks for no word of the dictionary, which has none; name a file in [passwords] dictionary",
                    policy.name()
                )
            }));
        }
        if mode & 0o002 != 0 {
            config.warnings.push(format!(
                "{} can be written by everybody (mode {:03o}); whoever writes it rules the realm",
                file.display(),
                mode & 0o777
            ));
        }
        Ok(config)
    }

    /// What the realm's exchanges go by.
    #[must_use]
    pub fn settings(&self) -> RealmSettings {
        RealmSettings {
            name: self.realm.name.clone(),
            lifetime: self.tickets.lifetime,
            renewable_lifetime: self.tickets.renewable_lifetime,
            clock_skew: self.tickets.clock_skew,
            enctypes: self.keys.enctypes.clone(),
            krbtgt_every: self.keys.krbtgt_every,
            hide_unknown_principals: self.realm.hide_unknown_principals,
            require_fast: self.authentication.require_fast,
            network_limit: self.authentication.network_limit,
            unarmored_encrypted_timestamp: self.authentication.unarmored_encrypted_timestamp,
            max_udp_reply: self.listen.max_udp_reply,
            default_access: self.realm.default_access,
            access: self.access.declared().clone(),
            dictionary: Arc::clone(&self.passwords.words),
            local_time: clock::LOCAL_TIME,
        }
    }

    /// How the realm's database is opened.
    #[must_use]
    pub fn store_options(&self, report: Report) -> Options {
        Options {
            credentials: credentials(),
            snapshot_every: Some(self.store.snapshot_every).filter(|every| !every.is_zero()),
            keep_snapshots: self.store.keep_snapshots,
            ..Options::new(self.realm.name.clone(), report)
        }
    }

    /// Where the realm's database is, for what is done to it without serving it.
    #[must_use]
    pub fn location(&self) -> Location {
        Location {
            state: self.realm.state.clone(),
            realm: self.realm.name.clone(),
            credentials: credentials(),
        }
    }

    /// Checks the text of a realm.toml; `file` names it in problems, and relative paths are relative to its directory.
    ///
    /// # Errors
    /// Everything that is wrong, in the file's order; at least one.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let document = Document::new(file, text);
        let config = document.root().and_then(|root| read(file, root));
        let problems = document.into_problems();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }
}

/// The directory that a service manager hands in the master key in, if it does.
#[must_use]
pub fn credentials() -> Option<PathBuf> {
    env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

fn read(file: &Path, mut root: Table<'_, '_>) -> Option<Config> {
    let realm = read_realm(file, root.table("realm"));
    let listen = read_listen(root.table("listen"));
    let tickets = read_tickets(root.table("tickets"));
    let authentication = read_authentication(root.table("authentication"));
    let store = read_store(root.table("store"));
    let keys = read_keys(root.table("keys"), &tickets);
    let access = AccessConfig::read(root.table("roles"), root.table("rules"), root.table("policies"));
    let passwords = PasswordsConfig::read(file, root.table("passwords"));
    let process = ProcessConfig::read(root.table("process"));
    let accounting = read_accounting(file, root.table("accounting"));
    let log = read_log(root.table("log"), &accounting);
    root.finish();
    Some(Config {
        file: file.to_owned(),
        realm: realm?,
        warnings: listen_warnings(&listen),
        listen,
        tickets,
        authentication,
        store,
        keys,
        access,
        passwords,
        process,
        accounting,
        log,
    })
}

fn read_realm(file: &Path, mut table: Table<'_, '_>) -> Option<RealmConfig> {
    const NAME: &str = "a realm's name such as \"EXAMPLE.COM\"";
    const STATE: &str = "a directory such as \"var\"";
    let missing = (!table.has("name"), !table.has("state"));
    let name = table.value("name", NAME, |v| Realm::new(reader::string(v)?).map_err(Fault::new));
    let state = table.value("state", STATE, |v| match reader::string(v)? {
        "" => Err(Fault::new("the path is empty")),
        path => Ok(file.parent().unwrap_or(Path::new("")).join(path)),
    });
    let hide = table.value("hide-unknown-principals", "true or false", reader::boolean);
    let default_access = table.value("default-access", "\"allow\" or \"deny\"", |v| {
        match reader::string(v)? {
            "allow" => Ok(DefaultAccess::Allow),
            "deny" => Ok(DefaultAccess::Deny),
            other => Err(Fault::new(format!("{other:?} is neither"))),
        }
    });
    if missing.0 {
        table.missing("name", NAME);
    }
    if missing.1 {
        table.missing("state", STATE);
    }
    table.finish();
    Some(RealmConfig {
        name: name?.value,
        state: state?.value,
        hide_unknown_principals: hide.is_some_and(|hide| hide.value),
        default_access: default_access.map_or(DefaultAccess::Allow, |access| access.value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realm::policy::FailureLimit;

    fn parse(text: &str) -> Result<Config, Vec<String>> {
        Config::parse(Path::new("/etc/tessera/realm.toml"), text)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_shipped_realm_toml_is_right_and_shows_the_defaults() {
        let text = include_str!("../../../realm.toml");
        let shipped = Config::parse(Path::new("realm.toml"), text).unwrap();
        assert_eq!(shipped.realm.name.as_str(), "EXAMPLE.COM");
        assert_eq!(shipped.realm.state, Path::new("var"));
        assert_eq!(shipped.listen.kerberos, ["127.0.0.1:8888".parse().unwrap()]);
        assert_eq!(shipped.listen.password, ["127.0.0.1:8464".parse().unwrap()]);

        let least = "[realm]\nname = \"EXAMPLE.COM\"\nstate = \"var\"\n";
        let mut least = Config::parse(Path::new("realm.toml"), least).unwrap();
        assert_eq!(least.listen.kerberos, []);
        least.listen.kerberos.clone_from(&shipped.listen.kerberos);
        least.listen.password.clone_from(&shipped.listen.password);
        // Who tries it out at a terminal sees each request.
        assert!(!least.log.requests);
        least.log.requests = true;
        assert_eq!(least, shipped);
    }

    #[test]
    fn what_is_written_is_in_force() {
        let config = parse(
            "[realm]\nname = \"R\"\nstate = \"/srv/r\"\nhide-unknown-principals = true\n\
             [listen]\nkerberos = [\"[::]:88\", \"0.0.0.0:88\"]\nadmin = [\"[::]:749\"]\nmax-udp-reply = 1400\n\
             [tickets]\nlifetime = \"1d12h\"\nrenewable-lifetime = \"0s\"\nclock-skew = \"90s\"\n\
             [authentication]\nrequire-fast = true\nunarmored-encrypted-timestamp = false\n\
             [store]\nkeep-snapshots = 14\nsnapshot-every = \"1d\"\n\
             [keys]\nenctypes = [\"aes128-sha2\", \"aes256-cts\"]\nkrbtgt-every = \"30d\"\n",
        )
        .unwrap();
        assert_eq!(
            (config.store.keep_snapshots, config.store.snapshot_every),
            (14, Duration::from_secs(86_400))
        );
        assert_eq!(config.realm.state, Path::new("/srv/r"));
        assert!(config.realm.hide_unknown_principals);
        assert_eq!(
            config.listen.kerberos,
            ["[::]:88".parse().unwrap(), "0.0.0.0:88".parse().unwrap()]
        );
        assert_eq!(config.listen.admin, ["[::]:749".parse().unwrap()]);
        assert_eq!(config.listen.max_udp_reply, 1400);
        assert_eq!(config.tickets.lifetime, Duration::from_secs(36 * 3600));
        assert_eq!(config.tickets.renewable_lifetime, Duration::ZERO);
        assert_eq!(config.tickets.clock_skew, Duration::from_secs(90));
        assert!(config.authentication.require_fast && !config.authentication.unarmored_encrypted_timestamp);
        assert_eq!(
            config.keys.enctypes,
            [EncType::Aes128CtsHmacSha256_128, EncType::Aes256CtsHmacSha1_96]
        );
        let every = config.settings().krbtgt_every;
        assert_eq!(every, Some(Duration::from_secs(30 * 86_400)));
    }

    #[test]
    fn relative_paths_start_at_the_file() {
        let config = parse("[realm]\nname = \"R\"\nstate = \"var\"\n").unwrap();
        assert_eq!(config.realm.state, Path::new("/etc/tessera/var"));
    }

    #[test]
    fn every_fault_names_its_place_and_what_was_expected() {
        let head = "[realm]\nname = \"R\"\nstate = \"var\"\n";
        for (tail, message) in [
            ("[listen\n", "4:8: not TOML: unclosed table, expected `]`"),
            (
                "colour = 1\n",
                "4:1: realm.colour: unknown key; known here: name, state, hide-unknown-principals, default-access",
            ),
            (
                "hide-unknown-principal = true\n",
                "4:1: realm.hide-unknown-principal: unknown key; did you mean hide-unknown-principals?",
            ),
            (
                "hide-unknown-principals = 1\n",
                "4:27: realm.hide-unknown-principals: the number 1 is not right here; expected true or false",
            ),
            ("[ticket]\n", "4:2: ticket: unknown table; did you mean tickets?"),
            (
                "[radius]\n",
                "4:2: radius: unknown table; known here: realm, listen, tickets, authentication, store, keys, roles, rules, policies, passwords, process, accounting, log",
            ),
            ("[[tickets]]\n", "4:3: tickets: expected a table, as in [tickets]"),
            (
                "[tickets]\nlifetime = 10\n",
                "5:12: tickets.lifetime: the number 10 is not right here; expected a time such as \"10h\", \"7d\" or \"5m30s\"",
            ),
            (
                "[tickets]\n  lifetime = \"10\"\n",
                "5:14: tickets.lifetime: \"10\" is no time: a number lacks its unit (w, d, h, m or s); expected a time such as \"10h\", \"7d\" or \"5m30s\"",
            ),
            (
                "[tickets]\nlifetime = \"0s\"\n",
                "5:12: tickets.lifetime: 0s is not between 1s and 3660d; expected a time such as \"10h\", \"7d\" or \"5m30s\"",
            ),
            (
                "[tickets]\nclock-skew = \"2d\"\n",
                "5:14: tickets.clock-skew: 2d is not between 1s and 1d; expected a time such as \"10h\", \"7d\" or \"5m30s\"",
            ),
            (
                "[listen]\nkerberos = \"127.0.0.1:88\"\n",
                "5:12: listen.kerberos: the text \"127.0.0.1:88\" is not right here; expected a list of address:port such as \"127.0.0.1:88\" or \"[::1]:88\", as in kerberos = [\"…\"]",
            ),
            (
                "[listen]\nkerberos = [\"localhost:88\"]\n",
                "5:13: listen.kerberos: \"localhost:88\" is no address with a port; expected address:port such as \"127.0.0.1:88\" or \"[::1]:88\"",
            ),
            (
                "[listen]\nkerberos = [\"127.0.0.1:88\", 88]\n",
                "5:29: listen.kerberos: the number 88 is not right here; expected address:port such as \"127.0.0.1:88\" or \"[::1]:88\"",
            ),
            (
                "[listen]\nkerberos = [\"127.0.0.1:88\"]\npassword = [\"127.0.0.1:88\"]\n",
                "6:13: listen.password: 127.0.0.1:88 is already in kerberos",
            ),
            (
                "[listen]\nadmin = [\"[::1]:749\", \"[::1]:749\"]\n",
                "5:23: listen.admin: [::1]:749 is already in admin",
            ),
            (
                "[listen]\nadmin = \"127.0.0.1:8749\"\n",
                "5:9: listen.admin: the text \"127.0.0.1:8749\" is not right here; expected a list of address:port such as \"127.0.0.1:88\" or \"[::1]:88\", as in admin = [\"…\"]",
            ),
            (
                "[listen]\nmax-udp-reply = 511\n",
                "5:17: listen.max-udp-reply: 511 is out of range; expected a number of octets from 512 to 65507",
            ),
            (
                "[listen]\nmax-udp-reply = 99999999999999999999\n",
                "5:17: listen.max-udp-reply: the number is out of range; expected a number of octets from 512 to 65507",
            ),
            (
                "[authentication]\nrequire-fast = \"yes\"\n",
                "5:16: authentication.require-fast: the text \"yes\" is not right here; expected true or false",
            ),
            (
                "[keys]\nenctypes = []\n",
                "5:12: keys.enctypes: the list has none; expected some of aes256-cts-hmac-sha1-96, aes256-cts-hmac-sha384-192, aes128-cts-hmac-sha1-96, aes128-cts-hmac-sha256-128",
            ),
            (
                "[keys]\nenctypes = [\"rc4-hmac\"]\n",
                "5:13: keys.enctypes: \"rc4-hmac\" is no enctype of this realm; expected one of aes256-cts-hmac-sha1-96, aes256-cts-hmac-sha384-192, aes128-cts-hmac-sha1-96, aes128-cts-hmac-sha256-128",
            ),
            (
                "[keys]\nenctypes = [\"aes256-cts\", \"aes256-sha1\"]\n",
                "5:27: keys.enctypes: aes256-cts-hmac-sha1-96 is there twice",
            ),
            (
                "[keys]\nkrbtgt-every = 30\n",
                "5:16: keys.krbtgt-every: the number 30 is not right here; expected a time such as \"30d\", or \"0s\"",
            ),
            (
                "[keys]\nkrbtgt-every = \"4000d\"\n",
                "5:16: keys.krbtgt-every: 4000d is more than 3660d; expected a time such as \"30d\", or \"0s\"",
            ),
            (
                "[keys]\nkrbtgt-every = \"25m12s\"\n",
                "5:16: keys.krbtgt-every: 25m12s is too often: each former key stays good for tickets.lifetime and the clock-skew, and at most 24 are kept beside each other; expected at least 25m13s",
            ),
        ] {
            let problems = parse(&format!("{head}{tail}")).unwrap_err();
            assert_eq!(problems, [format!("/etc/tessera/realm.toml:{message}")], "{tail}");
        }
    }

    #[test]
    fn faults_in_the_realm_table_are_named_too() {
        for (text, messages) in [
            (
                "",
                &[
                    "1:1: realm.name: missing; expected a realm's name such as \"EXAMPLE.COM\"",
                    "1:1: realm.state: missing; expected a directory such as \"var\"",
                ][..],
            ),
            (
                "\n[realm]\nname = \"R\"\n",
                &["2:2: realm.state: missing; expected a directory such as \"var\""],
            ),
            (
                "[realm]\nname = \"\"\nstate = \"\"\n",
                &[
                    "2:8: realm.name: the name is empty; expected a realm's name such as \"EXAMPLE.COM\"",
                    "3:9: realm.state: the path is empty; expected a directory such as \"var\"",
                ],
            ),
            (
                "realm = 5\n",
                &[
                    "1:1: realm: expected a table, as in [realm]",
                    "1:1: realm.name: missing; expected a realm's name such as \"EXAMPLE.COM\"",
                    "1:1: realm.state: missing; expected a directory such as \"var\"",
                ],
            ),
        ] {
            let messages: Vec<_> = messages
                .iter()
                .map(|m| format!("/etc/tessera/realm.toml:{m}"))
                .collect();
            assert_eq!(parse(text).unwrap_err(), messages, "{text}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
        let problems = parse("[keys]\nenctypes = 1\n[realm]\nname = 2\nstate = \"var\"\n\"š\" = 3\n").unwrap_err();
        let places: Vec<_> = problems.iter().map(|p| p.split(": ").nth(1).unwrap()).collect();
        assert_eq!(places, ["keys.enctypes", "realm.name", "realm.š"]);
    }

    #[test]
    fn a_file_that_everybody_can_write_is_warned_of() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("realm.toml");
        fs::write(&file, "[realm]\nname = \"R\"\nstate = \"var\"\n").unwrap();
        for (mode, warnings) in [(0o600, 0), (0o664, 0), (0o666, 1)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Config::load(&file).unwrap().warnings.len(), warnings, "{mode:o}");
        }
    }

    #[test]
    fn an_absent_file_is_named_with_what_to_do() {
        let error = Config::load(Path::new("/nowhere/realm.toml")).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no /nowhere/realm.toml; name the realm's configuration with --config"),
            "{error}"
        );
    }

    #[test]
    fn networks_are_limited_as_written_and_not_at_all_by_default() {
        let authentication = |keys: &str| {
            parse(&format!(
                "[realm]\nname = \"R\"\nstate = \"var\"\n[authentication]\n{keys}\n"
            ))
            .map(|config| config.settings().network_limit)
        };
        assert_eq!(authentication("network-window = \"1m\""), Ok(None));
        let limit = authentication(
            "network-failures = 9\nnetwork-window = \"1m\"\nnetwork-lockout = \"1d\"\nnetwork-prefix-v4 = 0\nnetwork-prefix-v6 = 48",
        );
        let expected = NetworkLimit {
            limit: FailureLimit {
                failures: 9,
                window: Duration::from_secs(60),
                lockout: Some(Duration::from_secs(86_400)),
            },
            prefix_v4: 0,
            prefix_v6: 48,
        };
        assert_eq!(limit, Ok(Some(expected)));
        for (key, why) in [
            (
                "network-failures = 65536",
                "65536 is out of range; expected a number from 0 to 65535",
            ),
            ("network-failures = -1", "-1 is out of range"),
            (
                "network-window = \"0s\"",
                "0s is out of range; expected a time from 1s to 1d",
            ),
            ("network-lockout = \"25h\"", "25h is out of range"),
            (
                "network-prefix-v4 = 33",
                "33 is out of range; expected a number from 0 to 32",
            ),
            (
                "network-prefix-v6 = 129",
                "129 is out of range; expected a number from 0 to 128",
            ),
        ] {
            let problems = authentication(key).unwrap_err();
            assert!(problems[0].contains(why), "{key}: {problems:?}");
        }
    }
}
