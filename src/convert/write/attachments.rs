//! ATTACH → what hangs on an item.

use super::super::attachment;
use super::{Attached, Current};
use crate::convert::Context;
use crate::model::item::{Attachment, AttachmentKind, Item};
use crate::model::object::MAX_ATTACHMENTS;
use crate::model::refusal::{Reason, Refusal};
use crate::text::{Component, Line};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;

/// What a client did to attachments.
#[derive(Default)]
pub struct Attachments {
    /// New ones.
    pub attach: Vec<Attached>,
    /// Exchange's ids of those that are gone.
    pub detach: Vec<String>,
}

/// What has to be at hand before the attachments of a text can be told from those of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// Exchange's ids of the item's attachments that have the name of octets in the text.
    pub contents: Vec<String>,
    /// MANAGED-IDs in the text that no attachment of the item has.
    pub elsewhere: Vec<String>,
}

/// What [`attachments`] will look for in the context. RFC 8607 3.7
pub fn needed(octets: &[u8], current: Option<Current>) -> Needed {
    let has_any = octets.windows(7).any(|window| window.eq_ignore_ascii_case(b"\nATTACH"));
    let Some(calendar) = has_any.then(|| Component::parse(octets).ok()).flatten() else {
        return Needed::default();
    };
    let known = current.map(all_of).unwrap_or_default();
    let mut needed = Needed::default();
    for line in calendar.children.iter().flat_map(|component| component.lines_named("ATTACH")) {
        if known.iter().any(|file| is_link_to(line, file)) {
            continue;
        }
        if line.param("ENCODING").is_some() {
            let own = explicit_name(line);
            let namesakes = known.iter().filter(|file| match own {
                Some(own) => file.name == own,
                None => file.name.starts_with(UNNAMED),
            });
            needed.contents.extend(namesakes.map(|file| file.id.clone()));
        } else if let Some(id) = line.param("MANAGED-ID") {
            needed.elsewhere.push(id.to_owned());
        }
    }
    for list in [&mut needed.contents, &mut needed.elsewhere] {
        list.sort_unstable();
        list.dedup();
    }
    needed
}

/// Everything that hangs on an item and its exceptions, as far as clients see it.
fn all_of(current: Current) -> Vec<Attachment> {
    let items = std::iter::once(current.item).chain(&current.related.exceptions);
    items.flat_map(Item::attachments).filter(attachment::is_shown).collect()
}

/// Whether a line is our own link to an attachment. Some clients drop parameters.
fn is_link_to(line: &Line, file: &Attachment) -> bool {
    let id = attachment::managed_id(&file.id);
    match line.param("MANAGED-ID") {
        Some(own) => own == id,
        None => line.param("ENCODING").is_none() && line.value.trim().rsplit('/').next() == Some(&id),
    }
}

/// Where an attachment of the text will hang.
enum FileSlot {
    /// It is the n-th that is there.
    Known(usize),
    /// It is the n-th new one.
    New(usize),
}

/// The attachments of one text, on their way.
struct Sorting<'a> {
    context: &'a Context,
    files: Vec<Attachment>,
    /// Of exceptions: they stay where they are.
    others: Vec<Attachment>,
    kept: BTreeSet<usize>,
    new: Vec<Attached>,
}

/// Takes octets and links out of a text and tells what has to be attached and detached. What of the item's attachments
/// is not served to clients stays.
pub fn attachments(
    context: &Context,
    calendar: &mut Component,
    current: Option<Current>,
) -> Result<Attachments, Refusal> {
    let files: Vec<Attachment> = current
        .map(|c| c.item.attachments())
        .unwrap_or_default()
        .into_iter()
        .filter(attachment::is_shown)
        .collect();
    let others = current.map(all_of).unwrap_or_default();
    let mut sorting = Sorting { context, files, others, kept: BTreeSet::new(), new: Vec::new() };
    let mut places: Vec<FileSlot> = Vec::new();
    for component in &mut calendar.children {
        for line in component.lines.iter_mut().filter(|line| line.name == "ATTACH") {
            let Some(place) = sorting.place(line)? else { continue };
            *line = attachment::place_of(line, &sorting.name_of(&place));
            attachment::number(line, places.len());
            places.push(place);
        }
    }
    let Sorting { files, mut kept, new, .. } = sorting;
    if let Some(main) = calendar.children.iter_mut().find(|c| c.name != "VTIMEZONE") {
        for (at, file) in files.iter().enumerate() {
            let is_served = context.attachment_url.is_some()
                || file.size <= context.settings.inline_attachments
                || matches!(file.kind, AttachmentKind::Reference(_));
            if !is_served && kept.insert(at) {
                main.push(Line::raw(attachment::PLACEHOLDER, "").with("ID", &places.len().to_string()));
                places.push(FileSlot::Known(at));
            }
        }
    }
    if kept.len() + new.len() > MAX_ATTACHMENTS.max(files.len()) {
        let text = format!("an object has at most {MAX_ATTACHMENTS} attachments");
        return Err(Refusal::of_part(Reason::TooManyAttachments, "ATTACH", text));
    }
    // Numbers count what hangs on the item afterwards: the known ones that stay, then the new ones.
    let remaining: Vec<usize> = kept.iter().copied().collect();
    let number = |place: &FileSlot| match place {
        FileSlot::Known(at) => remaining.iter().position(|known| known == at).unwrap_or_default() + 1,
        FileSlot::New(at) => remaining.len() + at + 1,
    };
    for line in calendar.children.iter_mut().flat_map(|c| c.lines.iter_mut()) {
        if line.name == attachment::PLACEHOLDER
            && let Some(place) = line.param("ID").and_then(|id| places.get(id.parse::<usize>().ok()?))
        {
            attachment::number(line, number(place));
        }
    }
    let gone = files.iter().enumerate().filter(|(at, _)| !kept.contains(at));
    Ok(Attachments { attach: new, detach: gone.map(|(_, a)| a.id.clone()).collect() })
}

