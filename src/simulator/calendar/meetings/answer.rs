//! The guests' side: answers to invitations, and what becomes of them in both calendars. MS-OXWSMTGS 3.1.4.2

use jiff::Timestamp;
use serde_json::json;

use super::letter::{Letter, write_letter};
use super::{LISTS, Person, address, answered, copy_of, original_of};
use crate::simulator::calendar::occurrence;
use crate::simulator::element::Element;
use crate::simulator::field::{self, Field};
use crate::simulator::item::{ItemKey, ItemKind, Properties};
use crate::simulator::mailbox::Mailbox;
use crate::simulator::view::View;
use crate::simulator::world::{self, Refusal, Target, World};

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
        ("Decline", None) if mailbox.product.traits().removes_declined => {
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
                if address(attendee)
                    .is_some_and(|invited| invited.strip_prefix("alias-").unwrap_or(&invited) == guest)
                {
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
