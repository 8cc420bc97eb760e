//! AP-REQ (RFC 4120 §5.5.1) with an authenticator that may be wrong in any way.

use md5::{Digest, Md5};
use sha1::Sha1;

use super::crypto::{AES256_CTS_HMAC_SHA1_96, HMAC_SHA1_96_AES256, Key};
use super::der::{application, bits, integer, octets, sequence, string, tagged, time};
use super::kdc_req::Name;
use super::{fresh_cusec, now};

/// What an authenticator says of the request body that it goes with, or armor of what it is put on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuthenticatorChecksum {
    /// Nothing.
    Absent,
    /// The key's own type, for this key usage.
    Keyed(u32),
    /// RSA-MD5, which some clients send.
    RsaMd5,
    /// CRC-32.
    Crc32,
    /// SHA-1 without a key.
    Sha1,
    /// This type number with these octets.
    Raw(i64, Vec<u8>),
}

/// An AP-REQ to be.
#[derive(Clone)]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct ApReq {
    pub options: u32,
    /// Encoded.
    pub ticket: Vec<u8>,
    pub session_key: Key,
    /// Of the authenticator: 7 in a TGS-REQ, 11 elsewhere.
    pub usage: u32,
    pub crealm: String,
    pub cname: Name,
    pub checksum: AuthenticatorChecksum,
    pub ctime: i64,
    pub cusec: i64,
    pub subkey: Option<Key>,
    pub seq_number: Option<u32>,
    /// Encoded.
    pub authorization_data: Option<Vec<u8>>,
}

impl ApReq {
    /// One that nothing is wrong with, without a checksum and without a subkey.
    #[must_use]
    pub fn new(ticket: &[u8], session_key: &Key, crealm: &str, cname: &Name) -> Self {
        Self {
            options: 0,
            ticket: ticket.to_vec(),
            session_key: session_key.clone(),
            usage: 11,
            crealm: crealm.to_owned(),
            cname: cname.clone(),
            checksum: AuthenticatorChecksum::Absent,
            ctime: now(),
            cusec: fresh_cusec(),
            subkey: None,
            seq_number: None,
            authorization_data: None,
        }
    }

    /// The whole message; `covered` is what the checksum is over.
    #[must_use]
    pub fn to_der(&self, covered: &[u8]) -> Vec<u8> {
        let authenticator = self.session_key.encrypt(self.usage, &self.authenticator(covered));
        let parts = [
            tagged(0, &integer(5)),
            tagged(1, &integer(14)),
            tagged(2, &bits(self.options)),
            tagged(3, &self.ticket),
            tagged(4, &encrypted_data(&authenticator, None)),
        ];
        application(14, &sequence(&parts))
    }

    fn authenticator(&self, covered: &[u8]) -> Vec<u8> {
        let mut parts = vec![
            tagged(0, &integer(5)),
            tagged(1, &string(self.crealm.as_bytes())),
            tagged(2, &self.cname.to_der()),
        ];
        if let Some((kind, value)) = self.checksum.over(&self.session_key, covered) {
            parts.push(tagged(3, &typed_octets(kind, &value)));
        }
        parts.push(tagged(4, &integer(self.cusec)));
        parts.push(tagged(5, &time(self.ctime)));
        parts.extend(self.subkey.iter().map(|key| tagged(6, &key.to_der())));
        parts.extend(
            self.seq_number
                .iter()
                .map(|number| tagged(7, &integer((*number).into()))),
        );
        parts.extend(self.authorization_data.iter().map(|data| tagged(8, data)));
        application(2, &sequence(&parts))
    }
}

impl AuthenticatorChecksum {
    /// Type and value.
    pub(super) fn over(&self, key: &Key, covered: &[u8]) -> Option<(i64, Vec<u8>)> {
        match self {
            Self::Absent => None,
            Self::Keyed(usage) => Some((HMAC_SHA1_96_AES256, key.checksum(*usage, covered))),
            Self::RsaMd5 => Some((7, Md5::digest(covered).to_vec())),
            Self::Crc32 => Some((1, crc32(covered).to_le_bytes().to_vec())),
            Self::Sha1 => Some((14, Sha1::digest(covered).to_vec())),
            Self::Raw(kind, value) => Some((*kind, value.clone())),
        }
    }
}

/// `EncryptedData` in `aes256-cts-hmac-sha1-96`.
#[must_use]
pub(super) fn encrypted_data(cipher: &[u8], kvno: Option<u32>) -> Vec<u8> {
    let mut parts = vec![tagged(0, &integer(AES256_CTS_HMAC_SHA1_96))];
    parts.extend(kvno.iter().map(|kvno| tagged(1, &integer((*kvno).into()))));
    parts.push(tagged(2, &octets(cipher)));
    sequence(&parts)
}

/// A number and octets, `[0]` and `[1]` of a sequence: `Checksum`, `KrbFastArmor` and others.
#[must_use]
pub(super) fn typed_octets(kind: i64, value: &[u8]) -> Vec<u8> {
    sequence(&[tagged(0, &integer(kind)), tagged(1, &octets(value))])
}

/// The CRC of RFC 3961 §6.1.3: as in Ethernet, but started and ended with zeros.
fn crc32(data: &[u8]) -> u32 {
    data.iter().fold(0, |crc, octet| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}
