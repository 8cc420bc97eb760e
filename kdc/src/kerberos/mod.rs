//! RFC 4120's exchanges: octets and a picture of the principals in, octets and one event out. No socket, no clock.

mod administration;
mod as_exchange;
mod authorization_data;
mod binding;
mod conversation;
mod cookie;
mod explain;
mod fast;
mod header_ticket;
mod issue;
mod lookup;
mod mechanism;
mod options;
mod own_service;
mod password;
mod refusal;
mod replay;
mod request;
mod tgs_exchange;
mod times;

use core::fmt;
use std::sync::Arc;

use tessera_common::Random;
use tessera_common::error_code::ErrorCode;
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire;

use crate::metrics::Replays;
use crate::realm::access::AccessPolicy;
use crate::realm::accounting::{Event, Kind, Origin, Result as EventResult, Transport};
use crate::realm::authorization::{Asked, Path};
use crate::realm::lockout::{Attempt, Lockout, Trips};
use crate::realm::principal::PrincipalRecord;
use crate::realm::settings::RealmSettings;
use crate::store::View;
pub use administration::{Administrator, Conversation, Opening};
pub use explain::{Explained, explain};
pub use password::{PasswordChange, PasswordStep};
use refusal::Refusal;
use replay::{Claim, Recalled, ReplayCache};

/// A request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// One message, without the length that goes before it over TCP.
    pub octets: &'a [u8],
    /// From where.
    pub origin: Origin,
    /// When.
    pub now: Timestamp,
}

/// What to send back, and what to write down.
#[derive(Debug)]
pub struct Outcome {
    /// The reply or the KRB-ERROR; `None`: nothing is answered, or not yet.
    pub answer: Option<Arc<[u8]>>,
    /// What happened.
    pub event: Event,
    /// Whom it has shut out.
    pub trips: Trips,
    /// The answer where it has shut out the client: that has to be durable before anybody is told.
    pub held: Option<Held>,
}

/// An answer that waits for something. Until it is released, who sends the request again is not answered; dropped, it is as if
/// the request had never come, but for what was counted.
pub struct Held {
    claim: Claim<Arc<ReplayCache>>,
    answer: Arc<[u8]>,
    now: KerberosTime,
}

impl Held {
    /// The answer, which is now for who asks again, too.
    #[must_use]
    pub fn release(self) -> Arc<[u8]> {
        self.claim.answered(&self.answer, self.now);
        self.answer
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an answer of {} octets", self.answer.len())
    }
}

/// The key distribution centre: the realm's settings and what it remembers of requests.
pub struct Kdc {
    settings: Arc<RealmSettings>,
    replays: Arc<ReplayCache>,
    lockout: Arc<Lockout>,
}

impl Kdc {
    /// A KDC that has seen no request.
    #[must_use]
    pub fn new(settings: Arc<RealmSettings>) -> Self {
        let replays = Arc::new(ReplayCache::new(settings.clock_skew));
        Self {
            settings,
            replays,
            lockout: Arc::default(),
        }
    }

    /// The same KDC, with what it remembers, under other settings.
    #[must_use]
    pub fn with_settings(&self, settings: Arc<RealmSettings>) -> Self {
        self.replays.allow_skew(settings.clock_skew);
        Self {
            settings,
            replays: Arc::clone(&self.replays),
            lockout: Arc::clone(&self.lockout),
        }
    }

    /// How many wrong passwords came of whom and from where.
    #[must_use]
    pub fn lockout(&self) -> &Arc<Lockout> {
        &self.lockout
    }

