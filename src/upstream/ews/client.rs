//! One upstream, many users: what is asked, how often, and what the answer's status means.

use super::access::{AccessCache, ServiceAccount};
use super::auth::oauth::{self, Provider};
use super::auth::{Choice, Credentials};
use super::autodiscover::{self, Finder};
use super::endpoint::Endpoint;
use super::error::Error;
use super::field::Schema;
use super::line::Lease;
use super::network::{self, Network};
use super::product::Product;
use super::soap::{self, ServerVersion};
use super::throttle::{Slot, Throttle};
use super::transport::{Request, Response};
use crate::model::capabilities::Capabilities;
use crate::upstream::{SharedAccount, SubscriptionGroup, with_jitter};
use crate::xml::{Element, Writer};
use jiff::Timestamp;
use reqwest::header::{CONNECTION, DATE, HeaderMap, RETRY_AFTER, SERVER};
use reqwest::{StatusCode, Url};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How to talk to the upstream.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The EWS endpoint, `https://host/EWS/Exchange.asmx`; empty: it is discovered for each mailbox.
    pub url: String,
    /// How it is discovered.
    pub autodiscover: autodiscover::Settings,
    /// `RequestServerVersion`. docs/EXCHANGE.md, Versions
    pub version: String,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// How long a request is tried again while the server is busy, not counting the wait for those that came before.
    pub patience: Duration,
    /// Requests of one user that may be under way at once.
    pub concurrency: usize,
    /// `User-Agent`: some organisations allow EWS only to those that they know.
    pub user_agent: String,
    /// How users are signed in.
    pub sign_in: Choice,
    /// Who impersonates the mailboxes of others.
    pub service: ServiceAccount,
    /// The application at an identity provider, for sign-ins by token.
    pub oauth: oauth::Settings,
    /// How the endpoint is reached.
    pub network: network::Settings,
}

/// The largest answer: 100 items with their texts are some megabytes, an attachment is at most 150 MB at Exchange.
const MAX_OCTETS: usize = 256 << 20;

/// More requests at once than the policy allows: refused before anything is done.
pub(super) const CROWDED: &str = "ErrorExceededConnectionCount";

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            autodiscover: autodiscover::Settings::default(),
            version: "Exchange2013_SP1".to_owned(),
            connect_timeout: Duration::from_secs(4),
            timeout: Duration::from_mins(1),
            patience: Duration::from_secs(30),
            concurrency: 4,
            user_agent: concat!("exdav/", env!("CARGO_PKG_VERSION")).to_owned(),
            sign_in: Choice::Auto,
            service: ServiceAccount::default(),
            oauth: oauth::Settings::default(),
            network: network::Settings::default(),
        }
    }
}

/// One upstream. Cheap to clone; users share neither connections nor credentials.
#[derive(Clone, Debug)]
pub struct Exchange(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    hanging: reqwest::Client,
    network: Network,
    place: EndpointSource,
    provider: Option<Arc<Provider>>,
    access: AccessCache,
    settings: Settings,
}

/// Where EWS is.
#[derive(Debug)]
enum EndpointSource {
    /// For all users here.
    Known(Arc<Endpoint>),
    /// Where Autodiscover says, for each mailbox.
    Discovered(Box<Finder>),
}

/// One user at the upstream. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Session {
    exchange: Exchange,
    credentials: Credentials,
    throttle: Arc<Throttle>,
    clock: Arc<AtomicI64>,
    version: Arc<OnceLock<ServerVersion>>,
    group: Option<Arc<SubscriptionGroup>>,
    /// A server that cannot be reached is not tried again.
    gives_up_at_once: bool,
    asks_once: bool,
}

/// Refusals of a whole request by a server that does not have the mailbox, or no longer. MS-OXWSCDATA 2.2.5.24
const ELSEWHERE: [&str; 4] = [
    "ErrorNonExistentMailbox",
    "ErrorNoApplicableProxyCASServersAvailable",
    "ErrorProxyRequestNotAllowed",
    "ErrorProxyServiceDiscoveryFailed",
];

/// Faults of a server that does not know what is asked for, or a part of it. MS-OXWSCDATA 2.2.5.24
const NOT_KNOWN: [&str; 2] = ["ErrorInvalidRequest", "ErrorSchemaValidation"];

