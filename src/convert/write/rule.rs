//! RRULE → patterns, and the proof that both happen on the same days.

use crate::model::item::{Pattern, RangeEnd, Recurrence, weekday_name};
use crate::model::recurrence::{ByDay, Frequency, Rule, Until};
use crate::model::refusal::{Reason, Refusal};
use crate::model::zone::Zone;
use crate::text::moment::Moment;
use jiff::civil::{Date, DateTime, Weekday};
use std::collections::HashSet;

/// The most occurrences that Exchange counts.
const MAX_COUNT: u32 = 999;
/// Occurrences that are compared to prove that two rules are the same.
const PROOF: usize = 400;
/// Occurrences of a short-month series that are deleted one by one to make it right.
const MAX_DELETED: usize = 400;
/// Occurrences that are looked at to find the end of a series.
const MAX_LOOKED_AT: usize = 20_000;

/// The last year before a century that is none of leap years.
const LAST_LEAP_YEAR: i16 = 2100;

/// A rule in Exchange's terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Translated {
    /// Pattern and range.
    pub recurrence: Recurrence,
    /// Occurrences of the pattern, counted from 1, that the client's rule does not have.
    pub superfluous: Vec<u32>,
    /// What the pattern repeats as, to number its occurrences.
    pub exchange: Rule,
}

/// Days of a month that a rule means.
enum Days {
    /// A day of the month; 31 is the last one.
    Date(i8),
    /// A word for days, and which of them.
    Nth(&'static str, &'static str),
    /// Every one of these weekdays: weeks, not months.
    EveryWeek,
}

/// Translates the rule of a series that starts at a moment on the clocks of `zone`, which are those of whole days, too.
pub fn translate(text: &str, start: &Moment, zone: &Zone) -> Result<Translated, Refusal> {
    let refuse = |part: &'static str, reason: &'static str| {
        Refusal::of_part(Reason::UnsupportedRecurrence, part, reason)
    };
    let scale = text.to_ascii_uppercase();
    if scale.contains("RSCALE=") && !scale.contains("RSCALE=GREGORIAN") {
        return Err(refuse("RSCALE", "Exchange repeats by the Gregorian calendar only"));
    }
    let rule: Rule = text.parse().map_err(|_| {
        Refusal::of_part(Reason::InvalidData, "RRULE", format!("“{text}” is no recurrence rule"))
    })?;
    let rule = if start.is_day() { rule.of_days(zone) } else { rule };
    let start = start.local();
    if rule.count.is_some() && rule.until.is_some() {
        return Err(Refusal::new(Reason::InvalidData, "a rule has COUNT or UNTIL, not both".to_owned()));
    }
    let pattern = pattern(&rule, start, &refuse)?;
    if !contains(&pattern, start.date()) {
        return Err(refuse("DTSTART", "start the series on a day of its own rule"));
    }
    let endless = Recurrence { pattern, start: start.date(), end: RangeEnd::Never };
    let mut exchange =
        exchange_rule(&endless).ok_or_else(|| refuse("FREQ", "Exchange does not know this rule"))?;
    let (end, superfluous) = if rule.is_finite() {
        finite(&rule, &exchange, start, zone, &refuse)?
    } else {
        // Every fourth year is a leap year until then.
        let is_leap_day = rule.frequency == Frequency::Yearly && start.month() == 2 && start.day() == 29;
        let is_shown = |at: &DateTime| !is_leap_day || at.year() < LAST_LEAP_YEAR;
        let mine = rule.occurrences(start, zone).take(PROOF).take_while(is_shown);
        let same = mine.eq(exchange.occurrences(start, zone).take(PROOF).take_while(is_shown));
        if !same && rule.by_month_day.iter().chain([&start.day()]).any(|day| *day > 28) {
            // MS-OXOCAL 2.2.1.44.1: a day that a month does not have is its last one. RFC 5545 3.3.10 leaves that month out.
            return Err(refuse(
                "BYMONTHDAY",
                "Exchange would take the last day of months that are too short: repeat on the last day of the month, or \
                 end the series",
            ));
        }
        if !same {
            return Err(refuse(
                "FREQ",
                "Exchange would repeat it on other days: make a series for each kind of day",
            ));
        }
        (RangeEnd::Never, Vec::new())
    };
    match end {
        RangeEnd::After(count) => exchange.count = Some(count),
        RangeEnd::On(date) => exchange.until = Some(Until::Date(date)),
        RangeEnd::Never => {}
    }
    Ok(Translated { recurrence: Recurrence { end, ..endless }, superfluous, exchange })
}

