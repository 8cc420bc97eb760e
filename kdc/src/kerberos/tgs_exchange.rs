//! The ticket-granting service (RFC 4120 §3.3): gather what the request is about, check it against the rules, issue.

use std::sync::Arc;

use tessera_common::Random;
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::{KdcOptions, TicketFlags};
use tessera_common::time::KerberosTime;
use tessera_common::wire::{self, AuthorizationData, EncTicketPart, KerberosString, MethodData, Ticket};

use super::fast::{self, Armor, Strengthened};
use super::header_ticket::{self, HeaderTicket};
use super::issue::{self, ReplyFacts, ReplyKey, SealingKey};
use super::refusal::Refusal;
use super::request::{AskedName, KdcRequest};
use super::times::{self, HeaderBound, Times};
use super::{Exchange, as_exchange, authorization_data, lookup, options};
use crate::realm::accounting::{Event, Result as EventResult};
use crate::realm::authentication::readmit;
use crate::realm::authorization::{Grant, Path, authorize_ticket};
use crate::realm::principal::PrincipalRecord;

/// Answers a TGS-REQ: the TGS-REP, or why there is none.
pub(super) fn run(exchange: &Exchange<'_>, event: &mut Event, random: &mut dyn Random) -> Result<Vec<u8>, Refusal> {
    let outer = KdcRequest::decode_tgs(exchange.request.octets)?;
    describe(&outer, event);
    let header = HeaderTicket::open(exchange, &outer, event).map_err(|refusal| outer.echo_service(refusal))?;
    let inner = fast::open_tgs(&outer, &header, event)
        .map_err(|refusal| outer.echo_service(header.echo_client(refusal).remembered()))?;
    let (request, armor) = match &inner {
        Some((request, armor)) => (request, Some(armor)),
        None => (&outer, None),
    };
    if armor.is_some() {
        describe(request, event);
    }
    answer(exchange, request, armor, &header, event, random).map_err(|refusal| {
        let refusal = request.echo_service(header.echo_client(refusal)).remembered();
        armor.into_iter().fold(refusal, Refusal::armored)
    })
}

// RFC 4120 §5.4.1: a client's name in the body is for the AS; here it is the ticket's.
fn describe(request: &KdcRequest, event: &mut Event) {
    let client = event.client.take();
    request.describe(event);
    event.client = client;
}

fn answer(
    exchange: &Exchange<'_>,
    request: &KdcRequest,
    armor: Option<&Armor>,
    header: &HeaderTicket<'_>,
    event: &mut Event,
    random: &mut dyn Random,
) -> Result<Vec<u8>, Refusal> {
    header.check_use(exchange, request)?;
    let client = header_ticket::holder(exchange, &header.ticket, header.is_tgt)?;
    event.client_id = Some(client.id);
    let facts = Facts::gather(exchange, request, header, client, event)?;
    let (part, sealing) = facts.check(event, random)?;
    let (key, usage) = header.reply_key();
    let Strengthened { key, share } = fast::reply_key(armor, key, random);
    let reply_key = ReplyKey { key, kvno: None, usage };
    event.result = EventResult::Issued(as_exchange::issued(&part, &sealing, &reply_key));
    let reply = ReplyFacts {
        nonce: request.body.nonce,
        now: exchange.request.now,
        key_expiration: None,
        padata: MethodData::new(),
        encrypted_padata: issue::enc_pa_rep(exchange, request, &reply_key.key),
        armor,
        share,
    };
    // RFC 6806 §6: the service's name comes back as it was asked for.
    let srealm = KerberosString::from(&exchange.settings.name);
    Ok(issue::reply(
        issue::Exchange::Tgs,
        (srealm, facts.sname.wire.clone()),
        part,
        &sealing,
        &reply_key,
        reply,
        random,
    ))
}

/// All that the rules look at.
struct Facts<'a> {
    exchange: &'a Exchange<'a>,
    request: &'a KdcRequest,
    header: &'a HeaderTicket<'a>,
    client: &'a Arc<PrincipalRecord>,
    sname: AskedName<'a>,
    service: &'a Arc<PrincipalRecord>,
    /// The session key of another user's TGT, in user-to-user.
    second_key: Option<Key>,
    path: Path,
}

