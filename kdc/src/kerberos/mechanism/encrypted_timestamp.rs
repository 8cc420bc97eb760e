//! PA-ENC-TIMESTAMP (RFC 4120 §5.2.7.2): the client's time, under its long-term key.

use tessera_common::crypto::KeyUsage;
use tessera_common::error_code::ErrorCode;
use tessera_common::name::Name;
use tessera_common::wire::{self, EncryptedData, PaData, PaEncTsEnc, pa_type};
use zeroize::Zeroizing;

use super::{AsContext, Mechanism, Step};
use crate::kerberos::issue::unseal;
use crate::kerberos::refusal::Refusal;
use crate::realm::authentication::Factors;
use crate::realm::principal::StoredKey;

pub(super) struct EncryptedTimestamp;

impl Mechanism for EncryptedTimestamp {
    fn pa_type(&self) -> i32 {
        pa_type::ENC_TIMESTAMP
    }

    fn offer(&self, _: &AsContext<'_>) -> Option<PaData> {
        Some(PaData::new(pa_type::ENC_TIMESTAMP, Vec::new()))
    }

    fn step<'a>(&self, cx: &AsContext<'a>, pa: &PaData) -> Step<'a> {
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
        let now = cx.exchange.request.now.time;
        if !stamp.patimestamp.within(now, cx.exchange.settings.clock_skew) {
            // Its own error, and not "wrong": the client corrects its clock by the KRB-ERROR and tries again.
            return Step::Refused(
                Refusal::new(ErrorCode::KRB_AP_ERR_SKEW, "clock-skew")
                    .detail(format!("client's time {}", stamp.patimestamp))
                    .remembered(),
            );
        }
        Step::Done {
            factors: Factors::LONG_TERM_KEY,
            proof: sealed.cipher.0,
            key,
        }
    }
}

type Opened<'a> = (Zeroizing<Vec<u8>>, &'a StoredKey);

// Tries every current key of the enctype: there may be several, with different salts. For a name that nobody has, the
// realm's own key takes the place of the client's, so that the answer takes the time that it takes for a wrong password.
fn open<'a>(cx: &AsContext<'a>, sealed: &EncryptedData) -> Result<Option<Opened<'a>>, Refusal> {
    let view = cx.exchange.view;
    let decoy = || view.find(&Name::krbtgt(&cx.exchange.settings.name));
    let Some(holder) = cx.client.or_else(decoy) else {
        return Ok(None);
    };
    for stored in holder.current_keys().filter(|key| key.etype.number() == sealed.etype) {
        let key = unseal(view, holder, stored)?;
        if let Ok(plain) = key.decrypt(KeyUsage::PA_ENC_TIMESTAMP, &sealed.cipher) {
            return Ok(cx.client.map(|_| (plain, stored)));
        }
    }
    Ok(None)
}
