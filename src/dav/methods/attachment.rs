//! POST of a file to an object: managed attachments. RFC 8607

use super::{get, put};
use crate::dav::error::Error;
use crate::dav::headers;
use crate::dav::path::ResourcePath;
use crate::dav::precondition::Precondition;
use crate::dav::resource;
use crate::dav::session::Session;
use crate::gateway::write::{AttachmentChange, File, Instances};
use crate::model::refusal::{Reason, Refusal};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

pub(in crate::dav) async fn attach(
    session: Session,
    place: &ResourcePath,
    query: &str,
    content: Bytes,
) -> Result<Response, Error> {
    let ResourcePath::Member(space, id, name) = place else { return Err(Error::NotFound) };
    let change = Asked::parse(query).change(&session.headers, content)?;
    let is_new = matches!(change, AttachmentChange::Add(..));
    resource::collection(&session.mailbox, *space, id).await?;
    let done = session.mailbox.change_attachment(id, name, &session.conditions(place).await?, change).await;
    let done = done.map_err(|error| put::unstorable(&session, *space, id, error))?;
    let mut response = if session.preferences.representation {
        let mut response = get::stored(&session, *space, id, &done.object.name).await?;
        let href = session.hrefs.member_at(*space, id, &done.object.name);
        set(&mut response, HeaderName::from_static("content-location"), &href);
        set(&mut response, HeaderName::from_static("preference-applied"), "return=representation");
        response
    } else {
        let mut response = StatusCode::NO_CONTENT.into_response();
        if let Some(etag) = &done.object.etag {
            set(&mut response, ETAG, &etag.to_string());
        }
        if let Some(tag) = &done.object.schedule_tag {
            set(&mut response, HeaderName::from_static("schedule-tag"), &tag.to_string());
        }
        response
    };
    if let Some((managed_id, url)) = &done.new {
        set(&mut response, HeaderName::from_static("cal-managed-id"), managed_id);
        set(&mut response, LOCATION, url);
    }
    if is_new {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The parameters of the request. RFC 8607 3.3
#[derive(Debug, Default, PartialEq)]
struct Asked {
    action: Vec<String>,
    managed_id: Option<String>,
    rid: Option<String>,
}

impl Asked {
    fn parse(query: &str) -> Self {
        let mut asked = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match name {
                "action" => asked.action.push(value),
                "managed-id" => asked.managed_id = Some(value),
                "rid" => asked.rid = Some(value),
                _ => {}
            }
        }
        asked
    }

    /// What is to be done. RFC 8607 3.11
    fn change(self, headers: &HeaderMap, content: Bytes) -> Result<AttachmentChange, Error> {
        let refused = |reason, part, text: &str| {
            let place = crate::dav::path::Space::Calendars;
            Err(Error::Unstorable(Refusal::of_part(reason, part, text), place, None))
        };
        let instances = || match &self.rid {
            None => Instances::All,
            Some(rid) => Instances::These(rid.split(',').map(|rid| rid.trim().to_owned()).collect()),
        };
        match (self.action.as_slice(), &self.managed_id, &self.rid) {
            ([action], None, _) if action == "attachment-add" => {
                Ok(AttachmentChange::Add(file(headers, content), instances()))
            }
            ([action], Some(_), _) if action == "attachment-add" => {
                refused(Reason::NoSuchAttachment, "managed-id", "what is added has no MANAGED-ID yet")
            }
            ([action], Some(_), Some(_)) if action == "attachment-update" => refused(
                Reason::NoSuchInstance,
                "rid",
                "an attachment is replaced in all instances that have it",
            ),
            ([action], Some(id), None) if action == "attachment-update" => {
                Ok(AttachmentChange::Update(id.clone(), file(headers, content)))
            }
            ([action], Some(id), _) if action == "attachment-remove" => {
                Ok(AttachmentChange::Remove(id.clone(), instances()))
            }
            ([action], None, _) if action == "attachment-update" || action == "attachment-remove" => {
                refused(Reason::NoSuchAttachment, "managed-id", "say which attachment is meant")
            }
            _ => {
                let text = "action is attachment-add, attachment-update or attachment-remove".to_owned();
                Err(Error::Refused(Precondition::AttachmentAction, text))
            }
        }
    }
}

fn file(headers: &HeaderMap, content: Bytes) -> File {
    let media_type = headers::text(headers, CONTENT_TYPE.as_str()).filter(|text| text.contains('/'));
    let media_type = media_type.unwrap_or("application/octet-stream").to_owned();
    // Header values may hold UTF-8, as some clients send it.
    let disposition = headers.get(CONTENT_DISPOSITION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let name = disposition.as_deref().and_then(file_name);
    File { name: name.unwrap_or_else(|| "attachment".to_owned()), media_type, content }
}

/// The name of a file in `Content-Disposition`: `filename*` before `filename`; folders are nobody's business. RFC 6266 4.3
pub fn file_name(disposition: &str) -> Option<String> {
    let mut plain = None;
    let mut rest = disposition;
    while let Some((_, after)) = rest.split_once(';') {
        let (name, value) = after.split_once('=')?;
        let value = value.trim_start();
        let (value, end) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = value.find(';').unwrap_or(value.len());
                value.split_at_checked(end).map(|(value, rest)| (value.trim().to_owned(), rest))?
            }
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                let encoded = value.splitn(3, '\'').nth(2)?;
                let decoded = percent_decode_str(encoded).decode_utf8_lossy().into_owned();
                if let Some(name) = base_name(&decoded) {
                    return Some(name);
                }
            }
            "filename" => plain = base_name(&value),
            _ => {}
        }
        rest = end;
    }
    plain
}

/// The text of a quoted string, and what comes after it.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            other => value.push(other),
        }
    }
    (value, "")
}

fn base_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).take(255).collect();
    // Dots alone are folders.
    Some(clean.trim().to_owned()).filter(|name| !name.chars().all(|c| c == '.'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_read_in_all_their_forms() {
        for (disposition, name) in [
            ("attachment;filename=\"notes.txt\"", Some("notes.txt")),
            ("attachment; filename=notes.txt", Some("notes.txt")),
            ("attachment; filename=\"a \\\"b\\\"; c.txt\"; x=y", Some("a \"b\"; c.txt")),
            ("attachment; filename=\"x\"; filename*=UTF-8''%C3%84rger.pdf", Some("Ärger.pdf")),
            ("attachment; filename=\"C:\\\\temp\\\\plan.doc\"", Some("plan.doc")),
            ("attachment; filename=../../etc/passwd", Some("passwd")),
            ("attachment; filename=\"\"", None),
            ("attachment; filename=\"a/..\"", None),
            ("attachment", None),
            ("attachment; filename=\"never closed", Some("never closed")),
        ] {
            assert_eq!(file_name(disposition).as_deref(), name, "{disposition}");
        }
    }

    #[test]
    fn parameters_are_decoded_and_unknown_ones_left_out() {
        let asked = Asked::parse("action=attachment-remove&managed-id=a%2Bb&x=y&rid=M,20261201T090000Z");
        assert_eq!(asked.action, ["attachment-remove"]);
        assert_eq!(asked.managed_id.as_deref(), Some("a+b"));
        assert_eq!(asked.rid.as_deref(), Some("M,20261201T090000Z"));
    }
}
