//! An item of a mailbox as the store holds it: properties, extended properties, attachments, and a series' exceptions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::element::Element;
use super::field::{Class, Field};

/// Names a folder within its mailbox; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderKey(pub u64);

/// Names an item within its mailbox; never used twice, new after a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey(pub u64);

/// The number of a write within a mailbox; rises with every write, and ChangeKeys are made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change(pub u64);

/// The element that an item is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKind {
    /// `Message`: mails, and everything that EWS has no type for.
    Message,
    /// `MeetingRequest`: an invitation.
    MeetingRequest,
    /// `MeetingResponse`: an answer to an invitation.
    MeetingResponse,
    /// `MeetingCancellation`.
    MeetingCancellation,
    /// `CalendarItem`.
    CalendarItem,
    /// `Contact`.
    Contact,
    /// `DistributionList`.
    DistributionList,
    /// `Task`.
    Task,
}

impl ItemKind {
    /// All kinds.
    pub const ALL: [ItemKind; 8] = [
        ItemKind::Message,
        ItemKind::MeetingRequest,
        ItemKind::MeetingResponse,
        ItemKind::MeetingCancellation,
        ItemKind::CalendarItem,
        ItemKind::Contact,
        ItemKind::DistributionList,
        ItemKind::Task,
    ];

    /// The element's local name.
    pub fn element(self) -> &'static str {
        match self {
            ItemKind::Message => "Message",
            ItemKind::MeetingRequest => "MeetingRequest",
            ItemKind::MeetingResponse => "MeetingResponse",
            ItemKind::MeetingCancellation => "MeetingCancellation",
            ItemKind::CalendarItem => "CalendarItem",
            ItemKind::Contact => "Contact",
            ItemKind::DistributionList => "DistributionList",
            ItemKind::Task => "Task",
        }
    }

    /// The kind written as that element; a plain `Item` is a message.
    pub fn of_element(name: &str) -> Option<ItemKind> {
        if name == "Item" {
            return Some(ItemKind::Message);
        }
        ItemKind::ALL.into_iter().find(|kind| kind.element() == name)
    }

    /// The item class that such an item has unless it says otherwise.
    pub fn item_class(self) -> &'static str {
        match self {
            ItemKind::Message => "IPM.Note",
            ItemKind::MeetingRequest => "IPM.Schedule.Meeting.Request",
            ItemKind::MeetingResponse => "IPM.Schedule.Meeting.Resp.Pos",
            ItemKind::MeetingCancellation => "IPM.Schedule.Meeting.Canceled",
            ItemKind::CalendarItem => "IPM.Appointment",
            ItemKind::Contact => "IPM.Contact",
            ItemKind::DistributionList => "IPM.DistList",
            ItemKind::Task => "IPM.Task",
        }
    }

    /// Whether it is a mail about a meeting.
    pub fn is_about_meeting(self) -> bool {
        matches!(self, ItemKind::MeetingRequest | ItemKind::MeetingResponse | ItemKind::MeetingCancellation)
    }

    /// Whether items of this kind have the properties of that class.
    pub fn has(self, class: Class) -> bool {
        match class {
            Class::Item => true,
            Class::Message => self == ItemKind::Message || self.is_about_meeting(),
            Class::Meeting => self.is_about_meeting(),
            Class::Request => self == ItemKind::MeetingRequest,
            Class::Calendar => self == ItemKind::CalendarItem,
            Class::Contact => self == ItemKind::Contact,
            Class::List => self == ItemKind::DistributionList,
            Class::Task => self == ItemKind::Task,
        }
    }
}

/// An item of a mailbox.
///
/// `properties` hold what was written; what follows from other things (ItemId, HasAttachments, IsRecurring,
/// Duration, FirstOccurrence …) is made when it is asked for.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name in the mailbox.
    pub key: ItemKey,
    /// Where it lies.
    pub folder: FolderKey,
    /// What it is.
    pub kind: ItemKind,
    /// The last write to it or to one of its occurrences.
    pub change: Change,
    /// The write that brought it into its folder.
    pub arrived: Change,
    /// The last write that changed more than the read flag.
    pub content_change: Change,
    /// When it was made.
    pub created: Timestamp,
    /// The visitor who made it; `None`: its owner did.
    pub creator: Option<String>,
    /// When it was last written.
    pub modified: Timestamp,
    /// Properties that have a field URI.
    pub properties: Properties,
    /// Properties that have none.
    pub extended: Extended,
    /// Attachments in the order of their arrival.
    pub attachments: Vec<Attachment>,
    /// Where a recurring calendar item differs from its rule; empty elsewhere.
    pub exceptions: Exceptions,
}

/// The stored properties of an item, ordered as the schema orders them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(Vec<(Field, Element)>);

