//! Items as GetItem hands them out → [`Item`]. MS-OXWSCORE, MS-OXWSMTGS, MS-OXWSCONT, MS-OXWSTASK

use super::attachment::attachment;
use super::mailbox::{attendee, mailbox, member};
use super::recurrence::recurrence;
use super::table::{At, DICTIONARIES, Form, Row, fields, row};
use super::time_zone::time_zone;
use super::{class_of, extended, item_id, name, time};
use crate::model::item::{
    AddressPart, Body, EMAILS, Field, Item, ItemClass, MESSENGERS, Occurrence, PHONES, POSTAL, Place, Value,
};
use crate::upstream::ews::field::ExtendedProperty;
use crate::upstream::ews::soap::T;
use crate::xml::{Element, Reader, Writer};
use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// An item out of an answer; `None` if it is of another class or has no id.
pub(in crate::upstream::ews) fn read(element: &Element) -> Option<Item> {
    let class = class_of(element.name().local())?;
    let id = item_id(element.find("ItemId")?)?;
    let mut values: Vec<(Field, Value)> =
        fields(class).filter_map(|field| Some((field, value(element, class, field)?))).collect();
    if class == ItemClass::Contact {
        values.extend(entries(element));
    }
    Some(Item::new(class, id, values))
}

/// The same of a server whose versions do not tell of every change: all that it tells is noted.
pub(in crate::upstream::ews) fn read_whole(element: &Element) -> Option<Item> {
    let mut item = read(element)?;
    let mut writer = Writer::new(&[("t", T)]);
    writer.element(element);
    item.state = Some(writer.finish());
    Some(item)
}

/// An item from a document whose root it is.
pub fn parse(text: &str) -> Option<Item> {
    read(&Reader::lenient(text).document().ok()?)
}

/// An item's element as Exchange would show it, out of an answer of another server. Seen: gromox 3.10 calls an organiser's
/// own meeting one that nobody answered, and shares of tasks are a hundred times too large after an update.
pub(in crate::upstream::ews) fn in_words_of_exchange(element: &Element) -> Element {
    /// The meeting came from somebody else. MS-OXOCAL 2.2.1.10
    const RECEIVED: i64 = 2;
    let mut element = element.clone();
    let is_meeting = text(&element, "IsMeeting").is_some_and(|text| flag(&text));
    let state = text(&element, "AppointmentState").and_then(|text| text.trim().parse::<i64>().ok());
    if is_meeting && state.is_some_and(|state| state & RECEIVED == 0) {
        element = with(&element, "MyResponseType", "Organizer");
    }
    // A share of 0.07 comes as 7.000000000000001.
    if let Some(share) = text(&element, "PercentComplete").and_then(|text| text.trim().parse::<f64>().ok()) {
        let share = if share > 100.0 { share / 100.0 } else { share };
        element = with(&element, "PercentComplete", &format!("{:.0}", share.clamp(0.0, 100.0)));
    }
    element
}

fn with(element: &Element, local: &'static str, text: &str) -> Element {
    let new = Element::new(name(local)).with_text(text);
    let bare = Element::new(element.name().clone());
    let others = element.children().filter(|child| child.name().local() != local);
    others.cloned().fold(bare, Element::with_child).with_child(new)
}

fn text(element: &Element, local: &str) -> Option<String> {
    element.find(local).map(|element| element.text().into_owned())
}

fn flag(text: &str) -> bool {
    let text = text.trim();
    text.eq_ignore_ascii_case("true") || text == "1"
}

/// A bare day at the beginning of an instant's text.
fn bare_day(text: &str) -> Option<Date> {
    text.trim().get(..10)?.parse().ok()
}

/// What an item says of a field; `None` when it does not tell.
fn value(item: &Element, class: ItemClass, field: Field) -> Option<Value> {
    let Row { at, form } = row(class, field);
    let local = match at {
        At::Uri(uri) => uri.rsplit(':').next().unwrap_or(uri),
        At::Indexed(..) => return None,
        At::Extended(property) => return of_property(item, &property, form),
    };
    // Of a list that it does not tell, an item says nothing.
    let list = || item.find(local).map(Element::children);
    Some(match form {
        Form::Body => Value::Body(body(item)?),
        Form::Cancelled => Value::Flag(is_cancelled(item)),
        Form::Day(bare) => {
            let bare = bare.and_then(|property| extended(item, &property)).and_then(|text| bare_day(&text));
            // Midnight of one zone or another.
            let about = || {
                let noon = time(&text(item, local)?)?.checked_add(SignedDuration::from_hours(12)).ok()?;
                Some(noon.to_zoned(TimeZone::UTC).date())
            };
            Value::Day(bare.or_else(about)?)
        }
        Form::Link(property) => {
            let shown = text(item, local).filter(|text| !text.trim().is_empty());
            Value::Text(shown.or_else(|| extended(item, &property))?)
        }
        Form::Zone => Value::Zone(Box::new(time_zone(item.find(local)?))),
        Form::Person => Value::Person(mailbox(item.find(local)?.find("Mailbox")?)?),
        Form::Recurrence => Value::Recurrence(recurrence(item.find(local)?)?),
        Form::Place => Value::Place(place(item.find(local)?)),
        Form::CompleteTitle => Value::Text(text(item.find(local)?, "Title")?),
        Form::Strings => {
            let texts = list()?.map(|child| child.text().into_owned());
            Value::Strings(texts.filter(|text| !text.is_empty()).collect())
        }
        Form::People => Value::People(list()?.filter_map(attendee).collect()),
        Form::Members => Value::Members(list()?.filter_map(member).collect()),
        Form::Attachments => Value::Attachments(list()?.filter_map(attachment).collect()),
        Form::Modified => Value::Occurrences(list()?.filter_map(occurrence).collect()),
        Form::Deleted => {
            let starts = list()?.filter_map(|gone| time(&gone.find("Start")?.text()));
            Value::Times(starts.collect())
        }
        _ => scalar(form, text(item, local)?)?,
    })
}

