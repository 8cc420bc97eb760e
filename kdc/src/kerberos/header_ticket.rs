//! The ticket and authenticator that a TGS-REQ comes with (RFC 4120 §3.3.2): opened and checked before anything else is
//! looked at.

use std::sync::Arc;

use tessera_common::ap::{ApError, OpenAuthenticator, OpenTicket, open_authenticator, open_ticket};
use tessera_common::crypto::{EncType, Key, KeyUsage, constant_time_eq, md5};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::KdcOptions;
use tessera_common::wire::{self, ApReq, Ticket, ad_type, pa_type};

use super::binding::{self, Binding};
use super::refusal::Refusal;
use super::request::KdcRequest;
use super::{Exchange, authorization_data, issue, lookup};
use crate::realm::accounting::Event;
use crate::realm::authentication::Factors;
use crate::realm::denied::Denied;
use crate::realm::principal::{Attributes, PrincipalRecord, StoredKey};

// CRC32 and RSA-MD4 (RFC 3961 §6.1): not collision-proof.
const UNFIT: [i32; 2] = [1, 2];

/// A header ticket that is genuine, with an authenticator of its client over this request.
#[derive(Debug)]
pub(super) struct HeaderTicket<'v> {
    pub(super) ticket: OpenTicket,
    pub(super) authenticator: OpenAuthenticator,
    /// The principal that the ticket is for: krbtgt, or another service.
    pub(super) server: &'v PrincipalRecord,
    pub(super) is_tgt: bool,
}

impl<'v> HeaderTicket<'v> {
    /// Opens the PA-TGS-REQ of a request, armored or not, and checks that the ticket's client sent it. When that went well,
    /// the authenticator is used up: from then on the same request must get the same answer, whatever that is.
    pub(super) fn open(exchange: &Exchange<'v>, request: &KdcRequest, event: &mut Event) -> Result<Self, Refusal> {
        let pa = request
            .pa(pa_type::TGS_REQ)
            .ok_or_else(|| Refusal::new(ErrorCode::KDC_ERR_PADATA_TYPE_NOSUPP, "header-ticket-absent"))?;
        let malformed = |why: wire::DecodeError| {
            Refusal::new(ErrorCode::KRB_ERR_GENERIC, "malformed")
                .detail(why.to_string())
                .text("the AP-REQ cannot be decoded")
        };
        let ap_req: ApReq = wire::decode(&pa.padata_value).map_err(malformed)?;
        if ap_req.pvno != wire::PVNO {
            return Err(Refusal::new(ErrorCode::KRB_AP_ERR_BADVERSION, "protocol-version"));
        }
        if ap_req.msg_type != wire::msg_type::AP_REQ {
            return Err(Refusal::new(ErrorCode::KRB_AP_ERR_MSG_TYPE, "message-type"));
        }
        let sealed: Ticket = wire::decode(ap_req.ticket.as_bytes()).map_err(malformed)?;
        let (server, ticket) = open(exchange, &sealed)?;
        event.client = Some(ticket.client().name.to_string());
        let authenticator = open_authenticator(
            &ap_req.authenticator,
            ticket.session_key(),
            KeyUsage::TGS_REQ_AUTHENTICATOR,
        )
        .map_err(refuse)?;
        let header = Self {
            is_tgt: server.name.tgs_realm() == Some(exchange.settings.name.as_str()),
            ticket,
            authenticator,
            server,
        };
        // The client has the session key: from here on it may be told its own name.
        header
            .check_sender(exchange, request)
            .map_err(|refusal| header.echo_client(refusal))?;
        let now = exchange.request.now.time;
        if !exchange.replays.use_proof(&ap_req.authenticator.cipher, now) {
            let replayed = Refusal::new(ErrorCode::KRB_AP_ERR_REPEAT, "authenticator-replayed");
            return Err(header.echo_client(replayed.remembered()));
        }
        event.factor = Some(Factors::TICKET.name());
        Ok(header)
    }

    fn check_sender(&self, exchange: &Exchange<'_>, request: &KdcRequest) -> Result<(), Refusal> {
        let (ticket, authenticator) = (&self.ticket, &self.authenticator);
        authenticator.check_client(ticket).map_err(refuse)?;
        authenticator
            .check_skew(exchange.request.now.time, exchange.settings.clock_skew)
            .map_err(refuse)?;
        check_body(authenticator, ticket.session_key(), &request.body_octets)?;
        check_purpose(ticket, authenticator)
    }

