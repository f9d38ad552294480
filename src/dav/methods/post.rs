//! POST to the outbox: when are these people busy? RFC 6638 5

use crate::dav::error::{Error, xml_type};
use crate::dav::headers;
use crate::dav::names::{PREFIXES, caldav, webdav};
use crate::dav::path::Space;
use crate::dav::session::Session;
use crate::gateway;
use crate::model::refusal::{Reason, Refusal};
use crate::xml::Writer;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

pub(in crate::dav) async fn post(session: &Session, message: &[u8]) -> Result<Response, Error> {
    let unstorable = |refusal| Error::Unstorable(refusal, Space::Calendars, None);
    let announced = headers::text(&session.headers, CONTENT_TYPE.as_str()).unwrap_or("text/calendar");
    let media = announced.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("text/calendar") {
        let text = format!("send text/calendar instead of {media}");
        return Err(unstorable(Refusal::of_part(Reason::UnsupportedData, "Content-Type", text)));
    }
    let answers = session.mailbox.availability(message).await.map_err(|error| match error {
        gateway::Error::Refused(refusal) => unstorable(refusal),
        other => other.into(),
    })?;
    let mut writer = Writer::new(PREFIXES);
    writer.open(&caldav::SCHEDULE_RESPONSE);
    for answer in answers {
        writer
            .open(&caldav::RESPONSE)
            .open(&caldav::RECIPIENT)
            .leaf(&webdav::HREF, &answer.recipient)
            .close();
        writer.leaf(&caldav::REQUEST_STATUS, answer.status);
        if let Some(reply) = answer.reply {
            writer.leaf(&caldav::CALENDAR_DATA, &String::from_utf8_lossy(&reply));
        }
        writer.close();
    }
    Ok((xml_type(), [(CACHE_CONTROL, "private, no-store")], writer.finish()).into_response())
}
