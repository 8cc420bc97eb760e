//! HTTP's `Negotiate` (RFC 4559) as a layer of `tower`'s, for axum, hyper and whatever else takes one.
//!
//! ```text
//! let service = Arc::new(Service::from_keytab("/etc/krb5.keytab")?);
//! let app = Router::new().route("/", get(hello)).layer(NegotiateLayer::new(service));
//!
//! async fn hello(Extension(caller): Extension<Caller>) -> String {
//!     format!("Hello, {}", caller.principal())
//! }
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
//! one. For axum, whose `ConnectInfo` has the address:
//!
//! ```text
//! .layer(map_request(|ConnectInfo(peer): ConnectInfo<SocketAddr>, mut request: Request| async move {
//!     request.extensions_mut().insert(Connection::new(peer));
//!     request
//! }))
//! ```
//!
//! That one is new with every request. A connection's own is made where it is accepted: the example `whoami` shows it, with TLS.
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
