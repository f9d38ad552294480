//! The HTTP side: sign-in, faults, counting, recording.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate as _};

use super::autodiscover;
use super::clock::Clock;
use super::demo;
use super::element::Element;
use super::faults::{Fault, Faults, Kind};
use super::listen::{Connection, Listener, Peer, RefusedAsAWhole, Tls};
use super::product::Product;
use super::sign_in::{self, Door, Scheme};
use super::soap::{self, Envelope};
use super::subscriptions::stream::Hanging;
use super::subscriptions::{self, Origin};
use super::throttling::{self, Extent, Preset, Refusal, Throttling};
use super::world::World;
use super::{control, operations};

/// Largest request. Exchange's own default is 35 MB.
const MAX_OCTETS: usize = 40 << 20;

/// Where the simulated Exchange listens and what is in it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// EWS, at `/EWS/Exchange.asmx`.
    pub exchange_listen: SocketAddr,
    /// The control interface.
    pub control_listen: SocketAddr,
    /// How many mailboxes.
    pub mailboxes: usize,
    /// Events in each calendar; `None`: a lively year.
    pub events: Option<usize>,
    /// The events of a calendar begin within so many days, from half a year ago on.
    pub days: usize,
    /// Contacts in each mailbox.
    pub contacts: Option<usize>,
    /// Tasks in each mailbox.
    pub tasks: Option<usize>,
    /// Another seed makes other contents.
    pub seed: u64,
    /// The moment that the server's clock shows at first, upon which contents depend, too; `None`: this machine's clock.
    pub now: Option<Timestamp>,
    /// Where requests and answers are written, one file each.
    pub record: Option<PathBuf>,
    /// Ways of signing in that are offered.
    pub sign_in: Vec<Scheme>,
    /// Wrong passwords after which an account is locked; 0: never.
    pub lockout: u64,
    /// `Some`: EWS is served over TLS.
    pub tls: Option<Tls>,
    /// How much callers may have.
    pub throttling: Preset,
    /// Which product it is.
    pub product: Product,
}

impl Default for Settings {
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            exchange_listen: any,
            control_listen: any,
            mailboxes: 2,
            events: None,
            days: 365,
            contacts: None,
            tasks: None,
            seed: 1,
            now: None,
            record: None,
            sign_in: vec![Scheme::Basic],
            lockout: 0,
            tls: None,
            throttling: Preset::None,
            product: Product::default(),
        }
    }
}

/// A running simulated Exchange.
#[derive(Debug)]
pub struct Running {
    /// Where EWS answers.
    pub exchange: SocketAddr,
    /// Where the control interface answers.
    pub control: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Running {
    /// Ends it and waits until it has ended.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

/// What all requests share.
pub struct Server {
    clock: Clock,
    world: Mutex<World>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    faults: Mutex<Faults>,
    latency_ms: AtomicU64,
    record: Option<PathBuf>,
    recorded: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    changes: watch::Sender<u64>,
    is_ending: AtomicBool,
    /// Who is let in.
    pub door: Door,
    autodiscover: Mutex<autodiscover::Plan>,
    /// How much they may have.
    pub throttling: Arc<Throttling>,
    /// Which product answers.
    pub product: Product,
}

/// A panic in one request must not take the others along.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// All mailboxes.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Requests per operation since the last reset.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.counts).clone()
    }

    /// Octets of all messages since the last reset, before compression: received and sent.
    pub fn octets(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    /// Counts from zero.
    pub fn reset_counts(&self) {
        lock(&self.counts).clear();
        self.received.store(0, Ordering::Relaxed);
        self.sent.store(0, Ordering::Relaxed);
        self.door.reset();
    }

    /// Each request takes that much longer.
    pub fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Answers Autodiscover otherwise from now on.
    pub fn plan_autodiscover(&self, plan: autodiscover::Plan) {
        *lock(&self.autodiscover) = plan;
    }

    /// Replaces all faults.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        lock(&self.faults).set(faults);
    }

    /// Tells of changes in any mailbox.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Lets all streams look whether there is something to tell.
    pub fn wake(&self) {
        self.changes.send_modify(|number| *number += 1);
    }

    /// Whether streams have to end.
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    fn record(&self, operation: &str, request: &[u8], answer: &[u8]) {
        self.record_all(operation, &[("request", request), ("response", answer)]);
    }

