use core::task::{Context, Poll};
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use tessera_common::role::{RoleName, RoleNameError};
use tower_layer::Layer;

use super::future::ResponseFuture;
use super::header::challenge;
use super::layer::{LogTo, unauthorized};
use crate::service::caller::Caller;
use crate::service::event::Event;

/// Lets through who has one of these roles, inside of [`super::NegotiateLayer`]: others are answered with 403, and who has not
/// proved itself with 401.
#[derive(Clone, Debug)]
pub struct RequireRoleLayer {
    roles: Arc<[RoleName]>,
}

impl RequireRoleLayer {
    /// One of these roles is needed.
    ///
    /// # Errors
    /// [`RoleNameError`] for what is no role's name.
    pub fn any_of<'a>(roles: impl IntoIterator<Item = &'a str>) -> Result<Self, RoleNameError> {
        let roles = roles.into_iter().map(RoleName::new).collect::<Result<_, _>>()?;
        Ok(Self { roles })
    }
}

impl<S> Layer<S> for RequireRoleLayer {
    type Service = RequireRole<S>;

    fn layer(&self, inner: S) -> RequireRole<S> {
        RequireRole {
            inner,
            roles: Arc::clone(&self.roles),
        }
    }
}

/// What [`RequireRoleLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct RequireRole<S> {
    inner: S,
    roles: Arc<[RoleName]>,
}

impl<S, Q, B> tower_service::Service<Request<Q>> for RequireRole<S>
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

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let Some(caller) = request.extensions().get::<Caller>() else {
            return ResponseFuture::ready(unauthorized(challenge(None)));
        };
        if self.roles.iter().any(|role| caller.has_role(role.as_str())) {
            return ResponseFuture::inner(self.inner.call(request), None);
        }
        if let Some(LogTo(service)) = request.extensions().get() {
            service.log(&Event::Forbidden {
                caller,
                needed: &self.roles,
            });
        }
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::FORBIDDEN;
        ResponseFuture::ready(response)
    }
}
