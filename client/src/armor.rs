use tessera_common::ccache::CredentialCache;
use tessera_common::name::{Name, Principal, Realm};

use crate::cache::CacheFile;
use crate::client::{Client, clock_offset, fast_available};
use crate::error::Error;
use crate::exchange::Armor;
use crate::keytab_file::{KeytabError, KeytabFile};
use crate::login::Secret;
use crate::system;

impl Client {
    /// Armor for logins to `realm` (RFC 6113 §5.4.1.1), for [`crate::exchange::AsRequest::armor`]: whose cache it is does not
    /// matter, the machine's most often. Of another realm, a ticket for `realm` is got from there, and not kept.
    ///
    /// # Errors
    /// As [`Client::service_ticket`].
    pub fn armor(&self, cache: &CredentialCache, realm: &Realm) -> Result<Armor, Error> {
        let tgs = Principal::new(Name::krbtgt(realm), cache.principal.realm.clone());
        Ok(Armor {
            credential: self.service_ticket(&mut cache.clone(), &tgs)?,
            offset: clock_offset(cache),
        })
    }

    /// Armor that happens to be there: a ticket for `realm` that is still good, from a KDC that has said that it speaks FAST.
    #[must_use]
    pub fn armor_at_hand(&self, cache: &CredentialCache, realm: &Realm) -> Option<Armor> {
        let tgs = Principal::new(Name::krbtgt(realm), cache.principal.realm.clone());
        let armor = fast_available(cache, &tgs).then(|| self.armor(cache, realm));
        armor.and_then(Result::ok)
    }

    /// [`Client::armor`] from a cache on disk.
    ///
    /// # Errors
    /// [`Error::Armor`].
    pub fn armor_from_cache(&self, cache: &CacheFile, realm: &Realm) -> Result<Armor, Error> {
        let armor = cache.load().map_err(Error::from);
        let armor = armor.and_then(|cache| self.armor(&cache, realm));
        armor.map_err(|why| Error::Armor {
            from: cache.name().to_string(),
            why: Box::new(why),
        })
    }

    /// [`Client::armor`] from a keytab: logs `host/` and the name of this machine in, or whoever comes first in the keytab. The
    /// ticket is kept nowhere.
    ///
    /// ```no_run
    /// # use tessera_client::{Client, Error, Password, Secret};
    /// # use tessera_client::exchange::AsRequest;
    /// # fn main() -> Result<(), Error> {
    /// # let client = Client::from_environment()?;
    /// let alice = client.principal("alice")?;
    /// let request = AsRequest {
    ///     armor: Some(client.armor_from_keytab(&client.settings().default_keytab()?, &alice.realm)?),
    ///     ..client.login_request(&alice)?
    /// };
    /// let login = client.login_for(request, Secret::Password(Password::new("wonderland")))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Armor`].
    pub fn armor_from_keytab(&self, keytab: &KeytabFile, realm: &Realm) -> Result<Armor, Error> {
        self.log_in_for_armor(keytab, realm).map_err(|why| Error::Armor {
            from: keytab.to_string(),
            why: Box::new(why),
        })
    }

    fn log_in_for_armor(&self, file: &KeytabFile, realm: &Realm) -> Result<Armor, Error> {
        let keytab = file.load()?;
        let host = system::host_name().unwrap_or_default().to_ascii_lowercase();
        let principals = || keytab.entries.iter().map(|entry| &entry.principal);
        let principal = principals()
            .find(|principal| principal.name.is(&["host", &host]))
            .or_else(|| principals().next())
            .ok_or_else(|| KeytabError::Empty(file.path().to_owned()))?;
        self.armor(&self.login(principal, Secret::Keytab(&keytab))?, realm)
    }
}
