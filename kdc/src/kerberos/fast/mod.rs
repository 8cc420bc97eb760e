//! FAST (RFC 6113 §5.4) at the KDC: takes the armor off a request, and puts it on what goes back.

mod armor;

use std::borrow::Cow;

use tessera_common::Random;
use tessera_common::crypto::{CryptoError, Key};
use tessera_common::error_code::ErrorCode;
use tessera_common::fast::{ArmorKey, FastError, strengthen};
use tessera_common::flags::FastOptions;
use tessera_common::time::Timestamp;
use tessera_common::wire::{
    self, KerberosString, KrbError, KrbFastArmoredReq, KrbFastFinished, KrbFastResponse, Microseconds, PaData,
    PaFxFastRequest, PrincipalName, UInt32, ad_type, pa_type,
};

use super::header_ticket::HeaderTicket;
use super::refusal::Refusal;
use super::request::KdcRequest;
use super::{Exchange, authorization_data};
use crate::realm::accounting::{Event, SESSION_ARMOR};

// RFC 6113 §5.4.2: a KDC refuses the first sixteen options unless it knows them, and ignores the others. Bit 0 has no
// meaning yet; MIT refuses it with the rest.
const CRITICAL_OPTIONS: FastOptions = FastOptions(0xffff_0000);
const KNOWN_OPTIONS: FastOptions = FastOptions::HIDE_CLIENT_NAMES;

/// An armored conversation: the key that it is under, and what the client asked of it.
#[derive(Clone, Debug)]
pub(super) struct Armor {
    pub(super) key: ArmorKey,
    options: FastOptions,
    // The inner request's, once that is known.
    nonce: UInt32,
}

/// What a FAST reply says of the ticket that it goes with.
pub(super) struct Finished<'a> {
    pub(super) now: Timestamp,
    pub(super) crealm: &'a KerberosString,
    pub(super) cname: &'a PrincipalName,
    /// As it stands in the reply.
    pub(super) ticket: &'a [u8],
}

/// A reply key before and after the KDC added its share.
pub(super) struct Strengthened<'k> {
    pub(super) key: Cow<'k, Key>,
    pub(super) share: Option<Key>,
}

/// Whether a request claims to have armor.
pub(super) fn is_armored(outer: &KdcRequest) -> bool {
    outer.pa(pa_type::FX_FAST).is_some()
}

/// What was inside the armor of an AS-REQ, if it has one.
pub(super) fn open_as(
    exchange: &Exchange<'_>,
    outer: &KdcRequest,
    event: &mut Event,
) -> Result<Option<(KdcRequest, Armor)>, Refusal> {
    let Some(request) = armored_request(outer)? else {
        return Ok(None);
    };
    let armor = request.armor.as_ref().ok_or_else(armor_absent)?;
    let key = armor::from_ap_request(exchange, armor, event)?;
    open(outer, &request, key, &outer.body_octets).map(Some)
}

/// What was inside the armor of a TGS-REQ, if it has one: the header ticket's session key and the authenticator's subkey make its key.
pub(super) fn open_tgs(
    outer: &KdcRequest,
    header: &HeaderTicket,
    event: &mut Event,
) -> Result<Option<(KdcRequest, Armor)>, Refusal> {
    let Some(request) = armored_request(outer)? else {
        // RFC 6113 §5.4.2: the client says where nobody can alter it that it used FAST. So somebody took it off.
        let was_armored = [
            header.ticket.authorization_data(),
            header.authenticator.authorization_data(),
        ]
        .into_iter()
        .any(|data| authorization_data::holds(data, ad_type::FX_FAST_USED));
        return if was_armored {
            Err(Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, "fast-taken-off"))
        } else {
            Ok(None)
        };
    };
    if request.armor.is_some() {
        return Err(Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, "armor-not-for-tgs")
            .text("the armor of a TGS request is its own subkey"));
    }
    let subkey = header.authenticator.subkey().ok_or_else(armor_absent)?;
    let key = ArmorKey::new(subkey, header.ticket.session_key());
    event.armor = Some(SESSION_ARMOR.to_owned());
    let ap_req = outer.pa(pa_type::TGS_REQ).map(|pa| &*pa.padata_value);
    open(outer, &request, key, ap_req.unwrap_or_default()).map(Some)
}

fn armored_request(outer: &KdcRequest) -> Result<Option<KrbFastArmoredReq>, Refusal> {
    let Some(pa) = outer.pa(pa_type::FX_FAST) else {
        return Ok(None);
    };
    let PaFxFastRequest::ArmoredData(request) = wire::decode(&pa.padata_value).map_err(|why| {
        Refusal::new(ErrorCode::KRB_ERR_GENERIC, "malformed")
            .detail(why.to_string())
            .text("the FAST request cannot be decoded")
    })?;
    Ok(Some(request))
}

