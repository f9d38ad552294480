//! Items: reading, making, changing, deleting, moving.

use super::{Call, Messages, listed, tasks};
use crate::simulator::calendar::{meetings, occurrence, write};
use crate::simulator::edit::{self, Draft};
use crate::simulator::element::Element;
use crate::simulator::field;
use crate::simulator::item::{Item, ItemKey, ItemKind, Properties};
use crate::simulator::mailbox::{FolderKind, Mailbox, NewItem};
use crate::simulator::permissions::{self, Deed};
use crate::simulator::product::Traits;
use crate::simulator::shape::Shape;
use crate::simulator::soap::Fault;
use crate::simulator::view::View;
use crate::simulator::world::{self, Refusal, Target, World};
use jiff::Timestamp;
use std::collections::BTreeSet;

fn in_list(item: Element) -> Vec<Element> {
    vec![Element::message("Items").push(item)]
}

/// MS-OXWSCORE 3.1.4.4
pub fn get(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let Some(mailbox) = call.world.mailboxes.get(call.caller) else { return Ok(Vec::new()) };
    let zone = call.zone.as_ref().map(|(_, zone)| zone);
    let shape = call.request.child("ItemShape");
    let one = |id: &Element| {
        let shape = Shape::read(shape.ok_or_else(Refusal::not_found)?)?;
        let target = world::target(mailbox, id)?;
        let view = View::of(mailbox, target).ok_or_else(Refusal::not_found)?;
        Ok(in_list(shape.write(&view, zone, false)?))
    };
    Ok(listed(call.request, "ItemIds").iter().map(one).collect())
}

fn id_only(mailbox: &Mailbox, target: Target) -> Result<Element, Refusal> {
    let view = View::of(mailbox, target).ok_or_else(Refusal::not_found)?;
    Ok(Element::new(view.item.kind.element()).push(view.id()))
}

/// MS-OXWSCORE 3.1.4.2
pub fn create(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let items = listed(call.request, "Items");
    let send = call.request.attribute("SendMeetingInvitations");
    if send.is_none() && items.iter().any(|i| i.name == "CalendarItem") {
        let refusal = Refusal::new(
            "ErrorSendMeetingInvitationsRequired",
            "SendMeetingInvitations attribute is required for creating a calendar item.",
        );
        return Ok(items.iter().map(|_| Err(refusal.clone())).collect());
    }
    let (now, context) = (call.now, call.zone.clone());
    let saved = call.request.child("SavedItemFolderId").and_then(|f| f.children.first());
    let disposition = call.request.attribute("MessageDisposition");
    let mode = send.unwrap_or("SendToNone");
    let mut messages = Messages::new();
    for new in items {
        if let Some(answer) = meetings::answer_of(new.name) {
            let outcome = meetings::respond(call.world, call.caller, answer, new, disposition, now);
            messages.push(outcome.map(|()| vec![Element::message("Items")]));
            continue;
        }
        if new.name == "CancelCalendarItem" {
            messages.push(call_off(call, new));
            continue;
        }
        let Some(mailbox) = call.world.mailboxes.get_mut(call.caller) else { return Ok(Vec::new()) };
        let made = create_one(mailbox, saved, new, context.as_ref(), now, mode);
        if let Ok(key) = &made {
            let target = Target { key: *key, occurrence: None };
            meetings::announce(call.world, call.caller, target, None, mode, now);
        }
        let Some(mailbox) = call.world.mailboxes.get(call.caller) else { return Ok(Vec::new()) };
        let shown = made.and_then(|key| id_only(mailbox, Target { key, occurrence: None }));
        messages.push(shown.map(in_list));
    }
    Ok(messages)
}

/// The organiser calls a meeting off: everybody is told, the item goes to Deleted Items. MS-OXWSMTGS 3.1.4.2
fn call_off(call: &mut Call<'_>, element: &Element) -> Result<Vec<Element>, Refusal> {
    let reference = element.child("ReferenceItemId").ok_or_else(Refusal::not_found)?;
    let id = Element { name: "ItemId", ..reference.clone() };
    let mailbox = call.world.mailboxes.get(call.caller).ok_or_else(Refusal::not_found)?;
    let target = world::target(mailbox, &id)?;
    let view = View::of(mailbox, target).ok_or_else(Refusal::not_found)?;
    if view.item.kind != ItemKind::CalendarItem || view.stored(field::ORGANIZER).is_some() {
        return Err(Refusal::new(
            "ErrorCalendarIsNotOrganizer",
            "You must be the organizer of the meeting to cancel it.",
        ));
    }
    meetings::cancel(call.world, call.caller, target, "SendToAllAndSaveCopy", call.now);
    let mailbox = call.world.mailboxes.get_mut(call.caller).ok_or_else(Refusal::not_found)?;
    remove(mailbox, target, "MoveToDeletedItems", call.now)?;
    Ok(vec![Element::message("Items")])
}

