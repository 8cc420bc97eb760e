//! KRB-PRIV: encrypted messages (RFC 4120 §3.5).

use zeroize::{Zeroize as _, Zeroizing};

use super::message::{Header, Opened, WireHeader, check_type};
use super::message_error::MessageError;
use super::replay::ReplayTag;
use crate::Random;
use crate::crypto::{Key, KeyUsage};
use crate::wire::{self, EncKrbPrivPart, EncryptedData, KrbPriv};

// The first octet: [APPLICATION 21], constructed.
const TAG: u8 = 0x75;

/// Encrypts `data` and `header` under `key`, key usage 13; encoded.
#[must_use]
pub fn make(key: &Key, header: &Header, data: &[u8], random: &mut dyn Random) -> Vec<u8> {
    let WireHeader {
        timestamp,
        usec,
        seq_number,
    } = header.wire();
    let mut part = EncKrbPrivPart {
        user_data: data.into(),
        timestamp,
        usec,
        seq_number,
        s_address: header.sender.clone(),
        r_address: header.receiver.clone(),
    };
    let plain = Zeroizing::new(wire::encode(&part));
    part.user_data.0.zeroize();
    wire::encode(&KrbPriv {
        pvno: wire::PVNO,
        msg_type: wire::msg_type::PRIV,
        enc_part: EncryptedData {
            etype: key.etype().number(),
            kvno: None,
            cipher: key.encrypt(KeyUsage::KRB_PRIV, &plain, random).into(),
        },
    })
}

/// Decrypts a KRB-PRIV.
///
/// # Errors
/// [`MessageError`], of the ones that need no clock and no memory.
pub fn read(key: &Key, octets: &[u8]) -> Result<Opened, MessageError> {
    if octets.first() != Some(&TAG) {
        return Err(MessageError::Type);
    }
    let message: KrbPriv = wire::decode(octets).map_err(MessageError::Malformed)?;
    check_type(message.pvno, message.msg_type, wire::msg_type::PRIV)?;
    let EncryptedData { etype, cipher, .. } = &message.enc_part;
    if *etype != key.etype().number() {
        return Err(MessageError::EncType(*etype));
    }
    let plain = key
        .decrypt(KeyUsage::KRB_PRIV, cipher)
        .map_err(|_| MessageError::Integrity)?;
    let part: EncKrbPrivPart = wire::decode(&plain).map_err(MessageError::Malformed)?;
    let header = WireHeader {
        timestamp: part.timestamp,
        usec: part.usec,
        seq_number: part.seq_number,
    };
    Ok(Opened {
        header: Header::from_wire(&header, part.s_address, part.r_address),
        data: Zeroizing::new(part.user_data.0),
        tag: ReplayTag::of(cipher),
    })
}
