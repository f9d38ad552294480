//! GET and HEAD of members, whole collections, attachments, and of what a person may try first.

use crate::dav::budget::Share;
use crate::dav::condition::{self, Verdict};
use crate::dav::error::Error;
use crate::dav::negotiation::{card_type, card_version};
use crate::dav::path::{ResourcePath, Space};
use crate::dav::pieces;
use crate::dav::resource;
use crate::dav::session::Session;
use crate::gateway::Export;
use crate::model::collection::CollectionKind;
use crate::model::id::{CollectionId, ETag, ResourceName};
use crate::model::object::Object;
use crate::query::shape::{CardVersion, Shape};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LAST_MODIFIED, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use std::fmt::Write as _;

/// Octets of a collection that is given as one text.
const MAX_EXPORT: usize = 64 << 20;
/// How often a member is in memory while it is given: as it is stored, and as it is sent.
const MEMBER_COPIES: usize = 2;
/// How often a collection that is given as one text is in memory: its members, and the text.
const EXPORT_COPIES: usize = 2;
/// How often a file is in memory while Exchange answers with it: as its answer, in base64, and as it is.
const FILE_COPIES: usize = 4;

const CALENDAR: &str = "text/calendar; charset=utf-8";

pub(in crate::dav) async fn get(session: Session, place: &ResourcePath) -> Result<Response, Error> {
    match place {
        ResourcePath::Member(space, id, name) => member(&session, *space, id, name).await,
        ResourcePath::Collection(space, id) => collection(&session, *space, id).await,
        ResourcePath::Attachment(id, name, managed_id) => attachment(&session, id, name, managed_id).await,
        ResourcePath::Entry(name) => entry(&session, name).await,
        ResourcePath::Directory => Err(Error::Forbidden(
            "the directory is searched, not read: ask with addressbook-query".to_owned(),
        )),
        ResourcePath::Inbox | ResourcePath::Outbox => Err(Error::NotFound),
        ResourcePath::Root(_)
        | ResourcePath::Principals(_)
        | ResourcePath::Principal
        | ResourcePath::Person(_)
        | ResourcePath::Home(_) => help(&session).await,
    }
}

async fn member(
    session: &Session,
    space: Space,
    id: &CollectionId,
    name: &ResourceName,
) -> Result<Response, Error> {
    represent(session, space, id, name, &session.headers).await
}

/// A member that was just written, whatever the conditions of writing were.
pub(super) async fn stored(
    session: &Session,
    space: Space,
    id: &CollectionId,
    name: &ResourceName,
) -> Result<Response, Error> {
    represent(session, space, id, name, &HeaderMap::new()).await
}

async fn represent(
    session: &Session,
    space: Space,
    id: &CollectionId,
    name: &ResourceName,
    conditions: &HeaderMap,
) -> Result<Response, Error> {
    let collection = resource::collection(&session.mailbox, space, id).await?;
    let (_, octets) = session.mailbox.weigh(id, std::slice::from_ref(name), &Shape::Whole).await?;
    let share = session.budget.take_for_answer(octets.saturating_mul(MEMBER_COPIES)).await?;
    let object = session.mailbox.get(id, name).await?.ok_or(Error::NotFound)?;
    let (media_type, body) = match collection.kind {
        CollectionKind::Calendar | CollectionKind::Tasks => (CALENDAR, object.body),
        CollectionKind::AddressBook => card(session, object.body, object.vcard4),
    };
    let content = Content { media_type, body, share };
    let mut response = entity(conditions, &object.head.etag, object.head.last_modified, content)?;
    if let Some(tag) = object.head.schedule_tag.and_then(|tag| HeaderValue::from_str(&tag.to_string()).ok()) {
        response.headers_mut().insert("schedule-tag", tag); // RFC 6638 8.3
    }
    Ok(response)
}

/// In the version that the client prefers.
fn card(session: &Session, body: Bytes, vcard4: Option<Bytes>) -> (&'static str, Bytes) {
    match (card_version(&session.headers), vcard4) {
        (CardVersion::V4, Some(body)) => (card_type(CardVersion::V4), body),
        _ => (card_type(CardVersion::V3), body),
    }
}

