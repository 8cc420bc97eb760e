use core::net::IpAddr;
use core::time::Duration;

use super::accepted::Accepted;
use super::authenticator::open_authenticator;
use super::error::{ApError, HeldKey, KeyWanted};
use super::replay::{ReplayCache, ReplayError};
use super::request::ApRequest;
use super::service_keys::{ServiceKey, ServiceKeys};
use super::ticket::{OpenTicket, open_ticket};
use super::vouched::Vouched;
use crate::credential::Credential;
use crate::crypto::{Key, KeyUsage};
use crate::flags::{ApOptions, TicketFlags};
use crate::name::Principal;
use crate::time::KerberosTime;

/// What a service asks of an AP-REQ. Made once, used for every client.
///
/// ```
/// use core::net::IpAddr;
/// use tessera_common::ap::{Accepted, Acceptor, ApError, MemoryReplayCache};
/// use tessera_common::keytab::Keytab;
/// use tessera_common::time::KerberosTime;
///
/// fn who_is_it(
///     ap_req: &[u8],
///     from: IpAddr,
///     keytab: &Keytab,
///     replays: &MemoryReplayCache,
///     now: KerberosTime,
/// ) -> Result<Accepted, ApError> {
///     let acceptor = Acceptor::for_service("HTTP/www.example.com@EXAMPLE.COM".parse().expect("a name"));
///     acceptor.accept(ap_req, keytab, replays, Some(from), now)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Acceptor {
    services: Vec<Principal>,
    names: Names,
    skew: Duration,
    transited: TransitedPolicy,
}

/// What becomes of a ticket that came through other realms (RFC 4120 §2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TransitedPolicy {
    /// It is taken if a KDC says that it checked the path, or if there were no realms in between.
    #[default]
    Checked,
    /// It is taken.
    Anything,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Exact,
    ByKey,
}

impl Acceptor {
    /// The skew that everybody allows, unless told otherwise: 5 minutes.
    pub const SKEW: Duration = Duration::from_secs(300);

    /// For tickets to any service that the keytab has keys of.
    #[must_use]
    pub const fn for_any_service() -> Self {
        Self {
            services: Vec::new(),
            names: Names::Exact,
            skew: Self::SKEW,
            transited: TransitedPolicy::Checked,
        }
    }

    /// For tickets to `service` alone. Names are compared whole: realm and every component.
    #[must_use]
    pub fn for_service(service: Principal) -> Self {
        Self::for_any_service().and_service(service)
    }

    /// For tickets to `service`, too.
    #[must_use]
    pub fn and_service(mut self, service: Principal) -> Self {
        self.services.push(service);
        self
    }

    /// Takes tickets by the key that they are under, whatever name is on them: a realm issues tickets under a service's
    /// aliases, and a keytab has only one of the names. [`Accepted::service`] is then the key's.
    #[must_use]
    pub const fn with_aliases(mut self) -> Self {
        self.names = Names::ByKey;
        self
    }

    /// How far a client's clock may be off, either way, and how long tickets are good before their start and after their
    /// end. [`Acceptor::SKEW`] otherwise. A replay cache is made for the same skew.
    #[must_use]
    pub const fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// The skew that is allowed here.
    #[must_use]
    pub const fn skew(&self) -> Duration {
        self.skew
    }

    /// What becomes of a ticket that came through other realms.
    #[must_use]
    pub const fn with_transited(mut self, policy: TransitedPolicy) -> Self {
        self.transited = policy;
        self
    }

    /// RFC 4120 §3.2.3: an AP-REQ under a long-term key. `from` is the sender's address; without one, a ticket's addresses
    /// are not looked at.
    ///
    /// # Errors
    /// [`ApError`]: log it, and send the peer [`ApError::to_krb_error`].
    pub fn accept(
        &self,
        ap_req: &[u8],
        keys: &(impl ServiceKeys + ?Sized),
        replays: &(impl ReplayCache + ?Sized),
        from: Option<IpAddr>,
        now: KerberosTime,
    ) -> Result<Accepted, ApError> {
        self.accept_request(&ApRequest::decode(ap_req)?, keys, replays, from, now)
    }

    /// As [`Acceptor::accept`], for an AP-REQ that is decoded.
    ///
    /// # Errors
    /// As [`Acceptor::accept`], but for those of decoding.
    pub fn accept_request(
        &self,
        request: &ApRequest,
        keys: &(impl ServiceKeys + ?Sized),
        replays: &(impl ReplayCache + ?Sized),
        from: Option<IpAddr>,
        now: KerberosTime,
    ) -> Result<Accepted, ApError> {
        if request.options().contains(ApOptions::USE_SESSION_KEY) {
            return Err(ApError::NoTgt);
        }
        let opened = self.open(request, keys)?;
        self.check(request, opened, replays, from, now)
    }

