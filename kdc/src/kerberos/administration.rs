//! Administration from afar: who may begin a conversation, and who may go on with it.
//!
//! A conversation begins with the first token of a GSS-API context (RFC 4121) for exactly `kadmin/admin` of this realm. What
//! an administrator may ask for is not decided here.

use tessera_common::Random;
use tessera_common::admin::REQUIRED;
use tessera_common::ap;
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::TicketFlags;
use tessera_common::gss::{self, AcceptError, Acceptor, Context, ContextFlags};
use tessera_common::name::Principal;
use tessera_common::time::KerberosTime;

use super::header_ticket::{self, refuse};
use super::refusal::Refusal;
use super::{Kdc, Request, own_service};
use crate::realm::accounting::{Event, Kind, Result as EventResult};
use crate::realm::authentication::{Factors, readmit};
use crate::realm::denied::Denied;
use crate::realm::principal::{Attributes, PrincipalId};
use crate::store::View;

/// What the first token of a connection leads to.
pub struct Opening {
    /// To be sent: an AP-REP or a KRB-ERROR, each in a token. `None`: nothing is, and the connection is closed.
    pub token: Option<Vec<u8>>,
    /// What comes after an AP-REP; `None` after an error.
    pub conversation: Option<Conversation>,
    /// What happened.
    pub event: Event,
}

/// A context with somebody who holds a genuine ticket.
pub struct Conversation {
    /// What messages are sealed with.
    pub context: Context,
    /// Who it is; or a sentence for the peer, and the conversation ends with it.
    pub admitted: Result<Administrator, &'static str>,
}

/// Somebody who proved who they are. Whether they still may go on, [`Kdc::readmit_administrator`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administrator {
    /// The principal.
    pub id: PrincipalId,
    /// Its name now, with its realm.
    pub name: Principal,
    /// What it proved to get its ticket.
    pub factors: Factors,
}

impl Kdc {
    /// Opens the first token of a connection for administration: `request.octets`, of at most
    /// [`MAX_TOKEN`](tessera_common::admin::MAX_TOKEN).
    pub fn open_administration(&self, view: &View, request: &Request<'_>, random: &mut dyn Random) -> Opening {
        let unfinished = EventResult::Dropped { reason: "unfinished" };
        let mut event = Event::new(request.now, request.origin, Kind::Administration, unfinished);
        let accepted = match self.accept_administrator(view, request, random) {
            Ok(accepted) => accepted,
            Err((refusal, why)) => {
                event.result = refusal.as_event();
                let ticket = why.as_ref().and_then(AcceptError::ticket);
                event.service = ticket.map(|ticket| ticket.service.to_string());
                return Opening {
                    token: why.and_then(|why| why.reply_token()),
                    conversation: None,
                    event,
                };
            }
        };
        let (token, context, peer, _) = accepted.into_parts();
        event.client = Some(peer.client().to_string());
        event.service = Some(peer.service().to_string());
        event.service_id = view.find(&peer.service().name).map(|record| record.id);
        event.factor = Some(factors(peer.flags()).name());
        let decided = self.decide_administrator(view, request, &context, &peer, &mut event);
        event.result = match &decided {
            Ok(_) => EventResult::Admitted,
            Err(refusal) => refusal.as_event(),
        };
        let admitted = decided.map_err(|refusal| refusal.peer_text());
        Opening {
            // Without an AP-REP there is nobody who could read on.
            conversation: token.is_some().then_some(Conversation { context, admitted }),
            token,
            event,
        }
    }

    /// Whether somebody who was admitted may still go on, by the principals as they are now; asked before every request.
    /// Gives who it is by its name of now.
    ///
    /// # Errors
    /// [`Denied::ClientReplaced`], [`Denied::ClientExpired`], [`Denied::ClientLocked`]; [`Denied::ServiceLocked`], when
    /// administration from afar is closed by a lock on `kadmin/admin`.
    pub fn readmit_administrator(
        &self,
        view: &View,
        administrator: &Administrator,
        now: KerberosTime,
    ) -> Result<Administrator, Denied> {
        let service = own_service::kadmin("admin", &self.settings.name).ok();
        let record = service.and_then(|service| view.find(&service.name));
        if record.is_none_or(|record| record.attributes.contains(Attributes::LOCKED)) {
            return Err(Denied::ServiceLocked);
        }
        let record = view.get(administrator.id).ok_or(Denied::ClientReplaced)?;
        readmit(record, now)?;
        Ok(Administrator {
            name: Principal::new(record.name.clone(), self.settings.name.clone()),
            ..administrator.clone()
        })
    }

