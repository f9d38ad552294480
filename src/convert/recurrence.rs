//! Patterns → RRULE.

use crate::model::item::{Pattern, RangeEnd, Recurrence};
use jiff::Timestamp;
use jiff::civil::Date;

/// The last moment of a series, in the form of its start.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    /// For all-day events and tasks.
    Date(Date),
    /// For all others.
    Instant(Timestamp),
}

/// The RRULE of a pattern; `None` where no rule says the same. `until` makes the bound of an end date.
pub(super) fn rrule(recurrence: &Recurrence, until: impl Fn(Date) -> Bound) -> Option<String> {
    let rule = pattern(&recurrence.pattern, recurrence.start)?;
    let end = match recurrence.end {
        RangeEnd::Never => String::new(),
        RangeEnd::After(count) => format!(";COUNT={count}"),
        RangeEnd::On(date) => match until(date) {
            Bound::Date(date) => format!(";UNTIL={}", date.strftime("%Y%m%d")),
            Bound::Instant(at) => format!(";UNTIL={}", at.strftime("%Y%m%dT%H%M%SZ")),
        },
    };
    Some(rule + &end)
}

fn pattern(pattern: &Pattern, start: Date) -> Option<String> {
    Some(match pattern {
        Pattern::Daily { interval } => format!("FREQ=DAILY{}", every(*interval)),
        Pattern::Weekly { interval, days, first_day } => {
            let days: Vec<&str> = days.iter().flat_map(|day| codes(day)).copied().collect();
            let first = first_day.as_deref().and_then(|day| codes(day).first());
            let first = first.map(|code| format!(";WKST={code}")).unwrap_or_default();
            format!("FREQ=WEEKLY{};BYDAY={}{first}", every(*interval), days.join(","))
        }
        // Exchange has no other way to say "every n-th year".
        Pattern::AbsoluteMonthly { interval, day } if is_yearly(*interval) => {
            format!("FREQ=YEARLY{};{}", every(interval / 12), day_of_year(*day, start.month()))
        }
        Pattern::AbsoluteMonthly { interval, day } => {
            format!("FREQ=MONTHLY{};{}", every(*interval), day_of_month(*day))
        }
        Pattern::RelativeMonthly { interval, days, index } if is_yearly(*interval) => {
            format!("FREQ=YEARLY{};BYMONTH={};{}", every(interval / 12), start.month(), nth(days, index)?)
        }
        Pattern::RelativeMonthly { interval, days, index } => {
            format!("FREQ=MONTHLY{};{}", every(*interval), nth(days, index)?)
        }
        Pattern::AbsoluteYearly { day, month } => format!("FREQ=YEARLY;{}", day_of_year(*day, *month)),
        Pattern::RelativeYearly { days, index, month } => {
            format!("FREQ=YEARLY;BYMONTH={month};{}", nth(days, index)?)
        }
        Pattern::Regeneration { .. } => return None,
    })
}

fn is_yearly(months: u32) -> bool {
    months > 0 && months.is_multiple_of(12)
}

fn every(interval: u32) -> String {
    if interval > 1 { format!(";INTERVAL={interval}") } else { String::new() }
}

/// Exchange takes the last day of months that are too short, RFC 5545 leaves those months out.
fn day_of_month(day: i8) -> String {
    match day {
        ..=28 => format!("BYMONTHDAY={day}"),
        29 => "BYMONTHDAY=28,29;BYSETPOS=-1".to_owned(),
        30 => "BYMONTHDAY=28,29,30;BYSETPOS=-1".to_owned(),
        31.. => "BYMONTHDAY=-1".to_owned(),
    }
}

/// The same for one month of the year.
fn day_of_year(day: i8, month: i8) -> String {
    let shortest = Date::new(2001, month, 1).map_or(28, Date::days_in_month);
    let day = if day > shortest { -1 } else { day };
    format!("BYMONTH={month};BYMONTHDAY={day}")
}

fn nth(days: &str, index: &str) -> Option<String> {
    let position = match index {
        "First" => 1,
        "Second" => 2,
        "Third" => 3,
        "Fourth" => 4,
        "Last" => -1,
        _ => return None,
    };
    match (days, codes(days)) {
        ("Day", _) => Some(format!("BYMONTHDAY={position}")),
        (_, []) => None,
        (_, [one]) => Some(format!("BYDAY={position}{one}")),
        (_, several) => Some(format!("BYDAY={};BYSETPOS={position}", several.join(","))),
    }
}

