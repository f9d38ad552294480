//! Items of a mailbox as any upstream holds them: typed fields, and changes of them.
//!
//! An upstream reads its own form into an [`Item`] and carries out [`Change`]s; everything above it knows these only.
//!
//! **Invariant:** what a field means, and the words of its value, are the same whichever upstream it comes from.

mod attachment;
mod change;
mod field;
mod people;
mod person;
mod place;
mod recurrence;
mod zone;

pub use attachment::{Attachment, AttachmentKind};
pub use change::{Change, Notify, Value};
pub use field::{AddressPart, EMAILS, Field, MESSENGERS, PHONES, POSTAL};
pub use people::{Attendee, Mailbox, Member};
pub use person::Person;
pub use place::{Address, Place};
pub use recurrence::{Occurrence, Pattern, RangeEnd, Recurrence, weekday, weekday_name};
pub use zone::{Period, TimeZone, Transition, YearlyDay, YearlyMoment};

use jiff::Timestamp;
use jiff::civil::Date;

/// Names an item: identity and version, both opaque and case-sensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ItemRef {
    /// Changes when the item moves.
    pub id: String,
    /// Changes with every write.
    pub version: String,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemClass {
    /// An event or a series.
    CalendarItem,
    /// A person.
    Contact,
    /// A group of people.
    DistributionList,
    /// Something to be done.
    Task,
}

/// A body: the text of it that the upstream gives, and the form in which it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The text that the upstream makes of it; `None` where it makes none.
    pub text: Option<String>,
    /// What is stored: whether it is HTML, and the content.
    pub stored: Option<(bool, String)>,
}

/// An item with the fields that an upstream was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is.
    pub class: ItemClass,
    /// Identity and version.
    pub id: ItemRef,
    /// All that an upstream tells of it, where its versions do not tell of every change.
    pub state: Option<String>,
    fields: Vec<(Field, Value)>,
}

impl Item {
    /// An item with these fields, in the order in which the upstream gives them.
    pub fn new(class: ItemClass, id: ItemRef, fields: Vec<(Field, Value)>) -> Self {
        Self { class, id, state: None, fields }
    }

    /// What an item will be once the changes are made: `base` as far as nothing says otherwise.
    ///
    /// Only what is written is there: an upstream adds fields of its own.
    #[must_use]
    pub fn predicted(class: ItemClass, base: Option<&Self>, id: ItemRef, changes: &[Change]) -> Self {
        let fields = base.map(|item| item.fields.clone()).unwrap_or_default();
        let state = base.and_then(|item| item.state.clone());
        let mut item = Self { class, id, state, fields };
        for change in changes {
            item.fields.retain(|(field, _)| *field != change.field);
            item.fields.extend(change.stored().map(|value| (change.field, value)));
        }
        item
    }

    /// The same item with these fields only, and with another subject.
    #[must_use]
    pub fn without_details(&self, kept: &[Field], subject: &str) -> Self {
        let mut fields = self.fields.clone();
        fields.retain(|(field, _)| kept.contains(field));
        fields.push((Field::Subject, Value::Text(subject.to_owned())));
        Self { class: self.class, id: self.id.clone(), state: self.state.clone(), fields }
    }

