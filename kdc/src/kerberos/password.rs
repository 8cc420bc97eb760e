//! Changing passwords (RFC 3244, versions 1 and 0xff80): who may change which, and the words for how it went.
//!
//! A request is opened here, without waiting; the new keys cost tens of milliseconds and a write to the disk, which whoever
//! runs the exchange does in between; then it is concluded here.

use std::sync::Arc;

use tessera_common::Random;
use tessera_common::ap::{Accepted, Acceptor};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::TicketFlags;
use tessera_common::kpasswd::{self, NewPassword, ResultCode, Version};
use tessera_common::name::Principal;
use tessera_common::time::{KerberosTime, Timestamp};

use super::header_ticket::{self, refuse};
use super::refusal::Refusal;
use super::replay::{Claim, Recalled, ReplayCache};
use super::{Kdc, Outcome, Request, own_service};
use crate::realm::accounting::{Event, Kind, Result as EventResult};
use crate::realm::authentication::{Factors, readmit};
use crate::realm::lockout::Trips;
use crate::realm::passwords::PasswordRefused;
use crate::realm::principal::PrincipalId;
use crate::store::{Author, View};

/// What a request to change a password leads to.
pub enum PasswordStep {
    /// Make keys of this password, store them, and conclude.
    Change(Box<PasswordChange>),
    /// There is nothing to do but answer, if at all.
    Answered(Box<Outcome>),
}

/// A change that its client may make. Dropped, it is as if the request had never come.
pub struct PasswordChange {
    target: PrincipalId,
    new: NewPassword,
    channel: Channel,
    event: Event,
    claim: Claim<Arc<ReplayCache>>,
}

// What the answer is sealed with.
struct Channel {
    version: Version,
    accepted: Accepted,
}

impl Kdc {
    /// Opens a request of the password protocol.
    pub fn open_password(&self, view: &View, request: &Request<'_>, random: &mut dyn Random) -> PasswordStep {
        let mut event = Event::new(
            request.now,
            request.origin,
            Kind::Password,
            EventResult::Dropped { reason: "unfinished" },
        );
        let answered = |answer, event| {
            let trips = Trips::default();
            PasswordStep::Answered(Box::new(Outcome {
                answer,
                event,
                trips,
                held: None,
            }))
        };
        let framed = match kpasswd::Request::decode(request.octets) {
            Ok(framed) => framed,
            Err(why) => {
                // Nothing goes back to what is not surely a request: two servers would answer each other for ever.
                let Some(code) = why.answer() else {
                    event.result = EventResult::Dropped {
                        reason: "not-a-request",
                    };
                    return answered(None, event);
                };
                let refusal = Refusal::new(ErrorCode::KRB_ERR_GENERIC, "malformed").detail(why.to_string());
                event.result = refusal.as_event();
                let answer = self.error(&refusal, Version::Change, code, request.now);
                return answered(answer, event);
            }
        };
        let claim = match ReplayCache::recall(Arc::clone(&self.replays), request.octets, request.now.time) {
            Recalled::New(claim) => claim,
            Recalled::InProgress => {
                event.result = EventResult::Dropped { reason: "in-progress" };
                return answered(None, event);
            }
            Recalled::Answered(answer) => {
                event.result = EventResult::Repeated;
                return answered(Some(answer), event);
            }
        };
        let accepted = match self.accept(view, request, &framed) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                event.result = refusal.as_event();
                let answer = self.error(&refusal, framed.version, ResultCode::AUTHERROR, request.now);
                // Not remembered: whoever proved nothing must not fill the memory of answers.
                return answered(answer, event);
            }
        };
        event.client = Some(accepted.client().to_string());
        event.factor = Some(Factors::TICKET.name());
        let decided = self.decide(view, request, &framed, &accepted, &mut event);
        let channel = Channel {
            version: framed.version,
            accepted,
        };
        match decided {
            Ok((target, new)) => PasswordStep::Change(Box::new(PasswordChange {
                target,
                new,
                channel,
                event,
                claim,
            })),
            Err((code, refusal)) => {
                event.result = refusal.as_event();
                let answer = channel.seal(code, refusal.peer_text(), &event, random);
                answered(claim.maybe_answered(answer, request.now.time), event)
            }
        }
    }

    // The AP-REQ, for exactly kadmin/changepw of this realm: a TGT, or a ticket for a name that begins alike, is none.
    fn accept(&self, view: &View, request: &Request<'_>, framed: &kpasswd::Request<'_>) -> Result<Accepted, Refusal> {
        let service = self.changepw()?;
        let keys = own_service::keys(view, &service, request.now.time);
        Acceptor::for_service(service)
            .with_skew(self.settings.clock_skew)
            .accept(
                framed.ap_req,
                &*keys,
                &*self.replays,
                Some(request.origin.peer.ip()),
                request.now.time,
            )
            .map_err(refuse)
    }

    fn decide(
        &self,
        view: &View,
        request: &Request<'_>,
        framed: &kpasswd::Request<'_>,
        accepted: &Accepted,
        event: &mut Event,
    ) -> Result<(PrincipalId, NewPassword), (ResultCode, Refusal)> {
        let new = framed.open(accepted).map_err(|why| {
            let refusal = Refusal::new(ErrorCode::KRB_ERR_GENERIC, "malformed").detail(why.to_string());
            (why.result_code(), refusal)
        })?;
        let target = new.target(accepted.client());
        event.service = Some(target.to_string());
        let found = Some(&target.name).filter(|_| target.realm == self.settings.name);
        event.service_id = found.and_then(|name| view.find(name)).map(|record| record.id);
        // Whom the ticket was issued to, by more than the name: the principal may have been made anew since.
        let exchange = self.exchange(view, request);
        let client = header_ticket::holder(&exchange, accepted.ticket(), false)
            .map_err(|refusal| (ResultCode::ACCESSDENIED, refusal))?;
        event.client_id = Some(client.id);
        let is_own = target == *accepted.client()
            || (target.realm == self.settings.name
                && view.find(&target.name).is_some_and(|record| record.id == client.id));
        // Somebody else's password is the administrators' to set, and there is another way for that.
        if !is_own {
            let refusal = Refusal::new(ErrorCode::KDC_ERR_POLICY, "password-of-another")
                .text("this service changes your own password only");
            return Err((ResultCode::ACCESSDENIED, refusal));
        }
        // Or a ticket left behind on a screen would do to take the account over.
        if !accepted.flags().contains(TicketFlags::INITIAL) {
            let refusal = Refusal::new(ErrorCode::KDC_ERR_POLICY, "ticket-not-initial")
                .text("the ticket must be got with the password itself");
            return Err((ResultCode::INITIAL_FLAG_NEEDED, refusal));
        }
        if new.password().is_empty() {
            let refusal = Refusal::new(ErrorCode::KDC_ERR_POLICY, "password-empty").text("the new password is empty");
            return Err((ResultCode::SOFTERROR, refusal));
        }
        readmit(client, request.now.time).map_err(|denied| (ResultCode::ACCESSDENIED, denied.into()))?;
        Ok((client.id, new))
    }

    // RFC 3244 §2: a KRB-ERROR whose e-data are a result code and a text.
    fn error(&self, refusal: &Refusal, version: Version, code: ResultCode, now: Timestamp) -> Option<Arc<[u8]>> {
        let outcome = kpasswd::Outcome::new(code, refusal.peer_text());
        let service = self.changepw().ok()?;
        let answer = kpasswd::error_reply(version, refusal.code(), &outcome, &service, now);
        answer.ok().map(Into::into)
    }

    fn changepw(&self) -> Result<Principal, Refusal> {
        own_service::kadmin("changepw", &self.settings.name)
    }
}

