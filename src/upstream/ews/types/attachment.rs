//! What hangs on items.

use crate::model::item::{Attachment, AttachmentKind};
use crate::xml::Element;

/// What hangs on an item. MS-OXWSATT 2.2.4
pub(super) fn attachment(element: &Element) -> Option<Attachment> {
    let text = |local| element.find(local).map(|e| e.text().trim().to_owned());
    let flag = |local| text(local).is_some_and(|t| t == "true" || t == "1");
    let kind = match element.name().local() {
        "FileAttachment" => AttachmentKind::File,
        "ItemAttachment" => AttachmentKind::Item,
        "ReferenceAttachment" => AttachmentKind::Reference(text("AttachLongPathName").unwrap_or_default()),
        _ => return None,
    };
    Some(Attachment {
        id: element.find("AttachmentId")?.attribute("Id")?.to_owned(),
        name: text("Name").unwrap_or_default(),
        content_type: text("ContentType").filter(|t| !t.is_empty()),
        size: text("Size").and_then(|size| size.parse().ok()).unwrap_or_default(),
        is_inline: flag("IsInline"),
        is_contact_photo: flag("IsContactPhoto"),
        kind,
    })
}
