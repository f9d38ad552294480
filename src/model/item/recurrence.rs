//! Patterns and ranges of series.

use super::ItemRef;
use jiff::Timestamp;
use jiff::civil::{Date, Weekday};

/// Pattern and range of a series.
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

/// One occurrence in a series' list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Its own id.
    pub id: ItemRef,
    /// Where the rule had put it.
    pub original_start: Timestamp,
}

/// A weekday by its English name.
pub fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "Monday" => Weekday::Monday,
        "Tuesday" => Weekday::Tuesday,
        "Wednesday" => Weekday::Wednesday,
        "Thursday" => Weekday::Thursday,
        "Friday" => Weekday::Friday,
        "Saturday" => Weekday::Saturday,
        "Sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// The English name of a weekday.
pub fn weekday_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}
