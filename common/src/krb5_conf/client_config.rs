use core::net::IpAddr;
use core::time::Duration;

use super::{ConfigError, Files, PathTokens, Profile, Server, Value};
use crate::crypto::EncType;
use crate::mit_time;
use crate::name::Realm;

const LIBDEFAULTS: &str = "libdefaults";
const KDC_PORT: u16 = 88;
const PASSWORD_PORT: u16 = 464;
// What fits a UDP datagram with room for IP's options.
const LARGEST_UDP_PREFERENCE: usize = 32_700;

/// What clients heed of krb5.conf, checked; where the files say nothing, MIT's defaults.
///
/// What belongs to one realm or host is read when it is asked for, so that a mistake there hurts nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own in the file")]
pub struct ClientConfig {
    /// The realm of names that have none.
    pub default_realm: Option<Realm>,
    /// How long a ticket is asked for; `None`, the program's own default.
    pub ticket_lifetime: Option<Duration>,
    /// How long a ticket shall be renewable; `None` or zero, it need not be.
    pub renew_lifetime: Option<Duration>,
    /// Whether initial tickets shall be forwardable.
    pub forwardable: bool,
    /// Whether initial tickets shall be proxiable.
    pub proxiable: bool,
    /// Whether tickets are asked for without addresses.
    pub noaddresses: bool,
    /// Whether the KDC may answer with another name for the client.
    pub canonicalize: bool,
    /// How far the clocks of peers may be off.
    pub clockskew: Duration,
    /// Whether a KDC's clock is remembered and used.
    pub kdc_timesync: bool,
    /// The largest request, in octets, that is tried over UDP first.
    pub udp_preference_limit: usize,
    /// What is asked of the AS, best first. Never empty.
    pub tkt_enctypes: Vec<EncType>,
    /// What is asked of the TGS, best first. Never empty.
    pub tgs_enctypes: Vec<EncType>,
    /// What is taken at all. Never empty.
    pub permitted_enctypes: Vec<EncType>,
    profile: Profile,
}

impl ClientConfig {
    /// Reads the files of `paths`, colon-separated as in `KRB5_CONFIG`; see [`Profile::load`].
    ///
    /// # Errors
    /// As [`Profile::load`] and [`ClientConfig::new`].
    pub fn load(paths: &str, files: &mut dyn Files) -> Result<Self, ConfigError> {
        Self::new(Profile::load(paths, files)?)
    }

    /// Checks `[libdefaults]`.
    ///
    /// # Errors
    /// [`ConfigError`] at the value that cannot be used.
    pub fn new(profile: Profile) -> Result<Self, ConfigError> {
        let default = |key| Setting {
            key,
            value: profile.value(&[LIBDEFAULTS, key]),
        };
        let permitted = default("permitted_enctypes").enctypes(&EncType::ALL)?;
        Ok(Self {
            default_realm: default("default_realm").realm()?,
            ticket_lifetime: default("ticket_lifetime").span()?,
            renew_lifetime: default("renew_lifetime").span()?,
            forwardable: default("forwardable").flag(false)?,
            proxiable: default("proxiable").flag(false)?,
            noaddresses: default("noaddresses").flag(true)?,
            canonicalize: default("canonicalize").flag(false)?,
            clockskew: default("clockskew").span()?.unwrap_or(Duration::from_secs(300)),
            kdc_timesync: default("kdc_timesync").flag(true)?,
            udp_preference_limit: default("udp_preference_limit")
                .octets(1465)?
                .min(LARGEST_UDP_PREFERENCE),
            tkt_enctypes: default("default_tkt_enctypes").enctypes(&permitted)?,
            tgs_enctypes: default("default_tgs_enctypes").enctypes(&permitted)?,
            permitted_enctypes: permitted,
            profile,
        })
    }

    /// `default_ccache_name`, with the tokens replaced.
    ///
    /// # Errors
    /// [`ConfigError`] when a token cannot be replaced.
    pub fn default_ccache_name(&self, tokens: &PathTokens) -> Result<Option<String>, ConfigError> {
        self.path("default_ccache_name", tokens)
    }

    /// `default_keytab_name`, with the tokens replaced.
    ///
    /// # Errors
    /// [`ConfigError`] when a token cannot be replaced.
    pub fn default_keytab_name(&self, tokens: &PathTokens) -> Result<Option<String>, ConfigError> {
        self.path("default_keytab_name", tokens)
    }

