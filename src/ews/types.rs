//! What Exchange hands out and takes, one file for each thing that its documents describe.

mod address;
mod attachment;
mod folder;
mod item;
mod mailbox;
mod moment;
mod person;
mod recurrence;
mod time_zone;
pub mod write;

pub use address::Address;
pub use attachment::{Attachment, AttachmentKind};
pub use folder::{Folder, FolderKept};
pub use item::{Item, ItemClass, Occurrence};
pub use mailbox::{Attendee, Mailbox, Member};
pub use moment::{time, weekday, weekday_name};
pub use person::Person;
pub use recurrence::{Pattern, RangeEnd, Recurrence};
pub use time_zone::{Period, TimeZone, Transition, YearlyDay, YearlyMoment};

use super::field::{ExtendedProperty, Key, Set};
use super::soap::T;
use crate::xml::{Element, Name};

/// Identity and version of an item. Opaque and case-sensitive. MS-OXWSCORE 2.2.4.25
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ItemId {
    /// Changes when the item moves.
    pub id: String,
    /// Changes with every write.
    pub change_key: String,
}

/// `ItemId`, or any element with `Id` and perhaps `ChangeKey`.
pub(super) fn item_id(element: &Element) -> Option<ItemId> {
    Some(ItemId {
        id: element.attribute("Id")?.to_owned(),
        change_key: element.attribute("ChangeKey").unwrap_or_default().to_owned(),
    })
}

/// The value of an extended property among the children of an item or a folder.
fn extended(element: &Element, wanted: &ExtendedProperty) -> Option<String> {
    let properties = element.children().filter(|child| child.name().local() == "ExtendedProperty");
    properties
        .filter(|property| property.find("ExtendedFieldURI").is_some_and(|uri| is(uri, wanted)))
        .find_map(|property| Some(property.find("Value")?.text().into_owned()))
}

/// Whether an ExtendedFieldURI is that of this property.
fn is(uri: &Element, wanted: &ExtendedProperty) -> bool {
    let number = |text: &str| match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    let set = match wanted.set {
        Set::Tag => true,
        Set::Distinguished(name) => uri.attribute("DistinguishedPropertySetId") == Some(name),
        Set::Guid(guid) => uri.attribute("PropertySetId").is_some_and(|id| id.eq_ignore_ascii_case(guid)),
    };
    let key = match wanted.key {
        Key::Name(name) => uri.attribute("PropertyName") == Some(name),
        Key::Number(n) => {
            let attribute = if wanted.set == Set::Tag { "PropertyTag" } else { "PropertyId" };
            uri.attribute(attribute).and_then(number) == Some(n)
        }
    };
    set && key
}

/// A constant name in the namespace of types.
pub(super) const fn name(local: &'static str) -> Name {
    Name::new(T, local)
}
