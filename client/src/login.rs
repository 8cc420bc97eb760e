use std::time::Duration;

use tessera_common::ccache::CredentialCache;
use tessera_common::crypto::{EncType, Key};
use tessera_common::flags::KdcOptions;
use tessera_common::keytab::Keytab;
use tessera_common::name::{Name, Principal};

use crate::client::{Client, Conversation, add, new_cache, set_fast_available};
use crate::error::Error;
use crate::exchange::{AsExchange, AsReply, AsRequest, AsStep, ExchangeError, KeyRequest, RequestedTimes, When};
use crate::prompt::{Password, Prompter};
use crate::settings::SettingsError;
use crate::system::{self, SystemRandom, local_addresses};

/// How long a ticket is asked for when neither the program nor krb5.conf says.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What proves who the client is.
pub enum Secret<'a> {
    /// A password.
    Password(Password),
    /// Keys from a file.
    Keytab(&'a Keytab),
    /// A password that somebody is asked for once it is needed, and asked to change if it has expired.
    Ask(Asking<'a>),
}

/// Somebody who is asked for a password, and what they said.
pub struct Asking<'a> {
    pub(crate) prompter: &'a mut dyn Prompter,
    pub(crate) password: Option<Password>,
}

/// A successful login.
#[derive(Clone, Debug)]
pub struct Login {
    /// The KDC's reply.
    pub reply: AsReply,
    /// A new cache with the ticket, the KDC's clock and what MIT's programs want to know later.
    pub cache: CredentialCache,
}

impl Client {
    /// Logs `principal` in, as krb5.conf's `[libdefaults]` says, and gives a new cache with the ticket-granting ticket.
    ///
    /// # Errors
    /// [`Error::Kdc`] when the KDC refuses, [`Error::NoAnswer`] when none answers, [`Error::NoKey`], [`Error::Prompt`].
    pub fn login(&self, principal: &Principal, secret: Secret<'_>) -> Result<CredentialCache, Error> {
        Ok(self.login_for(self.login_request(principal)?, secret)?.cache)
    }

    /// What [`Client::login`] asks for: a ticket-granting ticket with the lifetimes, flags, addresses and enctypes of krb5.conf.
    ///
    /// # Errors
    /// [`Error::Settings`] when krb5.conf has something about the realm that cannot be used.
    pub fn login_request(&self, principal: &Principal) -> Result<AsRequest, Error> {
        let config = &self.settings.config;
        let lifetime = config.ticket_lifetime.unwrap_or(DEFAULT_LIFETIME);
        let renew_lifetime = config.renew_lifetime.filter(|span| !span.is_zero());
        let addresses = if config.noaddresses {
            Vec::new()
        } else {
            local_addresses().unwrap_or_default()
        };
        let options = KdcOptions::RENEWABLE_OK
            .set(KdcOptions::FORWARDABLE, config.forwardable)
            .set(KdcOptions::PROXIABLE, config.proxiable)
            .set(KdcOptions::CANONICALIZE, config.canonicalize);
        let request = AsRequest {
            options,
            times: RequestedTimes {
                till: When::After(lifetime),
                ..RequestedTimes::default()
            },
            etypes: config.tkt_enctypes.clone(),
            addresses,
            clock: self.clock_rule(),
            encrypted_timestamp: !config
                .disable_encrypted_timestamp(&principal.realm)
                .map_err(SettingsError::Config)?,
            ..AsRequest::new(principal.clone())
        };
        Ok(match renew_lifetime {
            Some(span) => renewable_for(request, span),
            None => request,
        })
    }

    /// Logs in with a request made by hand.
    ///
    /// # Errors
    /// As [`Client::login`].
    pub fn login_for(&self, request: AsRequest, mut secret: Secret<'_>) -> Result<Login, Error> {
        let login = self.authenticate(request.clone(), &mut secret);
        match (login, secret) {
            (Err(e), Secret::Ask(asking)) if e.wants_new_password() => self.log_in_with_new_password(request, asking),
            (login, _) => login,
        }
    }

