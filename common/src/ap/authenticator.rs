use core::time::Duration;

use super::error::{ApError, Part};
use super::ticket::{OpenTicket, checked_key};
use crate::crypto::{Key, KeyUsage};
use crate::name::Principal;
use crate::time::{KerberosTime, Timestamp};
use crate::wire::{self, Authenticator, AuthorizationDataElement, Checksum, EncryptedData};

/// An authenticator that was opened with a session key: its sender has that key. Whether it is fresh and of the ticket's
/// client is for the checks below.
#[derive(Clone, Debug)]
pub struct OpenAuthenticator {
    client: Principal,
    time: Timestamp,
    subkey: Option<Key>,
    seq_number: Option<u32>,
    checksum: Option<Checksum>,
    authorization_data: Vec<AuthorizationDataElement>,
}

/// Decrypts an authenticator: `usage` is [`KeyUsage::AP_REQ_AUTHENTICATOR`] for a service and
/// [`KeyUsage::TGS_REQ_AUTHENTICATOR`] for a KDC.
///
/// # Errors
/// [`ApError::AuthenticatorIntegrity`] when it is not under `session_key` or was altered; [`ApError::Malformed`],
/// [`ApError::Version`], [`ApError::Name`] or [`ApError::KeyType`] when the client put something strange into it.
pub fn open_authenticator(
    authenticator: &EncryptedData,
    session_key: &Key,
    usage: KeyUsage,
) -> Result<OpenAuthenticator, ApError> {
    if authenticator.etype != session_key.etype().number() {
        return Err(ApError::AuthenticatorIntegrity);
    }
    let plain = session_key
        .decrypt(usage, &authenticator.cipher)
        .map_err(|_| ApError::AuthenticatorIntegrity)?;
    OpenAuthenticator::new(wire::decode(&plain).map_err(|why| ApError::Malformed(Part::Authenticator, why))?)
}

impl OpenAuthenticator {
    fn new(wire: Authenticator) -> Result<Self, ApError> {
        if wire.authenticator_vno != wire::PVNO {
            return Err(ApError::Version(Part::Authenticator, wire.authenticator_vno));
        }
        let bad = |why| ApError::Name(Part::Authenticator, why);
        let strange = |etype| ApError::KeyType(Part::Authenticator, etype);
        let subkey = wire.subkey.as_ref().map(checked_key).transpose().map_err(strange)?;
        Ok(Self {
            client: Principal::new(wire.cname.to_name().map_err(bad)?, wire.crealm.to_realm().map_err(bad)?),
            time: Timestamp {
                time: wire.ctime,
                usec: wire.cusec.0,
            },
            subkey,
            seq_number: wire.seq_number.map(|n| n.0),
            checksum: wire.cksum,
            authorization_data: wire.authorization_data.unwrap_or_default(),
        })
    }

    /// Who it says it is from.
    #[must_use]
    pub const fn client(&self) -> &Principal {
        &self.client
    }

    /// The client's time, `ctime` and `cusec`.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// The client's choice of a key.
    #[must_use]
    pub const fn subkey(&self) -> Option<&Key> {
        self.subkey.as_ref()
    }

    /// The first sequence number of the client's messages.
    #[must_use]
    pub const fn seq_number(&self) -> Option<u32> {
        self.seq_number
    }

    /// The checksum, not verified: only the caller knows over what it is.
    #[must_use]
    pub const fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }

    /// The authorization data that the client added.
    #[must_use]
    pub fn authorization_data(&self) -> &[AuthorizationDataElement] {
        &self.authorization_data
    }

    /// RFC 4120 §3.2.3: the client's name and realm are those of the ticket, whole. The name type does not count.
    ///
    /// # Errors
    /// [`ApError::Mismatch`].
    pub fn check_client(&self, ticket: &OpenTicket) -> Result<(), ApError> {
        if self.client == *ticket.client() {
            return Ok(());
        }
        Err(ApError::Mismatch {
            ticket: ticket.client().clone(),
            authenticator: self.client.clone(),
        })
    }

    /// RFC 4120 §3.2.3: the client's time and `now` are at most `allowed` apart, in either direction.
    ///
    /// # Errors
    /// [`ApError::Skew`].
    pub fn check_skew(&self, now: KerberosTime, allowed: Duration) -> Result<(), ApError> {
        if self.time.time.within(now, allowed) {
            return Ok(());
        }
        Err(ApError::Skew {
            client: self.time,
            now,
            allowed,
        })
    }
}
