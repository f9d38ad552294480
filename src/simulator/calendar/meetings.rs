//! Meetings: invitations and cancellations go from the organiser's mailbox to those of the people invited, answers
//! come back. Only mailboxes of this server get anything; mails to others are noted only. MS-OXWSMTGS 1.3, 3.1.4

mod answer;
mod invitation;
mod letter;

pub use answer::{answer_of, respond};
pub use invitation::{announce, cancel};

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::simulator::element::Element;
use crate::simulator::field::{self, Field};
use crate::simulator::item::{Item, ItemKey, ItemKind, Properties, utc};
use crate::simulator::mailbox::{FolderKind, Mailbox};
use crate::simulator::view::{View, mailbox_element};
use crate::simulator::world::Target;

/// Where people stand.
const LISTS: [Field; 3] = [field::REQUIRED_ATTENDEES, field::OPTIONAL_ATTENDEES, field::RESOURCES];

/// Somebody with a mailbox.
struct Person {
    name: String,
    address: String,
}

impl Person {
    fn of(mailbox: &Mailbox) -> Self {
        Self { name: mailbox.display_name.clone(), address: mailbox.address.clone() }
    }

    fn element(&self, name: &'static str) -> Element {
        Element::new(name).push(mailbox_element(&self.name, &self.address))
    }
}

/// The addresses of the people who are invited, in lower case.
pub fn invited(mailbox: &Mailbox, target: Target) -> BTreeSet<String> {
    let Some(view) = View::of(mailbox, target) else { return BTreeSet::new() };
    LISTS
        .into_iter()
        .filter_map(|list| view.stored(list))
        .flat_map(|list| &list.children)
        .filter_map(address)
        .collect()
}

fn address(attendee: &Element) -> Option<String> {
    Some(attendee.at(&["Mailbox", "EmailAddress"])?.text.trim().to_ascii_lowercase())
}

/// Whether the owner of the mailbox holds the meeting.
fn is_own(item: &Item) -> bool {
    item.properties.get(field::ORGANIZER).is_none()
}

/// The guest's copy of a meeting.
fn copy_of(mailbox: &Mailbox, uid: &str, host: &str) -> Option<ItemKey> {
    copies_of(mailbox, uid, host)
        .find(|item| item.properties.get(field::RECURRENCE_ID).is_none())
        .map(|item| item.key)
}

/// The guest's copy of an occurrence to which alone they are invited.
fn orphan_of(mailbox: &Mailbox, uid: &str, host: &str, at: Timestamp) -> Option<ItemKey> {
    copies_of(mailbox, uid, host)
        .find(|item| item.properties.time(field::RECURRENCE_ID) == Some(at))
        .map(|item| item.key)
}

fn copies_of<'a>(mailbox: &'a Mailbox, uid: &'a str, host: &'a str) -> impl Iterator<Item = &'a Item> {
    live_calendars(mailbox).filter(move |item| {
        let organizer = item.properties.get(field::ORGANIZER).and_then(address);
        item.kind == ItemKind::CalendarItem
            && item.properties.text(field::UID) == Some(uid)
            && organizer.is_some_and(|who| who == host)
    })
}

/// The organiser's own item of a meeting.
fn original_of(mailbox: &Mailbox, uid: &str) -> Option<ItemKey> {
    live_calendars(mailbox)
        .find(|item| is_own(item) && item.properties.text(field::UID) == Some(uid))
        .map(|item| item.key)
}

fn live_calendars(mailbox: &Mailbox) -> impl Iterator<Item = &Item> {
    let calendars = mailbox.folders.values().filter(|folder| folder.kind == FolderKind::Calendar);
    calendars.flat_map(|folder| mailbox.items_in(folder.key))
}

/// What the others answered is for the organiser to know.
fn without_answers(properties: &mut Properties) {
    for list in LISTS {
        for attendee in properties.get_mut(list).map(|l| l.children.as_mut_slice()).unwrap_or_default() {
            answered(attendee, "Unknown", None);
        }
    }
}

fn answered(attendee: &mut Element, response: &str, at: Option<Timestamp>) {
    attendee.children.retain(|c| c.name == "Mailbox");
    attendee.children.push(Element::of("ResponseType", response));
    attendee.children.extend(at.map(|at| Element::of("LastResponseTime", utc(at))));
}
