//! PUT of an object. RFC 4791 5.3.2, RFC 6352 6.3.2

use super::get;
use crate::dav::error::Error;
use crate::dav::headers;
use crate::dav::path::{ResourcePath, Space};
use crate::dav::session::Session;
use crate::gateway::write::Written;
use crate::gateway::{self};
use crate::model::id::{CollectionId, ResourceName};
use crate::model::refusal::{Reason, Refusal};
use axum::http::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

pub(in crate::dav) async fn put(
    session: Session,
    place: &ResourcePath,
    body: Bytes,
) -> Result<Response, Error> {
    let ResourcePath::Member(space, id, name) = place else { return Err(Error::NotFound) };
    // RFC 9110 14.5: a part of a body must not be taken for the whole.
    if session.headers.contains_key(CONTENT_RANGE) {
        return Err(Error::Invalid(
            "a part of an object cannot be stored: leave Content-Range away".to_owned(),
        ));
    }
    check_media_type(&session.headers, *space)?;
    session.parent(*space, id).await?;
    let (others, conditions) = (headers::others(&session.headers), session.conditions(place).await?);
    let (body, is_whole) = without_publish(*space, body);
    let written = session.mailbox.put_with_schedule_reply(others, id, name, &conditions, body).await;
    let mut written = written.map_err(|error| unstorable(&session, *space, id, error))?;
    if !is_whole {
        // What is stored has other octets than the client's. RFC 4791 5.3.4
        written.etag = None;
    }
    if session.preferences.representation {
        match represented(&session, *space, id, &written).await {
            // A meeting that was declined or called off is gone.
            Err(Error::NotFound) => {}
            other => return other,
        }
    }
    Ok(answer(&session, *space, id, name, &written))
}

/// A published calendar without its METHOD, and whether nothing was left out. A stored object has none (RFC 4791 4.1),
/// yet files that people import say `METHOD:PUBLISH`, which asks for nothing. RFC 5546 3.2.1
fn without_publish(space: Space, body: Bytes) -> (Bytes, bool) {
    let is_method = |line: &[u8]| line.trim_ascii_end().eq_ignore_ascii_case(b"METHOD:PUBLISH");
    let lines = || body.split_inclusive(|octet| *octet == b'\n');
    if space == Space::Cards || !lines().any(is_method) {
        return (body, true);
    }
    (lines().filter(|line| !is_method(line)).flatten().copied().collect(), false)
}

/// Other forms of the same data, which must not be taken for damaged ones. All else is judged by the body itself:
/// there are clients that announce anything.
fn check_media_type(headers: &HeaderMap, space: Space) -> Result<(), Error> {
    let announced = headers::text(headers, CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
    let media = announced.split(';').next().unwrap_or_default().trim();
    if !media.ends_with("+json") && !media.ends_with("+xml") {
        return Ok(());
    }
    let text = match space {
        Space::Calendars => format!("send text/calendar instead of {media}"),
        Space::Cards => format!("send text/vcard instead of {media}"),
    };
    Err(Error::Unstorable(Refusal::of_part(Reason::UnsupportedData, "Content-Type", text), space, None))
}

/// Gives a refusal the place that its precondition depends on.
pub(super) fn unstorable(session: &Session, space: Space, id: &CollectionId, error: gateway::Error) -> Error {
    let gateway::Error::Refused(refusal) = error else { return error.into() };
    let href = match &refusal.reason {
        Reason::UidConflict(name) => Some(session.hrefs.member_at(space, id, name)),
        _ => None,
    };
    Error::Unstorable(refusal, space, href)
}

/// 201 or 204, with an ETag only if the octets are kept: a client without one reads again. RFC 4791 5.3.4
pub(super) fn answer(
    session: &Session,
    space: Space,
    id: &CollectionId,
    asked: &ResourceName,
    written: &Written,
) -> Response {
    let elsewhere = written.name != *asked;
    let status = if written.created || elsewhere { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    let mut response = status.into_response();
    let mut set = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    };
    if status == StatusCode::CREATED {
        set(LOCATION, session.hrefs.member_at(space, id, &written.name));
    }
    if let Some(etag) = &written.etag {
        set(ETAG, etag.to_string());
    }
    if let Some(tag) = &written.schedule_tag {
        set(HeaderName::from_static("schedule-tag"), tag.to_string());
    }
    response
}

/// `Prefer: return=representation`: what is stored comes back at once. RFC 7240 4.2
async fn represented(
    session: &Session,
    space: Space,
    id: &CollectionId,
    written: &Written,
) -> Result<Response, Error> {
    let mut response = get::stored(session, space, id, &written.name).await?;
    let href = session.hrefs.member_at(space, id, &written.name);
    if written.created {
        *response.status_mut() = StatusCode::CREATED;
    }
    if let Ok(value) = HeaderValue::from_str(&href) {
        response.headers_mut().insert("content-location", value.clone());
        response.headers_mut().insert(LOCATION, value);
    }
    response.headers_mut().insert("preference-applied", HeaderValue::from_static("return=representation"));
    Ok(response)
}
