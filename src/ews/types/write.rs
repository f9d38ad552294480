//! Properties as they are written, and what an item will look like once they are.

use super::moment::month_name;
use super::{
    Item, ItemClass, ItemId, Member, Pattern, RangeEnd, Recurrence, TimeZone, Transition, YearlyDay,
    YearlyMoment, name as t,
};
use crate::ews::field::{self, ExtendedProperty, Key, Set};
use crate::xml::{Element, Name};

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A FieldURI, `calendar:Start`.
    Uri(&'static str),
    /// An IndexedFieldURI: an entry of a dictionary, `("contacts:EmailAddress", "EmailAddress1")`.
    Indexed(&'static str, &'static str),
    /// An extended property.
    Extended(ExtendedProperty),
}

/// What it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, numbers, flags and times.
    Text(String),
    /// `item:Body`
    Body {
        /// `HTML` rather than `Text`.
        is_html: bool,
        /// Its content.
        text: String,
    },
    /// An array of strings.
    Strings(Vec<String>),
    /// A time zone by its Windows id.
    Zone(String),
    /// A time zone by its rules.
    OwnZone(Box<TimeZone>),
    /// Attendees: names and SMTP addresses.
    People(Vec<(String, String)>),
    /// The rule of a series.
    Recurrence(Recurrence),
    /// A place with coordinates.
    Place {
        /// What it is called.
        name: String,
        /// Degrees north.
        latitude: String,
        /// Degrees east.
        longitude: String,
    },
    /// Members of a list.
    Members(Vec<Member>),
}

/// One field that is set, or removed where there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What.
    pub field: Field,
    /// How; `None` removes it.
    pub value: Option<Value>,
}

impl Change {
    /// Sets a field to a text.
    pub fn text(uri: &'static str, text: impl Into<String>) -> Self {
        Self::set(uri, Value::Text(text.into()))
    }

    /// Sets a field.
    pub fn set(uri: &'static str, value: Value) -> Self {
        Self { field: Field::Uri(uri), value: Some(value) }
    }

    /// Removes a field.
    pub fn remove(uri: &'static str) -> Self {
        Self { field: Field::Uri(uri), value: None }
    }

    /// Sets an extended property, or removes it.
    pub fn extended(property: ExtendedProperty, value: Option<String>) -> Self {
        Self { field: Field::Extended(property), value: value.map(Value::Text) }
    }

    /// Whether it is about who is invited. MS-OXWSMTGS 2.2.4.14
    pub fn is_list_of_guests(&self) -> bool {
        let lists = ["calendar:RequiredAttendees", "calendar:OptionalAttendees", "calendar:Resources"];
        matches!(self.field, Field::Uri(uri) if lists.contains(&uri))
    }
}

/// Who is told about a change. MS-OXWSMTGS 2.2.5.1, 2.2.5.3
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// Nobody.
    Nobody,
    /// All who are invited.
    All,
    /// Those who are invited newly or no longer.
    Changed,
}

/// Properties in the order of the schema: an item whose elements stand in another order is refused.
const ORDER: &[&str] = &[
    "Subject",
    "Sensitivity",
    "Body",
    "Categories",
    "Importance",
    "ReminderDueBy",
    "ReminderIsSet",
    "ReminderMinutesBeforeStart",
    "ExtendedProperty",
    // CalendarItem
    "UID",
    "Start",
    "End",
    "IsAllDayEvent",
    "LegacyFreeBusyStatus",
    "Location",
    "IsResponseRequested",
    "RequiredAttendees",
    "OptionalAttendees",
    "Resources",
    // Contact
    "FileAs",
    "FileAsMapping",
    "DisplayName",
    "GivenName",
    "MiddleName",
    "Nickname",
    "CompanyName",
    "EmailAddresses",
    "PhysicalAddresses",
    "PhoneNumbers",
    "AssistantName",
    "Birthday",
    "BusinessHomePage",
    "Children",
    "Department",
    "Generation",
    "ImAddresses",
    "JobTitle",
    "Manager",
    "OfficeLocation",
    "PostalAddressIndex",
    "Profession",
    "SpouseName",
    "Surname",
    "WeddingAnniversary",
    "Members",
    // Task
    "CompleteDate",
    "DueDate",
    "PercentComplete",
    // CalendarItem and Task
    "Recurrence",
    "StartDate",
    "Status",
    "StartTimeZone",
    "EndTimeZone",
    "AllowNewTimeProposal",
    "EnhancedLocation",
];

