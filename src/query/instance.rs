//! Instances of events and tasks within a range of time.

use super::filter::TimeRange;
use crate::model::recurrence::Rule;
use crate::model::zone::Zone;
use crate::text::Component;
use crate::text::moment::{Length, Moment, Zones, length};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Occurrences of one series that one question looks at.
const MAX_OCCURRENCES: usize = 20_000;

/// One time at which a component takes place.
#[derive(Clone, Debug)]
pub struct Instance<'a> {
    /// The master, or the override.
    pub component: &'a Component,
    /// DTSTART; of a task without one, DUE; `None` for a component without any time.
    pub start: Option<Moment>,
    /// DTEND or DUE, or what DURATION makes.
    pub end: Option<Moment>,
    /// Which one of the series.
    pub id: Option<Moment>,
}

/// Calls `visit` for every instance that may touch the range until it breaks: all overrides, and the master's other
/// occurrences around the range in their order.
pub fn visit<'a>(
    object: &'a Component,
    zones: &Zones,
    name: &str,
    range: &TimeRange,
    mut visit: impl FnMut(Instance<'a>) -> ControlFlow<()>,
) {
    let components = || object.children.iter().filter(|component| component.name == name);
    let mut replaced = BTreeSet::new();
    for component in components() {
        let Some(id) = component.line("RECURRENCE-ID").and_then(|line| zones.moment(line)) else { continue };
        replaced.insert(zones.instant(&id));
        if visit(Instance::of(component, zones, Some(id))).is_break() {
            return;
        }
    }
    for master in components().filter(|component| component.line("RECURRENCE-ID").is_none()) {
        if visit_master(master, zones, range, &replaced, &mut visit).is_break() {
            return;
        }
    }
}

/// Whether a component comes more than once.
pub fn is_recurring(component: &Component) -> bool {
    ["RRULE", "RDATE"].iter().any(|name| component.line(name).is_some())
}

fn visit_master<'a>(
    master: &'a Component,
    zones: &Zones,
    range: &TimeRange,
    replaced: &BTreeSet<Timestamp>,
    visit: &mut impl FnMut(Instance<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let first = Instance::of(master, zones, None);
    let (true, Some(start)) = (is_recurring(master), first.start.clone()) else {
        return visit(first);
    };
    let length = length_of(&first, master, zones);
    let gone = Gone::of(master, zones, &start);
    let mut seen = BTreeSet::new();
    let mut tell = |at: Moment, own_end: Option<Moment>| {
        let instant = zones.instant(&at);
        if replaced.contains(&instant) || gone.takes(&at, instant) || !seen.insert(instant) {
            return ControlFlow::Continue(());
        }
        let end = own_end.or_else(|| length.and_then(|length| at.after(length)));
        visit(Instance { component: master, start: Some(at.clone()), end, id: Some(at) })
    };
    // Without a rule the start itself is an occurrence all the same.
    if master.line("RRULE").is_none() {
        tell(start.clone(), None)?;
    }
    for (moment, end) in master.lines_named("RDATE").flat_map(|line| zones.periods(line)) {
        tell(moment, end)?;
    }
    for rule in master.lines_named("RRULE").filter_map(|line| line.value.parse::<Rule>().ok()) {
        for at in occurrences(&rule, &start, zones, range, first.reach(zones)) {
            tell(at, None)?;
        }
    }
    ControlFlow::Continue(())
}

/// Occurrences of a rule around a range: from one that may still last when it begins.
fn occurrences<'a>(
    rule: &Rule,
    start: &'a Moment,
    zones: &'a Zones,
    range: &TimeRange,
    reach: SignedDuration,
) -> impl Iterator<Item = Moment> + 'a {
    let zone = match start {
        Moment::Zoned(_, zone) => zone.clone(),
        Moment::Day(_) => Zone::Utc,
        Moment::Floating(_) => zones.floating().clone(),
    };
    // A day more for clocks that are set, and for days in other places.
    let reach = reach.saturating_add(SignedDuration::from_hours(26));
    let from = range.start.and_then(|at| at.checked_sub(reach).ok()).map(|at| zone.to_local(at));
    let end = range.end;
    let rule = if start.is_day() { &rule.clone().of_days(zones.floating()) } else { rule };
    let all = rule.occurrences(start.local(), &zone);
    let all = match from {
        Some(from) => all.starting_at(from),
        None => all,
    };
    all.map(move |local| start.at(local))
        .take_while(move |at| end.is_none_or(|end| zones.instant(at) < end))
        .take(MAX_OCCURRENCES)
}

/// What EXDATE and EXRULE take away.
struct Gone {
    instants: BTreeSet<Timestamp>,
    days: BTreeSet<jiff::civil::Date>,
}

