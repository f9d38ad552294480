//! What is to come back of an object: expanded, limited, in part.

use super::TooMuch;
use super::filter::TimeRange;
use super::instance::{Instance, Range, visit};
use super::shape::{AddressData, CalendarData, CompSelection, PropSelection, RecurrenceShape};
use crate::model::zone::Zone;
use crate::text::moment::{Moment, Zones, length};
use crate::text::{Component, Line};
use std::ops::ControlFlow;

/// Components that take place.
const TIMED: [&str; 3] = ["VEVENT", "VTODO", "VJOURNAL"];
/// Instances that one object is expanded to.
const MAX_INSTANCES: usize = 10_000;
/// Octets that one object is expanded to.
pub(super) const MAX_EXPANDED: usize = 6 << 20;

/// RFC 4791 9.6; `None` when `expand` leaves nothing.
pub fn calendar(data: &CalendarData, object: &Component, zone: &Zone) -> Result<Option<Component>, TooMuch> {
    let CalendarData { comp, recurrence, limit_freebusy } = data;
    let mut cut = match recurrence {
        Some(RecurrenceShape::Expand(range)) => match expand(object, zone, range)? {
            Some(expanded) => expanded,
            None => return Ok(None),
        },
        Some(RecurrenceShape::Limit(range)) => limit(object, zone, range),
        None => object.clone(),
    };
    if let Some(range) = limit_freebusy {
        cut.children
            .iter_mut()
            .filter(|child| child.name == "VFREEBUSY")
            .for_each(|c| limit_periods(c, range));
    }
    if let Some(selection) = comp {
        select(selection, &mut cut);
    }
    Ok(Some(cut))
}

/// RFC 6352 10.4
pub fn card(data: &AddressData, card: &Component) -> Component {
    let mut cut = card.clone();
    if let Some(props) = &data.props {
        // A card without its version is none. RFC 6350 6.7.9
        let version = PropSelection { name: "VERSION".to_owned(), novalue: false };
        let props: Vec<PropSelection> = std::iter::once(version).chain(props.iter().cloned()).collect();
        select_lines(&props, &mut cut);
    }
    cut
}

fn select(selection: &CompSelection, component: &mut Component) {
    if let Some(props) = &selection.props {
        select_lines(props, component);
    }
    if let Some(comps) = &selection.comps {
        component.children.retain_mut(|child| {
            let wanted = comps.iter().find(|selection| selection.name == child.name);
            wanted.is_some_and(|selection| {
                select(selection, child);
                true
            })
        });
    }
}

fn select_lines(props: &[PropSelection], component: &mut Component) {
    component.lines.retain_mut(|line| {
        let wanted = props.iter().find(|selection| selection.name == line.name);
        wanted.is_some_and(|selection| {
            if selection.novalue {
                line.value.clear();
            }
            true
        })
    });
}

/// One component for each instance in the range, in UTC, without rules and zones. RFC 4791 9.6.5
fn expand(object: &Component, zone: &Zone, range: &TimeRange) -> Result<Option<Component>, TooMuch> {
    let zones = Zones::new(object, zone);
    let (lines, name) = (object.lines.clone(), object.name.clone());
    let mut expanded = Component { lines, ..Component::new(&name) };
    let (mut octets, mut is_too_much) = (0, false);
    for name in TIMED {
        visit(object, &zones, name, range, |instance| {
            if instance.overlaps(&zones, range) {
                octets += size(instance.component);
                is_too_much = octets > MAX_EXPANDED || expanded.children.len() >= MAX_INSTANCES;
                if is_too_much {
                    return ControlFlow::Break(());
                }
                expanded.children.push(told(&instance, &zones));
            }
            ControlFlow::Continue(())
        });
        if is_too_much {
            return Err(TooMuch);
        }
    }
    expanded
        .children
        .sort_by_key(|event| event.line("DTSTART").and_then(|l| zones.moment(l)).map(|m| zones.instant(&m)));
    Ok((!expanded.children.is_empty()).then_some(expanded))
}

