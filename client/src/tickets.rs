use tessera_common::ccache::{CredentialCache, Entry};
use tessera_common::credential::Credential;
use tessera_common::crypto::EncType;
use tessera_common::flags::{KdcOptions, TicketFlags};
use tessera_common::name::Principal;
use tessera_common::time::KerberosTime;

use crate::client::{Client, Conversation, add, clock_offset, fast_available, new_cache, set_fast_available};
use crate::error::Error;
use crate::exchange::{TgsExchange, TgsReply, TgsRequest, TgsStep, common_options};
use crate::system::{self, SystemRandom};

impl Client {
    /// A ticket for `service`: the one in the cache, if it is still good; otherwise a new one, which is added to the cache.
    ///
    /// # Errors
    /// [`Error::NoTicket`] when the cache has no ticket-granting ticket that is still good; [`Error::Kdc`] when the KDC refuses,
    /// [`Error::NoAnswer`] when none answers.
    pub fn service_ticket(&self, cache: &mut CredentialCache, service: &Principal) -> Result<Credential, Error> {
        let request = self.ticket_request(service);
        match self.cached_ticket(cache, &request) {
            Some(credential) => Ok(credential),
            None => self.new_ticket(cache, request),
        }
    }

    /// What [`Client::service_ticket`] asks for.
    #[must_use]
    pub fn ticket_request(&self, service: &Principal) -> TgsRequest {
        let etypes = self.settings.config.tgs_enctypes.clone();
        TgsRequest {
            etypes,
            clock: self.clock_rule(),
            ..TgsRequest::new(service.clone())
        }
    }

    /// The cache's ticket that answers this request, if it has one that is still good.
    #[must_use]
    pub fn cached_ticket(&self, cache: &CredentialCache, request: &TgsRequest) -> Option<Credential> {
        let now = now_at_kdc(cache);
        cache.entries.iter().find_map(|entry| {
            let fits = entry.client == cache.principal && entry.server == request.service && now < entry.endtime;
            let credential = fits.then(|| entry.to_credential()).flatten()?;
            let same_kind = credential.second_ticket == request.second_ticket;
            (same_kind && request.etypes.contains(&credential.key.etype())).then_some(credential)
        })
    }

    /// Gets a ticket from the KDC, with the cache's ticket-granting ticket, and adds it to the cache, together with the tickets
    /// for other realms that were got on the way.
    ///
    /// # Errors
    /// As [`Client::service_ticket`].
    pub fn new_ticket(&self, cache: &mut CredentialCache, request: TgsRequest) -> Result<Credential, Error> {
        let tgt = tgt_for(cache, &request.service)?;
        let request = TgsRequest {
            options: request.options | common_options(tgt.flags),
            ..request
        };
        let reply = self.ask_tgs(cache, tgt, request)?;
        for credential in reply.on_the_way.iter().chain([&reply.credential]) {
            add(cache, credential);
        }
        Ok(reply.credential)
    }

    /// Renews the cache's ticket for `service`, or its ticket-granting ticket. Gives a new cache with that ticket alone.
    ///
    /// # Errors
    /// As [`Client::service_ticket`].
    pub fn renew(&self, cache: &CredentialCache, service: Option<&Principal>) -> Result<CredentialCache, Error> {
        self.exchange_for(cache, service, TgsRequest::renew)
    }

    /// Has the KDC make the cache's postdated ticket for `service`, or its ticket-granting ticket, valid. Gives a new cache with
    /// that ticket alone.
    ///
    /// # Errors
    /// As [`Client::service_ticket`].
    pub fn validate(&self, cache: &CredentialCache, service: Option<&Principal>) -> Result<CredentialCache, Error> {
        self.exchange_for(cache, service, TgsRequest::validate)
    }

    /// A ticket-granting ticket that another host may use in the client's name, good from anywhere: what a service is handed with
    /// [`tessera_common::gss::Initiator::delegating`]. It is not added to the cache.
    ///
    /// # Errors
    /// [`Error::NotForwardable`] when the cache's own is not forwardable; otherwise as [`Client::service_ticket`].
    pub fn forwarded_tgt(&self, cache: &CredentialCache) -> Result<Credential, Error> {
        let home = Principal::krbtgt(&cache.principal.realm);
        let tgt = tgt_for(cache, &home)?;
        if !tgt.flags.contains(TicketFlags::FORWARDABLE) {
            return Err(Error::NotForwardable {
                client: cache.principal.clone(),
            });
        }
        let request = TgsRequest {
            etypes: self.settings.config.tgs_enctypes.clone(),
            clock: self.clock_rule(),
            ..TgsRequest::forward(&tgt, Vec::new())
        };
        Ok(self.ask_tgs(cache, tgt, request)?.credential)
    }

