//! When an event begins and ends.

use crate::convert::write::zone::{self, ZonedMoment};
use crate::model::item::{Change, Field, Value};
use crate::model::refusal::{Reason, Refusal};
use crate::model::zone::Zone;
use crate::text::Component;
use crate::text::moment::{Moment, length};
use jiff::civil::Date;

/// Start and end of a component, as Exchange is told.
#[derive(Clone)]
pub(super) struct Times {
    pub(super) start: ZonedMoment,
    pub(super) end: ZonedMoment,
}

impl Times {
    pub(super) fn of(
        component: &Component,
        calendar: &Component,
        mailbox: &Zone,
        repeats: bool,
    ) -> Result<Self, Refusal> {
        let line = component
            .line("DTSTART")
            .ok_or_else(|| Refusal::new(Reason::InvalidData, "an event has a DTSTART"))?;
        let start = zone::place(line, calendar, mailbox, repeats)?;
        let end = match (component.line("DTEND"), component.value("DURATION").and_then(length)) {
            (Some(line), _) => zone::place(line, calendar, mailbox, repeats)?,
            (None, Some(length)) => {
                let zoned = match &start.moment {
                    Moment::Floating(local) => Moment::Zoned(*local, start.zone.clone()),
                    other => other.clone(),
                };
                let moment = zoned
                    .after(length)
                    .ok_or_else(|| Refusal::new(Reason::TooLate, "the event is too long"))?;
                ZonedMoment { moment, ..start.clone() }
            }
            (None, None) => start.clone(),
        };
        let mut times = Self { start, end };
        if times.start.moment.is_day() != times.end.moment.is_day() {
            return Err(Refusal::new(Reason::InvalidData, "start and end are both days or both times"));
        }
        if let (Moment::Day(first), Moment::Day(end)) = (&times.start.moment, &times.end.moment) {
            let next = first.tomorrow().map_err(|_| too_late())?;
            if end < first {
                return Err(Refusal::new(Reason::InvalidData, "the event ends before it starts"));
            }
            // A day always has a next one.
            times.end.moment = Moment::Day((*end).max(next));
        } else if times.end.instant() < times.start.instant() {
            return Err(Refusal::new(Reason::InvalidData, "the event ends before it starts"));
        }
        if times.start.moment.local().date() < Date::constant(1601, 1, 1) {
            return Err(Refusal::new(Reason::TooEarly, "Exchange's calendars begin in 1601"));
        }
        if times.end.moment.local().date() > Date::constant(4500, 8, 31) {
            return Err(too_late());
        }
        Ok(times)
    }

    pub(super) fn is_all_day(&self) -> bool {
        self.start.moment.is_day()
    }

    pub(super) fn seconds(&self) -> i64 {
        self.end.instant().as_second() - self.start.instant().as_second()
    }

    /// A moment as it is sent: days are midnights of the item's zone.
    fn value(place: &ZonedMoment) -> Value {
        match &place.moment {
            Moment::Day(day) => Value::Day(*day),
            _ => Value::Time(place.instant()),
        }
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        vec![
            Change::set(Field::Start, Self::value(&self.start)),
            Change::set(Field::End, Self::value(&self.end)),
            Change::set(Field::AllDay, Value::Flag(self.is_all_day())),
            Change::set(Field::StartZone, self.start.told.clone()),
            Change::set(Field::EndZone, self.end.told.clone()),
        ]
    }

    /// The same, as it will be read.
    pub(super) fn outcome(&self) -> [Change; 2] {
        [
            Change::set(Field::Start, Value::Time(self.start.instant())),
            Change::set(Field::End, Value::Time(self.end.instant())),
        ]
    }

    /// Times alone, for occurrences: these cannot have a zone of their own.
    pub(super) fn of_occurrence(&self) -> Vec<Change> {
        self.changes().into_iter().take(2).collect()
    }
}

pub(super) fn too_late() -> Refusal {
    Refusal::new(Reason::TooLate, "Exchange's calendars end in August 4500")
}