fn place(local: &str) -> usize {
    ORDER.iter().position(|known| *known == local).unwrap_or(ORDER.len())
}

impl ItemClass {
    /// The element of this class.
    pub(in crate::ews) fn name(self) -> Name {
        t(match self {
            Self::CalendarItem => "CalendarItem",
            Self::Contact => "Contact",
            Self::DistributionList => "DistributionList",
            Self::Task => "Task",
        })
    }
}

/// The property's element below an item, for requests and for what comes back.
pub(in crate::ews) fn element(field: &Field, value: &Value) -> Element {
    match field {
        Field::Uri(uri) => value_element(uri.rsplit(':').next().unwrap_or(uri), value),
        Field::Indexed(uri, key) => {
            let text = if let Value::Text(text) = value { text.as_str() } else { "" };
            let entry = Element::new(t("Entry")).with_attribute(Name::new("", "Key"), *key);
            let (list, entry) = match *uri {
                "contacts:EmailAddress" => ("EmailAddresses", entry.with_text(text)),
                "contacts:PhoneNumber" => ("PhoneNumbers", entry.with_text(text)),
                "contacts:ImAddress" => ("ImAddresses", entry.with_text(text)),
                _ => {
                    let part = Name::of(crate::ews::soap::T, uri.rsplit(':').next().unwrap_or_default());
                    ("PhysicalAddresses", entry.with_child(Element::new(part).with_text(text)))
                }
            };
            Element::new(t(list)).with_child(entry)
        }
        Field::Extended(property) => {
            let text = if let Value::Text(text) = value { text.as_str() } else { "" };
            Element::new(t("ExtendedProperty"))
                .with_child(extended_uri(property))
                .with_child(Element::new(t("Value")).with_text(text))
        }
    }
}

/// `ExtendedFieldURI`
pub(in crate::ews) fn extended_uri(property: &ExtendedProperty) -> Element {
    let attribute = |element: Element, name, value: &str| element.with_attribute(Name::new("", name), value);
    let uri = Element::new(t("ExtendedFieldURI"));
    let uri = match property.set {
        Set::Tag => uri,
        Set::Distinguished(name) => attribute(uri, "DistinguishedPropertySetId", name),
        Set::Guid(guid) => attribute(uri, "PropertySetId", guid),
    };
    let uri = match (property.key, property.set) {
        (Key::Number(number), Set::Tag) => attribute(uri, "PropertyTag", &format!("0x{number:04X}")),
        (Key::Number(number), _) => attribute(uri, "PropertyId", &number.to_string()),
        (Key::Name(name), _) => attribute(uri, "PropertyName", name),
    };
    attribute(uri, "PropertyType", property.kind)
}

fn leaf(local: &'static str, text: impl std::fmt::Display) -> Element {
    Element::new(t(local)).with_text(&format!("{text}"))
}

fn value_element(local: &str, value: &Value) -> Element {
    let root = Element::new(Name::of(crate::ews::soap::T, local));
    match value {
        Value::Text(text) => root.with_text(text),
        Value::Body { is_html, text } => {
            let kind = if *is_html { "HTML" } else { "Text" };
            root.with_attribute(Name::new("", "BodyType"), kind).with_text(text)
        }
        Value::Strings(strings) => {
            strings.iter().fold(root, |root, text| root.with_child(leaf("String", text)))
        }
        Value::Zone(id) => root.with_attribute(Name::new("", "Id"), id.as_str()),
        Value::OwnZone(zone) => own_zone(root, zone),
        Value::People(people) => people.iter().fold(root, |root, (name, address)| {
            let mailbox = mailbox(name, address);
            root.with_child(Element::new(t("Attendee")).with_child(mailbox))
        }),
        Value::Members(members) => members.iter().map(member).fold(root, Element::with_child),
        Value::Place { name, latitude, longitude } => {
            let address = Element::new(t("PostalAddress"))
                .with_child(leaf("Latitude", latitude))
                .with_child(leaf("Longitude", longitude))
                .with_child(leaf("LocationSource", "Device"));
            root.with_child(leaf("DisplayName", name)).with_child(address)
        }
        Value::Recurrence(recurrence) => {
            root.with_child(pattern(&recurrence.pattern)).with_child(range(recurrence))
        }
    }
}

