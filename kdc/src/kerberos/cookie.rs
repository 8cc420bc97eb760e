//! PA-FX-COOKIE (RFC 6113 §5.2): what the KDC wants to know again when the client's next request comes, kept by the client.
//!
//! A cookie is sealed with the realm's own key, so that any KDC of the realm can go on where another one began, also after
//! krbtgt's key was changed. It is bound to the client that it was made for, and serves for ten minutes. Its layout is this
//! realm's own business: a version octet, 1; the kvno of krbtgt's key, 4 octets; and, encrypted, the time of making (8
//! octets), the client's mark (16) and the METHOD-DATA of what each mechanism wants to know again.

use core::time::Duration;

use sha2::{Digest as _, Sha256};
use tessera_common::Random;
use tessera_common::crypto::KeyUsage;
use tessera_common::error_code::ErrorCode;
use tessera_common::name::Name;
use tessera_common::time::KerberosTime;
use tessera_common::wire::{self, MethodData, PaData, pa_type};

use super::refusal::Refusal;
use super::{Exchange, header_ticket, issue, lookup};

/// How long a client may take from one request to the next: a person may have to look for a token.
const LIFE: Duration = Duration::from_secs(600);
const VERSION: u8 = 1;
// Outside the range of RFC 4120 §7.5.1; the number that MIT uses for its own.
const USAGE: KeyUsage = KeyUsage(513);

/// What a client brought back.
#[derive(Debug, Default)]
pub(super) struct Cookie {
    states: MethodData,
}

impl Cookie {
    /// Reads the cookie in a request; without one, there is nothing to know.
    ///
    /// # Errors
    /// `KDC_ERR_PREAUTH_EXPIRED`, upon which clients begin again, for a cookie that is too old, or is of another version or
    /// maker. `KDC_ERR_PREAUTH_FAILED` for one that was altered, or is another client's.
    pub(super) fn read(exchange: &Exchange<'_>, padata: &[PaData], client: &Name) -> Result<Self, Refusal> {
        let Some(pa) = padata.iter().find(|pa| pa.padata_type == pa_type::FX_COOKIE) else {
            return Ok(Self::default());
        };
        let expired = |reason| Refusal::new(ErrorCode::KDC_ERR_PREAUTH_EXPIRED, reason);
        let failed = |reason| Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, reason);
        let (kvno, sealed) = match pa.padata_value.split_first() {
            Some((&VERSION, rest)) => rest.split_first_chunk().ok_or_else(|| failed("cookie-altered"))?,
            _ => return Err(expired("cookie-of-another-version")),
        };
        let krbtgt = lookup::krbtgt(exchange.view, &exchange.settings.name)?;
        let key = header_ticket::realm_key(exchange, krbtgt, u32::from_be_bytes(*kvno))?
            .ok_or_else(|| expired("cookie-expired"))?;
        let plain = key.decrypt(USAGE, sealed).map_err(|_| failed("cookie-altered"))?;
        let (made, rest) = plain.split_first_chunk().ok_or_else(|| failed("cookie-altered"))?;
        let (marked, states) = rest.split_first_chunk().ok_or_else(|| failed("cookie-altered"))?;
        if *marked != mark(client) {
            return Err(failed("cookie-of-another-client"));
        }
        let made = KerberosTime(i64::from_be_bytes(*made));
        if !made.within(exchange.request.now.time, LIFE) {
            return Err(expired("cookie-expired").detail(format!("made {made}")));
        }
        let states = wire::decode(states).map_err(|_| failed("cookie-altered"))?;
        Ok(Self { states })
    }

    /// What the mechanism of this padata type kept.
    pub(super) fn state(&self, padata_type: i32) -> Option<&[u8]> {
        let kept = self.states.iter().find(|pa| pa.padata_type == padata_type)?;
        Some(&kept.padata_value)
    }
}

/// A cookie for the client's next request, with what mechanisms want to know again.
pub(super) fn bake(
    exchange: &Exchange<'_>,
    client: &Name,
    states: &MethodData,
    random: &mut dyn Random,
) -> Result<PaData, Refusal> {
    let krbtgt = lookup::krbtgt(exchange.view, &exchange.settings.name)?;
    let sealing = issue::sealing_key(exchange.view, krbtgt)?;
    let mut plain = exchange.request.now.time.seconds().to_be_bytes().to_vec();
    plain.extend_from_slice(&mark(client));
    plain.extend_from_slice(&wire::encode(states));
    let mut value = vec![VERSION];
    value.extend_from_slice(&sealing.kvno.unwrap_or_default().to_be_bytes());
    value.extend_from_slice(&sealing.key.encrypt(USAGE, &plain, random));
    Ok(PaData::new(pa_type::FX_COOKIE, value))
}

// Whose conversation it is: the name as it was asked for, be it a principal's or one that nobody has, which must look no
// different.
fn mark(client: &Name) -> [u8; 16] {
    let mut hash = Sha256::new();
    for component in client.components() {
        hash.update(u32::try_from(component.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(component);
    }
    let digest: [u8; 32] = hash.finalize().into();
    *digest.first_chunk().unwrap_or(&[0; 16])
}
