//! Expansion of a rule, period by period.

use super::{ByDay, Frequency, Rule, Until};
use crate::model::zone::Zone;
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Span};
use std::collections::VecDeque;

/// Occurrences that are passed over before a rule is taken to have ended.
const MAX_PASSED: u32 = 1_000_000;
/// Days, and hours, minutes or seconds within days, that are looked at in vain before a rule is taken to have ended: a day
/// more than there are in 400 years, or seconds in a day.
const MAX_EMPTY: u32 = 150_000;

/// Periods without any occurrence after which none will come: the calendar repeats itself every 400 years.
const fn most_empty(frequency: Frequency) -> u32 {
    match frequency {
        Frequency::Yearly => 400,
        Frequency::Monthly => 4_800,
        Frequency::Weekly => 20_871,
        Frequency::Daily => 146_097,
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => MAX_EMPTY,
    }
}

/// The wall-clock times of a rule, in order. See [`Rule::occurrences`].
#[derive(Clone, Debug)]
pub struct Occurrences {
    rule: Rule,
    start: DateTime,
    /// The last moment, as the start's clocks show it.
    until: Option<DateTime>,
    /// The next period; `None` when there is none.
    period: Option<i64>,
    /// The days of the last period that are still to come: a year of seconds is too much to lay out at once.
    days: VecDeque<Date>,
    /// The times of each of these days, in order.
    times: Vec<Time>,
    /// The rest of the last of these days; of frequencies below a day, that of the last period.
    ready: VecDeque<DateTime>,
    /// How many may still come.
    left: u32,
    /// Earlier ones are counted, but left out.
    first: DateTime,
    /// How many were left out.
    passed: u32,
    started: bool,
}

impl Occurrences {
    pub(super) fn new(rule: &Rule, start: DateTime, zone: &Zone) -> Self {
        let until = rule.until.map(|until| match until {
            Until::Date(date) => date.to_datetime(Time::constant(23, 59, 59, 0)),
            Until::Local(local) => local,
            Until::Utc(at) => zone.to_local(at),
        });
        let rule = with_defaults(rule, start);
        let (times, left) = (times_of_day(&rule), rule.count.unwrap_or(u32::MAX));
        Self {
            rule,
            start,
            until,
            period: Some(0),
            days: VecDeque::new(),
            times,
            ready: VecDeque::new(),
            left,
            first: DateTime::MIN,
            passed: 0,
            started: false,
        }
    }

    /// Leaves out what comes before `first`, without looking at it where the rule allows.
    #[must_use]
    pub fn starting_at(mut self, first: DateTime) -> Self {
        self.first = first;
        if self.rule.count.is_none() && first > self.start {
            let skipped = self.periods_before(first) / i64::from(self.rule.interval) - 1;
            if skipped > 0 {
                self.period = Some(skipped);
                self.started = true;
            }
        }
        self
    }

    /// Whole units of the frequency between the start and a later time, rounded down by up to one.
    fn periods_before(&self, later: DateTime) -> i64 {
        let days = i64::from((later.date() - self.start.date()).get_days());
        let years = i64::from(later.year()) - i64::from(self.start.year());
        let hours = || (days - 1) * 24;
        match self.rule.frequency {
            Frequency::Yearly => years - 1,
            Frequency::Monthly => years * 12 + i64::from(later.month()) - i64::from(self.start.month()) - 1,
            Frequency::Weekly => days / 7 - 1,
            Frequency::Daily => days - 1,
            Frequency::Hourly => hours(),
            Frequency::Minutely => hours() * 60,
            Frequency::Secondly => hours() * 3600,
        }
    }

