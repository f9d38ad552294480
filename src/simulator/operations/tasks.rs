//! What Exchange does to tasks: their state, and the next turn of those that recur.

use crate::simulator::calendar::pattern::Rule;
use crate::simulator::calendar::write::instant;
use crate::simulator::element::Element;
use crate::simulator::field;
use crate::simulator::item::{ItemKey, ItemKind, Properties};
use crate::simulator::mailbox::{Mailbox, NewItem};
use crate::simulator::world::Refusal;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Status, PercentComplete and CompleteDate drive one another; the last one wins. MS-OXWSTASK 2.2.4.6
pub fn settle(properties: &mut Properties, touched: &[field::Field], now: Timestamp) -> Result<(), Refusal> {
    if touched.is_empty() || touched.contains(&field::COMPLETE_DATE) {
        let day = properties.text(field::COMPLETE_DATE).and_then(|text| instant(text, &TimeZone::UTC));
        if day.is_some_and(|day| day > now) {
            return Err(Refusal::property("ErrorInvalidCompleteDate", field::COMPLETE_DATE));
        }
    }
    let order: Vec<field::Field> = if touched.is_empty() {
        [field::COMPLETE_DATE, field::PERCENT_COMPLETE, field::STATUS]
            .into_iter()
            .filter(|f| properties.get(*f).is_some())
            .collect()
    } else {
        touched.to_vec()
    };
    for field in order {
        let percent = properties.number(field::PERCENT_COMPLETE).unwrap_or(0);
        match field {
            field::STATUS => match properties.text(field::STATUS) {
                Some("Completed") => complete(properties, now),
                Some("NotStarted") => {
                    properties.set_text(field::PERCENT_COMPLETE, "0");
                    properties.remove(field::COMPLETE_DATE);
                }
                _ => {
                    if percent == 100 {
                        properties.set_text(field::PERCENT_COMPLETE, "0");
                    }
                    properties.remove(field::COMPLETE_DATE);
                }
            },
            field::PERCENT_COMPLETE if percent == 100 => complete(properties, now),
            field::PERCENT_COMPLETE => {
                properties.remove(field::COMPLETE_DATE);
                let status = if percent == 0 { "NotStarted" } else { "InProgress" };
                let kept =
                    properties.text(field::STATUS).is_some_and(|s| s != "Completed" && s != "NotStarted");
                if !kept {
                    properties.set_text(field::STATUS, status);
                }
            }
            field::COMPLETE_DATE if properties.get(field::COMPLETE_DATE).is_some() => {
                complete(properties, now);
            }
            _ => {}
        }
    }
    Ok(())
}

fn complete(properties: &mut Properties, now: Timestamp) {
    properties.set_text(field::STATUS, "Completed");
    properties.set_text(field::PERCENT_COMPLETE, "100");
    if properties.get(field::COMPLETE_DATE).is_none() {
        let midnight = Timestamp::from_second(now.as_second() / 86_400 * 86_400).unwrap_or(now);
        properties.set_time(field::COMPLETE_DATE, midnight);
    }
}

/// A task that recurs and is completed becomes a finished copy, with all its named properties, and goes on to its next
/// turn, if there is one. Microsoft, "UpdateItem operation (task)"
pub fn go_on(mailbox: &mut Mailbox, key: ItemKey, now: Timestamp) {
    let Some(item) = mailbox.item(key).filter(|item| item.kind == ItemKind::Task) else { return };
    let Some(recurrence) = item.properties.get(field::TASK_RECURRENCE) else { return };
    if item.properties.text(field::STATUS) != Some("Completed") {
        return;
    }
    let day = |field| item.properties.text(field).and_then(|text| text.get(..10)?.parse::<Date>().ok());
    let completed = day(field::COMPLETE_DATE).unwrap_or_else(|| now.to_zoned(TimeZone::UTC).date());
    let Some(this) = day(field::START_DATE).or_else(|| day(field::DUE_DATE)) else { return };
    let Some(next) = next_turn(recurrence, this, completed) else { return };
    let rest = remaining(recurrence, next);
    let mut finished = NewItem::new(ItemKind::Task);
    finished.properties = item.properties.clone();
    finished.properties.remove(field::TASK_RECURRENCE);
    finished.extended = item.extended.clone();
    finished.attachments.clone_from(&item.attachments);
    let (folder, shift) = (item.folder, next - this);
    mailbox.add_item(folder, finished, now);
    mailbox.update_item(key, now, |item| {
        for field in [field::START_DATE, field::DUE_DATE] {
            let text = item.properties.text(field).map(str::to_owned);
            let moved = text.and_then(|text| {
                let (day, time) = text.split_at_checked(10)?;
                Some(format!("{}{time}", day.parse::<Date>().ok()?.checked_add(shift).ok()?))
            });
            if let Some(moved) = moved {
                item.properties.set_text(field, moved);
            }
        }
        item.properties.set_text(field::STATUS, "NotStarted");
        item.properties.set_text(field::PERCENT_COMPLETE, "0");
        item.properties.remove(field::COMPLETE_DATE);
        item.properties.set(field::TASK_RECURRENCE, rest);
    });
}

fn next_turn(recurrence: &Element, this: Date, completed: Date) -> Option<Date> {
    let pattern = recurrence.children.first()?;
    let interval =
        pattern.child_text("Interval").and_then(|text| text.trim().parse::<i32>().ok()).unwrap_or(1);
    let span = match pattern.name {
        "DailyRegeneration" => interval.days(),
        "WeeklyRegeneration" => interval.weeks(),
        "MonthlyRegeneration" => interval.months(),
        "YearlyRegeneration" => interval.years(),
        _ => return Rule::read(recurrence).ok()?.dates().find(|date| *date > this),
    };
    completed.checked_add(span).ok()
}

/// The range begins with the next turn; a number of turns is one less.
fn remaining(recurrence: &Element, next: Date) -> Element {
    let mut rest = recurrence.clone();
    if let Some(range) = rest.children.get_mut(1) {
        for part in &mut range.children {
            match part.name {
                "StartDate" => part.text = next.to_string(),
                "NumberOfOccurrences" => {
                    let left = part.text.trim().parse::<usize>().unwrap_or(1).saturating_sub(1);
                    part.text = left.max(1).to_string();
                }
                _ => {}
            }
        }
    }
    rest
}
