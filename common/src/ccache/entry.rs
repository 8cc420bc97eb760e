use zeroize::Zeroizing;

use super::{CacheError, StoredKey};
use crate::credential::{Credential, TicketTimes};
use crate::flags::TicketFlags;
use crate::name::{Name, NameError, Principal, Realm, name_type};
use crate::reader::{Reader, Truncated};
use crate::time::KerberosTime;
use crate::wire::{self, AuthorizationData, AuthorizationDataElement, HostAddress, Ticket};

const CONFIG_REALM: &str = "X-CACHECONF:";
const CONFIG_NAME: &str = "krb5_ccache_conf_data";
// Programs that remove an entry in place cannot shift the rest: they set the end to 0 and the time of authentication to -1.
const REMOVED_AUTHTIME: KerberosTime = KerberosTime(0xffff_ffff);

/// One entry of a cache as the file has it: a ticket, or configuration in a ticket's clothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whom the ticket names.
    pub client: Principal,
    /// The type of that name, [`name_type`].
    pub client_name_type: i32,
    /// What the ticket is for.
    pub server: Principal,
    /// The type of that name.
    pub server_name_type: i32,
    /// The session key. Wiped when dropped.
    pub key: StoredKey,
    /// When the client was authenticated first. As all times here, 0 to 2^32-1 seconds since 1970; 0 is "not set".
    pub authtime: KerberosTime,
    /// From when on the ticket is good; 0, from `authtime`.
    pub starttime: KerberosTime,
    /// Until when.
    pub endtime: KerberosTime,
    /// Until when it can be renewed; 0, not at all.
    pub renew_till: KerberosTime,
    /// Whether the ticket is encrypted in another ticket's session key: user-to-user.
    pub is_skey: bool,
    /// The ticket's flags.
    pub flags: TicketFlags,
    /// From where the ticket may be used; empty, from anywhere. The file has 16 bits for each type.
    pub addresses: Vec<HostAddress>,
    /// Authorization data that the client asked for. The file has 16 bits, signed, for each type.
    pub authorization_data: AuthorizationData,
    /// The DER of the ticket; in configuration, the value.
    pub ticket: Vec<u8>,
    /// The DER of the ticket whose session key `ticket` is encrypted in, or nothing.
    pub second_ticket: Vec<u8>,
}

/// What a program keeps beside the tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config<'a> {
    /// What is kept: `fast_avail`, `pa_type`, `pa_config_data`, `proxy_impersonator`, `refresh_time`, `start_realm` …
    pub key: &'a str,
    /// For which principal, as text, where the key is of a principal.
    pub principal: Option<&'a str>,
    /// The value; text, for all known keys.
    pub value: &'a [u8],
}

impl Entry {
    /// An entry for a credential.
    #[must_use]
    pub fn from_credential(credential: &Credential) -> Self {
        Self {
            client: credential.client.clone(),
            client_name_type: natural_type(&credential.client.name),
            server: credential.server.clone(),
            server_name_type: natural_type(&credential.server.name),
            key: credential.key.clone().into(),
            authtime: credential.times.authtime,
            starttime: credential.times.starttime,
            endtime: credential.times.endtime,
            renew_till: credential.times.renew_till.unwrap_or(KerberosTime::EPOCH),
            is_skey: credential.is_user_to_user(),
            flags: credential.flags,
            addresses: credential.addresses.clone(),
            authorization_data: credential.authorization_data.clone(),
            ticket: credential.ticket.clone(),
            second_ticket: credential.second_ticket.clone(),
        }
    }

    /// The credential, if it can be used: no configuration, and with a key of an enctype of this crate.
    #[must_use]
    pub fn to_credential(&self) -> Option<Credential> {
        if self.config().is_some() {
            return None;
        }
        let set = |time: KerberosTime| (time != KerberosTime::EPOCH).then_some(time);
        Some(Credential {
            client: self.client.clone(),
            server: self.service()?,
            key: self.key.known()?.clone(),
            times: TicketTimes {
                authtime: self.authtime,
                starttime: set(self.starttime).unwrap_or(self.authtime),
                endtime: self.endtime,
                renew_till: set(self.renew_till),
            },
            flags: self.flags,
            addresses: self.addresses.clone(),
            authorization_data: self.authorization_data.clone(),
            ticket: self.ticket.clone(),
            second_ticket: self.second_ticket.clone(),
        })
    }