    /// Checks that the ticket is good now, from here, and for what is asked: where there is FAST, by the request inside.
    pub(super) fn check_use(&self, exchange: &Exchange<'_>, request: &KdcRequest) -> Result<(), Refusal> {
        let ticket = &self.ticket;
        let now = exchange.request.now.time;
        ticket.check_times(now, exchange.settings.clock_skew).map_err(refuse)?;
        if request.asks(KdcOptions::VALIDATE) {
            // RFC 4120 §3.3.3: the start has passed, and by the KDC's own clock: no allowance for the skew, since nobody
            // else's clock is asked.
            let starttime = ticket.starttime();
            if starttime > now {
                return Err(
                    refuse(ApError::NotYetValid { starttime, now }).text("the postdated ticket has not begun yet")
                );
            }
        } else {
            ticket.check_validated().map_err(refuse)?;
        }
        ticket.check_address(exchange.request.origin.peer.ip()).map_err(refuse)
    }

    /// Names in a KRB-ERROR the client that the ticket was issued to.
    pub(super) fn echo_client(&self, refusal: Refusal) -> Refusal {
        let part = self.ticket.enc_part();
        refusal.naming_client(part.crealm.clone(), part.cname.clone())
    }

    /// The key for the reply, and for what the client encrypted in its request.
    pub(super) fn reply_key(&self) -> (&Key, KeyUsage) {
        match self.authenticator.subkey() {
            Some(subkey) => (subkey, KeyUsage::TGS_REP_SUBKEY),
            None => (self.ticket.session_key(), KeyUsage::TGS_REP_SESSION),
        }
    }
}

/// Finds the key that a ticket of this realm is sealed with, by the server's name, the kvno and the enctype.
pub(super) fn open<'v>(exchange: &Exchange<'v>, sealed: &Ticket) -> Result<(&'v PrincipalRecord, OpenTicket), Refusal> {
    if sealed.tkt_vno != wire::PVNO {
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_BADVERSION, "protocol-version"));
    }
    let not_us = |reason| Refusal::new(ErrorCode::KRB_AP_ERR_NOT_US, reason);
    lookup::check_realm(&sealed.realm, &exchange.settings.name, ErrorCode::KRB_AP_ERR_NOT_US)?;
    let name = sealed
        .sname
        .to_name()
        .map_err(|why| not_us("ticket-server-bad").detail(why.to_string()))?;
    let server = exchange
        .view
        .find(&name)
        .ok_or_else(|| not_us("ticket-server-unknown").detail(name.to_string()))?;
    if server.attributes.contains(Attributes::LOCKED) {
        return Err(Refusal::from(Denied::ServiceLocked).detail(name.to_string()));
    }
    let kvno = sealed.enc_part.kvno.map(|kvno| kvno.0);
    let key = server_key(exchange, server, kvno, sealed.enc_part.etype)?.ok_or_else(|| {
        Refusal::new(ErrorCode::KRB_AP_ERR_BADKEYVER, "ticket-key-version").detail(format!(
            "{name} kvno {} enctype {}",
            kvno.unwrap_or_default(),
            sealed.enc_part.etype
        ))
    })?;
    Ok((server, open_ticket(sealed, key).map_err(refuse)?))
}

/// A key of a server by version and enctype, as long as that version is good.
fn server_key<'v>(
    exchange: &Exchange<'v>,
    server: &'v PrincipalRecord,
    kvno: Option<u32>,
    etype: i32,
) -> Result<Option<&'v Key>, Refusal> {
    let Some(kvno) = kvno.or_else(|| server.kvno()) else {
        return Ok(None);
    };
    if server.name.tgs_realm() == Some(exchange.settings.name.as_str()) {
        return Ok(realm_key(exchange, server, kvno)?.filter(|key| key.etype().number() == etype));
    }
    let mut keys = server.keys_of(kvno);
    good_key(exchange, server, keys.find(|key| key.etype.number() == etype))
}

/// The realm's own key of a version, as long as that is good. Nothing is ever sealed with another than a version's first:
/// another one, which may be weaker, opens nothing.
pub(super) fn realm_key<'v>(
    exchange: &Exchange<'v>,
    krbtgt: &'v PrincipalRecord,
    kvno: u32,
) -> Result<Option<&'v Key>, Refusal> {
    good_key(exchange, krbtgt, krbtgt.keys_of(kvno).next())
}

fn good_key<'v>(
    exchange: &Exchange<'v>,
    server: &PrincipalRecord,
    stored: Option<&'v StoredKey>,
) -> Result<Option<&'v Key>, Refusal> {
    let now = exchange.request.now.time;
    stored
        .filter(|stored| stored.retired.is_none_or(|at| at > now))
        .map(|stored| issue::unseal(exchange.view, server, stored))
        .transpose()
}

