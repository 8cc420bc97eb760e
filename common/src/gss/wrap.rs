//! Wrap tokens (RFC 4121 §4.2.4, §4.2.6.2).

use zeroize::Zeroizing;

use super::context::Context;
use super::context_error::ContextError;
use super::message_token::{HEADER_LEN, Header, SEALED, own_flags};
use super::token::tok_id;
use crate::Random;
use crate::ap::Role;
use crate::crypto::KeyUsage;
use crate::time::KerberosTime;

// What encryption puts before the plaintext: a block of AES.
const CONFOUNDER_LEN: usize = 16;

/// What a Wrap token does for its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Nobody else can read or change it.
    Confidential,
    /// Nobody else can change it.
    Integrity,
}

/// What was in a Wrap token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwrapped {
    /// The data. Wiped when dropped.
    pub data: Zeroizing<Vec<u8>>,
    /// How it was protected: the sender's choice.
    pub protection: Protection,
}

impl Context {
    /// `data` in a token: `GSS_Wrap`.
    ///
    /// # Errors
    /// [`ContextError::Expired`].
    pub fn wrap(
        &mut self,
        data: &[u8],
        protection: Protection,
        now: KerberosTime,
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, ContextError> {
        self.check_current(now)?;
        let header = Header {
            tok_id: tok_id::WRAP,
            flags: own_flags(self.role(), self.acceptor_subkey.is_some()),
            ec: 0,
            rrc: 0,
            number: self.next_number(),
        };
        Ok(match protection {
            Protection::Confidential => self.seal(header, data, random),
            Protection::Integrity => self.sign(header, data),
        })
    }

    /// The data of the peer's token, if that comes in its turn: `GSS_Unwrap`.
    ///
    /// # Errors
    /// [`ContextError`]; the context stays as it was.
    pub fn unwrap(&mut self, token: &[u8], now: KerberosTime) -> Result<Unwrapped, ContextError> {
        self.check_current(now)?;
        let (header, payload) = Header::parse(tok_id::WRAP, token)?;
        header.check_flags(self.role(), self.acceptor_subkey.is_some())?;
        let payload = rotated_back(payload, header.rrc);
        let unwrapped = if header.flags & SEALED != 0 {
            self.open(header, &payload)?
        } else {
            self.verify(header, payload)?
        };
        self.take_number(header.number)?;
        Ok(unwrapped)
    }

    /// The most octets of data whose token has at most `token_len`: `GSS_Wrap_size_limit`. 0 also when no token is so short.
    #[must_use]
    pub fn wrap_size_limit(&self, protection: Protection, token_len: usize) -> usize {
        let mac_len = self.key().etype().mac_len();
        token_len.saturating_sub(match protection {
            Protection::Confidential => HEADER_LEN + CONFOUNDER_LEN + HEADER_LEN + mac_len,
            Protection::Integrity => HEADER_LEN + mac_len,
        })
    }

    // plaintext | filler | header, encrypted. AES in CTS mode needs no filler.
    fn seal(&self, header: Header, data: &[u8], random: &mut dyn Random) -> Vec<u8> {
        let flags = header.flags | SEALED;
        let header = Header { flags, ..header }.octets();
        let mut plain = Zeroizing::new(Vec::with_capacity(data.len() + HEADER_LEN));
        plain.extend_from_slice(data);
        plain.extend_from_slice(&header);
        let cipher = self.key().encrypt(usage(self.role()), &plain, random);
        [&header[..], &cipher].concat()
    }

    fn open(&self, header: Header, payload: &[u8]) -> Result<Unwrapped, ContextError> {
        let mut plain = self
            .key()
            .decrypt(usage(self.role().peer()), payload)
            .map_err(|_| ContextError::Integrity)?;
        // The header stands inside as it was before anything was rotated.
        let inside = Header { rrc: 0, ..header }.octets();
        let (before, copy) = plain.split_last_chunk().ok_or(ContextError::Integrity)?;
        if *copy != inside {
            return Err(ContextError::Integrity);
        }
        let length = before.len().checked_sub(header.ec.into());
        plain.truncate(length.ok_or(ContextError::Integrity)?);
        Ok(Unwrapped {
            data: plain,
            protection: Protection::Confidential,
        })
    }

    // plaintext | checksum. The checksum covers the header as it was before EC was known.
    fn sign(&self, header: Header, data: &[u8]) -> Vec<u8> {
        let key = self.key();
        let checksum = key.checksum(usage(self.role()), &[data, &header.octets()].concat());
        let ec = u16::try_from(checksum.len()).unwrap_or_default();
        [&Header { ec, ..header }.octets()[..], data, &checksum].concat()
    }

    fn verify(&self, header: Header, mut payload: Zeroizing<Vec<u8>>) -> Result<Unwrapped, ContextError> {
        let key = self.key();
        let mac_len = key.etype().mac_len();
        let length = payload.len().checked_sub(mac_len).ok_or(ContextError::Malformed)?;
        if usize::from(header.ec) != mac_len {
            return Err(ContextError::Malformed);
        }
        let checksum = payload.split_off(length);
        payload.extend_from_slice(
            &Header {
                ec: 0,
                rrc: 0,
                ..header
            }
            .octets(),
        );
        let usage = usage(self.role().peer());
        key.verify_checksum(usage, key.etype().checksum_type(), &payload, &checksum)
            .map_err(|_| ContextError::Integrity)?;
        payload.truncate(length);
        Ok(Unwrapped {
            data: payload,
            protection: Protection::Integrity,
        })
    }
}

/// RFC 4121 §4.2.5: `payload` without its rotation, which may be by more than it is long. MIT rotates nothing, Windows and
/// Heimdal what follows the ciphertext's header to its front.
fn rotated_back(payload: &[u8], rrc: u16) -> Zeroizing<Vec<u8>> {
    let by = usize::from(rrc).checked_rem(payload.len()).unwrap_or(0);
    let (front, back) = payload.split_at_checked(by).unwrap_or((payload, &[]));
    let mut whole = Zeroizing::new(Vec::with_capacity(payload.len() + HEADER_LEN));
    whole.extend_from_slice(back);
    whole.extend_from_slice(front);
    whole
}

const fn usage(sender: Role) -> KeyUsage {
    match sender {
        Role::Initiator => KeyUsage::INITIATOR_SEAL,
        Role::Acceptor => KeyUsage::ACCEPTOR_SEAL,
    }
}
