use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tessera_client::service::Connection;
use tessera_common::gss::ChannelBindings;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tower::ServiceExt as _;

// A caller that says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// TLS with one certificate, and what clients bind their tickets to when they are shown it.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    bindings: Option<ChannelBindings>,
}

impl Tls {
    pub(crate) fn load(certificate: &Path, key: &Path) -> Result<Self, Box<dyn Error>> {
        let of = |path: &Path, why: &dyn Error| format!("{}: {why}", path.display());
        let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|why| of(certificate, &why))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|why| of(key, &why))?;
        let bindings = chain.first().and_then(|own| ChannelBindings::tls_server_end_point(own));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            bindings,
        })
    }
}

/// Serves until the process ends.
pub(crate) async fn serve(listen: SocketAddr, tls: Option<Tls>, routes: Router) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(listen).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("ready {scheme}={}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: it goes on when some are free.
                eprintln!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, routes) = (tls.clone(), routes.clone());
        tokio::spawn(async move {
            if let Err(error) = attend(stream, peer, tls, routes).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn attend(stream: TcpStream, peer: SocketAddr, tls: Option<Tls>, routes: Router) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    let connection = Connection::new(peer);
    let Some(tls) = tls else {
        return converse(stream, connection, routes).await;
    };
    let connection = connection.with_bindings(tls.bindings);
    let stream = timeout(PATIENCE, tls.acceptor.accept(stream)).await??;
    converse(stream, connection, routes).await
}

// One connection, many requests: each has the connection among its extensions.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    routes: Router,
) -> Result<(), Box<dyn Error>> {
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        routes.clone().oneshot(request.map(Body::new))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), answer)
        .await?;
    Ok(())
}
