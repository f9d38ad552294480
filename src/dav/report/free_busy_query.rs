//! free-busy-query. RFC 4791 7.10

use super::filter::{time_range, timezone};
use crate::dav::error::Error;
use crate::dav::names::caldav;
use crate::dav::precondition::Precondition;
use crate::dav::resource::Resource;
use crate::dav::session::Session;
use crate::query::zone_of_text;
use crate::xml::Element;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;

/// The longest range.
const MAX_RANGE: SignedDuration = SignedDuration::from_hours(24 * 366 * 3);

pub(super) async fn answer(
    session: &Session,
    resource: &Resource,
    asked: &Element,
) -> Result<Response, Error> {
    let Resource::Collection(collection, _) = resource else { return Err(Error::NotFound) };
    let range = asked.child(&caldav::TIME_RANGE);
    let range = range.ok_or_else(|| Error::Invalid("free-busy-query needs a time-range".to_owned()))?;
    let range = time_range(range)?;
    // Series without an end would be told without an end.
    let length = range.start.zip(range.end).map(|(start, end)| end.duration_since(start));
    if length.is_none_or(|length| length > MAX_RANGE) {
        let text = "busy time is told between a start and an end, at most three years apart".to_owned();
        return Err(Error::Refused(Precondition::CalendarFilter, text));
    }
    let zone = timezone(asked)?.as_deref().and_then(zone_of_text);
    let body = session.mailbox.free_busy(&collection.id, range, zone).await?;
    Ok(([(CONTENT_TYPE, "text/calendar; charset=utf-8")], body).into_response())
}