/// A series as Exchange repeats it already, whatever a client calls that; `None` where no rule says the same.
pub fn as_it_is(recurrence: &Recurrence) -> Option<Translated> {
    let exchange = exchange_rule(recurrence)?;
    Some(Translated { recurrence: recurrence.clone(), superfluous: Vec::new(), exchange })
}

/// The end of a series, and what of Exchange's series is not the client's.
fn finite(
    rule: &Rule,
    exchange: &Rule,
    start: DateTime,
    zone: &Zone,
    refuse: &impl Fn(&'static str, &'static str) -> Refusal,
) -> Result<(RangeEnd, Vec<u32>), Refusal> {
    let mine: Vec<DateTime> = rule.occurrences(start, zone).take(MAX_LOOKED_AT).collect();
    let last = mine.last().copied().unwrap_or(start);
    let known: HashSet<DateTime> = mine.iter().copied().collect();
    let theirs: Vec<DateTime> =
        exchange.occurrences(start, zone).take(MAX_LOOKED_AT).take_while(|at| *at <= last).collect();
    if mine.len() >= MAX_LOOKED_AT {
        return Err(refuse("COUNT", "the series is too long: end it earlier"));
    }
    let all: HashSet<DateTime> = theirs.iter().copied().collect();
    if !mine.iter().all(|at| all.contains(at)) {
        return Err(refuse(
            "FREQ",
            "Exchange would repeat it on other days: make a series for each kind of day",
        ));
    }
    let superfluous: Vec<u32> = theirs
        .iter()
        .enumerate()
        .filter(|(_, at)| !known.contains(at))
        .filter_map(|(index, _)| u32::try_from(index + 1).ok())
        .collect();
    if superfluous.len() > MAX_DELETED {
        return Err(refuse(
            "BYMONTHDAY",
            "too many months are too short for it: use the last day of the month",
        ));
    }
    let count = u32::try_from(theirs.len()).unwrap_or(u32::MAX);
    let until = rule.until.map(|until| match until {
        Until::Date(date) => date,
        Until::Local(local) => day_of(local, start),
        Until::Utc(at) => day_of(zone.to_local(at), start),
    });
    // Where the client's rule leaves a short month out, Exchange's next occurrence may come before that day.
    let next = exchange.occurrences(start, zone).nth(theirs.len());
    let end = match until.filter(|date| next.is_none_or(|next| next.date() > *date)) {
        // The client thinks in dates, and so does Exchange.
        Some(date) if superfluous.is_empty() && mine.len() > 1 => RangeEnd::On(date),
        _ if count > MAX_COUNT => RangeEnd::On(last.date()),
        _ => RangeEnd::After(count),
    };
    Ok((end, superfluous))
}

/// Refuses a rule of months that this server chokes on.
pub fn check_interval(recurrence: &Recurrence, longest: Option<u32>) -> Result<(), Refusal> {
    let (Pattern::AbsoluteMonthly { interval: months, .. }
    | Pattern::RelativeMonthly { interval: months, .. }) = recurrence.pattern
    else {
        return Ok(());
    };
    match longest {
        Some(longest) if months > longest => Err(Refusal::of_part(
            Reason::UnsupportedRecurrence,
            "INTERVAL",
            format!("this server repeats at most every {longest} months: make events of their own"),
        )),
        _ => Ok(()),
    }
}

/// Whether two rules of Exchange's are the same in other words: a week's first day matters where weeks are left out.
pub fn same(one: &Recurrence, other: &Recurrence) -> bool {
    let plain = |recurrence: &Recurrence| match &recurrence.pattern {
        Pattern::Weekly { interval, days, first_day } => {
            let mut days = days.clone();
            days.sort_unstable();
            let first_day = first_day.clone().filter(|day| *interval > 1 && day != "Monday");
            Pattern::Weekly { interval: *interval, days, first_day }
        }
        other => other.clone(),
    };
    plain(one) == plain(other) && (one.start, one.end) == (other.start, other.end)
}

/// The last day on which something at the start's time of day happens until then.
fn day_of(until: DateTime, start: DateTime) -> Date {
    let date = until.date();
    if until.time() < start.time() { date.yesterday().unwrap_or(date) } else { date }
}

/// What a pattern of Exchange's repeats as.
pub fn exchange_rule(recurrence: &Recurrence) -> Option<Rule> {
    super::super::recurrence::rrule(recurrence, super::super::recurrence::Bound::Date)?.parse().ok()
}

