//! TZIDs → Exchange's zones.

use super::custom_time_zone;
use crate::convert::zone as rules;
use crate::model::item::Value;
use crate::model::refusal::{Reason, Refusal};
use crate::model::windows_zones;
use crate::model::zone::Zone;
use crate::text::moment::{self, Moment};
use crate::text::{Component, Line};
use jiff::Timestamp;
use jiff::civil::Date;

/// The id of the zone that is UTC.
const UTC: &str = "UTC";

/// A moment of a component with the zone that Exchange is told.
#[derive(Clone, Debug)]
pub struct ZonedMoment {
    /// The moment.
    pub moment: Moment,
    /// How wall clocks go there.
    pub zone: Zone,
    /// What Exchange is told of the zone: its Windows id, or its rules.
    pub told: Value,
}

impl ZonedMoment {
    /// The instant.
    pub fn instant(&self) -> Timestamp {
        self.zone.to_instant(self.moment.local())
    }
}

/// Reads a line and finds the zone that it is told in. A zone that is like none that Exchange knows is told by its
/// rules; where Exchange has no words for these, it is UTC for what happens once, and what repeats is refused.
pub fn place(
    line: &Line,
    calendar: &Component,
    mailbox: &Zone,
    repeats: bool,
) -> Result<ZonedMoment, Refusal> {
    let wrong =
        || Refusal::new(Reason::InvalidData, format!("{} is no date or time: {}", line.name, line.value));
    let found = moment::Zones::new(calendar, mailbox).moment(line).ok_or_else(wrong)?;
    let (local, zone) = match &found {
        Moment::Zoned(local, zone) => (*local, zone.clone()),
        Moment::Floating(_) if let Some(name) = line.param("TZID") => {
            let text = format!("the time zone {name} is not explained by a VTIMEZONE");
            return Err(Refusal::new(Reason::InvalidData, text));
        }
        Moment::Day(_) | Moment::Floating(_) => {
            let now = Date::constant(2026, 1, 1);
            let told = windows_of(mailbox, now, mailbox).map_or_else(utc, known);
            return Ok(ZonedMoment { told, zone: mailbox.clone(), moment: found });
        }
    };
    let by_rules = || {
        let (first, end) = rules::years(local.date());
        let rules = custom_time_zone::definition(&zone, first, end, usize::from(rules::YEARS));
        rules.map(|rules| Value::Zone(Box::new(rules)))
    };
    match windows_of(&zone, local.date(), mailbox).map(known).or_else(by_rules) {
        Some(told) => Ok(ZonedMoment { moment: found, zone, told }),
        None if repeats && has_seasons(&zone, local.date()) => Err(Refusal::of_part(
            Reason::UnsupportedTimeZone,
            zone.name().unwrap_or_default(),
            "a series needs a zone whose clocks change alike every year: use one of the IANA database",
        )),
        None => {
            let there = Zone::Utc.to_local(zone.to_instant(local));
            Ok(ZonedMoment { moment: Moment::Zoned(there, Zone::Utc), zone: Zone::Utc, told: utc() })
        }
    }
}

fn known(windows: &str) -> Value {
    Value::zone(windows)
}

fn utc() -> Value {
    known(UTC)
}

fn has_seasons(zone: &Zone, from: Date) -> bool {
    rules::changes(zone, from).len() > 1
}

/// The Windows zone whose clocks go alike: by name where there is one, else by what clocks show.
pub fn windows_of(zone: &Zone, from: Date, mailbox: &Zone) -> Option<&'static str> {
    if zone.is_utc() {
        return Some(UTC);
    }
    if let Some(known) =
        zone.name().filter(|_| matches!(zone, Zone::Iana(_))).and_then(windows_zones::from_iana)
    {
        return Some(known);
    }
    rules::alike(zone, from, mailbox).map(|(windows, _)| windows)
}
