//! The way of a request: path, method, sign-in, body, answer.

use super::budget::{Budget, Budgets, Share, Use};
use super::compliance;
use super::error::Error;
use super::headers;
use super::kinds::Kinds;
use super::methods::{self, BodyUse, Verb};
use super::path::{self, Hrefs, ResourcePath, Space, Target};
use super::report;
use super::resource::{self, Resource};
use super::session::{Limits, Session};
use super::sign_in::{self, Origin};
use super::site;
use super::waiting;
use crate::gateway::write::Relocation;
use crate::gateway::{self, Gateway, Mailbox};
use crate::model::id::ResourceName;
use crate::model::refusal::{Reason, Refusal};
use axum::Router;
use axum::body::BodyDataStream;
use axum::extract::{Request, State};
use axum::http::header::{AGE, CONTENT_ENCODING, CONTENT_LENGTH, LOCATION, WARNING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What is accepted from clients.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Octets that a member may have.
    pub max_resource_size: u64,
    /// Octets that an attachment may have.
    pub max_attachment_size: u64,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How long clients wait for Exchange: what takes longer is answered from the mirror or goes on without them.
    pub answer_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_resource_size: 20 << 20,
            max_attachment_size: 20 << 20,
            body_timeout: Duration::from_mins(1),
            answer_within: Duration::from_secs(40),
        }
    }
}

/// Octets of an XML body: a multiget of some 40,000 members.
const LARGEST_XML: usize = 4 << 20;
/// Octets of memory for each of an XML body: its elements take more than their text.
const XML_FACTOR: usize = 8;
/// Octets of memory for each of an object that is stored: it is read, converted and sent on.
const OBJECT_FACTOR: usize = 2;
/// The memory that a body of unknown length begins with.
const FIRST_SHARE: usize = 64 << 10;
/// Octets of an unwanted body that are read and thrown away, so that the client gets to see the answer.
const DRAINED: usize = 64 << 20;
/// What an answer of the mirror on its own warns of. RFC 7234 5.5.1, 5.5.2
const STALE: &str = "110 exdav \"Response is Stale\", 111 exdav \"Revalidation Failed\"";

#[derive(Clone)]
struct Service {
    gateway: Gateway,
    settings: Settings,
    budgets: Budgets,
}

/// Answers all requests of clients.
pub fn router(gateway: Gateway, settings: Settings) -> Router {
    Router::new().fallback(respond).with_state(Service { gateway, settings, budgets: Budgets::new() })
}

async fn respond(State(service): State<Service>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut body = Incoming { stream: body.into_data_stream(), settings: service.settings.clone() };
    let outcome = answer(&service, head, &mut body).await;
    let mut response = outcome.unwrap_or_else(|error| {
        // Answering with most of the body unread would reset the connection under the answer.
        tokio::spawn(body.drain());
        error.into_response()
    });
    // On every answer: some clients read it from PROPFIND and never send OPTIONS.
    response.headers_mut().insert("dav", compliance(service.gateway.has_links()));
    response
}