fn pattern(
    rule: &Rule,
    start: DateTime,
    refuse: &impl Fn(&'static str, &'static str) -> Refusal,
) -> Result<Pattern, Refusal> {
    let time = [
        ("BYHOUR", &rule.by_hour, start.hour()),
        ("BYMINUTE", &rule.by_minute, start.minute()),
        ("BYSECOND", &rule.by_second, start.second()),
    ];
    for (part, list, value) in time {
        if !list.is_empty() && *list != [value] {
            return Err(refuse(part, "Exchange repeats at one time of the day only: make a series for each"));
        }
    }
    if !rule.by_week_no.is_empty() {
        return Err(refuse("BYWEEKNO", "Exchange does not count weeks of the year: name a day of a month"));
    }
    let interval = rule.interval;
    let limit = |most: u32, pattern: Pattern| {
        if interval <= most {
            Ok(pattern)
        } else {
            Err(refuse(
                "INTERVAL",
                "the interval is too long for Exchange: shorten it, or make events of their own",
            ))
        }
    };
    let plain = rule.by_month.is_empty()
        && rule.by_month_day.is_empty()
        && rule.by_year_day.is_empty()
        && rule.by_set_pos.is_empty();
    match rule.frequency {
        Frequency::Daily if plain && rule.by_day.is_empty() => limit(999, Pattern::Daily { interval }),
        Frequency::Daily if plain && interval == 1 => Ok(weekly(1, &rule.by_day, rule.week_start)),
        Frequency::Daily => {
            Err(refuse("BYDAY", "Exchange repeats daily by the interval alone: repeat weekly on these days"))
        }
        Frequency::Weekly if plain => {
            let own = [ByDay { ordinal: None, weekday: start.weekday() }];
            let days = if rule.by_day.is_empty() { &own[..] } else { &rule.by_day };
            if interval > 99 && days.len() == 1 && interval * 7 <= 999 {
                return Ok(Pattern::Daily { interval: interval * 7 });
            }
            limit(99, weekly(interval, days, rule.week_start))
        }
        Frequency::Weekly => Err(refuse(
            "BYMONTH",
            "Exchange repeats weekly by days of the week alone: make a series for each month",
        )),
        Frequency::Monthly if rule.by_year_day.is_empty() => match (rule.by_month.as_slice(), interval) {
            ([], _) => match days(rule, start, refuse)? {
                Days::EveryWeek if interval == 1 => Ok(weekly(1, &rule.by_day, rule.week_start)),
                Days::EveryWeek => {
                    Err(refuse("BYDAY", "Exchange takes one such day of a month: make a series for each"))
                }
                Days::Date(day) => limit(99, Pattern::AbsoluteMonthly { interval, day }),
                Days::Nth(days, index) => {
                    limit(99, Pattern::RelativeMonthly { interval, days: days.into(), index: index.into() })
                }
            },
            (_, 1) => yearly(rule, start, refuse),
            _ => Err(refuse(
                "BYMONTH",
                "Exchange repeats in every n-th month or in one month of the year: make a series for each",
            )),
        },
        Frequency::Yearly => yearly(rule, start, refuse),
        Frequency::Monthly => {
            Err(refuse("BYYEARDAY", "Exchange does not count days of the year: name a day of a month"))
        }
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
            Err(refuse("FREQ", "Exchange repeats daily at most: make a series for each time of the day"))
        }
    }
}