    // What the ticket is for, where the entry itself leaves the realm open.
    fn service(&self) -> Option<Principal> {
        if self.server.realm != Realm::left_to_kdc() {
            return Some(self.server.clone());
        }
        let ticket: Ticket = wire::decode(&self.ticket).ok()?;
        Some(Principal::new(
            ticket.sname.to_name().ok()?,
            ticket.realm.to_realm().ok()?,
        ))
    }

    /// Configuration: `value` for `key`, and for `principal` where the key is of a principal.
    ///
    /// # Errors
    /// [`NameError`] when `key` cannot be the component of a name.
    pub fn new_config(
        client: &Principal,
        client_name_type: i32,
        key: &str,
        principal: Option<&Principal>,
        value: &[u8],
    ) -> Result<Self, NameError> {
        let principal = principal.map(ToString::to_string);
        let components = [CONFIG_NAME, key].into_iter().chain(principal.as_deref());
        Ok(Self {
            client: client.clone(),
            client_name_type,
            server: Principal::new(Name::new(components)?, Realm::new(CONFIG_REALM)?),
            server_name_type: name_type::PRINCIPAL,
            key: StoredKey::none(),
            authtime: KerberosTime::EPOCH,
            starttime: KerberosTime::EPOCH,
            endtime: KerberosTime::EPOCH,
            renew_till: KerberosTime::EPOCH,
            is_skey: false,
            flags: TicketFlags::empty(),
            addresses: Vec::new(),
            authorization_data: Vec::new(),
            ticket: value.to_vec(),
            second_ticket: Vec::new(),
        })
    }

    /// What is kept here, if this is configuration.
    #[must_use]
    pub fn config(&self) -> Option<Config<'_>> {
        let Principal { name, realm } = &self.server;
        if realm.as_str() != CONFIG_REALM || name.component(0) != Some(CONFIG_NAME) {
            return None;
        }
        Some(Config {
            key: name.component(1)?,
            principal: name.component(2),
            value: &self.ticket,
        })
    }

    /// The octets to write behind a cache's other entries, in version 4. Wiped when dropped.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut names = Vec::new();
        write_principal(&mut names, &self.client, self.client_name_type);
        write_principal(&mut names, &self.server, self.server_name_type);
        let mut rest = Vec::new();
        for time in [self.authtime, self.starttime, self.endtime, self.renew_till] {
            write_u32(&mut rest, u32::try_from(time.seconds().max(0)).unwrap_or(u32::MAX));
        }
        rest.push(u8::from(self.is_skey));
        write_u32(&mut rest, self.flags.0);
        write_count(&mut rest, self.addresses.len());
        for HostAddress { addr_type, address } in &self.addresses {
            write_type(&mut rest, *addr_type);
            write_data(&mut rest, address);
        }
        write_count(&mut rest, self.authorization_data.len());
        for AuthorizationDataElement { ad_type, ad_data } in &self.authorization_data {
            write_type(&mut rest, *ad_type);
            write_data(&mut rest, ad_data);
        }
        write_data(&mut rest, &self.ticket);
        write_data(&mut rest, &self.second_ticket);

        // As large as it will get: growing would leave a copy of the key behind.
        let key = self.key.octets();
        let mut entry = Zeroizing::new(Vec::with_capacity(names.len() + 2 + 4 + key.len() + rest.len()));
        entry.extend_from_slice(&names);
        entry.extend_from_slice(&self.key.etype_in_file());
        write_data(&mut entry, key);
        entry.extend_from_slice(&rest);
        entry
    }

    pub(super) fn read(reader: &mut Reader<'_>, version: u8) -> Result<Self, CacheError> {
        let (client, client_name_type) = read_principal(reader, Realmless::Wrong)?;
        let (server, server_name_type) = read_principal(reader, Realmless::Allowed)?;
        let key = read_key(reader, version)?;
        let (authtime, starttime) = (read_time(reader)?, read_time(reader)?);
        let (endtime, renew_till) = (read_time(reader)?, read_time(reader)?);
        Ok(Self {
            client,
            client_name_type,
            server,
            server_name_type,
            key,
            authtime,
            starttime,
            endtime,
            renew_till,
            is_skey: reader.u8()? != 0,
            flags: TicketFlags(reader.u32()?),
            addresses: read_typed(reader, |kind, octets| HostAddress {
                addr_type: i32::from(kind),
                address: octets.into(),
            })?,
            authorization_data: read_typed(reader, |kind, octets| AuthorizationDataElement {
                ad_type: i32::from(kind.cast_signed()),
                ad_data: octets.into(),
            })?,
            ticket: read_data(reader)?.to_vec(),
            second_ticket: read_data(reader)?.to_vec(),
        })
    }

    pub(super) fn is_removed(&self) -> bool {
        self.endtime == KerberosTime::EPOCH && self.authtime == REMOVED_AUTHTIME
    }
}