    /// Lays out what one period holds; whether it holds anything. `None` beyond the calendar.
    fn lay_out(&mut self, period: i64) -> Option<bool> {
        let units = period.checked_mul(i64::from(self.rule.interval))?;
        let date = self.start.date();
        let days = match self.rule.frequency {
            Frequency::Yearly => {
                let year = i16::try_from(i64::from(date.year()).checked_add(units)?).ok()?;
                let mut found = Vec::new();
                for month in 1..=12 {
                    let first = Date::new(year, month, 1).ok()?;
                    // A month at a time: most yearly rules mean one.
                    if self.rule.by_month.is_empty() || self.rule.by_month.contains(&month) {
                        found.extend(self.days(first, i64::from(first.days_in_month())));
                    }
                }
                found
            }
            Frequency::Monthly => {
                let month = i64::from(date.year()) * 12 + i64::from(date.month()) - 1 + units;
                let year = i16::try_from(month.div_euclid(12)).ok()?;
                let first = Date::new(year, i8::try_from(month.rem_euclid(12)).ok()? + 1, 1).ok()?;
                self.days(first, i64::from(first.days_in_month()))
            }
            Frequency::Weekly => {
                let into = date.weekday().since(self.rule.week_start);
                let weeks = Span::new().try_days(units.checked_mul(7)?.checked_sub(i64::from(into))?).ok()?;
                self.days(date.checked_add(weeks).ok()?, 7)
            }
            Frequency::Daily => self.days(date.checked_add(Span::new().try_days(units).ok()?).ok()?, 1),
            Frequency::Hourly => return self.lay_out_unit(units, 3_600),
            Frequency::Minutely => return self.lay_out_unit(units, 60),
            Frequency::Secondly => return self.lay_out_unit(units, 1),
        };
        if self.rule.by_set_pos.is_empty() {
            self.days.extend(&days);
            return Some(!days.is_empty());
        }
        let a_day = self.times.len();
        let at = |place: usize| {
            let (day, time) = (days.get(place.checked_div(a_day)?)?, self.times.get(place % a_day)?);
            Some(day.to_datetime(*time))
        };
        let found: Vec<DateTime> = self.places(days.len() * a_day).into_iter().filter_map(at).collect();
        self.ready.extend(found.iter().filter(|at| **at > self.start));
        Some(!found.is_empty())
    }

    /// The same for an hour, a minute or a second, so many from the start. Where its day is not meant, none of that day is
    /// looked at.
    fn lay_out_unit(&mut self, units: i64, seconds: i64) -> Option<bool> {
        let at = self.start.checked_add(SignedDuration::from_secs(units.checked_mul(seconds)?)).ok()?;
        if !self.takes(at.date()) {
            let next = at.date().tomorrow().ok()?.to_datetime(Time::midnight());
            let (to_next, step) =
                (next.duration_since(self.start).as_secs(), seconds * i64::from(self.rule.interval));
            self.period = self.period.max(to_next.checked_add(step - 1).map(|to_next| to_next / step));
            return Some(false);
        }
        let mut found = self.at_unit(at);
        if !self.rule.by_set_pos.is_empty() {
            let places = self.places(found.len());
            found = places.into_iter().filter_map(|place| found.get(place).copied()).collect();
        }
        self.ready.extend(found.iter().filter(|at| **at > self.start));
        Some(!found.is_empty())
    }

