//! Values of fields, and changes of them.

use super::{Attachment, Attendee, Body, Field, Mailbox, Member, Occurrence, Place, Recurrence, TimeZone};
use jiff::Timestamp;
use jiff::civil::Date;

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, words, and numbers that are no whole ones.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// An instant.
    Time(Timestamp),
    /// A day.
    Day(Date),
    /// A body.
    Body(Body),
    /// A list of words or names, or the pieces of a kept text.
    Strings(Vec<String>),
    /// A time zone, by its name or by its rules.
    Zone(Box<TimeZone>),
    /// People who are invited.
    People(Vec<Attendee>),
    /// One person.
    Person(Mailbox),
    /// The rule of a series.
    Recurrence(Recurrence),
    /// A place.
    Place(Place),
    /// Members of a group.
    Members(Vec<Member>),
    /// Occurrences that differ from the rule.
    Occurrences(Vec<Occurrence>),
    /// Original starts of occurrences.
    Times(Vec<Timestamp>),
    /// What hangs on an item.
    Attachments(Vec<Attachment>),
}

impl Value {
    /// A body of text.
    pub fn text_body(text: String) -> Self {
        Self::Body(Body { text: Some(text.clone()), stored: Some((false, text)) })
    }

    /// A body in HTML.
    pub fn html_body(html: String) -> Self {
        Self::Body(Body { text: None, stored: Some((true, html)) })
    }

    /// Whether it is a body in HTML.
    pub fn is_html(&self) -> bool {
        matches!(self, Self::Body(Body { stored: Some((true, _)), .. }))
    }

    /// Whether it is a zone that its rules tell.
    pub fn is_zone_by_rules(&self) -> bool {
        matches!(self, Self::Zone(zone) if zone.has_rules())
    }

    /// A zone by its name.
    pub fn zone(id: &str) -> Self {
        Self::Zone(Box::new(TimeZone { id: id.to_owned(), ..TimeZone::default() }))
    }
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
    /// Sets a field.
    pub fn set(field: Field, value: Value) -> Self {
        Self { field, value: Some(value) }
    }

    /// Sets a field to a text.
    pub fn text(field: Field, text: impl Into<String>) -> Self {
        Self::set(field, Value::Text(text.into()))
    }

    /// Removes a field.
    pub fn remove(field: Field) -> Self {
        Self { field, value: None }
    }

    /// Sets a field to a text, or removes it.
    pub fn optional(field: Field, text: Option<String>) -> Self {
        Self { field, value: text.map(Value::Text) }
    }

    /// Whether it is about who is invited.
    pub fn is_list_of_guests(&self) -> bool {
        matches!(self.field, Field::Required | Field::Optional | Field::Resources)
    }

    /// The value as an item has it afterwards: pieces of a kept text that are empty are removed.
    pub(super) fn stored(&self) -> Option<Value> {
        match &self.value {
            Some(Value::Strings(pieces)) if self.field == Field::Kept => {
                Some(Value::Strings(pieces.iter().filter(|piece| !piece.is_empty()).cloned().collect()))
            }
            value => value.clone(),
        }
    }
}

/// Who is told about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notify {
    /// Nobody.
    Nobody,
    /// All who are invited.
    All,
    /// Those who are invited newly or no longer.
    Changed,
}
