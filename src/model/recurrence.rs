//! RFC 5545 recurrence rules and their occurrences.

mod occurrences;

pub use occurrences::Occurrences;

use super::zone::Zone;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use std::fmt;
use std::str::FromStr;

/// A recurrence rule. RFC 5545 3.3.10
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// FREQ
    pub frequency: Frequency,
    /// INTERVAL, at least 1.
    pub interval: u32,
    /// COUNT, at least 1: occurrences in all, the start included.
    pub count: Option<u32>,
    /// UNTIL, inclusive.
    pub until: Option<Until>,
    /// BYSECOND, 0 to 59.
    pub by_second: Vec<i8>,
    /// BYMINUTE, 0 to 59.
    pub by_minute: Vec<i8>,
    /// BYHOUR, 0 to 23.
    pub by_hour: Vec<i8>,
    /// BYDAY
    pub by_day: Vec<ByDay>,
    /// BYMONTHDAY, ±1 to ±31.
    pub by_month_day: Vec<i8>,
    /// BYYEARDAY, ±1 to ±366.
    pub by_year_day: Vec<i16>,
    /// BYWEEKNO, ±1 to ±53.
    pub by_week_no: Vec<i8>,
    /// BYMONTH, 1 to 12.
    pub by_month: Vec<i8>,
    /// BYSETPOS, ±1 to ±366.
    pub by_set_pos: Vec<i16>,
    /// WKST
    pub week_start: Weekday,
}

/// FREQ
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    /// YEARLY
    Yearly,
    /// MONTHLY
    Monthly,
    /// WEEKLY
    Weekly,
    /// DAILY
    Daily,
    /// HOURLY
    Hourly,
    /// MINUTELY
    Minutely,
    /// SECONDLY
    Secondly,
}

/// UNTIL: the last moment that may be an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// That whole day.
    Date(Date),
    /// Wall-clock time of the start.
    Local(DateTime),
    /// An instant.
    Utc(Timestamp),
}

/// One value of BYDAY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByDay {
    /// Which one in the month or year, from its end when negative; `None`: every one.
    pub ordinal: Option<i8>,
    /// The day of the week.
    pub weekday: Weekday,
}

/// Text that is no recurrence rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no recurrence rule: see RFC 5545 3.3.10")]
pub struct InvalidRule(pub String);

const FREQUENCIES: [(&str, Frequency); 7] = [
    ("YEARLY", Frequency::Yearly),
    ("MONTHLY", Frequency::Monthly),
    ("WEEKLY", Frequency::Weekly),
    ("DAILY", Frequency::Daily),
    ("HOURLY", Frequency::Hourly),
    ("MINUTELY", Frequency::Minutely),
    ("SECONDLY", Frequency::Secondly),
];

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];

impl Rule {
    /// The same rule for a series of whole days, whose last one may be told as an instant. RFC 5545 3.3.10 wants a day.
    #[must_use]
    pub fn of_days(mut self, zone: &Zone) -> Self {
        self.until = self.until.map(|until| match until {
            Until::Date(date) => Until::Date(date),
            Until::Local(local) => Until::Date(local.date()),
            Until::Utc(at) => Until::Date(zone.day_meant(at)),
        });
        self
    }

    /// A rule that only repeats, for ever.
    pub fn new(frequency: Frequency) -> Self {
        Self {
            frequency,
            interval: 1,
            count: None,
            until: None,
            by_second: Vec::new(),
            by_minute: Vec::new(),
            by_hour: Vec::new(),
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_year_day: Vec::new(),
            by_week_no: Vec::new(),
            by_month: Vec::new(),
            by_set_pos: Vec::new(),
            week_start: Weekday::Monday,
        }
    }

    /// The wall-clock times at which something that starts at `start` happens, in order, `start` first
    /// whether it fits the rule or not (RFC 5545 3.8.5.3). `zone` is what `start` is read in: it only
    /// decides what an UNTIL in UTC means. All-day series are expanded at midnight in [`Zone::Utc`].
    ///
    /// Ends at the end of year 9999, and when a rule has nothing to offer for 400 years.
    pub fn occurrences(&self, start: DateTime, zone: &Zone) -> Occurrences {
        Occurrences::new(self, start, zone)
    }

    /// Whether the rule itself ends.
    pub fn is_finite(&self) -> bool {
        self.count.is_some() || self.until.is_some()
    }
}

impl FromStr for Rule {
    type Err = InvalidRule;

    /// Parts in any order and case; unknown parts are ignored, as RFC 5545 3.1 asks.
    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        parse(text).ok_or_else(|| InvalidRule(text.chars().take(200).collect()))
    }
}