/// The server is older than the `RequestServerVersion`. MS-OXWSCDATA 2.2.5.24
const UNKNOWN_VERSION: &str = "ErrorInvalidServerVersion";

/// Whether a request may be sent again after its answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing.
    Freely,
    /// It may have been carried out.
    Never,
}

impl Exchange {
    /// Prepares for an upstream; connects to nothing.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        // Whoever comes first installs it; it is the same for all.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let place = if settings.url.is_empty() {
            EndpointSource::Discovered(Box::new(Finder::new(&settings.autodiscover)?))
        } else {
            let url =
                Url::parse(&settings.url).map_err(|e| Error::Settings(format!("`{}`: {e}", settings.url)))?;
            EndpointSource::Known(Arc::new(Endpoint::new(url)))
        };
        let network = Network::new(&settings.network, settings.connect_timeout)?;
        let build =
            |client: reqwest::ClientBuilder| client.build().map_err(|e| Error::Settings(e.to_string()));
        let (http, hanging) = (build(network.pooled()?)?, build(network.hanging()?)?);
        let endpoint = match &place {
            EndpointSource::Known(endpoint) => Some(endpoint.url()),
            EndpointSource::Discovered(_) => None,
        };
        let provider = Provider::new(http.clone(), &settings.oauth, endpoint)?.map(Arc::new);
        let access = AccessCache::new(provider.as_ref(), &settings);
        Ok(Self(Arc::new(Inner { http, hanging, network, place, provider, access, settings })))
    }

    /// A user's session; nothing is asked yet.
    pub fn session(&self, credentials: Credentials) -> Session {
        let throttle = Arc::new(Throttle::new(self.0.settings.concurrency));
        Session {
            exchange: self.clone(),
            credentials,
            throttle,
            clock: Arc::default(),
            version: Arc::default(),
            group: None,
            gives_up_at_once: false,
            asks_once: false,
        }
    }

    /// What tells this upstream from others: the endpoint, or the domain that leads to it.
    pub fn name(&self) -> &str {
        match &self.0.place {
            EndpointSource::Known(_) => &self.0.settings.url,
            EndpointSource::Discovered(finder) => finder.name(),
        }
    }

    /// The endpoint of a user's mailbox; where it is not known, it is discovered.
    pub(super) async fn endpoint(&self, credentials: &Credentials) -> Result<Arc<Endpoint>, Error> {
        match &self.0.place {
            EndpointSource::Known(endpoint) => Ok(Arc::clone(endpoint)),
            EndpointSource::Discovered(finder) => Box::pin(finder.find(self, credentials)).await,
        }
    }

    /// The endpoint of a user's mailbox where it is known; mailboxes at the same URL have the same one.
    fn known_endpoint(&self, credentials: &Credentials) -> Option<Arc<Endpoint>> {
        match &self.0.place {
            EndpointSource::Known(endpoint) => Some(Arc::clone(endpoint)),
            EndpointSource::Discovered(finder) => finder.known(credentials),
        }
    }

    /// Another endpoint, now that a mailbox is no longer at this one.
    pub(super) async fn moved(&self, credentials: &Credentials, from: &Endpoint) -> Option<Arc<Endpoint>> {
        match &self.0.place {
            EndpointSource::Known(_) => None,
            EndpointSource::Discovered(finder) => Box::pin(finder.find_again(self, credentials, from)).await,
        }
    }

    /// The identity provider, if the settings name one.
    pub fn provider(&self) -> Option<&Arc<Provider>> {
        self.0.provider.as_ref()
    }

    pub(super) fn access(&self) -> &AccessCache {
        &self.0.access
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn network(&self) -> &Network {
        &self.0.network
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.0.http
    }

    /// Connections for one user.
    pub(super) fn connections(&self) -> Result<reqwest::Client, Error> {
        self.0.network.pooled()?.build().map_err(|error| Error::Settings(error.to_string()))
    }

    /// For answers that go on.
    pub(super) fn hanging(&self) -> &reqwest::Client {
        &self.0.hanging
    }
}

impl Session {
    /// The sign-in name.
    pub fn login(&self) -> &str {
        self.credentials.login()
    }

    /// The same user, whose requests reach the mailbox server of a group.
    #[must_use]
    pub fn within(&self, group: &Arc<SubscriptionGroup>) -> Self {
        Self { group: Some(Arc::clone(group)), ..self.clone() }
    }