    /// The places that BYSETPOS means among so many, in order.
    fn places(&self, count: usize) -> Vec<usize> {
        let place = |position: &i16| {
            let back = usize::from(position.unsigned_abs());
            let place = if *position > 0 { back.checked_sub(1) } else { count.checked_sub(back) };
            place.filter(|place| *place < count)
        };
        let mut places: Vec<usize> = self.rule.by_set_pos.iter().filter_map(place).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    fn days(&self, first: Date, count: i64) -> Vec<Date> {
        let mut found = Vec::new();
        let mut day = Some(first);
        for _ in 0..count {
            let Some(date) = day else { break };
            if self.takes(date) {
                found.push(date);
            }
            day = date.tomorrow().ok();
        }
        found
    }

    /// For frequencies below a day: the unit that holds `at`, on a day that is meant.
    fn at_unit(&self, at: DateTime) -> Vec<DateTime> {
        let rule = &self.rule;
        let fits = |list: &[i8], value: i8| list.is_empty() || list.contains(&value);
        if !fits(&rule.by_hour, at.hour())
            || (rule.frequency >= Frequency::Minutely && !fits(&rule.by_minute, at.minute()))
            || (rule.frequency >= Frequency::Secondly && !fits(&rule.by_second, at.second()))
        {
            return Vec::new();
        }
        let or = |list: &[i8], value: i8| if list.is_empty() { vec![value] } else { sorted(list) };
        let minutes = if rule.frequency == Frequency::Hourly {
            or(&rule.by_minute, at.minute())
        } else {
            vec![at.minute()]
        };
        let seconds = if rule.frequency == Frequency::Secondly {
            vec![at.second()]
        } else {
            or(&rule.by_second, at.second())
        };
        let times = minutes.iter().flat_map(|m| seconds.iter().map(move |s| Time::new(at.hour(), *m, *s, 0)));
        times.filter_map(Result::ok).map(|time| at.date().to_datetime(time)).collect()
    }

    /// Whether a day fits all parts of the rule that speak of days.
    fn takes(&self, date: Date) -> bool {
        let rule = &self.rule;
        let (year_day, month_day) = (date.day_of_year(), date.day());
        let from_year_end = year_day - date.days_in_year() - 1;
        let from_month_end = month_day - date.days_in_month() - 1;
        (rule.by_month.is_empty() || rule.by_month.contains(&date.month()))
            && (rule.by_year_day.is_empty()
                || rule.by_year_day.iter().any(|day| [year_day, from_year_end].contains(day)))
            && (rule.by_month_day.is_empty()
                || rule.by_month_day.iter().any(|day| [month_day, from_month_end].contains(day)))
            && (rule.by_week_no.is_empty() || self.takes_week_of(date))
            && (rule.by_day.is_empty() || rule.by_day.iter().any(|by_day| self.takes_weekday(date, *by_day)))
    }

    fn takes_weekday(&self, date: Date, by_day: ByDay) -> bool {
        if by_day.weekday != date.weekday() {
            return false;
        }
        let Some(ordinal) = by_day.ordinal else { return true };
        let (day, length) = match self.rule.frequency {
            Frequency::Yearly if self.rule.by_month.is_empty() && self.rule.by_week_no.is_empty() => {
                (date.day_of_year(), date.days_in_year())
            }
            Frequency::Yearly | Frequency::Monthly => {
                (i16::from(date.day()), i16::from(date.days_in_month()))
            }
            // RFC 5545 3.3.10: ordinals mean nothing elsewhere.
            _ => return true,
        };
        let ordinal = i16::from(ordinal);
        ordinal == (day - 1) / 7 + 1 || ordinal == -((length - day) / 7 + 1)
    }

    /// BYWEEKNO: weeks of the year, the first being the one with four days in it. The days around New Year may
    /// belong to a week of the neighbouring year.
    fn takes_week_of(&self, date: Date) -> bool {
        let into = i16::from(date.weekday().since(self.rule.week_start));
        // The year in which the middle of the week lies is the one that numbers it.
        let middle = date.checked_add(Span::new().days(3 - into));
        let Ok(middle) = middle else { return false };
        let number = (middle.day_of_year() - 1) / 7 + 1;
        let weeks = number + (middle.days_in_year() - middle.day_of_year()) / 7;
        let list = &self.rule.by_week_no;
        list.iter().any(|wanted| i16::from(*wanted) == number || i16::from(*wanted) == number - weeks - 1)
    }
}

/// The times of each day; frequencies below a day look at their units instead.
fn times_of_day(rule: &Rule) -> Vec<Time> {
    if rule.frequency > Frequency::Daily {
        return Vec::new();
    }
    let (minutes, seconds) = (sorted(&rule.by_minute), sorted(&rule.by_second));
    let mut times = Vec::new();
    for hour in sorted(&rule.by_hour) {
        for minute in &minutes {
            times.extend(seconds.iter().filter_map(|second| Time::new(hour, *minute, *second, 0).ok()));
        }
    }
    times
}

fn sorted(list: &[i8]) -> Vec<i8> {
    let mut list = list.to_vec();
    list.sort_unstable();
    list
}

/// What a rule leaves out is as in its start. RFC 5545 3.3.10
fn with_defaults(rule: &Rule, start: DateTime) -> Rule {
    let mut rule = rule.clone();
    rule.interval = rule.interval.max(1);
    let says_days = !rule.by_week_no.is_empty()
        || !rule.by_year_day.is_empty()
        || !rule.by_month_day.is_empty()
        || !rule.by_day.is_empty();
    match rule.frequency {
        Frequency::Yearly if !says_days => {
            if rule.by_month.is_empty() {
                rule.by_month.push(start.month());
            }
            rule.by_month_day.push(start.day());
        }
        Frequency::Yearly if !rule.by_week_no.is_empty() && rule.by_day.is_empty() => {
            rule.by_day.push(ByDay { ordinal: None, weekday: start.weekday() });
        }
        Frequency::Monthly if !says_days => rule.by_month_day.push(start.day()),
        Frequency::Weekly if rule.by_day.is_empty() => {
            rule.by_day.push(ByDay { ordinal: None, weekday: start.weekday() });
        }
        _ => {}
    }
    if rule.frequency <= Frequency::Daily {
        let or_start = |list: &mut Vec<i8>, value: i8| {
            if list.is_empty() {
                list.push(value);
            }
        };
        or_start(&mut rule.by_hour, start.hour());
        or_start(&mut rule.by_minute, start.minute());
        or_start(&mut rule.by_second, start.second());
    }
    rule
}

impl Iterator for Occurrences {
    type Item = DateTime;

