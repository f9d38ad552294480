//! Windows time zones: ids, rules, and the definitions that GetServerTimeZones hands out.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

use crate::simulator::element::Element;
use crate::simulator::world::Refusal;

/// Windows id, IANA zone of territory 001, other IANA zones. CLDR
const TABLE: &str = include_str!("../../model/windows_zones/windows_zones.tsv");

/// `(Windows id, IANA name)` of all zones.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut columns = line.split('\t');
        Some((columns.next()?, columns.next()?))
    })
}

/// The zone of a Windows id.
pub fn of_windows(id: &str) -> Option<TimeZone> {
    if id == "UTC" || id == "tzone://Microsoft/Utc" {
        return Some(TimeZone::UTC);
    }
    let (_, iana) = all().find(|(windows, _)| *windows == id)?;
    TimeZone::get(iana).ok()
}

/// The zone that a `StartTimeZone`, `EndTimeZone` or `TimeZoneDefinition` element means.
pub fn of_element(element: &Element) -> Option<TimeZone> {
    element.attribute("Id").and_then(of_windows).or_else(|| custom(element))
}

/// Whether a `StartTimeZone` or `EndTimeZone` is taken: a known id, or a whole definition.
///
/// Seen: Exchange refuses a definition whose transitions lead to no period. MS-OXWSCDATA 2.2.4.73
pub fn check(element: &Element) -> Result<(), Refusal> {
    let refuse = |text: &'static str| Err(Refusal::new("ErrorTimeZone", text));
    if element.attribute("Id").and_then(of_windows).is_some() {
        return Ok(());
    }
    let children = |name: &str| element.child(name).map(|list| list.children.as_slice()).unwrap_or_default();
    let (periods, groups, eras) =
        (children("Periods"), children("TransitionsGroups"), children("Transitions"));
    if periods.is_empty() {
        return refuse("The time zone is not known.");
    }
    let target = |transition: &Element, kind: &str| {
        let to = transition.child("To").filter(|to| to.attribute("Kind") == Some(kind));
        to.and_then(|_| transition.child_text("To")).map(str::to_owned)
    };
    let period = |transition: &Element| {
        let id = target(transition, "Period")?;
        periods.iter().find(|period| period.attribute("Id") == Some(&id))?.attribute("Bias").and_then(seconds)
    };
    for group in groups {
        if !(1..=2).contains(&group.children.len()) {
            return refuse("A group has one or two transitions.");
        }
        if !group.children.iter().all(|transition| period(transition).is_some()) {
            return refuse("A referenced period is missing.");
        }
    }
    let leads = |era: &Element| {
        let id = target(era, "Group");
        id.is_some() && groups.iter().any(|group| group.attribute("Id") == id.as_deref())
    };
    if groups.is_empty() || eras.is_empty() || !eras.iter().all(leads) {
        return refuse("A referenced group is missing.");
    }
    if custom(element).is_none() {
        return refuse("The time zone has no rules.");
    }
    Ok(())
}

/// A zone of its own rules, as a POSIX rule: the last group of transitions counts.
fn custom(element: &Element) -> Option<TimeZone> {
    let periods = element.child("Periods")?;
    let offset = |id: &str| {
        let period = periods.children.iter().find(|p| p.attribute("Id") == Some(id))?;
        seconds(period.attribute("Bias")?).map(|bias| -bias)
    };
    let group = element.child("TransitionsGroups").and_then(|groups| groups.children.last());
    let rules: Vec<(i32, String)> = group
        .into_iter()
        .flat_map(|group| &group.children)
        .filter_map(|t| Some((offset(t.child_text("To")?)?, posix_date(t)?)))
        .collect();
    match rules.as_slice() {
        [(first, first_date), (second, second_date)] if first != second => {
            // The transition *to* a period begins it; daylight time is the one farther east.
            let (daylight, begins, standard, ends) = if first > second {
                (first, first_date, second, second_date)
            } else {
                (second, second_date, first, first_date)
            };
            let text =
                format!("<std>{}<dst>{},{begins},{ends}", posix_offset(*standard), posix_offset(*daylight));
            TimeZone::posix(&text).ok()
        }
        _ => {
            let only = periods.children.first()?;
            Some(TimeZone::fixed(Offset::from_seconds(-seconds(only.attribute("Bias")?)?).ok()?))
        }
    }
}

/// POSIX counts west as positive.
fn posix_offset(seconds: i32) -> String {
    let (sign, size) = if seconds > 0 { ("-", seconds) } else { ("", -seconds) };
    format!("{sign}{}:{:02}:{:02}", size / 3600, size / 60 % 60, size % 60)
}

fn posix_date(transition: &Element) -> Option<String> {
    let month: u8 = transition.child_text("Month")?.parse().ok()?;
    let occurrence: i8 = transition.child_text("Occurrence")?.parse().ok()?;
    let day = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
        .iter()
        .position(|day| Some(*day) == transition.child_text("DayOfWeek"))?;
    let at = seconds(transition.child_text("TimeOffset")?)?;
    let week = if occurrence < 0 { 5 } else { occurrence };
    Some(format!("M{month}.{week}.{day}/{}:{:02}:{:02}", at / 3600, at / 60 % 60, at % 60))
}

fn seconds(duration: &str) -> Option<i32> {
    let span: jiff::Span = duration.parse().ok()?;
    let total = span.total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours())).ok()?;
    #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
    (total.abs() < 1_000_000.0).then(|| total.round() as i32)
}