impl Gone {
    fn of(master: &Component, zones: &Zones, start: &Moment) -> Self {
        let mut gone = Self { instants: BTreeSet::new(), days: BTreeSet::new() };
        for moment in master.lines_named("EXDATE").flat_map(|line| zones.moments(line)) {
            // Clients write days for timed series and times for all-day ones.
            match (&moment, start.is_day()) {
                (Moment::Day(day), _) => drop(gone.days.insert(*day)),
                (_, true) => drop(gone.days.insert(moment.day(zones.floating()))),
                _ => drop(gone.instants.insert(zones.instant(&moment))),
            }
        }
        for rule in master.lines_named("EXRULE").filter_map(|line| line.value.parse::<Rule>().ok()) {
            let all = TimeRange { start: None, end: None };
            let days = occurrences(&rule, start, zones, &all, SignedDuration::ZERO);
            gone.instants.extend(days.map(|at| zones.instant(&at)));
        }
        gone
    }

    fn takes(&self, at: &Moment, instant: Timestamp) -> bool {
        self.instants.contains(&instant) || self.days.contains(&at.local().date())
    }
}

/// How long each occurrence of a series takes.
fn length_of(first: &Instance, master: &Component, zones: &Zones) -> Option<Length> {
    if let Some(nominal) = master.value("DURATION").and_then(length) {
        return Some(nominal);
    }
    let (start, end) = (first.start.as_ref()?, first.end.as_ref()?);
    Some(match (start, end) {
        (Moment::Day(start), Moment::Day(end)) => {
            Length::Nominal(jiff::Span::new().try_days((*end - *start).get_days()).ok()?)
        }
        // RFC 5545 3.8.5.3: the exact duration.
        _ => Length::Exact(zones.instant(end).duration_since(zones.instant(start))),
    })
}

impl<'a> Instance<'a> {
    /// The component as it stands.
    pub(super) fn of(component: &'a Component, zones: &Zones, id: Option<Moment>) -> Self {
        let moment = |name: &str| component.line(name).and_then(|line| zones.moment(line));
        let (start, due) = (moment("DTSTART"), moment("DUE"));
        let end = moment("DTEND").or_else(|| due.clone()).or_else(|| {
            let start = start.as_ref()?;
            start.after(component.value("DURATION").and_then(length)?)
        });
        Self { component, start: start.or(due), end, id }
    }

    /// How long it lasts, at least.
    fn reach(&self, zones: &Zones) -> SignedDuration {
        match (&self.start, &self.end) {
            (Some(start), Some(end)) => zones.instant(end).duration_since(zones.instant(start)).abs(),
            _ => SignedDuration::from_hours(24),
        }
    }

    /// First instant and the one after the last; a day without an end lasts a day.
    pub fn extent(&self, zones: &Zones) -> Option<(Timestamp, Timestamp)> {
        let start = self.start.as_ref()?;
        let from = zones.instant(start);
        let to = match (&self.end, start) {
            (Some(end), _) => zones.instant(end),
            (None, Moment::Day(day)) => zones.instant(&Moment::Day(day.tomorrow().ok()?)),
            (None, _) => from,
        };
        Some((from, to.max(from)))
    }

    /// Whether it touches the range. RFC 4791 9.9
    pub fn overlaps(&self, zones: &Zones, range: &TimeRange) -> bool {
        let Range(from, to) = Range::of(range);
        match self.component.name.as_str() {
            "VEVENT" => self.extent(zones).is_some_and(|(start, end)| {
                if start == end { from <= start && to > start } else { from < end && to > start }
            }),
            "VTODO" => self.task_overlaps(zones, from, to),
            "VJOURNAL" => self.extent(zones).is_some_and(|(start, end)| {
                if start == end { from <= start && to > start } else { from < end && to > start }
            }),
            "VFREEBUSY" => self.extent(zones).is_some_and(|(start, end)| from <= end && to > start),
            _ => false,
        }
    }

    fn task_overlaps(&self, zones: &Zones, from: Timestamp, to: Timestamp) -> bool {
        let has = |name: &str| self.component.line(name).is_some();
        let instant = |name: &str| {
            let moment = self.component.line(name).and_then(|line| zones.moment(line));
            moment.map(|moment| zones.instant(&moment))
        };
        let start = self.start.as_ref().filter(|_| has("DTSTART")).map(|at| zones.instant(at));
        let end = self.end.as_ref().map(|at| zones.instant(at));
        match (start, end) {
            (Some(start), Some(end)) if has("DURATION") => from <= end && (to > start || to >= end),
            (Some(start), Some(due)) => (from < due || from <= start) && (to > start || to >= due),
            (Some(start), None) => from <= start && to > start,
            (None, Some(due)) => from < due && to >= due,
            (None, None) => match (instant("COMPLETED"), instant("CREATED")) {
                (Some(done), Some(made)) => (from <= made || from <= done) && (to >= made || to >= done),
                (Some(done), None) => from <= done && to >= done,
                (None, Some(made)) => to > made,
                (None, None) => true,
            },
        }
    }
}

/// A range whose ends are there.
pub struct Range(pub Timestamp, pub Timestamp);

impl Range {
    /// Open ends are the ends of time.
    pub fn of(range: &TimeRange) -> Self {
        Self(range.start.unwrap_or(Timestamp::MIN), range.end.unwrap_or(Timestamp::MAX))
    }
}
