//! Exchange's time zones → [`Zone`].

use crate::model::item::{Period, TimeZone, Transition, YearlyDay, YearlyMoment};
use crate::model::recurrence::{ByDay, Frequency, Rule, Until};
use crate::model::windows_zones;
use crate::model::zone::{Observance, Zone};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// When rules that hold from the beginning are said to begin.
const BEGINNING: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The zone that an item names, if anything is known about it.
///
/// A Windows zone stands for many places: where the mailbox owner's is one of them, that one is meant, else the
/// one that CLDR puts first. A zone that is in no table is known by its rules.
pub(super) fn of_ews(zone: &TimeZone, mailbox: &str, from: Timestamp) -> Option<Zone> {
    let id = zone.id.trim();
    if id.eq_ignore_ascii_case("tzone://Microsoft/Utc") {
        return Some(Zone::Utc);
    }
    if let Some(main) = windows_zones::to_iana(id) {
        let own = windows_zones::from_iana(mailbox).filter(|own| own.eq_ignore_ascii_case(id));
        return own.and_then(|_| Zone::iana(mailbox)).or_else(|| Zone::iana(main));
    }
    if id.contains('/')
        && !id.contains(':')
        && let Some(found) = Zone::iana(id)
    {
        return Some(found);
    }
    let own = custom(zone)?;
    let day = own.to_local(from).date();
    let shown = windows_zones::from_display_name(&zone.name).or(Some(zone.name.trim()));
    let shown = shown.and_then(Zone::iana).filter(|shown| changes(shown, day) == changes(&own, day));
    let mailbox = Zone::iana(mailbox).unwrap_or(Zone::Utc);
    Some(shown.or_else(|| Zone::iana(&alike(&own, day, &mailbox)?.1)).unwrap_or(own))
}

/// How many years of rules must agree for two zones to be taken for the same.
pub(super) const YEARS: u8 = 10;

/// Of zones whose clocks go alike these are the ones of most people: they come before all others.
const COMMON: [&str; 8] = [
    "W. Europe Standard Time",
    "Eastern Standard Time",
    "Central Standard Time",
    "Mountain Standard Time",
    "Pacific Standard Time",
    "China Standard Time",
    "FLE Standard Time",
    "AUS Eastern Standard Time",
];

/// The first and the last instant of the years that are compared.
pub(super) fn years(from: Date) -> (Timestamp, Timestamp) {
    let first =
        |year: i16| Date::new(year, 1, 1).map_or(Timestamp::MAX, |date| Zone::Utc.to_instant(date.into()));
    (first(from.year()), first(from.year().saturating_add(YEARS.into())))
}

/// Every change of a zone's offset in these years, after the offset at their beginning.
pub(super) fn changes(zone: &Zone, from: Date) -> Vec<(Timestamp, i32)> {
    let (from, to) = years(from);
    let mut offset = zone.offset(from).seconds();
    let mut changes = vec![(from, offset)];
    for transition in zone.transitions(from, to) {
        if transition.to.seconds() != offset {
            offset = transition.to.seconds();
            changes.push((transition.at, offset));
        }
    }
    changes
}

/// A Windows zone, with its IANA name, whose clocks change at the very same instants: the mailbox owner's where it is
/// one, else that of most people. `None` where none does: a neighbour is another zone.
pub(super) fn alike(zone: &Zone, from: Date, mailbox: &Zone) -> Option<(&'static str, String)> {
    let wanted = changes(zone, from);
    let is_same = |other: &Zone| {
        let start = wanted.first().map_or(Timestamp::MIN, |(start, _)| *start);
        Some(other.offset(start).seconds()) == wanted.first().map(|(_, offset)| *offset)
            && changes(other, from) == wanted
    };
    let own = mailbox.name().filter(|_| is_same(mailbox));
    let own = own.and_then(|name| Some((windows_zones::from_iana(name)?, name.to_owned())));
    let common = COMMON.into_iter().filter_map(|windows| Some((windows, windows_zones::to_iana(windows)?)));
    let all = || common.chain(windows_zones::all());
    own.or_else(|| {
        all()
            .find(|(_, iana)| Zone::iana(iana).is_some_and(|zone| is_same(&zone)))
            .map(|(windows, iana)| (windows, iana.to_owned()))
    })
}

