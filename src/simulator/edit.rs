//! What clients write into items: whole elements at creation, one property after the other in updates.

use std::collections::BTreeSet;

use super::element::Element;
use super::field::{self, Field, ValueKind};
use super::item::{Extended, ExtendedName, ExtendedValue, ItemKind, Properties};
use super::product::Traits;
use super::shape::{KINDS, SETS, extended_name};
use super::world::Refusal;
use jiff::Timestamp;

/// Takes the properties of an item's element over.
pub fn take(
    kind: ItemKind,
    element: &Element,
    properties: &mut Properties,
    extended: &mut Extended,
    traits: &Traits,
) -> Result<(), Refusal> {
    for child in &element.children {
        if child.name == "ExtendedProperty" {
            let name = set_extended(child, extended, traits)?;
            take_alias(kind, &name, extended, properties);
            continue;
        }
        let field = Field::of_element(kind, child.name)
            .ok_or_else(|| Refusal::new("ErrorInvalidPropertySet", "Set action is invalid for property."))?;
        if field == field::ATTACHMENTS || field == field::MIME_CONTENT {
            continue;
        }
        if !field.row().settable() {
            return Err(Refusal::property("ErrorInvalidPropertySet", field));
        }
        let mut value = checked(field, child)?;
        turn_days(field, &mut value, traits);
        if !traits.drops(kind, field, true) {
            properties.set(field, value);
        }
    }
    Ok(())
}

/// Stored forms: what the schema lets pass and Exchange does not.
fn checked(field: Field, element: &Element) -> Result<Element, Refusal> {
    let mut element = element.clone();
    let empty_list = element.children.is_empty()
        && [field::CATEGORIES, field::REQUIRED_ATTENDEES, field::OPTIONAL_ATTENDEES, field::RESOURCES]
            .contains(&field);
    if empty_list {
        return Err(Refusal::property("ErrorInvalidValueForProperty", field));
    }
    if field.row().kind == ValueKind::Flag {
        let set = matches!(element.text.trim(), "true" | "1");
        element.text = set.to_string();
    }
    if field == field::SUBJECT {
        element.text = element.text.chars().take(255).collect::<String>().replace(['\r', '\n', '\t'], " ");
    }
    if [field::REQUIRED_ATTENDEES, field::OPTIONAL_ATTENDEES, field::RESOURCES].contains(&field) {
        for attendee in &mut element.children {
            complete_attendee(attendee);
        }
    }
    Ok(element)
}

/// Exchange resolves people: name, routing type and answer are always there.
fn complete_attendee(attendee: &mut Element) {
    if let Some(mailbox) = attendee.child_mut("Mailbox") {
        let text = |mailbox: &Element, name| mailbox.child_text(name).unwrap_or_default().to_owned();
        let address = text(mailbox, "EmailAddress");
        let name = Some(text(mailbox, "Name")).filter(|n| !n.is_empty()).unwrap_or_else(|| address.clone());
        *mailbox = super::view::mailbox_element(&name, &address);
    }
    if attendee.child("ResponseType").is_none() {
        attendee.children.insert(1.min(attendee.children.len()), Element::of("ResponseType", "Unknown"));
    }
}

/// PidTagBusinessHomePage: `contacts:BusinessHomePage`, which takes URIs alone. MS-OXPROPS
const BUSINESS_HOME_PAGE: ExtendedName = ExtendedName::Tag(0x3A51);

/// Properties that are fields by another name are those fields.
fn take_alias(kind: ItemKind, name: &ExtendedName, extended: &mut Extended, properties: &mut Properties) {
    if kind == ItemKind::Contact && *name == BUSINESS_HOME_PAGE {
        let page = extended.remove(name).and_then(|value| value.texts.into_iter().next());
        properties.set_text(field::BUSINESS_HOME_PAGE, page.unwrap_or_default());
        return;
    }
    take_share(kind, name, extended, properties);
}

/// PidLidPercentComplete is where the percentage of a task is stored, as a share of one. MS-OXOTASK 2.2.2.2.3
const SHARE: i32 = 0x8102;

fn take_share(kind: ItemKind, name: &ExtendedName, extended: &Extended, properties: &mut Properties) {
    let is_task = |set: &str| SETS.iter().any(|(known, guid)| *known == "Task" && *guid == set);
    if kind != ItemKind::Task || !matches!(name, ExtendedName::Id(set, SHARE) if is_task(set)) {
        return;
    }
    let share = extended.get(name).and_then(|value| value.texts.first()?.trim().parse::<f64>().ok());
    if let Some(share) = share {
        properties.set_text(field::PERCENT_COMPLETE, (share * 100.0).to_string());
    }
}

