//! Plans within what an upstream as a whole can do: what it cannot is done otherwise, or refused before the first call.

use super::{NotifyStep, Plan};
use crate::model::capabilities::Capabilities;
use crate::model::item::{Field, Item, ItemClass, Notify};
use crate::model::refusal::{Reason, Refusal};

/// Who may come to an event.
const GUESTS: [Field; 3] = [Field::Required, Field::Optional, Field::Resources];

/// The same plan for an upstream that can do this. `before`: the item that is changed.
pub(super) fn within(mut plan: Plan, can: &Capabilities, before: Option<&Item>) -> Result<Plan, Refusal> {
    if plan.class == ItemClass::Task && !can.keeps_text_of_tasks {
        plan.text = None;
    }
    if plan.class == ItemClass::CalendarItem && !can.keeps_uids && before.is_none() {
        // The text is kept for a UID that is known only when the event is there.
        plan.is_certain = false;
    }
    if plan.class == ItemClass::CalendarItem && !can.writes_silently {
        return in_one_mail(plan, before);
    }
    Ok(plan)
}

/// Whether an event is a meeting to which its owner invites somebody.
pub fn has_guests(item: &Item) -> bool {
    let is_own = item.filled(Field::OwnResponse).is_none_or(|own| own == "Organizer");
    is_own && GUESTS.iter().any(|field| !item.attendees(*field).is_empty())
}

/// For an upstream that tells the guests of each write to their meeting: exactly one write has guests, and it is the last
/// one. What would tell them more than once, or against the client's will, is refused.
fn in_one_mail(mut plan: Plan, before: Option<&Item>) -> Result<Plan, Refusal> {
    let had_guests = before.is_some_and(has_guests);
    let nameless = before.map(|item| item.id.clone()).unwrap_or_default();
    let has_some = has_guests(&Item::predicted(plan.class, before, nameless, &plan.changes));
    if plan.calls_off || plan.reply.is_some() || !(had_guests || has_some) {
        return Ok(plan);
    }
    let refuse = |text: &str| Err(Refusal::of_part(Reason::OrganizerChange, "ATTENDEE", text));
    if plan.telling == NotifyStep::Never {
        return refuse(
            "this server mails the guests whatever is written to their meeting: it cannot be done in silence",
        );
    }
    if !had_guests {
        plan.telling = NotifyStep::Last(Notify::All);
        return Ok(plan);
    }
    plan.is_one_call = true;
    if plan.is_plain() && before.is_none_or(|before| before.modified_occurrences().is_empty()) {
        return Ok(plan);
    }
    refuse("this server would mail the guests once for each part of this change: change less at once")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::convert::Context;
    use crate::convert::Related;
    use crate::convert::write::{self, Current, NotifyPolicy};
    use crate::model::collection::CollectionKind;
    use crate::model::item::ItemRef;

    const MAILS_ALWAYS: Capabilities = Capabilities { writes_silently: false, ..Capabilities::ALL };

    fn event(more: &str) -> bytes::Bytes {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20270101T000000Z\r\n\
             DTSTART:20270601T090000Z\r\nDTEND:20270601T100000Z\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        .into()
    }

    const GUEST: &str = "ORGANIZER:mailto:me@example.com\r\nATTENDEE:mailto:you@example.com\r\n";

    fn plan(
        capabilities: Capabilities,
        more: &str,
        before: Option<&Item>,
        audience: NotifyPolicy,
    ) -> Result<Plan, Refusal> {
        let context = Context { capabilities, ..Context::of("me@example.com") };
        let related = Related::default();
        let current = before.map(|item| Current { item, related: &related });
        write::plan(&context, CollectionKind::Calendar, "u.ics", &event(more), current, audience)
    }

    fn stored(more: &str) -> Item {
        let plan = plan(Capabilities::ALL, more, None, NotifyPolicy::Concerned).unwrap();
        let id = ItemRef { id: "i".to_owned(), version: "v".to_owned() };
        let before = Item::predicted(plan.class, None, id.clone(), &plan.outcome);
        let keep = plan.keep(&before, &[]);
        Item::predicted(plan.class, Some(&before), id, &keep)
    }

    #[test]
    fn guests_of_a_new_meeting_come_with_its_last_call() {
        let plan = plan(MAILS_ALWAYS, GUEST, None, NotifyPolicy::Concerned).unwrap();
        assert_eq!(plan.telling, NotifyStep::Last(Notify::All));
        assert!(!plan.is_plain());
    }

    #[test]
    fn what_cannot_be_done_in_silence_is_refused_and_nothing_else() {
        assert!(plan(MAILS_ALWAYS, GUEST, None, NotifyPolicy::Nobody).is_err());
        assert!(plan(MAILS_ALWAYS, "SUMMARY:mine\r\n", None, NotifyPolicy::Nobody).unwrap().is_plain());
        let meeting = stored(&format!("SUMMARY:a\r\n{GUEST}"));
        assert!(
            plan(MAILS_ALWAYS, &format!("SUMMARY:b\r\n{GUEST}"), Some(&meeting), NotifyPolicy::Nobody)
                .is_err()
        );
        let told =
            plan(MAILS_ALWAYS, &format!("SUMMARY:b\r\n{GUEST}"), Some(&meeting), NotifyPolicy::Concerned)
                .unwrap();
        assert!(told.is_plain() && told.telling.first() != Notify::Nobody);
        assert!(
            plan(Capabilities::ALL, &format!("SUMMARY:b\r\n{GUEST}"), Some(&meeting), NotifyPolicy::Nobody)
                .is_ok()
        );
    }

    #[test]
    fn the_text_waits_for_the_uid_where_the_upstream_makes_its_own() {
        let own_uids = Capabilities { keeps_uids: false, ..Capabilities::ALL };
        assert!(!plan(own_uids, "", None, NotifyPolicy::Concerned).unwrap().is_plain());
        assert!(
            plan(own_uids, "SUMMARY:b\r\n", Some(&stored("")), NotifyPolicy::Concerned).unwrap().is_plain()
        );
    }
}