    pub(crate) fn authenticate(&self, mut request: AsRequest, secret: &mut Secret<'_>) -> Result<Login, Error> {
        let client = request.client.clone();
        let service = request.service.clone().unwrap_or_else(|| Name::krbtgt(&client.realm));
        let mut conversation = Conversation::new(self, client.clone(), Principal::new(service, client.realm.clone()));
        if let Secret::Keytab(keytab) = secret {
            sort_by_keytab(&mut request.etypes, keytab, &client)?;
        }
        let mut random = SystemRandom;
        let (mut exchange, mut outbound) = AsExchange::begin(request, system::now(), &mut random);
        loop {
            let answer = conversation.ask(&outbound)?;
            let mut step = exchange.receive(&answer, system::now(), &mut random);
            if let Ok(AsStep::NeedKey(wanted)) = &step {
                conversation.by_password = !matches!(secret, Secret::Keytab(_));
                let key = secret.key(&client, wanted, &conversation)?;
                step = exchange.key(&key, system::now(), &mut random);
            }
            match step.map_err(|e| conversation.failed(e))? {
                AsStep::Send(next) => outbound = next,
                AsStep::Done(reply) => return Ok(self.conclude(*reply)),
                // Asked twice in one step: no exchange does that.
                AsStep::NeedKey(_) => return Err(conversation.failed(ExchangeError::OutOfTurn)),
            }
        }
    }

    fn conclude(&self, reply: AsReply) -> Login {
        let offset = self.settings.config.kdc_timesync.then_some(reply.clock_offset);
        let mut cache = new_cache(&reply.credential.client, offset);
        let server = &reply.credential.server;
        if reply.fast_available {
            set_fast_available(&mut cache, server);
        }
        if let Some(preauth_type) = reply.preauth_type {
            let _ = cache.set_config("pa_type", Some(server), preauth_type.to_string().as_bytes());
        }
        add(&mut cache, &reply.credential);
        Login { reply, cache }
    }
}

/// The same request, renewable for `span`. Then a renewable ticket in place of a long one is not asked for, too.
#[must_use]
pub fn renewable_for(mut request: AsRequest, span: Duration) -> AsRequest {
    request.times.rtime = Some(When::After(span));
    request.options = request
        .options
        .with(KdcOptions::RENEWABLE)
        .without(KdcOptions::RENEWABLE_OK);
    request
}

impl<'a> Secret<'a> {
    /// A password that `prompter` gives.
    pub fn ask(prompter: &'a mut dyn Prompter) -> Self {
        Self::Ask(Asking {
            prompter,
            password: None,
        })
    }
    fn key(&mut self, client: &Principal, wanted: &KeyRequest, asked: &Conversation<'_>) -> Result<Key, Error> {
        let password = match self {
            Self::Keytab(keytab) => {
                let key = keytab.find(client, None, wanted.etype).cloned();
                return key.ok_or_else(|| Error::NoKey {
                    principal: client.clone(),
                });
            }
            Self::Password(password) => password,
            Self::Ask(Asking {
                password: Some(password),
                ..
            }) => password,
            Self::Ask(Asking { prompter, password }) => {
                password.insert(prompter.ask(&format!("Password for {client}"))?)
            }
        };
        let derived = wanted.derive(password.octets());
        derived.map_err(|_| asked.failed(ExchangeError::StringToKey { etype: wanted.etype }))
    }
}

// The enctypes that the keytab has a key for come first: the KDC takes the first that it has, too.
fn sort_by_keytab(etypes: &mut [EncType], keytab: &Keytab, client: &Principal) -> Result<(), Error> {
    let has = |etype: &EncType| keytab.find(client, None, *etype).is_some();
    if !etypes.iter().any(has) {
        return Err(Error::NoKey {
            principal: client.clone(),
        });
    }
    etypes.sort_by_key(|etype| !has(etype));
    Ok(())
}