/// `TimeZoneDefinitionType`: periods, what begins them each year, and which such years hold. MS-OXWSCDATA 2.2.4.73
fn own_zone(root: Element, zone: &TimeZone) -> Element {
    let TimeZone { id, name, periods, groups, eras } = zone;
    let attribute = |element: Element, name, value: &str| element.with_attribute(Name::new("", name), value);
    let to = |kind, id: &str| attribute(leaf("To", id), "Kind", kind);
    let all = periods.iter().fold(Element::new(t("Periods")), |all, period| {
        let minutes = period.bias_seconds / 60;
        let bias = format!("{}PT{}M", if minutes < 0 { "-" } else { "" }, minutes.abs());
        let period = attribute(attribute(Element::new(t("Period")), "Bias", &bias), "Name", &period.name)
            .with_attribute(Name::new("", "Id"), period.id.as_str());
        all.with_child(period)
    });
    let transition = |transition: &Transition| match transition.when {
        None => Element::new(t("Transition")).with_child(to("Period", &transition.to)),
        Some(YearlyMoment { month, seconds, day }) => {
            let (kind, day) = match day {
                YearlyDay::Weekday(weekday, nth) => (
                    "RecurringDayTransition",
                    vec![leaf("DayOfWeek", super::weekday_name(weekday)), leaf("Occurrence", nth)],
                ),
                YearlyDay::Day(day) => ("RecurringDateTransition", vec![leaf("Day", day)]),
            };
            let begun = Element::new(t(kind))
                .with_child(to("Period", &transition.to))
                .with_child(leaf("TimeOffset", format!("PT{seconds}S")))
                .with_child(leaf("Month", month));
            day.into_iter().fold(begun, Element::with_child)
        }
    };
    let groups = groups.iter().fold(Element::new(t("TransitionsGroups")), |all, (id, members)| {
        let group = attribute(Element::new(t("TransitionsGroup")), "Id", id);
        all.with_child(members.iter().map(transition).fold(group, Element::with_child))
    });
    let eras = eras.iter().fold(Element::new(t("Transitions")), |all, (from, group)| match from {
        None => all.with_child(Element::new(t("Transition")).with_child(to("Group", group))),
        Some(from) => {
            let begun = Element::new(t("AbsoluteDateTransition")).with_child(to("Group", group));
            all.with_child(begun.with_child(leaf("DateTime", from)))
        }
    });
    let root = attribute(attribute(root, "Id", id), "Name", name);
    root.with_child(all).with_child(groups).with_child(eras)
}

fn member(member: &Member) -> Element {
    let Member { key, mailbox: who } = member;
    let mut mailbox = Element::new(t("Mailbox"));
    let parts = [
        ("Name", &who.name),
        ("EmailAddress", &who.address),
        ("RoutingType", &who.routing),
        ("MailboxType", &who.kind),
    ];
    for (local, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
        mailbox = mailbox.with_child(leaf(local, text));
    }
    if let Some(id) = &who.item {
        mailbox =
            mailbox.with_child(Element::new(t("ItemId")).with_attribute(Name::new("", "Id"), id.as_str()));
    }
    let element = Element::new(t("Member"));
    let element = match key {
        Some(key) => element.with_attribute(Name::new("", "Key"), key.as_str()),
        None => element,
    };
    element.with_child(mailbox)
}

fn mailbox(name: &str, address: &str) -> Element {
    let mut mailbox = Element::new(t("Mailbox"));
    if !name.is_empty() {
        mailbox = mailbox.with_child(leaf("Name", name));
    }
    mailbox.with_child(leaf("EmailAddress", address)).with_child(leaf("RoutingType", "SMTP"))
}

