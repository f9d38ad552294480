//! [`Zone`] → VTIMEZONE: only what is needed, from a round year on, with rules for the years to come.

use crate::model::recurrence::{ByDay, Frequency, Rule, Until};
use crate::model::zone::{Observance, Transition, Zone};
use crate::text::{Component, Line};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// Years at which components begin: the same for most events, so that they are the same for most events.
const ROUND_YEARS: [i16; 3] = [2010, 1996, 1970];
/// What changes after this year is told only as far as it follows a rule.
const HORIZON: i16 = 2050;

/// The component that explains a TZID from some year on; `None` for UTC.
///
/// RFC 5545 3.6.5
pub(super) fn vtimezone(zone: &Zone, first_year: i16) -> Option<Component> {
    if zone.is_utc() {
        return None;
    }
    let mut component = Component::new("VTIMEZONE");
    component.push(Line::text("TZID", zone.name()?));
    let computed;
    let observances = match zone.observances() {
        Some(observances) => observances,
        None => {
            computed = observances_of(zone, first_year);
            &computed
        }
    };
    component.children = observances.iter().map(write).collect();
    Some(component)
}

fn write(part: &Observance) -> Component {
    let mut component = Component::new(if part.daylight { "DAYLIGHT" } else { "STANDARD" });
    component.push(Line::raw("DTSTART", local(part.onset)));
    if let Some(rule) = &part.rule {
        component.push(Line::raw("RRULE", rule.to_string()));
    }
    if !part.dates.is_empty() {
        let dates: Vec<String> = part.dates.iter().copied().map(local).collect();
        component.push(Line::raw("RDATE", dates.join(",")));
    }
    component.push(Line::raw("TZOFFSETFROM", offset(part.from)));
    component.push(Line::raw("TZOFFSETTO", offset(part.to)));
    if let Some(name) = &part.name {
        component.push(Line::text("TZNAME", name));
    }
    component
}

fn local(at: DateTime) -> String {
    at.strftime("%Y%m%dT%H%M%S").to_string()
}

/// UTC-OFFSET. RFC 5545 3.3.14
fn offset(offset: Offset) -> String {
    let (sign, seconds) = (if offset.is_negative() { '-' } else { '+' }, offset.seconds().abs());
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if seconds == 0 {
        format!("{sign}{hours:02}{minutes:02}")
    } else {
        format!("{sign}{hours:02}{minutes:02}{seconds:02}")
    }
}

/// The observances of a zone that is known by its transitions.
fn observances_of(zone: &Zone, first_year: i16) -> Vec<Observance> {
    let first_year = ROUND_YEARS.into_iter().find(|year| *year <= first_year).unwrap_or(first_year);
    let horizon = HORIZON.max(first_year.saturating_add(10));
    let begin = new_year(first_year);
    let mut transitions = zone.transitions(new_year(first_year.saturating_sub(2)), new_year(horizon + 1));
    let earlier = transitions.iter().take_while(|transition| transition.at <= begin).count();
    transitions.drain(..earlier.saturating_sub(1));
    let mut observances = Vec::new();
    if earlier == 0 {
        let offset = zone.offset(begin);
        let onset = Date::new(first_year.min(1970), 1, 1).map_or(DateTime::MIN, Date::into);
        let (name, daylight) = known_as(zone, begin);
        observances.push(Observance {
            onset,
            rule: None,
            dates: Vec::new(),
            from: offset,
            to: offset,
            name,
            daylight,
        });
    }
    let mut once: Vec<Observance> = Vec::new();
    for run in runs(&transitions) {
        match run.rule(horizon) {
            Some(rule) => observances.push(run.observance(Some(rule))),
            None => {
                let part = run.observance(None);
                let same = |other: &&mut Observance| {
                    (other.from, other.to, &other.name, other.daylight)
                        == (part.from, part.to, &part.name, part.daylight)
                };
                match once.iter_mut().find(same) {
                    Some(other) => other.dates.push(part.onset),
                    None => once.push(part),
                }
            }
        }
    }
    observances.append(&mut once);
    observances.sort_by_key(|part| part.onset);
    observances
}

fn new_year(year: i16) -> Timestamp {
    Date::new(year, 1, 1).map_or(Timestamp::MIN, |date| Zone::Utc.to_instant(date.into()))
}

fn known_as(zone: &Zone, at: Timestamp) -> (Option<String>, bool) {
    match zone {
        Zone::Iana(zone) => {
            let info = zone.to_offset_info(at);
            (Some(info.abbreviation().to_owned()), info.dst().is_dst())
        }
        Zone::Utc | Zone::Custom(_) => (None, false),
    }
}