fn armor_absent() -> Refusal {
    Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, "armor-absent").text("a FAST request without armor")
}

// From here on there is a key that only the client has, too: whatever is wrong is told under it.
fn open(
    outer: &KdcRequest,
    request: &KrbFastArmoredReq,
    key: ArmorKey,
    covered: &[u8],
) -> Result<(KdcRequest, Armor), Refusal> {
    let mut armor = Armor {
        key,
        options: FastOptions::empty(),
        nonce: outer.body.nonce,
    };
    open_inner(request, &mut armor, covered)
        .map(|inner| (inner, armor.clone()))
        .map_err(|refusal| refusal.armored(&armor))
}

fn open_inner(request: &KrbFastArmoredReq, armor: &mut Armor, covered: &[u8]) -> Result<KdcRequest, Refusal> {
    let inner = armor.key.open_request(request, covered).map_err(refuse)?;
    let unknown = inner.fast_options.without(KNOWN_OPTIONS);
    if unknown.intersects(CRITICAL_OPTIONS) {
        return Err(
            Refusal::new(ErrorCode::KDC_ERR_UNKNOWN_CRITICAL_FAST_OPTIONS, "fast-option-unknown")
                .detail(format!("bits {:08x}", unknown.0)),
        );
    }
    armor.options = inner.fast_options;
    if inner.padata.iter().any(|pa| pa.padata_type == pa_type::FX_FAST) {
        return Err(Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, "fast-nested").text("FAST inside FAST"));
    }
    // RFC 6113 §5.4.2: the body inside counts, and the one outside does not, whatever it says.
    let inner = KdcRequest::new(inner.padata, inner.req_body)?;
    armor.nonce = inner.body.nonce;
    Ok(inner)
}

fn refuse(why: FastError) -> Refusal {
    let (code, reason) = match why {
        FastError::Integrity => (ErrorCode::KRB_AP_ERR_BAD_INTEGRITY, "fast-request-unreadable"),
        FastError::Checksum(CryptoError::Integrity) => (ErrorCode::KRB_AP_ERR_MODIFIED, "fast-request-modified"),
        FastError::Checksum(_) => (ErrorCode::KRB_AP_ERR_INAPP_CKSUM, "fast-checksum-inappropriate"),
        _ => (ErrorCode::KRB_ERR_GENERIC, "malformed"),
    };
    Refusal::new(code, reason).detail(why.to_string())
}

impl Armor {
    /// Whether the answer's cleartext is to name nobody (RFC 6113 §5.4.2).
    pub(super) fn hides_client(&self) -> bool {
        self.options.contains(FastOptions::HIDE_CLIENT_NAMES)
    }

    /// The padata of a reply: what would stand there without armor, and the proof that this reply is to this request.
    pub(super) fn reply(
        &self,
        padata: Vec<PaData>,
        share: Option<&Key>,
        finished: &Finished<'_>,
        random: &mut dyn Random,
    ) -> PaData {
        let response = KrbFastResponse {
            padata,
            strengthen_key: share.map(Into::into),
            finished: Some(KrbFastFinished {
                timestamp: finished.now.time,
                usec: Microseconds(finished.now.usec),
                crealm: finished.crealm.clone(),
                cname: finished.cname.clone(),
                ticket_checksum: self.key.ticket_checksum(finished.ticket),
            }),
            nonce: self.nonce,
        };
        self.key.seal_response(&response, random)
    }

    /// The padata of an error (RFC 6113 §5.4.4). `error` is without e-data.
    pub(super) fn error(&self, mut methods: Vec<PaData>, error: &KrbError, random: &mut dyn Random) -> PaData {
        methods.push(PaData::new(pa_type::FX_ERROR, wire::encode(error)));
        let response = KrbFastResponse {
            padata: methods,
            strengthen_key: None,
            finished: None,
            nonce: self.nonce,
        };
        self.key.seal_response(&response, random)
    }
}

/// RFC 6113 §5.4.3: through FAST, the KDC has a share in every reply's key. An attacker who takes FAST off a reply can so
/// not make it look like that of a KDC without FAST.
pub(super) fn reply_key<'k>(armor: Option<&Armor>, key: &'k Key, random: &mut dyn Random) -> Strengthened<'k> {
    if armor.is_none() {
        return Strengthened {
            key: Cow::Borrowed(key),
            share: None,
        };
    }
    let share = Key::random(key.etype(), random);
    Strengthened {
        key: Cow::Owned(strengthen(&share, key)),
        share: Some(share),
    }
}