/// The principal that a ticket was issued to, as it is now (RFC 4120 §3.3.3). Whether the name still means the same one, the
/// binding tells; a TGT without one comes from another KDC with the realm's key, and is good for a client older than it.
pub(super) fn holder<'v>(
    exchange: &Exchange<'v>,
    ticket: &OpenTicket,
    is_tgt: bool,
) -> Result<&'v Arc<PrincipalRecord>, Refusal> {
    let realm = &exchange.settings.name;
    let part = ticket.enc_part();
    lookup::check_realm(&part.crealm, realm, ErrorCode::KDC_ERR_POLICY)?;
    let found = lookup::client(exchange.view, realm, &part.cname, &ticket.client().name);
    let verifier_key = |kvno, etype| {
        let krbtgt = lookup::krbtgt(exchange.view, realm).ok()?;
        server_key(exchange, krbtgt, Some(kvno), etype).ok().flatten()
    };
    let binding = binding::read(part, if is_tgt { None } else { Some(&verifier_key) });
    let is_same = |client: &PrincipalRecord| match binding {
        Binding::To(id) => client.id == id,
        Binding::Absent => is_tgt && client.created <= part.authtime,
        Binding::Forged => false,
    };
    match found {
        Some(client) if is_same(client) => Ok(client),
        _ if binding == Binding::Forged || (binding == Binding::Absent && !is_tgt) => {
            Err(Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, "ticket-binding-forged")
                .text("the ticket was not issued by this KDC as it stands"))
        }
        _ => Err(Denied::ClientReplaced.into()),
    }
}

// RFC 6113 §5.4.1.1: a ticket or an authenticator that is meant as armor for somebody else's request gets no ticket.
fn check_purpose(ticket: &OpenTicket, authenticator: &OpenAuthenticator) -> Result<(), Refusal> {
    let is_armor = [ticket.authorization_data(), authenticator.authorization_data()]
        .into_iter()
        .any(|data| authorization_data::holds(data, ad_type::FX_FAST_ARMOR));
    if is_armor {
        return Err(Refusal::new(ErrorCode::KDC_ERR_POLICY, "header-ticket-is-armor")
            .text("the ticket is good as FAST armor only"));
    }
    Ok(())
}

// RFC 4120 §3.3.2 wants a collision-proof checksum: here, the session key's own type. Old Java sends RSA-MD5, which MIT
// takes, too: the authenticator that carries it is encrypted.
fn check_body(authenticator: &OpenAuthenticator, session_key: &Key, body: &[u8]) -> Result<(), Refusal> {
    let inappropriate = |detail: String| {
        Refusal::new(ErrorCode::KRB_AP_ERR_INAPP_CKSUM, "request-checksum-inappropriate").detail(detail)
    };
    let checksum = authenticator
        .checksum()
        .ok_or_else(|| inappropriate("absent".to_owned()))?;
    let fits = if checksum.cksumtype == md5::CKSUMTYPE {
        constant_time_eq(&md5::digest(body), &checksum.checksum)
    } else if checksum.cksumtype == session_key.etype().checksum_type() {
        let usage = KeyUsage::TGS_REQ_CHECKSUM;
        session_key
            .verify_checksum(usage, checksum.cksumtype, body, &checksum.checksum)
            .is_ok()
    } else {
        let detail = format!("type {}", checksum.cksumtype);
        let is_known = UNFIT.contains(&checksum.cksumtype)
            || EncType::ALL
                .iter()
                .any(|etype| etype.checksum_type() == checksum.cksumtype);
        return Err(if is_known {
            inappropriate(detail)
        } else {
            Refusal::new(ErrorCode::KDC_ERR_SUMTYPE_NOSUPP, "request-checksum-unknown").detail(detail)
        });
    };
    if fits {
        Ok(())
    } else {
        Err(Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, "request-modified"))
    }
}

/// What an AP error is for the TGS: the peer gets the code, the log the whole.
pub(super) fn refuse(why: ApError) -> Refusal {
    let reason = match why.code() {
        ErrorCode::KRB_AP_ERR_TKT_EXPIRED => "ticket-expired",
        ErrorCode::KRB_AP_ERR_TKT_NYV => "ticket-not-yet-valid",
        ErrorCode::KRB_AP_ERR_SKEW => "clock-skew",
        ErrorCode::KRB_AP_ERR_BADADDR => "address",
        ErrorCode::KRB_AP_ERR_BADMATCH => "authenticator-of-another-client",
        ErrorCode::KRB_AP_ERR_BAD_INTEGRITY => "integrity",
        _ => "header-ticket",
    };
    Refusal::new(why.code(), reason).detail(why.to_string())
}