fn pattern(pattern: &Pattern) -> Element {
    match pattern {
        Pattern::Daily { interval } => {
            Element::new(t("DailyRecurrence")).with_child(leaf("Interval", interval))
        }
        Pattern::Weekly { interval, days, first_day } => {
            let weekly = Element::new(t("WeeklyRecurrence"))
                .with_child(leaf("Interval", interval))
                .with_child(leaf("DaysOfWeek", days.join(" ")));
            match first_day {
                Some(day) => weekly.with_child(leaf("FirstDayOfWeek", day)),
                None => weekly,
            }
        }
        Pattern::AbsoluteMonthly { interval, day } => Element::new(t("AbsoluteMonthlyRecurrence"))
            .with_child(leaf("Interval", interval))
            .with_child(leaf("DayOfMonth", day)),
        Pattern::RelativeMonthly { interval, days, index } => Element::new(t("RelativeMonthlyRecurrence"))
            .with_child(leaf("Interval", interval))
            .with_child(leaf("DaysOfWeek", days))
            .with_child(leaf("DayOfWeekIndex", index)),
        Pattern::AbsoluteYearly { day, month } => Element::new(t("AbsoluteYearlyRecurrence"))
            .with_child(leaf("DayOfMonth", day))
            .with_child(leaf("Month", month_name(*month))),
        Pattern::RelativeYearly { days, index, month } => Element::new(t("RelativeYearlyRecurrence"))
            .with_child(leaf("DaysOfWeek", days))
            .with_child(leaf("DayOfWeekIndex", index))
            .with_child(leaf("Month", month_name(*month))),
        Pattern::Regeneration { interval, unit } => {
            Element::new(Name::of(crate::ews::soap::T, format!("{unit}Regeneration").as_str()))
                .with_child(leaf("Interval", interval))
        }
    }
}

fn range(recurrence: &Recurrence) -> Element {
    let start = leaf("StartDate", recurrence.start);
    match recurrence.end {
        RangeEnd::Never => Element::new(t("NoEndRecurrence")).with_child(start),
        RangeEnd::On(end) => {
            Element::new(t("EndDateRecurrence")).with_child(start).with_child(leaf("EndDate", end))
        }
        RangeEnd::After(count) => Element::new(t("NumberedRecurrence"))
            .with_child(start)
            .with_child(leaf("NumberOfOccurrences", count)),
    }
}

/// Elements of an item that is made, in the order of the schema; dictionaries are one element each.
pub(in crate::ews) fn elements(changes: &[Change]) -> Vec<Element> {
    let mut elements: Vec<Element> = Vec::new();
    for change in changes {
        let Some(value) = &change.value else { continue };
        let new = element(&change.field, value);
        let same = elements.iter().position(|known| known.name() == new.name());
        match (&change.field, same) {
            (Field::Indexed(..), Some(at)) => {
                let known = elements.remove(at);
                elements.push(merged(&known, &new));
            }
            _ => elements.push(new),
        }
    }
    elements.sort_by_key(|element| place(element.name().local()));
    elements
}

/// A dictionary with one entry more, or one more part of an entry.
fn merged(dictionary: &Element, new: &Element) -> Element {
    let key = |entry: &Element| entry.attribute("Key").map(str::to_owned);
    let mut known: Vec<Element> = dictionary.children().cloned().collect();
    for entry in new.children() {
        match known.iter_mut().find(|old| key(old) == key(entry)) {
            Some(old) => *old = entry.children().cloned().fold(old.clone(), Element::with_child),
            None => known.push(entry.clone()),
        }
    }
    for entry in &mut known {
        *entry = in_order(entry, &["Street", "City", "State", "CountryOrRegion", "PostalCode"]);
    }
    known.into_iter().fold(Element::new(dictionary.name().clone()), Element::with_child)
}

fn in_order(entry: &Element, order: &[&str]) -> Element {
    let mut children: Vec<Element> = entry.children().cloned().collect();
    if children.is_empty() {
        return entry.clone();
    }
    children.sort_by_key(|child| order.iter().position(|known| *known == child.name().local()));
    let bare = Element::new(entry.name().clone())
        .with_attribute(Name::new("", "Key"), entry.attribute("Key").unwrap_or_default());
    children.into_iter().fold(bare, Element::with_child)
}