    /// All fields that it has.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &Value)> {
        self.fields.iter().map(|(field, value)| (*field, value))
    }

    /// A field's value.
    pub fn value(&self, wanted: Field) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| *field == wanted).map(|(_, value)| value)
    }

    /// Whether it was shown with this field. A body of blanks is none.
    pub fn has(&self, field: Field) -> bool {
        match self.value(field) {
            Some(Value::Body(body)) => {
                let stored = body.stored.as_ref().map(|(_, content)| content);
                body.text.as_ref().or(stored).is_some_and(|text| !text.trim().is_empty())
            }
            value => value.is_some(),
        }
    }

    /// A text; `None` when it is absent.
    pub fn text(&self, field: Field) -> Option<String> {
        match self.value(field)? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// A text without blanks around it; `None` when it is absent or empty.
    pub fn filled(&self, field: Field) -> Option<String> {
        self.text(field).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A flag; `None` when it is absent.
    pub fn known_flag(&self, field: Field) -> Option<bool> {
        match self.value(field)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A flag; false when it is absent.
    pub fn flag(&self, field: Field) -> bool {
        self.known_flag(field).unwrap_or_default()
    }

    /// A number.
    pub fn number(&self, field: Field) -> Option<i64> {
        match self.value(field)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// An instant.
    pub fn time(&self, field: Field) -> Option<Timestamp> {
        match self.value(field)? {
            Value::Time(at) => Some(*at),
            _ => None,
        }
    }

    /// A day.
    pub fn day(&self, field: Field) -> Option<Date> {
        match self.value(field)? {
            Value::Day(day) => Some(*day),
            _ => None,
        }
    }

    /// A list of words or names.
    pub fn strings(&self, field: Field) -> Vec<String> {
        match self.value(field) {
            Some(Value::Strings(strings)) => strings.clone(),
            _ => Vec::new(),
        }
    }

    /// Addresses of mail by the slot that holds each.
    pub fn emails(&self) -> Vec<(&'static str, String)> {
        self.entries(|field| if let Field::Email(slot) = field { Some(slot) } else { None })
    }

    /// Phone numbers by their kind.
    pub fn phones(&self) -> Vec<(&'static str, String)> {
        self.entries(|field| if let Field::Phone(kind) = field { Some(kind) } else { None })
    }

    /// Addresses of instant messaging by the slot that holds each.
    pub fn messengers(&self) -> Vec<(&'static str, String)> {
        self.entries(|field| if let Field::Messenger(slot) = field { Some(slot) } else { None })
    }

    fn entries(&self, key: impl Fn(Field) -> Option<&'static str>) -> Vec<(&'static str, String)> {
        let entries = self.fields.iter().filter_map(|(field, value)| match value {
            Value::Text(text) => Some((key(*field)?, text.trim().to_owned())),
            _ => None,
        });
        entries.filter(|(_, text)| !text.is_empty()).collect()
    }

    /// Postal addresses by their kind.
    pub fn addresses(&self) -> Vec<(&'static str, Address)> {
        let mut found: Vec<(&'static str, Address)> = Vec::new();
        for (field, value) in &self.fields {
            let (Field::Address(kind, part), Value::Text(text)) = (field, value) else { continue };
            if !found.iter().any(|(known, _)| known == kind) {
                found.push((kind, Address::default()));
            }
            let address = found.iter_mut().find(|(known, _)| known == kind);
            let Some((_, address)) = address else { continue };
            text.trim().clone_into(match part {
                AddressPart::Street => &mut address.street,
                AddressPart::City => &mut address.city,
                AddressPart::State => &mut address.state,
                AddressPart::Country => &mut address.country,
                AddressPart::PostalCode => &mut address.postal_code,
            });
        }
        found
    }

    /// The body.
    pub fn body(&self) -> Option<&Body> {
        match self.value(Field::Body)? {
            Value::Body(body) => Some(body),
            _ => None,
        }
    }

    /// The place with what is known of it beside its name.
    pub fn place(&self) -> Option<&Place> {
        match self.value(Field::Place)? {
            Value::Place(place) => Some(place),
            _ => None,
        }
    }

    /// The people of a list: [`Field::Required`], [`Field::Optional`], [`Field::Resources`].
    pub fn attendees(&self, field: Field) -> Vec<Attendee> {
        match self.value(field) {
            Some(Value::People(people)) => people.clone(),
            _ => Vec::new(),
        }
    }

    /// The organiser.
    pub fn organizer(&self) -> Option<Mailbox> {
        match self.value(Field::Organizer)? {
            Value::Person(person) => Some(person.clone()),
            _ => None,
        }
    }

    /// The members of a group.
    pub fn members(&self) -> Vec<Mailbox> {
        self.list_members().into_iter().map(|member| member.mailbox).collect()
    }

    /// The members of a group, with what tells them apart.
    pub fn list_members(&self) -> Vec<Member> {
        match self.value(Field::Members) {
            Some(Value::Members(members)) => members.clone(),
            _ => Vec::new(),
        }
    }

    /// A time zone: [`Field::StartZone`], [`Field::EndZone`].
    pub fn zone(&self, field: Field) -> Option<TimeZone> {
        match self.value(field)? {
            Value::Zone(zone) => Some((**zone).clone()),
            _ => None,
        }
    }

    /// The rule of a series.
    pub fn recurrence(&self) -> Option<Recurrence> {
        match self.value(Field::Recurrence)? {
            Value::Recurrence(recurrence) => Some(recurrence.clone()),
            _ => None,
        }
    }

    /// Occurrences that differ from the rule.
    pub fn modified_occurrences(&self) -> Vec<Occurrence> {
        match self.value(Field::ModifiedOccurrences) {
            Some(Value::Occurrences(occurrences)) => occurrences.clone(),
            _ => Vec::new(),
        }
    }

    /// Original starts of the occurrences that are gone.
    pub fn deleted_occurrences(&self) -> Vec<Timestamp> {
        match self.value(Field::DeletedOccurrences) {
            Some(Value::Times(times)) => times.clone(),
            _ => Vec::new(),
        }
    }

    /// What hangs on it; contents are fetched by themselves.
    pub fn attachments(&self) -> Vec<Attachment> {
        match self.value(Field::Attachments) {
            Some(Value::Attachments(attachments)) => attachments.clone(),
            _ => Vec::new(),
        }
    }

    /// The pieces of the text that is kept on it; see `convert/kept.rs`.
    pub fn kept(&self) -> &[String] {
        match self.value(Field::Kept) {
            Some(Value::Strings(pieces)) => pieces,
            _ => &[],
        }
    }
}
