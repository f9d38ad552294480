//! The way to the upstream: names, proxies, TCP, TLS. Pooled and pinned connections are made from the same settings.

mod certificate;
pub mod srv;

use super::error::Error;
use certificate::CertificateVerifier;
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, ClientConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower::ServiceExt as _;

/// How the upstream is reached. `Debug` shows no password of a proxy.
#[derive(Clone, Default)]
pub struct Settings {
    /// PEM files of authorities that are trusted beside those of the system.
    pub authorities: Vec<PathBuf>,
    /// SHA-256 of the one certificate that is accepted, whoever signed it.
    pub pin: Option<[u8; 32]>,
    /// The oldest version of TLS that is spoken.
    pub oldest: Tls,
    /// `http://proxy:3128` or `socks5://proxy:1080`, both with `user:password@` if needed; empty: none.
    pub proxy: String,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// RFC 5246
    #[default]
    V1_2,
    /// RFC 8446
    V1_3,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authorities, pin, oldest, proxy } = self;
        let proxy = proxy.rsplit('@').next().unwrap_or_default();
        write!(f, "Settings({authorities:?}, {pin:?}, {oldest:?}, {proxy:?})")
    }
}

/// The settings, read. Cheap to clone.
#[derive(Clone)]
pub(super) struct Network {
    tls: Arc<ClientConfig>,
    proxy: Option<Url>,
    connect_timeout: Duration,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network(proxy: {:?})", self.proxy.as_ref().and_then(Url::host_str))
    }
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
        let failed = |error: rustls::Error| Error::Settings(error.to_string());
        let believer = match settings.pin {
            Some(pin) => CertificateVerifier::of_one(pin, &provider),
            None => CertificateVerifier::of_authorities(roots(&settings.authorities)?, &provider)
                .map_err(failed)?,
        };
        let versions: &[_] = match settings.oldest {
            Tls::V1_2 => &[&TLS13, &TLS12],
            Tls::V1_3 => &[&TLS13],
        };
        let tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(failed)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(believer))
            .with_no_client_auth();
        let wrong = |_| Error::Settings("exchange.proxy: no URL such as `http://proxy:3128`".to_owned());
        let proxy = Some(settings.proxy.as_str()).filter(|proxy| !proxy.is_empty());
        let proxy = proxy.map(Url::parse).transpose().map_err(wrong)?;
        Ok(Self { tls: Arc::new(tls), proxy, connect_timeout })
    }

    /// A client whose connections are shared.
    pub(super) fn pooled(&self) -> Result<reqwest::ClientBuilder, Error> {
        self.client(&[b"h2", b"http/1.1"])
    }

    /// A client for answers that go on: each has a connection of its own. HTTP/2 servers allow about a hundred answers
    /// on a connection, and all other requests would wait for them.
    pub(super) fn hanging(&self) -> Result<reqwest::ClientBuilder, Error> {
        Ok(self.client(&[b"http/1.1"])?.http1_only().pool_max_idle_per_host(0))
    }

    fn client(&self, protocols: &[&[u8]]) -> Result<reqwest::ClientBuilder, Error> {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(self.connect_timeout)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none());
        Ok(match &self.proxy {
            // The environment is read by the configuration alone.
            None => client.no_proxy(),
            Some(proxy) => {
                let proxy = reqwest::Proxy::all(proxy.clone()).map_err(|e| Error::Settings(e.to_string()))?;
                client.proxy(proxy)
            }
        })
    }

    /// One connection of one's own, for HTTP/1.1.
    pub(super) async fn connect(&self, url: &Url) -> Result<Connection, Error> {
        let late = |_| Error::Unreachable("no connection in time".to_owned());
        tokio::time::timeout(self.connect_timeout, self.dial(url)).await.map_err(late)?
    }

    async fn dial(&self, url: &Url) -> Result<Connection, Error> {
        let named = || Error::Settings(format!("`{url}` names no host"));
        let host = url.host_str().ok_or_else(named)?;
        let port = url.port_or_known_default().ok_or_else(named)?;
        let stream = self.reach(&format!("http://{host}:{port}")).await?;
        let _ = stream.set_nodelay(true);
        if url.scheme() != "https" {
            return Ok(Connection { io: Box::new(stream), certificate: None });
        }
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| named())?;
        let connected = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
        let stream = connected.map_err(|error| unreachable(&error))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certificate = shown.map(|certificate| certificate.clone().into_owned());
        Ok(Connection { io: Box::new(stream), certificate })
    }

    /// A TCP connection to `target`, through the proxy if there is one. IPv6 and IPv4 are tried side by side. RFC 8305
    async fn reach(&self, target: &str) -> Result<TcpStream, Error> {
        let uri = |text: &str| text.parse::<Uri>().map_err(|e| Error::Settings(format!("`{text}`: {e}")));
        let target = uri(target)?;
        let direct = HttpConnector::new();
        let Some(proxy) = &self.proxy else {
            return direct.oneshot(target).await.map(TokioIo::into_inner).map_err(|e| unreachable(&e));
        };
        let named = || Error::Settings("exchange.proxy names no host".to_owned());
        let host = proxy.host_str().ok_or_else(named)?;
        let is_socks = proxy.scheme().starts_with("socks5");
        let port = proxy.port_or_known_default().unwrap_or(if is_socks { 1080 } else { 3128 });
        let way = uri(&format!("http://{host}:{port}"))?;
        let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (plain(proxy.username()), plain(proxy.password().unwrap_or_default()));
        let reached = if is_socks {
            let socks = SocksV5::new(way, direct);
            let socks = if user.is_empty() { socks } else { socks.with_auth(user, password) };
            socks.oneshot(target).await.map_err(|e| unreachable(&e))?
        } else {
            let mut tunnel = Tunnel::new(way, direct);
            if !user.is_empty() {
                let basic =
                    HeaderValue::from_str(&super::auth::basic(&user, &password)).map_err(|_| named())?;
                tunnel = tunnel.with_auth(basic);
            }
            tunnel.oneshot(target).await.map_err(|e| unreachable(&e))?
        };
        Ok(reached.into_inner())
    }
}

fn roots(files: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut roots = Vec::new();
    for path in files {
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
    Ok(roots)
}

/// Why there is no connection: a certificate that is not trusted is told apart, for trying again is useless.
pub(super) fn unreachable(error: &(dyn std::error::Error + 'static)) -> Error {
    let mut text = error.to_string();
    let mut next = Some(error);
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        if let Some(rustls::Error::InvalidCertificate(why)) = cause.downcast_ref() {
            return Error::Certificate(match why {
                CertificateError::Other(other) => other.0.to_string(),
                CertificateError::UnknownIssuer => "it was issued by an unknown authority".to_owned(),
                why => why.to_string(),
            });
        }
        // An io::Error keeps its cause to itself.
        let kept = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = kept.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| cause.source());
    }
    Error::Unreachable(text)
}