    /// How much is remembered of requests.
    #[must_use]
    pub fn replays(&self) -> Replays {
        self.replays.load()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Arc<RealmSettings> {
        &self.settings
    }

    /// Answers one AS-REQ or TGS-REQ. Whatever else the octets are, nobody suffers: they are dropped, with a reason.
    pub fn handle(&self, view: &View, request: &Request<'_>, random: &mut dyn Random) -> Outcome {
        let kind = match request.octets.first() {
            // [APPLICATION 10] and [APPLICATION 12], constructed.
            Some(0x6a) => Kind::As,
            Some(0x6c) => Kind::Tgs,
            // An answer to a KRB-ERROR would be answered in turn, for ever.
            Some(0x7e) => return dropped(request, "error-message"),
            Some(_) => return dropped(request, "not-a-request"),
            None => return dropped(request, "empty"),
        };
        let claim = match ReplayCache::recall(&*self.replays, request.octets, request.now.time) {
            Recalled::New(claim) => claim,
            Recalled::InProgress => return dropped(request, "in-progress"),
            Recalled::Answered(answer) => {
                let event = Event::new(request.now, request.origin, kind, EventResult::Repeated);
                return self.fit(
                    request,
                    Outcome {
                        answer: Some(answer),
                        event,
                        trips: Trips::default(),
                        held: None,
                    },
                );
            }
        };
        let exchange = self.exchange(view, request);
        let mut event = Event::new(
            request.now,
            request.origin,
            kind,
            EventResult::Dropped { reason: "unfinished" },
        );
        let done = match kind {
            Kind::As => as_exchange::run(&exchange, &mut event, random),
            _ => tgs_exchange::run(&exchange, &mut event, random),
        };
        let mut trips = Trips::default();
        let (answer, remember): (Arc<[u8]>, bool) = match done {
            Ok(reply) => (reply.into(), true),
            Err(refusal) => {
                trips = refusal.trips();
                event.result = refusal.as_event();
                event.rule = refusal.rule().cloned();
                (
                    refusal.to_answer(&self.settings.name, request.now, random).into(),
                    refusal.is_remembered(),
                )
            }
        };
        if trips.client.is_some() {
            let held = Held {
                claim: claim.lasting(&self.replays),
                answer,
                now: request.now.time,
            };
            return Outcome {
                answer: None,
                event,
                trips,
                held: Some(held),
            };
        }
        if remember {
            claim.answered(&answer, request.now.time);
        }
        self.fit(
            request,
            Outcome {
                answer: Some(answer),
                event,
                trips,
                held: None,
            },
        )
    }

    // What this KDC looks at for one request.
    fn exchange<'a>(&'a self, view: &'a View, request: &'a Request<'a>) -> Exchange<'a> {
        Exchange {
            settings: &self.settings,
            replays: &self.replays,
            lockout: &self.lockout,
            view,
            request,
        }
    }

    /// The last word to a peer whose message announces more octets than are taken (RFC 4120 §7.2.2).
    #[must_use]
    pub fn too_long(&self, now: Timestamp) -> Arc<[u8]> {
        let error = Refusal::new(ErrorCode::KRB_ERR_FIELD_TOOLONG, "message-too-long");
        wire::encode(&error.to_krb_error(&self.settings.name, now)).into()
    }

    // After the look at what was answered before: or the retry over TCP would be told "too big" for ever.
    fn fit(&self, request: &Request<'_>, outcome: Outcome) -> Outcome {
        let too_big = request.origin.transport == Transport::Udp
            && outcome
                .answer
                .as_ref()
                .is_some_and(|answer| answer.len() > self.settings.max_udp_reply);
        if !too_big {
            return outcome;
        }
        let error = Refusal::new(ErrorCode::KRB_ERR_RESPONSE_TOO_BIG, "reply-too-big-for-udp");
        Outcome {
            answer: Some(wire::encode(&error.to_krb_error(&self.settings.name, request.now)).into()),
            ..outcome
        }
    }
}

/// What an exchange looks at.
struct Exchange<'a> {
    settings: &'a RealmSettings,
    replays: &'a ReplayCache,
    lockout: &'a Lockout,
    view: &'a View,
    request: &'a Request<'a>,
}

impl<'a> Exchange<'a> {
    /// What the realm goes by.
    fn policy(&self) -> AccessPolicy<'a> {
        AccessPolicy {
            settings: self.settings,
            database: self.view.access().declared(),
        }
    }

    /// The counts that a proof of this client is under.
    fn attempt(&self, client: Option<&PrincipalRecord>) -> Attempt<'a> {
        let Request { origin, now, .. } = self.request;
        self.lockout.attempt(self.policy(), client, origin.peer.ip(), now.time)
    }

    /// How the request asks for a ticket.
    fn asked(&self, path: Path) -> Asked {
        Asked {
            path,
            from: self.request.origin.peer.ip(),
            now: self.request.now.time,
        }
    }
}

fn dropped(request: &Request<'_>, reason: &'static str) -> Outcome {
    let event = Event::new(
        request.now,
        request.origin,
        Kind::Unknown,
        EventResult::Dropped { reason },
    );
    Outcome {
        answer: None,
        event,
        trips: Trips::default(),
        held: None,
    }
}