fn yearly(
    rule: &Rule,
    start: DateTime,
    refuse: &impl Fn(&'static str, &'static str) -> Refusal,
) -> Result<Pattern, Refusal> {
    let interval = rule.interval;
    if let [day] = rule.by_year_day.as_slice() {
        // Days that have the same date in every year.
        let stable = (1..=59).contains(day) || (-306..=-1).contains(day);
        let date = Date::constant(2001, 1, 1).checked_add(jiff::Span::new().days(if *day > 0 {
            day - 1
        } else {
            365 + day
        }));
        return match date {
            Ok(date) if stable && interval == 1 => {
                Ok(Pattern::AbsoluteYearly { day: date.day(), month: date.month() })
            }
            _ => Err(refuse("BYYEARDAY", "Exchange does not count days of the year: name a day of a month")),
        };
    }
    if !rule.by_year_day.is_empty() {
        return Err(refuse("BYYEARDAY", "Exchange does not count days of the year: name a day of a month"));
    }
    let ordinals = rule.by_day.iter().any(|day| day.ordinal.is_some());
    let days_alone = rule.by_month_day.is_empty() && rule.by_set_pos.is_empty();
    let month = match rule.by_month.as_slice() {
        [] if ordinals => match rule.by_day.first().and_then(|day| day.ordinal) {
            Some(1..=4) => 1,
            Some(-1) => 12,
            _ => {
                return Err(refuse(
                    "BYDAY",
                    "Exchange counts weekdays from the first to the fourth, and the last: choose one of these",
                ));
            }
        },
        [] if !rule.by_day.is_empty()
            && days_alone
            && interval == 1
            && rule.frequency == Frequency::Yearly =>
        {
            return Ok(weekly(1, &rule.by_day, rule.week_start));
        }
        [] => start.month(),
        [month] => *month,
        several => {
            let Some(step) = step(several).filter(|_| interval == 1) else {
                return Err(refuse(
                    "BYMONTH",
                    "Exchange repeats in every n-th month or in one month of the year: make a series for each",
                ));
            };
            return match days(rule, start, refuse)? {
                Days::Date(day) => Ok(Pattern::AbsoluteMonthly { interval: step, day }),
                Days::Nth(days, index) => {
                    Ok(Pattern::RelativeMonthly { interval: step, days: days.into(), index: index.into() })
                }
                Days::EveryWeek => {
                    Err(refuse("BYDAY", "Exchange takes one such day of a month: make a series for each"))
                }
            };
        }
    };
    if interval > 8 {
        return Err(refuse(
            "INTERVAL",
            "Exchange repeats every eight years at most: make events of their own",
        ));
    }
    let months = interval * 12;
    match days(rule, start, refuse)? {
        Days::EveryWeek => {
            Err(refuse("BYDAY", "Exchange takes one such day of a month: make a series for each"))
        }
        // The 29th of February comes every four years.
        Days::Date(29) if month == 2 && interval == 1 => {
            Ok(Pattern::AbsoluteMonthly { interval: 48, day: 29 })
        }
        Days::Date(day) if interval == 1 => Ok(Pattern::AbsoluteYearly { day, month }),
        Days::Date(day) => Ok(Pattern::AbsoluteMonthly { interval: months, day }),
        Days::Nth(days, index) if interval == 1 => {
            Ok(Pattern::RelativeYearly { days: days.into(), index: index.into(), month })
        }
        Days::Nth(days, index) => {
            Ok(Pattern::RelativeMonthly { interval: months, days: days.into(), index: index.into() })
        }
    }
}

/// The distance of months that lie evenly around the year.
fn step(months: &[i8]) -> Option<u32> {
    let mut sorted = months.to_vec();
    sorted.sort_unstable();
    let step = 12 / i8::try_from(sorted.len()).ok()?;
    let first = sorted.first().copied()?;
    let even = sorted
        .iter()
        .enumerate()
        .all(|(at, month)| i8::try_from(at).is_ok_and(|at| *month == first + at * step));
    (even && usize::try_from(12 / step).is_ok_and(|count| count == sorted.len()))
        .then(|| u32::try_from(step).ok())
        .flatten()
}

fn days(
    rule: &Rule,
    start: DateTime,
    refuse: &impl Fn(&'static str, &'static str) -> Refusal,
) -> Result<Days, Refusal> {
    let mut dates = rule.by_month_day.clone();
    dates.sort_unstable();
    let positions = rule.by_set_pos.as_slice();
    let one = || refuse("BYMONTHDAY", "Exchange takes one day of a month: make a series for each");
    match (dates.as_slice(), rule.by_day.as_slice()) {
        ([], []) if positions.is_empty() => Ok(Days::Date(start.day())),
        ([-1], []) if positions.is_empty() => Ok(Days::Date(31)),
        ([day], []) if positions.is_empty() && *day > 0 => Ok(Days::Date(*day)),
        ([28, 29], []) if positions == [-1] => Ok(Days::Date(29)),
        ([28, 29, 30], []) if positions == [-1] => Ok(Days::Date(30)),
        ([28, 29, 30, 31], []) if positions == [-1] => Ok(Days::Date(31)),
        (_, []) => Err(one()),
        ([], [day]) if positions.is_empty() => match day.ordinal {
            None => Ok(Days::EveryWeek),
            Some(ordinal) => nth(word(&[day.weekday]), i16::from(ordinal), refuse),
        },
        ([], several) => {
            let weekdays: Vec<Weekday> = several.iter().map(|day| day.weekday).collect();
            match positions {
                _ if several.iter().any(|day| day.ordinal.is_some()) => {
                    Err(refuse("BYDAY", "Exchange takes one such day of a month: make a series for each"))
                }
                [] => Ok(Days::EveryWeek),
                [position] => nth(word(&weekdays), *position, refuse),
                _ => {
                    Err(refuse("BYSETPOS", "Exchange takes one such day of a month: make a series for each"))
                }
            }
        }
        // Seven days in a row hold one of each weekday.
        (dates, [ByDay { ordinal: None, weekday }]) if dates.len() == 7 && positions.is_empty() => {
            let in_a_row = dates.iter().zip(dates.iter().skip(1)).all(|(a, b)| a + 1 == *b);
            let index = match dates.first() {
                Some(1) => 1,
                Some(8) => 2,
                Some(15) => 3,
                Some(22) => 4,
                Some(-7) => -1,
                _ => return Err(one()),
            };
            if in_a_row { nth(word(&[*weekday]), index, refuse) } else { Err(one()) }
        }
        _ => Err(refuse("BYDAY", "Exchange takes a day of the month or a weekday, not both")),
    }
}

