//! free-busy-query. RFC 4791 7.10

use super::filter::time_range;
use crate::dav::error::Error;
use crate::dav::names::caldav;
use crate::dav::resource::Resource;
use crate::dav::session::Session;
use crate::xml::Element;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

pub(super) async fn answer(
    session: &Session,
    resource: &Resource,
    asked: &Element,
) -> Result<Response, Error> {
    let Resource::Collection(collection, _) = resource else { return Err(Error::NotFound) };
    let range = asked.child(&caldav::TIME_RANGE);
    let range = range.ok_or_else(|| Error::Invalid("free-busy-query needs a time-range".to_owned()))?;
    let body = session.mailbox.free_busy(&collection.id, time_range(range)?).await?;
    Ok(([(CONTENT_TYPE, "text/calendar; charset=utf-8")], body).into_response())
}
