//! Whether an object is what a filter asks for.

use super::Foreseen;
use super::filter::{
    AnyAll, CalendarFilter, CardFilter, CardPropFilter, CompFilter, CompTest, PropFilter, PropTest, TimeRange,
};
use super::instance::{Instance, Range, visit};
use crate::model::object::Span;
use crate::model::zone::Zone;
use crate::text::moment::{Length, Moment, Zones, length};
use crate::text::{Component, Line};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Repetitions of one alarm that are looked at.
const MAX_REPETITIONS: i32 = 1000;

/// Lines that say when something takes place or rings, and those of the zones that they name.
pub const TIMES: &[&str] = &[
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RECURRENCE-ID",
    "RRULE",
    "RDATE",
    "EXDATE",
    "EXRULE",
    "COMPLETED",
    "CREATED",
    "TRIGGER",
    "REPEAT",
    "TZID",
    "TZOFFSETFROM",
    "TZOFFSETTO",
    "TZNAME",
    "X-LIC-LOCATION",
    "X-MICROSOFT-CDO-TZID",
];

/// RFC 4791 9.7
pub fn calendar(filter: &CalendarFilter, object: &Component, zone: &Zone) -> bool {
    let zones = Zones::new(object, zone);
    let CompFilter { name, test } = &filter.root;
    match test {
        CompTest::Absent => object.name != *name,
        CompTest::Present { time_range, props, comps } => {
            let in_range = |range: &TimeRange| {
                // A calendar as a whole takes place when any of its components does.
                let names: BTreeSet<&str> = object.children.iter().map(|child| child.name.as_str()).collect();
                names.into_iter().any(|name| takes_place(object, name, &zones, range, |_| true))
            };
            object.name == *name
                && time_range.as_ref().is_none_or(in_range)
                && props.iter().all(|filter| has_property(filter, object, &zones))
                && comps.iter().all(|filter| has_component(filter, object, &zones))
        }
    }
}

/// What is known of an object that holds components of one name, before it is read. Only the times of events bind:
/// alarms ring elsewhere.
pub fn foresee(filter: &CalendarFilter, component: &str, span: &Span) -> Foreseen {
    let CompTest::Present { time_range: None, props, comps } = &filter.root.test else {
        return Foreseen::Unknown;
    };
    let known = if props.is_empty() { Foreseen::Matches } else { Foreseen::Unknown };
    comps.iter().fold(known, |known, comp| {
        let held = comp.name == component;
        let of_this = match &comp.test {
            _ if comp.name == "VTIMEZONE" => Foreseen::Unknown,
            CompTest::Absent => return if held { Foreseen::Fails } else { known },
            CompTest::Present { .. } if !held => Foreseen::Fails,
            CompTest::Present { time_range: None, props, comps } if props.is_empty() && comps.is_empty() => {
                Foreseen::Matches
            }
            CompTest::Present { time_range: Some(range), .. }
                if !span.may_overlap(range.start, range.end) =>
            {
                Foreseen::Fails
            }
            CompTest::Present { .. } => Foreseen::Unknown,
        };
        known.max(of_this)
    })
}

/// The range of time in which [`foresee`] does not fail, at most: one that is asked of the components that the object
/// holds.
pub fn range(filter: &CalendarFilter, component: &str) -> TimeRange {
    let comps = match &filter.root.test {
        CompTest::Present { time_range: None, comps, .. } => comps.as_slice(),
        _ => &[],
    };
    let asked = comps.iter().filter(|comp| comp.name == component).find_map(|comp| match comp.test {
        CompTest::Present { time_range, .. } => time_range,
        CompTest::Absent => None,
    });
    asked.unwrap_or(TimeRange { start: None, end: None })
}

fn has_component(filter: &CompFilter, object: &Component, zones: &Zones) -> bool {
    let CompFilter { name, test } = filter;
    let mut named = object.children.iter().filter(|child| child.name == *name);
    let CompTest::Present { time_range, props, comps } = test else {
        return named.next().is_none();
    };
    let holds = |component: &Component| {
        props.iter().all(|filter| has_property(filter, component, zones))
            && comps.iter().all(|inner| has_inner(inner, object, component, zones))
    };
    match time_range {
        Some(range) => takes_place(object, name, zones, range, holds),
        None => named.any(holds),
    }
}

/// A component within an event or task, nearly always an alarm.
fn has_inner(filter: &CompFilter, object: &Component, outer: &Component, zones: &Zones) -> bool {
    let CompFilter { name, test } = filter;
    let mut named = outer.children.iter().filter(|child| child.name == *name);
    let CompTest::Present { time_range, props, comps } = test else {
        return named.next().is_none();
    };
    named.any(|inner| {
        time_range.as_ref().is_none_or(|range| rings(object, outer, inner, zones, range))
            && props.iter().all(|filter| has_property(filter, inner, zones))
            && comps.iter().all(|filter| has_component(filter, inner, zones))
    })
}

