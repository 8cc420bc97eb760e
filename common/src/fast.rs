//! FAST (RFC 6113 §5.4): what both ends do with an armor key. How it is agreed on is for the caller: in an AS exchange by an
//! AP-REQ that goes with the request, in a TGS exchange by the authenticator of the request itself.

use core::fmt;

use crate::Random;
use crate::crypto::{CryptoError, Key, KeyUsage, cf2};
use crate::time::Timestamp;
use crate::wire::{
    self, Checksum, DecodeError, EncryptedData, KrbFastArmor, KrbFastArmoredRep, KrbFastArmoredReq, KrbFastReq,
    KrbFastResponse, Microseconds, PaData, PaEncTsEnc, PaFxFastReply, PaFxFastRequest, pa_type,
};

/// The key that a FAST conversation is protected with (RFC 6113 §5.4.1.1). Fresh for each conversation.
#[derive(Clone, Debug)]
pub struct ArmorKey(Key);

/// Why something inside FAST cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FastError {
    /// Not what RFC 6113 says it is.
    Malformed(DecodeError),
    /// Encrypted under another key, or altered.
    Integrity,
    /// The checksum that binds the inside to the outside is not one of the armor key's own kind, or does not fit.
    Checksum(CryptoError),
}

impl fmt::Display for FastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "{why}"),
            Self::Integrity => f.write_str("it does not open under the armor key"),
            Self::Checksum(why) => write!(f, "its checksum: {why}"),
        }
    }
}

impl core::error::Error for FastError {}

impl From<DecodeError> for FastError {
    fn from(why: DecodeError) -> Self {
        Self::Malformed(why)
    }
}

impl ArmorKey {
    /// From the subkey of an authenticator and the session key of its ticket, so that both ends have a share in it.
    #[must_use]
    pub fn new(subkey: &Key, session_key: &Key) -> Self {
        Self(cf2(subkey, session_key, b"subkeyarmor", b"ticketarmor"))
    }

    /// The padata PA-FX-FAST of a request. `covered` is what binds it to the outside: in an AS-REQ the outer body's octets,
    /// in a TGS-REQ those of the AP-REQ.
    pub fn seal_request(
        &self,
        armor: Option<KrbFastArmor>,
        covered: &[u8],
        request: &KrbFastReq,
        random: &mut dyn Random,
    ) -> PaData {
        let armored = PaFxFastRequest::ArmoredData(KrbFastArmoredReq {
            armor,
            req_checksum: self.checksum(KeyUsage::FAST_REQ_CHECKSUM, covered),
            enc_fast_req: self.seal(KeyUsage::FAST_ENC, &wire::encode(request), random),
        });
        PaData::new(pa_type::FX_FAST, wire::encode(&armored))
    }

    /// Opens a request and compares its checksum with `covered`, see [`ArmorKey::seal_request`].
    ///
    /// # Errors
    /// [`FastError`]. Whatever the checksum, a request that does not open is [`FastError::Integrity`].
    pub fn open_request(&self, request: &KrbFastArmoredReq, covered: &[u8]) -> Result<KrbFastReq, FastError> {
        let opened = self.open(KeyUsage::FAST_ENC, &request.enc_fast_req)?;
        self.verify(KeyUsage::FAST_REQ_CHECKSUM, covered, &request.req_checksum)?;
        Ok(wire::decode(&opened)?)
    }

    /// The padata PA-FX-FAST of a reply or an error.
    pub fn seal_response(&self, response: &KrbFastResponse, random: &mut dyn Random) -> PaData {
        let plain = zeroize::Zeroizing::new(wire::encode(response));
        let armored = PaFxFastReply::ArmoredData(KrbFastArmoredRep {
            enc_fast_rep: self.seal(KeyUsage::FAST_REP, &plain, random),
        });
        PaData::new(pa_type::FX_FAST, wire::encode(&armored))
    }

    /// Opens the value of a reply's or an error's PA-FX-FAST. The nonce is for the caller to compare.
    ///
    /// # Errors
    /// [`FastError::Malformed`], [`FastError::Integrity`].
    pub fn open_response(&self, padata_value: &[u8]) -> Result<KrbFastResponse, FastError> {
        let PaFxFastReply::ArmoredData(armored) = wire::decode(padata_value)?;
        let opened = self.open(KeyUsage::FAST_REP, &armored.enc_fast_rep)?;
        Ok(wire::decode(&opened)?)
    }