impl Item {
    /// What an item will be once the changes are made: `base` as far as nothing says otherwise.
    ///
    /// Only what is written is told: Exchange adds fields of its own.
    #[must_use]
    pub fn predicted(class: ItemClass, base: Option<&Self>, id: ItemId, changes: &[Change]) -> Self {
        let mut children: Vec<Element> =
            base.map(|item| item.element.children().cloned().collect()).unwrap_or_default();
        let id_element = Element::new(t("ItemId"))
            .with_attribute(Name::new("", "Id"), id.id.as_str())
            .with_attribute(Name::new("", "ChangeKey"), id.change_key.as_str());
        children.retain(|child| child.name().local() != "ItemId");
        children.insert(0, id_element);
        for change in changes {
            forget(&mut children, &change.field);
            for (_, derived) in DERIVED.iter().filter(|(uri, _)| change.field == Field::Uri(uri)) {
                forget(&mut children, &Field::Extended(*derived));
            }
            if let Some(value) = &change.value {
                let new = element(&change.field, value);
                if let Value::Body { is_html: false, text } = value {
                    children.push(leaf("TextBody", text));
                }
                let same = children.iter().position(|known| known.name().local() == new.name().local());
                match (&change.field, same) {
                    (Field::Indexed(..), Some(at)) => {
                        let known = children.remove(at);
                        children.push(merged(&known, &new));
                    }
                    _ => children.push(new),
                }
            }
        }
        let element = children.into_iter().fold(Element::new(class.name()), Element::with_child);
        Self { class, id, element }
    }
}

impl Item {
    /// Whether it was shown with this field, or this entry of a dictionary.
    pub fn has(&self, field: &Field) -> bool {
        match field {
            Field::Uri("item:Body") => {
                self.text("TextBody").or(self.text("Body")).is_some_and(|text| !text.trim().is_empty())
            }
            Field::Uri(uri) => self.element.find(uri.rsplit(':').next().unwrap_or(uri)).is_some(),
            Field::Extended(property) => self.extended(property).is_some(),
            Field::Indexed(uri, key) => {
                let (list, part) = match *uri {
                    "contacts:EmailAddress" => ("EmailAddresses", None),
                    "contacts:PhoneNumber" => ("PhoneNumbers", None),
                    "contacts:ImAddress" => ("ImAddresses", None),
                    _ => ("PhysicalAddresses", uri.rsplit(':').next()),
                };
                let entries = self.element.find(list).into_iter().flat_map(Element::children);
                let mut entries = entries.filter(|entry| entry.attribute("Key") == Some(key));
                entries.any(|entry| part.is_none_or(|part| entry.find(part).is_some()))
            }
        }
    }
}

/// Fields, and properties that Exchange derives from them: who writes the one no longer knows the other. MS-OXOTASK
/// 2.2.2.2.4, 2.2.2.2.5.
const DERIVED: [(&str, ExtendedProperty); 2] =
    [("task:StartDate", field::TASK_START), ("task:DueDate", field::TASK_DUE)];

/// Takes a field out of an item's elements.
fn forget(children: &mut Vec<Element>, field: &Field) {
    match field {
        Field::Uri(uri) => {
            let local = uri.rsplit(':').next().unwrap_or(uri);
            children.retain(|child| {
                child.name().local() != local && !(local == "Body" && child.name().local() == "TextBody")
            });
        }
        Field::Extended(property) => children.retain(|child| {
            child.name().local() != "ExtendedProperty"
                || !child.find("ExtendedFieldURI").is_some_and(|uri| super::is(uri, property))
        }),
        Field::Indexed(uri, key) => {
            let list = match *uri {
                "contacts:EmailAddress" => "EmailAddresses",
                "contacts:PhoneNumber" => "PhoneNumbers",
                "contacts:ImAddress" => "ImAddresses",
                _ => "PhysicalAddresses",
            };
            let part = uri.rsplit(':').next().unwrap_or_default();
            for dictionary in children.iter_mut().filter(|child| child.name().local() == list) {
                let entries = dictionary.children().filter_map(|entry| {
                    if entry.attribute("Key") != Some(key) {
                        return Some(entry.clone());
                    }
                    if list != "PhysicalAddresses" {
                        return None;
                    }
                    let kept = entry.children().filter(|child| child.name().local() != part).cloned();
                    let bare = Element::new(entry.name().clone()).with_attribute(Name::new("", "Key"), *key);
                    Some(kept.fold(bare, Element::with_child))
                });
                *dictionary = entries.fold(Element::new(dictionary.name().clone()), Element::with_child);
            }
        }
    }
}
