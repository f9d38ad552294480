//! When: start, end, and the zones that they are told in.

use super::super::{Context, Error, zone};
use crate::model::item::{Field, Item};
use crate::model::zone::Zone;
use crate::text::Line;
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};

/// A DATE or DATE-TIME value.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// A day.
    Date(Date),
    /// `…Z`
    Utc(Timestamp),
    /// With TZID.
    Local(DateTime, String),
}

impl Moment {
    /// The value as text.
    pub fn value(&self) -> String {
        match self {
            Self::Date(date) => date.strftime("%Y%m%d").to_string(),
            Self::Utc(at) => at.strftime("%Y%m%dT%H%M%SZ").to_string(),
            Self::Local(at, _) => at.strftime("%Y%m%dT%H%M%S").to_string(),
        }
    }

    /// The content line.
    pub fn line(&self, name: &str) -> Line {
        let line = Line::raw(name, self.value());
        match self {
            Self::Date(_) => line.with("VALUE", "DATE"),
            Self::Utc(_) => line,
            Self::Local(_, zone) => line.with("TZID", zone),
        }
    }
}

/// Start and end of an item in their zones.
#[derive(Clone, Debug)]
pub struct EventTimes {
    /// The first instant.
    pub start: Timestamp,
    /// The instant after the last one.
    pub end: Timestamp,
    all_day: bool,
    start_zone: Zone,
    end_zone: Zone,
}

impl EventTimes {
    /// The frame of an item; an exception whose zone is not told has the series'.
    pub fn of(context: &Context, item: &Item, series: Option<&EventTimes>) -> Result<Self, Error> {
        let start = item.time(Field::Start).ok_or(Error::Missing("start"))?;
        let end = item.time(Field::End).unwrap_or(start).max(start);
        let read = |name| item.zone(name).and_then(|zone| zone::of_ews(&zone, &context.zone, start));
        let (from, to) = (read(Field::StartZone), read(Field::EndZone));
        let all_day = item.flag(Field::AllDay);
        let unknown = || match series {
            Some(series) => series.start_zone.clone(),
            // Days have to be told somewhere; instants are never wrong in UTC.
            None if all_day && !is_midnight(start) => Zone::iana(&context.zone).unwrap_or(Zone::Utc),
            None => Zone::Utc,
        };
        let start_zone = from.clone().or_else(|| to.clone()).unwrap_or_else(unknown);
        let end_zone = to.or(from).unwrap_or_else(|| start_zone.clone());
        Ok(Self { start, end, all_day, start_zone, end_zone })
    }

    /// Whether it takes whole days.
    pub fn is_all_day(&self) -> bool {
        self.all_day
    }

    /// Whether it lasts longer than a moment; a day always does.
    pub fn has_length(&self) -> bool {
        self.all_day || self.end > self.start
    }

    /// An instant in the form of the start.
    pub fn at(&self, at: Timestamp) -> Moment {
        if self.all_day { Moment::Date(self.day(at)) } else { moment(&self.start_zone, at) }
    }

    /// DTSTART
    pub fn start(&self) -> Moment {
        self.at(self.start)
    }

    /// DTEND: exclusive, and a day always has a next one.
    pub fn end(&self) -> Moment {
        if self.all_day {
            let first = self.day(self.start);
            Moment::Date(self.day(self.end).max(first.tomorrow().unwrap_or(first)))
        } else {
            moment(&self.end_zone, self.end)
        }
    }

    /// The last moment of a series whose last day is given. Mapping: EndDate → UNTIL
    pub fn until(&self, day: Date) -> super::super::recurrence::Bound {
        use super::super::recurrence::Bound;
        if self.all_day {
            return Bound::Date(day);
        }
        let time = self.start_zone.to_local(self.start).time();
        Bound::Instant(self.start_zone.to_instant(day.to_datetime(time)))
    }

    /// The zones whose names stand in the lines.
    pub fn zones(&self) -> impl Iterator<Item = &Zone> {
        let named = !self.all_day;
        [&self.start_zone, &self.end_zone]
            .into_iter()
            .filter(move |zone| named && !zone.is_utc() && zone.name().is_some())
    }

    /// The zone of the start.
    pub fn zone(&self) -> &Zone {
        &self.start_zone
    }

    /// The day of an instant, as a moment.
    pub fn day_of(&self, at: Timestamp) -> Moment {
        Moment::Date(self.start_zone.to_local(at).date())
    }

    /// The occurrence that a server means by an original start: some tell the midnight that begins its day, and where
    /// `is_exact` is false an hour too much or too little beyond a change of clocks. Seen: gromox 3.10
    pub fn occurrence(&self, at: Timestamp, is_exact: bool) -> Timestamp {
        const HOUR: SignedDuration = SignedDuration::from_hours(1);
        if self.all_day {
            return at;
        }
        let (local, time) = (self.start_zone.to_local(at), self.start_zone.to_local(self.start).time());
        let on = |date: Date| self.start_zone.to_instant(date.to_datetime(time));
        let of_day = on(local.date());
        if of_day == at || local.time() == Time::midnight() {
            return of_day;
        }
        let days = [Ok(local.date()), local.date().tomorrow(), local.date().yesterday()];
        let near = |found: &Timestamp| !is_exact && found.duration_since(at).abs() <= HOUR;
        days.into_iter().flatten().map(on).find(near).unwrap_or(at)
    }

    /// The year from which on zones must be explained.
    pub fn first_year(&self) -> i16 {
        self.start_zone.to_local(self.start).year()
    }

    /// First and last instant.
    pub fn bounds(&self) -> (Timestamp, Timestamp) {
        (self.start, self.end)
    }

    /// The day that begins about then: servers round midnights in zones of their own.
    fn day(&self, at: Timestamp) -> Date {
        let noon = at.checked_add(SignedDuration::from_hours(12)).unwrap_or(at);
        self.start_zone.to_local(noon).date()
    }
}

fn is_midnight(at: Timestamp) -> bool {
    at.as_second().rem_euclid(86_400) == 0
}

fn moment(zone: &Zone, at: Timestamp) -> Moment {
    match zone.name() {
        Some(name) if !zone.is_utc() => Moment::Local(zone.to_local(at), name.to_owned()),
        _ => Moment::Utc(at),
    }
}