    fn exchange_for(
        &self,
        cache: &CredentialCache,
        service: Option<&Principal>,
        request: fn(&Credential) -> TgsRequest,
    ) -> Result<CredentialCache, Error> {
        let wanted = service
            .cloned()
            .unwrap_or_else(|| Principal::krbtgt(&cache.principal.realm));
        let credential = find(cache, &wanted).ok_or_else(|| no_ticket(cache, &wanted, false))?;
        let request = TgsRequest {
            etypes: self.settings.config.tgs_enctypes.clone(),
            clock: self.clock_rule(),
            ..request(&credential)
        };
        let reply = self.ask_tgs(cache, credential, request)?;
        let offset = cache.kdc_offset().map(|_| clock_offset(cache));
        let mut fresh = new_cache(&cache.principal, offset);
        fresh.name_type = cache.name_type;
        if fast_available(cache, &wanted) {
            set_fast_available(&mut fresh, &wanted);
        }
        add(&mut fresh, &reply.credential);
        Ok(fresh)
    }

    fn ask_tgs(&self, cache: &CredentialCache, header: Credential, request: TgsRequest) -> Result<TgsReply, Error> {
        let mut conversation = Conversation::new(self, header.client.clone(), request.service.clone());
        let mut random = SystemRandom;
        let request = TgsRequest {
            fast: request.fast || fast_available(cache, &header.server),
            ..request
        };
        let (mut exchange, mut outbound) =
            TgsExchange::begin(header, request, clock_offset(cache), system::now(), &mut random);
        loop {
            let answer = conversation.ask(&outbound)?;
            let step = exchange.receive(&answer, system::now(), &mut random);
            match step.map_err(|e| conversation.failed(e))? {
                TgsStep::Send(next) => outbound = next,
                TgsStep::Done(reply) => return Ok(*reply),
            }
        }
    }
}

fn now_at_kdc(cache: &CredentialCache) -> KerberosTime {
    clock_offset(cache).apply(system::now()).time
}

// A ticket-granting ticket for the service's own realm, or else that of the client's realm.
fn tgt_for(cache: &CredentialCache, service: &Principal) -> Result<Credential, Error> {
    let now = now_at_kdc(cache);
    let in_service_realm = cache.entries.iter().find_map(|entry| {
        let fits = entry.client == cache.principal
            && entry.server.name.tgs_realm() == Some(service.realm.as_str())
            && now < entry.endtime;
        fits.then(|| entry.to_credential()).flatten()
    });
    let local = Principal::krbtgt(&cache.principal.realm);
    let tgt = in_service_realm
        .or_else(|| find(cache, &local))
        .ok_or_else(|| no_ticket(cache, &local, false))?;
    if now < tgt.times.endtime {
        Ok(tgt)
    } else {
        Err(no_ticket(cache, &local, true))
    }
}

/// The request for a ticket with a session key of this one enctype.
#[must_use]
pub fn with_session_enctype(request: TgsRequest, etype: EncType) -> TgsRequest {
    TgsRequest {
        etypes: vec![etype],
        ..request
    }
}

/// The request for a ticket that is encrypted in the session key of the service's own ticket, user-to-user.
#[must_use]
pub fn user_to_user(request: TgsRequest, second_ticket: Vec<u8>) -> TgsRequest {
    TgsRequest {
        options: request.options | KdcOptions::ENC_TKT_IN_SKEY,
        second_ticket,
        ..request
    }
}

// The last of several, which is the newest.
fn find(cache: &CredentialCache, server: &Principal) -> Option<Credential> {
    let mut of_server = cache
        .entries
        .iter()
        .rev()
        .filter(|entry| entry.client == cache.principal && entry.server == *server);
    of_server.find_map(Entry::to_credential)
}

fn no_ticket(cache: &CredentialCache, wanted: &Principal, expired: bool) -> Error {
    Error::NoTicket {
        wanted: wanted.clone(),
        client: cache.principal.clone(),
        expired,
    }
}