/// Octets of a component as text, nearly.
fn size(component: &Component) -> usize {
    let line = |line: &Line| line.name.len() + line.value.len() + 32 + 32 * line.params.len();
    let lines: usize = component.lines.iter().map(line).sum();
    lines + component.children.iter().map(size).sum::<usize>()
}

/// An instance as a component of its own.
fn told(instance: &Instance, zones: &Zones) -> Component {
    let mut component = instance.component.clone();
    component.lines.retain(|line| {
        !matches!(line.name.as_str(), "RRULE" | "RDATE" | "EXDATE" | "EXRULE" | "RECURRENCE-ID")
    });
    let had = |name: &str| instance.component.line(name).is_some();
    for line in &mut component.lines {
        let moment = match line.name.as_str() {
            "DTSTART" => instance.start.as_ref(),
            "DTEND" | "DUE" => instance.end.as_ref(),
            _ => None,
        };
        if let Some(moment) = moment {
            *line = moment.utc_line(&line.name, zones);
        }
    }
    // A nominal length may not last as long in UTC: DURATION stays, and is exact where clocks change.
    let (start, end) = (instance.start.as_ref(), instance.end.as_ref());
    if let (true, Some(start), Some(end)) = (had("DURATION"), start, end)
        && !start.is_day()
    {
        let lasts = zones.instant(end).duration_since(zones.instant(start));
        let in_utc = Moment::Zoned(Zone::Utc.to_local(zones.instant(start)), Zone::Utc);
        for line in component.lines.iter_mut().filter(|line| line.name == "DURATION") {
            let same = length(&line.value).and_then(|length| in_utc.after(length));
            if same.is_none_or(|same| zones.instant(&same) != zones.instant(end)) {
                line.value = format!("PT{}S", lasts.as_secs().max(0));
            }
        }
    }
    if let Some(id) = &instance.id {
        component.push(id.utc_line("RECURRENCE-ID", zones));
    }
    component
}

/// The master, and the overrides that touch the range or would have. RFC 4791 9.6.6
fn limit(object: &Component, zone: &Zone, range: &TimeRange) -> Component {
    let zones = Zones::new(object, zone);
    let mut limited = object.clone();
    limited.children.retain(|component| {
        let Some(id) = component.line("RECURRENCE-ID").and_then(|line| zones.moment(line)) else {
            return true;
        };
        let mut touches = false;
        let alone = Component { children: vec![component.clone()], ..Component::new("VCALENDAR") };
        visit(&alone, &zones, &component.name, range, |instance| {
            let moved = instance.overlaps(&zones, range);
            let length =
                instance.extent(&zones).map(|(from, to)| to.duration_since(from)).unwrap_or_default();
            let from = zones.instant(&id);
            let Range(start, end) = Range::of(range);
            touches = moved || (from < end && from.checked_add(length).is_ok_and(|to| to >= start));
            ControlFlow::Break(())
        });
        touches
    });
    limited
}

/// FREEBUSY values that touch the range. RFC 4791 9.6.7
fn limit_periods(component: &mut Component, range: &TimeRange) {
    let Range(start, end) = Range::of(range);
    let nowhere = Component::new("VCALENDAR");
    let zones = Zones::new(&nowhere, &Zone::Utc);
    let touches = |period: &str| {
        let (from, to) = period.split_once('/')?;
        let from = zones.moment(&Line::raw("X", from))?;
        let to = match length(to) {
            Some(length) => from.after(length)?,
            None => zones.moment(&Line::raw("X", to))?,
        };
        Some(zones.instant(&from) < end && zones.instant(&to) > start)
    };
    component.lines.retain_mut(|line| {
        if line.name != "FREEBUSY" {
            return true;
        }
        let kept: Vec<&str> = line.value.split(',').filter(|period| touches(period) != Some(false)).collect();
        line.value = kept.join(",");
        !line.value.is_empty()
    });
}
