//! Patterns and ranges of series.

use super::moment::{date, month};
use crate::model::item::{Pattern, RangeEnd, Recurrence};
use crate::xml::Element;
use jiff::civil::Date;

/// Pattern and range of a series. MS-OXWSCDATA 2.2.4.62
pub(super) fn recurrence(element: &Element) -> Option<Recurrence> {
    let mut found = None;
    let mut bounds = None;
    for child in element.children() {
        let local = child.name().local();
        match (pattern(child, local), range(child, local)) {
            (Some(pattern), _) => found = Some(pattern),
            (None, Some(range)) => bounds = Some(range),
            (None, None) => {}
        }
    }
    let (start, end) = bounds?;
    Some(Recurrence { pattern: found?, start, end })
}

fn pattern(child: &Element, local: &str) -> Option<Pattern> {
    let text = |name| child.find(name).map(|e| e.text().trim().to_owned());
    let interval = text("Interval").and_then(|n| n.parse().ok()).unwrap_or(1);
    let day = || text("DayOfMonth").and_then(|n| n.parse().ok());
    Some(match local {
        "DailyRecurrence" => Pattern::Daily { interval },
        "WeeklyRecurrence" => Pattern::Weekly {
            interval,
            days: text("DaysOfWeek")?.split_whitespace().map(str::to_owned).collect(),
            first_day: text("FirstDayOfWeek").filter(|day| !day.is_empty()),
        },
        "AbsoluteMonthlyRecurrence" => Pattern::AbsoluteMonthly { interval, day: day()? },
        "RelativeMonthlyRecurrence" => {
            Pattern::RelativeMonthly { interval, days: text("DaysOfWeek")?, index: text("DayOfWeekIndex")? }
        }
        "AbsoluteYearlyRecurrence" => Pattern::AbsoluteYearly { day: day()?, month: month(&text("Month")?)? },
        "RelativeYearlyRecurrence" => Pattern::RelativeYearly {
            days: text("DaysOfWeek")?,
            index: text("DayOfWeekIndex")?,
            month: month(&text("Month")?)?,
        },
        _ => {
            let unit = local.strip_suffix("Regeneration")?.to_owned();
            Pattern::Regeneration { interval, unit }
        }
    })
}

fn range(child: &Element, local: &str) -> Option<(Date, RangeEnd)> {
    let start = date(&child.find("StartDate")?.text())?;
    let end = match local {
        "NoEndRecurrence" => RangeEnd::Never,
        "EndDateRecurrence" => RangeEnd::On(date(&child.find("EndDate")?.text())?),
        "NumberedRecurrence" => {
            RangeEnd::After(child.find("NumberOfOccurrences")?.text().trim().parse().ok()?)
        }
        _ => return None,
    };
    Some((start, end))
}