async fn answer(service: &Service, head: Parts, body: &mut Incoming) -> Result<Response, Error> {
    let Parts { method, uri, headers, extensions, .. } = head;
    let target = Target::parse(uri.path());
    let kinds = match &target {
        Target::Shared(place) | Target::Owned(_, place) => Kinds::of_place(place),
        Target::Named(..) => Kinds::COLLECTIONS,
        Target::Moved(_) | Target::Nothing => Kinds::ROOT,
    };
    if method == Method::OPTIONS {
        return Ok(methods::options::options(kinds));
    }
    if let Target::Moved(to) = &target {
        return Ok(moved(to));
    }
    if method == Method::POST && site::is_of_another(&uri, &headers) {
        return Err(Error::Forbidden("a page of another web site may change nothing here".to_owned()));
    }
    let due = Instant::now() + service.settings.answer_within;
    let sign_in = sign_in::sign_in(&service.gateway, &headers, extensions.get::<Origin>());
    let mailbox = tokio::time::timeout_at(due, sign_in).await.map_err(|_| gateway::Error::late())??;
    let user = mailbox.principal().clone();
    if let Target::Named(who, space, name, member) = &target {
        return named(&mailbox.until(due), who, *space, name, member.as_ref()).await;
    }
    if target == Target::Nothing && makes_something(&method) {
        return Err(nowhere(uri.path()));
    }
    let opened = tokio::time::timeout_at(due, open(&service.gateway, mailbox, target)).await;
    let (mailbox, place) = opened.map_err(|_| gateway::Error::late())??;
    let Some((verb, body_use)) = methods::verb(&method, kinds) else {
        return Err(methods::mkcol::misplaced(&mailbox.until(due), &method, &place)
            .await
            .unwrap_or(Error::NotAllowed(kinds)));
    };
    let budget = service.budgets.of(&user);
    let (octets, share) = match body_use {
        BodyUse::Xml => {
            let (octets, share) = body.read(&budget, &headers, LARGEST_XML, XML_FACTOR).await?;
            (xml(octets, &headers)?, share)
        }
        BodyUse::Object => {
            object(body, &budget, &headers, service.settings.max_resource_size, &place).await?
        }
        BodyUse::File => file(body, &budget, &headers, service.settings.max_attachment_size).await?,
        BodyUse::Unread => (Vec::new(), budget.take(Use::Request, 0).await?),
    };
    // The body may have taken its time.
    let due = Instant::now() + service.settings.answer_within;
    let mailbox = mailbox.until(due);
    let is_reading = matches!(verb, Verb::Get | Verb::Propfind | Verb::Report);
    let limits = Limits {
        resource: service.settings.max_resource_size,
        attachment: service.settings.max_attachment_size,
    };
    let session = Session::new(&user, mailbox.clone(), headers, limits, budget, share);
    if let ResourcePath::Collection(_, id) | ResourcePath::Member(_, id, _) = &place
        && is_reading
        && !mailbox.is_filled(id).await?
    {
        return waiting::answer(session, verb, place, octets, service.settings.answer_within).await;
    }
    if !is_reading {
        let query = uri.query().unwrap_or_default().to_owned();
        let work = async move { carry_out(session, verb, &place, &query, octets).await };
        return carry_through(&mailbox, service.gateway.carry_on(work), due).await;
    }
    let mut response = carry_out(session, verb, &place, "", octets).await?;
    if let Some(age) = mailbox.stale_for() {
        mark_stale(&mut response, age);
    }
    Ok(response)
}

/// Whether a method makes a resource where none is.
fn makes_something(method: &Method) -> bool {
    matches!(method.as_str(), "PUT" | "MKCOL" | "MKCALENDAR")
}

/// Why nothing can be made at a path that names nothing. RFC 4918 9.3.1, 9.7.1
fn nowhere(path: &str) -> Error {
    let segments = path.split('/').filter(|segment| !segment.is_empty()).count();
    match path.starts_with("/dav/cal/") || path.starts_with("/dav/card/") {
        true if segments > 5 => Error::NoParent,
        true => {
            Error::Forbidden("this name cannot be used: it is too long or has control characters".to_owned())
        }
        false => Error::NotFound,
    }
}

/// The collection that DavMail's path names. Found by its display name, whatever the case of the letters.
async fn named(
    mailbox: &Mailbox,
    who: &str,
    space: Space,
    name: &str,
    member: Option<&ResourceName>,
) -> Result<Response, Error> {
    if !path::names(mailbox.principal(), who) {
        return Err(Error::NotFound);
    }
    let collections = mailbox.collections().await?;
    let found = collections.iter().find(|collection| {
        Space::of(collection.kind) == space && collection.display_name.to_lowercase() == name.to_lowercase()
    });
    let (found, hrefs) = (found.ok_or(Error::NotFound)?, Hrefs::of(mailbox.principal()));
    Ok(moved(&member.map_or_else(|| hrefs.collection(found), |member| hrefs.member(found, member))))
}

