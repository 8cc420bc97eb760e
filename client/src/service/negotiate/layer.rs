use core::task::{Context, Poll};
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use tower_layer::Layer;

use super::future::ResponseFuture;
use super::header::{Brought, brought, challenge};
use super::pending::Pending;
use crate::service::acceptor::{Service, Step};
use crate::service::caller::Caller;
use crate::service::connection::Connection;
use crate::service::event::Event;
use crate::service::refused::Refused;
use crate::system;

/// Lets through who proves itself by a ticket: see [the module](super).
#[derive(Clone, Debug)]
pub struct NegotiateLayer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    service: Arc<Service>,
    pending: Pending,
    strangers: Strangers,
}

// What becomes of a request that brings nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strangers {
    Challenged,
    LetThrough,
}

impl NegotiateLayer {
    /// Every request has to prove who sends it.
    #[must_use]
    pub fn new(service: Arc<Service>) -> Self {
        Self::with(service, Strangers::Challenged)
    }

    /// A request that brings no ticket gets through without a [`Caller`], and keeps what it has of other schemes in `Authorization`. One
    /// that brings a ticket that is not good is refused all the same. A handler that needs to know who it is answers with 401
    /// and `WWW-Authenticate: Negotiate`, and so does [`super::RequireRole`].
    #[must_use]
    pub fn optional(service: Arc<Service>) -> Self {
        Self::with(service, Strangers::LetThrough)
    }

    fn with(service: Arc<Service>, strangers: Strangers) -> Self {
        Self(Arc::new(Shared {
            service,
            pending: Pending::default(),
            strangers,
        }))
    }
}

impl<S> Layer<S> for NegotiateLayer {
    type Service = Negotiate<S>;

    fn layer(&self, inner: S) -> Negotiate<S> {
        Negotiate {
            inner,
            shared: Arc::clone(&self.0),
        }
    }
}

/// What [`NegotiateLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct Negotiate<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, Q, B> tower_service::Service<Request<Q>> for Negotiate<S>
where
    S: tower_service::Service<Request<Q>, Response = Response<B>>,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Q>) -> Self::Future {
        // Nobody but this layer says who it is.
        request.extensions_mut().remove::<Caller>();
        match self.shared.judge(&request) {
            Verdict::Stranger => ResponseFuture::inner(self.inner.call(request), None),
            Verdict::Known { caller, proof } => {
                request.headers_mut().remove(AUTHORIZATION);
                request.extensions_mut().insert(caller);
                request.extensions_mut().insert(LogTo(Arc::clone(&self.shared.service)));
                ResponseFuture::inner(self.inner.call(request), proof)
            }
            Verdict::Challenge(value) => ResponseFuture::ready(unauthorized(value)),
        }
    }
}

/// Where [`super::RequireRole`] finds the log.
#[derive(Clone, Debug)]
pub(super) struct LogTo(pub(super) Arc<Service>);

enum Verdict {
    Stranger,
    Known { caller: Caller, proof: Option<HeaderValue> },
    Challenge(HeaderValue),
}

impl Shared {
    fn judge<Q>(&self, request: &Request<Q>) -> Verdict {
        let unknown = Connection::unknown();
        let connection = request.extensions().get().unwrap_or(&unknown);
        match brought(request.headers()) {
            Brought::Token(token) => self.take(&token, connection),
            Brought::Nothing if self.strangers == Strangers::LetThrough => Verdict::Stranger,
            Brought::Nothing => Verdict::Challenge(challenge(None)),
            Brought::Wrong(what) => self.refuse(what, connection),
        }
    }

    fn take(&self, token: &[u8], connection: &Connection) -> Verdict {
        let number = connection.number();
        let waiting = number.and_then(|number| self.pending.take(number, system::now().time));
        let step = match waiting {
            Some(state) if token.first() == Some(&ANSWER) => self.service.go_on(state, token, connection),
            // A client that begins anew may do so.
            _ => self.service.accept(token, connection),
        };
        match step {
            Ok(Step::Done { token, caller, .. }) => Verdict::Known {
                caller,
                proof: token.map(|token| challenge(Some(&token))),
            },
            Ok(Step::Continue { token, state }) => match number {
                Some(number) => {
                    self.pending.put(number, state, system::now().time);
                    Verdict::Challenge(challenge(Some(&token)))
                }
                None => self.refuse(
                    "the client needs more than one request to prove itself, and which come through one connection is not known here",
                    connection,
                ),
            },
            // It has been logged. The client is told no more than a stranger.
            Err(_) => Verdict::Challenge(challenge(None)),
        }
    }

    fn refuse(&self, what: &'static str, connection: &Connection) -> Verdict {
        let why = Refused::of_header(what);
        let from = connection.peer();
        self.service.log(&Event::Refused { from, why: &why });
        Verdict::Challenge(challenge(None))
    }
}

// The first octet of SPNEGO's tokens but the first.
const ANSWER: u8 = 0xa1;

pub(super) fn unauthorized<B: Default>(challenge: HeaderValue) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}
