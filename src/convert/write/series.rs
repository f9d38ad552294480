//! The occurrences of a series that differ from its rule.

use super::OccurrenceChange;
use super::rule::Translated;
use super::zone::ZonedMoment;
use crate::model::item::Change;
use crate::model::recurrence::Rule;
use crate::model::refusal::{Reason, Refusal};
use crate::text::moment::{Moment, Zones};
use crate::text::{Component, Line};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use std::collections::{BTreeMap, BTreeSet};

/// Occurrences that are numbered: beyond these nothing can be changed singly.
const MAX_NUMBERED: usize = 5_000;
/// Dates that a rule may exclude: each is a call of its own.
const MAX_RULED: usize = 400;

/// The occurrences of a series as Exchange counts them.
pub struct Numbered {
    days: Vec<DateTime>,
    start: ZonedMoment,
}

impl Numbered {
    /// Numbers the occurrences of a rule from its start.
    pub fn of(translated: &Translated, start: &ZonedMoment) -> Self {
        let all = translated.exchange.occurrences(start.moment.local(), &start.zone);
        Self { days: all.take(MAX_NUMBERED).collect(), start: start.clone() }
    }

    /// The number of the occurrence that a moment names, from 1.
    pub fn number(&self, moment: &Moment) -> Option<u32> {
        let zone = &self.start.zone;
        let at = match moment {
            // Days name occurrences of timed series, too.
            Moment::Day(_) => {
                let day = moment.local().date();
                let first = self.days.partition_point(|at| at.date() < day);
                self.days.get(first).filter(|at| at.date() == day).map(|_| first)?
            }
            _ if self.start.moment.is_day() => {
                let day = DateTime::from(moment.day(zone));
                self.days.binary_search(&day).ok()?
            }
            Moment::Floating(local) => self.days.binary_search(local).ok()?,
            // By instants: a time that clocks skip is told as the one after the gap, too.
            Moment::Zoned(local, other) => {
                let wanted = other.to_instant(*local);
                self.days.binary_search_by_key(&wanted, |at| zone.to_instant(*at)).ok()?
            }
        };
        u32::try_from(at + 1).ok()
    }

    /// Why the occurrence at an instant has no number, and what to do about it.
    pub fn why_not(&self, at: Timestamp) -> String {
        if !self.is_beyond(at) {
            return "the rule has no occurrence at this time: make it an event of its own".to_owned();
        }
        format!("only the first {MAX_NUMBERED} occurrences can be changed singly: begin a new series earlier")
    }

    /// Whether a moment is after all that are numbered, of more.
    fn is_beyond(&self, at: Timestamp) -> bool {
        let last = u32::try_from(self.days.len()).ok().and_then(|last| self.instant(last));
        self.days.len() >= MAX_NUMBERED && last.is_some_and(|last| at > last)
    }

    /// The numbers of the occurrences that another rule with the same start has, too.
    fn ruled(&self, rule: Rule) -> Vec<u32> {
        let rule = if self.start.moment.is_day() { rule.of_days(&self.start.zone) } else { rule };
        let dates = rule.occurrences(self.start.moment.local(), &self.start.zone).take(MAX_RULED);
        dates.filter_map(|at| u32::try_from(self.days.binary_search(&at).ok()? + 1).ok()).collect()
    }

    /// The day that an occurrence has by the rule.
    fn day(&self, number: u32) -> Option<Date> {
        self.days.get(usize::try_from(number).ok()?.checked_sub(1)?).map(|at| at.date())
    }

    /// The instant that an occurrence has by the rule.
    pub fn instant(&self, number: u32) -> Option<Timestamp> {
        let local = self.days.get(usize::try_from(number).ok()?.checked_sub(1)?)?;
        Some(self.start.zone.to_instant(*local))
    }
}

/// The numbers that EXDATE takes out; what the rule does not produce is kept in the text alone.
pub fn excluded(master: &Component, zones: &Zones, numbered: &Numbered) -> BTreeSet<u32> {
    let dates = master.lines_named("EXDATE").flat_map(|line| zones.moments(line));
    let rules = master.lines_named("EXRULE").filter_map(|line| line.value.parse::<Rule>().ok());
    let ruled = rules.flat_map(|rule| numbered.ruled(rule));
    dates.filter_map(|moment| numbered.number(&moment)).chain(ruled).collect()
}

/// What EXDATE takes out of a series after all occurrences that are numbered.
pub fn beyond(master: &Component, zones: &Zones, numbered: &Numbered) -> BTreeSet<Timestamp> {
    let dates = master.lines_named("EXDATE").flat_map(|line| zones.moments(line));
    dates.map(|moment| zones.instant(&moment)).filter(|at| numbered.is_beyond(*at)).collect()
}

/// Refuses rules that exclude for ever, or more than can be excluded one by one.
pub fn check_excluding_rules(master: &Component, start: &ZonedMoment) -> Result<(), Refusal> {
    for line in master.lines_named("EXRULE") {
        let rule: Rule = line.value.parse().map_err(|_| {
            Refusal::of_part(Reason::InvalidData, "EXRULE", format!("“{}” is no recurrence rule", line.value))
        })?;
        let dates = rule.occurrences(start.moment.local(), &start.zone).take(MAX_RULED + 1).count();
        if !rule.is_finite() || dates > MAX_RULED {
            let text = "end the rule after at most 400 dates, or list the excluded dates instead";
            return Err(Refusal::of_part(Reason::UnsupportedRecurrence, "EXRULE", text));
        }
    }
    Ok(())
}