/// A body that is said to be something else, and looks so, is not read as XML. RFC 4918 9.3.1
fn xml(octets: Vec<u8>, headers: &HeaderMap) -> Result<Vec<u8>, Error> {
    let announced = headers::text(headers, "content-type").unwrap_or_default().to_ascii_lowercase();
    let media = announced.split(';').next().unwrap_or_default().trim();
    let first = octets.iter().find(|octet| !octet.is_ascii_whitespace());
    // Seen: scripts that leave the type to curl announce a form.
    let is_unknown = matches!(media, "" | "application/x-www-form-urlencoded" | "application/octet-stream");
    let is_xml = media.ends_with("/xml") || media.ends_with("+xml");
    let looks_so = matches!(first, Some(b'<' | 0xEF | 0xFE | 0xFF));
    if first.is_none() || is_xml || (looks_so && (is_unknown || media == "text/plain")) {
        return Ok(octets);
    }
    if media.is_empty() && first.is_some() {
        return Ok(octets);
    }
    Err(Error::MediaType(media.to_owned()))
}

/// A write that has begun goes on to its end, whether the client waits, comes back or has gone: somebody who repeats it
/// waits for its turn and finds it done. Its answer comes in time, or says when to come back.
async fn carry_through(
    mailbox: &Mailbox,
    work: JoinHandle<Result<Response, Error>>,
    due: Instant,
) -> Result<Response, Error> {
    let mut open = OpenAnswer { mailbox: mailbox.clone(), is_given: false };
    match tokio::time::timeout_at(due, work).await {
        Ok(Ok(outcome)) => {
            if !matches!(outcome, Err(Error::Gateway(gateway::Error::Unavailable { .. }))) {
                open.is_given = true;
            }
            outcome
        }
        Ok(Err(broken)) => Err(gateway::Error::Internal(broken.to_string(), Some(Box::new(broken))).into()),
        Err(_) => Err(gateway::Error::late().into()),
    }
}

/// The answer to a write until it is given: the connection may be gone before.
struct OpenAnswer {
    mailbox: Mailbox,
    is_given: bool,
}

impl Drop for OpenAnswer {
    fn drop(&mut self) {
        if !self.is_given {
            self.mailbox.note_lost_answer();
        }
    }
}

/// The place with the mailbox that it is in: the user's own, or one that is shared with the user.
async fn open(gateway: &Gateway, mailbox: Mailbox, target: Target) -> Result<(Mailbox, ResourcePath), Error> {
    if let Some(place) = target.clone().of_user(mailbox.principal()) {
        return Ok((mailbox, place));
    }
    let (owner, place) = target.of_others().ok_or(Error::NotFound)?;
    match gateway.visit(&mailbox, &owner).await {
        Ok(shared) => Ok((shared, place)),
        Err(gateway::Error::NotFound) => Err(Error::NotFound),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn carry_out(
    session: Session,
    verb: Verb,
    place: &ResourcePath,
    query: &str,
    octets: Vec<u8>,
) -> Result<Response, Error> {
    let place = &resource::resolved(&session.mailbox, place.clone()).await;
    match verb {
        // Answered before.
        Verb::Options => Err(Error::NotFound),
        Verb::Attach => Box::pin(methods::attachment::attach(session, place, query, octets.into())).await,
        Verb::Get => methods::get::get(session, place).await,
        Verb::Put => Box::pin(methods::put::put(session, place, octets.into())).await,
        Verb::Post => methods::post::post(&session, &octets).await,
        Verb::Delete => Box::pin(methods::delete::delete(session, place)).await,
        Verb::Move => Box::pin(methods::relocate::relocate(session, place, Relocation::Move)).await,
        Verb::Copy => Box::pin(methods::relocate::relocate(session, place, Relocation::Copy)).await,
        Verb::Mkcalendar | Verb::Mkcol => methods::mkcol::make(session, place, verb, &octets).await,
        Verb::Propfind => methods::propfind::propfind(session, place, &octets).await,
        Verb::Proppatch => methods::proppatch::proppatch(session, place, &octets).await,
        Verb::Report => {
            let resource = found(&session, place).await?;
            report::report(session, resource, &octets).await
        }
    }
}

/// The upstream could not be asked: the answer says how old it is. RFC 9111 5.1, RFC 7234 5.5
fn mark_stale(response: &mut Response, age: Duration) {
    let headers = response.headers_mut();
    headers.insert(AGE, HeaderValue::from(age.as_secs()));
    headers.insert(WARNING, HeaderValue::from_static(STALE));
}

/// A body that is to be stored has a limit that clients can ask for. RFC 4791 5.2.5
async fn object(
    body: &mut Incoming,
    budget: &Budget,
    headers: &HeaderMap,
    limit: u64,
    place: &ResourcePath,
) -> Result<(Vec<u8>, Share), Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let outcome = body.read(budget, headers, limit, OBJECT_FACTOR).await;
    match (outcome, place) {
        (Err(Error::TooLarge(limit)), ResourcePath::Member(space, ..)) => {
            let text = format!("the largest object that can be stored has {limit} octets");
            Err(Error::Unstorable(Refusal::new(Reason::TooLarge, text), *space, None))
        }
        (outcome, _) => outcome,
    }
}

/// A file that is to be attached. RFC 8607 3.11
async fn file(
    body: &mut Incoming,
    budget: &Budget,
    headers: &HeaderMap,
    limit: u64,
) -> Result<(Vec<u8>, Share), Error> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match body.read(budget, headers, limit, OBJECT_FACTOR).await {
        Err(Error::TooLarge(limit)) => {
            let text = format!("the largest file that can be attached has {limit} octets");
            let refusal = Refusal::new(Reason::AttachmentTooLarge, text);
            Err(Error::Unstorable(refusal, Space::Calendars, None))
        }
        outcome => outcome,
    }
}