fn parse(text: &str) -> Option<Rule> {
    let mut rule = Rule::new(Frequency::Daily);
    let mut frequency = None;
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        match name.trim().to_ascii_uppercase().as_str() {
            "FREQ" => frequency = Some(look_up(&FREQUENCIES, value)?),
            "INTERVAL" => rule.interval = positive(value)?,
            "COUNT" => rule.count = Some(positive(value)?),
            "UNTIL" => rule.until = Some(until(value)?),
            "BYSECOND" => rule.by_second = list(value, |v| number(v, 0, 60).map(|v: i8| v.min(59)))?,
            "BYMINUTE" => rule.by_minute = list(value, |v| number(v, 0, 59))?,
            "BYHOUR" => rule.by_hour = list(value, |v| number(v, 0, 23))?,
            "BYDAY" => rule.by_day = list(value, by_day)?,
            "BYMONTHDAY" => rule.by_month_day = list(value, |v| signed(v, 31))?,
            "BYYEARDAY" => rule.by_year_day = list(value, |v| signed(v, 366))?,
            "BYWEEKNO" => rule.by_week_no = list(value, |v| signed(v, 53))?,
            "BYMONTH" => rule.by_month = list(value, |v| number(v, 1, 12))?,
            "BYSETPOS" => rule.by_set_pos = list(value, |v| signed(v, 366))?,
            "WKST" => rule.week_start = look_up(&WEEKDAYS, value)?,
            // RFC 7529: months of another calendar are not ours.
            "RSCALE" if !value.trim().eq_ignore_ascii_case("GREGORIAN") => return None,
            _ => {}
        }
    }
    rule.frequency = frequency?;
    Some(rule)
}

fn look_up<T: Copy>(table: &[(&str, T)], text: &str) -> Option<T> {
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim())).map(|(_, value)| *value)
}

/// Numbers beyond `u32` are as good as for ever.
fn positive(text: &str) -> Option<u32> {
    let number: u64 = text.trim().parse().ok()?;
    (number > 0).then(|| u32::try_from(number).unwrap_or(u32::MAX))
}

fn number<T: TryFrom<i32>>(text: &str, least: i32, most: i32) -> Option<T> {
    let number: i32 = text.trim().parse().ok()?;
    (least..=most).contains(&number).then(|| T::try_from(number).ok())?
}

fn signed<T: TryFrom<i32>>(text: &str, most: i32) -> Option<T> {
    number::<i32>(text, -most, most).filter(|number| *number != 0).and_then(|number| T::try_from(number).ok())
}

/// The values as written, each once.
fn list<T: PartialEq>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut values = Vec::new();
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        let value = read(part)?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Some(values)
}

fn by_day(text: &str) -> Option<ByDay> {
    let text = text.trim();
    let (ordinal, weekday) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let ordinal = if ordinal.is_empty() { None } else { Some(signed(ordinal, 53)?) };
    Some(ByDay { ordinal, weekday: look_up(&WEEKDAYS, weekday)? })
}

fn until(text: &str) -> Option<Until> {
    let text = text.trim().to_ascii_uppercase();
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('T') {
        None if text.len() == 8 && digits(&text) => Date::strptime("%Y%m%d", &text).ok().map(Until::Date),
        Some((date, time)) if date.len() == 8 && digits(date) => {
            let (time, utc) = time.strip_suffix('Z').map_or((time, false), |time| (time, true));
            if time.len() != 6 || !digits(time) {
                return None;
            }
            let local = DateTime::strptime("%Y%m%d%H%M%S", format!("{date}{time}")).ok()?;
            Some(if utc { Until::Utc(Zone::Utc.to_instant(local)) } else { Until::Local(local) })
        }
        _ => None,
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FREQ={}", name_of(&FREQUENCIES, self.frequency))?;
        if let Some(until) = self.until {
            match until {
                Until::Date(date) => write!(f, ";UNTIL={}", date.strftime("%Y%m%d"))?,
                Until::Local(local) => write!(f, ";UNTIL={}", local.strftime("%Y%m%dT%H%M%S"))?,
                Until::Utc(at) => write!(f, ";UNTIL={}", at.strftime("%Y%m%dT%H%M%SZ"))?,
            }
        }
        if let Some(count) = self.count {
            write!(f, ";COUNT={count}")?;
        }
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        write_list(f, "BYSECOND", &self.by_second)?;
        write_list(f, "BYMINUTE", &self.by_minute)?;
        write_list(f, "BYHOUR", &self.by_hour)?;
        write_list(f, "BYDAY", &self.by_day)?;
        write_list(f, "BYMONTHDAY", &self.by_month_day)?;
        write_list(f, "BYYEARDAY", &self.by_year_day)?;
        write_list(f, "BYWEEKNO", &self.by_week_no)?;
        write_list(f, "BYMONTH", &self.by_month)?;
        write_list(f, "BYSETPOS", &self.by_set_pos)?;
        if self.week_start != Weekday::Monday {
            write!(f, ";WKST={}", name_of(&WEEKDAYS, self.week_start))?;
        }
        Ok(())
    }
}

impl fmt::Display for ByDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ordinal) = self.ordinal {
            write!(f, "{ordinal}")?;
        }
        f.write_str(name_of(&WEEKDAYS, self.weekday))
    }
}

fn name_of<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    table.iter().find(|(_, entry)| *entry == value).map_or("", |(name, _)| name)
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, values: &[T]) -> fmt::Result {
    for (index, value) in values.iter().enumerate() {
        if index == 0 {
            write!(f, ";{name}={value}")?;
        } else {
            write!(f, ",{value}")?;
        }
    }
    Ok(())
}