fn create_one(
    mailbox: &mut Mailbox,
    saved: Option<&Element>,
    new: &Element,
    context: Option<&(String, jiff::tz::TimeZone)>,
    now: Timestamp,
    send: &str,
) -> Result<ItemKey, Refusal> {
    let kind = ItemKind::of_element(new.name)
        .filter(|kind| !kind.is_about_meeting())
        .ok_or_else(|| Refusal::new("ErrorInvalidRequest", "This kind of item cannot be created here."))?;
    let own = match kind {
        ItemKind::CalendarItem => "calendar",
        ItemKind::Contact | ItemKind::DistributionList => "contacts",
        ItemKind::Task => "tasks",
        _ => "drafts",
    };
    let folder = match saved {
        Some(id) => world::folder(mailbox, id)?,
        None => mailbox.distinguished(own).ok_or_else(Refusal::no_folder)?,
    };
    fits(mailbox, folder, kind)?;
    permissions::allowed(mailbox, folder, Deed::Create)?;
    let mut item = NewItem::new(kind);
    edit::take(kind, new, &mut item.properties, &mut item.extended, mailbox.product.traits())?;
    if let Some(mime) = new.child("MimeContent") {
        if kind != ItemKind::CalendarItem && kind != ItemKind::Message {
            return Err(Refusal::new(
                "ErrorUnsupportedMimeConversion",
                "The MIME content cannot be converted to an item of this type.",
            ));
        }
        if kind == ItemKind::CalendarItem {
            crate::simulator::mime::take(mime, &mut item.properties)?;
        }
    }
    if kind == ItemKind::CalendarItem {
        let traits = mailbox.product.traits();
        write::settle_times(&mut item.properties, context.map(|(_, zone)| zone))?;
        settle_end_zone(&mut item.properties, traits);
        let unique = mailbox.next_unique();
        write::created(&mut item.properties, context.map(|(id, _)| id.as_str()), now, unique)?;
    } else {
        write::settle_times(&mut item.properties, context.map(|(_, zone)| zone))?;
    }
    if kind == ItemKind::Task {
        tasks::settle(&mut item.properties, &[], now)?;
    }
    let mut wanted = Vec::new();
    for attachment in listed(new, "Attachments") {
        wanted.push(super::attachments::read(attachment, now)?);
    }
    item.attachments = wanted;
    if send != "SendToNone" && item.properties.get(field::REQUIRED_ATTENDEES).is_some() {
        item.properties.set_flag(field::MEETING_REQUEST_WAS_SENT, true);
    }
    Ok(mailbox.add_item(folder, item, now))
}

/// An item ends in the zone in which it begins, where the product knows no other. Seen: gromox 3.10
fn settle_end_zone(properties: &mut Properties, traits: &Traits) {
    if let Some(zone) = properties.get(field::START_TIME_ZONE).cloned().filter(|_| !traits.has_end_zones) {
        properties.set(field::END_TIME_ZONE, zone);
    }
}

fn fits(mailbox: &Mailbox, folder: crate::simulator::item::FolderKey, kind: ItemKind) -> Result<(), Refusal> {
    let there = mailbox.folders.get(&folder).ok_or_else(Refusal::no_folder)?.kind;
    let calendar = there == FolderKind::Calendar;
    match kind {
        ItemKind::CalendarItem if !calendar => Err(Refusal::new(
            "ErrorCannotCreateCalendarItemInNonCalendarFolder",
            "Cannot create a calendar item in a folder that is not a calendar folder.",
        )),
        ItemKind::Contact | ItemKind::DistributionList if there != FolderKind::Contacts => Err(Refusal::new(
            "ErrorCannotCreateContactInNonContactFolder",
            "Cannot create a contact in a folder that is not a contacts folder.",
        )),
        ItemKind::Task if there != FolderKind::Tasks => Err(Refusal::new(
            "ErrorCannotCreateTaskInNonTaskFolder",
            "Cannot create a task in a folder that is not a tasks folder.",
        )),
        _ => Ok(()),
    }
}

