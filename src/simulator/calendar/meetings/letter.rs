//! Mails about meetings, in the Inbox of whom they concern.

use jiff::Timestamp;

use super::Person;
use crate::simulator::calendar::series;
use crate::simulator::field;
use crate::simulator::ids::Named;
use crate::simulator::item::{ItemKey, ItemKind};
use crate::simulator::mailbox::{Mailbox, NewItem};
use crate::simulator::view::item_id;

/// What a mail about a meeting says.
#[derive(Clone, Copy)]
pub(super) enum Letter {
    Request(&'static str),
    Cancellation,
    Response(&'static str),
}

/// Puts a mail about a meeting of the mailbox into its Inbox.
pub(super) fn write_letter(
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
