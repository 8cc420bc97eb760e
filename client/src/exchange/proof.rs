use tessera_common::Random;
use tessera_common::crypto::{Key, KeyUsage};
use tessera_common::fast::ArmorKey;
use tessera_common::time::Timestamp;
use tessera_common::wire::{self, EncryptedData, Microseconds, PaData, PaEncTsEnc, pa_type};

use super::ReplyFault;
use super::fast::find;

/// How a client proves that it has its key.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// RFC 4120 §5.2.7.2: the time, under the client's key. Who sees it can try passwords on it.
    Timestamp,
    /// RFC 6113 §5.4.6: the time, under a key that takes the armor key, too. The KDC answers it in kind.
    Challenge(ArmorKey),
}

impl Proof {
    /// The best of those that the KDC offers: the challenge wherever there is armor.
    pub(super) fn choose(offered: &[PaData], armor: Option<&ArmorKey>, timestamp_allowed: bool) -> Option<Self> {
        let challenge = armor.filter(|_| find(offered, pa_type::ENCRYPTED_CHALLENGE).is_some());
        let timestamp = timestamp_allowed && find(offered, pa_type::ENC_TIMESTAMP).is_some();
        challenge
            .map(|key| Self::Challenge(key.clone()))
            .or_else(|| timestamp.then_some(Self::Timestamp))
    }

    pub(super) fn pa_type(&self) -> i32 {
        match self {
            Self::Timestamp => pa_type::ENC_TIMESTAMP,
            Self::Challenge(_) => pa_type::ENCRYPTED_CHALLENGE,
        }
    }

    pub(super) fn padata(&self, key: &Key, time: Timestamp, random: &mut dyn Random) -> PaData {
        let Self::Challenge(armor) = self else {
            return enc_timestamp(key, time, random);
        };
        armor.client_challenge(key).seal(time, random)
    }

    /// Whether the KDC knows `key`, too. Only who answers a challenge has to show that apart from the reply.
    pub(super) fn check_kdc(&self, padata: &[PaData], key: &Key) -> Result<(), ReplyFault> {
        let Self::Challenge(armor) = self else {
            return Ok(());
        };
        let answer = find(padata, pa_type::ENCRYPTED_CHALLENGE).and_then(|value| wire::decode(value).ok());
        let answer: EncryptedData = answer.ok_or(ReplyFault::KdcNotVerified)?;
        // The time inside is the KDC's own affair: the armor key is fresh, and so is the answer.
        armor
            .kdc_challenge(key)
            .open(&answer)
            .map_err(|_| ReplyFault::KdcNotVerified)?;
        Ok(())
    }
}

fn enc_timestamp(key: &Key, time: Timestamp, random: &mut dyn Random) -> PaData {
    let stamp = PaEncTsEnc {
        patimestamp: time.time,
        pausec: Some(Microseconds(time.usec)),
    };
    let sealed = EncryptedData {
        etype: key.etype().number(),
        kvno: None,
        cipher: key
            .encrypt(KeyUsage::PA_ENC_TIMESTAMP, &wire::encode(&stamp), random)
            .into(),
    };
    PaData::new(pa_type::ENC_TIMESTAMP, wire::encode(&sealed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_common::crypto::EncType;

    struct Same(u8);

    impl Random for Same {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    fn key(octet: u8) -> Key {
        Key::random(EncType::Aes256CtsHmacSha1_96, &mut Same(octet))
    }

    #[test]
    fn a_timestamp_is_sent_where_it_is_allowed_and_a_challenge_where_there_is_armor() {
        const TIMESTAMP: i32 = pa_type::ENC_TIMESTAMP;
        const CHALLENGE: i32 = pa_type::ENCRYPTED_CHALLENGE;
        let armor = ArmorKey::new(&key(1), &key(2));
        for (offered, armored, timestamp_allowed, chosen) in [
            (&[TIMESTAMP][..], false, true, Some(TIMESTAMP)),
            (&[TIMESTAMP], false, false, None),
            (&[TIMESTAMP], true, true, Some(TIMESTAMP)),
            (&[TIMESTAMP], true, false, None),
            (&[CHALLENGE], false, true, None),
            (&[CHALLENGE], true, false, Some(CHALLENGE)),
            (&[TIMESTAMP, CHALLENGE], false, true, Some(TIMESTAMP)),
            (&[TIMESTAMP, CHALLENGE], true, true, Some(CHALLENGE)),
            (&[pa_type::FX_FAST], false, true, None),
            (&[], true, true, None),
        ] {
            let padata: Vec<_> = offered.iter().map(|number| PaData::new(*number, Vec::new())).collect();
            let proof = Proof::choose(&padata, armored.then_some(&armor), timestamp_allowed);
            assert_eq!(
                proof.map(|proof| proof.pa_type()),
                chosen,
                "{offered:?}, armor: {armored}, timestamp: {timestamp_allowed}"
            );
        }
    }

    #[test]
    fn the_kdc_is_known_by_its_own_challenge_under_both_keys() {
        let armor = ArmorKey::new(&key(1), &key(2));
        let proof = Proof::Challenge(armor.clone());
        let now = Timestamp::default();
        let answer = |challenge: &tessera_common::fast::ChallengeKey| vec![challenge.seal(now, &mut Same(3))];
        assert_eq!(proof.check_kdc(&answer(&armor.kdc_challenge(&key(4))), &key(4)), Ok(()));
        for padata in [
            Vec::new(),
            vec![PaData::new(pa_type::ENCRYPTED_CHALLENGE, Vec::new())],
            // The client's own, sent back.
            answer(&armor.client_challenge(&key(4))),
            answer(&armor.kdc_challenge(&key(5))),
            answer(&ArmorKey::new(&key(2), &key(1)).kdc_challenge(&key(4))),
        ] {
            assert_eq!(proof.check_kdc(&padata, &key(4)), Err(ReplyFault::KdcNotVerified));
        }
        assert_eq!(Proof::Timestamp.check_kdc(&[], &key(4)), Ok(()));
    }
}
