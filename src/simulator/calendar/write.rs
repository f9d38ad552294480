//! What Exchange does to a calendar item when it is written: checks, defaults, zones, all-day rounding.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{pattern::Rule, series, zone};
use crate::simulator::element::Element;
use crate::simulator::field::{self, Field};
use crate::simulator::item::{Exceptions, Item, Properties};
use crate::simulator::world::Refusal;

/// Longest item: five years. MS-OXWSMTGS 3.1.4.2.1
const MAX_LENGTH: SignedDuration = SignedDuration::from_hours(24 * 366 * 5);

/// Which instants the values of a request mean: those without offset are read in the item's zones.
pub fn settle_times(properties: &mut Properties, context: Option<&TimeZone>) -> Result<(), Refusal> {
    let zone_of = |properties: &Properties, field: Field| {
        properties.get(field).and_then(zone::of_element).or_else(|| context.cloned()).unwrap_or(TimeZone::UTC)
    };
    for (time, its_zone) in [
        (field::START, field::START_TIME_ZONE),
        (field::END, field::END_TIME_ZONE),
        (field::REMINDER_DUE_BY, field::START_TIME_ZONE),
    ] {
        if let Some(text) = properties.text(time) {
            let zone = zone_of(properties, its_zone);
            let at = instant(text, &zone)
                .ok_or_else(|| Refusal::property("ErrorInvalidValueForProperty", time))?;
            properties.set_time(time, at);
        }
    }
    Ok(())
}

/// An `xs:dateTime` with or without offset.
pub fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => zone::instant(text.parse::<DateTime>().ok()?, zone),
    };
    Timestamp::from_second(at.as_second()).ok()
}

fn check_zones(properties: &Properties) -> Result<(), Refusal> {
    let told = [field::START_TIME_ZONE, field::END_TIME_ZONE];
    told.into_iter().filter_map(|field| properties.get(field)).try_for_each(zone::check)
}

/// Defaults and checks of a new item.
pub fn created(
    properties: &mut Properties,
    context: Option<&str>,
    now: Timestamp,
    unique: [u8; 24],
) -> Result<(), Refusal> {
    check_zones(properties)?;
    for zone in [field::START_TIME_ZONE, field::END_TIME_ZONE] {
        if properties.get(zone).is_none() {
            let other = properties.get(field::START_TIME_ZONE).cloned();
            let id = context.unwrap_or("UTC").to_owned();
            properties.set(zone, other.unwrap_or_else(|| Element::new("StartTimeZone").with("Id", id)));
        }
    }
    let zone = properties.get(field::START_TIME_ZONE).and_then(zone::of_element);
    settle_times(properties, zone.as_ref())?;
    if properties.get(field::START).is_none() {
        let hour = Timestamp::from_second(now.as_second() / 1800 * 1800 + 1800).unwrap_or(now);
        properties.set_time(field::START, hour);
    }
    if properties.get(field::END).is_none() {
        let start = properties.time(field::START).unwrap_or(now);
        properties.set_time(field::END, start.checked_add(SignedDuration::from_mins(30)).unwrap_or(start));
    }
    if properties.text(field::UID).is_none_or(str::is_empty) {
        properties.set_text(field::UID, made_up_uid(now, unique));
    }
    if properties.text(field::REMINDER_IS_SET).is_none() {
        // Exchange reminds of new appointments unless it is told not to.
        properties.set_flag(field::REMINDER_IS_SET, true);
    }
    let defaults = [
        (field::REMINDER_MINUTES_BEFORE_START, "15"),
        (field::IS_ALL_DAY_EVENT, "false"),
        (field::LEGACY_FREE_BUSY_STATUS, "Busy"),
        (field::CALENDAR_IS_RESPONSE_REQUESTED, "true"),
        (field::ALLOW_NEW_TIME_PROPOSAL, "true"),
        (field::APPOINTMENT_SEQUENCE_NUMBER, "0"),
    ];
    for (field, value) in defaults {
        if properties.get(field).is_none() {
            properties.set_text(field, value);
        }
    }
    if let Some(recurrence) = properties.get(field::RECURRENCE) {
        Rule::read(recurrence).map_err(|(code, text)| Refusal::new(code, text))?;
    }
    let (zone, all_day) = (zone_of(properties), properties.flag(field::IS_ALL_DAY_EVENT));
    check(properties, all_day.then_some(&zone))?;
    to_first_occurrence(properties)
}

/// Checks after a change; a new rule drops the exceptions, and so does another time of the day.
pub fn updated(item: &mut Item, touched: &[Field], before: &Properties) -> Result<(), Refusal> {
    check_zones(&item.properties)?;
    settle_times(&mut item.properties, None)?;
    keep_wall_clock(&mut item.properties, touched, before);
    if touched.contains(&field::RECURRENCE) {
        if let Some(recurrence) = item.properties.get(field::RECURRENCE) {
            Rule::read(recurrence).map_err(|(code, text)| Refusal::new(code, text))?;
        }
        item.exceptions = Exceptions::default();
    }
    let zone = zone_of(&item.properties);
    let all_day = item.properties.flag(field::IS_ALL_DAY_EVENT);
    check(&mut item.properties, all_day.then_some(&zone))?;
    let times =
        [field::RECURRENCE, field::START, field::END, field::START_TIME_ZONE, field::IS_ALL_DAY_EVENT];
    if times.iter().any(|f| touched.contains(f)) {
        to_first_occurrence(&mut item.properties)?;
        if item.exceptions != Exceptions::default() {
            let last = item.exceptions.modified.keys().chain(&item.exceptions.deleted).max().copied();
            let kept: BTreeSet<Timestamp> = series::each(item)
                .map(|o| o.original)
                .take_while(|at| last.is_some_and(|last| *at <= last))
                .collect();
            item.exceptions.modified.retain(|at, _| kept.contains(at));
            item.exceptions.deleted.retain(|at| kept.contains(at));
        }
    }
    Ok(())
}

