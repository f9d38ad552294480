//! Dates and times of content lines, and the zones that they are told in.

use super::{Component, Line};
use crate::model::recurrence::Rule;
use crate::model::windows_zones;
use crate::model::zone::{Observance, Zone};
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};

/// A DATE or DATE-TIME. RFC 5545 3.3.4, 3.3.5
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// A day.
    Day(Date),
    /// A time on clocks of any place.
    Floating(DateTime),
    /// A time on the clocks of one place.
    Zoned(DateTime, Zone),
}

/// A length of time. RFC 5545 3.3.6
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// Between two instants.
    Exact(SignedDuration),
    /// Days and weeks on the calendar, hours and less on the clock.
    Nominal(Span),
}

/// The zones of one object.
#[derive(Debug)]
pub struct Zones<'a> {
    object: &'a Component,
    floating: &'a Zone,
}

impl Moment {
    /// What clocks or the calendar show.
    pub fn local(&self) -> DateTime {
        match self {
            Self::Day(day) => (*day).into(),
            Self::Floating(local) | Self::Zoned(local, _) => *local,
        }
    }

    /// The same form at another local time.
    #[must_use]
    pub fn at(&self, local: DateTime) -> Self {
        match self {
            Self::Day(_) => Self::Day(local.date()),
            Self::Floating(_) => Self::Floating(local),
            Self::Zoned(_, zone) => Self::Zoned(local, zone.clone()),
        }
    }

    /// Whether it is a day.
    pub fn is_day(&self) -> bool {
        matches!(self, Self::Day(_))
    }

    /// The day that it names in a series of whole days, which are those of `zone`.
    pub fn day(&self, zone: &Zone) -> Date {
        match self {
            Self::Zoned(local, Zone::Utc) => zone.day_meant(Zone::Utc.to_instant(*local)),
            _ => self.local().date(),
        }
    }

    /// The same moment later.
    pub fn after(&self, length: Length) -> Option<Self> {
        match (self, length) {
            (Self::Day(day), Length::Exact(length)) => {
                let days = Span::new().try_days(length.as_secs().div_euclid(86_400)).ok()?;
                day.checked_add(days).ok().map(Self::Day)
            }
            (Self::Day(day), Length::Nominal(span)) => (*day)
                .to_datetime(jiff::civil::Time::midnight())
                .checked_add(span)
                .ok()
                .map(|at| Self::Day(at.date())),
            (Self::Floating(local), Length::Exact(length)) => {
                local.checked_add(length).ok().map(Self::Floating)
            }
            (Self::Floating(local), Length::Nominal(span)) => {
                local.checked_add(span).ok().map(Self::Floating)
            }
            (Self::Zoned(local, zone), Length::Exact(length)) => {
                let at = zone.to_instant(*local).checked_add(length).ok()?;
                Some(Self::Zoned(zone.to_local(at), zone.clone()))
            }
            (Self::Zoned(local, zone), Length::Nominal(span)) => {
                let calendar =
                    Span::new().try_weeks(span.get_weeks()).ok()?.try_days(span.get_days()).ok()?;
                let clock = Span::new()
                    .try_hours(span.get_hours())
                    .ok()?
                    .try_minutes(span.get_minutes())
                    .ok()?
                    .try_seconds(span.get_seconds())
                    .ok()?;
                let at = zone.to_instant(local.checked_add(calendar).ok()?).checked_add(clock).ok()?;
                Some(Self::Zoned(zone.to_local(at), zone.clone()))
            }
        }
    }

    /// The value in UTC; a day stays a day.
    pub fn utc_line(&self, name: &str, zones: &Zones) -> Line {
        match self {
            Self::Day(day) => Line::raw(name, day.strftime("%Y%m%d").to_string()).with("VALUE", "DATE"),
            Self::Floating(_) | Self::Zoned(..) => {
                Line::raw(name, zones.instant(self).strftime("%Y%m%dT%H%M%SZ").to_string())
            }
        }
    }
}

impl<'a> Zones<'a> {
    /// The zones of an object; days and floating times are told in `floating`.
    pub fn new(object: &'a Component, floating: &'a Zone) -> Self {
        Self { object, floating }
    }

    /// The zone of days and floating times.
    pub fn floating(&self) -> &Zone {
        self.floating
    }

    /// The instant at which a moment begins.
    pub fn instant(&self, moment: &Moment) -> Timestamp {
        match moment {
            Moment::Day(day) => self.floating.to_instant((*day).into()),
            Moment::Floating(local) => self.floating.to_instant(*local),
            Moment::Zoned(local, zone) => zone.to_instant(*local),
        }
    }

    /// The first value of a line.
    pub fn moment(&self, line: &Line) -> Option<Moment> {
        self.value(line, line.value.split([',', '/']).next()?)
    }

    /// All values of a line; of periods, their starts.
    pub fn moments(&self, line: &Line) -> Vec<Moment> {
        line.value
            .split(',')
            .filter_map(|value| self.value(line, value.split('/').next().unwrap_or(value)))
            .collect()
    }

