//! MIC tokens (RFC 4121 §4.2.6.1).

use super::context::Context;
use super::context_error::ContextError;
use super::message_token::{HEADER_LEN, Header, SEALED, own_flags};
use super::token::tok_id;
use crate::ap::Role;
use crate::crypto::KeyUsage;
use crate::time::KerberosTime;

// Octets 4 to 7.
const FILLERS: u16 = 0xffff;

impl Context {
    /// A MIC of `data`, which travels beside it: `GSS_GetMIC`.
    ///
    /// # Errors
    /// [`ContextError::Expired`].
    pub fn mic(&mut self, data: &[u8], now: KerberosTime) -> Result<Vec<u8>, ContextError> {
        self.check_current(now)?;
        let header = Header {
            tok_id: tok_id::MIC,
            flags: own_flags(self.role(), self.acceptor_subkey.is_some()),
            ec: FILLERS,
            rrc: FILLERS,
            number: self.next_number(),
        };
        let header = header.octets();
        let mic = self.key().checksum(usage(self.role()), &[data, &header].concat());
        Ok([&header[..], &mic].concat())
    }

    /// Whether the peer made this MIC of `data`, and it comes in its turn: `GSS_VerifyMIC`.
    ///
    /// # Errors
    /// [`ContextError`]; the context stays as it was.
    pub fn verify_mic(&mut self, data: &[u8], token: &[u8], now: KerberosTime) -> Result<(), ContextError> {
        self.check_current(now)?;
        let (header, mic) = Header::parse(tok_id::MIC, token)?;
        if (header.ec, header.rrc) != (FILLERS, FILLERS) || header.flags & SEALED != 0 {
            return Err(ContextError::Malformed);
        }
        header.check_flags(self.role(), self.acceptor_subkey.is_some())?;
        let mut covered = Vec::with_capacity(data.len() + HEADER_LEN);
        covered.extend_from_slice(data);
        covered.extend_from_slice(&header.octets());
        let key = self.key();
        let usage = usage(self.role().peer());
        key.verify_checksum(usage, key.etype().checksum_type(), &covered, mic)
            .map_err(|_| ContextError::Integrity)?;
        self.take_number(header.number)
    }
}

const fn usage(sender: Role) -> KeyUsage {
    match sender {
        Role::Initiator => KeyUsage::INITIATOR_SIGN,
        Role::Acceptor => KeyUsage::ACCEPTOR_SIGN,
    }
}
