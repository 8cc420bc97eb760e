//! The first 16 octets of MIC and Wrap tokens (RFC 4121 §4.2.6).

use super::context_error::ContextError;
use super::token::{tok_id, unframe};
use crate::ap::Role;

pub(super) const HEADER_LEN: usize = 16;

/// The flags of a token (RFC 4121 §4.2.2). Others are ignored when received, but covered by the MAC.
pub(super) const SENT_BY_ACCEPTOR: u8 = 1;
pub(super) const SEALED: u8 = 2;
pub(super) const ACCEPTOR_SUBKEY: u8 = 4;

const FILLER: u8 = 0xff;

/// Octets 4 to 7: fillers in a MIC token, EC and RRC in a Wrap token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) tok_id: [u8; 2],
    pub(super) flags: u8,
    /// "Extra count": the octets of filler, or of the checksum.
    pub(super) ec: u16,
    /// "Right rotation count".
    pub(super) rrc: u16,
    pub(super) number: u64,
}

impl Header {
    pub(super) fn octets(self) -> [u8; HEADER_LEN] {
        let [ec0, ec1] = self.ec.to_be_bytes();
        let [rrc0, rrc1] = self.rrc.to_be_bytes();
        let [n0, n1, n2, n3, n4, n5, n6, n7] = self.number.to_be_bytes();
        let [id0, id1] = self.tok_id;
        [
            id0, id1, self.flags, FILLER, ec0, ec1, rrc0, rrc1, n0, n1, n2, n3, n4, n5, n6, n7,
        ]
    }

    /// Reads the header of a token of this kind, and gives what comes after it.
    pub(super) fn parse(kind: [u8; 2], token: &[u8]) -> Result<(Self, &[u8]), ContextError> {
        if is_old(token) {
            return Err(ContextError::OldFormat);
        }
        let (&octets, rest) = token.split_first_chunk().ok_or(ContextError::Malformed)?;
        let [id0, id1, flags, filler, ec0, ec1, rrc0, rrc1, number @ ..]: [u8; HEADER_LEN] = octets;
        let header = Self {
            tok_id: [id0, id1],
            flags,
            ec: u16::from_be_bytes([ec0, ec1]),
            rrc: u16::from_be_bytes([rrc0, rrc1]),
            number: u64::from_be_bytes(number),
        };
        if header.tok_id != kind || filler != FILLER {
            return Err(ContextError::Malformed);
        }
        Ok((header, rest))
    }

    /// Whether the token is from the peer of `role`, and under the key that was agreed on.
    pub(super) const fn check_flags(&self, role: Role, acceptor_subkey: bool) -> Result<(), ContextError> {
        if (self.flags & SENT_BY_ACCEPTOR != 0) != matches!(role, Role::Initiator) {
            return Err(ContextError::Direction);
        }
        if (self.flags & ACCEPTOR_SUBKEY != 0) != acceptor_subkey {
            return Err(ContextError::OtherKey);
        }
        Ok(())
    }
}

/// The flags of tokens that `role` sends.
pub(super) const fn own_flags(role: Role, acceptor_subkey: bool) -> u8 {
    let sent_by = match role {
        Role::Initiator => 0,
        Role::Acceptor => SENT_BY_ACCEPTOR,
    };
    if acceptor_subkey {
        sent_by | ACCEPTOR_SUBKEY
    } else {
        sent_by
    }
}

// RFC 1964 §1.2: its tokens have the frame of first tokens.
fn is_old(token: &[u8]) -> bool {
    let inner = unframe(token).map_or(token, |framed| framed.inner);
    matches!(inner.first_chunk(), Some(&(tok_id::OLD_MIC | tok_id::OLD_WRAP)))
}