fn nth(
    days: Option<&'static str>,
    position: i16,
    refuse: &impl Fn(&'static str, &'static str) -> Refusal,
) -> Result<Days, Refusal> {
    let index = match position {
        1 => "First",
        2 => "Second",
        3 => "Third",
        4 => "Fourth",
        -1 => "Last",
        _ => {
            return Err(refuse(
                "BYDAY",
                "Exchange counts weekdays from the first to the fourth, and the last: choose one of these",
            ));
        }
    };
    let days = days
        .ok_or_else(|| refuse("BYDAY", "Exchange knows single days, weekdays, weekend days and all days"))?;
    Ok(Days::Nth(days, index))
}

/// Exchange's word for a set of weekdays. MS-OXWSCDATA 2.2.5.8
fn word(days: &[Weekday]) -> Option<&'static str> {
    let weekend = |day: &Weekday| matches!(day, Weekday::Saturday | Weekday::Sunday);
    let (free, all) = (days.iter().filter(|day| weekend(day)).count(), days.len());
    match (all, free) {
        (1, _) => days.first().copied().map(weekday_name),
        (2, 2) => Some("WeekendDay"),
        (5, 0) => Some("Weekday"),
        (7, 2) => Some("Day"),
        _ => None,
    }
}

fn weekly(interval: u32, days: &[ByDay], first_day: Weekday) -> Pattern {
    let mut days: Vec<Weekday> = days.iter().map(|day| day.weekday).collect();
    days.sort_by_key(|day| day.to_sunday_zero_offset());
    days.dedup();
    Pattern::Weekly {
        interval,
        days: days.into_iter().map(|day| weekday_name(day).to_owned()).collect(),
        first_day: Some(weekday_name(first_day).to_owned()),
    }
}

/// Whether a pattern happens on that day: a series starts on the first such day.
fn contains(pattern: &Pattern, date: Date) -> bool {
    let clamped = |day: i8| date.day() == day.min(date.days_in_month());
    let nth = |days: &str, index: &str| {
        let start = Recurrence {
            pattern: Pattern::RelativeMonthly { interval: 1, days: days.to_owned(), index: index.to_owned() },
            start: date.first_of_month(),
            end: RangeEnd::Never,
        };
        let found = exchange_rule(&start).map(|rule| {
            rule.occurrences(date.first_of_month().into(), &Zone::Utc).take(3).collect::<Vec<_>>()
        });
        // The first of the month stands for itself only when the rule says so.
        let first = date.day() == 1;
        found.is_some_and(|found| {
            if first {
                !found.iter().skip(1).any(|at| at.date().month() == date.month())
            } else {
                found.contains(&date.into())
            }
        })
    };
    match pattern {
        Pattern::Daily { .. } | Pattern::Regeneration { .. } => true,
        Pattern::Weekly { days, .. } => days.iter().any(|day| day == weekday_name(date.weekday())),
        Pattern::AbsoluteMonthly { day, .. } => clamped(*day),
        Pattern::AbsoluteYearly { day, month } => date.month() == *month && clamped(*day),
        Pattern::RelativeMonthly { days, index, .. } => nth(days, index),
        Pattern::RelativeYearly { days, index, month } => date.month() == *month && nth(days, index),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_series_on_the_31st_does_not_end_on_the_last_day_of_a_short_month() {
        let berlin = Zone::iana("Europe/Berlin").unwrap();
        let start = Moment::Zoned(Date::constant(2026, 7, 31).at(10, 0, 0, 0), berlin.clone());
        let rule = "FREQ=MONTHLY;BYMONTHDAY=31;UNTIL=20260930T215959Z";
        let translated = translate(rule, &start, &berlin).unwrap();
        assert_eq!(translated.recurrence.end, RangeEnd::After(2));
    }
}
