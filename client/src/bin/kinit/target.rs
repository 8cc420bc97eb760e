use tessera_client::cache::{self, CacheError, CacheFile};
use tessera_client::command_line::kinit::Arguments;
use tessera_client::keytab_file::{KeytabError, KeytabFile};
use tessera_client::{Client, Error, system};
use tessera_common::ccache::CacheName;
use tessera_common::name::Principal;

/// Who logs in, and where the ticket goes.
pub(crate) struct Target {
    pub(crate) principal: Principal,
    pub(crate) cache: CacheFile,
    /// Whether the cache becomes the one that its collection's users use.
    pub(crate) make_primary: bool,
    /// For the verbose.
    pub(crate) how: String,
}

impl Target {
    pub(crate) fn choose(client: &Client, arguments: &Arguments) -> Result<Self, Error> {
        match &arguments.cache {
            Some(name) => {
                let cache = cache::open(&name.parse().map_err(CacheError::Name)?)?;
                let principal = match named(client, arguments)? {
                    Some(principal) => principal,
                    None => owner(&cache).map_or_else(|| user(client), Ok)?,
                };
                Ok(Self {
                    principal,
                    cache,
                    make_primary: false,
                    how: format!("Using specified cache: {name}"),
                })
            }
            None => Self::in_default(client, arguments, &client.settings().default_cache()?),
        }
    }

    // In a collection, every principal has a cache of its own.
    fn in_default(client: &Client, arguments: &Arguments, name: &CacheName) -> Result<Self, Error> {
        let default = cache::open(name)?;
        let owner = owner(&default);
        let using = |what: &str, cache: &CacheFile| format!("Using {what} cache: {}", residual(cache));
        let principal = match (named(client, arguments)?, &owner) {
            (Some(principal), _) => principal,
            (None, Some(owner)) => {
                let how = using("default", &default);
                return Ok(Self {
                    principal: owner.clone(),
                    cache: default,
                    make_primary: false,
                    how,
                });
            }
            (None, None) => user(client)?,
        };
        if !matches!(name, CacheName::File(_)) {
            match cache::by_principal(name, &principal) {
                Ok(cache) => {
                    let how = using("existing", &cache);
                    return Ok(Self {
                        principal,
                        cache,
                        make_primary: true,
                        how,
                    });
                }
                Err(CacheError::NoneOf(_)) => {}
                Err(e) => return Err(e.into()),
            }
            if owner.is_some() {
                let cache = cache::new_in(name)?;
                let how = using("new", &cache);
                return Ok(Self {
                    principal,
                    cache,
                    make_primary: true,
                    how,
                });
            }
        }
        let how = using("default", &default);
        Ok(Self {
            principal,
            cache: default,
            make_primary: false,
            how,
        })
    }
}

// The principal that the command line names, in one way or another.
fn named(client: &Client, arguments: &Arguments) -> Result<Option<Principal>, Error> {
    if let Some(text) = &arguments.principal {
        let principal = if arguments.enterprise {
            client.enterprise_principal(text)
        } else {
            client.principal(text)
        };
        return principal.map(Some);
    }
    if arguments.client_keytab {
        return first_of(&client.settings().client_keytab()?).map(Some);
    }
    if arguments.uses_keytab() {
        let host = system::host_name().map_err(|e| Error::from(tessera_client::SettingsError::HostName(e)))?;
        return client.service_on_host("host", &host).map(Some);
    }
    Ok(None)
}

fn first_of(file: &KeytabFile) -> Result<Principal, Error> {
    let first = file.load()?.entries.first().map(|entry| entry.principal.clone());
    first.ok_or_else(|| KeytabError::Empty(file.path().to_owned()).into())
}

fn owner(cache: &CacheFile) -> Option<Principal> {
    cache.load().ok().map(|cache| cache.principal)
}

fn user(client: &Client) -> Result<Principal, Error> {
    let name = system::user_name().ok_or_else(|| Error::from(tessera_client::SettingsError::NoUserName))?;
    client.principal(&name)
}

// The name without its type, as MIT's program shows it.
fn residual(cache: &CacheFile) -> String {
    let name = cache.name().to_string();
    name.split_once(':')
        .map_or(name.clone(), |(_, residual)| residual.to_owned())
}