/// Somebody's card in the directory.
async fn entry(session: &Session, name: &ResourceName) -> Result<Response, Error> {
    let found = session.mailbox.directory_entries(std::slice::from_ref(name)).await?;
    let Object { head, body, vcard4 } = found.into_iter().next().flatten().ok_or(Error::NotFound)?;
    let (media_type, body) = card(session, body, vcard4);
    let content = Content { media_type, body, share: None };
    entity(&session.headers, &head.etag, head.last_modified, content)
}

/// The whole collection as one text: what a subscription by URL reads.
async fn collection(session: &Session, space: Space, id: &CollectionId) -> Result<Response, Error> {
    let collection = resource::collection(&session.mailbox, space, id).await?;
    let version = card_version(&session.headers);
    // A collection as one text is in memory as a whole, and more than once.
    let octets = session.mailbox.octets(id).await?;
    if octets > MAX_EXPORT {
        return Err(Error::TooMuch);
    }
    let share = session.budget.take_for_answer(octets.saturating_mul(EXPORT_COPIES)).await?;
    let Export { etag, last_modified, body } = session.mailbox.export(id, version).await?;
    let media_type = match collection.kind {
        CollectionKind::Calendar | CollectionKind::Tasks => CALENDAR,
        CollectionKind::AddressBook => card_type(version),
    };
    entity(&session.headers, &etag, last_modified, Content { media_type, body, share })
}

/// A text that is answered with.
struct Content {
    media_type: &'static str,
    body: Bytes,
    /// Its memory, if it is large.
    share: Option<Share>,
}

/// What is large holds its memory until it is with the client.
fn answered(body: Bytes, share: Option<Share>) -> Response {
    let Some(share) = share else { return body.into_response() };
    // What it took to make the text is free.
    let share = share.shrunk_to(body.len());
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(pieces::whole(body, share));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// 200, 304 or 412 with the headers that go with them. RFC 9110 15.4.5
fn entity(
    conditions: &HeaderMap,
    etag: &ETag,
    last_modified: Timestamp,
    Content { media_type, body, share }: Content,
) -> Result<Response, Error> {
    let mut response = match condition::judge(conditions, etag, last_modified) {
        Verdict::Failed => return Err(Error::Changed),
        Verdict::Unchanged => StatusCode::NOT_MODIFIED.into_response(),
        Verdict::Met => answered(body, share),
    };
    let status = response.status();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    if status == StatusCode::OK {
        set(CONTENT_TYPE, media_type);
    }
    set(ETAG, &etag.to_string());
    set(LAST_MODIFIED, &condition::format_date(last_modified));
    set(CACHE_CONTROL, "private, no-cache");
    set(VARY, "Accept, Authorization");
    Ok(response)
}

async fn attachment(
    session: &Session,
    id: &CollectionId,
    name: &ResourceName,
    managed_id: &str,
) -> Result<Response, Error> {
    let found = session.mailbox.attachment(id, name, managed_id).await?.ok_or(Error::NotFound)?;
    let octets = usize::try_from(found.size).unwrap_or(usize::MAX).saturating_mul(FILE_COPIES);
    let share = session.budget.take_for_answer(octets).await?;
    let content = session.mailbox.attached(&found).await?;
    let octets = HeaderValue::from_static("application/octet-stream");
    let media_type = HeaderValue::from_str(&found.media_type).unwrap_or(octets);
    let mut response = answered(content, share);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    // Somebody else's file: a browser must neither guess its type nor run it as part of this site.
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("content-security-policy", HeaderValue::from_static("sandbox; default-src 'none'"));
    if let Ok(value) = HeaderValue::from_str(&disposition(&found.name)) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// A download under its own name. RFC 6266 4.3
fn disposition(name: &str) -> String {
    let mut value = String::from("attachment; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            value.push(char::from(byte));
        } else {
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

/// For a person with a browser or curl.
async fn help(session: &Session) -> Result<Response, Error> {
    let principal = session.mailbox.principal();
    let who = if session.mailbox.is_visit() { "This is shared with you by" } else { "Signed in as" };
    let mut text = format!(
        "exdav: CalDAV and CardDAV in front of Exchange.\n\n\
         {who} {} <{}>.\n\n\
         Give a calendar or contacts program the URL of this server, the user name and the password.\n\
         A GET of one of these gives it whole, as iCalendar or vCards:\n\n",
        principal.display_name, principal.address
    );
    for collection in session.mailbox.collections().await? {
        let _ = writeln!(text, "  {}  {}", session.hrefs.collection(&collection), collection.display_name);
    }
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "private, no-cache")], text)
        .into_response())
}
