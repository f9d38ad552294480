//! Recurrence patterns as Exchange understands them. MS-OXWSCDATA 2.2.4.62

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan as _};

use crate::simulator::element::Element;

/// Occurrences that a series without end is followed for.
const MAX_OCCURRENCES: usize = 20_000;

/// No series ends later. MS-OXWSMTGS 3.1.4.2.1
const LAST_END: Date = Date::constant(4500, 9, 1);

/// A range in which the pattern never falls.
const NONE: Wrong = ("ErrorRecurrenceHasNoOccurrence", "The recurrence has no occurrence.");

/// A pattern with its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    kind: Kind,
    start: Date,
    end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Daily(i32),
    Weekly(i32, Vec<Weekday>, Weekday),
    MonthDay(i32, i8),
    MonthNth(i32, Days, Index),
    YearDay(i8, i8),
    YearNth(Days, Index, i8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Never,
    On(Date),
    After(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Days {
    One(Weekday),
    Any,
    Work,
    Weekend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Index {
    Nth(usize),
    Last,
}

/// What is wrong with a Recurrence element that the schema lets pass.
pub type Wrong = (&'static str, &'static str);

const NAMES: [(&str, Weekday); 7] = [
    ("Monday", Weekday::Monday),
    ("Tuesday", Weekday::Tuesday),
    ("Wednesday", Weekday::Wednesday),
    ("Thursday", Weekday::Thursday),
    ("Friday", Weekday::Friday),
    ("Saturday", Weekday::Saturday),
    ("Sunday", Weekday::Sunday),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The English name of a weekday.
pub fn day_name(day: Weekday) -> &'static str {
    NAMES.iter().find(|(_, d)| *d == day).map_or("Monday", |(name, _)| name)
}

fn day(name: &str) -> Option<Weekday> {
    NAMES.iter().find(|(n, _)| *n == name).map(|(_, day)| *day)
}

impl Rule {
    /// Reads a `Recurrence` element of a calendar item.
    pub fn read(element: &Element) -> Result<Rule, Wrong> {
        const SHAPE: Wrong = ("ErrorCalendarInvalidRecurrence", "The recurrence is invalid.");
        let pattern = element.children.first().ok_or(SHAPE)?;
        let range = element.children.get(1).ok_or(SHAPE)?;
        let date = |name| range.child_text(name).and_then(|t| t.get(..10)?.parse().ok()).ok_or(SHAPE);
        let start = date("StartDate")?;
        let end = match range.name {
            "EndDateRecurrence" => {
                let end: Date = date("EndDate")?;
                if end < start {
                    return Err(NONE);
                }
                if end > LAST_END {
                    return Err((
                        "ErrorRecurrenceEndDateTooBig",
                        "The end date of the recurrence is after 1 September 4500.",
                    ));
                }
                End::On(end)
            }
            "NumberedRecurrence" => {
                let count =
                    range.child_text("NumberOfOccurrences").and_then(|t| t.parse().ok()).ok_or(SHAPE)?;
                if !(1..=999).contains(&count) {
                    return Err((
                        "ErrorCalendarInvalidRecurrence",
                        "The number of occurrences must be 1 to 999.",
                    ));
                }
                End::After(count)
            }
            _ => End::Never,
        };
        let number = |name: &str| pattern.child_text(name).and_then(|t| t.parse::<i32>().ok());
        let interval = |most: i32| match number("Interval").unwrap_or(1) {
            n if (1..=most).contains(&n) => Ok(n),
            _ => Err(("ErrorCalendarInvalidRecurrence", "The interval is out of range.")),
        };
        let month_day = || {
            number("DayOfMonth")
                .and_then(|n| i8::try_from(n).ok())
                .filter(|n| (1..=31).contains(n))
                .ok_or(SHAPE)
        };
        let month = || {
            let at = MONTHS.iter().position(|m| Some(*m) == pattern.child_text("Month"));
            at.and_then(|at| i8::try_from(at + 1).ok()).ok_or(SHAPE)
        };
        let days = || {
            let text = pattern.child_text("DaysOfWeek").unwrap_or_default();
            Ok::<Days, Wrong>(match text {
                "Day" => Days::Any,
                "Weekday" => Days::Work,
                "WeekendDay" => Days::Weekend,
                one => Days::One(day(one).ok_or(SHAPE)?),
            })
        };
        let index = || {
            Ok(match pattern.child_text("DayOfWeekIndex").unwrap_or_default() {
                "First" => Index::Nth(0),
                "Second" => Index::Nth(1),
                "Third" => Index::Nth(2),
                "Fourth" => Index::Nth(3),
                "Last" => Index::Last,
                _ => return Err(SHAPE),
            })
        };
        let kind = match pattern.name {
            "DailyRecurrence" => Kind::Daily(interval(999)?),
            "WeeklyRecurrence" => {
                let text = pattern.child_text("DaysOfWeek").unwrap_or_default();
                let days: Option<Vec<Weekday>> = text.split_whitespace().map(day).collect();
                let days = days.filter(|days| !days.is_empty()).ok_or((
                    "ErrorCalendarInvalidDayForWeeklyRecurrence",
                    "A weekly recurrence takes only days of the week.",
                ))?;
                let first = pattern.child_text("FirstDayOfWeek").and_then(day).unwrap_or(Weekday::Sunday);
                Kind::Weekly(interval(99)?, days, first)
            }
            "AbsoluteMonthlyRecurrence" => Kind::MonthDay(interval(99)?, month_day()?),
            "RelativeMonthlyRecurrence" => Kind::MonthNth(interval(99)?, days()?, index()?),
            "AbsoluteYearlyRecurrence" => Kind::YearDay(month_day()?, month()?),
            "RelativeYearlyRecurrence" => Kind::YearNth(days()?, index()?, month()?),
            _ => return Err(("ErrorUnsupportedRecurrence", "This recurrence is not supported here.")),
        };
        let rule = Rule { kind, start, end };
        if rule.dates().next().is_none() {
            return Err(NONE);
        }
        Ok(rule)
    }

    /// The dates of the occurrences, in order; the first is the first that fits the pattern from the start date on.
    pub fn dates(&self) -> impl Iterator<Item = Date> + use<> {
        let (limit, last) = match self.end {
            End::Never => (MAX_OCCURRENCES, None),
            End::On(date) => (MAX_OCCURRENCES, Some(date)),
            End::After(count) => (count, None),
        };
        let (rule, start) = (self.clone(), self.start);
        (0..)
            .map_while(move |period| rule.period(period))
            .flatten()
            .filter(move |date| *date >= start)
            .take(limit)
            .take_while(move |date| last.is_none_or(|last| *date <= last))
    }

    /// Fewest days from one occurrence to the next; `None` when there is only one.
    pub fn closest(&self) -> Option<i32> {
        let mut gaps = Vec::new();
        let mut before: Option<Date> = None;
        // A pattern shows its closest days within its first occurrences: four years of months, nine weeks of days.
        for date in self.dates().take(64) {
            gaps.extend(before.map(|before| (date - before).get_days()));
            before = Some(date);
        }
        gaps.into_iter().min()
    }

    /// Whether the series ends.
    pub fn ends(&self) -> bool {
        self.end != End::Never
    }

    /// Occurrences within the n-th period; none at the end of time.
    fn period(&self, n: i32) -> Option<Vec<Date>> {
        let step = |span: Span| self.start.checked_add(span).ok();
        let month = |interval: i32| {
            let first = self.start.first_of_month();
            first.checked_add(Span::new().months(n.checked_mul(interval)?)).ok()
        };
        Some(match &self.kind {
            Kind::Daily(interval) => vec![step(Span::new().days(n.checked_mul(*interval)?))?],
            Kind::Weekly(interval, days, first) => {
                let into = self.start.weekday().since(*first);
                let week = self.start.checked_sub(i32::from(into).days()).ok()?;
                let week = week.checked_add(Span::new().weeks(n.checked_mul(*interval)?)).ok()?;
                let all = (0..7).filter_map(|d: i32| week.checked_add(d.days()).ok());
                all.filter(|date| days.contains(&date.weekday())).collect()
            }
            Kind::MonthDay(interval, day) => vec![clamped(month(*interval)?, *day)?],
            Kind::MonthNth(interval, days, index) => {
                nth(month(*interval)?, *days, *index).into_iter().collect()
            }
            Kind::YearDay(day, month) => {
                let first =
                    Date::new(self.start.year().checked_add(i16::try_from(n).ok()?)?, *month, 1).ok()?;
                vec![clamped(first, *day)?]
            }
            Kind::YearNth(days, index, month) => {
                let first =
                    Date::new(self.start.year().checked_add(i16::try_from(n).ok()?)?, *month, 1).ok()?;
                nth(first, *days, *index).into_iter().collect()
            }
        })
    }
}

/// A day beyond the end of a month means its last day.
fn clamped(first: Date, day: i8) -> Option<Date> {
    Date::new(first.year(), first.month(), day.min(first.days_in_month())).ok()
}

fn nth(first: Date, days: Days, index: Index) -> Option<Date> {
    let fits = |date: &Date| match days {
        Days::One(day) => date.weekday() == day,
        Days::Any => true,
        Days::Work => !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday),
        Days::Weekend => matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday),
    };
    let mut all = (1..=first.days_in_month())
        .filter_map(|d| Date::new(first.year(), first.month(), d).ok())
        .filter(fits);
    match index {
        Index::Nth(n) => all.nth(n),
        Index::Last => all.next_back(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn rule(pattern: Element, range: Element) -> Rule {
        Rule::read(&Element::new("Recurrence").push(pattern).push(range)).unwrap()
    }

    fn numbered(start: &str, count: usize) -> Element {
        Element::new("NumberedRecurrence")
            .push(Element::of("StartDate", start))
            .push(Element::value("NumberOfOccurrences", count))
    }

    fn dates(rule: &Rule) -> Vec<String> {
        rule.dates().map(|d| d.to_string()).collect()
    }

    #[test]
    fn the_31st_is_the_last_day_of_short_months() {
        let pattern = Element::new("AbsoluteMonthlyRecurrence")
            .push(Element::value("Interval", 1))
            .push(Element::value("DayOfMonth", 31));
        assert_eq!(
            dates(&rule(pattern, numbered("2026-01-31", 3))),
            ["2026-01-31", "2026-02-28", "2026-03-31"]
        );
    }

    #[test]
    fn weeks_of_a_fortnight_begin_on_the_first_day() {
        let pattern = |first| {
            Element::new("WeeklyRecurrence")
                .push(Element::value("Interval", 2))
                .push(Element::of("DaysOfWeek", "Sunday Tuesday"))
                .push(Element::of("FirstDayOfWeek", first))
        };
        assert_eq!(
            dates(&rule(pattern("Monday"), numbered("1997-08-05", 4))),
            ["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"]
        );
        assert_eq!(
            dates(&rule(pattern("Sunday"), numbered("1997-08-05", 4))),
            ["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"]
        );
    }

    #[test]
    fn the_last_workday_of_the_month() {
        let pattern = Element::new("RelativeMonthlyRecurrence")
            .push(Element::value("Interval", 1))
            .push(Element::of("DaysOfWeek", "Weekday"))
            .push(Element::of("DayOfWeekIndex", "Last"));
        assert_eq!(dates(&rule(pattern, numbered("2026-05-01", 2))), ["2026-05-29", "2026-06-30"]);
    }

    fn refused(pattern: Element, range: Element) -> &'static str {
        Rule::read(&Element::new("Recurrence").push(pattern).push(range)).unwrap_err().0
    }

    fn weekly(days: &str) -> Element {
        Element::new("WeeklyRecurrence")
            .push(Element::value("Interval", 1))
            .push(Element::of("DaysOfWeek", days))
    }

    fn until(start: &str, end: &str) -> Element {
        Element::new("EndDateRecurrence")
            .push(Element::of("StartDate", start))
            .push(Element::of("EndDate", end))
    }

    #[test]
    fn a_range_without_an_occurrence_is_refused() {
        let monday_to_tuesday = until("2026-06-01", "2026-06-02");
        assert_eq!(refused(weekly("Friday"), monday_to_tuesday), "ErrorRecurrenceHasNoOccurrence");
        assert_eq!(
            refused(weekly("Friday"), until("2026-06-05", "2026-06-01")),
            "ErrorRecurrenceHasNoOccurrence"
        );
        assert_eq!(
            refused(weekly("Friday"), until("2026-06-01", "4500-09-02")),
            "ErrorRecurrenceEndDateTooBig"
        );
    }

    #[test]
    fn groups_of_days_are_no_days_of_a_week() {
        assert_eq!(
            refused(weekly("Weekday"), numbered("2026-06-01", 2)),
            "ErrorCalendarInvalidDayForWeeklyRecurrence"
        );
    }

    #[test]
    fn dates_of_ranges_may_carry_a_zone() {
        let rule = rule(weekly("Monday Thursday"), until("2026-06-01+02:00", "2026-06-08Z"));
        assert_eq!(dates(&rule), ["2026-06-01", "2026-06-04", "2026-06-08"]);
        assert_eq!(rule.closest(), Some(3));
    }

    #[test]
    fn a_leap_day_comes_on_the_28th_in_other_years() {
        let pattern = Element::new("AbsoluteYearlyRecurrence")
            .push(Element::value("DayOfMonth", 29))
            .push(Element::of("Month", "February"));
        assert_eq!(dates(&rule(pattern, numbered("2027-01-01", 2))), ["2027-02-28", "2028-02-29"]);
    }
}