    /// All values of a line, with the ends of those that are periods. RFC 5545 3.3.9
    pub fn periods(&self, line: &Line) -> Vec<(Moment, Option<Moment>)> {
        let period = |value: &str| {
            let Some((start, end)) = value.split_once('/') else {
                return Some((self.value(line, value)?, None));
            };
            let start = self.value(line, start)?;
            let end = match length(end) {
                Some(length) => start.after(length)?,
                None => self.value(line, end)?,
            };
            Some((start, Some(end)))
        };
        line.value.split(',').filter_map(period).collect()
    }

    fn value(&self, line: &Line, value: &str) -> Option<Moment> {
        let value = value.trim();
        if let Some(utc) = value.strip_suffix(['Z', 'z']) {
            return local(utc).map(|at| Moment::Zoned(at, Zone::Utc));
        }
        if !value.contains(['T', 't']) {
            return Date::strptime("%Y%m%d", value).ok().map(Moment::Day);
        }
        let at = local(value)?;
        Some(match line.param("TZID").and_then(|name| self.zone(name)) {
            Some(zone) => Moment::Zoned(at, zone),
            None => Moment::Floating(at),
        })
    }

    /// A zone by its TZID. A name that is known wins over what the object says of it: clients ship old rules.
    fn zone(&self, name: &str) -> Option<Zone> {
        let told = || vtimezone(self.object, name);
        named(name)
            .or_else(|| prefixed(name))
            .or_else(|| named(&told()?.line("X-LIC-LOCATION")?.unescaped()))
            .or_else(|| Zone::iana(windows_zones::from_number(told()?.value(NUMBER)?.trim().parse().ok()?)?))
            .or_else(|| Zone::iana(windows_zones::from_display_name(name)?))
            .or_else(|| custom(told()?))
    }
}

/// Exchange's own number of a zone, in VTIMEZONEs of old servers.
const NUMBER: &str = "X-MICROSOFT-CDO-TZID";

fn local(value: &str) -> Option<DateTime> {
    DateTime::strptime("%Y%m%dT%H%M%S", value.to_ascii_uppercase()).ok()
}

/// The VTIMEZONE of an object that explains a TZID.
fn vtimezone<'a>(object: &'a Component, name: &str) -> Option<&'a Component> {
    let told =
        |zone: &&Component| zone.line("TZID").is_some_and(|id| id.unescaped().eq_ignore_ascii_case(name));
    object.children_named("VTIMEZONE").find(told)
}

/// A zone by its IANA or Windows name.
fn named(name: &str) -> Option<Zone> {
    Zone::iana(name).or_else(|| Zone::iana(windows_zones::to_iana(name)?))
}

/// The zone at the end of an id with a prefix: `/mozilla.org/20050126_1/Europe/Berlin`.
fn prefixed(name: &str) -> Option<Zone> {
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    let tails = [3, 2].into_iter().filter_map(|count| parts.get(parts.len().checked_sub(count)?..));
    tails.map(|tail| tail.join("/")).filter(|tail| tail != name).find_map(|tail| Zone::iana(&tail))
}

/// The zone of a VTIMEZONE's own rules.
fn custom(vtimezone: &Component) -> Option<Zone> {
    let parts = vtimezone.children.iter().filter(|part| part.name == "STANDARD" || part.name == "DAYLIGHT");
    let observances = parts
        .filter_map(|part| {
            let rdates = part.lines_named("RDATE").flat_map(|line| line.value.split(','));
            Some(Observance {
                onset: local(part.value("DTSTART")?.trim_end_matches('Z'))?,
                rule: part.value("RRULE").and_then(|rule| rule.parse::<Rule>().ok()),
                dates: rdates.filter_map(|value| local(value.trim_end_matches('Z'))).collect(),
                from: offset(part.value("TZOFFSETFROM")?)?,
                to: offset(part.value("TZOFFSETTO")?)?,
                name: part.line("TZNAME").map(Line::unescaped),
                daylight: part.name == "DAYLIGHT",
            })
        })
        .collect();
    Zone::custom(vtimezone.line("TZID")?.unescaped(), observances)
}

/// UTC-OFFSET. RFC 5545 3.3.14
fn offset(text: &str) -> Option<Offset> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |part| part.parse::<i32>().ok());
    Offset::from_seconds(sign * (part(0)? * 3600 + part(2)? * 60 + part(4)?)).ok()
}

/// The zone that a text names: a TZID, or an iCalendar object with one VTIMEZONE. RFC 4791 5.2.2, RFC 7809 4.3
pub fn zone_of_text(text: &str) -> Option<Zone> {
    if !text.contains("BEGIN:") {
        return named(text.trim());
    }
    let calendar = Component::parse(text.as_bytes()).ok()?;
    let vtimezone = calendar.children_named("VTIMEZONE").next()?;
    Zones::new(&calendar, &Zone::Utc).zone(&vtimezone.line("TZID")?.unescaped())
}

/// DURATION. RFC 5545 3.3.6
pub fn length(text: &str) -> Option<Length> {
    text.trim().parse().ok().map(Length::Nominal)
}