impl Properties {
    /// The stored element, named as the field's element.
    pub fn get(&self, field: Field) -> Option<&Element> {
        let at = self.0.binary_search_by_key(&field, |(f, _)| *f).ok()?;
        self.0.get(at).map(|(_, element)| element)
    }

    /// The stored element, to be changed.
    pub fn get_mut(&mut self, field: Field) -> Option<&mut Element> {
        let at = self.0.binary_search_by_key(&field, |(f, _)| *f).ok()?;
        self.0.get_mut(at).map(|(_, element)| element)
    }

    /// Stores an element in place of what was there.
    pub fn set(&mut self, field: Field, mut element: Element) {
        element.name = field.element();
        match self.0.binary_search_by_key(&field, |(f, _)| *f) {
            Ok(at) => {
                if let Some(slot) = self.0.get_mut(at) {
                    slot.1 = element;
                }
            }
            Err(at) => self.0.insert(at, (field, element)),
        }
    }

    /// Stores a plain text.
    pub fn set_text(&mut self, field: Field, text: impl Into<String>) {
        self.set(field, Element::of(field.element(), text));
    }

    /// Stores a flag.
    pub fn set_flag(&mut self, field: Field, flag: bool) {
        self.set_text(field, flag.to_string());
    }

    /// Stores an instant, in UTC to the second.
    pub fn set_time(&mut self, field: Field, time: Timestamp) {
        self.set_text(field, utc(time));
    }

    /// Removes a property; says whether it was there.
    pub fn remove(&mut self, field: Field) -> bool {
        let at = self.0.binary_search_by_key(&field, |(f, _)| *f);
        at.map(|at| self.0.remove(at)).is_ok()
    }

    /// The text of a property, if it is stored.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.get(field).map(|element| element.text.as_str())
    }

    /// Whether a flag is stored and set.
    pub fn flag(&self, field: Field) -> bool {
        self.text(field).is_some_and(|text| text == "true" || text == "1")
    }

    /// A stored instant.
    pub fn time(&self, field: Field) -> Option<Timestamp> {
        self.text(field)?.parse().ok()
    }

    /// A stored whole number.
    pub fn number(&self, field: Field) -> Option<i64> {
        self.text(field)?.parse().ok()
    }

    /// All stored properties in schema order.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &Element)> {
        self.0.iter().map(|(field, element)| (*field, element))
    }
}

/// An instant as Exchange writes it: UTC, whole seconds, `Z`.
pub fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The properties of an item that have no field URI.
pub type Extended = BTreeMap<ExtendedName, ExtendedValue>;

/// Identifies an extended property. Source: MS-OXWSXPROP 2.1.5.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExtendedName {
    /// A MAPI property tag; the type is not part of its identity.
    Tag(u16),
    /// A named property that has a number; the set's GUID in lower case.
    Id(String, i32),
    /// A named property that has a name; the set's GUID in lower case.
    Name(String, String),
}

/// The value of an extended property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedValue {
    /// `PropertyType`: `String`, `Integer`, `Binary`, `StringArray` …
    pub kind: &'static str,
    /// One text, or those of an array, in their XML form.
    pub texts: Vec<String>,
}

/// Where a series differs from its rule, by the original start of the occurrence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Occurrences with properties of their own.
    pub modified: BTreeMap<Timestamp, Exception>,
    /// Occurrences that were deleted.
    pub deleted: BTreeSet<Timestamp>,
}

/// What one occurrence of a series has of its own.
///
/// Invariant: `properties` always hold the occurrence's Start and End; a property that is not there is the series' own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exception {
    /// Own values.
    pub properties: Properties,
    /// Properties of the series that this occurrence does not have.
    pub removed: BTreeSet<Field>,
    /// Own extended properties.
    pub extended: Extended,
    /// Own attachments, in place of the series' own once there are any.
    pub attachments: Option<Vec<Attachment>>,
}

/// A file or an item that hangs on an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Names it within the mailbox; never used twice.
    pub number: u64,
    /// File name.
    pub name: String,
    /// Media type.
    pub content_type: Option<String>,
    /// For `cid:` references.
    pub content_id: Option<String>,
    /// A URI that corresponds to the content.
    pub content_location: Option<String>,
    /// Shown within the body.
    pub inline: bool,
    /// The picture of a contact.
    pub contact_photo: bool,
    /// When it was attached.
    pub modified: Timestamp,
    /// What it holds.
    pub content: Content,
}

/// The content of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The octets of a file.
    File(Vec<u8>),
    /// The element of an attached item, such as `t:Message`.
    Item(Box<Element>),
    /// A link to a file that lies elsewhere.
    Reference(Box<Element>),
}