    /// `default_client_keytab_name`, with the tokens replaced.
    ///
    /// # Errors
    /// [`ConfigError`] when a token cannot be replaced.
    pub fn default_client_keytab_name(&self, tokens: &PathTokens) -> Result<Option<String>, ConfigError> {
        self.path("default_client_keytab_name", tokens)
    }

    /// The KDCs of `realm` in the order to be asked in; empty when the files name none. Port 88 unless they say otherwise.
    ///
    /// # Errors
    /// [`ConfigError`] at an entry that is no server.
    pub fn kdcs(&self, realm: &Realm) -> Result<Vec<Server>, ConfigError> {
        self.servers(realm, "kdc", KDC_PORT)
    }

    /// The password services of `realm` in the order to be asked in; empty when the files name none (MIT's library then takes
    /// the hosts of `admin_server`). Port 464 unless they say otherwise.
    ///
    /// # Errors
    /// [`ConfigError`] at an entry that is no server.
    pub fn password_servers(&self, realm: &Realm) -> Result<Vec<Server>, ConfigError> {
        self.servers(realm, "kpasswd_server", PASSWORD_PORT)
    }

    /// Whether passwords of `realm` are not to be proved by an encrypted timestamp, on which everybody on the path can try
    /// them: its `disable_encrypted_timestamp`. Logins then need FAST armor.
    ///
    /// # Errors
    /// [`ConfigError`] when it is neither true nor false.
    pub fn disable_encrypted_timestamp(&self, realm: &Realm) -> Result<bool, ConfigError> {
        let key = "disable_encrypted_timestamp";
        Setting {
            key,
            value: self.profile.value(&["realms", realm.as_str(), key]),
        }
        .flag(false)
    }

    /// The realm of a host by `[domain_realm]`: of `a.b.c` looks for `a.b.c`, `.b.c`, `b.c`, `.c` and `c`. `None` when none
    /// is there, and for addresses. Case in the host's name does not matter.
    ///
    /// # Errors
    /// [`ConfigError`] when what is there is no realm.
    pub fn realm_of_host(&self, host: &str) -> Result<Option<Realm>, ConfigError> {
        if host.parse::<IpAddr>().is_ok() {
            return Ok(None);
        }
        let host = host.to_ascii_lowercase();
        let mut suffix = host.strip_suffix('.').unwrap_or(&host);
        while !suffix.is_empty() {
            if let Some(value) = self.profile.value(&["domain_realm", suffix]) {
                return Setting {
                    key: suffix,
                    value: Some(value),
                }
                .realm();
            }
            suffix = match suffix.strip_prefix('.') {
                Some(rest) => rest,
                None => suffix.find('.').and_then(|dot| suffix.get(dot..)).unwrap_or_default(),
            };
        }
        Ok(None)
    }

    fn path(&self, key: &str, tokens: &PathTokens) -> Result<Option<String>, ConfigError> {
        let expand = |value: &Value| tokens.expand(&value.text).map_err(|reason| value.bad(key, reason));
        self.profile.value(&[LIBDEFAULTS, key]).map(expand).transpose()
    }

    fn servers(&self, realm: &Realm, key: &str, port: u16) -> Result<Vec<Server>, ConfigError> {
        let server = |value: &Value| Server::parse(&value.text, port).map_err(|reason| value.bad(key, reason));
        self.profile
            .values(&["realms", realm.as_str(), key])
            .into_iter()
            .map(server)
            .collect()
    }
}

/// A relation that may be there.
struct Setting<'a> {
    key: &'a str,
    value: Option<&'a Value>,
}

