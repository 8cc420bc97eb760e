//! PA-ENC-TIMESTAMP (RFC 4120 §5.2.7.2): the client's time, under its long-term key.

use tessera_common::Random;
use tessera_common::crypto::KeyUsage;
use tessera_common::wire::{self, EncryptedData, PaData, PaEncTsEnc, pa_type};
use zeroize::Zeroizing;

use super::{AsContext, Audience, Mechanism, Step};
use crate::kerberos::issue::unseal;
use crate::kerberos::refusal::Refusal;
use crate::realm::authentication::{Channel, Factors, open_timestamp_suffices};
use crate::realm::principal::StoredKey;

pub(super) struct EncryptedTimestamp;

impl Mechanism for EncryptedTimestamp {
    fn pa_type(&self) -> i32 {
        pa_type::ENC_TIMESTAMP
    }

    fn name(&self) -> &'static str {
        "encrypted-timestamp"
    }

    fn unfit(&self, audience: &Audience<'_>) -> Option<&'static str> {
        let denied = open_timestamp_suffices(audience.settings, audience.client.map(AsRef::as_ref)).err()?;
        Some(match audience.channel {
            Channel::Open => denied.name(),
            Channel::Armored => "timestamp-within-armor",
        })
    }

    // Within armor there is something better. Heimdal 7 sends a timestamp all the same, whatever it is offered: that is taken
    // where it would be taken in the clear, since it gives nothing more away.
    fn is_offered(&self, audience: &Audience<'_>) -> bool {
        audience.channel == Channel::Open
    }

    // RFC 6113 §5.4.3 leaves the KDC free here, and Heimdal 7, the one client that gets here through armor, does not know of it.
    fn strengthens_reply(&self) -> bool {
        false
    }

    fn step<'a>(&self, cx: &AsContext<'a>, pa: &PaData, _: Option<&[u8]>, _: &mut dyn Random) -> Step<'a> {
        let wrong = |detail| Step::Wrong { detail };
        let Ok(sealed) = wire::decode::<EncryptedData>(&pa.padata_value) else {
            return wrong("not an EncryptedData");
        };
        let (plain, key) = match open(cx, &sealed) {
            Ok(Some(opened)) => opened,
            Ok(None) => return wrong("under none of the client's keys"),
            Err(refusal) => return Step::Refused(refusal),
        };
        let Ok(stamp) = wire::decode::<PaEncTsEnc>(&plain) else {
            return wrong("not a PA-ENC-TS-ENC");
        };
        if let Err(refusal) = super::check_time(cx, &stamp) {
            return Step::Refused(refusal);
        }
        Step::Done {
            factors: Factors::LONG_TERM_KEY,
            proof: sealed.cipher.0,
            key,
            padata: Vec::new(),
        }
    }
}

type Opened<'a> = (Zeroizing<Vec<u8>>, &'a StoredKey);

// Tries every key of the enctype that may prove something: there may be several, of different salts or versions.
fn open<'a>(cx: &AsContext<'a>, sealed: &EncryptedData) -> Result<Option<Opened<'a>>, Refusal> {
    let view = cx.exchange.view;
    let Some(holder) = cx.key_holder() else {
        return Ok(None);
    };
    for stored in holder.proof_keys().filter(|key| key.etype.number() == sealed.etype) {
        let key = unseal(view, holder, stored)?;
        if let Ok(plain) = key.decrypt(KeyUsage::PA_ENC_TIMESTAMP, &sealed.cipher) {
            return Ok(cx.client.map(|_| (plain, stored)));
        }
    }
    Ok(None)
}