    /// The checksum over a reply's ticket, as it stands there.
    #[must_use]
    pub fn ticket_checksum(&self, ticket: &[u8]) -> Checksum {
        self.checksum(KeyUsage::FAST_FINISHED, ticket)
    }

    /// Whether `checksum` is that of this ticket.
    ///
    /// # Errors
    /// [`FastError::Checksum`].
    pub fn verify_ticket(&self, ticket: &[u8], checksum: &Checksum) -> Result<(), FastError> {
        self.verify(KeyUsage::FAST_FINISHED, ticket, checksum)
    }

    /// The key of the client's encrypted challenge (RFC 6113 §5.4.6).
    #[must_use]
    pub fn client_challenge(&self, long_term: &Key) -> ChallengeKey {
        ChallengeKey {
            key: cf2(&self.0, long_term, b"clientchallengearmor", b"challengelongterm"),
            usage: KeyUsage::ENC_CHALLENGE_CLIENT,
        }
    }

    /// The key of the KDC's answer to it, by which the client knows the KDC.
    #[must_use]
    pub fn kdc_challenge(&self, long_term: &Key) -> ChallengeKey {
        ChallengeKey {
            key: cf2(&self.0, long_term, b"kdcchallengearmor", b"challengelongterm"),
            usage: KeyUsage::ENC_CHALLENGE_KDC,
        }
    }

    fn seal(&self, usage: KeyUsage, plain: &[u8], random: &mut dyn Random) -> EncryptedData {
        seal(&self.0, usage, plain, random)
    }

    fn open(&self, usage: KeyUsage, sealed: &EncryptedData) -> Result<zeroize::Zeroizing<Vec<u8>>, FastError> {
        if sealed.etype != self.0.etype().number() {
            return Err(FastError::Integrity);
        }
        self.0.decrypt(usage, &sealed.cipher).map_err(|_| FastError::Integrity)
    }

    fn checksum(&self, usage: KeyUsage, data: &[u8]) -> Checksum {
        Checksum::keyed(&self.0, usage, data)
    }

    fn verify(&self, usage: KeyUsage, data: &[u8], checksum: &Checksum) -> Result<(), FastError> {
        self.0
            .verify_checksum(usage, checksum.cksumtype, data, &checksum.checksum)
            .map_err(FastError::Checksum)
    }
}

/// RFC 6113 §5.4.3: the reply key, once the KDC's share of it is known.
#[must_use]
pub fn strengthen(strengthen_key: &Key, reply_key: &Key) -> Key {
    cf2(strengthen_key, reply_key, b"strengthenkey", b"replykey")
}

/// A key that only who has both the armor key and a long-term key can make.
#[derive(Clone, Debug)]
pub struct ChallengeKey {
    key: Key,
    usage: KeyUsage,
}

impl ChallengeKey {
    /// The padata PA-ENCRYPTED-CHALLENGE: a time under this key.
    pub fn seal(&self, now: Timestamp, random: &mut dyn Random) -> PaData {
        let stamp = wire::encode(&PaEncTsEnc {
            patimestamp: now.time,
            pausec: Some(Microseconds(now.usec)),
        });
        let sealed = seal(&self.key, self.usage, &stamp, random);
        PaData::new(pa_type::ENCRYPTED_CHALLENGE, wire::encode(&sealed))
    }

    /// The time in an encrypted challenge.
    ///
    /// # Errors
    /// [`FastError::Integrity`] when it is under another key, [`FastError::Malformed`] when what is inside is no time.
    pub fn open(&self, challenge: &EncryptedData) -> Result<PaEncTsEnc, FastError> {
        // The enctype is the armor key's: it does not tell which of the client's keys this is.
        if challenge.etype != self.key.etype().number() {
            return Err(FastError::Integrity);
        }
        let plain = self.key.decrypt(self.usage, &challenge.cipher);
        Ok(wire::decode(&plain.map_err(|_| FastError::Integrity)?)?)
    }
}

