//! Attachments as links. RFC 8607

use super::{Attachment, Context, identity};
use crate::ews::types::{AttachmentKind, Item};
use crate::model::id::ResourceName;
use crate::text::{Component, Line, Parameter};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The ATTACH line of each attachment, `None` where it is not served, and what can be fetched. Parts of the body are
/// none.
pub(super) fn lines(
    context: &Context,
    item: &Item,
    name: &ResourceName,
) -> (Vec<Option<Line>>, Vec<Attachment>) {
    let mut lines = Vec::new();
    let mut served = Vec::new();
    for found in item.attachments().into_iter().filter(is_shown) {
        let (file, media_type) = match found.kind {
            AttachmentKind::Reference(url) => {
                lines
                    .push(Some(url.trim()).filter(|url| !url.is_empty()).map(|url| Line::raw("ATTACH", url)));
                continue;
            }
            AttachmentKind::Item => (format!("{}.eml", found.name), "message/rfc822".to_owned()),
            AttachmentKind::File => {
                let octets = || "application/octet-stream".to_owned();
                (found.name.clone(), found.content_type.clone().unwrap_or_else(octets))
            }
        };
        let managed_id = identity::hash(&found.id, 32);
        let inline = context.contents.get(&found.id).map(|octets| {
            Line::raw("ATTACH", STANDARD.encode(octets))
                .with("FMTTYPE", &media_type)
                .with("ENCODING", "BASE64")
                .with("VALUE", "BINARY")
                .with("FILENAME", &file)
        });
        lines.push(inline.or_else(|| {
            let url = context.attachment_url.as_ref()?;
            let link = Line::raw("ATTACH", url(name, &managed_id))
                .with("MANAGED-ID", &managed_id)
                .with("FMTTYPE", &media_type)
                .with("FILENAME", &file)
                .with("SIZE", &found.size.to_string());
            Some(link)
        }));
        served.push(Attachment { managed_id, upstream: found.id, name: file, media_type, size: found.size });
    }
    (lines, served)
}

/// What a fingerprint is made of.
pub(super) fn text(item: &Item) -> String {
    let attachments = item.attachments().into_iter().filter(|found| !found.is_inline);
    let mut parts: Vec<String> = attachments.map(|found| format!("{}|{}", found.name, found.size)).collect();
    parts.sort_unstable();
    parts.join("\u{1e}")
}

/// The place of an attachment's octets in a kept text; `ID` counts the item's attachments from 1. The other parameters
/// are those of the line that brought the octets.
pub(super) const PLACEHOLDER: &str = "X-EWS-ATT";

/// Whether a line holds octets.
fn is_inline(line: &Line) -> bool {
    line.param("ENCODING").is_some()
}

/// Numbers a place anew.
pub(super) fn number(line: &mut Line, number: usize) {
    line.params.retain(|param| param.name != "ID");
    line.params.insert(0, Parameter { name: "ID".to_owned(), values: vec![number.to_string()] });
}

/// The place of a line's octets.
pub(super) fn place_of(line: &Line) -> Line {
    let params = if is_inline(line) { line.params.clone() } else { Vec::new() };
    Line { params, ..Line::raw(PLACEHOLDER, "") }
}

/// Puts octets and links in the places of what was taken out; whether there was anything.
pub(super) fn put_back(calendar: &mut Component, links: &[Option<Line>]) -> bool {
    let mut any = false;
    for component in &mut calendar.children {
        component.lines.retain_mut(|line| {
            if line.name != PLACEHOLDER {
                return true;
            }
            any = true;
            let number =
                line.param("ID").and_then(|id| id.parse::<usize>().ok()).and_then(|id| id.checked_sub(1));
            let Some(link) = number.and_then(|at| links.get(at)?.as_ref()) else { return false };
            if is_inline(line) && is_inline(link) {
                line.name.clone_from(&link.name);
                line.value.clone_from(&link.value);
                line.params.retain(|param| param.name != "ID");
            } else {
                *line = link.clone();
            }
            true
        });
    }
    any
}

/// Whether Exchange knows of it: links that a client wrote are nothing that Exchange has changed.
pub(super) fn is_ours(line: &Line) -> bool {
    line.name != "ATTACH" || line.param("MANAGED-ID").is_some() || is_inline(line)
}

/// Whether it is more than a part of the body or a photo.
pub(super) fn is_shown(attachment: &crate::ews::types::Attachment) -> bool {
    !attachment.is_inline && !attachment.is_contact_photo
}
