//! PA-ENCRYPTED-CHALLENGE (RFC 6113 §5.4.6): the client's time, under a key made of its long-term key and the armor key. Who
//! sees it learns nothing to guess a password by, and the answer proves to the client that the KDC knows its key, too.

use tessera_common::Random;
use tessera_common::fast::FastError;
use tessera_common::wire::{self, EncryptedData, PaData, pa_type};

use super::{AsContext, Audience, Mechanism, Step};
use crate::kerberos::issue::unseal;
use crate::realm::authentication::{Channel, Factors};

pub(super) struct EncryptedChallenge;

impl Mechanism for EncryptedChallenge {
    fn pa_type(&self) -> i32 {
        pa_type::ENCRYPTED_CHALLENGE
    }

    fn name(&self) -> &'static str {
        "encrypted-challenge"
    }

    fn unfit(&self, audience: &Audience<'_>) -> Option<&'static str> {
        match audience.channel {
            Channel::Armored => None,
            Channel::Open => Some("challenge-without-armor"),
        }
    }

    fn step<'a>(&self, cx: &AsContext<'a>, pa: &PaData, _: Option<&[u8]>, random: &mut dyn Random) -> Step<'a> {
        let wrong = |detail| Step::Wrong { detail };
        let Some(armor) = cx.armor else {
            return wrong("no armor");
        };
        let Ok(sealed) = wire::decode::<EncryptedData>(&pa.padata_value) else {
            return wrong("not an EncryptedData");
        };
        let Some(holder) = cx.key_holder() else {
            return wrong("there is no key to try");
        };
        // The ciphertext does not tell which of the client's keys went into it: its enctype is the armor key's. The client
        // takes the first that it was told of, so that one is tried first.
        for stored in cx.proof_keys_of(holder) {
            let long_term = match unseal(cx.exchange.view, holder, stored) {
                Ok(key) => key,
                Err(refusal) => return Step::Refused(refusal),
            };
            let stamp = match armor.key.client_challenge(long_term).open(&sealed) {
                Ok(stamp) if cx.client.is_some() => stamp,
                Ok(_) | Err(FastError::Integrity) => continue,
                Err(_) => return wrong("not a PA-ENC-TS-ENC"),
            };
            if let Err(refusal) = super::check_time(cx, &stamp) {
                return Step::Refused(refusal);
            }
            let answer = armor.key.kdc_challenge(long_term);
            return Step::Done {
                factors: Factors::LONG_TERM_KEY,
                proof: sealed.cipher.0,
                key: stored,
                padata: vec![answer.seal(cx.exchange.request.now, random)],
            };
        }
        wrong("under none of the client's keys")
    }
}