impl<'a> Facts<'a> {
    fn gather(
        exchange: &'a Exchange<'a>,
        request: &'a KdcRequest,
        header: &'a HeaderTicket<'a>,
        client: &'a Arc<PrincipalRecord>,
        event: &mut Event,
    ) -> Result<Self, Refusal> {
        // RFC 4120 §3.3.3 takes an absent name from the second ticket; like MIT, this KDC does not: nobody leaves it out.
        let sname = request.sname()?;
        lookup::check_realm(
            &request.body.realm,
            &exchange.settings.name,
            ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN,
        )?;
        let service = lookup::service(exchange.view, sname)?;
        event.service_id = Some(service.id);
        if !header.is_tgt && !options::AGAIN.iter().any(|option| request.asks(*option)) {
            return Err(Refusal::new(ErrorCode::KRB_AP_ERR_NOT_US, "header-ticket-is-no-tgt")
                .text("only a ticket-granting ticket gets tickets for other services"));
        }
        let keeps_ticket = request.asks(KdcOptions::RENEW) || request.asks(KdcOptions::VALIDATE);
        if (keeps_ticket || !header.is_tgt) && service.id != header.server.id {
            return Err(Refusal::new(
                ErrorCode::KDC_ERR_SERVER_NOMATCH,
                "header-ticket-of-another-server",
            ));
        }
        let second_key = request
            .asks(KdcOptions::ENC_TKT_IN_SKEY)
            .then(|| second_ticket_key(exchange, request, service))
            .transpose()?;
        let pre_authenticated = header.ticket.flags().contains(TicketFlags::PRE_AUTHENT);
        let path = if second_key.is_some() {
            Path::UserToUser { pre_authenticated }
        } else if header.is_tgt && !keeps_ticket {
            Path::Tgt { pre_authenticated }
        } else if keeps_ticket {
            Path::Kept { pre_authenticated }
        } else {
            Path::Again { pre_authenticated }
        };
        Ok(Self {
            exchange,
            request,
            header,
            client,
            sname,
            service,
            second_key,
            path,
        })
    }

    /// The ticket and the key that seals it, if the rules allow it.
    fn check(&self, event: &mut Event, random: &mut dyn Random) -> Result<(EncTicketPart, SealingKey<'_>), Refusal> {
        let now = self.exchange.request.now.time;
        options::check_with_ticket(self.request.body.kdc_options, self.header.ticket.flags())?;
        if self.request.asks(KdcOptions::PROXY) && self.service.name.tgs_realm().is_some() {
            return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, "proxy-of-a-tgt")
                .text("a ticket-granting ticket can be forwarded, not proxied"));
        }
        let client = readmit(self.client, now)?;
        let asked = self.exchange.asked(self.path);
        let grant = authorize_ticket(self.exchange.policy(), &client, self.service, &asked)?;
        event.rule = grant.rule.map(|rule| rule.name().clone());
        let (session_etype, sealing) = self.keys()?;
        let times = self.times(&grant, now)?;
        let held = self.header.ticket.enc_part();
        let mut part = EncTicketPart {
            flags: self.flags(&grant),
            key: issue::session_key(session_etype, random),
            crealm: held.crealm.clone(),
            cname: held.cname.clone(),
            transited: held.transited.clone(),
            authtime: held.authtime,
            starttime: None,
            endtime: times.end,
            renew_till: None,
            caddr: self.addresses(),
            authorization_data: self.authorization_data()?,
        };
        if self.keeps_ticket() {
            part.starttime = Some(times.start);
            part.renew_till = times.renew_till;
        } else {
            issue::set_times(&mut part, &times);
        }
        as_exchange::bind_to(self.exchange, &mut part, self.client, self.service, sealing.key)?;
        Ok((part, sealing))
    }

    // The enctype of the session key, and the key that seals the ticket. In user-to-user both are the second ticket's: that
    // is the one enctype of which it is known that the other side can use it.
    fn keys(&self) -> Result<(EncType, SealingKey<'_>), Refusal> {
        let Some(key) = &self.second_key else {
            let etype = issue::session_etype(self.request.etypes(), self.service)?;
            return Ok((etype, issue::sealing_key(self.exchange.view, self.service)?));
        };
        let etype = key.etype();
        if !self.request.etypes().any(|asked| asked == etype) {
            return Err(Refusal::new(
                ErrorCode::KDC_ERR_ETYPE_NOSUPP,
                "second-ticket-etype-not-asked-for",
            ));
        }
        Ok((etype, SealingKey { key, kvno: None }))
    }

    // Renewed and validated tickets stay what they are, but for the times and the one flag.
    fn keeps_ticket(&self) -> bool {
        self.request.asks(KdcOptions::RENEW) || self.request.asks(KdcOptions::VALIDATE)
    }

    fn times(&self, grant: &Grant<'_>, now: KerberosTime) -> Result<Times, Refusal> {
        let held = &self.header.ticket;
        if self.request.asks(KdcOptions::VALIDATE) {
            let (start, end) = (held.starttime(), held.endtime());
            return Ok(Times {
                start,
                end,
                renew_till: held.renew_till(),
                postdated: false,
            });
        }
        if self.request.asks(KdcOptions::RENEW) {
            return times::renewed(held.starttime(), held.endtime(), held.renew_till(), grant, now);
        }
        let bound = HeaderBound {
            end: held.endtime(),
            renew_till: held.renew_till(),
        };
        times::new_ticket(
            &self.request.body,
            grant,
            Some(bound),
            now,
            self.exchange.settings.clock_skew,
        )
    }

    fn flags(&self, grant: &Grant<'_>) -> TicketFlags {
        let held = self.header.ticket.flags();
        if self.keeps_ticket() {
            return held.without(TicketFlags::INVALID);
        }
        let asks = |option| self.request.asks(option);
        let given = |option, flag| TicketFlags::empty().set(flag, asks(option));
        // FORWARDABLE and PROXIABLE are cleared silently where the client's ticket or the policy does not have them.
        let delegation = given(KdcOptions::FORWARDABLE, TicketFlags::FORWARDABLE)
            | given(KdcOptions::PROXIABLE, TicketFlags::PROXIABLE);
        // What came of a forwarded or proxied ticket, or of an authentication, says so for good.
        let copied = TicketFlags::PRE_AUTHENT
            | TicketFlags::HW_AUTHENT
            | TicketFlags::FORWARDED
            | TicketFlags::PROXY
            | TicketFlags::ANONYMOUS;
        TicketFlags(delegation.0 & grant.delegation.0 & held.0)
            .with(TicketFlags(copied.0 & held.0))
            .with(TicketFlags::ENC_PA_REP)
            .set(TicketFlags::MAY_POSTDATE, asks(KdcOptions::ALLOW_POSTDATE))
            .set(TicketFlags::OK_AS_DELEGATE, grant.ok_as_delegate)
            // The path within one realm has nothing in between.
            .set(
                TicketFlags::TRANSITED_POLICY_CHECKED,
                !asks(KdcOptions::DISABLE_TRANSITED_CHECK),
            )
            .with(given(KdcOptions::FORWARDED, TicketFlags::FORWARDED))
            .with(given(KdcOptions::PROXY, TicketFlags::PROXY))
    }

    // Another address only for a ticket that says so.
    fn addresses(&self) -> Option<Vec<wire::HostAddress>> {
        let moves = self.request.asks(KdcOptions::FORWARDED) || self.request.asks(KdcOptions::PROXY);
        let addresses = if moves {
            &self.request.body.addresses
        } else {
            &self.header.ticket.enc_part().caddr
        };
        addresses.clone().filter(|addresses| !addresses.is_empty())
    }

    // The header ticket's, and what the client asks to be added.
    fn authorization_data(&self) -> Result<Option<AuthorizationData>, Refusal> {
        let mut data = self.header.ticket.authorization_data().to_vec();
        if let Some(sealed) = &self.request.body.enc_authorization_data {
            let (key, usage) = match self.header.authenticator.subkey() {
                Some(subkey) => (subkey, KeyUsage::TGS_REQ_AUTH_DATA_SUBKEY),
                None => (self.header.ticket.session_key(), KeyUsage::TGS_REQ_AUTH_DATA_SESSION),
            };
            let refused = |code| Refusal::new(code, "authorization-data-unreadable");
            if sealed.etype != key.etype().number() {
                return Err(refused(ErrorCode::KDC_ERR_ETYPE_NOSUPP));
            }
            let plain = key
                .decrypt(usage, &sealed.cipher)
                .map_err(|_| refused(ErrorCode::KRB_AP_ERR_BAD_INTEGRITY))?;
            let sent = wire::decode(&plain).map_err(|_| refused(ErrorCode::KRB_ERR_GENERIC))?;
            data.extend(authorization_data::from_client(sent)?);
        }
        Ok(Some(data).filter(|data| !data.is_empty()))
    }
}

