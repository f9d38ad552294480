//! What hangs on items.

use crate::xml::Element;

/// What hangs on an item. MS-OXWSATT 2.2.4
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// AttachmentId.
    pub id: String,
    /// File name.
    pub name: String,
    /// Media type, if Exchange knows it.
    pub content_type: Option<String>,
    /// Octets, about.
    pub size: u64,
    /// Part of the body.
    pub is_inline: bool,
    /// The picture of a contact.
    pub is_contact_photo: bool,
    /// What kind it is.
    pub kind: AttachmentKind,
}

/// Kinds of attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachmentKind {
    /// Octets.
    File,
    /// Another item.
    Item,
    /// A link.
    Reference(String),
}

impl Attachment {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let text = |local| element.find(local).map(|e| e.text().trim().to_owned());
        let flag = |local| text(local).is_some_and(|t| t == "true" || t == "1");
        let kind = match element.name().local() {
            "FileAttachment" => AttachmentKind::File,
            "ItemAttachment" => AttachmentKind::Item,
            "ReferenceAttachment" => {
                AttachmentKind::Reference(text("AttachLongPathName").unwrap_or_default())
            }
            _ => return None,
        };
        Some(Self {
            id: element.find("AttachmentId")?.attribute("Id")?.to_owned(),
            name: text("Name").unwrap_or_default(),
            content_type: text("ContentType").filter(|t| !t.is_empty()),
            size: text("Size").and_then(|size| size.parse().ok()).unwrap_or_default(),
            is_inline: flag("IsInline"),
            is_contact_photo: flag("IsContactPhoto"),
            kind,
        })
    }
}
