//! Patterns and ranges of series.

use super::moment::{date, month};
use crate::xml::Element;
use jiff::civil::Date;

/// Pattern and range of a series. MS-OXWSCDATA 2.2.4.62
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// On which days.
    pub pattern: Pattern,
    /// The first day, local.
    pub start: Date,
    /// How long.
    pub end: RangeEnd,
}

/// The pattern of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `DailyRecurrence`
    Daily {
        /// Days.
        interval: u32,
    },
    /// `WeeklyRecurrence`
    Weekly {
        /// Weeks.
        interval: u32,
        /// English names.
        days: Vec<String>,
        /// English name.
        first_day: Option<String>,
    },
    /// `AbsoluteMonthlyRecurrence`
    AbsoluteMonthly {
        /// Months.
        interval: u32,
        /// 1 to 31; beyond the end of a month means its last day.
        day: i8,
    },
    /// `RelativeMonthlyRecurrence`
    RelativeMonthly {
        /// Months.
        interval: u32,
        /// A weekday, `Day`, `Weekday`, `WeekendDay`.
        days: String,
        /// `First` to `Fourth`, `Last`.
        index: String,
    },
    /// `AbsoluteYearlyRecurrence`
    AbsoluteYearly {
        /// 1 to 31.
        day: i8,
        /// 1 to 12.
        month: i8,
    },
    /// `RelativeYearlyRecurrence`
    RelativeYearly {
        /// As in the monthly one.
        days: String,
        /// As in the monthly one.
        index: String,
        /// 1 to 12.
        month: i8,
    },
    /// A task that comes anew some time after it was completed.
    Regeneration {
        /// How many.
        interval: u32,
        /// `Daily`, `Weekly`, `Monthly`, `Yearly`.
        unit: String,
    },
}

/// The end of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeEnd {
    /// `NoEndRecurrence`
    Never,
    /// `EndDateRecurrence`: inclusive, local.
    On(Date),
    /// `NumberedRecurrence`
    After(u32),
}

impl Recurrence {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let mut pattern = None;
        let mut range = None;
        for child in element.children() {
            let local = child.name().local();
            match (Self::pattern(child, local), Self::range(child, local)) {
                (Some(found), _) => pattern = Some(found),
                (None, Some(found)) => range = Some(found),
                (None, None) => {}
            }
        }
        let (start, end) = range?;
        Some(Self { pattern: pattern?, start, end })
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
            "RelativeMonthlyRecurrence" => Pattern::RelativeMonthly {
                interval,
                days: text("DaysOfWeek")?,
                index: text("DayOfWeekIndex")?,
            },
            "AbsoluteYearlyRecurrence" => {
                Pattern::AbsoluteYearly { day: day()?, month: month(&text("Month")?)? }
            }
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
}
