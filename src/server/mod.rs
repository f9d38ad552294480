//! Sockets: listening, TLS, compression, the log of requests, and ending in peace.
//!
//! **Invariant:** no credentials in the log.
//! **Invariant:** what a proxy says of a client is believed only if the proxy is trusted.

mod connections;
mod layers;
mod origin;
mod tls;

pub use origin::{Network, Proxies};
pub use tls::Tls;

use crate::dav;
use crate::gateway::Gateway;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsAcceptor;
use connections::{Connections, Counting};
use hyper_util::rt::TokioTimer;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(90);
/// Octets of a request's head, and of a body that nobody reads yet, for each connection.
const MAX_BUFFER: usize = 128 * 1024;
/// Octets that may be under way on one connection of HTTP/2, all its requests together.
const MAX_WINDOW: u32 = 256 * 1024;
/// Octets of one answer over HTTP/2 that wait for the client.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// Requests that one connection of HTTP/2 may have under way. RFC 9113 5.1.2 recommends no fewer than 100.
const MAX_STREAMS: u32 = 100;

/// Where and how clients connect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// `None`: plain HTTP, for a proxy in front or for this machine alone.
    pub tls: Option<Tls>,
    /// How long running requests may go on when the program is asked to end.
    pub shutdown_grace: Duration,
    /// Who stands in front.
    pub proxies: Proxies,
    /// What is accepted from clients.
    pub dav: dav::Settings,
    /// Connections that are open at once; one more closes the longest silent.
    pub max_connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8008)),
            tls: None,
            shutdown_grace: Duration::from_secs(10),
            proxies: Proxies::default(),
            dav: dav::Settings::default(),
            max_connections: connections::most(),
        }
    }
}

impl Settings {
    /// Whether passwords may come over a network without TLS: from anywhere but this machine and the proxies in front.
    fn is_in_the_clear(&self) -> bool {
        self.tls.is_none() && !self.listen.ip().is_loopback() && self.proxies.trusted.is_empty()
    }
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not of this machine.
    #[error("cannot listen on {0}: {1}; is another program using it?")]
    Listen(SocketAddr, #[source] io::Error),
    /// A file of the TLS settings is not readable or not what it should be.
    #[error("TLS: {path}: {reason}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// A server that accepts clients.
#[derive(Debug)]
pub struct Running {
    /// Where it listens; with port 0 in the settings, the port that it got.
    pub address: SocketAddr,
    handle: Handle<SocketAddr>,
    grace: Duration,
    task: JoinHandle<io::Result<()>>,
    gateway: Gateway,
}

impl Running {
    /// Tries to reach Exchange once and logs what was found.
    pub fn look_at_upstream(&self) -> impl Future<Output = ()> + Send + use<> {
        let gateway = self.gateway.clone();
        async move { gateway.look_at_upstream().await }
    }

    /// Accepts nobody any more, lets running requests finish for the grace period, then returns.
    pub async fn shutdown(self) {
        let until = tokio::time::Instant::now() + self.grace;
        self.handle.graceful_shutdown(Some(self.grace));
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("the server ended with {error}"),
            Err(error) => tracing::error!("the server broke: {error}"),
        }
        // A write goes on when its client has gone or was told to come back: it has the rest of the time.
        self.gateway.finish_writes(until).await;
        self.gateway.shutdown().await;
    }
}

/// Listens, and serves clients until [`Running::shutdown`].
pub async fn start(settings: Settings, gateway: Gateway) -> Result<Running, Error> {
    let is_in_the_clear = settings.is_in_the_clear();
    let Settings { listen, tls, shutdown_grace, proxies, dav, max_connections } = settings;
    let tls = match tls {
        Some(tls) => Some(tls.read().await?),
        None => None,
    };
    let failed = |error| Error::Listen(listen, error);
    let listener = TcpListener::bind(listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let service = layers::around(dav::router(gateway.clone(), dav), proxies);
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    let mut server = axum_server::from_tcp(listener).map_err(failed)?.handle(handle.clone());
    // Without a timer, connections that send nothing would stay for ever.
    let mut http1 = server.http_builder().http1();
    http1.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(MAX_BUFFER);
    let mut http2 = server.http_builder().http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(IDLE).max_concurrent_streams(MAX_STREAMS);
    http2.initial_connection_window_size(MAX_WINDOW).initial_stream_window_size(MAX_WINDOW);
    http2.max_send_buf_size(MAX_SEND_BUFFER);
    let counting = Counting { inner: NoDelayAcceptor::new(), connections: Connections::new(max_connections) };
    let task = match tls {
        None => tokio::spawn(server.acceptor(counting).serve(service)),
        Some(config) => {
            let acceptor = RustlsAcceptor::new(config).acceptor(counting);
            tokio::spawn(server.acceptor(acceptor).serve(service))
        }
    };
    tracing::info!("listening on {address}");
    if is_in_the_clear {
        tracing::warn!(
            "passwords come to {address} in the clear: set server.certificate and server.key, or server.trusted_proxies \
             if a proxy stands in front"
        );
    }
    Ok(Running { address, handle, grace: shutdown_grace, task, gateway })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_the_clear_are_warned_of() {
        let everywhere = Settings { listen: ([0, 0, 0, 0], 8008).into(), ..Settings::default() };
        assert!(everywhere.is_in_the_clear());
        assert!(!Settings::default().is_in_the_clear());
        let trusted = vec!["10.0.0.1".parse().unwrap()];
        let proxies = Proxies { trusted, user_header: None };
        assert!(!Settings { proxies, ..everywhere.clone() }.is_in_the_clear());
        let tls = Some(Tls { certificate: PathBuf::new(), key: PathBuf::new() });
        assert!(!Settings { tls, ..everywhere }.is_in_the_clear());
    }
}