/// The days that an English word of Exchange's stands for. MS-OXWSCDATA 2.2.5.8
fn codes(word: &str) -> &'static [&'static str] {
    match word {
        "Sunday" => &["SU"],
        "Monday" => &["MO"],
        "Tuesday" => &["TU"],
        "Wednesday" => &["WE"],
        "Thursday" => &["TH"],
        "Friday" => &["FR"],
        "Saturday" => &["SA"],
        "Weekday" => &["MO", "TU", "WE", "TH", "FR"],
        "WeekendDay" => &["SA", "SU"],
        "Day" => &["SU", "MO", "TU", "WE", "TH", "FR", "SA"],
        _ => &[],
    }
}

/// The latest day on which the series may still happen; `None` when it has no end.
///
/// An upper bound: short of expanding the rule, which nobody needs here.
pub(super) fn last_day(recurrence: &Recurrence) -> Option<Date> {
    let count = match recurrence.end {
        RangeEnd::Never => return None,
        RangeEnd::On(date) => return Some(date),
        RangeEnd::After(count) => i64::from(count),
    };
    let span = |interval: u32, span: fn(i64) -> Result<jiff::Span, jiff::Error>| {
        span(count.saturating_mul(i64::from(interval.max(1))).saturating_add(1)).ok()
    };
    let length = match &recurrence.pattern {
        Pattern::Daily { interval } => span(*interval, |n| jiff::Span::new().try_days(n)),
        Pattern::Weekly { interval, .. } => span(*interval, |n| jiff::Span::new().try_weeks(n)),
        Pattern::AbsoluteMonthly { interval, .. } | Pattern::RelativeMonthly { interval, .. } => {
            span(*interval, |n| jiff::Span::new().try_months(n))
        }
        Pattern::AbsoluteYearly { .. } | Pattern::RelativeYearly { .. } | Pattern::Regeneration { .. } => {
            span(1, |n| jiff::Span::new().try_years(n))
        }
    };
    recurrence.start.checked_add(length?).ok()
}

/// A pattern as one text, for fingerprints: `WeeklyRecurrence;Interval=1;…|NumberedRecurrence;2026-05-05;6|`.
pub(super) fn text(recurrence: &Recurrence) -> String {
    let pattern = match &recurrence.pattern {
        Pattern::Daily { interval } => format!("DailyRecurrence;Interval={interval}"),
        Pattern::Weekly { interval, days, first_day } => {
            let first = first_day.as_ref().map(|day| format!(";FirstDayOfWeek={day}")).unwrap_or_default();
            format!("WeeklyRecurrence;Interval={interval};DaysOfWeek={}{first}", days.join(" "))
        }
        Pattern::AbsoluteMonthly { interval, day } => {
            format!("AbsoluteMonthlyRecurrence;Interval={interval};DayOfMonth={day}")
        }
        Pattern::RelativeMonthly { interval, days, index } => {
            format!("RelativeMonthlyRecurrence;Interval={interval};DaysOfWeek={days};DayOfWeekIndex={index}")
        }
        Pattern::AbsoluteYearly { day, month } => {
            format!("AbsoluteYearlyRecurrence;DayOfMonth={day};Month={}", month_name(*month))
        }
        Pattern::RelativeYearly { days, index, month } => {
            format!(
                "RelativeYearlyRecurrence;DaysOfWeek={days};DayOfWeekIndex={index};Month={}",
                month_name(*month)
            )
        }
        Pattern::Regeneration { interval, unit } => format!("{unit}Regeneration;Interval={interval}"),
    };
    let start = recurrence.start;
    let range = match recurrence.end {
        RangeEnd::Never => format!("NoEndRecurrence;{start}"),
        RangeEnd::On(end) => format!("EndDateRecurrence;{start};{end}"),
        RangeEnd::After(count) => format!("NumberedRecurrence;{start};{count}"),
    };
    format!("{pattern}|{range}|")
}

fn month_name(month: i8) -> String {
    Date::new(2001, month, 1).map(|date| date.strftime("%B").to_string()).unwrap_or_default()
}