/// Another zone without other times moves an item so that wall clocks show the same. MS-OXWSMTGS 3.1.4.9
fn keep_wall_clock(properties: &mut Properties, touched: &[Field], before: &Properties) {
    for (time, its_zone) in [(field::START, field::START_TIME_ZONE), (field::END, field::END_TIME_ZONE)] {
        if touched.contains(&time) || !touched.contains(&its_zone) {
            continue;
        }
        let zone = |properties: &Properties| properties.get(its_zone).and_then(zone::of_element);
        if let (Some(at), Some(old), Some(new)) = (before.time(time), zone(before), zone(properties)) {
            properties.set_time(time, zone::instant(zone::local(at, &old), &new));
        }
    }
}

fn zone_of(properties: &Properties) -> TimeZone {
    properties.get(field::START_TIME_ZONE).and_then(zone::of_element).unwrap_or(TimeZone::UTC)
}

/// A series starts with its first occurrence, whatever Start said, and no occurrence lasts into the next.
fn to_first_occurrence(properties: &mut Properties) -> Result<(), Refusal> {
    let (Some(start), Some(end)) = (properties.time(field::START), properties.time(field::END)) else {
        return Ok(());
    };
    let Some(Ok(rule)) = properties.get(field::RECURRENCE).map(Rule::read) else { return Ok(()) };
    let zone = zone_of(properties);
    let (from, to) = (zone::local(start, &zone), zone::local(end, &zone));
    let length = to.duration_since(from);
    if rule.closest().is_some_and(|days| length > SignedDuration::from_hours(24 * i64::from(days))) {
        return Err(Refusal::new(
            "ErrorOccurrenceTimeSpanTooBig",
            "The occurrences are longer than the time between them.",
        ));
    }
    let Some(first) = rule.dates().next() else { return Ok(()) };
    if first == from.date() {
        return Ok(());
    }
    let moved = first.to_datetime(from.time());
    properties.set_time(field::START, zone::instant(moved, &zone));
    properties.set_time(field::END, zone::instant(moved.checked_add(length).unwrap_or(moved), &zone));
    Ok(())
}

/// Rounds to days in the zone of an all-day item, and checks the times.
pub fn check(properties: &mut Properties, all_day: Option<&TimeZone>) -> Result<(), Refusal> {
    if let Some(zone) = all_day {
        round_to_days(properties, zone);
    }
    let (Some(start), Some(end)) = (properties.time(field::START), properties.time(field::END)) else {
        return Ok(());
    };
    if end < start {
        return Err(Refusal::new(
            "ErrorCalendarEndDateIsEarlierThanStartDate",
            "EndDate is earlier than StartDate",
        ));
    }
    if end.duration_since(start) > MAX_LENGTH {
        return Err(Refusal::new("ErrorCalendarDurationIsTooLong", "Duration is too long."));
    }
    if let Some(minutes) = properties.number(field::REMINDER_MINUTES_BEFORE_START)
        && !(0..=2_629_800).contains(&minutes)
    {
        return Err(Refusal::property("ErrorInvalidValueForProperty", field::REMINDER_MINUTES_BEFORE_START));
    }
    Ok(())
}

/// Start down and End up to midnight in the item's zone.
fn round_to_days(properties: &mut Properties, zone: &TimeZone) {
    let midnight = |at: Timestamp, up: bool| {
        let local = zone::local(at, zone);
        let mut date = local.date();
        if up && local.time() != jiff::civil::Time::midnight() {
            date = date.tomorrow().unwrap_or(date);
        }
        zone::instant(date.to_datetime(jiff::civil::Time::midnight()), zone)
    };
    if let (Some(start), Some(end)) = (properties.time(field::START), properties.time(field::END)) {
        let first = midnight(start, false);
        let mut last = midnight(end, true);
        if last <= first {
            last = midnight(first.checked_add(SignedDuration::from_hours(26)).unwrap_or(first), false);
        }
        properties.set_time(field::START, first);
        properties.set_time(field::END, last);
    }
}

/// A UID as Exchange makes them: the hex of a global object id.
fn made_up_uid(now: Timestamp, unique: [u8; 24]) -> String {
    let mut uid = String::from("040000008200E00074C5B7101A82E00800000000");
    let filetime =
        u64::try_from(now.as_second()).unwrap_or_default().wrapping_add(11_644_473_600) * 10_000_000;
    let hex = |octets: &[u8]| octets.iter().map(|o| format!("{o:02X}")).collect::<String>();
    uid.push_str(&hex(&filetime.to_le_bytes()));
    uid.push_str("000000000000000010000000");
    let digest = Sha256::digest(unique);
    uid.push_str(&hex(digest.get(..16).unwrap_or_default()));
    uid
}
