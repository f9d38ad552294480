//! Time zones with the rules that a server or a client gives them.

use super::moment::{civil, weekday};
use crate::xml::Element;
use jiff::civil::DateTime;

/// A time zone property. MS-OXWSCDATA 2.2.4.73
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeZone {
    /// Windows id, `tzone://Microsoft/…`, or empty.
    pub id: String,
    /// For people.
    pub name: String,
    /// Rules, when the server sends them.
    pub periods: Vec<Period>,
    /// Groups of transitions by their id.
    pub groups: Vec<(String, Vec<Transition>)>,
    /// From when each group holds: `None` from the beginning.
    pub eras: Vec<(Option<DateTime>, String)>,
}

/// An offset with a name. MS-OXWSCDATA 2.2.4.50
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Referred to by transitions.
    pub id: String,
    /// `Standard`, `Daylight` or other words.
    pub name: String,
    /// UTC minus local, in seconds.
    pub bias_seconds: i32,
}

/// When a period begins each year. MS-OXWSCDATA 2.2.4.57
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The period's id.
    pub to: String,
    /// When; `None`: at the beginning.
    pub when: Option<YearlyMoment>,
}

/// A day of the year and a time on it, before the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YearlyMoment {
    /// 1 to 12.
    pub month: i8,
    /// Seconds after midnight.
    pub seconds: i32,
    /// Which day.
    pub day: YearlyDay,
}

/// The day of a [`YearlyMoment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YearlyDay {
    /// The n-th such weekday; −1 the last.
    Weekday(jiff::civil::Weekday, i8),
    /// That day of the month.
    Day(i8),
}

impl TimeZone {
    pub(super) fn read(element: &Element) -> Self {
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
        Self {
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
