//! KRB-SAFE: messages with a keyed checksum, in the clear (RFC 4120 §3.4).

use zeroize::Zeroizing;

use super::message::{Header, Opened, WireHeader, check_type};
use super::message_error::{MessageError, verify};
use super::replay::ReplayTag;
use crate::crypto::{Key, KeyUsage};
use crate::wire::{self, Any, Checksum, KrbSafe, KrbSafeBody, Octets};

// The first octet: [APPLICATION 20], constructed.
const TAG: u8 = 0x74;

/// Puts a keyed checksum on `data` and `header`, key usage 15; encoded.
#[must_use]
pub fn make(key: &Key, header: &Header, data: &[u8]) -> Vec<u8> {
    let WireHeader {
        timestamp,
        usec,
        seq_number,
    } = header.wire();
    let body = wire::encode(&KrbSafeBody {
        user_data: data.into(),
        timestamp,
        usec,
        seq_number,
        s_address: header.sender.clone(),
        r_address: header.receiver.clone(),
    });
    let mut message = without_checksum(Any::new(body));
    message.cksum = Checksum::keyed(key, KeyUsage::KRB_SAFE, &wire::encode(&message));
    wire::encode(&message)
}

/// Verifies a KRB-SAFE.
///
/// # Errors
/// [`MessageError`], of the ones that need no clock and no memory.
pub fn read(key: &Key, octets: &[u8]) -> Result<Opened, MessageError> {
    if octets.first() != Some(&TAG) {
        return Err(MessageError::Type);
    }
    let KrbSafe {
        pvno,
        msg_type,
        safe_body,
        cksum,
    } = wire::decode(octets).map_err(MessageError::Malformed)?;
    check_type(pvno, msg_type, wire::msg_type::SAFE)?;
    let body: KrbSafeBody = wire::decode(safe_body.as_bytes()).map_err(MessageError::Malformed)?;
    verify(
        key,
        KeyUsage::KRB_SAFE,
        &wire::encode(&without_checksum(safe_body)),
        &cksum,
    )?;
    let header = WireHeader {
        timestamp: body.timestamp,
        usec: body.usec,
        seq_number: body.seq_number,
    };
    Ok(Opened {
        header: Header::from_wire(&header, body.s_address, body.r_address),
        data: Zeroizing::new(body.user_data.0),
        tag: ReplayTag::of(&cksum.checksum),
    })
}

// RFC 4120 §5.6.1: the checksum is over the whole KRB-SAFE with a checksum of type zero and length zero in it; the body
// inside as it was received. RFC 1510 had it over the body alone. MIT and Heimdal send the former; MIT also takes the
// latter, which nothing has sent for twenty years, and we do not.
const fn without_checksum(safe_body: Any) -> KrbSafe {
    KrbSafe {
        pvno: wire::PVNO,
        msg_type: wire::msg_type::SAFE,
        safe_body,
        cksum: Checksum {
            cksumtype: 0,
            checksum: Octets(Vec::new()),
        },
    }
}
