//! A KDC in miniature: whatever ticket a test needs, with nobody refusing to issue it.

use zeroize::Zeroizing;

use crate::Random;
use crate::ap::{ReplayCache, ReplayError, ReplayTag};
use crate::ccache::{CredentialCache, Entry};
use crate::credential::{Credential, TicketTimes};
use crate::crypto::{EncType, Key, KeyUsage};
use crate::flags::TicketFlags;
use crate::keytab::{Keytab, KeytabEntry};
use crate::name::{Principal, name_type};
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{
    self, AuthorizationData, EncTicketPart, EncryptedData, EncryptionKey, HostAddress, KerberosString, Kvno,
    PrincipalName, Ticket, TransitedEncoding,
};

/// Octets that no two calls share.
pub(crate) struct Counter(pub u64);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_be_bytes()[..chunk.len()]);
        }
    }
}

/// Forgets everything: for tests that present one message many times.
pub(crate) struct Forgetful;

impl ReplayCache for Forgetful {
    fn claim(&self, _: ReplayTag, _: KerberosTime) -> Result<(), ReplayError> {
        Ok(())
    }
}

pub(crate) const NOW: KerberosTime = KerberosTime(1_800_000_000);

pub(crate) fn now() -> Timestamp {
    Timestamp {
        time: NOW,
        usec: 123_456,
    }
}

pub(crate) fn principal(text: &str) -> Principal {
    text.parse().unwrap()
}

/// The key of the service in all tests, of an enctype.
pub(crate) fn service_key(etype: EncType) -> Key {
    Key::random(etype, &mut Counter(etype.number().unsigned_abs().into()))
}

/// A ticket to be issued. A test changes what it is about.
pub(crate) struct Issue {
    pub client: Principal,
    pub service: Principal,
    pub key: Key,
    pub kvno: Option<u32>,
    pub session_key: EncryptionKey,
    pub flags: TicketFlags,
    pub authtime: KerberosTime,
    pub starttime: Option<KerberosTime>,
    pub endtime: KerberosTime,
    pub addresses: Option<Vec<HostAddress>>,
    pub transited: &'static str,
    pub authorization_data: Option<AuthorizationData>,
}

pub(crate) const AES256: EncType = EncType::Aes256CtsHmacSha1_96;

impl Default for Issue {
    fn default() -> Self {
        Self::with(AES256, AES256)
    }
}

impl Issue {
    /// For alice to host/www, under a key and with a session key of these enctypes.
    pub(crate) fn with(etype: EncType, session: EncType) -> Self {
        Self {
            client: principal("alice@EXAMPLE.COM"),
            service: principal("host/www@EXAMPLE.COM"),
            key: service_key(etype),
            kvno: Some(3),
            session_key: (&Key::random(session, &mut Counter(7))).into(),
            flags: TicketFlags::PRE_AUTHENT,
            authtime: KerberosTime(NOW.0 - 600),
            starttime: Some(KerberosTime(NOW.0 - 300)),
            endtime: KerberosTime(NOW.0 + 36_000),
            addresses: None,
            transited: "",
            authorization_data: None,
        }
    }

    /// The ticket and the service's key in files for another library: what goes into a credential cache and a keytab.
    pub(crate) fn files(&self) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
        let mut cache = CredentialCache::new(self.client.clone(), name_type::PRINCIPAL);
        cache.entries.push(Entry::from_credential(&self.credential()));
        let entries = self.keys().into_iter().map(|(principal, kvno, key)| KeytabEntry {
            principal,
            name_type: name_type::SRV_HST,
            timestamp: self.authtime,
            kvno,
            key: key.into(),
        });
        let keytab = Keytab {
            entries: entries.collect(),
        };
        (cache.to_bytes(), keytab.to_bytes())
    }

    pub(crate) fn ticket(&self) -> Vec<u8> {
        let part = EncTicketPart {
            flags: self.flags,
            key: self.session_key.clone(),
            crealm: KerberosString::from(&self.client.realm),
            cname: PrincipalName::new(1, &self.client.name),
            transited: TransitedEncoding {
                tr_type: 1,
                contents: self.transited.as_bytes().into(),
            },
            authtime: self.authtime,
            starttime: self.starttime,
            endtime: self.endtime,
            renew_till: None,
            caddr: self.addresses.clone(),
            authorization_data: self.authorization_data.clone(),
        };
        let cipher = self
            .key
            .encrypt(KeyUsage::TICKET, &wire::encode(&part), &mut Counter(99));
        wire::encode(&Ticket {
            tkt_vno: 5,
            realm: KerberosString::from(&self.service.realm),
            sname: PrincipalName::new(2, &self.service.name),
            enc_part: EncryptedData {
                etype: self.key.etype().number(),
                kvno: self.kvno.map(Kvno),
                cipher: cipher.into(),
            },
        })
    }

    pub(crate) fn credential(&self) -> Credential {
        let etype = EncType::from_number(self.session_key.keytype).unwrap_or(AES256);
        Credential {
            client: self.client.clone(),
            server: self.service.clone(),
            key: Key::new(etype, &self.session_key.keyvalue).unwrap(),
            times: TicketTimes {
                authtime: self.authtime,
                starttime: self.starttime.unwrap_or(self.authtime),
                endtime: self.endtime,
                renew_till: None,
            },
            flags: self.flags,
            addresses: self.addresses.clone().unwrap_or_default(),
            authorization_data: Vec::new(),
            ticket: self.ticket(),
            second_ticket: Vec::new(),
        }
    }

    /// What the service has in its keytab: this ticket's key and nothing else.
    pub(crate) fn keys(&self) -> Vec<(Principal, u32, Key)> {
        vec![(self.service.clone(), self.kvno.unwrap_or(1), self.key.clone())]
    }
}