/// Days of long ago as the product's clock tells them.
fn turn_days(field: Field, value: &mut Element, traits: &Traits) {
    if let Ok(at) = value.text.trim().parse::<Timestamp>()
        && field.row().kind == ValueKind::Time
        && traits.stored(at) != at
    {
        value.text = traits.stored(at).to_string();
    }
}

/// Stores an extended property; gives its name.
fn set_extended(
    property: &Element,
    extended: &mut Extended,
    traits: &Traits,
) -> Result<ExtendedName, Refusal> {
    let missing = || Refusal::new("ErrorInvalidExtendedProperty", "The extended property is incomplete.");
    let uri = property.child("ExtendedFieldURI").ok_or_else(missing)?;
    let name = extended_name(uri)?;
    let kind = uri.attribute("PropertyType").unwrap_or_default();
    let kind = KINDS.iter().find(|known| **known == kind).ok_or_else(|| {
        Refusal::new("ErrorUnsupportedMapiPropertyType", "The MAPI property type is not supported.")
    })?;
    let texts = match (property.child("Value"), property.child("Values")) {
        (Some(value), None) if !kind.ends_with("Array") => vec![value.text.clone()],
        (None, Some(values)) if kind.ends_with("Array") => {
            values.children.iter().map(|v| v.text.clone()).collect()
        }
        _ => {
            return Err(Refusal::new(
                "ErrorInvalidExtendedPropertyValue",
                "The value does not fit the type.",
            ));
        }
    };
    if !traits.drops_extended(&name) {
        extended.insert(name.clone(), ExtendedValue { kind, texts });
    }
    Ok(name)
}

/// Where an update is made: an item's own properties, or what an occurrence has of its own.
pub struct Draft<'a> {
    /// What it is.
    pub kind: ItemKind,
    /// Properties.
    pub properties: &'a mut Properties,
    /// Extended properties.
    pub extended: &'a mut Extended,
    /// What was taken away.
    pub removed: Option<&'a mut BTreeSet<Field>>,
}

/// Carries out `Updates`; tells which fields were touched.
pub fn update(draft: &mut Draft<'_>, updates: &Element, traits: &Traits) -> Result<Vec<Field>, Refusal> {
    let mut touched = Vec::new();
    for change in &updates.children {
        let path = change
            .children
            .first()
            .ok_or_else(|| Refusal::new("ErrorIncorrectUpdatePropertyCount", "No path."))?;
        if path.name == "ExtendedFieldURI" {
            update_extended(draft, change, path, traits)?;
        } else if path.name == "IndexedFieldURI" {
            touched.push(update_entry(draft, change, path)?);
        } else {
            touched.push(update_field(draft, change, path, traits)?);
        }
    }
    Ok(touched)
}

fn update_field(
    draft: &mut Draft<'_>,
    change: &Element,
    path: &Element,
    traits: &Traits,
) -> Result<Field, Refusal> {
    let uri = path.attribute("FieldURI").unwrap_or_default();
    let field =
        Field::of_uri(draft.kind, uri).filter(|f| draft.kind.has(f.row().class)).ok_or_else(|| {
            Refusal::new("ErrorInvalidPropertyRequest", "Property is not valid for this object type.")
        })?;
    if change.name == "DeleteItemField" {
        let is_reminder = field == field::REMINDER_IS_SET && !traits.unsets_reminders;
        if !field.row().deletable() && !is_reminder {
            return Err(Refusal::property("ErrorInvalidPropertyDelete", field));
        }
        if traits.is_undeletable(field) {
            return Ok(field);
        }
        if field == field::REMINDER_IS_SET {
            draft.properties.set_flag(field, false);
            return Ok(field);
        }
        draft.properties.remove(field);
        if let Some(removed) = &mut draft.removed {
            removed.insert(field);
        }
        return Ok(field);
    }
    let value = only_property(change)?;
    if Field::of_element(draft.kind, value.name) != Some(field) {
        return Err(Refusal::new("ErrorUpdatePropertyMismatch", "The property does not match the path."));
    }
    if !field.row().updatable() {
        return Err(Refusal::property("ErrorInvalidPropertySet", field));
    }
    let mut value = checked(field, value)?;
    turn_days(field, &mut value, traits);
    let unsets = field == field::REMINDER_IS_SET && value.text == "false";
    if traits.drops(draft.kind, field, false) || unsets && !traits.unsets_reminders {
        return Ok(field);
    }
    if field == field::PERCENT_COMPLETE && !traits.keeps_percentage {
        let share = value.text.trim().parse::<u32>().unwrap_or_default();
        value.text = (share * 100).to_string();
    }
    if change.name == "AppendToItemField" {
        let appendable =
            [field::BODY, field::REQUIRED_ATTENDEES, field::OPTIONAL_ATTENDEES, field::RESOURCES];
        if !appendable.contains(&field) {
            return Err(Refusal::property("ErrorInvalidPropertyAppend", field));
        }
        let mut whole = draft.properties.get(field).cloned().unwrap_or_else(|| Element {
            children: Vec::new(),
            text: String::new(),
            ..value.clone()
        });
        whole.text.push_str(&value.text);
        whole.children.extend(value.children);
        draft.properties.set(field, whole);
    } else {
        let answers = draft.properties.get(field).cloned();
        draft.properties.set(field, with_answers(value, answers.as_ref()));
    }
    if let Some(removed) = &mut draft.removed {
        removed.remove(&field);
    }
    Ok(field)
}

