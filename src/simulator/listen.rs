//! Connections of the EWS side: plain or TLS, each with what the server remembers of it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::connect_info::Connected;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::serve::IncomingStream;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::sign_in::ntlm::State;

/// Certificate and key of the EWS side, PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate and those above it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What a connection reads from and writes to.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One connection, as long as it lives.
#[derive(Debug, Default)]
pub struct Connection {
    /// The server's certificate, DER; `None` without TLS.
    pub certificate: Option<Arc<[u8]>>,
    /// How far its NTLM sign-in is.
    pub ntlm: Mutex<State>,
    /// The next request over it cannot be read.
    pub is_spoilt: AtomicBool,
    /// Answers that are behind.
    pub late: Mutex<VecDeque<Response>>,
}

/// An answer to a request that was refused as a whole.
#[derive(Clone, Copy, Debug)]
pub struct RefusedAsAWhole;

impl Connection {
    /// What goes out over a connection where a second answer follows each that refuses a request as a whole: from then
    /// on each request gets the answer to the one before it. Seen: gromox 3.10; the text is that of its HTTP server.
    pub fn shifted(&self, answer: Response) -> Response {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let is_refusal = answer.extensions().get::<RefusedAsAWhole>().is_some();
        late.push_back(answer);
        if is_refusal {
            let text = "Internal Server Error\r\n";
            late.push_back((StatusCode::INTERNAL_SERVER_ERROR, text).into_response());
        }
        late.pop_front().unwrap_or_default()
    }
}

/// A connection, for the requests that come over it.
#[derive(Clone, Debug)]
pub struct Peer(pub Arc<Connection>);

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Accepts connections; TLS handshakes go on beside one another.
pub struct Listener {
    accepted: mpsc::Receiver<(Box<dyn Io>, Peer)>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// Accepts from now on; each connection is counted.
    pub fn over(
        listener: TcpListener,
        tls: Option<&Tls>,
        count: Arc<AtomicU64>,
    ) -> io::Result<(Self, SocketAddr)> {
        let address = listener.local_addr()?;
        let tls = tls.map(acceptor).transpose()?;
        let (sender, accepted) = mpsc::channel(16);
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                count.fetch_add(1, Ordering::Relaxed);
                let (sender, tls) = (sender.clone(), tls.clone());
                tokio::spawn(async move {
                    let made: (Box<dyn Io>, Option<Arc<[u8]>>) = match tls {
                        None => (Box::new(stream), None),
                        Some((acceptor, certificate)) => match acceptor.accept(stream).await {
                            Ok(stream) => (Box::new(stream), Some(certificate)),
                            Err(error) => return tracing::debug!(%error, "no TLS"),
                        },
                    };
                    let connection = Connection { certificate: made.1, ..Connection::default() };
                    let _ = sender.send((made.0, Peer(Arc::new(connection)))).await;
                });
            }
        });
        Ok((Self { accepted, task }, address))
    }
}

impl axum::serve::Listener for Listener {
    type Io = Box<dyn Io>;
    type Addr = Peer;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            // The task above ends only together with this listener.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(Peer(Arc::default()))
    }
}

fn acceptor(tls: &Tls) -> io::Result<(TlsAcceptor, Arc<[u8]>)> {
    let wrong = |error: &dyn std::fmt::Display| io::Error::other(format!("TLS: {error}"));
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(&e))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|e| wrong(&e))?;
    let certificate: Arc<[u8]> =
        chain.first().map(|c| c.as_ref().into()).ok_or_else(|| wrong(&"no certificate"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(rustls::ConfigBuilder::<ServerConfig, _>::with_no_client_auth)
        .and_then(|builder| builder.with_single_cert(chain, key))
        .map_err(|e| wrong(&e))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), certificate))
}
