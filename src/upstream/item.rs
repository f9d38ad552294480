//! What is asked about items, and what comes back.

use super::error::Error;
use crate::model::item::{Item, ItemClass, ItemRef};

/// One page of changes since a cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// What changed.
    pub changes: Vec<T>,
    /// Where to go on.
    pub cursor: String,
    /// Nothing more is to come.
    pub is_last: bool,
}

/// A change of a folder's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemChange {
    /// New or changed; the class is `None` for what exdav does not serve.
    Written(ItemRef, Option<ItemClass>),
    /// Gone.
    Gone(String),
}

/// The answer for one id of several.
pub type Fetched = Result<Item, Error>;

/// What is changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An item; its version is what the change is based on, where it is not empty.
    Item(ItemRef),
    /// An occurrence of a series: its master and its number from 1, deleted ones counted.
    Occurrence(ItemRef, u32),
}

/// What happens to what is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposal {
    /// It can be found in the deleted items.
    Bin,
    /// It is gone.
    Gone,
}

/// Whether an item leaves its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocate {
    /// It does.
    Move,
    /// It does not.
    Copy,
}

/// An answer to an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Accept,
    /// Perhaps.
    Tentative,
    /// No.
    Decline,
}

/// Octets that are attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAttachment {
    /// File name.
    pub name: String,
    /// Media type.
    pub content_type: String,
    /// The picture of a contact.
    pub is_contact_photo: bool,
    /// Octets.
    pub content: Vec<u8>,
}
