//! What Exchange hands out and takes, one file for each thing that its documents describe.

mod attachment;
mod document;
pub(in crate::upstream::ews) mod folder;
mod item;
mod mailbox;
mod moment;
mod person;
mod recurrence;
pub mod table;
mod time_zone;
pub mod write;

pub use document::document;
pub use item::parse as parse_item;
pub(in crate::upstream::ews) use item::{
    in_words_of_exchange, read as read_item, read_whole as read_whole_item,
};
pub use moment::time;
pub(in crate::upstream::ews) use person::person;

use super::field::{ExtendedProperty, Key, Set};
use super::soap::T;
use crate::model::item::{ItemClass, ItemRef};
use crate::xml::{Element, Name};

/// The class that is written as this element; `None` for classes that exdav does not serve.
pub(super) fn class_of(local: &str) -> Option<ItemClass> {
    match local {
        "CalendarItem" => Some(ItemClass::CalendarItem),
        "Contact" => Some(ItemClass::Contact),
        "DistributionList" => Some(ItemClass::DistributionList),
        "Task" => Some(ItemClass::Task),
        _ => None,
    }
}

/// The element of a class.
pub(super) const fn class_name(class: ItemClass) -> Name {
    name(match class {
        ItemClass::CalendarItem => "CalendarItem",
        ItemClass::Contact => "Contact",
        ItemClass::DistributionList => "DistributionList",
        ItemClass::Task => "Task",
    })
}

/// `ItemId`, or any element with `Id` and perhaps `ChangeKey`.
pub(super) fn item_id(element: &Element) -> Option<ItemRef> {
    Some(ItemRef {
        id: element.attribute("Id")?.to_owned(),
        version: element.attribute("ChangeKey").unwrap_or_default().to_owned(),
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
