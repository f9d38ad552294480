//! Meetings: invitations and cancellations go from the organiser's mailbox to those of the people invited, answers
//! come back. Only mailboxes of this server get anything; mails to others are noted only. MS-OXWSMTGS 1.3, 3.1.4

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::{occurrence, series};
use crate::simulator::element::Element;
use crate::simulator::field::{self, Field};
use crate::simulator::ids::Named;
use crate::simulator::item::{Item, ItemKey, ItemKind, Properties, utc};
use crate::simulator::mailbox::{FolderKind, Mailbox, NewItem};
use crate::simulator::view::{View, item_id, mailbox_element};
use crate::simulator::world::{self, Refusal, Target, World};

/// Where people stand.
const LISTS: [Field; 3] = [field::REQUIRED_ATTENDEES, field::OPTIONAL_ATTENDEES, field::RESOURCES];

/// What the organiser does not decide for the others.
const OWN: [Field; 6] = [
    field::CATEGORIES,
    field::REMINDER_IS_SET,
    field::REMINDER_MINUTES_BEFORE_START,
    field::LEGACY_FREE_BUSY_STATUS,
    field::MY_RESPONSE_TYPE,
    field::APPOINTMENT_REPLY_TIME,
];

/// One way to answer an invitation.
#[derive(Debug)]
pub struct Answer {
    element: &'static str,
    response: &'static str,
    to_own_meeting: &'static str,
    to_cancelled: &'static str,
}

const ANSWERS: [Answer; 3] = [
    Answer {
        element: "AcceptItem",
        response: "Accept",
        to_own_meeting: "ErrorCalendarIsOrganizerForAccept",
        to_cancelled: "ErrorCalendarIsCancelledForAccept",
    },
    Answer {
        element: "TentativelyAcceptItem",
        response: "Tentative",
        to_own_meeting: "ErrorCalendarIsOrganizerForTentative",
        to_cancelled: "ErrorCalendarIsCancelledForTentative",
    },
    Answer {
        element: "DeclineItem",
        response: "Decline",
        to_own_meeting: "ErrorCalendarIsOrganizerForDecline",
        to_cancelled: "ErrorCalendarIsCancelledForDecline",
    },
];

