//! Connections that belong to one identity: NTLM signs in a connection, not a request.
//!
//! A connection carries one request at a time. It waits in its identity's [`Pool`] between requests, and is thrown away
//! with an answer that nobody read to its end.

use super::ntlm::{self, Answer};
use super::{Identity, Scheme, Secret, binding, challenge};
use crate::upstream::ews::error::Error;
use crate::upstream::ews::network::Network;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// IIS closes a connection that was silent for two minutes; ours are not used for as long.
const IDLE: Duration = Duration::from_secs(90);
/// FILETIME of 1970-01-01, in 100 ns since 1601.
const EPOCH: u64 = 116_444_736_000_000_000;
/// The most that is read of an answer that only asks to sign in.
const MAX_REFUSAL: usize = 1 << 20;

/// Connections without work.
#[derive(Default)]
pub(in crate::upstream::ews) struct Pool(Mutex<Vec<Connection>>);

struct Connection {
    /// Where it leads to.
    url: reqwest::Url,
    sender: SendRequest<Full<Bytes>>,
    binding: Option<[u8; 16]>,
    is_signed_in: bool,
    idle_since: Instant,
}

/// An answer whose connection goes back to the pool at its end.
pub(in crate::upstream::ews) struct Answered {
    pub(in crate::upstream::ews) status: StatusCode,
    pub(in crate::upstream::ews) headers: HeaderMap,
    body: Incoming,
    connection: Option<Connection>,
    identity: Arc<Identity>,
}

/// What to send, and where.
pub(in crate::upstream::ews) struct Post<'a> {
    pub(in crate::upstream::ews) network: &'a Network,
    pub(in crate::upstream::ews) url: &'a reqwest::Url,
    pub(in crate::upstream::ews) scheme: Scheme,
    pub(in crate::upstream::ews) headers: &'a HeaderMap,
    pub(in crate::upstream::ews) body: Bytes,
}

/// A request that did not get its answer.
enum Failed {
    /// Not a single octet of it was sent.
    Unsent(String),
    /// It may have been carried out.
    Lost(String),
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Unsent(why) => Self::Unreachable(why),
            Failed::Lost(why) => Self::Lost(why),
        }
    }
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes them all.
    pub(in crate::upstream::ews) fn end(&self) {
        self.idle().clear();
    }

    /// The connection there that was used last: the others may fall silent.
    fn take(&self, url: &reqwest::Url) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain(|c| !c.sender.is_closed() && c.idle_since.elapsed() < IDLE);
        let at = idle.iter().rposition(|c| c.url.origin() == url.origin())?;
        Some(idle.remove(at))
    }
}