    // For exactly kadmin/admin of this realm: a TGT, or a ticket for a name that begins alike, is none.
    fn accept_administrator(
        &self,
        view: &View,
        request: &Request<'_>,
        random: &mut dyn Random,
    ) -> Result<gss::Accepted, (Refusal, Option<AcceptError>)> {
        let service = own_service::kadmin("admin", &self.settings.name).map_err(|refusal| (refusal, None))?;
        let keys = own_service::keys(view, &service, request.now.time);
        let acceptor = ap::Acceptor::for_service(service).with_skew(self.settings.clock_skew);
        let accepted = Acceptor::new(acceptor).accept(
            request.octets,
            &*keys,
            &*self.replays,
            Some(request.origin.peer.ip()),
            request.now,
            random,
        );
        accepted.map_err(|why| (refused(&why), Some(why)))
    }

    fn decide_administrator(
        &self,
        view: &View,
        request: &Request<'_>,
        context: &Context,
        peer: &ap::Accepted,
        event: &mut Event,
    ) -> Result<Administrator, Refusal> {
        let missing = REQUIRED.without(context.flags());
        if missing != ContextFlags::empty() {
            let names = ContextFlags::NAMED.iter().filter(|(flag, _)| missing.contains(*flag));
            let names: Vec<&str> = names.map(|(_, name)| *name).collect();
            return Err(Refusal::new(ErrorCode::KDC_ERR_POLICY, "context-flags")
                .detail(format!("without {}", names.join(", ")))
                .text("the context has to be mutual, confidential, with integrity, and in sequence"));
        }
        // Whom the ticket was issued to, by more than the name: the principal may have been made anew since.
        let exchange = self.exchange(view, request);
        let client = header_ticket::holder(&exchange, peer.ticket(), false)?;
        event.client_id = Some(client.id);
        // Or a ticket-granting ticket left behind on a screen would do to take the realm over.
        if !peer.flags().contains(TicketFlags::INITIAL) {
            return Err(Refusal::new(ErrorCode::KDC_ERR_POLICY, "ticket-not-initial").text(
                "the ticket must be got with the password or key itself, as by kinit -S kadmin/admin, and not with another \
                 ticket",
            ));
        }
        readmit(client, request.now.time)?.password_is_current(exchange.policy(), request.now.time)?;
        Ok(Administrator {
            id: client.id,
            name: Principal::new(client.name.clone(), self.settings.name.clone()),
            factors: factors(peer.flags()),
        })
    }
}

fn factors(flags: TicketFlags) -> Factors {
    if flags.contains(TicketFlags::PRE_AUTHENT) {
        Factors::LONG_TERM_KEY
    } else {
        Factors::NONE
    }
}

fn refused(why: &AcceptError) -> Refusal {
    let named = |reason| Refusal::new(why.code(), reason).detail(why.to_string());
    match why.refusal() {
        gss::Refusal::Ap(error) => match error.code() {
            ErrorCode::KRB_AP_ERR_REPEAT => named("authenticator-replayed"),
            ErrorCode::KRB_AP_ERR_NOT_US => named("ticket-for-another-service"),
            ErrorCode::KRB_AP_ERR_BADKEYVER | ErrorCode::KRB_AP_ERR_NOKEY => named("ticket-key-version"),
            _ => refuse(error.clone()),
        },
        gss::Refusal::Frame(_) | gss::Refusal::Mechanism | gss::Refusal::TokenId | gss::Refusal::DceStyle => {
            named("not-a-first-token")
        }
        _ => named("context-checksum"),
    }
}