impl PasswordChange {
    /// Whose password.
    #[must_use]
    pub const fn target(&self) -> PrincipalId {
        self.target
    }

    /// The new one.
    #[must_use]
    pub fn password(&self) -> &[u8] {
        self.new.password()
    }

    /// Who asks, for the journal.
    #[must_use]
    pub fn author(&self, when: KerberosTime) -> Author {
        Author {
            who: self.event.client.clone().unwrap_or_default(),
            from: Some(self.event.origin.peer.to_string()),
            factors: self.event.factor.map(ToOwned::to_owned),
            when,
        }
    }

    /// Tells the client that its new password is in force.
    pub fn changed(self, now: Timestamp, random: &mut dyn Random) -> Outcome {
        let (code, text) = (ResultCode::SUCCESS, "password changed");
        self.conclude(code, text, EventResult::PasswordChanged, now, random)
    }

    /// Tells the client why the realm does not take its new password.
    pub fn refused(self, why: &PasswordRefused, now: Timestamp, random: &mut dyn Random) -> Outcome {
        let text = why.to_string();
        let refusal = Refusal::new(ErrorCode::KDC_ERR_POLICY, why.name()).detail(text.as_str());
        self.conclude(ResultCode::SOFTERROR, &text, refusal.as_event(), now, random)
    }

    /// Tells the client that the password was not changed, for a reason that lies here and not in the password. `detail` is
    /// for the log.
    pub fn failed(self, detail: &str, now: Timestamp, random: &mut dyn Random) -> Outcome {
        let refusal = Refusal::new(ErrorCode::KRB_ERR_GENERIC, "password-not-stored").detail(detail);
        let text = "the realm could not store the new password; the old one is still in force";
        self.conclude(ResultCode::HARDERROR, text, refusal.as_event(), now, random)
    }

    /// Nothing is answered, for want of room.
    #[must_use]
    pub fn dropped(mut self, reason: &'static str) -> Event {
        self.event.result = EventResult::Dropped { reason };
        self.event
    }

    fn conclude(
        mut self,
        code: ResultCode,
        text: &str,
        result: EventResult,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> Outcome {
        let answer = self.channel.seal(code, text, &self.event, random);
        self.event.result = result;
        Outcome {
            answer: self.claim.maybe_answered(answer, now.time),
            event: self.event,
            trips: Trips::default(),
            held: None,
        }
    }
}

impl Channel {
    // Some clients compare the address inside with the one that they asked.
    fn seal(&self, code: ResultCode, text: &str, event: &Event, random: &mut dyn Random) -> Option<Arc<[u8]>> {
        let outcome = kpasswd::Outcome::new(code, text);
        let own = event.origin.local.ip().into();
        let answer = kpasswd::reply(self.version, &self.accepted, &outcome, own, random);
        answer.ok().map(Into::into)
    }
}