    /// The same user, for whom a server that cannot be reached is not tried again: somebody waits to learn why.
    #[must_use]
    pub fn giving_up_at_once(&self) -> Self {
        Self { gives_up_at_once: true, ..self.clone() }
    }

    /// The same user, for whom nothing is sent again after a pause: what was seen before it may no longer be so.
    #[must_use]
    pub fn asking_once(&self) -> Self {
        Self { asks_once: true, ..self.clone() }
    }

    /// How long one call may take, pauses included.
    pub fn patience(&self) -> Duration {
        self.exchange.settings().patience
    }

    pub(super) fn group(&self) -> Option<&SubscriptionGroup> {
        self.group.as_deref()
    }

    /// The mailbox that is asked, where its SMTP address is known.
    pub fn mailbox(&self) -> Option<&str> {
        self.credentials.anchor()
    }

    /// The account that asks, if it may ask for others too, and where: one connection can listen to mailboxes that the
    /// same account reaches at the same endpoint. `None` also while the endpoint is not known.
    pub fn shared_account(&self) -> Option<SharedAccount> {
        self.credentials.impersonated()?;
        let endpoint = self.exchange.known_endpoint(&self.credentials)?;
        let identity = Arc::as_ptr(self.credentials.identity()).addr();
        Some(SharedAccount { identity, endpoint: Arc::as_ptr(&endpoint).addr() })
    }