/// MS-OXWSCORE 3.1.4.9
pub fn update(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let changes = listed(call.request, "ItemChanges");
    let send = call.request.attribute("SendMeetingInvitationsOrCancellations");
    let resolution = call.request.attribute("ConflictResolution").unwrap_or("AutoResolve");
    let (now, zone) = (call.now, call.zone.as_ref().map(|(_, zone)| zone.clone()));
    let mut messages = Messages::new();
    for change in changes {
        let Some(mailbox) = call.world.mailboxes.get_mut(call.caller) else { return Ok(Vec::new()) };
        let written = update_one(mailbox, change, resolution, send, zone.as_ref(), now);
        if let Ok((target, before)) = &written {
            let mode = send.unwrap_or("SendToNone");
            meetings::announce(call.world, call.caller, *target, Some(before), mode, now);
        }
        let Some(mailbox) = call.world.mailboxes.get(call.caller) else { return Ok(Vec::new()) };
        messages.push(written.and_then(|(target, _)| {
            let mut answer = in_list(id_only(mailbox, target)?);
            answer.push(Element::message("ConflictResults").push(Element::value("Count", 0)));
            Ok(answer)
        }));
    }
    Ok(messages)
}

fn update_one(
    mailbox: &mut Mailbox,
    change: &Element,
    resolution: &str,
    send: Option<&str>,
    zone: Option<&jiff::tz::TimeZone>,
    now: Timestamp,
) -> Result<(Target, BTreeSet<String>), Refusal> {
    let id = change.children.first().ok_or_else(Refusal::not_found)?;
    let target = world::target(mailbox, id)?;
    let item = mailbox.item(target.key).ok_or_else(Refusal::not_found)?;
    permissions::allowed(mailbox, item.folder, Deed::Change(item))?;
    if item.kind == ItemKind::CalendarItem && send.is_none() {
        return Err(Refusal::new(
            "ErrorSendMeetingInvitationsOrCancellationsRequired",
            "SendMeetingInvitationsOrCancellations attribute is required for updating a calendar item.",
        ));
    }
    let traits = mailbox.product.traits();
    if traits.judges_versions
        && id.name == "ItemId"
        && (resolution != "AlwaysOverwrite" || id.attribute("ChangeKey").is_none())
    {
        match world::current(item, id) {
            Err(refusal) if resolution == "AutoResolve" && refusal.code == "ErrorIrresolvableConflict" => {}
            outcome => outcome?,
        }
    }
    let updates = change.child("Updates").ok_or_else(Refusal::not_found)?;
    let before = meetings::invited(mailbox, target);
    let was_done = item.properties.text(field::STATUS) == Some("Completed");
    // Everything is tried on a copy: a refused update leaves nothing behind.
    let mut copy = item.clone();
    match target.occurrence {
        Some(start) => {
            let is_again = copy.exceptions.modified.contains_key(&start);
            occurrence::update(&mut copy, start, updates, zone, traits)?;
            if is_again && !traits.keeps_deleted {
                copy.exceptions.deleted.clear();
            }
        }
        None => {
            let mut draft = Draft {
                kind: copy.kind,
                properties: &mut copy.properties,
                extended: &mut copy.extended,
                removed: None,
            };
            let touched = edit::update(&mut draft, updates, traits)?;
            write::settle_times(&mut copy.properties, zone)?;
            if copy.kind == ItemKind::CalendarItem {
                settle_end_zone(&mut copy.properties, traits);
                write::updated(&mut copy, &touched, &item.properties)?;
                if touched.contains(&field::RECURRENCE) && !traits.rewrites_rules {
                    // Seen: gromox 3.10
                    copy.exceptions = item.exceptions.clone();
                    let end = copy.properties.time(field::START);
                    let end = end.and_then(|at| at.checked_add(jiff::SignedDuration::from_hours(24)).ok());
                    if let Some(end) = end {
                        copy.properties.set_time(field::END, end);
                    }
                }
            }
            if copy.kind == ItemKind::Task {
                tasks::settle(&mut copy.properties, &touched, now)?;
            }
        }
    }
    let stored = |item: &mut Item| {
        item.properties = copy.properties;
        item.extended = copy.extended;
        item.exceptions = copy.exceptions;
        if send.is_some_and(|mode| mode != "SendToNone")
            && item.properties.get(field::REQUIRED_ATTENDEES).is_some()
        {
            item.properties.set_flag(field::MEETING_REQUEST_WAS_SENT, true);
        }
    };
    match target.occurrence {
        Some(_) => mailbox.update_occurrence(target.key, now, stored),
        None => mailbox.update_item(target.key, now, stored),
    };
    if !was_done {
        tasks::go_on(mailbox, target.key, now);
    }
    Ok((target, before))
}