    /// Keeps one of several answers to a request.
    pub fn record_answer(&self, operation: &str, answer: &[u8]) {
        self.record_all(operation, &[("response", answer)]);
    }

    fn record_all(&self, operation: &str, messages: &[(&str, &[u8])]) {
        let Some(folder) = &self.record else { return };
        let number = self.recorded.fetch_add(1, Ordering::Relaxed);
        for (what, octets) in messages {
            let path = folder.join(format!("{number:06}-{operation}-{what}.xml"));
            if let Err(error) = std::fs::write(&path, octets) {
                tracing::warn!(path = %path.display(), %error, "a message could not be recorded");
            }
        }
    }
}

/// Starts it; it serves until it is shut down.
pub async fn start(settings: Settings) -> std::io::Result<Running> {
    if let Some(folder) = &settings.record {
        std::fs::create_dir_all(folder)?;
    }
    let clock = Clock::new(settings.now);
    let server = Arc::new(Server {
        clock,
        world: Mutex::new(demo::world(&settings, clock)),
        counts: Mutex::default(),
        faults: Mutex::default(),
        latency_ms: AtomicU64::new(0),
        record: settings.record.clone(),
        recorded: AtomicU64::new(0),
        received: AtomicU64::new(0),
        sent: AtomicU64::new(0),
        changes: watch::channel(0).0,
        is_ending: AtomicBool::new(false),
        autodiscover: Mutex::default(),
        door: Door::new(settings.sign_in.clone(), settings.lockout),
        throttling: Arc::default(),
        product: settings.product,
    });
    server.throttling.set(settings.throttling.policy());
    let exchange = listener(settings.exchange_listen).await?;
    let control = listener(settings.control_listen).await?;
    let control_address = control.local_addr()?;
    let (exchange, exchange_address) =
        Listener::over(exchange, settings.tls.as_ref(), Arc::clone(&server.door.connections))?;
    let compresses = settings.product.traits().compresses;
    let may_compress =
        move |_: StatusCode, _: axum::http::Version, _: &HeaderMap, extensions: &axum::http::Extensions| {
            compresses && extensions.get::<Hanging>().is_none()
        };
    let ews = Router::new()
        .fallback(ews)
        .layer(DefaultBodyLimit::max(MAX_OCTETS))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(may_compress)))
        .with_state(Arc::clone(&server))
        .into_make_service_with_connect_info::<Peer>();
    let (stop, _) = watch::channel(false);
    let control = control.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let stopped = || {
        let mut stopped = stop.subscribe();
        async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }
    };
    let (ending, stopping) = (Arc::clone(&server), stopped());
    let ending = tokio::spawn(async move {
        stopping.await;
        ending.is_ending.store(true, Ordering::Relaxed);
        ending.wake();
    });
    let exchange = axum::serve(exchange, ews).with_graceful_shutdown(stopped());
    let control = axum::serve(control, control::router(server)).with_graceful_shutdown(stopped());
    let tasks = vec![
        ending,
        tokio::spawn(async move { ended(exchange.await) }),
        tokio::spawn(async move { ended(control.await) }),
    ];
    Ok(Running { exchange: exchange_address, control: control_address, stop, tasks })
}

fn ended(outcome: std::io::Result<()>) {
    if let Err(error) = outcome {
        tracing::error!(%error, "the simulated Exchange ended");
    }
}

async fn ews(
    State(server): State<Arc<Server>>,
    ConnectInfo(Peer(connection)): ConnectInfo<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let is_twice = server.product.traits().answers_faults_twice;
    let answer = asked(server, Arc::clone(&connection), method, uri, headers, body).await;
    if is_twice { connection.shifted(answer) } else { answer }
}

