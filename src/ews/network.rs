//! The way to the upstream: names, TCP, TLS. Pooled and pinned connections are made from the same settings.

use super::error::Error;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How the upstream is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// PEM files of authorities that are trusted beside those of the system.
    pub authorities: Vec<PathBuf>,
}

/// The settings, read. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Network {
    tls: Arc<ClientConfig>,
    connect_timeout: Duration,
}

/// What a connection reads from and writes to.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection to the upstream.
pub(super) struct Connection {
    /// Octets of HTTP.
    pub io: Box<dyn Io>,
    /// The certificate that the server showed; `None` without TLS.
    pub certificate: Option<CertificateDer<'static>>,
}

impl Network {
    /// Reads files; connects to nothing.
    pub(super) fn new(settings: &Settings, connect_timeout: Duration) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = Vec::new();
        for path in &settings.authorities {
            let wrong = |why: String| Error::Settings(format!("{}: {why}", path.display()));
            let octets = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let before = roots.len();
            for certificate in CertificateDer::pem_slice_iter(&octets) {
                roots.push(certificate.map_err(|error| wrong(format!("is no PEM certificate: {error}")))?);
            }
            if roots.len() == before {
                return Err(wrong("holds no PEM certificate".to_owned()));
            }
        }
        let failed = |error: rustls::Error| Error::Settings(error.to_string());
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider))
            .map_err(failed)?;
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(tls), connect_timeout })
    }

    /// A client whose connections are shared.
    pub(super) fn pooled(&self) -> reqwest::ClientBuilder {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(self.connect_timeout)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
    }

    /// One connection of one's own, for HTTP/1.1.
    pub(super) async fn connect(&self, url: &reqwest::Url) -> Result<Connection, Error> {
        let late = |_| Error::Unreachable("no connection in time".to_owned());
        tokio::time::timeout(self.connect_timeout, self.dial(url)).await.map_err(late)?
    }

    async fn dial(&self, url: &reqwest::Url) -> Result<Connection, Error> {
        let failed = |error: std::io::Error| Error::Unreachable(error.to_string());
        let named = || Error::Settings(format!("`{url}` names no host"));
        let host = url.host_str().ok_or_else(named)?.trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().ok_or_else(named)?;
        let stream = TcpStream::connect((host.as_str(), port)).await.map_err(failed)?;
        let _ = stream.set_nodelay(true);
        if url.scheme() != "https" {
            return Ok(Connection { io: Box::new(stream), certificate: None });
        }
        let name = ServerName::try_from(host).map_err(|_| named())?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.map_err(failed)?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certificate = shown.map(|certificate| certificate.clone().into_owned());
        Ok(Connection { io: Box::new(stream), certificate })
    }
}
