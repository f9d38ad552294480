//! Series: where occurrences fall, and how one is addressed.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

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

/// What all occurrences of a series are reckoned from.
struct Reckoning {
    rule: Rule,
    zone: TimeZone,
    first: DateTime,
    last: DateTime,
    length: SignedDuration,
    days: Span,
    all_day: bool,
}

impl Reckoning {
    fn of(item: &Item) -> Option<Self> {
        let (start, end) = item.properties.time(field::START).zip(item.properties.time(field::END))?;
        let zone = zone_of(item);
        let (first, last) = (zone::local(start, &zone), zone::local(end, &zone));
        Some(Self {
            rule: rule_of(item)?,
            first,
            last,
            length: end.duration_since(start),
            days: last.date().since(first.date()).unwrap_or_default(),
            all_day: item.properties.flag(field::IS_ALL_DAY_EVENT),
            zone,
        })
    }

    /// Where the rule puts the occurrence of a day.
    fn original(&self, date: Date) -> Timestamp {
        zone::instant(date.to_datetime(self.first.time()), &self.zone)
    }

    /// The occurrence of a day.
    fn occurrence<'a>(&self, item: &'a Item, date: Date) -> Occurrence<'a> {
        let original = self.original(date);
        let exception = item.exceptions.modified.get(&original);
        let plain = if self.all_day {
            let date = date.checked_add(self.days).unwrap_or(date);
            zone::instant(date.to_datetime(self.last.time()), &self.zone)
        } else {
            original.checked_add(self.length).unwrap_or(original)
        };
        let own = |wanted| exception.and_then(|e| e.properties.time(wanted));
        Occurrence {
            original,
            start: own(field::START).unwrap_or(original),
            end: own(field::END).unwrap_or(plain),
            exception,
            deleted: item.exceptions.deleted.contains(&original),
        }
    }
}

/// The occurrences in order, deleted ones included, each made when it is asked for; none for a single item.
pub fn each(item: &Item) -> impl Iterator<Item = Occurrence<'_>> {
    Reckoning::of(item).into_iter().flat_map(move |reckoning| {
        let dates = reckoning.rule.dates();
        dates.map(move |date| reckoning.occurrence(item, date))
    })
}

/// The occurrences whose rule puts them before an instant.
pub fn until(item: &Item, before: Timestamp) -> impl Iterator<Item = Occurrence<'_>> {
    each(item).take_while(move |occurrence| occurrence.original < before)
}

/// The occurrence of this number, from 0, deleted ones counted.
pub fn nth(item: &Item, number: usize) -> Option<Occurrence<'_>> {
    let reckoning = Reckoning::of(item)?;
    let date = reckoning.rule.dates().nth(number)?;
    Some(reckoning.occurrence(item, date))
}

/// The occurrences before and after that of an instant, without deleted ones.
pub fn neighbours(item: &Item, original: Timestamp) -> [Option<Occurrence<'_>>; 2] {
    let Some(reckoning) = Reckoning::of(item) else { return [None, None] };
    let (mut before, mut after) = (None, None);
    for date in reckoning.rule.dates() {
        let at = reckoning.original(date);
        if item.exceptions.deleted.contains(&at) || at == original {
            continue;
        }
        if at > original {
            after = Some(date);
            break;
        }
        before = Some(date);
    }
    [before, after].map(|date| date.map(|date| reckoning.occurrence(item, date)))
}

/// The occurrence that the rule puts at an instant.
pub fn at(item: &Item, original: Timestamp) -> Option<Occurrence<'_>> {
    let reckoning = Reckoning::of(item)?;
    // Days alone are walked over: what an occurrence is takes longer to find out.
    let day = zone::local(original, &reckoning.zone).date();
    let mut dates = reckoning.rule.dates().take_while(|date| *date <= day);
    let before = day.yesterday().unwrap_or(day);
    let date = dates.find(|date| *date >= before && reckoning.original(*date) == original)?;
    Some(reckoning.occurrence(item, date))
}
