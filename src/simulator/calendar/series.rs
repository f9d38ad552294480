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

/// A time of an occurrence for those who reckon with the offset of the first one: wrong by an hour beyond a change of
/// clocks.
pub fn by_first_offset(item: &Item, at: Timestamp) -> Timestamp {
    let zone = zone_of(item);
    let Some(first) = item.properties.time(field::START) else { return at };
    let seconds = zone.to_offset(at).seconds() - zone.to_offset(first).seconds();
    at.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(at)
}

/// The rule of a series; `None` for a single item.
pub fn rule_of(item: &Item) -> Option<Rule> {
    Rule::read(item.properties.get(field::RECURRENCE)?).ok()
}

/// The occurrences in order, deleted ones included, each made when it is asked for; none for a single item.
pub fn each(item: &Item) -> impl Iterator<Item = Occurrence<'_>> {
    let times = item.properties.time(field::START).zip(item.properties.time(field::END));
    rule_of(item).zip(times).into_iter().flat_map(move |(rule, (start, end))| {
        let zone = zone_of(item);
        let (first, last) = (zone::local(start, &zone), zone::local(end, &zone));
        let length = end.duration_since(start);
        let days = last.date().since(first.date()).unwrap_or_default();
        let all_day = item.properties.flag(field::IS_ALL_DAY_EVENT);
        rule.dates().map(move |date| {
            let original = zone::instant(date.to_datetime(first.time()), &zone);
            let exception = item.exceptions.modified.get(&original);
            let plain = if all_day {
                zone::instant(date.checked_add(days).unwrap_or(date).to_datetime(last.time()), &zone)
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
    })
}

/// The occurrences whose rule puts them before an instant.
pub fn until(item: &Item, before: Timestamp) -> impl Iterator<Item = Occurrence<'_>> {
    each(item).take_while(move |occurrence| occurrence.original < before)
}

/// The occurrence that the rule puts at an instant.
pub fn at(item: &Item, original: Timestamp) -> Option<Occurrence<'_>> {
    each(item).take_while(|o| o.original <= original).find(|o| o.original == original)
}