async fn found(session: &Session, place: &ResourcePath) -> Result<Resource, Error> {
    Resource::find(&session.mailbox, place, resource::Tokens::Unwanted).await
}

/// For every method, without a body. RFC 6764 5
fn moved(to: &str) -> Response {
    let mut response = StatusCode::MOVED_PERMANENTLY.into_response();
    if let Ok(location) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The body of a request on its way in.
struct Incoming {
    stream: BodyDataStream,
    settings: Settings,
}

impl Incoming {
    /// All of it, if it is not larger than the limit.
    ///
    /// Memory for all that was announced is taken before the first octet is read, so that bodies that never end hold
    /// no more than their user's budget.
    async fn read(
        &mut self,
        budget: &Budget,
        headers: &HeaderMap,
        limit: usize,
        factor: usize,
    ) -> Result<(Vec<u8>, Share), Error> {
        let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
        if !matches!(encoding, None | Some(b"identity")) {
            return Err(Error::Encoding);
        }
        let announced =
            headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(Error::TooLarge(limit));
        }
        let mut held = announced.unwrap_or(FIRST_SHARE.min(limit));
        let mut share = Some(budget.take(Use::Request, held.saturating_mul(factor)).await?);
        let mut octets = Vec::with_capacity(announced.unwrap_or_default());
        let all = async {
            while let Some(piece) = self.stream.next().await {
                let piece = piece.map_err(|_| Error::Incomplete)?;
                if octets.len() + piece.len() > limit {
                    return Err(Error::TooLarge(limit));
                }
                // A body of unknown length outgrew its share: it takes the largest that it can need, and is paused till
                // then. The small share is given back first.
                if octets.len() + piece.len() > held {
                    drop(share.take());
                    held = limit;
                    share = Some(budget.take(Use::Request, held.saturating_mul(factor)).await?);
                }
                octets.extend_from_slice(&piece);
            }
            share.ok_or(Error::Incomplete)
        };
        let share =
            tokio::time::timeout(self.settings.body_timeout, all).await.map_err(|_| Error::Incomplete)??;
        Ok((octets, share))
    }

    async fn drain(mut self) {
        let all = async {
            let mut seen = 0;
            while let Some(Ok(piece)) = self.stream.next().await {
                seen += piece.len();
                if seen > DRAINED {
                    break;
                }
            }
        };
        // Too slow is as good as gone.
        let _ = tokio::time::timeout(Duration::from_secs(5), all).await;
    }
}
