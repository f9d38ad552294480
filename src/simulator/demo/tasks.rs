//! Things to do.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

use super::words::{Dice, TITLES};
use crate::simulator::calendar::pattern::day_name;
use crate::simulator::element::Element;
use crate::simulator::field;
use crate::simulator::item::{FolderKey, ItemKind};
use crate::simulator::mailbox::{Mailbox, NewItem};

pub(super) fn task(
    mailbox: &mut Mailbox,
    folder: FolderKey,
    number: usize,
    dice: &mut Dice,
    today: Date,
    now: Timestamp,
) {
    let mut item = NewItem::new(ItemKind::Task);
    let p = &mut item.properties;
    p.set_text(field::SUBJECT, format!("{} (to do {number})", dice.of(&TITLES)));
    let due = today.saturating_add((dice.days(60) - 20).days());
    let midnight = |date: Date| format!("{date}T00:00:00Z");
    if !number.is_multiple_of(7) {
        p.set_text(field::DUE_DATE, midnight(due));
        p.set_text(field::START_DATE, midnight(due.saturating_sub(3.days())));
    }
    match number % 5 {
        0 => {
            p.set_text(field::STATUS, "Completed");
            p.set_text(field::PERCENT_COMPLETE, "100");
            p.set_text(field::COMPLETE_DATE, midnight(due.saturating_sub(1.day())));
        }
        1 => {
            p.set_text(field::STATUS, "InProgress");
            p.set_text(field::PERCENT_COMPLETE, "40");
        }
        2 => p.set_text(field::STATUS, "WaitingOnOthers"),
        _ => p.set_text(field::STATUS, "NotStarted"),
    }
    if number % 6 == 4 {
        p.set_flag(field::REMINDER_IS_SET, true);
        p.set_text(field::REMINDER_DUE_BY, format!("{due}T08:00:00Z"));
    }
    if number % 10 == 3 {
        let pattern = Element::new("WeeklyRecurrence")
            .push(Element::value("Interval", 1))
            .push(Element::of("DaysOfWeek", day_name(due.weekday())))
            .push(Element::of("FirstDayOfWeek", "Monday"));
        let range = Element::new("NoEndRecurrence").push(Element::of("StartDate", due.to_string()));
        p.set(field::TASK_RECURRENCE, Element::new("Recurrence").push(pattern).push(range));
    }
    mailbox.add_item(folder, item, now);
}
