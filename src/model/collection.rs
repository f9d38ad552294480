//! Collections as clients see them.

use super::id::{CollectionId, UpstreamId};

/// What a collection holds: the data in which calendars, task lists and address books differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CollectionKind {
    /// VEVENT
    Calendar,
    /// VTODO
    Tasks,
    /// VCARD
    AddressBook,
}

impl CollectionKind {
    /// The component that its members are made of.
    pub fn component(self) -> &'static str {
        match self {
            Self::Calendar => "VEVENT",
            Self::Tasks => "VTODO",
            Self::AddressBook => "VCARD",
        }
    }
}

/// What the signed-in user may do in a collection, as the upstream says. RFC 3744 5.4
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a right of its own")]
pub struct Rights {
    /// Read the members.
    pub read: bool,
    /// Add members.
    pub create: bool,
    /// Change members.
    pub modify: bool,
    /// Remove members.
    pub delete: bool,
    /// Rename or remove the collection itself, set its properties.
    pub administer: bool,
}

/// A calendar, task list or address book.
#[derive(Clone, Debug, PartialEq)]
pub struct Collection {
    /// Its path segment.
    pub id: CollectionId,
    /// The folder behind it.
    pub upstream: UpstreamId,
    /// What it holds.
    pub kind: CollectionKind,
    /// `DAV:displayname`
    pub display_name: String,
    /// `CALDAV:calendar-description`, `CARDDAV:addressbook-description`
    pub description: Option<String>,
    /// `#RRGGBBAA`, Apple's calendar-color
    pub color: Option<String>,
    /// Apple's calendar-order
    pub order: Option<u32>,
    /// `CALDAV:calendar-timezone`: an iCalendar text with one VTIMEZONE
    pub timezone: Option<String>,
    /// What the user may do with it.
    pub rights: Rights,
    /// The mailbox's default collection of its kind; listed first.
    pub is_default: bool,
}