impl Sorting<'_> {
    /// The attachment that a line is about; `None` for links that are the client's own.
    fn place(&mut self, line: &Line) -> Result<Option<FileSlot>, Refusal> {
        if let Some(at) = self.files.iter().position(|file| is_link_to(line, file)) {
            self.kept.insert(at);
            return Ok(Some(FileSlot::Known(at)));
        }
        if let Some(content) = decode(line) {
            let media_type = line.param("FMTTYPE").unwrap_or("application/octet-stream").to_owned();
            let name = file_name(line, self.new.len() + 1);
            return Ok(Some(self.octets(Attached { name, media_type, content, is_photo: false })));
        }
        let is_reference = |file: &Attachment| match &file.kind {
            AttachmentKind::Reference(known) => known.trim() == line.value.trim(),
            AttachmentKind::File | AttachmentKind::Item => false,
        };
        self.kept.extend(self.files.iter().position(is_reference));
        let Some(id) = line.param("MANAGED-ID") else { return Ok(None) };
        if let Some(borrowed) = self.context.elsewhere.get(id) {
            return Ok(Some(self.octets(borrowed.clone())));
        }
        // Where nothing is served under such an id, it is somebody else's.
        if self.context.attachment_url.is_none() || self.others.iter().any(|file| is_link_to(line, file)) {
            return Ok(None);
        }
        let text = "no attachment has this MANAGED-ID: send its octets, or leave the parameter away";
        Err(Refusal::of_part(Reason::UnknownAttachment, "ATTACH", text))
    }

    /// What is there already with these octets under this name is not attached again.
    fn octets(&mut self, attached: Attached) -> FileSlot {
        let is_there = |file: &Attachment| {
            let content = self.context.contents.get(&file.id);
            file.name == attached.name && content.is_some_and(|known| *known == attached.content)
        };
        if let Some(at) = self.files.iter().position(is_there) {
            self.kept.insert(at);
            return FileSlot::Known(at);
        }
        let same = |other: &Attached| other.name == attached.name && other.content == attached.content;
        if let Some(at) = self.new.iter().position(same) {
            return FileSlot::New(at);
        }
        self.new.push(attached);
        FileSlot::New(self.new.len() - 1)
    }

    /// The name under which clients see it.
    fn name_of(&self, place: &FileSlot) -> String {
        match place {
            FileSlot::Known(at) => self.files.get(*at).map(attachment::file_name).unwrap_or_default(),
            FileSlot::New(at) => self.new.get(*at).map(|new| new.name.clone()).unwrap_or_default(),
        }
    }
}

fn decode(line: &Line) -> Option<Vec<u8>> {
    let inline = line.param("ENCODING").is_some_and(|word| word.eq_ignore_ascii_case("BASE64"));
    let text: String = line.value.split_whitespace().collect();
    inline.then(|| STANDARD.decode(text).ok()).flatten()
}

/// What files without a name are called.
const UNNAMED: &str = "attachment-";

fn explicit_name(line: &Line) -> Option<&str> {
    let names = ["FILENAME", "X-FILENAME", "X-LABEL", "X-APPLE-FILENAME"];
    names.iter().find_map(|name| line.param(name)).filter(|name| !name.trim().is_empty())
}

fn file_name(line: &Line, number: usize) -> String {
    if let Some(name) = explicit_name(line) {
        return name.to_owned();
    }
    let extension = match line.param("FMTTYPE").map(str::to_ascii_lowercase).as_deref() {
        Some("text/plain") => "txt",
        Some("text/html") => "html",
        Some("application/pdf") => "pdf",
        Some("image/png") => "png",
        Some("image/jpeg") => "jpg",
        _ => "bin",
    };
    format!("{UNNAMED}{number}.{extension}")
}