/// What a mail about a meeting says.
#[derive(Clone, Copy)]
enum Letter {
    Request(&'static str),
    Cancellation,
    Response(&'static str),
}

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

/// Tells people of a meeting that was written; `before` are those who were invited until now.
/// `mode` is the `SendMeetingInvitations…` of the request.
pub fn announce(
    world: &mut World,
    caller: usize,
    target: Target,
    before: Option<&BTreeSet<String>>,
    mode: &str,
    now: Timestamp,
) {
    let Some(mailbox) = world.mailboxes.get_mut(caller) else { return };
    let Some(item) = mailbox.item(target.key).filter(|item| is_own(item)).cloned() else { return };
    if mode == "SendToNone" || item.kind != ItemKind::CalendarItem {
        return;
    }
    let host = Person::of(mailbox);
    let none = BTreeSet::new();
    let (was, is) = (before.unwrap_or(&none), invited(mailbox, target));
    let only_changed = mode.contains("Changed");
    let told: BTreeSet<&String> = is.iter().filter(|who| !only_changed || !was.contains(*who)).collect();
    let dropped: BTreeSet<&String> = was.difference(&is).collect();
    note(
        mailbox,
        if before.is_some() { "update" } else { "request" },
        &told,
        (&item, target.occurrence),
        mode,
    );
    note(mailbox, "cancellation", &dropped, (&item, target.occurrence), mode);
    for who in told.into_iter().filter(|who| **who != host.address) {
        if let Some(guest) = world.mailbox_mut(who) {
            match target.occurrence {
                None => deliver(guest, &host, &item, now),
                Some(at) => deliver_occurrence(guest, &host, &item, at, now),
            }
        }
    }
    for who in dropped.into_iter().filter(|who| **who != host.address) {
        if let Some(guest) = world.mailbox_mut(who) {
            withdraw(guest, &host, &item, target.occurrence, now);
        }
    }
}

/// Tells everybody that a meeting, or one occurrence of it, will not be held. The organiser's item stays as it is.
pub fn cancel(world: &mut World, caller: usize, target: Target, mode: &str, now: Timestamp) {
    let Some(mailbox) = world.mailboxes.get_mut(caller) else { return };
    let Some(item) = mailbox.item(target.key).filter(|item| is_own(item)).cloned() else { return };
    if mode == "SendToNone" || item.kind != ItemKind::CalendarItem {
        return;
    }
    let host = Person::of(mailbox);
    let all = invited(mailbox, target);
    note(mailbox, "cancellation", &all.iter().collect(), (&item, target.occurrence), mode);
    for who in all.iter().filter(|who| **who != host.address) {
        if let Some(guest) = world.mailbox_mut(who) {
            withdraw(guest, &host, &item, target.occurrence, now);
        }
    }
}

/// Notes a mail, for those who look into the mailbox from outside.
fn note(
    mailbox: &mut Mailbox,
    what: &str,
    to: &BTreeSet<&String>,
    (item, at): (&Item, Option<Timestamp>),
    mode: &str,
) {
    if !to.is_empty() {
        let uid = item.properties.text(field::UID);
        let (deleted, modified) = (item.exceptions.deleted.len(), item.exceptions.modified.len());
        mailbox.sends.push(json!({
            "what": what, "to": to, "uid": uid, "mode": mode, "occurrence": at.map(utc),
            "deleted": deleted, "modified": modified,
        }));
    }
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

/// Puts a meeting into a guest's calendar, tentatively until they answer, and the request into the Inbox.
fn deliver(guest: &mut Mailbox, host: &Person, item: &Item, now: Timestamp) {
    let uid = item.properties.text(field::UID).unwrap_or_default();
    let mut shared = item.properties.clone();
    for own in OWN {
        shared.remove(own);
    }
    shared.set(field::ORGANIZER, host.element("Organizer"));
    without_answers(&mut shared);
    let busy = item.properties.text(field::LEGACY_FREE_BUSY_STATUS).unwrap_or("Busy");
    shared.set_text(field::INTENDED_FREE_BUSY_STATUS, busy);
    let mut exceptions = item.exceptions.clone();
    for exception in exceptions.modified.values_mut() {
        without_answers(&mut exception.properties);
        // Files of single occurrences stay with the organiser; those of the meeting travel.
        exception.attachments = None;
    }
    let mut attachments = item.attachments.clone();
    let (key, letter) = match copy_of(guest, uid, &host.address) {
        Some(key) => {
            for attachment in &mut attachments {
                attachment.number = guest.next_number();
            }
            guest.update_item(key, now, |copy| {
                let times = [field::START, field::END, field::RECURRENCE];
                let moved = times.iter().any(|f| copy.properties.get(*f) != shared.get(*f));
                for own in OWN {
                    if let Some(kept) = copy.properties.get(own) {
                        shared.set(own, kept.clone());
                    }
                }
                if moved {
                    shared.set_text(field::MY_RESPONSE_TYPE, "NoResponseReceived");
                    shared.set_text(field::LEGACY_FREE_BUSY_STATUS, "Tentative");
                } else {
                    // An occurrence that the guest declined stays away.
                    exceptions.deleted.extend(&copy.exceptions.deleted);
                    exceptions.modified.retain(|at, _| !copy.exceptions.deleted.contains(at));
                }
                copy.properties = shared;
                copy.exceptions = exceptions;
                copy.attachments = attachments;
            });
            (key, Letter::Request("FullUpdate"))
        }
        None => {
            let Some(calendar) = guest.distinguished("calendar") else { return };
            shared.set_text(field::MY_RESPONSE_TYPE, "NoResponseReceived");
            shared.set_text(field::LEGACY_FREE_BUSY_STATUS, "Tentative");
            shared.set_flag(field::REMINDER_IS_SET, true);
            shared.set_text(field::REMINDER_MINUTES_BEFORE_START, "15");
            let mut new = NewItem::new(ItemKind::CalendarItem);
            new.properties = shared;
            new.exceptions = exceptions;
            new.attachments = attachments;
            (guest.add_item(calendar, new, now), Letter::Request("NewMeetingRequest"))
        }
    };
    write_letter(guest, host, letter, key, None, now);
}

/// Puts one occurrence into a guest's calendar: as an exception of the series that they have, else as an item of its
/// own, and the request into the Inbox.
fn deliver_occurrence(guest: &mut Mailbox, host: &Person, item: &Item, at: Timestamp, now: Timestamp) {
    let uid = item.properties.text(field::UID).unwrap_or_default();
    let Some(found) = series::at(item, at) else { return };
    let mut own = found.exception.cloned().unwrap_or_default();
    own.attachments = None;
    without_answers(&mut own.properties);
    own.properties.remove(field::MY_RESPONSE_TYPE);
    own.properties.set_time(field::START, found.start);
    own.properties.set_time(field::END, found.end);
    if let Some(key) = copy_of(guest, uid, &host.address) {
        guest.update_item(key, now, |copy| {
            let before = series::at(copy, at).map(|o| (o.start, o.end));
            if before != Some((found.start, found.end)) {
                own.properties.set_text(field::MY_RESPONSE_TYPE, "NoResponseReceived");
                own.properties.set_text(field::LEGACY_FREE_BUSY_STATUS, "Tentative");
                copy.exceptions.deleted.remove(&at);
            }
            if !copy.exceptions.deleted.contains(&at) {
                copy.exceptions.modified.insert(at, own);
            }
        });
        return write_letter(guest, host, Letter::Request("InformationalUpdate"), key, Some(at), now);
    }
    let mut shared = item.properties.clone();
    for (field, value) in own.properties.iter() {
        shared.set(field, value.clone());
    }
    for private in OWN.into_iter().chain([field::RECURRENCE]) {
        shared.remove(private);
    }
    without_answers(&mut shared);
    shared.set(field::ORGANIZER, host.element("Organizer"));
    shared.set_time(field::RECURRENCE_ID, at);
    shared.set_text(field::MY_RESPONSE_TYPE, "NoResponseReceived");
    shared.set_text(field::LEGACY_FREE_BUSY_STATUS, "Tentative");
    let (key, letter) = match orphan_of(guest, uid, &host.address, at) {
        Some(key) => {
            guest.update_item(key, now, |copy| copy.properties = shared);
            (key, Letter::Request("FullUpdate"))
        }
        None => {
            let Some(calendar) = guest.distinguished("calendar") else { return };
            let mut new = NewItem::new(ItemKind::CalendarItem);
            new.properties = shared;
            (guest.add_item(calendar, new, now), Letter::Request("NewMeetingRequest"))
        }
    };
    write_letter(guest, host, letter, key, None, now);
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

/// Marks a guest's copy as cancelled, and says so in the Inbox.
fn withdraw(guest: &mut Mailbox, host: &Person, item: &Item, at: Option<Timestamp>, now: Timestamp) {
    let uid = item.properties.text(field::UID).unwrap_or_default();
    let orphan = at.and_then(|at| orphan_of(guest, uid, &host.address, at));
    let at = at.filter(|_| orphan.is_none());
    let Some(key) = orphan.or_else(|| copy_of(guest, uid, &host.address)) else { return };
    let title = item.properties.text(field::SUBJECT).unwrap_or_default();
    let mark = |properties: &mut Properties| {
        properties.set_text(field::SUBJECT, format!("Canceled: {title}"));
        properties.set_flag(field::IS_CANCELLED, true);
        properties.set_text(field::LEGACY_FREE_BUSY_STATUS, "Free");
    };
    guest.update_item(key, now, |copy| match at {
        Some(at) if copy.exceptions.deleted.contains(&at) => {}
        Some(at) => {
            if let Some(exception) = occurrence::own(copy, at) {
                mark(&mut exception.properties);
            }
        }
        None => mark(&mut copy.properties),
    });
    write_letter(guest, host, Letter::Cancellation, key, at, now);
}

/// Puts a mail about a meeting of the mailbox into its Inbox.
fn write_letter(
    to: &mut Mailbox,
    from: &Person,
    letter: Letter,
    about: ItemKey,
    at: Option<Timestamp>,
    now: Timestamp,
) {
    let (Some(inbox), Some(item)) = (to.distinguished("inbox"), to.item(about)) else { return };
    let named = at.map_or(Named::Item(about), |at| Named::Occurrence(about, at));
    let id = item_id(to, named, item);
    let found = at.and_then(|at| series::at(item, at));
    let start = found.map_or_else(|| item.properties.time(field::START), |o| Some(o.start));
    let end = found.map_or_else(|| item.properties.time(field::END), |o| Some(o.end));
    let own_title = found.and_then(|o| o.exception).and_then(|e| e.properties.text(field::SUBJECT));
    let title = own_title.or(item.properties.text(field::SUBJECT)).unwrap_or_default();
    let (kind, title, response) = match letter {
        Letter::Request(_) => (ItemKind::MeetingRequest, title.to_owned(), "NoResponseReceived"),
        Letter::Cancellation => (ItemKind::MeetingCancellation, title.to_owned(), "Unknown"),
        Letter::Response(response) => {
            let word = match response {
                "Accept" => "Accepted",
                "Tentative" => "Tentative",
                _ => "Declined",
            };
            (ItemKind::MeetingResponse, format!("{word}: {title}"), response)
        }
    };
    let mut new = NewItem::new(kind);
    let p = &mut new.properties;
    p.set_text(field::SUBJECT, title);
    if let Letter::Response(response) = letter {
        let class = match response {
            "Accept" => "IPM.Schedule.Meeting.Resp.Pos",
            "Tentative" => "IPM.Schedule.Meeting.Resp.Tent",
            _ => "IPM.Schedule.Meeting.Resp.Neg",
        };
        p.set_text(field::ITEM_CLASS, class);
    }
    if let Letter::Request(kind) = letter {
        p.set_text(field::MEETING_REQUEST_TYPE, kind);
        if let Some(body) = item.properties.get(field::BODY) {
            p.set(field::BODY, body.clone());
        }
    }
    p.set(field::SENDER, from.element("Sender"));
    p.set(field::FROM, from.element("From"));
    let recipient = Person::of(to).element("ToRecipients");
    p.set(field::TO_RECIPIENTS, recipient);
    p.set_flag(field::IS_READ, false);
    p.set(field::ASSOCIATED_CALENDAR_ITEM_ID, id);
    p.set_flag(field::HAS_BEEN_PROCESSED, false);
    p.set_text(field::RESPONSE_TYPE, response);
    p.set_text(field::MEETING_UID, item.properties.text(field::UID).unwrap_or_default());
    if let Some(at) = at {
        p.set_time(field::MEETING_RECURRENCE_ID, at);
    }
    for (field, time) in [(field::MEETING_START, start), (field::MEETING_END, end)] {
        if let Some(time) = time {
            p.set_time(field, time);
        }
    }
    if let Some(place) = item.properties.text(field::LOCATION) {
        p.set_text(field::MEETING_LOCATION, place);
    }
    to.add_item(inbox, new, now);
}

/// The answer that an element of CreateItem is.
pub fn answer_of(element: &str) -> Option<&'static Answer> {
    ANSWERS.iter().find(|answer| answer.element == element)
}

/// Answers an invitation, named by the request or by the calendar item. MS-OXWSMTGS 3.1.4.2
pub fn respond(
    world: &mut World,
    caller: usize,
    answer: &Answer,
    element: &Element,
    disposition: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let disposition = disposition.ok_or_else(|| {
        Refusal::new("ErrorMessageDispositionRequired", "MessageDisposition attribute is required.")
    })?;
    let mailbox = world.mailboxes.get_mut(caller).ok_or_else(Refusal::not_found)?;
    let (target, request) = meant(mailbox, element)?;
    let item = mailbox.item(target.key).ok_or_else(Refusal::not_found)?;
    let Some(host) = item.properties.get(field::ORGANIZER).and_then(address) else {
        let text = format!(
            "{} action is invalid for this calendar item, since you are the organizer.",
            answer.element
        );
        return Err(Refusal::new(answer.to_own_meeting, text));
    };
    let view = View::of(mailbox, target).ok_or_else(Refusal::not_found)?;
    if view.text(field::IS_CANCELLED) == Some("true") {
        return Err(Refusal::new(answer.to_cancelled, "The meeting was cancelled."));
    }
    let uid = view.text(field::UID).unwrap_or_default().to_owned();
    let guest = Person::of(mailbox);
    if disposition != "SaveOnly" {
        let response = answer.response;
        let note =
            json!({"what": "response", "to": [&host], "uid": &uid, "mode": disposition, "answer": response});
        mailbox.sends.push(note);
    }
    settle(mailbox, target, answer.response, now);
    if let Some(request) = request {
        let bin = mailbox.distinguished("deleteditems").ok_or_else(Refusal::no_folder)?;
        mailbox.move_item(request, bin, now);
        // Answered by its request, the item in the calendar is a new one.
        if let Some(folder) = mailbox.item(target.key).map(|item| item.folder) {
            mailbox.move_item(target.key, folder, now);
        }
    }
    if disposition != "SaveOnly"
        && let Some(organizer) = world.mailbox_mut(&host)
        && let Some(key) = original_of(organizer, &uid)
    {
        note_answer(organizer, key, target.occurrence, &guest.address, answer.response, now);
        write_letter(organizer, &guest, Letter::Response(answer.response), key, target.occurrence, now);
    }
    Ok(())
}

/// The calendar item that a `ReferenceItemId` leads to, and the request if it is one.
fn meant(mailbox: &Mailbox, element: &Element) -> Result<(Target, Option<ItemKey>), Refusal> {
    let reference = element.child("ReferenceItemId").ok_or_else(Refusal::not_found)?;
    let target = world::target(mailbox, &Element { name: "ItemId", ..reference.clone() })?;
    let item = mailbox.item(target.key).ok_or_else(Refusal::not_found)?;
    match item.kind {
        ItemKind::CalendarItem => Ok((target, None)),
        ItemKind::MeetingRequest => {
            let uid = item.properties.text(field::MEETING_UID).unwrap_or_default();
            let host = item.properties.get(field::FROM).and_then(address).unwrap_or_default();
            let key = copy_of(mailbox, uid, &host).ok_or_else(Refusal::not_found)?;
            let occurrence = item.properties.time(field::MEETING_RECURRENCE_ID);
            Ok((Target { key, occurrence }, Some(target.key)))
        }
        _ => Err(Refusal::new("ErrorInvalidItemForOperationAcceptItem", "The item is no invitation.")),
    }
}

/// Writes an answer down in the guest's own calendar.
fn settle(mailbox: &mut Mailbox, target: Target, response: &str, now: Timestamp) {
    let write = |properties: &mut Properties, intended: &str| {
        properties.set_text(field::MY_RESPONSE_TYPE, response);
        properties.set_time(field::APPOINTMENT_REPLY_TIME, now);
        let busy = if response == "Accept" { intended } else { "Tentative" };
        properties.set_text(field::LEGACY_FREE_BUSY_STATUS, busy);
    };
    match (response, target.occurrence) {
        ("Decline", None) => {
            if let Some(bin) = mailbox.distinguished("deleteditems") {
                mailbox.move_item(target.key, bin, now);
            }
        }
        (_, occurrence) => {
            mailbox.update_item(target.key, now, |item| {
                let intended = item.properties.text(field::INTENDED_FREE_BUSY_STATUS);
                let intended = intended.unwrap_or("Busy").to_owned();
                match occurrence {
                    None => write(&mut item.properties, &intended),
                    Some(at) if response == "Decline" => occurrence::delete(item, at),
                    Some(at) => {
                        if let Some(exception) = occurrence::own(item, at) {
                            write(&mut exception.properties, &intended);
                        }
                    }
                }
            });
        }
    }
}

/// Writes an answer down in the organiser's calendar.
fn note_answer(
    organizer: &mut Mailbox,
    key: ItemKey,
    at: Option<Timestamp>,
    guest: &str,
    response: &str,
    now: Timestamp,
) {
    let write = |properties: &mut Properties| {
        for list in LISTS {
            for attendee in properties.get_mut(list).map(|l| l.children.as_mut_slice()).unwrap_or_default() {
                if address(attendee).as_deref() == Some(guest) {
                    answered(attendee, response, Some(now));
                }
            }
        }
    };
    organizer.update_item(key, now, |item| match at {
        None => write(&mut item.properties),
        Some(at) => {
            let inherited: Vec<(Field, Element)> =
                LISTS.iter().filter_map(|list| Some((*list, item.properties.get(*list)?.clone()))).collect();
            if let Some(exception) = occurrence::own(item, at) {
                for (list, people) in inherited {
                    if exception.properties.get(list).is_none() {
                        exception.properties.set(list, people);
                    }
                }
                write(&mut exception.properties);
            }
        }
    });
}
