//! Busy time. RFC 4791 7.10

use super::filter::TimeRange;
use super::instance::{Range, visit};
use crate::model::zone::Zone;
use crate::text::moment::Zones;
use crate::text::{Component, Line};
use jiff::Timestamp;
use std::borrow::Borrow;
use std::ops::ControlFlow;

/// FBTYPE, in the order in which one hides the other. RFC 5545 3.2.9
const KINDS: [&str; 3] = ["BUSY-UNAVAILABLE", "BUSY", "BUSY-TENTATIVE"];

/// Periods that are in memory before those that touch are joined.
const MAX_PERIODS: usize = 100_000;

/// Somebody is not free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BusyPeriod {
    /// FBTYPE.
    pub kind: &'static str,
    /// From.
    pub start: Timestamp,
    /// To, exclusive.
    pub end: Timestamp,
}

/// Busy periods of the objects that lie in the range, merged by kind.
pub fn free_busy<C: Borrow<Component>>(
    objects: impl IntoIterator<Item = C>,
    range: &TimeRange,
    zone: &Zone,
    now: Timestamp,
) -> Component {
    let Range(from, to) = Range::of(range);
    let mut periods = Vec::new();
    for object in objects {
        let object = object.borrow();
        let zones = Zones::new(object, zone);
        visit(object, &zones, "VEVENT", range, |instance| {
            if let (Some((start, end)), Some(kind)) = (instance.extent(&zones), kind(instance.component)) {
                periods.push(BusyPeriod { kind, start, end });
            }
            ControlFlow::Continue(())
        });
        // Periods that touch are one, so that many series take no more memory than one.
        if periods.len() > MAX_PERIODS {
            periods = merged_by_kind(std::mem::take(&mut periods));
        }
    }
    busy_time(periods, from, to, now)
}

/// A VFREEBUSY object of what lies in the range, merged by kind. RFC 5545 3.6.4
pub fn busy_time(
    periods: impl IntoIterator<Item = BusyPeriod>,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
) -> Component {
    let mut busy: Vec<Vec<(Timestamp, Timestamp)>> = vec![Vec::new(); KINDS.len()];
    for BusyPeriod { kind, start, end } in periods {
        let all = KINDS.iter().position(|known| *known == kind).and_then(|at| busy.get_mut(at));
        if let Some(all) = all.filter(|_| start < end && start < to && end > from) {
            all.push((start.max(from), end.min(to)));
        }
    }
    let mut component = Component::new("VFREEBUSY");
    let utc = |at: Timestamp| at.strftime("%Y%m%dT%H%M%SZ").to_string();
    component.push(Line::raw("UID", format!("free-busy-{}-{}", from.as_second(), to.as_second())));
    component.push(Line::raw("DTSTAMP", utc(now)));
    component.push(Line::raw("DTSTART", utc(from)));
    component.push(Line::raw("DTEND", utc(to)));
    for (kind, periods) in KINDS.iter().zip(busy) {
        for (start, end) in merged(periods) {
            component
                .push(Line::raw("FREEBUSY", format!("{}/{}", utc(start), utc(end))).with("FBTYPE", kind));
        }
    }
    let mut calendar = Component::new("VCALENDAR");
    calendar.push(Line::raw("VERSION", "2.0"));
    calendar.push(Line::raw("PRODID", concat!("-//exdav//exdav ", env!("CARGO_PKG_VERSION"), "//EN")));
    calendar.children.push(component);
    calendar
}

/// How an event takes up time; `None` when it does not. RFC 4791 7.10
fn kind(event: &Component) -> Option<&'static str> {
    let is = |name: &str, word: &str| {
        event.value(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
    };
    if is("TRANSP", "TRANSPARENT") || is("STATUS", "CANCELLED") {
        return None;
    }
    Some(if is("X-MICROSOFT-CDO-BUSYSTATUS", "OOF") {
        "BUSY-UNAVAILABLE"
    } else if is("STATUS", "TENTATIVE") || is("X-MICROSOFT-CDO-BUSYSTATUS", "TENTATIVE") {
        "BUSY-TENTATIVE"
    } else {
        "BUSY"
    })
}

fn merged_by_kind(periods: Vec<BusyPeriod>) -> Vec<BusyPeriod> {
    let of = |kind: &'static str| {
        let own = periods.iter().filter(|period| period.kind == kind);
        let joined = merged(own.map(|period| (period.start, period.end)).collect());
        joined.into_iter().map(move |(start, end)| BusyPeriod { kind, start, end })
    };
    KINDS.into_iter().flat_map(of).collect()
}

/// Periods that touch or overlap as one, in order.
fn merged(mut periods: Vec<(Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    periods.sort_unstable();
    let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (start, end) in periods {
        match merged.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => merged.push((start, end)),
        }
    }
    merged
}