fn natural_type(name: &Name) -> i32 {
    if name.tgs_realm().is_some() {
        name_type::SRV_INST
    } else {
        name_type::PRINCIPAL
    }
}

/// Whether a principal may be of no realm: a service of [`Realm::left_to_kdc`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Realmless {
    Allowed,
    Wrong,
}

pub(super) fn read_principal(reader: &mut Reader<'_>, realmless: Realmless) -> Result<(Principal, i32), CacheError> {
    let offset = reader.at();
    let bad_name = |reason| CacheError::BadName { offset, reason };
    let text = |octets| core::str::from_utf8(octets).map_err(|_| bad_name(NameError::NotUtf8));

    let name_type = reader.i32()?;
    let count = reader.u32()?;
    let realm = match text(read_data(reader)?)? {
        "" if realmless == Realmless::Allowed => Realm::left_to_kdc(),
        realm => Realm::new(realm).map_err(bad_name)?,
    };
    let mut components = Vec::new();
    for _ in 0..count {
        components.push(text(read_data(reader)?)?);
    }
    let name = Name::new(components).map_err(bad_name)?;
    Ok((Principal::new(name, realm), name_type))
}

pub(super) fn write_principal(file: &mut Vec<u8>, principal: &Principal, name_type: i32) {
    file.extend_from_slice(&name_type.to_be_bytes());
    write_count(file, principal.name.len());
    write_data(file, principal.realm.as_str().as_bytes());
    for component in principal.name.components() {
        write_data(file, component.as_bytes());
    }
}

fn read_key(reader: &mut Reader<'_>, version: u8) -> Result<StoredKey, CacheError> {
    let offset = reader.at();
    let etype = reader.u16()?.cast_signed();
    if version == 3 {
        reader.u16()?;
    }
    let octets = read_data(reader)?;
    StoredKey::from_file(etype, octets).ok_or_else(|| CacheError::KeyLength {
        offset,
        etype: i32::from(etype),
    })
}

fn read_time(reader: &mut Reader<'_>) -> Result<KerberosTime, Truncated> {
    reader.u32().map(|seconds| KerberosTime(i64::from(seconds)))
}

fn read_data<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
    let length = reader.u32()?;
    reader.take(usize::try_from(length).unwrap_or(usize::MAX))
}

// Nothing is allocated for the count itself: a hostile file may name four thousand million.
fn read_typed<T>(reader: &mut Reader<'_>, make: impl Fn(u16, &[u8]) -> T) -> Result<Vec<T>, Truncated> {
    let count = reader.u32()?;
    let mut all = Vec::new();
    for _ in 0..count {
        let kind = reader.u16()?;
        all.push(make(kind, read_data(reader)?));
    }
    Ok(all)
}

fn write_u32(file: &mut Vec<u8>, number: u32) {
    file.extend_from_slice(&number.to_be_bytes());
}

fn write_count(file: &mut Vec<u8>, count: usize) {
    write_u32(file, u32::try_from(count).unwrap_or(u32::MAX));
}

// The low sixteen bits, which is all of every type in use.
fn write_type(file: &mut Vec<u8>, number: i32) {
    let [_, _, high, low] = number.to_be_bytes();
    file.extend_from_slice(&[high, low]);
}

fn write_data(file: &mut Vec<u8>, octets: &[u8]) {
    write_count(file, octets.len());
    file.extend_from_slice(octets);
}