async fn asked(
    server: Arc<Server>,
    connection: Arc<Connection>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let plan = lock(&server.autodiscover).clone();
    if let Some(target) = &plan.http_redirect {
        return (StatusCode::FOUND, [(header::LOCATION, target.as_str())]).into_response();
    }
    // HTTP/2 has the host in the request's target. RFC 9113 8.3.1
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = named.or(uri.authority().map(axum::http::uri::Authority::as_str)).unwrap_or_default();
    let scheme = if connection.certificate.is_some() { "https" } else { "http" };
    let host = format!("{scheme}://{host}");
    if uri.path().to_ascii_lowercase().contains("/oauth2/") {
        let text = String::from_utf8_lossy(&body);
        let world = server.world();
        let answer =
            server.door.identity_provider(&world, uri.path(), uri.query().unwrap_or_default(), &text, &host);
        return answer.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response());
    }
    if let Some(service) = autodiscover::Service::of(uri.path()) {
        if service == autodiscover::Service::Soap && plan.without_soap {
            return StatusCode::NOT_FOUND.into_response();
        }
        if let Err(response) = server.door.enter(&server.world(), &connection, &headers) {
            return *response;
        }
        *lock(&server.counts).entry("Autodiscover").or_default() += 1;
        return autodiscover::answer(&server.world(), &plan, service, &host, &body);
    }
    if plan.without_ews || !uri.path().eq_ignore_ascii_case("/ews/exchange.asmx") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let entered = server.door.enter(&server.world(), &connection, &headers);
    let account = match entered {
        Ok(account) => account,
        Err(response) => return *response,
    };
    if method != Method::POST {
        return (StatusCode::OK, "Service\n").into_response();
    }
    if let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok())
        && !kind.to_ascii_lowercase().starts_with("text/xml")
    {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    // Seen: gromox 3.10
    if connection.is_spoilt.swap(false, Ordering::Relaxed) {
        return (StatusCode::BAD_REQUEST, [(header::CONNECTION, "close")]).into_response();
    }
    let traits = server.product.traits();
    if traits.spoils_after.is_some_and(|most| body.len() > most) {
        connection.is_spoilt.store(true, Ordering::Relaxed);
    }
    let envelope = soap::read(&body).and_then(|envelope| traits.check(&envelope).map(|()| envelope));
    let operation = envelope.as_ref().map_or("Invalid", |e| e.body.name);
    let caller = envelope
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|envelope| sign_in::mailbox(&server.world(), &account, envelope, &headers));
    let origin = Origin::of(&server.world(), account, caller.as_ref().ok().copied(), &headers);
    let cookie = origin.cookie(&headers).and_then(|text| HeaderValue::from_str(&text).ok());
    let items = envelope.as_ref().map_or(1, |envelope| operations::parts(&envelope.body));
    let admission =
        match server.throttling.admit(format!("{:?} {caller:?}", origin.account), operation, items) {
            Ok(admission) => admission,
            Err(Refusal::Fault(fault)) => {
                return refused(StatusCode::INTERNAL_SERVER_ERROR, &fault, server.product);
            }
            Err(Refusal::Status(status, wait)) => return retry_after(status, wait),
            Err(Refusal::Within(extent, wait)) => {
                *lock(&server.counts).entry(operation).or_default() += 1;
                return respond(
                    &server,
                    caller,
                    envelope,
                    operation,
                    &body,
                    Spoilt::Busy(extent, wait),
                    &origin,
                );
            }
        };
    let latency = Duration::from_millis(server.latency_ms.load(Ordering::Relaxed)) + admission.delay;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    *lock(&server.counts).entry(operation).or_default() += 1;
    let has_state = envelope.as_ref().is_ok_and(|e| e.body.child("SyncState").is_some());
    let struck = lock(&server.faults).strike(operation, has_state);
    if let Some((kind, wait)) = struck {
        match kind {
            Kind::Unauthorized => return server.door.forget(&connection),
            Kind::Forbidden => return StatusCode::FORBIDDEN.into_response(),
            Kind::TooManyRequests => return retry_after(StatusCode::TOO_MANY_REQUESTS, wait),
            Kind::ServerError => {
                return (StatusCode::INTERNAL_SERVER_ERROR, "Server Error in '/EWS' Application.")
                    .into_response();
            }
            Kind::Unavailable => return retry_after(StatusCode::SERVICE_UNAVAILABLE, wait),
            Kind::Busy => {
                let busy = throttling::busy(wait);
                return refused(StatusCode::INTERNAL_SERVER_ERROR, &busy, server.product);
            }
            Kind::AccessDenied => {
                let denied = soap::Fault::new(
                    "ErrorAccessDenied",
                    "Access is denied. Check credentials and try again.",
                );
                return refused(StatusCode::INTERNAL_SERVER_ERROR, &denied, server.product);
            }
            Kind::DropBefore => return dropped(),
            Kind::DropAfter => {
                let _ = respond(&server, caller, envelope, operation, &body, Spoilt::No, &origin);
                return dropped();
            }
            Kind::InvalidSyncState => {
                return respond(&server, caller, envelope, operation, &body, Spoilt::SyncState, &origin);
            }
        }
    }
    let mut response = respond(&server, caller, envelope, operation, &body, Spoilt::No, &origin);
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Whole seconds. RFC 9110 10.2.3
fn retry_after(status: StatusCode, wait: Duration) -> Response {
    (status, [(header::RETRY_AFTER, wait.as_secs().to_string())]).into_response()
}

