//! What a person's environment and krb5.conf say together.

use std::env;
use std::fmt;
use std::io;

use tessera_common::ccache::CacheName;
use tessera_common::krb5_conf::{ClientConfig, ConfigError, DEFAULT_FILE};
use tessera_common::name::Realm;

use crate::cache::CacheError;
use crate::keytab_file::KeytabFile;
use crate::system::{Disk, path_tokens};

const SYSTEM_KEYTAB: &str = "FILE:/etc/krb5.keytab";

/// krb5.conf and the variables that go before it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What krb5.conf says.
    pub config: ClientConfig,
    /// The files that were read, as `KRB5_CONFIG` names them: for messages.
    pub files: String,
}

/// Why the settings cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum SettingsError {
    /// krb5.conf is wrong.
    Config(ConfigError),
    /// The system does not tell this machine's addresses.
    Addresses(io::Error),
    /// The system does not tell this machine's name.
    HostName(io::Error),
    /// The system has no name for the user.
    NoUserName,
    /// There is no default realm.
    NoDefaultRealm {
        /// Where it was looked for.
        files: String,
    },
}

impl Settings {
    /// Reads the files that `KRB5_CONFIG` names, or else `/etc/krb5.conf`.
    ///
    /// # Errors
    /// [`SettingsError::Config`].
    pub fn load() -> Result<Self, SettingsError> {
        let files = env::var("KRB5_CONFIG").unwrap_or_else(|_| DEFAULT_FILE.to_owned());
        let config = ClientConfig::load(&files, &mut Disk).map_err(SettingsError::Config)?;
        Ok(Self { config, files })
    }

    /// The realm of names that have none.
    ///
    /// # Errors
    /// [`SettingsError::NoDefaultRealm`].
    pub fn default_realm(&self) -> Result<&Realm, SettingsError> {
        let none = || SettingsError::NoDefaultRealm {
            files: self.files.clone(),
        };
        self.config.default_realm.as_ref().ok_or_else(none)
    }

    /// The cache that is used when none is named: `KRB5CCNAME`, `default_ccache_name`, or `FILE:/tmp/krb5cc_` and the user's
    /// number.
    ///
    /// # Errors
    /// [`CacheError::Name`] when what is named is no cache; [`SettingsError::Config`].
    pub fn default_cache(&self) -> Result<CacheName, crate::Error> {
        let tokens = path_tokens();
        let name = match env::var("KRB5CCNAME") {
            Ok(name) if !name.is_empty() => name,
            _ => {
                let configured = self
                    .config
                    .default_ccache_name(&tokens)
                    .map_err(SettingsError::Config)?;
                configured.unwrap_or_else(|| format!("FILE:/tmp/krb5cc_{}", tokens.uid))
            }
        };
        Ok(name.parse().map_err(CacheError::Name)?)
    }

    /// The keytab that is used when none is named: `KRB5_KTNAME`, `default_keytab_name`, or `FILE:/etc/krb5.keytab`.
    ///
    /// # Errors
    /// [`crate::keytab_file::KeytabError::UnknownType`], [`SettingsError::Config`].
    pub fn default_keytab(&self) -> Result<KeytabFile, crate::Error> {
        let name = match env::var("KRB5_KTNAME") {
            Ok(name) if !name.is_empty() => name,
            _ => {
                let configured = self
                    .config
                    .default_keytab_name(&path_tokens())
                    .map_err(SettingsError::Config)?;
                configured.unwrap_or_else(|| SYSTEM_KEYTAB.to_owned())
            }
        };
        Ok(KeytabFile::named(&name)?)
    }

    /// The keytab from which programs log in by themselves: `KRB5_CLIENT_KTNAME`, `default_client_keytab_name`, or
    /// `FILE:/var/lib/krb5/user/` and the user's number and `/client.keytab`.
    ///
    /// # Errors
    /// [`crate::keytab_file::KeytabError::UnknownType`], [`SettingsError::Config`].
    pub fn client_keytab(&self) -> Result<KeytabFile, crate::Error> {
        let tokens = path_tokens();
        let name = match env::var("KRB5_CLIENT_KTNAME") {
            Ok(name) if !name.is_empty() => name,
            _ => {
                let configured = self
                    .config
                    .default_client_keytab_name(&tokens)
                    .map_err(SettingsError::Config)?;
                configured.unwrap_or_else(|| format!("FILE:/var/lib/krb5/user/{}/client.keytab", tokens.euid))
            }
        };
        Ok(KeytabFile::named(&name)?)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(why) => write!(f, "{why}"),
            Self::Addresses(why) => write!(f, "cannot get the addresses of this machine: {why}"),
            Self::HostName(why) => write!(f, "cannot get the name of this machine: {why}"),
            Self::NoUserName => f.write_str("Unable to identify user: name a principal"),
            Self::NoDefaultRealm { files } => write!(
                f,
                "Configuration file does not specify default realm: write the realm behind the name, or add `default_realm` to \
                 [libdefaults] in {files}"
            ),
        }
    }
}

impl core::error::Error for SettingsError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(source) => Some(source),
            Self::Addresses(source) | Self::HostName(source) => Some(source),
            Self::NoUserName | Self::NoDefaultRealm { .. } => None,
        }
    }
}