impl Setting<'_> {
    fn read<T>(&self, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, ConfigError> {
        self.value
            .map(|value| read(&value.text).map_err(|reason| value.bad(self.key, reason)))
            .transpose()
    }

    fn realm(&self) -> Result<Option<Realm>, ConfigError> {
        self.read(|text| Realm::new(text).map_err(|e| e.to_string()))
    }

    fn span(&self) -> Result<Option<Duration>, ConfigError> {
        self.read(|text| mit_time::parse_span(text).map_err(|e| e.to_string()))
    }

    fn flag(&self, default: bool) -> Result<bool, ConfigError> {
        let flag = self.read(|text| match text.to_ascii_lowercase().as_str() {
            "y" | "yes" | "true" | "t" | "1" | "on" => Ok(true),
            "n" | "no" | "false" | "nil" | "0" | "off" => Ok(false),
            _ => Err("it is true or false".to_owned()),
        })?;
        Ok(flag.unwrap_or(default))
    }

    // A negative number means the default, as to MIT.
    fn octets(&self, default: usize) -> Result<usize, ConfigError> {
        let number = self.read(|text| text.parse::<i64>().map_err(|_| "it is a number of octets".to_owned()))?;
        Ok(number.and_then(|n| usize::try_from(n).ok()).unwrap_or(default))
    }

    // Names and families, with - before what is taken away again. Unknown ones are of other implementations, or of the past.
    fn enctypes(&self, if_absent: &[EncType]) -> Result<Vec<EncType>, ConfigError> {
        let chosen = self.read(|text| {
            let mut chosen = Vec::new();
            for word in text.split([' ', '\t', '\r', '\n', ',']) {
                let (take, name) = match word.strip_prefix('-') {
                    Some(name) => (false, name),
                    None => (true, word.strip_prefix('+').unwrap_or(word)),
                };
                let named = match name.to_ascii_lowercase().as_str() {
                    "default" | "aes" => EncType::ALL.to_vec(),
                    name => EncType::from_name(name).into_iter().collect(),
                };
                chosen.retain(|etype| take || !named.contains(etype));
                if take {
                    chosen.extend(
                        named
                            .into_iter()
                            .filter(|etype| !chosen.contains(etype))
                            .collect::<Vec<_>>(),
                    );
                }
            }
            let names = || EncType::ALL.map(EncType::name).join(", ");
            if chosen.is_empty() {
                Err(format!("none of these is supported; there are {}", names()))
            } else {
                Ok(chosen)
            }
        })?;
        Ok(chosen.unwrap_or_else(|| if_absent.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::*;

    fn config(content: &'static str) -> ClientConfig {
        ClientConfig::new(load(&[("/etc/krb5.conf", content)]).unwrap()).unwrap()
    }

    fn realm(name: &str) -> Realm {
        Realm::new(name).unwrap()
    }

    #[test]
    fn an_empty_configuration_has_mits_defaults() {
        let config = config("");
        let expected = ClientConfig {
            default_realm: None,
            ticket_lifetime: None,
            renew_lifetime: None,
            forwardable: false,
            proxiable: false,
            noaddresses: true,
            canonicalize: false,
            clockskew: Duration::from_secs(300),
            kdc_timesync: true,
            udp_preference_limit: 1465,
            tkt_enctypes: EncType::ALL.to_vec(),
            tgs_enctypes: EncType::ALL.to_vec(),
            permitted_enctypes: EncType::ALL.to_vec(),
            profile: config.profile.clone(),
        };
        assert_eq!(config, expected);
        assert_eq!(config.kdcs(&realm("R")), Ok(vec![]));
        assert_eq!(config.realm_of_host("a.b.c"), Ok(None));
    }

    #[test]
    fn libdefaults_are_read() {
        let config = config(
            "[libdefaults]\n default_realm = R.COM\n ticket_lifetime = 10h\n renew_lifetime = 7d\n forwardable = yes\n \
             proxiable = 1\n noaddresses = false\n canonicalize = On\n clockskew = 60\n kdc_timesync = 0\n \
             udp_preference_limit = 1\n permitted_enctypes = aes256-cts aes128-cts\n \
             default_tgs_enctypes = aes -aes128-cts\n rdns = false\n allow_weak_crypto = maybe\n",
        );
        assert_eq!(config.default_realm, Some(realm("R.COM")));
        assert_eq!(config.ticket_lifetime, Some(Duration::from_secs(36_000)));
        assert_eq!(config.renew_lifetime, Some(Duration::from_secs(604_800)));
        assert_eq!(
            (config.forwardable, config.proxiable, config.noaddresses),
            (true, true, false)
        );
        assert_eq!((config.canonicalize, config.kdc_timesync), (true, false));
        assert_eq!(config.clockskew, Duration::from_secs(60));
        assert_eq!(config.udp_preference_limit, 1);
        let two = [EncType::Aes256CtsHmacSha1_96, EncType::Aes128CtsHmacSha1_96];
        assert_eq!(config.permitted_enctypes, two);
        assert_eq!(config.tkt_enctypes, two);
        assert!(!config.tgs_enctypes.contains(&EncType::Aes128CtsHmacSha1_96));
        assert_eq!(config.tgs_enctypes.len(), 3);
    }

    #[test]
    fn lists_of_enctypes_are_read_as_mit_reads_them() {
        let [a256, b256, a128, b128] = EncType::ALL;
        for (text, expected) in [
            ("aes128-cts-hmac-sha1-96,aes256-cts-hmac-sha1-96", &[a128, a256][..]),
            ("aes256-sha2 des3-cbc-sha1 rc4 camellia unheard-of", &[b256]),
            ("DEFAULT", &[a256, b256, a128, b128]),
            ("DEFAULT -aes256-cts", &[b256, a128, b128]),
            ("aes128-sha2 +aes", &[b128, a256, b256, a128]),
            ("aes256-cts aes256-cts", &[a256]),
        ] {
            let text = format!("[libdefaults]\ndefault_tkt_enctypes = {text}\n");
            assert_eq!(config(text.leak()).tkt_enctypes, expected);
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named() {
        for (line, part) in [
            ("default_realm = \"\"", "default_realm: the name is empty"),
            ("ticket_lifetime = soon", "ticket_lifetime: a span of time"),
            ("forwardable = perhaps", "forwardable: it is true or false"),
            ("udp_preference_limit = some", "udp_preference_limit: it is a number"),
            (
                "default_tkt_enctypes = rc4 des",
                "default_tkt_enctypes: none of these is supported",
            ),
            (
                "permitted_enctypes = aes -aes",
                "permitted_enctypes: none of these is supported",
            ),
        ] {
            let text = format!("[libdefaults]\n {line}\n");
            let error = ClientConfig::new(load(&[("/etc/krb5.conf", text.leak())]).unwrap())
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("/etc/krb5.conf:2: ") && error.contains(part),
                "{error}"
            );
        }
    }

    #[test]
    fn servers_of_a_realm_are_found_in_order() {
        let config = config(
            "[realms]\n R = {\n  kdc = a\n  kdc = b:8888\n  kpasswd_server = c:8464\n  admin_server = d:749\n }\n \
             S = {\n  kdc = [::1]:88\n  admin_server = d:749\n }\n T = {\n  kdc = https://x/\n }\n",
        );
        let written = |servers: Vec<Server>| servers.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(written(config.kdcs(&realm("R")).unwrap()), ["a:88", "b:8888"]);
        assert_eq!(written(config.kdcs(&realm("S")).unwrap()), ["[::1]:88"]);
        assert_eq!(written(config.password_servers(&realm("R")).unwrap()), ["c:8464"]);
        assert_eq!(config.password_servers(&realm("S")), Ok(vec![]));
        assert_eq!(config.password_servers(&realm("U")), Ok(vec![]));
        assert_eq!(config.kdcs(&realm("T")).unwrap_err().line, Some(13));
    }

    #[test]
    fn a_realm_may_be_without_encrypted_timestamps() {
        let config = config(
            "[realms]\n R = {\n  disable_encrypted_timestamp = true\n }\n S = {\n  disable_encrypted_timestamp = no\n }\n \
             T = {\n  disable_encrypted_timestamp = maybe\n }\n U = {\n  kdc = a\n }\n",
        );
        for (name, expected) in [("R", true), ("S", false), ("U", false), ("V", false)] {
            assert_eq!(config.disable_encrypted_timestamp(&realm(name)), Ok(expected), "{name}");
        }
        let wrong = config.disable_encrypted_timestamp(&realm("T")).unwrap_err();
        assert_eq!(wrong.line, Some(9));
    }

    #[test]
    fn the_realm_of_a_host_is_that_of_its_longest_known_suffix() {
        let config = config(
            "[domain_realm]\n .b.c = DOMAIN\n b.c = HOST\n a.b.c = EXACT\n d = TOP\n .e = DOTTED\n 127.0.0.1 = LOCAL\n",
        );
        for (host, expected) in [
            ("a.b.c", Some("EXACT")),
            ("A.B.C.", Some("EXACT")),
            ("x.b.c", Some("DOMAIN")),
            ("x.y.b.c", Some("DOMAIN")),
            ("b.c", Some("HOST")),
            ("x.d", Some("TOP")),
            ("d", Some("TOP")),
            ("x.e", Some("DOTTED")),
            ("e", None),
            ("c", None),
            ("", None),
            ("127.0.0.1", None),
            ("::1", None),
        ] {
            assert_eq!(config.realm_of_host(host), Ok(expected.map(realm)), "{host}");
        }
    }

    #[test]
    fn names_of_caches_and_keytabs_are_expanded() {
        let tokens = PathTokens {
            uid: 7,
            euid: 8,
            username: None,
            temp: "/t".into(),
        };
        let config = config(
            "[libdefaults]\n default_ccache_name = DIR:%{TEMP}/cc_%{uid}\n default_keytab_name = FILE:/k/%{username}\n",
        );
        assert_eq!(config.default_ccache_name(&tokens), Ok(Some("DIR:/t/cc_7".into())));
        assert_eq!(config.default_keytab_name(&tokens).unwrap_err().line, Some(3));
    }
}
