//! Series: where occurrences fall, and how one is addressed.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{pattern::Rule, zone};
use crate::simulator::field;
use crate::simulator::item::{Exception, Item};

/// One occurrence of a series.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence<'a> {
    /// Where the rule puts it.
    pub original: Timestamp,
    /// Where it is.
    pub start: Timestamp,
    /// Where it ends.
    pub end: Timestamp,
    /// What it has of its own.
    pub exception: Option<&'a Exception>,
    /// It was deleted.
    pub deleted: bool,
}

/// The zone in which a calendar item repeats.
pub fn zone_of(item: &Item) -> TimeZone {
    let element = item.properties.get(field::START_TIME_ZONE);
    element.and_then(zone::of_element).unwrap_or(TimeZone::UTC)
}

/// The rule of a series; `None` for a single item.
pub fn rule_of(item: &Item) -> Option<Rule> {
    Rule::read(item.properties.get(field::RECURRENCE)?).ok()
}

/// All occurrences in order, deleted ones included; none for a single item.
pub fn occurrences(item: &Item) -> Vec<Occurrence<'_>> {
    until(item, None)
}

/// The occurrences whose rule puts them before an instant.
pub fn until(item: &Item, before: Option<Timestamp>) -> Vec<Occurrence<'_>> {
    let (Some(rule), Some(start), Some(end)) =
        (rule_of(item), item.properties.time(field::START), item.properties.time(field::END))
    else {
        return Vec::new();
    };
    let zone = zone_of(item);
    let time = zone::local(start, &zone).time();
    let length = end.duration_since(start);
    let all_day = item.properties.flag(field::IS_ALL_DAY_EVENT);
    let days = zone::local(end, &zone).date().since(zone::local(start, &zone).date()).unwrap_or_default();
    rule.dates()
        .map(|date| {
            let original = zone::instant(date.to_datetime(time), &zone);
            let exception = item.exceptions.modified.get(&original);
            let plain = if all_day {
                zone::instant(date.checked_add(days).unwrap_or(date).to_datetime(time), &zone)
            } else {
                original.checked_add(length).unwrap_or(original)
            };
            let own = |wanted| exception.and_then(|e| e.properties.time(wanted));
            Occurrence {
                original,
                start: own(field::START).unwrap_or(original),
                end: own(field::END).unwrap_or(plain),
                exception,
                deleted: item.exceptions.deleted.contains(&original),
            }
        })
        .take_while(|occurrence| before.is_none_or(|before| occurrence.original < before))
        .collect()
}

/// The occurrence that the rule puts at an instant.
pub fn at(item: &Item, original: Timestamp) -> Option<Occurrence<'_>> {
    let after = original.checked_add(SignedDuration::from_secs(1)).ok();
    until(item, after).into_iter().find(|occurrence| occurrence.original == original)
}