    fn next(&mut self) -> Option<DateTime> {
        let mut empty = 0;
        loop {
            if self.left == 0 {
                return None;
            }
            let next = if self.started {
                match self.ready.pop_front() {
                    Some(next) => next,
                    None => {
                        if let Some(day) = self.days.pop_front() {
                            let times = self.times.iter().map(|time| day.to_datetime(*time));
                            self.ready.extend(times.filter(|at| *at > self.start));
                            continue;
                        }
                        let period = self.period?;
                        self.period = period.checked_add(1);
                        empty = if self.lay_out(period)? { 0 } else { empty + 1 };
                        if empty > most_empty(self.rule.frequency) {
                            self.left = 0;
                            return None;
                        }
                        continue;
                    }
                }
            } else {
                self.started = true;
                self.start
            };
            // An UNTIL before the start does not undo the start.
            if self.until.is_some_and(|until| next > until && next > self.start) {
                self.left = 0;
                return None;
            }
            self.left -= 1;
            if next >= self.first {
                return Some(next);
            }
            self.passed += 1;
            if self.passed > MAX_PASSED {
                self.left = 0;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn expand(rule: &str, start: &str, most: usize) -> Vec<String> {
        let rule: Rule = rule.parse().unwrap();
        let start = DateTime::strptime("%Y%m%dT%H%M%S", start).unwrap();
        let found = rule.occurrences(start, &Zone::iana("America/New_York").unwrap()).take(most);
        found.map(|at| at.strftime("%Y%m%d").to_string()).collect()
    }

    /// Examples of RFC 5545 3.8.5.3.
    #[test]
    fn the_examples_of_the_standard_give_their_days() {
        let examples: [(&str, &str, &[&str]); 14] = [
            ("FREQ=DAILY;COUNT=3", "19970902T090000", &["19970902", "19970903", "19970904"]),
            ("FREQ=DAILY;INTERVAL=10;COUNT=3", "19970902T090000", &["19970902", "19970912", "19970922"]),
            (
                "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
                "19970805T090000",
                &["19970805", "19970810", "19970819", "19970824"],
            ),
            (
                "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
                "19970805T090000",
                &["19970805", "19970817", "19970819", "19970831"],
            ),
            ("FREQ=MONTHLY;COUNT=3;BYDAY=1FR", "19970905T090000", &["19970905", "19971003", "19971107"]),
            (
                "FREQ=MONTHLY;INTERVAL=2;COUNT=4;BYDAY=1SU,-1SU",
                "19970907T090000",
                &["19970907", "19970928", "19971102", "19971130"],
            ),
            ("FREQ=MONTHLY;BYMONTHDAY=-3;COUNT=3", "19970928T090000", &["19970928", "19971029", "19971128"]),
            (
                "FREQ=YEARLY;INTERVAL=3;COUNT=5;BYYEARDAY=1,100,200",
                "19970101T090000",
                &["19970101", "19970410", "19970719", "20000101", "20000409"],
            ),
            ("FREQ=YEARLY;BYDAY=20MO;COUNT=3", "19970519T090000", &["19970519", "19980518", "19990517"]),
            (
                "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3",
                "19970512T090000",
                &["19970512", "19980511", "19990517"],
            ),
            (
                "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3",
                "19980213T090000",
                &["19980213", "19980313", "19981113"],
            ),
            (
                "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3",
                "19961105T090000",
                &["19961105", "20001107", "20041102"],
            ),
            (
                "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=3",
                "19970929T090000",
                &["19970929", "19971030", "19971127"],
            ),
            (
                "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
                "20070115T090000",
                &["20070115", "20070130", "20070215", "20070315", "20070330"],
            ),
        ];
        for (rule, start, days) in examples {
            assert_eq!(expand(rule, start, 99), days, "{rule}");
        }
    }

    #[test]
    fn an_until_in_utc_is_read_in_the_zone_of_the_start() {
        let days = expand("FREQ=DAILY;UNTIL=19971224T000000Z", "19970902T090000", 999);
        assert_eq!((days.len(), days.last().unwrap().as_str()), (113, "19971223"));
    }

    #[test]
    fn a_rule_that_never_happens_ends() {
        assert_eq!(expand("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "19970902T090000", 9), ["19970902"]);
    }

    #[test]
    fn starting_late_gives_what_counting_from_the_start_gives() {
        for rule in [
            "FREQ=YEARLY;BYDAY=20MO",
            "FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=31",
            "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU,TU",
            "FREQ=DAILY;INTERVAL=4",
            "FREQ=HOURLY;INTERVAL=7",
        ] {
            let rule: Rule = rule.parse().unwrap();
            let start = DateTime::constant(1997, 9, 2, 9, 0, 0, 0);
            let first = DateTime::constant(2011, 3, 4, 5, 6, 7, 0);
            let all = rule.occurrences(start, &Zone::Utc).skip_while(|at| *at < first).take(5);
            let late = rule.occurrences(start, &Zone::Utc).starting_at(first).take(5);
            assert_eq!(late.collect::<Vec<_>>(), all.collect::<Vec<_>>(), "{rule}");
        }
    }

    #[test]
    fn weeks_of_the_year_reach_over_new_year() {
        // RFC 5545 3.3.10: week one is the first with four days in the year; its Monday may lie in December.
        assert_eq!(
            expand("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO;COUNT=3", "19971229T090000", 9),
            ["19971229", "19990104", "20000103"]
        );
        assert_eq!(
            expand("FREQ=YEARLY;BYWEEKNO=52;BYDAY=SA;COUNT=3", "20091226T090000", 9),
            ["20091226", "20110101", "20111231"]
        );
        assert_eq!(
            expand("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU;COUNT=3", "20100103T090000", 9),
            ["20100103", "20110102", "20120101"]
        );
    }

    /// The fixture says where its answers come from.
    #[test]
    fn an_independent_expansion_finds_the_same_occurrences() {
        let lines = include_str!("../../../fixtures/recurrence/dateutil.txt").lines();
        for line in lines.filter(|line| !line.starts_with('#')) {
            let (rule, expected) = line.split_once(" | ").unwrap();
            let parsed: Rule = rule.parse().unwrap();
            let start = DateTime::strptime("%Y%m%dT%H%M%S", expected.split(' ').next().unwrap()).unwrap();
            let most = if expected.ends_with('.') { 9 } else { expected.split(' ').count() };
            let all: Vec<DateTime> = parsed.occurrences(start, &Zone::Utc).take(most).collect();
            let found: Vec<String> = all.iter().map(|at| at.strftime("%Y%m%dT%H%M%S").to_string()).collect();
            assert_eq!(found.join(" "), expected.trim_end_matches(" ."), "{rule}");
            // Skipping ahead to any of them gives the rest.
            for (index, at) in all.iter().enumerate() {
                let late: Vec<DateTime> =
                    parsed.occurrences(start, &Zone::Utc).starting_at(*at).take(most - index).collect();
                assert_eq!(late, all[index..], "{rule} from {at}");
            }
            assert_eq!(parsed.to_string().parse::<Rule>().unwrap(), parsed, "{rule}");
        }
    }

    #[test]
    fn hostile_rules_end() {
        let far = DateTime::constant(2190, 1, 1, 0, 0, 0, 0);
        for rule in [
            "FREQ=SECONDLY;COUNT=4294967295",
            "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;INTERVAL=4294967295",
            "FREQ=DAILY;BYMONTHDAY=31;BYMONTH=4",
            "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2",
            "FREQ=MONTHLY;BYDAY=6MO",
        ] {
            let rule: Rule = rule.parse().unwrap();
            let start = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
            let found = rule.occurrences(start, &Zone::Utc).starting_at(far).take(3).count();
            assert_eq!(found, 0, "{rule}");
        }
    }

    #[test]
    fn days_that_are_not_meant_are_passed_over_whole() {
        let start = jiff::civil::datetime(2026, 1, 5, 9, 30, 7, 0);
        for (text, second) in [
            ("FREQ=SECONDLY;INTERVAL=7;BYMONTH=3", "2026-03-01T00:00:04"),
            ("FREQ=MINUTELY;INTERVAL=100;BYDAY=SU;BYHOUR=23", "2026-01-11T23:50:07"),
            ("FREQ=HOURLY;INTERVAL=5;BYMONTHDAY=29;BYMONTH=2", "2028-02-29T04:30:07"),
            ("FREQ=HOURLY;BYMONTHDAY=6", "2026-01-06T00:30:07"),
        ] {
            let rule: Rule = text.parse().unwrap();
            let found: Vec<String> =
                rule.occurrences(start, &Zone::Utc).take(2).map(|at| at.to_string()).collect();
            assert_eq!(found[1], second, "{text}");
        }
        let never: Rule = "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30".parse().unwrap();
        assert_eq!(never.occurrences(start, &Zone::Utc).count(), 1);
    }

    #[test]
    fn a_year_of_seconds_is_laid_out_a_day_at_a_time() {
        let all = |most: i8| (0..most).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let (hours, sixty) = (all(24), all(60));
        for (days, last) in [("", 1), (";BYSETPOS=-1", 0)] {
            let days = format!("BYDAY=MO,TU,WE,TH,FR,SA,SU{days}");
            let text = format!("FREQ=YEARLY;{days};BYHOUR={hours};BYMINUTE={sixty};BYSECOND={sixty}");
            let rule: Rule = text.parse().unwrap();
            let start = jiff::civil::datetime(2026, 1, 1, 0, 0, 0, 0);
            let mut occurrences = rule.occurrences(start, &Zone::Utc);
            let second = occurrences.nth(1).unwrap();
            let end = jiff::civil::datetime(2026, 12, 31, 23, 59, 59, 0);
            assert_eq!(second, if last == 1 { start.with().second(1).build().unwrap() } else { end });
            assert!(occurrences.ready.len() <= 86_400 && occurrences.days.len() <= 366);
        }
    }

    #[test]
    fn hours_and_minutes_are_expanded() {
        let rule: Rule = "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000".parse().unwrap();
        let start = DateTime::constant(1997, 9, 2, 9, 0, 0, 0);
        let hours: Vec<i8> = rule.occurrences(start, &Zone::Utc).map(DateTime::hour).collect();
        assert_eq!(hours, [9, 12, 15]);
    }
}
