//! TZIDs → Windows zones.

use crate::model::refusal::{Reason, Refusal};
use crate::model::windows_zones;
use crate::model::zone::Zone;
use crate::text::moment::{self, Moment};
use crate::text::{Component, Line};
use jiff::Timestamp;
use jiff::civil::Date;

/// The id of the zone that is UTC.
const UTC: &str = "UTC";
/// How many years of rules must agree for two zones to be taken for the same.
const YEARS: i16 = 10;

/// A moment of a component with the zone that Exchange is told.
#[derive(Clone, Debug)]
pub struct Place {
    /// The moment.
    pub moment: Moment,
    /// How wall clocks go there.
    pub zone: Zone,
    /// What Exchange calls the zone.
    pub windows: &'static str,
}

impl Place {
    /// The instant.
    pub fn instant(&self) -> Timestamp {
        self.zone.to_instant(self.moment.local())
    }
}

/// Reads a line and finds the zone that it is told in. A zone that Exchange does not know is UTC for what happens once;
/// what repeats cannot be told in it unless clocks never change there.
pub fn place(line: &Line, calendar: &Component, mailbox: &Zone, repeats: bool) -> Result<Place, Refusal> {
    let wrong =
        || Refusal::new(Reason::InvalidData, format!("{} is no date or time: {}", line.name, line.value));
    let zones = moment::Zones::new(calendar, mailbox);
    let mut found = zones.moment(line).ok_or_else(wrong)?;
    let own = || windows_of(mailbox, Date::constant(2026, 1, 1), mailbox).unwrap_or(UTC);
    match &found {
        Moment::Day(_) => return Ok(Place { windows: own(), zone: mailbox.clone(), moment: found }),
        Moment::Floating(local) => {
            let Some(name) = line.param("TZID") else {
                return Ok(Place { windows: own(), zone: mailbox.clone(), moment: found });
            };
            // A TZID that neither is a known name nor is explained.
            let zone = by_other_names(name, calendar).ok_or_else(|| {
                Refusal::new(
                    Reason::InvalidData,
                    format!("the time zone {name} is not explained by a VTIMEZONE"),
                )
            })?;
            found = Moment::Zoned(*local, zone);
        }
        Moment::Zoned(..) => {}
    }
    let Moment::Zoned(local, zone) = &found else { return Err(wrong()) };
    let zone = match (zone, line.param("TZID")) {
        // An explained zone may be a known one under another name.
        (Zone::Custom(_), Some(name)) => by_other_names(name, calendar).unwrap_or_else(|| zone.clone()),
        _ => zone.clone(),
    };
    match windows_of(&zone, local.date(), mailbox) {
        Some(windows) => Ok(Place { moment: Moment::Zoned(*local, zone.clone()), zone, windows }),
        None if repeats && has_seasons(&zone, local.date()) => Err(Refusal::of_part(
            Reason::UnsupportedTimeZone,
            zone.name().unwrap_or_default(),
            "a series needs a zone that Exchange knows: use one of the IANA database",
        )),
        None => {
            let utc = Zone::Utc.to_local(zone.to_instant(*local));
            Ok(Place { moment: Moment::Zoned(utc, Zone::Utc), zone: Zone::Utc, windows: UTC })
        }
    }
}

/// Other ways to name a zone: prefixed ids, X-LIC-LOCATION.
fn by_other_names(name: &str, calendar: &Component) -> Option<Zone> {
    let told = moment::vtimezone(calendar, name);
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    let tails = [3, 2, 1]
        .into_iter()
        .filter_map(|count| Some(parts.get(parts.len().checked_sub(count)?..)?.join("/")));
    tails
        .filter(|tail| tail.contains('/') && tail != name)
        .find_map(|tail| Zone::iana(&tail))
        .or_else(|| moment::named(told?.value("X-LIC-LOCATION")?))
}

fn years(from: Date) -> (Timestamp, Timestamp) {
    let first =
        |year: i16| Date::new(year, 1, 1).map_or(Timestamp::MAX, |date| Zone::Utc.to_instant(date.into()));
    (first(from.year()), first(from.year().saturating_add(YEARS)))
}

fn changes(zone: &Zone, from: Date) -> Vec<(Timestamp, i32)> {
    let (from, to) = years(from);
    let mut offset = zone.offset(from).seconds();
    let mut changes = vec![(from, offset)];
    for transition in zone.transitions(from, to) {
        if transition.to.seconds() != offset {
            offset = transition.to.seconds();
            changes.push((transition.at, offset));
        }
    }
    changes
}

fn has_seasons(zone: &Zone, from: Date) -> bool {
    changes(zone, from).len() > 1
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
    let wanted = changes(zone, from);
    let own = mailbox.name().filter(|_| changes(mailbox, from) == wanted).and_then(windows_zones::from_iana);
    own.or_else(|| {
        windows_zones::all()
            .find(|(_, iana)| Zone::iana(iana).is_some_and(|zone| changes(&zone, from) == wanted))
            .map(|(windows, _)| windows)
    })
}
