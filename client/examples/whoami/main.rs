//! A service that tells its callers who they are: HTTP's Negotiate with axum and hyper, over TLS if wanted.
//!
//! ```text
//! principal add --random-key HTTP/localhost
//! principal keytab HTTP/localhost --output http.keytab
//! cargo run --example whoami -- --keytab http.keytab --listen 127.0.0.1:8080
//!
//! kinit alice
//! curl --negotiate -u : http://localhost:8080/
//! ```
//!
//! `GET /` answers with what the caller's ticket says: principal, roles, times, enctypes. `GET /delegated` gets a ticket for
//! `--delegate-to` in the caller's name, where it has forwarded its ticket-granting ticket (`curl --delegation always`).

mod delegated;
mod report;
mod server;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::get;
use clap::{Parser, ValueEnum};
use serde::Serialize;
use tessera_client::keytab_file::KeytabFile;
use tessera_client::service::negotiate::{NegotiateLayer, RequireRoleLayer};
use tessera_client::service::{Caller, ServiceBuilder, ServiceName};
use tessera_common::gss::BindingPolicy;

use crate::delegated::Delegate;
use crate::report::Report;

/// Tells callers who they are, by the tickets that they bring
#[derive(Parser)]
struct Arguments {
    /// The keytab with the service's keys. It is read again when it changes
    #[arg(long, value_name = "FILE")]
    keytab: String,
    /// Where to wait for callers; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Only this one of the keytab's services: HTTP, HTTP@www.example.com or HTTP/www.example.com@EXAMPLE.COM
    #[arg(long, value_name = "NAME")]
    service: Option<ServiceName>,
    /// A file that all processes of this service share, so that what one has accepted, the others do not
    #[arg(long, value_name = "FILE")]
    replay_cache: Option<PathBuf>,
    /// Speak TLS, with this certificate and those that it was issued by, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Whether a ticket is taken that does not say which TLS certificate its owner was shown
    #[arg(long, value_name = "POLICY", default_value = "if-present")]
    channel_bindings: Bindings,
    /// Only callers with this role are told anything; may be given more than once, and one of them is enough
    #[arg(long, value_name = "ROLE")]
    require_role: Vec<String>,
    /// What to get a ticket for at /delegated, in the caller's name. `KRB5_CONFIG` says where the realm's KDC is
    #[arg(long, value_name = "SERVICE")]
    delegate_to: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Bindings {
    /// One that says so must say the right thing
    IfPresent,
    /// It must say the right thing
    Require,
    /// Whatever it says
    Ignore,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("whoami: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let tls = match (&arguments.tls_certificate, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(server::Tls::load(certificate, key)?),
        _ => None,
    };
    let policy = match arguments.channel_bindings {
        Bindings::IfPresent => BindingPolicy::IfPresent,
        Bindings::Require => BindingPolicy::Require,
        Bindings::Ignore => BindingPolicy::Ignore,
    };
    let mut service = ServiceBuilder::new(KeytabFile::named(&arguments.keytab)?)
        .for_services(arguments.service.unwrap_or_default())
        .with_bindings(None, policy);
    if let Some(file) = arguments.replay_cache {
        service = service.with_replay_file(file);
    }

    let mut routes = Router::new()
        .route("/", get(whoami))
        .route("/delegated", get(delegated));
    if !arguments.require_role.is_empty() {
        let roles = arguments.require_role.iter().map(String::as_str);
        routes = routes.layer(RequireRoleLayer::any_of(roles)?);
    }
    let routes = routes
        .layer(NegotiateLayer::new(Arc::new(service.open()?)))
        .layer(Extension(Delegate::to(arguments.delegate_to)));
    server::serve(arguments.listen, tls, routes).await
}

async fn whoami(Extension(caller): Extension<Caller>) -> Response {
    json(&Report::of(&caller))
}

async fn delegated(Extension(caller): Extension<Caller>, Extension(delegate): Extension<Delegate>) -> Response {
    json(&delegate.ticket_of(caller).await)
}

fn json(value: &impl Serialize) -> Response {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    let response = Response::builder().header(CONTENT_TYPE, "application/json");
    response.body(Body::from(text)).unwrap_or_default()
}