/// A start, and an end where that is told.
pub type Added = (Moment, Option<Moment>);

/// Added dates, each as the new place of an excluded occurrence, in order. These are taken out of `gone`.
pub fn added(
    master: &Component,
    zones: &Zones,
    numbered: &Numbered,
    gone: &mut BTreeSet<u32>,
) -> Result<BTreeMap<u32, Added>, Refusal> {
    let mut dates: Vec<Added> = master.lines_named("RDATE").flat_map(|line| zones.periods(line)).collect();
    // What the rule produces anyway is no date more, and what is excluded stays so.
    dates.retain(|(start, end)| end.is_some() || numbered.number(start).is_none());
    if dates.is_empty() {
        return Ok(BTreeMap::new());
    }
    if dates.len() != gone.len() {
        return Err(Refusal::of_part(
            Reason::UnsupportedRecurrence,
            "RDATE",
            "Exchange repeats by a rule alone: make the added date an event of its own",
        ));
    }
    dates.sort_by_key(|(start, _)| zones.instant(start));
    Ok(std::mem::take(gone).into_iter().zip(dates).collect())
}

/// Overrides by the number of their occurrence.
pub fn overrides<'a>(
    calendar: &'a Component,
    zones: &Zones,
    numbered: &Numbered,
) -> Result<BTreeMap<u32, &'a Component>, Refusal> {
    let mut found = BTreeMap::new();
    for component in &calendar.children {
        let Some(line) = component.line("RECURRENCE-ID") else { continue };
        if line.param("RANGE").is_some_and(|word| word.eq_ignore_ascii_case("THISANDFUTURE")) {
            return Err(Refusal::of_part(
                Reason::UnsupportedRecurrence,
                "RANGE=THISANDFUTURE",
                "split the series at this occurrence instead",
            ));
        }
        let number = zones.moment(line).and_then(|moment| numbered.number(&moment));
        if let Some(number) = number {
            found.insert(number, component);
        }
    }
    Ok(found)
}

/// Overrides of what the rule does not produce, with the line that names them.
pub fn strays<'a>(
    calendar: &'a Component,
    zones: &Zones,
    numbered: &Numbered,
) -> Vec<(&'a Component, &'a Line)> {
    let named = calendar.children.iter().filter_map(|event| Some((event, event.line("RECURRENCE-ID")?)));
    let is_stray = |line: &Line| zones.moment(line).and_then(|moment| numbered.number(&moment)).is_none();
    named.filter(|(_, line)| is_stray(line)).collect()
}

/// Whether an event will not be held.
pub fn is_cancelled(event: &Component) -> bool {
    event.value("STATUS").is_some_and(|status| status.trim().eq_ignore_ascii_case("CANCELLED"))
}

/// Takes out the overrides of occurrences that are called off.
pub fn cancelled(overrides: &mut BTreeMap<u32, &Component>) -> BTreeSet<u32> {
    let numbers = overrides.iter().filter(|(_, event)| is_cancelled(event)).map(|(number, _)| *number);
    let numbers: BTreeSet<u32> = numbers.collect();
    overrides.retain(|number, _| !numbers.contains(number));
    numbers
}

/// Where moved occurrences go, by their number: first and new day.
pub type Moved = BTreeMap<u32, Date>;

/// Refuses moves to or past the day of a neighbour, as Exchange does.
pub fn check_neighbours(numbered: &Numbered, gone: &BTreeSet<u32>, moved: &Moved) -> Result<(), Refusal> {
    let last = u32::try_from(numbered.days.len()).unwrap_or(u32::MAX);
    let day = |number: u32| moved.get(&number).copied().or_else(|| numbered.day(number));
    for (number, to) in moved {
        if numbered.day(*number) == Some(*to) {
            continue;
        }
        let before = (1..*number).rev().find(|n| !gone.contains(n)).and_then(day);
        let after = (number + 1..=last).find(|n| !gone.contains(n)).and_then(day);
        if before.is_some_and(|before| before >= *to) || after.is_some_and(|after| after <= *to) {
            return Err(Refusal::new(
                Reason::OccurrenceCrossesNeighbour,
                "Exchange does not let an occurrence reach the day of its neighbour",
            ));
        }
    }
    Ok(())
}

/// Moves in the order in which none touches a neighbour that has not moved yet: those forward from the last to the
/// first, then those backward from the first to the last.
pub fn in_order(
    numbered: &Numbered,
    moved: &Moved,
    moves: BTreeMap<u32, Vec<Change>>,
) -> Vec<OccurrenceChange> {
    let is_forward = |number: &u32| match (moved.get(number), numbered.day(*number)) {
        (Some(to), Some(from)) => *to > from,
        _ => false,
    };
    let (mut forward, backward): (Vec<_>, Vec<_>) =
        moves.into_iter().partition(|(number, _)| is_forward(number));
    forward.reverse();
    forward.into_iter().chain(backward).collect()
}