// User-to-user (RFC 4120 §3.3.3): the second ticket is a TGT of the very service that is asked for, good now; the new
// ticket is sealed in its session key.
fn second_ticket_key(exchange: &Exchange<'_>, request: &KdcRequest, service: &PrincipalRecord) -> Result<Key, Refusal> {
    let absent = || {
        Refusal::new(ErrorCode::KDC_ERR_BADOPTION, "second-ticket-absent")
            .text("user-to-user needs the service's ticket-granting ticket")
    };
    let [octets, ..] = request.body.additional_tickets.as_deref().unwrap_or_default() else {
        return Err(absent());
    };
    let sealed: Ticket = wire::decode(octets.as_bytes()).map_err(|why| {
        Refusal::new(ErrorCode::KRB_ERR_GENERIC, "malformed")
            .detail(why.to_string())
            .text("the second ticket cannot be decoded")
    })?;
    let (server, ticket) = header_ticket::open(exchange, &sealed)?;
    let realm = &exchange.settings.name;
    if server.name.tgs_realm() != Some(realm.as_str()) {
        return Err(Refusal::new(ErrorCode::KDC_ERR_POLICY, "second-ticket-is-no-tgt"));
    }
    let now = exchange.request.now.time;
    ticket
        .check_times(now, exchange.settings.clock_skew)
        .map_err(header_ticket::refuse)?;
    ticket.check_validated().map_err(header_ticket::refuse)?;
    if header_ticket::holder(exchange, &ticket, true)?.id != service.id {
        return Err(
            Refusal::new(ErrorCode::KDC_ERR_SERVER_NOMATCH, "second-ticket-of-another-principal")
                .detail(ticket.client().to_string()),
        );
    }
    Ok(ticket.session_key().clone())
}
