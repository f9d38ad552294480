//! What hangs on items.

/// What hangs on an item.
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