/// Transitions of consecutive years that one rule can tell.
struct Run<'a> {
    all: Vec<&'a Transition>,
    /// The same n-th weekday of its month each year.
    nth: Option<i8>,
    /// The last one of its month each year.
    is_last: bool,
    /// Days of the month between which it falls: less than a week apart.
    days: (i8, i8),
}

fn onset(transition: &Transition) -> DateTime {
    transition.from.to_datetime(transition.at)
}

fn runs(transitions: &[Transition]) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for transition in transitions {
        // The run that it goes on with is the one with a member a year ago.
        match runs.iter_mut().find(|run| run.takes(transition)) {
            Some(run) => run.add(transition),
            None => runs.push(Run::of(transition)),
        }
    }
    runs
}

impl<'a> Run<'a> {
    fn of(transition: &'a Transition) -> Self {
        let date = onset(transition).date();
        Self {
            all: vec![transition],
            nth: Some((date.day() - 1) / 7 + 1),
            is_last: date.day() + 7 > date.days_in_month(),
            days: (date.day(), date.day()),
        }
    }

    fn takes(&self, next: &Transition) -> bool {
        let Some(last) = self.all.last() else { return false };
        let (a, b) = (onset(last), onset(next));
        let same = (last.from, last.to, &last.name, last.daylight)
            == (next.from, next.to, &next.name, next.daylight);
        let other = Run::of(next);
        same && a.year() + 1 == b.year()
            && a.month() == b.month()
            && a.weekday() == b.weekday()
            && a.time() == b.time()
            && ((self.nth.is_some() && self.nth == other.nth)
                || (self.is_last && other.is_last)
                || self.days.1.max(other.days.1) - self.days.0.min(other.days.0) < 7)
    }

    fn add(&mut self, next: &'a Transition) {
        let other = Run::of(next);
        self.nth = self.nth.filter(|nth| Some(*nth) == other.nth);
        self.is_last &= other.is_last;
        self.days = (self.days.0.min(other.days.0), self.days.1.max(other.days.1));
        self.all.push(next);
    }

    /// The rule, if there is more than one to tell.
    fn rule(&self, horizon: i16) -> Option<Rule> {
        let (first, last) = (self.all.first()?, self.all.last()?);
        if self.all.len() < 2 {
            return None;
        }
        let onset = onset(first);
        let mut rule = Rule::new(Frequency::Yearly);
        rule.by_month = vec![onset.month()];
        let ordinal = if self.is_last { Some(-1) } else { self.nth };
        rule.by_day = vec![ByDay { ordinal, weekday: onset.weekday() }];
        if ordinal.is_none() {
            rule.by_month_day = (self.days.0..=self.days.1).collect();
        }
        if self::onset(last).year() < horizon {
            rule.until = Some(Until::Utc(last.at));
        }
        Some(rule)
    }

    fn observance(&self, rule: Option<Rule>) -> Observance {
        let onsets: Vec<DateTime> = self.all.iter().map(|transition| onset(transition)).collect();
        let first = self.all.first();
        Observance {
            onset: onsets.first().copied().unwrap_or(DateTime::MIN),
            rule,
            dates: Vec::new(),
            from: first.map_or(Offset::UTC, |t| t.from),
            to: first.map_or(Offset::UTC, |t| t.to),
            name: first.and_then(|t| t.name.clone()),
            daylight: first.is_some_and(|t| t.daylight),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use jiff::tz::db;

    /// Changes of offset that a clock would notice.
    fn changes(zone: &Zone, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Offset)> {
        let mut offset = zone.offset(from);
        let mut changes = Vec::new();
        for transition in zone.transitions(from, to) {
            if transition.to != offset {
                offset = transition.to;
                changes.push((transition.at, offset));
            }
        }
        changes
    }

    #[test]
    fn every_zone_is_told_as_it_is_from_every_round_year_on() {
        let mut wrong = Vec::new();
        for name in db().available() {
            let Some(zone) = Zone::iana(name.as_str()).filter(|zone| !zone.is_utc()) else { continue };
            for year in [1960, 1970, 1996, 2010] {
                let (from, to) = (new_year(year), new_year(HORIZON));
                let told = Zone::custom("told", observances_of(&zone, year)).unwrap();
                let same = told.offset(from) == zone.offset(from)
                    && changes(&told, from, to) == changes(&zone, from, to);
                if !same {
                    wrong.push(format!("{name} {year}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn usual_zones_are_told_in_two_rules() {
        for name in ["Europe/Berlin", "America/New_York", "Australia/Sydney"] {
            let component = vtimezone(&Zone::iana(name).unwrap(), 2026).unwrap();
            assert_eq!(component.children.len(), 2, "{}", component.write());
        }
    }
}
