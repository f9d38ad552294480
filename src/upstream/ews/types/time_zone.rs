//! Time zones with the rules that a server gives them.

use super::moment::civil;
use crate::model::item::{Period, TimeZone, Transition, YearlyDay, YearlyMoment, weekday};
use crate::xml::Element;

/// A time zone property. MS-OXWSCDATA 2.2.4.73
pub(super) fn time_zone(element: &Element) -> TimeZone {
    let attribute = |name| element.attribute(name).unwrap_or_default().to_owned();
    let list = |name| element.find(name).into_iter().flat_map(Element::children);
    let period = |p: &Element| {
        Some(Period {
            id: p.attribute("Id")?.to_owned(),
            name: p.attribute("Name").unwrap_or_default().to_owned(),
            bias_seconds: duration_seconds(p.attribute("Bias")?)?,
        })
    };
    let to = |t: &Element| t.find("To").map(|to| to.text().trim().to_owned());
    TimeZone {
        id: attribute("Id"),
        name: attribute("Name"),
        periods: list("Periods").filter_map(period).collect(),
        groups: list("TransitionsGroups")
            .filter_map(|group| {
                let transitions =
                    group.children().filter_map(|t| Some(Transition { to: to(t)?, when: yearly(t) }));
                Some((group.attribute("Id")?.to_owned(), transitions.collect()))
            })
            .collect(),
        eras: list("Transitions")
            .filter_map(|t| {
                let from = t.find("DateTime").and_then(|at| civil(&at.text()));
                Some((from, to(t)?))
            })
            .collect(),
    }
}

fn yearly(element: &Element) -> Option<YearlyMoment> {
    let text = |local| element.find(local).map(|e| e.text().trim().to_owned());
    let day = match (text("DayOfWeek"), text("Day")) {
        (Some(day), _) => YearlyDay::Weekday(weekday(&day)?, text("Occurrence")?.parse().ok()?),
        (None, Some(day)) => YearlyDay::Day(day.parse().ok()?),
        (None, None) => return None,
    };
    Some(YearlyMoment {
        month: text("Month")?.parse().ok()?,
        seconds: duration_seconds(&text("TimeOffset")?)?,
        day,
    })
}

/// `xs:duration` without years and months, in seconds; fractions are rounded.
fn duration_seconds(text: &str) -> Option<i32> {
    let duration: jiff::Span = text.trim().parse().ok()?;
    let total = duration.total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours())).ok()?;
    #[allow(clippy::cast_possible_truncation, reason = "checked against the range of a week")]
    (total.abs() < 1_000_000.0).then(|| total.round() as i32)
}
