//! The ticket that an administrator proves himself with from afar: one that is there, or one for a password.

use tessera_common::ccache::CredentialCache;
use tessera_common::credential::Credential;
use tessera_common::name::{Name, Principal, Realm};

use super::AdminError;
use crate::cache::{self, CacheError};
use crate::client::{Client, clock_offset};
use crate::error::Error;
use crate::exchange::{AsRequest, ClockOffset};
use crate::login::Secret;
use crate::prompt::Aside;
use crate::settings::SettingsError;
use crate::system;

/// A ticket for `kadmin/admin`, and how far the KDC's clock is from this machine's.
pub(super) struct Ticket {
    pub(super) credential: Credential,
    pub(super) clock: ClockOffset,
}

impl Ticket {
    /// The ticket in the cache that is named. Without one, the default cache's, if it has one that is still good; or else a
    /// new one, which nobody keeps, for the password of `principal`. Without that, of the cache's owner or of the user, with
    /// `/admin` behind the first component, as MIT's kadmin takes it.
    pub(super) fn obtain(cache: Option<&str>, principal: Option<&str>) -> Result<Self, AdminError> {
        let client = Client::from_environment().map_err(Error::from)?;
        let wanted = principal.map(|text| client.principal(text)).transpose()?;
        match cache {
            Some(named) => Self::in_cache(&client, named, wanted.as_ref()),
            None => Self::in_default_cache_or_new(&client, wanted),
        }
    }

    fn in_cache(client: &Client, named: &str, wanted: Option<&Principal>) -> Result<Self, AdminError> {
        let name = named.parse().map_err(|why| Error::from(CacheError::Name(why)))?;
        let cache = cache::open(&name).and_then(|file| file.load()).map_err(Error::from)?;
        if let Some(wanted) = wanted.filter(|wanted| **wanted != cache.principal) {
            return Err(AdminError::CacheOfAnother {
                cache: named.to_owned(),
                owner: cache.principal.clone(),
                wanted: wanted.clone(),
            });
        }
        Self::cached(client, &cache)?.ok_or_else(|| AdminError::NoTicketInCache {
            cache: named.to_owned(),
            owner: cache.principal.clone(),
        })
    }

    fn in_default_cache_or_new(client: &Client, wanted: Option<Principal>) -> Result<Self, AdminError> {
        let default = client.settings().default_cache()?;
        let cache = cache::open(&default).and_then(|file| file.load()).ok();
        if let Some(cache) = &cache
            && wanted.as_ref().is_none_or(|wanted| *wanted == cache.principal)
            && let Some(ticket) = Self::cached(client, cache)?
        {
            return Ok(ticket);
        }
        let principal = match (wanted, &cache) {
            (Some(wanted), _) => wanted,
            (None, Some(cache)) => administrator(&cache.principal.name, &cache.principal.realm)?,
            (None, None) => {
                let user = system::user_name().ok_or_else(|| Error::from(SettingsError::NoUserName))?;
                let user = client.principal(&user)?;
                administrator(&user.name, &user.realm)?
            }
        };
        Self::for_password(client, &principal, cache.as_ref())
    }

    fn cached(client: &Client, cache: &CredentialCache) -> Result<Option<Self>, AdminError> {
        let request = client.ticket_request(&service(&cache.principal.realm)?);
        let clock = clock_offset(cache);
        let credential = client.cached_ticket(cache, &request);
        let credential = credential.filter(|credential| credential.is_usable(clock.apply(system::now()).time));
        Ok(credential.map(|credential| Self { credential, clock }))
    }

    fn for_password(
        client: &Client,
        principal: &Principal,
        armor: Option<&CredentialCache>,
    ) -> Result<Self, AdminError> {
        let request = AsRequest {
            service: Some(service(&principal.realm)?.name),
            addresses: Vec::new(),
            armor: armor.and_then(|cache| client.armor_at_hand(cache, &principal.realm)),
            ..client.login_request(principal)?
        };
        let login = client.login_for(request, Secret::ask(&mut Aside))?;
        Ok(Self {
            credential: login.reply.credential,
            clock: login.reply.clock_offset,
        })
    }
}

fn service(realm: &Realm) -> Result<Principal, AdminError> {
    named(["kadmin", "admin"], realm)
}

fn administrator(name: &Name, realm: &Realm) -> Result<Principal, AdminError> {
    named([name.component(0).unwrap_or_default(), "admin"], realm)
}

fn named(components: [&str; 2], realm: &Realm) -> Result<Principal, AdminError> {
    let name = Name::new(components).map_err(|why| Error::Name {
        text: components.join("/"),
        why,
    })?;
    Ok(Principal::new(name, realm.clone()))
}