fn scalar(form: Form, text: String) -> Option<Value> {
    Some(match form {
        Form::Flag => Value::Flag(flag(&text)),
        Form::Number => Value::Number(text.trim().parse().ok()?),
        Form::Time => Value::Time(time(text.trim())?),
        Form::BareDay => Value::Day(bare_day(&text)?),
        _ => Value::Text(text),
    })
}

fn of_property(item: &Element, property: &ExtendedProperty, form: Form) -> Option<Value> {
    let filled = |property: &ExtendedProperty| extended(item, property).filter(|text| !text.is_empty());
    match form {
        Form::Pieces => {
            let first = filled(property)?;
            let more = crate::upstream::ews::field::DAV_BODY_GOES_ON.iter().map_while(filled);
            Some(Value::Strings(std::iter::once(first).chain(more).collect()))
        }
        Form::FlagOr(local) => scalar(Form::Flag, filled(property).or_else(|| text(item, local))?),
        Form::Either(other) => filled(property).or_else(|| filled(&other)).map(Value::Text),
        form => scalar(form, filled(property)?),
    }
}

/// AppointmentStateFlags: the meeting was cancelled. MS-OXOCAL 2.2.1.10
const CANCELLED: i64 = 4;

fn is_cancelled(item: &Element) -> bool {
    let state = text(item, "AppointmentState").and_then(|text| text.trim().parse::<i64>().ok());
    text(item, "IsCancelled").is_some_and(|text| flag(&text)) || state.unwrap_or_default() & CANCELLED != 0
}

fn body(item: &Element) -> Option<Body> {
    let stored = item.find("Body").map(|body| {
        let is_html = body.attribute("BodyType").is_some_and(|kind| kind.eq_ignore_ascii_case("HTML"));
        (is_html, body.text().into_owned())
    });
    let text = text(item, "TextBody");
    (stored.is_some() || text.is_some()).then_some(Body { text, stored })
}

fn place(element: &Element) -> Place {
    let filled = |element: &Element, local: &str| {
        text(element, local).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let address = |local| element.find("PostalAddress").and_then(|address| filled(address, local));
    Place {
        name: filled(element, "DisplayName"),
        latitude: address("Latitude"),
        longitude: address("Longitude"),
        street: address("Street"),
        city: address("City"),
        state: address("State"),
        country: address("Country"),
        postal_code: address("PostalCode"),
    }
}

/// One occurrence in a master's list. MS-OXWSMTGS 2.2.4.32
fn occurrence(element: &Element) -> Option<Occurrence> {
    Some(Occurrence {
        id: item_id(element.find("ItemId")?)?,
        original_start: time(&element.find("OriginalStart")?.text())?,
    })
}

/// The entries of a contact's dictionaries. MS-OXWSCONT 2.2.5
fn entries(contact: &Element) -> Vec<(Field, Value)> {
    const PARTS: [(&str, AddressPart); 5] = [
        ("Street", AddressPart::Street),
        ("City", AddressPart::City),
        ("State", AddressPart::State),
        ("CountryOrRegion", AddressPart::Country),
        ("PostalCode", AddressPart::PostalCode),
    ];
    let mut found = Vec::new();
    for (_, list, _) in DICTIONARIES {
        for entry in contact.find(list).into_iter().flat_map(Element::children) {
            let key = entry.attribute("Key").unwrap_or_default();
            let of = |keys: &'static [&'static str]| keys.iter().copied().find(|known| *known == key);
            let field = match list {
                "EmailAddresses" => of(&EMAILS).map(Field::Email),
                "PhoneNumbers" => of(&PHONES).map(Field::Phone),
                "ImAddresses" => of(&MESSENGERS).map(Field::Messenger),
                _ => None,
            };
            found.extend(field.map(|field| (field, Value::Text(entry.text().into_owned()))));
            let Some(kind) = of(&POSTAL).filter(|_| list == "PhysicalAddresses") else { continue };
            for (local, part) in PARTS {
                // An entry without parts is one, too.
                let empty = (part == AddressPart::Street).then(String::new);
                let text = text(entry, local).or(empty);
                found.extend(text.map(|text| (Field::Address(kind, part), Value::Text(text))));
            }
        }
    }
    found
}