fn seal(key: &Key, usage: KeyUsage, plain: &[u8], random: &mut dyn Random) -> EncryptedData {
    EncryptedData {
        etype: key.etype().number(),
        kvno: None,
        cipher: key.encrypt(usage, plain, random).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::EncType;
    use crate::flags::FastOptions;
    use crate::time::KerberosTime;
    use crate::wire::{Any, UInt32};

    struct Counter(u8);

    impl Random for Counter {
        fn fill(&mut self, out: &mut [u8]) {
            for octet in out {
                self.0 = self.0.wrapping_add(1);
                *octet = self.0;
            }
        }
    }

    fn key(etype: EncType, seed: u8) -> Key {
        Key::random(etype, &mut Counter(seed))
    }

    fn armor(etype: EncType) -> ArmorKey {
        ArmorKey::new(&key(etype, 1), &key(etype, 2))
    }

    fn request() -> KrbFastReq {
        KrbFastReq {
            fast_options: FastOptions::HIDE_CLIENT_NAMES,
            padata: vec![PaData::new(pa_type::REQ_ENC_PA_REP, Vec::new())],
            req_body: Any::new(vec![0x30, 0]),
        }
    }

    #[test]
    fn a_request_opens_under_its_key_and_beside_what_it_covers_alone() {
        for etype in EncType::ALL {
            let sealed = armor(etype).seal_request(None, b"body", &request(), &mut Counter(9));
            let PaFxFastRequest::ArmoredData(sealed) = wire::decode(&sealed.padata_value).unwrap();
            assert_eq!(armor(etype).open_request(&sealed, b"body"), Ok(request()));
            assert!(matches!(
                armor(etype).open_request(&sealed, b"bady"),
                Err(FastError::Checksum(CryptoError::Integrity))
            ));
            let other = ArmorKey::new(&key(etype, 2), &key(etype, 1));
            assert_eq!(other.open_request(&sealed, b"body"), Err(FastError::Integrity));
        }
    }

    #[test]
    fn only_the_armor_keys_own_checksum_binds() {
        let armor = armor(EncType::Aes256CtsHmacSha1_96);
        let sealed = armor.seal_request(None, b"body", &request(), &mut Counter(9));
        let PaFxFastRequest::ArmoredData(mut sealed) = wire::decode(&sealed.padata_value).unwrap();
        for cksumtype in (-150..150).filter(|other| *other != 16) {
            sealed.req_checksum.cksumtype = cksumtype;
            assert_eq!(
                armor.open_request(&sealed, b"body"),
                Err(FastError::Checksum(CryptoError::UnsupportedChecksum(cksumtype)))
            );
        }
    }

    #[test]
    fn a_response_opens_as_it_was() {
        for etype in EncType::ALL {
            let response = KrbFastResponse {
                padata: Vec::new(),
                strengthen_key: Some((&key(etype, 5)).into()),
                finished: None,
                nonce: UInt32(7),
            };
            let sealed = armor(etype).seal_response(&response, &mut Counter(3));
            assert_eq!(sealed.padata_type, pa_type::FX_FAST);
            assert_eq!(armor(etype).open_response(&sealed.padata_value), Ok(response));
            let checksum = armor(etype).ticket_checksum(b"ticket");
            assert_eq!(armor(etype).verify_ticket(b"ticket", &checksum), Ok(()));
            assert!(armor(etype).verify_ticket(b"tickee", &checksum).is_err());
        }
    }

    #[test]
    fn a_challenge_takes_both_keys_and_its_own_direction() {
        let now = Timestamp::new(KerberosTime(1000), 5);
        for etype in EncType::ALL {
            let long_term = key(EncType::Aes128CtsHmacSha1_96, 4);
            let client = armor(etype).client_challenge(&long_term);
            let sealed: EncryptedData = wire::decode(&client.seal(now, &mut Counter(3)).padata_value).unwrap();
            assert_eq!(sealed.etype, etype.number());
            let stamp = client.open(&sealed).unwrap();
            assert_eq!((stamp.patimestamp, stamp.pausec), (now.time, Some(Microseconds(5))));
            for other in [
                armor(etype).kdc_challenge(&long_term),
                armor(etype).client_challenge(&key(EncType::Aes128CtsHmacSha1_96, 5)),
            ] {
                assert_eq!(other.open(&sealed), Err(FastError::Integrity));
            }
        }
    }

    #[test]
    fn a_reply_key_is_strengthened_to_the_kdcs_enctype() {
        let (ours, theirs) = (
            key(EncType::Aes256CtsHmacSha1_96, 1),
            key(EncType::Aes128CtsHmacSha256_128, 2),
        );
        assert_eq!(strengthen(&ours, &theirs).etype(), ours.etype());
        assert_ne!(strengthen(&ours, &theirs), strengthen(&ours, &ours));
    }
}
