//! Fetches a page from a service that wants `Negotiate`, with the tickets in the user's cache, and says whether the service proved
//! itself in turn.
//!
//! ```text
//! kinit alice
//! cargo run --example negotiate_client -- http://localhost:8080/
//! cargo run --example negotiate_client -- https://localhost:8443/ --cacert certificate.pem --delegate
//! ```
//!
//! `KRB5CCNAME` names the cache and `KRB5_CONFIG` the configuration, as for every Kerberos program. Over TLS, the ticket is bound to
//! the certificate that the service showed.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tessera_client::{Client, Delegation, Negotiated, cache};
use tessera_common::gss::{ChannelBindings, Context};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Fetches a page with a ticket
#[derive(Parser)]
struct Arguments {
    /// http://HOST:PORT/PATH or https://HOST:PORT/PATH. The ticket is for HTTP/HOST
    url: Uri,
    /// Hands the service a forwarded ticket-granting ticket, to act in the user's name with
    #[arg(long)]
    delegate: bool,
    /// Over TLS: whose certificates are believed, in PEM
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(StatusCode::OK) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("negotiate_client: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<StatusCode, Box<dyn Error>> {
    let host = arguments.url.host().ok_or("the URL names no host")?;
    let tls = arguments.url.scheme_str() == Some("https");
    let port = arguments.url.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    let (mut http, bindings) = if tls {
        let stream = over_tls(stream, host, arguments.cacert.as_deref()).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let bindings = certificate.and_then(|own| ChannelBindings::tls_server_end_point(own));
        (open(stream).await?, bindings)
    } else {
        (open(stream).await?, None)
    };

    let (response, proof) = fetch(&mut http, arguments, host, bindings).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    match proof {
        Ok(context) => eprintln!("{status}; the service is {}", context.acceptor()),
        Err(why) => eprintln!("{status}; {why}"),
    }
    std::io::stdout().write_all(&body)?;
    Ok(status)
}

// The answer, and the context with the service, or why there is none.
async fn fetch(
    http: &mut SendRequest<Empty<Bytes>>,
    arguments: &Arguments,
    host: &str,
    bindings: Option<ChannelBindings>,
) -> Result<(Response<Incoming>, Result<Box<Context>, Box<dyn Error>>), Box<dyn Error>> {
    let client = Client::from_environment()?;
    let file = cache::open(&client.settings().default_cache()?)?;
    let mut tickets = file.load()?;
    let delegation = if arguments.delegate {
        Delegation::Always
    } else {
        Delegation::Never
    };
    let mut negotiation = client.negotiate(&mut tickets, host, bindings, delegation)?;
    file.store(&tickets)?;
    loop {
        let path = arguments.url.path_and_query().map_or("/", |path| path.as_str());
        let authority = arguments.url.authority().map_or(host, |authority| authority.as_str());
        let request = Request::get(path)
            .header(HOST, authority)
            .header(AUTHORIZATION, negotiation.authorization())
            .body(Empty::new())?;
        http.ready().await?;
        let response = http.send_request(request).await?;
        let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        match negotiation.finish(values) {
            Ok(Negotiated::Done(context)) => return Ok((response, Ok(context))),
            Err(why) => return Ok((response, Err(why.into()))),
            Ok(Negotiated::Again(next)) => {
                negotiation = next;
                response.into_body().collect().await?;
            }
        }
    }
}

async fn open(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Empty<Bytes>>, Box<dyn Error>> {
    let (http, connection) = handshake(TokioIo::new(stream)).await?;
    // What goes wrong with it, the request is told.
    tokio::spawn(connection);
    Ok(http)
}

async fn over_tls(
    stream: TcpStream,
    host: &str,
    cacert: Option<&Path>,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Box<dyn Error>> {
    let file = cacert.ok_or("--cacert is needed to tell who the service is over TLS")?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}