    /// RFC 4120 §3.7, user-to-user: an AP-REQ under the session key of the service's own TGT, which the client got from it
    /// before.
    ///
    /// # Errors
    /// As [`Acceptor::accept`].
    pub fn accept_user_to_user(
        &self,
        ap_req: &[u8],
        tgt: &Credential,
        replays: &(impl ReplayCache + ?Sized),
        from: Option<IpAddr>,
        now: KerberosTime,
    ) -> Result<Accepted, ApError> {
        let request = ApRequest::decode(ap_req)?;
        if !request.options().contains(ApOptions::USE_SESSION_KEY) {
            return Err(ApError::UserToUserRequired);
        }
        let own_name = *request.service() == tgt.client || self.services.contains(request.service());
        if !own_name && self.names == Names::Exact {
            return Err(ApError::NotUs {
                service: request.service().clone(),
                accepted: vec![tgt.client.clone()],
            });
        }
        let ticket = open_ticket(request.ticket(), &tgt.key)?;
        let opened = OpenedWith {
            service: tgt.client.clone(),
            ticket,
            key: &tgt.key,
        };
        self.check(&request, opened, replays, from, now)
    }

    // Finds the key that opens the ticket, and whose it is.
    fn open<'k>(&self, request: &ApRequest, keys: &'k (impl ServiceKeys + ?Sized)) -> Result<OpenedWith<'k>, ApError> {
        let named = request.service();
        let not_us = || ApError::NotUs {
            service: named.clone(),
            accepted: self.services.clone(),
        };
        let welcome = |service: &Principal| self.services.is_empty() || self.services.contains(service);
        let own = if welcome(named) {
            keys.keys_of(named)
        } else {
            Vec::new()
        };
        if own.is_empty() && self.names == Names::ByKey {
            let all = keys
                .service_keys()
                .into_iter()
                .filter(|key| welcome(key.service))
                .collect();
            return open_with(request, all).map_err(|_| not_us());
        }
        if !welcome(named) || (own.is_empty() && self.services.is_empty()) {
            return Err(not_us());
        }
        open_with(request, own)
    }

    fn check(
        &self,
        request: &ApRequest,
        opened: OpenedWith<'_>,
        replays: &(impl ReplayCache + ?Sized),
        from: Option<IpAddr>,
        now: KerberosTime,
    ) -> Result<Accepted, ApError> {
        let OpenedWith { service, ticket, key } = opened;
        let usage = KeyUsage::AP_REQ_AUTHENTICATOR;
        let authenticator = open_authenticator(request.authenticator(), ticket.session_key(), usage)?;
        authenticator.check_client(&ticket)?;
        if let Some(from) = from {
            ticket.check_address(from)?;
        }
        authenticator.check_skew(now, self.skew)?;
        ticket.check_validated()?;
        ticket.check_times(now, self.skew)?;
        self.check_transited(&ticket, &service)?;
        // Last, so that only what would be accepted takes room in the cache.
        match replays.claim(request.replay_tag(), now) {
            Ok(()) => {
                let vouched = Vouched::read(ticket.authorization_data(), key);
                Ok(Accepted::new(
                    service,
                    request.options(),
                    ticket,
                    authenticator,
                    vouched,
                ))
            }
            Err(ReplayError::Seen) => Err(ApError::Replay {
                client: ticket.client().clone(),
            }),
            Err(ReplayError::Full) => Err(ApError::ReplayCacheFull),
            Err(ReplayError::Unavailable) => Err(ApError::ReplayCacheUnavailable),
        }
    }

    fn check_transited(&self, ticket: &OpenTicket, service: &Principal) -> Result<(), ApError> {
        let checked = ticket.flags().contains(TicketFlags::TRANSITED_POLICY_CHECKED)
            || ticket.client().realm == service.realm
            || ticket.enc_part().transited.contents.is_empty();
        if checked || self.transited == TransitedPolicy::Anything {
            return Ok(());
        }
        Err(ApError::Transited {
            client: ticket.client().clone(),
            realm: service.realm.clone(),
        })
    }
}

/// A ticket, and whose key opened it.
struct OpenedWith<'k> {
    service: Principal,
    ticket: OpenTicket,
    key: &'k Key,
}

fn open_with<'k>(request: &ApRequest, keys: Vec<ServiceKey<'k>>) -> Result<OpenedWith<'k>, ApError> {
    let (kvno, etype) = (request.kvno(), request.ticket().enc_part.etype);
    let wanted = || KeyWanted {
        service: request.service().clone(),
        kvno,
        etype,
        held: keys.iter().map(HeldKey::from).collect(),
    };
    let fits = |key: &&ServiceKey<'k>| key.key.etype().number() == etype && key.may_be(kvno);
    let mut fitting: Vec<_> = keys.iter().filter(fits).collect();
    if fitting.is_empty() {
        return Err(ApError::NoKey(wanted()));
    }
    // The very version first, then the newest.
    fitting.sort_by_key(|key| core::cmp::Reverse((Some(key.kvno) == kvno, key.kvno)));
    for ServiceKey { service, key, .. } in fitting {
        match open_ticket(request.ticket(), key) {
            Err(ApError::TicketIntegrity(_)) => {}
            other => {
                return other.map(|ticket| OpenedWith {
                    service: (*service).clone(),
                    ticket,
                    key,
                });
            }
        }
    }
    Err(ApError::TicketIntegrity(wanted()))
}