/// Whether an instance is in the range whose component, the master or an override, meets a condition. All components are
/// looked at in one walk through the series, and each is judged once.
fn takes_place(
    object: &Component,
    name: &str,
    zones: &Zones,
    range: &TimeRange,
    holds: impl Fn(&Component) -> bool,
) -> bool {
    if name == "VTIMEZONE" {
        return false;
    }
    let mut found = false;
    let mut failed: BTreeSet<*const Component> = BTreeSet::new();
    visit(object, zones, name, range, |instance| {
        let component = instance.component;
        if !failed.contains(&std::ptr::from_ref(component)) && instance.overlaps(zones, range) {
            found = holds(component);
            if !found {
                failed.insert(std::ptr::from_ref(component));
            }
        }
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// Whether an alarm of an event or task rings within the range.
fn rings(object: &Component, outer: &Component, alarm: &Component, zones: &Zones, range: &TimeRange) -> bool {
    let Range(from, to) = Range::of(range);
    let Some(trigger) = alarm.line("TRIGGER") else { return false };
    let in_range = |at: Timestamp| {
        let pause = alarm.value("DURATION").and_then(length);
        let times = alarm.value("REPEAT").and_then(|n| n.trim().parse::<i32>().ok()).unwrap_or(0);
        let mut next = Some(Moment::Zoned(Zone::Utc.to_local(at), Zone::Utc));
        for _ in 0..=times.clamp(0, MAX_REPETITIONS) {
            let Some(moment) = next else { return false };
            let at = zones.instant(&moment);
            if from <= at && to > at {
                return true;
            }
            next = pause.and_then(|pause| moment.after(pause));
        }
        false
    };
    let Some(offset) = length(&trigger.value) else {
        return zones.moment(trigger).is_some_and(|at| in_range(zones.instant(&at)));
    };
    let of_end = trigger.param("RELATED").is_some_and(|word| word.eq_ignore_ascii_case("END"));
    let ring = |instance: &Instance| {
        let (start, end) = instance.extent(zones)?;
        let at = if of_end { end } else { start };
        let moment = Moment::Zoned(zones.floating().to_local(at), zones.floating().clone());
        Some(zones.instant(&moment.after(offset)?))
    };
    // An override takes place once; only a master is looked for among all instances.
    if let Some(id) = outer.line("RECURRENCE-ID").and_then(|line| zones.moment(line)) {
        return ring(&Instance::of(outer, zones, Some(id))).is_some_and(in_range);
    }
    // Instances are looked for where their alarms would ring in the range.
    let margin = SignedDuration::from_hours(24 * 32);
    let wide = TimeRange {
        start: range.start.and_then(|at| at.checked_sub(margin).ok()),
        end: range.end.and_then(|at| at.checked_add(margin).ok()),
    };
    let wide = if is_long(offset, margin) { TimeRange { start: None, end: None } } else { wide };
    let mut found = false;
    visit(object, zones, &outer.name, &wide, |instance| {
        found = std::ptr::eq(instance.component, outer) && ring(&instance).is_some_and(in_range);
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

fn is_long(length: Length, limit: SignedDuration) -> bool {
    let zero = Moment::Floating(jiff::civil::DateTime::constant(2000, 1, 1, 0, 0, 0, 0));
    let later = zero.after(length).map(|moment| moment.local().duration_since(zero.local()).abs());
    later.is_none_or(|length| length > limit)
}

fn has_property(filter: &PropFilter, component: &Component, zones: &Zones) -> bool {
    let PropFilter { name, test } = filter;
    let mut lines = component.lines.iter().filter(|line| line.name == *name);
    let PropTest::Present { time_range, text, params } = test else {
        return lines.next().is_none();
    };
    lines.any(|line| {
        time_range.as_ref().is_none_or(|range| value_is_in(line, zones, range))
            && text.as_ref().is_none_or(|text| text.matches(&line.unescaped()))
            && params.iter().all(|filter| filter.matches(line))
    })
}

fn value_is_in(line: &Line, zones: &Zones, range: &TimeRange) -> bool {
    let Range(from, to) = Range::of(range);
    zones.moments(line).iter().any(|moment| {
        let start = zones.instant(moment);
        match moment {
            Moment::Day(day) => {
                let end = day.tomorrow().map_or(start, |next| zones.instant(&Moment::Day(next)));
                from < end && to > start
            }
            Moment::Floating(_) | Moment::Zoned(..) => from <= start && to > start,
        }
    })
}

/// RFC 6352 10.5
pub fn card(filter: &CardFilter, card: &Component) -> bool {
    let CardFilter { test, props } = filter;
    props.is_empty() || holds(*test, props.iter().map(|filter| has_card_property(filter, card)))
}

fn has_card_property(filter: &CardPropFilter, card: &Component) -> bool {
    let CardPropFilter { name, test, absent, texts, params } = filter;
    let mut lines = card.lines.iter().filter(|line| line.name == *name);
    if *absent {
        return lines.next().is_none();
    }
    lines.any(|line| {
        let value = line.unescaped();
        let texts = texts.iter().map(|text| text.matches(&value));
        let params = params.iter().map(|filter| filter.matches(line));
        let mut conditions = texts.chain(params).peekable();
        conditions.peek().is_none() || holds(*test, conditions)
    })
}

fn holds(test: AnyAll, mut conditions: impl Iterator<Item = bool>) -> bool {
    match test {
        AnyAll::Any => conditions.any(|holds| holds),
        AnyAll::All => conditions.all(|holds| holds),
    }
}