/// Answers of people who stay are kept.
fn with_answers(mut list: Element, before: Option<&Element>) -> Element {
    let address =
        |a: &Element| a.at(&["Mailbox", "EmailAddress"]).map(|e| e.text.trim().to_ascii_lowercase());
    for attendee in list.children.iter_mut().filter(|c| c.name == "Attendee") {
        let old = before.into_iter().flat_map(|b| &b.children).find(|old| address(old) == address(attendee));
        if let Some(old) = old {
            *attendee = old.clone();
        }
    }
    list
}

fn only_property(change: &Element) -> Result<&Element, Refusal> {
    match change.children.get(1).map(|item| item.children.as_slice()) {
        Some([one]) => Ok(one),
        _ => Err(Refusal::new(
            "ErrorIncorrectUpdatePropertyCount",
            "There must be exactly one property to update.",
        )),
    }
}

fn update_extended(
    draft: &mut Draft<'_>,
    change: &Element,
    path: &Element,
    traits: &Traits,
) -> Result<(), Refusal> {
    if change.name == "DeleteItemField" {
        let name = extended_name(path)?;
        if draft.kind == ItemKind::Contact && name == BUSINESS_HOME_PAGE {
            draft.properties.remove(field::BUSINESS_HOME_PAGE);
        }
        draft.extended.remove(&name);
        return Ok(());
    }
    let property = only_property(change)?;
    if property.name != "ExtendedProperty"
        || extended_name(property.child("ExtendedFieldURI").unwrap_or(path))? != extended_name(path)?
    {
        return Err(Refusal::new("ErrorUpdatePropertyMismatch", "The property does not match the path."));
    }
    let name = set_extended(property, draft.extended, traits)?;
    take_alias(draft.kind, &name, draft.extended, draft.properties);
    Ok(())
}

/// One entry of a dictionary. MS-OXWSCONT 3.1.4.1.2
fn update_entry(draft: &mut Draft<'_>, change: &Element, path: &Element) -> Result<Field, Refusal> {
    let uri = path.attribute("FieldURI").unwrap_or_default().split(':').nth(1).unwrap_or_default();
    let part = path.attribute("FieldURI").unwrap_or_default().split(':').nth(2);
    let (field, entry_part) = match uri {
        "EmailAddress" => (field::EMAIL_ADDRESSES, None),
        "PhoneNumber" => (field::PHONE_NUMBERS, None),
        "ImAddress" => (field::IM_ADDRESSES, None),
        "PhysicalAddress" => (field::PHYSICAL_ADDRESSES, part),
        _ => {
            return Err(Refusal::new(
                "ErrorInvalidPropertyRequest",
                "Property is not valid for this object type.",
            ));
        }
    };
    let key = path.attribute("FieldIndex").unwrap_or_default();
    let mut list = draft.properties.get(field).cloned().unwrap_or_else(|| Element::new(field.element()));
    let old = list.children.iter().position(|e| e.attribute("Key") == Some(key));
    let mut entry = old.map(|at| list.children.remove(at));
    if change.name == "DeleteItemField" {
        entry = match (entry, entry_part) {
            (Some(mut entry), Some(part)) => {
                entry.children.retain(|c| c.name != part);
                (!entry.children.is_empty()).then_some(entry)
            }
            _ => None,
        };
    } else {
        let value = only_property(change)?;
        let new = value.children.first().filter(|e| e.attribute("Key") == Some(key)).ok_or_else(|| {
            Refusal::new("ErrorUpdatePropertyMismatch", "The property does not match the path.")
        })?;
        entry = Some(match (entry, entry_part) {
            (Some(mut entry), Some(_)) => {
                entry.children.retain(|c| new.child(c.name).is_none());
                entry.children.extend(new.children.iter().cloned());
                entry
            }
            _ => new.clone(),
        });
    }
    if let Some(mut entry) = entry {
        const PARTS: [&str; 5] = ["Street", "City", "State", "CountryOrRegion", "PostalCode"];
        entry.children.sort_by_key(|c| PARTS.iter().position(|p| *p == c.name));
        let at = old.unwrap_or(list.children.len()).min(list.children.len());
        list.children.insert(at, entry);
    }
    if list.children.is_empty() {
        draft.properties.remove(field);
    } else {
        draft.properties.set(field, list);
    }
    Ok(field)
}