/// MS-OXWSCORE 3.1.4.3
pub fn delete(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let request = call.request;
    let kind = request.attribute("DeleteType").unwrap_or("HardDelete");
    let now = call.now;
    let mut messages = Messages::new();
    for id in listed(request, "ItemIds") {
        messages.push(delete_one(call.world, call.caller, request, id, kind, now));
    }
    Ok(messages)
}

fn delete_one(
    world: &mut World,
    caller: usize,
    request: &Element,
    id: &Element,
    kind: &str,
    now: Timestamp,
) -> Result<Vec<Element>, Refusal> {
    let mailbox = world.mailboxes.get(caller).ok_or_else(Refusal::not_found)?;
    let target = world::target(mailbox, id)?;
    let item = mailbox.item(target.key).ok_or_else(Refusal::not_found)?;
    permissions::allowed(mailbox, item.folder, Deed::Remove(item))?;
    let send = request.attribute("SendMeetingCancellations");
    if item.kind == ItemKind::CalendarItem && send.is_none() {
        return Err(Refusal::new(
            "ErrorSendMeetingCancellationsRequired",
            "SendMeetingCancellations attribute is required for deleting a calendar item.",
        ));
    }
    if item.kind == ItemKind::Task && request.attribute("AffectedTaskOccurrences").is_none() {
        return Err(Refusal::new(
            "ErrorAffectedTaskOccurrencesRequired",
            "AffectedTaskOccurrences attribute must be specified for Task items.",
        ));
    }
    meetings::cancel(world, caller, target, send.unwrap_or("SendToNone"), now);
    let mailbox = world.mailboxes.get_mut(caller).ok_or_else(Refusal::not_found)?;
    remove(mailbox, target, kind, now)
}

fn remove(
    mailbox: &mut Mailbox,
    target: Target,
    kind: &str,
    now: Timestamp,
) -> Result<Vec<Element>, Refusal> {
    if let Some(start) = target.occurrence {
        mailbox.update_occurrence(target.key, now, |item| occurrence::delete(item, start));
        return Ok(Vec::new());
    }
    let bin = mailbox.distinguished("deleteditems").ok_or_else(Refusal::no_folder)?;
    match kind {
        "MoveToDeletedItems" => {
            mailbox.move_item(target.key, bin, now);
        }
        "SoftDelete" => {
            let dumpster =
                mailbox.distinguished("recoverableitemsdeletions").ok_or_else(Refusal::no_folder)?;
            mailbox.move_item(target.key, dumpster, now);
        }
        _ => {
            mailbox.remove_item(target.key, now);
        }
    }
    Ok(Vec::new())
}

/// MoveItem and CopyItem. MS-OXWSCORE 3.1.4.1, 3.1.4.7
pub fn relocate(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let request = call.request;
    let now = call.now;
    let moves = request.name == "MoveItem";
    let Some(mailbox) = call.world.mailboxes.get_mut(call.caller) else { return Ok(Vec::new()) };
    let to = request.child("ToFolderId").and_then(|f| f.children.first());
    let mut messages = Messages::new();
    for id in listed(request, "ItemIds") {
        messages.push(relocate_one(mailbox, to, id, moves, now));
    }
    Ok(messages)
}

fn relocate_one(
    mailbox: &mut Mailbox,
    to: Option<&Element>,
    id: &Element,
    moves: bool,
    now: Timestamp,
) -> Result<Vec<Element>, Refusal> {
    let folder = world::folder(mailbox, to.ok_or_else(Refusal::no_folder)?)?;
    let target = world::target(mailbox, id)?;
    if target.occurrence.is_some() {
        return Err(Refusal::new(
            "ErrorCalendarCannotMoveOrCopyOccurrence",
            "Occurrences cannot be moved or copied.",
        ));
    }
    permissions::allowed(mailbox, folder, Deed::Create)?;
    let key = if moves {
        let item = mailbox.item(target.key).ok_or_else(Refusal::not_found)?;
        permissions::allowed(mailbox, item.folder, Deed::Remove(item))?;
        mailbox.move_item(target.key, folder, now)
    } else {
        mailbox.copy_item(target.key, folder, now)
    };
    Ok(in_list(id_only(mailbox, Target { key: key.ok_or_else(Refusal::not_found)?, occurrence: None })?))
}
