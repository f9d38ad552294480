//! Items as documents of their own, which [`parse`](super::item::parse) reads again.

use super::table::{At, Form, Row, row};
use super::write::{settings, time_zone, utc};
use super::{class_name, name as t};
use crate::model::item::{
    Attachment, AttachmentKind, Attendee, Change, Field, Item, ItemClass, ItemRef, Mailbox, Occurrence,
    Place, Value,
};
use crate::upstream::ews::soap::T;
use crate::xml::{Element, Name, Writer};

/// An item as a document in the form of Exchange's answers.
pub fn document(item: &Item) -> String {
    let mut root = Element::new(class_name(item.class)).with_child(id("ItemId", &item.id));
    for (field, value) in item.fields() {
        for element in elements(item.class, field, value) {
            let same = root.children().position(|known| is_dictionary(known, &element));
            root = match same {
                Some(at) => joined(&root, at, &element),
                None => root.with_child(element),
            };
        }
    }
    let mut writer = Writer::new(&[("t", T)]);
    writer.element(&root);
    writer.finish()
}

/// Whether both are dictionaries of one name.
fn is_dictionary(known: &Element, new: &Element) -> bool {
    let is_entry = |entry: &Element| entry.name().local() == "Entry";
    known.name() == new.name() && new.children().any(is_entry) && known.children().any(is_entry)
}

/// The same item with more in a dictionary that it has.
fn joined(root: &Element, at: usize, more: &Element) -> Element {
    let mut bare = Element::new(root.name().clone());
    for (place, child) in root.children().enumerate() {
        let child = child.clone();
        bare = bare.with_child(if place == at { super::write::merged(&child, more) } else { child });
    }
    bare
}

fn id(name: &'static str, id: &ItemRef) -> Element {
    let element = Element::new(t(name)).with_attribute(Name::new("", "Id"), id.id.as_str());
    element.with_attribute(Name::new("", "ChangeKey"), id.version.as_str())
}

fn leaf(local: &'static str, text: &str) -> Element {
    Element::new(t(local)).with_text(text)
}

fn filled(element: Element, local: &'static str, text: &str) -> Element {
    if text.is_empty() { element } else { element.with_child(leaf(local, text)) }
}

fn elements(class: ItemClass, field: Field, value: &Value) -> Vec<Element> {
    let Row { at, form } = row(class, field);
    let root = || {
        let local = if let At::Uri(uri) = at { uri.rsplit(':').next().unwrap_or(uri) } else { "" };
        Element::new(Name::of(T, local))
    };
    let all = |children: Vec<Element>| vec![children.into_iter().fold(root(), Element::with_child)];
    match (form, value) {
        (Form::Body, Value::Body(body)) => {
            let stored = body.stored.as_ref().map(|(is_html, content)| {
                let kind = if *is_html { "HTML" } else { "Text" };
                leaf("Body", content).with_attribute(Name::new("", "BodyType"), kind)
            });
            let text = body.text.as_ref().map(|text| leaf("TextBody", text));
            stored.into_iter().chain(text).collect()
        }
        (Form::CompleteTitle, Value::Text(title)) => all(vec![leaf("Title", title)]),
        (_, Value::Zone(zone)) => vec![time_zone(root(), zone)],
        (_, Value::Person(person)) => all(vec![mailbox(person)]),
        (_, Value::People(people)) => all(people.iter().map(attendee).collect()),
        (_, Value::Place(place)) => vec![place_of(root(), place)],
        (_, Value::Attachments(attachments)) => all(attachments.iter().map(attachment).collect()),
        (_, Value::Occurrences(occurrences)) => all(occurrences.iter().map(occurrence).collect()),
        (_, Value::Times(times)) => {
            let gone = |at| Element::new(t("DeletedOccurrence")).with_child(leaf("Start", &utc(at)));
            all(times.iter().copied().map(gone).collect())
        }
        _ => settings(class, &Change::set(field, value.clone()))
            .into_iter()
            .filter_map(|s| s.element)
            .collect(),
    }
}

fn mailbox(mailbox: &Mailbox) -> Element {
    let parts = [
        ("Name", &mailbox.name),
        ("EmailAddress", &mailbox.address),
        ("RoutingType", &mailbox.routing),
        ("MailboxType", &mailbox.kind),
    ];
    let element = parts
        .into_iter()
        .fold(Element::new(t("Mailbox")), |element, (local, text)| filled(element, local, text));
    match &mailbox.item {
        Some(id) => {
            element.with_child(Element::new(t("ItemId")).with_attribute(Name::new("", "Id"), id.as_str()))
        }
        None => element,
    }
}

fn attendee(attendee: &Attendee) -> Element {
    let element = Element::new(t("Attendee")).with_child(mailbox(&attendee.mailbox));
    filled(element, "ResponseType", &attendee.response)
}

fn place_of(root: Element, place: &Place) -> Element {
    let part = |element: Element, local, text: &Option<String>| match text {
        Some(text) => element.with_child(leaf(local, text)),
        None => element,
    };
    let device = place.latitude.as_ref().map(|_| "Device".to_owned());
    let parts = [
        ("Street", &place.street),
        ("City", &place.city),
        ("State", &place.state),
        ("Country", &place.country),
        ("PostalCode", &place.postal_code),
        ("Latitude", &place.latitude),
        ("Longitude", &place.longitude),
        // As it is written.
        ("LocationSource", &device),
    ];
    let address = parts
        .into_iter()
        .fold(Element::new(t("PostalAddress")), |element, (local, text)| part(element, local, text));
    part(root, "DisplayName", &place.name).with_child(address)
}

fn attachment(attachment: &Attachment) -> Element {
    let element = Element::new(t(match attachment.kind {
        AttachmentKind::File => "FileAttachment",
        AttachmentKind::Item => "ItemAttachment",
        AttachmentKind::Reference(_) => "ReferenceAttachment",
    }));
    let id = Element::new(t("AttachmentId")).with_attribute(Name::new("", "Id"), attachment.id.as_str());
    let element = filled(element.with_child(id), "Name", &attachment.name);
    let element = filled(element, "ContentType", attachment.content_type.as_deref().unwrap_or_default());
    let element = element
        .with_child(leaf("Size", &attachment.size.to_string()))
        .with_child(leaf("IsInline", &attachment.is_inline.to_string()))
        .with_child(leaf("IsContactPhoto", &attachment.is_contact_photo.to_string()));
    match &attachment.kind {
        AttachmentKind::Reference(link) => element.with_child(leaf("AttachLongPathName", link)),
        AttachmentKind::File | AttachmentKind::Item => element,
    }
}

fn occurrence(occurrence: &Occurrence) -> Element {
    Element::new(t("Occurrence"))
        .with_child(id("ItemId", &occurrence.id))
        .with_child(leaf("OriginalStart", &utc(occurrence.original_start)))
}