/// What keeps an answer from being what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoilt {
    No,
    /// No SyncState is valid.
    SyncState,
    /// Too busy for a part of it.
    Busy(Extent, Duration),
}

/// Verbs of operations that change something.
const CHANGING: [&str; 6] = ["Create", "Update", "Delete", "Move", "Copy", "Unsubscribe"];

enum Outcome {
    Answer(Element),
    /// It goes on.
    Stream(Response),
}

fn respond(
    server: &Arc<Server>,
    caller: Result<usize, soap::Fault>,
    envelope: Result<Envelope, soap::Fault>,
    operation: &'static str,
    request: &[u8],
    spoilt: Spoilt,
    origin: &Origin,
) -> Response {
    let now = Timestamp::from_second(server.clock.now().as_second()).unwrap_or_default();
    let outcome = envelope.and_then(|envelope| {
        let caller = caller?;
        let busy = if let Spoilt::Busy(extent, wait) = spoilt { Some((extent, wait)) } else { None };
        if operation == "GetStreamingEvents" && busy.is_none() {
            return subscriptions::stream::open(server, caller, &envelope.body, origin).map(Outcome::Stream);
        }
        let mut world = server.world();
        let told = match busy {
            Some((_, wait)) if subscriptions::OPERATIONS.contains(&operation) => {
                Some(Ok(vec![Err(operations::busy(wait))]))
            }
            _ => subscriptions::answer(&mut world, caller, &envelope, origin),
        };
        let answer = match told {
            Some(told) => operations::answer(operation, told?),
            None => {
                let refuses = spoilt == Spoilt::SyncState;
                operations::carry_out(&mut world, caller, &envelope, now, refuses, busy)?
            }
        };
        Ok(Outcome::Answer(answer))
    });
    match outcome {
        Ok(Outcome::Stream(response)) => {
            server.record_all(operation, &[("request", request)]);
            response
        }
        Ok(Outcome::Answer(answer)) => {
            if CHANGING.iter().any(|verb| operation.starts_with(verb)) {
                server.wake();
            }
            let octets = soap::answer(&answer, server.product);
            server.record(operation, request, &octets);
            server.received.fetch_add(request.len() as u64, Ordering::Relaxed);
            server.sent.fetch_add(octets.len() as u64, Ordering::Relaxed);
            let mut response = document(StatusCode::OK, octets);
            // RFC 9110 6.6.1
            let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
            if let Some(date) = date.ok().and_then(|date| header::HeaderValue::from_str(&date).ok()) {
                response.headers_mut().insert(header::DATE, date);
            }
            response
        }
        Err(fault) => {
            tracing::debug!(operation, code = fault.code, text = %fault.text, "refused as a whole");
            // Seen: faults of gromox 3.10 come with HTTP 200 where the request makes no sense.
            let is_ok = !server.product.traits().has_codes_in_faults && fault.code == "Client";
            let status = if is_ok { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
            refused(status, &fault, server.product)
        }
    }
}

/// The answer to a request that is refused as a whole.
fn refused(status: StatusCode, fault: &soap::Fault, product: Product) -> Response {
    let mut response = document(status, soap::fault(fault, product));
    response.extensions_mut().insert(RefusedAsAWhole);
    response
}

fn document(status: StatusCode, octets: Vec<u8>) -> Response {
    // DavMail takes no other spelling. DAVMAIL 4
    (status, [(header::CONTENT_TYPE, "text/xml; charset=utf-8")], octets).into_response()
}

/// A body that breaks off before it begins: the connection is closed.
fn dropped() -> Response {
    let broken =
        futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("dropped by request")) });
    Response::new(Body::from_stream(broken))
}

/// Listens; a failure names the address.
async fn listener(address: SocketAddr) -> std::io::Result<TcpListener> {
    let failed = |error: std::io::Error| {
        std::io::Error::new(
            error.kind(),
            format!("cannot listen on {address}: {error}; is another program using it?"),
        )
    };
    TcpListener::bind(address).await.map_err(failed)
}
