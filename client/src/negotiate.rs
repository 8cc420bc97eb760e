use core::fmt;

use tessera_common::ccache::CredentialCache;
use tessera_common::flags::TicketFlags;
use tessera_common::gss::{self, ChannelBindings};
use tessera_common::spnego::{self, InitiateStep};

use crate::client::Client;
use crate::error::Error;
use crate::http_token;
use crate::system::{self, SystemRandom};

/// Whether a service is handed a ticket-granting ticket, to act in the client's name with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Delegation {
    /// No.
    #[default]
    Never,
    /// If the realm says that the service may be trusted with it (ok-as-delegate), and the client has one that it may
    /// hand on. Otherwise it goes without.
    IfTrusted,
    /// Yes, or there is an error.
    Always,
}

/// HTTP's `Negotiate` (RFC 4559), a client's side: what the service is sent, and what is waited for.
#[derive(Debug)]
#[must_use]
pub struct Negotiation {
    authorization: String,
    state: spnego::Negotiating,
}

/// What came of a service's answer.
#[derive(Debug)]
pub enum Negotiated {
    /// The service proved that it is the one that was meant.
    Done(Box<gss::Context>),
    /// It wants another request, through the same connection.
    Again(Negotiation),
}

/// Why a service is not known to be the one that was meant. What it sent is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NegotiateError {
    /// It has nothing to say about it: no `WWW-Authenticate` with the scheme and a token. With status 401, it does not
    /// take the client's ticket, and its log says why.
    NoProof,
    /// The token is not base64.
    Base64,
    /// The token proves nothing, or that something is wrong.
    Token(spnego::InitiateError),
}

impl Client {
    /// Begins with a ticket for `HTTP/host`, from the cache or else from the KDC. `host` is the one in the URL, without a
    /// port; it is not looked up in DNS. Over TLS, `bindings` are those of the certificate that the service showed,
    /// [`ChannelBindings::tls_server_end_point`].
    ///
    /// # Errors
    /// As [`Client::service_ticket`]; with [`Delegation::Always`], as [`Client::forwarded_tgt`].
    pub fn negotiate(
        &self,
        cache: &mut CredentialCache,
        host: &str,
        bindings: Option<ChannelBindings>,
        delegation: Delegation,
    ) -> Result<Negotiation, Error> {
        let ticket = self.service_ticket(cache, &self.service_on_host("HTTP", host)?)?;
        let forwarded = match delegation {
            Delegation::Always => Some(self.forwarded_tgt(cache)?),
            Delegation::IfTrusted if ticket.flags.contains(TicketFlags::OK_AS_DELEGATE) => {
                self.forwarded_tgt(cache).ok()
            }
            Delegation::Never | Delegation::IfTrusted => None,
        };
        let mut initiator = gss::Initiator::new(&ticket);
        if let Some(forwarded) = &forwarded {
            initiator = initiator.delegating(forwarded);
        }
        if let Some(bindings) = bindings {
            initiator = initiator.with_bindings(bindings);
        }
        let (token, state) = spnego::Initiator::new(initiator).start(system::now(), &mut SystemRandom);
        Ok(Negotiation::new(&token, state))
    }
}

impl Negotiation {
    fn new(token: &[u8], state: spnego::Negotiating) -> Self {
        Self {
            authorization: http_token::value(Some(token)),
            state,
        }
    }

    /// The value of the request's `Authorization`. It is good for one request, and no secret to the service alone.
    #[must_use]
    pub fn authorization(&self) -> &str {
        &self.authorization
    }

    /// Reads the values of the answer's `WWW-Authenticate`, whatever its status. A service that does not prove itself is not
    /// the one that was meant, though it may have answered with 200.
    ///
    /// # Errors
    /// [`NegotiateError`].
    pub fn finish<'a>(self, www_authenticate: impl IntoIterator<Item = &'a str>) -> Result<Negotiated, NegotiateError> {
        let token = www_authenticate
            .into_iter()
            .filter_map(|value| http_token::parameter(value.as_bytes()))
            .find(|token| !token.is_empty())
            .ok_or(NegotiateError::NoProof)?;
        let token = http_token::decode(token).ok_or(NegotiateError::Base64)?;
        let step = self.state.step(&token, system::now().time);
        match step.map_err(NegotiateError::Token)? {
            InitiateStep::Done { context, .. } => Ok(Negotiated::Done(Box::new(context))),
            InitiateStep::Continue { token, state } => Ok(Negotiated::Again(Self::new(&token, state))),
        }
    }
}

impl fmt::Display for NegotiateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProof => f.write_str("the service did not prove who it is"),
            Self::Base64 => f.write_str("the service's token is not base64"),
            Self::Token(why) => write!(f, "{why}"),
        }
    }
}

impl core::error::Error for NegotiateError {}
