//! The armor of an AS-REQ: an AP-REQ with a ticket-granting ticket (RFC 6113 §5.4.1.1).

use tessera_common::ap::{ApError, ApRequest, open_authenticator};
use tessera_common::crypto::KeyUsage;
use tessera_common::error_code::ErrorCode;
use tessera_common::fast::ArmorKey;
use tessera_common::wire::{KrbFastArmor, armor_type};

use crate::kerberos::refusal::Refusal;
use crate::kerberos::{Exchange, header_ticket};
use crate::realm::accounting::Event;
use crate::realm::authentication::readmit;

const REFUSED: &str = "the FAST armor is refused; get another ticket to armor with";

/// Checks the armor as any other AP-REQ, but for two things: it says nothing of who asks, and one AP-REQ serves a whole
/// conversation, so that it is not used up.
pub(super) fn from_ap_request(
    exchange: &Exchange<'_>,
    armor: &KrbFastArmor,
    event: &mut Event,
) -> Result<ArmorKey, Refusal> {
    if armor.armor_type != armor_type::AP_REQUEST {
        return Err(Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, "armor-type-unknown")
            .detail(format!("type {}", armor.armor_type)));
    }
    let request = ApRequest::decode(&armor.armor_value).map_err(refuse)?;
    let realm = &exchange.settings.name;
    // Before it is opened: a ticket to a service, or one under another user's session key, is none, whatever it holds. A
    // ticket of another realm is refused as such when it is opened.
    if request.service().realm == *realm && request.service().name.tgs_realm() != Some(realm.as_str()) {
        return Err(Refusal::new(ErrorCode::KDC_ERR_SERVER_NOMATCH, "armor-is-no-tgt")
            .detail(request.service().to_string())
            .text("the armor is not a ticket-granting ticket of this realm"));
    }
    let (_, ticket) = header_ticket::open(exchange, request.ticket()).map_err(|refusal| refusal.text(REFUSED))?;
    event.armor = Some(ticket.client().name.to_string());
    let authenticator = open_authenticator(
        request.authenticator(),
        ticket.session_key(),
        KeyUsage::AP_REQ_AUTHENTICATOR,
    )
    .map_err(refuse)?;
    let now = exchange.request.now.time;
    let skew = exchange.settings.clock_skew;
    authenticator.check_client(&ticket).map_err(refuse)?;
    authenticator.check_skew(now, skew).map_err(refuse)?;
    ticket.check_times(now, skew).map_err(refuse)?;
    ticket.check_validated().map_err(refuse)?;
    ticket
        .check_address(exchange.request.origin.peer.ip())
        .map_err(refuse)?;
    // A machine that was locked out, or is no longer the one that the ticket was issued to, armors nobody.
    let holder = header_ticket::holder(exchange, &ticket, true).map_err(|refusal| refusal.text(REFUSED))?;
    readmit(holder, now).map_err(|denied| Refusal::from(denied).text(REFUSED))?;
    let subkey = authenticator.subkey().ok_or_else(|| {
        Refusal::new(ErrorCode::KDC_ERR_POLICY, "armor-without-subkey").text("the armor's authenticator has no subkey")
    })?;
    Ok(ArmorKey::new(subkey, ticket.session_key()))
}

fn refuse(why: ApError) -> Refusal {
    header_ticket::refuse(why).text(REFUSED)
}