    pub(super) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What the server's clock showed in its last answer, if it tells. RFC 9110 6.6.1
    pub fn server_time(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.clock.load(Ordering::Relaxed)).ok().filter(|at| at.as_second() > 0)
    }

    /// What the server called itself in its first answer; all empty when it does not tell.
    pub fn server_version(&self) -> Option<&ServerVersion> {
        self.version.get()
    }

    /// The kind of server that answers: as this session found it, else as others found it at the same endpoint.
    pub fn product(&self) -> Product {
        if let Some(version) = self.version.get() {
            return Product::of(version);
        }
        let endpoint = self.exchange.known_endpoint(&self.credentials);
        endpoint.and_then(|at| at.version().get().map(Product::of)).unwrap_or(Product::Unknown)
    }

    /// What exdav can rely on there.
    pub fn capabilities(&self) -> Capabilities {
        let schema = self.schema();
        Capabilities {
            holds_coordinates: schema.has("calendar:EnhancedLocation"),
            has_working_elsewhere: schema.has_busy_status("WorkingElsewhere"),
            ..self.product().capabilities()
        }
    }

    /// The schema that requests are checked against: that of the settings, or that of an older server.
    pub fn schema(&self) -> Schema {
        let asked = Schema::of(&self.exchange.settings().version);
        self.product().schema().map_or(asked, |own| asked.min(own))
    }

    /// `RequestServerVersion`: that of the settings, or the newest one that an older server knows.
    fn request_version(&self) -> String {
        let asked = &self.exchange.settings().version;
        let told = self.version.get().cloned().or_else(|| {
            let endpoint = self.exchange.known_endpoint(&self.credentials)?;
            endpoint.version().get().cloned()
        });
        let own = told.map(|version| version.schema).filter(|own| Schema::of(own) < Schema::of(asked));
        own.unwrap_or_else(|| asked.clone())
    }

    /// Requests that may be under way at once.
    pub fn concurrency(&self) -> usize {
        self.exchange.settings().concurrency.max(1)
    }

    /// Sends a request and gives the operation's answer.
    pub(super) async fn call(
        &self,
        operation: &'static str,
        repeat: Repeat,
        body: impl FnOnce(&mut Writer),
    ) -> Result<Element, Error> {
        let mut version = self.request_version();
        let document = soap::envelope(&version, self.credentials.impersonated(), body);
        let mut request = bytes::Bytes::from(document);
        let mut patience = self.exchange.settings().patience;
        let mut pause = Duration::from_millis(200);
        let mut is_doubted = false;
        loop {
            let slot = self.throttle.enter(&mut patience).await?;
            let began = Instant::now();
            let error = match in_turn(slot, self.send(operation, request.clone())).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.explained(operation, error),
            };
            if !is_doubted && ELSEWHERE.iter().any(|code| error.is(code)) {
                is_doubted = true;
                let from = self.exchange.endpoint(&self.credentials).await?;
                if self.exchange.moved(&self.credentials, &from).await.is_some() {
                    continue;
                }
            }
            // An older server says in its refusal what it knows: nothing was done.
            let known = self.request_version();
            if error.is(UNKNOWN_VERSION) && known != version {
                tracing::info!(from = version, to = known, "Exchange is older than exchange.version says");
                request = soap::by_version(&request, &version, &known);
                version = known;
                continue;
            }
            let wait = match &error {
                Error::Busy { back_off } => back_off.unwrap_or(pause),
                // Nothing was sent or nothing was begun, or it may be sent twice.
                Error::Unreachable(_) if self.gives_up_at_once => return Err(error),
                Error::Unreachable(_) => pause,
                error if error.is(CROWDED) => pause,
                error if repeat == Repeat::Freely && error.is_transient() => pause,
                _ => return Err(error),
            };
            let wait = with_jitter(wait);
            if self.asks_once {
                return Err(error);
            }
            // Waiting for those of the same user who came first takes nothing of it.
            let Some(left) = patience.checked_sub(began.elapsed() + wait) else { return Err(error) };
            patience = left;
            tracing::debug!(operation, wait_ms = wait.as_millis(), %error, "trying again");
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(Duration::from_secs(8));
        }
    }

    /// Reads several things at once, one answer for each key in their order. What the server was too busy for within its
    /// answer is asked for again, as long as it gives anything at all.
    pub(super) async fn call_for_each<T>(
        &self,
        operation: &'static str,
        keys: &[&str],
        write: impl Fn(&mut Writer, &[&str]),
        read: impl Fn(&Element) -> Result<T, Error>,
    ) -> Result<Vec<Result<T, Error>>, Error> {
        let mut found: Vec<Option<Result<T, Error>>> = keys.iter().map(|_| None).collect();
        loop {
            let open: Vec<usize> =
                found.iter().enumerate().filter(|(_, f)| f.is_none()).map(|(at, _)| at).collect();
            let asked: Vec<&str> = open.iter().filter_map(|at| keys.get(*at).copied()).collect();
            if asked.is_empty() {
                return Ok(found.into_iter().flatten().collect());
            }
            let answer = self.call(operation, Repeat::Freely, |w| write(w, &asked)).await?;
            let messages: Vec<&Element> = soap::messages(&answer).collect();
            if messages.len() != asked.len() {
                return Err(Error::Answer(format!("{} answers to {} ids", messages.len(), asked.len())));
            }
            for (at, message) in open.into_iter().zip(messages) {
                if let Some(place) = found.get_mut(at) {
                    *place = (!soap::is_put_off(message)).then(|| read(message));
                }
            }
        }
    }

    /// Sends a request whose answer goes on and gives the answer as it begins: it is nobody's turn while it goes on.
    pub(super) async fn hold(&self, body: impl FnOnce(&mut Writer)) -> Result<Response, Error> {
        let request = soap::envelope(&self.request_version(), self.credentials.impersonated(), body);
        let mut patience = self.exchange.settings().patience;
        let slot = self.throttle.enter(&mut patience).await?;
        let outcome = in_turn(slot, self.open(request.into(), None)).await;
        outcome.map(|(answer, _)| answer).map_err(|error| self.explained("GetStreamingEvents", error))
    }

    /// The answer, if it is one to this operation. Another one was meant for an earlier request on the same connection.
    fn belonging(&self, operation: &str, answer: Element) -> Result<Element, Error> {
        if answer.name().local().strip_suffix("Response") == Some(operation) {
            return Ok(answer);
        }
        self.credentials.end_connections();
        Err(Error::Lost(format!("{} came as the answer to {operation}", answer.name().local())))
    }

    /// After a fault a server may send more: nothing that comes over this connection is believed. A fault without a code
    /// of Exchange's is that of a server which does not know what was asked for.
    fn explained(&self, operation: &'static str, error: Error) -> Error {
        match error {
            Error::Fault { code, text } => {
                self.credentials.end_connections();
                if code.as_str().starts_with("Error") && !NOT_KNOWN.contains(&code.as_str()) {
                    return Error::Response { code, text };
                }
                let product = self.product().abilities().name;
                Error::Unsupported { operation, product, text }
            }
            other => other,
        }
    }

    async fn send(&self, operation: &str, request: bytes::Bytes) -> Result<Element, Error> {
        let (answer, lease) = self.open(request, Some(self.exchange.settings().timeout)).await?;
        let server = server_header(&answer.headers);
        let octets = answer.bytes(MAX_OCTETS).await?;
        let answer = soap::open_envelope(&octets);
        self.learn(&octets, server, answer.is_ok());
        let answer = self.belonging(operation, answer?)?;
        if let Some(lease) = lease {
            self.credentials.line().give_back(lease);
        }
        match soap::busy_throughout(&answer) {
            Some(back_off) => Err(Error::Busy { back_off }),
            None => Ok(answer),
        }
    }

    /// Takes over what the first answer says of its server. Faults of some servers do not tell, and are not the last word
    /// of a server.
    fn learn(&self, octets: &[u8], server: String, is_answer: bool) {
        if self.version.get().is_none()
            && let Some(version) =
                soap::server_version(octets).or_else(|| is_answer.then(ServerVersion::default))
        {
            let version = ServerVersion { server, ..version };
            if let Some(endpoint) = self.exchange.known_endpoint(&self.credentials) {
                let _ = endpoint.version().set(version.clone());
            }
            let _ = self.version.set(version);
        }
    }

    /// Connections for one request; `None` for an answer that goes on, which has one of its own.
    fn lease(&self, timeout: Option<Duration>) -> Result<Option<Lease>, Error> {
        let is_alone = !self.capabilities().answers_once;
        let lease = |_| self.credentials.line().lease(is_alone, || self.exchange.connections());
        timeout.map(lease).transpose()
    }

    /// Sends a request once; what its status or a fault refuses is an error. The connections of the answer are given back
    /// when it was judged.
    async fn open(
        &self,
        body: bytes::Bytes,
        timeout: Option<Duration>,
    ) -> Result<(Response, Option<Lease>), Error> {
        let mut lease = self.lease(timeout)?;
        let request = |lease: &Option<Lease>| Request {
            body: body.clone(),
            headers: HeaderMap::new(),
            timeout,
            client: lease.as_ref().map(|lease| lease.client.clone()),
        };
        let mut answer = self.post(request(&lease)).await?;
        // A server that lost its place in the octets of this connection did not read the request. Seen: gromox 3.10
        let is_used = lease.as_ref().is_some_and(|lease| lease.is_used);
        if is_used && answer.status == StatusCode::BAD_REQUEST && closes(&answer.headers) {
            self.credentials.end_connections();
            lease = self.lease(timeout)?;
            answer = self.post(request(&lease)).await?;
        }
        let status = answer.status;
        let retry_after = answer
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let date = answer.headers.get(DATE).and_then(|value| value.to_str().ok());
        if let Some(at) = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok()) {
            self.clock.store(at.timestamp().as_second(), Ordering::Relaxed);
        }
        match status {
            StatusCode::FORBIDDEN => return Err(Error::Forbidden),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                return Err(Error::Busy { back_off: retry_after });
            }
            status if status.is_success() => return Ok((answer, lease)),
            _ => {}
        }
        // Faults come with HTTP 500 and say more than the status.
        let server = server_header(&answer.headers);
        let octets = answer.bytes(MAX_OCTETS).await?;
        match soap::open_envelope(&octets) {
            Err(error @ (Error::Fault { .. } | Error::Busy { .. })) => {
                self.learn(&octets, server, false);
                Err(error)
            }
            _ => {
                let text = String::from_utf8_lossy(&octets).chars().take(200).collect();
                Err(Error::Http { status: status.as_u16(), text })
            }
        }
    }
}

fn server_header(headers: &HeaderMap) -> String {
    headers.get(SERVER).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Whether the server ends the connection. RFC 9112 9.6
fn closes(headers: &HeaderMap) -> bool {
    let words = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    words.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("close"))
}

/// Tells the throttle what became of a request.
async fn in_turn<T>(slot: Slot<'_>, ask: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let outcome = ask.await;
    match &outcome {
        Ok(_) => slot.served(),
        Err(Error::Busy { back_off }) => slot.refused(*back_off),
        Err(error) if error.is(CROWDED) => slot.refused(None),
        Err(_) => {}
    }
    outcome
}
