//! The organiser's side: what is written in one calendar comes into those of the people invited.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::letter::{Letter, write_letter};
use super::{Person, copy_of, invited, is_own, orphan_of, without_answers};
use crate::simulator::calendar::{occurrence, series};
use crate::simulator::field::{self, Field};
use crate::simulator::item::{Item, ItemKind, Properties, utc};
use crate::simulator::mailbox::{Mailbox, NewItem};
use crate::simulator::world::{Target, World};

/// What the organiser does not decide for the others.
const OWN: [Field; 6] = [
    field::CATEGORIES,
    field::REMINDER_IS_SET,
    field::REMINDER_MINUTES_BEFORE_START,
    field::LEGACY_FREE_BUSY_STATUS,
    field::MY_RESPONSE_TYPE,
    field::APPOINTMENT_REPLY_TIME,
];

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
    for who in members(world, told) {
        if let Some(guest) = world.mailbox_mut(&who).filter(|guest| guest.address != host.address) {
            match target.occurrence {
                None => deliver(guest, &host, &item, now),
                Some(at) => deliver_occurrence(guest, &host, &item, at, now),
            }
        }
    }
    for who in members(world, dropped) {
        if let Some(guest) = world.mailbox_mut(&who).filter(|guest| guest.address != host.address) {
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
    for who in members(world, all.iter().collect()) {
        if let Some(guest) = world.mailbox_mut(&who).filter(|guest| guest.address != host.address) {
            withdraw(guest, &host, &item, target.occurrence, now);
        }
    }
}

/// The addresses, each list in the place of its members: everybody with a mailbox is in every list of the directory.
fn members(world: &World, addresses: BTreeSet<&String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for address in addresses {
        if world.person(address).is_some_and(|person| person.is_list) {
            all.extend(world.mailboxes.iter().map(|mailbox| mailbox.address.clone()));
        } else if let Some(mailbox) = world.mailbox(address) {
            all.insert(mailbox.address.clone());
        }
    }
    all
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
