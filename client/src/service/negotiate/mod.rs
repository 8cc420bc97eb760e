//! HTTP's `Negotiate` (RFC 4559) as a layer of `tower`'s, for axum, hyper and whatever else takes one.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use axum::{Extension, Router, routing::get};
//! # use tessera_client::service::{Caller, Service, ServiceError, negotiate::NegotiateLayer};
//! # fn app() -> Result<Router, ServiceError> {
//! let service = Arc::new(Service::from_keytab("/etc/krb5.keytab")?);
//! let app = Router::new().route("/", get(hello)).layer(NegotiateLayer::new(service));
//!
//! async fn hello(Extension(caller): Extension<Caller>) -> String {
//!     format!("Hello, {}", caller.principal())
//! }
//! # Ok(app)
//! # }
//! ```
//!
//! A request without a ticket is answered with 401 and `WWW-Authenticate: Negotiate`, and so is one with a ticket that is not good:
//! why not, the service's log has, and nobody else. What gets through has a [`Caller`] among the request's extensions and no
//! `Authorization` any more, and its response has the token by which the service proves itself, too. Every request is
//! authenticated by itself; the body is not touched. Roles are asked for by [`RequireRole`].
//!
//! # Connections
//!
//! A server that inserts a [`Connection`] into the extensions of each request tells where a client is, which channel bindings its TLS
//! has, and which requests come through one connection: a client that likes another mechanism better than Kerberos needs more than
//! one. It is made where the connection is accepted, and a copy of it put into each of its requests:
//!
//! ```
//! # use tessera_client::service::Connection;
//! # fn received<B>(connection: &Connection, request: &mut http::Request<B>) {
//! request.extensions_mut().insert(connection.clone());
//! # }
//! ```
//!
//! The example `whoami` shows it, with TLS. Where only the address is at hand, as axum's `ConnectInfo` has it, one that is new
//! with every request will do for all but that.
//!
//! [`Caller`]: super::Caller
//! [`Connection`]: super::Connection

mod future;
mod header;
mod layer;
mod pending;
mod role;

pub use future::ResponseFuture;
pub use layer::{Negotiate, NegotiateLayer};
pub use role::{RequireRole, RequireRoleLayer};