fn custom(zone: &TimeZone) -> Option<Zone> {
    let mut observances = Vec::new();
    let mut before = None;
    for (index, (from, group)) in zone.eras.iter().enumerate() {
        let until = zone.eras.get(index + 1).and_then(|(from, _)| *from);
        let transitions = match zone.groups.iter().find(|(id, _)| id == group) {
            Some((_, transitions)) => transitions.clone(),
            // An era may name a period directly.
            None => vec![Transition { to: group.clone(), when: None }],
        };
        before = Some(era(zone, &transitions, from.unwrap_or(BEGINNING), until, before, &mut observances)?);
    }
    if observances.is_empty() {
        let offset = offset(zone.periods.first()?)?;
        observances.push(fixed(BEGINNING, offset, offset, None, false));
    }
    let rules = format!("{observances:?}");
    let known = Some(zone.name.trim()).filter(|name| !name.is_empty()).unwrap_or("Custom");
    // Two calendars may use the same words for different rules.
    let label: String = known.chars().filter(|c| c.is_alphanumeric() || " .,_+-()".contains(*c)).collect();
    Zone::custom(format!("{label} {}", super::identity::hash(rules, 8)), observances)
}

fn offset(period: &Period) -> Option<Offset> {
    Offset::from_seconds(period.bias_seconds.checked_neg()?).ok()
}

/// Adds the observances of one era; gives the offset at its end.
fn era(
    zone: &TimeZone,
    transitions: &[Transition],
    from: DateTime,
    until: Option<DateTime>,
    before: Option<Offset>,
    observances: &mut Vec<Observance>,
) -> Option<Offset> {
    let period = |t: &Transition| zone.periods.iter().find(|period| period.id == t.to);
    let offsets: Vec<Offset> = transitions.iter().map(|t| offset(period(t)?)).collect::<Option<_>>()?;
    let least = offsets.iter().min().copied()?;
    let last = offsets.last().copied()?;
    let before = before.unwrap_or(last);
    let until = until.and_then(|until| before.to_timestamp(until).ok()).map(Until::Utc);
    let mut previous = last;
    for (transition, to) in transitions.iter().zip(&offsets) {
        let name = period(transition).map(|period| period.name.clone()).filter(|name| !name.is_empty());
        let daylight = *to > least;
        match transition.when {
            None => observances.push(fixed(from, before, *to, name, daylight)),
            Some(when) => {
                let (onset, mut rule) = yearly(when, from)?;
                rule.until = until;
                observances.push(Observance {
                    onset,
                    rule: Some(rule),
                    dates: Vec::new(),
                    from: previous,
                    to: *to,
                    name,
                    daylight,
                });
            }
        }
        previous = *to;
    }
    Some(last)
}

fn fixed(onset: DateTime, from: Offset, to: Offset, name: Option<String>, daylight: bool) -> Observance {
    Observance { onset, rule: None, dates: Vec::new(), from, to, name, daylight }
}

/// The first moment of that kind in an era, and the rule.
fn yearly(when: YearlyMoment, from: DateTime) -> Option<(DateTime, Rule)> {
    // Windows says "one millisecond before midnight".
    let time =
        Time::midnight().checked_add(jiff::Span::new().try_seconds(when.seconds.min(86_399)).ok()?).ok()?;
    let mut rule = Rule::new(Frequency::Yearly);
    rule.by_month = vec![when.month];
    let month = Date::new(from.year(), when.month, 1).ok()?;
    let day = match when.day {
        YearlyDay::Day(day) => {
            rule.by_month_day = vec![day];
            Date::new(from.year(), when.month, day).ok()?
        }
        YearlyDay::Weekday(weekday, nth) => {
            // Windows counts the last one as the fifth.
            let nth = if (1..=4).contains(&nth) { nth } else { -1 };
            rule.by_day = vec![ByDay { ordinal: Some(nth), weekday }];
            month.nth_weekday_of_month(nth, weekday).ok()?
        }
    };
    Some((day.to_datetime(time), rule))
}