/// What wall clocks show.
pub fn local(at: Timestamp, zone: &TimeZone) -> DateTime {
    zone.to_datetime(at)
}

/// The instant at which wall clocks show `at`; in a gap, as if it had not come yet.
pub fn instant(at: DateTime, zone: &TimeZone) -> Timestamp {
    zone.to_ambiguous_timestamp(at).compatible().unwrap_or_default()
}

/// A full definition. MS-OXWSGTZ 2.2.4; rules are those of `year`.
pub fn definition(id: &'static str, zone: &TimeZone, year: i16) -> Element {
    let begin = instant(Date::constant(year, 1, 1).at(0, 0, 0, 0), zone);
    let end = begin.checked_add((366 * 24).hours()).unwrap_or(begin);
    let changes: Vec<_> = zone.following(begin).take_while(|t| t.timestamp() < end).take(2).collect();
    let offset = |at: Timestamp| zone.to_offset(at).seconds();
    let period = |name: &str, seconds: i32| {
        Element::new("Period")
            .with("Bias", duration(-seconds))
            .with("Name", name)
            .with("Id", format!("trule:Microsoft/Registry/{id}/{year}-{name}"))
    };
    let to = |name: &str| {
        Element::of("To", format!("trule:Microsoft/Registry/{id}/{year}-{name}")).with("Kind", "Period")
    };
    let mut periods = Element::new("Periods");
    let mut group = Element::new("TransitionsGroup").with("Id", "0");
    if let [first, second] = changes.as_slice() {
        let mut rows: Vec<(&str, Timestamp)> = Vec::new();
        for change in [first, second] {
            rows.push((if change.dst().is_dst() { "Daylight" } else { "Standard" }, change.timestamp()));
        }
        for (name, at) in &rows {
            periods = periods.push(period(name, offset(*at)));
        }
        for (name, at) in rows {
            let before = at.checked_sub(1.second()).unwrap_or(at);
            let wall = zone.to_offset(before).to_datetime(at);
            let nth = (wall.day() - 1) / 7 + 1;
            let occurrence = if wall.day() + 7 > wall.days_in_month() { -1 } else { nth };
            group = group.push(
                Element::new("RecurringDayTransition")
                    .push(to(name))
                    .push(Element::of("TimeOffset", duration(seconds_of(wall))))
                    .push(Element::value("Month", wall.month()))
                    .push(Element::of("DayOfWeek", super::pattern::day_name(wall.weekday())))
                    .push(Element::value("Occurrence", occurrence)),
            );
        }
    } else {
        periods = periods.push(period("Standard", offset(begin)));
        group = group.push(Element::new("Transition").push(to("Standard")));
    }
    let first = Element::new("Transition").push(Element::of("To", "0").with("Kind", "Group"));
    named("TimeZoneDefinition", id, zone, begin)
        .push(periods)
        .push(Element::new("TransitionsGroups").push(group))
        .push(Element::new("Transitions").push(first))
}

/// An element with the zone's id and its name for people.
pub fn named(element: &'static str, id: &str, zone: &TimeZone, at: Timestamp) -> Element {
    let standard = zone.to_offset_info(at);
    let seconds = standard.offset().seconds() - if standard.dst().is_dst() { 3600 } else { 0 };
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
    Element::new(element)
        .with("Id", id)
        .with("Name", format!("(UTC{sign}{hours:02}:{minutes:02}) {}", zone.iana_name().unwrap_or(id)))
}

fn seconds_of(at: DateTime) -> i32 {
    i32::from(at.hour()) * 3600 + i32::from(at.minute()) * 60 + i32::from(at.second())
}

fn duration(seconds: i32) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let size = seconds.abs();
    let (hours, minutes, rest) = (size / 3600, size / 60 % 60, size % 60);
    match (hours, minutes, rest) {
        (0, 0, 0) => "PT0S".to_owned(),
        (hours, 0, 0) => format!("{sign}PT{hours}H"),
        (hours, minutes, 0) => format!("{sign}PT{hours}H{minutes}M"),
        (hours, minutes, rest) => format!("{sign}PT{hours}H{minutes}M{rest}S"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_windows_zone_has_rules_and_its_definition_means_the_same() {
        for (id, _) in all() {
            let zone = of_windows(id).unwrap_or_else(|| panic!("{id}"));
            let mut definition = definition(id, &zone, 2026);
            definition.attributes.retain(|(name, _)| *name != "Id");
            let custom = of_element(&definition).unwrap_or_else(|| panic!("{id}"));
            if id == "Morocco Standard Time" || id == "West Bank Standard Time" || id == "Egypt Standard Time"
            {
                continue; // Ramadan and other rules that one year does not show.
            }
            for day in [20, 100, 200, 300] {
                let at = instant(Date::constant(2026, 1, 1).at(12, 0, 0, 0), &zone)
                    .checked_add((day * 24).hours())
                    .unwrap();
                assert_eq!(zone.to_offset(at), custom.to_offset(at), "{id} {at}");
            }
        }
    }

    #[test]
    fn a_definition_is_whole_or_refused() {
        let zone = of_windows("W. Europe Standard Time").unwrap();
        let mut whole = definition("x", &zone, 2026);
        assert!(check(&whole).is_ok());
        assert!(check(&Element::new("StartTimeZone").with("Id", "Nowhere Standard Time")).is_err());
        whole.child_mut("Periods").unwrap().children.pop();
        assert_eq!(check(&whole).unwrap_err().code, "ErrorTimeZone");
    }
}
