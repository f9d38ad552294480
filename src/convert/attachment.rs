//! Attachments as links. RFC 8607

use super::{Attachment, Context, Related, identity};
use crate::model::id::ResourceName;
use crate::model::item::{Attachment as Found, AttachmentKind, Item};
use crate::text::{Component, Line, Parameter};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

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
        let file = file_name(&found);
        let media_type = match &found.kind {
            AttachmentKind::Reference(url) => {
                lines
                    .push(Some(url.trim()).filter(|url| !url.is_empty()).map(|url| Line::raw("ATTACH", url)));
                continue;
            }
            AttachmentKind::Item => "message/rfc822".to_owned(),
            AttachmentKind::File => {
                found.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned())
            }
        };
        let managed_id = managed_id(&found.id);
        let is_small = found.size <= context.settings.inline_attachments;
        let inline = context.contents.get(&found.id).filter(|_| is_small).map(|octets| {
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

/// The name under which clients see it.
pub(super) fn file_name(found: &Found) -> String {
    match found.kind {
        AttachmentKind::Item => format!("{}.eml", found.name),
        AttachmentKind::File | AttachmentKind::Reference(_) => found.name.clone(),
    }
}

/// What a fingerprint is made of.
pub(super) fn text(item: &Item) -> String {
    let attachments = item.attachments().into_iter().filter(|found| !found.is_inline);
    let mut parts: Vec<String> = attachments.map(|found| format!("{}|{}", found.name, found.size)).collect();
    parts.sort_unstable();
    parts.join("\u{1e}")
}

/// The place of an attachment in a kept text; `ID` counts the item's attachments from 1, `NAME` is the file's. The
/// other parameters are those of the line that stood there.
pub(super) const PLACEHOLDER: &str = "X-EWS-ATT";
/// Parameters that only places have.
const OF_PLACES: [&str; 2] = ["ID", "NAME"];

/// Whether a line holds octets.
fn is_inline(line: &Line) -> bool {
    line.param("ENCODING").is_some()
}

/// Numbers a place anew.
pub(super) fn number(line: &mut Line, number: usize) {
    line.params.retain(|param| param.name != "ID");
    line.params.insert(0, Parameter { name: "ID".to_owned(), values: vec![number.to_string()] });
}

/// The place of what a line is about: the attachment of this file name.
pub(super) fn place_of(line: &Line, file: &str) -> Line {
    let name = Parameter { name: "NAME".to_owned(), values: vec![file.to_owned()] };
    let own = line.params.iter().filter(|param| !OF_PLACES.contains(&param.name.as_str())).cloned();
    Line { params: std::iter::once(name).chain(own).collect(), ..Line::raw(PLACEHOLDER, "") }
}

/// Puts what is attached now in the places of what was taken out; whether there was anything.
pub(super) fn put_back(calendar: &mut Component, links: &[Option<Line>]) -> bool {
    let mut any = false;
    for component in &mut calendar.children {
        let mut taken = vec![false; links.len()];
        component.lines.retain_mut(|line| {
            if line.name != PLACEHOLDER {
                return true;
            }
            any = true;
            let Some(at) = meant(line, links, &taken) else { return false };
            let Some(link) = links.get(at).and_then(Option::as_ref) else { return false };
            if let Some(taken) = taken.get_mut(at) {
                *taken = true;
            }
            *line = dressed(line, link);
            true
        });
    }
    any
}

/// Which attachment a place means: others may have come and gone since it was numbered.
fn meant(place: &Line, links: &[Option<Line>], taken: &[bool]) -> Option<usize> {
    let number = place.param("ID").and_then(|id| id.parse::<usize>().ok()).and_then(|id| id.checked_sub(1));
    let Some(name) = place.param("NAME") else { return number };
    let fits = |at: &usize| {
        let link = links.get(*at).and_then(Option::as_ref);
        link.is_some_and(|link| link.param("FILENAME") == Some(name)) && taken.get(*at) == Some(&false)
    };
    number.filter(fits).or_else(|| (0..links.len()).find(fits))
}

/// The link with the parameters that a client gave it, in the client's order.
fn dressed(place: &Line, link: &Line) -> Line {
    let mut params = place.params.clone();
    let holds_octets = is_inline(link);
    params.retain(|param| match param.name.as_str() {
        "ENCODING" => holds_octets,
        "VALUE" => holds_octets || !param.values.iter().any(|value| value.eq_ignore_ascii_case("BINARY")),
        "MANAGED-ID" | "SIZE" => !holds_octets,
        name => !OF_PLACES.contains(&name),
    });
    // Octets that a client sent go back as they came.
    if !(holds_octets && is_inline(place)) {
        for param in &link.params {
            match params.iter_mut().find(|own| own.name == param.name) {
                Some(own) => own.values.clone_from(&param.values),
                None => params.push(param.clone()),
            }
        }
    }
    Line { params, ..link.clone() }
}

/// Takes over what Exchange has attached and detached since; what is still there stays as it is.
pub(super) fn replace(kept: &mut Component, fresh: &Component) {
    let same = |one: &Line, other: &Line| match (one.param("MANAGED-ID"), other.param("MANAGED-ID")) {
        (Some(one), Some(other)) => one == other,
        _ => one.value == other.value,
    };
    let there: Vec<&Line> = fresh.lines_named("ATTACH").collect();
    kept.lines.retain(|line| {
        line.name != "ATTACH" || !is_ours(line) || there.iter().any(|other| same(line, other))
    });
    let known: Vec<Line> = kept.lines_named("ATTACH").cloned().collect();
    let new = there.into_iter().filter(|line| !known.iter().any(|other| same(line, other))).cloned();
    kept.lines.extend(new);
}

/// Whether Exchange knows of it: links that a client wrote are nothing that Exchange has changed.
pub(super) fn is_ours(line: &Line) -> bool {
    line.name != "ATTACH" || line.param("MANAGED-ID").is_some() || is_inline(line)
}

/// Whether it is more than a part of the body or a photo.
pub(super) fn is_shown(attachment: &Found) -> bool {
    !attachment.is_inline && !attachment.is_contact_photo
}

/// The MANAGED-ID of an attachment, from Exchange's id of it. RFC 8607 4.2
pub fn managed_id(upstream: &str) -> String {
    identity::hash(upstream, 32)
}

/// What was done to the attachments of an object by themselves. RFC 8607 3.4
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachmentEdit {
    /// Exchange's ids of what is new: one for the whole object, else one for each of these instances.
    Add(Vec<String>, Option<Vec<String>>),
    /// The MANAGED-ID of what is gone, and Exchange's id of what is there for it.
    Replace(String, String),
    /// The MANAGED-ID of what is gone: from the whole object, or from these instances.
    Remove(String, Option<Vec<String>>),
}

impl AttachmentEdit {
    /// Exchange's id of what is new.
    pub fn new_id(&self) -> Option<&str> {
        match self {
            Self::Add(new, _) => new.first().map(String::as_str),
            Self::Replace(_, new) => Some(new),
            Self::Remove(..) => None,
        }
    }
}

/// A text as it was served before, with what was done since. `item` is as it is now; `None` when nothing can be said.
pub fn with_attachments(
    context: &Context,
    (item, related): (&Item, &Related),
    name: &ResourceName,
    text: &[u8],
    edit: &AttachmentEdit,
) -> Option<Bytes> {
    let mut calendar = Component::parse(text).ok()?;
    let items = std::iter::once(item).chain(&related.exceptions);
    let links: Vec<Line> = items.flat_map(|item| lines(context, item, name).0).flatten().collect();
    let named = |line: &Line, id: &str| line.name == "ATTACH" && line.param("MANAGED-ID") == Some(id);
    let link = |upstream: &str| links.iter().find(|line| named(line, &managed_id(upstream)));
    for component in calendar.children.iter_mut().filter(|component| component.name != "VTIMEZONE") {
        let at = |rids: &Option<Vec<String>>| match rids {
            None => Some(0),
            Some(rids) => rids.iter().position(|rid| is_instance(component, rid)),
        };
        match edit {
            AttachmentEdit::Add(new, rids) => {
                let Some(at) = at(rids) else { continue };
                let link = link(new.get(at)?)?;
                if !component
                    .lines
                    .iter()
                    .any(|line| named(line, link.param("MANAGED-ID").unwrap_or_default()))
                {
                    component.push(link.clone());
                }
            }
            AttachmentEdit::Replace(old, new) => {
                let link = link(new)?;
                for line in component.lines.iter_mut().filter(|line| named(line, old)) {
                    *line = dressed(line, link);
                }
            }
            AttachmentEdit::Remove(old, rids) => {
                if at(rids).is_some() {
                    component.lines.retain(|line| !named(line, old));
                }
            }
        }
    }
    Some(calendar.write().into())
}

/// Whether a component is the instance of this name: `M` is the master. RFC 8607 3.3.2
pub(super) fn is_instance(component: &Component, rid: &str) -> bool {
    match component.value("RECURRENCE-ID") {
        None => rid == "M",
        Some(value) => value.trim() == rid,
    }
}
