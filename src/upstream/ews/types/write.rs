//! Fields as they are written.

use super::moment::month_name;
use super::name as t;
use super::table::{At, Form, Row, row};
use crate::model::item::{
    Change, ItemClass, Member, Pattern, Place, RangeEnd, Recurrence, TimeZone, Transition, Value, YearlyDay,
    YearlyMoment, weekday_name,
};
use crate::upstream::ews::field::{self, ExtendedProperty, Key, Set};
use crate::xml::{Element, Name};
use jiff::Timestamp;
use jiff::civil::Date;

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

/// A change as a request says it: a field of Exchange's, and what it becomes; `None` removes it.
pub(in crate::upstream::ews) struct Setting {
    pub(in crate::upstream::ews) at: At,
    pub(in crate::upstream::ews) element: Option<Element>,
}

impl Setting {
    /// An extended property that is set to a text.
    pub(in crate::upstream::ews) fn extended(property: ExtendedProperty, text: &str) -> Self {
        let element = extended_element(&property, text);
        Self { at: At::Extended(property), element: Some(element) }
    }
}

/// A change in Exchange's fields: one, but for a kept text, which takes several.
pub(in crate::upstream::ews) fn settings(class: ItemClass, change: &Change) -> Vec<Setting> {
    let Row { at, form } = row(class, change.field);
    if let (Form::Pieces, pieces) = (form, &change.value) {
        let pieces = if let Some(Value::Strings(pieces)) = pieces { pieces.as_slice() } else { &[] };
        let properties = std::iter::once(field::DAV_BODY).chain(field::DAV_BODY_GOES_ON);
        let removed = std::slice::from_ref(&EMPTY);
        let pieces = if pieces.is_empty() { removed } else { pieces };
        let setting = |(property, piece): (ExtendedProperty, &String)| Setting {
            element: (!piece.is_empty()).then(|| extended_element(&property, piece)),
            at: At::Extended(property),
        };
        return properties.zip(pieces).map(setting).collect();
    }
    let at = match (form, &change.value) {
        (Form::Link(property), Some(Value::Text(text))) if !is_uri(text) => At::Extended(property),
        _ => at,
    };
    let element = change.value.as_ref().map(|value| element(&at, form, value));
    vec![Setting { at, element }]
}

/// Whether a field of the type `anyURI` takes a text.
fn is_uri(text: &str) -> bool {
    text.is_ascii() && text.contains(':') && !text.contains(char::is_whitespace)
}

/// A piece that is removed.
static EMPTY: String = String::new();

/// The field's element below an item.
fn element(at: &At, form: Form, value: &Value) -> Element {
    match at {
        At::Uri(uri) => value_element(local(uri), form, value),
        At::Indexed(uri, key) => {
            let text = scalar(form, value);
            let entry = Element::new(t("Entry")).with_attribute(Name::new("", "Key"), *key);
            let list = dictionary(uri);
            let entry = if list == "PhysicalAddresses" {
                let part = Name::of(crate::upstream::ews::soap::T, local(uri));
                entry.with_child(Element::new(part).with_text(&text))
            } else {
                entry.with_text(&text)
            };
            Element::new(t(list)).with_child(entry)
        }
        At::Extended(property) => extended_element(property, &scalar(form, value)),
    }
}

fn local(uri: &str) -> &str {
    uri.rsplit(':').next().unwrap_or(uri)
}

/// The element that holds the entries of an IndexedFieldURI.
fn dictionary(uri: &str) -> &'static str {
    match uri {
        "contacts:EmailAddress" => "EmailAddresses",
        "contacts:PhoneNumber" => "PhoneNumbers",
        "contacts:ImAddress" => "ImAddresses",
        _ => "PhysicalAddresses",
    }
}

/// An extended property with a text.
pub(in crate::upstream::ews) fn extended_element(property: &ExtendedProperty, text: &str) -> Element {
    Element::new(t("ExtendedProperty"))
        .with_child(extended_uri(property))
        .with_child(Element::new(t("Value")).with_text(text))
}

/// `ExtendedFieldURI`
pub(in crate::upstream::ews) fn extended_uri(property: &ExtendedProperty) -> Element {
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

pub(super) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A bare day as an instant.
fn midnight(day: Date) -> String {
    format!("{day}T00:00:00Z")
}

/// What one text says; empty for what needs elements.
fn scalar(form: Form, value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Flag(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Time(at) => utc(*at),
        // Without a zone it is a midnight of the item's own.
        Value::Day(day) if form == Form::Time => format!("{day}T00:00:00"),
        Value::Day(day) => midnight(*day),
        _ => String::new(),
    }
}

fn value_element(local: &str, form: Form, value: &Value) -> Element {
    let root = Element::new(Name::of(crate::upstream::ews::soap::T, local));
    match value {
        Value::Body(body) => {
            let (is_html, content) = body.stored.clone().unwrap_or_default();
            let kind = if is_html { "HTML" } else { "Text" };
            root.with_attribute(Name::new("", "BodyType"), kind).with_text(&content)
        }
        Value::Strings(strings) => {
            strings.iter().fold(root, |root, text| root.with_child(leaf("String", text)))
        }
        Value::Zone(zone) if zone.has_rules() => time_zone(root, zone),
        Value::Zone(zone) => root.with_attribute(Name::new("", "Id"), zone.id.as_str()),
        Value::People(people) => people.iter().fold(root, |root, person| {
            let mailbox = mailbox(&person.mailbox.name, &person.mailbox.address);
            root.with_child(Element::new(t("Attendee")).with_child(mailbox))
        }),
        Value::Members(members) => members.iter().map(member).fold(root, Element::with_child),
        Value::Place(Place { name, latitude, longitude, .. }) => {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let address = Element::new(t("PostalAddress"))
                .with_child(leaf("Latitude", text(latitude)))
                .with_child(leaf("Longitude", text(longitude)))
                .with_child(leaf("LocationSource", "Device"));
            root.with_child(leaf("DisplayName", text(name))).with_child(address)
        }
        Value::Recurrence(recurrence) => {
            root.with_child(pattern(&recurrence.pattern)).with_child(range(recurrence))
        }
        value => root.with_text(&scalar(form, value)),
    }
}

/// `TimeZoneDefinitionType`: periods, what begins them each year, and which such years hold. MS-OXWSCDATA 2.2.4.73
pub(super) fn time_zone(root: Element, zone: &TimeZone) -> Element {
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
                    vec![leaf("DayOfWeek", weekday_name(weekday)), leaf("Occurrence", nth)],
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
            Element::new(Name::of(crate::upstream::ews::soap::T, format!("{unit}Regeneration").as_str()))
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
pub(in crate::upstream::ews) fn elements(settings: Vec<Setting>) -> Vec<Element> {
    let mut elements: Vec<Element> = Vec::new();
    for Setting { at, element } in settings {
        let Some(new) = element else { continue };
        let same = elements.iter().position(|known| known.name() == new.name());
        match (at, same) {
            (At::Indexed(..), Some(at)) => {
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
pub(super) fn merged(dictionary: &Element, new: &Element) -> Element {
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
