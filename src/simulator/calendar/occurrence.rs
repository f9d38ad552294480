//! Writing one occurrence of a series: what it has of its own makes it an exception. MS-OXWSMTGS 3.1.4.9

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{series, write, zone};
use crate::simulator::edit::{self, Draft};
use crate::simulator::element::Element;
use crate::simulator::field;
use crate::simulator::item::{Exception, Item, ItemKind, Properties};
use crate::simulator::product::Traits;
use crate::simulator::world::Refusal;

/// What the occurrence has of its own; from here on it is an exception. `None` where the rule puts none.
pub fn own(item: &mut Item, original: Timestamp) -> Option<&mut Exception> {
    let new = exception(item, original)?;
    Some(item.exceptions.modified.entry(original).or_insert(new))
}

fn exception(item: &Item, original: Timestamp) -> Option<Exception> {
    let found = series::at(item, original)?;
    Some(found.exception.cloned().unwrap_or_else(|| {
        let mut new = Exception::default();
        new.properties.set_time(field::START, found.start);
        new.properties.set_time(field::END, found.end);
        new
    }))
}

/// Deletes an occurrence: nothing goes to Deleted Items, it is an update of the series.
pub fn delete(item: &mut Item, original: Timestamp) {
    item.exceptions.modified.remove(&original);
    item.exceptions.deleted.insert(original);
}

/// Carries out `Updates` on an occurrence. Times without offset are read in the occurrence's own zone, else in that
/// of the request, else in that of the series.
pub fn update(
    item: &mut Item,
    original: Timestamp,
    updates: &Element,
    context: Option<&TimeZone>,
    traits: &Traits,
) -> Result<(), Refusal> {
    let is_new = !item.exceptions.modified.contains_key(&original);
    let mut exception = exception(item, original).ok_or_else(Refusal::not_found)?;
    if is_new && !traits.keeps_wall_clock {
        // Seen: gromox 3.10
        for field in [field::START, field::END] {
            if let Some(at) = exception.properties.time(field) {
                exception.properties.set_time(field, series::by_first_offset(item, at));
            }
        }
    }
    let mut draft = Draft {
        kind: ItemKind::CalendarItem,
        properties: &mut exception.properties,
        extended: &mut exception.extended,
        removed: Some(&mut exception.removed),
    };
    let touched = edit::update(&mut draft, updates, traits)?;
    if let Some(fixed) = touched.iter().find(|f| [field::RECURRENCE, field::UID].contains(f)) {
        return Err(Refusal::property("ErrorInvalidPropertySet", *fixed));
    }
    let series_zone = series::zone_of(item);
    let own = &mut exception.properties;
    for (time, its_zone) in [(field::START, field::START_TIME_ZONE), (field::END, field::END_TIME_ZONE)] {
        let zone = own.get(its_zone).and_then(zone::of_element);
        let zone = zone.as_ref().or(context).unwrap_or(&series_zone);
        let at = own.text(time).and_then(|text| write::instant(text, zone));
        let at = at.ok_or_else(|| Refusal::property("ErrorInvalidValueForProperty", time))?;
        own.set_time(time, at);
    }
    let all_day = match own.text(field::IS_ALL_DAY_EVENT) {
        Some(_) => own.flag(field::IS_ALL_DAY_EVENT),
        None => item.properties.flag(field::IS_ALL_DAY_EVENT),
    };
    let zone = own.get(field::START_TIME_ZONE).and_then(zone::of_element).unwrap_or(series_zone);
    write::check(own, all_day.then_some(&zone))?;
    if [field::START, field::END, field::IS_ALL_DAY_EVENT].iter().any(|f| touched.contains(f)) {
        stays_between_neighbours(item, original, own, &zone)?;
    }
    item.exceptions.modified.insert(original, exception);
    Ok(())
}

