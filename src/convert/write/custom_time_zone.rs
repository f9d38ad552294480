//! Zones that are in none of Exchange's tables, told by their rules.

use crate::model::item::{Period, TimeZone, Transition, YearlyDay, YearlyMoment};
use crate::model::zone::Zone;
use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::Offset;

/// What Exchange itself calls a zone that is in no table.
const CUSTOM: &str = "tzone://Microsoft/Custom";
const STANDARD: &str = "Standard";
const DAYLIGHT: &str = "Daylight";

/// One of the two changes of a year.
struct Onset {
    to: Offset,
    month: i8,
    weekday: Weekday,
    seconds: i32,
    /// Which such weekday of its month it is, in other words: −1 is the last.
    weeks: Vec<i8>,
}

/// The definition of a zone whose clocks change twice a year, or never, from `first` until `end`; `None` for all
/// others and for offsets that are no whole minutes, for which Exchange has no place.
///
/// MS-OXWSCDATA 2.2.4.73, MS-OXOCAL 2.2.1.41
pub fn definition(zone: &Zone, first: Timestamp, end: Timestamp, years: usize) -> Option<TimeZone> {
    let mut offset = zone.offset(first);
    let offsets = (offset, zone.offset(end));
    let mut onsets: Vec<Onset> = Vec::new();
    let mut count = 0;
    for change in zone.transitions(first, end).into_iter().filter(|change| change.from != change.to) {
        let next = onset(change.at, std::mem::replace(&mut offset, change.to), change.to);
        count += 1;
        match onsets.iter_mut().find(|known| known.is_on_the_day_of(&next)) {
            Some(known) => known.weeks.retain(|week| next.weeks.contains(week)),
            None => onsets.push(next),
        }
    }
    let periods = match onsets.as_slice() {
        [] => vec![period(STANDARD, offsets.0)?],
        [one, other] if count == 2 * years && offsets.0 == offsets.1 => {
            vec![period(STANDARD, one.to.min(other.to))?, period(DAYLIGHT, one.to.max(other.to))?]
        }
        _ => return None,
    };
    let standard = onsets.iter().map(|onset| onset.to).min();
    let mut transitions = Vec::new();
    for onset in &onsets {
        let to = if Some(onset.to) == standard { STANDARD } else { DAYLIGHT };
        let day = YearlyDay::Weekday(onset.weekday, *onset.weeks.last()?);
        let when = YearlyMoment { month: onset.month, seconds: onset.seconds, day };
        transitions.push(Transition { to: to.to_owned(), when: Some(when) });
    }
    if transitions.is_empty() {
        transitions.push(Transition { to: STANDARD.to_owned(), when: None });
    }
    Some(TimeZone {
        id: CUSTOM.to_owned(),
        name: zone.name().unwrap_or_default().to_owned(),
        periods,
        groups: vec![("0".to_owned(), transitions)],
        eras: vec![(None, "0".to_owned())],
    })
}

fn period(name: &str, offset: Offset) -> Option<Period> {
    let is_whole = offset.seconds() % 60 == 0;
    is_whole.then(|| Period { id: name.to_owned(), name: name.to_owned(), bias_seconds: -offset.seconds() })
}

fn onset(at: Timestamp, from: Offset, to: Offset) -> Onset {
    let local = from.to_datetime(at);
    let nth = (local.day() - 1) / 7 + 1;
    let weeks = [(nth <= 4).then_some(nth), (local.day() + 7 > local.days_in_month()).then_some(-1)];
    Onset {
        to,
        month: local.month(),
        weekday: local.weekday(),
        seconds: i32::from(local.hour()) * 3600 + i32::from(local.minute()) * 60 + i32::from(local.second()),
        weeks: weeks.into_iter().flatten().collect(),
    }
}

impl Onset {
    fn is_on_the_day_of(&self, other: &Self) -> bool {
        (self.to, self.month, self.weekday, self.seconds)
            == (other.to, other.month, other.weekday, other.seconds)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::{NotifyPolicy, Plan, plan};
    use crate::convert::Context;
    use crate::model::collection::CollectionKind;
    use crate::model::item::{Change, Field, Value};
    use bytes::Bytes;

    fn planned(rule: &str) -> Plan {
        let text = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:Own\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
             TZOFFSETFROM:+0020\nTZOFFSETTO:+0020\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\n\
             DTSTART;TZID=Own:20260302T090000\n{rule}END:VEVENT\nEND:VCALENDAR\n"
        );
        let context = Context::of("demo@example.com");
        plan(&context, CollectionKind::Calendar, "1.ics", &Bytes::from(text), None, NotifyPolicy::Concerned)
            .unwrap()
    }

    #[test]
    fn a_server_that_takes_no_zone_of_ones_own_still_takes_the_instants_of_single_events() {
        let single = planned("");
        assert!(!single.is_certain);
        assert!(
            single.changes.iter().any(|change| change.value.as_ref().is_some_and(Value::is_zone_by_rules))
        );
        let less = single.without_own_zone().unwrap();
        let utc = Value::zone("UTC");
        assert!(less.changes.contains(&Change::set(Field::StartZone, utc)));
        assert!(
            less.changes
                .contains(&Change::set(Field::Start, Value::Time("2026-03-02T08:40:00Z".parse().unwrap())))
        );
        assert_eq!(planned("RRULE:FREQ=DAILY\n").without_own_zone(), None);
    }
}
