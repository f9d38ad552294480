//! Which properties an answer shows.

use jiff::tz::TimeZone;

use super::element::Element;
use super::field::{self, Class, Field};
use super::item::{ExtendedName, ExtendedValue, ItemKind};
use super::mapi;
use super::view::{Style, View};
use super::world::Refusal;

/// What a request asks for of each item.
#[derive(Debug)]
pub struct Shape<'a> {
    base: &'a str,
    body: &'a str,
    mime: bool,
    additional: Vec<Asked<'a>>,
}

#[derive(Debug)]
enum Asked<'a> {
    Uri(&'a str),
    Indexed(&'a str, &'a str),
    Extended(&'a Element, ExtendedName),
}

/// Property sets that have names. MS-OXPROPS 1.3.2
pub const SETS: [(&str, &str); 8] = [
    ("Meeting", "6ed8da90-450b-101b-98da-00aa003f1305"),
    ("Appointment", "00062002-0000-0000-c000-000000000046"),
    ("Common", "00062008-0000-0000-c000-000000000046"),
    ("PublicStrings", "00020329-0000-0000-c000-000000000046"),
    ("Address", "00062004-0000-0000-c000-000000000046"),
    ("InternetHeaders", "00020386-0000-0000-c000-000000000046"),
    ("CalendarAssistant", "11000e07-b51b-40d6-af21-caa85edab1d0"),
    ("Task", "00062003-0000-0000-c000-000000000046"),
];

/// The name behind an `ExtendedFieldURI`.
pub fn extended_name(uri: &Element) -> Result<ExtendedName, Refusal> {
    let wrong = || {
        Refusal::new(
            "ErrorInvalidExtendedProperty",
            "The extended property attribute combination is invalid.",
        )
    };
    if let Some(tag) = uri.attribute("PropertyTag") {
        let tag = match tag.strip_prefix("0x").or_else(|| tag.strip_prefix("0X")) {
            Some(hex) => u16::from_str_radix(hex, 16),
            None => tag.parse(),
        };
        return tag.map(ExtendedName::Tag).map_err(|_| wrong());
    }
    let set = match (uri.attribute("DistinguishedPropertySetId"), uri.attribute("PropertySetId")) {
        (Some(name), None) => SETS.iter().find(|(n, _)| *n == name).map(|(_, guid)| (*guid).to_owned()),
        (None, Some(guid)) => Some(guid.to_ascii_lowercase()),
        _ => None,
    };
    let set = set.ok_or_else(wrong)?;
    match (uri.attribute("PropertyName"), uri.attribute("PropertyId")) {
        (Some(name), None) => Ok(ExtendedName::Name(set, name.to_owned())),
        (None, Some(id)) => id.parse().map(|id| ExtendedName::Id(set, id)).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// Types of extended properties that may be asked for.
pub const KINDS: [&str; 22] = [
    "ApplicationTime",
    "ApplicationTimeArray",
    "Binary",
    "BinaryArray",
    "Boolean",
    "CLSID",
    "CLSIDArray",
    "Currency",
    "CurrencyArray",
    "Double",
    "DoubleArray",
    "Float",
    "FloatArray",
    "Integer",
    "IntegerArray",
    "Long",
    "LongArray",
    "Short",
    "ShortArray",
    "SystemTime",
    "String",
    "StringArray",
];

/// An `ExtendedProperty` element.
pub fn extended_element(uri: &Element, value: &ExtendedValue) -> Element {
    let values = if value.kind.ends_with("Array") {
        Element::new("Values").push_all(value.texts.iter().map(|t| Element::of("Value", t.clone())))
    } else {
        Element::of("Value", value.texts.first().cloned().unwrap_or_default())
    };
    Element::new("ExtendedProperty").push(uri.clone()).push(values)
}

/// Default properties of each kind. MS-OXWSCDATA 2.2.5.6
fn defaults(kind: ItemKind) -> &'static [Field] {
    match kind {
        ItemKind::Message
        | ItemKind::MeetingRequest
        | ItemKind::MeetingResponse
        | ItemKind::MeetingCancellation => &[
            field::SUBJECT,
            field::SENSITIVITY,
            field::SIZE,
            field::DATE_TIME_SENT,
            field::DATE_TIME_CREATED,
            field::HAS_ATTACHMENTS,
            field::FROM,
            field::IS_READ,
        ],
        ItemKind::CalendarItem => &[
            field::SUBJECT,
            field::HAS_ATTACHMENTS,
            field::START,
            field::END,
            field::LEGACY_FREE_BUSY_STATUS,
            field::LOCATION,
            field::CALENDAR_ITEM_TYPE,
            field::ORGANIZER,
        ],
        ItemKind::Contact => &[
            field::HAS_ATTACHMENTS,
            field::FILE_AS,
            field::COMPANY_NAME,
            field::COMPLETE_NAME,
            field::JOB_TITLE,
            field::EMAIL_ADDRESSES,
            field::PHYSICAL_ADDRESSES,
            field::PHONE_NUMBERS,
            field::IM_ADDRESSES,
        ],
        ItemKind::DistributionList => &[field::SUBJECT, field::LIST_DISPLAY_NAME, field::LIST_FILE_AS],
        ItemKind::Task => &[
            field::SUBJECT,
            field::HAS_ATTACHMENTS,
            field::DUE_DATE,
            field::PERCENT_COMPLETE,
            field::START_DATE,
            field::STATUS,
        ],
    }
}

/// Never part of AllProperties.
const COSTLY: [Field; 3] = [field::MIME_CONTENT, field::UNIQUE_BODY, field::TEXT_BODY];
/// What FindItem and SyncFolderItems cannot give. MS-OXWSSRCH 3.1.4.2
const NOT_IN_LISTS: [Field; 11] = [
    field::BODY,
    field::TEXT_BODY,
    field::ATTACHMENTS,
    field::REQUIRED_ATTENDEES,
    field::OPTIONAL_ATTENDEES,
    field::RESOURCES,
    field::RECURRENCE,
    field::MODIFIED_OCCURRENCES,
    field::DELETED_OCCURRENCES,
    field::FIRST_OCCURRENCE,
    field::LAST_OCCURRENCE,
];

fn is_mail(kind: ItemKind) -> bool {
    kind == ItemKind::Message || kind.is_about_meeting()
}

impl<'a> Shape<'a> {
    /// Reads an `ItemShape` or `FolderShape`.
    pub fn read(element: &'a Element) -> Result<Self, Refusal> {
        let mut additional = Vec::new();
        for path in element.child("AdditionalProperties").map(|a| a.children.as_slice()).unwrap_or_default() {
            additional.push(match path.name {
                "FieldURI" => Asked::Uri(path.attribute("FieldURI").unwrap_or_default()),
                "IndexedFieldURI" => Asked::Indexed(
                    path.attribute("FieldURI").unwrap_or_default(),
                    path.attribute("FieldIndex").unwrap_or_default(),
                ),
                _ => Asked::Extended(path, extended_name(path)?),
            });
        }
        Ok(Self {
            base: element.child_text("BaseShape").unwrap_or("IdOnly"),
            body: element.child_text("BodyType").unwrap_or("Best"),
            mime: element.child_flag("IncludeMimeContent"),
            additional,
        })
    }

    /// The paths of extended properties.
    pub fn extended(&self) -> impl Iterator<Item = (&'a Element, &ExtendedName)> {
        self.additional.iter().filter_map(|asked| match asked {
            Asked::Extended(uri, name) => Some((*uri, name)),
            _ => None,
        })
    }

    /// Whether a property of folders is shown.
    pub fn shows(&self, uri: &str, is_default: bool) -> bool {
        let asked = self.additional.iter().any(|a| matches!(a, Asked::Uri(wanted) if *wanted == uri));
        asked || self.base == "AllProperties" || (is_default && self.base == "Default")
    }

    /// Whether MimeContent is asked for.
    pub fn wants_mime(&self) -> bool {
        self.mime || self.additional.iter().any(|a| matches!(a, Asked::Uri("item:MimeContent")))
    }

    /// An item's element. `in_list`: as FindItem and SyncFolderItems give it.
    pub fn write(&self, view: &View<'_>, zone: Option<&TimeZone>, in_list: bool) -> Result<Element, Refusal> {
        let kind = view.item.kind;
        let style = Style { zone, body: self.body };
        let mut wanted: Vec<Field> = match self.base {
            "AllProperties" => Field::all(kind).filter(|f| !COSTLY.contains(f)).collect(),
            "Default" => defaults(kind).to_vec(),
            _ => Vec::new(),
        };
        if in_list {
            wanted.retain(|field| !NOT_IN_LISTS.contains(field));
        }
        let mut indexed: Vec<Field> = Vec::new();
        for asked in &self.additional {
            match asked {
                Asked::Uri(uri) => {
                    let Some(field) = Field::of_uri(kind, uri) else {
                        if is_mail(kind) {
                            continue; // The schema knows it, and no mail here has it.
                        }
                        return Err(Refusal::new(
                            "ErrorInvalidPropertyRequest",
                            "Property is not valid for this object type.",
                        ));
                    };
                    if !kind.has(field.row().class) {
                        // A list of mixed classes leaves out what an item does not have; GetItem refuses.
                        // Contacts and lists share one folder, mails and invitations another, and clients ask for
                        // the fields of both.
                        let shares = match field.row().class {
                            Class::Contact | Class::List => {
                                matches!(kind, ItemKind::Contact | ItemKind::DistributionList)
                            }
                            Class::Task => false,
                            _ => is_mail(kind),
                        };
                        if in_list || shares {
                            continue;
                        }
                        return Err(Refusal {
                            field: Some(field.row().uri),
                            ..Refusal::new(
                                "ErrorInvalidPropertyRequest",
                                "Property is not valid for this object type.",
                            )
                        });
                    }
                    if in_list && NOT_IN_LISTS.contains(&field) || view.traits().is_unknown(field) {
                        continue;
                    }
                    wanted.push(field);
                }
                Asked::Indexed(uri, _) => {
                    let list = match uri.split(':').nth(1).unwrap_or_default() {
                        "EmailAddress" => field::EMAIL_ADDRESSES,
                        "PhoneNumber" => field::PHONE_NUMBERS,
                        "ImAddress" => field::IM_ADDRESSES,
                        "PhysicalAddress" => field::PHYSICAL_ADDRESSES,
                        _ => continue,
                    };
                    if kind == ItemKind::Contact && !wanted.contains(&list) {
                        indexed.push(list);
                    }
                }
                Asked::Extended(..) => {}
            }
        }
        let people = [field::REQUIRED_ATTENDEES, field::OPTIONAL_ATTENDEES, field::RESOURCES];
        if !view.traits().gives_attendees_alone && !wanted.contains(&field::IS_MEETING) {
            wanted.retain(|field| !people.contains(field));
        }
        if self.mime {
            wanted.push(field::MIME_CONTENT);
        }
        wanted.push(field::ITEM_ID);
        wanted.extend(indexed.iter().copied());
        wanted.sort_unstable();
        wanted.dedup();
        let mut element = Element::new(kind.element());
        for field in wanted {
            if field == field::EXTENDED_PROPERTIES {
                continue;
            }
            if field > field::EXTENDED_PROPERTIES
                && !element.children.iter().any(|c| c.name == "ExtendedProperty")
            {
                self.push_extended(view, &mut element);
            }
            if let Some(mut property) = view.property(field, &style) {
                if indexed.contains(&field) {
                    property.children.retain(|entry| self.asks_entry(field, entry));
                    if property.children.is_empty() {
                        continue;
                    }
                }
                element.children.push(property);
            }
        }
        if !element.children.iter().any(|c| c.name == "ExtendedProperty") {
            self.push_extended(view, &mut element);
        }
        Ok(element)
    }

    fn push_extended(&self, view: &View<'_>, element: &mut Element) {
        for (uri, name) in self.extended() {
            if let Some(value) = view.extended(name).cloned().or_else(|| mapi::computed(view, name)) {
                element.children.push(extended_element(uri, &value));
            }
        }
    }

    fn asks_entry(&self, list: Field, entry: &Element) -> bool {
        let plural = list.element();
        let key = entry.attribute("Key");
        self.additional.iter().any(|a| {
            matches!(a, Asked::Indexed(uri, index)
                if Some(*index) == key && uri.split(':').nth(1).is_some_and(|word| plural.starts_with(word)))
        })
    }
}