impl Post<'_> {
    /// Sends it over a connection of the identity, which is signed in first where that is needed.
    pub(in crate::upstream::ews) async fn send(self, identity: &Arc<Identity>) -> Result<Answered, Error> {
        while let Some(mut connection) = identity.connections.take(self.url) {
            match self.exchange(&mut connection, None, self.body.clone()).await {
                Ok(answer) if answer.0 == StatusCode::UNAUTHORIZED => {
                    // The server forgot who we are: it is told once more, here or over a new connection.
                    let (_, _, body) = answer;
                    if drained(body).await && connection.sender.ready().await.is_ok() {
                        connection.is_signed_in = false;
                        return self.signed_in(connection, identity).await;
                    }
                    break;
                }
                Ok(answer) => return Ok(answered(answer, connection, identity)),
                // The server closed it while it was idle.
                Err(Failed::Unsent(_)) => {}
                Err(lost) => return Err(lost.into()),
            }
        }
        let connection = self.open().await?;
        self.signed_in(connection, identity).await
    }

    async fn open(&self) -> Result<Connection, Error> {
        let made = self.network.connect(self.url).await?;
        let broken = |error: hyper::Error| Error::Unreachable(error.to_string());
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(made.io)).await.map_err(broken)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to Exchange ended");
            }
        });
        let binding = made.certificate.as_ref().map(|certificate| binding::of_certificate(certificate));
        Ok(Connection {
            url: self.url.clone(),
            sender,
            binding,
            is_signed_in: false,
            idle_since: Instant::now(),
        })
    }

    /// NEGOTIATE, CHALLENGE, then AUTHENTICATE together with the request. MS-NTHT 3.1.5
    ///
    /// A Kerberos ticket would be one more source of the first token here, for [`Scheme::Negotiate`], with no second.
    async fn signed_in(
        self,
        mut connection: Connection,
        identity: &Arc<Identity>,
    ) -> Result<Answered, Error> {
        let Secret::Password(password) = identity.secret() else { return Err(Error::Scheme(self.scheme)) };
        let negotiate = ntlm::negotiate();
        let first = self.exchange(&mut connection, Some(&negotiate), Bytes::new()).await;
        // Nothing that changes anything was sent yet.
        let (status, headers, body) =
            first.map_err(|(Failed::Unsent(why) | Failed::Lost(why))| Error::Unreachable(why))?;
        if status != StatusCode::UNAUTHORIZED {
            return Ok(answered((status, headers, body), connection, identity));
        }
        let sent = challenge::token(&headers, self.scheme.word());
        let Some(challenge) = sent.and_then(|token| STANDARD.decode(token).ok()) else {
            return Err(Error::Scheme(self.scheme));
        };
        if !drained(body).await || connection.sender.ready().await.is_err() {
            return Err(Error::Unreachable(format!(
                "the connection was closed in the middle of an {} sign-in; a proxy that does not keep connections?",
                self.scheme
            )));
        }
        let target = format!("HTTP/{}", self.url.host_str().unwrap_or_default());
        let answer = Answer {
            login: &identity.login,
            password,
            target: &target,
            binding: connection.binding,
            nonce: random()?,
            now: now(),
        };
        let message = ntlm::authenticate(&negotiate, &challenge, &answer)
            .map_err(|_| Error::Answer(format!("the {} challenge makes no sense", self.scheme)))?;
        let (status, headers, body) =
            self.exchange(&mut connection, Some(&message), self.body.clone()).await?;
        if status == StatusCode::UNAUTHORIZED {
            return Err(Error::SignIn);
        }
        connection.is_signed_in = true;
        Ok(answered((status, headers, body), connection, identity))
    }

    async fn exchange(
        &self,
        connection: &mut Connection,
        token: Option<&[u8]>,
        body: Bytes,
    ) -> Result<(StatusCode, HeaderMap, Incoming), Failed> {
        let unsent = |error: hyper::Error| Failed::Unsent(error.to_string());
        connection.sender.ready().await.map_err(unsent)?;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        let path = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let wrong = || Failed::Unsent("the URL is not one of HTTP".to_owned());
        *request.uri_mut() = path.parse().map_err(|_| wrong())?;
        let headers = request.headers_mut();
        headers.clone_from(self.headers);
        let host = self.url.host_str().unwrap_or_default();
        let host = self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        headers.insert(HOST, HeaderValue::from_str(&host).map_err(|_| wrong())?);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        if let Some(token) = token {
            let text = format!("{} {}", self.scheme.word(), STANDARD.encode(token));
            let mut value = HeaderValue::from_str(&text).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        match connection.sender.try_send_request(request).await {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                Ok((head.status, head.headers, body))
            }
            Err(error) if error.message().is_some() => Err(Failed::Unsent(error.error().to_string())),
            Err(error) => Err(Failed::Lost(error.error().to_string())),
        }
    }
}

fn answered(
    (status, headers, body): (StatusCode, HeaderMap, Incoming),
    connection: Connection,
    identity: &Arc<Identity>,
) -> Answered {
    // A connection that nobody signed in is worth nothing to the next request.
    let connection = Some(connection).filter(|connection| connection.is_signed_in);
    Answered { status, headers, body, connection, identity: Arc::clone(identity) }
}

impl Answered {
    /// The next octets, or `None` at the end.
    pub(in crate::upstream::ews) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| Error::Lost(error.to_string()))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        if let Some(mut connection) = self.connection.take() {
            connection.idle_since = Instant::now();
            self.identity.connections.idle().push(connection);
        }
        Ok(None)
    }
}

/// Reads a body that nobody needs, so that its connection can be used again.
async fn drained(mut body: Incoming) -> bool {
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        size += frame.data_ref().map_or(0, Bytes::len);
        if size > MAX_REFUSAL {
            return false;
        }
    }
    true
}

fn random() -> Result<[u8; 8], Error> {
    let mut octets = [0; 8];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source.fill(&mut octets).map_err(|_| Error::Settings("the system has no random numbers".to_owned()))?;
    Ok(octets)
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    EPOCH + u64::try_from(since.as_nanos() / 100).unwrap_or_default()
}