/// An exception may neither touch its neighbours nor share a day with one. MS-OXOCAL 3.1.4.7.3.3
fn stays_between_neighbours(
    item: &Item,
    original: Timestamp,
    own: &Properties,
    zone: &TimeZone,
) -> Result<(), Refusal> {
    let (Some(start), Some(end)) = (own.time(field::START), own.time(field::END)) else { return Ok(()) };
    let day = |at: Timestamp| zone::local(at, zone).date();
    let [before, after] = series::neighbours(item, original);
    let crosses = before.is_some_and(|b| day(start) <= day(b.start) || start < b.end)
        || after.is_some_and(|a| day(start) >= day(a.start) || end > a.start);
    if crosses {
        return Err(Refusal::new(
            "ErrorOccurrenceCrossingBoundary",
            "Modified occurrence is crossing or overlapping adjacent occurrence.",
        ));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::simulator::field::Field;
    use crate::simulator::item::{Item, ItemKey};
    use crate::simulator::mailbox::{Mailbox, NewItem};
    use crate::simulator::product::Product;

    const MONDAY: &str = "2026-10-19T07:00:00Z";

    /// Every Monday at nine in Berlin, an hour long, four times; daylight time ends before the second.
    fn mondays() -> (Mailbox, ItemKey) {
        let now: Timestamp = "2026-10-01T00:00:00Z".parse().unwrap();
        let mut mailbox = Mailbox::new("anna@example.com", "Anna", [1; 16], now);
        let mut new = NewItem::new(ItemKind::CalendarItem);
        for zone in [field::START_TIME_ZONE, field::END_TIME_ZONE] {
            let berlin = Element::new("StartTimeZone").with("Id", "W. Europe Standard Time");
            new.properties.set(zone, berlin);
        }
        new.properties.set_text(field::START, "2026-10-19T09:00:00");
        new.properties.set_text(field::END, "2026-10-19T10:00:00");
        let weekly = Element::new("WeeklyRecurrence")
            .push(Element::value("Interval", 1))
            .push(Element::of("DaysOfWeek", "Monday"));
        let four = Element::new("NumberedRecurrence")
            .push(Element::of("StartDate", "2026-10-19"))
            .push(Element::value("NumberOfOccurrences", 4));
        new.properties.set(field::RECURRENCE, Element::new("Recurrence").push(weekly).push(four));
        write::created(&mut new.properties, None, now, [1; 24]).unwrap();
        let folder = mailbox.distinguished("calendar").unwrap();
        let key = mailbox.add_item(folder, new, now);
        (mailbox, key)
    }

    fn item(of: &(Mailbox, ItemKey)) -> Item {
        of.0.item(of.1).unwrap().clone()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn set(values: &[(Field, &str)]) -> Element {
        let fields = values.iter().map(|(field, value)| {
            Element::new("SetItemField")
                .push(Element::new("FieldURI").with("FieldURI", field.row().uri))
                .push(Element::new("CalendarItem").push(Element::of(field.element(), *value)))
        });
        Element::new("Updates").push_all(fields)
    }

    fn moved(to: &str, until: &str) -> Element {
        set(&[(field::START, to), (field::END, until)])
    }

    #[test]
    fn occurrences_keep_their_wall_clock_when_daylight_time_ends() {
        let starts: Vec<String> = series::each(&item(&mondays())).map(|o| o.original.to_string()).collect();
        assert_eq!(starts, [MONDAY, "2026-10-26T08:00:00Z", "2026-11-02T08:00:00Z", "2026-11-09T08:00:00Z"]);
    }

    #[test]
    fn an_occurrence_moves_between_its_neighbours_and_not_onto_them() {
        let mut item = item(&mondays());
        let second = at("2026-10-26T08:00:00Z");
        let refused = |item: &mut Item, to, until| {
            update(item, second, &moved(to, until), None, Product::Exchange2016.traits())
                .map_err(|refusal| refusal.code)
        };
        let crossing = Err("ErrorOccurrenceCrossingBoundary");
        assert_eq!(refused(&mut item, "2026-11-02T05:00:00Z", "2026-11-02T06:00:00Z"), crossing);
        assert_eq!(refused(&mut item, "2026-10-19T15:00:00Z", "2026-10-19T16:00:00Z"), crossing);
        assert_eq!(refused(&mut item, "2026-11-01T12:00:00Z", "2026-11-02T09:00:00Z"), crossing);
        assert!(item.exceptions.modified.is_empty());
        assert_eq!(refused(&mut item, "2026-11-01T12:00:00Z", "2026-11-01T13:00:00Z"), Ok(()));
        let found = series::at(&item, second).unwrap();
        assert_eq!((found.start, found.end), (at("2026-11-01T12:00:00Z"), at("2026-11-01T13:00:00Z")));
    }

    #[test]
    fn a_deleted_neighbour_is_no_neighbour() {
        let mut item = item(&mondays());
        delete(&mut item, at("2026-11-02T08:00:00Z"));
        let far = moved("2026-11-05T08:00:00Z", "2026-11-05T09:00:00Z");
        update(&mut item, at("2026-10-26T08:00:00Z"), &far, None, Product::Exchange2016.traits()).unwrap();
    }

    #[test]
    fn times_without_offset_are_of_the_series_zone_and_all_day_is_rounded_there() {
        let mut item = item(&mondays());
        let second = at("2026-10-26T08:00:00Z");
        let whole_day = set(&[
            (field::IS_ALL_DAY_EVENT, "true"),
            (field::START, "2026-10-27T11:00:00"),
            (field::END, "2026-10-27T12:00:00"),
        ]);
        update(&mut item, second, &whole_day, None, Product::Exchange2016.traits()).unwrap();
        let found = series::at(&item, second).unwrap();
        assert_eq!((found.start, found.end), (at("2026-10-26T23:00:00Z"), at("2026-10-27T23:00:00Z")));
    }

    #[test]
    fn the_rule_and_the_uid_are_the_series_own() {
        let mut item = item(&mondays());
        let refusal = update(
            &mut item,
            at(MONDAY),
            &set(&[(field::UID, "mine")]),
            None,
            Product::Exchange2016.traits(),
        )
        .unwrap_err();
        assert_eq!(refusal.code, "ErrorInvalidPropertySet");
        assert!(item.exceptions.modified.is_empty());
    }

    #[test]
    fn another_time_of_day_drops_the_exceptions_another_title_keeps_them() {
        let mut item = item(&mondays());
        delete(&mut item, at("2026-11-09T08:00:00Z"));
        update(
            &mut item,
            at(MONDAY),
            &set(&[(field::SUBJECT, "First")]),
            None,
            Product::Exchange2016.traits(),
        )
        .unwrap();
        let before = item.properties.clone();
        write::updated(&mut item, &[field::SUBJECT], &before).unwrap();
        assert_eq!((item.exceptions.modified.len(), item.exceptions.deleted.len()), (1, 1));
        item.properties.set_text(field::START, "2026-10-19T07:30:00Z");
        write::updated(&mut item, &[field::START], &before).unwrap();
        assert_eq!((item.exceptions.modified.len(), item.exceptions.deleted.len()), (0, 0));
    }

    #[test]
    fn another_zone_keeps_the_wall_clock() {
        let mut item = item(&mondays());
        let before = item.properties.clone();
        for zone in [field::START_TIME_ZONE, field::END_TIME_ZONE] {
            item.properties.set(zone, Element::new("StartTimeZone").with("Id", "Tokyo Standard Time"));
        }
        write::updated(&mut item, &[field::START_TIME_ZONE, field::END_TIME_ZONE], &before).unwrap();
        assert_eq!(item.properties.text(field::START), Some("2026-10-19T00:00:00Z"));
        assert_eq!(item.properties.text(field::END), Some("2026-10-19T01:00:00Z"));
    }

    #[test]
    fn occurrences_do_not_last_into_the_next() {
        let mut item = item(&mondays());
        let before = item.properties.clone();
        item.properties.set_text(field::END, "2026-10-26T09:00:00Z");
        let refusal = write::updated(&mut item, &[field::END], &before).unwrap_err();
        assert_eq!(refusal.code, "ErrorOccurrenceTimeSpanTooBig");
    }
}
