//! What is left of a private item for those who may not see its details.
//!
//! Exchange tells readers of a shared folder whether they may see private items and leaves it to programs to hide them.

use super::Context;
use crate::model::item::{Field, Item, ItemClass};

/// Whether private items are shown with their details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// As they are: to their owner, and to delegates who were granted it.
    Shown,
    /// Only when an event takes place; contacts and tasks not at all.
    Hidden,
}

/// What Outlook calls it.
const SUBJECT: &str = "Private Appointment";

/// When something takes place and how it is told apart; nothing else is known to be harmless.
const HARMLESS: [Field; 15] = [
    Field::Uid,
    Field::RecurrenceId,
    Field::Created,
    Field::Modified,
    Field::Sensitivity,
    Field::Start,
    Field::End,
    Field::OriginalStart,
    Field::StartZone,
    Field::EndZone,
    Field::AllDay,
    Field::BusyStatus,
    Field::Recurrence,
    Field::ModifiedOccurrences,
    Field::DeletedOccurrences,
];

/// What may be shown of an item.
pub(super) enum Seen {
    /// All of it.
    Whole,
    /// This.
    Part(Box<Item>),
    /// Nothing.
    Nothing,
}

impl Context {
    /// Whether details of the item are kept back.
    pub fn hides(&self, item: &Item) -> bool {
        let is_open = item.filled(Field::Sensitivity).is_none_or(|text| text != "Private");
        self.privacy == Privacy::Hidden && !is_open
    }
}

pub(super) fn seen(context: &Context, item: &Item) -> Seen {
    match item.class {
        _ if !context.hides(item) => Seen::Whole,
        ItemClass::CalendarItem => Seen::Part(Box::new(part(item))),
        ItemClass::Contact | ItemClass::DistributionList | ItemClass::Task => Seen::Nothing,
    }
}

/// An event without its details.
pub(super) fn part(event: &Item) -> Item {
    event.without_details(&HARMLESS, SUBJECT)
}
