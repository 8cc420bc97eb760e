//! Pre-authentication: each mechanism offers itself, and checks what a client sends for it.

mod encrypted_challenge;
mod encrypted_timestamp;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tessera_common::Random;
use tessera_common::error_code::ErrorCode;
use tessera_common::wire::{MethodData, PaData, PaEncTsEnc, pa_type};

use super::Exchange;
use super::fast::Armor;
use super::lookup;
use super::refusal::Refusal;
use super::request::KdcRequest;
use crate::realm::authentication::{Channel, Factors};
use crate::realm::principal::{PrincipalRecord, StoredKey};
use crate::realm::settings::RealmSettings;

/// Whom something is offered to, and over what.
#[derive(Clone, Copy)]
pub(super) struct Audience<'a> {
    pub(super) settings: &'a RealmSettings,
    /// The client; `None` for a name that nobody has, when those are hidden.
    pub(super) client: Option<&'a Arc<PrincipalRecord>>,
    pub(super) channel: Channel,
}

/// What a mechanism sees of a request.
pub(super) struct AsContext<'a> {
    pub(super) exchange: &'a Exchange<'a>,
    pub(super) request: &'a KdcRequest,
    pub(super) client: Option<&'a Arc<PrincipalRecord>>,
    pub(super) armor: Option<&'a Armor>,
}

/// What came of a mechanism's step.
pub(super) enum Step<'a> {
    /// The client proved these factors, with this key. The ciphertext that did it is good for one request.
    Done {
        factors: Factors,
        proof: Vec<u8>,
        key: &'a StoredKey,
        /// What the mechanism tells the client in the reply.
        padata: Vec<PaData>,
    },
    /// The proof is not complete: the client is told this, and brings `state` back in its cookie.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "encrypted timestamp and challenge are one step each")
    )]
    More { state: Vec<u8>, padata: Vec<PaData> },
    /// The proof is wrong.
    Wrong { detail: &'static str },
    /// The proof may be right, but something else is wrong that the client should know.
    Refused(Refusal),
}

/// One kind of pre-authentication.
pub(super) trait Mechanism: Sync {
    /// The padata type that it is sent with.
    fn pa_type(&self) -> i32;

    /// What it is called where people read of it.
    fn name(&self) -> &'static str;

    /// Why this mechanism is not for this audience: then it is not offered, and what is sent for it counts as not sent.
    fn unfit(&self, audience: &Audience<'_>) -> Option<&'static str>;

    /// Whether it is offered to an audience that it is fit for, and not only taken from it.
    fn is_offered(&self, _: &Audience<'_>) -> bool {
        true
    }

    /// Whether who proves itself by this understands a reply key that is strengthened, as RFC 6113 §5.4.3 says.
    fn strengthens_reply(&self) -> bool {
        true
    }

    /// What stands in METHOD-DATA beside its type.
    fn hint(&self, _: &Audience<'_>) -> Vec<u8> {
        Vec::new()
    }

    /// Checks what the client sent; `state` is what [`Step::More`] of an earlier request kept.
    fn step<'a>(&self, cx: &AsContext<'a>, pa: &PaData, state: Option<&[u8]>, random: &mut dyn Random) -> Step<'a>;
}

/// Every mechanism, the best first: offered in this order, and the first that a client sends is taken.
const MECHANISMS: &[&dyn Mechanism] = &[
    &encrypted_challenge::EncryptedChallenge,
    &encrypted_timestamp::EncryptedTimestamp,
    #[cfg(test)]
    &tests::TwoSteps,
];

/// What a request brings for pre-authentication.
pub(super) enum Sent<'a> {
    /// The best mechanism that it brings something for.
    Proof(&'static dyn Mechanism, &'a PaData),
    /// Only for mechanisms that are not for this audience, for this reason.
    Unfit(&'static str),
    /// Nothing that is known here.
    Nothing,
}

impl<'a> AsContext<'a> {
    pub(super) fn audience(&self) -> Audience<'a> {
        Audience {
            settings: self.exchange.settings,
            client: self.client,
            channel: self.channel(),
        }
    }

    pub(super) fn channel(&self) -> Channel {
        match self.armor {
            Some(_) => Channel::Armored,
            None => Channel::Open,
        }
    }

    /// Of a principal's current keys, those of the enctypes that were asked for, in the request's order.
    pub(super) fn keys_of(&self, holder: &'a PrincipalRecord) -> impl Iterator<Item = &'a StoredKey> + use<'a> {
        let etypes = self.request.etypes();
        etypes.flat_map(|etype| holder.current_keys().filter(move |key| key.etype == etype))
    }

    /// The same of the keys that may prove something; the current ones come first.
    pub(super) fn proof_keys_of(&self, holder: &'a PrincipalRecord) -> impl Iterator<Item = &'a StoredKey> + use<'a> {
        let etypes = self.request.etypes();
        let staged = etypes.flat_map(|etype| holder.staged.iter().filter(move |key| key.etype == etype));
        self.keys_of(holder).chain(staged)
    }

    /// Whose keys a proof is tried on. For a name that nobody has, the realm's own keys take the place of the client's, so that
    /// the answer takes the time that it takes for a wrong password.
    fn key_holder(&self) -> Option<&'a Arc<PrincipalRecord>> {
        let decoy = || lookup::krbtgt(self.exchange.view, &self.exchange.settings.name).ok();
        self.client.or_else(decoy)
    }
}

/// The mechanisms that this audience is offered.
pub(super) fn offered<'a>(audience: &'a Audience<'a>) -> impl Iterator<Item = &'static dyn Mechanism> + use<'a> {
    MECHANISMS
        .iter()
        .copied()
        .filter(|mechanism| mechanism.unfit(audience).is_none() && mechanism.is_offered(audience))
}

/// What METHOD-DATA offers, beside the salts.
pub(super) fn offers(audience: &Audience<'_>) -> MethodData {
    let mut methods: MethodData = offered(audience)
        .map(|mechanism| PaData::new(mechanism.pa_type(), mechanism.hint(audience)))
        .collect();
    // RFC 6113 §5.4.2: with an empty value. Who uses FAST already need not be told.
    if audience.channel == Channel::Open {
        methods.push(PaData::new(pa_type::FX_FAST, Vec::new()));
    }
    methods
}

// Its own error, and not "wrong": the client corrects its clock by the KRB-ERROR and tries again.
fn check_time(cx: &AsContext<'_>, stamp: &PaEncTsEnc) -> Result<(), Refusal> {
    let now = cx.exchange.request.now.time;
    if stamp.patimestamp.within(now, cx.exchange.settings.clock_skew) {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::KRB_AP_ERR_SKEW, "clock-skew")
        .detail(format!("client's time {}", stamp.patimestamp))
        .remembered())
}

/// The best mechanism that knows something of this padata; all else in a request counts as not sent.
pub(super) fn find<'p>(audience: &Audience<'_>, padata: &'p [PaData]) -> Sent<'p> {
    let mut unfit = None;
    for mechanism in MECHANISMS {
        let Some(pa) = padata.iter().find(|pa| pa.padata_type == mechanism.pa_type()) else {
            continue;
        };
        match mechanism.unfit(audience) {
            None => return Sent::Proof(*mechanism, pa),
            Some(reason) => unfit = unfit.or(Some(reason)),
        }
    }
    unfit.map_or(Sent::Nothing, Sent::Unfit)
}
