//! Folders, with what clients set on them.

use crate::model::collection::CollectionKind;
use jiff::Timestamp;

/// Folders that every mailbox has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WellKnownFolder {
    /// The default calendar.
    Calendar,
    /// The default address book.
    Contacts,
    /// The default task list.
    Tasks,
    /// Deleted items.
    DeletedItems,
}

/// Names a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderSelector {
    /// One's own.
    WellKnown(WellKnownFolder),
    /// Somebody else's, by SMTP address.
    Shared(WellKnownFolder, String),
    /// By its id.
    Id(String),
}

/// A folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Folder {
    /// Its id.
    pub id: String,
    /// The id of the folder that it is in; empty where that is not told.
    pub parent: String,
    /// What it holds; `None`: nothing that is served, or a folder that a program keeps for itself.
    pub kind: Option<CollectionKind>,
    /// Name for people.
    pub display_name: String,
    /// What the user may do with its contents: create, modify, delete, read.
    pub rights: [bool; 4],
    /// Whether the folder itself may be changed.
    pub may_modify_folder: bool,
    /// Whether private items are shown with their details.
    pub may_view_private: bool,
    /// Anything that changes when a member does; `None` when the upstream does not tell.
    pub stamp: Option<String>,
    /// How many items are in it; `None` when the upstream does not tell.
    pub count: Option<u64>,
    /// When anything in it was last committed.
    pub committed: Option<Timestamp>,
    /// What clients set on it.
    pub properties: FolderProperties,
}

/// What clients set on a folder and exdav keeps there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderProperties {
    /// The path segment that a client chose.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Colour.
    pub color: Option<String>,
    /// Position among the others.
    pub order: Option<String>,
    /// Time zone, as iCalendar text.
    pub timezone: Option<String>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderProperty {
    /// The path segment that a client chose.
    Name,
    /// Description.
    Description,
    /// Colour.
    Color,
    /// Position among the others.
    Order,
    /// Time zone, as iCalendar text.
    TimeZone,
}

/// One property of a folder that is set, or removed where there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderEdit {
    /// The name for people, which cannot be removed.
    DisplayName(String),
    /// What a client set.
    Property(FolderProperty, Option<String>),
}

/// A change of the folder tree.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "most of them are the large one")]
pub enum FolderChange {
    /// New or changed.
    Written(Box<Folder>),
    /// Gone.
    Gone(String),
}
