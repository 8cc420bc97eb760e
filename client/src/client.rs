use std::net::SocketAddr;

use tessera_common::ccache::{CredentialCache, Entry, KdcOffset};
use tessera_common::name::{Name, NameError, Principal, Realm};

use crate::error::{Error, KdcError};
use crate::exchange::{ClockOffset, ClockRule, ExchangeError, Outbound, Transport, name_type_of};
use crate::net::{Answer, Courier, Preference};
use crate::settings::{Settings, SettingsError};
use crate::system;

/// A Kerberos client: it logs in, gets tickets for services and changes passwords at the realms of a krb5.conf.
///
/// It keeps no state. Tickets are kept in the [`CredentialCache`] that [`Client::login`] gives and
/// [`Client::service_ticket`] adds to; [`crate::cache`] reads and writes such caches as files.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) settings: Settings,
    pub(crate) courier: Courier,
}

impl Client {
    /// A client with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let udp_preference_limit = settings.config.udp_preference_limit;
        Self {
            settings,
            courier: Courier {
                udp_preference_limit,
                ..Courier::default()
            },
        }
    }

    /// A client with the settings of `KRB5_CONFIG` or `/etc/krb5.conf`.
    ///
    /// # Errors
    /// [`SettingsError::Config`].
    pub fn from_environment() -> Result<Self, SettingsError> {
        Ok(Self::new(Settings::load()?))
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Reads a name as a person types it; without a realm, the default realm is taken.
    ///
    /// # Errors
    /// [`Error::Name`]; [`Error::Settings`] when there is no default realm and one is needed.
    pub fn principal(&self, text: &str) -> Result<Principal, Error> {
        self.name_with(text, Principal::parse)
    }

    /// Reads an enterprise name, as `alice@mail.example.com` (RFC 6806 §5).
    ///
    /// # Errors
    /// As [`Client::principal`].
    pub fn enterprise_principal(&self, text: &str) -> Result<Principal, Error> {
        self.name_with(text, Principal::parse_enterprise)
    }

    /// The principal of a service on a host: in the realm that `[domain_realm]` says, or else the default realm.
    ///
    /// # Errors
    /// As [`Client::principal`].
    pub fn service_on_host(&self, service: &str, host: &str) -> Result<Principal, Error> {
        let host = host.to_ascii_lowercase();
        let bad = |why| Error::Name {
            text: format!("{service}/{host}"),
            why,
        };
        let realm = match self
            .settings
            .config
            .realm_of_host(&host)
            .map_err(SettingsError::Config)?
        {
            Some(realm) => realm,
            None => self.settings.default_realm()?.clone(),
        };
        Ok(Principal::new(Name::new([service, &host]).map_err(bad)?, realm))
    }

    fn name_with(
        &self,
        text: &str,
        parse: impl Fn(&str, Option<&Realm>) -> Result<Principal, NameError>,
    ) -> Result<Principal, Error> {
        match parse(text, self.settings.config.default_realm.as_ref()) {
            Err(NameError::NoRealm) => Err(self.settings.default_realm().err().map_or_else(
                || Error::Name {
                    text: text.to_owned(),
                    why: NameError::NoRealm,
                },
                Error::from,
            )),
            other => other.map_err(|why| Error::Name {
                text: text.to_owned(),
                why,
            }),
        }
    }

    pub(crate) fn clock_rule(&self) -> ClockRule {
        ClockRule {
            follow_kdc: self.settings.config.kdc_timesync,
            skew: self.settings.config.clockskew,
        }
    }

    /// Carries one request of an exchange to a KDC of its realm.
    pub(crate) fn ask_kdc(&self, outbound: &Outbound, first: Option<SocketAddr>) -> Result<Answer, Error> {
        let realm = &outbound.realm;
        let servers = self.settings.config.kdcs(realm).map_err(SettingsError::Config)?;
        if servers.is_empty() {
            return Err(Error::NoServer {
                realm: realm.clone(),
                key: "kdc",
                files: self.settings.files.clone(),
            });
        }
        let preference = match outbound.transport {
            Transport::Any => Preference::Udp,
            Transport::Stream => Preference::TcpOnly,
        };
        self.courier
            .ask(&servers, &outbound.octets, preference, first)
            .map_err(|why| Error::NoAnswer {
                realm: realm.clone(),
                why,
            })
    }
}

/// One conversation with the KDCs of a realm: who is speaking, about what, and who answered last.
pub(crate) struct Conversation<'a> {
    pub(crate) client: &'a Client,
    pub(crate) by: Principal,
    pub(crate) about: Principal,
    pub(crate) by_password: bool,
    kdc: Option<SocketAddr>,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(client: &'a Client, by: Principal, about: Principal) -> Self {
        Self {
            client,
            by,
            about,
            by_password: false,
            kdc: None,
        }
    }

    pub(crate) fn ask(&mut self, outbound: &Outbound) -> Result<Vec<u8>, Error> {
        let answer = self.client.ask_kdc(outbound, self.kdc)?;
        self.kdc = Some(answer.from);
        Ok(answer.octets)
    }

    pub(crate) fn failed(&self, source: ExchangeError) -> Error {
        let nobody = SocketAddr::from(([0u8; 4], 0));
        Error::Kdc(Box::new(KdcError {
            kdc: self.kdc.unwrap_or(nobody),
            client: self.by.clone(),
            service: self.about.clone(),
            by_password: self.by_password,
            at: system::now(),
            source,
        }))
    }
}

/// A cache's own idea of the KDC's clock.
pub(crate) fn clock_offset(cache: &CredentialCache) -> ClockOffset {
    cache.kdc_offset().map_or_else(ClockOffset::default, |offset| {
        ClockOffset::from_parts(offset.seconds, offset.microseconds)
    })
}

/// An empty cache for `principal`, which remembers the KDC's clock.
pub(crate) fn new_cache(principal: &Principal, offset: Option<ClockOffset>) -> CredentialCache {
    let mut cache = CredentialCache::new(principal.clone(), name_type_of(&principal.name));
    if let Some(offset) = offset {
        let (seconds, microseconds) = offset.to_parts();
        cache.set_kdc_offset(KdcOffset { seconds, microseconds });
    }
    cache
}

pub(crate) fn add(cache: &mut CredentialCache, credential: &tessera_common::credential::Credential) {
    cache.entries.push(Entry::from_credential(credential));
}

const FAST_AVAILABLE: &str = "fast_avail";

/// Whether the KDC that issued the ticket for `server` has said, where nobody could say it in its place, that it speaks FAST.
pub(crate) fn fast_available(cache: &CredentialCache, server: &Principal) -> bool {
    cache.config(FAST_AVAILABLE, Some(server)) == Some(b"yes")
}

/// Keeps that it has, where MIT's programs look for it, too.
pub(crate) fn set_fast_available(cache: &mut CredentialCache, server: &Principal) {
    let _ = cache.set_config(FAST_AVAILABLE, Some(server), b"yes");
}
